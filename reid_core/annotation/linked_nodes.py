"""Nodes held together by links: the components of the identity graph, merged by size, split by a search."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

import networkx as nx

from reid_core.annotation.decisions import pid_of_node
from reid_core.annotation.links import Link, add_to_graph, link_key
from reid_core.errors import InputError


class LinkedNodes:
    """Crops and identities of the data set, their links, and which of them are one person.

    Joining renames the smaller component, so n joins cost n log n; the links are kept, because taking one out
    needs them: the component is then searched once more.
    """

    def __init__(self) -> None:
        self._links: dict[str, dict[str, Link]] = defaultdict(dict)
        self._component: dict[str, int] = {}
        self._members: dict[int, set[str]] = {}
        self._next_component = 0

    def __contains__(self, node: object) -> bool:
        """Whether ``node`` is a crop or an identity of this graph."""
        return node in self._component

    def component(self, node: str) -> int:
        """A number that two nodes share if and only if they are one identity now."""
        return self._component_of(node)

    def nodes(self, node: str) -> frozenset[str]:
        """Every node of the identity that ``node`` belongs to: crops and the data set's identities."""
        return frozenset(self._members[self._component_of(node)])

    def crops(self, node: str) -> tuple[str, ...]:
        """The crops of the identity that ``node`` belongs to, sorted."""
        return tuple(sorted(m for m in self._members[self._component_of(node)] if pid_of_node(m) is None))

    def pids(self, node: str) -> tuple[int, ...]:
        """The data set's identities merged into that of ``node``, sorted; none for a new one."""
        members = self._members[self._component_of(node)]
        return tuple(sorted(pid for m in members if (pid := pid_of_node(m)) is not None))

    def identities(self) -> Iterator[tuple[str, ...]]:
        """The crops of every identity that has any, each sorted, in the order of their first crop."""
        groups = (self.crops(next(iter(members))) for members in self._members.values())
        yield from sorted(group for group in groups if group)

    def sides(self, bridge: Link) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The crops at the left and at the right end of a bridge, each sorted."""
        graph = self._link_graph(self._component_of(bridge.left))
        pruned = nx.restricted_view(graph, [], [(bridge.left, bridge.right)])
        parts = (nx.node_connected_component(pruned, end) for end in (bridge.left, bridge.right))
        left, right = (tuple(sorted(n for n in part if pid_of_node(n) is None)) for part in parts)
        return left, right

    def _component_of(self, node: str) -> int:
        try:
            return self._component[node]
        except KeyError:
            raise InputError(f"{node} is not a crop or identity of this data set.") from None

    def _rebuild_components(self, nodes: Iterable[str]) -> None:
        remaining = set(nodes)
        for component in {self._component[node] for node in remaining if node in self._component}:
            self._members.pop(component, None)
        while remaining:
            found, stack = set(), [next(iter(remaining))]
            while stack:
                node = stack.pop()
                if node in found:
                    continue
                found.add(node)
                stack.extend(
                    other for link in self._links[node].values() for other in (link.left, link.right)
                )
            self._members[self._next_component] = found
            for node in found:
                self._component[node] = self._next_component
            self._next_component += 1
            remaining -= found

    def _join(self, a: int, b: int) -> None:
        small, large = sorted((a, b), key=lambda c: len(self._members[c]))
        for node in self._members[small]:
            self._component[node] = large
        self._members[large] |= self._members.pop(small)

    def _add_link(self, link: Link) -> None:
        self._links[link.left][link_key(link)] = link
        self._links[link.right][link_key(link)] = link

    def _link_graph(self, *components: int) -> nx.Graph[str]:
        """The positive links of whole components, in an order that depends on nothing but their content."""
        links = {
            link_key(k): k for c in components for n in self._members[c] for k in self._links[n].values()
        }
        graph: nx.Graph[str] = nx.Graph()
        graph.add_nodes_from(sorted(node for c in components for node in self._members[c]))
        for key in sorted(links):
            add_to_graph(graph, links[key])
        return graph

    def _joined_graph(self, a: int, b: int, link: Link) -> nx.Graph[str]:
        graph = self._link_graph(a, b)
        add_to_graph(graph, link)
        return graph
