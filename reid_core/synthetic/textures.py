"""Procedural textures of the ground and of walls, as functions of a point: no image file is needed.

All colours are linear RGB reflectances in [0, 1]; lengths are metres. Every texture has three scales of
variation (large patches of dirt, medium mottling, fine grain), because surfaces that are uniform at any one
scale look computed at once.
"""

from __future__ import annotations

from enum import IntEnum
from math import exp, floor, sin
from typing import NamedTuple

from numba import njit

from reid_core.synthetic.noise import KERNEL, fbm, hash3, smoothstep, value_noise

Rgb = tuple[float, float, float]

NO_STRIP = 1e9
"""Far outside of every scene: the ground has no strip of guiding tiles."""


class GroundKind(IntEnum):
    """What the ground is made of."""

    ASPHALT = 0
    SQUARE_PAVING = 1
    RUNNING_BOND = 2
    CONCRETE = 3
    GRASS_PATH = 4
    POLISHED_TILE = 5
    CROSSING = 6
    COBBLES = 7


class WallKind(IntEnum):
    """What a wall, a box or a panel is made of."""

    PLAIN = 0
    BRICK = 1
    PANELS = 2
    STOREFRONT = 3
    FACADE = 4
    SHUTTER = 5
    POSTER = 6
    PLASTER = 7
    PLANKS = 8
    HEDGE = 9
    TILES = 10
    LIGHT = 11


class Ground(NamedTuple):
    """The ground of one scene. ``kind`` is a GroundKind; a NamedTuple, because Numba reads those."""

    kind: int
    colour: Rgb
    second: Rgb
    """The other stone of a pattern, or the grass beside a path."""
    tile: float
    """Edge of a stone, or the period of a crossing's stripes, in metres."""
    seed: int
    offset: float
    """Crossing: distance of its middle; asphalt: x of the lane mark; grass: half the width of the path."""
    mix: float
    """Share of ``second`` in the stones that differ, 0 to 1."""
    gloss: float
    """Mirror reflection of a polished floor, 0 to 1."""
    tactile_x: float
    """x of a strip of guiding tiles; NO_STRIP where there is none."""
    litter: float
    """Share of cells (0.2 m) with a fallen leaf."""


@njit(**KERNEL)
def ground_texture(x: float, z: float, ground: Ground) -> tuple[float, float, float, float]:
    """Reflectance and gloss of the ground at (x, z): r, g, b, gloss."""
    r, g, b = ground.colour
    seed = ground.seed
    gloss = ground.gloss
    large = fbm(x * 0.35, 0.5, z * 0.35, seed, 3)
    medium = fbm(x * 3.0, 1.5, z * 3.0, seed + 5, 3)
    fine = value_noise(x * 45.0, 0.2, z * 45.0, seed + 3)
    kind = ground.kind
    if kind == GroundKind.ASPHALT or kind == GroundKind.CROSSING:
        r, g, b = _asphalt(x, z, ground, r, g, b, large, medium, fine)
    elif kind == GroundKind.SQUARE_PAVING or kind == GroundKind.RUNNING_BOND or kind == GroundKind.COBBLES:
        r, g, b = _stones(x, z, ground, r, g, b, large, medium, fine)
    elif kind == GroundKind.CONCRETE:
        edge = _joint_distance(x, z, ground.tile * 4.0)
        shade = (1.0 + 0.14 * large + 0.16 * medium + 0.06 * fine) * (
            0.7 + 0.3 * smoothstep(0.0, 0.015, edge)
        )
        r, g, b = r * shade, g * shade, b * shade
    elif kind == GroundKind.GRASS_PATH:
        r, g, b = _grass_path(x, z, ground, r, g, b, large, medium, fine)
    elif kind == GroundKind.POLISHED_TILE:
        r, g, b = _polished(x, z, ground, r, g, b, large, medium)
    if kind != GroundKind.POLISHED_TILE:
        stain = value_noise(x * 0.9, 7.7, z * 0.9, seed + 20)
        if stain > 0.55:
            shade = 1.0 - 0.35 * (stain - 0.55) / 0.45
            r, g, b = r * shade, g * shade, b * shade
    if abs(x - ground.tactile_x) < 0.2:
        rib = z / 0.05
        shade = 1.0 if rib - floor(rib) < 0.5 else 0.92
        r, g, b = 0.55 * shade, 0.40 * shade, 0.07 * shade
    if ground.litter > 0.0 and kind != GroundKind.GRASS_PATH:
        cell_x, cell_z = floor(x * 5.0), floor(z * 5.0)
        if hash3(int(cell_x), int(cell_z), 11, seed) < ground.litter:
            dx, dz = x * 5.0 - cell_x - 0.5, z * 5.0 - cell_z - 0.5
            if dx * dx * 2.0 + dz * dz < 0.05:
                r, g, b = 0.22, 0.13, 0.04
    return r, g, b, gloss


@njit(**KERNEL)
def _joint_distance(x: float, z: float, size: float) -> float:
    """Distance in metres to the nearest joint of a square grid."""
    fx, fz = x / size, z / size
    fx -= floor(fx)
    fz -= floor(fz)
    return float(min(min(fx, 1.0 - fx), min(fz, 1.0 - fz)) * size)


@njit(**KERNEL)
def _asphalt(
    x: float, z: float, ground: Ground, r: float, g: float, b: float, large: float, medium: float, fine: float
) -> Rgb:
    seed = ground.seed
    shade = 1.0 + 0.16 * fine + 0.16 * large + 0.10 * medium
    r, g, b = r * shade, g * shade, b * shade
    crack = value_noise(x * 0.8, 0.0, z * 0.8, seed + 9) + 0.25 * value_noise(
        x * 5.0, 0.0, z * 5.0, seed + 10
    )
    if abs(crack) < 0.012:
        r, g, b = r * 0.62, g * 0.62, b * 0.62
    if ground.kind == GroundKind.CROSSING:
        stripe = (x + 50.0) / ground.tile
        stripe -= floor(stripe)
        worn = value_noise(x * 9.0, 0.0, z * 9.0, seed + 4) < -0.75 - 0.2 * large
        if stripe < 0.5 and abs(z - ground.offset) < 1.9 and not worn:
            paint = 0.85 + 0.12 * medium + 0.1 * fine
            r, g, b = 0.62 * paint, 0.62 * paint, 0.60 * paint
    elif abs(x - ground.offset) < 0.06:
        r, g, b = 0.5, 0.5, 0.47
    return r, g, b


@njit(**KERNEL)
def _stones(
    x: float, z: float, ground: Ground, r: float, g: float, b: float, large: float, medium: float, fine: float
) -> Rgb:
    seed, size = ground.seed, ground.tile
    is_square = ground.kind == GroundKind.SQUARE_PAVING
    is_cobble = ground.kind == GroundKind.COBBLES
    width = size if is_square else 2.0 * size
    row = floor(z / size)
    fz = z / size - row
    column = x / width + (0.0 if is_square else 0.5 * (row % 2))
    if is_cobble:
        column += 0.25 * value_noise(x * 1.3, 0.0, z * 1.3, seed)
    fx = column - floor(column)
    stone = hash3(int(floor(column)), int(row), 3, seed)
    mix = ground.mix if stone > 0.8 else 0.0
    edge = min(min(fx, 1.0 - fx) * width, min(fz, 1.0 - fz) * size)
    shade = 1.0 + 0.22 * (stone - 0.5) + 0.12 * large + 0.07 * fine + 0.10 * medium
    shade *= 0.62 + 0.38 * smoothstep(0.0, 0.024 if is_cobble else 0.012, edge)
    r += (ground.second[0] - r) * mix
    g += (ground.second[1] - g) * mix
    b += (ground.second[2] - b) * mix
    return r * shade, g * shade, b * shade


@njit(**KERNEL)
def _grass_path(
    x: float, z: float, ground: Ground, r: float, g: float, b: float, large: float, medium: float, fine: float
) -> Rgb:
    seed = ground.seed
    border = abs(x - 0.5 * sin(z * 0.3)) - ground.offset + 0.10 * value_noise(x * 2.0, 0.0, z * 2.0, seed)
    if border < 0.0:
        shade = 1.0 + 0.12 * large + 0.12 * medium + 0.12 * fine
        return r * shade, g * shade, b * shade
    blades = 0.35 * value_noise(x * 60.0, 0.0, z * 22.0, seed + 6) + 0.25 * value_noise(
        x * 25.0, 0.0, z * 10.0, seed + 8
    )
    shade = 0.55 + 0.6 * min(1.3, max(0.15, 0.5 + 0.5 * medium + blades))
    dry = max(0.0, large) * 0.5
    return ground.second[0] * shade * (1.0 + dry), ground.second[1] * shade, ground.second[2] * shade


@njit(**KERNEL)
def _polished(
    x: float, z: float, ground: Ground, r: float, g: float, b: float, large: float, medium: float
) -> Rgb:
    column, row = int(floor(x / ground.tile)), int(floor(z / ground.tile))
    mix = ground.mix if (column + row) % 2 == 0 else 0.0
    r += (ground.second[0] - r) * mix
    g += (ground.second[1] - g) * mix
    b += (ground.second[2] - b) * mix
    shade = 1.0 + 0.06 * (hash3(column, row, 3, ground.seed) - 0.5) + 0.06 * large + 0.06 * medium
    shade *= 0.86 + 0.14 * smoothstep(0.0, 0.008, _joint_distance(x, z, ground.tile))
    return r * shade, g * shade, b * shade


@njit(**KERNEL)
def wall_texture(
    kind: int, u: float, v: float, width: float, height: float, seed: int, scale: float, base: Rgb
) -> tuple[float, float, float, float, float]:
    """Reflectance, gloss and emission of a wall at (u, v): r, g, b, gloss, emission.

    Args:
        kind: A WallKind.
        u: Metres along the wall, 0 to ``width``.
        v: Metres above the foot of the wall, 0 to ``height``.
        seed: Chooses bricks, shop signs, posters.
        scale: Width of a panel or of a shop window, in metres.
        base: Colour of the wall.
    """
    r, g, b = base
    gloss, emission = 0.0, 0.0
    shade = 1.0 + 0.16 * fbm(u * 0.8, v * 0.8, 1.0, seed, 4)
    shade += 0.05 * value_noise(u * 30.0, v * 30.0, 0.0, seed)
    streak = value_noise(u * 7.0, v * 0.35, 4.0, seed + 2)
    shade *= 1.0 - 0.10 * max(0.0, streak)
    shade *= 1.0 - 0.22 * exp(-v / 0.25)
    if kind == WallKind.BRICK:
        r, g, b = _brick(u, v, seed, r, g, b)
    elif kind == WallKind.PANELS:
        r, g, b = _panels(u, v, seed, scale, r, g, b)
    elif kind == WallKind.STOREFRONT:
        r, g, b, gloss, shade = _storefront(u, v, seed, scale, r, g, b, shade)
    elif kind == WallKind.FACADE:
        r, g, b, gloss, shade = _facade(u, v, seed, scale, r, g, b, shade)
    elif kind == WallKind.SHUTTER:
        slat = v / 0.09
        tone = 0.72 + 0.35 * (slat - floor(slat))
        r, g, b = r * tone, g * tone, b * tone
    elif kind == WallKind.POSTER:
        r, g, b = _poster(u, v, width, height, seed, r, g, b)
    elif kind == WallKind.PLASTER:
        if v < 0.12:
            r, g, b = r * 0.3, g * 0.3, b * 0.3
        elif v < 1.1 and scale > 1.5:
            r, g, b = r * 0.7, g * 0.72, b * 0.78
    elif kind == WallKind.PLANKS:
        plank = floor(u / 0.14)
        tone = 0.75 + 0.4 * hash3(int(plank), 1, 1, seed) + 0.1 * value_noise(u * 40.0, v * 2.5, 0.0, seed)
        if u / 0.14 - plank < 0.06:
            tone *= 0.3
        r, g, b = r * tone, g * tone, b * tone
    elif kind == WallKind.HEDGE:
        leaves = fbm(u * 9.0, v * 9.0, 1.0, seed, 4) + 0.4 * value_noise(u * 38.0, v * 38.0, 0.0, seed)
        tone = max(0.18, 0.65 + 1.1 * leaves)
        r, g, b = r * tone, g * tone, b * tone
        shade = 1.0
    elif kind == WallKind.TILES:
        r, g, b = _wall_tiles(u, v, seed, r, g, b)
        gloss = 0.12
    elif kind == WallKind.LIGHT:
        emission = 3.0
    return r * shade, g * shade, b * shade, gloss, emission


@njit(**KERNEL)
def _brick(u: float, v: float, seed: int, r: float, g: float, b: float) -> Rgb:
    row = floor(v / 0.075)
    column = u / 0.23 + 0.5 * (row % 2)
    if v / 0.075 - row < 0.14 or column - floor(column) < 0.05:
        return 0.36, 0.34, 0.31
    tone = 0.7 + 0.6 * hash3(int(floor(column)), int(row), 2, seed)
    return r * tone, g * tone, b * tone


@njit(**KERNEL)
def _panels(u: float, v: float, seed: int, scale: float, r: float, g: float, b: float) -> Rgb:
    column, row = floor(u / scale), floor(v / (scale * 0.6))
    fu, fv = u / scale - column, v / (scale * 0.6) - row
    if fu * scale < 0.015 or fv * scale < 0.015:
        return r * 0.45, g * 0.45, b * 0.45
    tone = 0.91 + 0.18 * hash3(int(column), int(row), 2, seed)
    return r * tone, g * tone, b * tone


@njit(**KERNEL)
def _storefront(
    u: float, v: float, seed: int, scale: float, r: float, g: float, b: float, shade: float
) -> tuple[float, float, float, float, float]:
    bay = floor(u / scale)
    inside = (u / scale - bay) * scale
    if v < 0.35 or v > 2.9 or inside < 0.07:
        return r, g, b, 0.0, shade
    shop = int(bay // 2)
    if v > 2.45:  # the sign above the window
        if hash3(shop, 1, 1, seed) > 0.4:
            r, g, b = (
                hash3(shop, 2, 1, seed) * 0.5,
                hash3(shop, 3, 1, seed) * 0.4,
                hash3(shop, 4, 1, seed) * 0.5,
            )
            if abs(v - 2.67) < 0.1 and hash3(int(floor(u * 7.0)), 5, 1, seed) > 0.35:
                r, g, b = 0.8, 0.8, 0.75
        return r, g, b, 0.0, shade
    goods = max(0.0, fbm(u * 1.6, v * 1.3, 2.0, seed, 3))
    item = hash3(int(floor(u * 2.2)), int(floor(v * 2.0)), 9, seed)
    tint = hash3(int(floor(u * 2.2)), int(floor(v * 2.0)), 10, seed)
    r = 0.035 + 0.10 * goods + 0.09 * item * tint
    g = 0.037 + 0.10 * goods + 0.06 * item
    b = 0.040 + 0.10 * goods + 0.09 * item * (1.0 - tint)
    return r, g, b, 0.5, 1.0


@njit(**KERNEL)
def _facade(
    u: float, v: float, seed: int, scale: float, r: float, g: float, b: float, shade: float
) -> tuple[float, float, float, float, float]:
    column, row = floor(u / (scale * 2.0)), floor((v - 0.8) / 2.8)
    fu, fv = u / (scale * 2.0) - column, (v - 0.8) / 2.8 - row
    if not (0.25 < fu < 0.75 and 0.1 < fv < 0.62 and v > 0.8):
        return r, g, b, 0.0, shade
    if abs(fu - 0.5) < 0.02 or fu < 0.28 or fu > 0.72 or fv < 0.14 or fv > 0.58:
        return 0.5, 0.5, 0.48, 0.0, shade
    curtain = hash3(int(column), int(row), 4, seed)
    tone = 0.03 + 0.05 * curtain + (0.25 if curtain > 0.8 and fv > 0.3 else 0.0)
    return tone, tone * 1.05, tone * 1.15, 0.6, 1.0


@njit(**KERNEL)
def _poster(u: float, v: float, width: float, height: float, seed: int, r: float, g: float, b: float) -> Rgb:
    if u < 0.05 or v < 0.05 or u > width - 0.05 or v > height - 0.05:
        return 0.1, 0.1, 0.1
    line = int(floor(v * 9.0))
    if line % 3 == 0 and v < height * 0.45 and hash3(int(floor(u * 14.0)), line, 1, seed) > 0.3:
        return 0.75, 0.75, 0.72
    if fbm(u * 1.8, v * 1.8, 3.0, seed, 3) > 0.05:
        return hash3(1, 2, 3, seed), hash3(3, 2, 1, seed), hash3(2, 2, 2, seed)
    return r, g, b


@njit(**KERNEL)
def _wall_tiles(u: float, v: float, seed: int, r: float, g: float, b: float) -> Rgb:
    column, row = floor(u / 0.2), floor(v / 0.2)
    tone = 0.92 + 0.14 * hash3(int(column), int(row), 1, seed)
    if u / 0.2 - column < 0.05 or v / 0.2 - row < 0.05:
        tone *= 0.7
    if 1.0 < v < 1.4:
        r, g, b = 0.12, 0.2, 0.35
    return r * tone, g * tone, b * tone
