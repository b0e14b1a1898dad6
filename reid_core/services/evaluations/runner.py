"""The work behind an ``evaluate`` job: wait for the embeddings, score, keep the run."""

from __future__ import annotations

import json
import secrets
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from reid_core.errors import GalleryNotReadyError, InputError
from reid_core.experiments.embedding import CorruptionRun, embed_records
from reid_core.experiments.evaluate import Evaluation, evaluate_source
from reid_core.progress import ProgressCallback
from reid_core.services.content import read_verified
from reid_core.services.embeddings import PatientEmbedder
from reid_core.services.evaluations.figures import plain_figure
from reid_core.services.evaluations.queries import dataset_of, hash_labels
from reid_core.services.evaluations.records import RunInfo, RunRequest, SettingRow
from reid_core.services.evaluations.store import RunStore
from reid_core.services.galleries import Gallery
from reid_core.services.jobs import JobControl
from reid_core.services.records import JobView
from reid_core.services.search import SearchSpace
from reid_core.services.turns import ComputeTurns
from reid_core.types import Dataset, EmbeddingSet, ImageRecord, Refusal

_POLL_S = 0.3


class GalleryOpener(Protocol):
    """What is needed of the Workbench to get at a gallery's embeddings."""

    def open_gallery(self, gallery: str = "", model: str = "") -> Any: ...
    def prepare(self, gallery: str = "", model: str = "") -> JobView: ...
    def wait_for(self, job_id: str, timeout_s: float | None = None) -> JobView: ...


@dataclass(frozen=True)
class EvaluationRunner:
    """Does one job. ``work`` holds embeddings of corrupted crops until their run is finished."""

    opener: GalleryOpener
    store: RunStore
    turns: ComputeTurns
    work: Path

    def run(self, control: JobControl) -> str:
        """Score the gallery and model that the job names; returns a sentence with the score.

        Raises:
            ReidError: The gallery cannot be scored. CancelledError: Somebody stopped it; embeddings of
                corrupted crops that are finished are kept for the next try.
        """
        request = RunRequest.from_dict(json.loads(control.parameters["request"]))
        started = time.perf_counter()
        opened = self._open(request, control)
        gallery: Gallery = opened.space.gallery
        dataset = dataset_of(gallery, request.queries, seed=request.seed)
        source = _GallerySource(
            opened.space,
            PatientEmbedder(opened.embedder, self.turns, control.is_cancelled),
            self.work / f"{gallery.manifest_hash[:16]}-{opened.embedder.fingerprint[:16]}",
        )
        if request.corruption != "none":
            _check_files(gallery, dataset, control)
        progress = _Progress(control, request.num_corrupted(len(dataset.query) + len(dataset.gallery)))
        evaluation = evaluate_source(
            dataset, source, request.plan(), progress=progress.report, cancel=control.check
        )
        control.refuse(evaluation.skipped)
        control.report(progress.total, progress.total, "Drawing figures.")
        info = self._keep(evaluation, request, opened, time.perf_counter() - started)
        shutil.rmtree(source.cache, ignore_errors=True)
        clean = info.settings[0].mean
        return f"mAP {clean['mean_ap']:.1%}, Rank-1 {clean['rank1']:.1%}. Run {info.id}."

    def clear_stale_work(self, older_than_s: float) -> None:
        """Remove embeddings of corrupted crops that no run has gone on with for so long."""
        if not self.work.is_dir():
            return
        for folder in self.work.iterdir():
            newest = max((path.stat().st_mtime for path in [folder, *folder.iterdir()]), default=0.0)
            if time.time() - newest > older_than_s:
                shutil.rmtree(folder, ignore_errors=True)

    def forget(self, manifest_hash: str) -> None:
        """Remove embeddings of corrupted crops of a gallery's content."""
        for folder in self.work.glob(f"{manifest_hash[:16]}-*"):
            shutil.rmtree(folder, ignore_errors=True)

    def _open(self, request: RunRequest, control: JobControl) -> Any:
        """The gallery with its embeddings; where there are none, their own job makes them first."""
        while True:
            control.check()
            try:
                return self.opener.open_gallery(request.gallery, request.model)
            except GalleryNotReadyError as error:
                job = self.opener.prepare(request.gallery, request.model)
                if job.state in ("failed", "cancelled"):
                    raise InputError(
                        f"The gallery could not be embedded, so nothing was scored. {job.message}"
                    ) from error
                control.report(job.num_done, job.num_total, f"Waiting for embeddings: {job.message}")
                if job.id:
                    self.opener.wait_for(job.id, _POLL_S)
                else:
                    time.sleep(_POLL_S)

    def _keep(self, evaluation: Evaluation, request: RunRequest, opened: Any, elapsed_s: float) -> RunInfo:
        from reid_core.experiments.results import make_figures

        gallery: Gallery = opened.space.gallery
        report = evaluation.report
        info = RunInfo(
            id=secrets.token_hex(6),
            title=request.title.strip() or f"{opened.model} on {gallery.title}",
            comment="",
            created_s=time.time(),
            elapsed_s=elapsed_s,
            request=request,
            gallery=opened.gallery,
            gallery_title=gallery.title,
            model=opened.model,
            fingerprint=evaluation.fingerprint,
            manifest_hash=gallery.manifest_hash,
            labels_hash=hash_labels(evaluation.query, evaluation.gallery),
            num_queries=report.num_queries,
            num_unmatched=report.num_unmatched,
            num_gallery=report.num_gallery,
            num_skipped=len(evaluation.skipped),
            settings=tuple(
                SettingRow(scores.setting, scores.num_repeats, dict(scores.mean), dict(scores.std))
                for scores in evaluation.settings
            ),
            intervals=dict(evaluation.intervals),
            notes=evaluation.notes,
        )
        figures = {name: plain_figure(figure) for name, figure in make_figures(evaluation).items()}
        return self.store.write(evaluation, info, gallery.by_id, figures)


@dataclass
class _GallerySource:
    """Clean embeddings from the open gallery, corrupted ones from the network, kept in ``cache``."""

    space: SearchSpace
    network: PatientEmbedder
    cache: Path
    fingerprint: str = field(init=False)

    def __post_init__(self) -> None:
        self.fingerprint = self.space.index.fingerprint
        if self.network.fingerprint != self.fingerprint:
            raise InputError(
                f"The gallery was embedded by network {self.fingerprint[:12]}, but the model is now "
                f"{self.network.fingerprint[:12]}. Embed the gallery again."
            )

    def embed(
        self,
        records: Sequence[ImageRecord],
        corruption: CorruptionRun | None,
        *,
        progress: ProgressCallback | None = None,
        cancel: Callable[[], None] | None = None,
    ) -> EmbeddingSet:
        if corruption is not None:
            return embed_records(
                self.network,
                records,
                cache_dir=self.cache,
                corruption=corruption,
                progress=progress,
                cancel=cancel,
            )
        index = self.space.index
        ids = [record.image_id for record in records if record.image_id in index]
        skipped = tuple(
            Refusal(record.image_id, "could not be embedded when the gallery was prepared")
            for record in records
            if record.image_id not in index
        )
        return EmbeddingSet(index.vectors_of(ids), tuple(ids), index.fingerprint, skipped)


class _Progress:
    """One bar over all rounds of corruption; before and after them the bar counts what is being done."""

    def __init__(self, control: JobControl, num_corrupted: int) -> None:
        self._control = control
        self.total = num_corrupted
        self._what, self._before, self._last = "", 0, 0

    def report(self, what: str, done: int, total: int) -> None:
        message = f"{what[0].upper()}{what[1:]}."
        if not self.total:
            self._control.report(done, total, message)
            return
        if what.startswith("embedding"):
            if what != self._what:
                self._before += self._last
                self._what = what
            self._last = done
        self._control.report(self._before + self._last, self.total, message)


def _check_files(gallery: Gallery, dataset: Dataset, control: JobControl) -> None:
    """Corruptions start from the files, so these must still be what was embedded."""
    images: Mapping[str, Any] = gallery.by_id
    ids = {record.image_id for record in (*dataset.query, *dataset.gallery)}
    for number, image_id in enumerate(ids, start=1):
        control.check()
        read_verified(images[image_id])
        control.report(number, len(ids), "Checking that the files are unchanged.")
