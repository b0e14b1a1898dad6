"""Write what an evaluation found: a JSON, tables as CSV, a row per query as Parquet, figures as a page."""

from __future__ import annotations

import csv
import html
import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import plotly.io as plotly_io

from reid_core import __version__
from reid_core.experiments import figures
from reid_core.experiments.breakdown import camera_matrix
from reid_core.experiments.evaluate import SCORES, Evaluation, SettingScores
from reid_core.experiments.pairs import count_pairs

FPR_TARGETS = (1e-4, 1e-3, 1e-2, 1e-1)
_TITLES = {
    "rank1": "Rank-1",
    "rank5": "Rank-5",
    "rank10": "Rank-10",
    "rank20": "Rank-20",
    "mean_ap": "mAP",
    "mean_inp": "mINP",
}


def write_results(evaluation: Evaluation, out: Path) -> tuple[Path, ...]:
    """Write ``results.json``, ``scores.csv``, ``queries.parquet``, ``figures.html``, a ``slices_*.csv`` per
    breakdown and, after a grid run, ``corruptions.csv`` into ``out``; returns the paths.

    Scores are fractions in the JSON and CSV files. ``queries.parquet`` has one row per query, worst first.
    """
    tables = write_tables(evaluation, out)
    return (*tables, _write_figures(evaluation, out / "figures.html"))


def write_tables(evaluation: Evaluation, out: Path) -> tuple[Path, ...]:
    """The same without ``figures.html``."""
    out.mkdir(parents=True, exist_ok=True)
    paths = [
        _write_json(evaluation, out / "results.json"),
        write_scores(evaluation.settings, out / "scores.csv"),
        _write_queries(evaluation, out / "queries.parquet"),
    ]
    for name, table in evaluation.slices.items():
        if table.rows:
            paths.append(_write_rows([asdict(row) for row in table.rows], out / f"slices_{name}.csv"))
    if evaluation.grid:
        paths.append(_write_grid(evaluation, out / "corruptions.csv"))
    return tuple(paths)


def score_table(settings: Sequence[SettingScores]) -> str:
    """The scores in percent as an aligned text table; the deviation over repeats follows the mean."""
    names = [name for name in SCORES if name in settings[0].mean]
    width = max(len(setting.setting) for setting in settings)
    lines = [" " * width + "".join(f"{_TITLES[name]:>16}" for name in names)]
    for setting in settings:
        cells = []
        for name in names:
            spread = f" ± {setting.std[name] * 100:.2f}" if setting.num_repeats > 1 else ""
            cells.append(f"{setting.mean[name] * 100:.2f}{spread}".rjust(16))
        lines.append(setting.setting.ljust(width) + "".join(cells))
    return "\n".join(lines)


def extra_lines(evaluation: Evaluation) -> list[str]:
    """Intervals and verification rates of the clean ranking as lines of text."""
    lines = []
    for name in ("rank1", "mean_ap", "mean_inp"):
        interval = evaluation.intervals.get(name)
        if interval is not None:
            low, high = interval.low * 100, interval.high * 100
            over = f"{interval.confidence:.0%} interval over {interval.num_identities} identities"
            lines.append(f"{_TITLES[name]} {interval.estimate * 100:.1f}, {over}: {low:.1f} to {high:.1f}")
    rates = ", ".join(f"{rate:g}: {evaluation.roc.tpr_at_fpr(rate) * 100:.1f}" for rate in FPR_TARGETS)
    return [*lines, f"TPR (%) at FPR {rates}; equal error rate {evaluation.roc.eer * 100:.1f}%"]


def average_over_splits(evaluations: Sequence[Evaluation]) -> tuple[SettingScores, ...]:
    """Mean and deviation over the splits of a protocol, setting by setting."""
    return tuple(
        SettingScores(
            setting=settings[0].setting,
            num_repeats=len(settings),
            mean={k: float(np.mean([s.mean[k] for s in settings])) for k in settings[0].mean},
            std={k: float(np.std([s.mean[k] for s in settings])) for k in settings[0].mean},
        )
        for settings in zip(*(evaluation.settings for evaluation in evaluations), strict=True)
    )


def query_table(evaluation: Evaluation) -> pd.DataFrame:
    """One row per query with its image id and the ids of its best match and best false match, worst first."""
    table = evaluation.report.per_query.to_frame()
    table.insert(0, "image_id", [record.image_id for record in evaluation.query])
    gallery_ids = np.array([record.image_id for record in evaluation.gallery], dtype=object)
    for kind in ("match", "false"):
        index = table[f"best_{kind}_index"]
        ids = [None if pd.isna(i) else gallery_ids[int(i)] for i in index]
        table.insert(1, f"best_{kind}_id", pd.Series(ids, dtype="string"))
    return table.sort_values("ap", kind="stable", ignore_index=True)


def make_figures(evaluation: Evaluation) -> dict[str, go.Figure]:
    """All figures of an evaluation by name."""
    pairs = count_pairs(evaluation)
    curves = {evaluation.dataset: evaluation.report}
    if evaluation.reranked is not None:
        curves["re-ranked"] = evaluation.reranked
    found = {
        "cmc": figures.cmc_figure(curves),
        "precision_recall": figures.precision_recall_figure(pairs),
        "distances": figures.distance_figure(pairs),
    }
    if "camera_pairs" in evaluation.slices:
        cameras, matrix = camera_matrix(evaluation.slices["camera_pairs"], "mean_ap")
        found["cameras"] = figures.camera_figure(cameras, matrix, "mAP by camera pair")
    for score in ("mean_ap", "rank1", "mean_inp"):
        if evaluation.grid:
            found[f"corruptions_{score}"] = figures.corruption_figure(evaluation.grid, score)
    return found


def summary(evaluation: Evaluation) -> dict[str, Any]:
    """Everything but the per-query rows and the figures, as plain values for JSON."""
    plan, report = evaluation.plan, evaluation.report
    return {
        "reid_studio": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "dataset": evaluation.dataset,
        "model_fingerprint": evaluation.fingerprint,
        "protocol": plan.protocol.to_dict(),
        "metric": plan.metric,
        "split": "locked" if plan.locked else "test",
        "corruption": {"protocol": plan.corruption, "seed": plan.seed, "repeats": plan.repeats},
        "num_queries": report.num_queries,
        "num_gallery": report.num_gallery,
        "num_unmatched": report.num_unmatched,
        "cmc": [round(float(value), 6) for value in report.cmc],
        "settings": [
            {"setting": s.setting, "repeats": s.num_repeats, "mean": dict(s.mean), "std": dict(s.std)}
            for s in evaluation.settings
        ],
        "intervals": {name: asdict(interval) for name, interval in evaluation.intervals.items()},
        "tpr_at_fpr": {str(rate): evaluation.roc.tpr_at_fpr(rate) for rate in FPR_TARGETS},
        "eer": evaluation.roc.eer,
        "slices": {name: table.to_dict() for name, table in evaluation.slices.items()},
        "corruption_grid": [
            {"corruption": name, "severity": severity, **scores}
            for (name, severity), scores in evaluation.grid.items()
        ],
        "skipped": [{"item": refusal.item, "reason": refusal.reason} for refusal in evaluation.skipped],
        "notes": list(evaluation.notes),
    }


def _write_json(evaluation: Evaluation, path: Path) -> Path:
    path.write_text(json.dumps(summary(evaluation), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def write_scores(settings: Sequence[SettingScores], path: Path) -> Path:
    """A row per setting: repeats, means and deviations as fractions."""
    rows = [
        {
            "setting": setting.setting,
            "repeats": setting.num_repeats,
            **setting.mean,
            **{f"{name}_std": value for name, value in setting.std.items()},
        }
        for setting in settings
    ]
    return _write_rows(rows, path)


def _write_grid(evaluation: Evaluation, path: Path) -> Path:
    rows = [
        {"corruption": name, "severity": severity, **scores}
        for (name, severity), scores in evaluation.grid.items()
    ]
    return _write_rows(rows, path)


def _write_rows(rows: Sequence[Mapping[str, Any]], path: Path) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def _write_queries(evaluation: Evaluation, path: Path) -> Path:
    query_table(evaluation).to_parquet(path, index=False)
    return path


def _write_figures(evaluation: Evaluation, path: Path) -> Path:
    title = html.escape(f"{evaluation.dataset}: {evaluation.plan.protocol.name}")
    parts = [
        plotly_io.to_html(figure, full_html=False, include_plotlyjs=index == 0)
        for index, figure in enumerate(make_figures(evaluation).values())
    ]
    table = html.escape(score_table(evaluation.settings))
    page = (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{title}</title>"
        "<style>body{font:14px system-ui,sans-serif;max-width:960px;margin:2rem auto;padding:0 1rem}"
        "pre{overflow:auto;background:#f4f5f7;padding:12px}</style>"
        f"<h1>{title}</h1><p>Scores in percent. Model {evaluation.fingerprint[:12]}.</p>"
        f"<pre>{table}</pre>{''.join(parts)}</html>"
    )
    path.write_text(page, encoding="utf-8")
    return path
