"""MixStyle (Zhou et al., ICLR 2021): swap the colour and contrast of feature maps between crops of a batch.

It acts in training only, through hooks on the modules that end a stage; the net that is saved is unchanged.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn


def mix_styles(feature_map: Tensor, generator: torch.Generator, *, alpha: float) -> Tensor:
    """Blend each crop's per-channel mean and deviation with another crop's, by a Beta(alpha, alpha) draw.

    Statistics carry no gradient, as in the paper. Shape (B, C, H, W) in and out.
    """
    batch = len(feature_map)
    mean = feature_map.mean(dim=(2, 3), keepdim=True).detach()
    deviation = (feature_map.var(dim=(2, 3), keepdim=True).detach() + 1e-6).sqrt()
    order = torch.randperm(batch, generator=generator)
    # Two gamma draws make a beta draw; this sampler takes a generator, torch.distributions does not.
    gammas = torch._standard_gamma(torch.full((2, batch, 1, 1, 1), alpha), generator=generator)
    share = gammas[0] / gammas.sum(dim=0).clamp_min(1e-12)
    new_mean = torch.lerp(mean[order], mean, share)
    new_deviation = torch.lerp(deviation[order], deviation, share)
    return (feature_map - mean) / deviation * new_deviation + new_mean


@contextmanager
def mixing_styles(
    modules: Sequence[nn.Module], generator: torch.Generator, *, probability: float, alpha: float
) -> Iterator[None]:
    """While open, each training forward pass mixes the outputs of ``modules`` with ``probability``.

    With probability 0 the net is left as it is: a hook of every step's own would have it compiled anew.
    """
    if probability == 0:
        yield
        return

    def hook(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        is_chosen = float(torch.rand(1, generator=generator)) < probability
        return mix_styles(output, generator, alpha=alpha) if module.training and is_chosen else output

    handles = [module.register_forward_hook(hook) for module in modules]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
