"""The one way a component of ours gets onto a page: an HTML skeleton that a named script brings to life."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from webapp.static_files import script_tags, stylesheet_tags

ServerFunction = Callable[..., dict[str, Any]]

_TEMPLATES = Path(__file__).parent


def read_template(name: str) -> str:
    """The skeleton ``components/<name>.html``."""
    return (_TEMPLATES / f"{name}.html").read_text(encoding="utf-8")


def mount_point(
    name: str,
    *,
    template: str = "",
    scripts: Sequence[str],
    server_functions: Sequence[ServerFunction] = (),
    elem_id: str | None = None,
) -> gr.HTML:
    """Place the skeleton and let ``reid.define(name, ...)`` of the last script fill it in the browser.

    Data never goes through the template: Gradio evaluates it as JavaScript, so text from a gallery would run.
    Scripts fetch what they show through ``server_functions`` and write it as text.

    Args:
        name: Name under which the script defined the component; also the default element id.
        template: Our own HTML, free of anything that Gradio's template engines would evaluate.
        scripts: Files below ``static/js`` in the order they are needed; ``core.js`` and ``key_map.js`` always
            come first.
        server_functions: Python functions that the script may call. Each takes one plain value.
        elem_id: Element id where a page shows the component under another one.
    """
    assert not any(mark in template for mark in ("${", "{{", "`", "\\")), (
        f"{name}: the template would be evaluated"
    )
    return gr.HTML(
        html_template=template,
        js_on_load=f"window.reid.mount({json.dumps(name)}, element, server);",
        head=stylesheet_tags() + script_tags(("core.js", "key_map.js", *scripts)),
        server_functions=list(server_functions),
        apply_default_css=False,
        elem_id=elem_id or name,
    )
