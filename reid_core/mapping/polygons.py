"""Which points lie inside a polygon. The browser does the same sums in the same order, so both agree."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from reid_core.errors import InputError
from reid_core.mapping.layouts import Points

MAX_CORNERS = 20_000

Corner = tuple[float, float]


def inside_polygon(points: Points, polygon: Sequence[Corner]) -> NDArray[np.bool_]:
    """(N,) bool: even-odd rule, in float64 on float32 places, the last corner joined to the first.

    Args:
        points: (N, 2) places.
        polygon: 3 to 20,000 corners in the same coordinates.

    Raises:
        InputError: Too few or too many corners, or one that is not two numbers.
    """
    corners = _check(polygon)
    inside = np.zeros(len(points), dtype=np.bool_)
    low, high = corners.min(axis=0), corners.max(axis=0)
    near = np.flatnonzero(((points >= low) & (points <= high)).all(axis=1))
    x, y = points[near, 0].astype(np.float64), points[near, 1].astype(np.float64)
    flips = np.zeros(len(near), dtype=np.bool_)
    for (x1, y1), (x2, y2) in zip(corners, np.roll(corners, 1, axis=0), strict=True):
        crosses = (y1 > y) != (y2 > y)
        if crosses.any():
            flips[crosses] ^= x[crosses] < (x2 - x1) * (y[crosses] - y1) / (y2 - y1) + x1
    inside[near] = flips
    return inside


def _check(polygon: Sequence[Corner]) -> NDArray[np.float64]:
    try:
        corners = np.array(polygon, dtype=np.float64)
    except (TypeError, ValueError):
        corners = np.empty(0)
    if corners.ndim != 2 or corners.shape[1] != 2 or not 3 <= len(corners) <= MAX_CORNERS:
        raise InputError(
            f"The outline has shape {corners.shape}; expected 3 to {MAX_CORNERS:,} corners of two numbers."
        )
    if not np.isfinite(corners).all():
        raise InputError("A corner of the outline is not a number. Draw it again.")
    return corners
