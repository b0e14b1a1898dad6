"""Where the scores come from: camera pairs, crop heights, time gaps."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from reid_core.evaluation import (
    EvalReport,
    SliceTable,
    slice_by_camera_pair,
    slice_by_query,
    slice_by_time_gap,
)
from reid_core.types import ImageRecord

HEIGHT_COLUMN = "height_px"
"""Manifest column with the height of the person's box before any resizing."""
HEIGHT_EDGES_PX = (64, 96, 128, 192, 256)
TIME_GAP_EDGES_S = (60.0, 300.0, 900.0, 3600.0)


def break_down(
    report: EvalReport, query: Sequence[ImageRecord], gallery: Sequence[ImageRecord]
) -> dict[str, SliceTable]:
    """All slices that the records' facts allow, by name. ``report`` was made with ``keep_matches=True``."""
    found: dict[str, SliceTable] = {}
    # Where the protocol looks at no camera the evaluator was given none, so there is nothing to slice by.
    if report.protocol.same_camera != "keep" and all(r.camid is not None for r in (*query, *gallery)):
        found["camera_pairs"] = slice_by_camera_pair(
            report, np.array([record.camid for record in gallery], dtype=np.int64)
        )
    heights = _numbers(record.attributes.get(HEIGHT_COLUMN) for record in query)
    if np.isfinite(heights).any():
        found["query_height"] = slice_by_query(report, heights, HEIGHT_EDGES_PX, name="query height (px)")
    query_times, gallery_times = (_numbers(r.time_s for r in records) for records in (query, gallery))
    if np.isfinite(query_times).any() and np.isfinite(gallery_times).any():
        found["time_gap"] = slice_by_time_gap(report, query_times, gallery_times, TIME_GAP_EDGES_S)
    return found


def camera_matrix(table: SliceTable, score: str) -> tuple[list[str], NDArray[np.float64]]:
    """Camera names and the (C, C) matrix of one score, query cameras down; NaN where no pair has a match."""
    pairs = [row.label.split(" -> ") for row in table.rows]
    cameras = sorted({camera for pair in pairs for camera in pair}, key=lambda name: (len(name), name))
    position = {camera: index for index, camera in enumerate(cameras)}
    matrix = np.full((len(cameras), len(cameras)), np.nan)
    for (query, gallery), row in zip(pairs, table.rows, strict=True):
        matrix[position[query], position[gallery]] = getattr(row, score)
    return cameras, matrix


def _numbers(values: Iterable[float | str | None]) -> NDArray[np.float64]:
    return np.array([_number(value) for value in values], dtype=np.float64)


def _number(value: float | str | None) -> float:
    try:
        return float("nan") if value is None else float(value)
    except ValueError:
        return float("nan")  # a manifest column that is no number is unknown, not zero
