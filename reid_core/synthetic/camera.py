"""Take one detector-style crop: place people in a scene, frame one, render and develop the picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from reid_core.synthetic.backdrop import random_backdrop
from reid_core.synthetic.body import build_person
from reid_core.synthetic.filters import resize
from reid_core.synthetic.identity import Identity
from reid_core.synthetic.pose import sample_pose
from reid_core.synthetic.primitives import Builder, Shapes
from reid_core.synthetic.render import Light, PinholeCamera, Plate, Rendering, Window, render
from reid_core.synthetic.scene import Scene
from reid_core.synthetic.sensor import CameraResponse, develop

Rng = np.random.Generator
Framing = Literal["person", "half", "pair", "background"]
"""What a detection box holds: one person; junk: part of one, two people, or nobody."""

_MAX_NATIVE_PX = 300
"""Boxes higher than this are rendered smaller: the saved crop is not higher than 256 pixels."""
_OCCLUDED_BELOW = 0.85
"""A person counts as occluded when less than this share of what the box holds of them is seen."""
_SUBJECT = 1
_BLACK = (0.0, 0.0, 0.0)
_DARKNESS = Light((0.0, 1.0, 0.0), sun=_BLACK, sky=_BLACK, ground=_BLACK, softness=0.1, occlusion=0.0)
"""For outlines, where only the shape counts."""


@dataclass(frozen=True)
class ShotOptions:
    """What may happen in a crop, and its size."""

    width: int = 128
    height: int = 256
    height_cap: int = 0
    """Render no box higher than this many pixels; 0 leaves all detail."""
    box_px: tuple[float, float] = (80.0, 420.0)
    """Standing height of a person of 1.75 m in the plate, in pixels."""
    occlusion_share: float = 0.18
    """Share of bystanders who stand in front of the person."""
    bystanders: tuple[float, ...] = (0.62, 0.28, 0.10)
    """Probability of 0, 1, 2 ... bystanders."""
    truncation_share: float = 0.10
    backdrop_share: float = 0.0
    """Share of crops whose background is replaced by something unrelated."""
    free_yaw_share: float = 0.2
    """Share of people who walk in any direction, not along the scene's axis."""
    jitter: float = 1.0
    """How loosely the box sits: 1 is a good detector."""
    min_visible: float = 0.45
    """Smallest share of the person that must be seen."""


@dataclass(frozen=True)
class Placement:
    """Where a person stands (metres on the ground) and the yaw they walk at (0 is away from the camera)."""

    x: float
    z: float
    yaw: float


@dataclass(frozen=True)
class Box:
    """A detection in plate pixels."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        """Pixels from left to right."""
        return self.right - self.left

    @property
    def height(self) -> float:
        """Pixels from top to bottom."""
        return self.bottom - self.top

    def clipped(self, width: int, height: int) -> Box:
        """The part of the box inside a plate of this size."""
        return Box(
            max(self.left, 0.0),
            max(self.top, 0.0),
            min(self.right, float(width)),
            min(self.bottom, float(height)),
        )

    def union(self, other: Box) -> Box:
        """The smallest box around both."""
        return Box(
            min(self.left, other.left),
            min(self.top, other.top),
            max(self.right, other.right),
            max(self.bottom, other.bottom),
        )


@dataclass(frozen=True)
class Shot:
    """A finished crop and what is known about it."""

    image: NDArray[np.uint8]
    """(height, width, 3) RGB as saved: squashed to the asked size, as detectors' crops are."""
    mask: NDArray[np.uint8]
    """(height, width), 255 where the person is seen."""
    box: Box
    visible_fraction: float
    """Share of the person's outline that is seen: not cut off by the box, not hidden by anything."""
    yaw_deg: float
    """0 faces the camera, 90 walks to the right in the picture, 180 is seen from behind, 270 walks left."""
    is_truncated: bool
    is_occluded: bool


def find_placement(scene: Scene, rng: Rng, options: ShotOptions) -> Placement | None:
    """A free spot where a person is inside the picture and not inside furniture; None if none is found."""
    for _ in range(200):
        x, z = float(rng.uniform(-4.5, 4.5)), float(rng.uniform(4.0, scene.distance_m + 6))
        overhang = 0.25 if rng.random() < 0.06 else 0.0
        if not is_in_view(scene, x, z, options, overhang) or _is_inside_furniture(scene, x, z):
            continue
        u, v, _ = _foot_and_head(scene.camera, x, z)[0]
        row, column = int(np.clip(v - 3, 0, scene.height - 1)), int(np.clip(u, 0, scene.width - 1))
        feet_distance = float(np.hypot(np.hypot(x, z), scene.camera.position[1]))
        are_feet_hidden = abs(float(scene.depth[row, column]) - feet_distance) > 0.35
        if are_feet_hidden and rng.random() > 0.25:
            continue
        return Placement(x, z, choose_heading(scene, rng, options))
    return None


def choose_heading(scene: Scene, rng: Rng, options: ShotOptions) -> float:
    """The yaw of a passer-by: mostly along the scene's axis, either way."""
    if rng.random() < options.free_yaw_share:
        return float(rng.uniform(0, 2 * np.pi))
    return scene.walking_axis + (np.pi if rng.random() < 0.5 else 0.0) + float(rng.normal(0, 0.25))


def walk_on(
    scene: Scene, start: Placement, metres: float, rng: Rng, options: ShotOptions
) -> Placement | None:
    """The same person a moment later; None if that leaves the picture or runs into something."""
    yaw = start.yaw + float(rng.normal(0, 0.1))
    x, z = start.x + float(np.sin(yaw)) * metres, start.z + float(np.cos(yaw)) * metres
    if z < 3.5 or not is_in_view(scene, x, z, options) or _is_inside_furniture(scene, x, z):
        return None
    return Placement(x, z, yaw)


def is_in_view(scene: Scene, x: float, z: float, options: ShotOptions, overhang: float = 0.0) -> bool:
    """Whether a person of 1.75 m at (x, z) is seen from head to foot at an allowed size."""
    foot, head = _foot_and_head(scene.camera, x, z)
    height = foot[1] - head[1]
    margin = 0.15 * height
    return bool(
        foot[2] > 1.0
        and options.box_px[0] <= height <= options.box_px[1]
        and margin <= foot[0] <= scene.width - margin
        and head[1] >= -0.02 * height
        and foot[1] <= scene.height + overhang * height
    )


def take_shot(
    scene: Scene,
    response: CameraResponse,
    subject: Identity,
    placement: Placement,
    crowd: Sequence[Identity],
    options: ShotOptions,
    rng: Rng,
    *,
    framing: Framing = "person",
    backdrops: Sequence[Scene] = (),
) -> Shot | None:
    """Render one crop of ``subject`` at ``placement``; None where the person can hardly be seen.

    Args:
        scene: The camera's empty scene.
        response: How the camera turns light into colours.
        subject: Who is in the box (for ``background`` framing: nobody is).
        placement: Where they stand.
        crowd: Identities that bystanders are drawn from.
        options: What may happen, and the size.
        rng: Draws pose, bystanders, box and noise: equal generators give equal crops.
        framing: What the box holds.
        backdrops: Other scenes that ``options.backdrop_share`` draws from.
    """
    builder = Builder()
    joints = build_person(
        builder, subject, sample_pose(rng), _spot(placement), placement.yaw, person_id=_SUBJECT
    )
    alone = builder.finish()
    full = _tight_box(scene.camera.project(joints.points))
    companion = _add_bystanders(builder, scene, placement, crowd, options, rng, is_pair=framing == "pair")
    target = full if companion is None or framing != "pair" else full.union(companion)
    box, is_truncated = _detect(target, framing, options, rng)
    box = box.clipped(scene.width, scene.height)
    if box.width < 12 or box.height < 40:
        return None
    shapes = builder.finish()
    has_backdrop = rng.random() < options.backdrop_share
    rendering, supersampling = _render_box(
        scene, shapes, placement, box, options, rng, has_backdrop, backdrops
    )
    visible, inside = _visibility(scene.camera, alone, rendering, full, box)
    if framing == "person" and visible < options.min_visible:
        return None
    gain = response.gain(scene.median_luminance, scene.bright_luminance)
    picture = develop(rendering.radiance, response, gain, rng, supersampling=supersampling)
    mask = (rendering.person_ids == _SUBJECT).astype(np.float32)[..., None] * 255
    return Shot(
        image=_resized(picture, options),
        mask=np.where(_resized(mask, options)[..., 0] > 127, 255, 0).astype(np.uint8),
        box=box,
        visible_fraction=visible,
        yaw_deg=_yaw_to_camera(placement),
        is_truncated=is_truncated,
        is_occluded=visible < _OCCLUDED_BELOW * inside,
    )


def take_empty_shot(scene: Scene, response: CameraResponse, options: ShotOptions, rng: Rng) -> Shot | None:
    """A false detection: a box of a person's size around nobody; None if the scene has no place for it."""
    placement = find_placement(scene, rng, options)
    if placement is None:
        return None
    foot, head = _foot_and_head(scene.camera, placement.x, placement.z)
    height = float(foot[1] - head[1])
    full = Box(
        foot[0] - 0.22 * height, head[1] - 0.05 * height, foot[0] + 0.22 * height, foot[1] + 0.03 * height
    )
    box = _detect(full, "person", options, rng)[0].clipped(scene.width, scene.height)
    if box.width < 12 or box.height < 40:
        return None
    rendering, supersampling = _render_box(
        scene, Builder().finish(), placement, box, options, rng, has_backdrop=False, backdrops=()
    )
    gain = response.gain(scene.median_luminance, scene.bright_luminance)
    picture = develop(rendering.radiance, response, gain, rng, supersampling=supersampling)
    empty = np.zeros((options.height, options.width), np.uint8)
    return Shot(_resized(picture, options), empty, box, 0.0, 0.0, False, False)


def _spot(placement: Placement) -> NDArray[np.float64]:
    return np.array([placement.x, 0.0, placement.z])


def _foot_and_head(camera: PinholeCamera, x: float, z: float) -> NDArray[np.float64]:
    return camera.project(np.array([[x, 0.0, z], [x, 1.75, z]]))


def _is_inside_furniture(scene: Scene, x: float, z: float) -> bool:
    boxes, cylinders, leaves = scene.geometry.boxes, scene.geometry.cylinders, scene.geometry.foliage
    px, pz = x - boxes["cx"], z - boxes["cz"]
    in_box = (np.abs(boxes["cos"] * px - boxes["sin"] * pz) < boxes["hx"] + 0.35) & (
        np.abs(boxes["sin"] * px + boxes["cos"] * pz) < boxes["hz"] + 0.35
    )
    in_box &= (boxes["cy"] - boxes["hy"] < 1.8) & (boxes["hy"] > 0.05)
    in_cylinder = np.hypot(x - cylinders["x"], z - cylinders["z"]) < cylinders["radius"] + 0.35
    in_leaves = (leaves["y"] - leaves["ry"] < 1.6) & (
        np.hypot(x - leaves["x"], z - leaves["z"]) < leaves["rx"] + 0.2
    )
    return bool(in_box.any() or in_cylinder.any() or in_leaves.any())


def _add_bystanders(
    builder: Builder,
    scene: Scene,
    placement: Placement,
    crowd: Sequence[Identity],
    options: ShotOptions,
    rng: Rng,
    *,
    is_pair: bool,
) -> Box | None:
    """Add other people; returns the box of the last one beside the person, if there is one."""
    count = int(rng.choice(len(options.bystanders), p=options.bystanders))
    count = max(count, 1) if is_pair else count
    away = _spot(placement) / np.hypot(placement.x, placement.z)
    side = np.array([away[2], 0.0, -away[0]])
    companion = None
    for i in range(count if crowd else 0):
        turn = float(rng.choice([-1, 1]))
        if is_pair:
            offset = away * rng.uniform(-0.2, 0.3) + side * turn * rng.uniform(0.5, 0.8)
        elif rng.random() < options.occlusion_share / count:
            offset = -away * rng.uniform(0.7, 1.6) + side * turn * rng.uniform(0.18, 0.5)
        else:
            offset = away * rng.uniform(-0.2, 3.5) + side * turn * rng.uniform(0.45, 1.3)
        spot = _spot(placement) + offset
        walks_along = rng.random() >= 0.6
        yaw = (
            placement.yaw + float(rng.normal(0, 0.15)) if walks_along else choose_heading(scene, rng, options)
        )
        other = crowd[int(rng.integers(len(crowd)))]
        pose = sample_pose(rng)
        if spot[2] < 3.2 or np.linalg.norm(offset) < 0.42 or _is_inside_furniture(scene, spot[0], spot[2]):
            continue
        joints = build_person(builder, other, pose, spot, yaw, person_id=_SUBJECT + 1 + i)
        companion = _tight_box(scene.camera.project(joints.points))
    return companion


def _tight_box(projected: NDArray[np.float64]) -> Box:
    """The box around projected joints, widened to the outline of the body."""
    (left, top), (right, bottom) = projected[:, :2].min(axis=0), projected[:, :2].max(axis=0)
    height = bottom - top
    return Box(
        float(left - 0.06 * height),
        float(top - 0.015 * height),
        float(right + 0.06 * height),
        float(bottom + 0.025 * height),
    )


def _detect(full: Box, framing: Framing, options: ShotOptions, rng: Rng) -> tuple[Box, bool]:
    """Move, scale and sometimes cut the true box, as detectors do; returns whether it was cut."""
    jitter = options.jitter
    height = full.height
    width = max(full.width * 1.04, float(rng.uniform(0.40, 0.50)) * height)
    center_x = (full.left + full.right) / 2 + float(rng.normal(0, 0.03)) * width * jitter
    center_y = (full.top + full.bottom) / 2 + float(rng.normal(0, 0.018)) * height * jitter
    width *= float(np.exp(rng.normal(0.02, 0.07) * jitter))
    height *= float(np.exp(rng.normal(0.015, 0.04) * jitter))
    box = Box(center_x - width / 2, center_y - height / 2, center_x + width / 2, center_y + height / 2)
    if framing == "half":
        return _cut_in_half(box, rng), True
    draw = float(rng.random()) / max(options.truncation_share, 1e-9)
    if draw < 0.4:
        return replace(box, bottom=box.bottom - box.height * float(rng.uniform(0.1, 0.28))), True
    if draw < 0.7:
        return replace(box, top=box.top + box.height * float(rng.uniform(0.03, 0.10))), True
    if draw < 1.0:
        cut = box.width * float(rng.uniform(0.1, 0.3))
        if rng.random() < 0.5:
            return replace(box, left=box.left + cut), True
        return replace(box, right=box.right - cut), True
    return box, False


def _cut_in_half(box: Box, rng: Rng) -> Box:
    """A junk box that holds legs, a torso, or one side of a person."""
    choice = int(rng.integers(4))
    if choice == 0:
        return replace(box, top=box.top + box.height * float(rng.uniform(0.45, 0.6)))
    if choice == 1:
        return replace(box, bottom=box.bottom - box.height * float(rng.uniform(0.55, 0.65)))
    shift = box.width * float(rng.uniform(0.55, 0.75)) * (1 if choice == 2 else -1)
    return replace(box, left=box.left + shift, right=box.right + shift)


def _render_box(
    scene: Scene,
    shapes: Shapes,
    placement: Placement,
    box: Box,
    options: ShotOptions,
    rng: Rng,
    has_backdrop: bool,
    backdrops: Sequence[Scene],
) -> tuple[Rendering, int]:
    """Render the box; returns it with the number of rendered pixels per sensor pixel along a side."""
    supersampling = 2 if box.height < 150 else 1
    scale = float(supersampling)
    if box.height > _MAX_NATIVE_PX:
        scale = _MAX_NATIVE_PX / box.height
    if options.height_cap and box.height * scale > options.height_cap:
        scale, supersampling = options.height_cap / box.height, 1
    width, height = max(8, round(box.width * scale)), max(16, round(box.height * scale))
    view = scene.view(box.left, box.top, box.right, box.bottom)
    plate = view.plate
    if has_backdrop:
        plate = random_backdrop(plate.depth.shape, scene.median_luminance, backdrops, rng)
    light = replace(scene.light, sun_visibility=scene.sun_share(_spot(placement)))
    window = Window(
        box.left - view.offset_x,
        box.top - view.offset_y,
        box.right - view.offset_x,
        box.bottom - view.offset_y,
        width,
        height,
    )
    return render(shapes, view.camera, light, plate, window), supersampling


def _visibility(
    camera: PinholeCamera, alone: Shapes, rendering: Rendering, full: Box, box: Box
) -> tuple[float, float]:
    """Shares of the person's outline that are seen, and that lie inside the box."""
    around = full.union(box)
    height = 36
    width = max(8, round(height * around.width / around.height))
    nothing = Plate(
        ambient=np.zeros((2, 2, 3), np.float32),
        sun=np.zeros((2, 2, 3), np.float32),
        depth=np.full((2, 2), 1e3, np.float32),
        upness=np.zeros((2, 2), np.float32),
    )
    window = Window(around.left, around.top, around.right, around.bottom, width, height)
    outline = render(alone, camera, _DARKNESS, nothing, window).person_ids == _SUBJECT
    columns = around.left + (np.arange(width) + 0.5) * around.width / width
    rows = around.top + (np.arange(height) + 0.5) * around.height / height
    in_box = ((rows >= box.top) & (rows < box.bottom))[:, None] & (
        (columns >= box.left) & (columns < box.right)
    )
    cell = around.width / width * around.height / height
    total = max(float(outline.sum()) * cell, 1e-6)
    seen = (
        float((rendering.person_ids == _SUBJECT).sum()) * box.width * box.height / rendering.person_ids.size
    )
    return min(1.0, seen / total), float((outline & in_box).sum()) * cell / total


def _yaw_to_camera(placement: Placement) -> float:
    to_camera = np.arctan2(-placement.x, -placement.z)
    return float(np.degrees(placement.yaw - to_camera) % 360.0)


def _resized(picture: NDArray[np.uint8] | NDArray[np.float32], options: ShotOptions) -> NDArray[np.uint8]:
    resized = resize(picture.astype(np.float32), options.width, options.height)
    rounded: NDArray[np.uint8] = np.clip(resized + 0.5, 0, 255).astype(np.uint8)
    return rounded
