"""Splits that a benchmark leaves to chance, drawn from a seed and kept as JSON with a hash of its content.

The order comes from SHA-256 of seed and item, not from a random generator: it is the same on every machine
and with every version of NumPy, and the file proves that nobody changed it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reid_core.errors import DatasetError

FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True)
class SplitFile:
    """``splits[i]`` lists the items (identities, as text) of split ``i`` that the dataset module gives a
    role.

    ``origin`` says in words how they came about, e.g. the seed or the file that they were read from.
    """

    dataset: str
    origin: str
    splits: tuple[tuple[str, ...], ...]

    @property
    def sha256(self) -> str:
        """Hash of the content, independent of how the JSON is laid out."""
        return hashlib.sha256(_canonical(self._payload()).encode()).hexdigest()

    def write(self, path: Path) -> None:
        """Store as JSON with its hash; equal splits give equal bytes."""
        payload = {**self._payload(), "sha256": self.sha256}
        partial = path.with_name(f".{path.name}.partial")
        partial.write_text(json.dumps(payload, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        partial.replace(path)

    def _payload(self) -> dict[str, Any]:
        return {
            "format": FORMAT_VERSION,
            "dataset": self.dataset,
            "origin": self.origin,
            "splits": [list(split) for split in self.splits],
        }


def read_split_file(path: Path, *, dataset: str) -> SplitFile:
    """Read a stored split and verify its hash.

    Raises:
        DatasetError: Not such a file, made for another data set, or changed after it was written.
    """
    try:
        payload = json.loads(path.read_text(encoding="utf-8"))
        stored = SplitFile(
            dataset=str(payload["dataset"]),
            origin=str(payload["origin"]),
            splits=tuple(tuple(str(item) for item in split) for split in payload["splits"]),
        )
        version, sha256 = payload["format"], payload["sha256"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DatasetError(
            f"{path} is not a split file of ours ({error!r}). Remove it to have it made anew."
        ) from error
    if version != FORMAT_VERSION or stored.dataset != dataset:
        raise DatasetError(
            f"{path} is for {stored.dataset!r} in format {version}, expected {dataset!r} in format "
            f"{FORMAT_VERSION}. Remove it to have it made anew."
        )
    if sha256 != stored.sha256:
        raise DatasetError(
            f"{path} was changed: its content has the hash {stored.sha256[:12]}, it says "
            f"{str(sha256)[:12]}. Results on it compare with nothing; remove it to have it made anew."
        )
    return stored


def seeded_order(items: Iterable[str], *, seed: int, purpose: str) -> tuple[str, ...]:
    """Distinct items in an order that depends on the seed, the purpose and each item alone."""
    distinct = set(items)
    return tuple(sorted(distinct, key=lambda item: (_digest(seed, purpose, item), item)))


def _digest(seed: int, purpose: str, item: str) -> bytes:
    return hashlib.sha256(json.dumps([seed, purpose, item]).encode()).digest()


def _canonical(payload: dict[str, Any]) -> str:
    return json.dumps(payload, sort_keys=True, separators=(",", ":"))
