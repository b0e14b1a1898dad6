"""What can be said about an identity: a fixed table for manifests and for auxiliary training targets.

The order of attributes and of their values is part of the format: trained heads and manifests depend on it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from reid_core.synthetic.identity import (
    Color,
    Fringe,
    Glasses,
    HairStyle,
    Identity,
    Shoe,
)
from reid_core.synthetic.wardrobe import BAGS, HATS, LOWER_GARMENTS, PATTERNS, UPPER_GARMENTS

_MIDDLE_GREY = 0.45
_YES_NO = ("no", "yes")


@dataclass(frozen=True)
class CategoricalAttribute:
    """An attribute with a fixed, ordered set of values."""

    name: str
    values: tuple[str, ...]
    read: Callable[[Identity], str]


@dataclass(frozen=True)
class RealAttribute:
    """A number of about unit spread, and whether it can be seen on an identity at all."""

    name: str
    read: Callable[[Identity], float]
    applies: Callable[[Identity], bool]


@dataclass(frozen=True, eq=False)
class RealTable:
    """Real-valued attributes of N identities: ``values`` and ``weights`` (N, R) float32; weight 0 = cannot
    be seen.
    """

    values: NDArray[np.float32]
    weights: NDArray[np.float32]


def _upper_decoration(identity: Identity) -> str:
    return "print" if identity.print_kind != "none" else identity.upper_pattern


def _yes_no(is_true: bool) -> str:
    return _YES_NO[int(is_true)]


CATEGORICAL_ATTRIBUTES: tuple[CategoricalAttribute, ...] = (
    CategoricalAttribute("upper", UPPER_GARMENTS, lambda who: who.upper),
    CategoricalAttribute("lower", LOWER_GARMENTS, lambda who: who.lower),
    CategoricalAttribute("bag", BAGS, lambda who: who.bag),
    CategoricalAttribute("hair", get_args(HairStyle), lambda who: who.hair),
    CategoricalAttribute("hat", HATS, lambda who: who.hat),
    CategoricalAttribute("upper_pattern", (*PATTERNS, "print"), _upper_decoration),
    CategoricalAttribute("lower_pattern", PATTERNS, lambda who: who.lower_pattern),
    CategoricalAttribute("shoe", get_args(Shoe), lambda who: who.shoe),
    CategoricalAttribute("glasses", get_args(Glasses), lambda who: who.glasses),
    CategoricalAttribute("fringe", get_args(Fringe), lambda who: who.fringe),
    CategoricalAttribute("is_female", _YES_NO, lambda who: _yes_no(who.is_female)),
    CategoricalAttribute("is_open", _YES_NO, lambda who: _yes_no(who.is_open)),
    CategoricalAttribute("has_beard", _YES_NO, lambda who: _yes_no(who.beard > 0)),
    CategoricalAttribute("neck_scarf", _YES_NO, lambda who: _yes_no(who.neck_scarf)),
    CategoricalAttribute(
        "long_sleeves", _YES_NO, lambda who: _yes_no(who.sleeve_length >= 1.0 and who.upper != "tank")
    ),
)
"""Names and values in table order."""


def _always(_: Identity) -> bool:
    return True


def _shows_second_color(identity: Identity) -> bool:
    return identity.upper_pattern != "plain" or identity.print_kind != "none" or identity.contrast_sleeves


_COLORS: tuple[tuple[str, Callable[[Identity], Color], Callable[[Identity], bool]], ...] = (
    ("upper_color", lambda who: who.upper_color, _always),
    ("lower_color", lambda who: who.lower_color, lambda who: who.lower != "none"),
    ("upper_color2", lambda who: who.upper_color2, _shows_second_color),
    ("inner_color", lambda who: who.inner_color, lambda who: who.is_open),
    ("skin", lambda who: who.skin, _always),
    ("hair_color", lambda who: who.hair_color, lambda who: who.hat != "headscarf" and who.hair != "bald"),
    ("shoe_color", lambda who: who.shoe_color, _always),
    ("bag_color", lambda who: who.bag_color, lambda who: who.bag != "none"),
    ("hat_color", lambda who: who.hat_color, lambda who: who.hat != "none"),
)


def _color_channel(
    name: str, read: Callable[[Identity], Color], applies: Callable[[Identity], bool], channel: int
) -> RealAttribute:
    return RealAttribute(
        f"{name}_{'rgb'[channel]}", lambda who: (read(who)[channel] - _MIDDLE_GREY) / 0.25, applies
    )


REAL_ATTRIBUTES: tuple[RealAttribute, ...] = (
    *(_color_channel(*color, channel) for color in _COLORS for channel in range(3)),
    RealAttribute("height", lambda who: (who.height_m - 1.70) / 0.10, _always),
    RealAttribute("build", lambda who: (who.build - 0.93) / 0.09, _always),
    RealAttribute("hem", lambda who: (who.hem + 0.20) / 0.20, _always),
    RealAttribute(
        "sleeve_length", lambda who: (who.sleeve_length - 0.80) / 0.20, lambda who: who.upper != "tank"
    ),
    RealAttribute(
        "hair_length",
        lambda who: (who.hair_length - 0.95) / 0.20,
        lambda who: who.hair in ("bob", "long", "pony"),
    ),
    RealAttribute(
        "skirt_length", lambda who: (who.skirt_length - 0.50) / 0.20, lambda who: who.lower == "skirt"
    ),
    RealAttribute(
        "leg_width",
        lambda who: (who.leg_width - 0.015) / 0.015,
        lambda who: who.lower not in ("none", "skirt"),
    ),
)
"""Names in table order: nine colours of three channels each, then shapes."""


def categorical_table(identities: Sequence[Identity]) -> NDArray[np.int64]:
    """(N, C) indices into the values of ``CATEGORICAL_ATTRIBUTES``."""
    table = [
        [attribute.values.index(attribute.read(who)) for attribute in CATEGORICAL_ATTRIBUTES]
        for who in identities
    ]
    return np.array(table, dtype=np.int64).reshape(len(identities), len(CATEGORICAL_ATTRIBUTES))


def real_table(identities: Sequence[Identity]) -> RealTable:
    """Values, roughly centred and of unit spread, and weights of ``REAL_ATTRIBUTES``."""
    shape = (len(identities), len(REAL_ATTRIBUTES))
    values = [[attribute.read(who) for attribute in REAL_ATTRIBUTES] for who in identities]
    weights = [[float(attribute.applies(who)) for attribute in REAL_ATTRIBUTES] for who in identities]
    return RealTable(
        np.array(values, dtype=np.float32).reshape(shape), np.array(weights, dtype=np.float32).reshape(shape)
    )


def attribute_labels(identity: Identity) -> dict[str, str]:
    """Attribute name -> value in words, for manifests and pages."""
    return {attribute.name: attribute.read(identity) for attribute in CATEGORICAL_ATTRIBUTES}
