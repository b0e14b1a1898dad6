"""Images for the browser: re-encoded, bounded in height, without metadata, kept by content hash.

The newest lie in memory, all of a gallery's on disk. Keys are content hashes and one of few heights, so
neither an image's id nor an address ever becomes a path, and a stranger cannot fill the disk with sizes.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from reid_core.images import encode_jpeg, read_image
from reid_core.services.files import write_bytes_atomically

HEIGHTS = (96, 128, 192, 256, 384, 512, 768, 1024, 2048)
"""Heights that are made; a wish between two gets the larger one. The last one bounds every image."""
_QUALITY = 88


class Thumbnails:
    """Finds or makes the JPEG of a content hash at a height."""

    def __init__(self, folder: Path | None, *, max_memory_bytes: int, max_pixels: int) -> None:
        """``folder`` None keeps nothing on disk, as fits images that are to be deleted without a trace."""
        self._folder = folder
        self._max_memory_bytes = max_memory_bytes
        self._max_pixels = max_pixels
        self._lock = threading.Lock()
        self._memory: OrderedDict[tuple[str, int], bytes] = OrderedDict()
        self._num_bytes = 0

    def get(self, content_hash: str, read: Callable[[], bytes], *, max_height: int | None = None) -> bytes:
        """The JPEG at most ``max_height`` (rounded up to one of ``HEIGHTS``) pixels high, never enlarged.

        ``read`` gives the image file's bytes and is called only where nothing is kept.

        Raises:
            ImageReadError: What ``read`` gave is damaged or too large.
        """
        height = bounded_height(max_height)
        kept = self.peek(content_hash, max_height=max_height)
        if kept is not None:
            return kept
        path = self._path(content_hash, height)
        if path is not None and path.is_file():
            content = path.read_bytes()
        else:
            content = _shrink(read(), height, self._max_pixels)
            if path is not None:
                write_bytes_atomically(path, content)
        self._keep((content_hash, height), content)
        return content

    def peek(self, content_hash: str, *, max_height: int | None = None) -> bytes | None:
        """What is kept in memory; never touches the disk."""
        key = (content_hash, bounded_height(max_height))
        with self._lock:
            if key in self._memory:
                self._memory.move_to_end(key)
            return self._memory.get(key)

    def remove(self, content_hash: str) -> None:
        """Forget every size of an image, in memory and on disk."""
        with self._lock:
            for key in [key for key in self._memory if key[0] == content_hash]:
                self._num_bytes -= len(self._memory.pop(key))
        for path in (self._path(content_hash, height) for height in HEIGHTS):
            if path is not None:
                path.unlink(missing_ok=True)

    def _path(self, content_hash: str, height: int) -> Path | None:
        if self._folder is None:
            return None
        return self._folder / content_hash[:2] / f"{content_hash}-{height}.jpg"

    def _keep(self, key: tuple[str, int], content: bytes) -> None:
        with self._lock:
            self._num_bytes += len(content) - len(self._memory.pop(key, b""))
            self._memory[key] = content
            while self._num_bytes > self._max_memory_bytes:
                self._num_bytes -= len(self._memory.popitem(last=False)[1])


def bounded_height(wish: int | None) -> int:
    """The height that is made for a wish; without one, the largest."""
    return next((height for height in HEIGHTS if wish is not None and wish <= height), HEIGHTS[-1])


def _shrink(content: bytes, height: int, max_pixels: int) -> bytes:
    image = read_image(content, max_pixels=max_pixels)
    scale = min(1.0, height / image.height, HEIGHTS[-1] / image.width)
    if scale < 1.0:
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        image = image.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
    return encode_jpeg(image, quality=_QUALITY)
