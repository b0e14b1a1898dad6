"""The events of one collection in order, and which of them are in force."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping

from reid_core.annotation.decisions import Decision, Event, State, event_id, state_of
from reid_core.errors import InputError


class LoggedEvents:
    """Decisions and retractions so far. What is in force: see ``decisions.active_decisions``."""

    def __init__(self) -> None:
        self._log: list[Event] = []
        self._position: dict[str, int] = {}
        self._opponents: dict[str, list[str]] = defaultdict(list)
        self._decisions_at: dict[str, list[str]] = defaultdict(list)

    @property
    def log(self) -> tuple[Event, ...]:
        """All events so far, in order."""
        return tuple(self._log)

    def __len__(self) -> int:
        """How many events there are so far."""
        return len(self._log)

    def events_since(self, length: int) -> tuple[Event, ...]:
        """The events after the first ``length``."""
        return tuple(self._log[length:])

    def event(self, own_id: str) -> Event | None:
        """The event with this id, None if there is none."""
        position = self._position.get(own_id)
        return None if position is None else self._log[position]

    def log_at(self, length: int) -> Event:
        """The event with which the log became ``length`` long, e.g. the one behind a ``revision``."""
        return self._log[length - 1]

    def is_in_force(self, own_id: str) -> bool:
        """Whether a known event is neither taken back nor superseded."""
        return self._is_active(own_id)

    def is_taken_back(self, own_id: str) -> bool:
        """Whether a known event would be in force if it had not been taken back."""
        return self._state(own_id) is State.TAKEN_BACK

    def decisions_on(self, node: str) -> tuple[Decision, ...]:
        """Every decision that names ``node``, in log order, those taken back included."""
        return tuple(self._decision(i) for i in self._decisions_at.get(node, ()))

    def active(self) -> Iterator[Decision]:
        """The decisions in force, contested ones included, in log order."""
        yield from (e for e in self._log if isinstance(e, Decision) and self._is_active(e.decision_id))

    def judged_pairs(self) -> Counter[frozenset[str]]:
        """How many decisions the log holds on each pair, those taken back and contested ones included."""
        return Counter(event.pair for event in self._log if isinstance(event, Decision))

    def check_references(self, event: Event, *, earlier: Mapping[str, Event] | None = None) -> None:
        """The part of ``check`` that leaves the crops aside."""
        own_id, before = event_id(event), earlier or {}
        if own_id in self._position or own_id in before:
            raise InputError(f"The log holds {own_id} already.")
        target = event.supersedes if isinstance(event, Decision) else event.target_id
        if target is None:
            return
        if target not in self._position and target not in before:
            raise InputError(
                f"{own_id} refers to {target}, which is not in the log. Import the log in order."
            )
        found = before[target] if target in before else self._log[self._position[target]]
        if isinstance(event, Decision) and not isinstance(found, Decision):
            raise InputError(f"Decision {own_id} supersedes {target}, which is a retraction.")

    def _root_of(self, own_id: str) -> Decision:
        """The decision that an event is, or that it takes back through others."""
        event = self.event(own_id)
        while event is not None and not isinstance(event, Decision):
            event = self.event(event.target_id)
        if event is None:
            raise InputError(f"The log holds no event {own_id[:60]!r}.")
        return event

    def _decision(self, own_id: str) -> Decision:
        event = self._log[self._position[own_id]]
        assert isinstance(event, Decision)
        return event

    def _is_decision(self, own_id: str) -> bool:
        return isinstance(self._log[self._position[own_id]], Decision)

    def _is_active(self, own_id: str, known: dict[str, State] | None = None) -> bool:
        """Whether an event is in force; ``known`` collects what was found on the way."""
        return self._state(own_id, known) is State.IN_FORCE

    def _state(self, own_id: str, known: dict[str, State] | None = None) -> State:
        found = {} if known is None else known
        stack = [own_id]  # no recursion: undo and redo of one judgement may go on for ever
        while stack:
            opponents = self._opponents.get(stack[-1], ())
            unknown = [opponent for opponent in opponents if opponent not in found]
            if unknown:
                stack += unknown
            else:
                found[stack.pop()] = state_of((self._is_decision(i), found[i]) for i in opponents)
        return found[own_id]

    def _activity_along(self, own_id: str | None) -> dict[str, bool]:
        """Which of ``own_id`` and all that it refers to are in force."""
        along: dict[str, bool] = {}
        known: dict[str, State] = {}  # shared, so that a chain of n retractions takes n steps and not n * n
        while own_id is not None:
            along[own_id] = self._is_active(own_id, known)
            event = self._log[self._position[own_id]]
            own_id = event.supersedes if isinstance(event, Decision) else event.target_id
        return along

    def _append(self, event: Event) -> None:
        own_id = event_id(event)
        target = event.supersedes if isinstance(event, Decision) else event.target_id
        self._position[own_id] = len(self._log)
        self._log.append(event)
        if target is not None:
            self._opponents[target].append(own_id)
        if isinstance(event, Decision):
            for node in event.pair:
                self._decisions_at[node].append(own_id)
