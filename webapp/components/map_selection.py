"""Below the map: the selected crops as a grid of any length, and where to go with them."""

from __future__ import annotations

import gradio as gr

from webapp.components.mount_point import mount_point, read_template


def map_selection() -> gr.HTML:
    """The grid. Only the cards in view exist."""
    return mount_point(
        "map_selection",
        template=read_template("map_selection"),
        scripts=("map_selection.js",),
        elem_id="rs-map-selection",
    )
