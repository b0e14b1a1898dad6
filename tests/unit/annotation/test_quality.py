from __future__ import annotations

import numpy as np
import pytest

from reid_core.annotation import (
    Answer,
    Decision,
    accuracy_on_gold,
    assumed_accuracies,
    cohen_kappa,
    doubly_judged,
    error_rate,
    krippendorff_alpha,
    wilson_interval,
)
from reid_core.errors import InputError


def said(own_id: str, left: str, right: str, answer: str, annotator: str) -> Decision:
    return Decision(own_id, left, right, Answer(answer), annotator, "2026-01-01T00:00:00Z")


def test_wilson_interval__ten_of_hundred__as_published() -> None:
    assert wilson_interval(10, 100) == pytest.approx((0.0552, 0.1744), abs=1e-4)


def test_wilson_interval__no_hits_and_no_trials__ends_at_zero_and_knows_nothing() -> None:
    assert wilson_interval(0, 50)[0] == 0.0
    assert wilson_interval(50, 50)[1] == 1.0
    assert wilson_interval(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize(("hits", "trials", "confidence"), [(-1, 5, 0.9), (6, 5, 0.9), (1, 5, 1.0)])
def test_wilson_interval__no_share__refused(hits: int, trials: int, confidence: float) -> None:
    with pytest.raises(InputError, match="not a share"):
        wilson_interval(hits, trials, confidence=confidence)


@pytest.mark.parametrize("accuracy", [1.0, 0.97])
def test_error_rate__simulated_audits__interval_covers_the_truth_as_often_as_it_says(accuracy: float) -> None:
    rng = np.random.default_rng(0)
    truth, number, runs = 0.05, 200, 1_000
    called_wrong = truth * accuracy + (1 - truth) * (1 - accuracy)
    wrong = rng.binomial(number, called_wrong, size=runs)
    rates = [error_rate(int(w), number, annotator_accuracy=accuracy) for w in wrong]
    covered = np.mean([r.low <= truth <= r.high for r in rates])
    assert 0.92 <= covered <= 0.985
    assert np.mean([r.rate for r in rates]) == pytest.approx(truth, abs=0.004)


def test_error_rate__nothing_judged__refused() -> None:
    with pytest.raises(InputError, match="No audit question"):
        error_rate(0, 0)


def test_accuracy_on_gold__right_wrong_and_cannot_tell__only_answers_count() -> None:
    gold = {frozenset("ab"): Answer.SAME, frozenset("cd"): Answer.DIFFERENT}
    decisions = [
        said("1", "a", "b", "same", "ann"),
        said("2", "d", "c", "same", "ann"),
        said("3", "a", "b", "cannot_tell", "bob"),
        said("4", "a", "c", "same", "ann"),
    ]
    rates = accuracy_on_gold(decisions, gold)
    assert set(rates) == {"ann"}
    assert (rates["ann"].rate, rates["ann"].num_wrong, rates["ann"].num_judged) == (0.5, 1, 2)
    assert assumed_accuracies(rates) == {"ann": pytest.approx((1 + 19) / 22)}


def test_cohen_kappa__textbook_table__is_0_4() -> None:
    first = ["yes"] * 25 + ["no"] * 25
    second = ["yes"] * 20 + ["no"] * 5 + ["yes"] * 10 + ["no"] * 15
    assert cohen_kappa(first, second) == pytest.approx(0.4)


def test_cohen_kappa__only_one_answer_used__none() -> None:
    assert cohen_kappa(["same"] * 3, ["same"] * 3) is None
    with pytest.raises(InputError):
        cohen_kappa([], [])


def test_krippendorff_alpha__binary_two_coders__as_published() -> None:
    # Krippendorff 2011, "Computing Krippendorff's alpha-reliability", section A.
    first, second = [0, 1, 0, 0, 0, 0, 0, 0, 1, 0], [1, 1, 1, 0, 0, 1, 0, 0, 0, 0]
    assert krippendorff_alpha(zip(first, second, strict=True)) == pytest.approx(0.095, abs=5e-4)


def test_krippendorff_alpha__nominal_four_coders_with_gaps__as_published() -> None:
    # Krippendorff 2011, section C: the unit with one value counts for nothing.
    units = ["111", "2223", "3333", "3333", "2222", "1234", "4444", "1121", "2222", "555", "11", "3"]
    assert krippendorff_alpha(units) == pytest.approx(0.743, abs=5e-4)


def test_krippendorff_alpha__nothing_doubly_judged__none() -> None:
    assert krippendorff_alpha([["same"], ["different"]]) is None


def test_doubly_judged__two_annotators__last_answer_of_each() -> None:
    decisions = [
        said("1", "a", "b", "same", "ann"),
        said("2", "b", "a", "different", "bob"),
        said("3", "a", "b", "different", "ann"),
        said("4", "a", "c", "same", "ann"),
    ]
    assert doubly_judged(decisions) == {frozenset("ab"): {"ann": Answer.DIFFERENT, "bob": Answer.DIFFERENT}}
