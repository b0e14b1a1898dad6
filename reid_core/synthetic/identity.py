"""Who a rendered person is: body, face, hair and everything worn, and random draws of such people.

An ``Identity`` holds every choice: neither rendering it nor reading its attributes draws random numbers.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal, get_args

import numpy as np

from reid_core.errors import InputError
from reid_core.synthetic.colors import FloatArray, Palette, draw_color, draw_hex, hex_color, jitter_color
from reid_core.synthetic.fashion import (
    BAG_COLORS,
    BAG_WEIGHTS,
    DARK_HAIR_COLORS,
    HAIR_COLORS,
    HAT_WEIGHTS,
    HEMS,
    LOWER_COLORS,
    LOWER_PATTERN_WEIGHTS,
    LOWER_WEIGHTS,
    NUM_LIGHT_SKINS,
    OPEN_SHARES,
    PAPER_BAG_COLORS,
    PRINTED,
    SHOE_COLORS,
    SKIN_COLORS,
    SKIRT_PATTERN_WEIGHTS,
    UPPER_COLORS,
    UPPER_PATTERN_WEIGHTS,
    UPPER_WEIGHTS,
    WEAVES,
)
from reid_core.synthetic.wardrobe import (
    FULL_WARDROBE,
    Bag,
    Hat,
    LowerGarment,
    Pattern,
    Season,
    UpperGarment,
    Wardrobe,
)

Color = tuple[float, float, float]
HairStyle = Literal["bald", "buzz", "short", "medium", "bob", "long", "pony", "bun", "curly"]
Fringe = Literal["none", "swept", "full"]
Glasses = Literal["none", "clear", "sun"]
Shoe = Literal["sneaker", "boot", "leather", "sandal"]
Closure = Literal["none", "zip", "buttons"]
Print = Literal["none", "disc", "text", "photo", "chevron", "number"]
ArmHabit = Literal["swing", "pockets"]

_BLACK, _OFF_WHITE, _NAVY, _PALE_GREY, _DARK_GREY = "151312", "e8e6e2", "1d2742", "dddddd", "333333"


@dataclass(frozen=True)
class Identity:
    """One person. Lengths in metres of a person 1.75 m tall unless said otherwise; colours sRGB in [0, 1].

    Attributes:
        seed: Seed of the noise in cloth, hair and skin, 1 to 2**20.
        is_female: Which of two body shapes.
        height_m: Standing height, real metres.
        build: Width of torso and limbs, 1 = broad.
        belly_m: How far the belly stands out.
        shoulder_scale, thigh_extra_m: Shoulder width and leg thickness relative to the build's.
        season: What the clothes are made for.
        skin, hair_color: Colours.
        hair: Style; hair_length scales it (0.6 to 1.3), hair_wave in [0, 1] makes locks wavier.
        hair_parting: Where the parting lies, -1 right to 1 left.
        fringe: Hair over the forehead.
        front_locks: Whether long hair also falls in front of the shoulders.
        high_bun: Whether a bun sits on the crown.
        ombre: Share of blond at the tips of hair.
        beard: Strength of a beard, 0 to 1.
        glasses: Kind.
        nose_scale, jaw_scale, brow_weight, eye_spacing_scale: Face shape, 1 = average.
        lip_tone: Redness of the lips in [0, 1].
        hat, hat_color, backward_cap: Headwear.
        upper: Upper garment; upper_color, upper_color2 (of its pattern), inner_color (under an open jacket).
        upper_pattern, pattern_scale, pattern_phase, pattern_share: Pattern, size, shift, share of color2.
        print_kind, print_on_back, print_is_badge, print_half_width, print_half_height: Print, chest or back.
        contrast_sleeves, ribbed_hem, chest_pockets: Details.
        is_open, open_width: Whether and how far the front is open; closure: what closes it otherwise.
        is_leather: Whether a jacket shines.
        tie, tie_color: Tie under a blazer.
        sleeve_length: 0.45 to 0.9 short, 1 long; rolled_sleeves: whether the forearm shows.
        fit: Looseness added all around.
        hem: Height of the hem, hip joint = 0, down is negative; flare: widening towards it; pleats: how many.
        quilt_m: Spacing of a puffer's seams.
        hood_down, collar: Neck of the garment.
        neck_scarf, scarf_color, scarf_color2, scarf_is_checked, scarf_hangs: Scarf.
        upper_fold_scale, upper_fold_stretch, upper_fold_amount, upper_weave: Cloth: how wide folds are, how
            much longer than wide they run down, how deep they are, and how strong the weave's grain is.
        lower: Lower garment, "none" under a dress; lower_color, lower_color2 and lower_pattern.
        lower_fold_scale, lower_fold_stretch, lower_fold_amount, lower_weave: As for the upper garment.
        denim_fade: Strength of washed-out thighs.
        side_stripe, belt: Details.
        leg_width: Added trouser width; shorts_length: share of the thigh; skirt_length; skirt_pleats.
        tights, tights_color: Legwear under skirts and dresses.
        shoe, shoe_color, sole_color, shoe_accent, shoe_stripe: Shoes.
        toe_out: Angle of the feet, radians.
        bag, bag_color, bag_color2, bag_scale, bag_side (1 left, -1 right), bag_on_elbow: Bag.
        arm_habit: What the arms do while walking.
    """

    seed: int
    is_female: bool
    height_m: float
    build: float
    belly_m: float
    shoulder_scale: float
    thigh_extra_m: float
    season: Season
    skin: Color
    hair_color: Color
    hair: HairStyle
    hair_length: float
    hair_wave: float
    hair_parting: float
    fringe: Fringe
    front_locks: bool
    high_bun: bool
    ombre: float
    beard: float
    glasses: Glasses
    nose_scale: float
    jaw_scale: float
    brow_weight: float
    eye_spacing_scale: float
    lip_tone: float
    hat: Hat
    hat_color: Color
    backward_cap: bool
    upper: UpperGarment
    upper_color: Color
    upper_color2: Color
    inner_color: Color
    upper_pattern: Pattern
    pattern_scale: float
    pattern_phase: float
    pattern_share: float
    print_kind: Print
    print_on_back: bool
    print_is_badge: bool
    print_half_width: float
    print_half_height: float
    contrast_sleeves: bool
    ribbed_hem: bool
    chest_pockets: bool
    is_open: bool
    open_width: float
    closure: Closure
    is_leather: bool
    tie: bool
    tie_color: Color
    sleeve_length: float
    rolled_sleeves: bool
    fit: float
    hem: float
    flare: float
    pleats: int
    quilt_m: float
    hood_down: bool
    collar: bool
    neck_scarf: bool
    scarf_color: Color
    scarf_color2: Color
    scarf_is_checked: bool
    scarf_hangs: bool
    upper_fold_scale: float
    upper_fold_stretch: float
    upper_fold_amount: float
    upper_weave: float
    lower: LowerGarment
    lower_color: Color
    lower_color2: Color
    lower_pattern: Pattern
    lower_fold_scale: float
    lower_fold_stretch: float
    lower_fold_amount: float
    lower_weave: float
    denim_fade: float
    side_stripe: bool
    belt: bool
    leg_width: float
    shorts_length: float
    skirt_length: float
    skirt_pleats: int
    tights: bool
    tights_color: Color
    shoe: Shoe
    shoe_color: Color
    sole_color: Color
    shoe_accent: Color
    shoe_stripe: bool
    toe_out: float
    bag: Bag
    bag_color: Color
    bag_color2: Color
    bag_scale: float
    bag_side: int
    bag_on_elbow: bool
    arm_habit: ArmHabit

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; ``from_dict`` reads them back."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Identity:
        """The identity of ``to_dict``'s values, also after a trip through JSON (lists become tuples).

        Raises:
            InputError: Fields are missing or unknown.
        """
        names = {field.name for field in fields(cls)}
        if set(values) != names:
            raise InputError(
                f"An identity record lacks {sorted(names - set(values))} and has unknown "
                f"{sorted(set(values) - names)}; expected exactly the fields of Identity. "
                "Render the manifest again with this version."
            )
        plain: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        return cls(**plain)


# What a look-alike shares with the person it is mistaken for.
_OUTFIT_FIELDS = (
    "upper", "upper_color2", "inner_color", "upper_pattern", "pattern_scale", "pattern_share",
    "sleeve_length", "is_open", "closure", "hem", "lower", "lower_color2", "denim_fade", "lower_pattern",
    "season", "hood_down", "collar", "rolled_sleeves", "print_kind", "print_on_back", "print_is_badge",
    "print_half_width", "print_half_height", "tights", "tights_color", "contrast_sleeves", "tie", "tie_color",
    "neck_scarf", "scarf_color", "scarf_color2", "scarf_is_checked", "side_stripe", "is_leather", "quilt_m",
)  # fmt: skip
_LOOK_ALIKE_COLOR_JITTER = 0.04


def sample_identity(
    rng: np.random.Generator,
    wardrobe: Wardrobe = FULL_WARDROBE,
    season: Season | None = None,
    is_female: bool | None = None,
) -> Identity:
    """Draw a person dressed from ``wardrobe``; season and body shape are drawn too unless given.

    Raises:
        InputError: The wardrobe has no upper garment for the season asked for.
    """
    female = bool(rng.random() < 0.5) if is_female is None else is_female
    worn_for = season or _draw_season(rng, wardrobe, female)
    values: dict[str, Any] = {"seed": int(rng.integers(1, 1 << 20)), "is_female": female, "season": worn_for}
    values |= _sample_body(rng, female)
    values |= _sample_head(rng, female, worn_for, wardrobe)
    values |= _sample_upper(rng, female, worn_for, wardrobe)
    values |= _sample_lower(rng, female, worn_for, wardrobe, values["upper"])
    values |= _sample_shoes(rng, worn_for, wardrobe)
    values |= _sample_bag(rng, female, wardrobe)
    return Identity(**values)


def vary_identity(base: Identity, rng: np.random.Generator, wardrobe: Wardrobe = FULL_WARDROBE) -> Identity:
    """A hard negative: another person in nearly the clothes of ``base``; hat, bag and the rest from
    ``wardrobe``.
    """
    other = sample_identity(rng, wardrobe, season=base.season, is_female=base.is_female)
    outfit: dict[str, Any] = {name: getattr(base, name) for name in _OUTFIT_FIELDS}
    outfit["upper_color"] = _plain(jitter_color(rng, base.upper_color, _LOOK_ALIKE_COLOR_JITTER))
    outfit["lower_color"] = _plain(jitter_color(rng, base.lower_color, _LOOK_ALIKE_COLOR_JITTER))
    if base.lower != other.lower:
        outfit |= {"leg_width": base.leg_width, "shorts_length": base.shorts_length}
    return replace(other, **outfit)


# ---------------------------------------------------------------- draws
def _plain(color: FloatArray) -> Color:
    return (round(float(color[0]), 4), round(float(color[1]), 4), round(float(color[2]), 4))


def _choose(rng: np.random.Generator, weights: dict[Any, float]) -> Any:
    """A key drawn by weight."""
    keys = list(weights)
    p = np.array([weights[key] for key in keys], dtype=np.float64)
    return keys[int(rng.choice(len(keys), p=p / p.sum()))]


def _choose_allowed(rng: np.random.Generator, weights: dict[Any, float], allowed: frozenset[Any]) -> Any:
    """A key drawn by weight among those allowed; if none of them is, any allowed one."""
    possible = {key: weight for key, weight in weights.items() if key in allowed and weight > 0}
    return _choose(rng, possible or dict.fromkeys(sorted(allowed), 1.0))


def _garment_color(rng: np.random.Generator, palette: Palette, wardrobe: Wardrobe) -> Color:
    if rng.random() < wardrobe.wild_color_share:
        return _plain(_wild_color(rng))
    return _plain(draw_color(rng, palette))


def _wild_color(rng: np.random.Generator) -> FloatArray:
    """Any hue, and far more saturated and light colours than people wear."""
    hue, saturation, value = rng.random() * 6, rng.beta(1.2, 1.3), rng.beta(1.3, 1.2)
    ramp = np.array([abs(hue - 3) - 1, 2 - abs(hue - 2), 2 - abs(hue - 4)])
    rgb = value * (1 - saturation * (1 - np.clip(ramp, 0, 1)))
    return np.asarray(np.clip(rgb, 0.03, 0.97))


def _draw_season(rng: np.random.Generator, wardrobe: Wardrobe, female: bool) -> Season:
    weights: dict[Season, float] = {"warm": 0.36, "mild": 0.36, "cold": 0.28}
    dressable = {s: w for s, w in weights.items() if wardrobe.upper & set(UPPER_WEIGHTS[s, female])}
    season: Season = _choose(rng, dressable or weights)
    return season


def _sample_body(rng: np.random.Generator, female: bool) -> dict[str, Any]:
    return {
        "height_m": float(np.clip(rng.normal(1.645 if female else 1.77, 0.065), 1.48, 1.98)),
        "build": float(np.clip(rng.normal(0.93, 0.085), 0.78, 1.25)),
        "belly_m": float(max(0, rng.normal(0.0, 0.022))),
        "shoulder_scale": float(np.clip(rng.normal(1.0, 0.04), 0.88, 1.12)),
        "thigh_extra_m": float(np.clip(rng.normal(0, 0.012), -0.025, 0.035)),
        "toe_out": float(rng.uniform(0.05, 0.18)),
        "arm_habit": _choose(rng, {"swing": 0.88, "pockets": 0.12}),
    }


def _sample_head(
    rng: np.random.Generator, female: bool, season: Season, wardrobe: Wardrobe
) -> dict[str, Any]:
    skins = [weight for weight, _ in SKIN_COLORS]
    tone = int(rng.choice(len(skins), p=np.array(skins) / sum(skins)))
    hair_code = draw_hex(rng, HAIR_COLORS if tone < NUM_LIGHT_SKINS else DARK_HAIR_COLORS)
    styles: dict[HairStyle, float] = (
        {"short": 1, "medium": 1.4, "bob": 2.2, "long": 4, "pony": 2.6, "bun": 1.2, "curly": 1}
        if female
        else {"bald": 0.8, "buzz": 2, "short": 5, "medium": 2, "curly": 1, "long": 0.4}
    )
    hat = _choose_allowed(rng, HAT_WEIGHTS[season], wardrobe.hats)
    if female and rng.random() < 0.05 and "headscarf" in wardrobe.hats:
        hat = "headscarf"
    fringes: dict[Fringe, float] = (
        {"none": 2, "swept": 2, "full": 1.2} if female else {"none": 2, "swept": 3, "full": 0.8}
    )
    return {
        "skin": _plain(jitter_color(rng, hex_color(SKIN_COLORS[tone][1][0]), 0.012)),
        "hair_color": _plain(jitter_color(rng, hex_color(hair_code), 0.01)),
        "hair": _choose(rng, styles),
        "hair_length": float(rng.uniform(0.6, 1.3)),
        "hair_wave": float(rng.beta(1.2, 2.2)),
        "hair_parting": float(rng.uniform(-1, 1)),
        "fringe": _choose(rng, fringes),
        "front_locks": bool(rng.random() < 0.5),
        "high_bun": bool(rng.random() < 0.5),
        "ombre": float(rng.uniform(0.5, 1)) if (female and rng.random() < 0.12) else 0.0,
        "beard": 0.0 if female else float(_choose(rng, {0.0: 0.62, 0.35: 0.2, 0.9: 0.18})),
        "glasses": _choose(rng, {"none": 0.72, "clear": 0.20, "sun": 0.08}),
        "nose_scale": float(np.clip(rng.normal(1.0, 0.13), 0.7, 1.35)),
        "jaw_scale": float(np.clip(rng.normal(0.94 if female else 1.0, 0.045), 0.82, 1.12)),
        "brow_weight": float(np.clip(rng.normal(0.8 if female else 1.05, 0.2), 0.4, 1.5)),
        "eye_spacing_scale": float(np.clip(rng.normal(1.0, 0.05), 0.88, 1.12)),
        "lip_tone": float(np.clip(rng.normal(0.55 if female else 0.3, 0.2), 0.0, 1.0)),
        "hat": hat,
        "hat_color": _garment_color(rng, UPPER_COLORS, wardrobe),
        "backward_cap": bool(rng.random() < 0.14),
    }


def _sample_upper(
    rng: np.random.Generator, female: bool, season: Season, wardrobe: Wardrobe
) -> dict[str, Any]:
    options = {k: w for k, w in UPPER_WEIGHTS[season, female].items() if k in wardrobe.upper}
    if not options:
        raise InputError(
            f"The wardrobe's upper garments {sorted(wardrobe.upper)} have none for season '{season}', "
            f"expected one of {sorted(UPPER_WEIGHTS[season, female])}. Allow one, or let the season be drawn."
        )
    upper: UpperGarment = _choose(rng, options)
    color = _garment_color(rng, UPPER_COLORS, wardrobe)
    color2 = _garment_color(rng, UPPER_COLORS, wardrobe)
    if np.abs(np.subtract(color, color2)).sum() < 0.5:
        color2 = _plain(hex_color(_OFF_WHITE if np.mean(color) < 0.5 else _NAVY))
    drawn = _draw_upper_pattern(rng, upper, wardrobe)
    has_print = drawn == PRINTED
    print_kind = _choose(rng, dict.fromkeys(get_args(Print)[1:], 1.0)) if has_print else "none"
    sleeve = 1.0
    if upper in ("tee", "polo") or (upper == "dress" and season != "mild"):
        sleeve = float(rng.uniform(0.45, 0.85))
    elif upper == "shirt" and season == "warm":
        sleeve = float(rng.uniform(0.55, 0.9))
    is_dark = float(np.mean(color)) < 0.2
    return {
        "upper": upper,
        "upper_color": color,
        "upper_color2": color2,
        "inner_color": _garment_color(rng, UPPER_COLORS, wardrobe),
        "upper_pattern": "plain" if has_print else drawn,
        "pattern_scale": float(rng.uniform(0.7, 1.5)),
        "pattern_phase": float(rng.uniform(0, 1)),
        "pattern_share": float(rng.uniform(0.2, 0.65)),
        "print_kind": print_kind,
        "print_on_back": bool(has_print and rng.random() < 0.4),
        "print_is_badge": bool(print_kind in ("disc", "chevron") and rng.random() < 0.5),
        "print_half_width": float(rng.uniform(0.05, 0.11)),
        "print_half_height": float(rng.uniform(0.03, 0.09)),
        "contrast_sleeves": bool(upper in ("tee", "long", "hoodie", "jacket") and rng.random() < 0.10),
        "ribbed_hem": bool(upper in ("hoodie", "jacket", "long") and rng.random() < 0.5),
        "chest_pockets": upper in ("jacket", "coat", "parka", "hoodie", "blazer"),
        "is_open": bool(rng.random() < OPEN_SHARES.get(upper, 0.0)),
        "open_width": float(rng.uniform(0.03, 0.085)),
        "closure": _draw_closure(rng, upper),
        "is_leather": bool(upper == "jacket" and is_dark and rng.random() < 0.33),
        "tie": bool(upper == "blazer" and not female and rng.random() < 0.4),
        "tie_color": _garment_color(rng, UPPER_COLORS, wardrobe),
        "sleeve_length": sleeve,
        "rolled_sleeves": bool(
            sleeve == 1.0 and upper in ("shirt", "long", "hoodie", "blazer") and rng.random() < 0.15
        ),
        "fit": float(np.clip(rng.normal(0.0, 0.012), -0.012, 0.035)),
        "hem": _draw_hem(rng, upper),
        "flare": float(rng.uniform(0.0, 0.06) + (0.05 if upper == "dress" else 0)),
        "pleats": int(rng.integers(5, 12)),
        "quilt_m": float(rng.uniform(0.05, 0.10)),
        "hood_down": bool(
            upper in ("hoodie", "parka") or (upper in ("puffer", "jacket") and rng.random() < 0.35)
        ),
        "collar": upper in ("shirt", "polo", "coat", "blazer", "jacket", "puffer"),
        "neck_scarf": bool(season == "cold" and rng.random() < 0.25),
        "scarf_color": _garment_color(rng, UPPER_COLORS, wardrobe),
        "scarf_color2": _garment_color(rng, UPPER_COLORS, wardrobe),
        "scarf_is_checked": bool(rng.random() < 0.4),
        "scarf_hangs": bool(rng.random() < 0.67),
        **_draw_cloth(rng, "upper", WEAVES.get(upper, 0.035)),
    }


def _draw_upper_pattern(rng: np.random.Generator, upper: UpperGarment, wardrobe: Wardrobe) -> str:
    usual = UPPER_PATTERN_WEIGHTS[upper]
    if rng.random() < wardrobe.wild_pattern_share:
        usual = dict.fromkeys((*get_args(Pattern), PRINTED), 1.0) | {"plain": 0.5, PRINTED: 3.0}
    allowed = wardrobe.patterns | ({PRINTED} if wardrobe.prints else set())
    return str(_choose_allowed(rng, usual, frozenset(allowed)))


def _draw_closure(rng: np.random.Generator, upper: UpperGarment) -> Closure:
    if upper == "shirt":
        return "buttons"
    if upper == "hoodie":
        return "zip" if rng.random() < 0.33 else "none"
    closure: Closure = _choose(rng, {"zip": 3, "buttons": 1.4, "none": 1})
    return closure


def _draw_hem(rng: np.random.Generator, upper: UpperGarment) -> float:
    if upper == "coat":
        return float(rng.uniform(-0.62, -0.32))
    if upper == "dress":
        return float(rng.uniform(-0.78, -0.33))
    if upper == "puffer" and rng.random() < 0.25:
        return float(rng.uniform(-0.55, -0.3))
    return float(HEMS[upper] + rng.normal(0, 0.025))


def _draw_cloth(rng: np.random.Generator, garment: str, weave: float) -> dict[str, float]:
    """How the cloth of one garment falls: no two are alike."""
    return {
        f"{garment}_fold_scale": float(np.clip(np.exp(rng.normal(0.1, 0.28)), 0.75, 1.9)),
        f"{garment}_fold_stretch": float(np.clip(np.exp(rng.normal(0.1, 0.35)), 0.6, 2.0)),
        f"{garment}_fold_amount": float(np.clip(np.exp(rng.normal(-0.1, 0.33)), 0.4, 1.5)),
        f"{garment}_weave": float(weave * np.clip(np.exp(rng.normal(0.0, 0.5)), 0.3, 2.5)),
    }


def _sample_lower(
    rng: np.random.Generator, female: bool, season: Season, wardrobe: Wardrobe, upper: UpperGarment
) -> dict[str, Any]:
    lower: LowerGarment = "none"
    if upper != "dress":
        lower = _choose_allowed(rng, LOWER_WEIGHTS[season == "warm", female], wardrobe.lower - {"none"})
    color = _garment_color(rng, LOWER_COLORS, wardrobe)
    is_blue = color[2] > color[0] + 0.05
    patterns = SKIRT_PATTERN_WEIGHTS if lower == "skirt" else LOWER_PATTERN_WEIGHTS
    if rng.random() < 0.5 * wardrobe.wild_pattern_share:
        patterns = dict.fromkeys(patterns, 1.0)
    widths: dict[str, float] = {
        "trousers": rng.uniform(-0.004, 0.022),
        "wide": rng.uniform(0.03, 0.055),
        "track": rng.uniform(0.01, 0.025),
        "leggings": -0.006,
        "shorts": rng.uniform(0.012, 0.035),
    }
    bare_legs = lower == "skirt" or upper == "dress"
    return {
        "lower": lower,
        "lower_color": color,
        "lower_color2": _garment_color(rng, UPPER_COLORS, wardrobe),
        "lower_pattern": _choose_allowed(rng, patterns, wardrobe.patterns),
        **_draw_cloth(rng, "lower", 0.05),
        "denim_fade": float(rng.uniform(0.25, 0.8))
        if lower in ("trousers", "shorts", "wide") and is_blue
        else 0.0,
        "side_stripe": bool(lower == "track" and rng.random() < 0.7),
        "belt": bool(rng.random() < 0.3),
        "leg_width": float(widths.get(lower, 0.0)),
        "shorts_length": float(rng.uniform(0.45, 1.0) if female else rng.uniform(0.78, 1.12)),
        "skirt_length": float(rng.uniform(0.24, 0.80)),
        "skirt_pleats": int(rng.integers(5, 14)),
        "tights": bool(bare_legs and season != "warm" and rng.random() < 0.7),
        "tights_color": _plain(
            jitter_color(rng, hex_color("17171a" if rng.random() < 0.75 else "6b4a3a"), 0.02)
        ),
    }


def _sample_shoes(rng: np.random.Generator, season: Season, wardrobe: Wardrobe) -> dict[str, Any]:
    warm = season == "warm"
    shoe: Shoe = _choose(
        rng, {"sneaker": 6, "boot": 0.3 if warm else 1.6, "leather": 2, "sandal": 0.8 if warm else 0}
    )
    has_pale_sole = shoe == "sneaker" and rng.random() < 0.65
    return {
        "shoe": shoe,
        "shoe_color": _garment_color(rng, SHOE_COLORS[shoe], wardrobe),
        "sole_color": _plain(hex_color("dcdad4" if has_pale_sole else _BLACK)),
        "shoe_accent": _garment_color(rng, UPPER_COLORS, wardrobe),
        "shoe_stripe": bool(shoe == "sneaker" and rng.random() < 0.5),
    }


def _sample_bag(rng: np.random.Generator, female: bool, wardrobe: Wardrobe) -> dict[str, Any]:
    bag: Bag = _choose_allowed(rng, BAG_WEIGHTS[female], wardrobe.bags)
    return {
        "bag": bag,
        "bag_color": _garment_color(rng, PAPER_BAG_COLORS if bag == "shopping" else BAG_COLORS, wardrobe),
        "bag_color2": _garment_color(rng, UPPER_COLORS, wardrobe),
        "bag_scale": float(rng.uniform(0.8, 1.2)),
        "bag_side": int(rng.choice([-1, 1])),
        "bag_on_elbow": bool(rng.random() < 0.5),
    }
