"""Market-1501 (Zheng et al., ICCV 2015) and every data set that is laid out or named like it.

Layouts: ``bounding_box_train, query, bounding_box_test`` (the original), or ``train, query, gallery`` and
``locked_query, locked_gallery`` (our demo city). File names tell everything: ``0002_c1s1_000451_03.jpg`` is
identity 2, camera 1, sequence 1, frame 451, box 3; ``-1`` is junk, ``0000`` a distractor. Only the name of
the file itself is parsed: a parent folder called ``run-3_c2`` must not change a label.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from reid_core.data.listing import list_files, list_folders
from reid_core.data.manifest import read_annotations
from reid_core.errors import DatasetError
from reid_core.types import DISTRACTOR_PID, Dataset, ImageRecord, Refusal

FRAMES_PER_SECOND = 25.0
"""Market-1501's cameras; turns the frame number of a name into seconds of its camera's sequence."""

SPLIT_FOLDERS = {
    "bounding_box_train": "train",
    "bounding_box_test": "gallery",
    "train": "train",
    "query": "query",
    "gallery": "gallery",
    "locked_query": "locked_query",
    "locked_gallery": "locked_gallery",
}
"""Folder name to split, of both layouts."""
DISTRACTOR_FOLDERS = ("distractors_500k", "distractors", "images")
"""Where the +500k distractors lie; ``images`` is what others call the folder."""

_MARKET_NAME = re.compile(
    r"(?P<pid>-1|\d{1,9})_c(?P<camid>\d{1,4})(?:s(?P<sequence>\d+)(?:_(?P<frame>\d{1,12}))?)?(?:_.*)?",
    re.ASCII | re.S,
)


@dataclass(frozen=True, slots=True)
class ParsedName:
    """What a file name says; see ``ImageRecord`` for the meaning of the fields."""

    pid: int
    camid: int
    time_s: float | None = None
    sequence: str | None = None


NameParser = Callable[[str], "ParsedName | None"]
"""File name (no folders) to labels, or None when the name follows another convention."""


def parse_market_name(file_name: str) -> ParsedName | None:
    """Labels in a Market-1501 file name, or None.

    ``0002_c1s1_000451_03.jpg`` in full; names that stop after the camera (``0002_c1_0007.jpg``, as
    conversions of other data sets have them) are read without a time.
    """
    match = _MARKET_NAME.fullmatch(file_name.partition(".")[0])
    if match is None:
        return None
    frame = match["frame"]
    return ParsedName(
        pid=int(match["pid"]),
        camid=int(match["camid"]),
        time_s=None if frame is None else int(frame) / FRAMES_PER_SECOND,
        sequence=match["sequence"],
    )


def read_market1501(root: str | Path, *, distractors: bool = False) -> Dataset:
    """Read a data set in one of the two layouts.

    Args:
        root: The folder that holds the split folders. A ``manifest.csv`` in it may give times and attributes;
            where it names pid or camid they must agree with the file name.
        distractors: Add the +500k distractors (``distractors_500k/``, ``distractors/`` or ``images/``) to the
            gallery; they are pid 0 whatever their names say.

    Raises:
        DatasetError: No split folder, no readable image, the distractors are asked for but absent, or
            ``manifest.csv`` contradicts the file names.
    """
    base = Path(root).expanduser().absolute()
    dataset = read_split_folders(base, parse_market_name, convention="0002_c1s1_000451_03.jpg")
    notes = list(dataset.notes)
    if distractors:
        dataset, note = _add_distractors(dataset)
        notes.append(note)
    if (base / "manifest.csv").is_file():
        dataset = _merge_annotations(dataset, base / "manifest.csv")
        notes.append("Times and attributes come from manifest.csv.")
    elif any(record.time_s is not None for records in dataset.splits().values() for record in records):
        notes.append(
            "Times are frame number / 25 on the clock of one camera's sequence: compare them within it only."
        )
    return replace(dataset, notes=tuple(notes))


def split_folders_in(root: Path) -> dict[str, str]:
    """Folders of ``root`` that hold a split, as folder name -> split name.

    Raises:
        DatasetError: Two folders claim one split (``train`` beside ``bounding_box_train``).
    """
    found = {
        name: SPLIT_FOLDERS[name.lower()] for name in list_folders(root) if name.lower() in SPLIT_FOLDERS
    }
    for split in sorted(set(found.values())):
        claims = sorted(name for name, claimed in found.items() if claimed == split)
        if len(claims) > 1:
            raise DatasetError(f"{root} has {claims}, which both hold the {split} split; keep one of them.")
    return found


def read_split_folders(base: Path, parse_name: NameParser, *, convention: str) -> Dataset:
    """Read folders of images whose names carry the labels; ``convention`` is a sample name for messages.

    Raises:
        DatasetError: No split folder, or no file in them that follows the convention.
    """
    if not base.is_dir():
        raise DatasetError(f"{base} is not a folder. Check the path and that the data set is unpacked there.")
    folders = split_folders_in(base)
    if not folders:
        raise DatasetError(
            f"{base} has none of the folders {', '.join(SPLIT_FOLDERS)}. "
            "Give the folder that holds them, or choose another layout."
        )
    splits: dict[str, tuple[ImageRecord, ...]] = {}
    refused: list[Refusal] = []
    for folder, split in sorted(folders.items()):
        splits[split] = _read_folder(base, folder, parse_name, convention, refused)
    if not any(splits.values()):
        example = f" First reason: {refused[0].item}: {refused[0].reason}." if refused else ""
        raise DatasetError(f"{base} has no image named like {convention} in {sorted(folders)}.{example}")
    notes = [f"There is no {name} folder." for name in ("query", "gallery", "train") if not splits.get(name)]
    return Dataset(name=base.name, root=base, notes=tuple(notes), refused=tuple(refused), **splits)


def record_from_name(base: Path, image_id: str, parsed: ParsedName) -> ImageRecord:
    """The record of one file below ``base`` whose name was parsed."""
    attributes = {} if parsed.sequence is None else {"sequence": parsed.sequence}
    return ImageRecord(image_id, base / image_id, parsed.pid, parsed.camid, parsed.time_s, attributes)


def _read_folder(
    base: Path, folder: str, parse_name: NameParser, convention: str, refused: list[Refusal]
) -> tuple[ImageRecord, ...]:
    listing = list_files(base, folder)
    refused.extend(listing.refused)
    refused.extend(Refusal(name, "not an image file") for name in listing.others)
    records = []
    for image_id in listing.images:
        parsed = parse_name(image_id.rpartition("/")[2])
        if parsed is None:
            refused.append(Refusal(image_id, f"the file name is not like {convention}"))
        else:
            records.append(record_from_name(base, image_id, parsed))
    return tuple(records)


def _add_distractors(dataset: Dataset) -> tuple[Dataset, str]:
    folder = next((name for name in DISTRACTOR_FOLDERS if (dataset.root / name).is_dir()), None)
    if folder is None:
        raise DatasetError(
            f"{dataset.root} has no folder {', '.join(DISTRACTOR_FOLDERS)}; unpack the 500k distractors "
            "there or open the data set without them."
        )
    listing = list_files(dataset.root, folder)
    records = []
    for image_id in listing.images:
        parsed = parse_market_name(image_id.rpartition("/")[2])
        camid = None if parsed is None else parsed.camid
        records.append(ImageRecord(image_id, dataset.root / image_id, DISTRACTOR_PID, camid))
    note = f"{len(records):,} extra distractors from {folder}/ are in the gallery as pid 0."
    return replace(dataset, gallery=dataset.gallery + tuple(records)), note


def _merge_annotations(dataset: Dataset, manifest: Path) -> Dataset:
    annotations = read_annotations(manifest)
    splits = {
        name: tuple(_merge_record(record, annotations, manifest) for record in records)
        for name, records in dataset.splits().items()
    }
    known = {record.image_id for records in splits.values() for record in records}
    absent = sorted(set(annotations) - known)
    refused = tuple(
        Refusal(name, f"is listed in {manifest.name} but was not read from a file") for name in absent
    )
    return Dataset(
        name=dataset.name, root=dataset.root, notes=dataset.notes, refused=dataset.refused + refused, **splits
    )


def _merge_record(record: ImageRecord, annotations: dict[str, ImageRecord], manifest: Path) -> ImageRecord:
    row = annotations.get(record.image_id)
    if row is None:
        return record
    for column, named, listed in (("pid", record.pid, row.pid), ("camid", record.camid, row.camid)):
        if listed is not None and listed != named:
            raise DatasetError(
                f"{manifest} gives {column} {listed} for {record.image_id}, but the file name says {named}; "
                "correct one of them."
            )
    time_s = record.time_s if row.time_s is None else row.time_s
    return replace(record, time_s=time_s, attributes={**record.attributes, **row.attributes})
