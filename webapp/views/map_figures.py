"""The map as a figure: SVG for a paper, a page that works without the app (plotly inside), a table."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reid_core.services.maps import Categories, Content, CropFacts, Numbers
from webapp.views.map_legend import Legend, format_value, show_legend
from webapp.views.palettes import (
    BACKGROUNDS,
    INKS,
    QUIET,
    QUIET_SHAPE,
    SCALES,
    Theme,
    group_colour,
    group_shape,
    scale_colour,
)

WIDTH, HEIGHT, LEGEND_WIDTH, MARGIN = 900.0, 700.0, 190.0, 24.0
MAX_FIGURE_ENTRIES = 24
_NUM_STEPS = 64
_SYMBOLS = {"disc": "circle", "square": "square", "cross": "cross-thin"}

Style = tuple[str, str]
"""Colour and shape."""
Points = NDArray[np.float32]


def styles_of(content: Content, theme: Theme) -> list[Style]:
    """Colour and shape of every crop."""
    if isinstance(content, Categories):
        looks = {
            code: (
                group_colour(code, theme, is_quiet=code in content.quiet),
                group_shape(code, is_quiet=code in content.quiet),
            )
            for code in range(-1, len(content.labels))
        }
        return [looks[code] for code in content.codes.tolist()]
    legend = show_legend("", content)
    width = (legend.high - legend.low) or 1.0
    colours = [scale_colour(step / _NUM_STEPS, theme) for step in range(_NUM_STEPS + 1)]
    return [
        (colours[round(min(max((value - legend.low) / width, 0), 1) * _NUM_STEPS)], "disc")
        if math.isfinite(value)
        else (QUIET[theme], QUIET_SHAPE)
        for value in content.values.tolist()
    ]


def draw_svg(points: Points, content: Content, *, title: str, column: str, theme: Theme) -> str:
    """The map with its legend as one SVG document; one path per look, so 100,000 points stay small."""
    low, high = points.min(axis=0), points.max(axis=0)
    scale = min((WIDTH - 2 * MARGIN) / _span(low[0], high[0]), (HEIGHT - 2 * MARGIN) / _span(low[1], high[1]))
    x = MARGIN + (points[:, 0] - low[0]) * scale
    y = HEIGHT - MARGIN - (points[:, 1] - low[1]) * scale
    size = 5.0 if len(points) < 3_000 else 3.2 if len(points) < 30_000 else 2.0
    by_style: dict[Style, list[str]] = {}
    for (colour, shape), px, py in zip(styles_of(content, theme), x.tolist(), y.tolist(), strict=True):
        by_style.setdefault((colour, shape), []).append(_mark(px, py, shape, size))
    paths = "".join(
        f'<path d="{"".join(marks)}" stroke="{colour}" stroke-width="{_stroke(shape, size):g}" '
        f'stroke-linecap="{"square" if shape == "square" else "round"}" stroke-opacity="0.85"/>'
        for (colour, shape), marks in sorted(by_style.items())
    )
    legend = show_legend(column, content)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH + LEGEND_WIDTH:g} {HEIGHT + 30:g}" '
        f'width="{WIDTH + LEGEND_WIDTH:g}" height="{HEIGHT + 30:g}" font-family="sans-serif" font-size="12">'
        f"<title>{escape(title)}</title>"
        f'<rect width="100%" height="100%" fill="{BACKGROUNDS[theme]}"/>'
        f'<text x="{MARGIN:g}" y="22" fill="{INKS[theme]}" font-size="15">{escape(title)}</text>'
        f'<g fill="none" transform="translate(0 30)">{paths}</g>'
        f'<g transform="translate({WIDTH:g} 40)" fill="{INKS[theme]}">{_svg_legend(legend, theme)}</g>'
        "</svg>\n"
    )


def draw_html(
    points: Points, ids: Sequence[str], content: Content, *, title: str, column: str, theme: Theme
) -> str:
    """An interactive page in one file: plotly is inside it, and nothing is fetched."""
    import plotly.graph_objects as go

    figure = go.Figure(layout=_plotly_layout(title, theme))
    texts = [escape(image_id) for image_id in ids]
    if isinstance(content, Categories):
        order = np.argsort(content.codes, kind="stable")
        for code in np.unique(content.codes).tolist():
            rows = order[content.codes[order] == code]
            is_quiet = code in content.quiet
            figure.add_trace(
                go.Scattergl(
                    x=points[rows, 0],
                    y=points[rows, 1],
                    mode="markers",
                    name=escape(content.labels[code] if code >= 0 else "not known"),
                    text=[texts[row] for row in rows],
                    hoverinfo="text+name",
                    marker={
                        "size": 6,
                        "color": group_colour(code, theme, is_quiet=is_quiet),
                        "symbol": _SYMBOLS[group_shape(code, is_quiet=is_quiet)],
                        "line": {"width": 0},
                    }
                    | _cross_line(code, theme, is_quiet),
                )
            )
    else:
        legend = show_legend(column, content)
        stops = SCALES[theme]
        figure.add_trace(
            go.Scattergl(
                x=points[:, 0],
                y=points[:, 1],
                mode="markers",
                text=[
                    f"{text}<br>{escape(column)}: {_value_text(value, content)}"
                    for text, value in zip(texts, content.values.tolist(), strict=True)
                ],
                hoverinfo="text",
                marker={
                    "size": 6,
                    "color": content.values,
                    "cmin": legend.low,
                    "cmax": legend.high,
                    "colorscale": [[i / (len(stops) - 1), stop] for i, stop in enumerate(stops)],
                    "colorbar": {
                        "title": {"text": escape(column)},
                        "tickvals": [
                            legend.low + share * (legend.high - legend.low) for share, _ in legend.ticks
                        ],
                        "ticktext": [text for _, text in legend.ticks],
                    },
                },
            )
        )
    page: str = figure.to_html(include_plotlyjs=True, full_html=True, config={"displaylogo": False})
    return page.replace("<head>", f"<head><title>{escape(title)}</title>", 1)


def table_of(facts: Sequence[CropFacts], similarities: Mapping[str, float]) -> list[dict[str, Any]]:
    """One row per crop: id, facts, place, similarity to the query if there is one, the table's columns."""
    rows = []
    for fact in facts:
        row: dict[str, Any] = {
            "id": fact.view.id,
            "pid": fact.view.pid,
            "camid": fact.view.camid,
            "time_s": fact.view.time_s,
            "split": fact.split,
            "x": round(fact.x, 6),
            "y": round(fact.y, 6),
        }
        if similarities:
            row["similarity"] = round(similarities[fact.view.id], 6)
        rows.append({**row, **{name: text for name, text in fact.attributes.items() if name not in row}})
    return rows


def write_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows as CSV. A text that a spreadsheet would run as a formula gets a quote in front."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _harmless(value) for name, value in row.items()} for row in rows)
    return buffer.getvalue()


def write_json(rows: Sequence[Mapping[str, Any]], header: Mapping[str, Any]) -> str:
    """Rows and what they are of, as JSON."""
    return json.dumps({**header, "crops": list(rows)}, ensure_ascii=False, indent=1) + "\n"


def _value_text(value: float, content: Numbers) -> str:
    return format_value(value, content) if math.isfinite(value) else "not known"


def _harmless(value: Any) -> Any:
    if not isinstance(value, str) or not value:
        return value
    is_formula = value[0] in "=+@\t\r" or (value[0] == "-" and not value[1:2].isdigit())
    return f"'{value}" if is_formula else value


def _span(low: float, high: float) -> float:
    return float(high - low) or 1.0


def _mark(x: float, y: float, shape: str, size: float) -> str:
    if shape == "cross":
        half = size * 0.55
        return f"M{x - half:.1f} {y:.1f}h{2 * half:.1f}M{x:.1f} {y - half:.1f}v{2 * half:.1f}"
    return f"M{x:.1f} {y:.1f}h0"


def _stroke(shape: str, size: float) -> float:
    return {"cross": size * 0.4, "square": size * 0.85}.get(shape, size)


def _svg_legend(legend: Legend, theme: Theme) -> str:
    parts = [f'<text y="10" font-weight="bold">{escape(legend.title)}</text>']
    if legend.kind == "scale":
        stops = "".join(
            f'<stop offset="{i / (len(SCALES[theme]) - 1):.3f}" stop-color="{stop}"/>'
            for i, stop in enumerate(SCALES[theme])
        )
        parts.append(
            f'<defs><linearGradient id="scale" x1="0" y1="1" x2="0" y2="0">{stops}</linearGradient></defs>'
        )
        parts.append('<rect x="0" y="24" width="16" height="200" fill="url(#scale)"/>')
        parts += [
            f'<text x="24" y="{28 + 200 * (1 - share):.1f}">{escape(text)}</text>'
            for share, text in legend.ticks
        ]
        if legend.unit:
            parts.append(f'<text y="246">{escape(legend.unit)}</text>')
        return "".join(parts)
    shown = legend.entries[:MAX_FIGURE_ENTRIES]
    for row, entry in enumerate(shown):
        y = 30 + 20 * row
        mark = _mark(6, y - 4, entry.shape, 9)
        colour = entry.light if theme == "light" else entry.dark
        cap = "square" if entry.shape == "square" else "round"
        parts.append(
            f'<path d="{mark}" stroke="{colour}" stroke-width="{_stroke(entry.shape, 9):g}" fill="none" '
            f'stroke-linecap="{cap}"/><text x="20" y="{y}">{escape(entry.label)} ({entry.count})</text>'
        )
    if legend.num_groups > len(shown):
        parts.append(f'<text y="{34 + 20 * len(shown)}">and {legend.num_groups - len(shown)} more</text>')
    return "".join(parts)


def _cross_line(code: int, theme: Theme, is_quiet: bool) -> dict[str, Any]:
    """plotly's thin cross is drawn by its outline alone."""
    if group_shape(code, is_quiet=is_quiet) != "cross":
        return {}
    return {"line": {"width": 2, "color": group_colour(code, theme, is_quiet=is_quiet)}}


def _plotly_layout(title: str, theme: Theme) -> dict[str, Any]:
    return {
        "title": {"text": escape(title)},
        "paper_bgcolor": BACKGROUNDS[theme],
        "plot_bgcolor": BACKGROUNDS[theme],
        "font": {"color": INKS[theme]},
        "xaxis": {"visible": False},
        "yaxis": {"visible": False, "scaleanchor": "x"},
        "hovermode": "closest",
        "dragmode": "pan",
    }
