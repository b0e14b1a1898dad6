"""The one object that pages, routes and commands talk to. It wires the parts together and adds no logic."""

from __future__ import annotations

import contextlib
import secrets
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from reid_core.errors import InputError
from reid_core.images import ImageInput
from reid_core.services.calibration import CalibrationStore
from reid_core.services.embeddings import EmbeddingCache
from reid_core.services.evaluations import Evaluations
from reid_core.services.explaining import Explaining
from reid_core.services.galleries import GalleryStore
from reid_core.services.gate_vectors import GateStore
from reid_core.services.imports import ImportLimits, ImportSource, adopt_upload, check_source
from reid_core.services.jobs import JobControl, JobQueue, Runner
from reid_core.services.maps import MapService, average_precision, gate_clusters, label_state
from reid_core.services.model_shelf import LoadedModel, ModelLoader, ModelShelf
from reid_core.services.open_galleries import OpenGalleries, OpenGallery, not_prepared
from reid_core.services.pictures import Pictures
from reid_core.services.preparation import Preparation
from reid_core.services.records import (
    GalleryInfo,
    JobKind,
    JobView,
    ModelInfo,
    QueryView,
    SearchRequest,
    SearchResult,
)
from reid_core.services.retraining import Retraining, StoredJudgements
from reid_core.services.review import ReviewService
from reid_core.services.searching import Searching
from reid_core.services.selections import SelectionStore
from reid_core.services.turns import ComputeTurns
from reid_core.services.uploads import Box, UploadStore
from reid_core.services.views import UPLOADS, view_upload
from reid_core.settings import Settings

_MB = 1_000_000
_STALE_STAGING_S = 7 * 86_400.0


class Workbench:
    """Galleries, models, jobs, uploads and search behind one interface; safe to call from many threads.

    Building it does no work. ``start`` takes up what an earlier run left unfinished and opens the default
    gallery in the background; ``close`` stops that work, to go on at the next start.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        load_model: ModelLoader | None = None,
        training_program: Sequence[str] | None = None,
    ) -> None:
        """``load_model`` says how networks are loaded; by default ``reid_core.models.Embedder`` does it.

        ``training_program`` is the command that ``train ...`` is added to, by default this package's.
        """
        self.settings = settings
        data, caches = settings.data_dir, settings.data_dir / "cache"
        self._turns = ComputeTurns()
        self._shelf = ModelShelf(settings.model_names, load_model or _loader(settings), self._turns)
        self._store = GalleryStore(data / "galleries")
        limits = ImportLimits(
            max_images=settings.max_gallery_images,
            max_bytes=settings.max_gallery_mb * _MB,
            max_pixels=settings.max_pixels,
        )
        self._preparation = Preparation(
            self._store,
            EmbeddingCache(data / "embeddings"),
            self._shelf,
            self._turns,
            CalibrationStore(data / "calibrations"),
            limits=limits,
        )
        self._opened = OpenGalleries(
            settings.gallery,
            store=self._store,
            shelf=self._shelf,
            preparation=self._preparation,
            jobs=lambda: self._jobs,
        )
        self.evaluations = Evaluations(
            data / "evaluations",
            opener=self,
            gallery_of=self._opened.gallery,
            resolve_model=self._shelf.resolve,
            read_image=lambda gallery, key, height: self._pictures.by_hash(gallery, key, max_height=height),
            turns=self._turns,
        )
        runners: dict[JobKind, Runner] = {
            "import": self._preparation.run_import,
            "embed": self._preparation.run_embed,
            "map": lambda control: self.maps.run(control),
            "evaluate": self.evaluations.run_job,
        }
        self.retraining = Retraining(
            data / "retraining",
            store=self._store,
            shelf=self._shelf,
            preparation=self._preparation,
            turns=self._turns,
            judgements=StoredJudgements(settings.annotation_url),
            open_gallery=self._opened.open,
            jobs=lambda: self._jobs,
            program=training_program,
            max_pixels=settings.max_pixels,
        )
        runners |= self.retraining.runners
        self._uploads = UploadStore(
            data / UPLOADS,
            retention_days=settings.upload_retention_days,
            max_stored=settings.max_stored_uploads,
            max_pixels=settings.max_pixels,
        )
        self.explaining = Explaining(
            open_gallery=self._opened.open,
            read_upload=self._uploads.read,
            turns=self._turns,
            gates=GateStore(data / "gates"),
            jobs=lambda: self._jobs,
        )
        runners["gates"] = self.explaining.gates.run
        lanes: dict[JobKind, str] = {"map": "map", "evaluate": "evaluate", **self.retraining.lanes}
        traceless = self.retraining.traceless
        self._jobs = JobQueue(data / "jobs", runners, lanes=lanes, traceless=traceless)
        self.evaluations.attach(self._jobs)
        self._pictures = Pictures(
            self._store,
            self._opened,
            self._uploads,
            caches / "thumbnails",
            max_memory_bytes=settings.thumbnail_memory_mb * _MB // 2,
            max_pixels=settings.max_pixels,
        )
        self._searching = Searching(
            self._opened,
            self._uploads,
            self._turns,
            known_crops=lambda query, gallery: self.review.known_crops(query, gallery=gallery),
            num_rerank=settings.rerank_candidates,
        )
        self.selections = SelectionStore(data / "selections")
        self.maps = MapService(
            data / "maps",
            self._opened.open,
            self._searching.vector,
            self._jobs,
            self._turns,
            self.selections,
        )
        self.review = ReviewService(
            settings.annotation_url,
            get_gallery=self._opened.gallery,
            open_gallery=self._opened.open,
            load_selection=self.selections.load,
            secret_path=data / "blind.key",
        )
        self.maps.register_column("gates", "Gate cluster", gate_clusters(self.explaining.gates))
        self.maps.register_column("ap", "AP of the newest run", average_precision(self.evaluations))
        self.maps.register_column("labels", "State of the label", label_state(self.review))

    def start(self) -> None:
        """Begin to work: unfinished jobs first, then the default gallery, all in the background.

        Raises:
            InputError, DatasetError: The gallery of the settings does not exist.
        """
        self._uploads.clean()
        self._clear_stale_staging()
        self.evaluations.clean()
        self._opened.start(self._jobs.start)

    def close(self) -> None:
        """Stop the background work; what is unfinished goes on at the next start."""
        self._jobs.close()
        self.review.close()
        self._opened.close()

    def models(self) -> tuple[ModelInfo, ...]:
        """Every choice of weights, the default first; more is known of one once it was loaded."""
        return self._shelf.infos()

    def galleries(self) -> tuple[GalleryInfo, ...]:
        """Every registered gallery, the default first."""
        return self._opened.infos()

    def gallery_status(self, gallery: str = "", model: str = "") -> JobView:
        """Whether the gallery can be searched with the model, or how far that is.

        State ``done`` means it can. A gallery that nobody asked for yet is ``queued`` without a job id.

        Raises:
            InputError: There is no such gallery or model.
        """
        return self._opened.status(gallery, model)

    def prepare(self, gallery: str = "", model: str = "") -> JobView:
        """Start embedding in the background where nothing is cached; calling it again changes nothing.

        Raises:
            InputError: There is no such gallery or model.
        """
        return self._opened.prepare(gallery, model)

    def import_gallery(self, source: Path, *, name: str = "", kind: str = "auto") -> str:
        """Read and embed a gallery in the background; returns the job's id.

        Args:
            source: A folder, zip, CSV or Market-1501 tree. What lies on this machine is referenced (a zip is
                unpacked below the data folder); what was uploaded is copied.
            name: How to call it; by default like the file. A second gallery of one name gets a number.
            kind: auto, folder, zip, csv, market, or a layout's name.

        Raises:
            DatasetError: Nothing there, or of no kind that is read.
            InputError: Paths of this machine may not be read from the page.
        """
        path = source.expanduser().resolve()
        check_source(path)
        title = name.strip()[:200] or path.stem or "Gallery"
        if self._is_uploaded(path):
            adopted = adopt_upload(path, self._store.staging / f"upload-{secrets.token_hex(8)}")
            return self._opened.submit_import(ImportSource(adopted, title, kind, is_owned=True)).id
        if not self.settings.allows_local_paths:
            raise InputError(
                "Galleries cannot be read from paths of this machine, because others can reach this app. "
                "Upload a zip instead, or start the app with --local-paths yes."
            )
        return self._opened.submit_import(ImportSource(path, title, kind)).id

    def import_now(
        self, source: Path, *, name: str = "", kind: str = "auto", watch: Callable[[JobView], None]
    ) -> GalleryInfo:
        """Read and embed a gallery of this machine before returning; ``watch`` is told of every step.

        Interrupted, it goes on where it was when called with the same arguments.

        Raises:
            ReidError: What ``import_gallery`` raises, or what its job would have failed with.
        """
        path = source.expanduser().resolve()
        check_source(path)
        wanted = ImportSource(path, name.strip()[:200] or path.stem or "Gallery", kind)
        view = not_prepared("", self._shelf.default)

        def update(**changes: object) -> None:
            nonlocal view
            view = replace(view, **changes)  # type: ignore[arg-type]
            watch(view)

        control = JobControl(
            self._preparation.import_parameters(wanted), update=update, stop=threading.Event()
        )
        self._preparation.run_import(control)
        return self._store.info(control.gallery, is_default=False)

    def remove_gallery(self, gallery: str) -> None:
        """Delete a gallery, its copies, thumbnails and embeddings; files it only references stay.

        Raises:
            InputError: There is no such gallery.
        """
        removed = self._preparation.remove(gallery)
        self.evaluations.forget_gallery(removed.manifest_hash)
        self._pictures.forget(removed)
        if removed.manifest_hash not in self._store.manifest_hashes():
            self.explaining.forget(removed)
        self.maps.forget(gallery)

    def jobs(self) -> tuple[JobView, ...]:
        """All jobs, newest first."""
        return self._jobs.all()

    def job(self, job_id: str) -> JobView:
        """One job.

        Raises:
            InputError: There is none with this id.
        """
        return self._jobs.get(job_id)

    def wait_for(self, job_id: str, timeout_s: float | None = None) -> JobView:
        """Block until a job is over or the time is; returns it either way."""
        return self._jobs.wait(job_id, timeout_s)

    def cancel(self, job_id: str) -> None:
        """Stop a job; a finished one stays as it is. A stopped import leaves nothing registered.

        Raises:
            InputError: There is none with this id.
        """
        self._jobs.cancel(job_id)

    def store_upload(self, image: ImageInput, *, box: Box | None = None) -> QueryView:
        """Keep a query picture, or the part of it inside ``box``, as a JPEG without metadata.

        Raises:
            ImageReadError: Not an image, damaged, too large or too small.
            InputError: The box is not four numbers.
        """
        key, stored = self._uploads.store(image, box=box)
        return view_upload(key, stored)

    def examples(self, gallery: str = "", count: int = 12) -> tuple[QueryView, ...]:
        """Varied images to start from: queries of the gallery where it has some.

        Raises:
            InputError: There is no such gallery. GalleryNotReadyError: The default one is still being read.
        """
        return self._searching.examples(gallery, count)

    def query(self, gallery: str, query_id: str) -> QueryView:
        """What is known about a query image, without searching.

        Raises:
            InputError: The gallery has no such image, or the upload is not kept any more.
        """
        return self._searching.query(gallery, query_id)

    def open_gallery(self, gallery: str = "", model: str = "") -> OpenGallery:
        """A gallery ready to be searched, and the network that made it so; empty names are the defaults.

        Raises:
            InputError: There is no such gallery or model.
            GalleryNotReadyError: The gallery is still being embedded; that was started if it was not.
        """
        return self._opened.open(gallery, model)

    def search(self, request: SearchRequest) -> SearchResult:
        """Rank the gallery for one query.

        Raises:
            InputError: No such gallery, model, image or camera, or numbers out of range.
            GalleryNotReadyError: The gallery is still being embedded; that was started if it was not.
        """
        return self._searching.search(request)

    def image_bytes(self, gallery: str, image_id: str, *, max_height: int | None = None) -> bytes:
        """One image of a gallery, or an upload, as a JPEG at most ``max_height`` pixels high.

        Raises:
            InputError: There is no such gallery or image. ImageReadError: Its file changed or is gone.
        """
        return self._pictures.by_id(gallery, image_id, max_height=max_height)

    def image_by_hash(self, gallery: str, content_hash: str, *, max_height: int | None = None) -> bytes:
        """What the address ``image/{gallery}/{content_hash}.jpg`` shows; ``uploads`` stands for uploads.

        Raises:
            InputError: There is no such gallery or image. ImageReadError: Its file changed or is gone.
        """
        return self._pictures.by_hash(gallery, content_hash, max_height=max_height)

    def _is_uploaded(self, path: Path) -> bool:
        return any(path.is_relative_to(self.settings.data_dir / folder) for folder in ("cache", "incoming"))

    def _clear_stale_staging(self) -> None:
        """Remove what imports left that nobody went on with for a week."""
        if not self._store.staging.is_dir():
            return
        for folder in self._store.staging.iterdir():
            with contextlib.suppress(FileNotFoundError):  # another process may finish its import meanwhile
                if time.time() - folder.stat().st_mtime > _STALE_STAGING_S:
                    shutil.rmtree(folder, ignore_errors=True)


def _loader(settings: Settings) -> ModelLoader:
    def load(weights: str) -> LoadedModel:
        from reid_core.models import Embedder  # takes seconds, so not before a network is needed

        embedder = Embedder(weights, engine=settings.engine, device=settings.device)
        return LoadedModel(
            embedder=embedder,
            variant=embedder.variant,
            num_parameters=embedder.num_parameters,
            input_size=(embedder.preprocessing.height, embedder.preprocessing.width),
            trained_on=embedder.spec.training_set,
            licence=embedder.spec.licence,
        )

    return load
