"""Scores of parts of an evaluation: per camera pair, image height, time gap or any other value.

Slicing by a value of the query keeps whole queries. Slicing by a value of the match (its camera, its time gap
to the query) keeps, per query, only the matches in the slice and leaves the query's other matches out of the
ranking, while all mismatches stay. That is how the original Market-1501 code scores camera pairs
(zhunzhong07/person-re-ranking, compute_AP_multiCam.m), and it needs no second look at the distances.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reid_core.errors import InputError
from reid_core.evaluation.report import EvalReport, MatchTable

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class SliceScore:
    """One row: what the slice is and its scores, fractions; NaN if no query has a match in it.

    ``num_queries`` counts the queries that the means are over.
    """

    label: str
    num_queries: int
    num_matches: int
    rank1: float
    mean_ap: float
    mean_inp: float


@dataclass(frozen=True, slots=True)
class SliceTable:
    """Scores by slice, in the order of the slices' values."""

    name: str
    rows: tuple[SliceScore, ...]

    def __getitem__(self, label: str) -> SliceScore:
        for row in self.rows:
            if row.label == label:
                return row
        raise KeyError(label)

    def to_frame(self) -> pd.DataFrame:
        """A pandas table, one row per slice."""
        import pandas as pd

        return pd.DataFrame([asdict(row) for row in self.rows])

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {"name": self.name, "rows": [asdict(row) for row in self.rows]}


def slice_by_query(
    report: EvalReport, values: ArrayLike, edges: Sequence[float], *, name: str = "value"
) -> SliceTable:
    """Group the queries by a number of each, for instance the height of their image in pixels.

    Args:
        report: Any report.
        values: (Q,) numbers; NaN means unknown and gets a row of its own.
        edges: Ascending borders. Two edges give three groups: below the first, between, from the second on.
        name: What the values are, for the labels.

    Returns:
        A row per group, also for empty ones. Unmatched queries are treated as the protocol says.

    Raises:
        InputError: A length disagrees or the edges do not ascend.
    """
    numbers = _check_numbers(values, "values", report.num_queries)
    groups, labels = _bin(numbers, edges, name)
    table = report.per_query
    counted = table.is_matched | (report.protocol.unmatched == "zero")
    hits = table.hits_at(1)
    rows = []
    for group, label in enumerate(labels):
        chosen = counted & (groups == group)
        rows.append(
            _score(label, table.num_matches[chosen], hits[chosen], table.ap[chosen], table.inp[chosen])
        )
    return SliceTable(name, tuple(rows))


def slice_by_match(
    report: EvalReport, values: ArrayLike, edges: Sequence[float], *, name: str = "value"
) -> SliceTable:
    """Group the matches by a number of each.

    Args:
        report: A report with ``matches`` (``keep_matches=True``).
        values: (M,) numbers in the order of ``report.matches``; NaN means unknown.
        edges: As in ``slice_by_query``.
        name: What the values are.

    Raises:
        InputError: The report has no matches, a length disagrees, or the edges do not ascend.
    """
    matches = _matches_of(report)
    groups, labels = _bin(_check_numbers(values, "values", len(matches)), edges, name)
    return SliceTable(
        name, tuple(_score_matches(report, groups == g, label) for g, label in enumerate(labels))
    )


def slice_by_gallery(
    report: EvalReport, values: ArrayLike, edges: Sequence[float], *, name: str = "value"
) -> SliceTable:
    """``slice_by_match`` with a number of each gallery image, such as its height; ``values`` is (G,)."""
    numbers = _check_numbers(values, "values", report.num_gallery)
    return slice_by_match(report, numbers[_matches_of(report).gallery_index], edges, name=name)


def slice_by_time_gap(
    report: EvalReport, query_times_s: ArrayLike, gallery_times_s: ArrayLike, edges_s: Sequence[float]
) -> SliceTable:
    """``slice_by_match`` with the seconds between query and match, whichever came first.

    Args:
        report: A report with ``matches``.
        query_times_s: (Q,) seconds on the data set's clock; NaN means unknown.
        gallery_times_s: (G,) likewise.
        edges_s: Ascending borders in seconds.
    """
    matches = _matches_of(report)
    query = _check_numbers(query_times_s, "query_times_s", report.num_queries)
    gallery = _check_numbers(gallery_times_s, "gallery_times_s", report.num_gallery)
    gaps = np.abs(query[matches.query_index] - gallery[matches.gallery_index])
    return slice_by_match(report, gaps, edges_s, name="time gap (s)")


def slice_by_camera_pair(report: EvalReport, gallery_camids: ArrayLike) -> SliceTable:
    """A row per pair of query camera and match camera that has a match, labelled "1 -> 3".

    Args:
        report: A report with ``matches``.
        gallery_camids: (G,) the same ids that the evaluation got.

    Raises:
        InputError: The report has no matches or the length disagrees.
    """
    matches = _matches_of(report)
    gallery = np.asarray(gallery_camids)
    if gallery.shape != (report.num_gallery,):
        raise InputError(f"gallery_camids has shape {gallery.shape}, expected ({report.num_gallery},).")
    query_of_match = report.per_query.camid[matches.query_index]
    gallery_of_match = gallery[matches.gallery_index]
    rows = []
    for query_camera in np.unique(query_of_match):
        from_here = query_of_match == query_camera
        for gallery_camera in np.unique(gallery_of_match[from_here]):
            chosen = from_here & (gallery_of_match == gallery_camera)
            rows.append(_score_matches(report, chosen, f"{query_camera} -> {gallery_camera}"))
    return SliceTable("camera pair", tuple(rows))


def _score_matches(report: EvalReport, chosen: NDArray[np.bool_], label: str) -> SliceScore:
    """Score as if the matches that are not chosen were no part of the gallery."""
    matches = _matches_of(report)
    query, false_ahead = matches.query_index[chosen], matches.false_ahead[chosen]
    queries, starts, counts = np.unique(query, return_index=True, return_counts=True)
    hits = np.arange(1, len(query) + 1) - np.repeat(starts, counts)
    ranks = hits + false_ahead
    precision = hits / ranks
    if report.protocol.ap == "trapezoid":
        before = np.where(ranks > 1, (hits - 1) / np.maximum(ranks - 1, 1), 1.0)
        precision = (before + precision) / 2
    ap = np.bincount(np.repeat(np.arange(len(queries)), counts), weights=precision) / counts
    inp = counts / ranks[starts + counts - 1]
    return _score(label, counts, (ranks[starts] == 1).astype(np.float64), ap, inp)


def _score(
    label: str,
    num_matches: NDArray[np.int64],
    hits: NDArray[np.float64],
    ap: NDArray[np.float64],
    inp: NDArray[np.float64],
) -> SliceScore:
    means = [float(column.mean()) if len(column) else float("nan") for column in (hits, ap, inp)]
    return SliceScore(label, len(ap), int(num_matches.sum()), *means)


def _matches_of(report: EvalReport) -> MatchTable:
    if report.matches is None:
        raise InputError("The report holds no single matches to slice by; evaluate with keep_matches=True.")
    return report.matches


def _check_numbers(values: ArrayLike, name: str, length: int) -> NDArray[np.float64]:
    numbers = np.asarray(values, dtype=np.float64)
    if numbers.shape != (length,):
        raise InputError(f"{name} has shape {numbers.shape}, expected ({length},).")
    return numbers


def _bin(
    values: NDArray[np.float64], edges: Sequence[float], name: str
) -> tuple[NDArray[np.int64], list[str]]:
    """Group number of each value, and the groups' labels; unknown values get a last group if there are
    any."""
    borders = np.asarray(edges, dtype=np.float64)
    if borders.ndim != 1 or borders.size == 0 or not np.all(np.diff(borders) > 0):
        raise InputError(f"The edges for {name} are {list(edges)}, expected at least one number, ascending.")
    groups = np.searchsorted(borders, values, side="right").astype(np.int64)
    labels = [f"{name} < {borders[0]:g}"]
    labels += [f"{low:g} <= {name} < {high:g}" for low, high in zip(borders[:-1], borders[1:], strict=True)]
    labels.append(f"{name} >= {borders[-1]:g}")
    unknown = np.isnan(values)
    if unknown.any():
        groups[unknown] = len(labels)
        labels.append(f"{name} unknown")
    return groups, labels
