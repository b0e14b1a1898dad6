"""The five steps of the Retrain page, and the path that leads through them."""

from __future__ import annotations

import gradio as gr

from webapp.components.mount_point import mount_point, read_template


def _step(name: str, *scripts: str) -> gr.HTML:
    return mount_point(
        name,
        template=read_template(name),
        scripts=("run_api.js", *scripts, f"{name}.js"),
        elem_id=f"rs-{name.replace('_', '-')}",
    )


def retrain_path() -> gr.HTML:
    """Where one stands, and the work under way with its progress."""
    return _step("retrain_path", "job_progress.js")


def retrain_draft() -> gr.HTML:
    """Step 1: pools, corrections so far, leaks with their ways out."""
    return _step("retrain_draft", "retrain_parts.js")


def retrain_sets() -> gr.HTML:
    """Step 2: freeze; the frozen sets with changelog, comparison, name and exports."""
    return _step("retrain_sets", "retrain_parts.js", "job_progress.js")


def retrain_training() -> gr.HTML:
    """Step 3: start a run, follow it, stop it, take it up again."""
    return _step("retrain_training", "retrain_parts.js", "line_chart.js", "job_progress.js")


def retrain_gate() -> gr.HTML:
    """Step 4: before and after, conditions, thresholds, promotion."""
    return _step("retrain_gate", "retrain_parts.js", "line_chart.js")


def retrain_models() -> gr.HTML:
    """Step 5: which model serves, who did before, and the way back."""
    return _step("retrain_models")
