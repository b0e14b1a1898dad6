import pytest
import torch

from reid_core.data.published_augment import PublishedAugment, PublishedBatchAugment
from reid_core.data.transforms import IMAGENET_MEAN, IMAGENET_STD

ALL_OFF = PublishedAugment(flip=0.0)


def crops(batch: int = 4) -> torch.Tensor:
    return torch.randint(0, 256, (batch, 32, 16, 3), generator=torch.Generator().manual_seed(1)).byte()


def augmented(config: PublishedAugment, images: torch.Tensor, seed: int = 0) -> torch.Tensor:
    """As it comes out, but back in [0, 1]."""
    out = PublishedBatchAugment(config)(images, torch.Generator().manual_seed(seed), size=(32, 16))
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (IMAGENET_MEAN, IMAGENET_STD))
    return out * std + mean


def test_all_off__pixels_unchanged() -> None:
    images = crops()
    expected = images.permute(0, 3, 1, 2) / 255.0
    torch.testing.assert_close(augmented(ALL_OFF, images), expected, atol=1e-5, rtol=0)


def test_flip__always__mirrored() -> None:
    images = crops()
    expected = images.permute(0, 3, 1, 2).flip(3) / 255.0
    torch.testing.assert_close(augmented(PublishedAugment(flip=1.0), images), expected, atol=1e-5, rtol=0)


def test_erase__always__a_rectangle_of_one_colour_within_the_published_area() -> None:
    images = torch.full((32, 32, 16, 3), 255, dtype=torch.uint8)
    out = augmented(PublishedAugment(flip=0.0, erase=1.0), images)
    erased = (out - 1.0).abs().amax(dim=1) > 1e-3
    shares = erased.float().mean(dim=(1, 2))
    assert bool((shares > 0.01).all())
    assert bool((shares < 0.45).all())
    mean, std = (torch.tensor(v) for v in (IMAGENET_MEAN, IMAGENET_STD))
    torch.testing.assert_close(out[0][:, erased[0]][:, 0], mean * std + mean, atol=1e-4, rtol=0)


def test_jitter__white_stays_below_twenty_percent_darker() -> None:
    images = torch.full((16, 32, 16, 3), 200, dtype=torch.uint8)
    out = augmented(PublishedAugment(flip=0.0, jitter=1.0), images)
    ratio = out.mean(dim=(1, 2, 3)) / (200 / 255)
    assert bool((ratio > 0.79).all())
    assert bool((ratio < 1.21).all())
    assert float(ratio.std()) > 0.02


def test_patch__always__other_crops_pixels_inside() -> None:
    images = torch.zeros((8, 32, 16, 3), dtype=torch.uint8)
    images[4:] = 255
    out = augmented(PublishedAugment(flip=0.0, patch=1.0), images, seed=3)
    assert float(out[:4].max()) == pytest.approx(1.0, abs=1e-4)


def test_crop__always__moved_but_same_size() -> None:
    images = crops()
    out = augmented(PublishedAugment(flip=0.0, crop=1.0), images)
    assert out.shape == (4, 3, 32, 16)
    assert not torch.allclose(out, images.permute(0, 3, 1, 2) / 255.0, atol=1e-2)


def test_same_generator_seed__same_batch_and_global_generator_untouched() -> None:
    config = PublishedAugment(flip=0.5, crop=0.5, patch=0.5, jitter=0.5, erase=0.5)
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    first, second = (augmented(config, crops(), seed=9) for _ in range(2))
    assert torch.equal(first, second)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert not torch.equal(first, augmented(config, crops(), seed=10))
