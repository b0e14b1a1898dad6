"""What limits and orders a ranking: cameras, time, same camera, re-ranking, number of matches."""

from __future__ import annotations

import gradio as gr

from webapp.components.mount_point import mount_point, read_template


def filter_panel() -> gr.HTML:
    """The panel. Its script reports address parameters (cam, from, to, same, rerank, k) when one changes."""
    return mount_point(
        "filter_panel",
        template=read_template("filter_panel"),
        scripts=("filter_panel.js",),
        elem_id="rs-filters",
    )
