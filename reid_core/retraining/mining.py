"""What the judgements teach besides labels: trust in each crop, constraints, hard negatives, triplets."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from reid_core.annotation import Answer, Decision, IdentityGraph
from reid_core.annotation.decisions import decision_weight, pid_of_node
from reid_core.annotation.graph import DEFAULT_ACCURACY
from reid_core.retraining.pools import PoolCrop
from reid_core.retraining.records import Constraint, HardNegative, SnapshotRules, Triplet
from reid_core.types import EmbeddingSet

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

_DIGITS = 4
"""Of similarities and weights: what another machine computes alike."""


class Likeness:
    """Cosines between crops under one model; crops without an embedding have none."""

    def __init__(self, embeddings: EmbeddingSet | None) -> None:
        self._vectors = embeddings.vectors if embeddings is not None else np.zeros((0, 1), np.float32)
        self._row = {crop: i for i, crop in enumerate(embeddings.ids)} if embeddings is not None else {}

    def __contains__(self, crop: str) -> bool:
        return crop in self._row

    def similarity(self, left: str, right: str) -> float | None:
        """Cosine, rounded; None where a crop has no embedding."""
        if left not in self._row or right not in self._row:
            return None
        return _rounded(float(self._vectors[self._row[left]] @ self._vectors[self._row[right]]))

    def violation(self, anchor: str, positive: str, negative: str) -> float:
        """Cosine of anchor and negative minus that of anchor and positive; NaN where one is unknown."""
        if not all(crop in self._row for crop in (anchor, positive, negative)):
            return math.nan
        own, good, bad = (self._vectors[self._row[crop]] for crop in (anchor, positive, negative))
        return _rounded(float(own @ bad) - float(own @ good))

    def between(self, left: Sequence[str], right: Sequence[str]) -> NDArray[np.float64]:
        """(L, R) cosines; every crop must have an embedding."""
        rows, columns = ([self._row[crop] for crop in side] for side in (left, right))
        return (self._vectors[rows] @ self._vectors[columns].T).astype(np.float64)

    def known(self, crops: Iterable[str]) -> list[str]:
        """Those of ``crops`` that have an embedding, in order."""
        return [crop for crop in crops if crop in self._row]

    def medoid(self, crops: Sequence[str]) -> str:
        """The crop most like the others; without embeddings the first."""
        known = self.known(crops)
        if not known:
            return crops[0]
        vectors = self._vectors[[self._row[crop] for crop in known]]
        closeness = np.round((vectors @ vectors.sum(axis=0)).astype(np.float64), _DIGITS)
        return known[int(np.argmax(closeness))]


def crop_weights(graph: IdentityGraph, crops: Sequence[str], likeness: Likeness) -> dict[str, float]:
    """Probability, per crop of one identity, that the weakest link on its best path to the medoid holds.

    The best path is the one whose weakest link is strongest; all of them lie on a maximum spanning tree
    (Pollack, 1960), so one tree per identity is enough. Parallel judgements add up. The medoid itself has the
    trust of its own strongest link; a crop alone, which nothing holds to anybody, has 1.
    """
    medoid = likeness.medoid(crops)
    links: nx.Graph[str] = nx.Graph()
    for link in graph.links(medoid):
        earlier = links.get_edge_data(link.left, link.right, {"weight": 0.0})["weight"]
        links.add_edge(link.left, link.right, weight=earlier + link.weight)
    if medoid not in links:
        return dict.fromkeys(crops, 1.0)
    tree = nx.maximum_spanning_tree(links)
    weakest = {medoid: math.inf}
    for parent, node in nx.bfs_edges(tree, medoid):
        weakest[node] = min(weakest[parent], tree[parent][node]["weight"])
    weakest[medoid] = max(data["weight"] for _, _, data in links.edges(medoid, data=True))
    return {crop: _rounded(_probability(weakest[crop])) for crop in crops}


def constraints_of(
    graph: IdentityGraph, crops: Collection[str], likeness: Likeness
) -> tuple[Constraint, ...]:
    """The judgements in effect as pairs of crops, in log order; contested ones are left out."""
    found = []
    for decision in _in_effect(graph):
        left = _stand_ins(graph, decision.left, crops)
        right = _stand_ins(graph, decision.right, crops)
        pair = _nearest_pair(left, right, likeness)
        if pair is None:
            continue
        found.append(
            Constraint(
                left=pair[0],
                right=pair[1],
                kind="must" if decision.answer is Answer.SAME else "cannot",
                weight=_rounded(decision_weight(decision, DEFAULT_ACCURACY)),
                similarity=likeness.similarity(*pair),
                decision_id=decision.decision_id,
            )
        )
    return tuple(found)


def hard_negatives_of(
    constraints: Iterable[Constraint],
    identity_of: Mapping[str, Sequence[str]],
    likeness: Likeness,
    rules: SnapshotRules,
) -> tuple[HardNegative, ...]:
    """Pairs that a person called different and the model places close, from both ends, closest first.

    Args:
        constraints: Of both kinds.
        identity_of: Per crop all crops of its identity.
        likeness: Of the model to correct.
        rules: ``hard_margin`` says what close is.
    """
    found: dict[tuple[str, str], HardNegative] = {}
    for pair in constraints:
        if pair.kind != "cannot" or pair.similarity is None:
            continue
        for anchor, negative in ((pair.left, pair.right), (pair.right, pair.left)):
            positives = [c for c in likeness.known(identity_of.get(anchor, ())) if c != anchor]
            if not positives:
                continue
            slack = float(likeness.between([anchor], positives).min()) - pair.similarity
            if slack <= rules.hard_margin:
                found[anchor, negative] = HardNegative(anchor, negative, pair.similarity, _rounded(slack))
    return tuple(sorted(found.values(), key=lambda n: (-n.similarity, n.anchor, n.negative)))


def triplets_of(
    graph: IdentityGraph,
    members: Mapping[int, Sequence[str]],
    crops: Mapping[str, PoolCrop],
    likeness: Likeness,
    rules: SnapshotRules,
) -> tuple[Triplet, ...]:
    """Orders that the judgements demand and the model breaks, or nearly breaks; worst first.

    Of two identities that a person told apart, every crop is an anchor. Its negative is the other identity's
    nearest crop; its positives are its own identity's crops from other cameras (from any if there is no
    other) that are at most ``hard_margin`` more similar than the negative.

    Args:
        graph: The current identities.
        members: Per component of the graph its crops, as far as they may train.
        crops: All of them, by id.
        likeness: Of the model to correct.
        rules: ``hard_margin`` and ``most_triplets``.
    """
    names = sorted(crop for group in members.values() for crop in likeness.known(group))
    number_of = {crop: number for number, crop in enumerate(names)}
    cameras = np.array([-1 if (camid := crops[crop].camid) is None else camid for crop in names])
    pairs = {
        (graph.component(d.left), graph.component(d.right))
        for d in _in_effect(graph)
        if d.answer is Answer.DIFFERENT
    }
    worst = _WorstTriplets(rules.most_triplets)
    for first, second in sorted({pair for a, b in pairs for pair in ((a, b), (b, a))}):
        own, other = (likeness.known(members.get(component, ())) for component in (first, second))
        if len(own) > 1 and other:
            rows = np.array([number_of[crop] for crop in own])
            columns = np.array([number_of[crop] for crop in other])
            inside, across = likeness.between(own, own), likeness.between(own, other)
            worst.add(*_triplets_between(inside, across, cameras[rows], rows, columns, rules.hard_margin))
    return tuple(
        Triplet(names[anchor], names[positive], names[negative], _rounded(violation))
        for violation, anchor, positive, negative in worst.rows()
    )


class _WorstTriplets:
    """The worst of many, by violation and then by number; never much more in memory than are asked for."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._violations: FloatArray = np.zeros(0)
        self._numbers: IntArray = np.zeros((0, 3), dtype=np.int64)
        self._new: list[tuple[FloatArray, IntArray]] = []
        self._num_new = 0

    def add(self, violations: FloatArray, numbers: IntArray) -> None:
        """Some more: (T,) violations and (T, 3) numbers of anchor, positive, negative."""
        self._new.append((violations, numbers))
        self._num_new += len(violations)
        if self._num_new > 4 * self._most:
            self._prune()

    def rows(self) -> Iterator[tuple[float, int, int, int]]:
        """Violation, anchor, positive, negative; worst first."""
        self._prune()
        for violation, (anchor, positive, negative) in zip(
            self._violations.tolist(), self._numbers.tolist(), strict=True
        ):
            yield violation, anchor, positive, negative

    def _prune(self) -> None:
        violations = np.concatenate([self._violations, *(new[0] for new in self._new)])
        numbers = np.concatenate([self._numbers, *(new[1] for new in self._new)])
        order = np.lexsort((numbers[:, 2], numbers[:, 1], numbers[:, 0], -violations))[: self._most]
        self._violations, self._numbers = violations[order], numbers[order]
        self._new, self._num_new = [], 0


def _triplets_between(
    inside: FloatArray,
    across: FloatArray,
    cameras: IntArray,
    rows: IntArray,
    columns: IntArray,
    margin: float,
) -> tuple[FloatArray, IntArray]:
    """Of one identity against another: ``inside`` (L, L) and ``across`` (L, R) cosines, ``cameras`` (L,)."""
    nearest = np.round(across, _DIGITS).argmax(axis=1)
    violation = np.round(across[np.arange(len(rows)), nearest][:, None] - inside, _DIGITS)
    is_positive = cameras[:, None] != cameras[None, :]
    alone = ~is_positive.any(axis=1)
    is_positive[alone] = ~np.eye(len(rows), dtype=np.bool_)[alone]
    anchors, positives = np.nonzero(is_positive & (violation >= -margin))
    numbers = np.stack([rows[anchors], rows[positives], columns[nearest[anchors]]], axis=1)
    return violation[anchors, positives], numbers


def _in_effect(graph: IdentityGraph) -> Iterator[Decision]:
    """Same and different judgements in force that nothing contests, in log order."""
    contested = {conflict.decision.decision_id for conflict in graph.conflicts()}
    for decision in graph.active():
        if decision.answer is not Answer.CANNOT_TELL and decision.decision_id not in contested:
            yield decision


def _stand_ins(graph: IdentityGraph, node: str, crops: Collection[str]) -> list[str]:
    """The crops that a judged node may stand for: itself, or an identity's crops."""
    if pid_of_node(node) is None:
        return [node] if node in crops else []
    return [crop for crop in graph.crops(node) if crop in crops]


def _nearest_pair(left: Sequence[str], right: Sequence[str], likeness: Likeness) -> tuple[str, str] | None:
    pairs = [(a, b) for a in left for b in right if a != b]
    if not pairs:
        return None
    return min(pairs, key=lambda pair: (-(likeness.similarity(*pair) or -2.0), pair))


def by_identity(groups: Iterable[Sequence[str]]) -> dict[str, Sequence[str]]:
    """Per crop all crops of its group."""
    found: dict[str, Sequence[str]] = defaultdict(tuple)
    for group in groups:
        found.update(dict.fromkeys(group, group))
    return found


def measured_violations(triplets: Sequence[Triplet], likeness: Likeness) -> NDArray[np.float64]:
    """(T,) violation of each triplet under another model, NaN where one of its crops has no embedding."""
    return np.array(
        [likeness.violation(t.anchor, t.positive, t.negative) for t in triplets], dtype=np.float64
    )


def _probability(log_odds: float) -> float:
    return 1.0 / (1.0 + math.exp(-log_odds)) if log_odds < 700 else 1.0


def _rounded(value: float) -> float:
    return round(value, _DIGITS) + 0.0
