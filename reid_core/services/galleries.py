"""Registered galleries: one folder each below ``galleries/``, with its table of images.

A gallery either references files that lie elsewhere on this machine or owns copies below its folder. Its
table holds the SHA-256 of every file, so that embeddings and thumbnails are found by content and a file that
changed is noticed instead of shown under a wrong name.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import shutil
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

from reid_core.errors import DatasetError, InputError
from reid_core.services.files import write_text_atomically
from reid_core.services.records import GalleryInfo
from reid_core.types import DISTRACTOR_PID, Refusal

FORMAT_VERSION = 1
RESERVED_NAMES = frozenset({"uploads"})
"""Names that image addresses use for something else."""

_HEADER, _TABLE = "gallery.json", "images.jsonl"
_MAX_NAME_LENGTH, _MAX_STEM_LENGTH = 60, 50


@dataclass(frozen=True, slots=True)
class GalleryImage:
    """One image of a gallery. ``width`` and ``height`` are pixels of the upright image."""

    id: str
    path: Path
    content_hash: str
    width: int
    height: int
    in_gallery: bool
    is_query: bool
    pid: int | None
    camid: int | None
    time_s: float | None
    attributes: Mapping[str, str]


@dataclass(frozen=True)
class Gallery:
    """A gallery with its images, in the order of its table. ``name`` is unique and fit for an address.

    ``signature`` says what the source looked like when it was read; see ``sign_source``.
    """

    name: str
    title: str
    source: str
    signature: str
    images: tuple[GalleryImage, ...]
    notes: tuple[str, ...] = ()
    refused: tuple[Refusal, ...] = ()

    @cached_property
    def by_id(self) -> Mapping[str, GalleryImage]:
        """Images by id."""
        return {image.id: image for image in self.images}

    @cached_property
    def by_hash(self) -> Mapping[str, GalleryImage]:
        """Images by content; of equal files, the first."""
        return {image.content_hash: image for image in reversed(self.images)}

    @cached_property
    def manifest_hash(self) -> str:
        """SHA-256 of all ids and contents: what embeddings depend on, besides the network."""
        digest = hashlib.sha256()
        for image in self.images:
            digest.update(json.dumps([image.id, image.content_hash]).encode())
        return digest.hexdigest()

    @cached_property
    def searched(self) -> tuple[GalleryImage, ...]:
        """The images that a search ranks."""
        return tuple(image for image in self.images if image.in_gallery)

    def image(self, image_id: str) -> GalleryImage:
        """One image.

        Raises:
            InputError: The gallery has none with this id.
        """
        if image_id not in self.by_id:
            raise InputError(f"Gallery {self.name!r} has no image {image_id!r}. Choose one of its images.")
        return self.by_id[image_id]


class GalleryStore:
    """The galleries below one folder; safe to use from many threads and beside another process."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.RLock()
        self._headers: dict[str, tuple[int, dict[str, Any]]] = {}
        self._open: dict[str, tuple[int, Gallery]] = {}

    @property
    def staging(self) -> Path:
        """Where galleries are prepared, on the same disk, so that publishing is one rename."""
        return self._folder / ".staging"

    def names(self) -> tuple[str, ...]:
        """Names of all registered galleries, sorted."""
        if not self._folder.is_dir():
            return ()
        folders = (path for path in self._folder.iterdir() if not path.name.startswith("."))
        return tuple(sorted(path.name for path in folders if (path / _HEADER).is_file()))

    def info(self, name: str, *, is_default: bool) -> GalleryInfo:
        """What is known about a gallery without reading its table.

        Raises:
            InputError: There is no such gallery.
        """
        header = self._header(name)
        return GalleryInfo(
            name=name,
            title=header["title"],
            is_default=is_default,
            notes=tuple(header["notes"]),
            refused=tuple(Refusal(item, reason) for item, reason in header["refused"]),
            **{**header["summary"], "cameras": tuple(header["summary"]["cameras"])},
        )

    def get(self, name: str) -> Gallery:
        """Open a gallery; kept in memory until it changes on disk.

        Raises:
            InputError: There is no such gallery.
        """
        with self._lock:
            header = self._header(name)
            stamp = self._headers[name][0]
            kept = self._open.get(name)
            if kept is None or kept[0] != stamp:
                self._open[name] = (stamp, _read(self._folder / name, name, header))
            return self._open[name][1]

    def find_source(self, source: str) -> str | None:
        """Name of the gallery that references this source, if any."""
        return next((name for name in self.names() if self._header(name)["source"] == source), None)

    def folder_of(self, name: str) -> Path:
        """The folder of a gallery, with its table and the copies it owns.

        Raises:
            InputError: There is no such gallery.
        """
        self._header(name)
        return self._folder / name

    def signature(self, name: str) -> str:
        """What the gallery's source looked like when it was read."""
        return str(self._header(name)["signature"])

    def write(self, gallery: Gallery, folder: Path) -> None:
        """Write a gallery's table and header into its (staging) folder, header last."""
        owned = folder.resolve()
        lines = (json.dumps(_image_to_row(image, owned)) for image in gallery.images)
        write_text_atomically(folder / _TABLE, "".join(f"{line}\n" for line in lines))
        header = {
            "version": FORMAT_VERSION,
            "title": gallery.title,
            "source": gallery.source,
            "signature": gallery.signature,
            "manifest_hash": gallery.manifest_hash,
            "notes": gallery.notes,
            "refused": [(refusal.item, refusal.reason) for refusal in gallery.refused],
            "summary": _summarise(gallery.searched, len([i for i in gallery.images if i.is_query])),
            "created_s": time.time(),
        }
        write_text_atomically(folder / _HEADER, json.dumps(header, indent=1))

    def is_written(self, folder: Path) -> bool:
        """Whether ``write`` finished in this (staging) folder."""
        return (folder / _HEADER).is_file()

    def publish(self, folder: Path, *, replaces: str | None = None) -> str:
        """Move a written staging folder among the registered galleries; returns its name.

        A gallery called like another gets the next free number; ``replaces`` gives up the named one's place.
        """
        with self._lock:
            title = json.loads((folder / _HEADER).read_text())["title"]
            if replaces is not None:
                self.remove(replaces)
            number, stem = 1, name_for(title)[:_MAX_STEM_LENGTH].strip("-")
            name = replaces or stem
            while True:
                if not (self._folder / name).exists() and name not in RESERVED_NAMES:
                    try:
                        folder.rename(self._folder / name)
                        return name
                    except FileExistsError:  # another process was faster
                        pass
                number += 1
                name = f"{stem}-{number}"

    def remove(self, name: str) -> None:
        """Delete a gallery: its table and the copies it owns, never files it references.

        Raises:
            InputError: There is no such gallery.
        """
        with self._lock:
            self._header(name)
            grave = self.staging / f"removed-{secrets.token_hex(6)}"
            grave.parent.mkdir(parents=True, exist_ok=True)
            (self._folder / name).rename(grave)
            shutil.rmtree(grave)
            self._headers.pop(name, None)
            self._open.pop(name, None)

    def manifest_hashes(self) -> frozenset[str]:
        """Manifest hashes of all registered galleries."""
        return frozenset(str(self._header(name)["manifest_hash"]) for name in self.names())

    def _header(self, name: str) -> dict[str, Any]:
        path = self._folder / name / _HEADER
        # The name may come from an address: only a name that a gallery can have is looked up on disk.
        if name != name_for(name) or not path.is_file():
            known = ", ".join(self.names()) or "none yet"
            raise InputError(f"There is no gallery {name!r}. Registered: {known}.")
        with self._lock:
            stamp = path.stat().st_mtime_ns
            kept = self._headers.get(name)
            if kept is None or kept[0] != stamp:
                self._headers[name] = (stamp, _parse_header(path))
            return self._headers[name][1]


def name_for(title: str) -> str:
    """A title as part of an address: lower-case letters, digits and hyphens; never empty."""
    words = re.findall(r"[a-z0-9]+", title.lower())
    return "-".join(words)[:_MAX_NAME_LENGTH].strip("-") or "gallery"


def sign_source(source: Path) -> str:
    """A short text that changes when the files of a source change in name, size or time; reads no content."""
    digest = hashlib.sha256()
    for path in _files_below(source):
        status = path.lstat()
        digest.update(f"{path}\0{status.st_size}\0{status.st_mtime_ns}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()


def _files_below(source: Path) -> Iterable[Path]:
    if source.is_file():
        return [source]
    return sorted(
        Path(folder, name)
        for folder, _, names in os.walk(source, followlinks=True)
        for name in names
        if not name.startswith(".")
    )


def _summarise(searched: Sequence[GalleryImage], num_queries: int) -> dict[str, Any]:
    times = [image.time_s for image in searched if image.time_s is not None]
    pids = {image.pid for image in searched if image.pid is not None and image.pid > DISTRACTOR_PID}
    return {
        "num_images": len(searched),
        "num_queries": num_queries,
        "num_pids": len(pids),
        "cameras": sorted({image.camid for image in searched if image.camid is not None}),
        "time_from_s": min(times, default=None),
        "time_to_s": max(times, default=None),
    }


def _parse_header(path: Path) -> dict[str, Any]:
    header: dict[str, Any] = json.loads(path.read_text())
    if header.get("version") != FORMAT_VERSION:
        raise DatasetError(
            f"Gallery {path.parent.name!r} was written by another version of this program "
            f"({header.get('version')}, expected {FORMAT_VERSION}). Delete {path.parent} and import it again."
        )
    return header


def _read(folder: Path, name: str, header: Mapping[str, Any]) -> Gallery:
    with (folder / _TABLE).open(encoding="utf-8") as file:
        images = tuple(_row_to_image(json.loads(line), folder) for line in file)
    return Gallery(
        name=name,
        title=header["title"],
        source=header["source"],
        signature=header["signature"],
        images=images,
        notes=tuple(header["notes"]),
        refused=tuple(Refusal(item, reason) for item, reason in header["refused"]),
    )


def _image_to_row(image: GalleryImage, owned: Path) -> dict[str, Any]:
    path = image.path.relative_to(owned) if image.path.is_relative_to(owned) else image.path
    return {
        "id": image.id,
        "path": path.as_posix(),
        "content_hash": image.content_hash,
        "width": image.width,
        "height": image.height,
        "in_gallery": image.in_gallery,
        "is_query": image.is_query,
        "pid": image.pid,
        "camid": image.camid,
        "time_s": image.time_s,
        "attributes": dict(image.attributes),
    }


def _row_to_image(row: Mapping[str, Any], folder: Path) -> GalleryImage:
    attributes: Mapping[str, str] = MappingProxyType(row["attributes"])
    image = GalleryImage(**{**row, "path": Path(row["path"]), "attributes": attributes})
    return image if image.path.is_absolute() else replace(image, path=folder / image.path)
