"""Upper garments: torso, hem, sleeves, hood, collar and scarf."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reid_core.synthetic.arms import build_arms
from reid_core.synthetic.figure import (
    GROUP_COLLAR,
    GROUP_HOOD,
    GROUP_SCARF,
    GROUP_TORSO,
    Figure,
)
from reid_core.synthetic.garments import UPPER_CUTS, cloth_of_upper, leg_radii
from reid_core.synthetic.identity import Identity
from reid_core.synthetic.primitives import (
    FOLD_LIMB,
    FOLD_PLEATS,
    FOLD_TORSO,
    KIND_LOWER,
    M_PATTERN,
    M_PATTERN_SHARE,
    M_PATTERN_SIZE,
    M_SEED,
    M_SHEEN,
    M_WEAVE,
    PART_SLEEVE,
    PART_TORSO,
    PATTERN_CHECKS,
    PATTERN_PLAIN,
    Cloth,
    yaw_pitch_roll,
)

Row = tuple[float, float, float, float]
"""(y, half width, half depth, z of the centre) of a cross-section, unit metres."""

_FEMALE_ROWS: tuple[Row, ...] = (
    (0.00, 0.172, 0.118, -0.008), (0.08, 0.158, 0.110, 0.0), (0.18, 0.128, 0.098, 0.004),
    (0.30, 0.143, 0.112, 0.010), (0.37, 0.150, 0.126, 0.016), (0.43, 0.151, 0.102, 0.0),
    (0.475, 0.132, 0.082, -0.008), (0.510, 0.092, 0.064, -0.012), (0.540, 0.062, 0.056, -0.010),
    (0.572, 0.048, 0.051, -0.006),
)  # fmt: skip
_MALE_ROWS: tuple[Row, ...] = (
    (0.00, 0.162, 0.112, -0.005), (0.08, 0.155, 0.108, 0.0), (0.18, 0.145, 0.106, 0.002),
    (0.30, 0.162, 0.116, 0.006), (0.38, 0.176, 0.120, 0.006), (0.435, 0.174, 0.104, 0.0),
    (0.480, 0.152, 0.088, -0.008), (0.515, 0.112, 0.072, -0.012), (0.545, 0.076, 0.063, -0.010),
    (0.575, 0.057, 0.059, -0.006),
)  # fmt: skip
_FITTED = ("tank", "dress")
_CREW_NECKED = ("tee", "tank", "dress", "long", "polo")


@dataclass(frozen=True)
class Hem:
    """The lowest cross-section of the upper garment: everything above ``y`` is covered by it."""

    y: float
    half_width: float
    half_depth: float
    z: float


def build_upper(figure: Figure) -> Hem:
    """Add the upper garment and arms; returns its hem for what is worn below."""
    rows = _torso_rows(figure.identity)
    hem_rows = _hem_rows(figure, rows[0])
    if figure.is_long:
        _build_long_garment(figure, rows, hem_rows)
    else:
        _lathe(
            figure,
            [*hem_rows, *rows],
            figure.skeleton.torso.axes,
            cloth_of_upper(figure.identity, figure.scale),
        )
    build_arms(figure)
    _build_neck(figure)
    lowest = min(hem_rows)
    return Hem(*lowest)


def _torso_rows(identity: Identity) -> list[Row]:
    """Cross-sections of the garment from the hips up: the body's, widened by ease, looseness and belly."""
    ease = UPPER_CUTS[identity.upper].ease + identity.fit
    loose_width = 0.155 if identity.is_female else 0.160
    drape = 0.0 if identity.upper in _FITTED else (0.4 if identity.upper == "blazer" else 0.75)
    rows = []
    body = _FEMALE_ROWS if identity.is_female else _MALE_ROWS
    for y, width, depth, z in body[:-1] if identity.upper in _CREW_NECKED else body:
        around = ease * (1.0 if y < 0.43 else (0.75 if y < 0.5 else 0.35))
        # Garments hang from the chest and do not follow the waist.
        loose = drape * max(0.0, loose_width - width) if y < 0.3 else 0.0
        belly = identity.belly_m * float(np.exp(-(((y - 0.13) / 0.11) ** 2)))
        rows.append(
            (
                y,
                width * identity.build + around + loose + 0.8 * belly,
                depth * identity.build + around + 0.6 * loose + 1.4 * belly,
                z + 0.8 * belly,
            )
        )
    return rows


def _hem_rows(figure: Figure, hip: Row) -> list[Row]:
    """Cross-sections from below the hips to the hem, wide enough for the legs at this moment."""
    identity = figure.identity
    _, hip_width, hip_depth, _ = hip
    count = 4 if figure.is_long else 1
    flare = identity.flare + (0.0 if figure.is_long else 0.01)
    folds = UPPER_CUTS[identity.upper].fold_m * max(1.0, identity.upper_fold_amount)
    margin = 0.024 + folds if figure.is_long else 0.014 + 0.8 * folds
    radii = leg_radii(identity)
    rows = []
    for step in range(1, count + 1):
        y = identity.hem * step / count
        ahead, back, wide = figure.skeleton.leg_reach(y, *radii)
        widened = 0.7 * flare * step / count
        ahead, back = max(ahead + margin, hip_depth + widened), max(back + margin, hip_depth + widened)
        width = max(hip_width + widened + 0.006, wide + margin)
        rows.append((y, width, (ahead + back) / 2, (ahead - back) / 2))
    return rows


def _lathe(figure: Figure, rows: list[Row], axes: np.ndarray, cloth: Cloth) -> None:
    scaled = [(y * figure.scale, w * figure.scale, d * figure.scale, z * figure.scale) for y, w, d, z in rows]
    figure.builder.lathe(
        figure.skeleton.person.origin, axes, scaled, figure.materials.upper, GROUP_TORSO, 0.03 * figure.scale,
        cloth=cloth, part=PART_TORSO,
    )  # fmt: skip


def _build_long_garment(figure: Figure, rows: list[Row], hem_rows: list[Row]) -> None:
    """A coat or dress: the torso leans, what hangs below the waist stays nearly upright."""
    identity = figure.identity
    _, width, depth, _ = rows[0]
    cloth = cloth_of_upper(identity, figure.scale)
    _lathe(figure, [(-0.06, width + 0.003, depth + 0.003, 0.0), *rows], figure.skeleton.torso.axes, cloth)
    if identity.upper != "puffer":
        cloth = cloth_of_upper(
            identity, figure.scale, kind=FOLD_PLEATS, share=1.3, seed=9, period=float(identity.pleats)
        )
    hanging = figure.skeleton.person.rotation @ yaw_pitch_roll(0.0, figure.pose.lean * 0.3, 0.0)
    _lathe(figure, [*hem_rows, *(row for row in rows if row[0] <= 0.085)], hanging.T, cloth)


def _build_neck(figure: Figure) -> None:
    identity, torso, scale, builder = figure.identity, figure.skeleton.torso, figure.scale, figure.builder
    upper = figure.materials.upper
    seed = identity.seed % 100_000
    if identity.hood_down:
        builder.ellipsoid(
            torso.at((0, 0.50, -0.075)), torso.axes, np.array([0.105, 0.062, 0.06]) * scale, upper,
            GROUP_HOOD, 0.03 * scale, cloth=Cloth(FOLD_TORSO, 0.008, seed + 60), part=PART_SLEEVE,
        )  # fmt: skip
    if identity.collar or identity.upper in ("hoodie", "parka"):
        stand = 0.014 if identity.upper in ("shirt", "polo") else 0.024
        collar = [
            (-0.022, 0.068 + stand, 0.060 + stand, 0.0),
            (0.033, 0.054 + 0.8 * stand, 0.056 + 0.8 * stand, -0.004),
        ]
        builder.lathe(
            torso.at((0, 0.522, -0.008)), torso.axes,
            [(y * scale, w * scale, d * scale, z * scale) for y, w, d, z in collar],
            upper, GROUP_COLLAR, 0.015, cloth=Cloth(FOLD_TORSO, 0.003, seed), part=PART_SLEEVE,
        )  # fmt: skip
    if identity.neck_scarf:
        _build_scarf(figure, seed)


def _build_scarf(figure: Figure, seed: int) -> None:
    identity, torso, scale, builder = figure.identity, figure.skeleton.torso, figure.scale, figure.builder
    material = builder.material(
        KIND_LOWER,
        identity.scarf_color,
        identity.scarf_color2,
        values={
            M_PATTERN: PATTERN_CHECKS if identity.scarf_is_checked else PATTERN_PLAIN,
            M_PATTERN_SIZE: 0.05,
            M_PATTERN_SHARE: 0.5,
            M_SEED: seed + 5,
            M_WEAVE: 0.12,
            M_SHEEN: 0.8,
        },
    )
    builder.ellipsoid(
        torso.at((0, 0.550, 0.005)), torso.axes, np.array([0.100, 0.050, 0.096]) * scale, material,
        GROUP_SCARF, 0.02, cloth=Cloth(FOLD_TORSO, 0.014, seed + 61, stretch=0.6), part=PART_SLEEVE,
    )  # fmt: skip
    if identity.scarf_hangs:
        builder.limb(
            torso.at((0.04, 0.53, 0.10)), torso.at((0.05, 0.24, 0.140)), 0.038 * scale, 0.045 * scale,
            material, GROUP_SCARF, 0.02, flatten=0.8, cut_end=True, cloth=Cloth(FOLD_LIMB, 0.010, seed + 62),
            part=PART_SLEEVE,
        )  # fmt: skip
