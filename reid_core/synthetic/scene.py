"""Build the empty scene of one camera: where it stands, what it sees, how it is lit; then render its plate.

Eight kinds of place, five times of day; everything else is drawn from the scene's seed. The plate is kept in
half precision, 13 bytes a pixel, so that a hundred cameras fit into memory.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reid_core.errors import InputError
from reid_core.seeds import rng_for
from reid_core.synthetic.raytrace import BOX, CYLINDER, FOLIAGE, LAMP, Geometry, PlateSize, render_plate
from reid_core.synthetic.render import Light, PinholeCamera, Plate, Window, look_at, render
from reid_core.synthetic.scene_layout import Layout, furnish
from reid_core.synthetic.textures import Rgb

SceneKind = Literal["plaza", "street", "park", "mall", "crossing", "station", "shopfront", "courtyard"]
TimeOfDay = Literal["sun", "overcast", "lowsun", "dusk", "indoor"]
INDOOR_KINDS = frozenset({"mall", "station"})

_LUMINANCE = np.array([0.2126, 0.7152, 0.0722], dtype=np.float32)
_HALF_MAX = 6e4
_CLEAR_M = 4.5
"""Nothing stands nearer to the camera than this: it would fill the picture."""
_PLATE_ARRAYS = ("ambient", "sun", "depth", "upness")


@dataclass(frozen=True)
class SceneSpec:
    """Everything that decides a scene; equal specs give equal scenes."""

    kind: SceneKind
    time_of_day: TimeOfDay
    seed: int
    width: int = 960
    height: int = 540
    rays_per_side: int = 1
    camera_height_m: tuple[float, float] = (2.6, 5.2)
    """The camera hangs at a height drawn from this range; indoors never above 3.2 m."""
    distance_m: tuple[float, float] = (7.0, 10.5)
    """How far ahead the camera looks at people."""
    view_width: tuple[float, float] = (0.64, 1.02)
    """Focal length as a share of the plate's width: small is wide."""
    roll_rad: float = 0.02
    is_backlit: bool = False
    """The sun stands low behind the people."""


@dataclass(frozen=True)
class Scene:
    """One camera's empty scene. People are rendered into a window of its plate."""

    spec: SceneSpec
    camera: PinholeCamera
    light: Light
    geometry: Geometry
    distance_m: float
    walking_axis: float
    """Yaw along which most people walk."""
    ambient: NDArray[np.float16]
    sun: NDArray[np.float16]
    depth: NDArray[np.float32]
    upness: NDArray[np.int8]
    """(H, W) upward part of the surface normal, times 100."""
    median_luminance: float
    bright_luminance: float
    """The 95th percentile of the plate's luminance without the sky: what exposure must not clip."""

    @property
    def width(self) -> int:
        """Width of the plate in pixels."""
        return int(self.depth.shape[1])

    @property
    def height(self) -> int:
        """Height of the plate in pixels."""
        return int(self.depth.shape[0])

    def view(self, left: float, top: float, right: float, bottom: float) -> PlateView:
        """The part of the plate that a crop needs, and the camera in that part's pixels."""
        x0, y0 = max(0, int(left) - 2), max(0, int(top) - 2)
        x1, y1 = min(self.width, int(right) + 4), min(self.height, int(bottom) + 4)
        part = np.s_[y0:y1, x0:x1]
        plate = Plate(
            ambient=self.ambient[part].astype(np.float32),
            sun=self.sun[part].astype(np.float32),
            depth=np.ascontiguousarray(self.depth[part]),
            upness=self.upness[part].astype(np.float32) * np.float32(0.01),
        )
        camera = replace(self.camera, center_x=self.camera.center_x - x0, center_y=self.camera.center_y - y0)
        return PlateView(plate, camera, float(x0), float(y0))

    def sun_share(self, point: ArrayLike) -> float:
        """How much of the sun reaches a point of the ground, 0 (in shadow) to 1."""
        u, v, _ = self.camera.project(np.asarray(point, dtype=np.float64))
        column = int(np.clip(u, 2, self.width - 3))
        row = int(np.clip(v, 2, self.height - 3))
        part = np.s_[row - 2 : row + 3, column - 2 : column + 3]
        sun, ambient = float(self.sun[part].mean()), float(self.ambient[part].mean())
        direct = float(self.light.sun[0]) * max(float(self.light.direction[1]), 0.05)
        full = direct / (direct + float(self.light.sky[0]))
        return float(np.clip(sun / (sun + ambient + 1e-9) / (0.75 * full + 1e-6), 0.0, 1.0))


@dataclass(frozen=True)
class PlateView:
    """A part of a plate with the camera in its pixels; ``offset`` is the part's place in the whole plate."""

    plate: Plate
    camera: PinholeCamera
    offset_x: float
    offset_y: float


@dataclass(frozen=True)
class _Stage:
    """A scene before its plate is rendered: cheap to rebuild from the spec."""

    camera: PinholeCamera
    light: Light
    geometry: Geometry
    layout: Layout
    distance_m: float
    walking_axis: float


def build_scene(spec: SceneSpec) -> Scene:
    """Lay out, light and render the scene that ``spec`` describes (0.3 to 0.6 s at 960 x 540)."""
    stage = _set_stage(spec)
    size = PlateSize(spec.width, spec.height, spec.rays_per_side)
    plate = render_plate(stage.geometry, stage.camera, stage.light, size)
    plate = _render_cars(plate, stage)
    return _finish(
        spec,
        stage,
        ambient=np.minimum(plate.ambient, _HALF_MAX).astype(np.float16),
        sun=np.minimum(plate.sun, _HALF_MAX).astype(np.float16),
        depth=plate.depth,
        upness=np.round(plate.upness * 100).astype(np.int8),
    )


def save_plate(scene: Scene, folder: Path) -> None:
    """Write the plate's arrays into ``folder``, for ``load_scene``."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in _PLATE_ARRAYS:
        np.save(folder / f"{name}.npy", getattr(scene, name))


def load_scene(spec: SceneSpec, folder: Path) -> Scene:
    """The scene of ``spec`` with its plate mapped from ``folder``: processes share the memory.

    Raises:
        InputError: A file is missing or has another size than ``spec`` says.
    """
    arrays = {}
    for name in _PLATE_ARRAYS:
        path = folder / f"{name}.npy"
        try:
            arrays[name] = np.load(path, mmap_mode="r")
        except (OSError, ValueError) as error:
            raise InputError(
                f"{path} cannot be read ({error}). Delete {folder} to render it again."
            ) from None
        if arrays[name].shape[:2] != (spec.height, spec.width):
            raise InputError(
                f"{path} is {arrays[name].shape[1]} x {arrays[name].shape[0]}, expected {spec.width} x "
                f"{spec.height}. Delete {folder} to render it again."
            )
    return _finish(spec, _set_stage(spec), **arrays)


def _set_stage(spec: SceneSpec) -> _Stage:
    rng = rng_for(spec.seed, "scene", spec.kind)
    distance = float(rng.uniform(*spec.distance_m))
    camera = _place_camera(spec, distance, rng)
    light, cloud = _light_for(spec, rng)
    layout = Layout(is_indoor=spec.kind in INDOOR_KINDS)
    ground = furnish(layout, spec.kind, distance, rng)
    geometry = Geometry(
        boxes=np.array(layout.boxes, dtype=BOX),
        cylinders=np.array([c for c in layout.cylinders if c[1] > _CLEAR_M], dtype=CYLINDER),
        foliage=np.array([f for f in layout.foliage if f[2] - f[5] > _CLEAR_M - 1], dtype=FOLIAGE),
        lamps=np.array(layout.lamps, dtype=LAMP),
        ground=ground,
        ceiling=layout.ceiling_m,
        cloud=cloud,
    )
    axis = float(rng.choice([0.0, np.pi / 2, np.pi / 4, -np.pi / 4]) + rng.normal(0, 0.1))
    return _Stage(camera, light, geometry, layout, distance, axis)


def _finish(
    spec: SceneSpec,
    stage: _Stage,
    *,
    ambient: NDArray[np.float16],
    sun: NDArray[np.float16],
    depth: NDArray[np.float32],
    upness: NDArray[np.int8],
) -> Scene:
    below_sky = np.s_[spec.height // 5 :: 3, ::3]
    luminance = (ambient[below_sky].astype(np.float32) + sun[below_sky]) @ _LUMINANCE
    return Scene(
        spec=spec,
        camera=stage.camera,
        light=stage.light,
        geometry=stage.geometry,
        distance_m=stage.distance_m,
        walking_axis=stage.walking_axis,
        ambient=ambient,
        sun=sun,
        depth=depth,
        upness=upness,
        median_luminance=float(np.median(luminance)),
        bright_luminance=float(np.percentile(luminance, 95)),
    )


def _place_camera(spec: SceneSpec, distance: float, rng: np.random.Generator) -> PinholeCamera:
    height = float(rng.uniform(*spec.camera_height_m))
    if spec.kind in INDOOR_KINDS:
        height = min(height, float(rng.uniform(2.4, 2.9)))
    focal = float(rng.uniform(*spec.view_width)) * spec.width
    target = np.array([rng.normal(0, 0.3), rng.uniform(0.6, 1.1), distance])
    roll = float(rng.normal(0, spec.roll_rad))
    return look_at(np.array([0.0, height, 0.0]), target, focal, spec.width, spec.height, roll=roll)


_ELEVATION = {
    "sun": (0.6, 1.15),
    "lowsun": (0.28, 0.5),
    "overcast": (1.2, 1.2),
    "dusk": (0.5, 0.5),
    "indoor": (1.3, 1.3),
}
_LIGHTING: dict[
    str, tuple[Rgb, Rgb, Rgb, float, float, float]
] = {  # sun, sky, ground bounce (linear RGB), softness of shadows, strength of contact shadows, cloud
    "sun": ((2.3, 2.15, 1.9), (0.50, 0.60, 0.78), (0.30, 0.28, 0.25), 0.03, 1.1, 0.4),
    "lowsun": ((2.3, 1.75, 1.15), (0.45, 0.52, 0.66), (0.30, 0.26, 0.21), 0.03, 1.1, 0.3),
    "overcast": ((0.25, 0.25, 0.26), (0.98, 1.02, 1.10), (0.34, 0.33, 0.32), 0.35, 1.6, 1.0),
    "dusk": ((0.35, 0.26, 0.17), (0.42, 0.44, 0.52), (0.22, 0.20, 0.17), 0.15, 1.4, 0.6),
    "indoor": ((0.55, 0.53, 0.48), (0.80, 0.78, 0.72), (0.42, 0.39, 0.34), 0.28, 1.5, 0.0),
}


def _light_for(spec: SceneSpec, rng: np.random.Generator) -> tuple[Light, float]:
    sun, sky, ground, softness, occlusion, cloud = _LIGHTING[spec.time_of_day]
    azimuth = float(rng.uniform(np.pi * 0.38, np.pi * 0.62) if spec.is_backlit else rng.uniform(0, 2 * np.pi))
    elevation = float(rng.uniform(*_ELEVATION[spec.time_of_day]))
    warmth = float(rng.normal(0, 0.07))
    flat = float(np.cos(elevation))
    light = Light(
        direction=(float(np.cos(azimuth)) * flat, float(np.sin(elevation)), float(np.sin(azimuth)) * flat),
        sun=_tinted(sun, warmth),
        sky=_tinted(sky, warmth),
        ground=_tinted(ground, warmth),
        softness=softness,
        occlusion=occlusion,
    )
    return light, cloud


def _tinted(color: Rgb, warmth: float) -> Rgb:
    return color[0] * (1.0 + warmth), color[1], color[2] * (1.0 - warmth)


def _render_cars(plate: Plate, stage: _Stage) -> Plate:
    """Cars are shapes like people: render them into the plate, with their shadows."""
    shapes = stage.layout.cars.finish()
    if shapes.is_empty:
        return plate
    height, width = plate.depth.shape
    window = Window(0.0, 0.0, float(width), float(height), width, height)
    rendering = render(shapes, stage.camera, stage.light, plate, window)
    is_car = rendering.depth < plate.depth - 1e-4
    sun_part = plate.sun / np.maximum(plate.ambient + plate.sun, 1e-6)
    lit = rendering.radiance
    return Plate(
        ambient=np.where(is_car[..., None], lit, lit * (1.0 - sun_part)).astype(np.float32),
        sun=np.where(is_car[..., None], 0.0, np.minimum(lit * sun_part, plate.sun)).astype(np.float32),
        depth=rendering.depth.astype(np.float32),
        upness=np.where(is_car, 0.0, plate.upness).astype(np.float32),
    )
