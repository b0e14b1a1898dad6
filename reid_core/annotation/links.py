"""Links between nodes, what contradicts them, and the cheapest cuts that part two nodes."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import networkx as nx

from reid_core.annotation.decisions import Decision, pid_of_node

_UNCUTTABLE = 1e9
"""Above any sum of label weights; finite, because parallel judgements add up."""


@dataclass(frozen=True, slots=True)
class Link:
    """One reason to believe that two nodes are one person. ``decision_id`` is None for a base edge."""

    left: str
    right: str
    weight: float
    decision_id: str | None


@dataclass(frozen=True, slots=True)
class Conflict:
    """A judgement that cannot hold together with others.

    Attributes:
        decision: The contested judgement; it is not in effect.
        chain: The links that contradict it, in order from one crop to the other; for a contested "same" it
            runs between the two crops that somebody told apart.
        against: The "different" judgement at the ends of ``chain``: the contested one itself, or the earlier
            one that a contested "same" violates.
        weakest_cut: The cheapest links to give up so that both ends come apart.
        cut_weight, own_weight: What giving them up costs, and what giving up ``decision`` costs.
    """

    decision: Decision
    chain: tuple[Link, ...]
    against: Decision
    weakest_cut: tuple[Link, ...]
    cut_weight: float
    own_weight: float

    @property
    def suggestion(self) -> Literal["drop the cut", "drop the contested judgement"]:
        """The cheaper way out; a person decides."""
        return "drop the cut" if self.cut_weight < self.own_weight else "drop the contested judgement"


@dataclass(frozen=True, slots=True)
class Consequence:
    """What an answer would do, for the line shown before it is given.

    ``num_left`` and ``num_right`` count crops on both sides; ``new_pairs`` counts pairs of crops that become
    known; ``overrules_labels`` says that base edges give way; ``conflicts`` that it would be contested.
    """

    num_left: int
    num_right: int
    new_pairs: int
    overrules_labels: bool
    conflicts: bool


def link_key(link: Link) -> str:
    """Names a link: a decision by its id, a base edge by its crop."""
    return link.decision_id if link.decision_id is not None else f"base:{link.left}"


def add_to_graph(graph: nx.Graph[str], link: Link) -> None:
    """Parallel links add up; a judgement makes ``label_capacity`` infinite, for cuts of labels only."""
    if not graph.has_edge(link.left, link.right):
        graph.add_edge(link.left, link.right, links=[], capacity=0.0, label_capacity=0.0)
    data = graph[link.left][link.right]
    data["links"].append(link)
    data["capacity"] += link.weight
    data["label_capacity"] += link.weight if link.decision_id is None else _UNCUTTABLE


def label_cut(graph: nx.Graph[str], left: str, right: str) -> tuple[Link, ...] | None:
    """The cheapest base edges that part two nodes, or None if judgements alone connect them."""
    cut = cut_between(graph, left, right, "label_capacity")
    return cut if all(link.decision_id is None for link in cut) else None


def cut_between(graph: nx.Graph[str], left: str, right: str, capacity: str) -> tuple[Link, ...]:
    """The cheapest links that part two nodes, by the named capacity."""
    _, (side, _) = nx.minimum_cut(graph, left, right, capacity=capacity)
    edges = (data for u, v, data in graph.edges(data=True) if (u in side) != (v in side))
    return tuple(sorted((link for data in edges for link in data["links"]), key=link_key))


def total_weight(cut: Iterable[Link]) -> float:
    """What giving up all of these links costs."""
    return math.fsum(link.weight for link in cut)


def splits_crops(graph: nx.Graph[str], left: str, right: str) -> bool:
    """Whether both ends of a bridge hold a crop once it is gone."""
    pruned = nx.restricted_view(graph, [], [(left, right)])
    return all(
        any(pid_of_node(node) is None for node in nx.node_connected_component(pruned, end))
        for end in (left, right)
    )
