"""From what a browser sends to events of the log. Everything that comes is checked here."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from reid_core.annotation import (
    Answer,
    Decision,
    Event,
    IdentityGraph,
    PairQuestion,
    Retraction,
    SheetQuestion,
    Stream,
    judged_by_sheet,
    judged_by_vote,
)
from reid_core.annotation.decisions import event_id, utc_now
from reid_core.errors import InputError
from reid_core.services.review import bulk

BLIND = "audit"
"""What every blind question calls itself on the page, whichever stream it is of."""
SECOND_OPINION, ADJUDICATION, FREE = "second_opinion", "adjudication", "free"
FLAGGED = "flagged"
"""The reason that hands a pair over to the adjudicator."""
_BY_PICTURES = frozenset({BLIND, Stream.GOLD.value, SECOND_OPINION, ADJUDICATION})
MAX_ANSWERS = 200
_STREAMS = frozenset({*(s.value for s in Stream), SECOND_OPINION, ADJUDICATION, FREE, "import"})
_NAME = re.compile(r"[\w][\w .@+-]{0,39}", re.UNICODE)
_UUID = re.compile(r"[0-9a-zA-Z_-]{8,40}")
_MAX_TEXT, _MAX_REASONS, _MAX_NODE = 500, 12, 500


@dataclass(frozen=True, slots=True)
class Given:
    """One answer as it came: its events in order, what was seen, which question it answers."""

    id: str
    events: tuple[Event, ...]
    seen: Mapping[str, int]
    key: str
    ms_taken: int | None

    @property
    def is_by_pictures(self) -> bool:
        """Whether it was to be judged by the pictures alone. Then no word of the server may take sides."""
        return any(isinstance(event, Decision) and event.stream in _BY_PICTURES for event in self.events)


def check_annotator(name: Any) -> str:
    """A code name that can be shown and stored.

    Raises:
        InputError: Empty, longer than 40 characters, or with signs that code names do without.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name.strip()):
        raise InputError(
            f"The annotator's code name is {str(name)[:60]!r}; expected 1 to 40 letters, digits, spaces or "
            "any of . _ @ + -"
        )
    return name.strip()


def read_answer(sent: Any, annotator: str, graph: IdentityGraph) -> Given:
    """Check one answer and turn it into events.

    Args:
        sent: ``kind`` (pair, vote, sheet, sweep, move, settle, undo or redo), ``id`` and what belongs to the
            kind; see ``docs/annotation-guide.md``.
        annotator: A checked code name.
        graph: Read for what an undo takes back and for what the log holds already.

    Raises:
        InputError: A field is missing or wrong; the message names it.
    """
    if not isinstance(sent, Mapping):
        raise InputError("An answer has to be an object with the fields id and kind.")
    own_id = _text(sent, "id", required=True)
    if not _UUID.fullmatch(own_id):
        raise InputError(f"An answer's id is {own_id[:60]!r}; expected a UUID made by the sender.")
    kind = _text(sent, "kind") or "pair"
    known = _stored(own_id, graph)
    events: tuple[Event, ...]
    if kind in ("undo", "redo"):
        events = known or _read_undo(sent, own_id, annotator, graph, is_redo=kind == "redo")
    elif kind == "settle":
        events = known or bulk.settle(
            own_id,
            _text(sent, "target", required=True),
            _text(sent, "way"),
            graph,
            _common(sent, annotator, Stream.CONFLICT.value),
        )
    elif kind in ("pair", "vote", "sheet", "sweep", "move"):
        events = _read_decisions(sent, own_id, annotator, kind)
        if kind not in ("sweep", "move") and events[0].stream == ADJUDICATION:
            events = known or _settle(events[0], graph)
        events = _as_stored(events, known)
    else:
        raise InputError(
            f"An answer's kind is {kind!r}; expected pair, vote, sheet, sweep, move, settle, undo or redo."
        )
    return Given(own_id, events, _seen(sent), _text(sent, "key"), _milliseconds(sent))


def _stored(own_id: str, graph: IdentityGraph) -> tuple[Event, ...]:
    """The events of this answer that the log holds already, in order."""
    alone = graph.event(own_id)
    if alone is not None:
        return (alone,)
    found: list[Event] = []
    while (event := graph.event(f"{own_id}.{len(found) + 1}")) is not None:
        found.append(event)
    return tuple(found)


def _settle(verdict: Decision, graph: IdentityGraph) -> tuple[Decision, ...]:
    """The adjudicator's word replaces every judgement on the pair that says something else.

    Raises:
        InputError: It names no reason.
    """
    if not verdict.reasons:
        raise InputError("An adjudication needs a reason, e.g. clothes or occlusion.")
    replaced = [
        d.decision_id
        for d in graph.decisions_on(verdict.left)
        if d.pair == verdict.pair and d.answer is not verdict.answer and graph.is_in_force(d.decision_id)
    ]
    if not replaced:
        return (replace(verdict, supersedes=None),)
    return tuple(
        replace(verdict, decision_id=f"{verdict.decision_id}.{number}", supersedes=other)
        for number, other in enumerate(replaced, start=1)
    )


def _common(sent: Mapping[str, Any], annotator: str, default_stream: str) -> dict[str, Any]:
    """The fields that all decisions of one answer share."""
    stream = _text(sent, "stream") or default_stream
    if stream not in _STREAMS:
        raise InputError(f"There is no stream {stream[:40]!r}. Known: {', '.join(sorted(_STREAMS))}.")
    is_sure = sent.get("is_sure", True)
    if not isinstance(is_sure, bool):
        raise InputError(f"is_sure is {is_sure!r}; expected true or false.")
    return {
        "annotator": annotator,
        "decided_at": _text(sent, "decided_at") or utc_now(),
        "is_sure": is_sure,
        "reasons": _texts(sent, "reasons"),
        "ms_taken": _milliseconds(sent),
        "stream": stream,
        "fingerprint": _text(sent, "fingerprint")[:80],
        "comment": _text(sent, "comment"),
    }


def _read_decisions(sent: Mapping[str, Any], own_id: str, annotator: str, kind: str) -> tuple[Decision, ...]:
    common = _common(sent, annotator, FREE)
    if kind == "sweep":
        others = _texts(sent, "others", most=MAX_ANSWERS, longest=_MAX_NODE)
        return bulk.sweep(own_id, _node(sent, "left"), others, common)
    if kind == "move":
        crops = _texts(sent, "crops", most=MAX_ANSWERS, longest=_MAX_NODE)
        return bulk.move(own_id, crops, _node(sent, "identity"), _node(sent, "to"), common)
    left, right = _node(sent, "left"), _node(sent, "right")
    if kind == "pair":
        return (
            Decision(
                own_id,
                left,
                right,
                _answer(sent),
                supersedes=_text(sent, "supersedes") or None,
                similarity=_similarity(sent),
                **common,
            ),
        )
    if kind == "vote":
        is_rival = sent.get("is_rival")
        if not isinstance(is_rival, bool):
            raise InputError(
                f"is_rival is {is_rival!r}; expected true (it is the other one) or false (neither)."
            )
        # The identity, not its example crop: else the example might be what has to leave it.
        own = _node(sent, "identity") if sent.get("identity") else right
        vote = PairQuestion(left, own, Stream.NEIGHBOUR_VOTE, "", 0.0, rival=_node(sent, "rival"))
        judged = judged_by_vote(vote, is_rival=is_rival)
    else:
        groups_sent = sent.get("others", [])
        if not isinstance(groups_sent, list):
            raise InputError("others has to be a list of lists of crops, one list per person.")
        sheet = SheetQuestion(
            crops=_texts(sent, "crops", most=500, longest=_MAX_NODE),
            suspected=(),
            left=left,
            right=right,
            identity=_node(sent, "identity"),
            reason="",
            expected_yield=0.0,
        )
        groups = [_texts({"others": g}, "others", most=500, longest=_MAX_NODE) for g in groups_sent]
        judged = judged_by_sheet(sheet, [group for group in groups if group])
    return tuple(
        Decision(f"{own_id}.{number}", a, b, answer, **common)
        for number, (a, b, answer) in enumerate(judged, start=1)
    )


def _read_undo(
    sent: Mapping[str, Any], own_id: str, annotator: str, graph: IdentityGraph, *, is_redo: bool
) -> tuple[Retraction, ...]:
    """Undo takes back the events of the target that are in force, redo the retractions of these."""
    target = _text(sent, "target", required=True)
    at = _text(sent, "decided_at") or utc_now()
    ids = {event_id(event) for event in _stored(target, graph)}
    if not ids:
        raise InputError(f"The log holds no answer {target[:60]!r} to take back.")
    in_force = [
        e
        for e in graph.log
        if isinstance(e, Retraction) and e.target_id in ids and graph.is_in_force(e.retraction_id)
    ]
    if is_redo:
        targets = [e.retraction_id for e in in_force]
    else:
        targets = sorted(ids - {e.target_id for e in in_force})
    return tuple(
        Retraction(f"{own_id}.{number}", target_id, annotator, at)
        for number, target_id in enumerate(targets, start=1)
    )


def _as_stored(events: Sequence[Event], known: Sequence[Event]) -> tuple[Event, ...]:
    """What the log holds already keeps the time and the stream under which it was stored."""
    stored = {event_id(event): event for event in known}
    found: list[Event] = []
    for event in events:
        other = stored.get(event_id(event))
        if isinstance(event, Decision) and isinstance(other, Decision):
            event = replace(event, decided_at=other.decided_at, stream=other.stream)
        found.append(event)
    return tuple(found)


def _answer(sent: Mapping[str, Any]) -> Answer:
    try:
        return Answer(sent.get("answer"))
    except ValueError:
        raise InputError(
            f"answer is {str(sent.get('answer'))[:40]!r}; expected same, different or cannot_tell."
        ) from None


def _node(sent: Mapping[str, Any], name: str) -> str:
    node = sent.get(name)
    if not isinstance(node, str) or not 0 < len(node) <= _MAX_NODE:
        raise InputError(f"{name} is {str(node)[:60]!r}; expected the id of a crop or identity.")
    return node


def _text(sent: Mapping[str, Any], name: str, *, required: bool = False) -> str:
    value = sent.get(name)
    if value is None and not required:
        return ""
    if not isinstance(value, str) or len(value) > _MAX_TEXT or (required and not value):
        raise InputError(f"{name} is {str(value)[:60]!r}; expected a text of at most {_MAX_TEXT} characters.")
    return value.strip()


def _texts(
    sent: Mapping[str, Any], name: str, *, most: int = _MAX_REASONS, longest: int = 40
) -> tuple[str, ...]:
    values = sent.get(name, [])
    if not isinstance(values, list) or len(values) > most:
        raise InputError(f"{name} has to be a list of at most {most} texts.")
    if any(not isinstance(v, str) or not 0 < len(v) <= longest for v in values):
        raise InputError(f"{name} has to hold texts of 1 to {longest} characters.")
    return tuple(values)


def _milliseconds(sent: Mapping[str, Any]) -> int | None:
    value = sent.get("ms_taken")
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 86_400_000:
        raise InputError(f"ms_taken is {value!r}; expected whole milliseconds within a day.")
    return value


def _similarity(sent: Mapping[str, Any]) -> float | None:
    value = sent.get("similarity")
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not -1.001 <= value <= 1.001:
        raise InputError(f"similarity is {value!r}; expected a cosine.")
    return float(value)


def _seen(sent: Mapping[str, Any]) -> dict[str, int]:
    seen = sent.get("seen", {})
    if not isinstance(seen, Mapping) or len(seen) > 600:
        raise InputError("seen has to be an object of revisions by node.")
    if any(isinstance(r, bool) or not isinstance(r, int) for r in seen.values()):
        raise InputError("seen has to hold whole numbers, as the question gave them.")
    return {str(node): revision for node, revision in seen.items()}
