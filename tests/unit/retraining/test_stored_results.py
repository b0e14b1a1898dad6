from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from reid_core.errors import DatasetError, InputError
from reid_core.retraining.gate import GateThresholds
from reid_core.retraining.stored_results import decide_again, result_from_dict
from reid_core.services.retraining.threshold_store import ThresholdStore
from tests.unit.retraining.test_gate import distances_with, gate


def test_result_from_dict__written_and_read__same_conditions_and_intervals() -> None:
    result = gate(distances_with([1, 5, 9]), distances_with([5]))
    again = result_from_dict(json.loads(json.dumps(result.to_dict())))
    assert again.conditions == result.conditions
    assert again.verdict == result.verdict
    assert again.pools[0].scores == result.pools[0].scores
    assert again.to_dict() == result.to_dict()


def test_decide_again__same_thresholds__same_decision() -> None:
    for after in (distances_with([5]), distances_with([1, 2, 3, 4, 5, 6, 7, 8])):
        result = gate(distances_with([1, 5, 9]), after)
        assert decide_again(result, result.thresholds) == result


def test_decide_again__wider_or_narrower__decides_as_scoring_anew_would() -> None:
    before, after = distances_with([1]), distances_with([1, 2, 3])
    result = gate(before, after)
    assert not result.is_promotable
    wide = GateThresholds(
        min_map_delta=-1.0, min_map_low=-1.0, max_camera_pair_drop=1.0, max_broken_per_fixed=9.0
    )
    still = decide_again(result, wide)
    assert still == gate(before, after, thresholds=wide)
    assert [c.name for c in still.conditions if not c.holds] == ["rank1_balance"]  # none was newly right
    strict = replace(wide, max_camera_pair_drop=0.0, every_camera_pair=True)
    assert decide_again(result, strict) == gate(before, after, thresholds=strict)
    good = gate(distances_with([1, 5, 9]), distances_with([5]))
    assert good.is_promotable
    assert not decide_again(good, replace(GateThresholds(), min_map_delta=0.5)).is_promotable


def test_decide_again__intervals_were_drawn_otherwise__kept_as_drawn() -> None:
    result = gate(distances_with([1]), distances_with([2]), thresholds=GateThresholds(confidence=0.9))
    assert decide_again(result, GateThresholds()).thresholds.confidence == 0.9


def test_result_from_dict__not_a_result__refused() -> None:
    with pytest.raises(DatasetError, match="Compare the candidate again"):
        result_from_dict({"verdict": "fine"})


def test_threshold_store__set_kept_and_reset(tmp_path: Path) -> None:
    store = ThresholdStore(tmp_path / "thresholds.json", GateThresholds())
    store.set({"min_map_delta": -0.2, "max_broken_per_fixed": 3, "every_camera_pair": True})
    assert store.changed == ("min_map_delta", "every_camera_pair", "max_broken_per_fixed")
    again = ThresholdStore(tmp_path / "thresholds.json", GateThresholds())
    assert again.current == store.current
    assert (again.current.min_map_delta, again.current.every_camera_pair) == (-0.2, True)
    again.set({})
    assert ThresholdStore(tmp_path / "thresholds.json", GateThresholds()).current == GateThresholds()


@pytest.mark.parametrize(
    "values",
    [
        {"confidence": 0.5},
        {"min_map_delta": float("nan")},
        {"max_camera_pair_drop": -0.1},
        {"min_violations_fixed": 2},
        {"min_map_low": "0"},
        {"min_map_low": True},
        {"every_camera_pair": 1},
    ],
)
def test_threshold_store__what_makes_no_sense__refused_and_nothing_changes(
    tmp_path: Path, values: dict[str, float]
) -> None:
    store = ThresholdStore(tmp_path / "thresholds.json", GateThresholds())
    with pytest.raises(InputError):
        store.set(values)
    assert store.current == GateThresholds()
    assert not (tmp_path / "thresholds.json").exists()


def test_threshold_store__damaged_file__default_counts(tmp_path: Path) -> None:
    (tmp_path / "thresholds.json").write_text("{")
    assert ThresholdStore(tmp_path / "thresholds.json", GateThresholds()).current == GateThresholds()
