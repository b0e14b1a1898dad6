"""What the Evaluate page shows around its lists: how to start a run, the runs there are, and the overview."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Literal, Protocol

from reid_core.errors import GalleryNotReadyError, ReidError
from reid_core.services import JobView
from reid_core.services.evaluations import (
    CORRUPTION_TYPES,
    FAILURE_KINDS,
    SEVERITIES,
    Evaluations,
    OpenRun,
    QueryRule,
    Readiness,
    RunInfo,
)
from webapp.views.failure_address import read_ranking
from webapp.views.formats import format_count, format_duration
from webapp.views.jobs import JobPanel, show_job
from webapp.views.run_scores import (
    SCORE_TITLES,
    MatrixView,
    ScoreTable,
    SliceView,
    percent,
    show_camera_pairs,
    show_scores,
    show_slices,
)

_PROTOCOL_NOTES = {
    "market1501": "Market-1501: junk and the query's own camera left out, distractors stay",
    "torchreid": "Torchreid: as Market-1501, but junk counts as false",
    "fastreid": "FastReID: as Torchreid",
    "matlab": "Market-1501's MATLAB code: trapezoid AP, unmatched queries count as 0",
    "layumi": "layumi's baseline: as MATLAB, ties reversed",
    "cuhk03_classic": "CUHK03 classic: CMC from one random image per person",
    "openreid_cuhk03": "Open-ReID for CUHK03: the query's whole camera left out",
    "single_camera": "Single camera: no camera rule; compare only among themselves",
}
_RULE_NOTES: dict[QueryRule, str] = {
    "split": "the gallery's query split",
    "one_per_identity_and_camera": "one query per identity and camera, drawn from the gallery",
}


class Workbench(Protocol):
    """All that this page needs of the services."""

    @property
    def evaluations(self) -> Evaluations: ...


@dataclass(frozen=True, slots=True)
class Choice:
    """One entry of a selector."""

    name: str
    title: str


@dataclass(frozen=True, slots=True)
class Setup:
    """The form that starts a run. ``num_crops`` is how many one round of corruption embeds anew."""

    protocols: tuple[Choice, ...]
    query_rules: tuple[Choice, ...]
    corruptions: tuple[Choice, ...]
    severities: tuple[int, ...]
    num_crops: int
    summary: str
    problem: str = ""
    remedies: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RunCard:
    """One run in the list."""

    id: str
    title: str
    comment: str
    when: str
    model: str
    scores: str
    protocol: str
    has_reranked: bool


@dataclass(frozen=True, slots=True)
class Tile:
    """One score, large, with its interval in words."""

    title: str
    value: str
    interval: str


@dataclass(frozen=True, slots=True)
class Overview:
    """One run: its scores, tables and the names of its figures."""

    id: str
    gallery: str
    model: str
    title: str
    comment: str
    facts: tuple[str, ...]
    notes: tuple[str, ...]
    tiles: tuple[Tile, ...]
    interval_note: str
    table: ScoreTable
    slices: tuple[SliceView, ...]
    camera_pairs: MatrixView | None
    figures: tuple[str, ...]
    files: tuple[str, ...]
    rankings: tuple[Choice, ...]
    ranking: str
    is_other_scope: str


@dataclass(frozen=True, slots=True)
class EvaluatePage:
    """Everything but the lists of queries.

    ``kind`` is ``open`` with a run, ``none`` where nothing was run yet, ``unscorable`` where the gallery
    cannot be scored, ``preparing`` while it is being read, ``error`` with a sentence in ``message``.
    """

    kind: Literal["open", "none", "unscorable", "preparing", "error"]
    gallery: str = ""
    message: str = ""
    setup: Setup | None = None
    runs: tuple[RunCard, ...] = ()
    jobs: tuple[JobPanel, ...] = ()
    is_busy: bool = False
    run: Overview | None = None
    kinds: tuple[str, ...] = FAILURE_KINDS


def open_page(workbench: Workbench, params: Mapping[str, object]) -> EvaluatePage:
    """The page for an address; without ``run`` the newest run of the gallery (and model, if one is named)."""
    evaluations = workbench.evaluations
    gallery, model = str(params.get("g") or ""), str(params.get("m") or "")
    try:
        readiness = evaluations.readiness(gallery)
    except GalleryNotReadyError as error:
        return EvaluatePage(kind="preparing", message=str(error))
    except ReidError as error:
        return EvaluatePage(kind="error", message=str(error))
    runs = evaluations.runs(readiness.gallery)
    jobs = [job for job in evaluations.jobs(readiness.gallery) if _is_shown(job)]
    page: dict[str, Any] = {
        "gallery": readiness.gallery,
        "setup": _setup(readiness),
        "runs": tuple(_card(info) for info in runs),
        "jobs": tuple(show_job(job) for job in jobs),
        "is_busy": any(not job.is_over for job in jobs),
    }
    wanted = str(params.get("run") or "")
    if not wanted:
        newest = [info for info in runs if not model or info.model == model] or list(runs)
        wanted = newest[0].id if newest else ""
    if not wanted:
        kind: Literal["unscorable", "none"] = "unscorable" if readiness.problem else "none"
        return EvaluatePage(kind=kind, message=readiness.problem, **page)
    try:
        run = evaluations.open(wanted, read_ranking(params.get("rank")))
        results = evaluations.table(wanted, "results.json")
        slices, pairs = show_slices(results, run), show_camera_pairs(results)
    except ReidError as error:
        return EvaluatePage(kind="error", message=str(error), **page)
    return EvaluatePage(kind="open", run=_overview(run, slices, pairs, readiness.gallery), **page)


def _is_shown(job: JobView) -> bool:
    """Jobs under way, and those that failed or were stopped; what is done is in the list of runs."""
    return job.state != "done"


def _setup(readiness: Readiness) -> Setup:
    drawn = format_count(readiness.num_drawn, "query", "queries")
    counts = {
        "split": format_count(readiness.num_queries, "query", "queries"),
        "one_per_identity_and_camera": drawn,
    }
    has_split = "split" in readiness.query_rules
    num_queries = readiness.num_queries if has_split else readiness.num_drawn
    return Setup(
        protocols=tuple(Choice(name, _PROTOCOL_NOTES.get(name, name)) for name in readiness.protocols),
        query_rules=tuple(
            Choice(rule, f"{_RULE_NOTES[rule]} ({counts[rule]})") for rule in readiness.query_rules
        ),
        corruptions=tuple(Choice(name, name.replace("_", " ")) for name in CORRUPTION_TYPES),
        severities=SEVERITIES,
        num_crops=num_queries + readiness.num_images,
        summary=f"{format_count(num_queries, 'query', 'queries')}, "
        f"{format_count(readiness.num_images, 'gallery image')}",
        problem=readiness.problem,
        remedies=readiness.remedies,
    )


def _card(info: RunInfo) -> RunCard:
    clean = info.settings[0].mean
    return RunCard(
        id=info.id,
        title=info.title,
        comment=info.comment,
        when=format_when(info.created_s),
        model=info.model,
        scores=f"mAP {percent(clean['mean_ap'])} · Rank-1 {percent(clean['rank1'])}",
        protocol=info.request.protocol,
        has_reranked="reranked" in info.rankings,
    )


def format_when(time_s: float) -> str:
    """A moment as UTC date and time to the minute."""
    return datetime.fromtimestamp(time_s, tz=timezone.utc).strftime("%Y-%m-%d %H:%M UTC")


def _overview(
    run: OpenRun, slices: tuple[SliceView, ...], pairs: MatrixView | None, gallery: str
) -> Overview:
    info = run.info
    interval = info.intervals.get("mean_ap")
    note = ""
    if interval is not None and run.ranking_name == "plain":
        thin = "; with so few, intervals are too narrow" if interval.is_thin else ""
        people = format_count(interval.num_identities, "identity", "identities")
        note = f"{interval.confidence:.0%} intervals by bootstrap over {people}{thin}."
    if run.ranking_name != "plain":
        note = "Intervals, slices and all figures but the match curve are of the plain ranking."
    facts = [
        f"{info.model} ({info.fingerprint[:12]})",
        f"protocol {info.request.protocol}",
        f"{info.request.metric} distance",
        _RULE_NOTES[info.request.queries],
        f"{format_count(info.num_queries, 'query', 'queries')}, {info.num_unmatched} without a match",
        format_count(info.num_gallery, "gallery image"),
        format_when(info.created_s),
        f"took {format_duration(info.elapsed_s)}",
    ]
    notes = list(info.notes)
    if info.num_skipped:
        notes.append(f"{format_count(info.num_skipped, 'crop')} could not be embedded and took no part.")
    titles = {"plain": "Plain ranking", "reranked": "Re-ranked"}
    other = "" if info.gallery == gallery else f"This run is of gallery {info.gallery_title!r}."
    return Overview(
        id=info.id,
        gallery=info.gallery,
        model=info.model,
        title=info.title,
        comment=info.comment,
        facts=tuple(facts),
        notes=tuple(notes),
        tiles=_tiles(run),
        interval_note=note,
        table=show_scores(info.settings),
        slices=slices if run.ranking_name == "plain" else (),
        camera_pairs=pairs if run.ranking_name == "plain" else None,
        figures=info.figures,
        files=info.tables,
        rankings=tuple(Choice(name, titles[name]) for name in info.rankings),
        ranking=run.ranking_name,
        is_other_scope=other,
    )


def _tiles(run: OpenRun) -> tuple[Tile, ...]:
    scores = run.info.settings[0 if run.ranking_name == "plain" else 1].mean
    # Intervals are of the plain ranking; another one's would have to be drawn anew.
    intervals = run.info.intervals if run.ranking_name == "plain" else {}
    tiles = []
    for name, title in SCORE_TITLES:
        if name in scores:
            found = intervals.get(name)
            words = f"{percent(found.low)} to {percent(found.high)}" if found else ""
            tiles.append(Tile(title, percent(scores[name]), words))
    return tuple(tiles)
