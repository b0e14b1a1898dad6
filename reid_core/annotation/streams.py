"""Streams of questions on pairs: each ranks what it would ask, most valuable first, and says why.

A stream is a function of a snapshot; it keeps no state, so every answer is felt at once. ``expected_yield``
is the chance that the answer changes labels times the crops whose label it changes; the queue measures how
far each stream's forecasts can be trusted.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import numpy as np

from reid_core.annotation.decisions import Answer
from reid_core.annotation.evidence import IntArray
from reid_core.annotation.graph import DEFAULT_ACCURACY, DEFAULT_LABEL_ERROR
from reid_core.annotation.likeness import IdentityLikeness
from reid_core.annotation.questions import PairQuestion, Stream
from reid_core.annotation.snapshot import GraphSnapshot

MAX_IMPACT = 2
"""Of one answer, in crops: a merge of large identities is still one label that was wrong."""
FRAGMENT_IMPACT = 0.05
"""Of a crop that was taken out already: it misleads nobody any more, it is only missing.

The third choice of a neighbour vote brings it home without a question of its own.
"""
_MAX_ASKED_ON_CONFLICT = 2


def conflict_questions(snapshot: GraphSnapshot) -> Iterator[PairQuestion]:
    """A second look at the judgements of each open conflict, the least looked at and weakest first.

    The answer supersedes the judgement that it repeats or reverses. What was looked at twice is left to
    adjudication.
    """
    decisions = {d.decision_id: d for d in snapshot.active}
    for conflict in snapshot.graph.conflicts():
        disputed = [conflict.decision, conflict.against]
        disputed += [decisions[k.decision_id] for k in conflict.weakest_cut if k.decision_id in decisions]
        for decision in sorted(disputed, key=lambda d: snapshot.num_judged[d.pair]):
            if snapshot.num_judged[decision.pair] < _MAX_ASKED_ON_CONFLICT:
                yield PairQuestion(
                    decision.left,
                    decision.right,
                    Stream.CONFLICT,
                    f"Judgements contradict each other; one of them says '{decision.answer.value}' here. "
                    "Please look again.",
                    expected_yield=1.0,
                    supersedes=decision.decision_id,
                )
                break


def bridge_questions(snapshot: GraphSnapshot, likeness: IdentityLikeness) -> Iterator[PairQuestion]:
    """Identities of several labels that hang on one judgement: a second pair across it, both well supported.

    If the second answer is "different", the graph lets the wrong label give way.
    """
    found = []
    for identity in likeness.bridged():
        for link in likeness.bridges(identity):
            sides = likeness.sides_of(identity, link)
            if min(len(side) for side in sides) < 2:
                continue
            pair = likeness.typical_pair(*sides, is_allowed=lambda a, b: not snapshot.was_asked(a, b))
            if pair is None:
                continue
            across = float(snapshot.evidence.log_odds(*sides).mean()) - likeness.typical_within
            doubt = _sigmoid(-across - math.log(DEFAULT_ACCURACY / (1 - DEFAULT_ACCURACY)))
            found.append((doubt * min(MAX_IMPACT, *map(len, sides)), pair, link))
    for expected, (left, right), _ in sorted(found, key=lambda f: -f[0]):
        yield _pair(
            snapshot,
            left,
            right,
            Stream.BRIDGE,
            "Two identities were joined by a single judgement. Do these two crops confirm it?",
            expected,
        )


def neighbour_vote_questions(snapshot: GraphSnapshot, likeness: IdentityLikeness) -> Iterator[PairQuestion]:
    """Crops that look more like another identity than like their own: own medoid, rival, or neither?"""
    doubt = likeness.doubt()
    for row in np.argsort(-doubt, kind="stable"):
        if doubt[row] <= 0:
            return
        reference = likeness.reference_for(int(row))
        if reference is None:
            continue
        rival = likeness.rival_crop(int(row))
        ids = snapshot.evidence.ids
        reason = (
            "This crop looks less like its own identity than other crops do."
            if rival is None
            else "This crop looks more like another identity than like its own."
        )
        yield PairQuestion(
            ids[row],
            ids[reference],
            Stream.NEIGHBOUR_VOTE,
            reason,
            float(doubt[row]),
            rival=None if rival is None else ids[rival],
        )


def false_match_questions(snapshot: GraphSnapshot, likeness: IdentityLikeness) -> Iterator[PairQuestion]:
    """Identities that nobody has told apart and that could be one person."""
    pairs = likeness.open_pairs()
    chance = likeness.chance_of_one_person(pairs)
    sizes = np.minimum(snapshot.sizes[pairs[:, 0]], snapshot.sizes[pairs[:, 1]])
    impact = np.where(sizes == 1, FRAGMENT_IMPACT, np.minimum(sizes, MAX_IMPACT))
    expected = chance * impact
    for k in np.argsort(-expected, kind="stable"):
        first, second = (int(i) for i in pairs[k])
        pair = likeness.typical_pair(
            snapshot.members[first],
            snapshot.members[second],
            is_allowed=lambda a, b: not snapshot.is_known(a, b),
        )
        if pair is not None:
            yield _pair(
                snapshot,
                *pair,
                Stream.FALSE_MATCH_FIRST,
                f"Two identities of {snapshot.sizes[first]} and {snapshot.sizes[second]} crops may be one "
                f"person ({chance[k]:.0%} by all their crops).",
                float(expected[k]),
            )


def rank_violation_questions(snapshot: GraphSnapshot) -> Iterator[PairQuestion]:
    """Crops of another label that rank above a confirmed positive; the largest violation first."""
    evidence = snapshot.evidence
    ends = [(k.left, k.right) for k in snapshot.links]
    # Links to a label's node, and to crops outside of a queue on a selection, have no place in the evidence.
    ends = [pair for pair in ends if all(node in evidence.row for node in pair)]
    confirmed = np.array([[evidence.row[a], evidence.row[b]] for a, b in ends], dtype=np.int64).reshape(-1, 2)
    least = np.full(len(evidence.ids), np.inf)
    similarity = evidence.similarity(confirmed[:, 0], confirmed[:, 1])
    for side in (0, 1):
        np.minimum.at(least, confirmed[:, side], similarity)
    excess = evidence.neighbour_similarity - least[:, None]
    excess[snapshot.identity[evidence.neighbours] == snapshot.identity[:, None]] = -np.inf
    queries, places = np.nonzero(excess > 0)
    for k in np.argsort(-excess[queries, places], kind="stable"):
        query, other = int(queries[k]), int(evidence.neighbours[queries[k], places[k]])
        if not snapshot.is_known(query, other):
            p = _sigmoid(float(evidence.neighbour_log_odds[query, places[k]]))
            reason = f"Ranks above a confirmed match, by {excess[query, places[k]]:.3f} in similarity."
            yield _pair(snapshot, query, other, Stream.RANK_VIOLATION, reason, p * DEFAULT_LABEL_ERROR)


def margin_questions(snapshot: GraphSnapshot) -> Iterator[PairQuestion]:
    """Neighbours of different labels about which the model is least certain; good for training a verifier."""
    evidence = snapshot.evidence
    for query, place in evidence.least_certain:
        other = int(evidence.neighbours[query, place])
        if snapshot.identity[query] != snapshot.identity[other] and not snapshot.is_known(int(query), other):
            p = _sigmoid(float(evidence.neighbour_log_odds[query, place]))
            reason = f"The model cannot tell: it says {p:.0%}."
            yield _pair(snapshot, int(query), other, Stream.MARGIN, reason, p * DEFAULT_LABEL_ERROR)


def audit_questions(
    snapshot: GraphSnapshot, likeness: IdentityLikeness, order: IntArray
) -> Iterator[PairQuestion]:
    """Rows of ``order`` that nobody has judged: each beside a typical crop of its own identity."""
    for row in order:
        reference = likeness.reference_for(int(row))
        if reference is not None:
            yield _pair(
                snapshot,
                int(row),
                reference,
                Stream.AUDIT,
                "Drawn at random, to measure how many labels are wrong.",
                DEFAULT_LABEL_ERROR,
            )


def gold_questions(snapshot: GraphSnapshot, gold: Mapping[tuple[str, str], Answer]) -> Iterator[PairQuestion]:
    """Pairs with a known answer that nobody was asked yet, as unremarkable as an audit question."""
    for left, right in gold:
        if snapshot.num_judged[frozenset((left, right))] == 0:
            reason = "Drawn at random, to measure how many labels are wrong."
            yield PairQuestion(left, right, Stream.GOLD, reason, expected_yield=0.0)


def _pair(
    snapshot: GraphSnapshot, left: int, right: int, stream: Stream, reason: str, expected_yield: float
) -> PairQuestion:
    ids = snapshot.evidence.ids
    return PairQuestion(ids[left], ids[right], stream, reason, expected_yield)


def _sigmoid(log_odds: float) -> float:
    return 1.0 / (1.0 + math.exp(-log_odds))
