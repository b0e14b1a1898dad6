"""Heat maps over the crops, every block and stream at a glance, and how far to trust them."""

from __future__ import annotations

import gradio as gr

from webapp.components.mount_point import mount_point, read_template


def explain_view() -> gr.HTML:
    """The three panels; maps come from the addresses below ``v1/explain``."""
    return mount_point(
        "explain_view",
        template=read_template("explain_view"),
        scripts=(
            "job_progress.js",
            "heat_maps.js",
            "evidence_overlay.js",
            "stream_atlas.js",
            "map_checks.js",
            "explain_view.js",
        ),
        elem_id="rs-explain",
    )
