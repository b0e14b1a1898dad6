"""Furnish a scene: walls and shops, trees and hedges, parked cars, bollards, bins and benches."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from reid_core.synthetic.colors import hex_color, jitter_color, srgb_to_linear
from reid_core.synthetic.primitives import (
    KIND_CAR,
    M_GLOSS,
    M_SHEEN,
    M_SPECULAR,
    PART_CAR_BODY,
    PART_CAR_CABIN,
    PART_CAR_TYRE,
    Builder,
    yaw_pitch_roll,
)
from reid_core.synthetic.textures import NO_STRIP, Ground, GroundKind, Rgb, WallKind

Color = NDArray[np.float64]
Rng = np.random.Generator

_WALL_COLORS = (
    "b9b2a6",
    "8f8a84",
    "a5603f",
    "7c4a3a",
    "d0cabf",
    "6f757c",
    "c2b08e",
    "9aa3a8",
    "5b5f63",
    "84705c",
)
_GROUND_COLORS = ("8b8884", "a09a92", "77756f", "9c8f80", "6c6c6e", "b1aaa0", "8f8075")
_TILE_COLORS = ("c9c2b4", "b0aca4", "d6d2ca", "9b938a")
_INDOOR_COLORS = ("d8d2c6", "c9cfd2", "e0ddd4", "b8b0a2", "cfc6b0")
_LEAF_COLORS = ("3f5a25", "516b2e", "6b7a35", "2f4a22", "8a7a2c")
_BUSH_COLORS = ("3f5a25", "516b2e", "2f4a22", "5c6a3a")
_GRASS_COLORS = ("5d6b35", "4d5c2c", "6f6d3c", "42552f")
_BOLLARD_COLORS = ("2a2b2d", "6d6f70", "8a7a3a", "3a3f44")
_POLE_COLORS = ("3a3c3e", "6a6c6c", "2c3a34")
_CAR_COLORS = ("1a1b1e", "e4e4e2", "8a8d90", "5a5d62", "7a1f22", "23365c", "b9bbbd", "2f4438")

_GROUND_OF = {
    "plaza": (GroundKind.SQUARE_PAVING, GroundKind.RUNNING_BOND, GroundKind.COBBLES),
    "street": (GroundKind.SQUARE_PAVING, GroundKind.CONCRETE),
    "park": (GroundKind.GRASS_PATH,),
    "mall": (GroundKind.POLISHED_TILE,),
    "crossing": (GroundKind.CROSSING,),
    "station": (GroundKind.POLISHED_TILE, GroundKind.CONCRETE),
    "shopfront": (GroundKind.SQUARE_PAVING, GroundKind.RUNNING_BOND, GroundKind.CONCRETE),
    "courtyard": (GroundKind.CONCRETE, GroundKind.COBBLES, GroundKind.ASPHALT),
}
_WALLS_OF = {
    "plaza": (WallKind.FACADE, WallKind.PANELS, WallKind.BRICK),
    "street": (WallKind.STOREFRONT, WallKind.BRICK, WallKind.FACADE),
    "park": (WallKind.HEDGE, WallKind.HEDGE, WallKind.PLANKS),
    "crossing": (WallKind.FACADE, WallKind.STOREFRONT, WallKind.BRICK),
    "shopfront": (WallKind.STOREFRONT, WallKind.SHUTTER),
    "courtyard": (WallKind.BRICK, WallKind.PANELS, WallKind.PLANKS),
}


@dataclass
class Layout:
    """What has been put into the scene so far, as rows of the ray tracer's tables."""

    is_indoor: bool
    ceiling_m: float = 0.0
    boxes: list[tuple[float, ...]] = field(default_factory=list)
    cylinders: list[tuple[float, ...]] = field(default_factory=list)
    foliage: list[tuple[float, ...]] = field(default_factory=list)
    lamps: list[tuple[float, ...]] = field(default_factory=list)
    cars: Builder = field(default_factory=Builder)

    def add_box(
        self,
        x: tuple[float, float],
        y: tuple[float, float],
        z: tuple[float, float],
        kind: WallKind,
        color: Color,
        seed: int,
        scale: float = 1.0,
    ) -> None:
        """A box between two corners."""
        center = [(low + high) / 2 for low, high in (x, y, z)]
        half = [(high - low) / 2 for low, high in (x, y, z)]
        self.boxes.append((*center, *half, 1.0, 0.0, *_linear(color), scale, int(kind), seed))

    def add_pole(
        self,
        x: float,
        z: float,
        radius: float,
        top: float,
        color: Color,
        *,
        is_bark: bool = False,
        is_banded: bool = False,
    ) -> None:
        """An upright cylinder that stands on the ground."""
        self.cylinders.append((x, z, radius, 0.0, top, *_linear(color), int(is_bark), int(is_banded)))

    def add_leaves(
        self,
        center: tuple[float, float, float],
        radii: tuple[float, float, float],
        density: float,
        color: Color,
        seed: int,
    ) -> None:
        """An ellipsoid of leaves."""
        self.foliage.append((*center, *radii, density, *_linear(color), seed))


def furnish(layout: Layout, kind: str, distance: float, rng: Rng) -> Ground:
    """Fill ``layout`` for a kind of place whose people are ``distance`` metres away; returns the ground."""
    ground = _choose_ground(kind, distance, rng)
    if layout.is_indoor:
        far = _build_hall(layout, kind, distance, rng)
    else:
        far = _build_outdoor_walls(layout, kind, distance, rng)
        _park_cars(layout, kind, distance, far, rng)
        _plant(layout, kind, distance, far, rng)
    _place_furniture(layout, distance, far, rng)
    return ground


def _linear(color: Color) -> Rgb:
    r, g, b = srgb_to_linear(color)
    return float(r), float(g), float(b)


def _pick(rng: Rng, palette: tuple[str, ...], amount: float = 0.03) -> Color:
    color: Color = jitter_color(rng, hex_color(str(rng.choice(palette))), amount)
    return color


def _texture_seed(rng: Rng) -> int:
    return int(rng.integers(1, 9999))


def _side(rng: Rng) -> int:
    return int(rng.choice([-1, 1]))


def _choose_ground(kind: str, distance: float, rng: Rng) -> Ground:
    choices = _GROUND_OF[kind]
    ground = choices[int(rng.integers(len(choices)))]
    color, second = _pick(rng, _GROUND_COLORS), _pick(rng, _GROUND_COLORS)
    if ground in (GroundKind.ASPHALT, GroundKind.CROSSING):
        color = _pick(rng, ("5f6063",))
    elif ground == GroundKind.GRASS_PATH:
        second = _pick(rng, _GRASS_COLORS, 0.02)
    elif ground == GroundKind.POLISHED_TILE:
        color = _pick(rng, _TILE_COLORS, 0.02)
    tile = {
        GroundKind.CROSSING: 1.0,
        GroundKind.SQUARE_PAVING: rng.uniform(0.3, 0.6),
        GroundKind.RUNNING_BOND: rng.uniform(0.1, 0.25),
        GroundKind.COBBLES: 0.14,
        GroundKind.POLISHED_TILE: rng.uniform(0.4, 0.9),
        GroundKind.CONCRETE: rng.uniform(0.4, 0.8),
    }.get(ground, 0.5)
    offset = {
        GroundKind.CROSSING: distance,
        GroundKind.ASPHALT: rng.uniform(-6, 6),
        GroundKind.GRASS_PATH: rng.uniform(1.2, 2.4),
    }.get(ground, 0.0)
    is_hall = ground == GroundKind.POLISHED_TILE
    has_strip = rng.random() < 0.25 and ground not in (
        GroundKind.ASPHALT,
        GroundKind.CROSSING,
        GroundKind.GRASS_PATH,
    )
    has_litter = not is_hall and kind not in ("mall", "station") and rng.random() < 0.35
    return Ground(
        kind=int(ground),
        colour=_linear(color),
        second=_linear(second),
        tile=float(tile),
        seed=int(rng.integers(1000)),
        offset=float(offset),
        mix=float(rng.uniform(0, 0.8)),
        gloss=float(0.28 * rng.uniform(0.5, 1.2)) if is_hall else 0.0,
        tactile_x=float(rng.uniform(-3, 3)) if has_strip else NO_STRIP,
        litter=float(rng.uniform(0, 0.12)) if has_litter else 0.0,
    )


def _build_hall(layout: Layout, kind: str, distance: float, rng: Rng) -> float:
    far = distance + float(rng.uniform(5, 12))
    layout.ceiling_m = 3.4 if kind == "mall" else 3.1
    half_width = float(rng.uniform(3.5, 6))
    wall = WallKind.PLASTER if kind == "mall" else WallKind.TILES
    color = _pick(rng, _INDOOR_COLORS, 0.02)
    height = (0.0, layout.ceiling_m)
    for side in (-1, 1):
        is_shop = kind == "mall" and rng.random() < 0.6
        layout.add_box(
            (side * half_width - 0.1, side * half_width + 0.1),
            height,
            (-4.0, far + 10),
            WallKind.STOREFRONT if is_shop else wall,
            color,
            _texture_seed(rng),
            float(rng.uniform(1, 2.2)),
        )
    end = (WallKind.STOREFRONT, wall, WallKind.PANELS)[int(rng.integers(3))]
    layout.add_box((-half_width, half_width), height, (far, far + 0.2), end, color, _texture_seed(rng), 1.5)
    for _ in range(int(rng.integers(1, 4))):
        x = _side(rng) * (half_width - 0.9)
        layout.add_pole(x, float(rng.uniform(distance - 3, far)), 0.3, layout.ceiling_m, color)
    for _ in range(int(rng.integers(2, 5))):
        _hang_poster(layout, _side(rng) * half_width, float(rng.uniform(distance - 4, far - 1)), rng)
    for z in np.arange(3.0, far + 3.0, 3.2):
        layout.lamps.append(
            (float(rng.uniform(-2, 2)), float(z), float(rng.uniform(1.5, 4)), float(rng.uniform(0.25, 0.6)))
        )
    return far


def _hang_poster(layout: Layout, x: float, z: float, rng: Rng) -> None:
    layout.add_box(
        (x - 0.14, x + 0.14),
        (0.9, 2.1),
        (z, z + float(rng.uniform(0.8, 1.8))),
        WallKind.POSTER,
        rng.random(3),
        _texture_seed(rng),
    )


def _build_outdoor_walls(layout: Layout, kind: str, distance: float, rng: Rng) -> float:
    is_close = kind in ("shopfront", "courtyard")
    far = distance + float(rng.uniform(2.2, 4.5) if is_close else rng.uniform(5, 12))
    is_park = kind == "park"
    walls = _WALLS_OF[kind]
    x = -30.0
    while x < 30.0:
        width = float(rng.uniform(6, 14))
        top = 1.4 if is_park else float(rng.uniform(6, 18))
        wall = walls[int(rng.integers(len(walls)))]
        color = hex_color("4d5f2e") if wall == WallKind.HEDGE else _pick(rng, _WALL_COLORS)
        near = far + float(rng.uniform(0, 0.4))
        layout.add_box(
            (x, x + width),
            (0.0, top),
            (near, far + 10),
            wall,
            color,
            _texture_seed(rng),
            float(rng.uniform(1.2, 2.4)),
        )
        x += width
    for side in (-1, 1):
        if rng.random() >= (0.1 if is_park else 0.75):
            continue
        middle = side * (float(rng.uniform(5, 9)) + 1.5)
        wall = (WallKind.BRICK, WallKind.PANELS, WallKind.STOREFRONT, WallKind.FACADE)[int(rng.integers(4))]
        layout.add_box(
            (middle - 1.5, middle + 1.5),
            (0.0, float(rng.uniform(4, 9))),
            (float(rng.uniform(0, 4)), far - float(rng.uniform(0, 4))),
            wall,
            _pick(rng, _WALL_COLORS),
            _texture_seed(rng),
            float(rng.uniform(1.2, 2.4)),
        )
    if kind == "shopfront":
        for _ in range(3):
            left = float(rng.uniform(-5, 5))
            right = left + float(rng.uniform(0.7, 1.4))
            layout.add_box(
                (left, right),
                (0.5, 2.0),
                (far - 0.05, far),
                WallKind.POSTER,
                rng.random(3),
                _texture_seed(rng),
            )
    return far


def _park_cars(layout: Layout, kind: str, distance: float, far: float, rng: Rng) -> None:
    if kind == "street":
        side = _side(rng)
        for row in range(3):
            z = distance - 4 + row * 5.4 + float(rng.uniform(-0.4, 0.4))
            turned = np.pi if rng.random() < 0.5 else 0.0
            _add_car(
                layout.cars, side * float(rng.uniform(3.6, 4.4)), z, float(rng.normal(0, 0.04)) + turned, rng
            )
        kerb = side * 2.6
        layout.add_box(
            (kerb - 0.08, kerb + 0.08),
            (0.0, 0.06),
            (-5.0, far),
            WallKind.PLAIN,
            hex_color("9a9890"),
            _texture_seed(rng),
        )
    elif kind in ("crossing", "plaza", "courtyard") and rng.random() < 0.7:
        x = float(rng.uniform(-6, -1))
        for _ in range(int(rng.integers(1, 3))):
            z = far - float(rng.uniform(1.2, 1.8))
            _add_car(layout.cars, x, z, np.pi / 2 + float(rng.normal(0, 0.05)), rng)
            x += float(rng.uniform(5.2, 7.0))


def _add_car(cars: Builder, x: float, z: float, yaw: float, rng: Rng) -> None:
    cars.begin_figure(0)
    paint = cars.material(
        KIND_CAR,
        hex_color(str(rng.choice(_CAR_COLORS))),
        values={M_SPECULAR: 0.5, M_GLOSS: 60.0, M_SHEEN: 0.3},
    )
    rubber = cars.material(KIND_CAR, hex_color("1a1a1b"), values={M_SPECULAR: 0.05, M_GLOSS: 20.0})
    turn = yaw_pitch_roll(yaw)
    half_length, half_cabin = float(rng.uniform(1.95, 2.3)), float(rng.uniform(0.27, 0.40))

    def place(px: float, py: float, pz: float) -> Color:
        spot: Color = np.array([x, 0.0, z]) + turn @ np.array([px, py, pz])
        return spot

    cars.rounded_box(
        place(0, 0.62, 0),
        turn.T,
        [0.88, 0.33, half_length],
        0.16,
        paint,
        1,
        0.10,
        taper=0.06,
        part=PART_CAR_BODY,
    )
    cabin = [0.76, half_cabin, half_length * 0.55]
    cars.rounded_box(
        place(0, 0.98 + half_cabin * 0.8, -0.15),
        turn.T,
        cabin,
        0.14,
        paint,
        1,
        0.08,
        taper=0.16,
        taper_z=0.25,
        part=PART_CAR_CABIN,
    )
    for side in (1, -1):
        for end in (1, -1):
            wheel_z = end * half_length * 0.62
            inner, outer = place(side * 0.70, 0.32, wheel_z), place(side * 0.90, 0.32, wheel_z)
            cars.limb(
                inner, outer, 0.31, 0.31, rubber, 2, 0.01, cut_start=True, cut_end=True, part=PART_CAR_TYRE
            )
        cars.proxy(place(side * 0.4, 0.6, half_length * 0.7), place(side * 0.4, 0.6, -half_length * 0.7), 0.5)


def _plant(layout: Layout, kind: str, distance: float, far: float, rng: Rng) -> None:
    is_park = kind == "park"
    for _ in range(int(rng.integers(3, 7) if is_park else rng.integers(0, 4))):
        x, z = _side(rng) * float(rng.uniform(1.8, 6)), float(rng.uniform(distance - 3, far - 1))
        crown = float(rng.uniform(2.6, 4))
        layout.add_pole(x, z, float(rng.uniform(0.09, 0.22)), crown + 1, hex_color("5a4a3a"), is_bark=True)
        color = _pick(rng, _LEAF_COLORS, 0.02)
        for _ in range(int(rng.integers(2, 4))):
            radius = float(rng.uniform(1.0, 1.9))
            center = (
                x + float(rng.normal(0, 0.7)),
                crown + radius * 0.8 + float(rng.normal(0, 0.4)),
                z + float(rng.normal(0, 0.7)),
            )
            radii = (radius, radius * 0.85, radius)
            layout.add_leaves(center, radii, float(rng.uniform(0, 0.25)), color, _texture_seed(rng))
    for _ in range(int(rng.integers(4, 9) if is_park else rng.integers(0, 5))):
        x, z = _side(rng) * float(rng.uniform(2.0, 6)), float(rng.uniform(distance - 4, far - 0.4))
        radius = float(rng.uniform(0.4, 0.9))
        color = _pick(rng, _BUSH_COLORS, 0.02)
        layout.add_leaves(
            (x, radius * 0.55, z), (radius, radius * 0.8, radius), 0.3, color, _texture_seed(rng)
        )


def _place_furniture(layout: Layout, distance: float, far: float, rng: Rng) -> None:
    if rng.random() < 0.6:
        count, step = int(rng.integers(2, 6)), float(rng.uniform(1.0, 1.6))
        x, z = float(rng.uniform(-4, 0)), float(rng.uniform(distance - 2.5, distance + 1))
        color = hex_color(str(rng.choice(_BOLLARD_COLORS)))
        radius, top = float(rng.uniform(0.06, 0.1)), float(rng.uniform(0.7, 1.0))
        for i in range(count):
            layout.add_pole(x + i * step, z, radius, top, color, is_banded=True)
    for _ in range(int(rng.integers(0, 3))):
        x, z = float(rng.uniform(-5, 5)), float(rng.uniform(distance - 2, far - 0.5))
        top = layout.ceiling_m if layout.is_indoor else 5.0
        layout.add_pole(x, z, float(rng.uniform(0.05, 0.09)), top, hex_color(str(rng.choice(_POLE_COLORS))))
    for _ in range(int(rng.integers(0, 3))):
        x, z = _side(rng) * float(rng.uniform(1.5, 4.5)), float(rng.uniform(distance - 3, distance + 4))
        _add_bin_planter_or_bench(layout, x, z, rng)


def _add_bin_planter_or_bench(layout: Layout, x: float, z: float, rng: Rng) -> None:
    choice = int(rng.integers(3))
    if choice == 0:
        layout.add_pole(x, z, 0.28, 0.9, _pick(rng, _WALL_COLORS), is_banded=True)
    elif choice == 1:
        layout.add_box(
            (x - 0.6, x + 0.6),
            (0.0, 0.5),
            (z - 0.3, z + 0.3),
            WallKind.PANELS,
            _pick(rng, _WALL_COLORS),
            _texture_seed(rng),
            2.0,
        )
        if not layout.is_indoor:
            layout.add_leaves((x, 0.72, z), (0.6, 0.36, 0.36), 0.3, hex_color("466030"), _texture_seed(rng))
    else:
        layout.add_box(
            (x - 0.8, x + 0.8),
            (0.38, 0.46),
            (z - 0.25, z + 0.25),
            WallKind.PLANKS,
            hex_color("8a6844"),
            _texture_seed(rng),
        )
        for end in (-0.65, 0.65):
            layout.add_box(
                (x + end - 0.04, x + end + 0.04),
                (0.0, 0.38),
                (z - 0.2, z + 0.2),
                WallKind.PLAIN,
                hex_color("3a3c3e"),
                _texture_seed(rng),
            )
