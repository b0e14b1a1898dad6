"""A plain studio: one camera, one light, a grey floor; renders small crops of a person for the tests."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from reid_core.synthetic.body import Joints, build_person
from reid_core.synthetic.identity import Identity, sample_identity
from reid_core.synthetic.pose import Pose, sample_pose
from reid_core.synthetic.primitives import Builder
from reid_core.synthetic.render import Light, PinholeCamera, Plate, Rendering, Window, look_at, render

WIDTH, HEIGHT, FAR_WALL = 320, 240, 40.0
PERSON_AT = np.array([0.0, 0.0, 7.0])


@dataclass(frozen=True, eq=False)
class Picture:
    """A rendered person with what tests measure it against."""

    rendering: Rendering
    joints: Joints
    camera: PinholeCamera
    window: Window

    @property
    def mask(self) -> np.ndarray:
        return self.rendering.person_ids > 0

    def world_height(self, row: float) -> float:
        """Height in metres of what is seen in a pixel row of the crop, at the person's distance."""
        v = self.window.top + (row + 0.5) * (self.window.bottom - self.window.top) / self.window.height
        at = self.camera.project(np.array([PERSON_AT, PERSON_AT + (0.0, 1.0, 0.0)]))[:, 1]
        return float((v - at[0]) / (at[1] - at[0]))


@dataclass(frozen=True)
class Studio:
    """Camera at hip height, so that heights in the picture are heights in the world."""

    camera: PinholeCamera = field(
        default_factory=lambda: look_at((0.0, 0.9, 0.0), (0.0, 0.9, 7.0), 300.0, WIDTH, HEIGHT)
    )
    light: Light = Light((0.6, 0.6, -0.53), (1.5, 1.5, 1.4), (0.5, 0.55, 0.6), (0.3, 0.3, 0.28), 0.03, 1.1)

    def plate(self, depth: float = FAR_WALL) -> Plate:
        """A uniform background ``depth`` metres away."""
        grey = np.full((HEIGHT, WIDTH, 3), 0.3, dtype=np.float32)
        return Plate(
            grey,
            grey * 0.5,
            np.full((HEIGHT, WIDTH), depth, np.float32),
            np.zeros((HEIGHT, WIDTH), np.float32),
        )

    def take(
        self, identity: Identity, pose: Pose, yaw: float = 0.0, *, rows: int = 96, depth: float = FAR_WALL
    ) -> Picture:
        """The whole person in a crop of ``rows`` pixel rows."""
        builder = Builder()
        joints = build_person(builder, identity, pose, PERSON_AT, yaw)
        u, v = self.camera.project(joints.points)[:, :2].T
        half = (v.max() - v.min()) * 0.58
        u_mid, v_mid = (u.max() + u.min()) / 2, (v.max() + v.min()) / 2
        window = Window(
            u_mid - half * 0.6, v_mid - half, u_mid + half * 0.6, v_mid + half, round(rows * 0.6), rows
        )
        picture = render(builder.finish(), self.camera, self.light, self.plate(depth), window)
        return Picture(picture, joints, self.camera, window)


def person(seed: int) -> tuple[Identity, Pose]:
    """A person and a pose that depend on the seed only."""
    rng = np.random.default_rng(seed)
    return sample_identity(rng), sample_pose(rng)
