"""Filters against slow, obvious loops."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from reid_core.errors import InputError
from reid_core.synthetic.filters import gaussian_blur, jpeg_roundtrip, motion_blur, resize


def random_image(height: int, width: int, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).random((height, width, 3), dtype=np.float32)


def slow_gaussian(image: NDArray[np.float32], sigma: float) -> NDArray[np.float64]:
    """The two-dimensional sum, written out."""
    radius = int(np.ceil(3.5 * sigma))
    offsets = np.arange(-radius, radius + 1)
    kernel = np.exp(-0.5 * (offsets / sigma) ** 2)
    kernel /= kernel.sum()
    height, width, _ = image.shape
    out = np.zeros(image.shape)
    for y in range(height):
        for x in range(width):
            for dy, wy in zip(offsets, kernel, strict=True):
                for dx, wx in zip(offsets, kernel, strict=True):
                    source = image[np.clip(y + dy, 0, height - 1), np.clip(x + dx, 0, width - 1)]
                    out[y, x] += wy * wx * source
    return out


@pytest.mark.parametrize("sigma", [0.3, 0.8, 1.7])
def test_gaussian_blur__random_image__equals_the_written_out_sum(sigma: float) -> None:
    image = random_image(9, 7)
    np.testing.assert_allclose(gaussian_blur(image, sigma), slow_gaussian(image, sigma), atol=1e-5)


def test_gaussian_blur__constant_image__stays_constant_to_the_edge() -> None:
    image = np.full((6, 5, 3), 0.4, np.float32)
    np.testing.assert_allclose(gaussian_blur(image, 2.0), image, atol=1e-6)


def test_motion_blur__single_column__spreads_along_the_row_only() -> None:
    image = np.zeros((3, 11, 1), np.float32)
    image[1, 5] = 1.0
    blurred = motion_blur(image, 3.0)
    assert blurred[[0, 2]].max() == 0
    np.testing.assert_allclose(blurred[1, 4:7, 0], 1 / 3, atol=1e-6)
    assert blurred.sum() == pytest.approx(1.0)


@pytest.mark.parametrize(("height", "width"), [(5, 4), (3, 7), (2, 2)])
def test_resize__shrinks__each_pixel_is_the_mean_of_the_area_it_covers(height: int, width: int) -> None:
    image = random_image(10, 14)
    repeated = image.repeat(height, axis=0).repeat(width, axis=1)
    blocks = repeated.reshape(height, 10, width, 14, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(resize(image, width, height), blocks, atol=1e-5)


def test_resize__grows__equals_pillow_bilinear() -> None:
    image = random_image(8, 6)
    expected = np.stack(
        [
            np.asarray(Image.fromarray(image[..., c]).resize((15, 20), Image.Resampling.BILINEAR))
            for c in range(3)
        ],
        axis=-1,
    )
    np.testing.assert_allclose(resize(image, 15, 20), expected, atol=1e-4)


def test_resize__same_size__is_unchanged() -> None:
    image = random_image(4, 5)
    np.testing.assert_array_equal(resize(image, 5, 4), image)


def test_jpeg_roundtrip__high_quality__stays_near_and_low_quality_does_not() -> None:
    image = (random_image(32, 16) * 255).astype(np.uint8)
    fine, coarse = (jpeg_roundtrip(image, quality).astype(int) for quality in (95, 15))
    assert fine.shape == image.shape
    assert np.abs(fine - image).mean() < np.abs(coarse - image).mean()


@pytest.mark.parametrize("sigma", [0.0, -1.0, float("nan")])
def test_gaussian_blur__sigma_not_positive__refused(sigma: float) -> None:
    with pytest.raises(InputError, match="sigma"):
        gaussian_blur(random_image(4, 4), sigma)


def test_resize__grey_array_without_channels__refused() -> None:
    with pytest.raises(InputError, match="H, W, C"):
        resize(np.zeros((4, 4), np.float32), 2, 2)
