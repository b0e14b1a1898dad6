"""Where the judgements of a gallery come from: whatever keeps its log."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Protocol

from reid_core.annotation import Event
from reid_core.annotation.store import AnnotationStore


class Judgements(Protocol):
    """All that freezing needs of the annotation store."""

    def log(self, gallery: str) -> tuple[Event, ...]:
        """Every event of a gallery, oldest first."""

    def support(self, gallery: str) -> Mapping[str, float] | None:
        """How well each crop fits its label, as the identities on screen were made; None: all alike."""


class StoredJudgements:
    """The log in an annotation database, opened at its first use."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._store: AnnotationStore | None = None
        self._lock = threading.Lock()

    def log(self, gallery: str) -> tuple[Event, ...]:
        """Every event of a gallery, oldest first."""
        return self._open().log(gallery)

    def support(self, gallery: str) -> Mapping[str, float] | None:
        """What the database keeps beside the log; None where it keeps nothing."""
        read = getattr(self._open(), "support", None)
        found: Mapping[str, float] | None = read(gallery) if read is not None else None
        return found

    def close(self) -> None:
        """Give the connections back."""
        if self._store is not None:
            self._store.close()

    def _open(self) -> AnnotationStore:
        with self._lock:
            if self._store is None:
                self._store = AnnotationStore(self._url)
            return self._store
