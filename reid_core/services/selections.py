"""Sets of images that one page hands to another: a region of the map, a filtered list of failures.

A selection is named by its content, so a link to it means the same set for everybody and for ever.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from pathlib import Path

from reid_core.errors import InputError
from reid_core.services.files import write_text_atomically

MAX_IMAGES = 200_000
_KEY = re.compile(r"[0-9a-f]{16}")


class SelectionStore:
    """Selections below one folder, each one small file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def save(self, gallery: str, image_ids: Iterable[str]) -> str:
        """Keep a set of images of a gallery; equal sets get equal keys, whatever their order.

        Returns:
            16 hex digits for an address.

        Raises:
            InputError: No image, or too many.
        """
        ids = sorted(set(image_ids))
        if not 1 <= len(ids) <= MAX_IMAGES:
            raise InputError(f"{len(ids):,} images were selected; select 1 to {MAX_IMAGES:,}.")
        content = json.dumps({"gallery": gallery, "ids": ids}, ensure_ascii=False)
        key = hashlib.sha256(content.encode()).hexdigest()[:16]
        write_text_atomically(self._folder / f"{key}.json", content)
        return key

    def load(self, gallery: str, key: str) -> tuple[str, ...]:
        """The images of a selection, sorted by id.

        Raises:
            InputError: There is none with this key, or it belongs to another gallery.
        """
        path = self._folder / f"{key}.json"
        if not _KEY.fullmatch(key) or not path.is_file():
            raise InputError(
                f"There is no selection {key[:40]!r}. Select the images again; the link follows."
            )
        stored = json.loads(path.read_text(encoding="utf-8"))
        if stored["gallery"] != gallery:
            raise InputError(
                f"Selection {key} is of gallery {stored['gallery']!r}, not of {gallery!r}: choose that one."
            )
        return tuple(stored["ids"])
