"""Figures of an evaluation as plotly objects, for the pages and for the self-contained report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from reid_core.data.corruptions import CORRUPTIONS, SEVERITIES
from reid_core.evaluation import EvalReport
from reid_core.experiments.pairs import PairCounts

MATCH_COLOUR = "#0072B2"
MISMATCH_COLOUR = "#B34A00"
"""Blue and vermilion of the Okabe-Ito palette: told apart with any colour vision."""
_SCORE_TITLES = {"mean_ap": "mAP", "rank1": "Rank-1", "mean_inp": "mINP"}


def cmc_figure(reports: Mapping[str, EvalReport]) -> go.Figure:
    """CMC curves by name; the x axis is the rank, the y axis the share of queries with a match up to it."""
    figure = go.Figure()
    for name, report in reports.items():
        ranks = np.arange(1, len(report.cmc) + 1)
        figure.add_scatter(x=ranks, y=report.cmc * 100, mode="lines", name=name)
    figure.update_xaxes(title="rank", type="log")
    figure.update_yaxes(title="queries with a match so far (%)", range=[0, 101])
    return _finish(figure, "CMC")


def precision_recall_figure(pairs: PairCounts) -> go.Figure:
    """Precision over recall of all pairs under one distance threshold for everybody."""
    recall, precision = pairs.precision_recall()
    figure = go.Figure(go.Scatter(x=recall * 100, y=precision * 100, mode="lines", line_color=MATCH_COLOUR))
    figure.update_xaxes(title="recall of matching pairs (%)", range=[0, 100])
    figure.update_yaxes(title="precision (%)", range=[0, 101])
    return _finish(figure, "Precision and recall, one threshold")


def distance_figure(pairs: PairCounts, *, bins: int = 100) -> go.Figure:
    """How far apart matching and non-matching pairs are, each as a share of its kind."""
    used = np.flatnonzero(pairs.matches + pairs.mismatches)
    first, last = (int(used[0]), int(used[-1]) + 1) if used.size else (0, len(pairs.matches))
    step = max(1, (last - first) // bins)
    figure = go.Figure()
    for name, counts, colour in (
        ("same person", pairs.matches, MATCH_COLOUR),
        ("different people", pairs.mismatches, MISMATCH_COLOUR),
    ):
        starts = np.arange(first, last, step)
        grouped = np.add.reduceat(counts[:last], starts)
        centres = pairs.edges[starts] + step * (pairs.edges[1] - pairs.edges[0]) / 2
        share = grouped / max(counts.sum(), 1) * 100
        figure.add_scatter(x=centres, y=share, mode="lines", name=name, line_color=colour, fill="tozeroy")
    figure.update_xaxes(title="distance")
    figure.update_yaxes(title="share of pairs (%)", rangemode="tozero")
    return _finish(figure, "Distances of pairs")


def camera_figure(cameras: Sequence[str], values: NDArray[np.float64], title: str) -> go.Figure:
    """A matrix in percent, query cameras down, gallery cameras across; NaN cells stay empty."""
    percent = values * 100
    text = [["" if np.isnan(value) else f"{value:.0f}" for value in row] for row in percent]
    figure = go.Figure(
        go.Heatmap(
            z=percent,
            x=[f"cam {camera}" for camera in cameras],
            y=[f"cam {camera}" for camera in cameras],
            text=text,
            texttemplate="%{text}",
            colorscale="Cividis",
            zmin=0,
            zmax=100,
            colorbar_title="%",
        )
    )
    figure.update_xaxes(title="gallery camera")
    figure.update_yaxes(title="query camera", autorange="reversed")
    return _finish(figure, title)


def corruption_figure(grid: Mapping[tuple[str, int], Mapping[str, float]], score: str) -> go.Figure:
    """The grid of one score in percent, up to 20 x 5: types down, severities across."""
    types, used = {name for name, _ in grid}, {severity for _, severity in grid}
    names = [name for name in CORRUPTIONS if name in types]
    severities = [severity for severity in SEVERITIES if severity in used]
    values = np.array([[grid[name, severity][score] * 100 for severity in severities] for name in names])
    figure = go.Figure(
        go.Heatmap(
            z=values,
            x=[f"severity {severity}" for severity in severities],
            y=[name.replace("_", " ") for name in names],
            text=np.round(values, 1),
            texttemplate="%{text}",
            colorscale="Cividis",
            zmin=0,
            zmax=100,
            colorbar_title="%",
        )
    )
    figure.update_yaxes(autorange="reversed")
    figure.update_layout(height=160 + 24 * len(names))
    return _finish(figure, f"{_SCORE_TITLES.get(score, score)} under each corruption")


def _finish(figure: go.Figure, title: str) -> go.Figure:
    return figure.update_layout(
        title=title,
        template="plotly_white",
        margin={"l": 60, "r": 20, "t": 50, "b": 50},
        legend={"orientation": "h", "y": 1.08, "x": 1, "xanchor": "right"},
    )
