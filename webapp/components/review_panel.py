"""The review: one question at a time, answered with two keys, kept in the browser until it is saved."""

from __future__ import annotations

import gradio as gr

from webapp.components.mount_point import mount_point, read_template


def review_panel() -> gr.HTML:
    """The panel; its script asks the review's addresses and the page's address for everything."""
    return mount_point(
        "review_panel",
        template=read_template("review_panel"),
        scripts=(
            "linked_zoom.js",
            "heat_maps.js",
            "evidence_overlay.js",
            "keys_dialog.js",
            "asking.js",
            "review_outbox.js",
            "own_answers.js",
            "review_question.js",
            "review_supply.js",
            "review_rail.js",
            "review_answers.js",
            "review_controls.js",
            "review_dialogs.js",
            "review_keyboard.js",
            "review_lease.js",
            "review_panel.js",
        ),
        elem_id="rs-review",
    )
