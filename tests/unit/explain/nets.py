"""Small nets and crops that every test of explanations uses."""

from __future__ import annotations

import torch
from torch import Tensor

from reid_core.models.osnet import OSNet, build_osnet

SIZE = (64, 32)
"""Height and width of the crops: enough for the last blocks to have 4 x 2 cells."""


def lively_osnet(variant: str, seed: int = 3) -> OSNet:
    """A net in eval mode whose gates, normalisations and biases are all at work, the same at each call."""
    torch.manual_seed(seed)
    model = build_osnet(variant).eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, values in (*model.named_parameters(), *model.named_buffers()):
            if name.endswith(("running_var", ".bn.weight", ".IN.weight")):
                values.uniform_(0.6, 1.4, generator=generator)
            elif name.endswith(("running_mean", "bias", "fc.0.weight")):
                values.normal_(0.0, 0.1, generator=generator)
    return model


def crops(count: int = 2, seed: int = 5) -> Tensor:
    """Smooth random crops (count, 3, height, width)."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.randn(count, 3, 8, 4, generator=generator)
    return torch.nn.functional.interpolate(coarse, size=SIZE, mode="bilinear", align_corners=False)
