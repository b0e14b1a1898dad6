import math
from dataclasses import fields, replace

import numpy as np
import pytest
import torch

from reid_core.data import transforms
from reid_core.data.transforms import AugmentConfig, BatchAugment, normalize, to_unit_float, warp
from reid_core.errors import InputError

SIZE = (32, 16)


def random_images(batch: int = 6, height: int = 32, width: int = 16) -> torch.Tensor:
    return torch.from_numpy(
        np.random.default_rng(0).integers(0, 256, (batch, height, width, 3), dtype=np.uint8)
    )


def switched_off() -> AugmentConfig:
    return AugmentConfig(**{each.name: 0.0 for each in fields(AugmentConfig)})


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def certain_draws(batch: int, seed: int = 0) -> transforms.Draws:
    return transforms.Draws(generator(seed), batch)


def test_batch_augment__everything_off__only_normalised() -> None:
    images = random_images()
    expected = normalize(to_unit_float(images))
    saturation_bias = math.exp(-0.1)  # the colour step pales every image a little, as cameras do
    out = BatchAugment(switched_off())(images, generator(), size=SIZE)
    unit = to_unit_float(images)
    luma = (unit * torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)).sum(1, keepdim=True)
    paled = normalize((luma + saturation_bias * (unit - luma)).clamp(1e-4, 1))
    torch.testing.assert_close(out, paled, atol=2e-5, rtol=0)
    assert out.shape == expected.shape


def test_batch_augment__same_generator_seed__identical() -> None:
    augment, images = BatchAugment(AugmentConfig()), random_images()
    masks = torch.full((6, 32, 16), 255, dtype=torch.uint8)
    first = augment(images, generator(3), size=SIZE, person_masks=masks)
    torch.manual_seed(99)
    np.random.default_rng().random()
    second = augment(images, generator(3), size=SIZE, person_masks=masks)
    assert torch.equal(first, second)
    assert not torch.equal(first, augment(images, generator(4), size=SIZE, person_masks=masks))


def test_batch_augment__all_strong__finite_in_range_and_input_untouched() -> None:
    images = random_images(batch=16)
    before = images.clone()
    certain = replace(
        AugmentConfig(), **{f.name: 1.0 for f in fields(AugmentConfig) if f.name.endswith("_probability")}
    )
    out = BatchAugment(certain)(images, generator(), size=(64, 32))
    assert out.shape == (16, 3, 64, 32)
    assert out.dtype == torch.float32
    assert bool(torch.isfinite(out).all())
    low, high = normalize(torch.zeros(1, 3, 1, 1)), normalize(torch.ones(1, 3, 1, 1))
    assert bool((out >= low - 1e-5).all())
    assert bool((out <= high + 1e-5).all())
    assert torch.equal(images, before)
    assert out.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("shape", [(2, 3, 8, 8), (2, 8, 8), (2, 8, 8, 4)])
def test_to_unit_float__wrong_shape__refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=r"expected \(B, H, W, 3\) uint8"):
        to_unit_float(torch.zeros(shape, dtype=torch.uint8))


def test_to_unit_float__float_images__refused() -> None:
    with pytest.raises(InputError, match="float32"):
        to_unit_float(torch.zeros(2, 8, 8, 3))


def test_warp__identity__unchanged() -> None:
    x = torch.rand(2, 3, 8, 4)
    identity = torch.tensor([[[1.0, 0, 0], [0, 1.0, 0]]]).repeat(2, 1, 1)
    torch.testing.assert_close(warp(x, identity, (8, 4)), x)


def test_warp__mirrored__columns_reversed() -> None:
    x = torch.rand(1, 3, 8, 4)
    torch.testing.assert_close(warp(x, torch.tensor([[[-1.0, 0, 0], [0, 1.0, 0]]]), (8, 4)), x.flip(3))


def test_mean_filter__interior_pixel__is_mean_of_its_neighbourhood() -> None:
    x = torch.rand(2, 3, 9, 7)
    out = transforms._mean_filter(x.clone(), 3, 3)
    torch.testing.assert_close(out[1, 2, 4, 3], x[1, 2, 3:6, 2:5].mean())
    wide = transforms._mean_filter(x.clone(), 1, 5)
    torch.testing.assert_close(wide[0, 0, 5, 3], x[0, 0, 5, 1:6].mean())


def test_cosine_transform__times_its_transpose__is_identity() -> None:
    matrix = transforms._cosine_transform()
    torch.testing.assert_close(matrix @ matrix.T, torch.eye(8), atol=1e-6, rtol=0)


def test_compress__flat_image__stays_flat_and_close() -> None:
    x = torch.full((4, 3, 16, 8), 0.37)
    out = transforms.compress(x.clone(), certain_draws(4), 1.0)
    assert float(out.std(dim=(2, 3)).max()) < 1e-5
    assert float((out - x).abs().max()) < 0.01  # half of the coarsest step, 0.12 * 1, over 8 pixels


def test_compress__noise__fewer_distinct_details() -> None:
    x = torch.rand(4, 3, 16, 8)
    out = transforms.compress(x.clone(), certain_draws(4), 1.0)
    assert float((out - x).abs().mean()) > 1e-3
    assert float((out - x).abs().mean()) < 0.2


def test_replace_backgrounds__mask__person_stays_and_the_rest_comes_from_another() -> None:
    x = torch.arange(4.0).view(4, 1, 1, 1).expand(4, 3, 8, 8).clone()
    masks = torch.zeros(4, 1, 8, 8)
    masks[:, :, :, 2:5] = 1.0
    out = transforms.replace_backgrounds(x.clone(), masks, certain_draws(4), 1.0)
    assert torch.equal(out[..., 2:5], x[..., 2:5])
    assert bool((out[..., :2] != x[..., :2]).all())
    assert bool((out[..., 5:] != x[..., 5:]).all())


def test_replace_backgrounds__empty_mask__unchanged() -> None:
    x = torch.rand(4, 3, 8, 8)
    assert torch.equal(
        transforms.replace_backgrounds(x.clone(), torch.zeros(4, 1, 8, 8), certain_draws(4), 1.0), x
    )


def test_paste_patches__certain__one_rectangle_of_another_crop() -> None:
    x = torch.arange(8.0).view(8, 1, 1, 1).expand(8, 3, 40, 20).clone()
    out = transforms.paste_patches(x.clone(), certain_draws(8), 1.0)
    for image in range(8):
        changed = out[image, 0] != image
        rows, columns = changed.any(dim=1), changed.any(dim=0)
        assert torch.equal(changed, rows[:, None] & columns[None, :])
        assert changed.float().mean() <= 0.27
        assert len(out[image][:, changed].unique()) <= 1
    assert bool((out != x).any())


def test_erase__probability_zero__unchanged() -> None:
    x = torch.rand(4, 3, 8, 8)
    assert torch.equal(transforms.erase(x.clone(), certain_draws(4), 0.0), x)


def test_color_matrices__no_strength__luma_of_grey_is_kept() -> None:
    config = switched_off()
    matrices = transforms._color_matrices(certain_draws(3), config, torch.ones(3))
    torch.testing.assert_close(matrices @ torch.ones(3), torch.ones(3, 3))


def test_color_matrices__gray_certain__channels_equal() -> None:
    config = replace(switched_off(), gray_probability=1.0)
    out = transforms._color_matrices(certain_draws(2), config, torch.ones(2)) @ torch.tensor([0.9, 0.2, 0.4])
    torch.testing.assert_close(out, out[:, :1].expand(2, 3))


def test_others__batch__never_the_image_itself() -> None:
    for seed in range(20):
        others = certain_draws(5, seed).others()
        assert bool((others != torch.arange(5)).all())
