"""Search: from a crop to ranked matches. Layout and wiring only; ``views/search.py`` says what is shown."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import gradio as gr
from gradio.data_classes import DataWithFiles

from webapp.components.filter_panel import filter_panel
from webapp.components.match_grid import match_grid
from webapp.components.page_script import page_script
from webapp.components.pair_view import pair_view
from webapp.components.query_panel import query_panel
from webapp.components.ranking_head import ranking_head
from webapp.views import search as view


def build(searcher: view.Searcher, *, max_upload_mb: int) -> None:
    """Lay the page out inside the caller's gr.Blocks context.

    Args:
        searcher: The services.
        max_upload_mb: Largest query picture that is taken.
    """

    def store_upload(body: Any) -> dict[str, Any]:
        return asdict(view.store_upload(searcher, *_read_body(body), max_upload_mb=max_upload_mb))

    def open_page(params: Mapping[str, Any]) -> dict[str, Any]:
        return asdict(view.open_page(searcher, params))

    def search(params: Mapping[str, Any]) -> dict[str, Any]:
        return asdict(view.run_search(searcher, params))

    with gr.Row(elem_classes="rs-page"):
        with gr.Column(elem_classes="rs-side", min_width=0):
            query_panel(store_upload, max_upload_mb=max_upload_mb)
            filter_panel()
        with gr.Column(elem_classes="rs-main", elem_id="rs-main", min_width=0):
            ranking_head()
            match_grid()
    pair_view()
    page_script("search_page", (open_page, search))


def _read_body(body: Any) -> tuple[bytes, list[float] | None]:
    """Picture and box of a multipart body; a body without a picture counts as an empty one."""
    if not isinstance(body, DataWithFiles) or not body.files:
        return b"", None
    box = body.data.get("box")
    return body.files[0][1], json.loads(box) if box else None
