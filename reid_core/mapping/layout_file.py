"""A layout, or a neighbour graph, as the bytes of an ``.npz`` that loads without pickle."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from reid_core.errors import InputError

FORMAT_VERSION = 1


@dataclass(frozen=True)
class LayoutFile:
    """Named arrays, and a header of plain values that says what they were made from."""

    header: Mapping[str, Any]
    arrays: Mapping[str, np.ndarray]


def write_layout(content: LayoutFile) -> bytes:
    """The bytes of the file."""
    buffer = io.BytesIO()
    header = json.dumps({**content.header, "version": FORMAT_VERSION}, sort_keys=True)
    np.savez(buffer, __header__=np.frombuffer(header.encode(), dtype=np.uint8), **dict(content.arrays))  # type: ignore[arg-type]
    return buffer.getvalue()


def read_layout(content: bytes) -> LayoutFile:
    """Read what ``write_layout`` wrote.

    Raises:
        InputError: Damaged, of another kind or of another version.
    """
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        header = json.loads(arrays.pop("__header__").tobytes().decode())
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"This is not a layout ({error}); delete it, and it is computed again.") from error
    if header.get("version") != FORMAT_VERSION:
        raise InputError(
            f"This layout has format version {header.get('version')}, expected {FORMAT_VERSION}."
        )
    return LayoutFile(header, arrays)
