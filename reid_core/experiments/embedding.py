"""Embed the crops of a data set, clean or corrupted, keeping what is done so that a stopped run goes on."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from PIL import Image

from reid_core.data.corruptions import CorruptionChoice, choose_corruption, corrupt_image
from reid_core.errors import ImageReadError, InputError
from reid_core.images import read_image
from reid_core.progress import ProgressCallback
from reid_core.retrieval.embedding_file import load_embeddings, save_embeddings
from reid_core.types import EmbeddingSet, ImageRecord, Refusal

CHUNK = 512
"""Crops per cached file: what a stopped run loses at most."""


class EmbedsImages(Protocol):
    """All that is needed of ``reid_core.models.Embedder``."""

    @property
    def fingerprint(self) -> str: ...
    def embed(self, images: Sequence[Any], *, ids: Sequence[str]) -> EmbeddingSet: ...


class EmbeddingSource(Protocol):
    """Where an evaluation takes its embeddings from; all of one network."""

    @property
    def fingerprint(self) -> str: ...
    def embed(
        self,
        records: Sequence[ImageRecord],
        corruption: CorruptionRun | None,
        *,
        progress: ProgressCallback | None = None,
        cancel: Callable[[], None] | None = None,
    ) -> EmbeddingSet: ...


@dataclass(frozen=True, slots=True)
class CorruptionRun:
    """Which corruption the crops get: one cell of the grid, or (``choice`` None) the random draw per crop."""

    seed: int
    repeat: int = 0
    choice: CorruptionChoice | None = None

    def apply(self, image: Image.Image, image_id: str) -> Image.Image:
        """The corrupted crop; the same for the same seed, repeat and id."""
        choice = self.choice or choose_corruption(image_id, seed=self.seed, repeat=self.repeat)
        return corrupt_image(image, choice, image_id=image_id, seed=self.seed, repeat=self.repeat)


@dataclass(frozen=True, slots=True)
class CachedEmbeddings:
    """An ``EmbeddingSource`` that runs the network on what ``cache_dir`` does not hold yet."""

    embedder: EmbedsImages
    cache_dir: Path

    @property
    def fingerprint(self) -> str:
        """Of the network."""
        return self.embedder.fingerprint

    def embed(
        self,
        records: Sequence[ImageRecord],
        corruption: CorruptionRun | None,
        *,
        progress: ProgressCallback | None = None,
        cancel: Callable[[], None] | None = None,
    ) -> EmbeddingSet:
        """See ``embed_records``."""
        return embed_records(
            self.embedder,
            records,
            cache_dir=self.cache_dir,
            corruption=corruption,
            progress=progress,
            cancel=cancel,
        )


def embed_records(
    embedder: EmbedsImages,
    records: Sequence[ImageRecord],
    *,
    cache_dir: Path,
    corruption: CorruptionRun | None = None,
    progress: ProgressCallback | None = None,
    cancel: Callable[[], None] | None = None,
) -> EmbeddingSet:
    """Embed ``records`` in order; chunks found in ``cache_dir`` are not computed again.

    A chunk's key covers the model's fingerprint, the ids, the bytes of the files and the corruption, so a
    changed file or model is never served from the cache. Damaged images end up in ``skipped``.

    Args:
        cancel: Called between chunks and crops; raise ``CancelledError`` in it to stop.
    """
    parts: list[EmbeddingSet] = []
    for start in range(0, len(records), CHUNK):
        if cancel is not None:
            cancel()
        chunk = records[start : start + CHUNK]
        path = cache_dir / f"{_chunk_key(embedder.fingerprint, chunk, corruption)}.npz"
        part = _load_cached(path, embedder.fingerprint)
        if part is None:
            part = _embed_chunk(
                embedder, chunk, corruption, partial(_step, start, len(records), progress, cancel)
            )
            save_embeddings(part, path)
        parts.append(part)
        if progress is not None:
            progress(min(start + CHUNK, len(records)), len(records))
    return _join(parts, embedder.fingerprint)


def _load_cached(path: Path, fingerprint: str) -> EmbeddingSet | None:
    if not path.exists():
        return None
    try:
        cached = load_embeddings(path)
    except InputError:
        return None  # damaged by a crash or an older version: compute it again
    return cached if cached.fingerprint == fingerprint else None


def _step(
    start: int,
    total: int,
    progress: ProgressCallback | None,
    cancel: Callable[[], None] | None,
    num_corrupted: int,
) -> None:
    if cancel is not None:
        cancel()
    if progress is not None and num_corrupted % 16 == 0:
        progress(start + num_corrupted, total)


def _embed_chunk(
    embedder: EmbedsImages,
    chunk: Sequence[ImageRecord],
    corruption: CorruptionRun | None,
    step: Callable[[int], None],
) -> EmbeddingSet:
    if corruption is None:
        return embedder.embed([r.path for r in chunk], ids=[r.image_id for r in chunk])
    images: list[Image.Image] = []
    ids: list[str] = []
    refused: list[Refusal] = []
    for number, record in enumerate(chunk):
        step(number)
        try:
            images.append(corruption.apply(read_image(record.path), record.image_id))
            ids.append(record.image_id)
        except ImageReadError as error:
            refused.append(Refusal(record.image_id, str(error)))
    part = embedder.embed(images, ids=ids)
    return EmbeddingSet(part.vectors, part.ids, part.fingerprint, (*refused, *part.skipped))


def _chunk_key(fingerprint: str, chunk: Sequence[ImageRecord], corruption: CorruptionRun | None) -> str:
    digest = hashlib.sha256(repr(("v1", fingerprint, corruption)).encode())
    for record in chunk:
        digest.update(record.image_id.encode() + b"\0")
        digest.update(_file_digest(record.path))
    return digest.hexdigest()[:32]


def _file_digest(path: Path) -> bytes:
    try:
        return hashlib.sha256(path.read_bytes()).digest()
    except OSError:
        return b"unreadable"


def _join(parts: Sequence[EmbeddingSet], fingerprint: str) -> EmbeddingSet:
    if not parts:
        return EmbeddingSet(np.zeros((0, 1), np.float32), (), fingerprint)
    filled = [part.vectors for part in parts if len(part)] or [parts[0].vectors]
    return EmbeddingSet(
        vectors=np.concatenate(filled),
        ids=tuple(chain.from_iterable(part.ids for part in parts)),
        fingerprint=fingerprint,
        skipped=tuple(chain.from_iterable(part.skipped for part in parts)),
    )
