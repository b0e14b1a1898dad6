"""Comparing a trained model with the one that serves, and letting it serve where the gate is open."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from reid_core.errors import InputError, ReidError
from reid_core.retraining.gate import GateResult
from reid_core.retraining.scoring import pools_of_snapshot
from reid_core.retraining.stored_results import decide_again, result_from_dict
from reid_core.services.jobs import JobControl, JobQueue
from reid_core.services.model_shelf import ModelShelf
from reid_core.services.preparation import Preparation
from reid_core.services.records import JobView
from reid_core.services.retraining.comparing import ComparisonStore, PatientEmbedder, compare
from reid_core.services.retraining.gallery_data import GalleryData
from reid_core.services.retraining.model_registry import ModelRegistry, Promotion, TrainedModel
from reid_core.services.retraining.records import CandidateView
from reid_core.services.retraining.snapshot_store import SnapshotStore
from reid_core.services.retraining.threshold_store import ThresholdStore
from reid_core.services.turns import ComputeTurns

_MAX_RESULTS = 64


class Promoting:
    """The gate of a data folder.

    Args:
        comparisons, registry, snapshots, thresholds: What is kept.
        cache: Folder of finished embeddings.
        data: Of the galleries.
        shelf, preparation, turns: Of the workbench.
        jobs: The job queue, asked for when something is submitted.
    """

    def __init__(
        self,
        comparisons: ComparisonStore,
        registry: ModelRegistry,
        *,
        snapshots: SnapshotStore,
        thresholds: ThresholdStore,
        cache: Path,
        data: GalleryData,
        shelf: ModelShelf,
        preparation: Preparation,
        turns: ComputeTurns,
        jobs: Callable[[], JobQueue],
    ) -> None:
        self._comparisons, self._registry, self._snapshots = comparisons, registry, snapshots
        self._thresholds, self._cache, self._data = thresholds, cache, data
        self._shelf, self._preparation, self._turns, self._jobs = shelf, preparation, turns, jobs
        self._result = lru_cache(_MAX_RESULTS)(self._read_result)  # pages ask for all of them again and again

    def candidates(self) -> tuple[CandidateView, ...]:
        """Every trained model with its standing, newest first."""
        return tuple(self._standing(model) for model in self._registry.models)

    def compare(self, model: str) -> JobView:
        """Compare a trained model with the one that serves, in the background.

        Raises:
            InputError: There is no such trained model.
        """
        trained = self._registry.model(model)
        parameters = {"model": model, "against": self._shelf.default}
        title = f"Compare {model} with {self._shelf.default}"
        return self._jobs().submit("compare", title, parameters, gallery=trained.gallery, model=model)

    def comparison(self, comparison: str) -> dict[str, Any]:
        """A kept comparison: ``result`` is ``GateResult.to_dict()``.

        Raises:
            InputError: There is none with this id.
        """
        return self._comparisons.open(comparison)

    def decided(self, comparison: str) -> GateResult:
        """A kept comparison, decided by the thresholds of now.

        Raises:
            InputError: There is none with this id. DatasetError: It cannot be read.
        """
        return decide_again(self._result(comparison)[1], self._thresholds.current)

    def promote(self, model: str) -> JobView:
        """Embed every gallery with a model, then let it serve; searches go on meanwhile with the present one.

        A model that served before is called back without a gate.

        Raises:
            InputError: There is no such model, it serves already, or it did not pass the gate against the
                model that serves now.
        """
        model = self._shelf.resolve(model)
        self._check(model)
        word = "Call back" if self._registry.has_served(model) else "Promote"
        parameters = {"model": model, "previous": self._shelf.default}
        return self._jobs().submit("promote", f"{word} {model}", parameters, model=model)

    def history(self) -> tuple[Promotion, ...]:
        """Who took over from whom, newest first."""
        return self._registry.history

    def run_comparison(self, control: JobControl) -> str:
        """The job of ``compare``."""
        trained = self._registry.model(control.parameters["model"])
        against = control.parameters["against"]
        control.report(0, 0, "Loading both models.")
        snapshot = self._snapshots.open(trained.gallery, trained.snapshot)
        result = compare(
            pools_of_snapshot(snapshot),
            self._data.records(trained.gallery),
            before=PatientEmbedder(self._shelf.get(against), self._turns, control),
            after=PatientEmbedder(self._shelf.get(trained.name), self._turns, control),
            snapshot=snapshot,
            thresholds=self._thresholds.current,
            cache_dir=self._cache,
            control=control,
        )
        comparison = self._comparisons.add(
            result, before=against, after=trained.name, gallery=trained.gallery, snapshot=trained.snapshot
        )
        self._registry.keep_comparison(trained.name, comparison, is_promotable=result.is_promotable)
        return result.verdict

    def run_promotion(self, control: JobControl) -> str:
        """The job of ``promote``."""
        model, previous = control.parameters["model"], control.parameters["previous"]
        if self._shelf.default == model:
            return f"{model} serves already."
        if self._shelf.default != previous:
            raise InputError(
                f"{self._shelf.default} took over from {previous} meanwhile. Compare {model} with it first."
            )
        self._check(model)
        names = self._data.names()
        for name in names:
            self._preparation.embed(name, model, control)
            control.check()
        is_callback = self._registry.has_served(model)
        comparison = "" if is_callback else self._registry.model(model).comparison
        reason = f"Called back {model}."
        if not is_callback:
            changed = self._thresholds.changed
            under = f" under changed thresholds ({', '.join(changed)})" if changed else ""
            reason = f"{model} passed the gate against {previous}{under}."
        self._registry.switch(model, reason=reason, comparison=comparison)
        ready = "1 gallery is" if len(names) == 1 else f"{len(names)} galleries are"
        return f"{model} serves now instead of {previous}; {ready} ready with it."

    def _read_result(self, comparison: str) -> tuple[str, GateResult]:
        """The model it was compared with, and the result as it was kept; a comparison never changes."""
        kept = self._comparisons.open(comparison)
        return str(kept["before_model"]), result_from_dict(kept["result"])

    def _check(self, model: str) -> None:
        serving = self._shelf.default
        if model == serving:
            raise InputError(f"{model} serves already.")
        if self._registry.has_served(model):
            return
        standing = self._standing(self._registry.model(model))
        if standing.state != "promotable":
            raise InputError(f"{model} is not promoted and {serving} serves on. {standing.verdict}")

    def _standing(self, model: TrainedModel) -> CandidateView:
        if model.name == self._shelf.default:
            return CandidateView(model, "serving", "It serves now.")
        if self._registry.has_served(model.name):
            return CandidateView(model, "served", "It served before and can be called back.")
        if not model.comparison:
            return CandidateView(model, "new", "It was not compared yet: compare it first.")
        try:
            was, _ = self._result(model.comparison)
        except ReidError as error:
            return CandidateView(model, "outdated", str(error))
        if was != self._shelf.default:
            verdict = f"It was compared with {was}, but {self._shelf.default} serves now: compare it again."
            return CandidateView(model, "outdated", verdict)
        result = self.decided(model.comparison)
        return CandidateView(model, "promotable" if result.is_promotable else "kept", result.verdict)
