"""Recognise how a data set lies on disk. Each function says in words why a folder fits, or None."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from reid_core.data.cuhk03 import find_cuhk03
from reid_core.data.dukemtmc import parse_duke_name
from reid_core.data.grid import PARTITIONS_NAME
from reid_core.data.listing import has_image, is_litter, list_folders
from reid_core.data.manifest import MANIFEST_SUFFIXES, has_path_column
from reid_core.data.market1501 import NameParser, parse_market_name, split_folders_in
from reid_core.data.msmt17 import VERSIONS, find_msmt17
from reid_core.data.viper import CAMERAS
from reid_core.errors import DatasetError

Recogniser = Callable[[Path], str | None]


def recognise_manifest(root: Path) -> str | None:
    """A table, or a folder with one whose files are not named and laid out as in Market-1501."""
    if root.is_file():
        return "it is a table" if root.suffix.lower() in MANIFEST_SUFFIXES else None
    found = find_manifest(root)
    return None if found is None or recognise_market1501(root) else f"{found.name} lists its images"


def find_manifest(root: Path) -> Path | None:
    """``manifest.csv`` or ``.parquet`` in ``root``, or else the only table there that has a path column."""
    for name in ("manifest.csv", "manifest.parquet"):
        if (root / name).is_file():
            return root / name
    tables = [path for path in sorted(root.iterdir()) if has_path_column(path)]
    return tables[0] if len(tables) == 1 else None


def recognise_market1501(root: Path) -> str | None:
    """Split folders whose file names give identity and camera."""
    return _recognise_names(root, parse_market_name, "identity and camera")


def recognise_dukemtmc(root: Path) -> str | None:
    """Split folders with DukeMTMC-reID's names."""
    return _recognise_names(root, parse_duke_name, "identity, camera and frame like DukeMTMC-reID")


def recognise_cuhk03(root: Path) -> str | None:
    """The original .mat, extracted images, or CUHK03-NP."""
    return find_cuhk03(root) if root.is_dir() else None


def recognise_msmt17(root: Path) -> str | None:
    """The four lists beside the image folders of version 1 or 2."""
    found = find_msmt17(root)
    return None if found is None else f"list_query.txt lies beside {' and '.join(VERSIONS[found[0]])}"


def recognise_viper(root: Path) -> str | None:
    """``cam_a`` beside ``cam_b``."""
    return "cam_a and cam_b are in it" if all((root / camera).is_dir() for camera in CAMERAS) else None


def recognise_grid(root: Path) -> str | None:
    """``probe`` beside ``gallery`` and the partitions."""
    if (root / "probe").is_dir() and (root / "gallery").is_dir() and (root / PARTITIONS_NAME).is_file():
        return f"probe, gallery and {PARTITIONS_NAME} are in it"
    return None


def recognise_identities(root: Path) -> str | None:
    """One folder of images per identity, with or without split folders above."""
    if not root.is_dir():
        return None
    if any(has_image(root / folder) for folder in list_folders(root)):
        return "images lie in one folder per identity"
    nested = split_folders_in(root)
    if any(has_image(root / split / folder) for split in nested for folder in list_folders(root / split)):
        return "images lie in split folders with one folder per identity"
    return None


def recognise_named_images(root: Path) -> str | None:
    """A flat folder in which every image has a full Market-1501 name."""
    if not root.is_dir():
        return None
    if has_image(root) and not has_image(root, lambda name: not _has_full_name(name)):
        return "all file names are like 0002_c1s1_000451_03.jpg"
    return None


def find_root(source: Path, recognise: Recogniser) -> tuple[Path, str] | None:
    """``source`` or the one folder directly in it that fits, and why.

    Raises:
        DatasetError: Several folders in ``source`` fit.
    """
    reason = recognise(source)
    if reason is not None:
        return source, reason
    if not source.is_dir():
        return None
    fitting = [
        (source / name, why) for name in list_folders(source) if (why := recognise(source / name)) is not None
    ]
    if len(fitting) > 1:
        raise DatasetError(
            f"{source} holds several: {', '.join(path.name for path, _ in fitting)}. Open one of them."
        )
    return fitting[0] if fitting else None


def only_folder(root: Path) -> Path | None:
    """The single folder in ``root`` when there is nothing else in it, as after unpacking an archive."""
    if not root.is_dir():
        return None
    visible = [path for path in root.iterdir() if not is_litter(path.name)]
    return visible[0] if len(visible) == 1 and visible[0].is_dir() else None


def _recognise_names(root: Path, parse_name: NameParser, what: str) -> str | None:
    if not root.is_dir():
        return None
    folders = split_folders_in(root)
    for folder in sorted(folders):
        if has_image(root / folder, lambda name: parse_name(name) is not None):
            return f"its folders are {', '.join(sorted(folders))} and file names give {what}"
    return None


def _has_full_name(name: str) -> bool:
    parsed = parse_market_name(name)
    return parsed is not None and parsed.time_s is not None
