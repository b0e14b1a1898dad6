from __future__ import annotations

import json

import numpy as np
import pytest
from parity_data import crop_paths, references
from PIL import Image

from reid_core.errors import InputError
from reid_core.images import read_image
from reid_core.models import TORCHREID_PREPROCESSING, Preprocessing


def test_preprocessing__official_crops__official_input_values() -> None:
    pixels = np.stack([TORCHREID_PREPROCESSING.resize(read_image(path)) for path in crop_paths()])
    prepared = TORCHREID_PREPROCESSING.normalise(pixels)
    assert prepared.dtype == np.float32
    np.testing.assert_allclose(prepared.mean((2, 3)), references()["preprocessed_mean"], atol=1e-5)
    np.testing.assert_allclose(prepared[:, 0, 128], references()["preprocessed_row128_r"], atol=1e-6)


def test_preprocessing__larger_crop__same_as_torchvision_on_pil() -> None:
    from torchvision import transforms

    pixels = np.random.default_rng(0).integers(0, 256, (411, 173, 3), dtype=np.uint8)
    image = Image.fromarray(pixels)
    torchreid = transforms.Compose(
        [
            transforms.Resize((256, 128)),
            transforms.ToTensor(),
            transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
        ]
    )
    ours = TORCHREID_PREPROCESSING.normalise(TORCHREID_PREPROCESSING.resize(image)[None])[0]
    np.testing.assert_allclose(ours, torchreid(image).numpy(), atol=1e-6)


def test_preprocessing__bgr__channels_swapped_before_mean_and_std() -> None:
    record = Preprocessing(16, 16, mean=(0.0, 0.5, 1.0), std=(1.0, 1.0, 1.0), colour_order="bgr")
    red = np.zeros((1, 16, 16, 3), dtype=np.uint8)
    red[..., 0] = 255
    np.testing.assert_allclose(record.normalise(red)[0, :, 0, 0], [0.0, -0.5, 0.0])


def test_preprocessing__bicubic__other_filter() -> None:
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 32, 3), dtype=np.uint8))
    bicubic = Preprocessing(interpolation="bicubic").resize(image)
    assert np.array_equal(bicubic, np.asarray(image.resize((128, 256), Image.Resampling.BICUBIC)))
    assert not np.array_equal(bicubic, TORCHREID_PREPROCESSING.resize(image))


@pytest.mark.parametrize(
    "changes",
    [
        {"height": 0},
        {"width": 100_000},
        {"std": (1.0, 0.0, 1.0)},
        {"mean": (0.1, float("nan"), 0.2)},
        {"mean": (0.1, 0.2)},
        {"colour_order": "grb"},
        {"interpolation": "nearest"},
    ],
)
def test_preprocessing__impossible_value__refused(changes: dict[str, object]) -> None:
    with pytest.raises(InputError):
        Preprocessing(**changes)  # type: ignore[arg-type]


def test_preprocessing__json_round_trip__equal() -> None:
    record = Preprocessing(128, 64, std=(0.1, 0.2, 0.3), colour_order="bgr", interpolation="bicubic")
    assert Preprocessing.from_mapping(json.loads(record.to_json())) == record


@pytest.mark.parametrize("values", [{}, {"height": "tall"}, {"height": 256, "width": 128, "mean": 3}])
def test_preprocessing__broken_record__refused(values: dict[str, object]) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        Preprocessing.from_mapping(values)


def test_resize__grey_image__refused() -> None:
    with pytest.raises(InputError, match="mode L"):
        TORCHREID_PREPROCESSING.resize(Image.new("L", (8, 8)))


@pytest.mark.parametrize("shape", [(256, 128, 3), (1, 128, 256, 3), (1, 3, 256, 128)])
def test_normalise__wrong_shape__refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="uint8"):
        TORCHREID_PREPROCESSING.normalise(np.zeros(shape, dtype=np.uint8))
