"""Identities: found, seen whole, merged, split, named; contradictions settled."""

from __future__ import annotations

import gradio as gr

from webapp.components.mount_point import mount_point, read_template

ANSWERING = ("keys_dialog.js", "asking.js", "review_outbox.js", "own_answers.js", "annotator.js")
"""Scripts that a page needs to take answers: keys, questions to a person, the outbox, the annotator's bar."""


def identity_filter() -> gr.HTML:
    """Search by name, camera and state, and the order of the list."""
    return mount_point(
        "identity_filter", template=read_template("identity_filter"), scripts=("identity_filter.js",)
    )


def identities() -> gr.HTML:
    """The list, one identity in full, and the contradictions; the address says which of them is shown."""
    return mount_point(
        "identities",
        template=read_template("identities"),
        scripts=(
            *ANSWERING,
            "virtual_grid.js",
            "identity_detail.js",
            "identity_conflicts.js",
            "identities.js",
        ),
        elem_id="rs-identities",
    )
