"""Blur, resize and JPEG for rendered crops: NumPy, Numba and Pillow only.

Every filter here is a list of weighted source rows per output row (edge rows repeat), applied along one axis
after the other. Images are (H, W, C) float32.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numba import njit
from numpy.typing import NDArray
from PIL import Image

from reid_core.errors import InputError

FloatImage = NDArray[np.float32]


@dataclass(frozen=True)
class Taps:
    """Output row i is the sum over k of ``weights[i, k]`` times source row ``starts[i] + k``."""

    starts: NDArray[np.int64]
    weights: NDArray[np.float32]


@njit(fastmath=True, cache=True, nogil=True, error_model="numpy")
def _apply_rows(image: FloatImage, starts: NDArray[np.int64], weights: NDArray[np.float32]) -> FloatImage:
    height, width, channels = image.shape
    rows, count = weights.shape
    out = np.zeros((rows, width, channels), np.float32)
    for i in range(rows):
        for k in range(count):
            weight = weights[i, k]
            if weight == 0.0:
                continue
            source = min(height - 1, max(0, starts[i] + k))
            for x in range(width):
                for c in range(channels):
                    out[i, x, c] += weight * image[source, x, c]
    return out


@njit(fastmath=True, cache=True, nogil=True, error_model="numpy")
def _apply_columns(image: FloatImage, starts: NDArray[np.int64], weights: NDArray[np.float32]) -> FloatImage:
    height, width, channels = image.shape
    columns, count = weights.shape
    out = np.zeros((height, columns, channels), np.float32)
    for y in range(height):
        for i in range(columns):
            for k in range(count):
                weight = weights[i, k]
                if weight == 0.0:
                    continue
                source = min(width - 1, max(0, starts[i] + k))
                for c in range(channels):
                    out[y, i, c] += weight * image[y, source, c]
    return out


def gaussian_blur(image: FloatImage, sigma: float) -> FloatImage:
    """Gaussian of standard deviation ``sigma`` pixels, cut at 3.5 sigma, edges repeated."""
    _check(image)
    if not sigma > 0:
        raise InputError(f"sigma is {sigma}, expected pixels above 0. Skip the blur instead.")
    radius = max(1, int(np.ceil(3.5 * sigma)))
    offsets = np.arange(-radius, radius + 1)
    kernel = np.exp(-0.5 * (offsets / sigma) ** 2)
    height, width = image.shape[:2]
    vertical, horizontal = _shifted(kernel, height), _shifted(kernel, width)
    blurred = _apply_rows(image, vertical.starts, vertical.weights)
    return _apply_columns(blurred, horizontal.starts, horizontal.weights)


def motion_blur(image: FloatImage, length: float) -> FloatImage:
    """Mean along ``length`` pixels of a row, as a person walking sideways during the exposure."""
    _check(image)
    if not length > 0:
        raise InputError(f"length is {length}, expected pixels above 0. Skip the blur instead.")
    radius = int(np.ceil(length))
    kernel = np.clip(length / 2 + 0.5 - np.abs(np.arange(-radius, radius + 1)), 0.0, 1.0)
    taps = _shifted(kernel, image.shape[1])
    return _apply_columns(image, taps.starts, taps.weights)


def resize(image: FloatImage, width: int, height: int) -> FloatImage:
    """Resize: the mean of the covered area where it shrinks, bilinear where it grows, each axis by itself."""
    _check(image)
    if width < 1 or height < 1:
        raise InputError(f"the new size is {width} x {height}, expected at least 1 x 1 pixels.")
    rows, columns = _resize_taps(image.shape[0], height), _resize_taps(image.shape[1], width)
    resized = image if height == image.shape[0] else _apply_rows(image, rows.starts, rows.weights)
    if width != image.shape[1]:
        resized = _apply_columns(resized, columns.starts, columns.weights)
    return resized


def jpeg_roundtrip(image: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    """Encode (H, W, 3) RGB as a JPEG with halved colour resolution and decode it again."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="JPEG", quality=quality, subsampling=2)
    with Image.open(buffer) as decoded:
        return np.array(decoded.convert("RGB"))


def _check(image: FloatImage) -> None:
    if image.ndim != 3 or image.dtype != np.float32 or 0 in image.shape:
        raise InputError(f"the image is {image.shape} {image.dtype}, expected a non-empty (H, W, C) float32.")


def _shifted(kernel: NDArray[np.float64], size: int) -> Taps:
    weights = np.tile((kernel / kernel.sum()).astype(np.float32), (size, 1))
    return Taps(np.arange(size) - len(kernel) // 2, weights)


@lru_cache(maxsize=512)
def _resize_taps(source: int, target: int) -> Taps:
    scale = source / target
    if target < source:
        return _area_taps(source, target, scale)
    centers = (np.arange(target) + 0.5) * scale - 0.5
    starts = np.floor(centers).astype(np.int64)
    upper = (centers - starts).astype(np.float32)
    return Taps(starts, np.stack([1.0 - upper, upper], axis=1))


def _area_taps(source: int, target: int, scale: float) -> Taps:
    low = np.arange(target) * scale
    starts = np.floor(low).astype(np.int64)
    pixels = starts[:, None] + np.arange(int(np.ceil(scale)) + 1)
    overlap = np.minimum(pixels + 1, low[:, None] + scale) - np.maximum(pixels, low[:, None])
    overlap = np.where(pixels < source, np.clip(overlap, 0.0, None), 0.0)
    return Taps(starts, (overlap / overlap.sum(axis=1, keepdims=True)).astype(np.float32))
