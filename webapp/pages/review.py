"""Review: who is the same person. Layout only; the panel talks to the review's own addresses."""

from __future__ import annotations

import gradio as gr

from webapp.components.review_panel import review_panel


def build() -> None:
    """Lay the page out inside the caller's gr.Blocks context."""
    with gr.Row(elem_classes="rs-page"), gr.Column(elem_classes="rs-main", elem_id="rs-main", min_width=0):
        review_panel()
