"""The whole way on a real workbench with the shipped network: freeze, train, compare, promote, and back."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlparse

import pytest

from reid_core.annotation import Answer, Decision
from reid_core.annotation.store import AnnotationStore
from reid_core.assets import DEMO_CITY, asset_path
from reid_core.services import Workbench
from reid_core.settings import load_settings
from tests.browser.conftest import PHONE, Studio, launch

pytestmark = pytest.mark.browser

WAIT_MS = 300_000
"""Training and comparing take half a minute on an idle machine, and much longer on a busy one."""
NUM_JUDGED = 24
"""The others of the feedback pool, 18 people, are what training is validated on."""
PEOPLE = {"train": 24, "query": 42, "gallery": 42, "locked_query": 6, "locked_gallery": 6}


def city_of_few(folder: Path) -> Path:
    """All three pools of the demo city with a handful of people each."""
    for split, count in PEOPLE.items():
        (folder / split).mkdir(parents=True)
        crops = sorted(asset_path(f"{DEMO_CITY}/{split}").glob("[0-9]*.jpg"))
        pids = sorted({crop.name[:4] for crop in crops if crop.name[:4] != "0000"})[:count]
        for crop in crops:
            if crop.name[:4] in pids:
                shutil.copy2(crop, folder / split)
    return folder


def judge(workbench: Workbench, city: Path) -> None:
    """Two crops of a person are the same, the first crops of neighbours are different."""
    (gallery,) = workbench.galleries()
    of_pid: dict[int, list[str]] = {}
    for split in ("query", "gallery"):
        for path in sorted((city / split).glob("*.jpg")):
            of_pid.setdefault(int(path.name[:4]), []).append(f"{split}/{path.name}")
    labels: dict[str, int | None] = {crop: pid for pid, crops in of_pid.items() for crop in crops}
    said = [(crops[0], crops[1], "same") for crops in list(of_pid.values())[:NUM_JUDGED]]
    firsts = [crops[0] for crops in list(of_pid.values())[:NUM_JUDGED]]
    said += [(left, right, "different") for left, right in zip(firsts, firsts[1:], strict=False)]
    store = AnnotationStore(workbench.settings.annotation_url)
    store.open_collection(gallery.name, labels)
    for row, (left, right, answer) in enumerate(said):
        event = Decision(
            f"d{row}", left, right, Answer(answer), annotator="ann", decided_at=f"2026-01-01T00:00:{row:02d}Z"
        )
        store.record(gallery.name, event)
    store.close()


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Studio]:
    yield from studio_of(city_of_few(tmp_path / "few"), tmp_path)


@pytest.fixture
def leaking(tmp_path: Path) -> Iterator[Studio]:
    """A picture of the first person is in the locked test, too."""
    city = city_of_few(tmp_path / "few")
    copied, over = (
        sorted((city / "query").glob("*.jpg"))[0],
        sorted((city / "locked_gallery").glob("*.jpg"))[0],
    )
    shutil.copyfile(copied, over)
    yield from studio_of(city, tmp_path)


def studio_of(city: Path, tmp_path: Path) -> Iterator[Studio]:
    workbench = Workbench(load_settings(gallery=str(city), data_dir=tmp_path / "data"))
    workbench.start()
    for job in workbench.jobs():
        assert workbench.wait_for(job.id, 240.0).state == "done"
    judge(workbench, city)
    demo = launch(workbench, tmp_path / "incoming")
    yield Studio(demo.local_url, workbench)
    demo.close(verbose=False)
    workbench.close()


def test_retrain__leak__three_ways_out_and_a_reason(
    leaking: Studio, new_page: Callable[..., Any], axe: Callable[[Any], list[str]]
) -> None:
    page = new_page()
    page.goto(f"{leaking.url}retrain")
    page.wait_for_selector(".rs-leak")
    assert "of these leaks left out" in page.locator("#step-1 [data-part=changes]").inner_text()
    page.wait_for_selector(".rs-steps >> text=1 leak needs a way out")
    page.click("#step-2 [data-part=freeze-button]")
    page.wait_for_selector("#step-2 [data-part=freeze-problem] >> text=Choose a way out")
    page.check(".rs-leak input[value=override]")
    page.fill(".rs-leak input[type=text]", "too short")
    page.click("#step-2 [data-part=freeze-button]")
    page.wait_for_selector("#step-2 [data-part=freeze-problem] >> text=Choose a way out")
    page.fill(".rs-leak input[type=text]", "seen and found to be another picture")
    page.wait_for_selector("#step-1 [data-part=changes]:not(:has-text('left out'))")
    radio = page.locator(".rs-leak input[value=override]")
    assert radio.evaluate("each => getComputedStyle(each).appearance") == "auto"  # a choice is seen
    assert axe(page) == []
    page.click("#step-2 [data-part=freeze-button]")
    page.wait_for_selector(".rs-set:has-text('1 leak overridden')")
    page.wait_for_selector("#step-1 [data-part=changes]:has-text('That is Set 1')")
    (view,) = leaking.workbench.retraining.snapshots.list(leaking.workbench.galleries()[0].name)
    assert view.num_overrides == 1


def test_retrain__freeze_train_compare_promote_and_back(
    fresh: Studio, new_page: Callable[..., Any], axe: Callable[[Any], list[str]]
) -> None:
    loop, page = fresh.workbench.retraining, new_page()
    page.set_default_timeout(WAIT_MS)
    base = loop.serving
    page.goto(f"{fresh.url}retrain")
    page.wait_for_selector("#step-1 .rs-tile >> text=Locked test")
    assert "47 pairs judged" in page.locator("#step-1 [data-part=decisions]").inner_text()
    assert "fewer than 50" in page.locator("#step-1 [data-part=advice]").inner_text()
    assert page.locator("#step-3 [data-part=start]").is_disabled()
    counts = page.locator("#step-1 [data-part=counts]")
    before = counts.inner_text()
    page.select_option("#step-1 [data-part=feedback]", "all")
    page.wait_for_function(
        "before => document.querySelector('#step-1 [data-part=counts]').innerText !== before", arg=before
    )
    page.select_option("#step-1 [data-part=feedback]", "judged")
    page.wait_for_function(
        "before => document.querySelector('#step-1 [data-part=counts]').innerText === before", arg=before
    )

    page.fill("#step-2 [data-part=name]", "<b>First</b> set")
    page.click("#step-2 [data-part=freeze-button]")
    page.wait_for_selector(".rs-set:has-text('<b>First</b> set')")
    page.locator(".rs-set summary:has-text('Changelog')").click()
    page.wait_for_selector(".rs-set .rs-log:has-text('Base data set')")
    page.locator(".rs-set summary:has-text('Export')").click()
    page.select_option(".rs-set select[aria-label^=Layout]", "tables")
    page.click(".rs-set button:has-text('Pack a zip')")
    page.wait_for_selector(".rs-set .rs-files a")

    page.fill("#step-3 [data-part=steps]", "2")
    page.click("#step-3 [data-part=start]")
    page.wait_for_selector("#step-3 .rs-job progress")
    assert axe(page) == []
    page.reload()  # the run goes on, and the page finds it again
    page.wait_for_selector("#step-3 [data-part=open]:not([hidden])")
    assert parse_qs(urlparse(page.url).query)["run"] == [loop.training.runs()[0].request.id]
    page.wait_for_selector("#step-4 .rs-outcome, .rs-job[data-state=failed]")
    assert page.locator(".rs-job[data-state=failed]").all_inner_texts() == []
    assert page.locator("#step-4 [data-part=conditions] tbody tr").count() == 5
    (candidate,) = loop.promoting.candidates()
    assert page.locator("#step-4 button:has-text('Promote')").is_enabled() == (
        candidate.state == "promotable"
    )

    page.click("#step-4 summary:has-text('Thresholds')")
    assert "Only clear drops count" in page.locator("#step-4 tr:has-text('Worst camera pair')").inner_text()
    page.click("#step-4 [data-part=cameras-title]")
    assert page.locator("#step-4 [data-part=cameras] td[title*=': mAP']").count() > 1
    page.select_option("#step-4 [data-part=camera-rule]", "true")
    page.click("#step-4 button:has-text('Save thresholds')")
    page.wait_for_selector("#step-4 tr:has-text('Worst camera pair') >> text=Every drop counts")
    page.fill("[name=min_map_delta]", "100")
    page.click("#step-4 button:has-text('Save thresholds')")
    page.wait_for_selector("#step-4 tr:has-text('Change of mAP') .rs-outcome[data-holds=false]")
    page.wait_for_selector("#step-4 button:has-text('Promote'):disabled")
    wide = {"min_map_delta": "-100", "min_map_low": "-100", "min_violations_fixed": "0"}
    for name, value in {**wide, "max_camera_pair_drop": "100", "max_broken_per_fixed": "1000"}.items():
        page.fill(f"[name={name}]", value)
    page.click("#step-4 button:has-text('Save thresholds')")
    page.click("#step-4 button:has-text('Promote'):enabled")
    page.wait_for_selector(f"#step-5 [data-part=serving-name]:text-is('{candidate.model.name}')")
    assert loop.serving == candidate.model.name
    assert "changed thresholds" in page.locator("#step-5 [data-part=history]").inner_text()
    page.click(f"#step-5 [data-model='{base}'] button")
    page.wait_for_selector(f"#step-5 [data-part=serving-name]:text-is('{base}')")
    assert loop.serving == base
    assert axe(page) == []

    page.set_viewport_size(PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert axe(page) == []
