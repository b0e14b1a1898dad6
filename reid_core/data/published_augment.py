"""The augmentation of the OSNet papers, from torchvision's transforms: uint8 crops in, normalised floats out.

Order and numbers as in the published training code (Zhou and Xiang, Torchreid, 2019): flip, random crop from
an image enlarged by an eighth, random patch, colour jitter, normalise, random erasing.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torchvision.transforms import v2

from reid_core.data.transforms import IMAGENET_MEAN, Draws, normalize, paste_patches, to_unit_float

_ENLARGEMENT = 1.125
_JITTER = {"brightness": 0.2, "contrast": 0.15}
_ERASED_AREA, _ERASED_RATIO = (0.02, 0.4), (0.3, 1 / 0.3)


@dataclass(frozen=True, slots=True)
class PublishedAugment:
    """Which augmentations happen, each as a probability per image; 0 switches one off.

    ``crop``: enlarge by 1.125 and cut out the input size. ``patch``: paste a rectangle of another crop of the
    batch (the published code keeps a pool of earlier crops instead, which a resumed run could not repeat).
    ``jitter``: brightness by up to 20%, contrast by up to 15%. ``erase``: fill 2 to 40% of the area.
    """

    flip: float = 0.5
    crop: float = 0.0
    patch: float = 0.0
    jitter: float = 0.0
    erase: float = 0.0


class PublishedBatchAugment:
    """Apply a ``PublishedAugment`` to a batch, every image with draws of its own."""

    def __init__(self, config: PublishedAugment) -> None:
        self.config = config

    def __call__(self, images: Tensor, generator: torch.Generator, *, size: tuple[int, int]) -> Tensor:
        """Augment one batch.

        Args:
            images: (B, H, W, 3) uint8 RGB.
            generator: The only source of randomness.
            size: (h, w) of the result.

        Returns:
            (B, 3, h, w) float32, normalised, channels-last.
        """
        config, (height, width) = self.config, size
        enlarge_and_crop = v2.Compose(
            [
                v2.Resize((round(height * _ENLARGEMENT), round(width * _ENLARGEMENT)), antialias=True),
                v2.RandomCrop(size),
            ]
        )
        before = v2.Compose(
            [
                v2.Resize(size, antialias=True),
                v2.RandomHorizontalFlip(config.flip),
                v2.RandomApply([enlarge_and_crop], config.crop),
            ]
        )
        jitter = v2.RandomApply([v2.ColorJitter(**_JITTER)], config.jitter)
        # In units after normalisation, as the published code does: a colour a little lighter than the mean.
        erase = v2.RandomErasing(config.erase, _ERASED_AREA, _ERASED_RATIO, value=list(IMAGENET_MEAN))
        # torchvision draws from PyTorch's global generator and knows no other.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(torch.randint(2**62, (1,), generator=generator)))
            x = torch.stack([before(image) for image in to_unit_float(images).contiguous()])
            x = paste_patches(x, Draws(generator, len(x)), config.patch)
            x = normalize(torch.stack([jitter(image) for image in x]))
            x = torch.stack([erase(image) for image in x])
        return x.contiguous(memory_format=torch.channels_last)
