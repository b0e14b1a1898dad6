"""Map: the gallery in the plane. Layout and wiring only; ``views/map.py`` says what is shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import gradio as gr

from reid_core.errors import ReidError
from webapp.components.map_panel import map_panel
from webapp.components.map_selection import map_selection
from webapp.components.map_view import map_view
from webapp.components.page_script import page_script
from webapp.views import map as view


def build(cartographer: view.Cartographer) -> None:
    """Lay the page out inside the caller's gr.Blocks context."""

    def open_map(params: Mapping[str, Any]) -> dict[str, Any]:
        return asdict(view.open_map(cartographer, params))

    def start_fit(fields: Mapping[str, Any]) -> dict[str, Any]:
        compared = bool(fields.get("compared"))
        return asdict(view.start_fit(cartographer, fields["params"], is_compared=compared))

    def follow_fit(fields: Mapping[str, Any]) -> dict[str, Any]:
        compared = bool(fields.get("compared"))
        return asdict(view.follow_fit(cartographer, fields["params"], is_compared=compared))

    def cancel_fit(fields: Mapping[str, Any]) -> dict[str, Any]:
        return asdict(view.cancel_fit(cartographer, str(fields.get("id", ""))))

    def describe(fields: Mapping[str, Any]) -> dict[str, Any]:
        try:
            cards = view.describe(cartographer, fields["params"], [str(i) for i in fields["ids"]])
        except ReidError as error:
            return {"error": str(error)}
        return {"cards": [asdict(card) for card in cards]}

    def find(fields: Mapping[str, Any]) -> dict[str, Any]:
        return asdict(view.find(cartographer, fields["params"], str(fields.get("text", ""))))

    with gr.Row(elem_classes="rs-page"):
        with gr.Column(elem_classes="rs-side", min_width=0):
            map_panel()
        with gr.Column(elem_classes="rs-main", elem_id="rs-main", min_width=0):
            map_view()
            map_selection()
    page_script("map_page", (open_map, start_fit, follow_fit, cancel_fit, describe, find))
