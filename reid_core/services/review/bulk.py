"""Answers about many crops at once, each taken in whole and taken back whole. Plain functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from reid_core.annotation import Answer, Conflict, Decision, Event, IdentityGraph, Retraction
from reid_core.errors import InputError


def sweep(own_id: str, query: str, crops: Sequence[str], common: Mapping[str, Any]) -> tuple[Decision, ...]:
    """ "All of these are somebody else": one "different" per crop.

    Raises:
        InputError: No crop, a crop twice, or the query among them.
    """
    _check_crops(crops, "others")
    if query in crops:
        raise InputError("The query is among the crops that are somebody else; leave it out.")
    return tuple(
        Decision(f"{own_id}.{number}", query, crop, Answer.DIFFERENT, **common)
        for number, crop in enumerate(crops, start=1)
    )


def move(
    own_id: str, crops: Sequence[str], identity: str, target: str, common: Mapping[str, Any]
) -> tuple[Decision, ...]:
    """Crops that belong to another identity: out of one, into the other.

    Args:
        identity, target: Nodes that stand for where they are and where they belong; none of ``crops``.

    Raises:
        InputError: No crop, a crop twice, or both identities are the same node or among the crops.
    """
    _check_crops(crops, "crops")
    if identity == target or identity in crops or target in crops:
        raise InputError(
            "A crop is moved from one identity to another; name each by a node that is not moved itself."
        )
    judged: list[tuple[str, str, Answer]] = []
    for crop in crops:
        judged += [(crop, identity, Answer.DIFFERENT), (crop, target, Answer.SAME)]
    return tuple(
        Decision(f"{own_id}.{number}", left, right, answer, **common)
        for number, (left, right, answer) in enumerate(judged, start=1)
    )


def settle(
    own_id: str, contested_id: str, way: str, graph: IdentityGraph, common: Mapping[str, Any]
) -> tuple[Event, ...]:
    """Settle a contradiction: give up its weakest cut, the contested judgement, or the "different" it meets.

    A label in the cut gives way to a "different" between the crop and the label's identity; the contested
    judgement is then made once more, because it takes effect only after that.

    Raises:
        InputError: No such conflict is open, or ``way`` is not "cut", "contested" or "against".
    """
    conflict = _conflict(contested_id, graph)
    who, when = common["annotator"], common["decided_at"]
    if way == "contested":
        return (Retraction(f"{own_id}.1", contested_id, who, when),)
    if way == "against":
        return (Retraction(f"{own_id}.1", conflict.against.decision_id, who, when),)
    if way != "cut":
        raise InputError(f"way is {way[:40]!r}; expected cut, contested or against.")
    events: list[Event] = []
    labels = [link for link in conflict.weakest_cut if link.decision_id is None]
    for link in conflict.weakest_cut:
        if link.decision_id is not None:
            events.append(Retraction(f"{own_id}.{len(events) + 1}", link.decision_id, who, when))
    for link in labels:
        number = len(events) + 1
        events.append(Decision(f"{own_id}.{number}", link.left, link.right, Answer.DIFFERENT, **common))
    if labels:
        again = replace(
            conflict.decision,
            decision_id=f"{own_id}.{len(events) + 1}",
            annotator=who,
            decided_at=when,
            stream=common["stream"],
            supersedes=contested_id,
        )
        events.append(again)
    return tuple(events)


def _conflict(contested_id: str, graph: IdentityGraph) -> Conflict:
    for conflict in graph.conflicts():
        if conflict.decision.decision_id == contested_id:
            return conflict
    raise InputError("This contradiction is not open any more: somebody settled it. Reload the list.")


def _check_crops(crops: Sequence[str], name: str) -> None:
    if not crops or len(set(crops)) != len(crops):
        raise InputError(f"{name} has {len(crops)} crops ({len(set(crops))} different); expected each once.")
