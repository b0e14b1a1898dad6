"""Bring a gallery: unpack it, read every image once, write its table, register it.

A folder, CSV or Market-1501 tree on this machine is referenced; a zip and anything that was uploaded is
copied below the data folder. Work goes on in a staging folder until the table is written, so that a stop
leaves nothing registered and a restart finds what was unpacked.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from reid_core.data import ArchiveLimits, extract_archive, open_dataset
from reid_core.errors import CancelledError, DatasetError, ImageReadError, InputError
from reid_core.images import read_image
from reid_core.services.galleries import Gallery, GalleryImage, GalleryStore, sign_source
from reid_core.types import Dataset, ImageRecord, Refusal

Report = Callable[[int, int, str], None]
"""Called with (done, total, what is being done)."""

_FILES = "files"
LAYOUT_OF_KIND = {"folder": "auto", "zip": "auto", "csv": "manifest", "market": "market1501"}
"""Kinds of a source that are not called like the layout they are read as."""
MIN_SIDE = 8
"""Images narrower or lower than this, in pixels, show no person and are refused."""


@dataclass(frozen=True, slots=True)
class ImportLimits:
    """What one gallery may hold."""

    max_images: int
    max_bytes: int
    max_pixels: int


@dataclass(frozen=True, slots=True)
class ImportSource:
    """What to read. ``kind`` is auto, folder, zip, csv, market, or a layout's name.

    ``is_owned`` says that nobody but us keeps the files (an upload), so they must be copied, and that their
    table may not point outside of them.
    """

    path: Path
    title: str
    kind: str = "auto"
    is_owned: bool = False

    @property
    def is_archive(self) -> bool:
        """Whether it has to be unpacked first."""
        return self.kind == "zip" or (self.path.is_file() and self.path.suffix.lower() == ".zip")

    @property
    def identity(self) -> str:
        """Where a referenced or unpacked source lies; equal for equal sources, empty for an upload."""
        return "" if self.is_owned else f"{self.path}|{self.title}|{self.kind}"

    @property
    def staging_name(self) -> str:
        """Folder name of the unfinished import, the same at the next try; an upload lies in it already."""
        if self.is_owned:
            return self.path.parent.name
        return hashlib.sha256(f"{self.path}|{self.title}|{self.kind}".encode()).hexdigest()[:24]


def check_source(path: Path) -> None:
    """Refuse what can be refused before a job is queued.

    Raises:
        DatasetError: Nothing there, or not a folder, zip, CSV or Parquet file.
    """
    if not path.exists():
        raise DatasetError(f"{path} does not exist. Check the path.")
    if path.is_file() and path.suffix.lower() not in {".zip", ".csv", ".parquet"}:
        raise DatasetError(
            f"{path.name} is neither a folder nor a .zip, .csv or .parquet file. Give the folder that holds "
            "the images, or pack it as a zip."
        )


def read_into_staging(
    source: ImportSource,
    store: GalleryStore,
    limits: ImportLimits,
    *,
    report: Report,
    is_cancelled: Callable[[], bool],
) -> Path:
    """Read ``source`` into its staging folder and return the folder, ready to publish.

    Raises:
        DatasetError: Nothing readable, too many images, or a table that points outside of an upload.
        CancelledError: ``is_cancelled`` said so. The staging folder stays, for the next try.
    """
    staging = store.staging / source.staging_name
    if store.is_written(staging):
        return staging
    staging.mkdir(parents=True, exist_ok=True)
    root, refused = _bring_files(source, staging, limits, report, is_cancelled)
    signature = "" if source.is_owned else sign_source(source.path)
    dataset = open_dataset(root, LAYOUT_OF_KIND.get(source.kind, source.kind))
    records = _select_records(dataset, source, limits)
    if source.is_owned or source.is_archive:
        _check_inside(records, staging)
    images, damaged = _read_images(records, limits.max_pixels, report, is_cancelled)
    gallery = Gallery(
        name="",
        title=source.title,
        source=source.identity,
        signature=signature,
        images=images,
        notes=dataset.notes,
        refused=(*refused, *dataset.refused, *damaged),
    )
    if not gallery.searched:
        raise DatasetError(_describe_unreadable(source.title, gallery.refused))
    if source.is_owned and source.path.is_file():
        source.path.unlink()  # what is needed of it lies unpacked beside it
    store.write(gallery, staging)
    return staging


def adopt_upload(path: Path, staging: Path) -> Path:
    """Give an uploaded file or folder a place of its own below ``staging``, where nothing clears it away."""
    target = staging / f"upload{path.suffix.lower()}"
    staging.mkdir(parents=True, exist_ok=True)
    if path.is_dir():
        shutil.copytree(
            path, target, copy_function=_link_or_copy, symlinks=False, ignore_dangling_symlinks=True
        )
    else:
        _link_or_copy(str(path), str(target))
    return target


def _link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _bring_files(
    source: ImportSource,
    staging: Path,
    limits: ImportLimits,
    report: Report,
    is_cancelled: Callable[[], bool],
) -> tuple[Path, tuple[Refusal, ...]]:
    """Where the images lie, and what could not be unpacked."""
    files = staging / _FILES
    if (source.is_archive or source.is_owned) and files.is_dir():  # whole since before a restart
        return files, ()
    if source.is_archive:
        bounds = ArchiveLimits(max_files=limits.max_images, max_total_bytes=limits.max_bytes)
        extracted = extract_archive(
            source.path,
            files,
            limits=bounds,
            progress=lambda done, total: report(done, total, "Unpacking."),
            is_cancelled=is_cancelled,
        )
        return extracted.root, extracted.refused
    if source.is_owned and source.path.is_dir():
        source.path.rename(files)
        return files, ()
    return source.path, ()


def _select_records(
    dataset: Dataset, source: ImportSource, limits: ImportLimits
) -> Sequence[tuple[ImageRecord, bool, bool]]:
    """Every record once, with whether it is in the gallery and whether it is a query."""
    gallery = {record.image_id: record for record in dataset.gallery}
    queries = {record.image_id: record for record in dataset.query}
    if not gallery:
        filled = ", ".join(name for name, records in dataset.splits().items() if records) or "nothing"
        raise DatasetError(
            f"{source.title!r} has no gallery images ({filled} found). Name the folder of the images to "
            "search in, or set 'gallery' in the table's split column."
        )
    both = {**gallery, **queries}
    if len(both) > limits.max_images:
        raise DatasetError(
            f"{source.title!r} has {len(both):,} images, at most {limits.max_images:,} are read. Split it "
            "up, or raise --max-gallery-images."
        )
    return [(record, image_id in gallery, image_id in queries) for image_id, record in both.items()]


def _check_inside(records: Sequence[tuple[ImageRecord, bool, bool]], staging: Path) -> None:
    owned = staging.resolve()
    for record, _, _ in records:
        if not record.path.resolve().is_relative_to(owned):
            raise DatasetError(
                f"{record.image_id} lies outside of what was uploaded. Pack the table together with its "
                "images as a zip, with paths relative to the table."
            )


def _read_images(
    records: Sequence[tuple[ImageRecord, bool, bool]],
    max_pixels: int,
    report: Report,
    is_cancelled: Callable[[], bool],
) -> tuple[tuple[GalleryImage, ...], tuple[Refusal, ...]]:
    images: list[GalleryImage] = []
    damaged: list[Refusal] = []
    for done, (record, in_gallery, is_query) in enumerate(records):
        if is_cancelled():
            raise CancelledError("Reading the images was stopped.")
        if done % 50 == 0:
            report(done, len(records), "Reading images.")
        try:
            images.append(_read_image(record, in_gallery, is_query, max_pixels))
        except InputError as error:
            damaged.append(Refusal(record.image_id, str(error)))
    report(len(records), len(records), "Reading images.")
    return tuple(images), tuple(damaged)


def _read_image(record: ImageRecord, in_gallery: bool, is_query: bool, max_pixels: int) -> GalleryImage:
    content = read_file(record.path, record.image_id)
    image = read_image(content, name=record.image_id, max_pixels=max_pixels)
    check_size(image.width, image.height, record.image_id)
    return GalleryImage(
        id=record.image_id,
        path=record.path,
        content_hash=hashlib.sha256(content).hexdigest(),
        width=image.width,
        height=image.height,
        in_gallery=in_gallery,
        is_query=is_query,
        pid=record.pid,
        camid=record.camid,
        time_s=record.time_s,
        attributes=record.attributes,
    )


def read_file(path: Path, label: str) -> bytes:
    """The bytes of an image file.

    Raises:
        ImageReadError: The file is not there or may not be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise ImageReadError(f"{label} could not be read ({error.strerror}). Check the file.") from error


def check_size(width: int, height: int, label: str) -> None:
    """Refuse images too small to show a person.

    Raises:
        ImageReadError: A side is below ``MIN_SIDE`` pixels.
    """
    if min(width, height) < MIN_SIDE:
        raise ImageReadError(
            f"{label} is {width} x {height} pixels; a person needs at least {MIN_SIDE} on each side. Choose "
            "a larger crop."
        )


def _describe_unreadable(title: str, refused: Sequence[Refusal]) -> str:
    if not refused:
        return f"{title!r} holds no image that can be read."
    return (
        f"{title!r} holds no image that can be read: {len(refused):,} were refused, the first is "
        f"{refused[0].item}: {refused[0].reason}"
    )
