"""How a person stands or walks in one picture: gait, head, what each arm does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

ArmAction = Literal["swing", "pocket", "phone", "call", "strap", "behind", "carry"]
"""swing, hand in a trouser or coat pocket, looking at a phone, phone at the ear, hand on a bag's strap,
hand behind the back, arm bent before the body."""


@dataclass(frozen=True)
class ArmPose:
    """One arm and hand.

    Attributes:
        action: What it does; a bag in the hand overrides it.
        swing: Swing of the upper arm in radians at full stride.
        spread: Angle between upper arm and body, radians.
        elbow: Bend at rest, radians.
        wrist: Bend towards the palm, radians.
        curl: 0 = flat hand, 1 = fist.
    """

    action: ArmAction
    swing: float
    spread: float
    elbow: float
    wrist: float
    curl: float


@dataclass(frozen=True)
class Pose:
    """One moment of a walk; angles in radians.

    Attributes:
        phase: Where in the stride, 0 to 2 pi.
        is_standing: Feet side by side.
        stride: Hip swing amplitude.
        lean: Of the torso, forward is positive.
        twist: Of the torso about the vertical.
        roll: Of the torso sideways.
        head_yaw, head_pitch, head_roll: Relative to the torso; pitch down is positive.
        weight_shift: Of a standing person onto one leg, -1 to 1.
        left, right: Arms.
    """

    phase: float
    is_standing: bool
    stride: float
    lean: float
    twist: float
    roll: float
    head_yaw: float
    head_pitch: float
    head_roll: float
    weight_shift: float
    left: ArmPose
    right: ArmPose

    def arm(self, side: int) -> ArmPose:
        """The left arm for 1, the right for -1."""
        return self.left if side > 0 else self.right


def sample_pose(rng: np.random.Generator, standing_probability: float = 0.14) -> Pose:
    """Draw a moment of someone passing by or standing."""
    is_standing = bool(rng.random() < standing_probability)
    pace = rng.beta(2.2, 2.0)  # 0 strolling, 1 hurrying
    head_yaw = rng.normal(0, 0.22) if rng.random() < 0.75 else rng.uniform(-0.95, 0.95)
    head_pitch = rng.normal(0.06, 0.12)
    lean = rng.normal(0.01 + 0.07 * pace, 0.03)
    actions = _sample_actions(rng, is_standing)
    if "phone" in actions:
        head_pitch, head_yaw = rng.uniform(0.28, 0.55), rng.normal(0, 0.12)
    swing = 0.15 + 0.6 * pace
    return Pose(
        phase=float(rng.uniform(0, 2 * np.pi)),
        is_standing=is_standing,
        stride=float(0.24 + 0.30 * pace),
        lean=float(np.clip(lean, -0.06, 0.16)),
        twist=float(rng.normal(0, 0.06)),
        roll=float(rng.normal(0, 0.02)),
        head_yaw=float(head_yaw),
        head_pitch=float(np.clip(head_pitch, -0.25, 0.6)),
        head_roll=float(rng.normal(0, 0.06)),
        weight_shift=float(rng.uniform(-1, 1)),
        left=_sample_arm(rng, actions[0], swing),
        right=_sample_arm(rng, actions[1], swing),
    )


def _sample_actions(rng: np.random.Generator, is_standing: bool) -> tuple[ArmAction, ArmAction]:
    busy: dict[ArmAction, float] = {"phone": 0.09, "call": 0.03, "strap": 0.07, "pocket": 0.08, "carry": 0.03}
    if is_standing:
        busy |= {"phone": 0.2, "pocket": 0.16, "behind": 0.08}
    kinds: list[ArmAction] = ["swing", *busy]
    shares = [1.0 - sum(busy.values()), *busy.values()]
    action = kinds[int(rng.choice(len(kinds), p=shares))]
    both = action in ("pocket", "behind") and rng.random() < 0.6
    other: ArmAction = action if both else "swing"
    return (action, other) if rng.random() < 0.5 else (other, action)


def _sample_arm(rng: np.random.Generator, action: ArmAction, swing: float) -> ArmPose:
    return ArmPose(
        action=action,
        swing=float(max(0.05, swing + rng.normal(0, 0.12))),
        spread=float(rng.uniform(0.07, 0.20)),
        elbow=float(rng.uniform(0.12, 0.5)),
        wrist=float(rng.normal(0.12, 0.14)),
        curl=float(rng.choice([rng.uniform(0.15, 0.45), rng.uniform(0.75, 1.0)], p=[0.75, 0.25])),
    )
