"""All pages in one Gradio app. A page is a title, a path and a ``build`` function that lays it out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import gradio as gr

from reid_core.services import Workbench
from webapp.components.header import header
from webapp.pages import data, evaluate, explain, history, identities, retrain, review, search
from webapp.pages import map as map_page
from webapp.static_files import stylesheet_tags
from webapp.views.scope import show_scope

APP_TITLE = "ReID Studio"
_CACHE_S = (3600, 86_400)
"""How often Gradio looks for files to delete from its own cache, and how old they have to be."""


@dataclass(frozen=True, slots=True)
class Page:
    """One entry of the navigation."""

    title: str
    path: str
    build: Callable[[Workbench], None]


def _build_search(workbench: Workbench) -> None:
    search.build(workbench, max_upload_mb=workbench.settings.max_upload_mb)


def _build_data(workbench: Workbench) -> None:
    data.build(workbench, allows_paths=workbench.settings.allows_local_paths)


def _build_review(_workbench: Workbench) -> None:
    review.build()


def _build_identities(_workbench: Workbench) -> None:
    identities.build()


def _build_history(_workbench: Workbench) -> None:
    history.build()


PAGES = (
    Page("Search", "/", _build_search),
    Page("Explain", "/explain", explain.build),
    Page("Map", "/map", map_page.build),
    Page("Evaluate", "/evaluate", evaluate.build),
    Page("Review", "/review", _build_review),
    Page("Identities", "/identities", _build_identities),
    Page("History", "/history", _build_history),
    Page("Retrain", "/retrain", retrain.build),
    Page("Data", "/data", _build_data),
)


def build_app(workbench: Workbench) -> gr.Blocks:
    """Lay out every page. Launch it with ``theme.make_theme()`` and ``page_head()``."""
    first, *others = PAGES
    demo = gr.Blocks(title=APP_TITLE, fill_width=True, analytics_enabled=False, delete_cache=_CACHE_S)
    with demo:
        _build_page(first, workbench)
    for page in others:
        with demo.route(page.title, page.path):
            _build_page(page, workbench)
    return demo


def page_head() -> str:
    """For ``launch(head=...)``: the stylesheets, so that they load before the components do."""
    return stylesheet_tags()


def _build_page(page: Page, workbench: Workbench) -> None:
    def describe_scope(params: Mapping[str, Any]) -> dict[str, Any]:
        return asdict(show_scope(workbench, str(params.get("g", "")), str(params.get("m", ""))))

    header([(entry.title, entry.path) for entry in PAGES], page.title, describe_scope)
    page.build(workbench)
