"""Above the grid: what the ranking says in a line, and where else the person was seen."""

from __future__ import annotations

import gradio as gr

from webapp.components.identities import ANSWERING
from webapp.components.mount_point import mount_point, read_template


def ranking_head() -> gr.HTML:
    """Summary, notes, sightings chart, and the place where progress and errors are shown."""
    return mount_point(
        "ranking_head",
        template=read_template("ranking_head"),
        scripts=(
            *ANSWERING,
            "labelling.js",
            "job_progress.js",
            "sightings.js",
            "ranking_head.js",
        ),
        elem_id="rs-ranking",
    )
