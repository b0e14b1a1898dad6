"""The log of judgements: who decided what and when, taken back, exported, imported; and its numbers."""

from __future__ import annotations

import gradio as gr

from webapp.components.identities import ANSWERING
from webapp.components.mount_point import mount_point, read_template


def history_filter() -> gr.HTML:
    """Filter of the log, export and import."""
    return mount_point(
        "history_filter", template=read_template("history_filter"), scripts=("history_filter.js",)
    )


def history() -> gr.HTML:
    """The log, its statistics, and what others did meanwhile."""
    return mount_point(
        "history",
        template=read_template("history"),
        scripts=(
            *ANSWERING,
            "linked_zoom.js",
            "review_question.js",
            "review_rail.js",
            "history_files.js",
            "history_numbers.js",
            "history.js",
        ),
        elem_id="rs-history",
    )
