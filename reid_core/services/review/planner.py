"""Chooses questions in the background, so that neither an answer nor the next question waits for it.

A planner has a copy of the identity graph of its own: the queue may look at it for as long as it needs while
answers are committed to the other one. What was committed reaches it through ``noted``.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from reid_core.annotation import (
    Answer,
    Decision,
    Event,
    IdentityGraph,
    PairEvidence,
    PairQuestion,
    Question,
    Rate,
    Retraction,
    ReviewQueue,
    SheetQuestion,
    Stream,
)
from reid_core.annotation.store import LEASE_S, Lease
from reid_core.errors import InputError
from reid_core.services.review.evidence import ReviewEvidence, restricted
from reid_core.services.review.waiting import describe_wait

_LOG = logging.getLogger(__name__)

READY = 20
"""Questions that wait for annotators; running dry would tell them that all is done when it is not."""
_MOST_READY, _FREE = 80, 8
_RENEW_S = 4.0
"""Choosing all that waits anew takes half a second of one core: too much after every answer of eight."""
_MAX_TRIES = 200
_MAX_LANES = 4
_S_PER_CROP = 0.0003
"""Until the first question; measured on 4,000 to 32,000 crops without judgements."""


@dataclass(frozen=True)
class _Waiting:
    """A question nobody was given yet. ``touches`` are the identities it is about, by their least member."""

    question: Question
    touches: frozenset[str]


@dataclass
class _Lane:
    """The questions on all crops, or on those of one selection."""

    queue: ReviewQueue
    chosen: frozenset[str] | None
    ready: OrderedDict[str, _Waiting] = field(default_factory=OrderedDict)
    is_stale: bool = False
    is_dry: bool = False
    renewed_s: float = 0.0


@dataclass
class _Taken:
    """A question that somebody was given. ``is_adopted``: only the store says so, and not for which lane."""

    question: Question
    touches: frozenset[str]
    annotator: str
    lane: str
    until_s: float
    is_adopted: bool = False


@dataclass(frozen=True)
class _Note:
    events: tuple[Event, ...]
    key: str
    ms_taken: int | None
    taken: _Taken | None


class Planner:
    """The questions of one gallery under one network, for any number of annotators.

    Args:
        evidence: What questions are chosen by.
        labels, support: Of the identity graph.
        log: The log so far.
        gold: Pairs whose answer is known.
    """

    def __init__(
        self,
        evidence: ReviewEvidence,
        labels: Mapping[str, int | None],
        support: Mapping[str, float] | None,
        log: Iterable[Event],
        gold: Mapping[tuple[str, str], Answer],
    ) -> None:
        self.evidence = evidence
        self.error_rate: Rate | None = None
        self._labels, self._support, self._gold = labels, support, dict(gold)
        self._notes: deque[_Note] = deque()
        self._lanes: OrderedDict[str, _Lane] = OrderedDict()
        self._taken: dict[str, _Taken] = {}
        self._leased: dict[str, tuple[str, float]] = {}  # annotator and end, of keys that were not chosen yet
        self._asked_for: dict[str, frozenset[str] | None] = {"": None}
        self._refused: dict[str, InputError] = {}
        self._log = tuple(log)
        self._condition = threading.Condition()
        self._is_closed = False
        self._started_s = time.monotonic()
        self._failure: Exception | None = None
        self._yields: dict[str, float] = {}
        self._stopping = ("", False)
        self._thread = threading.Thread(target=self._work, name="review-planner", daemon=True)
        self._thread.start()

    # ---- for any thread ----------------------------------------------------------------------------------

    def stop(self) -> None:
        """End the background work when the piece it is at is done; that may take seconds."""
        with self._condition:
            self._is_closed = True
            self._condition.notify_all()

    def close(self) -> None:
        """End the background work and wait for its end."""
        self.stop()
        self._thread.join(20.0)

    @property
    def has_failed(self) -> bool:
        """Whether the background work ended with an error; then a new planner is needed."""
        return self._failure is not None

    def noted(self, events: Iterable[Event], *, key: str = "", ms_taken: int | None = None) -> None:
        """Tell what was committed, and as the answer to which question."""
        with self._condition:
            taken = self._taken.pop(key, None)  # now: its page may ask for more before this is worked off
            self._notes.append(_Note(tuple(events), key, ms_taken, taken))
            self._condition.notify_all()

    def take(
        self,
        annotator: str,
        number: int,
        *,
        lane: str = "",
        chosen: frozenset[str] | None = None,
        skip: Collection[str] = (),
        have: Collection[str] = (),
    ) -> list[Question]:
        """Up to ``number`` questions for one annotator, none of which anybody else was given.

        Args:
            lane, chosen: A selection's name and crops; empty and None for all crops.
            skip: Keys that the annotator put off.
            have: Keys that the annotator's page holds already: they are kept for it and not given again.

        Raises:
            InputError: The crops are too many to choose from, or all junk or distractors.
        """
        with self._condition:
            self._raise_failure(lane)
            now = time.monotonic()
            self._forget_expired(now)
            if lane not in self._lanes:
                self._asked_for[lane] = chosen
            found: list[Question] = []
            for key, taken in self._taken.items():
                if taken.annotator != annotator:
                    continue
                if taken.is_adopted and _is_about(taken.question, chosen):
                    taken.lane, taken.is_adopted = lane, False
                if taken.lane == lane:
                    taken.until_s = now + LEASE_S
                    if key not in have and key not in skip and len(found) < number:
                        found.append(taken.question)
            entry = self._lanes.get(lane)
            if entry is not None:
                self._lanes.move_to_end(lane)
                keys = self._in_turn(entry, annotator, skip, is_idle=not found and not have)
                for key in keys[: number - len(found)]:
                    waiting = entry.ready.pop(key)
                    self._taken[key] = _Taken(
                        waiting.question, waiting.touches, annotator, lane, now + LEASE_S
                    )
                    found.append(waiting.question)
            self._condition.notify_all()
            return found

    def note_leases(self, leases: Mapping[str, Lease]) -> None:
        """Tell who holds which question by the store: also from before a restart, or in another process."""
        with self._condition:
            now = time.monotonic()
            self._leased = {key: (lease.annotator, now + lease.left_s) for key, lease in leases.items()}
            for key, taken in self._taken.items():
                if key in self._leased:
                    taken.annotator, taken.until_s = self._leased[key]
            for name, lane in self._lanes.items():
                for key in [k for k in lane.ready if k in self._leased and k not in self._taken]:
                    self._adopt(name, lane.ready.pop(key))
            self._condition.notify_all()

    def _adopt(self, lane: str, waiting: _Waiting) -> None:
        """This question is with somebody already."""
        question, (annotator, until_s) = waiting.question, self._leased[waiting.question.key]
        self._taken[question.key] = _Taken(
            question, waiting.touches, annotator, lane, until_s, is_adopted=True
        )

    def num_held_by_others(
        self, annotator: str, *, chosen: frozenset[str] | None = None, skip: Collection[str] = ()
    ) -> int:
        """How many questions others hold now; ``chosen`` and ``skip`` as of ``take``."""
        with self._condition:
            held = [(key, t.question) for key, t in self._taken.items() if t.annotator != annotator]
            return sum(key not in skip and _is_about(question, chosen) for key, question in held)

    def _in_turn(self, lane: _Lane, annotator: str, skip: Collection[str], *, is_idle: bool) -> list[str]:
        """Keys to hand out, best first; none about an identity that somebody else has on screen.

        Two people on one identity change it under each other's eyes, and the second has to look again. That
        is still better than nothing to do: an idle annotator gets one.
        """
        busy = {node for t in self._taken.values() if t.annotator != annotator for node in t.touches}
        keys = [key for key in lane.ready if key not in skip and key not in self._taken]
        free = [key for key in keys if busy.isdisjoint(lane.ready[key].touches)]
        return free or (keys[:1] if is_idle else [])

    def drop(self, key: str, annotator: str) -> None:
        """Give a question back, answered elsewhere or put off."""
        with self._condition:
            taken = self._taken.get(key)
            if taken is not None and taken.annotator == annotator:
                self._give_back([key])
            self._condition.notify_all()

    def is_preparing(self, lane: str = "") -> bool:
        """Whether questions may still come without anybody answering."""
        with self._condition:
            self._raise_failure(lane)
            entry = self._lanes.get(lane)
            return entry is None or bool(self._notes) or (not entry.ready and not entry.is_dry)

    def describe(self) -> str:
        """What it is at, for whoever waits."""
        with self._condition:
            is_starting = "" not in self._lanes
        if not is_starting:
            return "Choosing what to ask."
        num_crops = len(self.evidence.pairs.ids)
        what = f"Choosing the first questions about {num_crops:,} crops"
        passed_s = time.monotonic() - self._started_s
        return describe_wait(what, passed_s=passed_s, usual_s=_S_PER_CROP * num_crops)

    def wait_until_settled(self, timeout_s: float, lane: str = "") -> bool:
        """Block until the background work has nothing left to do; False when the time was up."""
        deadline = time.monotonic() + timeout_s
        with self._condition:
            self._asked_for.setdefault(lane, None)
            return self._condition.wait_for(
                lambda: (
                    not self._notes
                    and (lane in self._refused or lane in self._lanes)
                    and not (lane in self._lanes and self._needs_filling(self._lanes[lane]))
                ),
                max(0.0, deadline - time.monotonic()),
            )

    @property
    def yields(self) -> dict[str, float]:
        """Measured label changes per minute of every stream that was answered."""
        with self._condition:
            return dict(self._yields)

    @property
    def stopping(self) -> tuple[str, bool]:
        """The stopping estimate as a sentence, and whether to suggest stopping."""
        with self._condition:
            return self._stopping

    # ---- the background thread ---------------------------------------------------------------------------

    def _work(self) -> None:
        try:
            self._graph = IdentityGraph(self._labels, support=self._support)
            self._apply(self._log)
            while self._step():
                pass
        except Exception as error:  # whoever asks for the next question is told
            _LOG.exception("The review queue stopped")
            with self._condition:
                self._failure = error
                self._condition.notify_all()

    def _step(self) -> bool:
        """Wait for something to do and do one piece of it; False when closed."""
        with self._condition:
            self._condition.wait_for(self._has_work)
            if self._is_closed:
                return False
            note = self._notes.popleft() if self._notes else None
            wanted = self._unopened()
            lane = next((name for name, entry in self._lanes.items() if self._needs_filling(entry)), None)
        if note is not None:
            self._take_in(note)
        elif wanted:
            self._open_lane(*next(iter(wanted.items())))
        elif lane is not None:
            self._fill(lane)
        with self._condition:
            self._condition.notify_all()
        return True

    def _has_work(self) -> bool:
        return bool(
            self._is_closed
            or self._notes
            or self._unopened()
            or any(self._needs_filling(entry) for entry in self._lanes.values())
        )

    def _unopened(self) -> dict[str, frozenset[str] | None]:
        return {n: c for n, c in self._asked_for.items() if n not in self._lanes and n not in self._refused}

    def _needs_filling(self, lane: _Lane) -> bool:
        """Whether too few questions wait, or too few about identities that nobody has on screen."""
        if lane.is_dry or len(lane.ready) >= _MOST_READY:
            return False
        busy = {node for taken in self._taken.values() for node in taken.touches}
        num_free = sum(busy.isdisjoint(waiting.touches) for waiting in lane.ready.values())
        return len(lane.ready) < READY or num_free < _FREE

    def _open_lane(self, name: str, chosen: frozenset[str] | None) -> None:
        try:
            pairs = self.evidence.pairs if chosen is None else restricted(self.evidence, chosen)
            lane = _Lane(ReviewQueue(pairs, self._graph, gold=self._gold_of(pairs)), chosen)
        except InputError as error:  # too large, or nobody in it; other selections may still be asked about
            with self._condition:
                self._refused[name] = error
            return
        if chosen is None:
            self._replay(lane.queue)
        with self._condition:
            self._lanes[name] = lane
            while len(self._lanes) > _MAX_LANES:
                oldest = next(n for n in self._lanes if n)
                del self._lanes[oldest]
                self._asked_for.pop(oldest, None)
        self._measure(lane)

    def _gold_of(self, pairs: PairEvidence) -> dict[tuple[str, str], Answer]:
        return {p: a for p, a in self._gold.items() if p[0] in pairs.row and p[1] in pairs.row}

    def _apply(self, events: Iterable[Event]) -> None:
        for event in events:
            if self._graph.event(_id(event)) is None:
                if isinstance(event, Decision):
                    self._graph.admit(event.pair)
                self._graph.add(event)

    def _take_in(self, note: _Note) -> None:
        taken = note.taken
        with self._condition:
            lanes = list(self._lanes.items())
        before = self._parts_of(note.events)
        self._apply(note.events)
        after = self._parts_of(note.events)
        changed = frozenset[str]() if before == after else frozenset[str]().union(*before, *after)
        for name, lane in lanes:
            if taken is not None and taken.lane == name:
                seconds = (note.ms_taken or 5_000) / 1000
                lane.queue.answered(taken.question, seconds=min(seconds, 120.0))
                self._measure(lane)
            with self._condition:
                lane.is_stale = lane.is_stale or bool(changed)
                lane.is_dry = False
                lane.ready.pop(note.key, None)
                self._taken.pop(note.key, None)  # taken up again from the store meanwhile
                for key in [k for k, waiting in lane.ready.items() if waiting.touches & changed]:
                    del lane.ready[key]

    def _parts_of(self, events: Iterable[Event]) -> list[frozenset[str]]:
        nodes = sorted({node for event in events for node in self._pair_of(event) if node in self._graph})
        return [self._graph.nodes(node) for node in nodes]

    def _pair_of(self, event: Event | None) -> frozenset[str]:
        while isinstance(event, Retraction):
            event = self._graph.event(event.target_id)
        return frozenset() if event is None else event.pair

    def _fill(self, name: str) -> None:
        """One more question; what waits is chosen anew now and then, after changes of identities."""
        with self._condition:
            lane = self._lanes[name]
            if lane.is_stale and time.monotonic() - lane.renewed_s > _RENEW_S:
                lane.ready.clear()
                lane.is_stale, lane.renewed_s = False, time.monotonic()
            skip = {*lane.ready, *self._taken}
            offered = Counter(waiting.question.stream for waiting in lane.ready.values())
            offered.update(taken.question.stream for taken in self._taken.values())
        allocation = lane.queue.allocation
        allocation.asked.update(offered)
        try:
            question = self._next(lane, skip)
        finally:
            allocation.asked.subtract(offered)
        with self._condition:
            if question is None:
                lane.is_dry = True
            elif question.key not in self._taken:
                waiting = _Waiting(question, self._touched_by(question))
                if self._leased.get(question.key, ("", 0.0))[1] > time.monotonic():
                    self._adopt(name, waiting)
                else:
                    lane.ready[question.key] = waiting

    @staticmethod
    def _next(lane: _Lane, skip: set[str]) -> Question | None:
        for _ in range(_MAX_TRIES):
            question = lane.queue.next(skip=skip)
            if question is None or _is_about(question, lane.chosen):
                return question
            skip.add(question.key)
        return None

    def _touched_by(self, question: Question) -> frozenset[str]:
        nodes = {question.left, question.right}
        if isinstance(question, PairQuestion) and question.rival is not None:
            nodes.add(question.rival)
        return frozenset(min(self._graph.nodes(node)) for node in nodes)

    def _measure(self, lane: _Lane) -> None:
        if lane.chosen is not None:
            return
        try:
            rate: Rate | None = lane.queue.label_error_rate()
        except InputError:  # no audit question was answered yet
            rate = None
        yields = {s.value: lane.queue.allocation.changes_per_second(s) for s in Stream}
        with self._condition:
            self.error_rate = rate
            self._yields = {name: 60 * y for name, y in yields.items() if y is not None}
            self._stopping = (lane.queue.stopping.sentence, lane.queue.stopping.is_done)

    def _replay(self, queue: ReviewQueue) -> None:
        """Take up what earlier sessions measured: what each answer changed, and how far the audit is."""
        graph = IdentityGraph(self._labels, support=self._support)
        for event in self._graph.log:
            if not isinstance(event, Decision):
                graph.add(event)
                continue
            graph.admit(event.pair)
            before = [graph.nodes(node) for node in (event.left, event.right)]
            graph.add(event)
            has_changed = before != [graph.nodes(node) for node in (event.left, event.right)]
            queue.resume(event, has_changed=has_changed)

    def _forget_expired(self, now: float) -> None:
        self._give_back([key for key, taken in self._taken.items() if taken.until_s <= now])

    def _give_back(self, keys: Collection[str]) -> None:
        """Nobody has these any more: they may be chosen again, also where nothing else was left."""
        for key in keys:
            del self._taken[key]
            self._leased.pop(key, None)
        if keys:
            for lane in self._lanes.values():
                lane.is_dry = False

    def _raise_failure(self, lane: str) -> None:
        if self._failure is not None:
            raise self._failure
        if lane in self._refused:
            raise self._refused[lane]


def _id(event: Event) -> str:
    return event.decision_id if isinstance(event, Decision) else event.retraction_id


def _is_about(question: Question, chosen: frozenset[str] | None) -> bool:
    return chosen is None or bool(chosen & _crops_of(question))


def _crops_of(question: Question) -> frozenset[str]:
    if isinstance(question, SheetQuestion):
        return frozenset(question.crops)
    assert isinstance(question, PairQuestion)
    return question.pair | ({question.rival} if question.rival else set())
