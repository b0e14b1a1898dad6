"""Which clothes people may be drawn with, so that whole kinds of garment can be kept out of training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from reid_core.errors import InputError

Season = Literal["warm", "mild", "cold"]
UpperGarment = Literal[
    "tee", "polo", "shirt", "tank", "dress", "long", "hoodie", "jacket", "blazer", "puffer", "coat", "parka"
]
LowerGarment = Literal["none", "trousers", "wide", "track", "shorts", "skirt", "leggings"]
Hat = Literal["none", "cap", "beanie", "bucket", "headscarf"]
Bag = Literal["none", "backpack", "crossbody", "shoulder", "hand", "shopping"]
Pattern = Literal["plain", "stripes", "checks", "pinstripes", "cloud", "gradient", "yoke", "dots", "band"]

UPPER_GARMENTS: tuple[UpperGarment, ...] = get_args(UpperGarment)
LOWER_GARMENTS: tuple[LowerGarment, ...] = get_args(LowerGarment)
HATS: tuple[Hat, ...] = get_args(Hat)
BAGS: tuple[Bag, ...] = get_args(Bag)
PATTERNS: tuple[Pattern, ...] = get_args(Pattern)


@dataclass(frozen=True)
class Wardrobe:
    """What may be drawn. Defaults allow everything in street colours.

    Attributes:
        upper, lower, hats, bags, patterns: Allowed kinds. Lower "none" goes with dresses, needs no mention.
        prints: Whether chest and back prints may appear.
        wild_color_share: Share in [0, 1] of garment colours drawn from all of HSV, not the street palettes.
        wild_pattern_share: Share in [0, 1] of garments whose pattern is drawn from all, not by what is usual.
    """

    upper: frozenset[UpperGarment] = frozenset(UPPER_GARMENTS)
    lower: frozenset[LowerGarment] = frozenset(LOWER_GARMENTS)
    hats: frozenset[Hat] = frozenset(HATS)
    bags: frozenset[Bag] = frozenset(BAGS)
    patterns: frozenset[Pattern] = frozenset(PATTERNS)
    prints: bool = True
    wild_color_share: float = 0.0
    wild_pattern_share: float = 0.0

    def __post_init__(self) -> None:
        known = {
            "upper": UPPER_GARMENTS, "lower": LOWER_GARMENTS, "hats": HATS, "bags": BAGS,
            "patterns": PATTERNS,
        }  # fmt: skip
        for name, kinds in known.items():
            chosen = getattr(self, name)
            if not chosen or not chosen <= set(kinds):
                raise InputError(
                    f"Wardrobe.{name} is {sorted(chosen)}, expected one or more of {sorted(kinds)}."
                )
        if self.lower == {"none"} and self.upper != {"dress"}:
            raise InputError(
                "Wardrobe.lower allows nothing to wear below anything but a dress; allow a garment."
            )
        for name in ("wild_color_share", "wild_pattern_share"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise InputError(f"Wardrobe.{name} is {getattr(self, name)}, expected a share in [0, 1].")


FULL_WARDROBE = Wardrobe()
"""Everything, as worn in the street: for the shipped gallery."""

TRAINING_WARDROBE = Wardrobe(
    upper=frozenset(UPPER_GARMENTS) - {"coat", "puffer", "parka"}, lower=frozenset(LOWER_GARMENTS) - {"wide"}
)
"""Without the garments that only the gallery shows, so that corrections have something to teach."""

WILD_WARDROBE = Wardrobe(
    upper=TRAINING_WARDROBE.upper, lower=TRAINING_WARDROBE.lower, wild_color_share=0.6, wild_pattern_share=0.5
)
"""The training garments in colours and patterns more varied than any street's (domain randomisation)."""
