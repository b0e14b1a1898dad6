"""Two runs of the same queries in the same gallery: what the second one fixed, what it broke, by how much."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reid_core.errors import InputError
from reid_core.evaluation import Difference, SliceTable, paired_bootstrap, slice_by_camera_pair
from reid_core.services.evaluations.failures import ranking_title
from reid_core.services.evaluations.store import OpenRun


@dataclass(frozen=True, slots=True)
class CameraDelta:
    """Mean AP of the queries of one camera in both runs, fractions."""

    camera: int
    num_queries: int
    before: float
    after: float

    @property
    def delta(self) -> float:
        """After minus before."""
        return self.after - self.before


@dataclass(frozen=True, eq=False)
class RunComparison:
    """``second`` against ``first``; rows are queries, the same in both.

    ``delta`` is (Q,) AP of the second minus the first, NaN for queries that do not count. ``fixed`` are rows
    whose first image was wrong and is right now, best gain first; ``broken`` the reverse, worst loss first.
    ``differences`` hold paired bootstrap intervals over identities; empty with fewer than two identities.
    """

    first: OpenRun
    second: OpenRun
    delta: NDArray[np.float64]
    fixed: NDArray[np.intp]
    broken: NDArray[np.intp]
    differences: Mapping[str, Difference]
    cameras: tuple[CameraDelta, ...]

    def by_gain(self) -> NDArray[np.intp]:
        """Rows that count, by change of AP, the largest loss first."""
        rows = np.flatnonzero(~np.isnan(self.delta))
        return rows[np.argsort(self.delta[rows], kind="stable")]

    def camera_matrix_delta(self) -> tuple[list[str], NDArray[np.float64]] | None:
        """Cameras and the (C, C) change of mAP by pair of query and gallery camera; None without cameras."""
        from reid_core.experiments.breakdown import camera_matrix

        tables = [_camera_pairs(run) for run in (self.first, self.second)]
        if tables[0] is None or tables[1] is None:
            return None
        cameras, before = camera_matrix(tables[0], "mean_ap")
        return cameras, camera_matrix(tables[1], "mean_ap")[1] - before


def compare(first: OpenRun, second: OpenRun) -> RunComparison:
    """Compare two rankings query by query.

    Raises:
        InputError: They are not of the same gallery content, labels, queries and protocol; says which.
    """
    _check_comparable(first, second)
    before, after = first.report.per_query, second.report.per_query
    counted = first.is_counted
    delta = np.where(counted, after.ap - before.ap, np.nan)
    hit_before, hit_after = before.hits_at(1), after.hits_at(1)
    fixed = np.flatnonzero(counted & (hit_before < hit_after))
    broken = np.flatnonzero(counted & (hit_before > hit_after))
    identities = np.unique(before.pid[counted])
    return RunComparison(
        first=first,
        second=second,
        delta=delta,
        fixed=fixed[np.argsort(-delta[fixed], kind="stable")],
        broken=broken[np.argsort(delta[broken], kind="stable")],
        differences=paired_bootstrap(first.report, second.report) if len(identities) > 1 else {},
        cameras=_by_camera(first, second),
    )


def name_of(run: OpenRun) -> str:
    """Title of the run, with the ranking where it is not the plain one."""
    return run.info.title if run.ranking_name == "plain" else f"{run.info.title}, {ranking_title('reranked')}"


def _check_comparable(first: OpenRun, second: OpenRun) -> None:
    one, two = first.info, second.info
    if (one.id, first.ranking_name) == (two.id, second.ranking_name):
        raise InputError("A run was compared with itself. Choose another run.")
    if one.manifest_hash != two.manifest_hash:
        raise InputError(
            f"The runs are of different galleries: {one.title!r} scored {one.gallery_title!r}, {two.title!r} "
            f"scored {two.gallery_title!r} (or the gallery was imported anew with other images). Run both on "
            "one gallery."
        )
    if first.report.protocol != second.report.protocol:
        raise InputError(
            f"The runs follow different protocols, {first.report.protocol.name!r} and "
            f"{second.report.protocol.name!r}; such numbers say nothing about each other. Run both under one."
        )
    if one.request.queries != two.request.queries:
        raise InputError(
            "The runs have different queries: one uses the query split, the other draws one per identity and "
            "camera. Run both with the same choice."
        )
    if [image.id for image in first.queries] != [image.id for image in second.queries] or [
        image.id for image in first.images
    ] != [image.id for image in second.images]:
        raise InputError(
            "The runs rank different images: queries were drawn with another seed, or a network could not "
            "embed some crops. Their scores cannot be paired."
        )
    if one.labels_hash != two.labels_hash:
        raise InputError(
            "Identities or cameras were changed between the runs, so a difference could come from the "
            "labels. "
            "Run both again."
        )


def _by_camera(first: OpenRun, second: OpenRun) -> tuple[CameraDelta, ...]:
    counted = first.is_counted
    cameras = np.array([-1 if image.camid is None else image.camid for image in first.queries])
    before, after = first.report.per_query.ap, second.report.per_query.ap
    return tuple(
        CameraDelta(
            camera=int(camera),
            num_queries=int(rows.sum()),
            before=float(before[rows].mean()),
            after=float(after[rows].mean()),
        )
        for camera in np.unique(cameras[cameras >= 0])
        if (rows := counted & (cameras == camera)).any()
    )


def _camera_pairs(run: OpenRun) -> SliceTable | None:
    cameras = [image.camid for image in run.images]
    if None in cameras or any(image.camid is None for image in run.queries):
        return None
    # Under single_camera the evaluator is given no cameras, so there is nothing to slice by.
    if run.report.protocol.same_camera == "keep":
        return None
    return slice_by_camera_pair(run.report, np.array(cameras, dtype=np.int64))
