"""What the Search page does: an address in, everything that is drawn out. Plain values, no Gradio."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from reid_core.errors import GalleryNotReadyError, InputError, ReidError
from reid_core.images import ImageInput
from reid_core.services import (
    UPLOAD_PREFIX,
    Box,
    GalleryInfo,
    HitView,
    JobView,
    QueryView,
    SearchRequest,
    SearchResult,
    Verdict,
)
from webapp.views.address import SearchAddress, read_address
from webapp.views.formats import (
    format_camera,
    format_count,
    format_gap,
    format_identity,
    format_probability,
    format_similarity,
    format_time,
    is_person,
)
from webapp.views.jobs import JobPanel, show_job
from webapp.views.scope import current_gallery
from webapp.views.sightings import Sightings, place_sightings

NUM_EXAMPLES = 12
MAX_ATTRIBUTES = 6
"""Columns of a manifest that a comparison shows; more would push the pictures off the screen."""


class Searcher(Protocol):
    """All that this page needs of the services; a test passes a small fake."""

    def galleries(self) -> tuple[GalleryInfo, ...]: ...
    def examples(self, gallery: str = "", count: int = 12) -> tuple[QueryView, ...]: ...
    def search(self, request: SearchRequest) -> SearchResult: ...
    def prepare(self, gallery: str = "", model: str = "") -> JobView: ...
    def store_upload(self, image: ImageInput, *, box: Box | None = None) -> QueryView: ...


@dataclass(frozen=True, slots=True)
class Fact:
    """One line of what is known about a picture."""

    label: str
    text: str


@dataclass(frozen=True, slots=True)
class QueryCard:
    """The query as the page shows it."""

    id: str
    title: str
    image_url: str
    width: int
    height: int
    camera: str
    facts: tuple[Fact, ...]


@dataclass(frozen=True, slots=True)
class HitCard:
    """One match as the page shows it.

    ``identity``, ``camera``, ``time`` and ``probability_text`` are short, and empty where nobody knows.
    ``relation`` says how place and time lie to the query's. ``moved`` is an arrow with the number of places
    by which judgements moved it, ``moved_text`` the same in words; both empty where nothing moved it.
    ``similarity`` is a cosine; None in a ranking by another distance, which ``similarity_text`` then gives.
    """

    id: str
    rank: int
    image_url: str
    similarity: float | None
    similarity_text: str
    probability_text: str
    camera: str
    time: str
    verdict: Verdict
    identity: str
    relation: str
    facts: tuple[Fact, ...]
    moved: str = ""
    moved_text: str = ""


@dataclass(frozen=True, slots=True)
class FeedbackPanel:
    """What judgements on the query did to the ranking: a sentence, gains in AP, and what they put aside.

    ``can_help`` is false where no judgement on the query is in force: then nothing was changed.
    """

    text: str
    gains: tuple[str, ...]
    can_help: bool
    aside: tuple[HitCard, ...] = ()


@dataclass(frozen=True, slots=True)
class SummaryItem:
    """One statement about the ranking; ``tone`` chooses colour and icon, ``text`` alone must suffice."""

    text: str
    tone: Literal["good", "bad", "plain"] = "plain"


@dataclass(frozen=True, slots=True)
class SearchView:
    """The answer to one address.

    ``kind`` is ``results``; ``preparing`` while the gallery is being embedded (``job`` says how far);
    ``empty`` when there is nothing to search for yet; ``error`` with a sentence in ``message``.
    """

    kind: Literal["results", "preparing", "empty", "error"]
    params: dict[str, str]
    message: str = ""
    query: QueryCard | None = None
    hits: tuple[HitCard, ...] = ()
    count: str = ""
    shows_verdicts: bool = False
    summary: tuple[SummaryItem, ...] = ()
    sightings: Sightings | None = None
    notes: tuple[str, ...] = ()
    job: JobPanel | None = None
    feedback: FeedbackPanel | None = None


@dataclass(frozen=True, slots=True)
class Filters:
    """What can be filtered in the open gallery; a time range without length is ``None``."""

    cameras: tuple[int, ...]
    time_range_s: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class SearchPage:
    """All that the page needs when it opens."""

    filters: Filters
    examples: tuple[QueryCard, ...]
    search: SearchView


@dataclass(frozen=True, slots=True)
class UploadView:
    """A stored query picture, or a sentence on why it was not taken."""

    query_id: str = ""
    error: str = ""


def open_page(searcher: Searcher, params: Mapping[str, object]) -> SearchPage:
    """First view for an address: filters, examples, and the search itself.

    Without a query the first example is searched, so that a visitor sees results at once.
    """
    address = read_address(params)
    gallery = current_gallery(searcher.galleries(), address.gallery)
    examples = _examples(searcher, address.gallery)
    filters = Filters(cameras=(), time_range_s=None)
    if gallery is not None:
        filters = Filters(tuple(gallery.cameras), _time_range(gallery))
    if not address.query_id and examples:
        params = {**params, "q": examples[0].id}
    return SearchPage(
        filters=filters,
        examples=tuple(show_query(example) for example in examples),
        search=run_search(searcher, params),
    )


def run_search(searcher: Searcher, params: Mapping[str, object]) -> SearchView:
    """Answer one address. Every error a person can cause comes back as a sentence."""
    address = read_address(params)
    if not address.query_id:
        if current_gallery(searcher.galleries(), address.gallery) is None:
            return _preparing(searcher, address, "The gallery is being opened for the first time.")
        return SearchView(
            kind="empty",
            params=address.params(),
            message="No query yet. Choose an example, drop a picture, or paste one.",
            notes=address.problems,
        )
    try:
        result = searcher.search(address.request())
    except GalleryNotReadyError as error:
        return _preparing(searcher, address, str(error))
    except ReidError as error:
        return SearchView(kind="error", params=address.params(), message=str(error), notes=address.problems)
    return _show_result(address, result)


def store_upload(
    searcher: Searcher, image: bytes, box: Sequence[float] | None, *, max_upload_mb: int
) -> UploadView:
    """Keep a query picture, or what lies in ``box``: left, top, right, bottom of the upright image."""
    if len(image) > max_upload_mb * 1_000_000:
        return UploadView(
            error=f"The picture has {len(image) / 1e6:.0f} MB; at most {max_upload_mb} MB are read. Scale it "
            "down first."
        )
    try:
        corners = None if box is None else _read_box(box)
        return UploadView(query_id=searcher.store_upload(image, box=corners).id)
    except ReidError as error:
        return UploadView(error=str(error))


def show_query(query: QueryView) -> QueryCard:
    """A query picture with its facts."""
    is_upload = query.id.startswith(UPLOAD_PREFIX)
    facts = [
        Fact("Identity", format_identity(query.pid)),
        Fact("Camera", "not known" if query.camid is None else str(query.camid)),
        Fact("Time", "not known" if query.time_s is None else format_time(query.time_s)),
        Fact("Size", f"{query.width} × {query.height} px"),
    ]
    return QueryCard(
        id=query.id,
        title="Your picture" if is_upload else query.id,
        image_url=query.image_url,
        width=query.width,
        height=query.height,
        camera=format_camera(query.camid),
        facts=tuple(facts),
    )


def _preparing(searcher: Searcher, address: SearchAddress, reason: str) -> SearchView:
    try:
        job = searcher.prepare(address.gallery, address.model)
    except GalleryNotReadyError as error:
        return SearchView(kind="preparing", params=address.params(), message=str(error))
    except ReidError as error:
        return SearchView(kind="error", params=address.params(), message=str(error), notes=address.problems)
    if job.state in ("failed", "cancelled"):
        message = job.message or reason
        return SearchView(kind="error", params=address.params(), message=message, job=show_job(job))
    return SearchView(kind="preparing", params=address.params(), message=reason, job=show_job(job))


def _show_result(address: SearchAddress, result: SearchResult) -> SearchView:
    is_known = any(hit.verdict != "unknown" for hit in result.hits)
    return SearchView(
        kind="results",
        params=address.params(),
        query=show_query(result.query),
        hits=tuple(_show_ranked(hit, result) for hit in result.hits),
        count=f"{len(result.hits)} of {format_count(result.num_candidates, 'image')}",
        shows_verdicts=is_known,
        summary=summarise(result),
        sightings=place_sightings(result.query, result.hits),
        notes=(*address.problems, *result.notes, *_explain_absence(result)),
        message="" if result.hits else "No matches.",
        feedback=show_feedback(result),
    )


def show_feedback(result: SearchResult) -> FeedbackPanel | None:
    """What judgements changed; None where no use of them is switched on."""
    found = result.feedback
    if found is None:
        return None
    can_help = found.num_confirmed + found.num_refused > 0
    if not can_help:
        text = "Nothing is judged for this query yet, so the order is the plain one."
        if result.query.id.startswith(UPLOAD_PREFIX):
            text = "An uploaded picture cannot be judged, so the order is the plain one."
        return FeedbackPanel(text, (), can_help=False)
    num_moved = sum(hit.rank != found.was_rank[hit.id] for hit in result.hits)
    text = (
        f"Uses {found.num_confirmed} confirmed and {found.num_refused} refused: "
        f"{format_count(num_moved, 'match', 'matches')} moved"
    )
    if found.aside:
        text += f", {len(found.aside)} set aside"
    gains = [
        gain
        for gain in (
            _gain("AP", found.ap_before, found.ap_after),
            _gain("AP of what nobody judged", found.open_ap_before, found.open_ap_after),
        )
        if gain
    ]
    return FeedbackPanel(
        f"{text}.", tuple(gains), can_help=True, aside=tuple(_show_ranked(hit, result) for hit in found.aside)
    )


def _gain(name: str, before: float | None, after: float | None) -> str:
    return "" if before is None or after is None else f"{name} {before:.2f} → {after:.2f}"


def _move(hit: HitView, result: SearchResult) -> tuple[str, str]:
    """An arrow and words for how far judgements moved a hit."""
    if result.feedback is None or hit in result.feedback.aside:
        return "", ""
    by = result.feedback.was_rank[hit.id] - hit.rank
    if by == 0:
        return "", ""
    word = "up" if by > 0 else "down"
    return (
        f"{'▲' if by > 0 else '▼'}{abs(by)}",
        f"{word} {abs(by)} from rank {result.feedback.was_rank[hit.id]}",
    )


def _show_ranked(hit: HitView, result: SearchResult) -> HitCard:
    arrow, words = _move(hit, result)
    return replace(show_hit(hit, result.query), moved=arrow, moved_text=words)


def show_hit(hit: HitView, query: QueryView) -> HitCard:
    """A match with its facts and how it lies to the query."""
    facts = [
        Fact("Identity", format_identity(hit.pid)),
        Fact("Camera", "not known" if hit.camid is None else str(hit.camid)),
        Fact("Time", "not known" if hit.time_s is None else format_time(hit.time_s)),
    ]
    if hit.probability is not None:
        facts.append(Fact("P(same person)", format_probability(hit.probability)))
    facts += [Fact(name, text) for name, text in list(hit.attributes.items())[:MAX_ATTRIBUTES]]
    return HitCard(
        id=hit.id,
        rank=hit.rank,
        image_url=hit.image_url,
        similarity=round(hit.similarity, 4),
        similarity_text=format_similarity(hit.similarity),
        probability_text=format_probability(hit.probability),
        camera="" if hit.camid is None else format_camera(hit.camid),
        time="" if hit.time_s is None else format_time(hit.time_s),
        verdict=hit.verdict,
        identity=f"ID {hit.pid}" if is_person(hit.pid) else "",
        relation=_relation(hit, query),
        facts=tuple(facts),
    )


def _relation(hit: HitView, query: QueryView) -> str:
    parts = [format_gap(query.time_s, hit.time_s)]
    if hit.camid is not None and query.camid is not None:
        parts.append("same camera" if hit.camid == query.camid else "other camera")
    return ", ".join(part for part in parts if part)


def summarise(result: SearchResult) -> tuple[SummaryItem, ...]:
    """The ranking in a few statements: what the first match is and, where it is known, how many are right.

    Junk and the query's own camera do not count, as in the protocol. AP is told only when every true match is
    among the hits, because only then is it the AP of the whole ranking.
    """
    if not result.hits:
        return ()
    if result.num_true is None:
        return (*_absence(result), *_summarise_unknown(result))
    if result.num_true == 0:
        return (SummaryItem("No image that passes the filters shows this person on another camera", "bad"),)
    counted = [hit for hit in result.hits if hit.verdict in ("true", "false")]
    true_ranks = [rank for rank, hit in enumerate(counted, start=1) if hit.verdict == "true"]
    matches = format_count(result.num_true, "true match", "true matches")
    if not true_ranks:
        return (SummaryItem(f"None of the {matches} in the top {len(counted)}", "bad"),)
    items = [_summarise_first(counted, true_ranks[0])]
    in_ten = sum(rank <= 10 for rank in true_ranks)
    items.append(SummaryItem(f"{in_ten} of {matches} in the top 10"))
    if len(true_ranks) == result.num_true:
        average_precision = (
            sum(found / rank for found, rank in enumerate(true_ranks, start=1)) / result.num_true
        )
        items.append(SummaryItem(f"AP {average_precision:.2f}"))
    return tuple(items)


def _absence(result: SearchResult) -> tuple[SummaryItem, ...]:
    if result.absence is None or not result.absence.is_absent:
        return ()
    return (SummaryItem("Probably not in this gallery", "bad"),)


def _explain_absence(result: SearchResult) -> tuple[str, ...]:
    absence = result.absence
    if absence is None or not absence.is_absent:
        return ()
    return (
        f"No image reaches a similarity of {format_similarity(absence.similarity)}. Of the people who are in "
        "this gallery only 1 in 20 have no image that close; of those who are not, "
        f"{absence.named_share:.0%} find somebody that close all the same.",
        *absence.doubts,
    )


def _summarise_first(counted: Sequence[HitView], first_true_rank: int) -> SummaryItem:
    first = counted[0]
    where = f"{format_camera(first.camid)}, {format_similarity(first.similarity)}"
    if first_true_rank == 1:
        return SummaryItem(f"Rank-1 hit: {where}", "good")
    return SummaryItem(f"Rank-1 miss: first true match at rank {first_true_rank}", "bad")


def _summarise_unknown(result: SearchResult) -> tuple[SummaryItem, ...]:
    first = result.hits[0]
    facts = [format_identity(first.pid)] if is_person(first.pid) else []
    facts += [format_camera(first.camid)] if first.camid is not None else []
    items = [SummaryItem(f"Best match: {', '.join([*facts, format_similarity(first.similarity)])}")]
    if len(result.hits) > 1:
        gap = first.similarity - result.hits[1].similarity
        items.append(SummaryItem(f"gap to the next {gap:.3f}"))
    items.append(SummaryItem("who the query is, nobody said: judge by eye"))
    return tuple(items)


def _examples(searcher: Searcher, gallery: str) -> tuple[QueryView, ...]:
    try:
        return searcher.examples(gallery, NUM_EXAMPLES)
    except ReidError:
        return ()  # the search itself reports what is wrong with the gallery


def _time_range(gallery: GalleryInfo) -> tuple[float, float] | None:
    if gallery.time_from_s is None or gallery.time_to_s is None or gallery.time_to_s <= gallery.time_from_s:
        return None
    return (gallery.time_from_s, gallery.time_to_s)


def _read_box(box: Sequence[float]) -> Box:
    try:
        left, top, right, bottom = (float(value) for value in box)
    except (TypeError, ValueError):
        raise InputError(
            f"The box {box!r} is not left, top, right and bottom in pixels. Draw it again."
        ) from None
    return (left, top, right, bottom)
