"""Hash and value noise for numba kernels, and the options every kernel of this package is compiled with.

A cached kernel notices changes of its own file only: after editing a kernel, delete
``reid_core/synthetic/__pycache__/*.nb?`` so that its callers are compiled again.
"""

from __future__ import annotations

from math import floor
from typing import Any

from numba import njit

KERNEL: dict[str, Any] = {"fastmath": True, "cache": True, "error_model": "numpy", "nogil": True}
INLINE_KERNEL: dict[str, Any] = {"fastmath": True, "inline": "always", "error_model": "numpy"}


@njit(**INLINE_KERNEL)
def hash3(ix: int, iy: int, iz: int, seed: int) -> float:
    """A number in [0, 1] that depends on the lattice point and the seed only."""
    h = (ix * 73856093) ^ (iy * 19349663) ^ (iz * 83492791) ^ (seed * 2654435761)
    h = h & 0xFFFFFFFF
    h = ((h ^ (h >> 13)) * 1274126177) & 0xFFFFFFFF
    h = ((h ^ (h >> 15)) * 2246822519) & 0xFFFFFFFF
    return ((h ^ (h >> 16)) & 0xFFFF) * (1.0 / 65535.0)


@njit(**KERNEL)
def value_noise(x: float, y: float, z: float, seed: int) -> float:
    """Smooth noise in [-1, 1] with features about one unit wide."""
    fx = floor(x)
    fy = floor(y)
    fz = floor(z)
    ix = int(fx)
    iy = int(fy)
    iz = int(fz)
    x -= fx
    y -= fy
    z -= fz
    x = x * x * (3 - 2 * x)
    y = y * y * (3 - 2 * y)
    z = z * z * (3 - 2 * z)
    a = hash3(ix, iy, iz, seed)
    b = hash3(ix + 1, iy, iz, seed)
    c = hash3(ix, iy + 1, iz, seed)
    d = hash3(ix + 1, iy + 1, iz, seed)
    e = hash3(ix, iy, iz + 1, seed)
    f = hash3(ix + 1, iy, iz + 1, seed)
    g = hash3(ix, iy + 1, iz + 1, seed)
    h = hash3(ix + 1, iy + 1, iz + 1, seed)
    a += (b - a) * x
    c += (d - c) * x
    e += (f - e) * x
    g += (h - g) * x
    a += (c - a) * y
    e += (g - e) * y
    return float(2.0 * (a + (e - a) * z) - 1.0)


@njit(**KERNEL)
def fbm(x: float, y: float, z: float, seed: int, octaves: int) -> float:
    """Sum of ``octaves`` value noises, each twice as fine and half as strong as the one before."""
    total = 0.0
    weight = 0.5
    for octave in range(octaves):
        total += weight * value_noise(x, y, z, seed + octave)
        x = x * 2.03 + 17.1
        y = y * 2.03 + 3.7
        z = z * 2.03 + 9.2
        weight *= 0.5
    return total


@njit(**INLINE_KERNEL)
def smoothstep(start: float, end: float, x: float) -> float:
    """0 at ``start``, 1 at ``end``, smooth between them and constant outside; ``start`` may be the larger."""
    t = (x - start) / (end - start)
    t = min(1.0, max(0.0, t))
    return t * t * (3 - 2 * t)
