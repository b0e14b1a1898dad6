"""Rounded solids that a person or a car is made of: their row layout, and the Builder that fills it.

A primitive is one row of ``NUM_PRIMITIVE_FIELDS`` numbers, a material one of ``NUM_MATERIAL_FIELDS``, so that
numba kernels read plain arrays. The ``P_``/``M_`` constants name the columns. Lengths are metres, y is up.
Primitives of one blend group melt into each other; between groups the nearer one wins.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf

import numpy as np
from numpy.typing import ArrayLike

from reid_core.synthetic.colors import FloatArray, srgb_to_linear

# ---- columns of a primitive
P_ORIGIN = 0  # 3
P_AXES = 3  # 9: rows are the local axes
P_SHAPE = 12
P_GROUP = 13
P_MATERIAL = 14
P_BLEND = 15
P_DIMENSIONS = 16  # 11, by shape, see below
P_MAX_Y = 27  # nothing of the primitive is above this world height
P_HAIR_THICKNESS = 28  # metres of hair on the scalp
P_HAIR_FRINGE = 29  # 0 none, 1 swept to the side, 2 full
P_CENTER = 30  # 3: of the bounding sphere
P_RADIUS = 33
P_CLOTH_AMPLITUDE = 34
P_CLOTH_SEED = 35
P_CLOTH_KIND = 36
P_CLOTH_PERIOD = 37
P_PART = 38
P_SIDE = 39
P_UNIT = 40  # head size relative to an adult head; face and hair detail scales with it
P_OFFSET = 41  # 3: local origin in the frame that face and hair detail is defined in
P_PERSON = 44
P_CLOTH_ACROSS = 45  # fold frequency across the part, 1 = ordinary
P_CLOTH_ALONG = 46  # and along it
P_HAIR_PARTING = 47  # -1 right to 1 left
P_CAPSULE_A = 48  # 3: bounding capsule
P_CAPSULE_B = 51  # 3
P_CAPSULE_RADIUS = 54
NUM_PRIMITIVE_FIELDS = 56

SHAPE_LIMB, SHAPE_LATHE, SHAPE_ELLIPSOID, SHAPE_BOX = 0, 1, 2, 3

LIMB_LENGTH, LIMB_R0, LIMB_R1, LIMB_BULGE, LIMB_CUT_START, LIMB_CUT_END, LIMB_FLATTEN = range(16, 23)
LATHE_BOTTOM, LATHE_TOP, LATHE_PROFILE = range(17, 20)
ELLIPSOID_RX, ELLIPSOID_RY, ELLIPSOID_RZ = range(16, 19)
ELLIPSOID_CUT = 19  # 4: is cut, ny, nz, offset; keeps ny * y + nz * z > offset
ELLIPSOID_CUT2 = 23  # 4: a second cut
BOX_X, BOX_Y, BOX_Z, BOX_ROUNDING, BOX_TAPER, BOX_TAPER_Z = range(16, 22)

# ---- what a primitive's surface does under displacement
FOLD_NONE, FOLD_TORSO, FOLD_LIMB, FOLD_QUILT, FOLD_PLEATS, FOLD_SOFT_BAG = range(6)
FOLD_HAIR, FOLD_SCALP, FOLD_FACE = range(
    6, 9
)  # locks; hair on the skull (curly if it has a period); face relief

# ---- which part of its garment or object a primitive is; patterns depend on it
PART_TORSO, PART_SLEEVE, PART_LEG, PART_HAND = 0, 1, 2, 3
PART_CAR_BODY, PART_CAR_CABIN, PART_CAR_TYRE = 4, 5, 6
PART_LOCK = 7  # hair that hangs along a limb's axis

# ---- columns of a material
M_KIND = 0
M_COLOR = 1  # 3, linear, as the next two
M_COLOR2 = 4  # 3
M_COLOR3 = 7  # 3
M_PATTERN = 10
M_PATTERN_SIZE = 11
M_PATTERN_PHASE = 12
M_SEED = 13
M_FRONT = 14
M_OPENING = 15
M_CONTRAST_SLEEVES = 16
M_STRAP = 17
M_STRAP_SIDE = 18
M_STRAP_COLOR = 19  # 3
M_SPECULAR = 22
M_GLOSS = 23
M_SHEEN = 24
M_PRINT = 25
M_PRINT_X = 26
M_PRINT_Y = 27
M_PRINT_HALF_WIDTH = 28
M_PRINT_HALF_HEIGHT = 29  # negative: on the back
M_PRINT_COLOR = 30  # 3
M_RIB = 34
M_HEM = 35
M_DENIM_FADE = 38
M_WEAVE = 39
M_SIDE_STRIPE = 40
M_POCKETS = 41
M_PATTERN_SHARE = 42
M_TIE = 43
M_TIE_COLOR = 44  # 3
M_BELT = 47
NUM_MATERIAL_FIELDS = 56
# the same columns under the names that other kinds use
M_BEARD, M_GLASSES, M_CROPPED, M_BROW, M_EYE_SPACING, M_LIPS = 10, 11, 12, 14, 15, 16  # face
M_OMBRE, M_WAVE = 10, 11  # hair
M_SOLE_HEIGHT, M_SHOE_STRIPE, M_LACES = 11, 12, 15  # shoe
M_BAG_STYLE = 10  # bag

KIND_SKIN, KIND_FACE, KIND_HAIR, KIND_UPPER, KIND_LOWER, KIND_SHOE, KIND_BAG, KIND_CAR = range(8)
PATTERN_PLAIN, PATTERN_STRIPES, PATTERN_CHECKS, PATTERN_PINSTRIPES, PATTERN_CLOUD = range(5)
PATTERN_GRADIENT, PATTERN_YOKE, PATTERN_DOTS, PATTERN_BAND = range(5, 9)
FRONT_PLAIN, FRONT_ZIP, FRONT_BUTTONS, FRONT_OPEN, FRONT_LAPEL = range(5)
STRAP_NONE, STRAP_BACKPACK, STRAP_CROSSBODY, STRAP_SHOULDER = range(4)
PRINT_NONE, PRINT_DISC, PRINT_TEXT, PRINT_PHOTO, PRINT_CHEVRON, PRINT_NUMBER = range(6)
BAG_BACKPACK, BAG_FLAP, BAG_PAPER = 1, 2, 3

PROFILE_ROWS = 48
"""Cross-sections a lathe is tabulated at."""

# Share of light that a surface of a kind returns at its nominal colour: cloth is darker than its swatch.
_ALBEDO_SCALE = {
    KIND_SKIN: 0.74,
    KIND_FACE: 0.74,
    KIND_UPPER: 0.80,
    KIND_LOWER: 0.80,
    KIND_BAG: 0.80,
    KIND_SHOE: 0.9,
}
_GROUPS_PER_FIGURE = 100
_DEFAULT_GLOSS = 20.0


@dataclass(frozen=True)
class Cloth:
    """Displacement of a surface: folds, quilting, pleats or hair.

    Attributes:
        kind: One of the ``FOLD_`` constants.
        amplitude: Metres.
        seed: Noise seed.
        period: Quilt spacing in metres (``FOLD_QUILT``) or pleats per radian (``FOLD_PLEATS``).
        scale: Size of the folds, 1 = ordinary.
        stretch: Above 1 the folds run along the part, below 1 around it.
    """

    kind: int = FOLD_NONE
    amplitude: float = 0.0
    seed: int = 0
    period: float = 0.0
    scale: float = 1.0
    stretch: float = 1.0


NO_CLOTH = Cloth()


@dataclass(frozen=True)
class HeadDetail:
    """Where a primitive lies in the head frame, for face features and hair strands.

    Attributes:
        unit: Head size, 1 = adult male.
        offset: (3,) local origin in head units from the skull's centre.
        thickness: Of hair on the scalp, in head units.
        fringe: 0 none, 1 swept to the side, 2 full.
        parting: Where the parting lies, -1 right to 1 left.
    """

    unit: float = 1.0
    offset: tuple[float, float, float] = (0.0, 0.0, 0.0)
    thickness: float = 0.0
    fringe: int = 0
    parting: float = 0.0


NO_HEAD = HeadDetail()


@dataclass(frozen=True)
class Cut:
    """Keep the part of an ellipsoid where ``ny * y + nz * z > offset`` (local metres)."""

    ny: float
    nz: float
    offset: float


@dataclass(frozen=True)
class Shapes:
    """Finished geometry: primitives sorted by blend group (N, 56), profiles (K, 48, 3), materials, proxies
    (Q, 8).
    """

    primitives: FloatArray
    profiles: FloatArray
    materials: FloatArray
    proxies: FloatArray

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to draw."""
        return len(self.primitives) == 0


def yaw_pitch_roll(yaw: float = 0.0, pitch: float = 0.0, roll: float = 0.0) -> FloatArray:
    """Rotation (3, 3) = yaw about y, then pitch about x (forward is positive), then roll about z; radians."""
    cy, sy, cp, sp = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch)
    cr, sr = np.cos(roll), np.sin(roll)
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_x = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    about_z = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    return np.asarray(about_y @ about_x @ about_z)


def interpolate_monotone(x: FloatArray, y: FloatArray, at: FloatArray) -> FloatArray:
    """Monotone cubic interpolation without overshoot (Fritsch and Butland, 1984)."""
    step = np.diff(x)
    slope = np.diff(y) / step
    tangent = np.zeros(len(x))
    tangent[0], tangent[-1] = slope[0], slope[-1]
    for i in range(1, len(x) - 1):
        if slope[i - 1] * slope[i] > 0:
            w1, w2 = 2 * step[i] + step[i - 1], step[i] + 2 * step[i - 1]
            tangent[i] = (w1 + w2) / (w1 / slope[i - 1] + w2 / slope[i])
    left = np.clip(np.searchsorted(x, at) - 1, 0, len(step) - 1)
    t = (at - x[left]) / step[left]
    return np.asarray(
        (1 + 2 * t) * (1 - t) ** 2 * y[left]
        + t * (1 - t) ** 2 * step[left] * tangent[left]
        + t * t * (3 - 2 * t) * y[left + 1]
        + t * t * (t - 1) * step[left] * tangent[left + 1]
    )


class Builder:
    """Collects primitives, materials and shadow proxies of any number of figures."""

    def __init__(self) -> None:
        self._primitives: list[FloatArray] = []
        self._materials: list[FloatArray] = []
        self._profiles: list[FloatArray] = []
        self._proxies: list[list[float]] = []
        self._first_group = 0
        self._person_id = 0

    def begin_figure(self, person_id: int) -> None:
        """Start a person or object: its groups blend with no earlier figure's, its pixels carry
        ``person_id``.
        """
        self._first_group += _GROUPS_PER_FIGURE
        self._person_id = person_id

    def material(
        self,
        kind: int,
        color: ArrayLike,
        second: ArrayLike | None = None,
        third: ArrayLike | None = None,
        values: Mapping[int, float] | None = None,
    ) -> int:
        """Add a material and return its index; colours are sRGB, ``values`` maps ``M_`` columns."""
        row = np.zeros(NUM_MATERIAL_FIELDS)
        scale = _ALBEDO_SCALE.get(kind, 1.0)
        row[M_KIND] = kind
        row[M_COLOR : M_COLOR + 3] = srgb_to_linear(color) * scale
        if second is not None:
            row[M_COLOR2 : M_COLOR2 + 3] = srgb_to_linear(second) * scale
        if third is not None:
            row[M_COLOR3 : M_COLOR3 + 3] = srgb_to_linear(third) * scale
        row[M_GLOSS] = _DEFAULT_GLOSS
        for column, value in (values or {}).items():
            row[column] = value
        self._materials.append(row)
        return len(self._materials) - 1

    def limb(
        self,
        start: ArrayLike,
        end: ArrayLike,
        start_radius: float,
        end_radius: float,
        material: int,
        group: int,
        blend: float = 0.02,
        *,
        bulge: float = 0.0,
        reference: ArrayLike = (0.0, 0.0, 1.0),
        cut_start: bool = False,
        cut_end: bool = False,
        flatten: float = 1.0,
        cloth: Cloth = NO_CLOTH,
        head: HeadDetail = NO_HEAD,
        part: int = PART_TORSO,
        side: int = 0,
        max_y: float = inf,
    ) -> None:
        """A tapered capsule; local y runs from start to end, local z as near to ``reference`` as it can.

        ``bulge`` adds metres of radius halfway, ``cut_*`` make an end flat, ``flatten`` > 1 narrows local x.
        """
        a = np.asarray(start, dtype=np.float64)
        b = np.asarray(end, dtype=np.float64)
        length = float(np.linalg.norm(b - a))
        y_axis = (b - a) / length
        toward = np.asarray(reference, dtype=np.float64)
        z_axis = toward - toward.dot(y_axis) * y_axis
        if np.linalg.norm(z_axis) < 1e-3:
            z_axis = np.array([1.0, 0.0, 0.0]) - y_axis[0] * y_axis
        z_axis = z_axis / np.linalg.norm(z_axis)
        axes = np.stack([np.cross(y_axis, z_axis), y_axis, z_axis])
        widest = (max(start_radius, end_radius) + max(0.0, bulge)) / min(1.0, flatten)
        row = self._add(
            SHAPE_LIMB,
            a,
            axes,
            material,
            group,
            blend,
            length / 2 + widest,
            (a + b) / 2,
            cloth,
            head,
            part,
            side,
            max_y,
        )
        row[LIMB_LENGTH : LIMB_FLATTEN + 1] = (
            length, start_radius, end_radius, bulge, cut_start, cut_end, flatten,
        )  # fmt: skip
        row[P_CAPSULE_A : P_CAPSULE_A + 3] = a
        row[P_CAPSULE_B : P_CAPSULE_B + 3] = b
        row[P_CAPSULE_RADIUS] = row[P_RADIUS] - length / 2

    def lathe(
        self,
        origin: ArrayLike,
        axes: FloatArray,
        rows: Sequence[tuple[float, float, float, float]],
        material: int,
        group: int,
        blend: float = 0.03,
        *,
        cloth: Cloth = NO_CLOTH,
        part: int = PART_TORSO,
        side: int = 0,
        max_y: float = inf,
    ) -> None:
        """Stacked ellipses along local y; rows are (y, half width, half depth, z of the centre)."""
        table = np.array(sorted(rows), dtype=np.float64)
        bottom, top = float(table[0, 0]), float(table[-1, 0])
        y = np.linspace(bottom, top, PROFILE_ROWS)
        profile = np.stack([interpolate_monotone(table[:, 0], table[:, j], y) for j in (1, 2, 3)], axis=1)
        self._profiles.append(profile)
        start = np.asarray(origin, dtype=np.float64)
        middle, half = (bottom + top) / 2, (top - bottom) / 2
        reach = float(max(profile[:, 0].max(), (profile[:, 1] + np.abs(profile[:, 2])).max()))
        radius = float(np.hypot(half, reach))
        center = start + axes.T @ np.array([0, middle, 0])
        row = self._add(
            SHAPE_LATHE,
            start,
            axes,
            material,
            group,
            blend,
            radius,
            center,
            cloth,
            NO_HEAD,
            part,
            side,
            max_y,
        )
        row[LATHE_BOTTOM : LATHE_PROFILE + 1] = bottom, top, len(self._profiles) - 1
        inset = min(reach, half)
        row[P_CAPSULE_A : P_CAPSULE_A + 3] = start + axes.T @ np.array([0, bottom + inset, 0])
        row[P_CAPSULE_B : P_CAPSULE_B + 3] = start + axes.T @ np.array([0, top - inset, 0])
        row[P_CAPSULE_RADIUS] = row[P_RADIUS] - radius + reach * 1.2

    def ellipsoid(
        self,
        origin: ArrayLike,
        axes: FloatArray,
        radii: ArrayLike,
        material: int,
        group: int,
        blend: float = 0.02,
        *,
        cut: Cut | None = None,
        second_cut: Cut | None = None,
        cloth: Cloth = NO_CLOTH,
        head: HeadDetail = NO_HEAD,
        part: int = PART_TORSO,
        side: int = 0,
        max_y: float = inf,
    ) -> None:
        """An ellipsoid with half axes ``radii``, of which up to two planes cut parts off."""
        center = np.asarray(origin, dtype=np.float64)
        half = np.asarray(radii, dtype=np.float64)
        row = self._add(
            SHAPE_ELLIPSOID,
            center,
            axes,
            material,
            group,
            blend,
            float(half.max()),
            center,
            cloth,
            head,
            part,
            side,
            max_y,
        )
        row[ELLIPSOID_RX : ELLIPSOID_RZ + 1] = half
        for column, plane in ((ELLIPSOID_CUT, cut), (ELLIPSOID_CUT2, second_cut)):
            if plane is not None:
                row[column : column + 4] = 1.0, plane.ny, plane.nz, plane.offset

    def rounded_box(
        self,
        origin: ArrayLike,
        axes: FloatArray,
        half_size: ArrayLike,
        rounding: float,
        material: int,
        group: int,
        blend: float = 0.02,
        *,
        taper: float = 0.0,
        taper_z: float = 0.0,
        cloth: Cloth = NO_CLOTH,
        part: int = PART_TORSO,
        side: int = 0,
        max_y: float = inf,
    ) -> None:
        """A box with rounded edges; ``taper`` (x) and ``taper_z`` are the share of width lost at the top."""
        center = np.asarray(origin, dtype=np.float64)
        half = np.asarray(half_size, dtype=np.float64)
        radius = float(np.linalg.norm(half)) * (1 + abs(taper))
        row = self._add(
            SHAPE_BOX, center, axes, material, group, blend, radius, center, cloth, NO_HEAD, part, side, max_y
        )
        row[BOX_X : BOX_Z + 1] = half
        row[BOX_ROUNDING : BOX_TAPER_Z + 1] = rounding, taper, taper_z

    def proxy(self, start: ArrayLike, end: ArrayLike, radius: float) -> None:
        """A capsule that stands for the solid where shadows and ambient occlusion are computed."""
        a, b = np.asarray(start, dtype=np.float64), np.asarray(end, dtype=np.float64)
        self._proxies.append([*a, *b, radius, self._person_id])

    def finish(self) -> Shapes:
        """The arrays that ``render`` reads."""
        primitives = np.array(self._primitives) if self._primitives else np.zeros((0, NUM_PRIMITIVE_FIELDS))
        order = np.argsort(primitives[:, P_GROUP], kind="stable")
        return Shapes(
            primitives=primitives[order],
            profiles=np.array(self._profiles) if self._profiles else np.zeros((1, PROFILE_ROWS, 3)),
            materials=np.array(self._materials) if self._materials else np.zeros((1, NUM_MATERIAL_FIELDS)),
            proxies=np.array(self._proxies) if self._proxies else np.zeros((0, 8)),
        )

    def _add(
        self,
        shape: int,
        origin: FloatArray,
        axes: FloatArray,
        material: int,
        group: int,
        blend: float,
        radius: float,
        center: FloatArray,
        cloth: Cloth,
        head: HeadDetail,
        part: int,
        side: int,
        max_y: float,
    ) -> FloatArray:
        """Append a row with everything but the dimensions; its bounding capsule is its bounding sphere."""
        row = np.zeros(NUM_PRIMITIVE_FIELDS)
        row[P_ORIGIN : P_ORIGIN + 3] = origin
        row[P_AXES : P_AXES + 9] = np.asarray(axes).reshape(-1)
        row[P_SHAPE : P_BLEND + 1] = shape, self._first_group + group, material, blend
        row[P_MAX_Y] = min(max_y, 1e9)
        row[P_CENTER : P_CENTER + 3] = center
        row[P_RADIUS] = radius + blend + 2.5 * cloth.amplitude + 1.5 * head.thickness + 0.01
        row[P_CLOTH_AMPLITUDE : P_SIDE + 1] = (
            cloth.amplitude,
            cloth.seed,
            cloth.kind,
            cloth.period,
            part,
            side,
        )
        row[P_UNIT] = head.unit
        row[P_OFFSET : P_OFFSET + 3] = head.offset
        row[P_HAIR_THICKNESS : P_HAIR_FRINGE + 1] = head.thickness, head.fringe
        row[P_HAIR_PARTING] = head.parting
        row[P_PERSON] = self._person_id
        row[P_CLOTH_ACROSS] = cloth.stretch**0.5 / cloth.scale
        row[P_CLOTH_ALONG] = cloth.stretch**-0.5 / cloth.scale
        row[P_CAPSULE_A : P_CAPSULE_A + 3] = row[P_CAPSULE_B : P_CAPSULE_B + 3] = center
        row[P_CAPSULE_RADIUS] = row[P_RADIUS]
        self._primitives.append(row)
        return row
