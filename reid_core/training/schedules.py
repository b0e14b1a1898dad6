"""What changes over a run as a function of the step: learning rate, augmentation, what trains."""

from __future__ import annotations

import math

from torch import nn

from reid_core.errors import InputError
from reid_core.training.config import HEADS, Thaw, TrainConfig

RATE_DROP_FACTOR = 0.1


def learning_rate_at(config: TrainConfig, step: int) -> float:
    """Rate of step 0 .. steps - 1: a linear rise, then the recipe's schedule."""
    warm = min(1.0, (step + 1) / config.warmup_steps) if config.warmup_steps else 1.0
    if config.schedule == "steps":
        num_drops = sum(step >= round(share * config.steps) for share in config.rate_drops)
        return config.learning_rate * warm * RATE_DROP_FACTOR**num_drops
    cosine = 0.5 + 0.5 * math.cos(math.pi * step / config.steps)
    return config.learning_rate * warm * (config.final_rate_share + (1 - config.final_rate_share) * cosine)


def augmentation_strength_at(config: TrainConfig, step: int) -> float:
    """Linear from ``first_strength`` to 1 at the share ``full_strength_at`` of the run, then 1."""
    if config.full_strength_at <= 0:
        return 1.0
    share = min(1.0, step / (config.full_strength_at * config.steps))
    return config.first_strength + (1 - config.first_strength) * share


def set_training(
    network: nn.Module, heads: nn.Module, thaw: Thaw | None, *, freezes_statistics: bool
) -> None:
    """Put the net into the mode of a step: what trains, what stands still, which statistics move.

    What stands still is in eval mode and gets no gradient. With ``freezes_statistics`` every batch norm of
    the net uses its running statistics; its scale and shift may still train.

    Raises:
        InputError: ``thaw`` names something that the net does not have.
    """
    children = dict(network.named_children())
    unknown = sorted(set(thaw.modules) - {*children, HEADS}) if thaw is not None else []
    if unknown:
        raise InputError(
            f"The net has no {', '.join(unknown)}; expected some of {', '.join(children)}, {HEADS}."
        )
    network.train()
    for name, module in (*children.items(), (HEADS, heads)):
        trains = thaw is None or name in thaw.modules
        module.train(trains)
        for parameter in module.parameters():
            parameter.requires_grad_(trains)
    for neck in (module for module in heads.modules() if isinstance(module, nn.BatchNorm1d)):
        neck.bias.requires_grad_(False)  # the BN-neck has none (Luo et al., CVPRW 2019)
    if freezes_statistics:
        for module in network.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.eval()
