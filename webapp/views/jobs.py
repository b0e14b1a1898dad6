"""Long work as a person sees it: a title, a bar, a sentence, and what was refused."""

from __future__ import annotations

from dataclasses import dataclass

from reid_core.services import JobState, JobView
from webapp.views.formats import format_count

MAX_REFUSED_SHOWN = 500
"""Longer lists are cut on the page, and the page says so."""

_COUNTED_IN_STEPS = ("map", "freeze", "read-set", "train")

_STATE_WORDS: dict[JobState, str] = {
    "queued": "Waiting",
    "running": "Running",
    "done": "Done",
    "failed": "Failed",
    "cancelled": "Cancelled",
}


@dataclass(frozen=True, slots=True)
class RefusedItem:
    """Something that was not read, and why."""

    item: str
    reason: str


@dataclass(frozen=True, slots=True)
class JobPanel:
    """A job. ``fraction`` is 0 to 1, or ``None`` while nobody knows how much there is to do."""

    id: str
    kind: str
    title: str
    state: JobState
    state_word: str
    fraction: float | None
    progress: str
    message: str
    gallery: str
    can_cancel: bool
    num_refused: int
    refused: tuple[RefusedItem, ...]


def show_job(job: JobView) -> JobPanel:
    """One job as its panel shows it."""
    fraction = min(1.0, job.num_done / job.num_total) if job.num_total > 0 else None
    if job.state == "done":
        fraction = 1.0
    return JobPanel(
        id=job.id,
        kind=job.kind,
        title=job.title,
        state=job.state,
        state_word=_STATE_WORDS[job.state],
        fraction=fraction,
        progress=_progress(job),
        message=job.message,
        gallery=job.gallery,
        can_cancel=not job.is_over,
        num_refused=len(job.refused),
        refused=tuple(RefusedItem(entry.item, entry.reason) for entry in job.refused[:MAX_REFUSED_SHOWN]),
    )


def _progress(job: JobView) -> str:
    if job.kind in _COUNTED_IN_STEPS:
        return ""  # steps mean nothing to a reader, or the message names them; the share is shown
    if job.num_total > 0:
        return f"{job.num_done:,} of {format_count(job.num_total, 'image')}"
    return format_count(job.num_done, "image") if job.num_done else ""
