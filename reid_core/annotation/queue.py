"""The review queue: asks one question at a time, and every answer changes what comes next."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping

import numpy as np

from reid_core.annotation.allocation import DEFAULT_FLOORS, StreamAllocation
from reid_core.annotation.decisions import Answer, Decision
from reid_core.annotation.evidence import IntArray, PairEvidence
from reid_core.annotation.graph import IdentityGraph
from reid_core.annotation.likeness import IdentityLikeness, LikenessCache
from reid_core.annotation.quality import Rate, error_rate
from reid_core.annotation.questions import Question, Stream
from reid_core.annotation.sheets import sheet_questions
from reid_core.annotation.snapshot import GraphSnapshot
from reid_core.annotation.stopping import StoppingEstimate
from reid_core.annotation.streams import (
    FRAGMENT_IMPACT,
    MAX_IMPACT,
    audit_questions,
    bridge_questions,
    conflict_questions,
    false_match_questions,
    gold_questions,
    margin_questions,
    neighbour_vote_questions,
    rank_violation_questions,
)
from reid_core.seeds import rng_for


class ReviewQueue:
    """What to ask next about one collection.

    The graph is read, never written: record the answer's decisions (through the store or ``graph.add``), then
    tell ``answered``. Decisions of other people are noticed by themselves.

    Args:
        evidence: Embeddings of the collection's crops, all known to ``graph``.
        graph: The current identities.
        gold: Pairs whose answer is known, to measure annotators.
        floors: Least share of the questions per stream.
        seed: Equal seeds and equal answers give equal questions.
    """

    def __init__(
        self,
        evidence: PairEvidence,
        graph: IdentityGraph,
        *,
        gold: Mapping[tuple[str, str], Answer] | None = None,
        floors: Mapping[Stream, float] = DEFAULT_FLOORS,
        seed: int = 0,
    ) -> None:
        self._evidence = evidence
        self._graph = graph
        self._gold = dict(gold or {})
        self._cache = LikenessCache(evidence)
        self._audit_order: IntArray = rng_for(seed, "audit order").permutation(len(evidence.ids))
        self._audited = 0
        self.allocation = StreamAllocation(rng_for(seed, "allocation"), floors=floors)
        self.stopping = StoppingEstimate()
        self._log_length = -1
        self._refresh()

    def next(self, *, skip: Collection[str] = ()) -> Question | None:
        """The question to ask now, None if nothing is left.

        Args:
            skip: Keys of items that others hold, or that the annotator put off.
        """
        self._refresh()
        offers: dict[Stream, Question] = {}
        for stream, questions in self._streams().items():
            first = next((q for q in questions() if q.key not in skip), None)
            if first is not None:
                offers[stream] = first
                if stream is Stream.CONFLICT:
                    break  # nothing else would be chosen
        return self.allocation.choose(offers)

    def answered(self, question: Question, *, seconds: float) -> float:
        """Measure what an answer changed after its decisions were recorded; returns the label changes.

        Args:
            question: The question as ``next`` gave it. ``seconds``: from first sight to the answer.
        """
        before = self._snapshot.identity
        self._refresh()
        changes = count_label_changes(before, self._snapshot.identity)
        self.allocation.record(question, changes=changes, seconds=seconds)
        self.stopping.record(has_changed=changes > 0)
        if question.stream is Stream.AUDIT:
            self._note_audit(question.left)
        return changes

    def resume(self, decision: Decision, *, has_changed: bool) -> None:
        """Take up an answer of an earlier session, in log order: the audit, the shares, the stopping rule.

        Args:
            decision: Known to the graph. ``has_changed``: whether it changed an identity when it was made.
        """
        streams = {stream.value: stream for stream in Stream}
        if decision.stream in streams:
            self.allocation.asked[streams[decision.stream]] += 1
            self.stopping.record(has_changed=has_changed)
        if decision.stream == Stream.AUDIT.value:
            self._note_audit(decision.left)

    def label_error_rate(self, *, annotator_accuracy: float = 1.0, confidence: float = 0.95) -> Rate:
        """Share of the data set's labels that are wrong, from the audit.

        The audit goes through the crops in random order. A crop that another stream settled before its turn
        counts with that judgement, so the sample stays random although the queue is not. Crops that nobody
        could settle are left out.

        Raises:
            InputError: No audit question has been answered yet.
        """
        self._refresh()
        sample = [self._evidence.ids[row] for row in self._audit_order[: self._audited]]
        displaced = set(self._graph.displaced())
        settled = self._settled()
        wrong = sum(crop in displaced for crop in sample)
        right = sum(crop not in displaced and crop in settled for crop in sample)
        return error_rate(wrong, wrong + right, annotator_accuracy=annotator_accuracy, confidence=confidence)

    def _note_audit(self, crop: str) -> None:
        places = {c: i for i, c in enumerate(self._evidence.ids[r] for r in self._audit_order)}
        self._audited = max(self._audited, places.get(crop, -1) + 1)

    def _settled(self) -> set[str]:
        proven = self._snapshot.proven
        sizes = np.bincount(proven, minlength=len(proven))[proven]
        return {self._evidence.ids[row] for row in np.flatnonzero(sizes > 1)}

    def _refresh(self) -> None:
        length = len(self._graph.log)
        if length != self._log_length:
            self._snapshot = GraphSnapshot(self._evidence, self._graph)
            self._likeness = IdentityLikeness(self._snapshot, self._cache)
            self._log_length = length

    def _streams(self) -> dict[Stream, Callable[[], Iterator[Question]]]:
        s, like = self._snapshot, self._likeness
        return {
            Stream.CONFLICT: lambda: conflict_questions(s),
            Stream.BRIDGE: lambda: bridge_questions(s, like),
            Stream.FALSE_MATCH_FIRST: lambda: false_match_questions(s, like),
            Stream.NEIGHBOUR_VOTE: lambda: neighbour_vote_questions(s, like),
            Stream.PURITY: lambda: sheet_questions(s, like),
            Stream.RANK_VIOLATION: lambda: rank_violation_questions(s),
            Stream.MARGIN: lambda: margin_questions(s),
            Stream.AUDIT: lambda: audit_questions(s, like, self._audit_order[self._audited :]),
            Stream.GOLD: lambda: gold_questions(s, self._gold),
        }


def count_label_changes(before: IntArray, after: IntArray) -> float:
    """Crops that changed their identity between two partitions; a crop that was alone counts a quarter.

    Of two identities that merge, the smaller one changes; of one that falls apart, all but the largest part.
    Such a part counts at most ``MAX_IMPACT``.
    """
    cells, counts = np.unique(np.stack([before, after], axis=1), axis=0, return_counts=True)
    rows, columns = (_first_largest(cells[:, side], counts) for side in (0, 1))
    moved = ~(rows & columns)
    was_alone = np.bincount(before)[cells[:, 0]] == 1
    weight = np.where(was_alone, FRAGMENT_IMPACT, np.minimum(counts, MAX_IMPACT))
    return float(weight[moved].sum())


def _first_largest(group: IntArray, counts: IntArray) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Marks, per group, its first cell with the largest count."""
    marked = np.zeros(len(group), dtype=np.bool_)
    order = np.lexsort((np.arange(len(group)), -counts, group))
    _, first = np.unique(group[order], return_index=True)
    marked[order[first]] = True
    return marked
