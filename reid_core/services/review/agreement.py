"""Who judged which pair: second opinions, agreement, what an adjudicator has to settle."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence

from reid_core.annotation import (
    Answer,
    Decision,
    Event,
    IdentityGraph,
    PairQuestion,
    Stream,
    krippendorff_alpha,
)
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
        self._disputes: dict[frozenset[str], tuple[Decision, ...]] = {}

    def catch_up(self, graph: IdentityGraph) -> None:
        """Read the events that came since the last call."""
        touched: dict[frozenset[str], None] = {}
        for event in graph.events_since(self._position):
            if isinstance(event, Decision):
                self._by_pair[event.pair].append(event)
                self._num_given[event.annotator] += 1
                self._num_second[event.annotator] += event.stream == SECOND_OPINION
            touched.update(dict.fromkeys(_pairs_along(graph, event)))
        for pair in touched:
            in_force = [given for given in self._by_pair[pair] if graph.is_in_force(given.decision_id)]
            if dispute := _dispute(in_force):
                self._disputes[pair] = dispute
            else:
                self._disputes.pop(pair, None)
        self._position = len(graph)

    def was_judged_by_another(self, pair: frozenset[str], annotator: str) -> bool:
        """Whether somebody else answered this pair."""
        return any(d.annotator != annotator for d in self._by_pair.get(pair, ()))

    def second_opinions(
        self,
        annotator: str,
        graph: IdentityGraph,
        *,
        skip: Collection[str] = (),
        taken: Collection[str] = (),
    ) -> list[PairQuestion]:
        """Pairs that one other person judged, if this annotator owes a second opinion; in a mixed order.

        Args:
            skip: Keys that the annotator holds or put off. ``taken``: keys that others hold.
        """
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
        fresh = [q for q in candidates if q.key not in skip and q.key not in taken]
        return sorted(fresh, key=lambda q: hashlib.sha256(f"{annotator}{q.key}".encode()).digest())

    def to_adjudicate(self, annotator: str, *, skip: Collection[str] = ()) -> list[PairQuestion]:
        """Pairs that people disagree about or handed over, those that the adjudicator did not judge first."""
        found = []
        for given in self._disputes.values():
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
        return len(self._disputes)

    def earlier_answers(self, pair: frozenset[str]) -> tuple[str, ...]:
        """What has to be settled about a pair: each one's answer, with reason and comment, without names."""
        return tuple(_in_words(decision) for decision in self._disputes.get(pair, ()))

    def agreement(self) -> tuple[float | None, int]:
        """Krippendorff's alpha over the blind second opinions, and how many there are."""
        items = []
        for given in self._by_pair.values():
            if any(d.stream == SECOND_OPINION for d in given):
                blind = [d for d in given if d.stream not in (ADJUDICATION, Stream.CONFLICT.value)]
                items.append([d.answer for d in {d.annotator: d for d in reversed(blind)}.values()])
        doubly = [item for item in items if len(item) > 1]
        return (krippendorff_alpha(doubly) if doubly else None), len(doubly)

    def _waits(self, key: str, annotator: str) -> bool:
        pair = frozenset(key.removeprefix("pair:").split("|"))
        given = self._by_pair.get(pair, ())
        return bool(given) and all(d.annotator != annotator for d in given)


def _dispute(in_force: Sequence[Decision]) -> tuple[Decision, ...]:
    """Of the answers on one pair that nobody took back, those that an adjudicator has to settle; () if none.

    Of every person the last one counts. A verdict settles what was said before it; what is said after it
    stands against the verdict.
    """
    places = [place for place, given in enumerate(in_force) if given.stream == ADJUDICATION]
    latest = {given.annotator: given for given in in_force[places[-1] if places else 0 :]}
    kept = tuple(latest.values())
    return kept if _is_flagged(kept) or len({given.answer for given in kept}) > 1 else ()


def _pairs_along(graph: IdentityGraph, event: Event | None) -> Iterable[frozenset[str]]:
    """The pairs of a decision and of all that it replaces; of a retraction, of all that it takes back."""
    while event is not None:
        if isinstance(event, Decision):
            yield event.pair
        target = event.supersedes if isinstance(event, Decision) else event.target_id
        event = None if target is None else graph.event(target)


def _is_flagged(given: Iterable[Decision]) -> bool:
    return any(FLAGGED in decision.reasons for decision in given if decision.stream != ADJUDICATION)


def _in_words(decision: Decision) -> str:
    words = {Answer.SAME: "same", Answer.DIFFERENT: "different", Answer.CANNOT_TELL: "cannot tell"}
    doubt = "" if decision.is_sure else ", not sure"
    reasons = f" ({', '.join(decision.reasons)})" if decision.reasons else ""
    comment = f": {decision.comment}" if decision.comment else ""
    speaker = "adjudicator: " if decision.stream == ADJUDICATION else ""
    return f"{speaker}{words[decision.answer]}{doubt}{reasons}{comment}"
