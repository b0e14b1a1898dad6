"""What the learning loop reads of a gallery's data set: pools, crops by id, embeddings."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from reid_core.retraining.pools import Pools
from reid_core.services.galleries import GalleryStore
from reid_core.services.retraining.base_sets import dataset_of, pools_of_gallery
from reid_core.types import EmbeddingSet, ImageRecord


class GalleryData:
    """Read once for every state of a gallery; safe to call from many threads.

    Args:
        store: Of the workbench.
        open_gallery: ``Workbench.open_gallery``: a gallery ready to be searched, with its network.
    """

    def __init__(self, store: GalleryStore, open_gallery: Callable[[str, str], Any]) -> None:
        self._store, self._open_gallery = store, open_gallery
        self._lock = threading.Lock()
        self._pools: dict[str, tuple[str, Pools]] = {}
        self._records: dict[str, tuple[str, Mapping[str, ImageRecord]]] = {}

    def names(self) -> tuple[str, ...]:
        """Every gallery."""
        return tuple(self._store.names())

    def pools(self, gallery: str) -> Pools:
        """Train, feedback and locked test of a gallery's data set.

        Raises:
            InputError: There is no such gallery. DatasetError: Its source is gone or contradicts itself.
        """
        opened = self._store.get(gallery)
        with self._lock:
            kept = self._pools.get(gallery)
            if kept is None or kept[0] != opened.manifest_hash:
                self._pools[gallery] = (opened.manifest_hash, pools_of_gallery(opened, self._store))
            return self._pools[gallery][1]

    def records(self, gallery: str) -> Mapping[str, ImageRecord]:
        """Every crop of all pools, by id.

        Raises:
            InputError, DatasetError: As ``pools``.
        """
        wanted = self._store.get(gallery).manifest_hash
        with self._lock:
            kept = self._records.get(gallery)
        if kept is not None and kept[0] == wanted:
            return kept[1]
        splits = dataset_of(self._store.get(gallery), self._store).splits()
        found = {record.image_id: record for records in splits.values() for record in records}
        with self._lock:
            self._records[gallery] = (wanted, found)
        return found

    def paths(self, gallery: str) -> dict[str, Path]:
        """Where every crop lies, by id.

        Raises:
            InputError, DatasetError: As ``pools``.
        """
        return {image_id: record.path for image_id, record in self.records(gallery).items()}

    def embeddings(self, gallery: str, model: str) -> EmbeddingSet:
        """Of the crops that are searched.

        Raises:
            GalleryNotReadyError: It is not embedded with the model yet.
        """
        index = self._open_gallery(gallery, model).space.index
        ids = tuple(index.ids)
        return EmbeddingSet(index.vectors_of(list(ids)), ids, index.fingerprint)
