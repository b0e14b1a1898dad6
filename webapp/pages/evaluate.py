"""Evaluate: run the evaluator, look at what fails, compare runs. Layout and wiring only; see ``views/``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import gradio as gr

from webapp.components.evaluate_setup import evaluate_setup
from webapp.components.failure_list import failure_list
from webapp.components.page_script import page_script
from webapp.components.pair_view import pair_view
from webapp.components.run_comparison import run_comparison
from webapp.components.run_head import run_head
from webapp.components.run_overview import run_overview
from webapp.views import evaluate as view
from webapp.views import failures
from webapp.views import run_comparison as comparison


def build(workbench: view.Workbench) -> None:
    """Lay the page out inside the caller's gr.Blocks context."""

    def open_page(params: Mapping[str, Any]) -> dict[str, Any]:
        return asdict(view.open_page(workbench, params))

    def show_failures(params: Mapping[str, Any]) -> dict[str, Any]:
        return asdict(failures.show_failures(workbench.evaluations, params))

    def show_pair(params: Mapping[str, Any]) -> dict[str, Any]:
        return asdict(failures.show_pair(workbench.evaluations, params))

    def show_comparison(params: Mapping[str, Any]) -> dict[str, Any]:
        return asdict(comparison.show_comparison(workbench.evaluations, params))

    with gr.Row(elem_classes="rs-page"):
        with gr.Column(elem_classes="rs-side", min_width=0):
            evaluate_setup()
        with gr.Column(elem_classes="rs-main", elem_id="rs-main", min_width=0):
            run_head()
            run_overview()
            failure_list()
            run_comparison()
    pair_view()
    page_script("evaluate_page", (open_page, show_failures, show_pair, show_comparison))
