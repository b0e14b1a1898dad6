"""Addresses of the files in ``static/``: relative, so that they work below a prefix, and named by content."""

from __future__ import annotations

import hashlib
from functools import cache
from html import escape
from pathlib import Path

STATIC_DIR = Path(__file__).parent / "static"
STATIC_URL = "gradio_api/reid/static"
STYLESHEETS = (
    "base.css",
    "controls.css",
    "dialogs.css",
    "components.css",
    "judging.css",
    "shell.css",
    "search.css",
    "ranking.css",
    "compare.css",
    "heat.css",
    "data.css",
    "explain.css",
    "map.css",
    "evaluate.css",
    "failures.css",
    "review.css",
    "identities.css",
    "history.css",
    "retrain.css",
)


@cache
def static_url(name: str) -> str:
    """Address of ``static/<name>`` with a hash of its content, so that it can be cached for ever."""
    digest = hashlib.sha256((STATIC_DIR / name).read_bytes()).hexdigest()[:12]
    return f"{STATIC_URL}/{name}?v={digest}"


def stylesheet_tags() -> str:
    """``<link>`` tags for the app's stylesheets, in cascade order."""
    return "".join(f'<link rel="stylesheet" href="{escape(static_url(f"css/{n}"))}">' for n in STYLESHEETS)


def script_tags(names: tuple[str, ...]) -> str:
    """``<script>`` tags for ``static/js/<name>``; Gradio loads each once and in this order."""
    return "".join(f'<script src="{escape(static_url(f"js/{name}"))}"></script>' for name in names)
