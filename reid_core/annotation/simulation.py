"""Planted label errors and a simulated annotator: how fast does a review order find what is wrong?

The truth judges, and it looks at the graph's state only, never at which questions were asked. Errors are
planted into a copy of the labels; no file is touched.
"""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reid_core.annotation.decisions import Answer, Decision, pid_of_node
from reid_core.annotation.evidence import IntArray
from reid_core.annotation.graph import IdentityGraph
from reid_core.annotation.questions import Judged, Question, SheetQuestion, judged_by_sheet
from reid_core.errors import InputError
from reid_core.seeds import rng_for

_TIME = "2026-01-01T00:00:00Z"


@dataclass(frozen=True, slots=True)
class PlantedErrors:
    """Labels with errors, and where they are.

    Attributes:
        truth: Crop to the person that it shows. ``labels``: crop to the pid that the data set claims.
        mislabelled: Crops that carry another person's label.
        duplicated: Pairs of labels that are one person. ``merged``: labels that are two people.
    """

    truth: Mapping[str, int]
    labels: Mapping[str, int]
    mislabelled: tuple[str, ...]
    duplicated: tuple[tuple[int, int], ...]
    merged: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.mislabelled) + len(self.duplicated) + len(self.merged)


@dataclass(frozen=True, slots=True)
class Found:
    """Planted errors that a graph's state has mended, by kind, and what it broke.

    ``num_broken``: crops whose label was right and that hang on no crop of their own label any more, or on
    a component with mostly other people.
    """

    mislabelled: int
    duplicated: int
    merged: int
    num_broken: int

    @property
    def total(self) -> int:
        """Planted errors found."""
        return self.mislabelled + self.duplicated + self.merged


def plant_errors(
    ids: Sequence[str],
    pids: ArrayLike,
    vectors: ArrayLike,
    *,
    seed: int,
    mislabelled_share: float = 0.03,
    duplicated_share: float = 0.04,
    merged_share: float = 0.02,
) -> PlantedErrors:
    """Plant wrong labels, duplicated identities and merged look-alikes.

    Two thirds of the mislabelled crops get the label of the person who looks most like theirs (the nearest
    mean embedding), the others that of anybody. A merged identity joins a person with the one who
    looks most alike. A duplicated one is cut at random into two labels of at least two crops.

    Args:
        ids, pids, vectors: (N,), (N,) above 0, (N, D) with rows of norm 1; labels without errors.
        seed: Of the draw.
        mislabelled_share: Of crops. ``duplicated_share``, ``merged_share``: of identities.

    Raises:
        InputError: Too few identities, or a pid is not above 0.
    """
    people, person = np.unique(np.asarray(pids), return_inverse=True)
    if people[0] <= 0:
        raise InputError(f"Errors can be planted among known people only; a pid is {people[0]}.")
    rng = rng_for(seed, "planted errors")
    matrix = np.asarray(vectors, dtype=np.float64)
    sizes = np.bincount(person)
    means = np.stack([matrix[person == k].mean(axis=0) for k in range(len(people))])
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    labels = people[person].astype(np.int64)
    free = set(np.flatnonzero(sizes >= 4).tolist())

    def draw(number: int) -> list[int]:
        if number > len(free):
            raise InputError(f"{len(people)} identities are too few to plant errors in; take more crops.")
        drawn = rng.permutation(sorted(free))[:number].tolist()
        free.difference_update(drawn)
        return [int(k) for k in drawn]

    merged = []
    for k in draw(max(1, round(merged_share * len(people)))):
        likeness = means @ means[k]
        partner = next(int(j) for j in np.argsort(-likeness) if j != k and (j in free))
        free.discard(partner)
        labels[person == partner] = people[k]
        merged.append(int(people[k]))
    duplicated = []
    next_pid = int(people[-1]) + 1
    for k in draw(max(1, round(duplicated_share * len(people)))):
        rows = rng.permutation(np.flatnonzero(person == k))
        labels[rows[: len(rows) // 2]] = next_pid
        duplicated.append((int(people[k]), next_pid))
        next_pid += 1
    candidates = rng.permutation(np.flatnonzero(np.isin(person, sorted(free))))
    wrong = candidates[: max(1, round(mislabelled_share * len(labels)))]
    for number, row in enumerate(wrong):
        likeness = np.where(np.arange(len(people)) == person[row], -np.inf, means[person[row]] @ means.T)
        likeness[~np.isin(np.arange(len(people)), sorted(free))] = -np.inf
        others = np.flatnonzero(np.isfinite(likeness))
        target = int(np.argmax(likeness)) if number % 3 < 2 else int(rng.choice(others))
        labels[row] = people[target]
    return PlantedErrors(
        truth={crop: int(people[k]) for crop, k in zip(ids, person, strict=True)},
        labels={crop: int(pid) for crop, pid in zip(ids, labels, strict=True)},
        mislabelled=tuple(ids[row] for row in wrong),
        duplicated=tuple(duplicated),
        merged=tuple(merged),
    )


def count_found(planted: PlantedErrors, graph: IdentityGraph) -> Found:
    """Judge a graph against the truth.

    A mislabelled crop is found when it shares its identity with no crop that carries the wrong label rightly;
    a duplicated person when the larger part of both labels is one identity; a merged label when no identity
    holds crops of both people any more. Being in doubt counts as not found.
    """
    by_label: dict[int, list[str]] = defaultdict(list)
    for crop, label in planted.labels.items():
        by_label[label].append(crop)
    where = {crop: graph.component(crop) for crop in planted.labels}

    def has_left(crop: str) -> bool:
        person, label = planted.truth[crop], planted.labels[crop]
        return all(where[o] != where[crop] for o in by_label[label] if planted.truth[o] != person)

    def home(label: int, person: int) -> int:
        places = [where[crop] for crop in by_label[label] if planted.truth[crop] == person]
        return max(sorted(set(places)), key=places.count)

    def is_split(label: int) -> bool:
        people: dict[int, set[int]] = defaultdict(set)
        stray = set(planted.mislabelled)
        for crop in by_label[label]:
            if crop not in stray:
                people[where[crop]].add(planted.truth[crop])
        return all(len(found) == 1 for found in people.values())

    return Found(
        mislabelled=sum(map(has_left, planted.mislabelled)),
        duplicated=sum(home(a, a) == home(b, a) for a, b in planted.duplicated),
        merged=sum(map(is_split, planted.merged)),
        num_broken=_num_broken(planted, where),
    )


def _num_broken(planted: PlantedErrors, where: Mapping[str, int]) -> int:
    """Rightly labelled crops that sit with mostly other people, or alone without those of their label."""
    people: dict[int, Counter[int]] = defaultdict(Counter)
    fellows: Counter[tuple[int, int]] = Counter()
    together: Counter[tuple[int, int, int]] = Counter()
    for crop, place in where.items():
        own = (planted.labels[crop], planted.truth[crop])
        people[place][own[1]] += 1
        fellows[own] += 1
        together[(*own, place)] += 1
    stray = set(planted.mislabelled)
    broken = 0
    for crop, place in where.items():
        own = (planted.labels[crop], planted.truth[crop])
        if crop not in stray and own[0] not in planted.merged:
            is_alone = fellows[own] > 1 and together[(*own, place)] == 1
            broken += is_alone or 2 * people[place][own[1]] < people[place].total()
    return broken


class SimulatedAnnotator:
    """Answers by the truth, wrong with probability 1 - ``accuracy``, independently at every question.

    On a contact sheet it first sees whether there is more than one person (with that accuracy). A sheet of
    one person taken for two loses its most suspected crop. On a sheet of several, every crop goes to the
    person that it shows, with that accuracy, else stays or goes by a coin.
    """

    def __init__(
        self, planted: PlantedErrors, *, accuracy: float, seed: int, name: str = "simulated"
    ) -> None:
        if not 0.5 < accuracy <= 1.0:
            raise InputError(f"accuracy is {accuracy}, expected above 0.5 and at most 1.")
        self._planted = planted
        self._accuracy = accuracy
        self._rng = rng_for(seed, "annotator", name)
        self._name = name
        self._numbers = itertools.count(1)
        self._owner = _owners(planted)

    def answer(self, question: Question) -> tuple[Decision, ...]:
        """The decisions to record, at least one."""
        if isinstance(question, SheetQuestion):
            judged = judged_by_sheet(question, self._pick(question))
            return tuple(self._decision(pair, question, None) for pair in judged)
        is_same = self._person(question.left) == self._person(question.right)
        if not self._is_right():
            is_same = not is_same
        answer = Answer.SAME if is_same else Answer.DIFFERENT
        return (self._decision((question.left, question.right, answer), question, question.supersedes),)

    def _pick(self, sheet: SheetQuestion) -> list[list[str]]:
        people: dict[int, list[str]] = defaultdict(list)
        for crop in sheet.crops:
            people[self._person(crop)].append(crop)
        if not self._is_right():
            return [] if len(people) > 1 else [[sheet.suspected[0]]]
        if len(people) == 1:
            return []
        persons = sorted(people, key=lambda p: (-len(people[p]), p))
        groups: dict[int, list[str]] = defaultdict(list)
        for crop in sheet.crops:
            person = self._person(crop)
            if not self._is_right():
                person = persons[int(self._rng.integers(len(persons)))]
            groups[person].append(crop)
        return [groups[p] for p in persons[1:] if groups[p]] if groups[persons[0]] else []

    def _person(self, node: str) -> int:
        pid = pid_of_node(node)
        return self._owner[pid] if pid is not None else self._planted.truth[node]

    def _is_right(self) -> bool:
        return bool(self._rng.random() < self._accuracy)

    def _decision(self, judged: Judged, question: Question, supersedes: str | None) -> Decision:
        left, right, answer = judged
        return Decision(
            f"{self._name}-{next(self._numbers)}",
            left,
            right,
            answer,
            annotator=self._name,
            decided_at=_TIME,
            stream=question.stream.value,
            supersedes=supersedes,
        )


def _owners(planted: PlantedErrors) -> dict[int, int]:
    """Label to the person whom most of its crops show."""
    people: dict[int, list[int]] = defaultdict(list)
    for crop, label in planted.labels.items():
        people[label].append(planted.truth[crop])
    return {label: max(sorted(set(found)), key=found.count) for label, found in people.items()}


@dataclass(frozen=True, slots=True)
class SyntheticCrops:
    """Embeddings without images: ``vectors`` (N, D) of norm 1, ``pids`` and ``camids`` (N,), N ``ids``."""

    ids: tuple[str, ...]
    vectors: NDArray[np.float32]
    pids: IntArray
    camids: IntArray


def synthetic_crops(
    *,
    num_identities: int = 200,
    crops_per_identity: int = 8,
    num_cameras: int = 4,
    dimension: int = 64,
    look_alikes: float = 0.3,
    seed: int = 0,
) -> SyntheticCrops:
    """Identities as clusters with camera offsets; a share of them sit close to another one.

    Directions are isotropic, so this is no model of real embeddings, only of their structure.
    """
    rng = rng_for(seed, "synthetic crops")
    centres = rng.normal(size=(num_identities, dimension))
    for k in range(0, round(look_alikes * num_identities) - 1, 2):
        centres[k + 1] = centres[k] + 0.6 * rng.normal(size=dimension)
    cameras = 0.35 * rng.normal(size=(num_cameras, dimension))
    pids = np.repeat(np.arange(1, num_identities + 1), crops_per_identity)
    camids = rng.integers(1, num_cameras + 1, size=len(pids))
    vectors = centres[pids - 1] + cameras[camids - 1] + 0.65 * rng.normal(size=(len(pids), dimension))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    ids = tuple(
        f"{pid:04d}_c{camera}_{i:05d}" for i, (pid, camera) in enumerate(zip(pids, camids, strict=True))
    )
    return SyntheticCrops(ids, vectors.astype(np.float32), pids.astype(np.int64), camids.astype(np.int64))
