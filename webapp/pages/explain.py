"""Explain: what the network looked at. Layout and wiring only; ``views/explain.py`` says what is shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import gradio as gr

from webapp.components.explain_picker import explain_picker
from webapp.components.explain_view import explain_view
from webapp.components.gate_study import gate_study
from webapp.components.page_script import page_script
from webapp.views import explain as view


def build(services: view.Services) -> None:
    """Lay the page out inside the caller's gr.Blocks context.

    Args:
        services: The services.
    """

    def open_page(params: Mapping[str, Any]) -> dict[str, Any]:
        return asdict(view.open_page(services, params))

    def find_crops(params: Mapping[str, Any]) -> dict[str, Any]:
        return asdict(view.find_crops(services, params))

    def show_gates(params: Mapping[str, Any]) -> dict[str, Any]:
        return asdict(view.show_gates(services, params))

    def read_gates(params: Mapping[str, Any]) -> dict[str, Any]:
        return asdict(view.read_gates(services, params))

    def stop_gates(params: Mapping[str, Any]) -> dict[str, Any]:
        return asdict(view.stop_gates(services, params))

    with gr.Row(elem_classes="rs-page"):
        with gr.Column(elem_classes="rs-side", min_width=0):
            explain_picker(find_crops)
        with gr.Column(elem_classes="rs-main", elem_id="rs-main", min_width=0):
            explain_view()
            gate_study((show_gates, read_gates, stop_gates))
    page_script("explain_page", (open_page,))
