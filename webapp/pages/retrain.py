"""Retrain: from corrections to a promoted model, as steps on one page. Layout and wiring only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import gradio as gr

from webapp.components.page_script import page_script
from webapp.components.retrain_steps import (
    retrain_draft,
    retrain_gate,
    retrain_models,
    retrain_path,
    retrain_sets,
    retrain_training,
)
from webapp.views import retrain as view
from webapp.views import retrain_draft as draft
from webapp.views import retrain_gate as gate
from webapp.views import retrain_run
from webapp.views.retrain_parts import Workbench


def build(workbench: Workbench) -> None:
    """Lay the page out inside the caller's gr.Blocks context."""

    def open_page(params: Mapping[str, Any]) -> dict[str, Any]:
        return asdict(view.open_page(workbench, params))

    def show_draft(params: Mapping[str, Any]) -> dict[str, Any]:
        return asdict(draft.show_draft(workbench, params))

    def show_set(params: Mapping[str, Any]) -> dict[str, Any]:
        return view.show_set(workbench, params)

    def show_run(params: Mapping[str, Any]) -> dict[str, Any]:
        return asdict(retrain_run.show_run(workbench.retraining, params))

    def show_gate(params: Mapping[str, Any]) -> dict[str, Any]:
        return asdict(gate.show_gate(workbench.retraining, params))

    with gr.Row(elem_classes="rs-page rs-retrain"):
        with gr.Column(elem_classes="rs-side", min_width=0):
            retrain_path()
        with gr.Column(elem_classes="rs-main", elem_id="rs-main", min_width=0):
            retrain_draft()
            retrain_sets()
            retrain_training()
            retrain_gate()
            retrain_models()
    page_script("retrain_page", (open_page, show_draft, show_set, show_run, show_gate))
