"""List image files the same way on every file system: one scandir per folder, sorted, nothing opened."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from reid_core.errors import DatasetError
from reid_core.images import IMAGE_SUFFIXES
from reid_core.types import Refusal

_LITTER_NAMES = frozenset({"thumbs.db", "desktop.ini", "__macosx", "@eadir", "$recycle.bin"})
"""Left behind by Windows, macOS and network drives; nobody's data, so they are passed over without a word."""


@dataclass(frozen=True, slots=True)
class Listing:
    """Files below a root, as relative paths with forward slashes in code point order.

    ``images`` have an image suffix (any case); ``others`` have not; ``refused`` could not be listed.
    """

    images: tuple[str, ...]
    others: tuple[str, ...]
    refused: tuple[Refusal, ...]


def is_litter(name: str) -> bool:
    """Whether a file or folder name is hidden (``._0001.jpg``) or a system's own (``Thumbs.db``)."""
    return name.startswith(".") or name.lower() in _LITTER_NAMES


def is_image_name(name: str) -> bool:
    """Whether the suffix, in any case, is one of the image types that we read."""
    dot = name.rfind(".")
    return dot > 0 and name[dot:].lower() in IMAGE_SUFFIXES


def list_files(root: Path, below: str = "", *, recursive: bool = True) -> Listing:
    """List the files in ``root / below``; the names are relative to ``root``.

    Links to files and folders are followed, each folder once. Hidden and system files are passed over.

    Raises:
        DatasetError: ``root / below`` is not a folder.
    """
    start = root / below
    if not start.is_dir():
        raise DatasetError(
            f"{start} is not a folder. Check the path and that the data set is unpacked there."
        )
    images: list[str] = []
    others: list[str] = []
    refused: list[Refusal] = []
    seen_links: set[str] = {os.path.realpath(start)}
    pending = [below.strip("/")]
    while pending:
        folder = pending.pop()
        for entry, name in _scan(root, folder, refused):
            if _is_folder(entry, seen_links):
                if recursive:
                    pending.append(name)
            elif not _is_file(entry):
                refused.append(Refusal(name, "is a broken or circular link, or not a regular file"))
            else:
                (images if is_image_name(entry.name) else others).append(name)
    return Listing(tuple(sorted(images)), tuple(sorted(others)), tuple(sorted(refused, key=lambda r: r.item)))


def list_folders(root: Path) -> tuple[str, ...]:
    """Names of the folders directly in ``root``, sorted, without hidden and system ones."""
    with os.scandir(root) as entries:
        return tuple(sorted(e.name for e in entries if e.is_dir() and not is_litter(e.name)))


def has_image(folder: Path, matches: Callable[[str], bool] = is_image_name) -> bool:
    """Whether any image file directly in ``folder`` has a name that ``matches``; stops at the first."""
    try:
        with os.scandir(folder) as entries:
            return any(
                is_image_name(entry.name)
                and not is_litter(entry.name)
                and matches(entry.name)
                and _is_file(entry)
                for entry in entries
            )
    except OSError:
        return False


def _scan(root: Path, folder: str, refused: list[Refusal]) -> Iterator[tuple[os.DirEntry[str], str]]:
    prefix = f"{folder}/" if folder else ""
    try:
        with os.scandir(root / folder) as entries:
            for entry in entries:
                if is_litter(entry.name):
                    continue
                name = prefix + entry.name
                if _is_text(name):
                    yield entry, name
                else:
                    shown = name.encode("utf-8", "backslashreplace").decode()
                    refused.append(Refusal(shown, "the name is not valid UTF-8; rename the file"))
    except OSError as error:
        refused.append(Refusal(folder or ".", f"the folder could not be listed ({error.strerror})"))


def _is_text(name: str) -> bool:
    if name.isascii():
        return True
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _is_folder(entry: os.DirEntry[str], seen_links: set[str]) -> bool:
    """True for a folder, and for a link to a folder that was not entered before."""
    if not entry.is_symlink():
        return entry.is_dir(follow_symlinks=False)
    try:
        if not entry.is_dir():
            return False
    except OSError:
        return False
    target = os.path.realpath(entry.path)
    if target in seen_links:
        return False
    seen_links.add(target)
    return True


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:
        return False
