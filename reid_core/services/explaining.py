"""Explanations of crops and pairs, checks on them, and the gate study of a gallery.

What is explained is ``Embedder.model``, the network whose copy the engine runs, with the embedder's own
preprocessing. PyTorch is imported at the first explanation, not with the app.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from reid_core.errors import InputError
from reid_core.explain.records import (
    LAST_MAP,
    CascadeStep,
    CropStreams,
    Explanation,
    MapChoice,
    PlaceCheck,
    StreamCheck,
)
from reid_core.services.content import read_verified
from reid_core.services.galleries import Gallery
from reid_core.services.gate_study import GateStudy
from reid_core.services.gate_vectors import GateStore
from reid_core.services.jobs import JobQueue
from reid_core.services.newest import Newest
from reid_core.services.records import QueryView
from reid_core.services.traced_network import OpensGallery, osnet_embedder, to_input
from reid_core.services.turns import ComputeTurns
from reid_core.services.uploads import upload_key
from reid_core.services.views import view_query

if TYPE_CHECKING:
    from torch import Tensor

    from reid_core.models import Embedder, OSNet
    from reid_core.services.open_galleries import OpenGallery

_KEPT_EXPLANATIONS, _KEPT_CHECKS = 64, 256


@dataclass(frozen=True, eq=False)
class Explained:
    """An explanation with what it is of. ``input_size`` is (height, width) of what the network saw."""

    gallery: str
    model: str
    variant: str
    fingerprint: str
    ids: tuple[str, ...]
    input_size: tuple[int, int]
    explanation: Explanation


@dataclass(frozen=True, eq=False)
class Checks:
    """Whether one map of one crop can be trusted. ``streams`` is there for a pair's blocks only."""

    places: PlaceCheck
    weights: tuple[CascadeStep, ...]
    streams: StreamCheck | None


class Explaining:
    """Explains with any gallery and model of the workbench; safe to call from many threads.

    ``gates`` is the gate study.
    """

    def __init__(
        self,
        *,
        open_gallery: OpensGallery,
        read_upload: Callable[[str], bytes],
        turns: ComputeTurns,
        gates: GateStore,
        jobs: Callable[[], JobQueue],
    ) -> None:
        """``read_upload`` takes an upload's key, ``jobs`` is asked when work is queued."""
        self._open_gallery, self._read_upload = open_gallery, read_upload
        self._turns = turns
        self.gates = GateStudy(
            open_gallery=open_gallery, read_crop=self._read_crop, turns=turns, store=gates, jobs=jobs
        )
        self._explanations = Newest[Explanation](_KEPT_EXPLANATIONS)
        self._checks = Newest[Checks](_KEPT_CHECKS)
        self._checking = threading.Lock()

    def explain(self, image_ids: Sequence[str], *, gallery: str = "", model: str = "") -> Explained:
        """Explain one crop, or a pair; kept in memory by the crops' content and the network.

        Args:
            image_ids: One or two ids of the gallery, or of uploads.
            gallery: Its name, empty for the default one.
            model: Its name, empty for the default one.

        Raises:
            InputError: No such gallery, model or image, a model without an OSNet, or not one or two ids.
            ImageReadError: A crop's file is gone, changed or damaged.
            GalleryNotReadyError: The gallery is still being embedded.
        """
        opened = self._open_gallery(gallery, model)
        embedder = osnet_embedder(opened)
        keys = self._content_keys(opened, image_ids)

        def compute() -> Explanation:
            from reid_core.explain.streams import trace_crops, trace_pair

            images = self._images(opened, embedder, image_ids)
            with self._turns.interactive():
                if len(images) == 2:
                    return trace_pair(embedder.model, images)
                return Explanation(trace_crops(embedder.model, images))

        prepared = embedder.preprocessing
        return Explained(
            gallery=opened.gallery,
            model=opened.model,
            variant=embedder.variant,
            fingerprint=embedder.fingerprint,
            ids=tuple(image_ids),
            input_size=(prepared.height, prepared.width),
            explanation=self._explanations.get((embedder.fingerprint, *keys), compute),
        )

    def check(
        self,
        image_ids: Sequence[str],
        choice: MapChoice,
        *,
        side: int = 0,
        gallery: str = "",
        model: str = "",
    ) -> Checks:
        """Check one map of an explanation; takes seconds, and lets searches go first.

        Deletion and insertion measure the cosine with the other crop of a pair, or with the whole crop
        itself.

        Args:
            image_ids: As for ``explain``.
            choice: The map.
            side: 0 for the left crop, 1 for the right one.
            gallery: As for ``explain``.
            model: As for ``explain``.

        Raises:
            ReidError: As for ``explain``; also where the map does not exist.
        """
        explained = self.explain(image_ids, gallery=gallery, model=model)
        explained.explanation.map(side, choice)
        opened = self._open_gallery(explained.gallery, explained.model)
        key = (explained.fingerprint, *self._content_keys(opened, image_ids), choice, side)
        with self._checking:
            return self._checks.get(key, lambda: self._run_checks(opened, image_ids, choice, side, explained))

    def find_images(
        self, text: str, *, gallery: str = "", model: str = "", count: int = 24
    ) -> tuple[QueryView, ...]:
        """Images of the gallery whose id contains ``text``, or whose pid it is, in the gallery's order.

        Raises:
            InputError: There is no such gallery or model. GalleryNotReadyError: It is still being embedded.
        """
        opened = self._open_gallery(gallery, model)
        wanted = text.strip().lower()
        found = []
        for image in opened.space.gallery.images:
            if wanted in image.id.lower() or (wanted and wanted == str(image.pid)):
                found.append(view_query(opened.gallery, image))
                if len(found) == count:
                    break
        return tuple(found)

    def forget(self, gallery: Gallery) -> None:
        """Delete what was kept of a gallery that is being removed."""
        self._explanations.clear()
        self._checks.clear()
        self.gates.forget(gallery)

    def _read_crop(self, opened: OpenGallery, image_id: str) -> CropStreams:
        return self.explain([image_id], gallery=opened.gallery, model=opened.model).explanation.crops[0]

    def _run_checks(
        self,
        opened: OpenGallery,
        image_ids: Sequence[str],
        choice: MapChoice,
        side: int,
        explained: Explained,
    ) -> Checks:
        import torch

        from reid_core.explain.faithfulness import check_places, check_weights
        from reid_core.explain.streams import measure_removal, trace_crops, trace_pair

        embedder = osnet_embedder(opened)
        images = self._images(opened, embedder, image_ids)
        explanation = explained.explanation
        is_pair = len(images) == 2

        def embed(covered: Tensor) -> Tensor:
            with self._turns.background(), torch.inference_mode():
                return embedder.model.embed(covered)

        def explain(model: OSNet) -> NDArray[np.float32]:
            with self._turns.background():
                if is_pair:
                    return trace_pair(model, images).map(side, choice)
                return Explanation(trace_crops(model, images)).map(side, choice)

        target = explanation.crops[1 - side if is_pair else side].vector
        places = check_places(embed, images[side], target, explanation.map(side, choice))
        weights = check_weights(embedder.model, explain)
        streams = None
        if is_pair and choice.block != LAST_MAP:
            predicted = np.stack([explanation.stack(s, "evidence", choice.block).sum((1, 2)) for s in (0, 1)])
            with self._turns.background():
                streams = StreamCheck(predicted, measure_removal(embedder.model, images, choice.block))
        return Checks(places, weights, streams)

    def _content_keys(self, opened: OpenGallery, image_ids: Sequence[str]) -> tuple[str, ...]:
        if not 1 <= len(image_ids) <= 2:
            raise InputError(f"{len(image_ids)} crops were given; one crop or a pair is explained.")
        return tuple(
            upload_key(image_id) or opened.space.gallery.image(image_id).content_hash
            for image_id in image_ids
        )

    def _images(self, opened: OpenGallery, embedder: Embedder, image_ids: Sequence[str]) -> Tensor:
        """(B, 3, height, width) as the network gets them."""
        contents = []
        for image_id in image_ids:
            key = upload_key(image_id)
            contents.append(
                self._read_upload(key) if key else read_verified(opened.space.gallery.image(image_id))
            )
        return to_input(embedder, contents)
