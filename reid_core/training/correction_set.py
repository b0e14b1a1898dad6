"""An exported retraining set in memory: which crops are replay, how much each counts, what people judged.

The folder's format is ``reid-retraining-set/1``; the texts of its files are described where it is written.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reid_core.data import read_manifest
from reid_core.errors import DatasetError
from reid_core.training.crops import TrainingCrops, crops_of_records
from reid_core.types import ImageRecord

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float32]

ORIGINS = ("base", "feedback")


@dataclass(frozen=True, eq=False)
class JudgedPairs:
    """M pairs of training crops that a person judged: ``rows`` (M, 2) int64, ``is_must`` (M,) bool,
    ``weights`` (M,) float32, log-likelihood ratios above 0."""

    rows: IntArray
    is_must: NDArray[np.bool_]
    weights: FloatArray

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True, eq=False)
class CorrectionSet:
    """What the recipe "from corrections" learns from.

    Attributes:
        crops: N crops that train, under their corrected identities.
        is_replay: (N,) bool: of the base set.
        weights: (N,) float32 in (0, 1]: how certain a crop's identity is.
        pairs: Judgements on pairs of crops.
        triplets: (T, 3) int64 rows anchor, positive, negative. violations: (T,) float32, above 0 where the
            old model ranked the negative first.
        query, gallery: Corrected identities that do not train, for choosing; may be empty.
    """

    crops: TrainingCrops
    is_replay: NDArray[np.bool_]
    weights: FloatArray
    pairs: JudgedPairs
    triplets: IntArray
    violations: FloatArray
    query: TrainingCrops
    gallery: TrainingCrops

    def conflicts(self) -> list[tuple[int, int]]:
        """Pairs of different identities (pids) of which somebody told two crops apart."""
        pids = self.crops.pids[self.pairs.rows[~self.pairs.is_must]]
        return sorted({(int(min(pair)), int(max(pair))) for pair in pids.tolist() if pair[0] != pair[1]})


def read_correction_set(folder: str | Path, *, size: tuple[int, int]) -> CorrectionSet:
    """Read an exported retraining set.

    Args:
        folder: As exported, with ``manifest.csv``, ``constraints.csv`` and ``triplets.csv``.
        size: (height, width) that crops are resized to.

    Raises:
        DatasetError: A file is missing or faulty, or a constraint names a crop that does not train.
    """
    root = Path(folder)
    dataset = read_manifest(root / "manifest.csv")
    train = [record for record in dataset.train if record.pid is not None and record.pid > 0]
    if not train:
        raise DatasetError(f"{root} has no training crops; freeze a set in which something was corrected.")
    row_of = {record.image_id: row for row, record in enumerate(train)}
    constraints = list(_rows(root / "constraints.csv", ("left", "right", "kind", "weight")))
    triplets = list(_rows(root / "triplets.csv", ("anchor", "positive", "negative", "violation")))
    unknown = {row["kind"] for row in constraints} - {"must", "cannot"}
    if unknown:
        raise DatasetError(f"{root / 'constraints.csv'} has kinds {sorted(unknown)}; expected must, cannot.")
    return CorrectionSet(
        crops=crops_of_records(train, size=size),
        is_replay=np.array([_origin(root, record) == "base" for record in train]),
        weights=np.array([_weight(root, record) for record in train], dtype=np.float32),
        pairs=JudgedPairs(
            _places(root / "constraints.csv", constraints, ("left", "right"), row_of),
            np.array([row["kind"] == "must" for row in constraints], dtype=np.bool_),
            np.array([float(row["weight"]) for row in constraints], dtype=np.float32),
        ),
        triplets=_places(root / "triplets.csv", triplets, ("anchor", "positive", "negative"), row_of),
        violations=np.array([float(row["violation"]) for row in triplets], dtype=np.float32),
        query=crops_of_records(dataset.query, size=size),
        gallery=crops_of_records(dataset.gallery, size=size),
    )


def _rows(path: Path, columns: tuple[str, ...]) -> Iterator[dict[str, str]]:
    if not path.is_file():
        raise DatasetError(f"{path} is missing: this is not an exported retraining set. Export it again.")
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        absent = sorted(set(columns) - set(reader.fieldnames or ()))
        if absent:
            raise DatasetError(f"{path} has no column {', '.join(absent)}; found {reader.fieldnames}.")
        yield from reader


def _places(
    path: Path, rows: list[dict[str, str]], columns: tuple[str, ...], row_of: dict[str, int]
) -> IntArray:
    absent = next((row[name] for row in rows for name in columns if row[name] not in row_of), None)
    if absent is not None:
        raise DatasetError(f"{path} names {absent}, which is not a training crop. Export the set again.")
    places = [[row_of[row[name]] for name in columns] for row in rows]
    return np.array(places, dtype=np.int64).reshape(len(rows), len(columns))


def _origin(root: Path, record: ImageRecord) -> str:
    origin = record.attributes.get("origin", "")
    if origin not in ORIGINS:
        raise DatasetError(
            f"{root / 'manifest.csv'}: {record.image_id} has origin {origin!r}, not {ORIGINS}."
        )
    return origin


def _weight(root: Path, record: ImageRecord) -> float:
    text = record.attributes.get("weight", "")
    try:
        weight = float(text)
    except ValueError:
        weight = 0.0
    if not 0.0 < weight <= 1.0:
        raise DatasetError(
            f"{root / 'manifest.csv'}: {record.image_id} has weight {text!r}, expected in (0, 1]."
        )
    return weight
