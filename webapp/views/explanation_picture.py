"""One map over its crops as a picture for a paper or a mail, with the scale and what it shows in words."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from reid_core.explain.records import MapChoice
from reid_core.services.explaining import Explained
from webapp.views.colour_scales import colours_of, paint
from webapp.views.explanation import name_map, unit_of
from webapp.views.formats import format_similarity

_PANE_W, _PANE_H, _GAP, _MARGIN, _TEXT_H = 320, 640, 24, 24, 128
_INK, _MUTED, _MAT = "#171b22", "#565f6d", "#e3e6eb"
_HATCH_STEP = 7

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
Map = NDArray[np.float32]


def draw_picture(explained: Explained, crops: Sequence[bytes], choice: MapChoice, *, opacity: float) -> bytes:
    """A PNG of one or two crops with the chosen map over them.

    Args:
        explained: The explanation.
        crops: Each crop as an image file, in the explanation's order.
        choice: The map.
        opacity: Of the map, 0 to 1.
    """
    explanation = explained.explanation
    scale = explanation.scale(choice)
    width = 2 * _MARGIN + len(crops) * _PANE_W + (len(crops) - 1) * _GAP
    picture = Image.new("RGB", (width, _MARGIN + _PANE_H + _TEXT_H), "white")
    for side, content in enumerate(crops):
        pane = _draw_pane(content, explanation.map(side, choice), scale, choice.kind, opacity)
        picture.paste(pane, (_MARGIN + side * (_PANE_W + _GAP), _MARGIN))
    _draw_legend(picture, explained, choice, scale)
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def _draw_pane(content: bytes, values: Map, scale: float, kind: str, opacity: float) -> Image.Image:
    pane = Image.new("RGB", (_PANE_W, _PANE_H), _MAT)
    with Image.open(io.BytesIO(content)) as opened:
        crop = opened.convert("RGB")
    factor = min(_PANE_W / crop.width, _PANE_H / crop.height)
    size = (max(1, round(crop.width * factor)), max(1, round(crop.height * factor)))
    crop = crop.resize(size, Image.Resampling.BICUBIC).convert("RGBA")
    smooth = np.asarray(Image.fromarray(values).resize(size, Image.Resampling.BILINEAR))
    painted = paint(smooth, scale, kind).astype(np.float32)
    painted[..., 3] *= opacity
    heat = Image.fromarray(painted.round().astype(np.uint8), "RGBA")
    if kind == "evidence":
        heat = _hatch_negative(heat, smooth, scale, opacity)
    crop.alpha_composite(heat)
    pane.paste(crop.convert("RGB"), ((_PANE_W - size[0]) // 2, (_PANE_H - size[1]) // 2))
    return pane


def _hatch_negative(heat: Image.Image, values: Map, scale: float, opacity: float) -> Image.Image:
    rows, columns = np.indices(values.shape)
    on_line = (rows + columns) % _HATCH_STEP < 2
    strength = np.clip(-values / scale, 0, 1) if scale > 0 else np.zeros_like(values)
    lines = np.zeros((*values.shape, 4), dtype=np.uint8)
    lines[..., 3] = (255 * opacity * strength * on_line).round()
    return Image.alpha_composite(heat, Image.fromarray(lines, "RGBA"))


def _draw_legend(picture: Image.Image, explained: Explained, choice: MapChoice, scale: float) -> None:
    draw = ImageDraw.Draw(picture)
    large, small = ImageFont.load_default(15), ImageFont.load_default(12)
    top, width = _MARGIN + _PANE_H + 10, picture.width - 2 * _MARGIN
    similarity = explained.explanation.similarity
    title = name_map(choice) + ("" if similarity is None else f"; cosine {format_similarity(similarity)}")
    title = title.replace("×", "x")  # the font of Pillow has no such sign
    draw.text((_MARGIN, top), title, fill=_INK, font=large)
    ids = "  |  ".join(explained.ids)
    draw.text((_MARGIN, top + 21), _shorten(ids, draw, small, width), fill=_MUTED, font=small)
    made_by = f"{explained.variant}, {explained.fingerprint[:12]}"
    draw.text((_MARGIN, top + 38), _shorten(made_by, draw, small, width), fill=_MUTED, font=small)
    bar = Image.fromarray(np.broadcast_to(colours_of(choice.kind)[None], (12, 256, 4)).copy(), "RGBA")
    bar = bar.resize((width, 12))
    if choice.kind == "evidence":
        ramp = np.broadcast_to(np.linspace(-1, 1, width, dtype=np.float32), (12, width))
        bar = _hatch_negative(bar, ramp, 1.0, 1.0)
    picture.paste(bar, (_MARGIN, top + 60), bar)
    low = f"-{scale:.3g}" if choice.kind == "evidence" else "0"
    draw.text((_MARGIN, top + 75), low, fill=_INK, font=small)
    high = f"{scale:.3g}"
    draw.text((_MARGIN + width - draw.textlength(high, small), top + 75), high, fill=_INK, font=small)
    unit = _shorten(unit_of(choice).replace("×", "x").replace("²", "^2"), draw, small, width)
    draw.text((_MARGIN + (width - draw.textlength(unit, small)) / 2, top + 91), unit, fill=_MUTED, font=small)


def _shorten(text: str, draw: ImageDraw.ImageDraw, font: Font, width: float) -> str:
    if draw.textlength(text, font) <= width:
        return text
    while text and draw.textlength(f"{text}...", font) > width:
        text = text[:-1]
    return f"{text}..."
