"""Read an image of a gallery only as long as its file is the one that was registered."""

from __future__ import annotations

import hashlib

from reid_core.errors import ImageReadError
from reid_core.services.galleries import GalleryImage


def read_verified(image: GalleryImage) -> bytes:
    """The bytes of the image's file, checked against the SHA-256 in the gallery's table.

    Raises:
        ImageReadError: The file is gone, may not be read, or is not the one that was registered.
    """
    try:
        content = image.path.read_bytes()
    except OSError as error:
        raise ImageReadError(
            f"{image.id} could not be read ({error.strerror}). Was the gallery's folder moved? Import it "
            "again."
        ) from error
    if hashlib.sha256(content).hexdigest() != image.content_hash:
        raise ImageReadError(f"{image.id} changed since the gallery was imported. Import it again.")
    return content
