"""PCA and UMAP layouts: (N, 2) float32 places for N embeddings.

UMAP (McInnes, Healy, Melville, 2018) comes from umap-learn. It gets exact neighbours, so that one graph
serves all parameters, and starts from PCA instead of a spectral layout: that keeps the large structure as
well (Kobak and Linderman, Nature Biotechnology 2021), needs no eigensolver on a graph with one component per
person, and lets the picture of PCA turn into that of UMAP. It runs on one thread and gives the same places
each time.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from reid_core.errors import InputError
from reid_core.mapping.neighbours import NeighbourGraph, Report
from reid_core.types import Vectors

Metric = Literal["cosine", "euclidean"]
Points = NDArray[np.float32]

MAX_NEIGHBOURS = 200
_MAX_SEED = 2**31 - 1
_SPREAD = 1.0
_SMALL = 10_000
_EPOCHS_SMALL, _EPOCHS_LARGE = 500, 200
"""As umap-learn chooses them."""


@dataclass(frozen=True, slots=True)
class UmapParameters:
    """What decides a UMAP layout besides the embeddings.

    ``num_neighbours`` 2 to 200: few show small groups, many the large structure. ``min_dist`` 0 to 1: how
    tight a group may get, in units of the map. ``metric`` measures neighbours; on embeddings of unit length
    cosine and Euclidean rank alike and differ in how steeply distances count.
    """

    num_neighbours: int = 15
    min_dist: float = 0.1
    seed: int = 0
    metric: Metric = "cosine"

    def __post_init__(self) -> None:
        if not 2 <= self.num_neighbours <= MAX_NEIGHBOURS:
            raise InputError(f"{self.num_neighbours} neighbours: choose 2 to {MAX_NEIGHBOURS}.")
        if not 0.0 <= self.min_dist <= 1.0:  # also false for NaN
            raise InputError(f"The smallest distance is {self.min_dist}; choose 0 to 1.")
        if not 0 <= self.seed <= _MAX_SEED:
            raise InputError(f"The seed is {self.seed}; choose 0 to {_MAX_SEED}.")
        if self.metric not in get_args(Metric):
            raise InputError(f"The metric is {self.metric!r}; choose one of {', '.join(get_args(Metric))}.")


def pca_layout(vectors: Vectors) -> Points:
    """The two directions in which (N, D) vectors vary most; signs are fixed, so equal input, equal map."""
    centred = vectors - vectors.mean(axis=0, dtype=np.float64).astype(np.float32)
    covariance = (centred.T @ centred).astype(np.float64)
    _, directions = np.linalg.eigh(covariance)
    leading = np.zeros((vectors.shape[1], 2))
    chosen = directions[:, ::-1][:, :2]
    leading[:, : chosen.shape[1]] = chosen
    strongest = np.abs(leading).argmax(axis=0)
    signs = np.where(leading[strongest, np.arange(2)] < 0, -1.0, 1.0)
    points: Points = (centred.astype(np.float64) @ (leading * signs)).astype(np.float32)
    return points


def umap_layout(
    graph: NeighbourGraph,
    parameters: UmapParameters,
    *,
    start: Points,
    report: Report = lambda done, total: None,
    step: float = 1.0,
) -> Points:
    """Lay a neighbour graph out in the plane.

    Args:
        graph: Of the N embeddings; where it holds fewer neighbours than asked for, all of them count.
        parameters: See ``UmapParameters``.
        start: (N, 2) places to start from, for example PCA's.
        report: Told after every epoch; may raise CancelledError.
        step: Size of the first steps; smaller ones stay closer to the start.

    Raises:
        InputError: Shapes disagree.
    """
    # Takes seconds to import, and seconds more to compile at the first call.
    from umap.umap_ import find_ab_params, fuzzy_simplicial_set, simplicial_set_embedding

    _tune_compiling()
    num_points = len(graph.rows)
    if start.shape != (num_points, 2):
        raise InputError(f"The start has shape {start.shape}, expected ({num_points}, 2) to fit the graph.")
    num_neighbours = min(parameters.num_neighbours, graph.num_neighbours)
    distances = _distances(graph, num_neighbours, parameters.metric)
    rng = np.random.RandomState(parameters.seed)  # umap-learn takes no other kind
    memberships, _, _ = fuzzy_simplicial_set(
        distances,  # only its length is read
        num_neighbours,
        rng,
        parameters.metric,
        knn_indices=graph.rows[:, :num_neighbours],
        knn_dists=distances,
    )
    a, b = find_ab_params(_SPREAD, parameters.min_dist)
    num_epochs = _EPOCHS_SMALL if num_points <= _SMALL else _EPOCHS_LARGE
    with _giving_tqdm_back():
        placed, _ = simplicial_set_embedding(
            distances,
            memberships,
            n_components=2,
            initial_alpha=step,
            a=a,
            b=b,
            gamma=1.0,
            negative_sample_rate=5,
            n_epochs=num_epochs,
            init=_spread(start),
            random_state=rng,
            metric=parameters.metric,
            metric_kwds={},
            densmap=False,
            densmap_kwds={},
            output_dens=False,
            parallel=False,
            tqdm_kwds=_epochs_to(report, num_epochs),
        )
    return np.asarray(placed, dtype=np.float32)


@cache
def _tune_compiling() -> None:
    """Keep what numba compiles for umap-learn, and have its inner loop free the interpreter lock.

    Compiling takes 12 s of one core at every start of the program otherwise. Without the second, an epoch of
    100,000 points keeps every other thread, and so the pages, waiting for up to a second. Where umap-learn
    renames a function, layouts come out the same, only slower.
    """
    from umap import layouts, umap_

    for module, name in (
        (umap_, "smooth_knn_dist"),
        (umap_, "compute_membership_strengths"),
        (layouts, "_nb_optimize_layout_euclidean_single_epoch"),
    ):
        function = getattr(module, name, None)
        if function is not None:
            function.targetoptions["nogil"] = True
            with suppress(RuntimeError):  # there is no folder to write to
                function.enable_caching()


def _distances(graph: NeighbourGraph, num_neighbours: int, metric: Metric) -> NDArray[np.float32]:
    cosine = np.ascontiguousarray(graph.distances[:, :num_neighbours])
    if metric == "euclidean":
        cosine = np.sqrt(2.0 * cosine).astype(np.float32)  # of unit vectors
    return cosine


def _spread(start: Points) -> Points:
    """umap-learn scales each axis to one length, so none may be flat, as PCA's second is for two crops."""
    is_flat = np.ptp(start, axis=0) == 0
    line = np.linspace(0.0, 1.0, len(start), dtype=np.float32)
    return np.where(is_flat, line[:, None], start).astype(np.float32)


@contextmanager
def _giving_tqdm_back() -> Iterator[None]:
    """Free tqdm's lock after a stop: tqdm keeps it when the file that it writes to raises.

    Every bar of another thread would wait for ever otherwise.
    """
    try:
        yield
    except BaseException:
        with suppress(RuntimeError):  # it is not held where something else went wrong
            tqdm.get_lock().release()  # type: ignore[no-untyped-call]
        raise


class _EpochCounter:
    """The file that tqdm writes the number of each epoch to: the one public way to follow umap-learn."""

    def __init__(self, report: Report, num_epochs: int) -> None:
        self._report, self._num_epochs = report, num_epochs
        self._is_stopped = False

    def write(self, text: str) -> int:
        word = text.strip()
        if word.isdigit() and not self._is_stopped:
            try:
                self._report(int(word), self._num_epochs)
            except BaseException:
                self._is_stopped = True  # tqdm writes once more while it is closed
                raise
        return len(text)

    def flush(self) -> None:
        """Nothing is kept back."""


def _epochs_to(report: Report, num_epochs: int) -> dict[str, Any]:
    counter = _EpochCounter(report, num_epochs)
    plain = {"bar_format": "{n_fmt}", "mininterval": 0, "miniters": 1, "leave": False, "disable": False}
    return {"file": counter, **plain}
