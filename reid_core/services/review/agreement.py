"""Who judged which pair: second opinions, agreement, what an adjudicator has to settle."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterator

from reid_core.annotation import Answer, Decision, IdentityGraph, PairQuestion, Stream, krippendorff_alpha
from reid_core.annotation.decisions import pid_of_node
from reid_core.services.review.answers import ADJUDICATION, FLAGGED, SECOND_OPINION

SECOND_SHARE = 0.1
"""Of an annotator's answers that repeat, blindly, what somebody else judged."""
_NOT_REPEATED = frozenset({Stream.GOLD.value, Stream.CONFLICT.value, ADJUDICATION, SECOND_OPINION})


class Standing:
    """The judgements of a log by pair, kept up to date by reading what came since."""

    def __init__(self) -> None:
        self._position = 0
        self._by_pair: defaultdict[frozenset[str], list[Decision]] = defaultdict(list)
        self._num_given: defaultdict[str, int] = defaultdict(int)
        self._num_second: defaultdict[str, int] = defaultdict(int)
        self._withdrawn: set[str] = set()

    def catch_up(self, graph: IdentityGraph) -> None:
        """Read the events that came since the last call."""
        for event in graph.events_since(self._position):
            if isinstance(event, Decision):
                self._by_pair[event.pair].append(event)
                self._num_given[event.annotator] += 1
                self._num_second[event.annotator] += event.stream == SECOND_OPINION
        if self._position < len(graph):
            several = [given for given in self._by_pair.values() if len(given) > 1 or _is_flagged(given)]
            ids = (d.decision_id for given in several for d in given)
            self._withdrawn = {own_id for own_id in ids if not graph.is_in_force(own_id)}
        self._position = len(graph)

    def was_judged_by_another(self, pair: frozenset[str], annotator: str) -> bool:
        """Whether somebody else answered this pair."""
        return any(d.annotator != annotator for d in self._by_pair.get(pair, ()))

    def second_opinions(
        self, annotator: str, graph: IdentityGraph, *, skip: Collection[str] = ()
    ) -> list[PairQuestion]:
        """Pairs that one other person judged, if this annotator owes a second opinion; in a mixed order."""
        waiting = sum(self._waits(key, annotator) for key in skip)
        owed = SECOND_SHARE * (self._num_given[annotator] + 1) - self._num_second[annotator] - waiting
        if owed < 1 and not (owed > 0 and self._num_given[annotator] >= 5):
            return []
        candidates = [
            PairQuestion(given[0].left, given[0].right, Stream.AUDIT, "", 0.0)
            for given in self._by_pair.values()
            if len(given) == 1
            and given[0].annotator != annotator
            and given[0].stream not in _NOT_REPEATED
            and not any(pid_of_node(node) is not None for node in given[0].pair)
            and graph.is_in_force(given[0].decision_id)
        ]
        fresh = [question for question in candidates if question.key not in skip]
        return sorted(fresh, key=lambda q: hashlib.sha256(f"{annotator}{q.key}".encode()).digest())

    def to_adjudicate(self, annotator: str, *, skip: Collection[str] = ()) -> list[PairQuestion]:
        """Pairs that people disagree about or handed over, those that the adjudicator did not judge first."""
        found = []
        for given in self._disputed():
            question = PairQuestion(
                given[0].left,
                given[0].right,
                Stream.CONFLICT,
                "Handed over to you." if _is_flagged(given) else "Two people answered this differently.",
                1.0,
            )
            if question.key not in skip:
                found.append((any(d.annotator == annotator for d in given), question))
        return [question for _, question in sorted(found, key=lambda item: item[0])]

    @property
    def num_to_adjudicate(self) -> int:
        """How many pairs wait for an adjudicator."""
        return sum(1 for _ in self._disputed())

    def earlier_answers(self, pair: frozenset[str]) -> tuple[str, ...]:
        """What people said about a pair, with reasons and comments and without their names."""
        return tuple(_in_words(decision) for decision in self._by_pair.get(pair, ()))

    def agreement(self) -> tuple[float | None, int]:
        """Krippendorff's alpha over the blind second opinions, and how many there are."""
        items = []
        for given in self._by_pair.values():
            if any(d.stream == SECOND_OPINION for d in given):
                blind = [d for d in given if d.stream not in (ADJUDICATION, Stream.CONFLICT.value)]
                items.append([d.answer for d in {d.annotator: d for d in reversed(blind)}.values()])
        doubly = [item for item in items if len(item) > 1]
        return (krippendorff_alpha(doubly) if doubly else None), len(doubly)

    def _disputed(self) -> Iterator[list[Decision]]:
        for given in self._by_pair.values():
            if len(given) == 1 and not _is_flagged(given):
                continue
            if any(d.stream == ADJUDICATION for d in given):
                continue
            kept = [d for d in given if d.decision_id not in self._withdrawn]
            latest = {d.annotator: d.answer for d in kept}
            if _is_flagged(kept) or len(set(latest.values())) > 1:
                yield kept

    def _waits(self, key: str, annotator: str) -> bool:
        pair = frozenset(key.removeprefix("pair:").split("|"))
        given = self._by_pair.get(pair, ())
        return bool(given) and all(d.annotator != annotator for d in given)


def _is_flagged(given: Collection[Decision]) -> bool:
    return any(FLAGGED in decision.reasons for decision in given)


def _in_words(decision: Decision) -> str:
    words = {Answer.SAME: "same", Answer.DIFFERENT: "different", Answer.CANNOT_TELL: "cannot tell"}
    doubt = "" if decision.is_sure else ", not sure"
    reasons = f" ({', '.join(decision.reasons)})" if decision.reasons else ""
    comment = f": {decision.comment}" if decision.comment else ""
    return f"{words[decision.answer]}{doubt}{reasons}{comment}"
