"""Colours and shapes of groups, and the colour scale of numbers, for light and dark backgrounds.

The seven colours of each theme stand out from the background (3:1 at least) and from each other, also for
people who see no red, green or blue difference (CIE76 distance 12 at least, simulated after Machado et al.,
2009). Shape and colour go round in cycles of 3 and 7, so 21 groups in a row look different.
"""

from __future__ import annotations

from typing import Literal

Theme = Literal["light", "dark"]

GROUP_COLOURS: dict[Theme, tuple[str, ...]] = {
    "light": ("#2f86eb", "#7d1d1d", "#cc7a00", "#2b2bb8", "#0b6b4a", "#d065b0", "#e0442a"),
    "dark": ("#58c0f5", "#d0541c", "#1a9a78", "#c65fb0", "#f0e442", "#6f63ff", "#f5b8a0"),
}
BACKGROUNDS: dict[Theme, str] = {"light": "#ffffff", "dark": "#161a21"}
INKS: dict[Theme, str] = {"light": "#171b22", "dark": "#e9ecf1"}
QUIET: dict[Theme, str] = {"light": "#8a93a1", "dark": "#6d7686"}
"""Junk, distractors, and whatever nobody said."""
SHAPES = ("disc", "square", "cross")
QUIET_SHAPE = "disc"

_VIRIDIS = [
    "#440154",
    "#48186a",
    "#472d7b",
    "#424086",
    "#3b528b",
    "#33638d",
    "#2c728e",
    "#26828e",
    "#21918c",
    "#1fa088",
    "#28ae80",
    "#3fbc73",
    "#5ec962",
    "#84d44b",
    "#addc30",
    "#d8e219",
    "#fde725",
]
SCALES: dict[Theme, tuple[str, ...]] = {"light": tuple(_VIRIDIS[:14]), "dark": tuple(_VIRIDIS[3:])}
"""viridis (van der Walt and Smith, 2015) without the end that would vanish in the background."""


def group_colour(code: int, theme: Theme, *, is_quiet: bool) -> str:
    """Colour of the group with this code; quiet and unknown ones are grey."""
    if is_quiet or code < 0:
        return QUIET[theme]
    colours = GROUP_COLOURS[theme]
    return colours[code % len(colours)]


def group_shape(code: int, *, is_quiet: bool) -> str:
    """Shape of the group with this code."""
    return QUIET_SHAPE if is_quiet or code < 0 else SHAPES[code % len(SHAPES)]


def scale_colour(share: float, theme: Theme) -> str:
    """Colour at ``share`` (0 to 1) of the scale, between its stops in RGB."""
    stops = SCALES[theme]
    place = min(max(share, 0.0), 1.0) * (len(stops) - 1)
    below = min(int(place), len(stops) - 2)
    low, high = _rgb(stops[below]), _rgb(stops[below + 1])
    mixed = (round(a + (b - a) * (place - below)) for a, b in zip(low, high, strict=True))
    return "#" + "".join(f"{channel:02x}" for channel in mixed)


def _rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
