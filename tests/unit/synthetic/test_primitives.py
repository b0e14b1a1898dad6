from __future__ import annotations

import numpy as np
import pytest

from reid_core.synthetic.noise import fbm, hash3, smoothstep, value_noise
from reid_core.synthetic.primitives import (
    KIND_SKIN,
    P_AXES,
    P_GROUP,
    P_MATERIAL,
    Builder,
    interpolate_monotone,
    yaw_pitch_roll,
)
from reid_core.synthetic.sdf import nearest_primitive


def distance(builder: Builder, point: tuple[float, float, float]) -> float:
    shapes = builder.finish()
    count = len(shapes.primitives)
    return float(nearest_primitive(shapes.primitives, shapes.profiles, np.arange(count), count, *point)[0])


def builder_with_skin() -> tuple[Builder, int]:
    builder = Builder()
    builder.begin_figure(1)
    return builder, builder.material(KIND_SKIN, (0.8, 0.6, 0.5))


def test_limb__points_around_it__capsule_distance() -> None:
    builder, skin = builder_with_skin()
    builder.limb((0, 0, 0), (0, 2, 0), 0.5, 0.5, skin, 1)
    assert distance(builder, (1.5, 1.0, 0.0)) == pytest.approx(1.0)
    assert distance(builder, (0.0, 3.5, 0.0)) == pytest.approx(1.0)
    assert distance(builder, (0.0, 1.0, 0.0)) == pytest.approx(-0.5)


def test_limb__flat_end__nothing_beyond_it() -> None:
    builder, skin = builder_with_skin()
    builder.limb((0, 0, 0), (0, 2, 0), 0.5, 0.5, skin, 1, cut_end=True)
    assert distance(builder, (0.0, 2.3, 0.0)) == pytest.approx(0.3)
    assert distance(builder, (0.3, 2.3, 0.0)) == pytest.approx(0.3)


def test_limb__flattened__distance_never_overestimates() -> None:
    builder, skin = builder_with_skin()
    builder.limb((0, 0, 0), (0, 1, 0), 0.2, 0.2, skin, 1, flatten=2.5)
    assert distance(builder, (0.08 + 0.3, 0.5, 0.0)) <= 0.3 + 1e-9
    assert distance(builder, (0.0, 0.5, 0.5)) <= 0.3 + 1e-9
    assert distance(builder, (0.079, 0.5, 0.0)) < 0 < distance(builder, (0.081, 0.5, 0.0))


def test_max_y__part_above__is_not_there() -> None:
    builder, skin = builder_with_skin()
    builder.limb((0, 0, 0), (0, 2, 0), 0.5, 0.5, skin, 1, max_y=1.0)
    assert distance(builder, (0.0, 1.6, 0.0)) == pytest.approx(0.6)
    assert distance(builder, (0.0, 0.4, 0.0)) < 0


def test_nearest_primitive__same_group__melts_and_other_group_does_not() -> None:
    def gap(groups: tuple[int, int]) -> float:
        builder, skin = builder_with_skin()
        for x, group in zip((-0.55, 0.55), groups, strict=True):
            builder.ellipsoid((x, 0, 0), np.eye(3), (0.5, 0.5, 0.5), skin, group, blend=0.3)
        return distance(builder, (0.0, 0.0, 0.0))

    assert gap((1, 2)) == pytest.approx(0.05, abs=1e-6)
    assert gap((1, 1)) == pytest.approx(0.05 - 0.3 / 4, abs=1e-6)


def test_finish__figures_and_groups__sorted_and_apart() -> None:
    builder = Builder()
    for figure in (1, 2):
        builder.begin_figure(figure)
        skin = builder.material(KIND_SKIN, (0.5, 0.5, 0.5))
        for group in (3, 1):
            builder.ellipsoid((0, 0, 0), np.eye(3), (1, 1, 1), skin, group)
    shapes = builder.finish()
    assert (np.diff(shapes.primitives[:, P_GROUP]) > 0).all()
    assert shapes.primitives[:, P_MATERIAL].tolist() == [0, 0, 1, 1]


def test_limb__any_direction__orthonormal_right_handed_axes() -> None:
    rng = np.random.default_rng(0)
    builder, skin = builder_with_skin()
    for _ in range(20):
        builder.limb(rng.normal(size=3), rng.normal(size=3), 0.1, 0.1, skin, 1, reference=rng.normal(size=3))
    builder.limb((0, 0, 0), (0, 0, 1), 0.1, 0.1, skin, 1, reference=(0, 0, 1))
    for row in builder.finish().primitives:
        axes = row[P_AXES : P_AXES + 9].reshape(3, 3)
        np.testing.assert_allclose(axes @ axes.T, np.eye(3), atol=1e-9)
        assert np.linalg.det(axes) == pytest.approx(1.0)


def test_yaw_pitch_roll__single_turns__point_where_they_say() -> None:
    ahead, up = np.array([0.0, 0.0, 1.0]), np.array([0.0, 1.0, 0.0])
    np.testing.assert_allclose(yaw_pitch_roll(yaw=np.pi / 2) @ ahead, [1, 0, 0], atol=1e-12)
    assert (yaw_pitch_roll(pitch=0.3) @ up)[2] > 0  # leans forward
    assert (yaw_pitch_roll(roll=0.3) @ up)[0] < 0


def test_interpolate_monotone__steps__hits_knots_without_overshoot() -> None:
    x = np.array([0.0, 1.0, 2.0, 4.0])
    y = np.array([0.0, 0.0, 1.0, 1.0])
    at = np.linspace(0, 4, 200)
    curve = interpolate_monotone(x, y, at)
    np.testing.assert_allclose(interpolate_monotone(x, y, x), y, atol=1e-12)
    assert curve.min() >= -1e-12
    assert curve.max() <= 1 + 1e-12
    assert (np.diff(curve) >= -1e-12).all()


def test_noise__many_points__in_range_smooth_and_seeded() -> None:
    points = np.random.default_rng(0).uniform(-20, 20, (2000, 3))
    values = np.array([value_noise(*p, 5) for p in points])
    nearby = np.array([value_noise(*(p + 1e-4), 5) for p in points])
    assert np.abs(values).max() <= 1.0
    assert values.std() > 0.2
    assert np.abs(values - nearby).max() < 2e-3
    assert value_noise(0.3, 0.4, 0.5, 1) != value_noise(0.3, 0.4, 0.5, 2)
    assert all(0.0 <= hash3(i, -i, 3 * i, 9) <= 1.0 for i in range(-50, 50))
    assert abs(fbm(0.3, 0.4, 0.5, 1, 3)) < 1.0


def test_smoothstep__falling_edge__one_to_zero() -> None:
    assert smoothstep(0.2, 0.1, 0.05) == 1.0
    assert smoothstep(0.2, 0.1, 0.25) == 0.0
    assert smoothstep(0.0, 1.0, 0.5) == pytest.approx(0.5)
