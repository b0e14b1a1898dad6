"""Two runs side by side: scores, cameras, and the queries that changed."""

from __future__ import annotations

import gradio as gr

from webapp.components.mount_point import mount_point, read_template


def run_comparison() -> gr.HTML:
    """The comparison. The script reports the choice of the other run."""
    return mount_point(
        "run_comparison",
        template=read_template("run_comparison"),
        scripts=("plots.js", "rank_strip.js", "run_comparison.js"),
        elem_id="rs-comparison",
    )
