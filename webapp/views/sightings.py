"""Where else a person was seen: the likely sightings on cameras and time, as positions between 0 and 1."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from reid_core.services import HitView, QueryView, Verdict
from webapp.views.formats import format_count, format_time

MAX_PICTURES = 14
MAX_POINTS = 60
"""More marks than this hide each other; the best ranked are drawn."""


@dataclass(frozen=True, slots=True)
class Lane:
    """One camera."""

    camid: int
    label: str


@dataclass(frozen=True, slots=True)
class Mark:
    """One image on the chart. ``rank`` 0 is the query, ``x`` runs from 0 to 1."""

    rank: int
    lane: int
    x: float
    verdict: Verdict
    has_picture: bool


@dataclass(frozen=True, slots=True)
class Tick:
    """A labelled place on the horizontal axis."""

    x: float
    label: str


@dataclass(frozen=True, slots=True)
class Sightings:
    """The chart. ``axis`` says what x means; without lanes nothing is drawn and ``caption`` says why."""

    caption: str
    axis: Literal["time", "similarity"] = "time"
    lanes: tuple[Lane, ...] = ()
    marks: tuple[Mark, ...] = ()
    ticks: tuple[Tick, ...] = ()


def place_sightings(query: QueryView, hits: Sequence[HitView]) -> Sightings:
    """Put the query and its best matches on camera lanes over time, or over similarity without times.

    Pictures are the true matches where the query's identity is known, and the best ranked otherwise.
    """
    placed = [hit for hit in hits if hit.camid is not None][:MAX_POINTS]
    if not placed:
        return Sightings(
            caption="" if not hits else "These images name no camera, so there is no place to show."
        )
    timed = [hit for hit in placed if hit.time_s is not None]
    uses_time = len(timed) * 2 > len(placed)
    shown = timed if uses_time else placed
    cameras = sorted({hit.camid for hit in shown if hit.camid is not None} | _camera_of(query))
    lane_of = {camera: lane for lane, camera in enumerate(cameras)}
    values = [_value(hit, uses_time) for hit in shown]
    with_query = query.camid is not None and uses_time and query.time_s is not None
    spread = [*values, *([query.time_s] if with_query and query.time_s is not None else [])]
    low, high = min(spread), max(spread)
    pictured = _pictured_ranks(shown)
    marks = [
        Mark(hit.rank, lane_of[hit.camid], _scale(value, low, high), hit.verdict, hit.rank in pictured)
        for hit, value in zip(shown, values, strict=True)
        if hit.camid is not None
    ]
    if with_query and query.camid is not None and query.time_s is not None:
        marks.insert(0, Mark(0, lane_of[query.camid], _scale(query.time_s, low, high), "unknown", True))
    return Sightings(
        caption=_caption(query, hits),
        axis="time" if uses_time else "similarity",
        lanes=tuple(Lane(camera, f"cam {camera}") for camera in cameras),
        marks=tuple(marks),
        ticks=_ticks(low, high, uses_time),
    )


def _camera_of(query: QueryView) -> set[int]:
    return set() if query.camid is None else {query.camid}


def _value(hit: HitView, uses_time: bool) -> float:
    return hit.time_s if uses_time and hit.time_s is not None else hit.similarity


def _scale(value: float, low: float, high: float) -> float:
    return round((value - low) / (high - low), 4) if high > low else 0.5


def _pictured_ranks(shown: Sequence[HitView]) -> frozenset[int]:
    is_known = any(hit.verdict != "unknown" for hit in shown)
    wanted = [hit for hit in shown if hit.verdict == "true"] if is_known else list(shown)
    return frozenset(hit.rank for hit in wanted[:MAX_PICTURES])


def _caption(query: QueryView, hits: Sequence[HitView]) -> str:
    is_known = any(hit.verdict != "unknown" for hit in hits)
    wanted = [hit for hit in hits if hit.verdict == "true"] if is_known else list(hits[:MAX_PICTURES])
    cameras = sorted({hit.camid for hit in wanted if hit.camid is not None})
    if not cameras:
        return "None of these matches shows the person of the query."
    names = ", ".join(str(camera) for camera in cameras)
    if not is_known:
        best = format_count(len(wanted), "best match", "best matches")
        return f"The {best} by camera and time: {'camera' if len(cameras) == 1 else 'cameras'} {names}."
    others = [camera for camera in cameras if camera != query.camid]
    kind = "other camera" if query.camid is not None else "camera"
    return f"Seen on {format_count(len(others), kind)}: {names}."


def _ticks(low: float, high: float, uses_time: bool) -> tuple[Tick, ...]:
    def label(value: float) -> str:
        return format_time(value) if uses_time else f"{value:.2f}"

    if high <= low:
        return (Tick(0.5, label(low)),)
    return tuple(Tick(x, label(low + x * (high - low))) for x in (0.0, 0.25, 0.5, 0.75, 1.0))
