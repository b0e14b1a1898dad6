"""Two runs side by side: what the second fixed, what it broke, and by how much."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reid_core.errors import ReidError
from reid_core.services.evaluations import Evaluations, RunComparison, name_of
from webapp.views.failure_address import read_ranking
from webapp.views.failures import FailureRow, show_row
from webapp.views.formats import format_count
from webapp.views.run_scores import SCORE_TITLES, percent

PAGE_ROWS = 10
STRIP_LENGTH = 10
_LISTS = ("fixed", "broken", "gain", "loss")


@dataclass(frozen=True, slots=True)
class DifferenceRow:
    """One score in both runs. ``interval`` and ``verdict`` are empty where none could be drawn."""

    title: str
    before: str
    after: str
    delta: str
    interval: str
    verdict: str
    tone: str


@dataclass(frozen=True, slots=True)
class CameraRow:
    """The queries of one camera. ``share`` is the change in [-1, 1] for a bar."""

    camera: str
    queries: str
    before: str
    after: str
    delta: str
    share: float
    filters: dict[str, str]


@dataclass(frozen=True, slots=True)
class ChangedQuery:
    """One query under both runs. ``delta`` is the change of AP in points, in words."""

    delta: str
    tone: str
    before: FailureRow
    after: FailureRow


@dataclass(frozen=True, slots=True)
class ChangeList:
    """A tab of the comparison: its name, how many queries it has, and those that are shown."""

    name: str
    title: str
    total: int
    rows: tuple[ChangedQuery, ...]


@dataclass(frozen=True, slots=True)
class ComparisonView:
    """Two runs. ``message`` is a sentence where they cannot be compared."""

    first: str = ""
    second: str = ""
    message: str = ""
    summary: str = ""
    differences: tuple[DifferenceRow, ...] = ()
    cameras: tuple[CameraRow, ...] = ()
    changes: ChangeList | None = None
    tabs: tuple[ChangeList, ...] = ()


def show_comparison(evaluations: Evaluations, params: Mapping[str, object]) -> ComparisonView:
    """``run`` (and ``rank``) against the earlier ``vs`` (and ``vsrank``); ``list`` is the open tab."""
    second = (str(params.get("run") or ""), read_ranking(params.get("rank")))
    first = (str(params.get("vs") or ""), read_ranking(params.get("vsrank")))
    if not first[0]:
        return ComparisonView(message="Choose a run to compare with.")
    try:
        found = evaluations.compare(first, second)
    except ReidError as error:
        return ComparisonView(message=str(error))
    name = str(params.get("list") or "")
    limit = str(params.get("limit") or PAGE_ROWS)
    number = int(limit) if limit.isascii() and limit.isdigit() and len(limit) < 5 else PAGE_ROWS
    order = found.by_gain()
    rows: dict[str, Sequence[int]] = {
        "fixed": [int(row) for row in found.fixed],
        "broken": [int(row) for row in found.broken],
        "gain": [int(row) for row in order[::-1] if found.delta[row] > 0],
        "loss": [int(row) for row in order if found.delta[row] < 0],
    }
    titles = {
        "fixed": "Fixed at rank 1",
        "broken": "Newly broken at rank 1",
        "gain": "Largest gains of AP",
        "loss": "Largest losses of AP",
    }
    chosen = name if name in _LISTS else "fixed"
    tabs = tuple(ChangeList(key, titles[key], len(rows[key]), ()) for key in _LISTS)
    shown = tuple(_changed(evaluations, found, row) for row in rows[chosen][:number])
    return ComparisonView(
        first=name_of(found.first),
        second=name_of(found.second),
        summary=_summary(found),
        differences=_differences(found),
        cameras=_cameras(found),
        changes=ChangeList(chosen, titles[chosen], len(rows[chosen]), shown),
        tabs=tabs,
    )


def _changed(evaluations: Evaluations, found: RunComparison, row: int) -> ChangedQuery:
    before, after = (
        show_row(run, evaluations.describe(run, row), row, length=STRIP_LENGTH)
        for run in (found.first, found.second)
    )
    delta = float(found.delta[row])
    return ChangedQuery(_points(delta), _tone(delta), before, after)


def _summary(found: RunComparison) -> str:
    same = int((found.delta == 0).sum())
    up, down = int((found.delta > 0).sum()), int((found.delta < 0).sum())
    return (
        f"{format_count(up, 'query', 'queries')} better, {down:,} worse, {same:,} the same; "
        f"{len(found.fixed):,} fixed and {len(found.broken):,} newly broken at rank 1."
    )


def _differences(found: RunComparison) -> tuple[DifferenceRow, ...]:
    rows = []
    first, second = found.first.report, found.second.report
    for name, title in SCORE_TITLES:
        if name.startswith("rank") and int(name[4:]) > min(first.max_rank, second.max_rank):
            continue
        before, after = float(getattr(first, name)), float(getattr(second, name))
        difference = found.differences.get(name)
        interval = verdict = ""
        tone = "plain"
        if difference is not None:
            bounds = difference.interval
            interval = f"{_points(bounds.low)} to {_points(bounds.high)}"
            verdict = "clear" if difference.is_clear else "may be chance"
            tone = _tone(after - before) if difference.is_clear else "plain"
        rows.append(
            DifferenceRow(
                title, percent(before), percent(after), _points(after - before), interval, verdict, tone
            )
        )
    return tuple(rows)


def _cameras(found: RunComparison) -> tuple[CameraRow, ...]:
    return tuple(
        CameraRow(
            camera=f"camera {row.camera}",
            queries=f"{row.num_queries:,}",
            before=percent(row.before),
            after=percent(row.after),
            delta=_points(row.delta),
            share=row.delta,
            filters={"cams": f"{row.camera}-"},
        )
        for row in found.cameras
    )


def _points(delta: float) -> str:
    return f"{delta * 100:+.1f}"


def _tone(delta: float) -> str:
    return "good" if delta > 0 else "bad" if delta < 0 else "plain"
