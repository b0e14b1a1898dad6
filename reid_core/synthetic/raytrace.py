"""Analytic ray tracer of a camera's empty scene: boxes, upright cylinders, ellipsoids of leaves, the ground.

It runs once per camera. What it leaves, the plate, is sampled by every crop of that camera; light from the
sun is kept apart from all other light, so that people can cast shadows into it later.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, floor, sqrt
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from reid_core.synthetic.noise import KERNEL, fbm, smoothstep, value_noise
from reid_core.synthetic.render import Light, PinholeCamera, Plate
from reid_core.synthetic.textures import Ground, Rgb, ground_texture, wall_texture

BOX = np.dtype(
    [(n, np.float64) for n in ("cx", "cy", "cz", "hx", "hy", "hz", "cos", "sin", "r", "g", "b", "scale")]
    + [("kind", np.int64), ("seed", np.int64)]
)
"""A box turned about the vertical: centre, half size, cosine and sine of the turn, colour, texture."""
CYLINDER = np.dtype(
    [(n, np.float64) for n in ("x", "z", "radius", "bottom", "top", "r", "g", "b")]
    + [("is_bark", np.int64), ("is_banded", np.int64)]
)
"""An upright cylinder: trees, poles, bollards, columns, bins."""
FOLIAGE = np.dtype(
    [(n, np.float64) for n in ("x", "y", "z", "rx", "ry", "rz", "density", "r", "g", "b")]
    + [("seed", np.int64)]
)
"""An ellipsoid of leaves in four shells with holes; ``density`` 0 is airy, 0.3 dense."""
LAMP = np.dtype([(n, np.float64) for n in ("x", "z", "spread", "strength")])
"""A pool of light that a lamp lays on the floor."""

MAX_DISTANCE = 200.0
"""Metres; rays that meet nothing nearer end in the sky."""
_NOTHING, _GROUND, _BOX, _CYLINDER, _FOLIAGE, _CEILING = range(6)
_SHADOW_DISTANCE = 80.0


class Geometry(NamedTuple):
    """All that a ray can meet; arrays of the types above (a NamedTuple, because Numba reads those)."""

    boxes: NDArray[Any]
    cylinders: NDArray[Any]
    foliage: NDArray[Any]
    lamps: NDArray[Any]
    ground: Ground
    ceiling: float
    """Height of the ceiling in metres; 0 outdoors."""
    cloud: float
    """Share of the sky that is cloud, 0 to 1."""


class _Hit(NamedTuple):
    distance: float
    kind: int
    number: int
    """Row of the table of that kind; -1 where there is none."""
    nx: float
    ny: float
    nz: float
    u: float
    v: float


class _Sunlight(NamedTuple):
    """Light in the form that the kernels read."""

    direction: Rgb
    sun: Rgb
    sky: Rgb
    ground: Rgb


class _View(NamedTuple):
    origin: Rgb
    forward: Rgb
    right: Rgb
    down: Rgb
    focal: float
    center_x: float
    center_y: float


@dataclass(frozen=True)
class PlateSize:
    """Size of a plate in pixels, and how many rays a pixel gets along each side."""

    width: int
    height: int
    rays_per_side: int = 1


def render_plate(geometry: Geometry, camera: PinholeCamera, light: Light, size: PlateSize) -> Plate:
    """Trace the empty scene into a plate of ``size`` (0.2 to 0.5 s for 960 x 540 with one ray a pixel)."""
    shape = (size.height, size.width)
    plate = Plate(
        ambient=np.zeros((*shape, 3), np.float32),
        sun=np.zeros((*shape, 3), np.float32),
        depth=np.zeros(shape, np.float32),
        upness=np.zeros(shape, np.float32),
    )
    view = _View(
        _triple(camera.position),
        _triple(camera.forward),
        _triple(camera.right),
        _triple(camera.down),
        float(camera.focal_px),
        float(camera.center_x),
        float(camera.center_y),
    )
    sunlight = _Sunlight(
        _triple(light.direction), _triple(light.sun), _triple(light.sky), _triple(light.ground)
    )
    _trace_plate(
        view, sunlight, geometry, size.rays_per_side, plate.ambient, plate.sun, plate.depth, plate.upness
    )
    return plate


def _triple(values: object) -> Rgb:
    x, y, z = np.asarray(values, dtype=np.float64)
    return float(x), float(y), float(z)


@njit(**KERNEL)
def _trace_plate(
    view: _View,
    light: _Sunlight,
    geometry: Geometry,
    rays: int,
    ambient: NDArray[np.float32],
    sun: NDArray[np.float32],
    depth: NDArray[np.float32],
    upness: NDArray[np.float32],
) -> None:
    height, width = depth.shape
    weight = 1.0 / (rays * rays)
    pixel = np.empty(8)
    for row in range(height):
        for column in range(width):
            total = np.zeros(6)
            for ray in range(rays * rays):
                u = (column + (ray % rays + 0.5) / rays - view.center_x) / view.focal
                v = (row + (ray // rays + 0.5) / rays - view.center_y) / view.focal
                dx = view.forward[0] + view.right[0] * u + view.down[0] * v
                dy = view.forward[1] + view.right[1] * u + view.down[1] * v
                dz = view.forward[2] + view.right[2] * u + view.down[2] * v
                scale = 1.0 / sqrt(dx * dx + dy * dy + dz * dz)
                _trace_ray(view.origin, dx * scale, dy * scale, dz * scale, light, geometry, pixel)
                total += pixel[:6] * weight
                if ray == (rays * rays) // 2:
                    depth[row, column] = pixel[6]
                    upness[row, column] = pixel[7]
            for channel in range(3):
                ambient[row, column, channel] = total[channel]
                sun[row, column, channel] = total[3 + channel]


@njit(**KERNEL)
def _trace_ray(
    origin: Rgb,
    dx: float,
    dy: float,
    dz: float,
    light: _Sunlight,
    geometry: Geometry,
    pixel: NDArray[np.float64],
) -> None:
    """Radiance of one ray with one mirror bounce: pixel = ambient rgb, sun rgb, depth, upness."""
    ox, oy, oz = origin
    pixel[:] = 0.0
    weight = 1.0
    for bounce in range(2):
        hit = _nearest(ox, oy, oz, dx, dy, dz, geometry, MAX_DISTANCE)
        if bounce == 0:
            pixel[6] = hit.distance
            pixel[7] = hit.ny if hit.kind != _NOTHING else 0.0
        if hit.kind == _NOTHING:
            r, g, b = _sky_color(dx, dy, dz, light, geometry.cloud)
            pixel[0] += weight * r
            pixel[1] += weight * g
            pixel[2] += weight * b
            return
        x, y, z = ox + dx * hit.distance, oy + dy * hit.distance, oz + dz * hit.distance
        r, g, b, gloss, emission, openness = _surface(hit, x, y, z, geometry)
        facing = hit.nx * light.direction[0] + hit.ny * light.direction[1] + hit.nz * light.direction[2]
        lit = 0.0
        if facing > 0.0 and light.sun[0] > 0.01:
            shadow = _nearest(
                x + hit.nx * 0.01,
                y + hit.ny * 0.01,
                z + hit.nz * 0.01,
                light.direction[0],
                light.direction[1],
                light.direction[2],
                geometry,
                _SHADOW_DISTANCE,
            )
            if shadow.kind == _NOTHING or shadow.kind == _CEILING:
                lit = facing
        up = 0.5 + 0.5 * hit.ny
        mirror = 0.0
        if gloss > 0.0 and bounce == 0:
            grazing = 1.0 - max(0.0, -(hit.nx * dx + hit.ny * dy + hit.nz * dz))
            mirror = gloss * (0.15 + 0.85 * grazing**4)
        share = weight * (1.0 - mirror)
        for channel in range(3):
            albedo = r if channel == 0 else (g if channel == 1 else b)
            hemisphere = (light.ground[channel] * (1.0 - up) + light.sky[channel] * up) * openness
            pixel[channel] += share * (albedo * hemisphere + emission)
            pixel[3 + channel] += share * albedo * light.sun[channel] * lit
        if mirror < 0.01:
            return
        weight *= mirror
        k = 2.0 * (hit.nx * dx + hit.ny * dy + hit.nz * dz)
        ox, oy, oz = x + hit.nx * 0.01, y + hit.ny * 0.01, z + hit.nz * 0.01
        dx, dy, dz = dx - k * hit.nx, dy - k * hit.ny, dz - k * hit.nz


@njit(**KERNEL)
def _sky_color(dx: float, dy: float, dz: float, light: _Sunlight, cloud: float) -> Rgb:
    horizon = 0.55 + 0.6 * (1.0 - max(0.0, dy)) ** 3
    cover = 0.0
    if cloud > 0.0 and dy > 0.01:
        cover = cloud * smoothstep(-0.1, 0.35, fbm(dx / dy * 0.8, 0.3, dz / dy * 0.8, 3, 4))
    white = cover * (light.sky[0] + light.sky[1] + light.sky[2]) / 3.0 * 2.0
    clear = 1.6 * horizon * (1.0 - cover)
    return light.sky[0] * clear + white, light.sky[1] * clear + white, light.sky[2] * clear + white


@njit(**KERNEL)
def _surface(
    hit: _Hit, x: float, y: float, z: float, geometry: Geometry
) -> tuple[float, float, float, float, float, float]:
    """Material at a hit: r, g, b, gloss, emission, share of the hemisphere that is open."""
    if hit.kind == _GROUND:
        r, g, b, gloss = ground_texture(x, z, geometry.ground)
        return r, g, b, gloss, 0.0, _ground_openness(x, z, geometry) * _lamp_pool(x, z, geometry.lamps)
    if hit.kind == _BOX:
        box = geometry.boxes[hit.number]
        openness = 0.72 + 0.28 * min(1.0, y / 0.8)
        if hit.v < 0.0:
            return box.r, box.g, box.b, 0.0, 0.0, openness
        faces_z = abs(hit.nz * box.cos + hit.nx * box.sin) >= 0.5
        width = 2.0 * (box.hx if faces_z else box.hz)
        base = (box.r, box.g, box.b)
        r, g, b, gloss, emission = wall_texture(
            box.kind, hit.u, hit.v, width, 2.0 * box.hy, box.seed, box.scale, base
        )
        return r, g, b, gloss, emission, openness
    if hit.kind == _CYLINDER:
        cylinder = geometry.cylinders[hit.number]
        r, g, b = cylinder.r, cylinder.g, cylinder.b
        if cylinder.is_bark:
            tone = 0.75 + 0.5 * value_noise(hit.nx * 7.0, y * 3.0, hit.nz * 7.0, hit.number)
            tone += 0.3 * value_noise(hit.nx * 20.0, y * 9.0, hit.nz * 20.0, hit.number)
            r, g, b = r * tone, g * tone, b * tone
        elif cylinder.is_banded and 0.72 < y / cylinder.top < 0.86:
            r, g, b = 0.7, 0.7, 0.68
        return r, g, b, 0.0, 0.0, 0.65 + 0.35 * min(1.0, y / 0.4)
    if hit.kind == _FOLIAGE:
        leaves = geometry.foliage[hit.number]
        tone = max(0.15, (0.75 + 0.5 * hit.u) * (1.0 - 0.2 * hit.v))
        return leaves.r * tone, leaves.g * tone, leaves.b * tone, 0.0, 0.0, 1.0 - 0.17 * hit.v
    column, row = x / 2.4, z / 2.4  # ceiling panels, every one with a lamp
    is_lamp = abs(column - floor(column) - 0.5) < 0.18 and abs(row - floor(row) - 0.5) < 0.18
    return 0.7, 0.7, 0.68, 0.0, 2.5 if is_lamp else 0.0, 1.0


@njit(**KERNEL)
def _ground_openness(x: float, z: float, geometry: Geometry) -> float:
    """Contact shadows of walls, boxes and poles on the ground."""
    openness = 1.0
    for i in range(geometry.boxes.shape[0]):
        box = geometry.boxes[i]
        if box.cy - box.hy < 0.3:
            px, pz = x - box.cx, z - box.cz
            ex = max(0.0, abs(box.cos * px - box.sin * pz) - box.hx)
            ez = max(0.0, abs(box.sin * px + box.cos * pz) - box.hz)
            openness *= 1.0 - 0.5 * exp(-sqrt(ex * ex + ez * ez) / (0.12 + 0.25 * min(2.0, 2.0 * box.hy)))
    for i in range(geometry.cylinders.shape[0]):
        cylinder = geometry.cylinders[i]
        if cylinder.bottom < 0.2:
            gap = sqrt((x - cylinder.x) ** 2 + (z - cylinder.z) ** 2) - cylinder.radius
            openness *= 1.0 - 0.4 * exp(-max(0.0, gap) / (0.10 + cylinder.radius))
    return openness


@njit(**KERNEL)
def _lamp_pool(x: float, z: float, lamps: NDArray[Any]) -> float:
    if lamps.shape[0] == 0:
        return 1.0
    light = 0.62
    for i in range(lamps.shape[0]):
        lamp = lamps[i]
        light += lamp.strength / (1.0 + ((x - lamp.x) ** 2 + (z - lamp.z) ** 2) / lamp.spread)
    return light


@njit(**KERNEL)
def _nearest(
    ox: float, oy: float, oz: float, dx: float, dy: float, dz: float, geometry: Geometry, limit: float
) -> _Hit:
    best = _Hit(limit, _NOTHING, -1, 0.0, 1.0, 0.0, 0.0, 0.0)
    if dy < -1e-6:
        t = -oy / dy
        if 1e-3 < t < best.distance:
            best = _Hit(t, _GROUND, -1, 0.0, 1.0, 0.0, 0.0, 0.0)
    if geometry.ceiling > 0.0 and dy > 1e-6:
        t = (geometry.ceiling - oy) / dy
        if 1e-3 < t < best.distance:
            best = _Hit(t, _CEILING, -1, 0.0, -1.0, 0.0, 0.0, 0.0)
    for i in range(geometry.boxes.shape[0]):
        best = _meet_box(ox, oy, oz, dx, dy, dz, geometry.boxes[i], i, best)
    for i in range(geometry.cylinders.shape[0]):
        best = _meet_cylinder(ox, oy, oz, dx, dy, dz, geometry.cylinders[i], i, best)
    for i in range(geometry.foliage.shape[0]):
        best = _meet_foliage(ox, oy, oz, dx, dy, dz, geometry.foliage[i], i, best)
    return best


@njit(**KERNEL)
def _inverse(value: float) -> float:
    return 1.0 / (value if abs(value) > 1e-9 else 1e-9)


@njit(**KERNEL)
def _meet_box(
    ox: float, oy: float, oz: float, dx: float, dy: float, dz: float, box: Any, index: int, best: _Hit
) -> _Hit:
    """Slab test in the box's own frame."""
    c, s = box.cos, box.sin
    px, py, pz = ox - box.cx, oy - box.cy, oz - box.cz
    lx, lz = c * px - s * pz, s * px + c * pz
    ex, ez = c * dx - s * dz, s * dx + c * dz
    ix, iy, iz = _inverse(ex), _inverse(dy), _inverse(ez)
    x0, x1 = (-box.hx - lx) * ix, (box.hx - lx) * ix
    y0, y1 = (-box.hy - py) * iy, (box.hy - py) * iy
    z0, z1 = (-box.hz - lz) * iz, (box.hz - lz) * iz
    near_x, near_y, near_z = min(x0, x1), min(y0, y1), min(z0, z1)
    near = max(near_x, max(near_y, near_z))
    far = min(max(x0, x1), min(max(y0, y1), max(z0, z1)))
    if not (near < far and 1e-3 < near < best.distance):
        return best
    hx, hy, hz = lx + ex * near, py + dy * near, lz + ez * near
    if near == near_x:
        sign = -1.0 if ex > 0.0 else 1.0
        return _Hit(near, _BOX, index, c * sign, 0.0, -s * sign, hz + box.hz, hy + box.hy)
    if near == near_y:
        return _Hit(near, _BOX, index, 0.0, -1.0 if dy > 0.0 else 1.0, 0.0, hx + box.hx, -1.0)
    sign = -1.0 if ez > 0.0 else 1.0
    return _Hit(near, _BOX, index, s * sign, 0.0, c * sign, hx + box.hx, hy + box.hy)


@njit(**KERNEL)
def _meet_cylinder(
    ox: float,
    oy: float,
    oz: float,
    dx: float,
    dy: float,
    dz: float,
    cylinder: Any,
    index: int,
    best: _Hit,
) -> _Hit:
    px, pz = ox - cylinder.x, oz - cylinder.z
    a = dx * dx + dz * dz
    b = px * dx + pz * dz
    h = b * b - a * (px * px + pz * pz - cylinder.radius**2)
    if h <= 0.0:
        return best
    t = (-b - sqrt(h)) / a
    y = oy + dy * t
    if 1e-3 < t < best.distance and cylinder.bottom < y < cylinder.top:
        nx, nz = (px + dx * t) / cylinder.radius, (pz + dz * t) / cylinder.radius
        return _Hit(t, _CYLINDER, index, nx, 0.0, nz, nx, y)
    if dy < -1e-6:
        t = (cylinder.top - oy) / dy
        x, z = px + dx * t, pz + dz * t
        if 1e-3 < t < best.distance and x * x + z * z < cylinder.radius**2:
            return _Hit(t, _CYLINDER, index, 0.0, 1.0, 0.0, 0.0, cylinder.top)
    return best


@njit(**KERNEL)
def _meet_foliage(
    ox: float, oy: float, oz: float, dx: float, dy: float, dz: float, leaves: Any, index: int, best: _Hit
) -> _Hit:
    for shell in range(4):
        k = 1.0 - 0.16 * shell
        rx, ry, rz = leaves.rx * k, leaves.ry * k, leaves.rz * k
        px, py, pz = (ox - leaves.x) / rx, (oy - leaves.y) / ry, (oz - leaves.z) / rz
        ex, ey, ez = dx / rx, dy / ry, dz / rz
        a = ex * ex + ey * ey + ez * ez
        b = px * ex + py * ey + pz * ez
        h = b * b - a * (px * px + py * py + pz * pz - 1.0)
        if h <= 0.0:
            return best
        t = (-b - sqrt(h)) / a
        if t < 1e-3 or t > best.distance:
            continue
        x, y, z = ox + dx * t, oy + dy * t, oz + dz * t
        fill = value_noise(x * 6.0, y * 6.0, z * 6.0, leaves.seed)
        fill += 0.7 * value_noise(x * 19.0, y * 19.0, z * 19.0, leaves.seed + 1)
        if fill > 0.35 - leaves.density - 0.22 * shell:
            nx = px + ex * t + 0.9 * value_noise(x * 16.0, y * 16.0, z * 16.0, 5)
            ny = py + ey * t + 0.9 * value_noise(x * 16.0, y * 16.0, z * 16.0, 6)
            nz = pz + ez * t + 0.9 * value_noise(x * 16.0, y * 16.0, z * 16.0, 7)
            scale = 1.0 / (sqrt(nx * nx + ny * ny + nz * nz) + 1e-6)
            return _Hit(t, _FOLIAGE, index, nx * scale, ny * scale, nz * scale, fill, float(shell))
    return best
