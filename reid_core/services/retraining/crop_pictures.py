"""Small pictures of any crop of a data set, those of the training pool and locked test included."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from reid_core.errors import ImageReadError, InputError
from reid_core.services.thumbnails import Thumbnails
from reid_core.types import ImageRecord

_MEMORY_BYTES = 32_000_000


class CropPictures:
    """Reads crops through ``records_of`` (a gallery's crops by id) and keeps small JPEGs in memory."""

    def __init__(self, records_of: Callable[[str], Mapping[str, ImageRecord]], *, max_pixels: int) -> None:
        self._records_of = records_of
        self._thumbnails = Thumbnails(None, max_memory_bytes=_MEMORY_BYTES, max_pixels=max_pixels)

    def jpeg(self, gallery: str, crop: str, *, height: int | None = None) -> bytes:
        """One crop as JPEG, at most ``height`` pixels high.

        Raises:
            InputError: There is no such gallery or crop. ImageReadError: Its file is gone or damaged.
        """
        records = self._records_of(gallery)
        if crop not in records:
            raise InputError(f"The data set of gallery {gallery!r} has no crop {crop[:80]!r}.")
        path = records[crop].path
        try:
            version = path.stat().st_mtime_ns
        except OSError as error:
            raise ImageReadError(f"{path.name} cannot be read ({error}). Bring the file back.") from error
        return self._thumbnails.get(f"{path}|{version}", path.read_bytes, max_height=height)
