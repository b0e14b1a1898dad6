"""Where a query comes from: upload, paste, webcam, an example, a dropped card, or a box on a larger photo."""

from __future__ import annotations

import gradio as gr

from webapp.components.mount_point import ServerFunction, mount_point, read_template


def query_panel(store_upload: ServerFunction, *, max_upload_mb: int) -> gr.HTML:
    """The panel.

    Args:
        store_upload: Takes a multipart body with the picture and an optional box.
        max_upload_mb: Larger files are refused before they are sent.
    """
    return mount_point(
        "query_panel",
        template=read_template("query_panel").replace("<!--max-mb-->", str(max_upload_mb)),
        scripts=("crop_editor.js", "webcam.js", "query_panel.js"),
        server_functions=(store_upload,),
        elem_id="rs-query",
    )
