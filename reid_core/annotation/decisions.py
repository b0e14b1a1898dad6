"""What people decide, as records that are only ever added. The current state is a fold over them.

A node is a crop (its image id) or an identity of the data set (``identity_node(pid)``). Naming an identity
in a decision states something about all of it: "same" on two identities merges them, "different" on a crop
and an identity takes the crop out of it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from enum import Enum
from typing import Any

from reid_core.errors import InputError

_IDENTITY_PREFIX = "identity:"


class Answer(str, Enum):
    """What a person says about a pair. ``CANNOT_TELL`` is kept and asked no more, but concludes nothing."""

    SAME = "same"
    DIFFERENT = "different"
    CANNOT_TELL = "cannot_tell"


def identity_node(pid: int) -> str:
    """The node that stands for a whole identity of the data set."""
    return f"{_IDENTITY_PREFIX}{pid}"


def pid_of_node(node: str) -> int | None:
    """The identity that ``node`` stands for, or None for a crop."""
    return int(node.removeprefix(_IDENTITY_PREFIX)) if node.startswith(_IDENTITY_PREFIX) else None


@dataclass(frozen=True, slots=True)
class Decision:
    """One answer of one annotator on one pair.

    Attributes:
        decision_id: UUID made where the key was pressed, so that sending it twice is harmless.
        left, right: Two different nodes; the order is that of the screen and means nothing.
        is_sure: False halves the weight.
        reasons: Tags such as "clothes" or "occlusion".
        annotator: A code name.
        decided_at: UTC, ISO 8601.
        ms_taken: From first sight to the key, or None.
        stream: Why the pair was asked, e.g. "false_match_first"; "free" when nobody asked.
        fingerprint: Of the model whose ranking was on screen, "" if none.
        similarity: Of the pair under that model, or None.
        supersedes: The decision that this one replaces, or None.
        comment: A free sentence of the annotator, "" if none.
        seen_revisions: ``IdentityGraph.revision`` of nodes as they were on the annotator's screen, by node.
    """

    decision_id: str
    left: str
    right: str
    answer: Answer
    annotator: str
    decided_at: str
    is_sure: bool = True
    reasons: tuple[str, ...] = ()
    ms_taken: int | None = None
    stream: str = "free"
    fingerprint: str = ""
    similarity: float | None = None
    supersedes: str | None = None
    comment: str = ""
    seen_revisions: tuple[tuple[str, int], ...] = ()

    def __post_init__(self) -> None:
        if self.left == self.right:
            raise InputError(f"A decision needs two different crops; {self.left} came twice.")
        if not (self.decision_id and self.left and self.right and self.annotator):
            raise InputError("A decision needs an id, two crops and an annotator's code name; one is empty.")
        if self.supersedes == self.decision_id:
            raise InputError(f"Decision {self.decision_id} cannot supersede itself.")
        _check_time(self.decided_at)

    @property
    def pair(self) -> frozenset[str]:
        """Both nodes without order."""
        return frozenset((self.left, self.right))


@dataclass(frozen=True, slots=True)
class Retraction:
    """Takes back a decision (undo) or an earlier retraction (redo); weeks later as well."""

    retraction_id: str
    target_id: str
    annotator: str
    decided_at: str

    def __post_init__(self) -> None:
        if not (self.retraction_id and self.target_id and self.annotator):
            raise InputError("A retraction needs an id, a target and an annotator's code name; one is empty.")
        if self.retraction_id == self.target_id:
            raise InputError(f"Retraction {self.retraction_id} cannot take back itself.")
        _check_time(self.decided_at)


Event = Decision | Retraction


def event_id(event: Event) -> str:
    """The client's UUID of a decision or a retraction."""
    return event.decision_id if isinstance(event, Decision) else event.retraction_id


def answer_of(own_id: str) -> str:
    """The answer that an event belongs to.

    An answer of several events (a contact sheet, a three-way question, an undo of these) numbers them:
    ``<uuid>.1``, ``<uuid>.2``; they are made and taken back together.
    """
    return own_id.partition(".")[0]


class State(Enum):
    """What became of an event."""

    IN_FORCE = "in force"
    TAKEN_BACK = "taken back"
    REPLACED = "replaced"


def state_of(against: Iterable[tuple[bool, State]]) -> State:
    """The state of an event, from the events that refer to it: whether each is a decision, and its state.

    See ``active_decisions`` for the rule; what is both taken back and replaced counts as replaced.
    """
    state = State.IN_FORCE
    for is_decision, other in against:
        if is_decision and other is not State.TAKEN_BACK:
            return State.REPLACED
        if not is_decision and other is State.IN_FORCE:
            state = State.TAKEN_BACK
    return state


def active_decisions(log: Iterable[Event]) -> list[Decision]:
    """The decisions in force, in log order: neither taken back nor replaced.

    A retraction counts until it is taken back itself (redo). A decision replaces another one until it is
    taken back; correcting it once more replaces it and does not bring back what it had replaced.

    Raises:
        InputError: An id occurs twice, or something is taken back or superseded that does not come before.
    """
    events: dict[str, Event] = {}
    opponents: dict[str, list[str]] = {}
    for event in log:
        own_id = event_id(event)
        if own_id in events:
            raise InputError(f"The log holds {own_id} twice.")
        target = event.supersedes if isinstance(event, Decision) else event.target_id
        if target is not None:
            _check_target(event, target, events)
            opponents.setdefault(target, []).append(own_id)
        events[own_id] = event
    states: dict[str, State] = {}
    # Targets come before what refers to them, so the reverse order settles every reference first.
    for own_id in reversed(events):
        against = opponents.get(own_id, ())
        states[own_id] = state_of((isinstance(events[i], Decision), states[i]) for i in against)
    decisions = (event for event in events.values() if isinstance(event, Decision))
    return [decision for decision in decisions if states[decision.decision_id] is State.IN_FORCE]


def _check_target(event: Event, target: str, events: Mapping[str, Event]) -> None:
    if target not in events:
        raise InputError(
            f"{event_id(event)} refers to {target}, which does not come before it. Import the whole log, "
            "in order."
        )
    if isinstance(event, Decision) and not isinstance(events[target], Decision):
        raise InputError(f"Decision {event_id(event)} supersedes {target}, which is a retraction.")


def decision_weight(decision: Decision, accuracy: float) -> float:
    """Log-likelihood ratio of an answer by somebody who is right with probability ``accuracy``.

    ln(a / (1 - a)), half of it when not sure; 0.98 gives 3.9, 0.94 gives 2.75. "Cannot tell" weighs 0.

    Raises:
        InputError: ``accuracy`` is not above 0.5 and below 1.
    """
    if not 0.5 < accuracy < 1.0:
        raise InputError(f"An annotator's accuracy is {accuracy}, expected above 0.5 and below 1.")
    if decision.answer is Answer.CANNOT_TELL:
        return 0.0
    return math.log(accuracy / (1.0 - accuracy)) * (1.0 if decision.is_sure else 0.5)


def to_json_line(event: Event) -> str:
    """One line of the exported log."""
    kind = "decision" if isinstance(event, Decision) else "retraction"
    return json.dumps({"kind": kind, **asdict(event)}, sort_keys=True, ensure_ascii=False)


def from_json_line(line: str) -> Event:
    """Read what :func:`to_json_line` wrote.

    Raises:
        InputError: Not such a line; the message says which field is wrong.
    """
    try:
        values: dict[str, Any] = json.loads(line)
        kind = values.pop("kind")
        if kind == "retraction":
            return Retraction(**values)
        if kind == "decision":
            values["answer"] = Answer(values["answer"])
            values["reasons"] = tuple(values.get("reasons", ()))
            seen = values.get("seen_revisions", ())
            values["seen_revisions"] = tuple((str(node), int(revision)) for node, revision in seen)
            return Decision(**values)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(f"This is not a line of a decision log ({error}): {line[:120]}") from error
    raise InputError(f"A line of a decision log has kind {kind!r}, expected 'decision' or 'retraction'.")


def utc_now() -> str:
    """The current time as the log writes it."""
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds")


def _check_time(text: str) -> None:
    try:
        has_zone = datetime.fromisoformat(text.replace("Z", "+00:00")).tzinfo is not None
    except ValueError:
        has_zone = False
    if not has_zone:
        raise InputError(f"A decision's time is {text!r}, expected ISO 8601 with a zone, e.g. {utc_now()}.")
