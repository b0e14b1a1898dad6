"""The script that ties the components of one page together, with the Python functions it may call."""

from __future__ import annotations

from collections.abc import Sequence

import gradio as gr

from webapp.components.mount_point import ServerFunction, mount_point


def page_script(name: str, server_functions: Sequence[ServerFunction]) -> gr.HTML:
    """Load ``static/js/<name>.js``, which waits for the page's components and connects them."""
    return mount_point(name, scripts=(f"{name}.js",), server_functions=server_functions, elem_id=f"rs-{name}")
