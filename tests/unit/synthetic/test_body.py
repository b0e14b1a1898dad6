from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from scipy import ndimage
from studio import Picture, Studio, person

from reid_core.synthetic.identity import Identity
from reid_core.synthetic.pose import Pose, sample_pose
from reid_core.synthetic.skeleton import LEFT, RIGHT, build_skeleton, hand_action

SEEDS = range(12)


@pytest.fixture(scope="module")
def pictures(studio: Studio) -> list[Picture]:
    return [studio.take(*person(seed), yaw=seed * 0.7) for seed in SEEDS]


def plain(pose: Pose) -> Pose:
    arm = replace(pose.left, action="swing", spread=0.12)
    return replace(
        pose, left=arm, right=arm, is_standing=False, phase=1.57, stride=0.4, head_yaw=0.0, head_pitch=0.0
    )


def test_build_person__many_people__finite_light_and_one_connected_silhouette(
    pictures: list[Picture],
) -> None:
    for picture in pictures:
        assert np.isfinite(picture.rendering.radiance).all()
        assert picture.rendering.radiance.min() >= 0
        labels, _ = ndimage.label(picture.mask, structure=np.ones((3, 3)))
        sizes = np.bincount(labels.ravel())[1:]
        assert sizes.max() / sizes.sum() > 0.985
        assert 0.12 < picture.mask.mean() < 0.6


def test_build_person__many_people__feet_on_the_ground_and_head_at_their_height(
    pictures: list[Picture],
) -> None:
    for seed, picture in zip(SEEDS, pictures, strict=True):
        identity, _ = person(seed)
        rows = np.flatnonzero(picture.mask.any(axis=1))
        # One pixel is about 2 cm; a foot put forward is nearer and so looks up to 6 cm lower.
        assert -0.09 < picture.world_height(rows.max()) < 0.04
        hair = 0.08 if identity.hat == "none" else 0.12
        assert 0.90 * identity.height_m < picture.world_height(rows.min()) < identity.height_m + hair


def test_build_person__no_black_specks__dark_pixels_only_on_dark_clothes(studio: Studio) -> None:
    colors = [
        field.name for field in fields(Identity) if field.name.endswith(("_color", "_color2", "_accent"))
    ]
    pale = dict.fromkeys(["skin", *colors], (0.9, 0.88, 0.85))
    for seed in range(4):
        identity, pose = person(seed + 40)
        identity = replace(
            identity, **pale, glasses="none", belt=False, closure="none", is_open=False, print_kind="none"
        )
        picture = studio.take(identity, plain(pose), seed * 1.6)
        inside = ndimage.binary_erosion(picture.mask, iterations=2)
        inside[:30] = False  # eyes are dark
        assert picture.rendering.radiance[inside].min() > 0.02


def test_build_person__coat_over_trousers__no_trouser_pixel_above_the_hem(studio: Studio) -> None:
    red = (0.9, 0.1, 0.1)
    for seed, hem in ((0, -0.45), (1, -0.35), (2, -0.10)):
        identity, pose = person(seed)
        identity = replace(
            identity, upper="coat", hem=hem, lower="wide", leg_width=0.05, upper_pattern="plain",
            lower_pattern="plain", upper_color=red, skin=red, hair_color=red, lower_color=(0.1, 0.9, 0.1),
            denim_fade=0.0, bag="none", is_open=False, neck_scarf=False, closure="none", hat="none",
        )  # fmt: skip
        picture = studio.take(identity, plain(pose), yaw=0.4 + seed)
        skeleton = build_skeleton(identity, plain(pose), (0.0, 0.0, 7.0), 0.4 + seed)
        radiance = picture.rendering.radiance
        heights = np.array([picture.world_height(row) for row in range(len(radiance))])
        is_trouser = picture.mask & (radiance[..., 1] > 2 * radiance[..., 0])
        assert is_trouser[heights < skeleton.height_at(hem) - 0.10].sum() > 50
        assert not is_trouser[heights > skeleton.height_at(hem) + 0.05].any()


def test_build_person__skirt_under_a_long_coat__coat_no_wider_than_over_trousers(studio: Studio) -> None:
    identity, pose = person(5)
    identity = replace(
        identity, upper="coat", hem=-0.45, flare=0.02, lower="skirt", skirt_length=0.7, bag="none"
    )
    widths = []
    for lower in ("skirt", "trousers"):
        picture = studio.take(replace(identity, lower=lower), replace(plain(pose), stride=0.2), yaw=np.pi / 2)
        rows = [row for row in range(96) if 0.60 < picture.world_height(row) < 0.75]
        widths.append(picture.mask[rows].sum(axis=1).max())
    assert widths[0] <= 1.15 * widths[1]


def test_build_person__joints__span_the_silhouette(pictures: list[Picture]) -> None:
    for picture in pictures:
        columns = np.flatnonzero(picture.mask.any(axis=0))
        assert columns.size
        left_toe, top = picture.joints["left_toe"], picture.joints["head_top"]
        assert top[1] > 1.3
        assert left_toe[1] < 0.5
        assert picture.joints.points.shape == (len(picture.joints.names), 3)


def test_build_person__another_identity__another_picture(studio: Studio) -> None:
    first, pose = person(1)
    second, _ = person(2)
    a, b = (studio.take(who, pose).rendering.radiance for who in (first, second))
    assert np.abs(a - b).mean() > 0.01


def test_skeleton__walking__a_foot_on_the_ground_and_limbs_of_constant_length() -> None:
    rng = np.random.default_rng(4)
    for seed in range(30):
        identity, _ = person(seed)
        skeleton = build_skeleton(identity, sample_pose(rng), (1.0, 0.0, 5.0), 0.3)
        scale = skeleton.scale
        for leg in skeleton.legs.values():
            assert np.linalg.norm(leg.knee - leg.hip) == pytest.approx(0.43 * scale, rel=0.01)
            assert leg.ankle[1] > 0.03
        assert min(leg.ankle[1] for leg in skeleton.legs.values()) < 0.20
        for arm in skeleton.arms.values():
            assert np.linalg.norm(arm.elbow - arm.shoulder) == pytest.approx(0.285 * scale, rel=1e-6)
            assert arm.hand @ arm.palm == pytest.approx(0.0, abs=1e-9)


def test_hand_action__bag_in_the_left_hand__overrides_the_phone() -> None:
    identity, pose = person(6)
    identity = replace(identity, bag="shopping", bag_side=LEFT, arm_habit="swing")
    pose = replace(pose, left=replace(pose.left, action="phone"), right=replace(pose.right, action="strap"))
    assert hand_action(identity, pose, LEFT) == "bag"
    assert hand_action(identity, pose, RIGHT) == "swing"  # no strap to hold


def test_sample_pose__many__varied_and_looking_down_at_phones() -> None:
    rng = np.random.default_rng(0)
    poses = [sample_pose(rng) for _ in range(600)]
    assert 0.08 < np.mean([pose.is_standing for pose in poses]) < 0.22
    actions = {pose.left.action for pose in poses}
    assert actions == {"swing", "pocket", "phone", "call", "strap", "behind", "carry"}
    for pose in poses:
        if "phone" in (pose.left.action, pose.right.action):
            assert pose.head_pitch > 0.25
