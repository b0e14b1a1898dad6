from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from cities import TINY_SCENE

from reid_core.errors import InputError
from reid_core.synthetic.raytrace import MAX_DISTANCE
from reid_core.synthetic.scene import INDOOR_KINDS, SceneKind, build_scene, load_scene, save_plate


def test_build_scene__same_spec_twice__same_plate() -> None:
    first, second = build_scene(TINY_SCENE), build_scene(TINY_SCENE)
    np.testing.assert_array_equal(first.ambient, second.ambient)
    np.testing.assert_array_equal(first.depth, second.depth)


def test_build_scene__other_seed__other_plate() -> None:
    assert np.any(build_scene(TINY_SCENE).ambient != build_scene(replace(TINY_SCENE, seed=4)).ambient)


@pytest.mark.parametrize("kind", get_args(SceneKind))
def test_build_scene__every_kind__is_lit_finite_and_has_ground_in_front(kind: SceneKind) -> None:
    time = "indoor" if kind in INDOOR_KINDS else "sun"
    scene = build_scene(replace(TINY_SCENE, kind=kind, time_of_day=time))
    assert np.isfinite(scene.ambient).all()
    assert scene.median_luminance > 0.01
    assert scene.bright_luminance >= scene.median_luminance
    middle = scene.upness[-1, scene.width // 2]
    assert middle == 100
    assert 0.5 < scene.depth[-1, scene.width // 2] < MAX_DISTANCE


def test_build_scene__ground_pixel__depth_is_the_distance_to_the_ground_plane() -> None:
    scene = build_scene(TINY_SCENE)
    rows, columns = np.nonzero(scene.upness == 100)
    u, v = columns + 0.5 - scene.camera.center_x, rows + 0.5 - scene.camera.center_y
    rays = (
        scene.camera.forward
        + np.outer(u, scene.camera.right) / scene.camera.focal_px
        + np.outer(v, scene.camera.down) / scene.camera.focal_px
    )
    rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    heights = scene.camera.position[1] + rays[:, 1] * scene.depth[rows, columns]
    on_ground = np.abs(heights) < 0.01
    assert on_ground.mean() > 0.9  # the rest are the tops of benches, bins and bollards


def test_scene__sun_above_open_ground__shadow_has_no_sun_and_light_has() -> None:
    scene = build_scene(TINY_SCENE)
    ground = scene.upness == 100
    sun = scene.sun.max(axis=-1)[ground]
    assert (sun == 0).any()
    assert (sun > 0.1).any()


def test_view__part_of_the_plate__projects_to_the_same_place() -> None:
    scene = build_scene(TINY_SCENE)
    view = scene.view(50.5, 20.2, 90.0, 70.0)
    point = np.array([0.3, 1.0, 8.0])
    whole, part = scene.camera.project(point), view.camera.project(point)
    np.testing.assert_allclose(whole[:2], part[:2] + [view.offset_x, view.offset_y])
    y, x = int(view.offset_y), int(view.offset_x)
    np.testing.assert_array_equal(view.plate.depth[0], scene.depth[y, x : x + view.plate.depth.shape[1]])


def test_load_scene__saved_plate__equals_the_built_scene(tmp_path: Path) -> None:
    built = build_scene(TINY_SCENE)
    save_plate(built, tmp_path)
    loaded = load_scene(TINY_SCENE, tmp_path)
    np.testing.assert_array_equal(loaded.sun, built.sun)
    assert loaded.median_luminance == built.median_luminance
    assert loaded.walking_axis == built.walking_axis


def test_load_scene__plate_of_another_size__refused(tmp_path: Path) -> None:
    save_plate(build_scene(TINY_SCENE), tmp_path)
    with pytest.raises(InputError, match="160 x 90, expected 320 x 90"):
        load_scene(replace(TINY_SCENE, width=320), tmp_path)


def test_load_scene__missing_file__refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        load_scene(TINY_SCENE, tmp_path)
