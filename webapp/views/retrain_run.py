"""One training run in numbers: curves of loss and validation, the mixture curve, the end of the log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reid_core.errors import ReidError
from reid_core.services.retraining import Retraining

_SCORES = {"validation_map": "mAP", "validation_rank1": "Rank-1"}
_NOT_LOSSES = frozenset({"step", "learning_rate", "crops_per_s", "gradient_norm", *_SCORES})
_MAX_POINTS = 400
_MAX_LOG_LINES = 60


@dataclass(frozen=True, slots=True)
class Line:
    """One curve; ``points`` are (x, y)."""

    title: str
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class RunPanel:
    """A run. ``chosen`` is the share of the new weights that became the candidate, None before."""

    id: str
    message: str = ""
    losses: tuple[Line, ...] = ()
    scores: tuple[Line, ...] = ()
    mixture: tuple[tuple[float, float], ...] = ()
    chosen: float | None = None
    newest: str = ""
    log: str = ""


def show_run(retraining: Retraining, params: Mapping[str, object]) -> RunPanel:
    """The run of ``run``; ``message`` says why where there is none."""
    run = str(params.get("run") or "")
    runs = retraining.training_runs
    try:
        curve, mixture, log = runs.curve(run), runs.interpolation(run), runs.log_tail(run)
    except ReidError as error:
        return RunPanel(run, message=str(error))
    names = list(dict.fromkeys(name for line in curve for name in line))
    losses = [name for name in names if name not in _NOT_LOSSES]
    scores = [name for name in names if name in _SCORES]
    points, chosen = _mixture(mixture)
    newest = curve[-1] if curve else {}
    words = [f"{_title(name)} {newest[name]:.3f}" for name in losses if name in newest]
    return RunPanel(
        id=run,
        losses=tuple(_line(_title(name), curve, name) for name in losses),
        scores=tuple(_line(_SCORES[name], curve, name) for name in scores),
        mixture=points,
        chosen=chosen,
        newest=f"Step {newest['step']:,.0f}: {', '.join(words)}" if newest and words else "",
        log=_log_lines(log),
    )


def _title(name: str) -> str:
    return name.removesuffix("_loss").replace("_", " ").strip() or "loss"


def _line(title: str, curve: Sequence[Mapping[str, float]], name: str) -> Line:
    points = [(float(line["step"]), float(line[name])) for line in curve if name in line and "step" in line]
    stride = -(-len(points) // _MAX_POINTS) or 1
    kept = [point for row, point in enumerate(points) if row % stride == 0 or row == len(points) - 1]
    return Line(title, tuple(kept))


def _mixture(stored: object) -> tuple[tuple[tuple[float, float], ...], float | None]:
    """(alpha, score) of ``interpolation.json``; empty where the recipe mixes nothing."""
    if not isinstance(stored, Mapping):
        return (), None
    points = stored.get("curve", [])
    alpha = stored.get("alpha")
    found = tuple(
        (float(point["alpha"]), float(point["score"]))
        for point in points
        if isinstance(point, Mapping) and {"alpha", "score"} <= point.keys()
    )
    return found, float(alpha) if isinstance(alpha, int | float) else None


def _log_lines(text: str) -> str:
    """Of a progress bar, which overwrites its line, only the newest state."""
    lines = [line.rsplit("\r", 1)[-1] for line in text.replace("\r\n", "\n").split("\n")]
    return "\n".join([line for line in lines if line.strip()][-_MAX_LOG_LINES:])
