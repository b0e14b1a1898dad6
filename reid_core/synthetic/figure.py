"""What the parts of one person share while being built: identity, skeleton, builder, blend groups,
materials.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from reid_core.synthetic.colors import hex_color, srgb_to_linear
from reid_core.synthetic.identity import Identity
from reid_core.synthetic.pose import Pose
from reid_core.synthetic.primitives import (
    BAG_BACKPACK,
    BAG_FLAP,
    BAG_PAPER,
    FRONT_BUTTONS,
    FRONT_LAPEL,
    FRONT_OPEN,
    FRONT_PLAIN,
    FRONT_ZIP,
    KIND_BAG,
    KIND_FACE,
    KIND_HAIR,
    KIND_LOWER,
    KIND_SHOE,
    KIND_SKIN,
    KIND_UPPER,
    M_BAG_STYLE,
    M_BEARD,
    M_BELT,
    M_BROW,
    M_CONTRAST_SLEEVES,
    M_CROPPED,
    M_DENIM_FADE,
    M_EYE_SPACING,
    M_FRONT,
    M_GLASSES,
    M_GLOSS,
    M_HEM,
    M_LACES,
    M_LIPS,
    M_OMBRE,
    M_OPENING,
    M_PATTERN,
    M_PATTERN_PHASE,
    M_PATTERN_SHARE,
    M_PATTERN_SIZE,
    M_POCKETS,
    M_PRINT,
    M_PRINT_COLOR,
    M_PRINT_HALF_HEIGHT,
    M_PRINT_HALF_WIDTH,
    M_PRINT_X,
    M_PRINT_Y,
    M_RIB,
    M_SEED,
    M_SHEEN,
    M_SHOE_STRIPE,
    M_SIDE_STRIPE,
    M_SOLE_HEIGHT,
    M_SPECULAR,
    M_STRAP,
    M_STRAP_COLOR,
    M_STRAP_SIDE,
    M_TIE,
    M_TIE_COLOR,
    M_WAVE,
    M_WEAVE,
    PATTERN_BAND,
    PATTERN_CHECKS,
    PATTERN_CLOUD,
    PATTERN_DOTS,
    PATTERN_GRADIENT,
    PATTERN_PINSTRIPES,
    PATTERN_PLAIN,
    PATTERN_STRIPES,
    PATTERN_YOKE,
    PRINT_CHEVRON,
    PRINT_DISC,
    PRINT_NONE,
    PRINT_NUMBER,
    PRINT_PHOTO,
    PRINT_TEXT,
    STRAP_BACKPACK,
    STRAP_CROSSBODY,
    STRAP_NONE,
    STRAP_SHOULDER,
    Builder,
)
from reid_core.synthetic.skeleton import Skeleton

# Blend groups of a figure; those with two sides use GROUP + (1 if left else 0).
GROUP_TORSO = 10
GROUP_HOOD = 11
GROUP_COLLAR = 12
GROUP_SCARF = 13
GROUP_SLEEVE = 20
GROUP_ARM_SKIN = 22
GROUP_HAND = 24
GROUP_LOWER_LEG = 40
GROUP_LEG_SKIN = 42
GROUP_SHOE = 44
GROUP_SANDAL_FOOT = 46
GROUP_SKIRT = 48
GROUP_FACE = 60
GROUP_EAR = 61
GROUP_NECK = 62
GROUP_HEADSCARF = 63
GROUP_SHAWL = 64
GROUP_HAIR = 65
GROUP_HAIR_KNOT = 66
GROUP_HAT = 67
GROUP_BAG = 80
GROUP_STRAP = 81
GROUP_PHONE = 82

_PATTERN_CODES = {
    "plain": PATTERN_PLAIN, "stripes": PATTERN_STRIPES, "checks": PATTERN_CHECKS,
    "pinstripes": PATTERN_PINSTRIPES, "cloud": PATTERN_CLOUD, "gradient": PATTERN_GRADIENT,
    "yoke": PATTERN_YOKE, "dots": PATTERN_DOTS, "band": PATTERN_BAND,
}  # fmt: skip
_PRINT_CODES = {
    "none": PRINT_NONE, "disc": PRINT_DISC, "text": PRINT_TEXT, "photo": PRINT_PHOTO,
    "chevron": PRINT_CHEVRON, "number": PRINT_NUMBER,
}  # fmt: skip
_STRAP_CODES = {"backpack": STRAP_BACKPACK, "crossbody": STRAP_CROSSBODY, "shoulder": STRAP_SHOULDER}
_BAG_CODES = {"backpack": BAG_BACKPACK, "shopping": BAG_PAPER}
_GLASSES_CODES = {"none": 0, "clear": 1, "sun": 2}
_UPPER_PATTERN_SIZES = {
    "stripes": 0.05, "checks": 0.085, "pinstripes": 0.055, "cloud": 0.16, "gradient": 0.35, "yoke": 0.10,
    "dots": 0.055, "band": 0.05,
}  # fmt: skip
_LOWER_PATTERN_SIZES = {"stripes": 0.06, "checks": 0.07, "pinstripes": 0.04, "cloud": 0.12, "dots": 0.05}
_SHINE = {"puffer": 0.13, "jacket": 0.06, "parka": 0.03}
_SCALP_COVER = {
    "buzz": 0.85,
    "bald": 0.12,
}  # how much hair colour the scalp itself shows; under hair nearly all


@dataclass(frozen=True)
class Materials:
    """Indices of a person's materials."""

    skin: int
    face: int
    hair: int
    upper: int
    lower: int
    leg_skin: int
    shoe: int
    bag: int


@dataclass(frozen=True, eq=False)
class Figure:
    """A person under construction."""

    builder: Builder
    identity: Identity
    pose: Pose
    skeleton: Skeleton
    materials: Materials

    @property
    def scale(self) -> float:
        """Real metres per unit metre."""
        return self.skeleton.scale

    @property
    def is_long(self) -> bool:
        """Whether the upper garment hangs over the thighs and moves apart from the torso."""
        return self.identity.hem < -0.2


def add_materials(builder: Builder, identity: Identity, scale: float) -> Materials:
    """Add all of a person's materials to the builder."""
    seed = identity.seed % 100_000
    skin = builder.material(KIND_SKIN, identity.skin, values=_skin_values(seed))
    face = builder.material(
        KIND_FACE,
        np.array(identity.skin) * (1.0, 0.97, 0.96),
        identity.hair_color,
        values=_skin_values(seed)
        | {
            M_BEARD: identity.beard,
            M_GLASSES: _GLASSES_CODES[identity.glasses],
            M_CROPPED: _SCALP_COVER.get(identity.hair, 0.92),
            M_BROW: identity.brow_weight,
            M_EYE_SPACING: identity.eye_spacing_scale,
            M_LIPS: identity.lip_tone,
        },
    )
    hair = builder.material(
        KIND_HAIR,
        identity.hair_color,
        hex_color("b8945c"),
        values={
            M_OMBRE: identity.ombre,
            M_SEED: seed,
            M_SPECULAR: 0.09,
            M_GLOSS: 18,
            M_SHEEN: 0.5,
            M_WAVE: identity.hair_wave,
        },
    )
    leg_skin = skin
    if identity.tights:
        leg_skin = builder.material(KIND_LOWER, identity.tights_color, values={M_SEED: seed, M_SHEEN: 0.4})
    return Materials(
        skin=skin,
        face=face,
        hair=hair,
        upper=_add_upper(builder, identity, scale, seed),
        lower=_add_lower(builder, identity, seed),
        leg_skin=leg_skin,
        shoe=_add_shoe(builder, identity, scale, seed),
        bag=_add_bag(builder, identity, seed),
    )


def _skin_values(seed: int) -> dict[int, float]:
    return {M_SEED: seed, M_SPECULAR: 0.05, M_GLOSS: 14, M_SHEEN: 0.3}


def _front_code(identity: Identity) -> int:
    if identity.upper in ("blazer", "polo"):
        return FRONT_LAPEL
    if identity.upper not in ("jacket", "puffer", "parka", "coat", "hoodie", "shirt"):
        return FRONT_PLAIN
    if identity.is_open:
        return FRONT_OPEN
    return {"none": FRONT_PLAIN, "zip": FRONT_ZIP, "buttons": FRONT_BUTTONS}[identity.closure]


def _add_upper(builder: Builder, identity: Identity, scale: float, seed: int) -> int:
    front = _front_code(identity)
    inner: Any = identity.skin if identity.upper == "polo" else identity.inner_color
    if front == FRONT_BUTTONS:  # the third colour is that of the buttons
        inner = hex_color("dddddd" if np.mean(identity.upper_color) < 0.5 else "333333")
    pattern = identity.upper_pattern
    size = _UPPER_PATTERN_SIZES.get(pattern, 0.1) * identity.pattern_scale
    if pattern == "cloud" and identity.pattern_share < 0.4:
        size *= 0.35
    phases = {
        "gradient": -0.02,
        "yoke": 0.26 + 0.16 * identity.pattern_phase,
        "band": 0.22 + 0.16 * identity.pattern_phase,
    }
    lapel_bottom = {"blazer": 0.22, "polo": 0.42}.get(identity.upper, 0.2)
    values: dict[int, float] = {
        M_PATTERN: _PATTERN_CODES[pattern],
        M_PATTERN_SIZE: size * scale,
        M_PATTERN_PHASE: phases.get(pattern, identity.pattern_phase),
        M_PATTERN_SHARE: identity.pattern_share,
        M_SEED: seed,
        M_FRONT: front,
        M_OPENING: identity.open_width if front == FRONT_OPEN else lapel_bottom,
        M_CONTRAST_SLEEVES: identity.contrast_sleeves,
        M_STRAP: _STRAP_CODES.get(identity.bag, STRAP_NONE),
        M_STRAP_SIDE: identity.bag_side,
        M_SPECULAR: 0.25 if identity.is_leather else _SHINE.get(identity.upper, 0.0),
        M_GLOSS: 16,
        M_SHEEN: 0.6,
        M_RIB: identity.ribbed_hem,
        M_HEM: identity.hem * scale,
        M_WEAVE: identity.upper_weave,
        M_POCKETS: identity.chest_pockets,
        M_TIE: identity.tie,
    }
    values |= _print_values(identity)
    for column, color in ((M_STRAP_COLOR, identity.bag_color), (M_TIE_COLOR, identity.tie_color)):
        values |= _color_values(column, color)
    return builder.material(KIND_UPPER, identity.upper_color, identity.upper_color2, inner, values=values)


def _color_values(column: int, color: tuple[float, float, float]) -> dict[int, float]:
    linear = srgb_to_linear(color)
    return {column + channel: float(linear[channel]) for channel in range(3)}


def _print_values(identity: Identity) -> dict[int, float]:
    if identity.print_kind == "none":
        return {}
    x, y = (0.06, 0.38) if identity.print_is_badge else (0.0, 0.33)
    width, height = (
        (0.03, 0.03) if identity.print_is_badge else (identity.print_half_width, identity.print_half_height)
    )
    return {
        M_PRINT: _PRINT_CODES[identity.print_kind],
        M_PRINT_X: x,
        M_PRINT_Y: y,
        M_PRINT_HALF_WIDTH: width,
        M_PRINT_HALF_HEIGHT: -height if identity.print_on_back else height,
        **_color_values(M_PRINT_COLOR, identity.upper_color2),
    }


def _add_lower(builder: Builder, identity: Identity, seed: int) -> int:
    color = identity.skin if identity.lower == "none" else identity.lower_color
    second = hex_color("e8e6e2") if identity.side_stripe else identity.lower_color2
    return builder.material(
        KIND_LOWER,
        color,
        second,
        values={
            M_PATTERN: _PATTERN_CODES[identity.lower_pattern],
            M_PATTERN_SIZE: _LOWER_PATTERN_SIZES.get(identity.lower_pattern, 0.1),
            M_PATTERN_PHASE: identity.pattern_phase,
            M_PATTERN_SHARE: 0.5,
            M_SEED: seed + 50,
            M_SHEEN: 0.5,
            M_DENIM_FADE: identity.denim_fade,
            M_WEAVE: identity.lower_weave,
            M_SIDE_STRIPE: identity.side_stripe,
            M_BELT: identity.belt,
        },
    )


def _add_shoe(builder: Builder, identity: Identity, scale: float, seed: int) -> int:
    return builder.material(
        KIND_SHOE,
        identity.shoe_color,
        identity.sole_color,
        identity.shoe_accent,
        values={
            M_SOLE_HEIGHT: -0.018 * scale,
            M_SHOE_STRIPE: identity.shoe_stripe,
            M_LACES: identity.shoe == "sneaker",
            M_SEED: seed,
            M_SPECULAR: 0.25 if identity.shoe == "leather" else 0.06,
            M_GLOSS: 25,
            M_SHEEN: 0.3,
        },
    )


def _add_bag(builder: Builder, identity: Identity, seed: int) -> int:
    return builder.material(
        KIND_BAG,
        identity.bag_color,
        identity.bag_color2,
        values={
            M_BAG_STYLE: _BAG_CODES.get(identity.bag, BAG_FLAP),
            M_SEED: seed + 11,
            M_SPECULAR: 0.06,
            M_GLOSS: 14,
            M_SHEEN: 0.4,
        },
    )
