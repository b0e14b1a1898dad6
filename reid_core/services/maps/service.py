"""Maps of galleries: layouts that are fitted by jobs and kept, columns to colour by, selections of crops."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from reid_core.errors import InputError
from reid_core.mapping import (
    NeighbourGraph,
    UmapParameters,
    aligned_umap_layout,
    find_neighbours,
    pca_layout,
    place,
    umap_layout,
)
from reid_core.services.jobs import JobControl, JobQueue
from reid_core.services.maps.columns import (
    ColumnInfo,
    ColumnRegistry,
    Content,
    Numbers,
    Provider,
    split_of,
)
from reid_core.services.maps.files import MapFiles, RowKeys, row_keys
from reid_core.services.maps.records import CropFacts, MapLayout, MapRequest
from reid_core.services.maps.selecting import MapSelections
from reid_core.services.records import JobView
from reid_core.services.selections import SelectionStore
from reid_core.services.turns import ComputeTurns
from reid_core.services.views import view_query
from reid_core.types import Vectors

if TYPE_CHECKING:
    from reid_core.services.open_galleries import OpenGallery

MIN_CROPS = 3
_NEIGHBOURS_KEPT = 64
"""A graph of this many serves every smaller number of neighbours."""
_MIN_KNOWN_SHARE = 0.5
"""An earlier layout is used again while it knows at least this share of the crops."""
_MAX_OPEN = 6
_STEPS = 100
_NEIGHBOUR_STEPS = 30

OpenByName = Callable[[str, str], "OpenGallery"]
QueryVector = Callable[[str, "OpenGallery"], Vectors]


class MapService:
    """Maps of every gallery; safe to call from many threads."""

    def __init__(
        self,
        folder: Path,
        open_gallery: OpenByName,
        query_vector: QueryVector,
        jobs: JobQueue,
        turns: ComputeTurns,
        selections: SelectionStore,
    ) -> None:
        """``open_gallery`` and ``query_vector`` are the workbench's; layouts are kept below ``folder``."""
        self._files = MapFiles(folder)
        self._open, self._query_vector = open_gallery, query_vector
        self._jobs, self._turns = jobs, turns
        self.selections = MapSelections(self, selections)
        self._columns = ColumnRegistry()
        self._columns.register("similarity", "Similarity to the query", self._similarities)
        self._lock = threading.Lock()
        self._layouts: OrderedDict[tuple[str, ...], MapLayout] = OrderedDict()
        self._is_compiled = False

    def register_column(self, name: str, title: str, provider: Provider) -> None:
        """Offer something to colour by: AP of the newest evaluation, state of the labels, cluster of gates.

        Raises:
            InputError: There is a column of this name.
        """
        self._columns.register(name, title, provider)

    def columns(self, request: MapRequest) -> tuple[ColumnInfo, ...]:
        """What the crops of this gallery can be coloured by."""
        return self._columns.infos(self.open(request))

    def column(self, request: MapRequest, name: str, query_id: str = "") -> Content:
        """One value per crop, in the order of the layout.

        Raises:
            InputError: There is no such column, or this gallery has no values for it.
        """
        return self._columns.content(name, self.open(request), query_id)

    def open(self, request: MapRequest) -> OpenGallery:
        """The gallery that a request means.

        Raises:
            InputError: There is no such gallery or model, or it holds fewer than 3 crops.
            GalleryNotReadyError: It is still being embedded; that was started if it was not.
        """
        opened = self._open(request.gallery, request.model)
        if len(opened.space.index) < MIN_CROPS:
            raise InputError(
                f"Gallery {opened.space.gallery.title!r} has {len(opened.space.index)} embedded crops; a map "
                f"needs at least {MIN_CROPS}. Add images on the Data page."
            )
        return opened

    def layout(self, request: MapRequest) -> MapLayout | None:
        """Places of all crops; None where the layout has to be fitted first. PCA always has places.

        Crops that came after the fit stand near their neighbours; then ``num_placed`` counts them.

        Raises:
            InputError, GalleryNotReadyError: As ``open``.
        """
        opened = self.open(request)
        space = opened.space
        digest = self._digest(request, opened)
        memory = (opened.gallery, space.index.fingerprint, space.gallery.manifest_hash, digest)
        with self._lock:
            if memory in self._layouts:
                self._layouts.move_to_end(memory)
                return self._layouts[memory]
        if request.method == "pca":
            with self._turns.interactive():
                points, num_placed = pca_layout(_vectors(opened)), 0
        else:
            found = self._stored(opened, digest)
            if found is None:
                return None
            points, num_placed = found
        layout = MapLayout(_key(points, space.index.ids), space.index.ids, points, request.method, num_placed)
        with self._lock:
            self._layouts[memory] = layout
            while len(self._layouts) > _MAX_OPEN:
                self._layouts.popitem(last=False)
        return layout

    def fit(self, request: MapRequest) -> JobView:
        """Fit a UMAP layout in the background; one that is under way is returned instead.

        Raises:
            InputError, GalleryNotReadyError: As ``open``, of both networks where the map is aligned.
        """
        opened = self.open(request)
        self._digest(request, opened)  # opens the network to be compared with
        title = f"Map of {opened.space.gallery.title}"
        return self._jobs.submit(
            "map", title, _to_parameters(request, opened), gallery=opened.gallery, model=opened.model
        )

    def job(self, request: MapRequest) -> JobView | None:
        """The newest job that fits, or fitted, this layout."""
        opened = self.open(request)
        return self._jobs.newest("map", _to_parameters(request, opened))

    def cancel(self, job_id: str) -> None:
        """Stop a fit; nothing of it is kept but the neighbour graph.

        Raises:
            InputError: There is no such job.
        """
        self._jobs.cancel(job_id)

    def run(self, control: JobControl) -> str:
        """The job: fit a layout and keep it.

        Raises:
            ReidError: The gallery or network cannot be used. CancelledError: Somebody stopped it.
        """
        control.report(0, _STEPS, "Opening the gallery.")
        request = _from_parameters(control.parameters)
        opened = self.open(request)
        if request.aligned_to:
            first = MapRequest(opened.gallery, request.aligned_to, "umap", request.parameters)
            reference = self.layout(first)
            if reference is None or reference.num_placed:
                self._fit(first, self.open(first), control, None)
                reference = self.layout(first)
            assert reference is not None
            return self._fit(request, opened, control, reference)
        return self._fit(request, opened, control, None)

    def place_query(self, request: MapRequest, layout: MapLayout, query_id: str) -> tuple[float, float]:
        """Where the current query stands: its own point if it has one, else near its neighbours.

        Raises:
            InputError: There is no such image, or it could not be embedded.
        """
        opened = self.open(request)
        if query_id in opened.space.index:
            row = opened.space.index.row_of(query_id)
            return (float(layout.points[row, 0]), float(layout.points[row, 1]))
        vector = self._vector(opened, query_id)
        x, y = place(vector[None], known=_vectors(opened), points=layout.points)[0]
        return (float(x), float(y))

    def points_in_order_of(self, layout: MapLayout, other: MapLayout) -> NDArray[np.float32]:
        """(N, 2) places of ``layout``'s crops in ``other``; NaN where it lacks one."""
        row_of = {image_id: row for row, image_id in enumerate(other.ids)}
        rows = np.array([row_of.get(image_id, -1) for image_id in layout.ids], dtype=np.int64)
        points = other.points[rows]
        points[rows < 0] = np.nan
        return points

    def facts(
        self, request: MapRequest, ids: Sequence[str], layout: MapLayout | None = None
    ) -> tuple[CropFacts, ...]:
        """What is known about these crops, in their order.

        Raises:
            InputError: The gallery has no such image.
        """
        opened = self.open(request)
        gallery, index = opened.space.gallery, opened.space.index
        found = []
        for image_id in ids:
            image = gallery.image(image_id)
            has_place = layout is not None and image_id in index
            x, y = (
                layout.points[index.row_of(image_id)]
                if layout is not None and has_place
                else (np.nan, np.nan)
            )
            view = view_query(opened.gallery, image)
            found.append(CropFacts(view, split_of(image), image.attributes, float(x), float(y)))
        return tuple(found)

    def find(self, request: MapRequest, text: str, limit: int = 50) -> tuple[str, ...]:
        """Ids of crops of the person with this number, or whose id contains the text.

        Raises:
            InputError: The text is empty.
        """
        opened = self.open(request)
        wanted = text.strip().lower()
        if not wanted:
            raise InputError("Write an image id, a part of one, or a person's number.")
        by_id = opened.space.gallery.by_id
        if wanted.removeprefix("person ").lstrip("-").isdigit():
            pid = int(wanted.removeprefix("person "))
            found = [image_id for image_id in opened.space.index.ids if by_id[image_id].pid == pid]
            if found:
                return tuple(found[:limit])
        exact = [image_id for image_id in opened.space.index.ids if image_id.lower() == wanted]
        parts = (image_id for image_id in opened.space.index.ids if wanted in image_id.lower())
        return tuple(exact or [image_id for _, image_id in zip(range(limit), parts, strict=False)])

    def forget(self, gallery: str) -> None:
        """Delete every map of a gallery."""
        self._files.remove(gallery)
        with self._lock:
            for key in [key for key in self._layouts if key[0] == gallery]:
                del self._layouts[key]

    def _digest(self, request: MapRequest, opened: OpenGallery) -> str:
        if not request.aligned_to:
            return request.digest()
        if request.method != "umap":
            raise InputError("Only UMAP maps are aligned. Choose UMAP to compare two models.")
        reference = self._open(opened.gallery, request.aligned_to)
        if reference.space.index.fingerprint == opened.space.index.fingerprint:
            raise InputError("Both models are the same network. Choose another one to compare with.")
        return request.digest(reference.space.index.fingerprint)

    def _stored(self, opened: OpenGallery, digest: str) -> tuple[NDArray[np.float32], int] | None:
        gallery, index = opened.space.gallery, opened.space.index
        keys = row_keys(gallery, index.ids)
        same = self._files.load_points(gallery, index.fingerprint, digest)
        if same is not None and np.array_equal(same[0], keys):
            return same[1], 0
        earlier = self._files.load_earlier_points(gallery, index.fingerprint, digest)
        return None if earlier is None else _extended(*earlier, keys, _vectors(opened))

    def _fit(
        self, request: MapRequest, opened: OpenGallery, control: JobControl, reference: MapLayout | None
    ) -> str:
        gallery, index = opened.space.gallery, opened.space.index
        keys = row_keys(gallery, index.ids)
        graph = self._graph(opened, keys, request.parameters, control)
        message = (
            "Laying out."
            if self._is_compiled
            else ("Compiling the layout code: up to a minute on a new machine, seconds later on.")
        )
        control.report(_NEIGHBOUR_STEPS, _STEPS, message)

        def report(done: int, total: int) -> None:
            control.check()
            if done:
                step = _NEIGHBOUR_STEPS + (_STEPS - _NEIGHBOUR_STEPS) * done // total
                control.report(step, _STEPS, f"Laying out: epoch {done} of {total}.")

        if reference is None:
            points = umap_layout(graph, request.parameters, start=pca_layout(_vectors(opened)), report=report)
        else:
            own = MapLayout("", index.ids, np.zeros((len(index), 2), np.float32), "umap")
            points = aligned_umap_layout(
                graph, request.parameters, reference=self.points_in_order_of(own, reference), report=report
            )
        self._is_compiled = True
        control.check()
        digest = self._digest(request, opened)
        self._files.save_points(gallery, index.fingerprint, digest, keys, points)
        with self._lock:
            for memory in [memory for memory in self._layouts if memory[-1] == digest]:
                del self._layouts[memory]  # it may hold crops that were placed, not fitted
        return f"{len(points):,} crops are on the map."

    def _graph(
        self, opened: OpenGallery, keys: RowKeys, parameters: UmapParameters, control: JobControl
    ) -> NeighbourGraph:
        gallery, index = opened.space.gallery, opened.space.index
        k = max(_NEIGHBOURS_KEPT, parameters.num_neighbours)
        graph = self._files.load_graph(gallery, index.fingerprint, keys, parameters.num_neighbours)
        if graph is not None:
            return graph

        def report(done: int, total: int) -> None:
            control.check()
            message = f"Finding neighbours: {done:,} of {total:,} crops."
            control.report(_NEIGHBOUR_STEPS * done // total, _STEPS, message)

        graph = find_neighbours(_vectors(opened), k, report, turn=self._turns.background)
        self._files.save_graph(gallery, index.fingerprint, keys, graph)
        return graph

    def _similarities(self, opened: OpenGallery, query_id: str) -> Content:
        if not query_id:
            raise InputError("There is no query yet. Choose a crop as the query, or another colour.")
        return Numbers((_vectors(opened) @ self._vector(opened, query_id)).astype(np.float64), unit="cosine")

    def _vector(self, opened: OpenGallery, query_id: str) -> Vectors:
        if query_id in opened.space.index:
            vector: Vectors = opened.space.index.vectors_of([query_id])[0]
            return vector
        return self._query_vector(query_id, opened)


def _vectors(opened: OpenGallery) -> Vectors:
    return opened.space.index.vectors


def _key(points: NDArray[np.float32], ids: tuple[str, ...]) -> str:
    digest = hashlib.sha256(points.tobytes())
    digest.update("\0".join(ids).encode())
    return digest.hexdigest()[:16]


def _extended(
    old_keys: RowKeys, old_points: NDArray[np.float32], keys: RowKeys, vectors: Vectors
) -> tuple[NDArray[np.float32], int] | None:
    """An earlier layout for the crops that it knows; the others are placed, and none that it knows moves."""
    row_of = {int(key): row for row, key in enumerate(old_keys)}
    rows = np.array([row_of.get(int(key), -1) for key in keys], dtype=np.int64)
    is_known = rows >= 0
    if is_known.mean() < _MIN_KNOWN_SHARE:
        return None
    points = np.empty((len(keys), 2), dtype=np.float32)
    points[is_known] = old_points[rows[is_known]]
    points[~is_known] = place(vectors[~is_known], known=vectors[is_known], points=points[is_known])
    return points, int((~is_known).sum())


def _to_parameters(request: MapRequest, opened: OpenGallery) -> dict[str, str]:
    parameters = request.parameters
    return {
        "gallery": opened.gallery,
        "model": opened.model,
        "num_neighbours": str(parameters.num_neighbours),
        "min_dist": f"{parameters.min_dist:.6g}",
        "seed": str(parameters.seed),
        "metric": parameters.metric,
        "aligned_to": request.aligned_to,
    }


def _from_parameters(stored: Mapping[str, str]) -> MapRequest:
    metric = stored["metric"]
    parameters = UmapParameters(
        int(stored["num_neighbours"]),
        float(stored["min_dist"]),
        int(stored["seed"]),
        metric,  # type: ignore[arg-type]
    )
    return MapRequest(stored["gallery"], stored["model"], "umap", parameters, stored["aligned_to"])
