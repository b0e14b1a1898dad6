"""What a run carries from step to step, and where it starts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from reid_core.errors import InputError
from reid_core.models import OSNet, build_osnet
from reid_core.models.osnet import EMBEDDING_SIZE
from reid_core.seeds import rng_for
from reid_core.training.config import TrainConfig
from reid_core.training.crops import TrainingCrops
from reid_core.training.heads import TrainingHeads
from reid_core.training.runs import RunFolder


@dataclass(eq=False)
class TrainState:
    """What changes from step to step: net, heads, optimiser, averaged net, number of the next step."""

    network: OSNet
    heads: TrainingHeads
    optimizer: torch.optim.Optimizer
    average: OSNet
    step: int = 0
    best_map: float = -1.0

    def to_checkpoint(self) -> dict[str, Any]:
        """All of it, as ``load_checkpoint`` of this class takes it back."""
        return {
            "step": self.step,
            "best_map": self.best_map,
            "network": self.network.state_dict(),
            "heads": self.heads.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "average": self.average.state_dict(),
        }

    def load_checkpoint(self, saved: dict[str, Any]) -> None:
        """Go back to a saved state."""
        self.step, self.best_map = saved["step"], saved["best_map"]
        self.network.load_state_dict(saved["network"])
        self.heads.load_state_dict(saved["heads"])
        self.optimizer.load_state_dict(saved["optimizer"])
        self.average.load_state_dict(saved["average"])


@dataclass(frozen=True, eq=False)
class StartingPoint:
    """Weights to begin with: a net of the same variant and, to go on with the same identities, its heads."""

    network: OSNet
    heads: dict[str, Tensor] | None = None

    @staticmethod
    def from_run(run: RunFolder, config: TrainConfig) -> StartingPoint:
        """The averaged net and the heads of another run's checkpoint.

        Raises:
            InputError: That run has no checkpoint or trained another variant.
        """
        saved = run.load_checkpoint()
        earlier = run.read_config()
        if saved is None or earlier.variant != config.variant:
            found = "no checkpoint yet" if saved is None else f"a net {earlier.variant}"
            raise InputError(f"{run.path} has {found}; expected a run of {config.variant} with a last.pt.")
        network = build_osnet(config.variant)
        network.load_state_dict(saved["average"])
        return StartingPoint(network, saved["heads"])


def make_state(
    config: TrainConfig,
    crops: TrainingCrops,
    *,
    start_from: StartingPoint | None = None,
    device: torch.device | None = None,
) -> TrainState:
    """Fresh weights and heads that fit ``crops``, or those of ``start_from``.

    Raises:
        InputError: The heads of ``start_from`` are of other identities or attributes.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(rng_for(config.seed, "initial weights").integers(2**62)))
        network, average = build_osnet(config.variant), build_osnet(config.variant)
        heads = TrainingHeads(
            EMBEDDING_SIZE,
            crops.num_identities,
            sum(crops.attributes.num_values),
            crops.attributes.reals.shape[1],
            scale=config.cosine_scale if config.has_cosine_head else None,
            has_neck=config.has_neck,
        )
    if start_from is not None:
        network.load_state_dict(start_from.network.state_dict())
        if start_from.heads is not None:
            _load_heads(heads, start_from.heads)
    for net in (network, average):
        net.to(device=device).to(memory_format=torch.channels_last)
    heads.to(device=device)
    average.load_state_dict(network.state_dict())
    return TrainState(network, heads, make_optimizer(config, network, heads), average)


def make_optimizer(config: TrainConfig, network: nn.Module, heads: nn.Module) -> torch.optim.Optimizer:
    """The recipe's optimiser over net and heads; without ``decays_all`` biases and norms do not decay."""
    parameters = [p for part in (network, heads) for p in part.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": config.weight_decay},
        {
            "params": [p for p in parameters if p.ndim <= 1],
            "weight_decay": config.weight_decay if config.decays_all else 0.0,
        },
    ]
    if config.optimizer == "amsgrad":
        return torch.optim.Adam(groups, lr=config.learning_rate, betas=(config.momentum, 0.999), amsgrad=True)
    return torch.optim.SGD(
        groups, lr=config.learning_rate, momentum=config.momentum, nesterov=config.is_nesterov
    )


def update_average(average: nn.Module, network: nn.Module, *, decay: float, step: int) -> None:
    """Move the averaged weights and statistics towards the net's; faster while the run is young."""
    share = 1.0 - min(decay, (1.0 + step) / (10.0 + step))
    current = network.state_dict()
    for name, value in average.state_dict().items():
        if value.is_floating_point():
            value.lerp_(current[name], share)
        else:
            value.copy_(current[name])


def _load_heads(heads: TrainingHeads, saved: dict[str, Tensor]) -> None:
    for name, value in heads.state_dict().items():
        if value.shape != saved[name].shape:
            raise InputError(
                f"The heads to start from have {name} of shape {tuple(saved[name].shape)}, "
                f"expected {tuple(value.shape)}: they were trained on other identities. Start from the "
                "weights file instead."
            )
    heads.load_state_dict(saved)
