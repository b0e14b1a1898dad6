"""Trousers, shorts, skirts, bare legs and shoes. What a longer garment covers is not built, so nothing pokes
out.
"""

from __future__ import annotations

from math import inf

import numpy as np

from reid_core.synthetic.figure import (
    GROUP_LEG_SKIN,
    GROUP_LOWER_LEG,
    GROUP_SANDAL_FOOT,
    GROUP_SHOE,
    GROUP_SKIRT,
    Figure,
)
from reid_core.synthetic.garments import bare_leg_radii, cloth_of_lower, leg_radii
from reid_core.synthetic.identity import Identity
from reid_core.synthetic.primitives import FOLD_PLEATS, FOLD_TORSO, PART_LEG, PART_TORSO
from reid_core.synthetic.skeleton import LEFT, SIDES, Leg
from reid_core.synthetic.torso import Hem

_OVERLAP = 0.012  # how far a garment reaches under the one that covers it, unit metres
_ANKLE_RADIUS = 0.038
_BOOT_SHARE = 0.30  # of the shin that a boot hides
_CUFF_RADII = {"trousers": 0.058, "wide": 0.075, "track": 0.045, "leggings": 0.042}


def build_lower(figure: Figure, hem: Hem) -> None:
    """Add what is worn below ``hem``, the lower end of the upper garment, and the shoes."""
    identity = figure.identity
    hidden_above = hem.y
    if identity.lower == "skirt" and -identity.skirt_length < hem.y - 0.02:
        _build_skirt(figure, hem)
        hidden_above = -identity.skirt_length
    top = figure.skeleton.height_at(hidden_above + _OVERLAP)
    for side in SIDES:
        leg = figure.skeleton.legs[side]
        if identity.lower in ("trousers", "wide", "track", "leggings"):
            _build_trouser_leg(figure, leg, side, top, hem)
        else:
            _build_bare_leg(figure, leg, side, top)
            if identity.lower == "shorts":
                _build_shorts_leg(figure, leg, side, top, hem)
        _build_shoe(figure, leg, side)
        thigh, knee = bare_leg_radii(identity)
        extra = 0.5 * identity.leg_width
        figure.builder.proxy(leg.hip, leg.knee, (thigh + extra) * figure.scale)
        figure.builder.proxy(leg.knee, leg.ankle, (knee + extra) * figure.scale)


def _build_pelvis(figure: Figure, group: int, max_y: float, hem: Hem, fold_m: float) -> None:
    """Seat and crotch, melted into each leg; left out where the upper garment hides it."""
    if hem.y < -0.2:
        return
    scale, build = figure.scale, figure.identity.build
    belly = 0.4 * figure.identity.belly_m
    rows = [
        (-0.10, 0.130 * build, 0.092 * build, -0.012),
        (-0.05, 0.152 * build, 0.108 * build, -0.014),
        (0.02, 0.148 * build, 0.100 * build + belly, -0.008),
        (0.065, 0.128 * build, 0.088 * build + 1.5 * belly, belly),
    ]
    figure.builder.lathe(
        figure.skeleton.person.origin, figure.skeleton.pelvis.axes,
        [(y * scale, w * scale, d * scale, z * scale) for y, w, d, z in rows],
        figure.materials.lower, group, 0.04 * scale, part=PART_TORSO, max_y=max_y,
        cloth=cloth_of_lower(figure.identity, fold_m * scale, kind=FOLD_TORSO, seed=40),
    )  # fmt: skip


def _build_trouser_leg(figure: Figure, leg: Leg, side: int, top: float, hem: Hem) -> None:
    identity, scale, builder, lower = figure.identity, figure.scale, figure.builder, figure.materials.lower
    group = GROUP_LOWER_LEG + (side == LEFT)
    ahead = figure.skeleton.ahead
    thigh, knee = bare_leg_radii(identity)
    width = identity.leg_width
    fold = (0.003 if identity.lower == "leggings" else 0.015) * scale
    knee_radius = (knee + 0.010 + width) * scale
    _build_pelvis(figure, group, top, hem, 0.006)
    builder.limb(
        leg.hip, leg.knee, (thigh * 0.86 + 0.004 + 0.3 * width) * scale, knee_radius, lower, group,
        0.03 * scale, bulge=0.012 * scale, reference=ahead, part=PART_LEG, side=side, max_y=top,
        cloth=cloth_of_lower(identity, fold, seed=41 + side),
    )  # fmt: skip
    cuff = _CUFF_RADII[identity.lower] + {"trousers": 0.6, "wide": 1.0}.get(identity.lower, 0.0) * width
    down = (leg.ankle - leg.knee) / np.linalg.norm(leg.ankle - leg.knee)
    builder.limb(
        leg.knee, leg.ankle + down * (0.035 if identity.lower == "wide" else 0.015) * scale, knee_radius,
        cuff * scale, lower, group, 0.03 * scale, bulge=(0.010 if width < 0.01 else 0.0) * scale,
        reference=ahead, cut_end=True, part=PART_LEG, side=side, max_y=top,
        cloth=cloth_of_lower(identity, 1.25 * fold, seed=44 + side),
    )  # fmt: skip


def _build_bare_leg(figure: Figure, leg: Leg, side: int, top: float) -> None:
    identity, scale, builder, skin = figure.identity, figure.scale, figure.builder, figure.materials.leg_skin
    group = GROUP_LEG_SKIN + (side == LEFT)
    ahead = figure.skeleton.ahead
    thigh, knee = bare_leg_radii(identity)
    covered = min(0.85, identity.shorts_length - 0.10) if identity.lower == "shorts" else 0.0
    start = thigh * 0.84 + (knee - thigh * 0.84) * covered
    builder.limb(
        leg.hip + (leg.knee - leg.hip) * covered, leg.knee, start * scale, knee * scale, skin, group,
        0.02 * scale, bulge=0.012 * scale * (1 - covered), reference=ahead, part=PART_LEG, side=side,
        max_y=top,
    )  # fmt: skip
    shown = 1.0 - (_BOOT_SHARE if identity.shoe == "boot" else 0.0)
    builder.limb(
        leg.knee, leg.knee + (leg.ankle - leg.knee) * shown, knee * scale,
        (knee + (_ANKLE_RADIUS - knee) * shown) * scale, skin, group, 0.02 * scale,
        bulge=0.015 * scale * shown, reference=ahead, part=PART_LEG, side=side, max_y=top,
    )  # fmt: skip


def _has_bare_shins(identity: Identity) -> bool:
    return identity.lower in ("shorts", "skirt", "none")


def _build_shorts_leg(figure: Figure, leg: Leg, side: int, top: float, hem: Hem) -> None:
    identity, scale = figure.identity, figure.scale
    group = GROUP_LOWER_LEG + (side == LEFT)
    thigh, _ = bare_leg_radii(identity)
    _build_pelvis(figure, group, top, hem, 0.008)
    figure.builder.limb(
        leg.hip, leg.hip + (leg.knee - leg.hip) * identity.shorts_length,
        (thigh * 0.88 + 0.008 + 0.4 * identity.leg_width) * scale,
        (thigh * (1 - 0.25 * identity.shorts_length) + 0.018 + identity.leg_width) * scale,
        figure.materials.lower, group, 0.03 * scale, reference=figure.skeleton.ahead, cut_end=True,
        part=PART_LEG, side=side, max_y=top, cloth=cloth_of_lower(identity, 0.010 * scale, seed=41 + side),
    )  # fmt: skip


def _build_skirt(figure: Figure, hem: Hem) -> None:
    """A skirt from just under the upper garment's hem down; beneath a coat it starts within the coat's
    width.
    """
    identity, scale, skeleton = figure.identity, figure.scale, figure.skeleton
    radii = leg_radii(identity)
    length, flare, build = identity.skirt_length, identity.flare + 0.02, identity.build
    top = min(0.10, hem.y + 2 * _OVERLAP)
    rows = []
    for step in range(6):
        y = top - (length + top) * step / 5
        widened = flare * max(0.0, -y) / max(length, 0.2)
        width = (0.132 if y > 0.04 else 0.165) * build + 0.004
        depth = (0.095 if y > 0.04 else 0.112) * build + 0.008 + widened
        ahead = back = depth
        if y < 0.02:
            leg_ahead, leg_back, leg_wide = skeleton.leg_reach(min(y, 0.0), *radii)
            ahead, back = max(depth, leg_ahead + 0.025), max(depth, leg_back + 0.025)
            width = max(width, leg_wide + 0.016)
        width += widened
        if y > hem.y - 0.12:  # what the hem covers stays inside it
            free = max(0.0, hem.y - y) * 0.45 - 0.012 - 0.010 * identity.lower_fold_amount
            ahead, back = min(ahead, hem.half_depth + hem.z + free), min(back, hem.half_depth - hem.z + free)
            width = min(width, hem.half_width + free)
        rows.append((y * scale, width * scale, (ahead + back) / 2 * scale, (ahead - back) / 2 * scale))
    figure.builder.lathe(
        skeleton.person.origin, skeleton.person.axes, rows, figure.materials.lower, GROUP_SKIRT, 0.02,
        part=PART_TORSO, max_y=skeleton.height_at(hem.y + _OVERLAP) if hem.y < 0 else inf,
        cloth=cloth_of_lower(
            identity, 0.010 * scale, kind=FOLD_PLEATS, seed=47, period=float(identity.skirt_pleats)
        ),
    )  # fmt: skip


def _build_shoe(figure: Figure, leg: Leg, side: int) -> None:
    identity, scale, builder, shoe = figure.identity, figure.scale, figure.builder, figure.materials.shoe
    group = GROUP_SHOE + (side == LEFT)
    x_axis = np.cross(np.array([0.0, 1.0, 0.0]), leg.foot)
    x_axis = x_axis / np.linalg.norm(x_axis)
    up = np.cross(leg.foot, x_axis)
    axes = np.stack([x_axis, up, leg.foot])
    length = (0.115 if identity.is_female else 0.128) * scale
    middle = leg.ankle + leg.foot * 0.055 * scale - up * 0.045 * scale
    width = (0.038 if identity.is_female else 0.045) * scale
    if identity.shoe == "sandal":
        bare = _has_bare_shins(identity)
        builder.rounded_box(
            middle - up * 0.022 * scale,
            axes,
            np.array([0.042 * scale, 0.012 * scale, length]),
            0.01,
            shoe,
            group,
            0.01,
        )
        builder.limb(
            leg.ankle - up * 0.01, middle + leg.foot * length * 0.7 - up * 0.01, 0.034 * scale, 0.026 * scale,
            figure.materials.leg_skin if bare else figure.materials.skin, GROUP_SANDAL_FOOT + (side == LEFT),
            0.02,
        )  # fmt: skip
    else:
        builder.rounded_box(
            middle - up * 0.005 * scale, axes, np.array([width, 0.034 * scale, length]), 0.03 * scale, shoe,
            group, 0.03 * scale, taper_z=0.05,
        )  # fmt: skip
        high = identity.shoe == "boot" and _has_bare_shins(identity)
        builder.limb(
            leg.ankle + up * (0.06 if identity.shoe == "boot" else 0.0144) * scale,
            middle + leg.foot * length * 0.35, (0.046 if identity.shoe == "boot" else 0.040) * scale,
            0.036 * scale, shoe, group, 0.03 * scale, reference=figure.skeleton.ahead,
        )  # fmt: skip
        if high:
            top = leg.ankle + (leg.knee - leg.ankle) * (_BOOT_SHARE + 0.05)
            builder.limb(
                top, leg.ankle, 0.060 * scale, 0.047 * scale, shoe, group, 0.03 * scale, cut_start=True,
                reference=figure.skeleton.ahead,
            )  # fmt: skip
    builder.proxy(middle - leg.foot * length * 0.7, middle + leg.foot * length * 0.7, 0.04 * scale)
