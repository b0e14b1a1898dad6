"""What there is: jobs under way, galleries, models."""

from __future__ import annotations

import gradio as gr

from webapp.components.mount_point import mount_point, read_template


def inventory() -> gr.HTML:
    """Three lists that the page's script fills."""
    return mount_point(
        "inventory",
        template=read_template("inventory"),
        scripts=("job_progress.js", "inventory.js"),
        elem_id="rs-inventory",
    )
