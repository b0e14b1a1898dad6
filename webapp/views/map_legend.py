"""The legend of a map: groups with their colours and counts, or a scale with its ends and units."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from reid_core.services.maps import NOT_KNOWN, Categories, Content, Numbers
from webapp.views.formats import format_time
from webapp.views.palettes import GROUP_COLOURS, SCALES, SHAPES, Theme, group_colour, group_shape

MAX_ENTRIES = 300
MAX_IN_ORDER = 24
"""Longer legends list the largest groups first."""
_NUM_TICKS = 5
_UNITS = {"": "", "time": "h:mm:ss on the gallery's clock", "cosine": "cosine similarity", "share": "0 to 1"}


@dataclass(frozen=True, slots=True)
class LegendEntry:
    """One group; ``code`` is its value in the colour channel."""

    code: int
    label: str
    count: int
    light: str
    dark: str
    shape: str


@dataclass(frozen=True, slots=True)
class Legend:
    """What the colours mean.

    ``groups``: in order, or the largest first where there are many; ``quiet`` codes are drawn grey, others by
    ``cycle`` and ``shapes`` in turn. ``scale``: ``low`` and ``high`` are its ends in the unit of the column,
    ``ticks`` are (share, text). ``num_unknown`` crops have no value.
    """

    kind: Literal["groups", "scale"]
    title: str
    num_unknown: int
    entries: tuple[LegendEntry, ...] = ()
    num_groups: int = 0
    quiet: tuple[int, ...] = ()
    cycle: dict[Theme, tuple[str, ...]] = field(default_factory=dict)
    shapes: tuple[str, ...] = ()
    low: float = 0.0
    high: float = 1.0
    unit: str = ""
    ticks: tuple[tuple[float, str], ...] = ()
    light: tuple[str, ...] = ()
    dark: tuple[str, ...] = ()


def show_legend(title: str, content: Content) -> Legend:
    """The legend of a column."""
    return _groups(title, content) if isinstance(content, Categories) else _scale(title, content)


def _groups(title: str, content: Categories) -> Legend:
    counts = np.bincount(content.codes[content.codes >= 0], minlength=len(content.labels))
    is_long = len(counts) > MAX_IN_ORDER
    order = sorted(range(len(counts)), key=lambda code: (-counts[code] if is_long else 0, code))
    shown = [code for code in order if code not in content.quiet][:MAX_ENTRIES] + sorted(content.quiet)
    return Legend(
        kind="groups",
        title=title,
        num_unknown=int((content.codes == NOT_KNOWN).sum()),
        entries=tuple(_entry(code, content, int(counts[code])) for code in shown),
        num_groups=len(content.labels),
        quiet=tuple(sorted(content.quiet)),
        cycle=dict(GROUP_COLOURS),
        shapes=SHAPES,
    )


def _entry(code: int, content: Categories, count: int) -> LegendEntry:
    is_quiet = code in content.quiet
    return LegendEntry(
        code=code,
        label=content.labels[code],
        count=count,
        light=group_colour(code, "light", is_quiet=is_quiet),
        dark=group_colour(code, "dark", is_quiet=is_quiet),
        shape=group_shape(code, is_quiet=is_quiet),
    )


def _scale(title: str, content: Numbers) -> Legend:
    known = content.values[np.isfinite(content.values)]
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
    if content.unit == "share":
        low, high = 0.0, 1.0
    shares = [index / (_NUM_TICKS - 1) for index in range(_NUM_TICKS)] if high > low else [0.5]
    return Legend(
        kind="scale",
        title=title,
        num_unknown=int(len(content.values) - len(known)),
        low=low,
        high=high,
        unit=_UNITS[content.unit],
        ticks=tuple((share, format_value(low + share * (high - low), content)) for share in shares),
        light=SCALES["light"],
        dark=SCALES["dark"],
    )


def format_value(value: float, content: Numbers) -> str:
    """A number of this column as text."""
    if content.unit == "time":
        return format_time(value)
    return f"{value:.3g}" if content.unit == "" else f"{value:.2f}"
