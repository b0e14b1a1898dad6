"""The bar on top of every page: pages, gallery and model, light or dark."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import gradio as gr

from webapp.components.mount_point import ServerFunction, mount_point, read_template


def header(pages: Sequence[tuple[str, str]], active: str, describe_scope: ServerFunction) -> gr.HTML:
    """The header.

    Args:
        pages: (title, path) of each page in order; the first has the path ``/``.
        active: Title of the page that it stands on.
        describe_scope: Gives the selectors' content for the address parameters ``g`` and ``m``.
    """
    links = "".join(_link(title, path, is_active=title == active) for title, path in pages)
    return mount_point(
        "header",
        template=read_template("header").replace("<!--nav-->", links),
        scripts=("header.js",),
        server_functions=(describe_scope,),
        elem_id="rs-header",
    )


def _link(title: str, path: str, *, is_active: bool) -> str:
    current = ' aria-current="page"' if is_active else ""
    return f'<a href="./{escape(path.strip("/"))}"{current}>{escape(title)}</a>'
