"""All that decides what a training run computes: frozen, checked, saved as JSON beside the run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal

from reid_core.data.published_augment import PublishedAugment
from reid_core.data.transforms import AugmentConfig
from reid_core.errors import InputError

OptimizerName = Literal["sgd", "amsgrad"]
ScheduleName = Literal["cosine", "steps"]
Precision = Literal["float32", "bfloat16"]

HEADS = "heads"
"""Stands for everything behind the embedding in ``Thaw.modules``."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A stretch of the run: its share of all steps, the input size, and how batches are drawn.

    Small inputs first cost a quarter to a half of the time per crop. ``by_identity`` draws P identities x K
    crops and switches the batch losses on; otherwise crops are drawn at random.
    """

    share: float
    height: int
    width: int
    by_identity: bool


@dataclass(frozen=True, slots=True)
class Thaw:
    """Up to the share ``until`` of the run only ``modules`` train: attributes of the net, or ``HEADS``.

    The rest stands still, its batch-norm statistics included.
    """

    until: float
    modules: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CorrectionTerms:
    """What the recipe "from corrections" adds; it needs an exported retraining set.

    Attributes:
        replay_share: Least share of a batch drawn from the base set.
        conflict_share: Of the rest, the share drawn as two identities that somebody told apart.
        distillation_weight: Of the squared distance between the unit embeddings of replayed crops and those
            of the net before.
        pair_weight: Of the loss on judged pairs: a "same" less similar than ``must_similarity``, a
            "different" more similar than ``cannot_similarity``.
        ranking_weight: Of the loss on the set's triplets: a positive that is not ``ranking_margin`` more
            similar to its anchor than the negative.
        mine_below: A pair of unverified identities that is the same person with a greater probability is
            never mined as a negative; below, it weighs 1 - P.
        interpolation_steps: Number of parts that the way from the old to the new net is cut into for the
            sweep.
    """

    replay_share: float = 0.6
    conflict_share: float = 0.35
    distillation_weight: float = 0.3
    pair_weight: float = 0.5
    must_similarity: float = 0.7
    cannot_similarity: float = 0.4
    ranking_weight: float = 1.3
    ranking_margin: float = 0.1
    mine_below: float = 0.5
    interpolation_steps: int = 10

    def __post_init__(self) -> None:
        if not 0.0 <= self.replay_share < 1.0 or not 0.0 <= self.conflict_share <= 1.0:
            raise InputError(
                f"replay_share is {self.replay_share} and conflict_share {self.conflict_share}; expected "
                "shares, replay_share below 1 so that corrections are left to learn from."
            )


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """One training recipe with every number it needs. Shares of a run are fractions of ``steps``.

    Attributes:
        steps: Optimiser steps. With ``epochs`` above 0 they follow from the data: see ``fitted_to``.
        schedule: "cosine": half a cosine from the full rate to ``final_rate_share`` of it; "steps": times 0.1
            at each of the shares ``rate_drops``. Both after a linear rise over ``warmup_steps``.
        thaws: What trains first, in order of time; after the last one everything does.
        has_neck: The identity classifier sits behind a batch norm. ``has_cosine_head``: it compares
            directions, times ``cosine_scale``; else it is linear, as published.
        decays_all: Weight decay on biases and norms too, as published.
        average_decay: Of the exponential moving average of weights and statistics, which is what is saved;
            0: the weights themselves.
        freezes_statistics: Batch norm keeps the running statistics it started with.
        accumulation: Parts that a batch is cut into, one after the other, to save memory; batch losses and
            batch norm see one part.
        published_augment: If given, the paper's augmentation in place of ``augment``.
        licence: A sentence on the terms of the trained weights, which follow from the data.

    Loss weights of 0 switch a loss off.
    """

    recipe: str
    stages: tuple[Stage, ...]
    seed: int = 0
    variant: str = "osnet_x0_25"
    steps: int = 10_000
    epochs: float = 0.0
    batch_size: int = 64
    crops_per_identity: int = 4
    optimizer: OptimizerName = "sgd"
    learning_rate: float = 0.065
    momentum: float = 0.9
    is_nesterov: bool = True
    weight_decay: float = 5e-4
    decays_all: bool = False
    schedule: ScheduleName = "cosine"
    rate_drops: tuple[float, ...] = ()
    warmup_steps: int = 100
    final_rate_share: float = 0.002
    thaws: tuple[Thaw, ...] = ()
    freezes_statistics: bool = False
    gradient_clip: float = 5.0
    label_smoothing: float = 0.1
    has_cosine_head: bool = True
    cosine_scale: float = 20.0
    has_neck: bool = True
    triplet_weight: float = 0.0
    triplet_margin: float = 0.3
    contrastive_weight: float = 0.0
    contrastive_temperature: float = 0.1
    category_weight: float = 0.0
    real_weight: float = 0.0
    category_columns: tuple[str, ...] = ()
    real_columns: tuple[str, ...] = ()
    mixstyle_probability: float = 0.0
    mixstyle_alpha: float = 0.1
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    published_augment: PublishedAugment | None = None
    first_strength: float = 0.3
    full_strength_at: float = 0.5
    average_decay: float = 0.999
    precision: Precision = "float32"
    accumulation: int = 1
    compiles: bool = False
    corrections: CorrectionTerms | None = None
    validation_identities: int = 100
    checkpoint_steps: int = 500
    licence: str = "unknown"

    def __post_init__(self) -> None:
        if not self.stages or abs(sum(stage.share for stage in self.stages) - 1.0) > 1e-6:
            raise InputError(
                f"Stages take {[stage.share for stage in self.stages]} of the run; "
                "the shares have to add up to 1."
            )
        if self.steps < 1 or self.checkpoint_steps < 1:
            raise InputError(
                f"steps is {self.steps} and checkpoint_steps {self.checkpoint_steps}; "
                "both have to be at least 1."
            )
        if self.batch_size % self.crops_per_identity:
            raise InputError(
                f"A batch of {self.batch_size} does not divide into identities of "
                f"{self.crops_per_identity} crops."
            )
        if self.accumulation < 1 or self.batch_size % (self.accumulation * self.crops_per_identity):
            raise InputError(
                f"A batch of {self.batch_size} crops does not divide into {self.accumulation} parts of whole "
                f"identities of {self.crops_per_identity} crops."
            )
        if not 0.0 <= self.average_decay < 1.0:
            raise InputError(f"average_decay is {self.average_decay}, expected at least 0 and below 1.")
        if self.compiles and self.mixstyle_probability:
            raise InputError(
                f"The recipe {self.recipe!r} mixes styles, which changes the net at every step: it would be "
                "compiled anew each time. Train it without --compile."
            )
        times = [thaw.until for thaw in self.thaws]
        if times != sorted(times) or any(not 0.0 < until <= 1.0 for until in times):
            raise InputError(
                f"Thaws end at {times} of the run; expected ascending shares above 0, at most 1."
            )
        if list(self.rate_drops) != sorted(self.rate_drops):
            raise InputError(
                f"The rate drops at {list(self.rate_drops)} of the run; expected ascending shares."
            )

    @property
    def input_size(self) -> tuple[int, int]:
        """(height, width) of the last stage: what the finished net expects."""
        return self.stages[-1].height, self.stages[-1].width

    def stage_at(self, step: int) -> Stage:
        """The stage that ``step`` (0 .. steps - 1) belongs to."""
        end = 0.0
        for stage in self.stages:
            end += stage.share
            if step < round(end * self.steps):
                return stage
        return self.stages[-1]

    def thaw_at(self, step: int) -> Thaw | None:
        """What alone trains at ``step``; None: everything."""
        return next((thaw for thaw in self.thaws if step < round(thaw.until * self.steps)), None)

    def fitted_to(self, num_crops: int) -> TrainConfig:
        """The same recipe with ``steps`` for its epochs; an epoch is ``num_crops`` // ``batch_size`` steps.

        Raises:
            InputError: Fewer crops than a batch.
        """
        if not self.epochs:
            return self
        if num_crops < self.batch_size:
            raise InputError(
                f"{num_crops} training crops do not fill a batch of {self.batch_size}. Give more crops or "
                "lower the batch size."
            )
        return replace(self, steps=max(1, round(self.epochs * (num_crops // self.batch_size))))

    def to_json(self) -> str:
        """Readable JSON that ``from_json`` turns back into an equal config."""
        return json.dumps(asdict(self), indent=2) + "\n"

    @staticmethod
    def from_json(text: str) -> TrainConfig:
        """Read a saved config.

        Raises:
            InputError: Unknown or missing entries: the file is of another version.
        """
        values: dict[str, Any] = json.loads(text)
        try:
            published, corrections = values["published_augment"], values["corrections"]
            return TrainConfig(
                **{
                    **_known(TrainConfig, values),
                    "stages": tuple(Stage(**_known(Stage, stage)) for stage in values["stages"]),
                    "thaws": tuple(Thaw(each["until"], tuple(each["modules"])) for each in values["thaws"]),
                    "rate_drops": tuple(values["rate_drops"]),
                    "augment": AugmentConfig(**_known(AugmentConfig, values["augment"])),
                    "published_augment": None
                    if published is None
                    else PublishedAugment(**_known(PublishedAugment, published)),
                    "corrections": None
                    if corrections is None
                    else CorrectionTerms(**_known(CorrectionTerms, corrections)),
                    "category_columns": tuple(values["category_columns"]),
                    "real_columns": tuple(values["real_columns"]),
                }
            )
        except (KeyError, TypeError) as error:
            raise InputError(
                f"The saved training config does not fit this version ({error}). Start a new run folder."
            ) from error


def _known(kind: type[Any], values: Mapping[str, Any]) -> Mapping[str, Any]:
    names = {each.name for each in fields(kind)}
    if set(values) != names:
        raise KeyError(f"{kind.__name__} has other entries: {sorted(set(values) ^ names)}")
    return values
