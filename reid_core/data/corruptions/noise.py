"""Four noises of the corruption benchmark. Parameters: ImageNet-C (Hendrycks & Dietterich, ICLR 2019).

Every corruption takes an (H, W, 3) float64 RGB image in [0, 1], a severity 1..5 and a generator, and returns
an image of the same kind; values outside [0, 1] are clipped by the caller.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float64]


def gaussian_noise(image: Image, severity: int, rng: np.random.Generator) -> Image:
    """Additive normal noise; standard deviation .08 to .38 of full scale."""
    scale = (0.08, 0.12, 0.18, 0.26, 0.38)[severity - 1]
    return image + rng.normal(0.0, scale, image.shape)


def shot_noise(image: Image, severity: int, rng: np.random.Generator) -> Image:
    """Photon noise: Poisson counts with 60 down to 3 photons at full scale."""
    photons = (60.0, 25.0, 12.0, 5.0, 3.0)[severity - 1]
    return rng.poisson(image * photons) / photons


def impulse_noise(image: Image, severity: int, rng: np.random.Generator) -> Image:
    """Salt and pepper, per value and not per pixel: 3 to 27 percent become 0 or 1, evenly."""
    amount = (0.03, 0.06, 0.09, 0.17, 0.27)[severity - 1]
    is_hit = rng.uniform(size=image.shape) <= amount
    is_salt = rng.uniform(size=image.shape) <= 0.5
    return np.where(is_hit, is_salt.astype(np.float64), image)


def speckle_noise(image: Image, severity: int, rng: np.random.Generator) -> Image:
    """Multiplicative normal noise; standard deviation .15 to .6 of the value."""
    scale = (0.15, 0.20, 0.35, 0.45, 0.60)[severity - 1]
    return image + image * rng.normal(0.0, scale, image.shape)
