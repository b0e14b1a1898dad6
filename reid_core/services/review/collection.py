"""One gallery under review: its crops and labels, its log, its planners."""

from __future__ import annotations

import threading
from collections import OrderedDict, defaultdict
from collections.abc import Mapping

from reid_core.annotation import Event, IdentityGraph
from reid_core.annotation.store import AnnotationStore
from reid_core.services.galleries import Gallery
from reid_core.services.review.covers import Covers
from reid_core.services.review.evidence import ReviewEvidence
from reid_core.services.review.planner import Planner

_MAX_PLANNERS = 2


class Collection:
    """A gallery's judgements, opened. Made anew when the gallery was read again.

    The collection's name is the gallery's, and a node is a crop's id: both outlive a new reading of the same
    source. What the log says of crops that are gone is kept, see ``AnnotationStore.open_collection``.
    """

    def __init__(self, store: AnnotationStore, gallery: Gallery, *, secret: bytes) -> None:
        self.name = gallery.name
        self.gallery = gallery
        self.labels: Mapping[str, int | None] = {image.id: image.pid for image in gallery.images}
        self._store = store
        self._lock = threading.Lock()
        self._planners: OrderedDict[str, Planner] = OrderedDict()
        self._num_noted = 0
        self.aliases: Mapping[str, tuple[str, ...]] = {}
        self.covers = Covers(self.name, secret, self._nodes)
        self._support = store.support(self.name)
        store.open_collection(self.name, self.labels, support=self._support)
        self.read_names()

    @property
    def has_support(self) -> bool:
        """Whether the support of the labels is frozen."""
        return self._support is not None

    def keep_support(self, support: Mapping[str, float]) -> None:
        """Freeze how well the labels fit, before the first judgement; later calls change nothing."""
        with self._lock:
            if self._support is None:
                self._store.keep_support(self.name, support)
                self._support = self._store.support(self.name) or {}
                self._store.open_collection(self.name, self.labels, support=self._support)

    def read_names(self) -> None:
        """Take up the names that were given to identities."""
        found: defaultdict[str, list[str]] = defaultdict(list)
        for given in self._store.names(self.name):
            found[given.node].insert(0, given.name)
        self.aliases = {node: tuple(dict.fromkeys(names)) for node, names in found.items()}

    def planner(self, evidence: ReviewEvidence) -> Planner:
        """The planner of a network's evidence, started if it does not run."""
        with self._lock:
            found = self._planners.get(evidence.fingerprint)
            if found is None or found.has_failed:
                # Held still while the log is copied, so that no answer falls between the copy and `noted`.
                with self._store.reading(self.name) as graph:
                    found = Planner(
                        evidence, self.labels, self._support, graph.log, self._store.gold(self.name)
                    )
                    self._planners[evidence.fingerprint] = found
            self._planners.move_to_end(evidence.fingerprint)
            while len(self._planners) > _MAX_PLANNERS:
                self._planners.popitem(last=False)[1].stop()  # no request waits for its end
            return found

    def note(self, events: tuple[Event, ...], *, key: str = "", ms_taken: int | None = None) -> None:
        """Tell every planner what was committed."""
        for planner in tuple(self._planners.values()):
            planner.noted(events, key=key, ms_taken=ms_taken)

    def note_since(self, graph: IdentityGraph) -> None:
        """Tell the planners what other processes have written; what they know already they pass over."""
        if len(graph) > self._num_noted:
            self.note(graph.events_since(self._num_noted))
            self._num_noted = len(graph)

    def peek_planner(self) -> Planner | None:
        """The planner used last, None if none runs."""
        return next(reversed(self._planners.values()), None) if self._planners else None

    def _nodes(self) -> set[str]:
        with self._store.reading(self.name) as graph:
            return graph.all_nodes()

    def stop(self) -> None:
        """End the background work soon, without waiting for that."""
        with self._lock:
            for planner in self._planners.values():
                planner.stop()
            self._planners.clear()

    def close(self) -> None:
        """End the background work."""
        with self._lock:
            for planner in self._planners.values():
                planner.close()
            self._planners.clear()
