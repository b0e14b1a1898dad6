"""Find the same picture twice: exact copies by SHA-256, near copies by a perceptual hash of our own.

The hash has 128 bits: 64 for whether brightness rises from left to right, 64 from top to bottom, between
cells of a small grey thumbnail (a difference hash in both directions). Re-encoding, scaling and slight
brightness changes flip few bits; another moment of the same walk usually flips more than ``NEAR_BITS``.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from reid_core.errors import CancelledError, ImageReadError
from reid_core.images import read_image

NEAR_BITS = 6
"""Two images whose hashes differ in at most this many of 128 bits are called near copies."""

_CELLS = 8
_FLAT_CONTRAST = 12
"""Thumbnails with a smaller range of grey levels (of 256) get no hash: theirs would be noise."""
_NUM_BANDS = NEAR_BITS + 1  # at most NEAR_BITS differing bits leave one of NEAR_BITS + 1 bands untouched
_MAX_BUCKET = 2_000


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What was learned from one file. ``error`` is set, and the rest empty, when it could not be decoded.

    ``width`` and ``height`` are pixels after turning by EXIF; ``bits`` is (2,) uint64, None for a flat
    picture.
    """

    sha256: str
    width: int = 0
    height: int = 0
    bits: NDArray[np.uint64] | None = None
    error: str | None = None


def fingerprint_file(path: Path) -> Fingerprint:
    """Read, hash and decode one image file; damage is reported in the result, never raised."""
    try:
        content = path.read_bytes()
    except OSError as error:
        return Fingerprint("", error=f"cannot be opened ({error.strerror})")
    sha256 = hashlib.sha256(content).hexdigest()
    if not content:
        return Fingerprint(sha256, error="is empty")
    try:
        image = read_image(path, name=path.name)
    except ImageReadError as error:
        return Fingerprint(sha256, error=str(error))
    return Fingerprint(sha256, image.width, image.height, difference_bits(image))


def difference_bits(image: Image.Image) -> NDArray[np.uint64] | None:
    """The 128-bit hash of a picture as (2,) uint64, or None if it is nearly flat."""
    grey = image.convert("L")
    across = np.asarray(grey.resize((_CELLS + 1, _CELLS), Image.Resampling.BOX), dtype=np.int16)
    down = np.asarray(grey.resize((_CELLS, _CELLS + 1), Image.Resampling.BOX), dtype=np.int16)
    if np.ptp(across) < _FLAT_CONTRAST and np.ptp(down) < _FLAT_CONTRAST:
        return None
    bits = np.concatenate([(across[:, 1:] > across[:, :-1]).ravel(), (down[1:] > down[:-1]).ravel()])
    return np.packbits(bits).view(np.uint64)


def fingerprint_all(
    paths: Sequence[Path],
    *,
    progress: Callable[[int, int], None] | None = None,
    is_cancelled: Callable[[], bool] | None = None,
) -> list[Fingerprint]:
    """Fingerprints in the order of ``paths``.

    Raises:
        CancelledError: ``is_cancelled`` returned True.
    """
    found = []
    for done, path in enumerate(paths, start=1):
        if is_cancelled is not None and is_cancelled():
            raise CancelledError("The check was stopped.")
        found.append(fingerprint_file(path))
        if progress is not None:
            progress(done, len(paths))
    return found


def exact_groups(fingerprints: Sequence[Fingerprint]) -> list[tuple[int, ...]]:
    """Indices of files with equal content, every group of two or more, in order of first appearance."""
    groups: dict[str, list[int]] = defaultdict(list)
    for index, one in enumerate(fingerprints):
        if one.sha256:
            groups[one.sha256].append(index)
    return [tuple(members) for members in groups.values() if len(members) > 1]


def near_pairs(fingerprints: Sequence[Fingerprint]) -> Iterator[tuple[int, int]]:
    """Pairs of indices (i < j) whose pictures nearly agree but whose files differ, each once, in order.

    Exact but for crowds: of more than 2,000 pictures that share a seventh of their bits, the first 2,000 are
    compared, so that a folder of one repeated scene cannot take for ever.
    """
    indices = np.array([i for i, one in enumerate(fingerprints) if one.bits is not None], dtype=np.int64)
    if len(indices) < 2:
        return
    words = np.stack([one.bits for one in fingerprints if one.bits is not None])
    bits = np.unpackbits(words.view(np.uint8), axis=1)
    found: set[tuple[int, int]] = set()
    for columns in np.array_split(np.arange(bits.shape[1]), _NUM_BANDS):
        for members in _buckets(bits[:, columns]):
            found |= _close_pairs(words, members)
    for first, second in sorted(found):
        i, j = int(indices[first]), int(indices[second])
        if fingerprints[i].sha256 != fingerprints[j].sha256:
            yield i, j


def _buckets(band: NDArray[np.uint8]) -> Iterator[NDArray[np.int64]]:
    """Rows with equal bits in one band."""
    keys = np.packbits(band, axis=1)
    padded = np.zeros((len(keys), 8), dtype=np.uint8)
    padded[:, : keys.shape[1]] = keys
    values = padded.view(np.uint64).ravel()
    order = np.argsort(values, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(values[order].astype(np.int64)) != 0])
    for members in np.split(order, starts[1:]):
        if len(members) > 1:
            yield members[:_MAX_BUCKET]


def _close_pairs(words: NDArray[np.uint64], members: NDArray[np.int64]) -> set[tuple[int, int]]:
    pairs = set()
    for position, first in enumerate(members[:-1]):
        others = members[position + 1 :]
        different = np.unpackbits((words[others] ^ words[first]).view(np.uint8), axis=1).sum(axis=1)
        for second in others[different <= NEAR_BITS]:
            pairs.add((min(int(first), int(second)), max(int(first), int(second))))
    return pairs
