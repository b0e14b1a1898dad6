"""Beside the map: layout and parameters, colour and legend, finding and selecting."""

from __future__ import annotations

import gradio as gr

from webapp.components.mount_point import mount_point, read_template


def map_panel() -> gr.HTML:
    """The panel. Its script reports changed address parameters and ways to select."""
    return mount_point(
        "map_panel",
        template=read_template("map_panel"),
        scripts=("job_progress.js", "map_legend.js", "map_panel.js"),
        elem_id="rs-map-panel",
    )
