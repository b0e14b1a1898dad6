"""Backgrounds that have nothing to do with the camera: a net trained on them learns to look at the person."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from reid_core.synthetic.filters import FloatImage, gaussian_blur, resize
from reid_core.synthetic.render import Plate
from reid_core.synthetic.scene import Scene

_FAR = 1e3


def random_backdrop(
    shape: tuple[int, ...], median_luminance: float, scenes: Sequence[Scene], rng: np.random.Generator
) -> Plate:
    """A plate of (H, W) pixels that hides nobody: a piece of another scene, a gradient, or blurred noise.

    Args:
        shape: Height and width.
        median_luminance: Luminance of the scene that the person is lit by; the backdrop stays near it.
        scenes: Other scenes to cut pieces from; may be empty.
        rng: Draws everything.
    """
    height, width = int(shape[0]), int(shape[1])
    choice = float(rng.random())
    if choice < 0.6 and scenes:
        picture = _piece_of(scenes[int(rng.integers(len(scenes)))], height, width, rng)
    elif choice < 0.8:
        picture = _gradient(height, width, rng)
    else:
        picture = _blurred_noise(height, width, rng)
    level = median_luminance * float(np.exp(rng.normal(0, 0.5))) / max(float(np.median(picture)), 1e-3)
    return Plate(
        ambient=np.ascontiguousarray(picture * np.float32(min(level, 20.0))),
        sun=np.zeros((height, width, 3), np.float32),
        depth=np.full((height, width), _FAR, np.float32),
        upness=np.zeros((height, width), np.float32),
    )


def _piece_of(scene: Scene, height: int, width: int, rng: np.random.Generator) -> FloatImage:
    piece_height = int(min(scene.height, max(16, height * rng.uniform(0.5, 2.0))))
    piece_width = int(min(scene.width, max(16, width * rng.uniform(0.5, 2.0))))
    top = int(rng.integers(0, scene.height - piece_height + 1))
    left = int(rng.integers(0, scene.width - piece_width + 1))
    part = np.s_[top : top + piece_height, left : left + piece_width]
    picture = scene.ambient[part].astype(np.float32) + scene.sun[part].astype(np.float32)
    if rng.random() < 0.5:
        picture = picture[:, ::-1]
    if rng.random() < 0.2:
        picture = picture[..., rng.permutation(3)]
    return resize(np.ascontiguousarray(picture), width, height)


def _gradient(height: int, width: int, rng: np.random.Generator) -> FloatImage:
    corners = rng.uniform(0.05, 1.0, (2, 2, 1)) * rng.uniform(0.6, 1.0, (2, 2, 3))
    return resize(corners.astype(np.float32), width, height)


def _blurred_noise(height: int, width: int, rng: np.random.Generator) -> FloatImage:
    total = np.full((height, width, 3), 0.4, np.float32)
    for cells in (3, 9, 27):
        grid = rng.normal(0, 0.3, (cells, max(2, cells // 2), 3)) * 0.4 + rng.normal(
            0, 0.3, (cells, max(2, cells // 2), 1)
        )
        total += resize(grid.astype(np.float32), width, height) * np.float32(3.0 / (cells + 3) ** 0.5 * 0.5)
    smooth = gaussian_blur(total, float(rng.uniform(0.5, 4.0)))
    return np.clip(smooth, 0.02, 1.5).astype(np.float32)
