"""Query and match side by side, letterboxed alike, with linked zoom."""

from __future__ import annotations

import gradio as gr

from webapp.components.identities import ANSWERING
from webapp.components.mount_point import mount_point, read_template


def pair_view() -> gr.HTML:
    """The comparison, a dialog over the page; left and right arrow step through the ranking, H explains."""
    return mount_point(
        "pair_view",
        template=read_template("pair_view"),
        scripts=(
            *ANSWERING,
            "labelling.js",
            "linked_zoom.js",
            "heat_maps.js",
            "evidence_overlay.js",
            "pair_view.js",
        ),
        elem_id="rs-compare",
    )
