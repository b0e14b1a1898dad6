"""The training loop: draw a batch, augment, forward, losses, step; average, report, save.

Everything random in step ``n`` comes from generators seeded with (seed, n), so a resumed run takes the
identical next step on the same machine with the same number of threads, and a run in several processes draws
the batches of a run in one.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn

from reid_core.data.published_augment import PublishedBatchAugment
from reid_core.data.samplers import BatchSampler, IdentitySampler, RandomSampler
from reid_core.data.transforms import BatchAugment, normalize, to_unit_float
from reid_core.errors import CancelledError
from reid_core.evaluation import EvalReport, evaluate_embeddings
from reid_core.models import OSNet, Preprocessing, WeightSpec, save_weights
from reid_core.seeds import rng_for
from reid_core.training.config import Stage, TrainConfig
from reid_core.training.crops import TrainingCrops
from reid_core.training.curves import MetricsSink, write_curve
from reid_core.training.distributed import World
from reid_core.training.mixstyle import mixing_styles
from reid_core.training.objective import Batch, Objective, RecipeObjective
from reid_core.training.runs import RunFolder
from reid_core.training.schedules import augmentation_strength_at, learning_rate_at, set_training
from reid_core.training.state import StartingPoint, make_state, update_average
from reid_core.types import Vectors

REPORT_STEPS, LEAST_REPORTS = 50, 30
"""A report every 50 steps, or more often where a short run would have fewer than 30."""
_LOG = logging.getLogger(__name__)

Progress = Callable[[int, int], None]
ShouldCancel = Callable[[], bool]


class Trainer:
    """One run over one set of crops; ``fit`` is the whole loop.

    Args:
        config: The recipe; ``self.config`` is the same with steps that fit its epochs to the data.
        crops: All crops; the highest pids are held out for validation.
        start_from: Weights to begin with.
        world: Place among several processes.
        objective: In place of the losses that the recipe switches on.
        sampler: Draws the batches of stages ``by_identity``.
        validation: Query and gallery crops that do not train, in place of held-out identities.
    """

    def __init__(
        self,
        config: TrainConfig,
        crops: TrainingCrops,
        *,
        start_from: StartingPoint | None = None,
        world: World | None = None,
        objective: Objective | None = None,
        sampler: BatchSampler | None = None,
        validation: tuple[TrainingCrops, TrainingCrops] | None = None,
    ) -> None:
        self.world = world if world is not None else World()
        if validation is None:
            self._all_train, held_out = crops.hold_out(config.validation_identities)
            self._all_validation = (held_out, held_out)
        else:
            self._all_train, self._all_validation = crops, validation
        self.config = config = config.fitted_to(len(self._all_train))
        self.state = make_state(config, self._all_train, start_from=start_from, device=self.world.device)
        self.world.synced(self.state.network)
        self._objective = objective if objective is not None else RecipeObjective(config)
        self._own_sampler = sampler
        self._stage: Stage | None = None
        self._mode: object = self
        self._network: nn.Module = self.state.network

    def fit(
        self,
        run: RunFolder,
        *,
        on_progress: Progress | None = None,
        should_cancel: ShouldCancel | None = None,
        on_metrics: MetricsSink | None = None,
    ) -> None:
        """Train from the run's checkpoint, or the start, to the last step, and save the averaged net.

        Args:
            run: Folder of the run; holds ``curve.html`` at the end.
            on_progress: Called with (steps done, steps in all).
            should_cancel: Asked after every step.
            on_metrics: Gets every line that ``metrics.jsonl`` gets.

        Raises:
            CancelledError: ``should_cancel`` said so; the state was saved first.
        """
        config, state, world = self.config, self.state, self.world
        saved = run.load_checkpoint(is_writer=world.is_first)
        if saved is not None:
            state.load_checkpoint(saved)
        started, first = time.monotonic(), state.step
        report_steps = max(1, min(REPORT_STEPS, config.steps // LEAST_REPORTS))
        sums: dict[str, float] = {}
        num_summed = 0  # fewer than report_steps after a resume
        while state.step < config.steps:
            for name, value in self.train_one_step().items():
                sums[name] = sums.get(name, 0.0) + value
            num_summed += 1
            if state.step % report_steps == 0:
                means = {name: round(value / num_summed, 5) for name, value in sums.items()}
                report = self._report(means, time.monotonic() - started, state.step - first)
                self._publish(run, report, on_metrics)
                sums, num_summed = {}, 0
            is_last = state.step == config.steps
            if (state.step % config.checkpoint_steps == 0 or is_last) and world.is_first:
                self._validate_and_save(run, on_metrics)
            if on_progress is not None and world.is_first:
                on_progress(state.step, config.steps)
            if world.any(should_cancel is not None and should_cancel()) and not is_last:
                if world.is_first:
                    run.save_checkpoint(state.to_checkpoint())
                world.wait()
                raise CancelledError(f"Training stopped after step {state.step}; resume it from {run.path}.")
        if world.is_first:
            self.save_network(run.final_path, state.average)
            metrics = run.read_metrics()
            if metrics:
                write_curve(metrics, f"{config.recipe}, seed {config.seed}", run.curve_path)
        world.wait()

    def train_one_step(self) -> dict[str, float]:
        """Take the next step; returns each loss, unweighted, and the gradient's norm."""
        config, state = self.config, self.state
        self._enter_stage(config.stage_at(state.step))
        self._enter_mode()
        index = torch.from_numpy(self._sampler.batch(state.step))
        generator = torch.Generator().manual_seed(
            int(rng_for(config.seed, "step", state.step).integers(2**62))
        )
        images = self._augmented(index, generator)
        state.optimizer.zero_grad(set_to_none=True)
        values: dict[str, float] = {}
        for part, pixels in zip(
            index.chunk(config.accumulation), images.chunk(config.accumulation), strict=True
        ):
            losses = self._objective.losses(self._forward(part, pixels, generator))
            total = sum(weight * loss for weight, loss in losses.values())
            assert isinstance(total, Tensor)
            (total / config.accumulation).backward()  # type: ignore[no-untyped-call]
            for name, (_, loss) in losses.items():
                values[name] = values.get(name, 0.0) + float(loss.detach()) / config.accumulation
        self.world.average_gradients(state.heads)
        parameters = [p for group in state.optimizer.param_groups for p in group["params"]]
        norm = nn.utils.clip_grad_norm_(parameters, config.gradient_clip or float("inf"))
        for group in state.optimizer.param_groups:
            group["lr"] = learning_rate_at(config, state.step)
        state.optimizer.step()
        state.step += 1
        update_average(state.average, state.network, decay=config.average_decay, step=state.step)
        return {**values, "gradient_norm": float(norm)}

    @property
    def validation(self) -> tuple[TrainingCrops, TrainingCrops]:
        """Query and gallery that do not train, at the size of the finished net; both may be empty."""
        query, gallery = self._all_validation
        return query.resized(self.config.input_size), gallery.resized(self.config.input_size)

    def validate(self) -> EvalReport:
        """Score the averaged net on what does not train, at the stage's size, by Market-1501 rules."""
        return evaluate_network(self.state.average, *self._validation)

    def save_network(self, path: Path, network: nn.Module) -> None:
        """Write a net of this run as a weights file that says how it came about."""
        config, stage = self.config, self.config.stage_at(max(0, self.state.step - 1))
        spec = WeightSpec(
            name=f"{config.variant}@{config.recipe}",
            variant=config.variant,
            preprocessing=Preprocessing(height=stage.height, width=stage.width),
            training_set=f"{self._all_train.num_identities} identities, {len(self._all_train)} crops",
            num_classes=None,
            recipe=f"reid train, recipe {config.recipe}, seed {config.seed}, {self.state.step} steps",
            licence=config.licence,
        )
        assert isinstance(network, OSNet)
        save_weights(path, network, spec)

    def _augmented(self, index: Tensor, generator: torch.Generator) -> Tensor:
        """The whole batch, in every process: draws depend on the place in it."""
        assert self._stage is not None
        size, images = (self._stage.height, self._stage.width), self._train.images[index]
        if self.config.published_augment is not None:
            return PublishedBatchAugment(self.config.published_augment)(images, generator, size=size)
        return BatchAugment(self.config.augment)(
            images,
            generator,
            size=size,
            strength=augmentation_strength_at(self.config, self.state.step),
            person_masks=None if self._train.masks is None else self._train.masks[index],
        )

    def _forward(self, index: Tensor, images: Tensor, generator: torch.Generator) -> Batch:
        """Embed this process's part of the crops, gather the others', and run the heads on all."""
        config, state, world = self.config, self.state, self.world
        device = world.device
        own = images[world.own_part(len(index))].to(device)
        with (
            mixing_styles(
                stage_ends(state.network),
                generator,
                probability=config.mixstyle_probability,
                alpha=config.mixstyle_alpha,
            ),
            torch.autocast(device.type, dtype=torch.bfloat16, enabled=config.precision == "bfloat16"),
        ):
            output = self._network(own)
        # In eval mode, as while it stands still, the net returns the embedding alone.
        embeddings = output if isinstance(output, Tensor) else output.embedding
        embeddings = world.gather(embeddings.float())
        assert self._stage is not None
        return Batch(
            index,
            embeddings,
            state.heads(embeddings),
            self._train.labels[index].to(device),
            self._train.attributes.select(index).to(device),
            self._stage.by_identity,
        )

    def _enter_stage(self, stage: Stage) -> None:
        if stage == self._stage:
            return
        _LOG.info("step %d: %s", self.state.step, stage)
        size, config = (stage.height, stage.width), self.config
        self._stage = stage
        self._train = self._all_train.resized(size)
        query, gallery = (crops.resized(size) for crops in self._all_validation)
        self._validation = query, gallery
        if not stage.by_identity:
            self._sampler: BatchSampler = RandomSampler(
                len(self._train), batch_size=config.batch_size, seed=config.seed
            )
        elif self._own_sampler is not None:
            self._sampler = self._own_sampler
        else:
            self._sampler = IdentitySampler(
                self._train.pids,
                self._train.camids,
                identities_per_batch=config.batch_size // config.crops_per_identity,
                crops_per_identity=config.crops_per_identity,
                seed=config.seed,
            )

    def _enter_mode(self) -> None:
        """Let those parts train that the step says; what averages gradients has to know, so it is made
        anew."""
        config, state = self.config, self.state
        thaw = config.thaw_at(state.step)
        set_training(state.network, state.heads, thaw, freezes_statistics=config.freezes_statistics)
        if thaw != self._mode:
            self._mode = thaw
            network: nn.Module = state.network
            if config.compiles:
                network = cast(nn.Module, torch.compile(state.network))
            self._network = self.world.wrap(network)

    def _report(self, means: dict[str, float], seconds: float, num_steps: int) -> dict[str, float | int]:
        state, config = self.state, self.config
        rate = round(num_steps * config.batch_size / max(seconds, 1e-9), 1)
        words = ", ".join(f"{name} {value:.4g}" for name, value in means.items())
        _LOG.info("step %d of %d: %s; %.0f crops/s", state.step, config.steps, words, rate)
        learning_rate = learning_rate_at(config, state.step - 1)
        return {"step": state.step, **means, "learning_rate": learning_rate, "crops_per_s": rate}

    def _publish(
        self, run: RunFolder, values: dict[str, float | int], on_metrics: MetricsSink | None
    ) -> None:
        if self.world.is_first:
            run.append_metrics(values)
            if on_metrics is not None:
                on_metrics(values)

    def _validate_and_save(self, run: RunFolder, on_metrics: MetricsSink | None) -> None:
        state = self.state
        if len(self._validation[0]):
            report = self.validate()
            scores = {"validation_map": round(report.mean_ap, 4), "validation_rank1": round(report.rank1, 4)}
            words = ", ".join(f"{name} {value:.2%}" for name, value in scores.items())
            _LOG.info("step %d: %s", state.step, words)
            self._publish(run, {"step": state.step, **scores}, on_metrics)
            if report.mean_ap > state.best_map:
                state.best_map = report.mean_ap
                self.save_network(run.best_path, state.average)
        run.save_checkpoint(state.to_checkpoint())


def stage_ends(network: OSNet) -> tuple[nn.Module, nn.Module]:
    """The modules whose outputs are the maps after the first and the second stage."""
    if network.architecture.family == "ain":
        return network.pool2, network.pool3
    return network.conv2[2], network.conv3[2]


def evaluate_network(network: nn.Module, query: TrainingCrops, gallery: TrainingCrops) -> EvalReport:
    """Score a net by Market-1501 rules on crops of its input size."""
    vectors = embed_crops(network, gallery.images)
    return evaluate_embeddings(
        vectors if query is gallery else embed_crops(network, query.images),
        vectors,
        query_pids=query.pids,
        gallery_pids=gallery.pids,
        query_camids=query.camids,
        gallery_camids=gallery.camids,
    )


def embed_crops(network: nn.Module, images: Tensor, *, batch_size: int = 256) -> Vectors:
    """(N, H, W, 3) uint8 at the net's input size -> (N, 512) embeddings of L2 norm 1, in eval mode."""
    network.eval()
    device = next(network.parameters()).device
    parts = []
    with torch.inference_mode():
        for start in range(0, len(images), batch_size):
            pixels = normalize(to_unit_float(images[start : start + batch_size]))
            parts.append(network(pixels.to(device)).cpu())
        vectors: Vectors = nn.functional.normalize(torch.cat(parts)).numpy()
    return vectors
