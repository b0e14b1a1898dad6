"""Signed distances of primitives and of whole figures, with cloth as displacement, for numba kernels.

Folds displace the surface itself, not only its normals, so silhouettes wobble as cloth does.
"""

from __future__ import annotations

from math import atan2, cos, exp, pi, sin, sqrt

import numpy as np
from numba import njit
from numpy.typing import NDArray

from reid_core.synthetic.noise import KERNEL, smoothstep, value_noise
from reid_core.synthetic.primitives import (
    BOX_ROUNDING,
    BOX_TAPER,
    BOX_TAPER_Z,
    BOX_X,
    BOX_Y,
    BOX_Z,
    ELLIPSOID_CUT,
    ELLIPSOID_CUT2,
    ELLIPSOID_RX,
    ELLIPSOID_RY,
    ELLIPSOID_RZ,
    FOLD_FACE,
    FOLD_HAIR,
    FOLD_LIMB,
    FOLD_PLEATS,
    FOLD_QUILT,
    FOLD_SCALP,
    FOLD_SOFT_BAG,
    FOLD_TORSO,
    LATHE_BOTTOM,
    LATHE_PROFILE,
    LATHE_TOP,
    LIMB_BULGE,
    LIMB_CUT_END,
    LIMB_CUT_START,
    LIMB_FLATTEN,
    LIMB_LENGTH,
    LIMB_R0,
    LIMB_R1,
    P_AXES,
    P_BLEND,
    P_CENTER,
    P_CLOTH_ACROSS,
    P_CLOTH_ALONG,
    P_CLOTH_AMPLITUDE,
    P_CLOTH_KIND,
    P_CLOTH_PERIOD,
    P_CLOTH_SEED,
    P_GROUP,
    P_HAIR_FRINGE,
    P_HAIR_PARTING,
    P_HAIR_THICKNESS,
    P_MAX_Y,
    P_OFFSET,
    P_ORIGIN,
    P_RADIUS,
    P_SHAPE,
    P_UNIT,
    PROFILE_ROWS,
    SHAPE_ELLIPSOID,
    SHAPE_LATHE,
    SHAPE_LIMB,
)

Array = NDArray[np.float64]
IndexArray = NDArray[np.int64]

FAR = 1e9
# Folds matter only near the surface; further out the plain solid is a good enough bound.
_FOLD_REACH = 0.04
# A point on a flat end computes |y| of about 1e-17, not 0: comparing with 0 speckles cuffs black.
_FLAT_END = 1e-7


@njit(**KERNEL)
def fold_height(row: Array, x: float, y: float, z: float) -> float:
    """Outward displacement in metres at a local point of one primitive."""
    kind = int(row[P_CLOTH_KIND])
    amplitude = row[P_CLOTH_AMPLITUDE]
    seed = int(row[P_CLOTH_SEED])
    across = row[P_CLOTH_ACROSS]
    along = row[P_CLOTH_ALONG]
    if kind == FOLD_TORSO:
        waist = 1.0 + 0.9 * exp(-(((y - 0.10) / 0.10) ** 2))
        fx = x * across
        fy = y * along
        fz = z * across
        warp = 0.5 * value_noise(fx * 5.0, fy * 5.0, fz * 5.0, seed)
        broad = abs(value_noise(fx * 7.0 + 3.0 * warp, fy * 11.0 + 16.0 * abs(fx), fz * 6.0 + warp, seed + 1))
        fine = abs(value_noise(fx * 15.0 + warp * 2, fy * 9.0 + 4 * warp, fz * 15.0, seed + 2))
        return float(amplitude * waist * (broad + 0.55 * fine - 0.45))
    if kind == FOLD_LIMB:
        t = y / row[LIMB_LENGTH]
        joints = 0.45 + 1.2 * exp(-(((t - 1.0) / 0.22) ** 2)) + 0.7 * exp(-((t / 0.22) ** 2))
        fx = x * across
        fy = y * along
        fz = z * across
        warp = value_noise(fx * 9.0, fy * 6.0, fz * 9.0, seed)
        broad = abs(value_noise(fx * 8.0 + warp, fy * 17.0 + 1.6 * warp + fz * 10, fz * 8.0, seed + 1))
        fine = abs(value_noise(fx * 20.0, fy * 10.0 + warp, fz * 20.0, seed + 2))
        return float(amplitude * joints * (broad + 0.4 * fine - 0.4))
    if kind == FOLD_QUILT:
        seam = abs(sin(pi * (y + 0.012 * value_noise(x * 9, y * 9, z * 9, seed)) / row[P_CLOTH_PERIOD]))
        crumple = value_noise(x * 22.0, y * 16.0, z * 22.0, seed + 1)
        return float(amplitude * (2.2 * sqrt(seam) - 1.4 + 0.5 * crumple))
    if kind == FOLD_HAIR:
        return float(amplitude * _lock_height(row, x, y, z, seed))
    if kind == FOLD_SCALP:
        return float(_scalp_height(row, x, y, z))
    if kind == FOLD_FACE:
        return float(amplitude * _face_relief(row, x, y, z))
    if kind == FOLD_PLEATS:
        angle = atan2(x, z)
        toward_hem = min(1.0, max(0.0, (0.05 - y) / 0.3))
        warp = value_noise(x * 6.0, y * 5.0, z * 6.0, seed)
        wander = value_noise(cos(angle) * 2, y * 3, sin(angle) * 2, seed + 3)
        pleats = sin(angle * row[P_CLOTH_PERIOD] + 2.5 * warp + 1.3 * wander)
        crease = abs(value_noise(x * 7.0 * across, y * 10.0 * along, z * 7.0 * across, seed + 1))
        return float(amplitude * (toward_hem * 1.1 * pleats + (1.0 - 0.6 * toward_hem) * (crease - 0.3)))
    if kind == FOLD_SOFT_BAG:
        return float(amplitude * (abs(value_noise(x * 12.0, y * 12.0, z * 12.0, seed)) - 0.3))
    return 0.0


@njit(**KERNEL)
def _lock_height(row: Array, x: float, y: float, z: float, seed: int) -> float:
    """Locks and strands that run down from the crown, about -1.5 to 1.5; one field for all hair of a head."""
    unit = row[P_UNIT]
    hx = x / unit + row[P_OFFSET]
    hy = y / unit + row[P_OFFSET + 1]
    hz = z / unit + row[P_OFFSET + 2]
    around = 1.0 / (sqrt(hx * hx + hz * hz) + 0.012)
    ax = hx * around
    az = hz * around
    locks = value_noise(ax * 4.5, hy * 9.0, az * 4.5, seed)
    strands = value_noise(ax * 13.0 + locks, hy * 14.0, az * 13.0, seed + 1)
    return float(locks + 0.6 * strands)


@njit(**KERNEL)
def hairline_height(hx: float, hz: float, fringe: float, parting: float) -> float:
    """Height above the skull's centre at which hair begins, head units."""
    line = max(-0.085, 0.95 * hz - 0.035)
    if hz > 0.0 and fringe < 0.5:  # the temples recede
        line += 0.012 * exp(-(((abs(hx) - 0.048) / 0.02) ** 2))
    elif hz > 0.0:
        share = smoothstep(0.0, 0.05, hz)
        if fringe > 1.5:
            line -= 0.034 * share * smoothstep(0.075, 0.05, abs(hx))
        else:
            to_one_side = hx if parting < 0 else -hx
            line -= 0.027 * share * smoothstep(-0.035, 0.045, to_one_side)
    return line


@njit(**KERNEL)
def _scalp_height(row: Array, x: float, y: float, z: float) -> float:
    """Hair on the skull: thick on top, thinning out to nothing at a ragged hairline."""
    unit = row[P_UNIT]
    seed = int(row[P_CLOTH_SEED])
    hx = x / unit + row[P_OFFSET]
    hy = y / unit + row[P_OFFSET + 1]
    hz = z / unit + row[P_OFFSET + 2]
    thickness = row[P_HAIR_THICKNESS]
    parting = row[P_HAIR_PARTING]
    above = hy - hairline_height(hx, hz, row[P_HAIR_FRINGE], parting)
    if row[P_CLOTH_PERIOD] > 0:
        texture = 1.5 * value_noise(hx * 48.0, hy * 48.0, hz * 48.0, seed)
        above += 0.006 * value_noise(hx * 40.0, hy * 40.0, hz * 40.0, seed + 5)
    else:
        texture = _lock_height(row, x, y, z, seed)
        above += 0.007 * texture
    cover = smoothstep(-0.006 - 0.5 * thickness, 0.006 + 0.5 * thickness, above)
    height = thickness * (0.6 + 0.55 * smoothstep(-0.03, 0.08, hy)) * unit + row[P_CLOTH_AMPLITUDE] * texture
    if hy > 0.04:
        groove = (hx - 0.04 * parting) / 0.006
        height -= 0.5 * thickness * unit * exp(-groove * groove) * smoothstep(-0.05, 0.0, hz)
    return float(cover * height - (1.0 - cover) * 0.007 * unit)


@njit(**KERNEL)
def _face_relief(row: Array, x: float, y: float, z: float) -> float:
    """Eye sockets, brows, cheeks, lips and chin, about -1 to 1."""
    unit = row[P_UNIT]
    hz = z / unit + row[P_OFFSET + 2]
    if hz < 0.02:
        return 0.0
    hx = x / unit + row[P_OFFSET]
    hy = y / unit + row[P_OFFSET + 1]
    ax = abs(hx)
    height = -1.1 * exp(-(((ax - 0.031) / 0.018) ** 2 + ((hy + 0.006) / 0.013) ** 2))
    height += 0.5 * exp(-(((ax - 0.026) / 0.026) ** 2 + ((hy - 0.018) / 0.009) ** 2))
    if hy < 0.0:
        height += 0.5 * exp(-(((ax - 0.044) / 0.020) ** 2 + ((hy + 0.032) / 0.018) ** 2))
        height += 0.6 * exp(-((hx / 0.022) ** 2 + ((hy + 0.066) / 0.012) ** 2))
        height -= 0.7 * exp(-((hx / 0.024) ** 2 + ((hy + 0.066) / 0.003) ** 2))
        height -= 0.4 * exp(-((hx / 0.022) ** 2 + ((hy + 0.084) / 0.006) ** 2))
        height += 0.7 * exp(-((hx / 0.022) ** 2 + ((hy + 0.104) / 0.016) ** 2))
    return height


@njit(**KERNEL)
def _smooth_max(a: float, b: float, blend: float) -> float:
    h = max(blend - abs(a - b), 0.0) / blend
    return max(a, b) + h * h * blend * 0.25


@njit(**KERNEL)
def _limb_distance(row: Array, x: float, y: float, z: float) -> float:
    length = row[LIMB_LENGTH]
    t = min(1.0, max(0.0, y / length))
    radius = row[LIMB_R0] + (row[LIMB_R1] - row[LIMB_R0]) * t + row[LIMB_BULGE] * 4.0 * t * (1.0 - t)
    fx = x * row[LIMB_FLATTEN]
    beyond = y - t * length
    if (beyond > _FLAT_END and row[LIMB_CUT_END] > 0) or (beyond < -_FLAT_END and row[LIMB_CUT_START] > 0):
        side = sqrt(fx * fx + z * z) - radius
        d = max(side, abs(beyond)) if side < 0 else sqrt(side * side + beyond * beyond)
    else:
        d = sqrt(fx * fx + z * z + beyond * beyond) - radius
    # Narrowing x stretches distances: without the division rays step through thin parts.
    return float(d / max(1.0, row[LIMB_FLATTEN]))


@njit(**KERNEL)
def _lathe_distance(row: Array, profiles: Array, x: float, y: float, z: float) -> float:
    bottom = row[LATHE_BOTTOM]
    top = row[LATHE_TOP]
    inside_y = min(top, max(bottom, y))
    table = int(row[LATHE_PROFILE])
    at = (inside_y - bottom) / (top - bottom) * (PROFILE_ROWS - 1.0)
    i = min(PROFILE_ROWS - 2, int(at))
    f = at - i
    width = profiles[table, i, 0] * (1 - f) + profiles[table, i + 1, 0] * f
    depth = profiles[table, i, 1] * (1 - f) + profiles[table, i + 1, 1] * f
    center = profiles[table, i, 2] * (1 - f) + profiles[table, i + 1, 2] * f
    qx = x / width
    qz = (z - center) / depth
    k0 = sqrt(qx * qx + qz * qz) + 1e-9
    k1 = sqrt((qx / width) ** 2 + (qz / depth) ** 2) + 1e-9
    side = k0 * (k0 - 1.0) / k1
    if side < 0:
        side = max(side, -min(width, depth))
    beyond = abs(y - inside_y)
    if beyond > _FLAT_END:
        if side < 0:
            return float(max(side, beyond))
        return sqrt(side * side + beyond * beyond)
    return side


@njit(**KERNEL)
def _ellipsoid_distance(row: Array, x: float, y: float, z: float) -> float:
    rx = row[ELLIPSOID_RX]
    ry = row[ELLIPSOID_RY]
    rz = row[ELLIPSOID_RZ]
    qx = x / rx
    qy = y / ry
    qz = z / rz
    k0 = sqrt(qx * qx + qy * qy + qz * qz) + 1e-9
    k1 = sqrt((qx / rx) ** 2 + (qy / ry) ** 2 + (qz / rz) ** 2) + 1e-9
    d = k0 * (k0 - 1.0) / k1
    if d < 0:
        d = max(d, -0.2)
    if row[ELLIPSOID_CUT] > 0:
        d = _smooth_max(
            d, row[ELLIPSOID_CUT + 3] - (row[ELLIPSOID_CUT + 1] * y + row[ELLIPSOID_CUT + 2] * z), 0.02
        )
    if row[ELLIPSOID_CUT2] > 0:
        d = _smooth_max(
            d, row[ELLIPSOID_CUT2 + 3] - (row[ELLIPSOID_CUT2 + 1] * y + row[ELLIPSOID_CUT2 + 2] * z), 0.02
        )
    return d


@njit(**KERNEL)
def _box_distance(row: Array, x: float, y: float, z: float) -> float:
    rounding = row[BOX_ROUNDING]
    height = y / row[BOX_Y]
    qx = abs(x) - row[BOX_X] * (1.0 - row[BOX_TAPER] * height) + rounding
    qy = abs(y) - row[BOX_Y] + rounding
    qz = abs(z) - row[BOX_Z] * (1.0 - row[BOX_TAPER_Z] * height) + rounding
    ox = max(qx, 0.0)
    oy = max(qy, 0.0)
    oz = max(qz, 0.0)
    return float(sqrt(ox * ox + oy * oy + oz * oz) + min(max(qx, max(qy, qz)), 0.0) - rounding)


@njit(**KERNEL)
def primitive_distance(row: Array, profiles: Array, px: float, py: float, pz: float) -> float:
    """Signed distance in metres from a world point to one displaced primitive."""
    dx = px - row[P_ORIGIN]
    dy = py - row[P_ORIGIN + 1]
    dz = pz - row[P_ORIGIN + 2]
    x = row[P_AXES] * dx + row[P_AXES + 1] * dy + row[P_AXES + 2] * dz
    y = row[P_AXES + 3] * dx + row[P_AXES + 4] * dy + row[P_AXES + 5] * dz
    z = row[P_AXES + 6] * dx + row[P_AXES + 7] * dy + row[P_AXES + 8] * dz
    shape = int(row[P_SHAPE])
    if shape == SHAPE_LIMB:
        d = _limb_distance(row, x, y, z)
    elif shape == SHAPE_LATHE:
        d = _lathe_distance(row, profiles, x, y, z)
    elif shape == SHAPE_ELLIPSOID:
        d = _ellipsoid_distance(row, x, y, z)
    else:
        d = _box_distance(row, x, y, z)
    if d < _FOLD_REACH and row[P_CLOTH_KIND] > 0:
        d -= fold_height(row, x, y, z)
    return float(max(d, py - row[P_MAX_Y]))


@njit(**KERNEL)
def nearest_primitive(
    primitives: Array, profiles: Array, candidates: IndexArray, count: int, px: float, py: float, pz: float
) -> tuple[float, int]:
    """Distance from a world point to the first ``count`` candidates, and the primitive that is nearest.

    Candidates are sorted by blend group: members melt into each other (quadratic smooth minimum).
    """
    best = FAR
    best_index = -1
    group = -1.0
    group_distance = FAR
    group_nearest = FAR
    group_index = -1
    for j in range(count):
        i = candidates[j]
        row = primitives[i]
        ex = px - row[P_CENTER]
        ey = py - row[P_CENTER + 1]
        ez = pz - row[P_CENTER + 2]
        bound = sqrt(ex * ex + ey * ey + ez * ez) - row[P_RADIUS]
        if bound > 0.06 and bound > best:
            continue
        d = primitive_distance(row, profiles, px, py, pz)
        if row[P_GROUP] != group:
            if group_distance < best:
                best = group_distance
                best_index = group_index
            group = row[P_GROUP]
            group_distance = d
            group_nearest = d
            group_index = i
        else:
            blend = row[P_BLEND]
            h = max(blend - abs(group_distance - d), 0.0) / blend
            if d < group_nearest:
                group_nearest = d
                group_index = i
            group_distance = min(group_distance, d) - h * h * blend * 0.25
    if group_distance < best:
        best = group_distance
        best_index = group_index
    return best, best_index
