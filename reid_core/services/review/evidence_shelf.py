"""Evidence of every gallery under every network, made in the background so that no question waits for it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Protocol

from reid_core.errors import GalleryNotReadyError
from reid_core.services.review import likenesses
from reid_core.services.review.evidence import ReviewEvidence, make_evidence, rows_asked_about
from reid_core.services.review.waiting import describe_wait
from reid_core.services.search import SearchSpace

_LOG = logging.getLogger(__name__)
_MAX_EVIDENCE = 3
_MAX_SUSPICIONS = 100_000
_S_PER_CROP = 0.0004
"""Measured on 2,000 to 32,000 crops; see ``describe_wait`` about busy machines."""


class EvidenceNotReadyError(GalleryNotReadyError):
    """The gallery is embedded; what questions are chosen by is still being made."""


class Opened(Protocol):
    """A gallery with its embeddings; what is used of ``OpenGallery``."""

    @property
    def space(self) -> SearchSpace:
        """Embeddings of one network."""


class _Making:
    """Evidence in the making, or made, or what went wrong. Starts at once, in a thread of its own."""

    def __init__(self, space: SearchSpace) -> None:
        self.evidence: ReviewEvidence | None = None
        self.failure: Exception | None = None
        self.is_over = threading.Event()
        self._num_crops, self._started_s = len(rows_asked_about(space)), time.monotonic()
        threading.Thread(target=self._make, args=(space,), name="review-evidence", daemon=True).start()

    def describe(self) -> str:
        """How much there is to do, how long it has been at it, and about how long it takes."""
        what = f"Comparing {self._num_crops:,} crops with one another"
        passed_s, usual_s = time.monotonic() - self._started_s, _S_PER_CROP * self._num_crops
        return (
            f"{describe_wait(what, passed_s=passed_s, usual_s=usual_s)} Then the first questions are chosen."
        )

    def _make(self, space: SearchSpace) -> None:
        try:
            self.evidence = make_evidence(space)
        except Exception as error:  # whoever asks for it is told
            _LOG.info("No evidence for the review of %s: %s", space.gallery.name, error)
            self.failure = error
        self.is_over.set()


class EvidenceShelf:
    """The evidence used last, by gallery and network: half a second of work for 1,600 crops, 8 s for 20,000.

    Args:
        open_gallery: A gallery with embeddings of a model, by their names.
    """

    def __init__(self, open_gallery: Callable[[str, str], Opened]) -> None:
        self._open_gallery = open_gallery
        self._lock = threading.Lock()
        self._kept: dict[tuple[str, str], _Making] = {}
        self._suspicions: dict[tuple[str, tuple[str, ...]], float | None] = {}

    def get(self, gallery: str, model: str) -> ReviewEvidence:
        """The evidence if it is there; otherwise its making is started.

        Raises:
            EvidenceNotReadyError: It is being made. GalleryNotReadyError: The gallery is not embedded yet.
            InputError: Fewer than two crops can be asked about.
        """
        making = self._making(gallery, model)
        if not making.is_over.is_set():
            raise EvidenceNotReadyError(making.describe())
        return self._result(making)

    def wait(self, gallery: str, model: str) -> ReviewEvidence:
        """As ``get``, but waits until it is made."""
        making = self._making(gallery, model)
        making.is_over.wait()
        return self._result(making)

    def suspicion(self, evidence: ReviewEvidence | None, crops: tuple[str, ...]) -> float | None:
        """How clearly the crops look like two people, see ``likenesses.suspicion``; None without evidence."""
        if evidence is None:
            return None
        key = (evidence.fingerprint, crops)
        with self._lock:
            if key in self._suspicions:
                return self._suspicions[key]
        found = likenesses.suspicion(evidence, crops)
        with self._lock:
            if len(self._suspicions) > _MAX_SUSPICIONS:
                self._suspicions.clear()
            self._suspicions[key] = found
        return found

    def _making(self, gallery: str, model: str) -> _Making:
        space = self._open_gallery(gallery, model).space
        key = (space.gallery.manifest_hash, space.index.fingerprint)
        with self._lock:
            making = self._kept.pop(key, None)
            if making is None:
                making = _Making(space)
            self._kept[key] = making  # the one used last is at the end
            while len(self._kept) > _MAX_EVIDENCE:
                del self._kept[next(iter(self._kept))]
        return making

    def _result(self, making: _Making) -> ReviewEvidence:
        if making.failure is not None:
            with self._lock:  # whoever asks next tries again
                self._kept = {key: kept for key, kept in self._kept.items() if kept is not making}
            raise making.failure
        assert making.evidence is not None
        return making.evidence
