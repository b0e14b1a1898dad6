"""Use of a person's answers on a ranking, compared with slow loops."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from reid_core.errors import InputError
from reid_core.retrieval import expand_on_confirmed, nearest_evidence, pin_and_set_aside

Matrix = NDArray[np.float32]


def units(seed: int, rows: int, dimension: int = 12) -> Matrix:
    drawn = np.random.default_rng(seed).normal(0.3, 1.0, (rows, dimension))
    return (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)


def cosine(a: Matrix, b: Matrix) -> float:
    dot = sum(float(x) * float(y) for x, y in zip(a, b, strict=True))
    return dot / math.sqrt(sum(float(x) ** 2 for x in a) * sum(float(y) ** 2 for y in b))


def slow_expansion(query: Matrix, confirmed: Matrix, alpha: float) -> list[float]:
    total = [float(x) for x in query]
    for row in confirmed:
        s = cosine(query, row)
        if s > 0:
            total = [t + s**alpha * float(x) for t, x in zip(total, row, strict=True)]
    norm = math.sqrt(sum(t * t for t in total))
    return [t / norm for t in total]


def slow_evidence(query: Matrix, images: Matrix, yes: Matrix, no: Matrix, weight: float) -> list[float]:
    scores = []
    for image in images:
        best = max([cosine(query, image), *(cosine(p, image) for p in yes)])
        worst = max((cosine(n, image) for n in no), default=-math.inf)
        scores.append(best - weight * max(0.0, worst - best))
    return scores


@pytest.mark.parametrize("alpha", [0.0, 1.0, 3.0])
@pytest.mark.parametrize("rows", [0, 1, 7])
def test_expand_on_confirmed__random__equals_the_slow_loop(alpha: float, rows: int) -> None:
    query, confirmed = units(1, 1)[0], units(2, rows)
    moved = expand_on_confirmed(query, confirmed, alpha=alpha)
    assert moved == pytest.approx(slow_expansion(query, confirmed, alpha), abs=1e-6)
    assert np.linalg.norm(moved) == pytest.approx(1.0)


def test_expand_on_confirmed__crop_that_points_away__does_not_count_even_with_alpha_0() -> None:
    query = np.array([1.0, 0.0])
    assert expand_on_confirmed(query, [[-1.0, 0.2]], alpha=0.0) == pytest.approx(query)


def test_expand_on_confirmed__scaled_vectors__same_direction() -> None:
    query, confirmed = units(3, 1)[0], units(4, 3)
    assert expand_on_confirmed(5 * query, 7 * confirmed) == pytest.approx(
        expand_on_confirmed(query, confirmed), abs=1e-6
    )


@pytest.mark.parametrize("weight", [0.0, 0.5, 2.0])
@pytest.mark.parametrize(("num_yes", "num_no"), [(0, 0), (3, 0), (0, 4), (5, 6)])
def test_nearest_evidence__random__equals_the_slow_loop(weight: float, num_yes: int, num_no: int) -> None:
    query, images = units(5, 1)[0], units(6, 40)
    yes, no = units(7, num_yes), units(8, num_no)
    fast = nearest_evidence(query, images, confirmed=yes, refused=no, weight=weight)
    assert fast == pytest.approx(slow_evidence(query, images, yes, no, weight), abs=1e-5)


def test_nearest_evidence__no_answers__is_the_plain_cosine_order() -> None:
    query, images = units(9, 1)[0], units(10, 30)
    score = nearest_evidence(query, images, confirmed=[], refused=[])
    assert np.argsort(-score).tolist() == np.argsort(-(images @ query)).tolist()


def test_nearest_evidence__second_look_of_the_person__found_from_there() -> None:
    front, back, stranger = [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.6, 0.0, 0.8]
    score = nearest_evidence(front, [[0.1, 0.99, 0.0], stranger], confirmed=[back], refused=[])
    assert score[0] > score[1]


def test_nearest_evidence__stored_vectors__are_left_as_they_are() -> None:
    images = units(11, 5)
    before = images.copy()
    nearest_evidence(units(12, 1)[0], images, confirmed=images[:1], refused=images[1:2])
    assert np.array_equal(images, before)


@pytest.mark.parametrize(
    ("query", "images", "yes", "weight", "message"),
    [
        ([1.0, 0.0], [[1.0, 0.0, 0.0]], [], 0.5, "Candidates has shape"),
        ([1.0, 0.0], [[1.0, 0.0]], [[np.nan, 1.0]], 0.5, "NaN"),
        ([0.0, 0.0], [[1.0, 0.0]], [], 0.5, "norm 0.0"),
        ([1.0, 0.0], [[1.0, 0.0]], [], -1.0, "at least 0"),
        ([[1.0, 0.0]], [[1.0, 0.0]], [], 0.5, "one vector"),
    ],
)
def test_nearest_evidence__wrong_input__refused(
    query: object, images: object, yes: object, weight: float, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        nearest_evidence(query, images, confirmed=yes, refused=[], weight=weight)  # type: ignore[arg-type]


def test_pin_and_set_aside__both__the_rest_keeps_its_order() -> None:
    kept, aside = pin_and_set_aside(
        [4, 2, 0, 3, 1], confirmed=frozenset({0, 1}), refused=frozenset({2}), pin=True, set_aside=True
    )
    assert (kept, aside) == ((0, 1, 4, 3), (2,))


@pytest.mark.parametrize(
    ("pin", "set_aside", "kept", "aside"),
    [(False, False, (4, 2, 0), ()), (True, False, (0, 4, 2), ()), (False, True, (4, 0), (2,))],
)
def test_pin_and_set_aside__switches__only_what_was_asked(
    pin: bool, set_aside: bool, kept: tuple[int, ...], aside: tuple[int, ...]
) -> None:
    answers = {"confirmed": frozenset({0}), "refused": frozenset({2})}
    assert pin_and_set_aside([4, 2, 0], pin=pin, set_aside=set_aside, **answers) == (kept, aside)


def test_pin_and_set_aside__confirmed_and_refused__refused() -> None:
    with pytest.raises(InputError, match="both confirmed and refused"):
        pin_and_set_aside([0], confirmed=frozenset({0}), refused=frozenset({0}), pin=True, set_aside=True)
