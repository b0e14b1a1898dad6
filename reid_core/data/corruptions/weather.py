"""Snow, frost, fog, spatter and rain of the corruption benchmark.

Parameters: ImageNet-C and its extra set (Hendrycks & Dietterich, ICLR 2019) for the first four; rain as the
corrupted ReID benchmark defines it (Chen et al., NeurIPS 2021 Datasets and Benchmarks).

One deviation is unavoidable: the published frost overlays photographs that are not ours to ship. Ours draws
frost on a pane, with colour and contrast measured on those photographs; mixing weights are the published
ones. ``frost_photos`` takes the published photographs where a user has them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numba import njit
from numpy.typing import NDArray
from PIL import Image as Pillow
from scipy import ndimage

from reid_core.data.corruptions.blur import gaussian_smooth, trail, zoom_centre
from reid_core.data.corruptions.noise import Image

_GREY = np.array([0.299, 0.587, 0.114])


def snow(image: Image, severity: int, rng: np.random.Generator) -> Image:
    """Whitened picture under flakes that fall, and under the same flakes turned by 180 degrees."""
    mean, deviation, zoom, threshold, radius, sigma, kept = (
        (0.1, 0.3, 3.0, 0.5, 10, 4.0, 0.8),
        (0.2, 0.3, 2.0, 0.5, 12, 4.0, 0.7),
        (0.55, 0.3, 4.0, 0.9, 12, 8.0, 0.7),
        (0.55, 0.3, 4.5, 0.85, 12, 8.0, 0.65),
        (0.55, 0.3, 2.5, 0.85, 12, 12.0, 0.55),
    )[severity - 1]
    height, width = image.shape[:2]
    flakes = zoom_centre(rng.normal(mean, deviation, (height, width)), zoom)
    flakes = np.clip(np.where(flakes < threshold, 0.0, flakes), 0, 1)
    flakes = trail(flakes, radius=radius, sigma=sigma, angle_deg=rng.uniform(-135, -45))
    flakes = np.floor(np.clip(np.round(flakes * 255), 0, 255)) / 255.0
    layer = np.zeros((height, width))
    cut = flakes[:height, :width]
    layer[: cut.shape[0], : cut.shape[1]] = cut
    grey = (image @ _GREY)[..., None]
    whitened = kept * image + (1 - kept) * np.maximum(image, grey * 1.5 + 0.5)
    result: Image = whitened + (layer + np.rot90(layer, k=2))[..., None]
    return result


def fog(image: Image, severity: int, rng: np.random.Generator) -> Image:
    """A plasma cloud added, and the sum scaled back to the brightest value of the picture."""
    strength, decay = ((1.5, 2.0), (2.0, 2.0), (2.5, 1.7), (2.5, 1.5), (3.0, 1.4))[severity - 1]
    height, width = image.shape[:2]
    size = 1 << (max(height, width, 3) - 1).bit_length()
    cloud = plasma(size, decay, rng)[:height, :width, None]
    peak = image.max()
    result: Image = (image + strength * cloud) * peak / (peak + strength)
    return result


def plasma(size: int, decay: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Diamond-square height map on a torus, (size, size) in [0, 1]; ``size`` is a power of two."""
    heights = np.zeros((size, size))
    step, wobble = size, 100.0

    def settle(total: NDArray[np.float64]) -> NDArray[np.float64]:
        return total / 4 + wobble * rng.uniform(-wobble, wobble, total.shape)

    while step >= 2:
        half = step // 2
        corners = heights[::step, ::step]
        pairs = corners + np.roll(corners, -1, axis=0)
        heights[half::step, half::step] = settle(pairs + np.roll(pairs, -1, axis=1))
        centres = heights[half::step, half::step]
        corners = heights[::step, ::step]
        above = centres + np.roll(centres, 1, axis=0)
        left = corners + np.roll(corners, -1, axis=1)
        heights[::step, half::step] = settle(above + left)
        beside = centres + np.roll(centres, 1, axis=1)
        upper = corners + np.roll(corners, -1, axis=0)
        heights[half::step, ::step] = settle(beside + upper)
        step = half
        wobble /= decay
    heights -= heights.min()
    normalised: NDArray[np.float64] = heights / heights.max()
    return normalised


def frost(
    image: Image,
    severity: int,
    rng: np.random.Generator,
    *,
    frost_photos: Sequence[NDArray[np.uint8]] = (),
) -> Image:
    """Dimmed picture plus a random window of an ice picture.

    ``frost_photos`` are (H, W, 3) RGB arrays; without them the ice is drawn.
    """
    kept, added = ((1.0, 0.4), (0.8, 0.6), (0.7, 0.7), (0.65, 0.7), (0.6, 0.75))[severity - 1]
    height, width = image.shape[:2]
    if not frost_photos:
        return kept * image + added * draw_ice(height, width, rng)
    photo = frost_photos[int(rng.integers(len(frost_photos)))]
    scale = 1.1 * max(1.0, height / photo.shape[0], width / photo.shape[1])
    size = math.ceil(photo.shape[1] * scale), math.ceil(photo.shape[0] * scale)
    large = np.asarray(Pillow.fromarray(photo).resize(size, Pillow.Resampling.BICUBIC))
    top, left = rng.integers(0, large.shape[0] - height), rng.integers(0, large.shape[1] - width)
    return kept * image + added * large[top : top + height, left : left + width] / 255.0


_ICE_LOOKS = (
    # mean red, green, blue; standard deviation within a crop-sized window; share of needles in the pattern
    ((0.30, 0.58, 0.65), 0.14, 0.35),
    ((0.78, 0.80, 0.84), 0.07, 0.60),
    ((0.78, 0.80, 0.83), 0.07, 0.60),
    ((0.54, 0.60, 0.65), 0.10, 0.70),
    ((0.41, 0.46, 0.50), 0.13, 0.80),
)
"""Measured on 200 random 64 x 150 windows of each of the five photographs that the benchmark draws from."""


def draw_ice(height: int, width: int, rng: np.random.Generator) -> Image:
    """(height, width, 3) in [0, 1]: frost on a pane, with colour and contrast of one of five photographs."""
    colour, deviation, needle_share = _ICE_LOOKS[int(rng.integers(len(_ICE_LOOKS)))]
    needles = _ice_needles(height, width, rng)
    size = 1 << (max(height, width, 3) - 1).bit_length()
    haze = plasma(size, 1.8, rng)[:height, :width]
    pattern = needle_share * _standardise(needles) + (1 - needle_share) * _standardise(haze)
    level = 1.0 + rng.normal(0.0, 0.08)
    return np.clip(level * np.array(colour) + deviation * _standardise(pattern)[..., None], 0, 1)


def _ice_needles(height: int, width: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Crystals that fan out from a few directions, each direction dominant in its own patch."""
    reach = 21
    padded = height + 2 * reach, width + 2 * reach
    total = np.zeros(padded)
    for _ in range(6):
        patch = ndimage.gaussian_filter(rng.normal(size=padded), 14.0, mode="reflect")
        is_seed = rng.uniform(size=padded) < 0.012 * (patch > 0)
        angle_deg = float(rng.uniform(0, 360))
        for spread_deg in (-28.0, 0.0, 28.0):
            crystal = trail(
                is_seed.astype(np.float64), radius=10, sigma=6.0, angle_deg=angle_deg + spread_deg
            )
            total = np.maximum(total, crystal)
    smooth: NDArray[np.float64] = ndimage.gaussian_filter(np.sqrt(total), 0.8)
    return smooth[reach:-reach, reach:-reach]


def _standardise(values: NDArray[np.float64]) -> NDArray[np.float64]:
    centred = values - values.mean()
    result: NDArray[np.float64] = centred / (centred.std() + 1e-9)
    return result


def spatter(image: Image, severity: int, rng: np.random.Generator) -> Image:
    """Water drops on the lens up to severity 3, mud from 4."""
    mean, deviation, smooth, threshold, strength, is_mud = (
        (0.65, 0.3, 4.0, 0.69, 0.6, False),
        (0.65, 0.3, 3.0, 0.68, 0.6, False),
        (0.65, 0.3, 2.0, 0.68, 0.5, False),
        (0.65, 0.3, 1.0, 0.65, 1.5, True),
        (0.67, 0.4, 1.0, 0.65, 1.5, True),
    )[severity - 1]
    liquid = gaussian_smooth(rng.normal(mean, deviation, image.shape[:2]), smooth)
    liquid = np.where(liquid < threshold, 0.0, liquid)
    if is_mud:
        mask = gaussian_smooth((liquid > threshold).astype(np.float64), strength)
        mask = np.where(mask < 0.8, 0.0, mask)[..., None]
        muddy: Image = image * (1 - mask) + mask * np.array([63, 42, 20]) / 255.0
        return muddy
    wet = _water_relief(np.floor(np.clip(liquid, 0, 1) * 255)) * strength
    watery: Image = image + wet[..., None] * np.array([175, 238, 238]) / 255.0
    return watery


def _water_relief(liquid: NDArray[np.float64]) -> NDArray[np.float64]:
    """Brightness of drops, (H, W) in [0, 1], from their thickness in 0..255: lit from one side at the rim."""
    is_edge = _canny(liquid, 50.0, 150.0)
    if is_edge.any():
        distance: NDArray[np.float64] = ndimage.distance_transform_edt(~is_edge)
    else:
        distance = np.full(liquid.shape, 20.0)
    distance = np.floor(ndimage.uniform_filter(np.minimum(distance, 20.0), 3, mode="mirror") + 1e-6)
    levels = _equalise(distance.astype(np.uint8)).astype(np.float64)
    relief_kernel = np.array([[-2, -1, 0], [-1, 1, 1], [0, 1, 2]], dtype=np.float64)
    relief = np.clip(ndimage.correlate(levels, relief_kernel, mode="mirror"), 0, 255)
    relief = np.floor(ndimage.uniform_filter(relief, 3, mode="mirror") + 0.5)
    wet: NDArray[np.float64] = liquid * relief
    wet /= max(wet.max(), 1e-9)
    return wet


def _canny(image: NDArray[np.float64], low: float, high: float) -> NDArray[np.bool_]:
    """Edges by Canny's method (PAMI 1986) with a 3 x 3 Sobel operator, absolute-sum gradient."""
    gradient_x = ndimage.sobel(image, axis=1, mode="nearest")
    gradient_y = ndimage.sobel(image, axis=0, mode="nearest")
    magnitude = np.abs(gradient_x) + np.abs(gradient_y)
    padded = np.pad(magnitude, 1)

    def neighbour(dy: int, dx: int) -> NDArray[np.float64]:
        return padded[1 + dy : 1 + dy + image.shape[0], 1 + dx : 1 + dx + image.shape[1]]

    slope = math.tan(math.pi / 8)
    is_flat = np.abs(gradient_y) < slope * np.abs(gradient_x)
    is_steep = np.abs(gradient_y) * slope > np.abs(gradient_x)
    is_falling = (gradient_x * gradient_y) < 0
    directions = [is_flat, is_steep, is_falling]
    before = np.select(
        directions, [neighbour(0, -1), neighbour(-1, 0), neighbour(-1, 1)], default=neighbour(-1, -1)
    )
    after = np.select(
        directions, [neighbour(0, 1), neighbour(1, 0), neighbour(1, -1)], default=neighbour(1, 1)
    )
    is_above_after = np.where(is_flat | is_steep, magnitude >= after, magnitude > after)
    is_ridge = (magnitude > low) & (magnitude > before) & is_above_after
    labels, _ = ndimage.label(is_ridge, structure=np.ones((3, 3)))
    strong = np.unique(labels[is_ridge & (magnitude > high)])
    return np.isin(labels, strong[strong > 0])


def _equalise(levels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Histogram equalisation over 256 levels; a constant picture stays as it is."""
    counts = np.bincount(levels.ravel(), minlength=256)
    first = int(np.flatnonzero(counts)[0])
    rest = levels.size - counts[first]
    if rest == 0:
        return levels
    cumulated = np.cumsum(counts) - counts[first]
    table: NDArray[np.uint8] = np.round(np.clip(cumulated, 0, None) * (255.0 / rest)).astype(np.uint8)
    equalised: NDArray[np.uint8] = table[levels]
    return equalised


RAIN_MIN_HEIGHT = 60
"""Lower pictures are enlarged to 65 pixels before it rains, because drops are up to 60 pixels long."""


def rain(image: Image, severity: int, rng: np.random.Generator) -> Image:
    """Grey drops, then a box blur of 3 to 7 pixels, then darker by .1 to .3.

    A picture up to 60 pixels high comes back 65 pixels high, as in the benchmark.
    """
    area_per_drop, length = ((770, 10), (600, 30), (600, 30), (500, 60), (500, 60))[severity - 1]
    if image.shape[0] <= RAIN_MIN_HEIGHT:
        width = max(1, int(image.shape[1] * 65.0 / image.shape[0]))
        pixels = np.floor(np.clip(image, 0, 1) * 255).astype(np.uint8)
        enlarged = Pillow.fromarray(pixels).resize((width, 65), Pillow.Resampling.BICUBIC)
        image = np.asarray(enlarged, dtype=np.float64) / 255.0
    height, width = image.shape[:2]
    slant = int(rng.uniform(-10, 10))
    count = height * width // area_per_drop
    left = rng.integers(min(slant, 0), max(width - max(slant, 0), 0) + 1, count)
    top = rng.integers(0, height - length + 1, count)
    wet = image.copy()
    _draw_drops(wet, left, top, slant, length, 200.0 / 255.0)
    blur_size = 2 + severity
    # An even box has no centre pixel; the anchor is the one right of and below the middle.
    blurred = ndimage.uniform_filter(wet, (blur_size, blur_size, 1), mode="mirror")
    darker: Image = blurred - (0.05 + 0.05 * severity)
    return darker


@njit(cache=True)
def _draw_drops(
    image: NDArray[np.float64],
    left: NDArray[np.int64],
    top: NDArray[np.int64],
    slant: int,
    length: int,
    value: float,
) -> None:
    """One-pixel lines from (left, top) to (left + slant, top + length), clipped to the picture."""
    height, width = image.shape[0], image.shape[1]
    for drop in range(left.size):
        for step in range(length + 1):
            y = top[drop] + step
            x = left[drop] + int(np.floor(slant * step / length + 0.5))
            if 0 <= x < width and 0 <= y < height:
                for channel in range(image.shape[2]):
                    image[y, x, channel] = value
