"""Start an evaluation run, follow it, and choose among the runs there are."""

from __future__ import annotations

import gradio as gr

from webapp.components.mount_point import mount_point, read_template


def evaluate_setup() -> gr.HTML:
    """The panels. The script reports a start, a stop, and a choice."""
    return mount_point(
        "evaluate_setup",
        template=read_template("evaluate_setup"),
        scripts=("run_api.js", "job_progress.js", "run_list.js", "evaluate_setup.js"),
        elem_id="rs-setup",
    )
