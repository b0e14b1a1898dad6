"""The 20 corruptions x 5 severities of the corrupted ReID benchmarks, addressed by seed.

Market-1501-C, CUHK03-C and MSMT17-C (Chen et al., "Benchmarks for Corruption Invariant Person
Re-identification", NeurIPS 2021): every test crop gets one corruption, drawn evenly from 20, at one severity,
drawn evenly from 5, applied to the raw crop before it is resized; the whole evaluation is repeated 10 times.
There the draw comes from a global, unseeded generator. Here (seed, repeat, image id) decides type, severity
and every pixel, so a run can be repeated anywhere, in any order, in parallel.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from reid_core.data.corruptions import blur, digital, noise, weather
from reid_core.data.corruptions.noise import Image
from reid_core.errors import InputError
from reid_core.seeds import rng_for

__all__ = [
    "CORRUPTIONS",
    "SEVERITIES",
    "CorruptionChoice",
    "choose_corruption",
    "corrupt",
    "corrupt_image",
]

SEVERITIES = (1, 2, 3, 4, 5)
MIN_SIDE = 8
"""Pixels; a smaller crop holds no person, and several corruptions need neighbours."""

_Corruption = Callable[[Image, int, np.random.Generator], Image]
CORRUPTIONS: MappingProxyType[str, _Corruption] = MappingProxyType(
    {
        function.__name__: function
        for function in (
            noise.gaussian_noise,
            noise.shot_noise,
            noise.impulse_noise,
            blur.defocus_blur,
            blur.glass_blur,
            blur.motion_blur,
            blur.zoom_blur,
            weather.snow,
            weather.frost,
            weather.fog,
            digital.brightness,
            digital.contrast,
            digital.elastic_transform,
            digital.pixelate,
            digital.jpeg_compression,
            noise.speckle_noise,
            blur.gaussian_blur,
            weather.spatter,
            digital.saturate,
            weather.rain,
        )
    }
)
"""The 20 types by published name, in the benchmark's order."""


@dataclass(frozen=True, slots=True)
class CorruptionChoice:
    """What one crop gets in one repeat. ``severity`` is 1..5."""

    name: str
    severity: int


def choose_corruption(image_id: str, *, seed: int, repeat: int) -> CorruptionChoice:
    """The benchmark's random draw for one crop: even over 20 types, even over 5 severities."""
    rng = rng_for(seed, "corruption-choice", repeat, image_id)
    names = tuple(CORRUPTIONS)
    return CorruptionChoice(names[int(rng.integers(len(names)))], int(rng.integers(1, len(SEVERITIES) + 1)))


def corrupt_image(
    image: Pillow.Image,
    choice: CorruptionChoice,
    *,
    image_id: str,
    seed: int,
    repeat: int = 0,
    frost_photos: Sequence[NDArray[np.uint8]] = (),
) -> Pillow.Image:
    """Corrupt one raw crop; equal arguments give equal pixels on every machine with equal library versions.

    ``choice`` comes from :func:`choose_corruption` for the random protocol, or from the loop over the 20 x 5
    grid. ``frost_photos``: see :mod:`reid_core.data.corruptions.weather`.
    """
    rng = rng_for(seed, "corruption-pixels", repeat, image_id, choice.name, choice.severity)
    pixels = np.asarray(image.convert("RGB"))
    return Pillow.fromarray(corrupt(pixels, choice.name, choice.severity, rng, frost_photos=frost_photos))


def corrupt(
    pixels: NDArray[np.uint8],
    name: str,
    severity: int,
    rng: np.random.Generator,
    *,
    frost_photos: Sequence[NDArray[np.uint8]] = (),
) -> NDArray[np.uint8]:
    """Apply one corruption to an (H, W, 3) uint8 RGB crop; the result is clipped and truncated to uint8.

    The size stays, except that ``rain`` enlarges crops up to 60 pixels high to 65, as the benchmark does.

    Raises:
        InputError: Unknown name, severity outside 1..5, another array form, or a side under 8 pixels.
    """
    if name not in CORRUPTIONS:
        raise InputError(f"There is no corruption {name!r}. Known: {', '.join(CORRUPTIONS)}.")
    if severity not in SEVERITIES:
        raise InputError(f"Severity {severity!r} is not one of 1, 2, 3, 4, 5.")
    if (
        pixels.ndim != 3
        or pixels.shape[2] != 3
        or pixels.dtype != np.uint8
        or min(pixels.shape[:2]) < MIN_SIDE
    ):
        raise InputError(
            f"A crop to corrupt has shape {pixels.shape} and type {pixels.dtype}; expected (H, W, 3) uint8 "
            f"RGB with at least {MIN_SIDE} pixels a side."
        )
    image = pixels.astype(np.float64) / 255.0
    if name == "frost" and frost_photos:
        corrupted = weather.frost(image, severity, rng, frost_photos=frost_photos)
    else:
        corrupted = CORRUPTIONS[name](image, severity, rng)
    # The benchmark truncates where rounding would be usual; 1e-6 undoes float error on exact levels.
    return np.floor(np.clip(corrupted, 0.0, 1.0) * 255.0 + 1e-6).astype(np.uint8)
