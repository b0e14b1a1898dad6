"""Pictures of galleries and of uploads as JPEGs for the browser."""

from __future__ import annotations

from pathlib import Path

from reid_core.errors import InputError
from reid_core.services.content import read_verified
from reid_core.services.galleries import Gallery, GalleryStore
from reid_core.services.open_galleries import OpenGalleries
from reid_core.services.thumbnails import Thumbnails
from reid_core.services.uploads import UploadStore, upload_key
from reid_core.services.views import UPLOADS


class Pictures:
    """Finds a picture by id or content, and keeps what it made small."""

    def __init__(
        self,
        store: GalleryStore,
        opened: OpenGalleries,
        uploads: UploadStore,
        folder: Path,
        *,
        max_memory_bytes: int,
        max_pixels: int,
    ) -> None:
        """``max_memory_bytes`` is for pictures of galleries; those of uploads get as much again."""
        self._store, self._opened, self._uploads = store, opened, uploads
        self._thumbnails = Thumbnails(folder, max_memory_bytes=max_memory_bytes, max_pixels=max_pixels)
        self._of_uploads = Thumbnails(None, max_memory_bytes=max_memory_bytes, max_pixels=max_pixels)

    def by_id(self, gallery: str, image_id: str, *, max_height: int | None = None) -> bytes:
        """As ``Workbench.image_bytes``."""
        key = upload_key(image_id)
        if key is not None:
            return self.by_hash(UPLOADS, key, max_height=max_height)
        found = self._opened.gallery(gallery)
        return self.by_hash(found.name, found.image(image_id).content_hash, max_height=max_height)

    def by_hash(self, gallery: str, content_hash: str, *, max_height: int | None = None) -> bytes:
        """As ``Workbench.image_by_hash``."""
        if gallery == UPLOADS:
            return self._of_uploads.get(
                content_hash, lambda: self._uploads.read(content_hash), max_height=max_height
            )
        images = self._store.get(gallery).by_hash
        if content_hash not in images:
            raise InputError(f"Gallery {gallery!r} has no image with this content.")
        return self._thumbnails.get(
            content_hash, lambda: read_verified(images[content_hash]), max_height=max_height
        )

    def forget(self, gallery: Gallery) -> None:
        """Delete what was kept of a removed gallery."""
        for content_hash in gallery.by_hash:
            self._thumbnails.remove(content_hash)
