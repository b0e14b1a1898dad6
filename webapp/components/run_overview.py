"""Scores, curves and matrices of one run."""

from __future__ import annotations

import gradio as gr

from webapp.components.mount_point import mount_point, read_template


def run_overview() -> gr.HTML:
    """The overview; figures are drawn when they come into view."""
    return mount_point(
        "run_overview",
        template=read_template("run_overview"),
        scripts=("plots.js", "run_overview.js"),
        elem_id="rs-overview",
    )
