"""What the Data page does: list galleries and models, take in a gallery, follow and stop its import."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from reid_core.errors import ReidError
from reid_core.services import GalleryInfo, JobView, ModelInfo
from webapp.views.formats import format_count, format_duration, format_time
from webapp.views.jobs import MAX_REFUSED_SHOWN, JobPanel, RefusedItem, show_job

MAX_JOBS = 8
"""Older jobs have nothing to tell any more."""


class GalleryKeeper(Protocol):
    """All that this page needs of the services; a test passes a small fake."""

    def models(self) -> tuple[ModelInfo, ...]: ...
    def galleries(self) -> tuple[GalleryInfo, ...]: ...
    def jobs(self) -> tuple[JobView, ...]: ...
    def cancel(self, job_id: str) -> None: ...
    def remove_gallery(self, gallery: str) -> None: ...
    def import_gallery(self, source: Path, *, name: str = "", kind: str = "auto") -> str: ...


@dataclass(frozen=True, slots=True)
class GalleryCard:
    """One gallery. ``cameras`` and ``time`` are words, empty where nothing is known."""

    name: str
    title: str
    is_default: bool
    images: str
    queries: str
    identities: str
    cameras: str
    time: str
    notes: tuple[str, ...]
    num_refused: int
    refused: tuple[RefusedItem, ...]


@dataclass(frozen=True, slots=True)
class ModelCard:
    """One choice of weights."""

    name: str
    is_default: bool
    variant: str
    parameters: str
    input_size: str
    trained_on: str
    licence: str
    place: str


@dataclass(frozen=True, slots=True)
class DataView:
    """Everything on the page. ``is_busy`` means that a job runs, so the page should ask again soon."""

    galleries: tuple[GalleryCard, ...]
    models: tuple[ModelCard, ...]
    jobs: tuple[JobPanel, ...]
    is_busy: bool


@dataclass(frozen=True, slots=True)
class ActionView:
    """What became of a person's action; ``error`` is a sentence on why it was not done."""

    job_id: str = ""
    error: str = ""


def show_data(keeper: GalleryKeeper) -> DataView:
    """The page as it stands now."""
    jobs = keeper.jobs()[:MAX_JOBS]
    return DataView(
        galleries=tuple(_show_gallery(gallery) for gallery in keeper.galleries()),
        models=tuple(_show_model(model) for model in keeper.models()),
        jobs=tuple(show_job(job) for job in jobs),
        is_busy=any(not job.is_over for job in jobs),
    )


def import_path(keeper: GalleryKeeper, path: str, name: str) -> ActionView:
    """Read a folder, zip or CSV that lies on the server."""
    if not path.strip():
        return ActionView(error="Give the path of a folder, a zip or a CSV on the machine that runs the app.")
    try:
        return ActionView(job_id=keeper.import_gallery(Path(path.strip()), name=name.strip()))
    except ReidError as error:
        return ActionView(error=str(error))


def cancel_job(keeper: GalleryKeeper, job_id: str) -> ActionView:
    """Stop a job."""
    try:
        keeper.cancel(job_id)
    except ReidError as error:
        return ActionView(error=str(error))
    return ActionView(job_id=job_id)


def remove_gallery(keeper: GalleryKeeper, name: str) -> ActionView:
    """Delete a gallery and what was made of it."""
    try:
        keeper.remove_gallery(name)
    except ReidError as error:
        return ActionView(error=str(error))
    return ActionView()


def _show_gallery(gallery: GalleryInfo) -> GalleryCard:
    refused = tuple(RefusedItem(entry.item, entry.reason) for entry in gallery.refused[:MAX_REFUSED_SHOWN])
    return GalleryCard(
        name=gallery.name,
        title=gallery.title,
        is_default=gallery.is_default,
        images=format_count(gallery.num_images, "image"),
        queries=format_count(gallery.num_queries, "query", "queries") if gallery.num_queries else "",
        identities=format_count(gallery.num_pids, "identity", "identities") if gallery.num_pids else "",
        cameras=format_count(len(gallery.cameras), "camera") if gallery.cameras else "",
        time=_time_span(gallery.time_from_s, gallery.time_to_s),
        notes=gallery.notes,
        num_refused=len(gallery.refused),
        refused=refused,
    )


def _time_span(from_s: float | None, to_s: float | None) -> str:
    if from_s is None or to_s is None:
        return ""
    return f"{format_time(from_s)} to {format_time(to_s)} ({format_duration(to_s - from_s)})"


def _show_model(model: ModelInfo) -> ModelCard:
    height, width = model.input_size
    return ModelCard(
        name=model.name,
        is_default=model.is_default,
        variant=model.variant,
        parameters=f"{model.num_parameters:,}" if model.num_parameters else "",
        input_size=f"{height} × {width}" if height and width else "",
        trained_on=model.trained_on,
        licence=model.licence,
        place="on this machine" if model.is_local else "downloaded when first used",
    )
