"""The data set behind a gallery: what was imported, with its training pool and locked test."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from reid_core.data import open_dataset
from reid_core.errors import DatasetError
from reid_core.retraining.pools import Pools, pools_of
from reid_core.services.galleries import Gallery, GalleryImage, GalleryStore
from reid_core.services.imports import LAYOUT_OF_KIND
from reid_core.types import Dataset, ImageRecord


def dataset_of(gallery: Gallery, store: GalleryStore) -> Dataset:
    """The data set that a gallery was imported from; of an upload that holds no more, the gallery alone.

    Query and gallery are what the gallery has registered; training pool and locked test come from the source.

    Raises:
        DatasetError: The source is gone.
    """
    own = Dataset(
        name=gallery.title,
        root=Path(),
        query=tuple(_record(image) for image in gallery.images if image.is_query),
        gallery=tuple(_record(image) for image in gallery.images if image.in_gallery),
    )
    root, kind = _source_of(gallery, store)
    if root is None:
        return own
    if not root.exists():
        raise DatasetError(
            f"The source of gallery {gallery.title!r}, {root}, is gone. Its training pool and locked test "
            "are needed: bring it back, or import the gallery again from where it is now."
        )
    source = open_dataset(root, LAYOUT_OF_KIND.get(kind, kind))
    return replace(
        own, train=source.train, locked_query=source.locked_query, locked_gallery=source.locked_gallery
    )


def pools_of_gallery(
    gallery: Gallery,
    store: GalleryStore,
    *,
    report: Callable[[int, int], None] | None = None,
    is_cancelled: Callable[[], bool] = lambda: False,
) -> Pools:
    """The three pools of a gallery's data set; registered images keep the hash of their import.

    Raises:
        DatasetError: The source is gone, a file cannot be read, or a crop is in two pools.
    """
    hashes = {image.id: image.content_hash for image in gallery.images}
    dataset = dataset_of(gallery, store)
    return pools_of(dataset, hashes=hashes, report=report, is_cancelled=is_cancelled)


def _source_of(gallery: Gallery, store: GalleryStore) -> tuple[Path | None, str]:
    """Where the files lie, and the kind of layout that they were read as."""
    unpacked = store.folder_of(gallery.name) / "files"
    suffix = f"|{gallery.title}|"
    path, found, kind = gallery.source.rpartition(suffix) if gallery.source else ("", "", "auto")
    if unpacked.is_dir():
        return unpacked, kind if found else "auto"
    return (Path(path), kind) if found else (None, "auto")


def _record(image: GalleryImage) -> ImageRecord:
    return ImageRecord(image.id, image.path, image.pid, image.camid, image.time_s, image.attributes)
