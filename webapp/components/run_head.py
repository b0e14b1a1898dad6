"""What the open run is: title, comment, facts, and the three ways to look at it."""

from __future__ import annotations

import gradio as gr

from webapp.components.mount_point import mount_point, read_template


def run_head() -> gr.HTML:
    """The head. The script reports a change of view and edits of the title."""
    return mount_point(
        "run_head",
        template=read_template("run_head"),
        scripts=("run_api.js", "job_progress.js", "run_head.js"),
        elem_id="rs-run-head",
    )
