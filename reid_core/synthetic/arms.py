"""Sleeves, bare arms and hands."""

from __future__ import annotations

import numpy as np

from reid_core.synthetic.figure import (
    GROUP_ARM_SKIN,
    GROUP_HAND,
    GROUP_PHONE,
    GROUP_SLEEVE,
    GROUP_TORSO,
    Figure,
)
from reid_core.synthetic.garments import UPPER_CUTS, cloth_of_upper, has_long_sleeves
from reid_core.synthetic.primitives import FOLD_LIMB, KIND_BAG, M_SPECULAR, PART_HAND, PART_SLEEVE
from reid_core.synthetic.skeleton import LEFT, SIDES, Arm, hand_action

_SHOULDER_SHARE = 0.38  # of the upper arm that melts into the torso


def build_arms(figure: Figure) -> None:
    """Add both arms as far as they show."""
    for side in SIDES:
        arm = figure.skeleton.arms[side]
        if figure.identity.upper != "tank":
            _build_shoulder(figure, arm, side)
        if has_long_sleeves(figure.identity):
            _build_long_sleeve(figure, arm, side)
        else:
            _build_bare_arm(figure, arm, side)
        if hand_action(figure.identity, figure.pose, side) == "pocket":
            _build_pocketed_hand(figure, arm, side)
        else:
            _build_hand(figure, arm, side)
        ease = UPPER_CUTS[figure.identity.upper].sleeve_ease
        upper, fore = _arm_radii(figure)
        figure.builder.proxy(arm.shoulder, arm.elbow, (upper + 0.7 * ease) * figure.scale)
        figure.builder.proxy(arm.elbow, arm.wrist, (fore + 0.7 * ease) * figure.scale)


def _arm_radii(figure: Figure) -> tuple[float, float]:
    """Bare upper arm and forearm, unit metres."""
    identity = figure.identity
    upper = (0.043 if identity.is_female else 0.052) * (0.55 + 0.45 * identity.build)
    fore = (0.034 if identity.is_female else 0.040) * (0.6 + 0.4 * identity.build)
    return upper, fore


def _sleeve_ease(figure: Figure) -> float:
    return UPPER_CUTS[figure.identity.upper].sleeve_ease + 0.6 * max(0.0, figure.identity.fit)


def _build_shoulder(figure: Figure, arm: Arm, side: int) -> None:
    """The top of the sleeve, melted into the torso; it narrows into the sleeve so that no seam shows."""
    upper, _ = _arm_radii(figure)
    ease = _sleeve_ease(figure)
    figure.builder.limb(
        arm.shoulder, arm.shoulder + (arm.elbow - arm.shoulder) * _SHOULDER_SHARE,
        (upper * 0.88 + ease * 0.7) * figure.scale, (upper * 0.66 + ease * 0.5) * figure.scale,
        figure.materials.upper, GROUP_TORSO, 0.035 * figure.scale, reference=figure.skeleton.ahead,
        cloth=cloth_of_upper(figure.identity, figure.scale, kind=FOLD_LIMB, share=0.5, seed=20 + side),
        part=PART_SLEEVE, side=side,
    )  # fmt: skip


def _build_long_sleeve(figure: Figure, arm: Arm, side: int) -> None:
    identity, scale, builder = figure.identity, figure.scale, figure.builder
    upper, fore = _arm_radii(figure)
    ease = _sleeve_ease(figure)
    group = GROUP_SLEEVE + (side == LEFT)
    elbow_radius = (fore + ease + 0.006) * scale
    builder.limb(
        arm.shoulder, arm.elbow, (upper * 0.86 + ease * 0.8) * scale, elbow_radius, figure.materials.upper,
        group, 0.02 * scale, bulge=0.003 * scale, reference=figure.skeleton.ahead, part=PART_SLEEVE,
        side=side, cloth=cloth_of_upper(identity, scale, kind=FOLD_LIMB, share=0.95, seed=20 + side),
    )  # fmt: skip
    end = arm.elbow + (arm.wrist - arm.elbow) * (0.45 if identity.rolled_sleeves else 1.0)
    cuff = fore * 0.82 + ease + (-0.004 if identity.upper == "hoodie" else 0.004)
    builder.limb(
        arm.elbow, end, elbow_radius, cuff * scale, figure.materials.upper, group, 0.02 * scale,
        reference=figure.skeleton.ahead, cut_end=True, part=PART_SLEEVE, side=side,
        cloth=cloth_of_upper(identity, scale, kind=FOLD_LIMB, share=0.95, seed=30 + side),
    )  # fmt: skip
    if identity.rolled_sleeves:
        start = arm.elbow + (arm.wrist - arm.elbow) * 0.35
        builder.limb(
            start, arm.wrist, fore * 0.98 * scale, fore * 0.68 * scale, figure.materials.skin,
            GROUP_ARM_SKIN + (side == LEFT), 0.012, reference=figure.skeleton.ahead, part=PART_SLEEVE,
            side=side,
        )  # fmt: skip


def _build_bare_arm(figure: Figure, arm: Arm, side: int) -> None:
    """A bare arm from a little inside the short sleeve, and the sleeve."""
    identity, scale, builder, skin = figure.identity, figure.scale, figure.builder, figure.materials.skin
    upper, fore = _arm_radii(figure)
    group = GROUP_ARM_SKIN + (side == LEFT)
    ahead = figure.skeleton.ahead
    covered = 0.0
    if identity.upper == "tank":
        builder.ellipsoid(
            arm.shoulder, figure.skeleton.torso.axes, np.full(3, upper * 1.10 * scale), skin, group, 0.02
        )
    else:
        ease = _sleeve_ease(figure)
        end = arm.shoulder + (arm.elbow - arm.shoulder) * min(0.95, identity.sleeve_length)
        covered = min(0.95, identity.sleeve_length) - 0.15
        builder.limb(
            arm.shoulder, end, (upper * 0.86 + ease * 0.8) * scale, (upper + ease + 0.006) * scale,
            figure.materials.upper, GROUP_SLEEVE + (side == LEFT), 0.02 * scale, reference=ahead,
            cut_end=True, cloth=cloth_of_upper(identity, scale, kind=FOLD_LIMB, share=0.8, seed=20 + side),
            part=PART_SLEEVE, side=side,
        )  # fmt: skip
    radius = upper + (fore * 1.02 - upper) * covered
    builder.limb(
        arm.shoulder + (arm.elbow - arm.shoulder) * covered, arm.elbow, radius * scale, fore * 1.02 * scale,
        skin, group, 0.015 * scale, bulge=0.003 * scale * (1 - covered), reference=ahead, part=PART_SLEEVE,
        side=side,
    )  # fmt: skip
    builder.limb(
        arm.elbow, arm.wrist, fore * 1.03 * scale, fore * 0.66 * scale, skin, group, 0.015 * scale,
        bulge=0.005 * scale, reference=ahead, part=PART_SLEEVE, side=side,
    )  # fmt: skip


def _build_pocketed_hand(figure: Figure, arm: Arm, side: int) -> None:
    """The back of a hand that vanishes into the clothes at the hip."""
    pocket = figure.skeleton.torso.at((side * 0.11 * figure.identity.build, -0.05, 0.05))
    figure.builder.limb(
        arm.wrist, pocket, 0.027 * figure.scale, 0.030 * figure.scale, figure.materials.skin,
        GROUP_HAND + (side == LEFT), 0.01, reference=figure.skeleton.ahead, part=PART_SLEEVE, side=side,
    )  # fmt: skip


def _build_hand(figure: Figure, arm: Arm, side: int) -> None:
    """Palm, bent fingers and thumb."""
    scale, builder, skin = figure.scale, figure.builder, figure.materials.skin
    size = (0.88 if figure.identity.is_female else 1.0) * scale
    action = hand_action(figure.identity, figure.pose, side)
    curl = {"bag": 0.95, "phone": 0.7, "call": 0.75, "strap": 0.9, "carry": 0.6}.get(action, arm.pose.curl)
    group = GROUP_HAND + (side == LEFT)
    knuckles = arm.wrist + arm.hand * 0.080 * size
    bend = 0.10 + 1.8 * curl**1.4
    fingers = arm.hand * np.cos(bend) + arm.palm * np.sin(bend)
    tip = knuckles + fingers * (0.078 - 0.034 * curl) * size
    builder.limb(
        arm.wrist - arm.hand * 0.012 * size, knuckles, 0.026 * size, 0.037 * size, skin, group, 0.016 * size,
        reference=arm.thumb, flatten=2.3, part=PART_HAND, side=side,
    )  # fmt: skip
    builder.limb(
        knuckles, tip, 0.035 * size, 0.024 * size, skin, group, 0.014 * size,
        reference=arm.thumb, flatten=2.3, part=PART_HAND, side=side,
    )  # fmt: skip
    root = arm.wrist + arm.hand * 0.030 * size + arm.thumb * 0.022 * size
    along = (
        arm.hand * (0.92 - 0.25 * curl) + arm.thumb * (0.30 - 0.25 * curl) + arm.palm * (0.22 + 0.5 * curl)
    )
    builder.limb(
        root, root + along * 0.052 * size, 0.0125 * size, 0.0095 * size, skin, group, 0.012 * size,
        reference=arm.palm, part=PART_HAND, side=side,
    )  # fmt: skip
    if action in ("phone", "call"):
        case = builder.material(KIND_BAG, (0.06, 0.06, 0.07), values={M_SPECULAR: 0.35})
        middle = knuckles + arm.palm * 0.022 * size
        axes = np.stack([arm.palm, arm.hand, np.cross(arm.palm, arm.hand)])
        builder.rounded_box(middle, axes, np.array([0.005, 0.075, 0.037]) * size, 0.004, case, GROUP_PHONE)
