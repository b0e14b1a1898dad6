"""Reading identities: states of crops, lists, one identity in full, conflicts, the log. Plain functions."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from reid_core.annotation import Answer, Conflict, Decision, Event, IdentityGraph, Link
from reid_core.annotation.decisions import answer_of, event_id
from reid_core.errors import InputError
from reid_core.services.review.faces import Faces
from reid_core.services.review.records import (
    ConflictView,
    HistoryPage,
    IdentityDetail,
    IdentitySummary,
    LabelState,
    LinkView,
)

STATES = (
    "firm",
    "bridge",
    "conflict",
    "unlabelled",
    "thin",
    "merged",
    "split",
    "changed",
    "single",
    "judged",
    "untouched",
)
"""What an identity can be filtered by; one is in any number of them.

firm: judged, and no single judgement holds it together. bridge: it hangs on one judgement. conflict: an open
contradiction touches it. unlabelled: no label of the data set. thin: fewer than three crops, or one camera.
merged: several labels in one. split: crops were taken out of it, or it was taken out of another.
"""
ORDERS = ("size", "pid", "recent", "suspicion")
_THIN = 3
MAX_PAGE_SIZE = 200


def label_states(faces: Faces, ids: Iterable[str]) -> dict[str, LabelState]:
    """See ``ReviewService.label_states``."""
    graph = faces.graph
    disputed = {node for conflict in graph.conflicts() for node in _nodes_of(conflict)}
    displaced = set(graph.displaced())
    found: dict[str, LabelState] = {}
    for crop in ids:
        image = faces.gallery.by_id.get(crop)
        pid = None if image is None else image.pid
        if crop in disputed:
            state = "conflict"
        elif crop in displaced:
            state = "moved"
        elif any(
            graph.is_in_force(d.decision_id) and d.answer is Answer.SAME for d in graph.decisions_on(crop)
        ):
            state = "confirmed"
        else:
            state = "labelled" if pid is not None and pid > 0 else "unlabelled"
        found[crop] = LabelState(
            crop=crop,
            state=state,  # type: ignore[arg-type]
            identity=faces.key_of(crop),
            title=faces.title_of(crop),
            num_crops=len(faces.present_crops(crop)),
        )
    return found


def relations(graph: IdentityGraph, query: str, ids: Iterable[str]) -> dict[str, str]:
    """See ``ReviewService.relations``."""
    if query not in graph:
        return {}
    proven = joined_by_judgements(graph, query)
    found = {}
    for crop in ids:
        if crop == query or crop not in graph:
            continue
        relation = graph.relation(query, crop)
        if relation is Answer.SAME and crop not in proven:
            continue
        if relation is not None:
            found[crop] = relation.value
    return found


def joined_by_judgements(graph: IdentityGraph, query: str) -> set[str]:
    """Crops that judgements hold together with ``query``; a label counts where a judgement leads to it.

    Two crops of one label are alike by label only. But "same" with one crop of an identity confirms the crop,
    and naming the identity itself confirms all of it.
    """
    by_node: dict[str, list[str]] = {}
    for link in graph.links(query):
        if link.decision_id is not None:
            by_node.setdefault(link.left, []).append(link.right)
            by_node.setdefault(link.right, []).append(link.left)
    reached, stack = {query}, [query]
    while stack:
        for other in by_node.get(stack.pop(), ()):
            if other not in reached:
                reached.add(other)
                stack.append(other)
    return reached


def list_identities(
    faces: Faces,
    *,
    text: str,
    camera: int | None,
    state: str,
    order: str,
    page: int,
    page_size: int,
    suspicion_of: Callable[[list[str]], float | None] = lambda crops: None,
) -> tuple[tuple[IdentitySummary, ...], int]:
    """See ``ReviewService.identities``; ``suspicion_of`` crops of one identity, for that order."""
    if (state and state not in STATES) or order not in ORDERS:
        raise InputError(
            f"state is {state!r} and order {order!r}; expected one of {', '.join(STATES)} and one of "
            f"{', '.join(ORDERS)}."
        )
    graph, notes = faces.graph, _Notes.of(faces)
    wanted = text.strip().lower()
    passing = []
    for crops in graph.identities():
        present = [crop for crop in crops if crop in faces.gallery.by_id]
        if not present or not _is_person(faces, present):
            continue
        summary = _summary(faces, present, notes)
        if _passes(faces, summary, present, wanted, camera, state):
            if order == "suspicion":
                summary = replace(summary, suspicion=suspicion_of(present))
            passing.append(summary)
    if order == "suspicion":
        passing.sort(key=lambda s: (not s.has_conflict, -(s.suspicion or 0.0), not s.is_bridged, s.node))
    elif order == "size":
        passing.sort(key=lambda s: (-s.num_crops, s.node))
    elif order == "pid":
        passing.sort(key=lambda s: (s.pids[:1] or (2**62,), s.node))
    else:
        passing.sort(key=lambda s: -graph.revision(s.node))
    size = max(1, min(page_size, MAX_PAGE_SIZE))
    start = (max(1, page) - 1) * size
    return tuple(passing[start : start + size]), len(passing)


def detail(faces: Faces, node: str) -> IdentityDetail:
    """See ``ReviewService.identity``."""
    graph = faces.graph
    contested = contested_ids(graph)
    members = graph.nodes(node)
    crops = graph.crops(node)
    present = [crop for crop in crops if crop in faces.gallery.by_id]
    bridges = {link.decision_id for link in graph.bridges(node)}
    history = {event_id(d): d for member in sorted(members) for d in graph.decisions_on(member)}
    own: list[Event] = [e for e in graph.log if _root(graph, e) in history]
    links, separations = graph.links(node), graph.differences(node)
    named = {end for link in links if link.decision_id for end in (link.left, link.right)}
    named |= {end for decision in separations for end in decision.pair}
    return IdentityDetail(
        summary=_summary(faces, present or list(crops) or [node], _Notes.of(faces)),
        crops=tuple(faces.crop(crop) for crop in present),
        links=tuple(link_view(graph, link, bridges) for link in links),
        separations=tuple(faces.change(d, contested) for d in separations),
        history=tuple(faces.change(event, contested) for event in reversed(own)),
        missing=tuple(crop for crop in crops if crop not in faces.gallery.by_id),
        seen={node: graph.revision(node)},
        faces={end: faces.crop(end) for end in sorted(named)},
    )


def conflicts(faces: Faces) -> tuple[ConflictView, ...]:
    """See ``ReviewService.conflicts``."""
    graph = faces.graph
    contested = contested_ids(graph)
    return tuple(
        ConflictView(
            contested=faces.change(c.decision, contested),
            against=faces.change(c.against, contested),
            chain=tuple(link_view(graph, link, set()) for link in c.chain),
            cut=tuple(link_view(graph, link, set()) for link in c.weakest_cut),
            cut_weight=c.cut_weight,
            own_weight=c.own_weight,
            suggestion=c.suggestion,
            faces={node: faces.crop(node) for node in sorted(_nodes_of(c))},
        )
        for c in graph.conflicts()
    )


def history(
    faces: Faces,
    *,
    annotator: str,
    node: str,
    answer: str,
    stream: str,
    text: str,
    since: str = "",
    until: str = "",
    answer_id: str = "",
    page: int,
    page_size: int,
) -> HistoryPage:
    """See ``ReviewService.history``."""
    earliest, latest = read_time(since, "since"), read_time(until, "until")
    graph = faces.graph
    contested = contested_ids(graph)
    members = graph.nodes(node) if node else None
    wanted = text.strip().lower()
    passing = []
    for event in reversed(graph.log):
        if annotator and event.annotator != annotator:
            continue
        if answer_id and answer_id not in (answer_of(event_id(event)), answer_of(_root(graph, event))):
            continue
        if (earliest or latest) and not _is_within(event, earliest, latest):
            continue
        root = graph.event(_root(graph, event))
        if members is not None and not (isinstance(root, Decision) and root.pair & members):
            continue
        if answer and not (isinstance(event, Decision) and event.answer.value == answer):
            continue
        if stream and not (isinstance(event, Decision) and event.stream == stream):
            continue
        change = faces.change(event, contested)
        if not wanted or wanted in f"{change.text} {change.comment} {' '.join(change.reasons)}".lower():
            passing.append(change)
    size = max(1, min(page_size, MAX_PAGE_SIZE))
    start = (max(1, page) - 1) * size
    return HistoryPage(tuple(passing[start : start + size]), len(passing), max(1, page), size)


def read_time(text: str, name: str) -> datetime | None:
    """A moment from ISO 8601 with a zone; None for an empty text.

    Raises:
        InputError: It is neither.
    """
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise InputError(f"{name} is {text[:40]!r}; expected a time with a zone, e.g. 2026-01-31T08:00:00Z.")
    return moment


def _is_within(event: Event, earliest: datetime | None, latest: datetime | None) -> bool:
    at = datetime.fromisoformat(event.decided_at.replace("Z", "+00:00"))
    return (earliest is None or at >= earliest) and (latest is None or at <= latest)


def contested_ids(graph: IdentityGraph) -> frozenset[str]:
    """Decisions that are in the log and not in effect, because they contradict others."""
    return frozenset(conflict.decision.decision_id for conflict in graph.conflicts())


def link_view(graph: IdentityGraph, link: Link, bridges: Iterable[str | None]) -> LinkView:
    """A link with who said so and when."""
    said = None if link.decision_id is None else graph.event(link.decision_id)
    return LinkView(
        left=link.left,
        right=link.right,
        weight=link.weight,
        decision_id=link.decision_id or "",
        annotator="" if said is None else said.annotator,
        decided_at="" if said is None else said.decided_at,
        is_bridge=link.decision_id is not None and link.decision_id in set(bridges),
    )


@dataclass(frozen=True)
class _Notes:
    """Identities (by component) that a conflict touches, and pids that a crop was taken out of."""

    disputed: frozenset[int]
    reduced: frozenset[int]
    displaced: frozenset[str]

    @classmethod
    def of(cls, faces: Faces) -> _Notes:
        graph, images = faces.graph, faces.gallery.by_id
        displaced = frozenset(graph.displaced())
        pids = (images[crop].pid for crop in displaced if crop in images)
        return cls(
            frozenset(graph.component(node) for c in graph.conflicts() for node in c.decision.pair),
            frozenset(pid for pid in pids if pid is not None),
            displaced,
        )


def _summary(faces: Faces, crops: list[str], notes: _Notes) -> IdentitySummary:
    graph, node = faces.graph, crops[0]
    images = [faces.gallery.by_id[crop] for crop in crops if crop in faces.gallery.by_id]
    judged = [k for k in graph.links(node) if k.decision_id is not None]
    pids = graph.pids(node)
    labels = {image.pid for image in images if image.pid is not None and image.pid > 0}
    cameras = tuple(sorted({image.camid for image in images if image.camid is not None}))
    is_bridged = bool(judged) and bool(graph.bridges(node))
    has_conflict = graph.component(node) in notes.disputed
    num_judgements = len(judged) + len(graph.differences(node))
    is_changed = labels != set(pids) or len(pids) > 1 or not notes.reduced.isdisjoint(pids)
    is_in = {
        "firm": num_judgements > 0 and not is_bridged and not has_conflict,
        "bridge": is_bridged,
        "conflict": has_conflict,
        "unlabelled": not labels,
        "thin": len(images) < _THIN or len(cameras) == 1,
        "merged": len(pids) > 1,
        "split": not notes.reduced.isdisjoint(pids) or not notes.displaced.isdisjoint(crops),
        "changed": is_changed,
        "single": len(images) == 1,
        "judged": num_judgements > 0,
        "untouched": num_judgements == 0,
    }
    last = _last_event(graph, node)
    face = faces.identity(node)
    return IdentitySummary(
        node=faces.key_of(node),
        title=faces.title_of(node),
        num_crops=len(images),
        pids=pids,
        cameras=cameras,
        aliases=faces.aliases_of(node),
        num_judgements=num_judgements,
        is_bridged=is_bridged,
        has_conflict=has_conflict,
        is_changed=is_changed,
        crops=face.crops,
        states=tuple(state for state in STATES if is_in[state]),
        changed_at="" if last is None else last.decided_at,
        changed_by="" if last is None else last.annotator,
    )


def _last_event(graph: IdentityGraph, node: str) -> Event | None:
    """The event that last changed something about an identity."""
    revision = graph.revision(node)
    return graph.log_at(revision) if revision else None


def _is_person(faces: Faces, crops: list[str]) -> bool:
    """Junk and distractors that nobody judged are no identities."""
    if len(crops) > 1:
        return True
    pid = faces.gallery.by_id[crops[0]].pid
    return pid is None or pid > 0 or bool(faces.graph.decisions_on(crops[0]))


def _passes(
    faces: Faces, summary: IdentitySummary, crops: list[str], text: str, camera: int | None, state: str
) -> bool:
    if camera is not None and camera not in summary.cameras:
        return False
    names = " ".join((summary.title, *summary.aliases)).lower()
    if text and text not in names and not any(text in crop.lower() for crop in crops):
        return False
    return not state or state in summary.states


def _nodes_of(conflict: Conflict) -> set[str]:
    links = (*conflict.chain, *conflict.weakest_cut)
    return {*conflict.decision.pair, *conflict.against.pair, *(n for k in links for n in (k.left, k.right))}


def _root(graph: IdentityGraph, event: Event | None) -> str:
    """The decision that an event is, or that it takes back through others."""
    while event is not None and not isinstance(event, Decision):
        event = graph.event(event.target_id)
    return "" if event is None else event.decision_id
