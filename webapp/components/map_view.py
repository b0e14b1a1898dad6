"""The map itself: 100,000 points on a canvas, moved by pointer and keys, selected by lasso and box."""

from __future__ import annotations

import gradio as gr

from webapp.components.mount_point import mount_point, read_template


def map_view() -> gr.HTML:
    """The map with its tools. ``point_cloud.js`` draws and measures, ``map_view.js`` listens."""
    return mount_point(
        "map_view",
        template=read_template("map_view"),
        scripts=("point_cloud.js", "map_overlay.js", "map_pointer.js", "map_view.js"),
        elem_id="rs-map",
    )
