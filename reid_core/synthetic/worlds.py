"""The two worlds: ``training`` renders many plain scenes with wild cameras, ``demo`` the city that ships.

They share nothing that a net could learn by heart: the training world has no mall, station or courtyard, no
dusk or lamp light, no coats, puffers or parkas, and none of the demo's cameras. So a net trained on one has
something left to learn on the other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from reid_core.errors import InputError
from reid_core.seeds import rng_for
from reid_core.synthetic.camera import ShotOptions
from reid_core.synthetic.scene import SceneKind, SceneSpec, TimeOfDay
from reid_core.synthetic.sensor import CameraResponse, randomised_response
from reid_core.synthetic.wardrobe import FULL_WARDROBE, TRAINING_WARDROBE, WILD_WARDROBE, Wardrobe

_TRAINING_KINDS: tuple[SceneKind, ...] = ("plaza", "street", "park", "crossing", "shopfront")
_TRAINING_TIMES: tuple[TimeOfDay, ...] = ("sun", "overcast", "lowsun")


@dataclass(frozen=True)
class CameraSpec:
    """One camera of a city."""

    camid: int
    scene: SceneSpec
    response: CameraResponse
    options: ShotOptions
    position_m: tuple[float, float]
    """Where it hangs on the map of the city: people need time to walk from one to the next."""


@dataclass(frozen=True)
class World:
    """What makes the people and cameras of a city."""

    name: str
    place_cameras: Callable[[int, int, ShotOptions], tuple[CameraSpec, ...]]
    """(seed, number of cameras, options) -> cameras with camid 1, 2, ..."""
    options: ShotOptions
    wardrobe: Wardrobe
    wild_wardrobe: Wardrobe
    wild_share: float
    """Share of unrelated identities that dress from ``wild_wardrobe``."""
    lookalike_share: float
    """Share of identities that belong to a family of people who dress alike."""
    cameras_visited: tuple[int, int]
    """Fewest and most cameras that see a person."""
    crops_per_visit: tuple[float, ...]
    """Probability of 1, 2, ... crops each time a camera sees a person."""
    own_response_share: float
    """Share of crops taken with a random camera response instead of their camera's."""
    jpeg_quality: int
    crowd_size: int = 150


def world_named(name: str) -> World:
    """The world of that name.

    Raises:
        InputError: There is no such world.
    """
    try:
        return WORLDS[name]
    except KeyError:
        raise InputError(f"There is no world {name!r}. Choose one of: {', '.join(sorted(WORLDS))}.") from None


def _ring(index: int, count: int, rng: np.random.Generator) -> tuple[float, float]:
    """A place on a ring of streets, about 90 m from its neighbours."""
    angle = 2 * np.pi * index / count + float(rng.normal(0, 0.1 / count))
    radius = 90.0 * count / (2 * np.pi) * float(rng.uniform(0.85, 1.15))
    return float(np.cos(angle) * radius), float(np.sin(angle) * radius)


def _training_cameras(seed: int, count: int, options: ShotOptions) -> tuple[CameraSpec, ...]:
    cameras = []
    for index in range(count):
        rng = rng_for(seed, "training-camera", index)
        time_of_day = _TRAINING_TIMES[int(rng.choice(3, p=[0.45, 0.35, 0.20]))]
        lowest = float(rng.uniform(1.6, 6.5))
        scene = SceneSpec(
            kind=_TRAINING_KINDS[index % len(_TRAINING_KINDS)],
            time_of_day=time_of_day,
            seed=int(rng.integers(1 << 30)),
            camera_height_m=(lowest, lowest + 0.5),
            distance_m=(5.5, 12.0),
            view_width=(0.6, 1.2),
            roll_rad=0.04,
            is_backlit=time_of_day == "lowsun" and rng.random() < 0.3,
        )
        cameras.append(
            CameraSpec(index + 1, scene, randomised_response(rng), options, _ring(index, count, rng))
        )
    return tuple(cameras)


@dataclass(frozen=True)
class _DemoCamera:
    kind: SceneKind
    time_of_day: TimeOfDay
    response: CameraResponse
    is_backlit: bool = False
    is_low_resolution: bool = False


_DEMO_CAMERAS = (
    _DemoCamera(
        "mall",
        "indoor",
        CameraResponse(
            brightness=0.29,
            white_balance=(0.93, 1.03, 0.97),
            contrast=1.45,
            saturation=0.31,
            read_noise=0.004,
            shot_noise=0.013,
            grain_px=0.6,
            sharpening=1.2,
            jpeg_quality=58,
        ),
    ),
    _DemoCamera(  # underground: yellowish, noisy, flat
        "station",
        "indoor",
        CameraResponse(
            brightness=0.27,
            white_balance=(1.10, 1.0, 0.84),
            contrast=1.4,
            saturation=0.25,
            haze=0.02,
            read_noise=0.004,
            shot_noise=0.022,
            grain_px=0.9,
            chroma_noise=0.8,
            sharpening=0.8,
            jpeg_quality=48,
        ),
    ),
    _DemoCamera(
        "courtyard",
        "sun",
        CameraResponse(
            brightness=0.23,
            white_balance=(1.05, 1.0, 0.93),
            contrast=1.6,
            saturation=0.31,
            haze=0.03,
            sharpening=0.7,
            jpeg_quality=62,
        ),
    ),
    _DemoCamera(  # hard contrast
        "plaza",
        "sun",
        CameraResponse(
            brightness=0.28,
            white_balance=(1.0, 1.0, 1.06),
            contrast=1.65,
            saturation=0.33,
            grain_px=0.3,
            sharpening=1.6,
            jpeg_quality=64,
        ),
    ),
    _DemoCamera(  # an old camera far away: nearly grey, soft, over-sharpened
        "crossing",
        "overcast",
        CameraResponse(
            brightness=0.25,
            white_balance=(0.97, 1.0, 1.10),
            contrast=1.5,
            saturation=0.28,
            black_level=0.03,
            blur_px=0.45,
            sharpening=2.2,
            jpeg_quality=50,
        ),
        is_low_resolution=True,
    ),
    _DemoCamera(  # blue, dark, grainy
        "courtyard",
        "dusk",
        CameraResponse(
            brightness=0.15,
            white_balance=(0.90, 1.0, 1.14),
            contrast=1.45,
            saturation=0.26,
            read_noise=0.005,
            shot_noise=0.027,
            grain_px=1.0,
            chroma_noise=0.8,
            motion_share=0.6,
            sharpening=1.0,
            jpeg_quality=50,
        ),
    ),
    _DemoCamera(  # the best camera of the city
        "shopfront",
        "overcast",
        CameraResponse(
            brightness=0.26,
            white_balance=(1.04, 1.0, 1.02),
            contrast=1.5,
            saturation=0.31,
            shot_noise=0.012,
            blur_px=0.32,
            sharpening=0.8,
            jpeg_quality=76,
        ),
    ),
    _DemoCamera(  # against the evening sun
        "park",
        "lowsun",
        CameraResponse(
            brightness=0.25,
            highlight=1.0,
            white_balance=(1.05, 0.99, 0.92),
            gamma=0.92,
            contrast=1.35,
            saturation=0.31,
            black_level=0.05,
            haze=0.03,
            sharpening=1.3,
            jpeg_quality=55,
        ),
        is_backlit=True,
    ),
)


def _demo_cameras(seed: int, count: int, options: ShotOptions) -> tuple[CameraSpec, ...]:
    """The eight cameras above; beyond eight they come again with other scenes and slightly other colours."""
    cameras = []
    for index in range(count):
        rng = rng_for(seed, "demo-camera", index)
        template = _DEMO_CAMERAS[index % len(_DEMO_CAMERAS)]
        width, height, box_px = 1280, 720, (105.0, 400.0)
        if template.is_low_resolution:
            width, height, box_px = 640, 360, (54.0, 92.0)
        scene = SceneSpec(
            kind=template.kind,
            time_of_day=template.time_of_day,
            seed=int(rng.integers(1 << 30)),
            width=width,
            height=height,
            rays_per_side=2,
            camera_height_m=(2.6, 4.4),
            is_backlit=template.is_backlit,
        )
        response = template.response
        if index >= len(_DEMO_CAMERAS):
            red, green, blue = (float(v * np.exp(rng.normal(0, 0.04))) for v in response.white_balance)
            response = replace(response, white_balance=(red, green, blue))
        own_options = replace(options, box_px=box_px)
        cameras.append(CameraSpec(index + 1, scene, response, own_options, _ring(index, count, rng)))
    return tuple(cameras)


TRAINING = World(
    name="training",
    place_cameras=_training_cameras,
    options=ShotOptions(
        width=80,
        height=160,
        height_cap=128,
        box_px=(55.0, 420.0),
        occlusion_share=0.3,
        bystanders=(0.52, 0.32, 0.16),
        truncation_share=0.18,
        backdrop_share=0.3,
        free_yaw_share=0.5,
        jitter=1.4,
        min_visible=0.35,
    ),
    wardrobe=TRAINING_WARDROBE,
    wild_wardrobe=WILD_WARDROBE,
    wild_share=0.33,
    lookalike_share=0.35,
    cameras_visited=(4, 5),
    crops_per_visit=(0.25, 0.65, 0.10),
    own_response_share=0.5,
    jpeg_quality=90,
)
DEMO = World(
    name="demo",
    place_cameras=_demo_cameras,
    options=ShotOptions(occlusion_share=0.3, bystanders=(0.66, 0.26, 0.08)),
    wardrobe=FULL_WARDROBE,
    wild_wardrobe=FULL_WARDROBE,
    wild_share=0.0,
    lookalike_share=0.4,
    cameras_visited=(5, 7),
    crops_per_visit=(0.62, 0.38),
    own_response_share=0.0,
    jpeg_quality=72,
)
WORLDS = {world.name: world for world in (TRAINING, DEMO)}
