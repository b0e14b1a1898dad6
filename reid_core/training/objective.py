"""The losses of a batch, as a recipe weighs them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from reid_core.training.config import TrainConfig
from reid_core.training.crops import AttributeTargets
from reid_core.training.heads import HeadOutput
from reid_core.training.losses import (
    batch_hard_triplet_loss,
    categorical_attribute_loss,
    contrastive_loss,
    identity_loss,
    real_attribute_loss,
)

Losses = dict[str, tuple[float, Tensor]]
"""By name: weight and value."""


@dataclass(frozen=True, eq=False)
class Batch:
    """B crops after the net: ``index`` (B,) int64 into the training crops (on the CPU), ``embeddings``
    (B, D), ``heads``, ``labels`` (B,) and attribute ``targets``. ``by_identity``: drawn as P x K."""

    index: Tensor
    embeddings: Tensor
    heads: HeadOutput
    labels: Tensor
    targets: AttributeTargets
    by_identity: bool


class Objective(Protocol):
    """Turns a batch into losses."""

    def losses(self, batch: Batch) -> Losses:
        """Weight and value of every loss that is switched on."""
        ...


class RecipeObjective:
    """The losses that a config switches on."""

    def __init__(self, config: TrainConfig) -> None:
        self.config = config

    def losses(self, batch: Batch) -> Losses:
        """See ``Objective``."""
        config, heads, targets = self.config, batch.heads, batch.targets
        smoothing = config.label_smoothing
        losses: Losses = {
            "identity": (1.0, identity_loss(heads.identities, batch.labels, label_smoothing=smoothing))
        }
        if config.category_weight:
            loss = categorical_attribute_loss(heads.categories, targets.categories, targets.num_values)
            losses["category"] = (config.category_weight, loss)
        if config.real_weight:
            loss = real_attribute_loss(heads.reals, targets.reals, targets.weights)
            losses["real"] = (config.real_weight, loss)
        if batch.by_identity and config.triplet_weight:
            loss = batch_hard_triplet_loss(batch.embeddings, batch.labels, margin=config.triplet_margin)
            losses["triplet"] = (config.triplet_weight, loss)
        if batch.by_identity and config.contrastive_weight:
            loss = contrastive_loss(
                batch.embeddings, batch.labels, temperature=config.contrastive_temperature
            )
            losses["contrastive"] = (config.contrastive_weight, loss)
        return losses
