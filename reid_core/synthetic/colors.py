"""Colours: hex codes, sRGB to linear light, palettes of street clothing, and draws from them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
Palette = Sequence[tuple[float, Sequence[str]]]
"""(weight, hex codes): first an entry is drawn by weight, then one of its codes."""


def srgb_to_linear(color: ArrayLike) -> FloatArray:
    """sRGB values in [0, 1] -> linear light in [0, 1] (IEC 61966-2-1)."""
    c = np.asarray(color, dtype=np.float64)
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def hex_color(code: str) -> FloatArray:
    """``"rrggbb"`` -> (3,) sRGB in [0, 1]."""
    return np.array([int(code[i : i + 2], 16) for i in (0, 2, 4)], dtype=np.float64) / 255.0


def draw_hex(rng: np.random.Generator, palette: Palette) -> str:
    """One hex code of a weighted palette."""
    weights = np.array([weight for weight, _ in palette], dtype=np.float64)
    codes = palette[int(rng.choice(len(palette), p=weights / weights.sum()))][1]
    return codes[int(rng.integers(len(codes)))]


def jitter_color(rng: np.random.Generator, color: ArrayLike, amount: float = 0.035) -> FloatArray:
    """Shift lightness by N(0, amount) and each channel by half of that, within [0.02, 0.97]."""
    base = np.asarray(color, dtype=np.float64)
    shifted = base + rng.normal(0, amount, 3) * 0.5 + rng.normal(0, amount)
    return np.clip(shifted, 0.02, 0.97)


def draw_color(rng: np.random.Generator, palette: Palette) -> FloatArray:
    """A jittered colour of a palette, (3,) sRGB in [0, 1]."""
    return jitter_color(rng, hex_color(draw_hex(rng, palette)))
