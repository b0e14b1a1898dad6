"""Scores of a run as tables: settings, slices, camera pairs; with links into the failures."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass

from reid_core.services.evaluations import OpenRun, SettingRow, SliceEdges, slice_edges

SCORE_TITLES = (
    ("mean_ap", "mAP"),
    ("rank1", "Rank-1"),
    ("rank5", "Rank-5"),
    ("rank10", "Rank-10"),
    ("rank20", "Rank-20"),
    ("mean_inp", "mINP"),
)


@dataclass(frozen=True, slots=True)
class ScoreTable:
    """Texts: a header and a row per setting."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class SliceRow:
    """One slice. ``filters`` are the address parameters that list its queries; empty where none do."""

    label: str
    queries: str
    rank1: str
    mean_ap: str
    mean_inp: str
    share: float | None
    filters: dict[str, str]


@dataclass(frozen=True, slots=True)
class SliceView:
    """The scores by one fact."""

    title: str
    rows: tuple[SliceRow, ...]


@dataclass(frozen=True, slots=True)
class MatrixCell:
    """One camera pair: mAP in percent, a dash where no pair has a match; ``filters`` list its queries."""

    text: str
    queries: str
    filters: dict[str, str]


@dataclass(frozen=True, slots=True)
class MatrixRow:
    """The pairs of one query camera, a cell for every gallery camera."""

    camera: str
    cells: tuple[MatrixCell, ...]


@dataclass(frozen=True, slots=True)
class MatrixView:
    """mAP by camera pair, query cameras down, gallery cameras across."""

    cameras: tuple[str, ...]
    rows: tuple[MatrixRow, ...]


def percent(value: float) -> str:
    """A fraction in percent with one decimal; a dash where there is none."""
    return "–" if math.isnan(value) else f"{value * 100:.1f}"


def show_scores(settings: Sequence[SettingRow]) -> ScoreTable:
    """All settings in percent, with the deviation over repeats where there are several."""
    names = [(name, title) for name, title in SCORE_TITLES if name in settings[0].mean]
    rows = []
    for row in settings:
        cells = []
        for name, _ in names:
            spread = f" ± {row.std[name] * 100:.1f}" if row.repeats > 1 else ""
            cells.append(percent(row.mean[name]) + spread)
        repeats = f" ({row.repeats} repeats)" if row.repeats > 1 else ""
        rows.append((f"{row.setting[0].upper()}{row.setting[1:]}{repeats}", *cells))
    return ScoreTable(("Setting", *(title for _, title in names)), tuple(rows))


def show_slices(results: bytes, run: OpenRun) -> tuple[SliceView, ...]:
    """Slices by query height and by time gap, from the run's own ``results.json``."""
    stored = json.loads(results)["slices"]
    found = []
    for name, title, low, high in (
        ("query_height", "By height of the person", "hmin", "hmax"),
        ("time_gap", "By time between query and match", "gmin", "gmax"),
    ):
        if name in stored:
            edges = slice_edges(name)
            rows = zip(stored[name]["rows"], edges, strict=False)
            found.append(SliceView(title, tuple(_row(row, edge, low, high) for row, edge in rows)))
    return tuple(view for view in found if any(row.share is not None for row in view.rows))


def show_camera_pairs(results: bytes) -> MatrixView | None:
    """The camera pairs as a table, from the run's own ``results.json``; None where the run has none."""
    stored = json.loads(results)["slices"].get("camera_pairs")
    if stored is None:
        return None
    pairs = {tuple(row["label"].split(" -> ")): row for row in stored["rows"]}
    cameras = sorted({camera for pair in pairs for camera in pair}, key=lambda name: (len(name), name))
    rows = tuple(
        MatrixRow(query, tuple(_cell(query, match, pairs.get((query, match))) for match in cameras))
        for query in cameras
    )
    return MatrixView(tuple(cameras), rows)


def _cell(query: str, match: str, row: dict[str, float | str | None] | None) -> MatrixCell:
    number = 0 if row is None else int(_number(row["num_queries"]))
    if row is None or not number:
        return MatrixCell("–", "0", {})
    return MatrixCell(percent(_number(row["mean_ap"])), f"{number:,}", {"cams": f"{query}-{match}"})


def _row(row: dict[str, float | str | None], edge: SliceEdges, low: str, high: str) -> SliceRow:
    filters = {}
    if edge.low is not None:
        filters[low] = f"{edge.low:g}"
    if edge.high is not None:
        filters[high] = f"{edge.high:g}"
    scores = [_number(row[name]) for name in ("rank1", "mean_ap", "mean_inp")]
    number = int(_number(row["num_queries"]))
    return SliceRow(
        label=_label(edge),
        queries=f"{number:,}",
        rank1=percent(scores[0]),
        mean_ap=percent(scores[1]),
        mean_inp=percent(scores[2]),
        share=None if math.isnan(scores[1]) else scores[1],
        filters=filters if number else {},
    )


def _label(edge: SliceEdges) -> str:
    def words(value: float) -> str:
        if edge.unit != "s":
            return f"{value:g} {edge.unit}"
        return f"{value / 3600:g} h" if value >= 3600 else f"{value / 60:g} min"

    if edge.low is None and edge.high is None:
        return "not known"
    if edge.low is None:
        return f"below {words(edge.high or 0.0)}"
    if edge.high is None:
        return f"from {words(edge.low)}"
    return f"{words(edge.low)} to {words(edge.high)}"


def _number(value: float | str | None) -> float:
    return math.nan if value is None else float(value)
