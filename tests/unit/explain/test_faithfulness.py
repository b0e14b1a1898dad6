"""Checks whose answers are known: maps that are right, wrong, or blind to the weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from reid_core.errors import InputError
from reid_core.explain.faithfulness import check_places, check_weights, rank_correlation
from reid_core.explain.records import Curve, Explanation, MapChoice
from reid_core.explain.streams import trace_crops, trace_pair
from reid_core.models.osnet import OSNet
from tests.unit.explain.nets import crops, lively_osnet

IMAGE = torch.ones(3, 8, 4)
TARGET = np.array([1.0, 0.0], dtype=np.float32)


def top_left_against_the_rest(images: Tensor) -> Tensor:
    """An 'embedding' of two numbers: what is in the upper left 2 x 2 pixels, and what is not."""
    wanted = images[:, :, :2, :2].sum((1, 2, 3))
    return torch.stack([wanted, 0.1 * (images.sum((1, 2, 3)) - wanted) + 1e-3], dim=1)


def map_of(place: tuple[int, int]) -> np.ndarray:
    importance = np.zeros((4, 2), dtype=np.float32)
    importance[place] = 1.0
    return importance


def test_check_places__right_place__falls_and_rises_faster_than_random_orders() -> None:
    check = check_places(top_left_against_the_rest, IMAGE, TARGET, map_of((0, 0)))
    assert check.deletion.area < 0.5 * np.mean([curve.area for curve in check.random_deletion])
    assert check.insertion.area > 1.2 * np.mean([curve.area for curve in check.random_insertion])


def test_check_places__wrong_place__no_better_than_random_orders() -> None:
    # The cell that matters comes last in this order.
    importance = np.arange(8, dtype=np.float32).reshape(4, 2)
    check = check_places(top_left_against_the_rest, IMAGE, TARGET, importance)
    assert check.deletion.area > max(curve.area for curve in check.random_deletion)


def test_check_places__ends_of_the_curves__whole_crop_and_bare_grey() -> None:
    model = lively_osnet("osnet_x0_25")
    explained = trace_pair(model, crops())
    target = explained.crops[1].vector
    with torch.inference_mode():
        grey = torch.nn.functional.normalize(model(torch.zeros(1, 3, *crops().shape[2:])), dim=1)[0].numpy()
        check = check_places(model.embed, crops()[0], target, explained.map(0, MapChoice("evidence")))
    for curve in (check.deletion, *check.random_deletion):
        assert curve.fractions[0] == 0.0
        assert curve.fractions[-1] == 1.0
        assert curve.similarities[0] == pytest.approx(explained.similarity, abs=1e-4)
        assert curve.similarities[-1] == pytest.approx(float(grey @ target), abs=1e-4)
    for curve in (check.insertion, *check.random_insertion):
        assert curve.similarities[0] == pytest.approx(float(grey @ target), abs=1e-4)
        assert curve.similarities[-1] == pytest.approx(explained.similarity, abs=1e-4)


def test_check_places__same_seed__the_same_curves() -> None:
    one = check_places(top_left_against_the_rest, IMAGE, TARGET, map_of((1, 1)), seed=4)
    other = check_places(top_left_against_the_rest, IMAGE, TARGET, map_of((1, 1)), seed=4)
    for left, right in zip(one.random_deletion, other.random_deletion, strict=True):
        assert np.array_equal(left.similarities, right.similarities)


def test_check_places__cells_cover_the_image_as_the_map_does() -> None:
    seen: list[Tensor] = []

    def embed(images: Tensor) -> Tensor:
        seen.extend(images)
        return top_left_against_the_rest(images)

    check_places(embed, IMAGE, TARGET, map_of((3, 1)), num_steps=8, num_random=0)
    after_one_cell = seen[1]
    assert (after_one_cell[:, 6:, 2:] == 0).all()
    assert after_one_cell.sum() == IMAGE.sum() - 3 * 4


@pytest.mark.parametrize("importance", [np.zeros(8, np.float32), np.full((4, 2), np.nan, np.float32)])
def test_check_places__no_map__refused(importance: np.ndarray) -> None:
    with pytest.raises(InputError, match="finite numbers"):
        check_places(top_left_against_the_rest, IMAGE, TARGET, importance)


def test_curve__straight_line__area_is_half() -> None:
    line = np.linspace(0, 1, 5, dtype=np.float32)
    assert Curve(line, line).area == pytest.approx(0.5)


def test_check_weights__map_of_an_early_block__unchanged_until_its_layers_are_shuffled() -> None:
    model, images = lively_osnet("osnet_x0_25"), crops(1)

    def energy(net: OSNet) -> np.ndarray:
        return Explanation(trace_crops(net, images)).map(0, MapChoice("energy", "conv3.0"))

    steps = check_weights(model, energy)
    assert [step.layer for step in steps] == [
        "fc", "conv5", "conv4.1", "conv4.0", "conv3.1", "conv3.0", "conv2.1", "conv2.0", "conv1",
    ]  # fmt: skip
    by_layer = {step.layer: step.correlation for step in steps}
    assert by_layer["conv3.1"] == pytest.approx(1.0)
    assert by_layer["conv1"] is not None
    assert by_layer["conv1"] < 0.9


def test_check_weights__evidence__changes_at_the_first_step_and_the_net_does_not() -> None:
    model, images = lively_osnet("osnet_x0_25"), crops()
    before = {name: values.clone() for name, values in model.state_dict().items()}
    steps = check_weights(model, lambda net: trace_pair(net, images).map(0, MapChoice("evidence")))
    by_layer = {step.layer: step.correlation for step in steps}
    assert by_layer["fc"] is not None
    assert by_layer["fc"] < 0.99
    assert by_layer["conv3.1"] is not None
    assert by_layer["conv3.1"] < 0.5
    assert all(torch.equal(values, before[name]) for name, values in model.state_dict().items())


def test_check_weights__map_blind_to_the_weights__stays_the_same() -> None:
    edges = crops(1).abs().mean((0, 1)).numpy()
    steps = check_weights(lively_osnet("osnet_x0_25"), lambda _net: edges)
    assert all(step.correlation == pytest.approx(1.0) for step in steps)


def test_rank_correlation__flat_map__is_not_a_number() -> None:
    flat, sloped = np.ones((2, 2), np.float32), np.arange(4, dtype=np.float32).reshape(2, 2)
    assert rank_correlation(flat, sloped) is None
    assert rank_correlation(sloped, -sloped) == pytest.approx(-1.0)
