"""A tiny city that renders in a second or two: small plates, small crops, real people."""

from __future__ import annotations

from dataclasses import replace

from reid_core.synthetic.camera import ShotOptions
from reid_core.synthetic.city import City, CityCounts, plan_city
from reid_core.synthetic.scene import SceneSpec
from reid_core.synthetic.sensor import CameraResponse
from reid_core.synthetic.worlds import DEMO, CameraSpec, World

TINY_SCENE = SceneSpec("plaza", "sun", seed=3, width=160, height=90)
TINY_OPTIONS = ShotOptions(width=16, height=32, height_cap=32, box_px=(16.0, 60.0))


def place_tiny_cameras(seed: int, count: int, options: ShotOptions) -> tuple[CameraSpec, ...]:
    kinds = ("plaza", "mall", "crossing")
    return tuple(
        CameraSpec(
            index + 1,
            replace(
                TINY_SCENE,
                kind=kinds[index % 3],
                time_of_day="indoor" if index % 3 == 1 else "sun",
                seed=seed + index,
            ),
            CameraResponse(),
            options,
            (90.0 * index, 0.0),
        )
        for index in range(count)
    )


TINY_WORLD: World = replace(
    DEMO,
    name="tiny",
    place_cameras=place_tiny_cameras,
    options=TINY_OPTIONS,
    cameras_visited=(2, 3),
    crowd_size=3,
)


def tiny_city(seed: int = 1) -> City:
    counts = CityCounts(gallery_identities=3, train_identities=2, locked_identities=2, distractors=2, junk=3)
    return plan_city(TINY_WORLD, seed=seed, cameras=3, counts=counts)
