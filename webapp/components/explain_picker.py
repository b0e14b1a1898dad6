"""Which crop is explained, and what it is compared with."""

from __future__ import annotations

import gradio as gr

from webapp.components.mount_point import ServerFunction, mount_point, read_template


def explain_picker(find_crops: ServerFunction) -> gr.HTML:
    """The panel.

    Args:
        find_crops: Gives the crops whose id contains a text.
    """
    return mount_point(
        "explain_picker",
        template=read_template("explain_picker"),
        scripts=("explain_picker.js",),
        server_functions=(find_crops,),
        elem_id="rs-picker",
    )
