"""The queries of a run as failures: what stands in the way, and which of them a filter lets through."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reid_core.evaluation import Protocol
from reid_core.experiments.breakdown import HEIGHT_EDGES_PX, TIME_GAP_EDGES_S
from reid_core.services.evaluations.records import FailureKind, RankingName, Suggestion
from reid_core.services.evaluations.store import OpenRun, RunImage, number_of
from reid_core.services.records import Verdict
from reid_core.types import DISTRACTOR_PID, JUNK_PID

BoolArray = NDArray[np.bool_]
Tags = Mapping[tuple[str, str], tuple[FailureKind, ...]]
"""Kinds by (query id, content hash)."""

LOW_HEIGHT_PX = 96
"""A person this small holds little: OSNet's input is 256 pixels high."""
OCCLUDED_BELOW = 0.85
"""Share of the person that is visible, below which the demo city calls a crop occluded."""
UNTAGGED = "untagged"


@dataclass(frozen=True, slots=True)
class FailureFilter:
    """Which queries to list; None and empty mean any.

    Camera pair and time gap are those of a true match: a query passes if one of its true matches lies in that
    camera and at that distance in time. ``kinds`` are failure kinds, or "untagged"; several mean any of them.
    Heights are pixels, gaps seconds, AP a fraction; ranges are closed below and open above, except the AP's,
    which is closed on both sides.
    """

    query_camera: int | None = None
    match_camera: int | None = None
    height_from: float | None = None
    height_to: float | None = None
    gap_from_s: float | None = None
    gap_to_s: float | None = None
    ap_from: float | None = None
    ap_to: float | None = None
    kinds: tuple[str, ...] = ()
    only_missed: bool = False
    suggested: FailureKind | None = None


@dataclass(frozen=True, slots=True)
class StripItem:
    """One image of a ranking. ``rank`` counts what the protocol counts; None for what it leaves out."""

    image: RunImage
    verdict: Verdict
    rank: int | None
    distance: float


@dataclass(frozen=True, slots=True)
class Failure:
    """One query with what explains its score. ``ap`` is None where no true match exists."""

    image: RunImage
    ap: float | None
    num_matches: int
    first_match_rank: int | None
    best_match: RunImage | None
    best_match_distance: float
    best_false: RunImage | None
    best_false_distance: float
    gap_s: float | None
    height_px: float
    tags: tuple[FailureKind, ...]
    suggestions: tuple[Suggestion, ...]

    @property
    def is_missed(self) -> bool:
        """Whether the first image that counts shows somebody else."""
        return self.first_match_rank is not None and self.first_match_rank > 1


def choose(run: OpenRun, wanted: FailureFilter, tags: Tags) -> NDArray[np.intp]:
    """Rows of the queries that pass, by AP ascending; queries that do not count are left out."""
    table = run.report.per_query
    passing = run.is_counted.copy()
    if wanted.only_missed:
        passing &= table.first_match_rank != 1
    if wanted.ap_from is not None:
        passing &= table.ap >= wanted.ap_from
    if wanted.ap_to is not None:
        passing &= table.ap <= wanted.ap_to
    if wanted.height_from is not None or wanted.height_to is not None:
        passing &= _within(run.query_columns.heights, wanted.height_from, wanted.height_to)
    if wanted.query_camera is not None:
        passing &= run.query_columns.cameras == wanted.query_camera
    passing &= _has_match(run, wanted)
    if wanted.kinds:
        passing &= _is_tagged(run, wanted.kinds, tags)
    if wanted.suggested is not None:
        for row in np.flatnonzero(passing):
            found = suggest(run.queries[row], _best_false(run, int(row)))
            passing[row] = any(suggestion.kind == wanted.suggested for suggestion in found)
    rows = np.flatnonzero(passing)
    return rows[np.argsort(table.ap[rows], kind="stable")]


def describe(run: OpenRun, row: int, tags: Tags) -> Failure:
    """What is known about one query."""
    table, image = run.report.per_query, run.queries[row]
    match = int(table.best_match_index[row])
    best_match = run.images[match] if match >= 0 else None
    best_false = _best_false(run, row)
    gap = None
    if best_match is not None and image.time_s is not None and best_match.time_s is not None:
        gap = abs(best_match.time_s - image.time_s)
    ap = float(table.ap[row])
    rank = int(table.first_match_rank[row])
    return Failure(
        image=image,
        ap=None if math.isnan(ap) else ap,
        num_matches=int(table.num_matches[row]),
        first_match_rank=rank if rank > 0 else None,
        best_match=best_match,
        best_match_distance=float(table.best_match_distance[row]),
        best_false=best_false,
        best_false_distance=float(table.best_false_distance[row]),
        gap_s=gap,
        height_px=image.person_height,
        tags=tags_of(image, tags),
        suggestions=suggest(image, best_false),
    )


def strip_of(run: OpenRun, row: int, k: int) -> tuple[StripItem, ...]:
    """The ``k`` nearest images of a query, those that the protocol leaves out included and marked."""
    query, rank, items = run.queries[row], 0, []
    for index, distance in zip(run.ranking.index[row, :k], run.ranking.distance[row, :k], strict=True):
        if index < 0:
            break
        image = run.images[index]
        verdict = judge(query, image, run.report.protocol)
        counts = verdict in ("true", "false")
        rank += counts
        items.append(StripItem(image, verdict, rank if counts else None, float(distance)))
    return tuple(items)


def judge(query: RunImage, image: RunImage, protocol: Protocol) -> Verdict:
    """What the protocol makes of a gallery image for this query."""
    is_same_camera = query.camid is not None and query.camid == image.camid
    if image.pid == JUNK_PID and protocol.junk == "drop":
        return "junk"
    if image.pid == DISTRACTOR_PID and protocol.distractors == "drop":
        return "junk"
    if is_same_camera and protocol.same_camera != "keep":
        if image.pid == query.pid:
            return "same_camera"
        if protocol.same_camera == "drop_camera":
            return "junk"
    return "true" if image.pid == query.pid else "false"


def suggest(query: RunImage, best_false: RunImage | None) -> tuple[Suggestion, ...]:
    """Failure kinds that recorded facts speak for. They are guesses of a rule, not judgements."""
    found = []
    height = query.person_height
    if height < LOW_HEIGHT_PX:
        found.append(Suggestion("low resolution", f"{height:.0f} px high, below {LOW_HEIGHT_PX}"))
    family = query.attributes.get("family", "")
    if best_false is not None and family not in ("", "0") and family == best_false.attributes.get("family"):
        found.append(Suggestion("look-alike", f"both in look-alike family {family}"))
    visible = number_of(query.attributes.get("visible_fraction"))
    if query.attributes.get("occluded") == "1" or (visible is not None and visible < OCCLUDED_BELOW):
        share = f", {visible:.0%} visible" if visible is not None else ""
        found.append(Suggestion("occlusion", f"recorded as occluded{share}"))
    if query.attributes.get("framing") == "pair":
        found.append(Suggestion("several people in the box", "recorded as a box around two people"))
    return tuple(found)


def tags_of(image: RunImage, tags: Tags) -> tuple[FailureKind, ...]:
    """Kinds that a person gave this very picture."""
    return tags.get((image.id, image.content_hash), ())


def similarity_of(run: OpenRun, distance: float) -> float | None:
    """Cosine similarity where the ranking's distance is one minus it, else None."""
    is_cosine = run.ranking_name == "plain" and run.report.metric == "cosine"
    return 1.0 - distance if is_cosine else None


def ranking_title(name: RankingName) -> str:
    """In words."""
    return "plain ranking" if name == "plain" else "re-ranked"


def _best_false(run: OpenRun, row: int) -> RunImage | None:
    index = int(run.report.per_query.best_false_index[row])
    return run.images[index] if index >= 0 else None


def _has_match(run: OpenRun, wanted: FailureFilter) -> BoolArray:
    """(Q,) whether one true match lies in the wanted camera and time gap; True where nothing is asked."""
    if wanted.match_camera is None and wanted.gap_from_s is None and wanted.gap_to_s is None:
        return np.ones(len(run.queries), dtype=np.bool_)
    matches = run.report.matches
    assert matches is not None  # runs are always made with keep_matches
    fits = np.ones(len(matches), dtype=np.bool_)
    if wanted.match_camera is not None:
        in_camera = run.image_columns.cameras == wanted.match_camera
        fits &= in_camera[matches.gallery_index]
    if wanted.gap_from_s is not None or wanted.gap_to_s is not None:
        times, match_times = run.query_columns.times, run.image_columns.times
        gaps = np.abs(times[matches.query_index] - match_times[matches.gallery_index])
        fits &= _within(gaps, wanted.gap_from_s, wanted.gap_to_s)
    found = np.zeros(len(run.queries), dtype=np.bool_)
    found[matches.query_index[fits]] = True
    return found


def _within(values: NDArray[np.float64], low: float | None, high: float | None) -> BoolArray:
    lowest, highest = -np.inf if low is None else low, np.inf if high is None else high
    return (values >= lowest) & (values < highest)


def _is_tagged(run: OpenRun, kinds: Sequence[str], tags: Tags) -> BoolArray:
    """(Q,) whether a query carries one of the kinds, or none at all where "untagged" is among them."""
    passing = np.full(len(run.queries), UNTAGGED in kinds)
    for (query_id, content_hash), given in tags.items():
        row = run.row_of.get(query_id)
        if row is not None and given and run.queries[row].content_hash == content_hash:
            passing[row] = any(kind in given for kind in kinds)
    return passing


@dataclass(frozen=True, slots=True)
class SliceEdges:
    """The borders of one slice: closed below, open above; both None for unknown values."""

    low: float | None
    high: float | None
    unit: str


def slice_edges(name: str) -> tuple[SliceEdges, ...]:
    """Borders of the slices of "query_height" or "time_gap", in the order of their rows."""
    edges, unit = (TIME_GAP_EDGES_S, "s") if name == "time_gap" else (HEIGHT_EDGES_PX, "px")
    borders = [None, *(float(edge) for edge in edges), None]
    pairs = [SliceEdges(low, high, unit) for low, high in zip(borders[:-1], borders[1:], strict=True)]
    return (*pairs, SliceEdges(None, None, unit))
