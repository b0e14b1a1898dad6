"""MSMT17 (Wei et al., CVPR 2018), version 1 and version 2 (faces masked).

Four lists name the images: ``list_train.txt``, ``list_val.txt``, ``list_query.txt``, ``list_gallery.txt``,
lines like ``0000/0000_000_01_0303morning_0008_0.jpg 0``. In a name: identity, running number, camera (1 to
15), day and time of day, frame, box. Labels in the lists count from 0, separately for training and test; our
pids are 1 to 1,041 in training and 1,042 to 4,101 in test, so that no real person is pid 0 and no two share
a number.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from reid_core.data.facts import terms_notes
from reid_core.data.listing import list_files
from reid_core.errors import DatasetError
from reid_core.types import Dataset, ImageRecord, Refusal

NUM_TRAIN_IDENTITIES = 1_041
VERSIONS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {"v1": ("train", "test"), "v2": ("mask_train_v2", "mask_test_v2")}
)
"""Version to its folders of training and test images."""
LIST_NAMES = ("list_train.txt", "list_val.txt", "list_query.txt", "list_gallery.txt")

_NAME = re.compile(
    r"(?P<pid>\d{4,})_(?P<number>\d+)_(?P<camid>\d{1,4})_(?P<day>\d{4})(?P<part>[a-z]+)_(?P<frame>\d+)_.*",
    re.ASCII,
)
_TEST_OFFSET = 1 + NUM_TRAIN_IDENTITIES


def find_msmt17(root: Path) -> tuple[str, Path] | None:
    """Version and folder of an MSMT17 copy in ``root`` or in its ``MSMT17_V1`` / ``MSMT17_V2``; V1 first."""
    for version, (train, test) in VERSIONS.items():
        for base in (root, root / f"MSMT17_{version.upper()}"):
            if (base / LIST_NAMES[2]).is_file() and ((base / train).is_dir() or (base / test).is_dir()):
                return version, base
    return None


def read_msmt17(root: str | Path, *, with_val: bool, version: str | None = None) -> Dataset:
    """Read MSMT17 by its lists; every listed file is looked for, none is opened.

    Args:
        root: The folder that holds the lists, or the one above it.
        with_val: Whether the images of ``list_val.txt`` train too. Torchreid and FastReID say no (30,248
            images), TransReID and its heirs say yes (32,621), and papers seldom say which: so you must.
        version: ``v1`` or ``v2``; by default v1 where both are there.

    Raises:
        DatasetError: No such copy there, a folder or list is absent, or a list has lines of another form.
    """
    base, found = _locate(Path(root).expanduser().absolute(), version)
    train_folder, test_folder = VERSIONS[found]
    train_files, test_files = _Folder(base, train_folder), _Folder(base, test_folder)
    train = train_files.read_list("list_train.txt", offset=1)
    if with_val:
        train = sorted((*train, *train_files.read_list("list_val.txt", offset=1)), key=lambda r: r.image_id)
    query = test_files.read_list("list_query.txt", offset=_TEST_OFFSET)
    gallery = test_files.read_list("list_gallery.txt", offset=_TEST_OFFSET)
    if not (train or query or gallery):
        raise DatasetError(f"No image that the lists in {base} name is in {train_folder}/ or {test_folder}/.")
    return Dataset(
        name=f"msmt17-{found}",
        root=base,
        train=tuple(train),
        query=tuple(query),
        gallery=tuple(gallery),
        notes=(
            *terms_notes("msmt17"),
            f"Version {found[1]} ({'faces masked' if found == 'v2' else 'faces visible'}).",
            _val_note(with_val),
            "pid = label in the lists + 1 in training (1 to 1,041) and + 1,042 in test; camera = third part "
            "of the name, which counts from 1.",
            *_unlisted_notes(train_files, test_files, with_val=with_val),
        ),
        refused=(*train_files.refused, *test_files.refused),
    )


def _locate(root: Path, version: str | None) -> tuple[Path, str]:
    if version is not None and version not in VERSIONS:
        raise DatasetError(f"MSMT17 has no version {version!r}; choose v1 or v2.")
    if version is None:
        found = find_msmt17(root)
        if found is not None:
            return found[1], found[0]
        raise DatasetError(
            f"{root} is no copy of MSMT17: expected {', '.join(LIST_NAMES)} beside train/ and test/ (V1) or "
            "mask_train_v2/ and mask_test_v2/ (V2), there or in MSMT17_V1/ or MSMT17_V2/."
        )
    for base in (root / f"MSMT17_{version.upper()}", root):
        if all((base / folder).is_dir() for folder in VERSIONS[version]):
            return base, version
    raise DatasetError(
        f"{root} has no {' and '.join(VERSIONS[version])}, the folders of MSMT17 {version.upper()}."
    )


def _val_note(with_val: bool) -> str:
    if with_val:
        return (
            "Training has list_train.txt AND list_val.txt (32,621 images when complete), as in TransReID. "
            "Torchreid and FastReID train on list_train.txt alone: say which when you compare."
        )
    return (
        "Training has list_train.txt only (30,248 images when complete), as in Torchreid and FastReID; "
        "list_val.txt (2,373) is left out. TransReID and others add it: say which when you compare."
    )


@dataclass
class _Folder:
    """The images of one folder, and the lists that point into it."""

    base: Path
    name: str
    refused: list[Refusal] = field(default_factory=list)
    listed: set[str] = field(default_factory=set)
    files: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        listing = list_files(self.base, self.name)
        self.files = frozenset(listing.images)
        self.refused.extend(listing.refused)

    def read_list(self, list_name: str, *, offset: int) -> list[ImageRecord]:
        records: dict[str, ImageRecord] = {}
        for line, relative, label in _read_lines(self.base / list_name):
            image_id = f"{self.name}/{relative}"
            record = self._make_record(image_id, label, offset)
            if isinstance(record, str):
                self.refused.append(Refusal(image_id, f"{list_name}, line {line}: {record}"))
            elif image_id in records:
                self.refused.append(Refusal(image_id, f"{list_name}, line {line}: listed a second time"))
            else:
                records[image_id] = record
        self.listed.update(records)
        return sorted(records.values(), key=lambda r: r.image_id)

    def _make_record(self, image_id: str, label: int, offset: int) -> ImageRecord | str:
        """The record, or why there is none."""
        match = _NAME.fullmatch(image_id.rpartition("/")[2])
        if match is None:
            return "the file name is not like 0000_000_01_0303morning_0008_0.jpg"
        if int(match["pid"]) != label:
            return f"the list says identity {label}, the file name {match['pid']}"
        if image_id not in self.files:
            return "the file is missing"
        attributes = {"day": match["day"], "time_of_day": match["part"]}
        return ImageRecord(
            image_id, self.base / image_id, label + offset, int(match["camid"]), attributes=attributes
        )


def _read_lines(path: Path) -> list[tuple[int, str, int]]:
    """(line number, path with forward slashes, label) of every line that is not blank."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise DatasetError(f"{path} is missing; MSMT17 comes with {', '.join(LIST_NAMES)}.") from None
    except UnicodeDecodeError:
        raise DatasetError(f"{path} is not a text file; take the list that came with MSMT17.") from None
    entries = []
    for line, content in enumerate(text.splitlines(), start=1):
        if not content.strip():
            continue
        relative, _, label = content.strip().rpartition(" ")
        relative = relative.strip().replace("\\", "/").removeprefix("./")
        if not relative or not label.isdecimal() or relative.startswith("/") or ".." in relative.split("/"):
            raise DatasetError(
                f"{path}, line {line}: {content.strip()!r} is not a path below the image folder and a "
                "label, like '0000/0000_000_01_0303morning_0008_0.jpg 0'."
            )
        entries.append((line, relative, int(label)))
    return entries


def _unlisted_notes(train: _Folder, test: _Folder, *, with_val: bool) -> list[str]:
    """What lies in the folders but in no list; images of list_val.txt are expected when it was left out."""
    if not with_val and (train.base / "list_val.txt").is_file():
        train.listed.update(
            f"{train.name}/{relative}" for _, relative, _ in _read_lines(train.base / "list_val.txt")
        )
    notes = []
    for folder in (train, test):
        extra = sorted(folder.files - folder.listed)
        if extra:
            notes.append(
                f"{len(extra):,} files in {folder.name}/ are in no list and not used, e.g. {extra[0]}."
            )
    return notes
