"""Queries, worst first: filters, rows with ranked strips, tags, selection."""

from __future__ import annotations

import gradio as gr

from webapp.components.mount_point import mount_point, read_template


def failure_list() -> gr.HTML:
    """The list: one tab stop; arrows move, Enter compares, T and a letter tags."""
    return mount_point(
        "failure_list",
        template=read_template("failure_list"),
        scripts=(
            "run_api.js",
            "rank_strip.js",
            "failure_filters.js",
            "failure_tags.js",
            "failure_row.js",
            "failure_list.js",
        ),
        elem_id="rs-failures",
    )
