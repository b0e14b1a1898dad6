"""The learning curve of a run as a page, and its numbers for TensorBoard."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import plotly.io as plotly_io
from plotly.subplots import make_subplots

from reid_core.errors import InputError

MetricsSink = Callable[[Mapping[str, float | int]], None]

_SCORES = {"validation_map": "mAP", "validation_rank1": "Rank-1"}
_NOT_LOSSES = {"step", "learning_rate", "crops_per_s", "gradient_norm", *_SCORES}
_COLOURS = ("#0072B2", "#B34A00", "#117A4F", "#A2457E", "#6B7280", "#8A5A00")
_DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")


def curve_figure(metrics: Sequence[Mapping[str, float]], title: str) -> go.Figure:
    """Losses and learning rate over the steps, and the scores on what did not train, if there are any.

    Args:
        metrics: Lines of ``metrics.jsonl``. title: Above the figure.

    Raises:
        InputError: There is nothing to draw yet.
    """
    if not metrics:
        raise InputError("The run has reported nothing yet; a curve begins with the first 50 steps.")
    has_scores = any(name in line for line in metrics for name in _SCORES)
    figure = make_subplots(
        rows=1 + has_scores,
        cols=1,
        shared_xaxes=True,
        vertical_spacing=0.08,
        specs=[[{"secondary_y": True}], *([[{}]] if has_scores else [])],
    )
    losses = sorted({name for line in metrics for name in line} - _NOT_LOSSES)
    for place, name in enumerate(losses):
        _add(figure, metrics, name, name, place, row=1)
    _add(figure, metrics, "learning_rate", "learning rate", len(losses), row=1, secondary_y=True)
    if has_scores:
        for place, (name, label) in enumerate(_SCORES.items()):
            _add(figure, metrics, name, label, place, row=2, factor=100.0)
        figure.update_yaxes(title="held-out people (%)", rangemode="tozero", row=2, col=1)
    figure.update_yaxes(title="loss", rangemode="tozero", row=1, col=1, secondary_y=False)
    rate = {"title": "learning rate", "type": "log", "dtick": 1, "tickformat": "~g", "showgrid": False}
    figure.update_yaxes(rate, row=1, col=1, secondary_y=True)
    figure.update_xaxes(title="step", row=1 + has_scores, col=1)
    height, legend = 350 + 250 * has_scores, {"orientation": "h", "y": -0.15}
    figure.update_layout(template="plotly_white", title=title, width=900, height=height, legend=legend)
    return figure


def write_curve(metrics: Sequence[Mapping[str, float]], title: str, path: Path) -> None:
    """Write ``curve_figure`` as a page that needs no network."""
    figure = curve_figure(metrics, title)
    path.write_text(plotly_io.to_html(figure, include_plotlyjs=True), encoding="utf-8")


def tensorboard_sink(folder: Path) -> MetricsSink:
    """Writes every report to TensorBoard's event files in ``folder``.

    Raises:
        InputError: TensorBoard is not installed.
    """
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise InputError(
            "TensorBoard is not installed. `pip install tensorboard`, or leave --tensorboard out: "
            "metrics.jsonl and curve.html hold the same numbers."
        ) from error
    writer: Any = SummaryWriter(str(folder))

    def write(values: Mapping[str, float | int]) -> None:
        for name, value in values.items():
            if name != "step":
                writer.add_scalar(name, value, int(values["step"]))
        writer.flush()

    return write


def _add(
    figure: go.Figure,
    metrics: Sequence[Mapping[str, float]],
    name: str,
    label: str,
    place: int,
    *,
    row: int,
    factor: float = 1.0,
    secondary_y: bool | None = None,
) -> None:
    lines = [line for line in metrics if name in line]
    figure.add_scatter(
        x=[line["step"] for line in lines],
        y=[factor * line[name] for line in lines],
        name=label,
        mode="lines+markers" if len(lines) < 30 else "lines",
        line={"color": _COLOURS[place % len(_COLOURS)], "dash": _DASHES[place % len(_DASHES)]},
        row=row,
        col=1,
        secondary_y=secondary_y,
    )
