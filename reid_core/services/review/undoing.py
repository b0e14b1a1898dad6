"""What taking an answer back would do, told before it is done. Plain functions."""

from __future__ import annotations

from reid_core.annotation import Decision, Event, IdentityGraph
from reid_core.annotation.decisions import answer_of, event_id
from reid_core.errors import InputError
from reid_core.services.review.faces import Faces
from reid_core.services.review.identities import contested_ids
from reid_core.services.review.records import UndoOutlook

_MAX_DEPENDENTS = 20


def undo_outlook(faces: Faces, answer_id: str) -> UndoOutlook:
    """See ``ReviewService.undo_outlook``."""
    graph = faces.graph
    events = [e for e in graph.log if answer_of(event_id(e)) == answer_id]
    if not events:
        raise InputError(f"The log holds no answer {answer_id[:60]!r}.")
    targets = [event_id(e) for e in events if graph.is_in_force(event_id(e))]
    if not targets:
        return UndoOutlook(answer_id, ("It was taken back already.",), (), 0)
    after = graph.without(targets)
    effects = [*_regroupings(faces, after), *_conflict_changes(graph, after)]
    dependents = _dependents(graph, after, events)
    contested = contested_ids(graph)
    return UndoOutlook(
        answer_id,
        tuple(effects) or ("No identity changes: other judgements say the same.",),
        tuple(faces.change(d, contested) for d in dependents[:_MAX_DEPENDENTS]),
        len(dependents),
    )


def _regroupings(faces: Faces, after: IdentityGraph) -> list[str]:
    """Identities of now that would fall apart, and identities that would come together again."""
    before = faces.graph
    told = []
    own = {frozenset(crops) for crops in after.identities()}
    seen: set[int] = set()
    for crops in after.identities():
        component = before.component(crops[0])
        whole = frozenset(before.crops(crops[0]))
        if component in seen or whole in own:
            continue
        seen.add(component)
        parts = sorted((len(set(part) & whole) for part in after.identities()), reverse=True)
        parts = [size for size in parts if size]
        if len(parts) > 1:
            sizes = " + ".join(str(size) for size in parts)
            told.append(f"{faces.title_of(crops[0])} falls apart: {len(whole)} crops become {sizes}.")
    for crops in after.identities():
        joined = {before.component(crop) for crop in crops}
        if len(joined) > 1:
            told.append(f"{len(joined)} identities become one of {len(crops)} crops.")
    opened = _num_apart(before, after) - _num_apart(after, after)
    if opened > 0:
        told.append(f"{opened} pair{'s' if opened > 1 else ''} of identities would no longer be kept apart.")
    return told


def _num_apart(graph: IdentityGraph, region: IdentityGraph) -> int:
    """How many pairs of identities judgements keep apart, as far as the region goes."""
    ends = ((a, b) for a, b in graph.separations() if a in region and b in region)
    return len({frozenset((graph.component(a), graph.component(b))) for a, b in ends})


def _conflict_changes(before: IdentityGraph, after: IdentityGraph) -> list[str]:
    old, new = contested_ids(before), contested_ids(after)
    told = []
    opened = len(new - old)
    if opened:
        told.append(f"{opened} contradiction{'s' if opened > 1 else ''} would open.")
    settled = sum(1 for own_id in old if after.event(own_id) is not None and own_id not in new)
    if settled:
        told.append(f"{settled} contradiction{'s' if settled > 1 else ''} would be settled.")
    return told


def _dependents(graph: IdentityGraph, after: IdentityGraph, events: list[Event]) -> list[Decision]:
    """Later answers in force that name a member of an identity of the undone answer, latest first."""
    own = {event_id(event) for event in events}
    first = next(place for place, event in enumerate(graph.log) if event_id(event) in own)
    touched = {graph.component(node) for node in _named(graph, events)}
    touched |= {
        graph.component(crop) for node in _named(graph, events) if node in after for crop in after.crops(node)
    }
    later = [
        event
        for event in graph.log[first + 1 :]
        if isinstance(event, Decision)
        and event.decision_id not in own
        and graph.is_in_force(event.decision_id)
        and any(graph.component(node) in touched for node in event.pair)
    ]
    return later[::-1]


def _named(graph: IdentityGraph, events: list[Event]) -> set[str]:
    nodes: set[str] = set()
    for event in events:
        root: Event | None = event
        while root is not None and not isinstance(root, Decision):
            root = graph.event(root.target_id)
        nodes |= root.pair if root is not None else frozenset()
    return nodes
