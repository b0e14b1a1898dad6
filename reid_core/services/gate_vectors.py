"""Gate vectors of whole galleries on disk, by network fingerprint, manifest hash and block.

One pass of the network gives all six blocks. Rows are written as they are computed, so a stop loses nothing
that was finished; a file is used only when all rows are there.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reid_core.errors import CancelledError
from reid_core.explain.gates import Gates
from reid_core.services.files import write_text_atomically

FORMAT_VERSION = 1
_STATE = "rows.json"

ReadGates = Callable[[Sequence[int]], list[NDArray[np.float32] | None]]
"""Rows of a gallery's table in; for each all blocks' gate vectors one after the other, None if unreadable."""


class GateStore:
    """Gate files below one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def load(self, fingerprint: str, manifest_hash: str, block: str) -> Gates | None:
        """(N, 4 M) of all N images in the gallery's order, or None where not all rows are there."""
        folder = self._path(fingerprint, manifest_hash)
        state = _read_state(folder)
        if state is None or state["done"] < state["rows"]:
            return None
        gates: Gates = np.load(folder / f"{block}.npy", mmap_mode="r", allow_pickle=False)
        return gates

    def num_done(self, fingerprint: str, manifest_hash: str) -> int:
        """How many rows are there."""
        state = _read_state(self._path(fingerprint, manifest_hash))
        return 0 if state is None else int(state["done"])

    def compute(
        self,
        fingerprint: str,
        manifest_hash: str,
        num_rows: int,
        sizes: dict[str, int],
        read: ReadGates,
        *,
        batch_size: int,
        report: Callable[[int, int], None],
        is_cancelled: Callable[[], bool],
    ) -> None:
        """Write what is missing.

        Args:
            fingerprint: Of the network.
            manifest_hash: Of the gallery.
            num_rows: N images.
            sizes: Length of a gate vector by block, in the order in which ``read`` gives them.
            read: Runs the network.
            batch_size: Rows per call of ``read``.
            report: Called with (rows done, N).
            is_cancelled: Asked before each batch.

        Raises:
            CancelledError: ``is_cancelled`` said so; finished rows are kept.
        """
        folder = self._path(fingerprint, manifest_hash)
        folder.mkdir(parents=True, exist_ok=True)
        state = _read_state(folder)
        is_kept = state is not None and all((folder / f"{block}.npy").is_file() for block in sizes)
        done = int(state["done"]) if state is not None and is_kept else 0
        files = {
            block: _open(folder / f"{block}.npy", (num_rows, size), done) for block, size in sizes.items()
        }
        ends = np.cumsum(list(sizes.values()))[:-1]
        while done < num_rows:
            if is_cancelled():
                raise CancelledError("The gates were not all read; what is finished is kept.")
            rows = range(done, min(done + batch_size, num_rows))
            for row, vector in zip(rows, read(rows), strict=True):
                parts = [np.float32(np.nan)] * len(sizes) if vector is None else np.split(vector, ends)
                for file, part in zip(files.values(), parts, strict=True):
                    file[row] = part
            done = rows.stop
            for file in files.values():
                file.flush()
            content = {"version": FORMAT_VERSION, "rows": num_rows, "done": done}
            write_text_atomically(folder / _STATE, json.dumps(content))
            report(done, num_rows)

    def remove(self, manifest_hash: str) -> None:
        """Delete everything computed for a gallery's content, of every network."""
        for folder in self._folder.glob(f"*/{manifest_hash}"):
            shutil.rmtree(folder)

    def _path(self, fingerprint: str, manifest_hash: str) -> Path:
        return self._folder / fingerprint.replace("/", "_") / manifest_hash


def _open(path: Path, shape: tuple[int, int], done: int) -> np.memmap[Any, np.dtype[np.float32]]:
    """The file to go on with; a new one where no row is done."""
    if done:
        return np.lib.format.open_memmap(path, mode="r+")
    return np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=shape)


def _read_state(folder: Path) -> dict[str, int] | None:
    """How far it is; None where there is nothing, or nothing that this version can use."""
    try:
        state = json.loads((folder / _STATE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    is_usable = isinstance(state, dict) and state.get("version") == FORMAT_VERSION
    return state if is_usable else None
