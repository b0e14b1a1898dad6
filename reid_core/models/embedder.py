"""From images to embeddings: the one way in, for pages, commands and scripts."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from reid_core.errors import CancelledError, ImageReadError, InputError
from reid_core.images import ImageInput, read_image
from reid_core.models.checkpoints import LoadedWeights, LoadReport
from reid_core.models.engines import make_engine
from reid_core.models.osnet import EMBEDDING_SIZE, OSNet
from reid_core.models.preprocessing import Preprocessing
from reid_core.models.resolve import resolve_weights
from reid_core.models.weights import WeightSpec, fingerprint
from reid_core.types import EmbeddingSet, ImageRecord, Refusal

CropInput = ImageInput | ImageRecord
"""One crop: a path, encoded bytes, an (H, W, 3) uint8 RGB array, a PIL image, or a data set's record."""

BATCH_SIZE = 8
"""Larger batches are slower per image on a CPU: the maps no longer fit its cache (measured)."""
_MAX_DECODERS = 4
_BATCHES_AHEAD = 4


class Embedder:
    """A net with its weights, its preprocessing and an engine to run it.

    Preprocessing comes with the weights, so no caller can prepare images differently. ``embed`` may be called
    from several threads.
    """

    def __init__(
        self,
        weights: str | Path = "demo",
        variant: str | None = None,
        engine: str = "auto",
        device: str = "auto",
    ) -> None:
        """Load weights and make them ready to run.

        Args:
            weights: The path of a weights file, a name of the registry (``osnet_ain_x1_0@msmt17``, downloaded
                once), or ``demo`` for the weights that ship with the project.
            variant: What the weights must be; ``None`` takes the variant from the file.
            engine: ``auto``, ``torch`` or ``onnxruntime``.
            device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.

        Raises:
            WeightsError: The file is damaged, unsafe, no OSNet, another variant, or not fit for ReID.
            DownloadError: Known weights could not be fetched. InputError: No such variant, engine or device.
        """
        self._use(resolve_weights(weights, variant=variant), engine, device)

    @classmethod
    def from_loaded(cls, loaded: LoadedWeights, *, engine: str = "auto", device: str = "auto") -> Embedder:
        """An embedder for a net that is in memory already; the net is put in eval mode."""
        embedder = cls.__new__(cls)
        embedder._use(loaded, engine, device)
        return embedder

    def _use(self, loaded: LoadedWeights, engine: str, device: str) -> None:
        self._loaded = loaded
        model, preprocessing = loaded.model.eval(), loaded.spec.preprocessing
        self._fingerprint = fingerprint(model.variant, model.state_dict(), preprocessing)
        self._engine = make_engine(engine, model, preprocessing, device=device)

    @property
    def model(self) -> OSNet:
        """The net on the CPU in eval mode, for explanations; the engine runs a copy of it."""
        return self._loaded.model

    @property
    def spec(self) -> WeightSpec:
        """What is known about the weights."""
        return self._loaded.spec

    @property
    def report(self) -> LoadReport:
        """What loading the weights did."""
        return self._loaded.report

    @property
    def variant(self) -> str:
        """The net's name, e.g. ``osnet_x0_25``."""
        return self.model.variant

    @property
    def preprocessing(self) -> Preprocessing:
        """How images are prepared; set by the weights."""
        return self.spec.preprocessing

    @property
    def fingerprint(self) -> str:
        """Names weights and preprocessing, equal for equal weights from any file format."""
        return self._fingerprint

    @property
    def num_parameters(self) -> int:
        """Parameters of the net without a classifier."""
        return sum(
            p.numel() for name, p in self.model.named_parameters() if not name.startswith("classifier.")
        )

    @property
    def engine_name(self) -> str:
        """What runs the net: ``torch`` or ``onnxruntime``."""
        return self._engine.name

    @property
    def device(self) -> str:
        """Where it runs: ``cpu``, ``cuda`` or ``cuda:N``."""
        return self._engine.device

    def embed(
        self,
        images: Sequence[CropInput] | NDArray[np.uint8],
        *,
        ids: Sequence[str] | None = None,
        batch_size: int = BATCH_SIZE,
        progress: Callable[[int, int], None] | None = None,
        is_cancelled: Callable[[], bool] | None = None,
    ) -> EmbeddingSet:
        """Embed N crops; the order of the result is the order of the images.

        Args:
            images: Crops of any size, or one (N, H, W, 3) uint8 RGB array.
            ids: A name for each, all different. By default a record's id, a path's text, or ``image-0`` by
                position.
            batch_size: Crops that go through the net at once; the result does not depend on it.
            progress: Called after each batch with (images done, N), in the caller's thread.
            is_cancelled: Asked before each batch.

        Returns:
            Vectors (M, 512) float32 of L2 norm 1. Images that cannot be read, or whose embedding is zero or
            not finite, are not in it but in ``skipped``, in input order, with the reason.

        Raises:
            InputError: Something that is no image source, ids that are missing or not unique, or a batch size
                below 1. CancelledError: ``is_cancelled`` said so.
        """
        crops = _checked_crops(images)
        names = _checked_ids(crops, ids)
        if batch_size < 1:
            raise InputError(f"batch_size is {batch_size}, expected at least 1.")
        outcomes: list[NDArray[np.float32] | Refusal] = []
        for batch in self._decoded_batches(crops, names, batch_size, is_cancelled):
            outcomes += self._embed_batch(batch, names[len(outcomes) : len(outcomes) + len(batch)])
            if progress is not None:
                progress(len(outcomes), len(crops))
        rows = [outcome for outcome in outcomes if not isinstance(outcome, Refusal)]
        kept = [
            name for name, outcome in zip(names, outcomes, strict=True) if not isinstance(outcome, Refusal)
        ]
        skipped = [outcome for outcome in outcomes if isinstance(outcome, Refusal)]
        vectors = np.stack(rows) if rows else np.empty((0, EMBEDDING_SIZE), dtype=np.float32)
        return EmbeddingSet(vectors, tuple(kept), self._fingerprint, tuple(skipped))

    def _embed_batch(
        self, batch: Sequence[NDArray[np.uint8] | Refusal], names: Sequence[str]
    ) -> list[NDArray[np.float32] | Refusal]:
        """For each prepared crop its vector of norm 1, for each refused one its refusal."""
        pixels = [item for item in batch if not isinstance(item, Refusal)]
        vectors = iter(_unit_rows(self._engine.run(np.stack(pixels))) if pixels else ())
        outcomes: list[NDArray[np.float32] | Refusal] = []
        for item, name in zip(batch, names, strict=True):
            vector = item if isinstance(item, Refusal) else next(vectors)
            outcomes.append(Refusal(name, _UNUSABLE) if vector is None else vector)
        return outcomes

    def _decoded_batches(
        self,
        crops: Sequence[CropInput],
        names: Sequence[str],
        batch_size: int,
        is_cancelled: Callable[[], bool] | None,
    ) -> Iterator[list[NDArray[np.uint8] | Refusal]]:
        """Batches in input order, decoded by other threads a few batches ahead of the net."""
        num_decoders = min(_MAX_DECODERS, os.cpu_count() or 1)
        pool = ThreadPoolExecutor(num_decoders, thread_name_prefix="decode")
        waiting: deque[Future[NDArray[np.uint8] | Refusal]] = deque()
        upcoming = iter(zip(crops, names, strict=True))
        try:
            for start in range(0, len(crops), batch_size):
                if is_cancelled is not None and is_cancelled():
                    raise CancelledError(f"Embedding was stopped after {start} of {len(crops)} images.")
                while len(waiting) < batch_size * _BATCHES_AHEAD:
                    crop = next(upcoming, None)
                    if crop is None:
                        break
                    waiting.append(pool.submit(self._prepare, *crop))
                yield [waiting.popleft().result() for _ in range(min(batch_size, len(waiting)))]
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _prepare(self, crop: CropInput, name: str) -> NDArray[np.uint8] | Refusal:
        """Read and resize one crop, or say why not."""
        try:
            if isinstance(crop, ImageRecord):
                crop = crop.path
            label = None if isinstance(crop, str | Path) else name
            return self.preprocessing.resize(read_image(crop, name=label))
        except ImageReadError as error:
            return Refusal(name, str(error))


_UNUSABLE = (
    "The network's embedding of this image is zero or not a finite number, so it can be compared with "
    "nothing. Look at the image; if many are affected, the weights are damaged."
)


def _unit_rows(vectors: NDArray[np.float32]) -> list[NDArray[np.float32] | None]:
    """(B, 512) -> rows of L2 norm 1; ``None`` for a row that is zero or not finite."""
    exact = vectors.astype(np.float64)
    norms = np.linalg.norm(exact, axis=1)
    is_usable = np.isfinite(norms) & (norms > 0)
    return [
        (row / norm).astype(np.float32) if usable else None
        for row, norm, usable in zip(exact, norms, is_usable, strict=True)
    ]


def _checked_crops(images: Sequence[CropInput] | NDArray[np.uint8]) -> list[CropInput]:
    """The images as a list; a single image where a list belongs would be read as a list of its parts."""
    is_single_array = isinstance(images, np.ndarray) and images.ndim != 4
    if is_single_array or isinstance(images, str | bytes | Path | Image.Image | ImageRecord):
        raise InputError(
            f"embed got one {type(images).__name__}, expected a list of images. Put a single image in a "
            "list: embed([image])."
        )
    crops = list(images)
    for index, crop in enumerate(crops):
        if not isinstance(crop, str | bytes | Path | Image.Image | ImageRecord | np.ndarray):
            raise InputError(
                f"Image {index} is a {type(crop).__name__}; expected a path, the bytes of an image file, a "
                "uint8 array, a PIL image or an ImageRecord."
            )
    return crops


def _checked_ids(crops: Sequence[CropInput], ids: Sequence[str] | None) -> list[str]:
    names = [_default_id(crop, index) for index, crop in enumerate(crops)] if ids is None else list(ids)
    if len(names) != len(crops):
        raise InputError(f"{len(names)} ids for {len(crops)} images; give one id for each image.")
    if len(set(names)) != len(names):
        seen: set[str] = set()
        double = next(name for name in names if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise InputError(
            f"The id {double!r} stands for more than one image. Ids must differ: remove the double image, "
            "or pass ids of your own."
        )
    return names


def _default_id(crop: CropInput, index: int) -> str:
    if isinstance(crop, ImageRecord):
        return crop.image_id
    return str(crop) if isinstance(crop, str | Path) else f"image-{index}"
