"""The three pools of a base data set: train, feedback (where people correct), locked test (nobody sees)."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from reid_core.errors import CancelledError, DatasetError
from reid_core.types import SPLIT_NAMES, Dataset, ImageRecord

Pool = Literal["train", "feedback", "locked"]

POOL_OF_SPLIT: Mapping[str, Pool] = MappingProxyType(
    {
        "train": "train",
        "query": "feedback",
        "gallery": "feedback",
        "locked_query": "locked",
        "locked_gallery": "locked",
    }
)


@dataclass(frozen=True, slots=True)
class PoolCrop:
    """One crop of the base data set. ``splits`` are those that list it, all of one pool, in their order."""

    image_id: str
    path: Path
    splits: tuple[str, ...]
    sha256: str
    pid: int | None
    camid: int | None
    time_s: float | None

    @property
    def pool(self) -> Pool:
        """The part that the crop belongs to."""
        return POOL_OF_SPLIT[self.splits[0]]


@dataclass(frozen=True)
class Pools:
    """A base data set with the content of every file, by pool. ``crops`` are sorted by id."""

    name: str
    crops: tuple[PoolCrop, ...]

    @cached_property
    def by_id(self) -> Mapping[str, PoolCrop]:
        """Crops by id."""
        return MappingProxyType({crop.image_id: crop for crop in self.crops})

    @cached_property
    def base_hash(self) -> str:
        """SHA-256 of every id, split, label, camera, time and content; folders and names do not matter."""
        digest = hashlib.sha256(b"reid-base/1\n")
        for crop in self.crops:
            row = [crop.image_id, crop.splits, crop.pid, crop.camid, crop.time_s, crop.sha256]
            digest.update(json.dumps(row).encode() + b"\n")
        return digest.hexdigest()

    def of(self, pool: Pool) -> tuple[PoolCrop, ...]:
        """The crops of one pool."""
        return tuple(crop for crop in self.crops if crop.pool == pool)

    def sizes(self) -> dict[Pool, tuple[int, int]]:
        """Per pool the number of crops and of identities (pid above 0)."""
        crops: Counter[Pool] = Counter(crop.pool for crop in self.crops)
        people = Counter(
            pool for pool, pid in {(c.pool, c.pid) for c in self.crops} if pid is not None and pid > 0
        )
        pools: tuple[Pool, ...] = ("train", "feedback", "locked")
        return {pool: (crops[pool], people[pool]) for pool in pools}


def pools_of(
    dataset: Dataset,
    *,
    hashes: Mapping[str, str] | None = None,
    report: Callable[[int, int], None] | None = None,
    is_cancelled: Callable[[], bool] = lambda: False,
) -> Pools:
    """The pools of a data set: ``train``; ``query`` and ``gallery`` for feedback; the locked splits.

    Args:
        dataset: As its reader gives it.
        hashes: SHA-256 of crops that are known already, by id; the files of all others are read.
        report: Called with (files read, files).
        is_cancelled: Asked often.

    Raises:
        DatasetError: A crop is in two pools, or its file cannot be read.
        CancelledError: ``is_cancelled`` said so.
    """
    known = hashes or {}
    splits_of: dict[str, list[str]] = {}
    records: dict[str, ImageRecord] = {}
    for split in SPLIT_NAMES:
        for record in dataset.splits()[split]:
            splits_of.setdefault(record.image_id, []).append(split)
            records.setdefault(record.image_id, record)
    crops = []
    for number, image_id in enumerate(sorted(records)):
        if is_cancelled():
            raise CancelledError("Reading the base data set was stopped.")
        if report is not None and number % 200 == 0:
            report(number, len(records))
        record, splits = records[image_id], tuple(splits_of[image_id])
        pools = sorted({POOL_OF_SPLIT[split] for split in splits})
        if len(pools) > 1:
            raise DatasetError(
                f"{dataset.name}: {image_id} is listed in {' and '.join(splits)}, which are the pools "
                f"{' and '.join(pools)}; every crop belongs to one. Correct the splits (`reid check`)."
            )
        sha256 = known.get(image_id) or _sha256_of(record.path, image_id)
        crops.append(PoolCrop(image_id, record.path, splits, sha256, record.pid, record.camid, record.time_s))
    return Pools(dataset.name, tuple(crops))


def sha256_lines(lines: Iterable[str]) -> str:
    """SHA-256 of texts, each ended by a line feed."""
    digest = hashlib.sha256()
    for line in lines:
        digest.update(line.encode() + b"\n")
    return digest.hexdigest()


def _sha256_of(path: Path, image_id: str) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise DatasetError(
            f"{image_id} could not be read ({error.strerror}). Was the data set moved? Import it again."
        ) from error
