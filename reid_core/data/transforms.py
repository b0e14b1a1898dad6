"""Training augmentation of whole batches in torch: uint8 crops in, normalised float tensors out.

The strengths in ``AugmentConfig`` imitate what differs between cameras and detectors: box and pose, light and
colour response, focus, resolution, compression and noise, and what stands in front of or behind a person.
Every random number comes from the generator of the call, so a step can be repeated exactly.

B batch, H x W stored crop, h x w network input; images are RGB in [0, 1] until the last step.
Sources: random erasing (Zhong et al., AAAI 2020), random patch (Zhou et al., TPAMI 2021).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from reid_core.errors import InputError

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
_LUMA = (0.299, 0.587, 0.114)
_JPEG_BLOCK = 8


@dataclass(frozen=True, slots=True)
class AugmentConfig:
    """Probabilities (``*_probability``, per image) and strengths of each augmentation; 0 switches one off.

    Strengths named ``*_sigma`` are standard deviations of a normal draw, in log units for factors.
    """

    flip_probability: float = 0.5
    zoom_sigma: float = 0.06
    aspect_sigma: float = 0.05
    shift: float = 0.06
    rotation_degrees: float = 4.0
    partial_probability: float = 0.08
    gain_sigma: float = 0.16
    channel_gain_sigma: float = 0.07
    contrast_sigma: float = 0.20
    saturation_sigma: float = 0.30
    hue_degrees: float = 8.0
    gamma_sigma: float = 0.15
    strong_color_probability: float = 0.2
    strong_color_factor: float = 2.5
    gray_probability: float = 0.05
    channel_mix_probability: float = 0.05
    lighting_sigma: float = 0.20
    blur_probability: float = 0.4
    sharpen_probability: float = 0.3
    low_resolution_probability: float = 0.25
    jpeg_probability: float = 0.25
    noise_probability: float = 0.35
    noise_sigma: float = 0.04
    patch_probability: float = 0.35
    erase_probability: float = 0.15
    side_probability: float = 0.15
    background_probability: float = 0.5


def to_unit_float(images: Tensor) -> Tensor:
    """uint8 (B, H, W, 3) -> float32 (B, 3, H, W) in [0, 1], channels-last in memory.

    Raises:
        InputError: Another shape or type.
    """
    if images.dtype != torch.uint8 or images.ndim != 4 or images.shape[3] != 3:
        raise InputError(
            f"A batch of crops has shape {tuple(images.shape)} and type {images.dtype}, "
            "expected (B, H, W, 3) uint8."
        )
    return images.permute(0, 3, 1, 2).float().div_(255.0)


def normalize(images: Tensor) -> Tensor:
    """Subtract ImageNet's mean and divide by its standard deviation, of (B, 3, h, w), in place."""
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (IMAGENET_MEAN, IMAGENET_STD))
    return images.sub_(mean).div_(std)


class BatchAugment:
    """Apply every augmentation of a config to a batch; ``strength`` in [0, 1] scales all of them."""

    def __init__(self, config: AugmentConfig) -> None:
        self.config = config

    def __call__(
        self,
        images: Tensor,
        generator: torch.Generator,
        *,
        size: tuple[int, int],
        strength: float = 1.0,
        person_masks: Tensor | None = None,
    ) -> Tensor:
        """Augment one batch.

        Args:
            images: (B, H, W, 3) uint8 RGB.
            generator: The only source of randomness.
            size: (h, w) of the result.
            strength: Scales probabilities and strengths; the flip stays as it is.
            person_masks: (B, H, W) uint8, 255 on the person; switches background replacement on. An image
                whose mask is empty keeps its background.

        Returns:
            (B, 3, h, w) float32, normalised, channels-last.
        """
        draw = Draws(generator, len(images), strength)
        config, planes = self.config, to_unit_float(images)
        if person_masks is not None:
            planes = torch.cat([planes, person_masks.unsqueeze(1).float().div_(255.0)], dim=1)
        planes = warp(planes, _random_affine(draw, config), size)
        x = planes[:, :3]
        if person_masks is not None:
            x = replace_backgrounds(x, planes[:, 3:], draw, config.background_probability)
        x = swap_sides(x, draw, config.side_probability)
        x = paste_patches(x, draw, config.patch_probability)
        x = lose_resolution(x, draw, config.low_resolution_probability)
        x = change_colors(x, draw, config)
        x = change_focus(x, draw, blur=config.blur_probability, sharpen=config.sharpen_probability)
        x = compress(x, draw, config.jpeg_probability)
        x = add_noise(x, draw, config.noise_probability, config.noise_sigma)
        x = erase(x, draw, config.erase_probability)
        x = x.clamp_(0.0, 1.0).contiguous(memory_format=torch.channels_last)
        return normalize(x)


class Draws:
    """Per-image random numbers of one batch, from one generator; ``strength`` scales them."""

    def __init__(self, generator: torch.Generator, batch: int, strength: float = 1.0) -> None:
        self.generator, self.batch, self.strength = generator, batch, strength

    def uniform(self, low: float = 0.0, high: float = 1.0, *shape: int) -> Tensor:
        """(B, *shape) in [low, high)."""
        return torch.rand(self.batch, *shape, generator=self.generator) * (high - low) + low

    def normal(self, sigma: float, *shape: int) -> Tensor:
        """(B, *shape) normal with mean 0 and ``sigma * strength``."""
        return torch.randn(self.batch, *shape, generator=self.generator) * (sigma * self.strength)

    def chosen(self, probability: float) -> Tensor:
        """Indices of the images that something happens to: each with ``probability * strength``."""
        return torch.nonzero(self.uniform() < probability * self.strength)[:, 0]

    def others(self) -> Tensor:
        """(B,) for every image the index of another one of the batch (itself only when B is 1)."""
        step = torch.randint(1, max(self.batch, 2), (self.batch,), generator=self.generator)
        return (torch.arange(self.batch) + step) % self.batch

    def integer(self, low: int, high: int) -> int:
        """One integer in [low, high)."""
        return int(torch.randint(low, high, (1,), generator=self.generator))


def _random_affine(draw: Draws, config: AugmentConfig) -> Tensor:
    """(B, 2, 3) maps from output to input coordinates, both in [-1, 1] as ``affine_grid`` has them."""
    zoom = torch.exp(draw.normal(config.zoom_sigma))
    aspect = torch.exp(0.5 * draw.normal(config.aspect_sigma))
    flip = torch.where(draw.uniform() < config.flip_probability, -1.0, 1.0)
    angle = draw.normal(math.radians(config.rotation_degrees))
    # A person box is about twice as high as wide, so a rotation in pixels is a shear of unlike axes here.
    scale_x, scale_y = zoom * aspect, zoom / aspect
    shift_x, shift_y = (2 * config.shift * draw.strength * draw.uniform(-1, 1) for _ in range(2))
    partial = draw.chosen(config.partial_probability)
    kept = draw.uniform(0.55, 0.85)
    scale_y[partial] *= kept[partial]
    scale_x[partial] *= kept[partial].sqrt()
    # Upper bodies are what other detectors and closer cameras keep: the window stays at the top.
    shift_y[partial] += kept[partial] - 1.0
    row_x = torch.stack([flip * scale_x * angle.cos(), 2.0 * angle.sin(), shift_x], dim=1)
    row_y = torch.stack([-0.5 * flip * angle.sin(), scale_y * angle.cos(), shift_y], dim=1)
    return torch.stack([row_x, row_y], dim=1)


def warp(planes: Tensor, affine: Tensor, size: tuple[int, int]) -> Tensor:
    """Resample (B, C, H, W) to (B, C, h, w); what lies outside repeats the edge."""
    rows, columns = ((torch.arange(n) + 0.5) * (2.0 / n) - 1.0 for n in size)
    column_part = affine[:, None, :, 0] * columns[None, :, None]
    row_part = affine[:, None, :, 1] * rows[None, :, None] + affine[:, None, :, 2]
    grid = row_part[:, :, None] + column_part[:, None]
    return F.grid_sample(planes, grid, mode="bilinear", padding_mode="border", align_corners=False)


def _rectangles(draw: Draws, size: tuple[int, int], *, area: tuple[float, float]) -> Tensor:
    """(B, 1, h, w) bool, one random rectangle per image covering a share of it drawn from ``area``."""
    height, width = size
    share = draw.uniform(*area)
    ratio = torch.exp(draw.uniform(math.log(0.4), math.log(2.5)))
    half_height = (share * ratio).sqrt().clamp(max=1.0) / 2
    half_width = (share / ratio).sqrt().clamp(max=1.0) / 2
    center_y, center_x = draw.uniform(), draw.uniform()
    rows = (torch.arange(height) + 0.5) / height
    columns = (torch.arange(width) + 0.5) / width
    inside_rows = (rows[None] - center_y[:, None]).abs() < half_height[:, None]
    inside_columns = (columns[None] - center_x[:, None]).abs() < half_width[:, None]
    return (inside_rows[:, :, None] & inside_columns[:, None, :]).unsqueeze(1)


def paste_patches(x: Tensor, draw: Draws, probability: float) -> Tensor:
    """Cover a random rectangle with the same place, mirrored, of another crop: somebody stands in front."""
    rectangles, others = _rectangles(draw, _size(x), area=(0.03, 0.25)), draw.others()
    index = draw.chosen(probability)
    if len(index):
        x[index] = torch.where(rectangles[index], x[others[index]].flip(3), x[index])
    return x


def erase(x: Tensor, draw: Draws, probability: float) -> Tensor:
    """Fill a random rectangle with one random colour."""
    rectangles, colors = _rectangles(draw, _size(x), area=(0.02, 0.2)), draw.uniform(0, 1, 3, 1, 1)
    index = draw.chosen(probability)
    if len(index):
        x[index] = torch.where(rectangles[index], colors[index], x[index])
    return x


def swap_sides(x: Tensor, draw: Draws, probability: float) -> Tensor:
    """Take the margins left and right of the person from another crop: another place, or a bystander."""
    others, inner = draw.others(), draw.uniform(0.55, 0.85)
    index = draw.chosen(probability)
    if len(index):
        width = x.shape[3]
        distance = ((torch.arange(width) + 0.5) / width * 2 - 1).abs()
        keep = torch.sigmoid((inner[index, None] - distance[None]) * 20).view(-1, 1, 1, width)
        x[index] = keep * x[index] + (1 - keep) * x[others[index]]
    return x


def replace_backgrounds(x: Tensor, masks: Tensor, draw: Draws, probability: float) -> Tensor:
    """Put the person on another crop's picture (its person included, as a crowd), shifted sideways.

    Args:
        x: (B, 3, h, w).
        masks: (B, 1, h, w), 1 on the person; all zeros where it is unknown.
        draw: Source of the random numbers.
        probability: Share of the images that change.
    """
    others, shift = draw.others(), draw.integer(0, x.shape[3])
    index = draw.chosen(probability)
    index = index[masks[index].mean(dim=(1, 2, 3)) > 0.05]
    if len(index):
        backgrounds = x[others[index]].roll(shift, dims=3)
        x[index] = torch.lerp(backgrounds, x[index], masks[index])
    return x


def change_colors(x: Tensor, draw: Draws, config: AugmentConfig) -> Tensor:
    """Another camera's response and light: a 3 x 3 colour matrix, contrast, a light gradient and gamma."""
    strong = torch.ones(draw.batch)
    strong[draw.chosen(config.strong_color_probability)] = config.strong_color_factor
    matrix = _color_matrices(draw, config, strong)
    contrast = torch.exp(draw.normal(config.contrast_sigma) * strong.clamp(max=1.5)).view(-1, 1, 1, 1)
    mixed = torch.einsum("bij,bjhw->bihw", matrix, x)
    middle = mixed.mean(dim=(1, 2, 3), keepdim=True)
    light = _light_gradients(draw, _size(x), config.lighting_sigma)
    mixed = ((mixed - middle).mul_(contrast).add_(middle)).mul_(light)
    gamma = torch.exp(draw.normal(config.gamma_sigma) * strong).view(-1, 1, 1, 1)
    return mixed.clamp_(1e-4, 1.0).pow_(gamma)


def _color_matrices(draw: Draws, config: AugmentConfig, strong: Tensor) -> Tensor:
    """(B, 3, 3): hue rotation and saturation about the grey axis, then exposure and white balance."""
    eye, luma = torch.eye(3), torch.tensor(_LUMA).expand(3, 3)
    angle = draw.normal(math.radians(config.hue_degrees)) * strong
    saturation = torch.exp(draw.normal(config.saturation_sigma) * strong.clamp(max=1.5) - 0.1)
    saturation[draw.chosen(config.gray_probability)] = 0.0
    # Rotation about (1, 1, 1) by Rodrigues' formula.
    cross = torch.tensor([[0.0, -1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 1.0, 0.0]]) / math.sqrt(3.0)
    cos, sin = angle.cos().view(-1, 1, 1), angle.sin().view(-1, 1, 1)
    rotation = cos * eye + sin * cross + (1 - cos) / 3.0
    saturate = luma + saturation.view(-1, 1, 1) * (eye - luma)
    gain = draw.normal(config.gain_sigma, 1) + draw.normal(config.channel_gain_sigma, 3) * strong[:, None]
    matrix = torch.exp(gain)[:, :, None] * (saturate @ rotation)
    mix = torch.softmax(draw.uniform(-2, 2, 3, 3), dim=2)
    mixed = draw.chosen(config.channel_mix_probability)
    matrix[mixed] = mix[mixed] @ matrix[mixed]
    return matrix


def _light_gradients(draw: Draws, size: tuple[int, int], sigma: float) -> Tensor:
    """(B, 1, h, w) factors that rise smoothly across the crop, as half shade does."""
    rows, columns = (torch.linspace(-1, 1, n) for n in size)
    slope_y, slope_x = draw.normal(sigma, 1, 1), draw.normal(sigma, 1, 1)
    return torch.exp(slope_y * rows[None, :, None] + slope_x * columns[None, None, :]).unsqueeze(1)


def change_focus(x: Tensor, draw: Draws, *, blur: float, sharpen: float) -> Tensor:
    """Blend with a 3 x 3 mean (focus) or a horizontal one (motion), or away from it."""
    amount = draw.uniform(0.2, 1.0).view(-1, 1, 1, 1)
    for index, sign in ((draw.chosen(blur), 1.0), (draw.chosen(blur / 2), 1.0), (draw.chosen(sharpen), -1.2)):
        if len(index):
            x[index] = torch.lerp(x[index], _mean_filter(x[index], 3, 3), sign * amount[index])
    index = draw.chosen(blur / 4)
    if len(index):
        x[index] = _mean_filter(x[index], 1, 5)
    return x


def _mean_filter(x: Tensor, rows: int, columns: int) -> Tensor:
    # Sums of shifted slices: four times faster on a CPU than avg_pool2d (measured on 64 x 3 x 128 x 64).
    for dim, taps in ((2, rows), (3, columns)):
        if taps > 1:
            length, half = x.shape[dim], taps // 2
            edges = [x.narrow(dim, 0, 1)] * half, [x.narrow(dim, length - 1, 1)] * half
            padded = torch.cat([*edges[0], x, *edges[1]], dim=dim)
            x = padded.narrow(dim, 0, length) + padded.narrow(dim, 1, length)
            for shift in range(2, taps):
                x += padded.narrow(dim, shift, length)
            x /= taps
    return x


def lose_resolution(x: Tensor, draw: Draws, probability: float) -> Tensor:
    """Scale down and up again, by two factors per batch."""
    height, width = _size(x)
    for _ in range(2):
        factor = 0.3 + 0.5 * float(torch.rand(1, generator=draw.generator))
        index = draw.chosen(probability / 2)
        if len(index):
            small = F.interpolate(x[index], (int(height * factor), int(width * factor)), mode="area")
            x[index] = F.interpolate(small, (height, width), mode="bilinear", align_corners=False)
    return x


def compress(x: Tensor, draw: Draws, probability: float) -> Tensor:
    """Round the 8 x 8 cosine coefficients of each channel as JPEG does; coarser at high frequencies."""
    coarseness = draw.uniform(0.02, 0.12)
    index = draw.chosen(probability)
    height, width = _size(x)
    if len(index) == 0 or height % _JPEG_BLOCK or width % _JPEG_BLOCK:
        return x
    transform = _cosine_transform()
    frequency = torch.arange(_JPEG_BLOCK, dtype=torch.float32)
    step = coarseness[index].view(-1, 1, 1, 1, 1, 1) * (1 + (frequency[:, None] + frequency[None, :]) * 0.5)[
        :, None, :
    ].view(1, 1, 1, _JPEG_BLOCK, 1, _JPEG_BLOCK)
    blocks = x[index].reshape(
        len(index), 3, height // _JPEG_BLOCK, _JPEG_BLOCK, width // _JPEG_BLOCK, _JPEG_BLOCK
    )
    coefficients = torch.einsum("ki,bcyixj,lj->bcykxl", transform, blocks, transform)
    coefficients = torch.round(coefficients / step) * step
    restored = torch.einsum("ki,bcykxl,lj->bcyixj", transform, coefficients, transform)
    x[index] = restored.reshape(len(index), 3, height, width)
    return x


def _cosine_transform() -> Tensor:
    """The orthonormal (8, 8) DCT-II matrix, rows are frequencies."""
    n = torch.arange(_JPEG_BLOCK, dtype=torch.float32)
    matrix = torch.cos(math.pi / _JPEG_BLOCK * (n[None, :] + 0.5) * n[:, None]) * math.sqrt(2.0 / _JPEG_BLOCK)
    matrix[0] /= math.sqrt(2.0)
    return matrix


def add_noise(x: Tensor, draw: Draws, probability: float, sigma: float) -> Tensor:
    """Sensor noise, half of it shared by the three channels."""
    amount = draw.uniform(0.2, 1.0).view(-1, 1, 1, 1) * sigma
    index = draw.chosen(probability)
    if len(index):
        shape = (len(index), 1, *_size(x))
        luma = torch.randn(shape, generator=draw.generator)
        color = torch.randn((len(index), 3, *_size(x)), generator=draw.generator)
        x[index] += (luma + color) * (0.7 * amount[index])
    return x


def _size(x: Tensor) -> tuple[int, int]:
    return x.shape[2], x.shape[3]
