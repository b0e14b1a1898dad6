"""Five blurs of the corruption benchmark. Parameters: ImageNet-C (Hendrycks & Dietterich, ICLR 2019)."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy import ndimage

from reid_core.data.corruptions.noise import Image


def gaussian_smooth(image: NDArray[np.float64], sigma: float) -> NDArray[np.float64]:
    """Blur the two spatial axes; edges repeat and the kernel ends at 4 sigma, as scikit-image does."""
    sigmas = (sigma, sigma, 0.0) if image.ndim == 3 else (sigma, sigma)
    blurred: NDArray[np.float64] = ndimage.gaussian_filter(image, sigmas, mode="nearest", truncate=4.0)
    return blurred


def gaussian_blur(image: Image, severity: int, rng: np.random.Generator) -> Image:
    """Normal kernel, sigma 1 to 6 pixels."""
    return gaussian_smooth(image, (1.0, 2.0, 3.0, 4.0, 6.0)[severity - 1])


def defocus_blur(image: Image, severity: int, rng: np.random.Generator) -> Image:
    """Disk kernel of radius 3 to 10 pixels with softened rim."""
    radius, rim_sigma = ((3, 0.1), (4, 0.5), (6, 0.5), (8, 0.5), (10, 0.5))[severity - 1]
    kernel = _disk(radius, rim_sigma)
    channels = [ndimage.correlate(image[..., c], kernel, mode="mirror") for c in range(3)]
    return np.stack(channels, axis=-1)


def _disk(radius: int, rim_sigma: float) -> NDArray[np.float64]:
    reach, rim_width = (8, 1) if radius <= 8 else (radius, 2)
    axis = np.arange(-reach, reach + 1)
    disk = (axis[:, None] ** 2 + axis[None, :] ** 2 <= radius**2).astype(np.float64)
    area = disk.sum()
    taps = np.arange(-rim_width, rim_width + 1)
    rim = np.exp(-(taps**2) / (2 * rim_sigma**2))
    rim /= rim.sum()
    for spatial_axis in (0, 1):
        disk = ndimage.correlate1d(disk, rim, axis=spatial_axis, mode="mirror")
    kernel: NDArray[np.float64] = disk / area
    return kernel


def motion_blur(image: Image, severity: int, rng: np.random.Generator) -> Image:
    """One-sided normal trail of 21 to 41 samples at an angle within 45 degrees of horizontal."""
    radius, sigma = ((10, 3), (15, 5), (15, 8), (15, 12), (20, 15))[severity - 1]
    return trail(image, radius=radius, sigma=sigma, angle_deg=rng.uniform(-45, 45))


def trail(image: NDArray[np.float64], *, radius: int, sigma: float, angle_deg: float) -> NDArray[np.float64]:
    """Sum of copies shifted along a line by whole pixels, weighted by a half normal curve; edges repeat.

    A trail longer than the image ends at the border, which darkens small images: so does the benchmark.
    """
    width = 2 * radius + 1
    weights = np.exp(-(np.arange(width) ** 2) / (2.0 * sigma**2))
    weights /= weights.sum()
    step_y, step_x = math.sin(math.radians(angle_deg)), math.cos(math.radians(angle_deg))
    height, image_width = image.shape[:2]
    blurred = np.zeros_like(image)
    for index, weight in enumerate(weights):
        shift_y, shift_x = -math.ceil(index * step_y - 0.5), -math.ceil(index * step_x - 0.5)
        if abs(shift_y) >= height or abs(shift_x) >= image_width:
            break
        rows = np.clip(np.arange(height) - shift_y, 0, height - 1)
        columns = np.clip(np.arange(image_width) - shift_x, 0, image_width - 1)
        blurred += weight * image[rows[:, None], columns[None, :]]
    return blurred


def zoom_blur(image: Image, severity: int, rng: np.random.Generator) -> Image:
    """Mean of the image and its centre zoomed by 1.00 up to 1.10 ... 1.30."""
    factors = (
        np.arange(1, 1.11, 0.01),
        np.arange(1, 1.16, 0.01),
        np.arange(1, 1.21, 0.02),
        np.arange(1, 1.26, 0.02),
        np.arange(1, 1.31, 0.03),
    )[severity - 1]
    total = image.copy()
    for factor in factors:
        layer = zoom_centre(image, float(factor))[: image.shape[0], : image.shape[1]]
        total[: layer.shape[0], : layer.shape[1]] += layer
    return total / (len(factors) + 1)


def zoom_centre(image: NDArray[np.float64], factor: float) -> NDArray[np.float64]:
    """Enlarge the centre so that it fills at least the whole frame (linear interpolation)."""
    kept = [math.ceil(size / factor) for size in image.shape[:2]]
    top, left = ((size - keep) // 2 for size, keep in zip(image.shape[:2], kept, strict=True))
    centre = image[top : top + kept[0], left : left + kept[1]]
    factors = (factor, factor, 1.0) if image.ndim == 3 else (factor, factor)
    zoomed: NDArray[np.float64] = ndimage.zoom(centre, factors, order=1)
    return zoomed


def glass_blur(image: Image, severity: int, rng: np.random.Generator) -> Image:
    """Pixels take the place of near neighbours, between two light blurs.

    The benchmark's code means to swap two pixels but, through NumPy views, copies the neighbour over the
    pixel; published numbers rest on the copy, so this copies.
    """
    sigma, reach, rounds = ((0.7, 1, 2), (0.9, 2, 1), (1.0, 2, 3), (1.1, 3, 2), (1.5, 4, 2))[severity - 1]
    quantised = np.floor(np.clip(gaussian_smooth(image, sigma), 0, 1) * 255)
    height, width = image.shape[:2]
    rows, columns = max(0, height - 2 * reach), max(0, width - 2 * reach)
    offsets = rng.integers(-reach, reach, size=(rounds, rows, columns, 2))
    _copy_neighbours(quantised, offsets, reach)
    return gaussian_smooth(quantised / 255.0, sigma)


@njit(cache=True)
def _copy_neighbours(image: NDArray[np.float64], offsets: NDArray[np.int64], reach: int) -> None:
    rounds, rows, columns = offsets.shape[:3]
    for turn in range(rounds):
        for row in range(rows):
            y = image.shape[0] - reach - row
            for column in range(columns):
                x = image.shape[1] - reach - column
                dx, dy = offsets[turn, row, column]
                for channel in range(image.shape[2]):
                    image[y, x, channel] = image[y + dy, x + dx, channel]
