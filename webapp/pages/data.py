"""Data: galleries and models, and a gallery of one's own. Layout and wiring only; see ``views/data.py``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import gradio as gr

from webapp.components.gallery_intake import gallery_intake
from webapp.components.inventory import inventory
from webapp.components.page_script import page_script
from webapp.views import data as view


def build(keeper: view.GalleryKeeper, *, allows_paths: bool) -> None:
    """Lay the page out inside the caller's gr.Blocks context.

    Args:
        keeper: The services.
        allows_paths: Whether the page offers to read a path on the server.
    """

    def show_data(_params: Mapping[str, Any]) -> dict[str, Any]:
        return asdict(view.show_data(keeper))

    def import_path(fields: Mapping[str, Any]) -> dict[str, Any]:
        return asdict(view.import_path(keeper, str(fields.get("path", "")), str(fields.get("name", ""))))

    def cancel_job(fields: Mapping[str, Any]) -> dict[str, Any]:
        return asdict(view.cancel_job(keeper, str(fields.get("id", ""))))

    def remove_gallery(fields: Mapping[str, Any]) -> dict[str, Any]:
        return asdict(view.remove_gallery(keeper, str(fields.get("name", ""))))

    with gr.Row(elem_classes="rs-page"):
        with gr.Column(elem_classes="rs-side rs-wide", min_width=0):
            gallery_intake(allows_paths=allows_paths)
        with gr.Column(elem_classes="rs-main", elem_id="rs-main", min_width=0):
            inventory()
    page_script("data_page", (show_data, import_path, cancel_job, remove_gallery))
