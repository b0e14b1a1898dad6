"""History: who decided what and when. Layout only; the page talks to the review's own addresses."""

from __future__ import annotations

import gradio as gr

from webapp.components.history import history, history_filter


def build() -> None:
    """Lay the page out inside the caller's gr.Blocks context."""
    with gr.Row(elem_classes="rs-page"):
        with gr.Column(elem_classes="rs-side", min_width=0):
            history_filter()
        with gr.Column(elem_classes="rs-main", elem_id="rs-main", min_width=0):
            history()
