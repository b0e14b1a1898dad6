"""Frozen records that cross package borders. They check themselves, so that a wrong one cannot travel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reid_core.errors import InputError

JUNK_PID = -1
"""Market-1501: an image that is neither a match nor a mismatch; it never counts."""
DISTRACTOR_PID = 0
"""Market-1501: an image of nobody who is searched for; it stays in the gallery and hurts."""

SPLIT_NAMES = ("train", "query", "gallery", "locked_query", "locked_gallery")
"""The splits a data set can have, in the order in which files and reports list them."""

Vectors = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """One crop of a data set.

    ``image_id`` is unique within its data set and stable between runs: the path relative to the root, with
    forward slashes. ``pid`` is -1 for junk, 0 for a distractor, ``None`` when nobody said who it is.
    ``camid`` counts from 1, as file names do. ``time_s`` is seconds on the data set's own clock.
    ``attributes`` are further columns of a manifest, for display and slicing only.
    """

    image_id: str
    path: Path
    pid: int | None = None
    camid: int | None = None
    time_s: float | None = None
    attributes: Mapping[str, str] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        if not self.image_id:
            raise InputError(
                f"An image record for {self.path} has an empty id; give the path below the root."
            )
        if self.pid is not None and self.pid < JUNK_PID:
            raise InputError(
                f"{self.image_id} has pid {self.pid}; expected -1 (junk), 0 (distractor) or above."
            )


@dataclass(frozen=True, slots=True)
class Refusal:
    """Something that was not read, and why, in words a person can act on."""

    item: str
    reason: str


@dataclass(frozen=True, slots=True)
class Dataset:
    """A data set as its protocol splits it. A split that does not exist is empty.

    ``train`` trains, ``query`` is searched in ``gallery``; ``locked_query`` and ``locked_gallery`` are a
    second test of other identities that correction pages never show. ``notes`` are sentences for the person
    who opened it (licence, choices made); ``refused`` lists what was not read.
    """

    name: str
    root: Path
    train: tuple[ImageRecord, ...] = ()
    query: tuple[ImageRecord, ...] = ()
    gallery: tuple[ImageRecord, ...] = ()
    locked_query: tuple[ImageRecord, ...] = ()
    locked_gallery: tuple[ImageRecord, ...] = ()
    notes: tuple[str, ...] = ()
    refused: tuple[Refusal, ...] = ()

    def splits(self) -> dict[str, tuple[ImageRecord, ...]]:
        """Records by split name, all of ``SPLIT_NAMES`` in their order, empty ones too."""
        return {name: getattr(self, name) for name in SPLIT_NAMES}


@dataclass(frozen=True, slots=True)
class EmbeddingSet:
    """N embeddings with the ids they belong to.

    ``vectors`` is (N, D) float32 with rows of L2 norm 1; row i belongs to ``ids[i]``. ``skipped`` lists the
    images that could not be read, in input order. ``fingerprint`` names weights and preprocessing: vectors
    with different fingerprints must never be compared.
    """

    vectors: Vectors
    ids: tuple[str, ...]
    fingerprint: str
    skipped: tuple[Refusal, ...] = ()

    def __post_init__(self) -> None:
        if self.vectors.ndim != 2 or self.vectors.dtype != np.float32:
            raise InputError(
                f"Embeddings have shape {self.vectors.shape} and type {self.vectors.dtype}, "
                "expected (N, D) float32."
            )
        if len(self.ids) != len(self.vectors):
            raise InputError(
                f"{len(self.ids)} ids for {len(self.vectors)} embeddings; every row needs its id."
            )
        norms = np.linalg.norm(self.vectors, axis=1)
        if not np.all(np.abs(norms - 1.0) < 1e-3):  # also false for NaN
            worst = int(np.nanargmax(np.where(np.isfinite(norms), np.abs(norms - 1.0), np.inf)))
            raise InputError(
                f"Embedding of {self.ids[worst]} has norm {norms[worst]:.4g}, expected 1: L2-normalise rows, "
                "and check the weights if a row is zero or NaN."
            )

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, slots=True)
class Hit:
    """One ranked gallery image. ``rank`` counts from 1; ``similarity`` is the cosine, large is close."""

    rank: int
    image_id: str
    similarity: float
