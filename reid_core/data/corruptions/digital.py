"""Contrast, brightness, saturation, JPEG, pixelation and elastic warping of the corruption benchmark.

Parameters: ImageNet-C (Hendrycks & Dietterich, ICLR 2019).
"""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from scipy import ndimage

from reid_core.data.corruptions.noise import Image


def contrast(image: Image, severity: int, rng: np.random.Generator) -> Image:
    """Pull every channel towards its mean: .4 down to .05 of the contrast stays."""
    kept = (0.4, 0.3, 0.2, 0.1, 0.05)[severity - 1]
    mean = image.mean(axis=(0, 1), keepdims=True)
    result: Image = (image - mean) * kept + mean
    return result


def brightness(image: Image, severity: int, rng: np.random.Generator) -> Image:
    """Add .1 to .5 to the value of HSV."""
    added = (0.1, 0.2, 0.3, 0.4, 0.5)[severity - 1]
    hue, saturation, value = rgb_to_hsv(image)
    return hsv_to_rgb(hue, saturation, np.clip(value + added, 0, 1))


def saturate(image: Image, severity: int, rng: np.random.Generator) -> Image:
    """Scale and shift the saturation of HSV: nearly grey at 1 and 2, garish at 4 and 5."""
    factor, added = ((0.3, 0.0), (0.1, 0.0), (2.0, 0.0), (5.0, 0.1), (20.0, 0.2))[severity - 1]
    hue, saturation, value = rgb_to_hsv(image)
    return hsv_to_rgb(hue, np.clip(saturation * factor + added, 0, 1), value)


def rgb_to_hsv(image: Image) -> tuple[Image, Image, Image]:
    """(H, W, 3) RGB in [0, 1] to hue in turns, saturation and value, each (H, W) in [0, 1]."""
    red, green, blue = image[..., 0], image[..., 1], image[..., 2]
    value = image.max(axis=-1)
    spread = value - image.min(axis=-1)
    safe = np.where(spread > 0, spread, 1.0)
    hue = np.select(
        [value == blue, value == green],
        [4.0 + (red - green) / safe, 2.0 + (blue - red) / safe],
        (green - blue) / safe,
    )
    hue = np.where(spread > 0, (hue / 6.0) % 1.0, 0.0)
    saturation = np.where(value > 0, spread / np.where(value > 0, value, 1.0), 0.0)
    return hue, saturation, value


def hsv_to_rgb(hue: Image, saturation: Image, value: Image) -> Image:
    """Inverse of :func:`rgb_to_hsv`."""
    sector = np.floor(hue * 6.0)
    part = hue * 6.0 - sector
    low = value * (1 - saturation)
    falling = value * (1 - part * saturation)
    rising = value * (1 - (1 - part) * saturation)
    index = sector.astype(np.int64) % 6
    red = np.choose(index, [value, falling, low, low, rising, value])
    green = np.choose(index, [rising, value, value, falling, low, low])
    blue = np.choose(index, [low, low, rising, value, value, falling])
    return np.stack([red, green, blue], axis=-1)


def jpeg_compression(image: Image, severity: int, rng: np.random.Generator) -> Image:
    """Store as JPEG of quality 25 down to 7."""
    quality = (25, 18, 15, 10, 7)[severity - 1]
    buffer = io.BytesIO()
    _to_pillow(image).save(buffer, "JPEG", quality=quality)
    return np.asarray(Pillow.open(buffer), dtype=np.float64) / 255.0


def pixelate(image: Image, severity: int, rng: np.random.Generator) -> Image:
    """Scale down to .6 ... .25 by area and up again by nearest neighbour."""
    kept = (0.6, 0.5, 0.4, 0.3, 0.25)[severity - 1]
    height, width = image.shape[:2]
    small_size = max(1, int(width * kept)), max(1, int(height * kept))
    small = _to_pillow(image).resize(small_size, Pillow.Resampling.BOX)
    return np.asarray(small.resize((width, height), Pillow.Resampling.NEAREST), dtype=np.float64) / 255.0


def _to_pillow(image: Image) -> Pillow.Image:
    return Pillow.fromarray(np.floor(np.clip(image, 0, 1) * 255 + 1e-6).astype(np.uint8))


def elastic_transform(image: Image, severity: int, rng: np.random.Generator) -> Image:
    """Smooth random displacement, stronger with severity; its scale follows the height of the image."""
    strength = (12.5, 16.25, 21.25, 25.0, 30.0)[severity - 1]
    height, width = image.shape[:2]
    reach, sigmas = height * 0.005, (height * 0.01, width * 0.01)

    def displacement() -> NDArray[np.float64]:
        raw = rng.uniform(-reach, reach, (height, width))
        smooth: NDArray[np.float64] = ndimage.gaussian_filter(raw, sigmas, mode="reflect", truncate=3.0)
        return smooth * strength

    shift_x, shift_y = displacement(), displacement()
    rows, columns = np.meshgrid(np.arange(height), np.arange(width), indexing="ij")
    where = np.stack([rows + shift_y, columns + shift_x])
    channels = [ndimage.map_coordinates(image[..., c], where, order=1, mode="reflect") for c in range(3)]
    return np.stack(channels, axis=-1)
