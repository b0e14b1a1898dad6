"""Face, hair and headwear."""

from __future__ import annotations

import numpy as np

from reid_core.synthetic.figure import (
    GROUP_EAR,
    GROUP_FACE,
    GROUP_HAIR,
    GROUP_HAIR_KNOT,
    GROUP_HAT,
    GROUP_HEADSCARF,
    GROUP_NECK,
    GROUP_SHAWL,
    Figure,
)
from reid_core.synthetic.primitives import (
    FOLD_FACE,
    FOLD_HAIR,
    FOLD_SCALP,
    FOLD_TORSO,
    KIND_LOWER,
    KIND_UPPER,
    M_SEED,
    M_SHEEN,
    M_WEAVE,
    PART_LOCK,
    PART_SLEEVE,
    Cloth,
    Cut,
    HeadDetail,
)
from reid_core.synthetic.skeleton import SIDES

_SKULL = (0.0, 0.135, -0.008)  # centre in the head's frame
_SKULL_RADII = np.array([0.076, 0.095, 0.096])
_FRINGES = {"none": 0, "swept": 1, "full": 2}


def build_head(figure: Figure) -> None:
    """Add face, neck, hair and hat."""
    _build_face(figure)
    identity = figure.identity
    if identity.hat == "headscarf":
        _build_headscarf(figure)
    elif identity.hair not in ("bald", "buzz"):
        _build_hair(figure)
    if identity.hat in ("cap", "beanie", "bucket"):
        _build_hat(figure)
    head = figure.skeleton.head
    figure.builder.proxy(head.at((0, 0.16, 0)), head.at((0, 0.07, 0.02)), 0.088 * head.scale)


def _detail(figure: Figure, center: tuple[float, float, float]) -> HeadDetail:
    """Places a primitive centred at ``center`` (head frame) for face and hair detail."""
    return HeadDetail(
        unit=figure.skeleton.head.scale,
        offset=(center[0] - _SKULL[0], center[1] - _SKULL[1], center[2] - _SKULL[2]),
    )


def _build_face(figure: Figure) -> None:
    identity, head, torso, builder = (
        figure.identity,
        figure.skeleton.head,
        figure.skeleton.torso,
        figure.builder,
    )
    face, skin, unit = figure.materials.face, figure.materials.skin, head.scale
    relief = Cloth(FOLD_FACE, 0.006 * unit, identity.seed % 100_000)
    jaw, jaw_width = (0.0, 0.070, 0.022), identity.jaw_scale
    builder.ellipsoid(
        head.at(_SKULL), head.axes, _SKULL_RADII * unit, face, GROUP_FACE, 0.03 * unit, cloth=relief,
        head=_detail(figure, _SKULL),
    )  # fmt: skip
    builder.ellipsoid(
        head.at(jaw), head.axes, np.array([0.057 * jaw_width, 0.068, 0.068]) * unit, face, GROUP_FACE,
        0.03 * unit, cloth=relief, head=_detail(figure, jaw),
    )  # fmt: skip
    nose = identity.nose_scale
    builder.limb(
        head.at((0, 0.130, 0.080)), head.at((0, 0.097, 0.090 + 0.011 * nose)), 0.007 * unit,
        0.0125 * nose * unit, face, GROUP_FACE, 0.014 * unit, reference=head.direction((0, 0, 1)),
        head=HeadDetail(unit, (0.0, -0.03, 0.09)),
    )  # fmt: skip
    for side in SIDES:
        builder.ellipsoid(
            head.at((side * 0.079, 0.112, -0.006)), head.axes, np.array([0.009, 0.029, 0.018]) * unit, skin,
            GROUP_EAR, 0.01,
        )  # fmt: skip
    neck = (0.046, 0.043) if identity.is_female else (0.057, 0.053)
    builder.limb(
        torso.at((0, 0.50, -0.018)), head.at((0, 0.06, -0.012)), neck[0] * figure.scale,
        neck[1] * figure.scale, skin, GROUP_NECK, 0.02, reference=figure.skeleton.ahead,
    )  # fmt: skip


def _build_hair(figure: Figure) -> None:
    identity, head, builder = figure.identity, figure.skeleton.head, figure.builder
    hair, unit, style = figure.materials.hair, figure.skeleton.head.scale, identity.hair
    under_hat = identity.hat != "none"
    length = identity.hair_length * (0.6 if under_hat else 1.0)
    seed = identity.seed % 100_000 + 70
    if style == "curly":
        thickness = 0.006 if under_hat else 0.016 + 0.022 * length
        cloth = Cloth(FOLD_SCALP, 0.010 * unit, seed, period=1.0)
    else:
        volume = {"short": 0.008, "medium": 0.015, "bob": 0.014, "long": 0.013, "pony": 0.007, "bun": 0.007}[
            style
        ]
        thickness = 0.003 if under_hat else volume + 0.004 * length
        cloth = Cloth(FOLD_SCALP, 0.005 * unit, seed)
    detail = _detail(figure, _SKULL)
    fringe = 0 if under_hat or style in ("pony", "bun") else _FRINGES[identity.fringe]
    scalp = HeadDetail(detail.unit, detail.offset, thickness, fringe, identity.hair_parting)
    builder.ellipsoid(
        head.at(_SKULL),
        head.axes,
        _SKULL_RADII * unit,
        hair,
        GROUP_HAIR,
        0.02 * unit,
        cloth=cloth,
        head=scalp,
    )
    strands = Cloth(FOLD_HAIR, 0.007 * unit, seed)
    if style in ("medium", "bob", "long"):
        _build_hanging_hair(figure, length, strands)
    if style == "pony":
        builder.limb(
            head.at((0, 0.165, -0.100)), head.at((0, 0.15 - 0.18 * length, -0.140)), 0.028 * unit,
            0.016 * unit, hair, GROUP_HAIR_KNOT, 0.02, bulge=0.014 * unit, reference=figure.skeleton.ahead,
            cloth=strands, part=PART_LOCK,
        )  # fmt: skip
    if style == "bun":
        builder.ellipsoid(
            head.at((0, 0.205 if identity.high_bun and not under_hat else 0.15, -0.10)), head.axes,
            np.array([0.046, 0.042, 0.042]) * unit * (0.8 + 0.3 * length), hair, GROUP_HAIR_KNOT, 0.02,
            cloth=Cloth(FOLD_HAIR, 0.006 * unit, seed), head=HeadDetail(unit),
        )  # fmt: skip


def _build_hanging_hair(figure: Figure, length: float, strands: Cloth) -> None:
    """Hair that falls behind the ears to nape, chin or shoulders."""
    identity, head, torso, builder = (
        figure.identity,
        figure.skeleton.head,
        figure.skeleton.torso,
        figure.builder,
    )
    hair, unit, style = figure.materials.hair, figure.skeleton.head.scale, identity.hair
    fall = {"medium": 0.035, "bob": 0.085 + 0.03 * length, "long": 0.12 + 0.05 * length}[style]
    center = (0.0, 0.125 - fall * 0.5, -0.030)
    builder.ellipsoid(
        head.at(center), head.axes, np.array([0.090, 0.090 + fall * 0.5, 0.082]) * unit, hair, GROUP_HAIR,
        0.035 * unit, cut=Cut(0.12, -1.0, -0.034 * unit), cloth=strands, head=_detail(figure, center),
    )  # fmt: skip
    if style != "long":
        return
    ahead = figure.skeleton.ahead
    builder.limb(
        head.at((0, 0.075, -0.068)), torso.at((0, 0.45 - 0.12 * length, -0.128)), 0.072 * unit, 0.046 * unit,
        hair, GROUP_HAIR, 0.04 * unit, bulge=0.008 * unit, reference=ahead, flatten=0.72, cloth=strands,
        part=PART_LOCK,
    )  # fmt: skip
    if identity.front_locks:
        for side in SIDES:
            builder.limb(
                head.at((side * 0.074, 0.085, 0.0)), torso.at((side * 0.085, 0.45 - 0.07 * length, 0.092)),
                0.026 * unit, 0.015 * unit, hair, GROUP_HAIR, 0.03 * unit, reference=ahead, cloth=strands,
                part=PART_LOCK,
            )  # fmt: skip


def _build_headscarf(figure: Figure) -> None:
    identity, head, torso, builder = (
        figure.identity,
        figure.skeleton.head,
        figure.skeleton.torso,
        figure.builder,
    )
    unit, seed = head.scale, identity.seed % 100_000
    material = builder.material(
        KIND_LOWER, identity.hat_color, values={M_SEED: seed + 3, M_SHEEN: 0.5, M_WEAVE: 0.03}
    )
    builder.ellipsoid(
        head.at((0, 0.125, -0.012)), head.axes, np.array([0.094, 0.118, 0.112]) * unit, material,
        GROUP_HEADSCARF, 0.03, cut=Cut(0.0, -1.0, -0.076 * unit), cloth=Cloth(FOLD_TORSO, 0.006, seed + 71),
        part=PART_SLEEVE,
    )  # fmt: skip
    builder.ellipsoid(
        head.at((0, 0.02, 0)), head.axes, np.array([0.10, 0.085, 0.095]) * unit, material, GROUP_HEADSCARF,
        0.04, cloth=Cloth(FOLD_TORSO, 0.010, seed + 72), part=PART_SLEEVE,
    )  # fmt: skip
    builder.ellipsoid(
        torso.at((0, 0.49, 0)), torso.axes, np.array([0.15, 0.08, 0.12]) * figure.scale, material,
        GROUP_SHAWL, 0.04, cloth=Cloth(FOLD_TORSO, 0.012, seed + 73), part=PART_SLEEVE,
    )  # fmt: skip


def _build_hat(figure: Figure) -> None:
    identity, head, builder = figure.identity, figure.skeleton.head, figure.builder
    unit, seed = head.scale, identity.seed % 100_000
    material = builder.material(
        KIND_UPPER,
        identity.hat_color,
        values={M_SEED: seed + 9, M_SHEEN: 0.5, M_WEAVE: 0.14 if identity.hat == "beanie" else 0.05},
    )
    if identity.hat == "beanie":
        builder.ellipsoid(
            head.at((0, 0.155, -0.016)), head.axes, np.array([0.094, 0.110, 0.112]) * unit, material,
            GROUP_HAT, 0.02, cut=Cut(0.93, -0.36, 0.004 * unit), cloth=Cloth(FOLD_TORSO, 0.004, seed + 75),
            part=PART_SLEEVE,
        )  # fmt: skip
    elif identity.hat == "cap":
        builder.ellipsoid(
            head.at((0, 0.160, -0.012)), head.axes, np.array([0.092, 0.094, 0.107]) * unit, material,
            GROUP_HAT, 0.015, cut=Cut(0.97, -0.2, 0.008 * unit), part=PART_SLEEVE,
        )  # fmt: skip
        builder.ellipsoid(
            head.at((0, 0.180, -0.115 if identity.backward_cap else 0.098)), head.axes,
            np.array([0.068, 0.010, 0.075]) * unit, material, GROUP_HAT, 0.015, part=PART_SLEEVE,
        )  # fmt: skip
    else:
        rows = [
            (0.010, 0.138, 0.150, -0.008), (0.030, 0.116, 0.130, -0.008), (0.046, 0.093, 0.108, -0.010),
            (0.085, 0.086, 0.098, -0.011), (0.112, 0.074, 0.084, -0.011), (0.122, 0.050, 0.058, -0.011),
        ]  # fmt: skip
        builder.lathe(
            head.at((0, 0.125, 0)), head.axes,
            [(y * unit, w * unit, d * unit, z * unit) for y, w, d, z in rows], material, GROUP_HAT, 0.02,
            cloth=Cloth(FOLD_TORSO, 0.004, seed + 75), part=PART_SLEEVE,
        )  # fmt: skip
