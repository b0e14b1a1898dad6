"""An identity in a pose, built from primitives."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from reid_core.synthetic.bags import build_bag
from reid_core.synthetic.colors import FloatArray
from reid_core.synthetic.figure import Figure, add_materials
from reid_core.synthetic.garments import UPPER_CUTS
from reid_core.synthetic.head import build_head
from reid_core.synthetic.identity import Identity
from reid_core.synthetic.legs import build_lower
from reid_core.synthetic.pose import Pose
from reid_core.synthetic.primitives import Builder
from reid_core.synthetic.skeleton import LEFT, SIDES, Skeleton, build_skeleton
from reid_core.synthetic.torso import build_upper


@dataclass(frozen=True, eq=False)
class Joints:
    """World points that span a person: ``points`` (K, 3) in the order of ``names``.

    Their projection, a little widened, is the person's bounding box.
    """

    names: tuple[str, ...]
    points: FloatArray

    def __getitem__(self, name: str) -> FloatArray:
        """The world point (3,) of one joint."""
        return np.asarray(self.points[self.names.index(name)])


def build_person(
    builder: Builder, identity: Identity, pose: Pose, position: ArrayLike, yaw: float, person_id: int = 1
) -> Joints:
    """Add one person to ``builder``.

    Args:
        builder: Collects the primitives; earlier figures in it stay apart.
        identity: Who.
        pose: Doing what.
        position: (3,) world point on the ground under the hips.
        yaw: Heading in radians from +z towards +x.
        person_id: What ``Rendering.person_ids`` holds where this person is seen; above 0.
    """
    builder.begin_figure(person_id)
    skeleton = build_skeleton(identity, pose, position, yaw)
    figure = Figure(builder, identity, pose, skeleton, add_materials(builder, identity, skeleton.scale))
    hem = build_upper(figure)
    build_lower(figure, hem)
    build_head(figure)
    build_bag(figure)
    _add_torso_proxies(figure)
    return _joints(skeleton)


def _add_torso_proxies(figure: Figure) -> None:
    identity, skeleton, builder, scale = figure.identity, figure.skeleton, figure.builder, figure.scale
    ease = UPPER_CUTS[identity.upper].ease + identity.fit
    for x in (0.07, -0.07):
        radius = (0.105 * identity.build + 0.8 * ease) * scale
        builder.proxy(skeleton.torso.at((x, 0.40, 0)), skeleton.torso.at((x, 0.05, 0)), radius)
    if figure.is_long or identity.lower == "skirt":
        length = abs(identity.hem) if figure.is_long else identity.skirt_length
        builder.proxy(skeleton.person.at((0, 0, 0)), skeleton.person.at((0, -0.8 * length, 0)), 0.17 * scale)


def _joints(skeleton: Skeleton) -> Joints:
    points = {"head_top": skeleton.head.at((0, 0.245, 0)), "head": skeleton.head.at((0, 0.12, 0))}
    for side in SIDES:
        name = "left" if side == LEFT else "right"
        arm, leg = skeleton.arms[side], skeleton.legs[side]
        sole = leg.ankle + leg.foot * 0.055 * skeleton.scale + np.array([0.0, -0.045 * skeleton.scale, 0.0])
        points[f"{name}_shoulder"] = arm.shoulder
        points[f"{name}_elbow"] = arm.elbow
        points[f"{name}_hand"] = arm.wrist + arm.hand * 0.085 * skeleton.scale
        points[f"{name}_knee"] = leg.knee
        points[f"{name}_toe"] = sole + leg.foot * 0.128 * skeleton.scale
        points[f"{name}_heel"] = sole - leg.foot * 0.128 * skeleton.scale
    return Joints(tuple(points), np.stack(list(points.values())))
