"""Where a person's joints are: an identity's proportions in a pose, placed in the world.

Lengths are metres of a person 1.75 m tall ("unit metres"); frames scale them to the identity's height. In the
person's frame y is up, z ahead and x to the left, with the origin between the hip joints.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from reid_core.synthetic.colors import FloatArray
from reid_core.synthetic.identity import Identity
from reid_core.synthetic.pose import ArmPose, Pose
from reid_core.synthetic.primitives import yaw_pitch_roll

LEFT, RIGHT = 1, -1
SIDES = (LEFT, RIGHT)

_REFERENCE_HEIGHT_M = 1.75
_THIGH, _SHIN = 0.43, 0.42
_UPPER_ARM, _FOREARM = 0.285, 0.245
_ANKLE_TO_SOLE = 0.077
_NECK_BASE = (0.0, 0.579, -0.001)
_ORDINARY_STRIDE = 0.45
_STRIDE_IN_LONG_CLOTHES = 0.75  # of the free stride


@dataclass(frozen=True, eq=False)
class Frame:
    """A place and orientation: ``rotation`` has the local axes as columns, ``scale`` is world per local
    metre.
    """

    origin: FloatArray
    rotation: FloatArray
    scale: float

    def at(self, point: ArrayLike) -> FloatArray:
        """Local point (3,) -> world point (3,)."""
        return self.origin + self.rotation @ (np.asarray(point, dtype=np.float64) * self.scale)

    def direction(self, vector: ArrayLike) -> FloatArray:
        """Local direction (3,) -> world direction (3,) of the same length."""
        return self.rotation @ np.asarray(vector, dtype=np.float64)

    @property
    def axes(self) -> FloatArray:
        """(3, 3) local axes as rows, as primitives want them."""
        return self.rotation.T

    def turned(self, point: ArrayLike, rotation: FloatArray, scale: float) -> Frame:
        """A frame at a local point, rotated against this one."""
        return Frame(self.at(point), self.rotation @ rotation, scale)


@dataclass(frozen=True, eq=False)
class Leg:
    """World joints of a leg; ``foot`` is the unit direction from heel to toe."""

    hip: FloatArray
    knee: FloatArray
    ankle: FloatArray
    foot: FloatArray


@dataclass(frozen=True, eq=False)
class Arm:
    """World joints of an arm; unit directions of the hand, its thumb side and its palm's normal."""

    shoulder: FloatArray
    elbow: FloatArray
    wrist: FloatArray
    hand: FloatArray
    thumb: FloatArray
    palm: FloatArray
    pose: ArmPose


@dataclass(frozen=True, eq=False)
class Skeleton:
    """Joints and frames of one person.

    Attributes:
        scale: Real metres per unit metre.
        person: Upright frame at the hips. torso: leans. pelvis: sways. head: at the base of the neck.
        legs, arms: By side, ``LEFT`` or ``RIGHT``.
        ahead: (3,) world direction the person faces.
    """

    scale: float
    person: Frame
    torso: Frame
    pelvis: Frame
    head: Frame
    legs: dict[int, Leg]
    arms: dict[int, Arm]
    ahead: FloatArray

    def height_at(self, y: float) -> float:
        """World height of a unit height above the hips (negative below)."""
        return float(self.person.at((0.0, y, 0.0))[1])

    def leg_reach(self, y: float, thigh: float, knee: float, shin: float) -> tuple[float, float, float]:
        """Reach of legs of these radii at unit height ``y``: ahead, back and sideways, in unit metres."""
        ahead = back = wide = 0.0
        for leg in self.legs.values():
            joints = [self._local(point) for point in (leg.hip, leg.knee, leg.ankle)]
            upper = y >= joints[1][1]
            start, end = (joints[0], joints[1]) if upper else (joints[1], joints[2])
            drop = end[1] - start[1]
            share = float(np.clip((y - start[1]) / (drop if abs(drop) > 1e-6 else -1e-6), 0.0, 1.0))
            x, _, z = start + (end - start) * share
            radius = thigh + (knee - thigh) * share if upper else knee + (shin - knee) * share
            ahead, back, wide = max(ahead, z + radius), max(back, radius - z), max(wide, abs(x) + radius)
        return ahead, back, wide

    def _local(self, point: FloatArray) -> FloatArray:
        return np.asarray(self.person.rotation.T @ (point - self.person.origin) / self.scale)


def build_skeleton(identity: Identity, pose: Pose, position: ArrayLike, yaw: float) -> Skeleton:
    """Joints of a person whose feet stand at ``position`` (3,) and who faces ``yaw`` radians from +z towards
    +x.
    """
    scale = identity.height_m / _REFERENCE_HEIGHT_M
    stride = 0.0 if pose.is_standing else pose.stride
    if identity.hem < -0.4 or (identity.lower == "skirt" and identity.skirt_length > 0.45):
        stride *= _STRIDE_IN_LONG_CLOTHES
    turn = yaw_pitch_roll(yaw)
    sway = yaw_pitch_roll(-0.12 * stride * np.sin(pose.phase), 0.0, 0.03 * stride * np.cos(pose.phase))
    local_legs = {side: _leg_joints(identity, pose, stride, side, sway) for side in SIDES}
    lowest = min(_lowest_sole_point(leg) for leg in local_legs.values())
    feet = np.asarray(position, dtype=np.float64)
    person = Frame(feet + np.array([0.0, -lowest * scale, 0.0]), turn, scale)
    lean = yaw_pitch_roll(pose.twist - 0.10 * stride * np.sin(pose.phase), pose.lean, pose.roll)
    torso = person.turned((0.0, 0.0, 0.0), lean, scale)
    nod = yaw_pitch_roll(
        pose.head_yaw + pose.twist * 0.5, pose.lean * 0.5 + pose.head_pitch, pose.roll * 2 + pose.head_roll
    )
    # Heads vary less in size than bodies.
    head_scale = scale * (0.97 if identity.is_female else 1.0) * (0.75 + 0.25 / scale)
    return Skeleton(
        scale=scale,
        person=person,
        torso=torso,
        pelvis=person.turned((0.0, 0.0, 0.0), sway, scale),
        head=Frame(torso.at(_NECK_BASE), turn @ nod, head_scale),
        legs={
            side: Leg(person.at(leg[0]), person.at(leg[1]), person.at(leg[2]), person.direction(leg[3]))
            for side, leg in local_legs.items()
        },
        arms={side: _build_arm(identity, pose, stride, side, torso) for side in SIDES},
        ahead=person.direction((0.0, 0.0, 1.0)),
    )


def _unit(vector: ArrayLike) -> FloatArray:
    v = np.asarray(vector, dtype=np.float64)
    return np.asarray(v / np.linalg.norm(v))


def _leg_joints(
    identity: Identity, pose: Pose, stride: float, side: int, sway: FloatArray
) -> list[FloatArray]:
    """Hip, knee, ankle and foot direction in the person's frame."""
    phase = pose.phase if side == LEFT else pose.phase + np.pi
    pace = stride / _ORDINARY_STRIDE
    swing = stride * np.sin(phase) + 0.03
    bend = 0.06 + 0.95 * pace * max(0.0, np.cos(phase)) ** 1.6 + 0.12 * pace * max(0.0, np.sin(phase))
    spread = 0.02
    if pose.is_standing:  # weight on one leg, the other knee loose
        loose = max(0.0, side * pose.weight_shift)
        swing, bend, spread = 0.03 + 0.10 * loose, 0.06 + 0.22 * loose, 0.05 + 0.04 * loose
    half_width = (0.095 if identity.is_female else 0.092) * (0.5 + 0.5 * identity.build)
    hip = np.array([side * half_width, 0.0, 0.0])
    knee = hip + _THIGH * np.array([side * spread, -np.cos(swing), np.sin(swing)])
    lower = swing - bend
    ankle = knee + _SHIN * np.array([side * 0.01, -np.cos(lower), np.sin(lower)])
    toe_up = np.clip(lower * 0.8 + 0.05 + (0.25 * max(0.0, np.sin(phase)) if stride > 0 else 0.0), -1.0, 0.4)
    foot = _unit([side * identity.toe_out, np.sin(toe_up), np.cos(toe_up)])
    return [sway @ hip, sway @ knee, sway @ ankle, sway @ foot]


def _lowest_sole_point(leg: list[FloatArray]) -> float:
    """Unit height of the lowest point of the shoe, heel or toe."""
    ankle, foot = leg[2], leg[3]
    upright = float(np.hypot(foot[0], foot[2]))
    sole = ankle[1] - _ANKLE_TO_SOLE * upright + 0.055 * foot[1]
    return float(sole - 0.105 * abs(foot[1]))


@dataclass(frozen=True)
class _ArmAngles:
    """Angles of an arm: swing ahead, bend, spread from the body, and how far the forearm turns inward."""

    swing: float
    elbow: float
    spread: float
    inward: float


_ACTION_ANGLES = {
    "pocket": _ArmAngles(-0.25, 0.75, 0.28, 0.35),
    "phone": _ArmAngles(0.45, 1.68, 0.10, 0.55),
    "call": _ArmAngles(1.10, 2.35, 0.30, 0.12),
    "strap": _ArmAngles(0.25, 2.25, 0.12, 0.50),
    "carry": _ArmAngles(0.10, 1.45, 0.15, 0.45),
    "behind": _ArmAngles(-0.42, 0.35, 0.22, 1.6),
}
_PALM_DIRECTIONS = {"phone": (0.0, 0.5, -0.85), "carry": (0.0, 0.9, -0.3), "strap": (0.0, 0.1, -1.0)}


def hand_action(identity: Identity, pose: Pose, side: int) -> str:
    """What a hand does: the pose's action unless a bag or a habit occupies the hand."""
    if identity.bag in ("hand", "shopping") and side == identity.bag_side:
        return "bag on elbow" if identity.bag == "hand" and identity.bag_on_elbow else "bag"
    action = pose.arm(side).action
    if action == "strap" and identity.bag not in ("backpack", "crossbody", "shoulder"):
        return "swing"
    if action == "swing" and identity.arm_habit == "pockets":
        return "pocket"
    return action


def _arm_angles(identity: Identity, pose: Pose, stride: float, side: int) -> _ArmAngles:
    arm = pose.arm(side)
    action = hand_action(identity, pose, side)
    phase = pose.phase + (np.pi if side == LEFT else 0.0)
    share = 0.15 if pose.is_standing else stride / _ORDINARY_STRIDE
    swing = arm.swing * np.sin(phase) * share
    if action in _ACTION_ANGLES:
        fixed = _ACTION_ANGLES[action]
        return _ArmAngles(fixed.swing + 0.1 * swing, fixed.elbow, fixed.spread, fixed.inward)
    if action == "bag on elbow":
        return _ArmAngles(0.15, 1.5, 0.16, 0.3)
    if action == "bag":
        return _ArmAngles(0.3 * swing, 0.10 if identity.bag == "shopping" else 0.25, 0.16, 0.05)
    return _ArmAngles(swing, arm.elbow + 0.35 * max(0.0, np.sin(phase)) * arm.swing, arm.spread, 0.05)


def _build_arm(identity: Identity, pose: Pose, stride: float, side: int, torso: Frame) -> Arm:
    angles = _arm_angles(identity, pose, stride, side)
    arm = pose.arm(side)
    half = (0.147 if identity.is_female else 0.170) * identity.shoulder_scale * (0.6 + 0.4 * identity.build)
    shoulder = np.array([side * half, 0.450, -0.008])
    upper = _unit(
        [side * np.sin(angles.spread), -np.cos(angles.spread) * np.cos(angles.swing), np.sin(angles.swing)]
    )
    inward = angles.inward * min(1.0, angles.elbow)
    reach = angles.swing + angles.elbow
    fore = _unit([side * (np.sin(angles.spread) * 0.6 - inward), -np.cos(reach), np.sin(reach)])
    elbow = shoulder + _UPPER_ARM * upper
    wrist = elbow + _FOREARM * fore
    action = hand_action(identity, pose, side)
    toward = np.asarray(_PALM_DIRECTIONS.get(action, (-side, 0.0, 0.25)), dtype=np.float64)
    palm = _unit(toward - toward.dot(fore) * fore)
    bend = 0.0 if action in ("bag", "pocket") else arm.wrist
    hand = _unit(fore * np.cos(bend) + palm * np.sin(bend) + np.array([0.0, -0.1, 0.0]))
    palm = _unit(palm - palm.dot(hand) * hand)
    return Arm(
        shoulder=torso.at(shoulder),
        elbow=torso.at(elbow),
        wrist=torso.at(wrist),
        hand=torso.direction(hand),
        thumb=torso.direction(side * np.cross(palm, hand)),
        palm=torso.direction(palm),
        pose=arm,
    )
