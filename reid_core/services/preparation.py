"""From files to a gallery that can be searched: the work behind import and embed jobs."""

from __future__ import annotations

import shutil
import threading
from collections import OrderedDict
from dataclasses import replace
from pathlib import Path

from reid_core.services.calibration import CalibrationStore
from reid_core.services.embeddings import CropEmbedder, EmbeddingCache
from reid_core.services.galleries import Gallery, GalleryStore
from reid_core.services.imports import ImportLimits, ImportSource, read_into_staging
from reid_core.services.jobs import JobControl
from reid_core.services.model_shelf import ModelShelf
from reid_core.services.search import SearchSpace
from reid_core.services.turns import ComputeTurns

_MAX_OPEN_SPACES = 3

SpaceKey = tuple[str, str, str]
"""Gallery name, manifest hash and network fingerprint: another content or network is another space."""


class Preparation:
    """Registers and embeds galleries, and keeps the newest used ones open for search."""

    def __init__(
        self,
        store: GalleryStore,
        embeddings: EmbeddingCache,
        shelf: ModelShelf,
        turns: ComputeTurns,
        calibrations: CalibrationStore,
        *,
        limits: ImportLimits,
    ) -> None:
        self._store, self._embeddings, self._shelf, self._turns = store, embeddings, shelf, turns
        self._calibrations = calibrations
        self._limits = limits
        self._lock = threading.Lock()
        self._spaces: OrderedDict[SpaceKey, SearchSpace] = OrderedDict()

    def import_parameters(self, source: ImportSource, *, is_kept: bool = False) -> dict[str, str]:
        """What an import job has to remember. ``is_kept``: stays registered where embedding is stopped."""
        return {
            "source": str(source.path),
            "title": source.title,
            "kind": source.kind,
            "owned": "yes" if source.is_owned else "",
            "kept": "yes" if is_kept else "",
            "model": self._shelf.default,
        }

    def run_import(self, control: JobControl) -> str:
        """Read, register and embed a gallery; a gallery of the same source gives up its place.

        A stop or an error leaves nothing behind; an interruption leaves what the next try can use.

        Raises:
            ReidError: The source or the network cannot be used. CancelledError: Somebody stopped it.
        """
        given = control.parameters
        source = ImportSource(Path(given["source"]), given["title"], given["kind"], bool(given["owned"]))
        replaced = self._store.find_source(source.identity) if source.identity else None
        try:
            control.check()
            if not control.gallery:  # else it was registered before a restart
                self._register(source, replaced, control)
            return self.embed(control.gallery, given["model"], control)
        except Exception:
            if not control.is_interrupted():
                shutil.rmtree(self._store.staging / source.staging_name, ignore_errors=True)
                if control.gallery and not given["kept"] and replaced is None:
                    self.remove(control.gallery)
            raise

    def run_embed(self, control: JobControl) -> str:
        """Embed a registered gallery with a network, or find that this was done.

        Raises:
            ReidError: The gallery or the network cannot be used. CancelledError: Somebody stopped it.
        """
        return self.embed(control.parameters["gallery"], control.parameters["model"], control)

    def is_ready(self, name: str, model: str) -> bool:
        """Whether a search would find embeddings; false as long as the network is not loaded."""
        embedder = self._shelf.peek(model)
        if embedder is None:
            return False
        return self._embeddings.has(embedder.fingerprint, self._store.get(name).manifest_hash)

    def was_embedded(self, name: str) -> bool:
        """Whether there are embeddings of some network, so that probably only loading is left to do."""
        return self._embeddings.has_any(self._store.get(name).manifest_hash)

    def open(self, name: str, embedder: CropEmbedder) -> SearchSpace | None:
        """The gallery ready to be searched with this network; None where it is not embedded."""
        gallery = self._store.get(name)
        key = (name, gallery.manifest_hash, embedder.fingerprint)
        with self._lock:
            if key in self._spaces:
                self._spaces.move_to_end(key)
                return self._spaces[key]
        embeddings = self._embeddings.load(embedder.fingerprint, gallery.manifest_hash)
        if embeddings is None:
            return None
        return self._keep(gallery, SearchSpace.build(gallery, embeddings))

    def remove(self, name: str) -> Gallery:
        """Delete a gallery and, where no other has the same content, its embeddings; returns what it was.

        Raises:
            InputError: There is no such gallery.
        """
        gallery = self._store.get(name)
        self._store.remove(name)
        with self._lock:
            for key in [key for key in self._spaces if key[0] == name]:
                del self._spaces[key]
        if gallery.manifest_hash not in self._store.manifest_hashes():
            self._embeddings.remove(gallery.manifest_hash)
        return gallery

    def _register(self, source: ImportSource, replaced: str | None, control: JobControl) -> None:
        control.report(0, 0, "Loading the network.")
        self._shelf.get(control.parameters["model"])  # what cannot be embedded need not be read
        staging = read_into_staging(
            source, self._store, self._limits, report=control.report, is_cancelled=control.is_cancelled
        )
        control.check()
        control.name_gallery(self._store.publish(staging, replaces=replaced))

    def embed(self, name: str, model: str, control: JobControl) -> str:
        """Embed a registered gallery with a network inside any job, or find that this was done.

        Raises:
            ReidError: The gallery or the network cannot be used. CancelledError: Somebody stopped it.
        """
        control.report(0, 0, "Loading the network.")
        embedder = self._shelf.get(model)
        gallery = self._store.get(name)
        control.refuse(gallery.refused)
        control.check()
        embeddings = self._embeddings.load(embedder.fingerprint, gallery.manifest_hash)
        if embeddings is None:
            embeddings = self._embeddings.compute(
                gallery,
                embedder,
                turns=self._turns,
                report=lambda done, total: control.report(done, total, "Embedding."),
                is_cancelled=control.is_cancelled,
            )
        control.report(len(gallery.images), len(gallery.images), "Calibrating similarities.")
        self._keep(gallery, SearchSpace.build(gallery, embeddings))
        refused = (*gallery.refused, *embeddings.skipped)
        control.refuse(refused)
        control.report(len(gallery.images), len(gallery.images), "Embedding.")
        return _sum_up(gallery, len(refused))

    def _keep(self, gallery: Gallery, space: SearchSpace) -> SearchSpace:
        space = replace(space, calibration=self._calibrations.get(space))
        with self._lock:
            self._spaces[gallery.name, gallery.manifest_hash, space.index.fingerprint] = space
            while len(self._spaces) > _MAX_OPEN_SPACES:
                self._spaces.popitem(last=False)
        return space


def _sum_up(gallery: Gallery, num_refused: int) -> str:
    num_queries = sum(image.is_query for image in gallery.images)
    queries = f" and {num_queries:,} queries" if num_queries else ""
    refused = f"; {num_refused:,} items were refused" if num_refused else ""
    return f"{len(gallery.searched):,} gallery images{queries} can be searched{refused}."
