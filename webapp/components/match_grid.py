"""Ranked matches as 1:2 cards that never cut or stretch a picture."""

from __future__ import annotations

import gradio as gr

from webapp.components.mount_point import mount_point


def match_grid() -> gr.HTML:
    """The grid: one tab stop, arrow keys inside, a click compares, Q makes a card the query."""
    return mount_point(
        "match_grid",
        template='<ol class="rs-grid" data-part="grid" aria-label="Ranked matches" tabindex="-1"></ol>',
        scripts=("match_grid.js",),
        elem_id="rs-matches",
    )
