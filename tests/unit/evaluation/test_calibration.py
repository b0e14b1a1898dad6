from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from reid_core.errors import InputError
from reid_core.evaluation import (
    AbsentThreshold,
    Calibration,
    LabelledPairs,
    LogisticCurve,
    brier_score,
    expected_calibration_error,
    fit_calibration,
)


def true_probability(similarity: Any) -> Any:
    return 1 / (1 + np.exp(-(12 * np.asarray(similarity) - 6)))


def drawn_pairs(seed: int, number: int = 4000, num_pids: int = 200) -> LabelledPairs:
    """Similarities are uniform; whether a pair is the same person follows ``true_probability``."""
    rng = np.random.default_rng(seed)
    similarity = rng.uniform(0, 1, number)
    is_same = rng.random(number) < true_probability(similarity)
    first = rng.integers(0, num_pids, number)
    second = np.where(is_same, first, (first + rng.integers(1, num_pids, number)) % num_pids)
    return LabelledPairs.of(similarity, first, second)


def fit(pairs: LabelledPairs, **options: Any) -> Calibration:
    names = {"model_fingerprint": "model-1", "gallery_fingerprint": "gallery-1", "resamples": 100}
    return fit_calibration(pairs, **names | options)


@pytest.mark.parametrize(("kind", "tolerance"), [("isotonic", 0.12), ("logistic", 0.04)])
def test_fit_calibration__known_truth__recovered(kind: Any, tolerance: float) -> None:
    calibration = fit(drawn_pairs(0), kind=kind)
    grid = np.linspace(0.05, 0.95, 30)
    np.testing.assert_allclose(calibration.probability(grid), true_probability(grid), atol=tolerance)
    assert calibration.expected_error < 0.04
    assert calibration.brier < 0.12
    assert calibration.doubts == ()


def test_fit_calibration__isotonic__agrees_with_scikit_learn_inside_the_limits() -> None:
    pairs = drawn_pairs(1, number=500)
    theirs = IsotonicRegression(out_of_bounds="clip").fit(pairs.similarity, pairs.is_same)
    ours = fit(pairs).probability(pairs.similarity)
    limits = ours[[pairs.similarity.argmin(), pairs.similarity.argmax()]]
    np.testing.assert_allclose(ours, np.clip(theirs.predict(pairs.similarity), *limits), atol=1e-9)


def test_fit_calibration__logistic__agrees_with_scikit_learn() -> None:
    pairs = drawn_pairs(2)
    theirs = LogisticRegression(C=1e9, tol=1e-10).fit(pairs.similarity[:, None], pairs.is_same)
    ours = fit(pairs, kind="logistic").curve
    assert isinstance(ours, LogisticCurve)
    assert ours.slope == pytest.approx(theirs.coef_[0, 0], rel=0.02)
    assert ours.intercept == pytest.approx(theirs.intercept_[0], rel=0.02)


@pytest.mark.parametrize("kind", ["isotonic", "logistic"])
def test_probability__separable_pairs__never_certain_and_never_falls(kind: Any) -> None:
    pairs = LabelledPairs.of([0.1, 0.2, 0.3, 0.7, 0.8, 0.9], [1, 2, 3, 1, 2, 3], [2, 3, 1, 1, 2, 3])
    probability = fit(pairs, kind=kind).probability(np.linspace(-1, 1, 201))
    assert np.all(np.diff(probability) >= 0)
    assert probability[-1] > 0.7 > 0.3 > probability[0] > 0
    if kind == "isotonic":
        assert probability[-1] == pytest.approx(1 - 1 / 5)


def test_fit_calibration__prior__shifts_odds_by_bayes_rule() -> None:
    pairs = drawn_pairs(3, number=20_000)
    plain, rare = fit(pairs, kind="logistic"), fit(pairs, kind="logistic", prior=0.01)
    odds = [c.probability(0.6) / (1 - c.probability(0.6)) for c in (plain, rare)]
    expected = odds[0] * (0.01 / 0.99) / (plain.prior / (1 - plain.prior))
    assert odds[1] == pytest.approx(expected, rel=0.25)
    assert rare.prior == 0.01
    assert plain.prior == pytest.approx(pairs.is_same.mean())


def test_fit_calibration__few_pairs__doubts_say_so() -> None:
    doubts = fit(drawn_pairs(4, number=60, num_pids=12)).doubts
    assert any("identities are known" in doubt for doubt in doubts)
    assert any("prefer kind='logistic'" in doubt for doubt in doubts)


def test_fit_calibration__distances_given__refused() -> None:
    pairs = drawn_pairs(5)
    reversed_pairs = LabelledPairs.of(1 - pairs.similarity, pairs.first_pid, pairs.second_pid)
    with pytest.raises(InputError, match="Were distances passed as similarities"):
        fit(reversed_pairs)


@pytest.mark.parametrize(
    ("options", "message"), [({"kind": "spline"}, "kind is 'spline'"), ({"prior": 0.0}, "prior is 0.0")]
)
def test_fit_calibration__wrong_input__refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        fit(drawn_pairs(6), **options)


@pytest.mark.parametrize("kind", ["isotonic", "logistic"])
def test_save_load__same_model_and_gallery__equal(kind: Any, tmp_path: Path) -> None:
    absent = AbsentThreshold(0.7, 0.6, 0.8, 0.05, 0.04, 0.2, 900, 5000, ("thin",))
    calibration = fit(drawn_pairs(7), kind=kind, absent=absent)
    path = tmp_path / "calibration.json"
    calibration.save(path)
    back = Calibration.load(path, model_fingerprint="model-1", gallery_fingerprint="gallery-1")
    assert back == calibration


def test_load__other_model_or_gallery__refused(tmp_path: Path) -> None:
    path = tmp_path / "calibration.json"
    fit(drawn_pairs(8)).save(path)
    with pytest.raises(InputError, match="of model model-1, but the model in use is model-2"):
        Calibration.load(path, model_fingerprint="model-2", gallery_fingerprint="gallery-1")
    with pytest.raises(InputError, match="of gallery gallery-1, but the gallery in use is other"):
        Calibration.load(path, model_fingerprint="model-1", gallery_fingerprint="other")
    with pytest.raises(InputError, match="cannot be read"):
        Calibration.load(tmp_path / "none.json", model_fingerprint="", gallery_fingerprint="")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": "reid-calibration/1", "kind": "magic"}'])
def test_from_json__not_a_calibration__refused(text: str) -> None:
    with pytest.raises(InputError, match=r"not a calibration|another format"):
        Calibration.from_json(text)


def test_from_json__field_removed__refused() -> None:
    values = json.loads(fit(drawn_pairs(9)).to_json())
    del values["prior"]
    with pytest.raises(InputError, match="not a calibration"):
        Calibration.from_json(json.dumps(values))


def test_probability__nan__refused() -> None:
    with pytest.raises(InputError, match="similarity is NaN"):
        fit(drawn_pairs(10)).probability([0.5, np.nan])


def test_expected_calibration_error__hand_made__by_eye() -> None:
    stated = [0.2] * 5 + [0.9] * 5
    truth = [1, 0, 0, 0, 0] + [1, 1, 1, 0, 0]
    assert expected_calibration_error(stated, truth, num_bins=2) == pytest.approx((0.0 + 0.3) / 2)
    assert expected_calibration_error(stated, truth, num_bins=15) == pytest.approx((0.0 + 0.3) / 2)
    assert brier_score([0.5, 0.5], [0, 1]) == 0.25
    assert brier_score([1.0, 0.0], [1, 1], weight=[3, 1]) == 0.25


def test_expected_calibration_error__wrong_input__refused() -> None:
    with pytest.raises(InputError, match="one length"):
        expected_calibration_error([0.5], [1, 0])
    with pytest.raises(InputError, match="outside"):
        brier_score([1.5], [1])
