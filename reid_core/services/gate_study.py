"""The gate study of a gallery: read the gates of all crops, cluster them, find crops with gates like
one's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from reid_core.errors import GalleryNotReadyError, ImageReadError, InputError
from reid_core.explain.gates import GateClusters, Gates, cluster_gates, gate_spread, nearest_gates
from reid_core.explain.records import LAST_MAP, NUM_STREAMS, PLACES, CropStreams
from reid_core.services.content import read_verified
from reid_core.services.galleries import Gallery
from reid_core.services.gate_vectors import GateStore
from reid_core.services.jobs import JobControl, JobQueue
from reid_core.services.newest import Newest
from reid_core.services.records import JobView, QueryView
from reid_core.services.traced_network import OpensGallery, osnet_embedder, to_input
from reid_core.services.turns import ComputeTurns
from reid_core.services.views import view_query
from reid_core.types import Refusal

if TYPE_CHECKING:
    from reid_core.services.open_galleries import OpenGallery

_KEPT_CLUSTERS = 16
_BATCH = 8

ReadCrop = Callable[["OpenGallery", str], CropStreams]
"""An open gallery and the id of a crop in, its streams out."""


@dataclass(frozen=True, slots=True)
class GateNeighbour:
    """A gallery image by its gates; ``distance`` is the root mean square difference of a gate, 0 to 1."""

    image: QueryView
    distance: float


@dataclass(frozen=True, slots=True)
class GateClusterView:
    """A cluster of the gate study; ``mean_gates`` are its centre's, one per stream."""

    number: int
    size: int
    mean_gates: tuple[float, ...]
    nearest: tuple[QueryView, ...]


class GateStudy:
    """Gates of any gallery and model of the workbench; safe to call from many threads."""

    def __init__(
        self,
        *,
        open_gallery: OpensGallery,
        read_crop: ReadCrop,
        turns: ComputeTurns,
        store: GateStore,
        jobs: Callable[[], JobQueue],
    ) -> None:
        """Keep what is needed; ``jobs`` is asked when work is queued."""
        self._open_gallery, self._read_crop = open_gallery, read_crop
        self._turns, self._gates, self._jobs = turns, store, jobs
        self._clusters = Newest[GateClusters](_KEPT_CLUSTERS)
        self._spreads = Newest[dict[str, float]](_KEPT_CLUSTERS)

    def status(self, gallery: str = "", model: str = "") -> JobView:
        """Whether the gates of the gallery's images were read, or how far that is; without id: not asked for.

        Raises:
            InputError: No such gallery or model, or a model without an OSNet.
            GalleryNotReadyError: The gallery is still being embedded.
        """
        opened = self._open_gallery(gallery, model)
        fingerprint = osnet_embedder(opened).fingerprint
        images = opened.space.gallery
        done = self._gates.num_done(fingerprint, images.manifest_hash)
        is_done = done >= len(images.images)
        if not is_done:
            for job in self._jobs().all():
                is_this = job.kind == "gates" and (job.gallery, job.model) == (opened.gallery, opened.model)
                # A job that says done while the files are gone (deleted by hand) tells nothing about now.
                if is_this and job.state != "done":
                    return job
        return JobView(
            id="",
            kind="gates",
            title=f"Gates of {images.title}",
            state="done" if is_done else "queued",
            num_done=done,
            num_total=len(images.images),
            message="" if is_done else "The gates of this gallery were not read yet.",
            gallery=opened.gallery,
            model=opened.model,
        )

    def read(self, gallery: str = "", model: str = "") -> JobView:
        """Read the gates of all images in the background; calling it again changes nothing.

        Raises:
            InputError, GalleryNotReadyError: As for ``status``.
        """
        status = self.status(gallery, model)
        if status.state == "done" or (status.id and not status.is_over):
            return status
        parameters = {"gallery": status.gallery, "model": status.model}
        title = self._open_gallery(status.gallery, status.model).space.gallery.title
        return self._jobs().submit("gates", f"Gates of {title}", parameters, **parameters)

    def stop(self, job_id: str) -> JobView:
        """Stop reading gates; what was read is kept, and the next ``read`` goes on from there.

        Raises:
            InputError: There is no such job.
        """
        self._jobs().cancel(job_id)
        return self._jobs().get(job_id)

    def run(self, control: JobControl) -> str:
        """The job behind ``read``.

        Raises:
            ReidError: The gallery or the network cannot be used. CancelledError: Somebody stopped it.
        """
        opened = self._open_gallery(control.parameters["gallery"], control.parameters["model"])
        embedder, images = osnet_embedder(opened), opened.space.gallery.images
        refused: list[Refusal] = []

        def read(rows: Sequence[int]) -> list[NDArray[np.float32] | None]:
            from reid_core.explain.streams import trace_crops

            contents = {}
            for row in rows:
                try:
                    contents[row] = read_verified(images[row])
                except ImageReadError as error:
                    refused.append(Refusal(images[row].id, str(error)))
            if not contents:
                return [None] * len(rows)
            tensor = to_input(embedder, list(contents.values()))
            with self._turns.background():
                crops = trace_crops(embedder.model, tensor)
            vectors = {
                row: np.concatenate([block.gates.ravel() for block in crop.blocks])
                for row, crop in zip(contents, crops, strict=True)
            }
            return [vectors.get(row) for row in rows]

        self._gates.compute(
            embedder.fingerprint,
            opened.space.gallery.manifest_hash,
            len(images),
            {
                name: NUM_STREAMS * block.gate.fc2.out_channels
                for name, block in embedder.model.named_blocks()
            },
            read,
            batch_size=_BATCH,
            report=lambda done, total: control.report(done, total, "Reading gates."),
            is_cancelled=control.is_cancelled,
        )
        control.refuse(refused)
        return f"The gates of {len(images) - len(refused):,} images were read."

    def clusters(
        self, block: str, num_clusters: int, *, gallery: str = "", model: str = ""
    ) -> tuple[GateClusterView, ...]:
        """Clusters of the gallery's gate vectors in a block, largest first, with their nearest images.

        Raises:
            InputError: No such gallery, model or block, or a number of clusters that makes no sense.
            GalleryNotReadyError: The gates were not read yet.
        """
        opened, found = self._cluster(block, num_clusters, gallery, model)
        images = opened.space.gallery.images
        return tuple(
            GateClusterView(
                number=number,
                size=cluster.size,
                mean_gates=cluster.mean_gates,
                nearest=tuple(view_query(opened.gallery, images[row]) for row in cluster.nearest),
            )
            for number, cluster in enumerate(found.clusters, start=1)
        )

    def spreads(self, *, gallery: str = "", model: str = "") -> dict[str, float]:
        """How much the gates of each block differ between the gallery's crops; see ``gate_spread``.

        Raises:
            InputError: No such gallery or model, or a model without an OSNet.
            GalleryNotReadyError: The gates were not read yet.
        """
        opened = self._open_gallery(gallery, model)
        key = (opened.space.index.fingerprint, opened.space.gallery.manifest_hash)

        def compute() -> dict[str, float]:
            return {block: gate_spread(self._loaded_gates(opened, block)) for block in PLACES[:-1]}

        return self._spreads.get(key, compute)

    def labels(self, block: str, num_clusters: int, *, gallery: str = "", model: str = "") -> dict[str, int]:
        """For each image of the gallery with gates, the number of its cluster, from 1.

        Raises:
            InputError, GalleryNotReadyError: As for ``clusters``.
        """
        opened, found = self._cluster(block, num_clusters, gallery, model)
        images = opened.space.gallery.images
        return {
            image.id: int(label) + 1 for image, label in zip(images, found.labels, strict=True) if label >= 0
        }

    def similar(
        self, block: str, image_id: str, *, count: int = 12, gallery: str = "", model: str = ""
    ) -> tuple[GateNeighbour, ...]:
        """Images whose gates in a block are most like those of one crop, itself left out, nearest first.

        Raises:
            InputError: No such gallery, model, image or block.
            GalleryNotReadyError: The gates were not read yet.
        """
        opened = self._open_gallery(gallery, model)
        gates = self._loaded_gates(opened, block)
        vector = self._read_crop(opened, image_id).blocks[PLACES.index(block)].gates.ravel()
        rows, distances = nearest_gates(gates, vector, count + 1)
        images = opened.space.gallery.images
        found = [
            GateNeighbour(view_query(opened.gallery, images[row]), float(distance))
            for row, distance in zip(rows, distances, strict=True)
            if images[row].id != image_id
        ]
        return tuple(found[:count])

    def forget(self, gallery: Gallery) -> None:
        """Delete the gates of a gallery that is being removed."""
        self._gates.remove(gallery.manifest_hash)
        self._clusters.clear()
        self._spreads.clear()

    def _cluster(
        self, block: str, num_clusters: int, gallery: str, model: str
    ) -> tuple[OpenGallery, GateClusters]:
        opened = self._open_gallery(gallery, model)
        gates = self._loaded_gates(opened, block)
        key = (opened.space.index.fingerprint, opened.space.gallery.manifest_hash, block, num_clusters)

        def compute() -> GateClusters:
            with self._turns.interactive():
                return cluster_gates(gates, num_clusters)

        return opened, self._clusters.get(key, compute)

    def _loaded_gates(self, opened: OpenGallery, block: str) -> Gates:
        if block not in PLACES or block == LAST_MAP:
            raise InputError(
                f"There is no block {block!r} with gates; expected one of {', '.join(PLACES[:-1])}."
            )
        gates = self._gates.load(
            osnet_embedder(opened).fingerprint, opened.space.gallery.manifest_hash, block
        )
        if gates is None:
            raise GalleryNotReadyError(
                "The gates of this gallery were not all read yet. Start that on the Explain page."
            )
        return gates
