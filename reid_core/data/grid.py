"""QMUL GRID (Loy et al., CVPR 2009): 250 people seen by two of 8 cameras, and 775 images of others.

``probe/0001_1_25004_107_32_106_221.jpeg`` is person 1 in camera 1; ``gallery/0000_...`` belongs to nobody in
``probe`` (distractor). ``features_and_partitions.mat`` gives 10 splits of 125 people for training; the other
125 are searched among their gallery images and all distractors. The mean over the 10 is reported.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from reid_core.data.facts import terms_notes
from reid_core.data.listing import list_files
from reid_core.errors import DatasetError, InputError
from reid_core.types import DISTRACTOR_PID, Dataset, ImageRecord, Refusal

NUM_SPLITS = 10
PARTITIONS_NAME = "features_and_partitions.mat"

_NAME = re.compile(r"(?P<pid>\d{4,9})_(?P<camid>\d{1,4})_.*", re.ASCII | re.S)
_PERSON_FIELD_INDEX = 2
"""Published readers take the third field of a partition; it is called personIdx."""


def read_grid(root: str | Path, *, split: int = 0) -> Dataset:
    """Read one of the 10 splits.

    Args:
        root: The folder that holds ``probe``, ``gallery`` and ``features_and_partitions.mat``.
        split: 0 to 9.

    Raises:
        InputError: ``split`` is out of range.
        DatasetError: A folder or the partitions are missing or of another form.
    """
    if not 0 <= split < NUM_SPLITS:
        raise InputError(f"GRID has splits 0 to {NUM_SPLITS - 1}, not {split}.")
    base = Path(root).expanduser().absolute()
    training = _read_training_people(base / PARTITIONS_NAME, split)
    refused: list[Refusal] = []
    probe, gallery = (_read_folder(base, folder, refused) for folder in ("probe", "gallery"))
    refused.extend(Refusal(r.image_id, "a probe of pid 0") for r in probe if r.pid == DISTRACTOR_PID)
    people = {record.pid for record in probe if record.pid != DISTRACTOR_PID}
    unknown = sorted(training - people)
    if unknown:
        refused.append(
            Refusal(
                PARTITIONS_NAME, f"trains on person {unknown[0]} and {len(unknown) - 1} others without probe"
            )
        )
    return Dataset(
        name="grid",
        root=base,
        train=tuple(record for record in (*gallery, *probe) if record.pid in training),
        query=tuple(record for record in probe if record.pid in people - training),
        gallery=tuple(record for record in gallery if record.pid not in training),
        notes=(
            *terms_notes("grid"),
            f"Split {split} of {NUM_SPLITS}, from {PARTITIONS_NAME}. Report the mean over all splits.",
            "Gallery images of pid 0 are distractors: they stay in the gallery of every split.",
        ),
        refused=tuple(refused),
    )


def _read_folder(base: Path, folder: str, refused: list[Refusal]) -> tuple[ImageRecord, ...]:
    if not (base / folder).is_dir():
        raise DatasetError(f"{base} has no folder {folder}; GRID (underground_reid) has probe and gallery.")
    listing = list_files(base, folder, recursive=False)
    refused.extend(listing.refused)
    records = []
    for image_id in listing.images:
        match = _NAME.fullmatch(image_id.rpartition("/")[2].partition(".")[0])
        if match is None:
            refused.append(Refusal(image_id, "the file name is not like 0001_1_25004_107_32_106_221.jpeg"))
        else:
            records.append(ImageRecord(image_id, base / image_id, int(match["pid"]), int(match["camid"])))
    return tuple(records)


def _read_training_people(path: Path, split: int) -> set[int]:
    """Numbers of the people who train in one split."""
    from scipy.io import loadmat

    if not path.is_file():
        raise DatasetError(
            f"{path} is missing. It comes with GRID (underground_reid.zip) and holds the 10 splits."
        )
    try:
        partitions = loadmat(path, variable_names=["trainIdxAll"])["trainIdxAll"].ravel()
        people = _person_numbers(partitions[split])
    except (KeyError, IndexError, ValueError, TypeError, NotImplementedError, OSError) as error:
        raise DatasetError(
            f"{path} has no training partition {split} in 'trainIdxAll' ({error!r}); take the file that "
            "came with GRID."
        ) from error
    if not people or min(people) < 1:
        raise DatasetError(
            f"{path}: training partition {split} lists {len(people)} people, expected numbers above 0."
        )
    return people


def _person_numbers(partition: Any) -> set[int]:
    """The person numbers of one partition: a MATLAB struct whose field personIdx is a row of numbers."""
    record = partition
    while isinstance(record, np.ndarray):
        record = record.ravel()[0]
    names = record.dtype.names or ()
    numbers = record["personIdx"] if "personIdx" in names else record[_PERSON_FIELD_INDEX]
    return {int(number) for number in np.asarray(numbers).ravel()}
