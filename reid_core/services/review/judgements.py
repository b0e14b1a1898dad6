"""The judgements of all galleries, opened: the log, the identity graphs, who judged what."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from reid_core.annotation import IdentityGraph
from reid_core.annotation.store import AnnotationStore
from reid_core.services.galleries import Gallery
from reid_core.services.review.agreement import Standing
from reid_core.services.review.collection import Collection
from reid_core.services.review.covers import kept_secret
from reid_core.services.review.evidence import ReviewEvidence
from reid_core.services.review.evidence_shelf import EvidenceShelf, Opened
from reid_core.services.review.faces import Faces

_CATCH_UP_S = 1.0
"""How old may be what this process knows of the answers that another process wrote."""


@dataclass(frozen=True)
class View:
    """A collection whose graph is held still."""

    collection: Collection
    graph: IdentityGraph
    faces: Faces


class Judgements:
    """What asking, answering and reading rest on; safe for many threads.

    Args:
        url: The database, as SQLAlchemy names it. It is opened with the first call.
        get_gallery: A gallery by its name, "" for the default one.
        open_gallery: The same with embeddings of a model; raises GalleryNotReadyError until it has some.
        load_selection: Image ids of a saved selection of a gallery.
        secret_path: Where to keep what cover names are made with, see ``covers``.
    """

    def __init__(
        self,
        url: str,
        *,
        get_gallery: Callable[[str], Gallery],
        open_gallery: Callable[[str, str], Opened],
        load_selection: Callable[[str, str], tuple[str, ...]],
        secret_path: Path,
    ) -> None:
        self._url = url
        self._get_gallery = get_gallery
        self._load_selection = load_selection
        self._secret_path = secret_path
        self._shelf = EvidenceShelf(open_gallery)
        self._lock = threading.RLock()
        self._store_or_none: AnnotationStore | None = None
        self._collections: dict[str, tuple[str, Collection]] = {}
        self._caught_up: dict[str, float] = {}
        self._standing: dict[str, Standing] = {}
        self._put_off: dict[tuple[str, str], set[str]] = {}

    def close(self) -> None:
        """End the background work and give the database back."""
        with self._lock:
            for _, collection in self._collections.values():
                collection.close()
            self._collections.clear()
            if self._store_or_none is not None:
                self._store_or_none.close()
                self._store_or_none = None

    @property
    def _store(self) -> AnnotationStore:
        with self._lock:
            if self._store_or_none is None:
                self._store_or_none = AnnotationStore(self._url)
            return self._store_or_none

    def _collection(self, gallery: str) -> Collection:
        found = self._get_gallery(gallery)
        with self._lock:
            kept = self._collections.get(found.name)
            if kept is not None and kept[0] == found.manifest_hash:
                return kept[1]
            if kept is not None:
                kept[1].stop()
            collection = Collection(self._store, found, secret=kept_secret(self._secret_path))
            self._collections[found.name] = (found.manifest_hash, collection)
            self._standing.pop(found.name, None)
            return collection

    def _reopen(self, name: str) -> None:
        with self._lock:
            kept = self._collections.pop(name, None)
            self._standing.pop(name, None)
        if kept is not None:
            kept[1].stop()

    @contextmanager
    def _view(self, collection: Collection) -> Iterator[View]:
        now = time.monotonic()
        if now - self._caught_up.get(collection.name, 0.0) > _CATCH_UP_S:
            self._store.graph(collection.name)
            self._caught_up[collection.name] = now
            with self._store.reading(collection.name) as graph:
                collection.note_since(graph)
        with self._store.reading(collection.name) as graph:
            yield View(collection, graph, Faces(collection.gallery, graph, collection.aliases))

    def _standing_of(self, view: View) -> Standing:
        """Who judged what, taken further by what came since."""
        standing = self._standing.get(view.collection.name)
        if standing is None:
            standing = self._standing[view.collection.name] = Standing()
        standing.catch_up(view.graph)
        return standing

    def _evidence_of(self, collection: Collection, model: str, *, is_waiting: bool = True) -> ReviewEvidence:
        """What questions are chosen by; GalleryNotReadyError while it is made, unless ``is_waiting``."""
        find = self._shelf.wait if is_waiting else self._shelf.get
        evidence = find(collection.name, model)
        collection.keep_support(evidence.support)
        return evidence
