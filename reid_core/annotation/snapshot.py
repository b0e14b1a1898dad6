"""An identity graph as arrays, for streams that look at all crops at once. Made anew after every answer."""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from reid_core.annotation.decisions import Answer, identity_node
from reid_core.annotation.evidence import IntArray, PairEvidence
from reid_core.annotation.graph import IdentityGraph
from reid_core.annotation.questions import Stream


class GraphSnapshot:
    """The identities of the crops of ``evidence`` at one moment.

    Attributes:
        identity: (N,) number of each crop's identity, 0 to ``num_identities`` - 1, by its first row.
        members: Per identity its rows, ascending.
        proven: (N,) crops with equal numbers are held together by judgements alone, labels aside.
        apart: Pairs of identities that somebody told apart, the smaller number first.
        seen_pure: Identities that somebody saw on a contact sheet and called one person.
        num_sheet_picks: How often a crop was the first picked of a person on a contact sheet.
        active: The decisions in force. ``links``: the "same" judgements in effect. Both in log order.
        num_judged: How many decisions the log holds per pair of nodes.
    """

    def __init__(self, evidence: PairEvidence, graph: IdentityGraph) -> None:
        self.evidence = evidence
        self.graph = graph
        components = np.array([graph.component(crop) for crop in evidence.ids], dtype=np.int64)
        distinct, first, code = np.unique(components, return_index=True, return_inverse=True)
        # By first row, not by the graph's numbers: equal answers must give equal questions in any process.
        rank = np.argsort(np.argsort(first, kind="stable"), kind="stable")
        self.identity: IntArray = rank[code]
        self._number = {int(component): int(i) for component, i in zip(distinct, rank, strict=True)}
        self.num_identities = len(distinct)
        order = np.argsort(self.identity, kind="stable")
        borders = np.cumsum(np.bincount(self.identity))[:-1]
        self.members: list[IntArray] = np.split(order, borders)
        self.sizes = np.bincount(self.identity)
        self.num_judged = graph.judged_pairs()
        self.active = tuple(graph.active())
        self.links = tuple(graph.judged_links())
        self.num_sheet_picks = Counter(
            d.left for d in self.active if d.stream == Stream.PURITY.value and d.answer is Answer.DIFFERENT
        )
        self.proven = self._groups_of_judgements()
        self.seen_pure = self._seen_pure()
        self.apart = self._separated_identities()

    def is_apart(self, first: int, second: int) -> bool:
        """Whether somebody told two identities apart."""
        return (min(first, second), max(first, second)) in self.apart

    def are_apart(self, first: IntArray, second: IntArray) -> NDArray[np.bool_]:
        """``is_apart`` of many."""
        codes = np.minimum(first, second) * self.num_identities + np.maximum(first, second)
        known = np.array([a * self.num_identities + b for a, b in self.apart], dtype=np.int64)
        return np.isin(codes, known)

    def is_known(self, left: int, right: int) -> bool:
        """Whether judgements settle a pair of rows, or somebody was asked about it before.

        That a label puts both into one identity does not count: nobody has looked.
        """
        return bool(
            self.proven[left] == self.proven[right]
            or self.was_asked(left, right)
            or self.is_apart(int(self.identity[left]), int(self.identity[right]))
        )

    def was_asked(self, left: int, right: int) -> bool:
        """Whether the log holds a decision on just these two crops."""
        return self.num_judged[frozenset((self.evidence.ids[left], self.evidence.ids[right]))] > 0

    def identity_node(self, identity: int) -> str | None:
        """The data set's identity that holds it together: the one with most crops here, or None."""
        crop = self.evidence.ids[self.members[identity][0]]
        pids = self.graph.pids(crop)
        return identity_node(pids[0]) if pids else None

    def _groups_of_judgements(self) -> IntArray:
        parent = list(range(len(self.evidence.ids)))
        nodes: dict[str, int] = dict(self.evidence.row)

        def root(i: int) -> int:
            while parent[i] != i:
                parent[i] = parent[parent[i]]
                i = parent[i]
            return i

        for link in self.links:
            for node in (link.left, link.right):
                if node not in nodes:
                    nodes[node] = len(parent)
                    parent.append(nodes[node])
            parent[root(nodes[link.left])] = root(nodes[link.right])
        return np.array([root(i) for i in range(len(self.evidence.ids))], dtype=np.int64)

    def _seen_pure(self) -> frozenset[int]:
        sheets = (
            self._number.get(self.graph.component(d.left))
            for d in self.active
            if d.stream == Stream.PURITY.value
            and d.answer is Answer.SAME
            # A "same" between crops that a sheet took out together says nothing about what stayed.
            and self.num_sheet_picks[d.right] == 0
        )
        return frozenset(i for i in sheets if i is not None)

    def _separated_identities(self) -> set[tuple[int, int]]:
        pairs = set()
        for left, right in self.graph.separations():
            a = self._number.get(self.graph.component(left))
            b = self._number.get(self.graph.component(right))
            # An identity all of whose crops were taken out holds nothing to ask about.
            if a is not None and b is not None:
                pairs.add((min(a, b), max(a, b)))
        return pairs
