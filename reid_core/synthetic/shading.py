"""Sun shadows and ambient occlusion from capsule proxies, for numba kernels."""

from __future__ import annotations

from math import exp, sqrt

import numpy as np
from numba import njit
from numpy.typing import NDArray

from reid_core.synthetic.noise import KERNEL, smoothstep

Array = NDArray[np.float64]


@njit(**KERNEL)
def sun_shadow(
    proxies: Array, px: float, py: float, pz: float, sx: float, sy: float, sz: float, softness: float
) -> float:
    """Share of sunlight in [0, 1] that reaches a point past all capsules; (sx, sy, sz) points to the sun.

    ``softness`` widens the penumbra with the distance to the caster (tangent of the sun's half angle).
    """
    light = 1.0
    for q in range(proxies.shape[0]):
        ax = proxies[q, 0]
        ay = proxies[q, 1]
        az = proxies[q, 2]
        bx = proxies[q, 3] - ax
        by = proxies[q, 4] - ay
        bz = proxies[q, 5] - az
        radius = proxies[q, 6]
        wx = px - ax
        wy = py - ay
        wz = pz - az
        bb = bx * bx + by * by + bz * bz + 1e-9
        wb = wx * bx + wy * by + wz * bz
        t = min(1.0, max(0.0, wb / bb))
        ox = wx - t * bx
        oy = wy - t * by
        oz = wz - t * bz
        # A part does not shade itself: its proxy is only a rough copy of it.
        if ox * ox + oy * oy + oz * oz < radius * radius * 2.2:
            continue
        bs = bx * sx + by * sy + bz * sz
        ws = wx * sx + wy * sy + wz * sz
        denominator = bb - bs * bs
        t = (wb - bs * ws) / denominator if denominator > 1e-6 else 0.5
        t = min(1.0, max(0.0, t))
        toward_sun = t * bs - ws
        if toward_sun <= 0:
            continue
        ex = wx + toward_sun * sx - t * bx
        ey = wy + toward_sun * sy - t * by
        ez = wz + toward_sun * sz - t * bz
        penumbra = softness * toward_sun + 0.012
        light *= smoothstep(radius - penumbra, radius + penumbra, sqrt(ex * ex + ey * ey + ez * ez))
        if light < 0.01:
            return 0.0
    return light


@njit(**KERNEL)
def ambient_share(
    proxies: Array,
    px: float,
    py: float,
    pz: float,
    nx: float,
    ny: float,
    nz: float,
    skip_own: bool,
    strength: float,
) -> float:
    """Share of sky and ground light in (0, 1] that capsules leave to a surface point with normal (nx, ny,
    nz).
    """
    occlusion = 0.0
    for q in range(proxies.shape[0]):
        ax = proxies[q, 0]
        ay = proxies[q, 1]
        az = proxies[q, 2]
        bx = proxies[q, 3] - ax
        by = proxies[q, 4] - ay
        bz = proxies[q, 5] - az
        radius = proxies[q, 6]
        wx = px - ax
        wy = py - ay
        wz = pz - az
        bb = bx * bx + by * by + bz * bz + 1e-9
        t = min(1.0, max(0.0, (wx * bx + wy * by + wz * bz) / bb))
        ox = t * bx - wx
        oy = t * by - wy
        oz = t * bz - wz
        d = sqrt(ox * ox + oy * oy + oz * oz)
        if d > 6 * radius + 0.3 or (skip_own and d < radius * 1.4):
            continue
        facing = (ox * nx + oy * ny + oz * nz) / (d + 1e-6)
        if facing < -0.2:
            continue
        size = radius / max(d, radius)
        occlusion += (facing * 0.83 + 0.17) * size * size
    return exp(-strength * occlusion)
