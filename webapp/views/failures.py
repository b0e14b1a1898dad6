"""The failures of a run: rows of queries, worst first, and one query's comparison with its ranking."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from reid_core.errors import ReidError
from reid_core.services.evaluations import (
    FAILURE_KINDS,
    Evaluations,
    Failure,
    OpenRun,
    RunImage,
    StripItem,
    caption,
    similarity_of,
    strip_of,
)
from reid_core.services.records import HitView, QueryView
from reid_core.services.views import image_url
from webapp.views.failure_address import FailureAddress, read_failures, read_ranking
from webapp.views.formats import format_count, format_duration
from webapp.views.search import HitCard, QueryCard, show_hit, show_query

PAGE_ROWS = 25
STRIP_LENGTH = 12
PAIR_HITS = 50


@dataclass(frozen=True, slots=True)
class Crop:
    """A picture in a strip; ``label`` is everything about it in words, ``similarity`` a cosine or None."""

    id: str
    image_url: str
    verdict: str
    rank: str
    caption: str
    label: str
    similarity: float | None


@dataclass(frozen=True, slots=True)
class SuggestedKind:
    """A failure kind that a recorded fact suggests."""

    kind: str
    reason: str


@dataclass(frozen=True, slots=True)
class FailureRow:
    """One query: what it scored, what stands first in its way, its ranking."""

    id: str
    image_url: str
    ap: float
    ap_text: str
    rank_text: str
    is_missed: bool
    facts: str
    false_crop: Crop | None
    strip: tuple[Crop, ...]
    tags: tuple[str, ...]
    suggestions: tuple[SuggestedKind, ...]


@dataclass(frozen=True, slots=True)
class KindCount:
    """How many queries of the gallery carry a kind."""

    kind: str
    count: int


@dataclass(frozen=True, slots=True)
class FailureList:
    """One part of the list. ``total`` queries pass the filters, ``next_offset`` is 0 at the end."""

    rows: tuple[FailureRow, ...] = ()
    total: int = 0
    num_counted: int = 0
    next_offset: int = 0
    params: dict[str, str] = field(default_factory=dict)
    summary: str = ""
    message: str = ""
    notes: tuple[str, ...] = ()
    query_cameras: tuple[int, ...] = ()
    match_cameras: tuple[int, ...] = ()
    has_times: bool = False
    counts: tuple[KindCount, ...] = ()


@dataclass(frozen=True, slots=True)
class PairList:
    """A query with its ranking, for the comparison dialog; ``index`` is where it opens."""

    query: QueryCard | None = None
    hits: tuple[HitCard, ...] = ()
    index: int = 0
    message: str = ""


def show_failures(evaluations: Evaluations, params: Mapping[str, object]) -> FailureList:
    """The queries that an address asks for, worst first, ``PAGE_ROWS`` from ``offset`` on."""
    address = read_failures(params)
    try:
        run = evaluations.open(str(params.get("run") or ""), read_ranking(params.get("rank")))
        rows = evaluations.worst(run, address.wanted)
    except ReidError as error:
        return FailureList(message=str(error), notes=address.problems, params=address.params)
    offset = _offset(params.get("offset"))
    shown = rows[offset : offset + PAGE_ROWS]
    end = offset + len(shown)
    cameras = [
        tuple(sorted({image.camid for image in images if image.camid is not None}))
        for images in (run.queries, run.images)
    ]
    return FailureList(
        rows=tuple(show_row(run, evaluations.describe(run, row), row) for row in shown),
        total=len(rows),
        num_counted=int(run.is_counted.sum()),
        next_offset=end if end < len(rows) else 0,
        params=address.params,
        summary=_summary(run, address, rows),
        message="" if rows else "No query passes these filters. Clear some of them.",
        notes=address.problems,
        query_cameras=cameras[0],
        match_cameras=cameras[1],
        has_times=any(image.time_s is not None for image in run.queries),
        counts=show_counts(evaluations, run.info.gallery),
    )


def show_counts(evaluations: Evaluations, gallery: str) -> tuple[KindCount, ...]:
    """Every failure kind with the number of queries that carry it."""
    counts = evaluations.tag_counts(gallery)
    return tuple(KindCount(kind, counts.get(kind, 0)) for kind in FAILURE_KINDS)


def show_row(run: OpenRun, found: Failure, row: int, *, length: int = STRIP_LENGTH) -> FailureRow:
    """One query as its row shows it."""
    gallery, false = run.info.gallery, found.best_false
    items = strip_of(run, row, length)
    false_crop = None
    if false is not None:
        text = caption(run, found.best_false_distance)
        rank = 1 if found.is_missed else next((i.rank or 0 for i in items if i.image.id == false.id), 0)
        false_crop = Crop(
            id=false.id,
            image_url=image_url(gallery, false.content_hash),
            verdict="false",
            rank=str(rank) if rank else "",
            caption=text,
            label=f"First false match: {_who(false)}, {text}",
            similarity=similarity_of(run, found.best_false_distance),
        )
    return FailureRow(
        id=found.image.id,
        image_url=image_url(gallery, found.image.content_hash),
        ap=found.ap or 0.0,
        ap_text="–" if found.ap is None else f"{found.ap:.3f}",
        rank_text=f"rank {found.first_match_rank}" if found.first_match_rank else "no match",
        is_missed=found.is_missed,
        facts=" · ".join(_facts(found)),
        false_crop=false_crop,
        strip=tuple(_crop(run, item) for item in items),
        tags=found.tags,
        suggestions=tuple(
            SuggestedKind(s.kind, s.reason) for s in found.suggestions if s.kind not in found.tags
        ),
    )


def show_pair(evaluations: Evaluations, params: Mapping[str, object]) -> PairList:
    """A query (``q``) with the top of its ranking; opens at ``c``, or at the first false match."""
    try:
        run = evaluations.open(str(params.get("run") or ""), read_ranking(params.get("rank")))
        row = run.row(str(params.get("q") or ""))
    except ReidError as error:
        return PairList(message=str(error))
    gallery, query = run.info.gallery, run.queries[row]
    items = strip_of(run, row, PAIR_HITS)
    view = QueryView(
        id=query.id,
        pid=query.pid,
        camid=query.camid,
        time_s=query.time_s,
        width=query.width,
        height=query.height,
        image_url=image_url(gallery, query.content_hash),
    )
    wanted = str(params.get("c") or "")
    at = next((n for n, item in enumerate(items) if item.image.id == wanted), None)
    if at is None:
        at = next((n for n, item in enumerate(items) if item.verdict == "false"), 0)
    hits = tuple(_hit(run, view, item, number) for number, item in enumerate(items, start=1))
    return PairList(query=show_query(view), hits=hits, index=at)


def _hit(run: OpenRun, query: QueryView, item: StripItem, number: int) -> HitCard:
    similarity = similarity_of(run, item.distance)
    card = show_hit(
        HitView(
            rank=number,
            id=item.image.id,
            pid=item.image.pid,
            camid=item.image.camid,
            time_s=item.image.time_s,
            similarity=1.0 - item.distance if similarity is None else similarity,
            image_url=image_url(run.info.gallery, item.image.content_hash),
            verdict=item.verdict,
            attributes=item.image.attributes,
        ),
        query,
    )
    if similarity is None:
        return replace(card, similarity=None, similarity_text=f"{item.distance:.3f}")
    return card


def _crop(run: OpenRun, item: StripItem) -> Crop:
    words = {
        "true": "true match",
        "false": "false match",
        "junk": "junk, not counted",
        "same_camera": "same person, same camera, not counted",
        "unknown": "identity not known",
    }
    text = caption(run, item.distance)
    rank = f"rank {item.rank}, " if item.rank else ""
    return Crop(
        id=item.image.id,
        image_url=image_url(run.info.gallery, item.image.content_hash),
        verdict=item.verdict,
        rank=str(item.rank) if item.rank else "",
        caption=text,
        label=f"{rank}{words[item.verdict]}, {_who(item.image)}, {text}",
        similarity=similarity_of(run, item.distance),
    )


def _who(image: RunImage) -> str:
    name = {0: "distractor", -1: "junk"}.get(image.pid, f"person {image.pid}")
    return name if image.camid is None else f"{name}, camera {image.camid}"


def _facts(found: Failure) -> list[str]:
    image, match = found.image, found.best_match
    facts = [_who(image)]
    facts.append(format_count(found.num_matches, "true match", "true matches"))
    if match is not None and match.camid is not None:
        facts.append(f"nearest in camera {match.camid}")
    if found.gap_s is not None:
        facts.append(f"{format_duration(found.gap_s)} apart")
    facts.append(f"{found.height_px:.0f} px high")
    return facts


def _summary(run: OpenRun, address: FailureAddress, rows: Sequence[int]) -> str:
    if not rows:
        return ""
    table = run.report.per_query
    mean = float(sum(table.ap[row] for row in rows) / len(rows))
    missed = sum(int(table.first_match_rank[row]) != 1 for row in rows)
    filtered = f" of {int(run.is_counted.sum()):,}" if address.is_filtered else ""
    count = format_count(len(rows), "query", "queries")
    return f"{count}{filtered} · mean AP {mean * 100:.1f} · {missed:,} missed at rank 1"


def _offset(value: object) -> int:
    text = str(value or "0")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 0
