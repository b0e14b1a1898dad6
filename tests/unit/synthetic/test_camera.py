from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from cities import TINY_OPTIONS, TINY_SCENE

from reid_core.synthetic.camera import (
    Placement,
    Shot,
    find_placement,
    is_in_view,
    take_empty_shot,
    take_shot,
    walk_on,
)
from reid_core.synthetic.identity import sample_identity
from reid_core.synthetic.scene import Scene, build_scene
from reid_core.synthetic.sensor import CameraResponse, develop, randomised_response

PLAIN = CameraResponse(
    exposure_jitter=0.0, read_noise=0.0, shot_noise=0.0, sharpening=0.0, motion_share=0.0, jpeg_quality=95
)


@pytest.fixture(scope="module")
def scene() -> Scene:
    return build_scene(replace(TINY_SCENE, width=320, height=180))


def shoot(scene: Scene, placement: Placement, seed: int = 0, **options: float) -> Shot | None:
    chosen = replace(TINY_OPTIONS, bystanders=(1.0,), truncation_share=0.0, **options)  # type: ignore[arg-type]
    identity = sample_identity(np.random.default_rng(5))
    return take_shot(scene, PLAIN, identity, placement, [], chosen, np.random.default_rng(seed))


def open_place(scene: Scene) -> Placement:
    placement = find_placement(scene, np.random.default_rng(2), TINY_OPTIONS)
    assert placement is not None
    return placement


def test_find_placement__many_draws__all_in_view_and_clear_of_furniture(scene: Scene) -> None:
    rng = np.random.default_rng(0)
    cylinders = scene.geometry.cylinders
    for _ in range(30):
        placement = find_placement(scene, rng, TINY_OPTIONS)
        assert placement is not None
        assert is_in_view(scene, placement.x, placement.z, TINY_OPTIONS, overhang=0.25)
        gaps = np.hypot(placement.x - cylinders["x"], placement.z - cylinders["z"]) - cylinders["radius"]
        assert gaps.min(initial=1.0) > 0.3


def test_find_placement__no_size_fits__none(scene: Scene) -> None:
    giants = replace(TINY_OPTIONS, box_px=(5000.0, 6000.0))
    assert find_placement(scene, np.random.default_rng(0), giants) is None


def test_walk_on__yaw_zero__moves_away_from_the_camera(scene: Scene) -> None:
    start = open_place(scene)
    after = walk_on(scene, replace(start, yaw=0.0), 0.2, np.random.default_rng(0), TINY_OPTIONS)
    assert after is not None
    assert after.z > start.z
    assert np.hypot(after.x - start.x, after.z - start.z) == pytest.approx(0.2)


def test_walk_on__far_out_of_the_picture__none(scene: Scene) -> None:
    assert walk_on(scene, open_place(scene), 60.0, np.random.default_rng(0), TINY_OPTIONS) is None


def test_take_shot__equal_generators__equal_pixels(scene: Scene) -> None:
    first, second = (shoot(scene, open_place(scene)) for _ in range(2))
    assert first is not None
    assert second is not None
    np.testing.assert_array_equal(first.image, second.image)
    assert first.image.shape == (TINY_OPTIONS.height, TINY_OPTIONS.width, 3)


def test_take_shot__open_ground__mask_covers_the_person_in_the_middle(scene: Scene) -> None:
    shot = shoot(scene, open_place(scene))
    assert shot is not None
    assert 0.1 < (shot.mask > 0).mean() < 0.7
    assert shot.visible_fraction > 0.9
    assert not shot.is_truncated
    assert not shot.is_occluded
    columns = np.nonzero(shot.mask.any(axis=0))[0]
    assert abs(columns.mean() - TINY_OPTIONS.width / 2) < TINY_OPTIONS.width / 4


def test_take_shot__always_truncated__less_of_the_person_is_seen(scene: Scene) -> None:
    shots = [shoot(scene, open_place(scene), seed, min_visible=0.0) for seed in range(6)]
    chosen = replace(TINY_OPTIONS, bystanders=(1.0,), truncation_share=1.0, min_visible=0.0)
    identity = sample_identity(np.random.default_rng(5))
    cut = [
        take_shot(scene, PLAIN, identity, open_place(scene), [], chosen, np.random.default_rng(seed))
        for seed in range(6)
    ]
    assert all(shot is not None and shot.is_truncated for shot in cut)
    whole_seen = np.mean([shot.visible_fraction for shot in shots if shot])
    cut_seen = np.mean([shot.visible_fraction for shot in cut if shot])
    assert cut_seen < whole_seen - 0.05


def test_take_shot__person_behind_a_wall__none(scene: Scene) -> None:
    behind = Placement(0.0, float(scene.geometry.boxes["cz"].max()) + 30, 0.0)
    assert shoot(scene, behind, box_px=(1.0, 500.0)) is None


@pytest.mark.parametrize(("yaw", "expected"), [(np.pi, 0.0), (0.0, 180.0)])
def test_take_shot__straight_ahead__yaw_counts_from_facing_the_camera(
    scene: Scene, yaw: float, expected: float
) -> None:
    place = next(
        Placement(0.0, z, yaw)
        for z in np.arange(5, 12, 0.5)
        if is_in_view(scene, 0.0, float(z), TINY_OPTIONS)
    )
    shot = shoot(scene, place, min_visible=0.0)
    assert shot is not None
    assert np.isclose((shot.yaw_deg - expected + 180) % 360, 180, atol=1e-6)


def test_yaw__ninety_degrees__walks_to_the_right_in_the_picture(scene: Scene) -> None:
    yaw = np.pi + np.pi / 2  # facing the camera is pi; 90 degrees more
    here = scene.camera.project([0.0, 0.0, 8.0])
    ahead = scene.camera.project([np.sin(yaw), 0.0, 8.0 + np.cos(yaw)])
    assert ahead[0] > here[0]


def test_take_empty_shot__plaza__holds_nobody(scene: Scene) -> None:
    shot = take_empty_shot(scene, PLAIN, TINY_OPTIONS, np.random.default_rng(1))
    assert shot is not None
    assert not shot.mask.any()
    assert shot.visible_fraction == 0


def flat_light(level: float) -> np.ndarray:
    return np.full((48, 24, 3), level, np.float32)


def test_develop__twice_the_light__is_brighter() -> None:
    dark, bright = (
        develop(flat_light(level), PLAIN, 1.0, np.random.default_rng(0)).mean() for level in (0.1, 0.2)
    )
    assert bright > dark + 10


def test_develop__no_saturation__is_grey() -> None:
    red = flat_light(0.2) * np.array([2.0, 1.0, 0.5], np.float32)
    picture = develop(red, replace(PLAIN, saturation=0.0), 1.0, np.random.default_rng(0)).astype(int)
    assert np.abs(picture - picture.mean(axis=-1, keepdims=True)).max() <= 3


def test_develop__noise__grows_with_the_signal_in_linear_light() -> None:
    noisy = replace(PLAIN, shot_noise=0.05, gamma=2.2, contrast=1.0, chroma_noise=0.0)
    spread = [
        develop(flat_light(level), noisy, 1.0, np.random.default_rng(0)).astype(float).std()
        for level in (0.15, 0.45)
    ]
    assert spread[1] > spread[0] > 0.5


def test_develop__half_resolution__has_half_the_pixels() -> None:
    picture = develop(flat_light(0.2), replace(PLAIN, resolution=0.5), 1.0, np.random.default_rng(0))
    assert picture.shape == (24, 12, 3)


def test_develop__supersampled__is_delivered_at_sensor_size() -> None:
    picture = develop(flat_light(0.2), PLAIN, 1.0, np.random.default_rng(0), supersampling=2)
    assert picture.shape == (24, 12, 3)


def test_gain__bright_scene__is_held_back_by_the_highlights() -> None:
    response = CameraResponse(brightness=0.3, highlight=0.6)
    assert response.gain(0.3, 0.4) == pytest.approx(1.0)
    assert response.gain(0.3, 1.2) == pytest.approx(0.5)


def test_randomised_response__many__every_colour_row_sums_to_one_and_they_differ() -> None:
    responses = [randomised_response(np.random.default_rng(seed)) for seed in range(50)]
    np.testing.assert_allclose(np.array([r.color_mix for r in responses]).sum(axis=-1), 1.0)
    assert len({r.jpeg_quality for r in responses}) > 20
    assert np.std([r.saturation for r in responses]) > 0.2
