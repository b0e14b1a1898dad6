"""Backpacks, cross-body, shoulder, hand and shopping bags."""

from __future__ import annotations

import numpy as np

from reid_core.synthetic.figure import GROUP_BAG, GROUP_STRAP, Figure
from reid_core.synthetic.garments import UPPER_CUTS
from reid_core.synthetic.primitives import FOLD_SOFT_BAG, Cloth, yaw_pitch_roll


def build_bag(figure: Figure) -> None:
    """Add the bag, if any; straps on the torso are painted there."""
    bag = figure.identity.bag
    if bag == "backpack":
        _build_backpack(figure)
    elif bag in ("crossbody", "shoulder"):
        _build_side_bag(figure)
    elif bag in ("hand", "shopping"):
        _build_carried_bag(figure)


def _ease(figure: Figure) -> float:
    return UPPER_CUTS[figure.identity.upper].ease + figure.identity.fit


def _cloth(figure: Figure, amplitude: float, seed: int = 80) -> Cloth:
    return Cloth(FOLD_SOFT_BAG, amplitude, figure.identity.seed % 100_000 + seed)


def _build_backpack(figure: Figure) -> None:
    identity, torso, scale, size = (
        figure.identity,
        figure.skeleton.torso,
        figure.scale,
        figure.identity.bag_scale,
    )
    depth = (0.105 if identity.is_female else 0.120) * identity.build + _ease(figure)
    figure.builder.rounded_box(
        torso.at((0, 0.29, -depth - 0.065 * size)), torso.axes,
        np.array([0.145, 0.205, 0.075]) * size * scale, 0.055 * scale, figure.materials.bag, GROUP_BAG, 0.02,
        taper=0.14, cloth=_cloth(figure, 0.010),
    )  # fmt: skip
    figure.builder.rounded_box(
        torso.at((0, 0.20, -depth - 0.135 * size)), torso.axes, np.array([0.11, 0.09, 0.03]) * size * scale,
        0.025 * scale, figure.materials.bag, GROUP_BAG, 0.02, cloth=_cloth(figure, 0.006, 81),
    )  # fmt: skip
    figure.builder.proxy(
        torso.at((0, 0.38, -depth - 0.06)), torso.at((0, 0.18, -depth - 0.06)), 0.12 * size * scale
    )


def _build_side_bag(figure: Figure) -> None:
    identity, torso, scale, size = (
        figure.identity,
        figure.skeleton.torso,
        figure.scale,
        figure.identity.bag_scale,
    )
    is_crossbody = identity.bag == "crossbody"
    side = -identity.bag_side if is_crossbody else identity.bag_side
    beside = 0.205 * identity.build + _ease(figure)
    tilted = torso.rotation @ yaw_pitch_roll(0.0, 0.0, side * -0.08)
    figure.builder.rounded_box(
        torso.at((side * (beside + 0.02), 0.02 if is_crossbody else 0.10, -0.02)), tilted.T,
        np.array([0.045, 0.10 * size, 0.13 * size]) * scale, 0.03 * scale, figure.materials.bag, GROUP_BAG,
        0.02, taper=0.08, cloth=_cloth(figure, 0.008),
    )  # fmt: skip
    if not is_crossbody:
        for z in (0.09, -0.11):
            figure.builder.limb(
                torso.at((side * 0.14, 0.505, z * 0.35)), torso.at((side * beside, 0.19, z * 0.6)),
                0.010 * scale, 0.010 * scale, figure.materials.bag, GROUP_STRAP, 0.005,
                reference=figure.skeleton.ahead,
            )  # fmt: skip


def _build_carried_bag(figure: Figure) -> None:
    identity, scale, size = figure.identity, figure.scale, figure.identity.bag_scale
    arm = figure.skeleton.arms[identity.bag_side]
    is_hand_bag = identity.bag == "hand"
    grip = arm.wrist + arm.hand * 0.085 * scale
    if is_hand_bag and identity.bag_on_elbow:
        grip = (arm.elbow + arm.wrist) / 2
    height = (0.13 if is_hand_bag else 0.19) * size
    center = grip + np.array([0.0, -(height + 0.11) * scale, 0.0])
    figure.builder.rounded_box(
        center, figure.skeleton.person.axes,
        np.array([0.055 if is_hand_bag else 0.075, height, 0.15 * size]) * scale,
        (0.02 if is_hand_bag else 0.03) * scale, figure.materials.bag, GROUP_BAG, 0.02,
        taper=0.10 if is_hand_bag else 0.22, cloth=_cloth(figure, 0.006 if is_hand_bag else 0.009),
    )  # fmt: skip
    for z in (0.05, -0.05):
        end = center + np.array([0.0, height * scale * 0.95, 0.0]) + figure.skeleton.ahead * z * scale
        figure.builder.limb(
            grip, end, 0.007 * scale, 0.007 * scale, figure.materials.bag, GROUP_STRAP, 0.005,
            reference=figure.skeleton.ahead,
        )  # fmt: skip
