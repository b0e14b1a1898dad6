"""Training sets: what freezing now would give, freezing, what a set holds, and its zips."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from reid_core.annotation import Answer, Event, active_decisions
from reid_core.errors import DatasetError
from reid_core.retraining.changes import SnapshotDiff, changelog, changes_of, diff_snapshots
from reid_core.retraining.gate import MIN_REASONABLE_DECISIONS
from reid_core.retraining.leaks import LeakError
from reid_core.retraining.pools import Pools
from reid_core.retraining.records import Resolution, SnapshotRules
from reid_core.retraining.snapshot import TrainingSnapshot, freeze
from reid_core.services.jobs import JobControl, JobQueue
from reid_core.services.model_shelf import ModelShelf
from reid_core.services.records import JobView
from reid_core.services.retraining.exports import LAYOUTS, ExportStore
from reid_core.services.retraining.gallery_data import GalleryData
from reid_core.services.retraining.judgements import Judgements
from reid_core.services.retraining.records import DraftView, ExportView, PoolView, WaitingCrop
from reid_core.services.retraining.snapshot_store import SnapshotStore, SnapshotView


@dataclass(frozen=True, slots=True, eq=False)
class _Inputs:
    """All that decides a snapshot, read at one moment."""

    pools: Pools
    log: tuple[Event, ...]
    support: dict[str, float] | None
    gallery: str
    model: str
    rules: SnapshotRules
    resolutions: tuple[Resolution, ...]

    def equals(self, other: _Inputs) -> bool:
        """Whether both freeze to the same set; the data set and model of one gallery name its embeddings."""
        mine, theirs = (
            (one.pools.base_hash, one.gallery, one.model, one.rules, one.resolutions, one.log, one.support)
            for one in (self, other)
        )
        return mine == theirs


class Freezing:
    """Drafts and frozen sets of every gallery. What was computed for a draft is what is frozen then.

    Args:
        snapshots, exports: Where sets and zips are kept.
        data: Of the galleries.
        judgements: Where the log of a gallery comes from.
        shelf: The models.
        jobs: The job queue, asked for when something is submitted.
    """

    def __init__(
        self,
        snapshots: SnapshotStore,
        exports: ExportStore,
        *,
        data: GalleryData,
        judgements: Judgements,
        shelf: ModelShelf,
        jobs: Callable[[], JobQueue],
    ) -> None:
        self._snapshots, self._exports, self._data = snapshots, exports, data
        self._judgements, self._shelf, self._jobs = judgements, shelf, jobs
        self._lock = threading.Lock()
        self._newest: tuple[_Inputs, TrainingSnapshot] | None = None

    def pools(self, gallery: str) -> tuple[PoolView, ...]:
        """Train, feedback and locked test of a gallery's data set.

        Raises:
            InputError: There is no such gallery. DatasetError: Its source is gone or contradicts itself.
        """
        return _view_pools(self._data.pools(gallery))

    def draft(
        self,
        gallery: str,
        *,
        model: str = "",
        rules: SnapshotRules | None = None,
        resolutions: Sequence[Resolution] = (),
    ) -> DraftView:
        """What freezing the judgements now would give, leaks included; nothing is kept.

        Raises:
            InputError: There is no such gallery or model, or a judgement names a locked crop.
            DatasetError: The data set is gone. GalleryNotReadyError: It is not embedded with the model yet.
        """
        given = self._inputs(gallery, model, rules, resolutions)
        said = [d for d in active_decisions(given.log) if d.answer is not Answer.CANNOT_TELL]
        draft = DraftView(
            gallery=gallery,
            model=given.model,
            pools=_view_pools(given.pools),
            log_position=len(given.log),
            num_decisions=len(said),
            advice=_advise(len(said)),
        )
        try:
            snapshot = self._snapshot(given)
        except LeakError as error:
            dropped = tuple(Resolution(leak.key, "drop") for leak in error.leaks)
            try:
                snapshot = self._snapshot(replace(given, resolutions=(*given.resolutions, *dropped)))
            except DatasetError as problem:
                return replace(draft, leaks=error.leaks, problem=str(problem))
            return replace(_fill(draft, snapshot, equals=""), leaks=error.leaks)
        except DatasetError as error:
            return replace(draft, problem=str(error))
        twin = next((v.id for v in self._snapshots.list(gallery) if v.hash == snapshot.hash), "")
        return _fill(draft, snapshot, equals=twin)

    def freeze(
        self,
        gallery: str,
        *,
        name: str,
        model: str = "",
        rules: SnapshotRules | None = None,
        resolutions: Sequence[Resolution] = (),
    ) -> SnapshotView:
        """Freeze the judgements as they are now and keep the set under a name.

        Raises:
            LeakError: Identities are in training and evaluation; ``leaks`` lists them.
            InputError, DatasetError, GalleryNotReadyError: As ``draft``, or the name cannot be used.
        """
        given = self._inputs(gallery, model, rules, resolutions)
        return self._snapshots.add(gallery, self._snapshot(given), given.log, name=name)

    def changelog(self, gallery: str, snapshot: str) -> str:
        """A frozen set in words, as Markdown.

        Raises:
            InputError: There is no such set.
        """
        view = self._snapshots.view(gallery, snapshot)
        return changelog(self._snapshots.open(gallery, snapshot), name=view.name)

    def diff(self, gallery: str, before: str, after: str) -> SnapshotDiff:
        """What differs between two frozen sets of a gallery.

        Raises:
            InputError: There is no such set.
        """
        return diff_snapshots(self._snapshots.open(gallery, before), self._snapshots.open(gallery, after))

    def export(
        self, gallery: str, snapshot: str, *, layout: str = "market", with_locked: bool = False
    ) -> JobView:
        """Pack a frozen set as a zip in the background.

        Args:
            gallery: Its name.
            snapshot: Id of the set.
            layout: "market" (Market-1501 tree with all tables), "imagefolder" (Hugging Face) or "tables" (no
                crops).
            with_locked: Whether the locked test goes along.

        Raises:
            InputError: There is no such set or layout.
        """
        view = self._snapshots.view(gallery, snapshot)
        self._exports.check_layout(layout, with_locked=with_locked)
        parameters = _export_parameters(gallery, snapshot, layout, with_locked)
        return self._jobs().submit("export", f"Export {view.name}", parameters, gallery=gallery)

    def exports(self, gallery: str) -> tuple[ExportView, ...]:
        """Finished zips of a gallery, newest first."""
        return tuple(view for view in self._exports.list() if view.gallery == gallery)

    def packing(self, gallery: str, snapshot: str) -> tuple[JobView, ...]:
        """The jobs that pack a set now, or wait to."""
        jobs = self._jobs()
        found = (
            jobs.newest("export", _export_parameters(gallery, snapshot, layout, with_locked))
            for layout in LAYOUTS
            for with_locked in (False, True)
        )
        return tuple(job for job in found if job is not None and not job.is_over)

    def export_file(self, name: str) -> Path:
        """A finished zip, for a download.

        Raises:
            InputError: There is none of this name.
        """
        return self._exports.file(name)

    def run_export(self, control: JobControl) -> str:
        """The job of ``export``."""
        given = control.parameters
        gallery, snapshot = given["gallery"], given["snapshot"]
        return self._exports.pack(
            self._snapshots.open(gallery, snapshot),
            self._snapshots.log(gallery, snapshot),
            self._data.paths(gallery),
            view=self._snapshots.view(gallery, snapshot),
            layout=given["layout"],
            with_locked=bool(given["locked"]),
            control=control,
        )

    def _inputs(
        self, gallery: str, model: str, rules: SnapshotRules | None, resolutions: Sequence[Resolution]
    ) -> _Inputs:
        model = self._shelf.resolve(model)
        pools, log = self._data.pools(gallery), self._judgements.log(gallery)
        support = self._judgements.support(gallery)
        kept = None if support is None else dict(support)
        return _Inputs(pools, log, kept, gallery, model, rules or SnapshotRules(), tuple(resolutions))

    def _snapshot(self, given: _Inputs) -> TrainingSnapshot:
        """Computed once as long as nothing changes between a draft and the freezing of it."""
        with self._lock:
            if self._newest is not None and self._newest[0].equals(given):
                return self._newest[1]
        snapshot = freeze(
            given.pools,
            given.log,
            embeddings=self._data.embeddings(given.gallery, given.model),
            support=given.support,
            rules=given.rules,
            resolutions=given.resolutions,
        )
        with self._lock:
            self._newest = (given, snapshot)
        return snapshot


def _export_parameters(gallery: str, snapshot: str, layout: str, with_locked: bool) -> dict[str, str]:
    locked = "yes" if with_locked else ""
    return {"gallery": gallery, "snapshot": snapshot, "layout": layout, "locked": locked}


def _view_pools(pools: Pools) -> tuple[PoolView, ...]:
    return tuple(PoolView(name, *counts) for name, counts in pools.sizes().items())


def _advise(num_decisions: int) -> str:
    if num_decisions >= MIN_REASONABLE_DECISIONS:
        return ""
    return (
        f"{num_decisions} pairs are judged. With fewer than {MIN_REASONABLE_DECISIONS} a training run learns "
        "next to nothing and may forget a lot: review some more first."
    )


def _fill(draft: DraftView, snapshot: TrainingSnapshot, *, equals: str) -> DraftView:
    counts, changes = snapshot.counts(), changes_of(snapshot)
    return replace(
        draft,
        applied=snapshot.resolutions,
        changes=changes,
        headline=changes.headline,
        waiting=tuple(WaitingCrop(r.image_id, r.pid, r.reason) for r in snapshot.quarantined()),
        num_train=counts.get("train", 0),
        num_base=counts["base"],
        num_feedback=counts["feedback"],
        num_evaluation=counts.get("evaluation", 0),
        equals=equals,
    )
