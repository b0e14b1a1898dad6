"""Layouts and neighbour graphs on disk: ``maps/<gallery>/<network>/<content>/``, whole or not there."""

from __future__ import annotations

import hashlib
import logging
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reid_core.errors import InputError
from reid_core.mapping import LayoutFile, NeighbourGraph, read_layout, write_layout
from reid_core.services.files import write_bytes_atomically
from reid_core.services.galleries import Gallery

_log = logging.getLogger(__name__)

_GRAPH = "neighbours.npz"

RowKeys = NDArray[np.uint64]
"""(N,) one number per crop from its id and content: rows are matched by it between versions of a gallery."""


def row_keys(gallery: Gallery, ids: tuple[str, ...]) -> RowKeys:
    """Keys of these crops."""
    digests = (
        hashlib.sha256(f"{image_id}\0{gallery.by_id[image_id].content_hash}".encode()).digest()[:8]
        for image_id in ids
    )
    return np.array([int.from_bytes(digest, "big") for digest in digests], dtype=np.uint64)


class MapFiles:
    """The files below one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def load_graph(self, gallery: Gallery, fingerprint: str, keys: RowKeys, k: int) -> NeighbourGraph | None:
        """The stored graph, if it is of these rows and holds at least ``k`` neighbours (or all there are)."""
        found = self._read(self._place(gallery, fingerprint) / _GRAPH)
        if found is None or not np.array_equal(found.arrays["keys"], keys):
            return None
        graph = NeighbourGraph(found.arrays["rows"], found.arrays["distances"])
        return graph if graph.num_neighbours >= min(k, len(keys)) else None

    def save_graph(self, gallery: Gallery, fingerprint: str, keys: RowKeys, graph: NeighbourGraph) -> None:
        """Keep a graph for the next parameters."""
        content = write_layout(
            LayoutFile(
                {"kind": "neighbours"}, {"keys": keys, "rows": graph.rows, "distances": graph.distances}
            )
        )
        write_bytes_atomically(self._place(gallery, fingerprint) / _GRAPH, content)

    def load_points(
        self, gallery: Gallery, fingerprint: str, digest: str
    ) -> tuple[RowKeys, NDArray[np.float32]] | None:
        """The layout of this very content, or None."""
        return self._points(self._place(gallery, fingerprint) / f"{digest}.npz")

    def load_earlier_points(
        self, gallery: Gallery, fingerprint: str, digest: str
    ) -> tuple[RowKeys, NDArray[np.float32]] | None:
        """The newest layout of an earlier content of this gallery, or None."""
        earlier = [place / f"{digest}.npz" for place in self._earlier(gallery, fingerprint)]
        there = sorted((p for p in earlier if p.is_file()), key=lambda p: p.stat().st_mtime, reverse=True)
        return next((found for found in map(self._points, there) if found is not None), None)

    def save_points(
        self, gallery: Gallery, fingerprint: str, digest: str, keys: RowKeys, points: NDArray[np.float32]
    ) -> None:
        """Keep a layout; it takes the place of those of earlier contents."""
        header = {"kind": "points", "gallery": gallery.name, "digest": digest}
        content = write_layout(LayoutFile(header, {"keys": keys, "points": points}))
        write_bytes_atomically(self._place(gallery, fingerprint) / f"{digest}.npz", content)
        for place in list(self._earlier(gallery, fingerprint)):
            (place / _GRAPH).unlink(missing_ok=True)
            (place / f"{digest}.npz").unlink(missing_ok=True)
            if not any(place.iterdir()):
                place.rmdir()

    def remove(self, gallery: str) -> None:
        """Delete every map of a gallery."""
        shutil.rmtree(self._folder / gallery, ignore_errors=True)

    def _place(self, gallery: Gallery, fingerprint: str) -> Path:
        return self._folder / gallery.name / fingerprint.replace("/", "_") / gallery.manifest_hash

    def _earlier(self, gallery: Gallery, fingerprint: str) -> Iterator[Path]:
        here = self._place(gallery, fingerprint)
        if here.parent.is_dir():
            yield from (place for place in here.parent.iterdir() if place.is_dir() and place != here)

    def _points(self, path: Path) -> tuple[RowKeys, NDArray[np.float32]] | None:
        found = self._read(path)
        if found is None:
            return None
        keys, points = found.arrays["keys"], found.arrays["points"]
        is_whole = points.shape == (len(keys), 2) and bool(np.isfinite(points).all())
        return (keys, points) if is_whole else None

    def _read(self, path: Path) -> LayoutFile | None:
        if not path.is_file():
            return None
        try:
            return read_layout(path.read_bytes())
        except InputError as error:
            _log.warning("%s: %s", path.name, error)
            path.unlink(missing_ok=True)
            return None
