"""How garments are cut and how their cloth falls."""

from __future__ import annotations

from dataclasses import dataclass

from reid_core.synthetic.identity import Identity
from reid_core.synthetic.primitives import FOLD_LIMB, FOLD_QUILT, FOLD_TORSO, Cloth
from reid_core.synthetic.wardrobe import UpperGarment


@dataclass(frozen=True)
class UpperCut:
    """Metres between body and garment at the torso and at the sleeves, and the depth of its folds."""

    ease: float
    sleeve_ease: float
    fold_m: float


UPPER_CUTS: dict[UpperGarment, UpperCut] = {
    "tee": UpperCut(0.012, 0.013, 0.010),
    "polo": UpperCut(0.012, 0.012, 0.009),
    "shirt": UpperCut(0.016, 0.013, 0.012),
    "tank": UpperCut(0.008, 0.0, 0.008),
    "long": UpperCut(0.012, 0.009, 0.010),
    "hoodie": UpperCut(0.026, 0.018, 0.014),
    "jacket": UpperCut(0.024, 0.019, 0.013),
    "blazer": UpperCut(0.018, 0.016, 0.008),
    "puffer": UpperCut(0.036, 0.031, 0.010),
    "coat": UpperCut(0.026, 0.021, 0.012),
    "parka": UpperCut(0.032, 0.026, 0.014),
    "dress": UpperCut(0.008, 0.007, 0.008),
}


def has_long_sleeves(identity: Identity) -> bool:
    """Whether sleeves reach the wrists (or were rolled up from there)."""
    return identity.sleeve_length >= 1.0 and identity.upper != "tank"


def cloth_of_upper(
    identity: Identity,
    scale: float,
    *,
    kind: int | None = None,
    share: float = 1.0,
    seed: int = 0,
    period: float = 0.0,
) -> Cloth:
    """Folds of the upper garment; a puffer is quilted whatever ``kind`` is."""
    amplitude = UPPER_CUTS[identity.upper].fold_m * share * scale
    base = identity.seed % 100_000 + seed
    if identity.upper == "puffer":
        return Cloth(FOLD_QUILT, amplitude, base, identity.quilt_m * scale)
    return Cloth(
        FOLD_TORSO if kind is None else kind,
        amplitude * identity.upper_fold_amount,
        base,
        period,
        identity.upper_fold_scale,
        identity.upper_fold_stretch,
    )


def cloth_of_lower(
    identity: Identity, amplitude: float, *, kind: int = FOLD_LIMB, seed: int = 0, period: float = 0.0
) -> Cloth:
    """Folds of trousers, shorts or skirts, ``amplitude`` metres deep in ordinary cloth."""
    return Cloth(
        kind,
        amplitude * identity.lower_fold_amount,
        identity.seed % 100_000 + seed,
        period,
        identity.lower_fold_scale,
        identity.lower_fold_stretch,
    )


def leg_radii(identity: Identity) -> tuple[float, float, float]:
    """Radii of thigh, knee and shin with what is worn on them, unit metres."""
    thigh, knee = bare_leg_radii(identity)
    if identity.lower in ("trousers", "wide", "track", "leggings"):
        width = identity.leg_width
        return thigh * 0.86 + 0.014 + 0.3 * width, knee + 0.018 + width, 0.065 + width
    if identity.lower == "shorts":
        return thigh * 0.88 + 0.018 + 0.4 * identity.leg_width, knee + 0.024 + identity.leg_width, knee
    return thigh * 0.9, knee + 0.008, knee


def bare_leg_radii(identity: Identity) -> tuple[float, float]:
    """Radii of the bare thigh and knee, unit metres."""
    thigh = (0.088 if identity.is_female else 0.083) * (
        0.45 + 0.55 * identity.build
    ) + 0.6 * identity.thigh_extra_m
    knee = (0.054 if identity.is_female else 0.055) * (
        0.6 + 0.4 * identity.build
    ) + 0.3 * identity.thigh_extra_m
    return thigh, knee
