"""The colours of maps over crops, the same in the browser and in exported pictures.

Energy is drawn in Viridis, whose lightness grows evenly. Evidence has two hues that people with any common
kind of colour blindness tell apart, blue for what raises the cosine and orange for what lowers it, and is
clear where it is zero; pictures hatch the orange as well, so that nothing rests on colour alone.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

NUM_COLOURS = 256
_ALPHA_GAMMA = 0.7
"""Weak evidence would vanish over a photograph if it were as clear as it is weak."""
_VIRIDIS = (
    ("440154", "482878", "3e4989", "31688e", "26828e")
    + ("1f9e89", "35b779", "6ece58", "b5de2b", "fde725")
)  # fmt: skip
_NEGATIVE, _POSITIVE = "e2500c", "1a6cff"

Colours = NDArray[np.uint8]
"""(256, 4) RGBA; the first is the low end of the scale, the last the high end."""


@cache
def colours_of(kind: str) -> Colours:
    """The scale of a kind of map: from 0 to the maximum, or, for evidence, from minus to plus the maximum."""
    place = np.linspace(0, 1, NUM_COLOURS)
    if kind == "evidence":
        signed = 2 * place - 1
        rgb = np.where(signed[:, None] < 0, _rgb(_NEGATIVE), _rgb(_POSITIVE))
        alpha = 255 * np.abs(signed) ** _ALPHA_GAMMA
    else:
        stops = np.array([_rgb(stop) for stop in _VIRIDIS])
        at = np.linspace(0, 1, len(stops))
        rgb = np.stack([np.interp(place, at, stops[:, channel]) for channel in range(3)], axis=1)
        alpha = np.full(NUM_COLOURS, 255.0)
    colours: Colours = np.column_stack([rgb, alpha]).round().astype(np.uint8)
    colours.setflags(write=False)
    return colours


def paint(values: NDArray[np.floating], scale: float, kind: str) -> NDArray[np.uint8]:
    """A map (H, W) in its colours, (H, W, 4) RGBA; ``scale`` is the largest value the colours cover."""
    share = values / scale if scale > 0 else np.zeros_like(values)
    place = (share + 1) / 2 if kind == "evidence" else share
    painted: NDArray[np.uint8] = colours_of(kind)[np.rint(np.clip(place, 0, 1) * 255).astype(int)]
    return painted


def _rgb(text: str) -> NDArray[np.float64]:
    return np.array([int(text[start : start + 2], 16) for start in (0, 2, 4)], dtype=np.float64)
