"""One query and its nearest images as a picture for a paper: borders with colour and mark, captions below."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

from reid_core.images import read_image
from reid_core.services.evaluations.failures import StripItem
from reid_core.services.evaluations.store import RunImage
from reid_core.services.records import Verdict

ReadImage = Callable[[RunImage], bytes]
"""JPEG bytes of an image; raises ReidError."""

COLOURS: dict[Verdict | str, str] = {
    "query": "#1f2937",
    "true": "#0072B2",
    "false": "#B34A00",
    "junk": "#6B7280",
    "same_camera": "#6B7280",
    "unknown": "#6B7280",
}
"""Blue and vermilion are told apart with any colour vision; the mark in the corner says the same."""
_WIDTH, _HEIGHT, _BORDER, _GAP, _CAPTION = 64, 128, 3, 6, 18
_MARK = 15


@dataclass(frozen=True, slots=True)
class StripCell:
    """One picture of the strip with what stands below it."""

    image: RunImage
    verdict: Verdict | str
    caption: str


def draw_strip(cells: Sequence[StripCell], read: ReadImage, *, scale: int = 3) -> bytes:
    """A PNG with all cells in a row on white; pictures are letterboxed, never cut or stretched.

    Args:
        cells: The query first.
        read: Gives a picture's bytes.
        scale: Pixels per unit, 1 to 8; a cell is 64 x 128 units.

    Raises:
        ImageReadError: A picture is gone, changed or damaged.
    """
    cell = (_WIDTH + 2 * _BORDER) * scale
    height = (_HEIGHT + 2 * _BORDER + _CAPTION) * scale
    gap = _GAP * scale
    after_query = 2 * gap if len(cells) > 1 else 0
    width = len(cells) * cell + max(0, len(cells) - 1) * gap + after_query - (gap if after_query else 0)
    canvas = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(canvas)
    font = ImageFont.load_default(size=11 * scale)
    left = 0
    for number, entry in enumerate(cells):
        _draw_cell(canvas, draw, entry, read(entry.image), left, scale)
        draw.text(
            (left + cell / 2, (_HEIGHT + 2 * _BORDER + _CAPTION / 2) * scale),
            entry.caption,
            fill="#111827",
            font=font,
            anchor="mm",
        )
        left += cell + (after_query if number == 0 else gap)
    buffer = io.BytesIO()
    canvas.save(buffer, "PNG", compress_level=4)
    return buffer.getvalue()


def stack(strips: Sequence[bytes], *, gap: int = 24) -> bytes:
    """Several strips below each other as one PNG."""
    pictures = [Image.open(io.BytesIO(strip)) for strip in strips]
    height = sum(picture.height for picture in pictures) + gap * (len(pictures) - 1)
    canvas = Image.new("RGB", (max(picture.width for picture in pictures), height), "white")
    top = 0
    for picture in pictures:
        canvas.paste(picture, (0, top))
        top += picture.height + gap
    buffer = io.BytesIO()
    canvas.save(buffer, "PNG", compress_level=4)
    return buffer.getvalue()


def cells_of(query: RunImage, items: Sequence[StripItem], caption: Callable[[float], str]) -> list[StripCell]:
    """The query and its ranking as cells; ``caption`` writes a distance."""
    return [
        StripCell(query, "query", "query"),
        *(StripCell(item.image, item.verdict, caption(item.distance)) for item in items),
    ]


def _draw_cell(
    canvas: Image.Image, draw: ImageDraw.ImageDraw, entry: StripCell, content: bytes, left: int, scale: int
) -> None:
    colour = COLOURS[entry.verdict]
    outer = ((_WIDTH + 2 * _BORDER) * scale, (_HEIGHT + 2 * _BORDER) * scale)
    draw.rectangle((left, 0, left + outer[0] - 1, outer[1] - 1), fill=colour)
    inner = (_WIDTH * scale, _HEIGHT * scale)
    mat = Image.new("RGB", inner, "#e3e6eb")
    picture = read_image(content)
    fit = min(inner[0] / picture.width, inner[1] / picture.height)
    size = (max(1, round(picture.width * fit)), max(1, round(picture.height * fit)))
    picture = picture.resize(size, Image.Resampling.LANCZOS)
    mat.paste(picture, ((inner[0] - size[0]) // 2, (inner[1] - size[1]) // 2))
    canvas.paste(mat, (left + _BORDER * scale, _BORDER * scale))
    if entry.verdict != "query":
        _draw_mark(draw, entry.verdict, left + outer[0], colour, scale)


def _draw_mark(draw: ImageDraw.ImageDraw, verdict: str, right: int, colour: str, scale: int) -> None:
    """A tick, a cross, or a bar in the upper right corner; lines, because fonts lack such signs."""
    size, thick = _MARK * scale, max(1, 2 * scale)
    left = right - size
    draw.rectangle((left, 0, right - 1, size - 1), fill=colour)

    def line(*points: tuple[float, float]) -> None:
        scaled = [(left + x * size, y * size) for x, y in points]
        draw.line(scaled, fill="white", width=thick, joint="curve")

    if verdict == "true":
        line((0.22, 0.55), (0.42, 0.75), (0.78, 0.28))
    elif verdict == "false":
        line((0.27, 0.27), (0.73, 0.73))
        line((0.73, 0.27), (0.27, 0.73))
    else:
        line((0.25, 0.5), (0.75, 0.5))
