from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from studio import HEIGHT, WIDTH, Studio, person

from reid_core.errors import InputError
from reid_core.synthetic.primitives import KIND_SKIN, Builder, Shapes
from reid_core.synthetic.render import Plate, Window, look_at, render

WHOLE = Window(0, 0, WIDTH, HEIGHT, 80, 60)


def ball(x: float, y: float, z: float, radius: float, person_id: int = 4) -> Shapes:
    builder = Builder()
    builder.begin_figure(person_id)
    skin = builder.material(KIND_SKIN, (0.8, 0.2, 0.2))
    builder.ellipsoid((x, y, z), np.eye(3), (radius, radius, radius), skin, 1)
    builder.proxy((x, y, z - 0.01), (x, y, z + 0.01), radius)
    return builder.finish()


def test_render__same_input__same_pixels(studio: Studio) -> None:
    identity, pose = person(3)
    first, second = (studio.take(identity, pose, 0.5, rows=48).rendering for _ in range(2))
    np.testing.assert_array_equal(first.radiance, second.radiance)
    np.testing.assert_array_equal(first.person_ids, second.person_ids)


def test_render__nothing_to_draw__the_plate(studio: Studio) -> None:
    picture = render(Builder().finish(), studio.camera, studio.light, studio.plate(), WHOLE)
    np.testing.assert_allclose(picture.radiance, 0.45, atol=1e-5)
    assert not picture.person_ids.any()
    np.testing.assert_allclose(picture.depth, 40.0)


def test_render__ball__disc_of_the_right_size_and_depth(studio: Studio) -> None:
    picture = render(ball(0.0, 0.9, 7.0, 0.5), studio.camera, studio.light, studio.plate(), WHOLE)
    pixel = WIDTH / 80
    expected = np.pi * (0.5 / np.sqrt(49 - 0.25) * 300 / pixel + 0.25) ** 2  # the rim counts from half cover
    assert (picture.person_ids == 4).sum() == pytest.approx(expected, rel=0.06)
    assert picture.depth[30, 40] == pytest.approx(6.5, abs=0.01)
    assert np.isfinite(picture.radiance).all()
    red, green, _ = picture.radiance[30, 40]
    assert red > 2 * green


def test_render__wall_before_the_ball__hides_it(studio: Studio) -> None:
    picture = render(ball(0.0, 0.9, 7.0, 0.5), studio.camera, studio.light, studio.plate(depth=5.0), WHOLE)
    assert not picture.person_ids.any()


def test_render__ball_behind_the_camera__not_seen(studio: Studio) -> None:
    picture = render(ball(0.0, 0.9, -3.0, 0.5), studio.camera, studio.light, studio.plate(), WHOLE)
    assert not picture.person_ids.any()


def test_render__sun_from_the_left__left_side_brighter_and_shadow_on_the_wall(studio: Studio) -> None:
    light = replace(studio.light, direction=(0.96, 0.0, -0.28))  # +x is on the left of the picture
    plate = studio.plate(depth=8.0)
    picture = render(ball(0.0, 0.9, 7.0, 0.5), studio.camera, light, plate, WHOLE)
    assert picture.radiance[30, 36, 0] > 1.5 * picture.radiance[30, 44, 0]
    background = picture.radiance[picture.person_ids == 0]
    assert background.min() < 0.32 < 0.44 < background.max()  # ambient 0.30 alone in the shadow
    unlit = render(ball(0.0, 0.9, 7.0, 0.5), studio.camera, replace(light, sun_visibility=0.0), plate, WHOLE)
    assert unlit.radiance[30, 36, 0] < 0.7 * picture.radiance[30, 36, 0]


def test_render__part_of_the_plate__equals_the_same_pixels_of_the_whole(studio: Studio) -> None:
    shapes = ball(0.2, 1.0, 6.0, 0.4)
    whole = render(shapes, studio.camera, studio.light, studio.plate(), WHOLE)
    part = render(shapes, studio.camera, studio.light, studio.plate(), Window(80, 60, 240, 180, 40, 30))
    np.testing.assert_allclose(part.radiance, whole.radiance[15:45, 20:60], atol=1e-5)


def test_look_at__target__in_the_middle_and_up_is_up() -> None:
    camera = look_at((1.0, 3.0, -2.0), (0.0, 1.0, 6.0), 500.0, WIDTH, HEIGHT)
    target, above, left = camera.project([(0.0, 1.0, 6.0), (0.0, 1.5, 6.0), (0.5, 1.0, 6.0)])
    np.testing.assert_allclose(target[:2], [WIDTH / 2, HEIGHT / 2], atol=1e-9)
    assert above[1] < target[1]
    assert left[0] < target[0]  # +x is to the left of someone who looks along +z
    assert target[2] == pytest.approx(np.sqrt(1 + 4 + 64))


def test_plate__wrong_shape_or_type__input_error() -> None:
    good = np.zeros((4, 5), np.float32)
    color = np.zeros((4, 5, 3), np.float32)
    with pytest.raises(InputError, match=r"Plate.sun has shape \(4, 5\)"):
        Plate(color, good, good, good)
    with pytest.raises(InputError, match=r"Plate.ambient .* float64, expected \(4, 5, 3\) float32"):
        Plate(color.astype(np.float64), color, good, good)


def test_window__empty__input_error() -> None:
    with pytest.raises(InputError, match="right > left"):
        Window(10, 0, 10, 20, 4, 4)
