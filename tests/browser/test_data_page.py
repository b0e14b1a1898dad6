"""The Data page as a person uses it."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from reid_core.services import JobView
from tests.browser.conftest import App, launch, until
from tests.webapp_fakes import FakeWorkbench

pytestmark = pytest.mark.browser


class Recording(FakeWorkbench):
    """Keeps what it was given to import, because the route deletes its file afterwards."""

    archive: bytes = b""
    names: tuple[str, ...] = ()
    num_asked = 0

    def jobs(self) -> tuple[JobView, ...]:
        self.num_asked += 1
        return super().jobs()

    def import_gallery(self, source: Path, *, name: str = "", kind: str = "auto") -> str:
        if source.is_file():
            self.archive = source.read_bytes()
            with zipfile.ZipFile(source) as packed:
                assert packed.testzip() is None
                self.names = tuple(packed.namelist())
        return super().import_gallery(source, name=name, kind=kind)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    workbench = Recording()
    demo = launch(workbench, tmp_path_factory.mktemp("incoming"))
    yield App(demo.local_url, workbench)
    demo.close(verbose=False)


@pytest.fixture
def data_app(running: App) -> App:
    """One app for all tests of this file, each on a workbench as new."""
    vars(running.workbench).clear()
    running.workbench.__init__()  # type: ignore[misc]
    return running


@pytest.fixture
def data_page(data_app: App, new_page: Callable[..., Any]) -> Any:
    page = new_page()
    page.goto(f"{data_app.url}data")
    page.wait_for_selector(".rs-item")
    return page


def test_images_chosen__packed_and_uploaded__job_with_refusals_then_cancelled(
    data_app: App, data_page: Any
) -> None:
    workbench = data_app.workbench
    assert isinstance(workbench, Recording)
    pictures = [
        {"name": name, "mimeType": "image/jpeg", "buffer": workbench.image_bytes("", image_id)}
        for name, image_id in [("a.jpg", "0001_c1s1_001080_00.jpg"), ("ü 2.jpg", "0005_c2s1_000420_00.jpg")]
    ]
    data_page.set_input_files("[data-part=file]", pictures)
    assert data_page.locator("[data-part=chosen]").inner_text().startswith("2 files")
    data_page.fill("[data-part=name]", "My people")
    data_page.click("text=Add gallery")
    job = data_page.locator(".rs-job")
    job.wait_for()
    assert workbench.names == ("a.jpg", "ü 2.jpg")
    assert "Import My people" in job.inner_text()
    assert "40 of 200 images" in job.inner_text()
    job.locator("summary").click()
    data_page.wait_for_selector(".rs-job details[open] >> text=<b>0</b>.jpg")
    refreshed = workbench.num_asked + 3
    until(data_page, lambda: workbench.num_asked >= refreshed)  # which must not fold the list again
    assert job.locator("details").evaluate("node => node.open")
    data_page.click("text=Cancel")
    data_page.wait_for_selector(".rs-job[data-state=cancelled]")


def test_wrong_file__the_servers_reason__shown_in_place(data_page: Any, watched: Any) -> None:
    watched.ignored.append("400")
    data_page.set_input_files(
        "[data-part=file]", {"name": "empty.zip", "mimeType": "application/zip", "buffer": b""}
    )
    data_page.click("text=Add gallery")
    data_page.wait_for_selector("#rs-intake [role=alert]")
    assert "empty" in data_page.locator("#rs-intake [role=alert]").inner_text()


def test_path_on_the_server__job_appears(data_page: Any) -> None:
    assert data_page.is_disabled("text=Add gallery")
    data_page.fill("[data-part=path]", "/data/people")
    data_page.click("text=Add gallery")
    data_page.wait_for_selector("text=Import people")


def test_remove__asked_twice__gallery_is_gone(data_app: App, data_page: Any) -> None:
    data_page.click("[aria-label='Remove Plain folder']")
    assert data_app.workbench.removed == []
    data_page.click("text=Remove for good?")
    data_page.wait_for_function("document.querySelectorAll('.rs-item').length === 1")
    assert data_app.workbench.removed == ["plain"]


def test_links__of_a_gallery_and_a_model__open_the_search_with_them(data_page: Any) -> None:
    data_page.click("[aria-label='Search with other']")
    data_page.wait_for_selector(".rs-card")
    assert "m=other" in data_page.url


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe__data_page__nothing_serious(
    data_app: App, new_page: Callable[..., Any], axe: Callable[[Any], list[str]], scheme: str
) -> None:
    page = new_page(color_scheme=scheme)
    page.goto(f"{data_app.url}data")
    page.wait_for_selector(".rs-item")
    assert axe(page) == []


def test_progress__job_seen_for_a_while__says_how_long_it_still_takes(data_page: Any) -> None:
    """What counts is the time since this page first saw the job run: before, it may have waited."""
    data_page.evaluate("window.elapsed = 0; performance.now = () => window.elapsed;")
    line = (
        "([fraction, seconds]) => { window.elapsed = 1000 * seconds;"
        " const job = { id: 'j', title: 'T', state: 'running', state_word: 'Running', fraction, progress: '',"
        " message: '', can_cancel: true, num_refused: 0, refused: [] };"
        " return window.reid.jobProgress(job).querySelector('.rs-num').textContent; }"
    )
    assert data_page.evaluate(line, [0.10, 0]) == "10%"
    assert data_page.evaluate(line, [0.11, 1]) == "11%"
    assert data_page.evaluate(line, [0.20, 20]) == "20% · about 3 min left"
    assert data_page.evaluate(line, [0.90, 160]) == "90% · less than a minute left"
    assert data_page.evaluate(line, [0.05, 161]) == "5%"  # another phase counts anew
    assert data_page.evaluate(line, [0.06, 461]) == "6% · about 8 h left"
