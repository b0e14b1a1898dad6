"""Plotly figures as plain values: of a comparison, as a page of their own, as numbers."""

from __future__ import annotations

import base64
import csv
import io
from collections.abc import Mapping
from typing import Any

import numpy as np

from reid_core.services.evaluations.comparison import RunComparison, name_of


def plain_figure(figure: Any) -> dict[str, Any]:
    """A plotly figure as JSON can hold it: lists for arrays, no template (the page has its own colours)."""
    values: dict[str, Any] = _plain_arrays(figure.to_dict())
    values["layout"].pop("template", None)
    return values


def comparison_figures(found: RunComparison) -> dict[str, Any]:
    """CMC of both, change of AP per query (histogram and sorted), and by camera pair where there are some."""
    import plotly.graph_objects as go

    from reid_core.experiments.figures import MATCH_COLOUR, MISMATCH_COLOUR, cmc_figure

    gains = found.delta[found.by_gain()] * 100
    histogram = go.Figure(go.Histogram(x=gains, xbins={"start": -102.5, "end": 102.5, "size": 5}))
    histogram.update_traces(marker_color=MATCH_COLOUR, name="queries")
    histogram.update_layout(title="Change of AP per query", bargap=0.05)
    histogram.update_xaxes(title="AP after minus before (points)", range=[-105, 105])
    histogram.update_yaxes(title="queries")
    colours = [MATCH_COLOUR if gain >= 0 else MISMATCH_COLOUR for gain in gains]
    ordered = go.Figure(
        go.Bar(x=list(range(1, len(gains) + 1)), y=gains, marker_color=colours, marker_line_width=0)
    )
    ordered.update_layout(title="Queries by change of AP", bargap=0)
    ordered.update_xaxes(title="query, largest loss first")
    ordered.update_yaxes(title="AP after minus before (points)")
    names = {
        f"before: {name_of(found.first)}": found.first.report,
        f"after: {name_of(found.second)}": found.second.report,
    }
    figures = {"cmc": cmc_figure(names), "delta_histogram": histogram, "delta_sorted": ordered}
    matrix = found.camera_matrix_delta()
    if matrix is not None:
        cameras, values = matrix
        percent = values * 100
        largest = float(np.nanmax(np.abs(percent))) if np.isfinite(percent).any() else 1.0
        labels = [f"cam {camera}" for camera in cameras]
        heat = go.Figure(
            go.Heatmap(
                z=percent,
                x=labels,
                y=labels,
                text=[["" if np.isnan(value) else f"{value:+.0f}" for value in row] for row in percent],
                texttemplate="%{text}",
                colorscale=[[0, MISMATCH_COLOUR], [0.5, "#f4f5f7"], [1, MATCH_COLOUR]],
                zmin=-largest,
                zmax=largest,
                colorbar_title="points",
            )
        )
        heat.update_layout(title="Change of mAP by camera pair")
        heat.update_xaxes(title="gallery camera")
        heat.update_yaxes(title="query camera", autorange="reversed")
        figures["cameras"] = heat
    return {name: plain_figure(figure) for name, figure in figures.items()}


def figure_page(figure: Mapping[str, Any]) -> str:
    """An HTML page that needs nothing else: the drawing library is inside."""
    import plotly.graph_objects as go
    import plotly.io as plotly_io

    drawn = go.Figure(figure).update_layout(template="plotly_white")
    page: str = plotly_io.to_html(drawn, full_html=True, include_plotlyjs=True)
    return page


def figure_csv(figure: Mapping[str, Any]) -> str:
    """The numbers of a figure: a row per point, or per cell of a heat map."""
    target = io.StringIO()
    writer = csv.writer(target, lineterminator="\n")
    writer.writerow(["trace", "x", "y", "value"])
    for number, trace in enumerate(figure["data"], start=1):
        name = trace.get("name") or f"trace {number}"
        if "z" in trace:
            for label, row in zip(trace["y"], trace["z"], strict=True):
                writer.writerows([name, x, label, value] for x, value in zip(trace["x"], row, strict=True))
        elif trace.get("type") == "histogram":
            writer.writerows([name, x, None, None] for x in trace["x"])
        else:
            writer.writerows([name, x, y, None] for x, y in zip(trace["x"], trace["y"], strict=True))
    return target.getvalue()


def _plain_arrays(value: Any) -> Any:
    if isinstance(value, Mapping):
        if "bdata" in value and "dtype" in value:
            array = np.frombuffer(base64.b64decode(value["bdata"]), dtype=value["dtype"])
            shape = [int(side) for side in str(value.get("shape", "")).split(",") if side.strip()]
            return _plain_arrays((array.reshape(shape) if shape else array).tolist())
        return {name: _plain_arrays(entry) for name, entry in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return _plain_arrays(value.tolist())
    if isinstance(value, list | tuple):
        return [_plain_arrays(entry) for entry in value]
    return None if isinstance(value, float) and value != value else value
