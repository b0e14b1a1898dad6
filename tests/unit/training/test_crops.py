from pathlib import Path

import numpy as np
import pytest
import torch

from reid_core.errors import DatasetError
from reid_core.training import load_crops


def test_load_crops__tiny_set__pixels_labels_masks_and_targets(tiny_set: Path) -> None:
    crops = load_crops([tiny_set], size=(64, 32), category_columns=["upper"], real_columns=["height"])
    assert crops.images.shape == (72, 64, 32, 3)
    assert crops.num_identities == 12
    assert crops.masks is not None
    assert crops.masks[0, 10, 8] == 255
    assert crops.masks[0, 0, 0] == 0
    assert crops.labels.tolist() == [label for label in range(12) for _ in range(6)]
    assert crops.attributes.num_values == (2,)
    assert crops.attributes.categories[0].item() == 0  # "coat" sorts before "tee"
    assert crops.attributes.weights[0].item() == 0.0  # pid 1 has no height
    assert crops.attributes.reals[6].item() == pytest.approx(2 / 6 - 1, abs=1e-3)


def test_load_crops__two_folders__identities_and_cameras_stay_apart(tiny_set: Path) -> None:
    crops = load_crops([tiny_set, tiny_set], size=(16, 8))
    assert crops.num_identities == 24
    assert set(crops.camids[:72].tolist()).isdisjoint(crops.camids[72:].tolist())
    assert torch.equal(crops.images[:72], crops.images[72:])


def test_load_crops__column_missing__refused(tiny_set: Path) -> None:
    with pytest.raises(DatasetError, match="no column 'shoe'"):
        load_crops([tiny_set], size=(16, 8), category_columns=["shoe"])


def test_hold_out__two_identities__highest_pids_and_labels_counted_anew(tiny_set: Path) -> None:
    train, validation = load_crops([tiny_set], size=(16, 8)).hold_out(2)
    assert set(validation.pids.tolist()) == {11, 12}
    assert train.num_identities == 10
    assert sorted(set(validation.labels.tolist())) == [0, 1]


def test_hold_out__too_many__refused(tiny_set: Path) -> None:
    with pytest.raises(DatasetError, match="fewer than two"):
        load_crops([tiny_set], size=(16, 8)).hold_out(11)


def test_resized__half__means_of_four_pixels(tiny_set: Path) -> None:
    crops = load_crops([tiny_set], size=(64, 32))
    half = crops.resized((32, 16))
    expected = crops.images.numpy().reshape(72, 32, 2, 16, 2, 3).mean(axis=(2, 4))
    np.testing.assert_allclose(half.images.numpy(), expected, atol=0.51)
    assert half.masks is not None
    assert half.masks.shape == (72, 32, 16)
    assert crops.resized((64, 32)) is crops
