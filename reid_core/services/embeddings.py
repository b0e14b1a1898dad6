"""Embeddings of whole galleries, kept by what decides them: the network's fingerprint and the gallery's
content.

While a gallery is embedded, finished parts are kept as shards, so that a stop or a crash costs at most one
shard; the whole set then replaces them.
"""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np

from reid_core.errors import CancelledError, InputError
from reid_core.images import ImageInput
from reid_core.retrieval.embedding_file import load_embeddings, save_embeddings
from reid_core.services.content import read_verified
from reid_core.services.galleries import Gallery
from reid_core.services.turns import ComputeTurns
from reid_core.types import EmbeddingSet

_log = logging.getLogger(__name__)
Item = TypeVar("Item")

SHARD_SIZE = 256
_MAX_BATCH = 256
_TURN_S = 0.25
"""How long one background call may keep a search waiting."""


class CropEmbedder(Protocol):
    """What is used of ``reid_core.models.Embedder``."""

    @property
    def fingerprint(self) -> str:
        """Names weights and preprocessing."""

    def embed(self, images: Sequence[ImageInput], *, ids: Sequence[str]) -> EmbeddingSet:
        """L2-normalised (N, D) vectors; unreadable images in ``skipped``."""


class EmbeddingCache:
    """Embedding files below one folder."""

    def __init__(self, folder: Path, *, shard_size: int = SHARD_SIZE) -> None:
        self._folder = folder
        self._shard_size = shard_size

    def has(self, fingerprint: str, manifest_hash: str) -> bool:
        """Whether the whole set is there."""
        return self._path(fingerprint, manifest_hash).is_file()

    def has_any(self, manifest_hash: str) -> bool:
        """Whether the whole set of some network is there."""
        return any(self._folder.glob(f"*/{manifest_hash}.npz"))

    def load(self, fingerprint: str, manifest_hash: str) -> EmbeddingSet | None:
        """The whole set, or None where it is not there or not usable (then it is removed)."""
        path = self._path(fingerprint, manifest_hash)
        return _load_or_remove(path, fingerprint)

    def compute(
        self,
        gallery: Gallery,
        embedder: CropEmbedder,
        *,
        turns: ComputeTurns,
        report: Callable[[int, int], None],
        is_cancelled: Callable[[], bool],
    ) -> EmbeddingSet:
        """Embed every image of ``gallery`` and keep the result; finished shards are taken from disk.

        Raises:
            CancelledError: ``is_cancelled`` said so; finished shards are kept.
            InputError: A file changed since the import, or not one image could be embedded.
        """
        whole = self._path(embedder.fingerprint, gallery.manifest_hash)
        shards = _shard_folder(whole)
        network = PatientEmbedder(embedder, turns, is_cancelled)
        parts: list[EmbeddingSet] = []
        total = len(gallery.images)
        for start in range(0, total, self._shard_size):
            images = gallery.images[start : start + self._shard_size]
            path = shards / f"{start:08d}.npz"
            part = _load_or_remove(path, embedder.fingerprint)
            if part is None:
                part = network.embed_each(
                    images,
                    read_verified,
                    [image.id for image in images],
                    partial(_report_from, report, start, total),
                )
                save_embeddings(part, path)
            parts.append(part)
            report(start + len(images), total)
        result = join_parts(parts, embedder.fingerprint)
        if not len(result):
            first = f" The first: {result.skipped[0].reason}" if result.skipped else ""
            raise InputError(f"Not one image of gallery {gallery.title!r} could be embedded.{first}")
        save_embeddings(result, whole)
        shutil.rmtree(shards, ignore_errors=True)
        return result

    def remove(self, manifest_hash: str) -> None:
        """Delete everything computed for a gallery's content, of every network, finished or not."""
        for path in self._folder.glob(f"*/{manifest_hash}.*"):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()

    def _path(self, fingerprint: str, manifest_hash: str) -> Path:
        return self._folder / fingerprint.replace("/", "_") / f"{manifest_hash}.npz"


class PatientEmbedder:
    """A network for long work: calls short enough to let a search in between, and a stop between calls."""

    def __init__(self, embedder: CropEmbedder, turns: ComputeTurns, is_cancelled: Callable[[], bool]) -> None:
        self._embedder, self._turns, self._is_cancelled = embedder, turns, is_cancelled
        self._size = 8

    @property
    def fingerprint(self) -> str:
        """Of the network."""
        return self._embedder.fingerprint

    def embed(self, images: Sequence[ImageInput], *, ids: Sequence[str]) -> EmbeddingSet:
        """As the network itself does.

        Raises:
            CancelledError: ``is_cancelled`` said so.
        """
        return self.embed_each(images, lambda image: image, ids, lambda num_done: None)

    def embed_each(
        self,
        items: Sequence[Item],
        read: Callable[[Item], ImageInput],
        ids: Sequence[str],
        report: Callable[[int], None],
    ) -> EmbeddingSet:
        """Embed what ``read`` makes of each item, shortly before it is needed; ``report`` gets a count.

        Raises:
            CancelledError: ``is_cancelled`` said so.
        """
        parts: list[EmbeddingSet] = []
        done = 0
        while done < len(items) or not parts:
            if self._is_cancelled():
                raise CancelledError("Embedding was stopped; what is finished is kept.")
            end = min(done + self._size, len(items))
            parts.append(self._embed_batch([read(item) for item in items[done:end]], ids[done:end]))
            done = end
            report(done)
        return join_parts(parts, self._embedder.fingerprint)

    def _embed_batch(self, images: Sequence[ImageInput], ids: Sequence[str]) -> EmbeddingSet:
        with self._turns.background():
            started = time.perf_counter()
            part = self._embedder.embed(images, ids=ids)
            seconds_each = (time.perf_counter() - started) / max(len(images), 1)
        self._size = int(np.clip(_TURN_S / max(seconds_each, 1e-6), 1, _MAX_BATCH))
        return part


def join_parts(parts: Sequence[EmbeddingSet], fingerprint: str) -> EmbeddingSet:
    """At least one set of one network, one after the other."""
    # A part of which every image was skipped may not know how long a vector is.
    filled = [part.vectors for part in parts if len(part)] or [part.vectors for part in parts[:1]]
    ids = tuple(image_id for part in parts for image_id in part.ids)
    skipped = tuple(refusal for part in parts for refusal in part.skipped)
    return EmbeddingSet(np.concatenate(filled), ids, fingerprint, skipped)


def _report_from(report: Callable[[int, int], None], start: int, total: int, done: int) -> None:
    report(start + done, total)


def _shard_folder(whole: Path) -> Path:
    return whole.with_suffix(".shards")


def _load_or_remove(path: Path, fingerprint: str) -> EmbeddingSet | None:
    if not path.is_file():
        return None
    try:
        embeddings = load_embeddings(path)
    except InputError as error:
        _log.warning("%s; it is computed again", error)
        path.unlink()
        return None
    if embeddings.fingerprint != fingerprint:
        path.unlink()
        return None
    return embeddings
