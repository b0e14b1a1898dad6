from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from reid_core.errors import ImageReadError
from reid_core.images import encode_jpeg, read_image


def jpeg_bytes(size: tuple[int, int] = (40, 80), **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, (200, 30, 40)).save(buffer, "JPEG", **options)
    return buffer.getvalue()


def test_read_image__exif_quarter_turn__upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    assert read_image(jpeg_bytes((80, 40), exif=exif)).size == (40, 80)


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "LA", "CMYK", "1", "I;16"])
def test_read_image__any_mode__rgb(mode: str, tmp_path: Path) -> None:
    picture = Image.new(mode, (20, 40), 1 if mode == "1" else None)
    path = tmp_path / ("crop.tif" if mode == "CMYK" else "crop.png")
    picture.save(path)
    assert read_image(path).mode == "RGB"


def test_read_image__transparent__laid_over_white() -> None:
    assert read_image(Image.new("RGBA", (4, 4), (0, 0, 0, 0))).getpixel((0, 0)) == (255, 255, 255)


def test_read_image__sixteen_bit__scaled_not_clipped() -> None:
    half = Image.fromarray(np.full((4, 4), 32_768, np.uint16))
    assert read_image(half).getpixel((0, 0)) == (128, 128, 128)


@pytest.mark.parametrize("content", [b"", b"<html>no</html>", jpeg_bytes()[:200], b"\x89PNG\r\n\x1a\n"])
def test_read_image__damaged__sentence(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "crop.jpg"
    path.write_bytes(content)
    with pytest.raises(ImageReadError, match=r"crop\.jpg could not be read"):
        read_image(path)


def test_read_image__opened_lazily_and_cut_short__sentence(tmp_path: Path) -> None:
    path = tmp_path / "crop.jpg"
    path.write_bytes(jpeg_bytes((200, 400))[:-300])
    with Image.open(path) as lazy, pytest.raises(ImageReadError, match="could not be read"):
        read_image(lazy)


def test_read_image__absent__says_so(tmp_path: Path) -> None:
    with pytest.raises(ImageReadError, match="does not exist"):
        read_image(tmp_path / "none.jpg")


def test_read_image__more_pixels_than_allowed__refused_before_decoding() -> None:
    with pytest.raises(ImageReadError, match="40 x 80 pixels"):
        read_image(jpeg_bytes(), max_pixels=1000)


@pytest.mark.parametrize(
    "array",
    [np.zeros((4, 4, 3), np.float32), np.zeros((3, 4, 4), np.uint8), np.zeros((0, 4, 3), np.uint8)],
)
def test_read_image__array_of_other_form__refused(array: np.ndarray) -> None:
    with pytest.raises(ImageReadError, match="expected"):
        read_image(array)


def test_read_image__result__does_not_share_the_callers_image() -> None:
    mine = Image.new("RGB", (4, 4))
    read_image(mine).putpixel((0, 0), (9, 9, 9))
    assert mine.getpixel((0, 0)) == (0, 0, 0)


def test_encode_jpeg__photo_with_metadata__dropped() -> None:
    exif = Image.Exif()
    exif[0x010E] = "somewhere"
    again = Image.open(io.BytesIO(encode_jpeg(read_image(jpeg_bytes(exif=exif)))))
    assert not dict(again.getexif())
    assert "exif" not in again.info
