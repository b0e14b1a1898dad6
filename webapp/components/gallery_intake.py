"""Bring your own gallery: files from the browser, or a path on the server where that is allowed."""

from __future__ import annotations

import gradio as gr

from webapp.components.mount_point import mount_point, read_template

_PATH_FIELD = """
<label class="rs-line"><span>Or a path on the server</span>
<input type="text" data-part="path" autocomplete="off" spellcheck="false"
 placeholder="/data/my-gallery"></label>
"""


def gallery_intake(*, allows_paths: bool) -> gr.HTML:
    """The panel. Its script sends files to the upload route and reports paths to the page."""
    template = read_template("gallery_intake").replace("<!--path-->", _PATH_FIELD if allows_paths else "")
    return mount_point(
        "gallery_intake",
        template=template,
        scripts=("zip_files.js", "gallery_intake.js"),
        elem_id="rs-intake",
    )
