"""The pages on a small fake workbench, in a real Chromium that may reach nothing but the app."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from starlette.middleware import Middleware

from reid_core.assets import DEMO_CITY, asset_path
from reid_core.services import Workbench
from reid_core.settings import load_settings
from tests.webapp_fakes import FakeWorkbench
from webapp.routes import UploadLimits, build_routes
from webapp.security import OriginGuard, SecurityHeaders
from webapp.shell import build_app, page_head
from webapp.theme import make_theme

playwright_api = pytest.importorskip("playwright.sync_api")

CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
]
TIMEOUT_MS = 60_000
WIDE, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}


def pytest_configure(config: pytest.Config) -> None:
    """A server that is closed while a browser still holds a connection leaves one request unfinished."""
    unfinished = "Exception ignored in. <coroutine object Starlette"
    config.addinivalue_line("filterwarnings", f"ignore:{unfinished}:pytest.PytestUnraisableExceptionWarning")


@dataclass
class App:
    """A running app and the fake workbench behind it."""

    url: str
    workbench: FakeWorkbench


@dataclass
class Studio:
    """A running app on a real workbench: the shipped network and a small part of the demo city."""

    url: str
    workbench: Workbench


@dataclass
class Watched:
    """What a page did that it should not have: console errors, and requests to other hosts."""

    problems: list[str] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)


def launch(workbench: FakeWorkbench | Workbench, incoming: Path) -> Any:
    """The app as ``app.py`` launches it, on a workbench of the test's choice; returns the Blocks."""
    demo = build_app(workbench)  # type: ignore[arg-type]
    demo.launch(
        server_name="127.0.0.1",
        prevent_thread_lock=True,
        quiet=True,
        theme=make_theme(),
        head=page_head(),
        run_history=False,
        footer_links=[],
        ssr_mode=False,
        allowed_paths=[],
        app_kwargs={
            "routes": build_routes(workbench, UploadLimits(incoming, 25, 100)),  # type: ignore[arg-type]
            "middleware": [Middleware(SecurityHeaders), Middleware(OriginGuard)],
            "openapi_url": None,
        },
    )
    return demo


@pytest.fixture
def start_app(tmp_path: Path) -> Iterator[Callable[[FakeWorkbench], App]]:
    """Start the app on a workbench of the test's own."""
    running = []

    def start(workbench: FakeWorkbench) -> App:
        running.append(launch(workbench, tmp_path))
        return App(running[-1].local_url, workbench)

    yield start
    for demo in running:
        demo.close(verbose=False)


@pytest.fixture(scope="session")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """One app for all tests that change nothing but its uploads."""
    workbench = FakeWorkbench()
    demo = launch(workbench, tmp_path_factory.mktemp("incoming"))
    yield App(demo.local_url, workbench)
    demo.close(verbose=False)


@pytest.fixture(scope="session")
def small_city(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Query and gallery of the first 20 people of the demo city, with some distractors and junk."""
    folder = tmp_path_factory.mktemp("city") / "small-city"
    for split, name in (("query", "query"), ("gallery", "bounding_box_test")):
        (folder / name).mkdir(parents=True)
        crops = sorted(asset_path(f"{DEMO_CITY}/{split}").glob("*.jpg"))
        pids = sorted(
            {crop.name[:4] for crop in crops if crop.name[:4].isdigit() and crop.name[:4] != "0000"}
        )
        wanted = [crop for crop in crops if crop.name[:4] in pids[:20]]
        wanted += [crop for crop in crops if crop.name.startswith(("0000", "-1"))][:30]
        for crop in wanted:
            shutil.copy2(crop, folder / name)
    return folder


@pytest.fixture(scope="session")
def studio(small_city: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """The real app on the small city, ready to search. Tests that change something use ids of their own."""
    data_dir = tmp_path_factory.mktemp("studio")
    workbench = Workbench(load_settings(gallery=str(small_city), data_dir=data_dir))
    workbench.start()
    for job in workbench.jobs():
        assert workbench.wait_for(job.id, 600.0).state == "done"
    demo = launch(workbench, data_dir / "incoming")
    yield Studio(demo.local_url, workbench)
    demo.close(verbose=False)
    workbench.close()


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    with playwright_api.sync_playwright() as playwright:
        path = os.environ.get("CHROMIUM", "/usr/bin/chromium")
        chromium = playwright.chromium.launch(executable_path=path, args=CHROMIUM_FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def watched() -> Watched:
    """Add to ``ignored`` what a test provokes on purpose."""
    return Watched()


@pytest.fixture
def new_page(browser: Any, watched: Watched) -> Iterator[Callable[..., Any]]:
    """Open pages; at the end nothing may have gone wrong on any of them."""
    contexts = []

    def open_page(**options: Any) -> Any:
        context = browser.new_context(**{"viewport": WIDE, "color_scheme": "light", **options})
        context.grant_permissions(["clipboard-read", "clipboard-write", "camera"])
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(TIMEOUT_MS)
        page.on("console", lambda message: _note_console(watched, message))
        page.on("pageerror", lambda error: watched.problems.append(f"error on the page: {error}"))
        page.on("dialog", lambda dialog: watched.problems.append(f"dialog: {dialog.message}"))
        page.on("request", lambda request: _note_request(watched, request.url))
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert [p for p in watched.problems if not any(word in p for word in watched.ignored)] == []


FINGER = {"viewport": PHONE, "has_touch": True, "is_mobile": True}


def small_targets(page: Any) -> list[str]:
    """What is pressed on this page and smaller than 44 x 44 px; links within text do not count."""
    return list(
        page.evaluate(
            """() => [...document.querySelectorAll('button, select, a.rs-button, summary')]
              .filter(node => node.checkVisibility({ visibilityProperty: true }))
              .filter(node => !node.matches('.rs-sighting, .rs-film button'))
              .map(node => [node.getBoundingClientRect(), node])
              .filter(([box]) => box.width && (box.width < 43.5 || box.height < 43.5))
              .map(([box, node]) => `${node.outerHTML.slice(0, 120)} ${box.width} x ${box.height}`)"""
        )
    )


def until(page: Any, is_so: Callable[[], bool]) -> None:
    """Wait for something that happens on the server."""
    for _ in range(TIMEOUT_MS // 100):
        if is_so():
            return
        page.wait_for_timeout(100)
    raise AssertionError("It did not happen in time.")


@pytest.fixture
def search_page(app: App, new_page: Callable[..., Any]) -> Any:
    """The Search page with results on it."""
    page = new_page()
    page.goto(app.url)
    page.wait_for_selector(".rs-card")
    return page


@pytest.fixture
def axe() -> Callable[[Any], list[str]]:
    """Serious and critical findings of axe-core on a page."""
    source = (resources.files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")

    def check(page: Any) -> list[str]:
        page.evaluate(source)
        found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        return [
            f"{item['id']}: {node['html'][:200]} {node['failureSummary'][:200]}"
            for item in found["violations"]
            if item["impact"] in ("serious", "critical")
            for node in item["nodes"]
        ]

    return check


def _note_console(watched: Watched, message: Any) -> None:
    if message.type == "error":
        watched.problems.append(f"console: {message.text} {message.location.get('url', '')}")


def _note_request(watched: Watched, url: str) -> None:
    if not url.startswith(("http://127.0.0.1", "http://localhost", "data:", "blob:")):
        watched.problems.append(f"request to {url}")
