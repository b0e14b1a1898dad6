"""Plan a city: who lives in it, which camera sees whom and when, and which crop goes into which split.

A plan is drawn from its seed alone, in milliseconds, before anything is rendered. Every crop is then rendered
from its own named random stream: alone, in any order, in any process, it comes out the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from reid_core.errors import InputError
from reid_core.seeds import rng_for
from reid_core.synthetic.camera import Framing, ShotOptions
from reid_core.synthetic.identity import Identity, sample_identity, vary_identity
from reid_core.synthetic.worlds import CameraSpec, World

Split = Literal["train", "query", "gallery", "locked_query", "locked_gallery"]

FRAMES_PER_SECOND = 25
DISTRACTOR_PID = 0
JUNK_PID = -1
UNIQUE_FAMILY = 0
"""Family number of people who resemble nobody on purpose."""

_DAY_S = 3600.0
_FAMILY_SIZES = (2, 3, 4, 5, 6)
_FAMILY_WEIGHTS = (0.34, 0.30, 0.16, 0.12, 0.08)
_JUNK_FRAMINGS: tuple[Framing, ...] = ("background", "half", "pair")
_LOOKALIKE_DISTRACTORS = 0.3


@dataclass(frozen=True)
class CityCounts:
    """How many people and crops of each part a city has."""

    gallery_identities: int = 0
    """People with query and gallery crops."""
    train_identities: int = 0
    locked_identities: int = 0
    """People with a query and a gallery of their own, kept for a last test."""
    distractors: int = 0
    """Gallery crops (pid 0) of people whom one camera saw once."""
    junk: int = 0
    """Gallery crops (pid -1) of false detections."""
    queries_per_identity: int = 3

    def __post_init__(self) -> None:
        counts = vars(self)
        if min(counts.values()) < 0 or self.queries_per_identity < 1 or sum(self.identities) < 1:
            raise InputError(
                f"City counts must not be negative and need at least one identity; got {counts}."
            )

    @property
    def identities(self) -> tuple[int, int, int]:
        """Numbers of gallery, training and locked identities."""
        return self.gallery_identities, self.train_identities, self.locked_identities


SHIPPED_COUNTS = CityCounts(
    gallery_identities=160,
    train_identities=80,
    locked_identities=60,
    distractors=250,
    junk=60,
    queries_per_identity=3,
)
"""The city in ``assets/demo-city``."""


@dataclass(frozen=True)
class Person:
    """Someone who lives in the city."""

    pid: int
    """Unique from 1; 0 for distractors."""
    identity: Identity
    family: int
    """People of one family dress alike; UNIQUE_FAMILY for the rest."""
    part: Literal["gallery", "train", "locked", "distractor"]


@dataclass(frozen=True)
class CropPlan:
    """One crop to render."""

    group: str
    """Crops of one group are rendered together and finished together."""
    split: Split
    pid: int
    camid: int
    person: int
    """Index into ``City.people``."""
    visit: int
    """Which of the person's visits to cameras this is."""
    step: int
    """Which crop of the visit this is: the person walks on between them."""
    time_s: float
    box_index: int
    framing: Framing = "person"

    @property
    def file_name(self) -> str:
        """The Market-1501 name, e.g. ``0002_c1s1_000451_03.jpg``; the frame is the time at 25 a second."""
        pid = "-1" if self.pid == JUNK_PID else f"{self.pid:04d}"
        frame = round(self.time_s * FRAMES_PER_SECOND)
        return f"{pid}_c{self.camid}s1_{frame:06d}_{self.box_index:02d}.jpg"

    @property
    def path(self) -> str:
        """The file's place below the city's folder, with forward slashes."""
        return f"{self.split}/{self.file_name}"


@dataclass(frozen=True)
class City:
    """A planned city."""

    world: World
    seed: int
    cameras: tuple[CameraSpec, ...]
    people: tuple[Person, ...]
    crops: tuple[CropPlan, ...]

    def groups(self) -> dict[str, list[CropPlan]]:
        """The crops by group, in the order of the plan."""
        grouped: dict[str, list[CropPlan]] = {}
        for crop in self.crops:
            grouped.setdefault(crop.group, []).append(crop)
        return grouped

    def crowd(self) -> list[Identity]:
        """The people who walk through the pictures without being in any split."""
        size = self.world.crowd_size
        return [sample_identity(rng_for(self.seed, "crowd", i), self.world.wardrobe) for i in range(size)]


def plan_city(
    world: World, *, seed: int, cameras: int, counts: CityCounts, options: ShotOptions | None = None
) -> City:
    """Draw a whole city.

    Args:
        world: Where its people, scenes and cameras come from.
        seed: Decides everything.
        cameras: Number of cameras.
        counts: Sizes of its parts.
        options: Replaces the world's own crop size and habits.

    Raises:
        InputError: Fewer than two cameras: nobody could be seen by another one.
    """
    if cameras < 2:
        raise InputError(
            f"A city needs at least 2 cameras to find people again in another one; got {cameras}."
        )
    placed = world.place_cameras(seed, cameras, options or world.options)
    people = _settle(world, seed, counts)
    crops: list[CropPlan] = []
    for index, person in enumerate(people):
        if person.part == "distractor":
            crops.append(_plan_distractor(seed, index, placed))
        else:
            crops.extend(_plan_person(world, seed, index, person, placed, counts))
    crops.extend(_plan_junk(seed, people, placed, counts))
    return City(world, seed, placed, tuple(people), _with_unique_names(crops))


def _settle(world: World, seed: int, counts: CityCounts) -> list[Person]:
    people: list[Person] = []
    family = UNIQUE_FAMILY
    parts: tuple[Literal["gallery", "train", "locked"], ...] = ("gallery", "train", "locked")
    for part, count in zip(parts, counts.identities, strict=True):
        for size in _family_sizes(world, seed, part, count):
            members = _members(world, seed, part, len(people), size)
            family += int(size > 1)
            number = family if size > 1 else UNIQUE_FAMILY
            for identity in members:
                people.append(Person(len(people) + 1, identity, number, part))
    settled = list(people)
    for index in range(counts.distractors):
        people.append(_distractor(world, seed, index, [p for p in settled if p.part == "gallery"]))
    return people


def _family_sizes(world: World, seed: int, part: str, count: int) -> list[int]:
    """Sizes that sum to ``count``: families for the share of look-alikes, ones for the rest, shuffled."""
    rng = rng_for(seed, "families", part, count)
    alike = round(world.lookalike_share * count)
    sizes: list[int] = []
    while alike >= 2:
        size = min(alike, int(rng.choice(_FAMILY_SIZES, p=_FAMILY_WEIGHTS)))
        sizes.append(size)
        alike -= size
    sizes += [1] * (count - sum(sizes))
    return [sizes[i] for i in rng.permutation(len(sizes))]


def _members(world: World, seed: int, part: str, first: int, size: int) -> list[Identity]:
    rng = rng_for(seed, "identity", part, first)
    wardrobe = world.wild_wardrobe if rng.random() < world.wild_share else world.wardrobe
    base = sample_identity(rng, wardrobe)
    others = [
        vary_identity(base, rng_for(seed, "identity", part, first, i), wardrobe) for i in range(1, size)
    ]
    return [base, *others]


def _distractor(world: World, seed: int, index: int, gallery: Sequence[Person]) -> Person:
    """A passer-by; some dress like somebody of the gallery, which is what makes distractors hard."""
    rng = rng_for(seed, "distractor", index)
    if gallery and rng.random() < _LOOKALIKE_DISTRACTORS:
        model = gallery[int(rng.integers(len(gallery)))]
        return Person(
            DISTRACTOR_PID, vary_identity(model.identity, rng, world.wardrobe), model.family, "distractor"
        )
    return Person(DISTRACTOR_PID, sample_identity(rng, world.wardrobe), UNIQUE_FAMILY, "distractor")


@dataclass(frozen=True)
class _Visit:
    camid: int
    times_s: tuple[float, ...]


def _plan_person(
    world: World, seed: int, index: int, person: Person, cameras: Sequence[CameraSpec], counts: CityCounts
) -> list[CropPlan]:
    rng = rng_for(seed, "walk", person.part, person.pid)
    visits = _walk(world, cameras, rng)
    queries = (
        _choose_queries(visits, counts.queries_per_identity, rng) if person.part != "train" else frozenset()
    )
    query_split, rest_split = _splits_of(person)
    crops = []
    for number, visit in enumerate(visits):
        for step, time_s in enumerate(visit.times_s):
            is_query = number in queries and step == 0
            crops.append(
                CropPlan(
                    group=f"person-{person.pid}",
                    split=query_split if is_query else rest_split,
                    pid=person.pid,
                    camid=visit.camid,
                    person=index,
                    visit=number,
                    step=step,
                    time_s=time_s,
                    box_index=int(rng.integers(1, 7)),
                )
            )
    return crops


def _splits_of(person: Person) -> tuple[Split, Split]:
    if person.part == "gallery":
        return "query", "gallery"
    if person.part == "locked":
        return "locked_query", "locked_gallery"
    return "train", "train"


def _walk(world: World, cameras: Sequence[CameraSpec], rng: np.random.Generator) -> list[_Visit]:
    """A walk past some cameras in the order they hang around the city, at 1.0 to 1.7 m/s with stops."""
    fewest, most = (min(limit, len(cameras)) for limit in world.cameras_visited)
    count = int(rng.integers(fewest, most + 1))
    chosen = sorted(int(i) for i in rng.choice(len(cameras), count, replace=False))
    start = int(rng.integers(count))
    order = chosen[start:] + chosen[:start]
    if rng.random() < 0.5:
        order.reverse()
    speed = float(rng.uniform(1.0, 1.7))
    time_s = float(rng.uniform(0, _DAY_S))
    visits = []
    for position, camera in enumerate(order):
        if position:
            (x0, y0), (x1, y1) = cameras[order[position - 1]].position_m, cameras[camera].position_m
            time_s += float(np.hypot(x1 - x0, y1 - y0)) / speed + float(rng.exponential(60.0))
        crops = 1 + int(rng.choice(len(world.crops_per_visit), p=world.crops_per_visit))
        times = [time_s]
        for _ in range(crops - 1):
            times.append(times[-1] + float(rng.uniform(0.5, 1.8)))
        visits.append(_Visit(cameras[camera].camid, tuple(times)))
        time_s = times[-1]
    return visits


def _choose_queries(visits: Sequence[_Visit], wanted: int, rng: np.random.Generator) -> frozenset[int]:
    """Visits whose first crop becomes a query, so that every query keeps a match from another camera."""
    order = sorted(rng.permutation(len(visits)), key=lambda i: -len(visits[i].times_s))
    left = [len(visit.times_s) for visit in visits]
    chosen: list[int] = []
    for candidate in order:
        if len(chosen) == wanted:
            break
        left[candidate] -= 1
        if all(any(n and i != query for i, n in enumerate(left)) for query in [*chosen, candidate]):
            chosen.append(int(candidate))
        else:
            left[candidate] += 1
    return frozenset(chosen)


def _plan_distractor(seed: int, index: int, cameras: Sequence[CameraSpec]) -> CropPlan:
    rng = rng_for(seed, "distractor-visit", index)
    camera = cameras[int(rng.integers(len(cameras)))]
    return CropPlan(
        group=f"distractors-{index // 10}",
        split="gallery",
        pid=DISTRACTOR_PID,
        camid=camera.camid,
        person=index,
        visit=0,
        step=0,
        time_s=float(rng.uniform(0, _DAY_S)),
        box_index=int(rng.integers(1, 7)),
    )


def _plan_junk(
    seed: int, people: Sequence[Person], cameras: Sequence[CameraSpec], counts: CityCounts
) -> list[CropPlan]:
    """False detections, many of them around people who are in the gallery too."""
    known = [i for i, person in enumerate(people) if person.part == "gallery"] or list(range(len(people)))
    crops = []
    for index in range(counts.junk):
        rng = rng_for(seed, "junk", index)
        crops.append(
            CropPlan(
                group=f"junk-{index // 10}",
                split="gallery",
                pid=JUNK_PID,
                camid=cameras[int(rng.integers(len(cameras)))].camid,
                person=known[int(rng.integers(len(known)))],
                visit=index,
                step=0,
                time_s=float(rng.uniform(0, _DAY_S)),
                box_index=int(rng.integers(1, 7)),
                framing=_JUNK_FRAMINGS[int(rng.choice(3, p=[0.4, 0.35, 0.25]))],
            )
        )
    return crops


def _with_unique_names(crops: Sequence[CropPlan]) -> tuple[CropPlan, ...]:
    """Two boxes of one frame get different box numbers."""
    taken: set[str] = set()
    unique = []
    for crop in crops:
        while crop.path in taken:
            crop = replace(crop, box_index=crop.box_index + 1)
        taken.add(crop.path)
        unique.append(crop)
    return tuple(unique)
