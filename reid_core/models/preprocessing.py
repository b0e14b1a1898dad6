"""From an upright RGB crop to the network's input, exactly as the published weights expect it.

The published OSNet weights were trained and tested with Torchreid's test transform: resize to 256 x 128
(Pillow's bilinear filter, which averages when it shrinks; OpenCV's does not), divide by 255, subtract the
ImageNet mean, divide by the ImageNet deviation. Which of these numbers apply belongs to a weights file, so a
``Preprocessing`` travels with it and no caller passes another.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from reid_core.errors import InputError

ColourOrder = Literal["rgb", "bgr"]
Interpolation = Literal["bilinear", "bicubic"]

_FILTERS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
_MAX_SIDE = 4096


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """The input one set of weights expects.

    ``height`` and ``width`` are pixels; the aspect ratio is not kept. ``mean`` and ``std`` are per channel,
    for values scaled to [0, 1], in ``colour_order``.
    """

    height: int = 256
    width: int = 128
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    colour_order: ColourOrder = "rgb"
    interpolation: Interpolation = "bilinear"

    def __post_init__(self) -> None:
        if not (16 <= self.height <= _MAX_SIDE and 16 <= self.width <= _MAX_SIDE):
            raise InputError(
                f"The input size is {self.height} x {self.width}; expected 16 to {_MAX_SIDE} pixels a side "
                "(256 x 128 for the published weights)."
            )
        if len(self.mean) != 3 or len(self.std) != 3 or not np.isfinite([*self.mean, *self.std]).all():
            raise InputError(
                f"mean is {self.mean} and std is {self.std}; expected three finite numbers each."
            )
        if min(self.std) <= 0:
            raise InputError(f"std is {self.std}; every channel's deviation must be above 0.")
        if self.colour_order not in ("rgb", "bgr") or self.interpolation not in _FILTERS:
            raise InputError(
                f"colour_order is {self.colour_order!r} and interpolation {self.interpolation!r}; expected "
                "'rgb' or 'bgr', and 'bilinear' or 'bicubic'."
            )

    def resize(self, image: Image.Image) -> NDArray[np.uint8]:
        """An RGB image of any size -> (height, width, 3) uint8, still in RGB order."""
        if image.mode != "RGB":
            raise InputError(
                f"The image has mode {image.mode}, expected RGB; read it with images.read_image."
            )
        if image.size != (self.width, self.height):
            image = image.resize((self.width, self.height), _FILTERS[self.interpolation])
        return np.asarray(image)

    def normalise(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(B, height, width, 3) uint8 in RGB order -> (B, 3, height, width) float32 in ``colour_order``."""
        if pixels.ndim != 4 or pixels.shape[1:] != (self.height, self.width, 3) or pixels.dtype != np.uint8:
            raise InputError(
                f"The batch has shape {pixels.shape} and type {pixels.dtype}, expected "
                f"(B, {self.height}, {self.width}, 3) uint8."
            )
        ordered = pixels if self.colour_order == "rgb" else pixels[..., ::-1]
        scaled = ordered.astype(np.float32) / np.float32(255)
        scaled -= np.asarray(self.mean, dtype=np.float32)
        scaled /= np.asarray(self.std, dtype=np.float32)
        return np.ascontiguousarray(scaled.transpose(0, 3, 1, 2))

    def to_json(self) -> str:
        """One line of JSON with sorted keys: part of a fingerprint and of a weights file."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> Preprocessing:
        """Rebuild what ``to_json`` wrote, after ``json.loads``.

        Raises:
            InputError: A field is missing, unknown, or out of range.
        """
        try:
            return cls(
                height=int(values["height"]),
                width=int(values["width"]),
                mean=_three_numbers(values["mean"]),
                std=_three_numbers(values["std"]),
                colour_order=values["colour_order"],
                interpolation=values["interpolation"],
            )
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"The preprocessing record {dict(values)!r} cannot be read ({type(error).__name__}: "
                f"{error}); expected the fields {', '.join(cls.__dataclass_fields__)}."
            ) from error


def _three_numbers(values: Any) -> tuple[float, float, float]:
    first, second, third = (float(value) for value in values)
    return first, second, third


TORCHREID_PREPROCESSING = Preprocessing()
"""The test transform behind every published OSNet checkpoint."""
