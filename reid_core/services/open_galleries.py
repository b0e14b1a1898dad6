"""Galleries by name, opened for search: which one is the default, how far that is, and what makes it so."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from reid_core.assets import DEMO_CITY, asset_path
from reid_core.errors import GalleryNotReadyError, InputError, ReidError
from reid_core.retrieval import rerank
from reid_core.services.embeddings import CropEmbedder
from reid_core.services.galleries import Gallery, GalleryStore, sign_source
from reid_core.services.imports import ImportSource, check_source
from reid_core.services.jobs import JobQueue
from reid_core.services.model_shelf import ModelShelf
from reid_core.services.preparation import Preparation
from reid_core.services.records import GalleryInfo, JobView
from reid_core.services.search import SearchSpace

_log = logging.getLogger(__name__)

_CLOSE_S = 20.0


@dataclass(frozen=True)
class OpenGallery:
    """A gallery, embedded by one network, with that network. ``gallery`` and ``model`` are their names."""

    gallery: str
    model: str
    space: SearchSpace
    embedder: CropEmbedder


class OpenGalleries:
    """Hands out galleries that can be searched, and starts the jobs that make them so."""

    def __init__(
        self,
        default: str,
        *,
        store: GalleryStore,
        shelf: ModelShelf,
        preparation: Preparation,
        jobs: Callable[[], JobQueue],
    ) -> None:
        """``default`` is the path or name of the default gallery; empty for the demo city."""
        self._default = default
        self._store, self._shelf, self._preparation, self._jobs = store, shelf, preparation, jobs
        self._default_job_id = ""
        self._warm_up: threading.Thread | None = None

    def start(self, start_jobs: Callable[[], None]) -> None:
        """Read the default gallery where that was not done, and get ready for the first search.

        ``start_jobs`` takes up unfinished jobs: after the default was found to exist, before it is imported.

        Raises:
            InputError, DatasetError: The default gallery does not exist.
        """
        source = self._default_source()
        start_jobs()
        name = self._default if source is None else self._store.find_source(source.identity)
        is_changed = source is not None and name and self._store.signature(name) != sign_source(source.path)
        if source is not None and (not name or is_changed):
            self._default_job_id = self.submit_import(source, is_kept=True).id
        self._warm_up = threading.Thread(target=self._warm_up_first_search, name="reid-warm-up", daemon=True)
        self._warm_up.start()

    def close(self) -> None:
        """Wait for what was begun for the first search."""
        if self._warm_up is not None:
            self._warm_up.join(_CLOSE_S)  # a thread inside native code at exit would crash the program

    def wait_until_compiled(self) -> None:
        """Block while re-ranking is still being compiled after the start."""
        if self._warm_up is not None:
            self._warm_up.join()

    def name_of(self, gallery: str) -> str:
        """``gallery``, or the default for an empty one.

        Raises:
            InputError: There is no such gallery. GalleryNotReadyError: The default one is still being read.
        """
        name = gallery or self._default_name()
        if name is None:
            job = self._default_import()
            if job is None:
                raise GalleryNotReadyError("The default gallery was not opened yet. Start the app first.")
            raise GalleryNotReadyError(_describe_wait(job))
        self._store.info(name, is_default=False)
        return name

    def gallery(self, name: str) -> Gallery:
        """What is registered under a name, or as the default; as ``name_of``."""
        return self._store.get(self.name_of(name))

    def infos(self) -> tuple[GalleryInfo, ...]:
        """Every registered gallery, the default first."""
        default = self._default_name()
        infos = [self._store.info(name, is_default=name == default) for name in self._store.names()]
        return tuple(sorted(infos, key=lambda info: not info.is_default))

    def status(self, gallery: str = "", model: str = "") -> JobView:
        """As ``Workbench.gallery_status``."""
        model = self._shelf.resolve(model)
        name = gallery or self._default_name()
        if name is None:
            return self._default_import() or not_prepared("", model)
        info = self._store.info(name, is_default=False)
        job = self._job_for(name, model)  # read first: a job that ends meanwhile left its embeddings before
        if self._preparation.is_ready(name, model):
            num_all = info.num_images + info.num_queries
            return replace(
                not_prepared(name, model), state="done", num_done=num_all, num_total=num_all, message="Ready."
            )
        # A job that says done while the embeddings are gone (deleted by hand) tells nothing about now.
        if job is not None and job.state != "done":
            return job
        is_first = model == self._shelf.default and name == self._default_name()
        if is_first and self._warm_up is not None and self._warm_up.is_alive():
            return replace(not_prepared(name, model), state="running", message="Loading the network.")
        return not_prepared(name, model)

    def prepare(self, gallery: str = "", model: str = "") -> JobView:
        """As ``Workbench.prepare``."""
        status = self.status(gallery, model)
        if status.state == "done" or (status.id and not status.is_over):
            return status
        name, model = self.name_of(gallery), self._shelf.resolve(model)
        title = f"Embed {self._store.info(name, is_default=False).title}"
        parameters = {"gallery": name, "model": model}
        return self._jobs().submit("embed", title, parameters, gallery=name, model=model)

    def open(self, gallery: str = "", model: str = "") -> OpenGallery:
        """As ``Workbench.open_gallery``."""
        name, model = self.name_of(gallery), self._shelf.resolve(model)
        if not self._preparation.was_embedded(name):  # else what follows takes seconds at most
            job = self._job_for(name, model)
            if job is not None and not job.is_over:
                raise GalleryNotReadyError(_describe_wait(job))
        embedder = self._shelf.get(model)
        space = self._preparation.open(name, embedder)
        if space is None:
            raise GalleryNotReadyError(_describe_wait(self.prepare(name, model)))
        return OpenGallery(name, model, space, embedder)

    def submit_import(self, source: ImportSource, *, is_kept: bool = False) -> JobView:
        """Start the job that reads and embeds a gallery; ``is_kept`` as in ``import_parameters``."""
        parameters = self._preparation.import_parameters(source, is_kept=is_kept)
        return self._jobs().submit("import", f"Import {source.title}", parameters, model=self._shelf.default)

    def _default_source(self) -> ImportSource | None:
        """What to read as the default gallery; None where the settings name one that is registered."""
        if not self._default:
            return ImportSource(asset_path(DEMO_CITY), "Demo city")
        if self._default in self._store.names():
            return None
        path = Path(self._default).expanduser().resolve()
        if not path.exists():
            known = ", ".join(self._store.names()) or "none yet"
            raise InputError(
                f"The gallery {self._default!r} is neither registered ({known}) nor a path that exists. "
                "Check --gallery."
            )
        check_source(path)
        return ImportSource(path, path.stem)

    def _default_name(self) -> str | None:
        source = self._default_source()
        return self._default if source is None else self._store.find_source(source.identity)

    def _default_import(self) -> JobView | None:
        """The job that reads the default gallery for the first time."""
        return self._jobs().get(self._default_job_id) if self._default_job_id else None

    def _job_for(self, gallery: str, model: str) -> JobView | None:
        """The newest job that makes this gallery ready for this model."""
        return next(
            (
                job
                for job in self._jobs().all()
                if job.kind in ("import", "embed") and job.gallery == gallery and job.model == model
            ),
            None,
        )

    def _warm_up_first_search(self) -> None:
        """Load the network, open the default gallery, compile re-ranking: before somebody waits for it.

        At the very first start the compiling (seconds) goes on beside the embedding.
        """
        try:
            self._shelf.get(self._shelf.default)
            self.open()
        except GalleryNotReadyError:
            pass  # it is being read or embedded
        except ReidError as error:  # whoever searches is told the same
            _log.warning("The default gallery could not be opened: %s", error)
        points = np.eye(8, dtype=np.float32)
        rerank(points[:1], points[1:])


def not_prepared(gallery: str, model: str) -> JobView:
    """Stands for the job of a gallery that nobody asked for yet; it has no id."""
    return JobView(
        id="",
        kind="embed",
        title="",
        state="queued",
        num_done=0,
        num_total=0,
        message="Not prepared for this model yet.",
        gallery=gallery,
        model=model,
    )


def _describe_wait(job: JobView) -> str:
    if job.state in ("failed", "cancelled"):
        return f"The gallery is not ready: {job.message}"
    share = f" ({job.num_done:,} of {job.num_total:,})" if job.num_total else ""
    return f"The gallery is being prepared: {job.message.rstrip('.').lower()}{share}. Try again in a moment."
