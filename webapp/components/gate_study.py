"""The gate study of the open gallery: clusters of crops by their gates, and crops with gates like one's."""

from __future__ import annotations

from collections.abc import Sequence

import gradio as gr

from webapp.components.mount_point import ServerFunction, mount_point, read_template


def gate_study(server_functions: Sequence[ServerFunction]) -> gr.HTML:
    """The panel.

    Args:
        server_functions: ``show_gates``, ``read_gates`` and ``stop_gates`` of the page.
    """
    return mount_point(
        "gate_study",
        template=read_template("gate_study"),
        scripts=("job_progress.js", "gate_study.js"),
        server_functions=server_functions,
        elem_id="rs-gates",
    )
