"""From judgements to a model that serves: freeze, export, train, compare, promote, call back.

One object for pages, routes and commands, ``workbench.retraining``. Everything long is a job: kinds
``freeze``, ``read-set``, ``export``, ``train`` (in a lane of its own, so that embedding goes on), ``compare``
and ``promote``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from reid_core.retraining.gate import GateThresholds
from reid_core.services.galleries import GalleryStore
from reid_core.services.jobs import JobQueue, Runner
from reid_core.services.model_shelf import ModelShelf
from reid_core.services.preparation import Preparation
from reid_core.services.records import JobKind, JobView
from reid_core.services.retraining.comparing import ComparisonStore
from reid_core.services.retraining.crop_pictures import CropPictures
from reid_core.services.retraining.exports import ExportStore
from reid_core.services.retraining.freezing import Freezing
from reid_core.services.retraining.gallery_data import GalleryData
from reid_core.services.retraining.judgements import Judgements
from reid_core.services.retraining.model_registry import ModelRegistry
from reid_core.services.retraining.promoting import Promoting
from reid_core.services.retraining.runs import TrainingRuns
from reid_core.services.retraining.set_jobs import SetJobs
from reid_core.services.retraining.snapshot_store import SnapshotStore
from reid_core.services.retraining.threshold_store import ThresholdStore
from reid_core.services.retraining.training import Training
from reid_core.services.turns import ComputeTurns

TRAINING_LANE, EXPORT_LANE = "training", "export"


class Retraining:
    """The learning loop of a data folder; safe to call from many threads.

    Args:
        folder: Where sets, runs, exports, comparisons and models are kept.
        store, shelf, preparation, turns: Of the workbench.
        judgements: Where the log of a gallery comes from.
        open_gallery: ``Workbench.open_gallery``: a gallery ready to be searched, with its network.
        jobs: The job queue, asked for when something is submitted.
        thresholds: Of the gate where nobody set others on the page.
        program: What ``train ...`` is added to, see ``TrainingRuns``.
        max_pixels: Larger pictures are not shown.

    Attributes:
        sets: Drafts, freezing, what a set holds, exports. ``set_jobs``: freezing and reading back, in the
            background.
        training: Runs. ``promoting``: comparisons, the gate, who serves.
        snapshots, training_runs, registry: Frozen sets, run folders, trained models on disk.
        gate_settings: The thresholds.
        pictures: Crops of every pool, small.
    """

    def __init__(
        self,
        folder: Path,
        *,
        store: GalleryStore,
        shelf: ModelShelf,
        preparation: Preparation,
        turns: ComputeTurns,
        judgements: Judgements,
        open_gallery: Callable[[str, str], Any],
        jobs: Callable[[], JobQueue],
        thresholds: GateThresholds | None = None,
        program: Sequence[str] | None = None,
        max_pixels: int = 100_000_000,
    ) -> None:
        self._shelf, self._jobs = shelf, jobs
        data = GalleryData(store, open_gallery)
        exports = ExportStore(folder / "exports", folder / "sets")
        self.gate_settings = ThresholdStore(folder / "thresholds.json", thresholds or GateThresholds())
        self.snapshots = SnapshotStore(folder / "snapshots")
        self.training_runs = TrainingRuns(folder / "runs", program=program)
        self.registry = ModelRegistry(folder / "models", shelf)
        self.sets = Freezing(
            self.snapshots, exports, data=data, judgements=judgements, shelf=shelf, jobs=jobs
        )
        self.set_jobs = SetJobs(
            folder / "incoming",
            snapshots=self.snapshots,
            freeze=self.sets.freeze,
            pools_of=data.pools,
            jobs=jobs,
        )
        self.promoting = Promoting(
            ComparisonStore(folder / "comparisons"),
            self.registry,
            snapshots=self.snapshots,
            thresholds=self.gate_settings,
            cache=folder / "cache",
            data=data,
            shelf=shelf,
            preparation=preparation,
            turns=turns,
            jobs=jobs,
        )
        self.training = Training(
            self.training_runs,
            self.registry,
            snapshots=self.snapshots,
            exports=exports,
            data=data,
            shelf=shelf,
            jobs=jobs,
            compare=self.promoting.compare,
        )
        self.pictures = CropPictures(data.records, max_pixels=max_pixels)

    @property
    def serving(self) -> str:
        """Name of the model that serves."""
        return self._shelf.default

    @property
    def thresholds(self) -> GateThresholds:
        """Of the gate, as they are now."""
        return self.gate_settings.current

    @property
    def runners(self) -> dict[JobKind, Runner]:
        """What each kind of job does."""
        return {
            "freeze": self.set_jobs.run_freeze,
            "read-set": self.set_jobs.run_read,
            "export": self.sets.run_export,
            "train": self.training.run_job,
            "compare": self.promoting.run_comparison,
            "promote": self.promoting.run_promotion,
        }

    @property
    def lanes(self) -> dict[JobKind, str]:
        """Training and what works on sets wait for no embedding, and the other way round."""
        sets: tuple[JobKind, ...] = ("freeze", "read-set", "export")
        return {"train": TRAINING_LANE, **dict.fromkeys(sets, EXPORT_LANE)}

    @property
    def traceless(self) -> tuple[JobKind, ...]:
        """Kinds of jobs that leave nothing to clear away before they begin."""
        return ("freeze", "export", "train", "compare", "promote")

    def jobs(self, gallery: str) -> tuple[JobView, ...]:
        """Jobs of the loop for a gallery, and every promotion, newest first."""
        return tuple(
            job
            for job in self._jobs().all()
            if job.kind in self.runners and (job.gallery == gallery or job.kind == "promote")
        )
