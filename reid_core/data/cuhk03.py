"""CUHK03 (Li et al., DeepReID, CVPR 2014), labelled and detected boxes, new and classic protocol.

Read from the original ``cuhk-03.mat``, which is first unpacked to PNG files, or from what others made of it:

- ``images_detected/`` and ``images_labeled/`` with names ``1_001_2_06.png``: camera pair (1 to 5), person in
that
  pair, view (1 or 2), image. Our extraction and Torchreid's write these.
- CUHK03-NP: ``detected/`` and ``labeled/`` in Market-1501's layout, new protocol only.

New protocol (Zhong et al., CVPR 2017): 767 people train, 700 test, from ``cuhk03_new_protocol_config_*.mat``
or Torchreid's ``splits_new_*.json``. Classic: 20 test sets of 100 people, from the ``testsets`` of
``cuhk-03.mat`` or Torchreid's ``splits_classic_*.json``; query and gallery are the same images, scored by
single gallery shot.

pid = people of the camera pairs before + person, 1 to 1,467, as in the published configuration; camera =
view.
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from reid_core.data.facts import terms_notes
from reid_core.data.listing import list_files
from reid_core.data.market1501 import parse_market_name, read_split_folders
from reid_core.data.split_file import SplitFile, read_split_file
from reid_core.errors import CancelledError, DatasetError, InputError
from reid_core.types import Dataset, ImageRecord, Refusal

Boxes = Literal["detected", "labeled"]
Splits = Literal["new", "classic"]

NUM_CLASSIC_SPLITS = 20
PAIR_OFFSETS: Mapping[int, int] = MappingProxyType({1: 0, 2: 843, 3: 1283, 4: 1360, 5: 1418})
"""Camera pair to the number of people in the pairs before it (843, 440, 77, 58, 49 people)."""
TEST_SETS_NAME = "reid_splits_cuhk03_classic.json"
"""Where extraction keeps the 20 classic test sets, so that the .mat is not needed again."""

_MAT_NAME = "cuhk-03.mat"
_NAME = re.compile(r"(?P<pair>[1-5])_(?P<person>\d{1,4})_(?P<view>[12])_(?P<number>\d{1,3})", re.ASCII)
_VIEW_TWO_STARTS_AT = 5
"""Columns 0 to 4 of a person's row are view 1, columns 5 to 9 view 2."""


def read_cuhk03(
    root: str | Path,
    *,
    boxes: Boxes = "detected",
    splits: Splits = "new",
    split: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Dataset:
    """Read one split of CUHK03; unpacks ``cuhk-03.mat`` below ``root`` when its images are not there yet.

    Args:
        root: The folder with the files named above; ``cuhk-03.mat`` may lie in ``cuhk03_release/``.
        boxes: ``detected`` (by a detector, the harder and usual one) or ``labeled`` (by hand).
        splits: ``new`` (767/700) or ``classic`` (1367/100, 20 splits).
        split: 0 for the new protocol, 0 to 19 for the classic one.
        progress: Called with (people done, people) while the .mat is unpacked.

    Raises:
        InputError: Unknown boxes or splits, or ``split`` out of range.
        DatasetError: Images or the description of the split are missing or of another form.
    """
    _check_choice(boxes, splits, split)
    base = Path(root).expanduser().absolute()
    if splits == "new" and not (base / f"images_{boxes}").is_dir() and (base / boxes).is_dir():
        return _read_market_layout(base, boxes)
    mat_path = (
        None
        if (base / f"images_{boxes}").is_dir()
        else _find(base, _MAT_NAME) or _raise_no_images(base, boxes)
    )
    chosen = _new_split(base, boxes) if splits == "new" else _classic_split(base, boxes, split)
    if mat_path is not None:
        extract_cuhk03(mat_path, base, boxes=boxes, progress=progress)
    images = _read_images(base, boxes)
    refused = list(images.refused)
    parts = {
        name: images.pick(names, chosen.source, refused) for name, names in chosen.resolve(images).items()
    }
    if not any(parts.values()):
        raise DatasetError(f"No image that {chosen.source} names is in {base / f'images_{boxes}'}.")
    return Dataset(
        name=f"cuhk03-{boxes}" if splits == "new" else f"cuhk03-classic-{boxes}",
        root=base,
        notes=(*terms_notes("cuhk03"), *_protocol_notes(boxes, splits, split, chosen.source)),
        refused=tuple(refused),
        **parts,
    )


def extract_cuhk03(
    mat_path: str | Path,
    root: str | Path,
    *,
    boxes: Boxes,
    progress: Callable[[int, int], None] | None = None,
    is_cancelled: Callable[[], bool] | None = None,
) -> Path:
    """Unpack one kind of boxes from ``cuhk-03.mat`` (MATLAB 7.3) to ``root/images_<boxes>``, and the test
    sets.

    Args:
        mat_path: The file from ``cuhk03_release.zip``, about 1.9 GB.
        root: Gets the folder of PNG files (lossless, about 0.6 GB) and ``reid_splits_cuhk03_classic.json``.
        boxes: ``detected`` or ``labeled``.
        progress: Called with (people done, people).
        is_cancelled: Asked once per person; True stops and removes what was written.

    Returns:
        The folder of images; it appears only when it is complete.

    Raises:
        DatasetError: Not that file, damaged, or the folder is already there.
        CancelledError: ``is_cancelled`` returned True.
    """
    import h5py

    source, target = Path(mat_path), Path(root).expanduser().absolute() / f"images_{boxes}"
    if target.exists():
        raise DatasetError(f"{target} is already there; remove it to unpack {source.name} again.")
    target.parent.mkdir(parents=True, exist_ok=True)
    workplace = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        with h5py.File(source, "r") as mat:
            test_sets = _read_test_sets(mat)
            rows = _person_rows(mat, boxes)
            for done, (pair, person, row) in enumerate(rows, start=1):
                if is_cancelled is not None and is_cancelled():
                    raise CancelledError(f"Unpacking {source.name} was stopped; nothing was kept.")
                _write_person(mat, row, pair, person, workplace)
                if progress is not None:
                    progress(done, len(rows))
        test_sets.write(target.parent / TEST_SETS_NAME)
        workplace.chmod(0o755)
        workplace.replace(target)
    except (OSError, KeyError, ValueError, TypeError, AttributeError, IndexError) as error:
        raise DatasetError(
            f"{source} is not the cuhk-03.mat of cuhk03_release.zip, or is damaged ({error}). Unpack the "
            "zip again."
        ) from error
    finally:
        shutil.rmtree(workplace, ignore_errors=True)
    return target


def find_cuhk03(root: Path) -> str | None:
    """What in ``root`` shows that it is CUHK03, or None."""
    if _find(root, _MAT_NAME) is not None:
        return f"{_MAT_NAME} is in it"
    for boxes in get_args(Boxes):
        if (root / f"images_{boxes}").is_dir():
            return f"images_{boxes}/ is in it"
        if (root / boxes / "bounding_box_test").is_dir():
            return f"{boxes}/bounding_box_test/ is in it, as in CUHK03-NP"
    return None


def available_protocols(root: Path) -> tuple[tuple[Boxes, Splits], ...]:
    """What can be read from ``root``: images and a description of the splits are both there."""
    has_mat = _find(root, _MAT_NAME) is not None
    found: list[tuple[Boxes, Splits]] = []
    for splits in get_args(Splits):
        for boxes in get_args(Boxes):
            has_images = has_mat or (root / f"images_{boxes}").is_dir()
            if splits == "new":
                names = [f"cuhk03_new_protocol_config_{boxes}.mat", f"splits_new_{boxes}.json"]
                is_np = (root / boxes / "bounding_box_test").is_dir()
            else:
                names = [TEST_SETS_NAME, f"splits_classic_{boxes}.json", _MAT_NAME]
                is_np = False
            if is_np or (has_images and any(_find(root, name) is not None for name in names)):
                found.append((boxes, splits))
    return tuple(found)


def _check_choice(boxes: str, splits: str, split: int) -> None:
    if boxes not in get_args(Boxes) or splits not in get_args(Splits):
        raise InputError(
            f"CUHK03 has boxes detected or labeled and splits new or classic, not {boxes!r}, {splits!r}."
        )
    last = 0 if splits == "new" else NUM_CLASSIC_SPLITS - 1
    if not 0 <= split <= last:
        raise InputError(f"CUHK03 with {splits} splits has split 0 to {last}, not {split}.")


def _find(base: Path, name: str) -> Path | None:
    return next((path for path in (base / name, base / "cuhk03_release" / name) if path.is_file()), None)


def _raise_no_images(base: Path, boxes: str) -> Path:
    raise DatasetError(
        f"{base} has no CUHK03 {boxes} images: expected {_MAT_NAME} (also in cuhk03_release/), "
        f"images_{boxes}/, or {boxes}/ in the layout of CUHK03-NP (new protocol only)."
    )


def _protocol_notes(boxes: str, splits: str, split: int, source: str) -> tuple[str, ...]:
    numbering = (
        "pid = people of the camera pairs before + person in the pair (1 to 1,467); camera = view (1 or 2)."
    )
    if splits == "new":
        return (f"{boxes} boxes, new protocol (767/700), split from {source}.", numbering)
    return (
        f"{boxes} boxes, classic split {split} of {NUM_CLASSIC_SPLITS} (1,367/100), from {source}. Query "
        "and gallery are the same images: score it by single gallery shot (protocol cuhk03_classic), report "
        "no mAP, and report the mean over all splits.",
        numbering,
    )


# --- images


@dataclass(frozen=True, slots=True)
class _Images:
    """Records by file name."""

    by_name: dict[str, ImageRecord]
    refused: tuple[Refusal, ...]

    def pick(self, names: Iterable[str], source: str, refused: list[Refusal]) -> tuple[ImageRecord, ...]:
        """Records of the named files in order of their names; what is missing is refused."""
        found = []
        for name in sorted(set(names)):
            record = self.by_name.get(name)
            if record is None:
                refused.append(Refusal(name, f"is named in {source}, but the file is missing"))
            else:
                found.append(record)
        return tuple(found)


def _read_images(base: Path, boxes: str) -> _Images:
    listing = list_files(base, f"images_{boxes}", recursive=False)
    refused = list(listing.refused)
    by_name: dict[str, ImageRecord] = {}
    for image_id in listing.images:
        name = image_id.rpartition("/")[2]
        match = _NAME.fullmatch(name.partition(".")[0])
        if match is None:
            refused.append(Refusal(image_id, "the file name is not like 1_001_2_06.png"))
            continue
        pid = PAIR_OFFSETS[int(match["pair"])] + int(match["person"])
        attributes = {"camera_pair": match["pair"]}
        by_name[name] = ImageRecord(image_id, base / image_id, pid, int(match["view"]), None, attributes)
    return _Images(by_name, tuple(refused))


def _read_market_layout(base: Path, boxes: str) -> Dataset:
    """CUHK03-NP: names like 0001_c1_1.png give identity and view."""
    dataset = read_split_folders(base / boxes, parse_market_name, convention="0001_c1_1.png")
    notes = (
        *terms_notes("cuhk03"),
        f"{boxes} boxes, new protocol (767/700), from CUHK03-NP; pid and camera as its file names say.",
    )
    return replace(dataset, name=f"cuhk03-{boxes}", notes=(*notes, *dataset.notes))


# --- splits


@dataclass(frozen=True, slots=True)
class _Split:
    """File names by split name, or the test people from whom they follow."""

    source: str
    names: Mapping[str, tuple[str, ...]] | None = None
    test_pids: frozenset[int] = frozenset()

    def resolve(self, images: _Images) -> Mapping[str, tuple[str, ...]]:
        if self.names is not None:
            return self.names
        test = tuple(name for name, record in images.by_name.items() if record.pid in self.test_pids)
        train = tuple(name for name, record in images.by_name.items() if record.pid not in self.test_pids)
        return {"train": train, "query": test, "gallery": test}


def _new_split(base: Path, boxes: str) -> _Split:
    config = _find(base, f"cuhk03_new_protocol_config_{boxes}.mat")
    if config is not None:
        return _read_config(config)
    stored = _find(base, f"splits_new_{boxes}.json")
    if stored is not None:
        return _read_json_split(stored, 0)
    raise DatasetError(
        f"{base} has neither cuhk03_new_protocol_config_{boxes}.mat nor splits_new_{boxes}.json, which say "
        "who trains and who is searched. The .mat is in the repository zhunzhong07/person-re-ranking, "
        "evaluation/data/CUHK03."
    )


def _read_config(path: Path) -> _Split:
    """The published configuration: filelist, and train_idx, query_idx, gallery_idx that count from 1."""
    from scipy.io import loadmat

    try:
        config = loadmat(path)
        files = [str(np.asarray(cell).ravel()[0]) for cell in config["filelist"].ravel()]
        names = {
            split: tuple(
                files[int(index) - 1] for index in config[f"{split}_idx"].ravel() if _in_range(index, files)
            )
            for split in ("train", "query", "gallery")
        }
    except (KeyError, IndexError, ValueError, TypeError, NotImplementedError, OSError) as error:
        raise DatasetError(f"{path} is not a configuration of CUHK03's new protocol ({error!r}).") from error
    return _Split(path.name, names)


def _in_range(index: Any, files: list[str]) -> bool:
    if 1 <= int(index) <= len(files):
        return True
    raise IndexError(f"index {int(index)} for {len(files)} files")


def _classic_split(base: Path, boxes: str, split: int) -> _Split:
    kept = _find(base, TEST_SETS_NAME)
    if kept is not None:
        return _test_people(read_split_file(kept, dataset="cuhk03-classic"), kept.name, split)
    stored = _find(base, f"splits_classic_{boxes}.json")
    if stored is not None:
        return _read_json_split(stored, split)
    mat_path = _find(base, _MAT_NAME)
    if mat_path is not None:
        return _test_people(_open_test_sets(mat_path), mat_path.name, split)
    raise DatasetError(
        f"{base} has none of {TEST_SETS_NAME}, splits_classic_{boxes}.json and {_MAT_NAME}, which say who "
        "is in the 20 classic test sets."
    )


def _test_people(test_sets: SplitFile, source: str, split: int) -> _Split:
    if split >= len(test_sets.splits):
        raise DatasetError(f"{source} holds {len(test_sets.splits)} test sets, so there is no split {split}.")
    pids = frozenset(int(pid) for pid in test_sets.splits[split])
    return _Split(f"{source} (sha256 {test_sets.sha256[:16]})", test_pids=pids)


def _read_json_split(path: Path, split: int) -> _Split:
    """Torchreid's file: lists of [path, label, camera]. Only file names are used: its paths are absolute."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))[split]
        names = {
            part: tuple(str(item[0]).replace("\\", "/").rpartition("/")[2] for item in content[part])
            for part in ("train", "query", "gallery")
        }
    except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
        raise DatasetError(
            f"{path} has no split {split} with train, query and gallery ({error!r})."
        ) from error
    return _Split(path.name, names)


# --- cuhk-03.mat: HDF5, every cell a reference, every array transposed


def _deref(mat: Any, reference: Any) -> NDArray[Any]:
    return np.asarray(mat[reference]).T


def _person_rows(mat: Any, boxes: str) -> list[tuple[int, int, NDArray[Any]]]:
    """(camera pair, person, references to 10 images), both counting from 1."""
    rows = []
    for pair, reference in enumerate(np.asarray(mat[boxes]).ravel(), start=1):
        rows += [(pair, person, row) for person, row in enumerate(_deref(mat, reference), start=1)]
    return rows


def _write_person(mat: Any, row: NDArray[Any], pair: int, person: int, folder: Path) -> None:
    for column, reference in enumerate(row):
        pixels = _deref(mat, reference)
        if pixels.ndim != 3:  # an empty cell is stored as its size
            continue
        view = 1 if column < _VIEW_TWO_STARTS_AT else 2
        name = f"{pair}_{person:03d}_{view}_{column + 1:02d}.png"
        Image.fromarray(np.ascontiguousarray(pixels, dtype=np.uint8)).save(folder / name)


def _open_test_sets(mat_path: Path) -> SplitFile:
    import h5py

    try:
        with h5py.File(mat_path, "r") as mat:
            return _read_test_sets(mat)
    except (OSError, KeyError, ValueError, TypeError, AttributeError) as error:
        raise DatasetError(f"{mat_path} is not the cuhk-03.mat of cuhk03_release.zip ({error}).") from error


def _read_test_sets(mat: Any) -> SplitFile:
    """The 20 test sets as pids; a set is 100 rows of camera pair and person."""
    sets = []
    for reference in np.asarray(mat["testsets"]).ravel():
        people = np.asarray(_deref(mat, reference), dtype=np.int64).reshape(-1, 2)
        sets.append(tuple(str(pid) for pid in sorted(PAIR_OFFSETS[int(pair)] + int(n) for pair, n in people)))
    return SplitFile("cuhk03-classic", "testsets of cuhk-03.mat", tuple(sets))
