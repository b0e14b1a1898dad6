"""How large and how costly a variant is: true parameters and multiply-adds.

Counts printed elsewhere (2,193,616 parameters for x1.0) add the gate's parameters once for each of the four
streams that share it; here every parameter counts once. Multiply-adds are those of the convolutions and
linear layers that an embedding runs, as the OSNet paper counts them: a bias is one more, a gate counts once
per stream, the classifier not at all.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from reid_core.models.osnet import OSNet, find_architecture


@dataclass(frozen=True, slots=True)
class Complexity:
    """Size and cost of one variant at one input size, without a classifier."""

    variant: str
    height: int
    width: int
    num_parameters: int
    num_multiply_adds: int
    """For one image."""


def measure_complexity(variant: str, *, height: int = 256, width: int = 128) -> Complexity:
    """Count a variant's parameters, and the multiply-adds of one image, from shapes alone (no memory, no
    weights).

    Raises:
        InputError: No such variant.
    """
    with torch.device("meta"):
        model = OSNet(find_architecture(variant)).eval()
        image = torch.empty(1, 3, height, width)
    total = 0

    def count(module: nn.Module, _: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal total
        total += _multiply_adds(module, output)

    # Hooks only here, on a net of shapes: every run of a layer counts, however many inputs share it.
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.register_forward_hook(count)
    with torch.no_grad():
        model.embed(image)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    return Complexity(variant, height, width, parameters, total)


def _multiply_adds(layer: nn.Module, output: Tensor) -> int:
    """Output elements times what each one adds up: the weighed inputs and the bias."""
    assert isinstance(layer, nn.Conv2d | nn.Linear)
    return output.numel() * (math.prod(layer.weight.shape[1:]) + (layer.bias is not None))
