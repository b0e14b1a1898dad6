"""Query pictures people bring: decoded, cut, re-encoded without metadata, kept by content hash for a while.

A link to a search names its upload, so an upload outlives the page; after some days without use, or when too
many are kept, the longest unused is deleted.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import time
from pathlib import Path

from PIL import Image

from reid_core.errors import ImageReadError, InputError
from reid_core.images import ImageInput, encode_jpeg, read_image
from reid_core.services.files import write_bytes_atomically
from reid_core.services.imports import MIN_SIDE, check_size
from reid_core.services.records import UPLOAD_PREFIX

_log = logging.getLogger(__name__)

Box = tuple[float, float, float, float]
"""Left, top, right, bottom in pixels of the upright image."""

MAX_SIDE = 2048
"""Larger pictures are scaled down before they are kept; the network sees at most 256 x 128 of them."""
_QUALITY = 95
_KEY = re.compile(r"[0-9a-f]{32}")
_DAY_S = 86_400.0
_CLEAN_EVERY = 50


class UploadStore:
    """Uploaded pictures below one folder."""

    def __init__(self, folder: Path, *, retention_days: int, max_stored: int, max_pixels: int) -> None:
        self._folder = folder
        self._retention_days = retention_days
        self._max_stored = max_stored
        self._max_pixels = max_pixels
        self._stored_since_cleaning = 0

    def store(self, image: ImageInput, *, box: Box | None = None) -> tuple[str, Image.Image]:
        """Keep a picture, or the part of it inside ``box``; returns its key and the stored image.

        Raises:
            ImageReadError: Not an image, damaged, too large or too small.
            InputError: The box is empty or outside of the picture.
        """
        upright = read_image(image, name="The picture", max_pixels=self._max_pixels)
        if box is not None:
            upright = upright.crop(_clip_box(box, upright.width, upright.height))
        check_size(upright.width, upright.height, "The picture")
        upright.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.LANCZOS, reducing_gap=3.0)
        check_size(upright.width, upright.height, "The picture, scaled down to be stored,")
        content = encode_jpeg(upright, quality=_QUALITY)
        key = hashlib.sha256(content).hexdigest()[:32]
        write_bytes_atomically(self._path(key), content)
        self._stored_since_cleaning += 1
        if self._stored_since_cleaning >= _CLEAN_EVERY:
            self.clean()
        return key, upright

    def read(self, key: str) -> bytes:
        """The stored JPEG; reading it makes it new for the retention.

        Raises:
            InputError: It is not there, or the key is not one of ours.
        """
        if not _KEY.fullmatch(key):
            raise InputError(f"{key[:40]!r} is not the key of an uploaded picture (32 hex digits).")
        path = self._path(key)
        try:
            content = path.read_bytes()
            os.utime(path)
        except OSError:
            raise InputError(
                f"The uploaded picture {key[:8]} is not here any more: uploads are deleted after "
                f"{self._retention_days} days without use. Upload it again."
            ) from None
        return content

    def clean(self) -> int:
        """Delete what is too old or too much; returns how many pictures went."""
        self._stored_since_cleaning = 0
        stored = sorted((path.stat().st_mtime, path) for path in self._folder.glob("*/*.jpg"))
        oldest_s = time.time() - self._retention_days * _DAY_S
        surplus = len(stored) - self._max_stored
        gone = [path for place, (used_s, path) in enumerate(stored) if used_s < oldest_s or place < surplus]
        for path in gone:
            path.unlink(missing_ok=True)
        if gone:
            _log.info("deleted %d uploaded pictures that were not used any more", len(gone))
        return len(gone)

    def _path(self, key: str) -> Path:
        return self._folder / key[:2] / f"{key}.jpg"


def upload_key(query_id: str) -> str | None:
    """The key inside the id of an uploaded query; None for the id of a gallery's image."""
    return query_id[len(UPLOAD_PREFIX) :] if query_id.startswith(UPLOAD_PREFIX) else None


def _clip_box(box: Box, width: int, height: int) -> tuple[int, int, int, int]:
    left, top, right, bottom = box
    if not all(abs(edge) < 1e6 for edge in box):  # also false for NaN
        raise InputError(f"The box {box} is not four numbers in pixels. Draw it again.")
    clipped = (
        max(0, round(left)),
        max(0, round(top)),
        min(width, round(right)),
        min(height, round(bottom)),
    )
    if clipped[2] - clipped[0] < MIN_SIDE or clipped[3] - clipped[1] < MIN_SIDE:
        raise ImageReadError(
            f"The box from ({left:.0f}, {top:.0f}) to ({right:.0f}, {bottom:.0f}) covers less than "
            f"{MIN_SIDE} x {MIN_SIDE} pixels of the picture ({width} x {height}). Draw it around one person."
        )
    return clipped
