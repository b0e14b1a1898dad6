"""Render figures over a camera's background plate: sphere tracing of signed distances, one ray per pixel.

The plate holds what the empty scene sends to the camera, split into ambient and sun light, with depth: so a
crop costs no background, people are hidden by what stands before them, and they cast shadows on the ground.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import floor, sqrt

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from reid_core.errors import InputError
from reid_core.synthetic.colors import FloatArray
from reid_core.synthetic.noise import KERNEL
from reid_core.synthetic.primitives import (
    KIND_FACE,
    M_KIND,
    P_CAPSULE_A,
    P_CAPSULE_RADIUS,
    P_GROUP,
    P_MATERIAL,
    P_PERSON,
    Shapes,
)
from reid_core.synthetic.sdf import FAR, nearest_primitive
from reid_core.synthetic.shading import ambient_share, sun_shadow
from reid_core.synthetic.surface import NUM_SURFACE_FIELDS, S_GLOSS, S_SHEEN, S_SPECULAR, surface_at

Image32 = NDArray[np.float32]
IdImage = NDArray[np.int32]
IndexArray = NDArray[np.int64]

# Packed camera: position, forward, right, down (3 each), focal length, centre.
_C_FORWARD, _C_RIGHT, _C_DOWN, _C_FOCAL, _C_CENTER_X, _C_CENTER_Y = 3, 6, 9, 12, 13, 14
# Packed light: direction, sun, sky, ground (3 each), softness, occlusion, sun visibility.
_L_SUN, _L_SKY, _L_GROUND, _L_SOFTNESS, _L_OCCLUSION, _L_VISIBILITY = 3, 6, 9, 12, 13, 14
# Projected bound of a primitive: a capsule on the image (start, direction, 1 / length^2, radius), depths.
_B_U, _B_V, _B_DU, _B_DV, _B_INVERSE, _B_RADIUS, _B_NEAR, _B_FAR, _NUM_BOUND_FIELDS = range(9)

_TILE = 8
_MAX_STEPS = 48
_HIT_DISTANCE = 0.0012  # metres
_EDGE_PIXELS = 0.5  # a ray that misses by less still gets a share of the surface: smooth edges
_SHADOW_RANGE = 60.0  # metres from the camera up to which people shade the background
_SUN_FLOOR = 0.01  # sun red below this counts as no sun


@dataclass(frozen=True, eq=False)
class PinholeCamera:
    """A camera without distortion.

    Attributes:
        position, forward, right, down: (3,) world position and orthonormal axes.
        focal_px: Focal length in plate pixels.
        center_x, center_y: Principal point in plate pixels.
    """

    position: FloatArray
    forward: FloatArray
    right: FloatArray
    down: FloatArray
    focal_px: float
    center_x: float
    center_y: float

    def project(self, points: ArrayLike) -> FloatArray:
        """World points (..., 3) -> (..., 3): u and v in plate pixels, depth along the axis in metres."""
        offset = np.asarray(points, dtype=np.float64) - self.position
        depth = offset @ self.forward
        u = offset @ self.right / depth * self.focal_px + self.center_x
        v = offset @ self.down / depth * self.focal_px + self.center_y
        return np.stack([u, v, depth], axis=-1)

    def pack(self) -> FloatArray:
        """The (15,) array kernels read."""
        tail = [self.focal_px, self.center_x, self.center_y]
        return np.concatenate([self.position, self.forward, self.right, self.down, tail]).astype(np.float64)


def look_at(
    position: ArrayLike, target: ArrayLike, focal_px: float, width: int, height: int, roll: float = 0.0
) -> PinholeCamera:
    """A camera at ``position`` that has ``target`` in the middle of its ``width`` x ``height`` plate."""
    eye = np.asarray(position, dtype=np.float64)
    forward = np.asarray(target, dtype=np.float64) - eye
    forward = forward / np.linalg.norm(forward)
    right = np.cross(forward, np.array([0.0, 1.0, 0.0]))
    right = right / np.linalg.norm(right)
    down = np.cross(forward, right)
    cos, sin = np.cos(roll), np.sin(roll)
    return PinholeCamera(
        eye, forward, cos * right + sin * down, cos * down - sin * right, focal_px, width / 2, height / 2
    )


@dataclass(frozen=True)
class Light:
    """Sun, sky and ground light; colours are linear RGB, 1.0 is about a white surface's full exposure.

    Attributes:
        direction: Unit vector that points to the sun.
        softness: Tangent of the sun's half angle; 0.03 clear, 0.3 overcast.
        occlusion: Strength of ambient occlusion.
        sun_visibility: Share of sun that reaches the place the person stands on, in [0, 1].
    """

    direction: tuple[float, float, float]
    sun: tuple[float, float, float]
    sky: tuple[float, float, float]
    ground: tuple[float, float, float]
    softness: float
    occlusion: float
    sun_visibility: float = 1.0

    def pack(self) -> FloatArray:
        """The (15,) array kernels read."""
        tail = (self.softness, self.occlusion, self.sun_visibility)
        return np.array([*self.direction, *self.sun, *self.sky, *self.ground, *tail], dtype=np.float64)


@dataclass(frozen=True, eq=False)
class Plate:
    """The empty scene: linear ``ambient`` and ``sun`` (H, W, 3), ``depth`` along rays and ``upness`` (H, W).

    ``upness`` is the y component of the normal; people occlude sky light only where it is above 0.5.
    """

    ambient: Image32
    sun: Image32
    depth: Image32
    upness: Image32

    def __post_init__(self) -> None:
        shape = self.depth.shape
        for name in ("ambient", "sun", "depth", "upness"):
            value = getattr(self, name)
            expected = (*shape, 3) if name in ("ambient", "sun") else shape
            if value.shape != expected or value.dtype != np.float32 or len(shape) != 2:
                raise InputError(
                    f"Plate.{name} has shape {value.shape} and type {value.dtype}, expected {expected} "
                    "float32 to fit Plate.depth (H, W)."
                )
            object.__setattr__(self, name, np.ascontiguousarray(value))


@dataclass(frozen=True)
class Window:
    """Rectangle of the plate in plate pixels, and the ``width`` x ``height`` pixel grid it is sampled on."""

    left: float
    top: float
    right: float
    bottom: float
    width: int
    height: int

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1 or self.right <= self.left or self.bottom <= self.top:
            raise InputError(
                f"{self} is empty, expected right > left, bottom > top and at least one pixel each way."
            )


@dataclass(frozen=True, eq=False)
class Rendering:
    """``radiance`` (h, w, 3) linear, ``person_ids`` (h, w) with 0 for background, ``depth`` (h, w) along the
    ray.
    """

    radiance: Image32
    person_ids: IdImage
    depth: Image32


def render(shapes: Shapes, camera: PinholeCamera, light: Light, plate: Plate, window: Window) -> Rendering:
    """Draw ``shapes`` over ``plate`` as ``camera`` sees them inside ``window``.

    Deterministic on one machine. Releases the GIL, so threads can render different crops at the same time.
    """
    size = (window.height, window.width)
    radiance = np.empty((*size, 3), dtype=np.float32)
    person_ids = np.zeros(size, dtype=np.int32)
    depth = np.empty(size, dtype=np.float32)
    step_x = (window.right - window.left) / window.width
    step_y = (window.bottom - window.top) / window.height
    grid = np.array([window.left, window.top, step_x, step_y], dtype=np.float64)
    _render(
        shapes.primitives, shapes.profiles, shapes.materials, shapes.proxies, camera.pack(), light.pack(),
        grid, plate.ambient, plate.sun, plate.depth, plate.upness, radiance, person_ids, depth,
    )  # fmt: skip
    return Rendering(radiance, person_ids, depth)


@njit(**KERNEL)
def _project_bounds(primitives: FloatArray, camera: FloatArray, grid: FloatArray, bounds: FloatArray) -> None:
    """Project every primitive's bounding capsule into the pixel grid; radius -1 for what is behind the
    camera.
    """
    focal = camera[_C_FOCAL]
    for i in range(primitives.shape[0]):
        radius = primitives[i, P_CAPSULE_RADIUS]
        bounds[i, _B_NEAR] = FAR
        bounds[i, _B_FAR] = 0.0
        bounds[i, _B_RADIUS] = 0.0
        for end in range(2):
            column = P_CAPSULE_A + 3 * end
            dx = primitives[i, column] - camera[0]
            dy = primitives[i, column + 1] - camera[1]
            dz = primitives[i, column + 2] - camera[2]
            depth = dx * camera[_C_FORWARD] + dy * camera[_C_FORWARD + 1] + dz * camera[_C_FORWARD + 2]
            if depth < radius + 0.1:
                bounds[i, _B_RADIUS] = -1.0
                break
            distance = sqrt(dx * dx + dy * dy + dz * dz)
            bounds[i, _B_NEAR] = min(bounds[i, _B_NEAR], distance - radius)
            bounds[i, _B_FAR] = max(bounds[i, _B_FAR], distance + radius)
            right = dx * camera[_C_RIGHT] + dy * camera[_C_RIGHT + 1] + dz * camera[_C_RIGHT + 2]
            down = dx * camera[_C_DOWN] + dy * camera[_C_DOWN + 1] + dz * camera[_C_DOWN + 2]
            u = (right / depth * focal + camera[_C_CENTER_X] - grid[0]) / grid[2]
            v = (down / depth * focal + camera[_C_CENTER_Y] - grid[1]) / grid[3]
            if end == 0:
                bounds[i, _B_U] = u
                bounds[i, _B_V] = v
            else:
                bounds[i, _B_DU] = u - bounds[i, _B_U]
                bounds[i, _B_DV] = v - bounds[i, _B_V]
            pixels = radius / (depth - radius) * focal / min(grid[2], grid[3]) * 1.04 + 1.0
            bounds[i, _B_RADIUS] = max(bounds[i, _B_RADIUS], pixels)
        bounds[i, _B_INVERSE] = 1.0 / (bounds[i, _B_DU] ** 2 + bounds[i, _B_DV] ** 2 + 1e-9)


@njit(**KERNEL)
def _squared_distance_to_bound(bounds: FloatArray, i: int, u: float, v: float) -> float:
    wu = u - bounds[i, _B_U]
    wv = v - bounds[i, _B_V]
    t = min(1.0, max(0.0, (wu * bounds[i, _B_DU] + wv * bounds[i, _B_DV]) * bounds[i, _B_INVERSE]))
    wu -= t * bounds[i, _B_DU]
    wv -= t * bounds[i, _B_DV]
    return float(wu * wu + wv * wv)


@njit(**KERNEL)
def _background(
    u: float, v: float, px: float, py: float, pz: float, distance: float, proxies: FloatArray,
    light: FloatArray, ambient: Image32, sun: Image32, upness: Image32, out: FloatArray,
) -> None:  # fmt: skip
    """Plate colour at plate pixel (u, v), world point (px, py, pz), with the shadows people cast on it."""
    bu = min(ambient.shape[1] - 1.001, max(0.0, u - 0.5))
    bv = min(ambient.shape[0] - 1.001, max(0.0, v - 0.5))
    iu = int(bu)
    iv = int(bv)
    fu = bu - iu
    fv = bv - iv
    sun_share = 1.0
    ambient_left = 1.0
    if distance < _SHADOW_RANGE and proxies.shape[0] > 0:
        near = FAR
        for q in range(0, proxies.shape[0], 4):
            near = min(near, (px - proxies[q, 0]) ** 2 + (pz - proxies[q, 2]) ** 2)
        if upness[int(bv + 0.5), int(bu + 0.5)] > 0.5 and near < 1.2:
            ambient_left = ambient_share(proxies, px, py, pz, 0.0, 1.0, 0.0, False, light[_L_OCCLUSION])
        if light[_L_SUN] > _SUN_FLOOR and near < (2.2 / max(0.25, light[1])) ** 2:
            sun_share = sun_shadow(proxies, px, py, pz, light[0], light[1], light[2], light[_L_SOFTNESS])
    w00 = (1 - fu) * (1 - fv)
    w10 = fu * (1 - fv)
    w01 = (1 - fu) * fv
    w11 = fu * fv
    for c in range(3):
        out[c] = ambient_left * (
            ambient[iv, iu, c] * w00
            + ambient[iv, iu + 1, c] * w10
            + ambient[iv + 1, iu, c] * w01
            + ambient[iv + 1, iu + 1, c] * w11
        ) + sun_share * (
            sun[iv, iu, c] * w00
            + sun[iv, iu + 1, c] * w10
            + sun[iv + 1, iu, c] * w01
            + sun[iv + 1, iu + 1, c] * w11
        )


@njit(**KERNEL)
def _shade(
    primitives: FloatArray, profiles: FloatArray, materials: FloatArray, proxies: FloatArray,
    light: FloatArray, candidates: IndexArray, count: int, group: IndexArray, i: int, px: float, py: float,
    pz: float, dx: float, dy: float, dz: float, epsilon: float, surface: FloatArray, out: FloatArray,
) -> None:  # fmt: skip
    """Light that primitive ``i`` sends from (px, py, pz) against the ray direction (dx, dy, dz)."""
    members = 0
    for j in range(count):  # only the blend group of the hit shapes the normal
        if primitives[candidates[j], P_GROUP] == primitives[i, P_GROUP]:
            group[members] = candidates[j]
            members += 1
    e = epsilon
    d1, _ = nearest_primitive(primitives, profiles, group, members, px + e, py - e, pz - e)
    d2, _ = nearest_primitive(primitives, profiles, group, members, px - e, py - e, pz + e)
    d3, _ = nearest_primitive(primitives, profiles, group, members, px - e, py + e, pz - e)
    d4, _ = nearest_primitive(primitives, profiles, group, members, px + e, py + e, pz + e)
    nx = d1 - d2 - d3 + d4
    ny = -d1 - d2 + d3 + d4
    nz = -d1 + d2 - d3 + d4
    scale = 1.0 / (sqrt(nx * nx + ny * ny + nz * nz) + 1e-12)
    nx *= scale
    ny *= scale
    nz *= scale
    surface_at(primitives[i], materials, px, py, pz, surface)
    is_skin = materials[int(primitives[i, P_MATERIAL]), M_KIND] <= KIND_FACE
    sun_x = light[0]
    sun_y = light[1]
    sun_z = light[2]
    facing_sun = nx * sun_x + ny * sun_y + nz * sun_z
    ambient = ambient_share(proxies, px, py, pz, nx, ny, nz, True, light[_L_OCCLUSION])
    gap, _ = nearest_primitive(
        primitives, profiles, candidates, count, px + nx * 0.03, py + ny * 0.03, pz + nz * 0.03
    )
    ambient *= 0.55 + 0.45 * min(1.0, max(0.0, gap / 0.03))  # creases are dark
    sun_share = 0.0
    if light[_L_SUN] > _SUN_FLOOR and facing_sun > -0.3:
        sun_share = light[_L_VISIBILITY] * sun_shadow(
            proxies, px + nx * 0.01, py + ny * 0.01, pz + nz * 0.01, sun_x, sun_y, sun_z, light[_L_SOFTNESS]
        )
    upward = 0.5 + 0.5 * ny
    hx = sun_x - dx
    hy = sun_y - dy
    hz = sun_z - dz
    half = max(0.0, (nx * hx + ny * hy + nz * hz) / (sqrt(hx * hx + hy * hy + hz * hz) + 1e-9))
    highlight = surface[S_SPECULAR] * half ** surface[S_GLOSS] * sun_share if facing_sun > 0 else 0.0
    facing_camera = max(0.0, -(nx * dx + ny * dy + nz * dz))
    rim = (1 - facing_camera) ** 3
    mirrored_y = dy + 2 * facing_camera * ny
    for c in range(3):
        diffuse = max(0.0, facing_sun)
        if is_skin:  # light spreads under skin, red furthest
            wrap = 0.22 if c == 0 else (0.10 if c == 1 else 0.06)
            diffuse = max(0.0, (facing_sun + wrap) / (1 + wrap))
        around = (light[_L_GROUND + c] * (1 - upward) + light[_L_SKY + c] * upward) * ambient
        value = surface[c] * (light[_L_SUN + c] * diffuse * sun_share + around)
        value += highlight * light[_L_SUN + c]
        value += rim * surface[S_SHEEN] * (0.35 * surface[c] + 0.04) * around
        if surface[S_SPECULAR] > 0.05:
            mirrored = light[_L_SKY + c] if mirrored_y > 0 else light[_L_GROUND + c] * 0.5
            value += (0.04 + 0.6 * rim) * surface[S_SPECULAR] * mirrored * ambient
        out[c] = value


@njit(**KERNEL)
def _render(
    primitives: FloatArray, profiles: FloatArray, materials: FloatArray, proxies: FloatArray,
    camera: FloatArray, light: FloatArray, grid: FloatArray, plate_ambient: Image32, plate_sun: Image32,
    plate_depth: Image32, plate_upness: Image32, radiance: Image32, person_ids: IdImage, depth: Image32,
) -> None:  # fmt: skip
    count = primitives.shape[0]
    height, width = person_ids.shape
    focal = camera[_C_FOCAL]
    pixel_angle = grid[2] / focal
    bounds = np.zeros((count, _NUM_BOUND_FIELDS))
    _project_bounds(primitives, camera, grid, bounds)
    tile_list = np.empty(count, np.int64)
    pixel_list = np.empty(count, np.int64)
    group_list = np.empty(count, np.int64)
    surface = np.empty(NUM_SURFACE_FIELDS)
    behind = np.empty(3)
    color = np.empty(3)
    for tile_y in range(0, height, _TILE):
        for tile_x in range(0, width, _TILE):
            in_tile = 0
            for i in range(count):
                reach = bounds[i, _B_RADIUS] + 0.71 * _TILE
                distance2 = _squared_distance_to_bound(bounds, i, tile_x + 0.5 * _TILE, tile_y + 0.5 * _TILE)
                if bounds[i, _B_RADIUS] > 0 and distance2 < reach * reach:
                    tile_list[in_tile] = i
                    in_tile += 1
            for y in range(tile_y, min(tile_y + _TILE, height)):
                for x in range(tile_x, min(tile_x + _TILE, width)):
                    u = grid[0] + (x + 0.5) * grid[2]
                    v = grid[1] + (y + 0.5) * grid[3]
                    right = (u - camera[_C_CENTER_X]) / focal
                    down = (v - camera[_C_CENTER_Y]) / focal
                    dx = camera[_C_FORWARD] + camera[_C_RIGHT] * right + camera[_C_DOWN] * down
                    dy = camera[_C_FORWARD + 1] + camera[_C_RIGHT + 1] * right + camera[_C_DOWN + 1] * down
                    dz = camera[_C_FORWARD + 2] + camera[_C_RIGHT + 2] * right + camera[_C_DOWN + 2] * down
                    scale = 1.0 / sqrt(dx * dx + dy * dy + dz * dz)
                    dx *= scale
                    dy *= scale
                    dz *= scale
                    iv = int(min(plate_depth.shape[0] - 1.0, max(0.0, floor(v))))
                    iu = int(min(plate_depth.shape[1] - 1.0, max(0.0, floor(u))))
                    limit = float(plate_depth[iv, iu])
                    _background(
                        u, v, camera[0] + dx * limit, camera[1] + dy * limit, camera[2] + dz * limit, limit,
                        proxies, light, plate_ambient, plate_sun, plate_upness, behind,
                    )  # fmt: skip
                    for c in range(3):
                        radiance[y, x, c] = behind[c]
                    person_ids[y, x] = 0
                    depth[y, x] = limit
                    in_pixel = 0
                    start = FAR
                    end = 0.0
                    for j in range(in_tile):
                        i = tile_list[j]
                        if (
                            _squared_distance_to_bound(bounds, i, x + 0.5, y + 0.5)
                            < bounds[i, _B_RADIUS] ** 2
                        ):
                            pixel_list[in_pixel] = i
                            in_pixel += 1
                            start = min(start, bounds[i, _B_NEAR])
                            end = max(end, bounds[i, _B_FAR])
                    if in_pixel == 0:
                        continue
                    # March; the closest pass, in pixels, decides how much of the pixel an edge covers.
                    end = min(end, limit)
                    t = max(0.05, start)
                    closest = FAR
                    closest_t = 0.0
                    closest_index = -1
                    is_hit = False
                    for _ in range(_MAX_STEPS):
                        d, i = nearest_primitive(
                            primitives, profiles, pixel_list, in_pixel,
                            camera[0] + dx * t, camera[1] + dy * t, camera[2] + dz * t,
                        )  # fmt: skip
                        missed_by = d / (t * pixel_angle)
                        if missed_by < closest:
                            closest = missed_by
                            closest_t = t
                            closest_index = i
                        if d < _HIT_DISTANCE:
                            is_hit = True
                            break
                        t += max(d * (0.85 if d < 0.08 else 0.97), 0.001)
                        if t > end:
                            break
                    if closest_index < 0 or closest_t > limit or (closest > _EDGE_PIXELS and not is_hit):
                        continue
                    if t > end and closest_t >= end:
                        continue
                    cover = 1.0 if (is_hit or closest < 0.0) else 1.0 - closest / _EDGE_PIXELS
                    _shade(
                        primitives, profiles, materials, proxies, light, pixel_list, in_pixel, group_list,
                        closest_index, camera[0] + dx * closest_t, camera[1] + dy * closest_t,
                        camera[2] + dz * closest_t, dx, dy, dz, max(0.0035, 0.55 * pixel_angle * closest_t),
                        surface, color,
                    )  # fmt: skip
                    for c in range(3):
                        radiance[y, x, c] = behind[c] * (1 - cover) + color[c] * cover
                    if cover >= 0.5:
                        person_ids[y, x] = int(primitives[closest_index, P_PERSON])
                        depth[y, x] = closest_t
