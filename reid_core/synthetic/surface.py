"""What light a surface returns: cloth patterns, prints, faces, hair, shoes, bags, for numba kernels."""

from __future__ import annotations

from math import atan2, exp, floor, sqrt

import numpy as np
from numba import njit
from numpy.typing import NDArray

from reid_core.synthetic.noise import KERNEL, fbm, hash3, smoothstep, value_noise
from reid_core.synthetic.primitives import (
    BAG_BACKPACK,
    BAG_FLAP,
    BAG_PAPER,
    BOX_Y,
    BOX_Z,
    FRONT_BUTTONS,
    FRONT_LAPEL,
    FRONT_OPEN,
    FRONT_ZIP,
    KIND_BAG,
    KIND_CAR,
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
    M_COLOR,
    M_COLOR2,
    M_COLOR3,
    M_CONTRAST_SLEEVES,
    M_CROPPED,
    M_DENIM_FADE,
    M_EYE_SPACING,
    M_FRONT,
    M_GLASSES,
    M_GLOSS,
    M_HEM,
    M_KIND,
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
    P_AXES,
    P_MATERIAL,
    P_OFFSET,
    P_ORIGIN,
    P_PART,
    P_SHAPE,
    P_SIDE,
    P_UNIT,
    PART_CAR_CABIN,
    PART_CAR_TYRE,
    PART_HAND,
    PART_LEG,
    PART_LOCK,
    PART_SLEEVE,
    PART_TORSO,
    PATTERN_BAND,
    PATTERN_CHECKS,
    PATTERN_CLOUD,
    PATTERN_DOTS,
    PATTERN_GRADIENT,
    PATTERN_PINSTRIPES,
    PATTERN_STRIPES,
    PATTERN_YOKE,
    PRINT_CHEVRON,
    PRINT_DISC,
    PRINT_NUMBER,
    PRINT_PHOTO,
    PRINT_TEXT,
    SHAPE_BOX,
    STRAP_BACKPACK,
    STRAP_CROSSBODY,
    STRAP_SHOULDER,
)
from reid_core.synthetic.sdf import hairline_height

Array = NDArray[np.float64]

# Slots of the result of ``surface_at``: linear red, green, blue, then how the surface shines.
S_SPECULAR, S_GLOSS, S_SHEEN = 3, 4, 5
NUM_SURFACE_FIELDS = 6


@njit(**KERNEL)
def _mix(out: Array, material: Array, column: int, share: float) -> None:
    """Move the colour in ``out`` towards the material colour at ``column``."""
    for channel in range(3):
        out[channel] += (material[column + channel] - out[channel]) * share


@njit(**KERNEL)
def _scale(out: Array, factor: float) -> None:
    for channel in range(3):
        out[channel] *= factor


@njit(**KERNEL)
def _set(out: Array, red: float, green: float, blue: float) -> None:
    out[0] = red
    out[1] = green
    out[2] = blue


@njit(**KERNEL)
def print_ink(kind: int, u: float, v: float, seed: int) -> int:
    """Which ink of a print covers (u, v) in [-1, 1]^2: 0 none, 1 the print colour, 2 half second colour."""
    if kind == PRINT_DISC:
        return 1 if u * u + v * v < 1 else 0
    if kind == PRINT_TEXT:
        row = int(floor((v + 1) * 1.5))
        within = (v + 1) * 1.5 - row
        if within < 0.25 or within > 0.85:
            return 0
        if abs(u) > 0.35 + 0.65 * hash3(row, 3, 1, seed):
            return 0
        return 1 if hash3(int(floor((u + 1) * 5)), row, 7, seed) > 0.22 else 0
    if kind == PRINT_PHOTO:
        return 1 if fbm(u * 1.5, v * 1.5, 0.3, seed, 3) > 0.03 else 2
    if kind == PRINT_CHEVRON:
        return 1 if (v > -1 + 2 * abs(u)) and (v < -0.2 + 2 * abs(u)) else 0
    if kind == PRINT_NUMBER:
        if abs(abs(u) - 0.5) < 0.16:
            return 1 if hash3(int(u > 0), int(floor(v * 1.5 + 3)), 2, seed) > 0.25 else 0
        if (abs(abs(v) - 0.85) < 0.15 or abs(v) < 0.13) and abs(abs(u) - 0.5) < 0.45:
            return 1
    return 0


@njit(**KERNEL)
def _paint_face(row: Array, material: Array, lx: float, ly: float, lz: float, out: Array) -> None:
    unit = row[P_UNIT]
    x = lx / unit + row[P_OFFSET]
    y = ly / unit + row[P_OFFSET + 1]
    z = lz / unit + row[P_OFFSET + 2]
    seed = int(material[M_SEED])
    _scale(out, 1 + 0.05 * value_noise(x * 40, y * 40, z * 40, seed))
    if z > 0.0:
        _paint_features(material, x, y, out)
    beard = material[M_BEARD]
    if beard > 0:
        cover = smoothstep(-0.034, -0.058, y) * smoothstep(-0.05, 0.02, z) * beard
        if z > 0:
            cover = max(cover, beard * exp(-((x / 0.028) ** 2 + ((y + 0.053) / 0.007) ** 2)))
            cover *= 1 - 0.8 * exp(-((x / 0.018) ** 2 + ((y + 0.067) / 0.006) ** 2))
        _mix(out, material, M_COLOR2, cover * (0.85 + 0.15 * value_noise(x * 300, y * 200, z * 300, seed)))
    scalp = material[M_CROPPED]
    if scalp > 0:
        ragged = 0.008 * value_noise(x * 60, y * 60, z * 60, seed + 1)
        _mix(
            out,
            material,
            M_COLOR2,
            scalp * smoothstep(-0.008, 0.010, y + ragged - hairline_height(x, z, 0.0, 0.0)),
        )


@njit(**KERNEL)
def _paint_features(material: Array, x: float, y: float, out: Array) -> None:
    """Eyes, brows, nose, mouth, cheeks and glasses; (x, y) in head units from the skull's centre."""
    ax = abs(x)
    eye_x = ax - 0.031 * material[M_EYE_SPACING]
    _scale(out, 1 - 0.30 * exp(-((eye_x / 0.020) ** 2 + ((y + 0.004) / 0.013) ** 2)))
    white = exp(-((eye_x / 0.011) ** 2 + ((y + 0.007) / 0.0045) ** 2))
    for channel in range(3):
        out[channel] += (0.36 - out[channel]) * 0.4 * white
    iris = min(1.0, 1.3 * exp(-((eye_x / 0.0055) ** 2 + ((y + 0.0065) / 0.0055) ** 2)))
    lashes = 0.8 * exp(-((eye_x / 0.015) ** 2 + ((y - 0.0005) / 0.0028) ** 2))
    _darken(out, max(iris, lashes))
    brow_y = (y - 0.0155 + 0.10 * (eye_x * eye_x) / 0.02) / (0.0042 * material[M_BROW])
    brow = min(0.85, 0.8 * material[M_BROW]) * exp(-((eye_x / 0.018) ** 2 + brow_y * brow_y))
    _mix(out, material, M_COLOR2, brow)
    lips = material[M_LIPS]
    mouth = (0.45 + 0.4 * lips) * exp(-((x / 0.021) ** 2 + ((y + 0.067) / 0.0075) ** 2))
    out[0] *= 1 - 0.22 * mouth
    out[1] *= 1 - 0.60 * mouth
    out[2] *= 1 - 0.55 * mouth
    _scale(out, 1 - 0.45 * exp(-((x / 0.019) ** 2 + ((y + 0.0665) / 0.0022) ** 2)))
    nostrils = exp(-(((ax - 0.008) / 0.006) ** 2 + ((y + 0.047) / 0.004) ** 2))
    _scale(out, 1 - 0.45 * nostrils)
    cheek = 0.12 * exp(-(((ax - 0.045) / 0.02) ** 2 + ((y + 0.035) / 0.02) ** 2))
    out[0] *= 1 + cheek
    out[1] *= 1 - 0.5 * cheek
    if material[M_GLASSES] > 0:
        lens = (abs(eye_x) / 0.0235) ** 3 + (abs(y + 0.008) / 0.0165) ** 3
        bridge = ax < 0.011 and abs(y + 0.002) < 0.0028
        if material[M_GLASSES] > 1.5:
            if lens < 1.1 or bridge:
                _set(out, 0.015, 0.015, 0.018)
                out[S_SPECULAR] = 0.2
                out[S_GLOSS] = 40.0
        elif abs(lens - 1) < 0.30 or bridge:
            _set(out, 0.035, 0.03, 0.03)


@njit(**KERNEL)
def _darken(out: Array, share: float) -> None:
    for channel in range(3):
        out[channel] += (0.013 - out[channel]) * share


@njit(**KERNEL)
def _paint_skin(row: Array, material: Array, lx: float, ly: float, lz: float, out: Array) -> None:
    _scale(out, 1 + 0.06 * value_noise(lx * 30, ly * 20, lz * 30, int(material[M_SEED])))
    if int(row[P_PART]) == PART_HAND and ly > 0.012:  # gaps between four fingers
        f = lz / 0.0165 + 0.5
        gap = abs(f - floor(f) - 0.5) * 2.0
        _scale(out, 1 - 0.30 * smoothstep(0.55, 1.0, gap))


@njit(**KERNEL)
def _paint_hair(row: Array, material: Array, lx: float, ly: float, lz: float, out: Array) -> None:
    """Strands that run down from the crown, in one field for the whole head so that no seam shows."""
    unit = row[P_UNIT]
    hx = lx / unit + row[P_OFFSET]
    hy = ly / unit + row[P_OFFSET + 1]
    hz = lz / unit + row[P_OFFSET + 2]
    seed = int(material[M_SEED])
    if material[M_OMBRE] > 0:
        tips = smoothstep(0.03, 0.18, ly) if int(row[P_PART]) == PART_LOCK else smoothstep(-0.03, -0.15, hy)
        _mix(out, material, M_COLOR2, material[M_OMBRE] * tips)
    around = 1.0 / (sqrt(hx * hx + hz * hz) + 0.012)
    wave = 0.25 * material[M_WAVE] * value_noise(hx * 12, hy * 38, hz * 12, seed + 3)
    ax = hx * around + wave
    az = hz * around - wave
    fine = value_noise(ax * 42, hy * 10, az * 42, seed)
    locks = value_noise(ax * 11, hy * 8, az * 11, seed + 1)
    sheen_band = (hy - 0.045 - 0.012 * locks) / 0.022
    _scale(out, 1 + 0.38 * fine + 0.34 * locks + 0.35 * exp(-sheen_band * sheen_band))


@njit(**KERNEL)
def _pattern_share(material: Array, part: int, u: float, lx: float, ly: float, lz: float) -> float:
    """Share of the second colour in the pattern at a point; ``u`` is the way around the part in metres."""
    pattern = int(material[M_PATTERN])
    size = material[M_PATTERN_SIZE]
    phase = material[M_PATTERN_PHASE]
    share = material[M_PATTERN_SHARE]
    seed = int(material[M_SEED])
    if pattern == PATTERN_STRIPES:
        f = (ly + phase) / size
        return 1.0 if f - floor(f) < share else 0.0
    if pattern == PATTERN_CHECKS:
        f = (ly + phase) / size
        f -= floor(f)
        q = (u + phase) / size
        q -= floor(q)
        if share > 0.4 and (abs(f - 0.25) < 0.05 or abs(q - 0.25) < 0.05):
            return 1.0
        return 0.5 * ((1.0 if f < 0.5 else 0.0) + (1.0 if q < 0.5 else 0.0))
    if pattern == PATTERN_PINSTRIPES:
        q = (u + phase) / size
        return 1.0 if q - floor(q) < share else 0.0
    if pattern == PATTERN_CLOUD:
        cloud = fbm(lx / size, ly / size, lz / size, seed, 3)
        if share > 0.4:
            return 0.0 if cloud < -0.08 else (0.55 if cloud < 0.12 else 1.0)
        return float(min(1.0, max(0.0, 0.5 + 1.3 * cloud)))
    if pattern == PATTERN_GRADIENT:
        height = ly if part == PART_TORSO else 0.45 - ly  # sleeves run down from the shoulder
        return float(min(1.0, max(0.0, (height - phase) / size)))
    if pattern == PATTERN_YOKE:
        if part == PART_TORSO:
            return 1.0 if ly > phase else 0.0
        return 1.0 if ly < size else 0.0
    if pattern == PATTERN_DOTS:
        f = (ly + phase) / size
        q = (u + phase) / size
        iy = floor(f)
        ix = floor(q)
        h = hash3(int(ix), int(iy), 5, seed)
        oy = f - iy - 0.3 - 0.4 * hash3(int(ix), int(iy), 6, seed)
        ox = q - ix - 0.3 - 0.4 * h
        return 1.0 if oy * oy + ox * ox < (0.10 + 0.16 * share) * (0.4 + h) else 0.0
    if pattern == PATTERN_BAND:
        if part == PART_TORSO:
            return 1.0 if abs(ly - phase) < size else 0.0
        if part == PART_SLEEVE:
            return 1.0 if abs((0.50 - ly) - phase) < size else 0.0
    return 0.0


@njit(**KERNEL)
def _paint_front(material: Array, lx: float, ly: float, out: Array) -> None:
    """Opening, zip, buttons or lapels on the front of the torso."""
    front = int(material[M_FRONT])
    opening = material[M_OPENING]
    if front == FRONT_OPEN:
        half = opening * (0.55 + 0.9 * abs(ly - 0.5)) + 0.012 * value_noise(
            0.3, ly * 9, 0.1, int(material[M_SEED])
        )
        if abs(lx) < half:
            shade = 0.45 + 0.55 * smoothstep(0.0, 0.035, half - abs(lx))
            _mix(out, material, M_COLOR3, 1.0)
            _scale(out, shade)
        elif abs(lx) < half + 0.012:
            _scale(out, 0.7)
    elif front == FRONT_ZIP:
        if abs(lx) < 0.006:
            for channel in range(3):
                out[channel] = out[channel] * 0.35 + 0.05
    elif front == FRONT_BUTTONS:
        if abs(lx - 0.012) < 0.004:
            _scale(out, 0.72)
        f = (ly + 0.03) / 0.085
        if abs(lx) < 0.010 and abs(f - floor(f) - 0.5) < 0.10:
            _mix(out, material, M_COLOR3, 1.0)
    elif front == FRONT_LAPEL:
        half = 0.07 * min(1.0, max(0.0, (ly - opening) / 0.22))
        if abs(lx) < half:
            _mix(out, material, M_COLOR3, 1.0)
            if material[M_TIE] > 0 and abs(lx) < 0.022:
                _mix(out, material, M_TIE_COLOR, 1.0)
        elif abs(lx) < half + 0.03 and half > 0.004:
            _scale(out, 0.8)


@njit(**KERNEL)
def _paint_strap(material: Array, lx: float, ly: float, lz: float, out: Array) -> None:
    strap = int(material[M_STRAP])
    side = material[M_STRAP_SIDE]
    if strap == STRAP_BACKPACK:
        on_strap = abs(abs(lx) - 0.095 + 0.03 * max(0.0, 0.30 - ly)) < 0.024 and lz > -0.03 and ly > 0.16
    elif strap == STRAP_CROSSBODY:
        on_strap = abs(lx * side - 0.12 + (0.50 - ly) * 0.55) < 0.021 and ly > -0.08
    elif strap == STRAP_SHOULDER:
        on_strap = abs(lx * side - 0.135) < 0.016 and ly > 0.1
    else:
        on_strap = False
    if on_strap:
        _mix(out, material, M_STRAP_COLOR, 1.0)


@njit(**KERNEL)
def _paint_upper_torso(material: Array, lx: float, ly: float, lz: float, out: Array) -> None:
    seed = int(material[M_SEED])
    if lz > 0.0:
        _paint_front(material, lx, ly, out)
        if material[M_POCKETS] > 0:
            px = abs(lx) - 0.085
            if abs(ly - 0.03 - 0.25 * px) < 0.007 and abs(px) < 0.045:
                _scale(out, 0.55)
    kind = int(material[M_PRINT])
    half_height = material[M_PRINT_HALF_HEIGHT]
    if kind > 0 and ((lz > 0.02) if half_height > 0 else (lz < -0.02)):
        u = (lx - material[M_PRINT_X]) / material[M_PRINT_HALF_WIDTH]
        v = (ly - material[M_PRINT_Y]) / abs(half_height)
        if abs(u) < 1 and abs(v) < 1:
            ink = print_ink(kind, u, v, seed)
            if ink == 1:
                _mix(out, material, M_PRINT_COLOR, 1.0)
            elif ink == 2:
                _mix(out, material, M_COLOR2, 0.5)
    if material[M_RIB] > 0 and ly < material[M_HEM] + 0.05:
        _scale(out, 0.82)
    _paint_strap(material, lx, ly, lz, out)


@njit(**KERNEL)
def _paint_cloth(row: Array, material: Array, lx: float, ly: float, lz: float, out: Array) -> None:
    kind = int(material[M_KIND])
    part = int(row[P_PART])
    side = row[P_SIDE]
    seed = int(material[M_SEED])
    angle = atan2(lx, lz)
    share = _pattern_share(material, part, angle * (0.16 if part == PART_TORSO else 0.07), lx, ly, lz)
    if material[M_CONTRAST_SLEEVES] > 0 and part == PART_SLEEVE:
        share = 1.0
    if material[M_SIDE_STRIPE] > 0 and part == PART_LEG and abs(lz) < 0.028 and lx * side > 0:
        share = 1.0
    _mix(out, material, M_COLOR2, share)
    if material[M_DENIM_FADE] > 0:
        patchy = 0.5 + 0.5 * fbm(lx * 8, ly * 4, lz * 8, seed + 4, 2)
        fade = material[M_DENIM_FADE] * exp(-((angle / 0.7) ** 2)) * (0.35 + 0.65 * patchy)
        fade *= 0.6 if part == PART_LEG else 0.24
        out[0] += (0.55 - out[0]) * fade
        out[1] += (0.60 - out[1]) * fade
        out[2] += (0.68 - out[2]) * fade
    weave = material[M_WEAVE] * value_noise(lx * 120, ly * 120, lz * 120, seed + 6)
    _scale(out, 1 + weave + 0.05 * value_noise(lx * 9, ly * 7, lz * 9, seed + 7))
    if kind == KIND_UPPER and part == PART_TORSO:
        _paint_upper_torso(material, lx, ly, lz, out)
    elif kind == KIND_LOWER and part == PART_TORSO:
        if ly > 0.035 and material[M_BELT] > 0:
            _set(out, 0.03, 0.022, 0.018)
        elif abs(lx) < 0.006 and lz > 0:
            _scale(out, 0.7)
    elif kind == KIND_LOWER and part == PART_LEG and abs(angle * side - 1.57) < 0.07:
        _scale(out, 0.8)


@njit(**KERNEL)
def _paint_shoe(row: Array, material: Array, lx: float, ly: float, lz: float, out: Array) -> None:
    if ly < material[M_SOLE_HEIGHT] and int(row[P_SHAPE]) == SHAPE_BOX:
        _mix(out, material, M_COLOR2, 1.0)
    elif material[M_SHOE_STRIPE] > 0 and abs(lz - 0.01 - 0.4 * ly) < 0.016:
        _mix(out, material, M_COLOR3, 1.0)
    elif material[M_LACES] > 0 and lz > 0.04 and ly > 0.005:
        f = lz / 0.018
        if abs(lx) < 0.02 and f - floor(f) < 0.5:
            _set(out, 0.7, 0.7, 0.7)


@njit(**KERNEL)
def _paint_bag(row: Array, material: Array, lx: float, ly: float, lz: float, out: Array) -> None:
    height = row[BOX_Y]
    style = int(material[M_BAG_STYLE])
    if style == BAG_BACKPACK:
        if abs(ly + 0.35 * height) < 0.006 or abs(ly - 0.55 * height) < 0.006:
            _scale(out, 0.45)
        elif ly < -0.35 * height:
            _mix(out, material, M_COLOR2, 1.0)
    elif style == BAG_FLAP:
        if ly > 0.1 * height:
            _scale(out, 0.85)
        elif ly > 0.1 * height - 0.012:
            _scale(out, 0.5)
    elif style == BAG_PAPER and abs(lx) < 0.08 and abs(lz) < 0.08 and abs(ly) < 0.05:
        _mix(out, material, M_COLOR2, 1.0)
    _scale(out, 1 + 0.08 * value_noise(lx * 40, ly * 40, lz * 40, int(material[M_SEED])))


@njit(**KERNEL)
def _paint_car(row: Array, lx: float, ly: float, lz: float, out: Array) -> None:
    height = row[BOX_Y]
    part = int(row[P_PART])
    if part == PART_CAR_CABIN:
        if abs(ly) < height * 0.72 and abs(abs(lz) - 0.15) > 0.04:
            _set(out, 0.012, 0.014, 0.017)
            out[S_SPECULAR] = 0.6
            out[S_GLOSS] = 80.0
    elif part == PART_CAR_TYRE:
        if sqrt(ly * ly + lz * lz) < 0.2:
            _set(out, 0.25, 0.25, 0.26)
    else:
        if abs(abs(lz) - 0.55) < 0.012 and ly > -0.3 * height:
            _scale(out, 0.4)
        if ly < -0.75 * height:
            _set(out, 0.02, 0.02, 0.02)
        if abs(lz) > row[BOX_Z] - 0.10 and abs(ly - 0.2 * height) < 0.09 and abs(lx) > 0.5:
            if lz > 0:
                _set(out, 0.7, 0.7, 0.7)
            else:
                _set(out, 0.5, 0.02, 0.02)


@njit(**KERNEL)
def surface_at(row: Array, materials: Array, px: float, py: float, pz: float, out: Array) -> None:
    """Fill ``out`` (6,) with linear colour, specular, gloss and sheen at a world point of a primitive."""
    dx = px - row[P_ORIGIN]
    dy = py - row[P_ORIGIN + 1]
    dz = pz - row[P_ORIGIN + 2]
    lx = row[P_AXES] * dx + row[P_AXES + 1] * dy + row[P_AXES + 2] * dz
    ly = row[P_AXES + 3] * dx + row[P_AXES + 4] * dy + row[P_AXES + 5] * dz
    lz = row[P_AXES + 6] * dx + row[P_AXES + 7] * dy + row[P_AXES + 8] * dz
    material = materials[int(row[P_MATERIAL])]
    kind = int(material[M_KIND])
    out[S_SPECULAR] = material[M_SPECULAR]
    out[S_GLOSS] = material[M_GLOSS]
    out[S_SHEEN] = material[M_SHEEN]
    _set(out, material[M_COLOR], material[M_COLOR + 1], material[M_COLOR + 2])
    if kind == KIND_SKIN:
        _paint_skin(row, material, lx, ly, lz, out)
    elif kind == KIND_FACE:
        _paint_face(row, material, lx, ly, lz, out)
    elif kind == KIND_HAIR:
        _paint_hair(row, material, lx, ly, lz, out)
    elif kind in (KIND_UPPER, KIND_LOWER):
        _paint_cloth(row, material, lx, ly, lz, out)
    elif kind == KIND_SHOE:
        _paint_shoe(row, material, lx, ly, lz, out)
    elif kind == KIND_BAG:
        _paint_bag(row, material, lx, ly, lz, out)
    elif kind == KIND_CAR:
        _paint_car(row, lx, ly, lz, out)
