"""Read one crop the same way everywhere: whole, turned as its EXIF says, in RGB, within limits."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from reid_core.errors import ImageReadError

ImageInput = str | Path | bytes | NDArray[np.uint8] | Image.Image
"""What every image argument accepts: a path, encoded bytes, an (H, W, 3) RGB or (H, W) array, a PIL image."""

MAX_PIXELS = 40_000_000
"""Larger pictures are refused before they are decoded (a decompression bomb, or not a photo of people)."""
IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".ppm", ".tif", ".tiff"})


def read_image(source: ImageInput, *, name: str | None = None, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """Decode ``source`` completely into an upright RGB image.

    Args:
        source: A path, the bytes of an image file, an (H, W, 3) or (H, W) uint8 array in RGB order, or a PIL
            image. Alpha is laid over white; 16-bit and palette images become 8-bit RGB.
        name: How errors call it; a path calls itself.
        max_pixels: Larger images are refused without decoding.

    Raises:
        ImageReadError: Not an image, damaged or cut short, too large, or an array of another form.
    """
    label = name or (str(source) if isinstance(source, str | Path) else "the image")
    if isinstance(source, np.ndarray):
        return _from_array(source, label)
    try:
        if isinstance(source, Image.Image):
            return _finish(source, label, max_pixels)
        opened = io.BytesIO(source) if isinstance(source, bytes) else Path(source).expanduser()
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(opened) as image:
                return _finish(image, label, max_pixels)
    except FileNotFoundError:
        raise ImageReadError(f"{label} does not exist. Check the path.") from None
    except ImageReadError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise _too_large(label, "more", max_pixels) from None
    except UnidentifiedImageError as error:
        raise ImageReadError(
            f"{label} could not be read as an image: its first bytes are of no known type. JPEG, PNG, BMP, "
            "WebP, PPM and TIFF are read."
        ) from error
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        raise ImageReadError(
            f"{label} could not be read as an image ({error}). It is damaged, cut short, or of another type; "
            "JPEG, PNG, BMP, WebP, PPM and TIFF are read."
        ) from error


def _from_array(array: NDArray[np.uint8], label: str) -> Image.Image:
    is_grey, is_rgb = array.ndim == 2, array.ndim == 3 and array.shape[2] == 3
    if array.dtype != np.uint8 or not (is_grey or is_rgb) or array.size == 0:
        raise ImageReadError(
            f"{label} is an array of shape {array.shape} and type {array.dtype}; expected (H, W, 3) or "
            "(H, W) uint8 in RGB order. Scale floats to 0..255 and move channels last."
        )
    return Image.fromarray(np.ascontiguousarray(array)).convert("RGB")


def _finish(image: Image.Image, label: str, max_pixels: int) -> Image.Image:
    if image.width * image.height > max_pixels:
        raise _too_large(label, f"{image.width} x {image.height}", max_pixels)
    image.load()
    upright = ImageOps.exif_transpose(image)
    if upright.mode in {"RGBA", "LA", "PA"} or "transparency" in upright.info:
        rgba = upright.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(white, rgba).convert("RGB")
    if upright.mode.startswith("I;16") or upright.mode == "I":
        scaled = np.asarray(upright, dtype=np.float64) / 257.0
        return Image.fromarray(np.clip(scaled + 0.5, 0, 255).astype(np.uint8)).convert("RGB")
    # exif_transpose returns a copy only when it turned something; callers own what they get.
    return upright.convert("RGB") if upright.mode != "RGB" or upright is image else upright


def _too_large(label: str, size: str, max_pixels: int) -> ImageReadError:
    return ImageReadError(
        f"{label} has {size} pixels; at most {max_pixels / 1e6:.0f} million are read. Scale it down first."
    )


def encode_jpeg(image: Image.Image, *, quality: int = 90) -> bytes:
    """Encode as a baseline JPEG without any metadata of the original file."""
    buffer = io.BytesIO()
    image.convert("RGB").save(buffer, format="JPEG", quality=quality)
    return buffer.getvalue()
