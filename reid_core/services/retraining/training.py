"""Training on a frozen set: start a run, follow it as a job, take it up again, register what it made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from reid_core.errors import InputError
from reid_core.services.jobs import JobControl, JobQueue
from reid_core.services.model_shelf import ModelShelf
from reid_core.services.records import JobView
from reid_core.services.retraining.exports import ExportStore
from reid_core.services.retraining.gallery_data import GalleryData
from reid_core.services.retraining.model_registry import ModelRegistry
from reid_core.services.retraining.runs import DEFAULT_RECIPE, RunRequest, RunView, TrainingRuns
from reid_core.services.retraining.snapshot_store import SnapshotStore
from reid_core.services.retraining.weights_files import weights_file

if TYPE_CHECKING:
    from reid_core.training import TrainConfig


class Training:
    """Runs of every gallery.

    Args:
        runs: Their folders.
        registry: Gets the trained models.
        snapshots, exports: The frozen sets, and the folders that training reads.
        data: Of the galleries.
        shelf: The models to start from.
        jobs: The job queue, asked for when something is submitted.
        compare: Called with the name of a model that was just trained.
    """

    def __init__(
        self,
        runs: TrainingRuns,
        registry: ModelRegistry,
        *,
        snapshots: SnapshotStore,
        exports: ExportStore,
        data: GalleryData,
        shelf: ModelShelf,
        jobs: Callable[[], JobQueue],
        compare: Callable[[str], JobView],
    ) -> None:
        self._folders, self._registry, self._snapshots = runs, registry, snapshots
        self._exports, self._data, self._shelf = exports, data, shelf
        self._jobs, self._compare = jobs, compare

    def start(
        self,
        gallery: str,
        snapshot: str,
        *,
        recipe: str = DEFAULT_RECIPE,
        base_model: str = "",
        seed: int = 0,
        steps: int | None = None,
        threads: int = 1,
    ) -> tuple[RunView, JobView]:
        """Train on a frozen set, from a model, in a process of its own; the result is compared by itself.

        Raises:
            InputError: There is no such set, recipe or model, or a number is out of range.
        """
        self._snapshots.view(gallery, snapshot)
        base_model = self._shelf.resolve(base_model)
        offered = [name for name, _ in self.recipes(base_model)]
        if recipe not in offered:
            raise InputError(
                f"The recipe {recipe[:40]!r} does not train {base_model} on a frozen set; expected one of "
                f"{', '.join(offered)}. `reid train` has all recipes."
            )
        request = self._folders.create(
            gallery=gallery,
            snapshot=snapshot,
            recipe=recipe,
            base_model=base_model,
            base_fingerprint=self._shelf.get(base_model).fingerprint,
            seed=seed,
            steps=steps,
            threads=threads,
        )
        return self._folders.view(request.id), self._submit(request)

    def resume(self, run: str) -> JobView:
        """Go on with a run that was stopped or failed, from its checkpoint.

        Raises:
            InputError: There is no such run.
        """
        return self._submit(self._folders.request(run))

    def runs(self, gallery: str = "") -> tuple[RunView, ...]:
        """Training runs, of one gallery or all, newest first; with the model that each made."""
        made = {model.run: model.name for model in self._registry.models}
        return tuple(
            replace(view, model=made.get(view.request.id, ""))
            for view in self._folders.list()
            if not gallery or view.request.gallery == gallery
        )

    def job_of(self, run: str) -> JobView | None:
        """The newest job that worked on a run; None where it is too old to be listed."""
        return self._jobs().newest("train", {"run": run})

    def recipes(self, base_model: str = "") -> tuple[tuple[str, str], ...]:
        """Name and a sentence of every recipe that can train a model on a frozen set, the default first.

        A set has no attributes, which the recipes of the demo weights learn, and a net keeps its width.

        Raises:
            InputError: There is no such model.
        """
        from reid_core.training.recipes import RECIPES  # torch takes seconds to import

        base_model = self._shelf.resolve(base_model)
        variant = next(info.variant for info in self._shelf.infos() if info.name == base_model)
        configs = {name: make() for name, make in RECIPES.items()}
        return tuple(
            (name, _sentence(RECIPES[name].__doc__ or "", config))
            for name, config in sorted(configs.items(), key=lambda item: item[0] != DEFAULT_RECIPE)
            if not config.category_columns and (config.corrections or variant in ("", config.variant))
        )

    def run_job(self, control: JobControl) -> str:
        """The job: write the set, train, register the model, have it compared."""
        request = self._folders.request(control.parameters["run"])
        gallery, snapshot = request.gallery, request.snapshot
        control.report(0, 0, "Writing the training set.")
        data = self._exports.set_folder(
            self._snapshots.open(gallery, snapshot),
            self._snapshots.log(gallery, snapshot),
            self._data.paths(gallery),
            control=control,
        )
        start_from = weights_file(self._shelf.weights_of(request.base_model))
        self._folders.follow(request.id, control, data=data, start_from=start_from)
        control.report(0, 0, "Registering the model.")
        model = self._registry.add(
            self._folders.final_weights(request.id),
            stem=request.base_model,
            gallery=gallery,
            snapshot=snapshot,
            run=request.id,
            base_model=request.base_model,
        )
        self._compare(model.name)
        return f"Trained {model.name}; it is being compared with {self._shelf.default}."

    def _submit(self, request: RunRequest) -> JobView:
        name = self._snapshots.view(request.gallery, request.snapshot).name
        title = f"Train on {name} ({request.recipe}, seed {request.seed})"
        return self._jobs().submit(
            "train", title, {"run": request.id}, gallery=request.gallery, model=request.base_model
        )


def _sentence(doc: str, config: TrainConfig) -> str:
    first = doc.strip().split("\n")[0].split(". ")[0].split(";")[0].rstrip(".")
    return f"{first}. {f'{config.epochs:g} epochs' if config.epochs else f'{config.steps:,} steps'}."
