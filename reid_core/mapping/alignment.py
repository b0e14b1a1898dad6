"""Layouts of two networks that can be compared: points of one crop stay close.

The second layout starts where the first one ended, instead of at a place of its own, and is then turned,
mirrored, scaled and shifted onto it (Procrustes; Umeyama, PAMI 1991). The first layout is not touched, so one
map can be compared with any number of others.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reid_core.errors import InputError
from reid_core.mapping.layouts import Points, UmapParameters, umap_layout
from reid_core.mapping.neighbours import NeighbourGraph, Report

_SWEEPS = 10
_STEP = 0.01
"""Share of umap-learn's usual step. With it, two networks that agree on 30% of the neighbours had maps in
which a crop moved half as far as with maps of their own, and 53% of the neighbours were kept instead of 56%;
longer steps move crops further for little more truth (``benchmarks/aligned_maps.py``)."""


def align(moving: Points, fixed: Points) -> Points:
    """``moving`` (N, 2) turned, mirrored, scaled and shifted to lie as close to ``fixed`` (N, 2) as it can.

    Rows of ``fixed`` that are NaN do not count; they are points that only ``moving`` has.

    Raises:
        InputError: Shapes disagree, or no row of ``fixed`` is known.
    """
    is_known = _known(moving, fixed)
    source, target = moving[is_known].astype(np.float64), fixed[is_known].astype(np.float64)
    source_centre, target_centre = source.mean(axis=0), target.mean(axis=0)
    source, target = source - source_centre, target - target_centre
    left, weights, right = np.linalg.svd(source.T @ target)
    spread = float((source**2).sum())
    scale = float(weights.sum()) / spread if spread > 0 else 1.0
    moved: Points = ((moving - source_centre) @ (left @ right) * scale + target_centre).astype(np.float32)
    return moved


def aligned_umap_layout(
    graph: NeighbourGraph,
    parameters: UmapParameters,
    *,
    reference: Points,
    report: Report = lambda done, total: None,
) -> Points:
    """A UMAP layout of ``graph`` whose points lie close to those of ``reference``.

    Args:
        graph: Neighbours by the second network.
        parameters: Of the layout, as for ``umap_layout``.
        reference: (N, 2) places in the first layout; NaN where it lacks the crop.
        report: Told after every epoch; may raise CancelledError.

    Raises:
        InputError: Shapes disagree, or the reference has no crop in common.
    """
    _known(reference, reference)
    placed = umap_layout(graph, parameters, start=_filled(reference, graph), report=report, step=_STEP)
    return align(placed, reference)


def mean_displacement(moved: Points, fixed: Points) -> float:
    """How far points lie from where they were, on average, as a share of the map's radius.

    The radius is the root mean square distance of ``fixed`` (N, 2) from its centre. 0 is what equal layouts
    give, about 0.9 what ``align`` makes of unrelated ones. NaN rows do not count.

    Raises:
        InputError: Shapes disagree, or no row is known.
    """
    is_known = _known(moved, fixed)
    source, target = moved[is_known].astype(np.float64), fixed[is_known].astype(np.float64)
    radius = float(np.sqrt(((target - target.mean(axis=0)) ** 2).sum(axis=1).mean()))
    return float(np.linalg.norm(source - target, axis=1).mean() / max(radius, 1e-12))


def _known(moving: Points, fixed: Points) -> NDArray[np.bool_]:
    if moving.shape != fixed.shape or fixed.ndim != 2 or fixed.shape[1] != 2:
        raise InputError(f"Layouts have shapes {moving.shape} and {fixed.shape}; expected (N, 2) twice.")
    is_known = np.asarray(np.isfinite(fixed).all(axis=1), dtype=np.bool_)
    if not is_known.any():
        raise InputError("The two layouts have no crop in common, so they cannot be aligned.")
    return is_known


def _filled(reference: Points, graph: NeighbourGraph) -> Points:
    """Places for crops that the reference lacks: the mean of their neighbours', outwards in a few sweeps."""
    filled = reference.astype(np.float64)
    for _ in range(_SWEEPS):
        missing = np.flatnonzero(~np.isfinite(filled).all(axis=1))
        if not len(missing):
            break
        near = filled[graph.rows[missing, 1:]]
        is_placed = np.asarray(np.isfinite(near).all(axis=2))
        has_any = np.asarray(is_placed.any(axis=1))
        sums = np.where(is_placed[..., None], near, 0.0).sum(axis=1)
        filled[missing[has_any]] = sums[has_any] / is_placed[has_any].sum(axis=1)[:, None]
    centre = np.nanmean(filled, axis=0)
    return np.where(np.isfinite(filled), filled, centre).astype(np.float32)
