"""Make the pictures of the app in docs/images again, with a running app and an empty data folder.

    python app.py --port 7861 --data-dir /tmp/pictures
    python docs/screenshots.py --url http://127.0.0.1:7861/ [--only NAME ...]

Needs requirements-dev.txt and Chromium. It judges some pairs, runs the evaluator and trains for a few steps:
never point it at a data folder with work in it.
"""

from __future__ import annotations

import argparse
import itertools
import json
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
CITY, IMAGES = ROOT / "assets" / "demo-city", ROOT / "docs" / "images"
WIDE, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
QUALITY, WAIT_MS = 80, 600_000
STEPS = 120


class Studio:
    """The running app and a browser beside it."""

    def __init__(self, url: str, browser: Browser) -> None:
        self.url, self._browser = url.rstrip("/") + "/", browser

    @contextmanager
    def page(self, address: str, *, dark: bool = False, phone: bool = False) -> Iterator[Page]:
        """A page of the app that is open for a while, as an annotator with a code name."""
        context = self._browser.new_context(
            viewport=PHONE if phone else WIDE, color_scheme="dark" if dark else "light", has_touch=phone
        )
        page = context.new_page()
        page.set_default_timeout(WAIT_MS)
        page.add_init_script("localStorage.setItem('reid-annotator', 'annotator-1')")
        page.goto(self.url + address)
        yield page
        context.close()

    def judge(self, pairs: list[tuple[str, str, str]]) -> None:
        """Store judgements: left, right, answer."""
        now = datetime.now(timezone.utc).isoformat()
        events = [
            {
                "id": str(uuid.uuid4()),
                "kind": "pair",
                "left": a,
                "right": b,
                "answer": answer,
                "decided_at": now,
            }
            for a, b, answer in pairs
        ]
        request = urllib.request.Request(
            f"{self.url}gradio_api/reid/v1/decisions",
            json.dumps({"annotator": "annotator-1", "events": events}).encode(),
            {"Content-Type": "application/json"},
        )
        urllib.request.urlopen(request).close()


def keep(page: Page, name: str, *, settle_ms: int = 2_500) -> None:
    """Wait until pictures have come, then write the screenshot."""
    page.wait_for_timeout(settle_ms)
    page.screenshot(path=IMAGES / f"{name}.jpg", type="jpeg", quality=QUALITY)
    print(name, flush=True)


def crops_of(pid: int) -> list[str]:
    """Query and gallery crops of a person, queries first."""
    return [
        f"{split}/{path.name}"
        for split in ("query", "gallery")
        for path in sorted((CITY / split).glob(f"{pid:04d}_*.jpg"))
    ]


def search(studio: Studio) -> None:
    """A query and its matches: light, dark, on a phone, and what moved the score of one match."""
    address = f"?q={crops_of(1)[0]}"
    for name, options in (("light", {}), ("dark", {"dark": True}), ("phone", {"phone": True})):
        with studio.page(address, **options) as page:
            page.wait_for_selector(".rs-card")
            keep(page, f"search-{name}")
    with studio.page(address) as page:
        page.wait_for_selector(".rs-card")
        page.locator(".rs-card-open").nth(7).click()
        page.keyboard.press("h")
        page.wait_for_selector(".rs-heat:not([hidden])")
        keep(page, "search-evidence")


def explain(studio: Studio) -> None:
    """Evidence over a pair, and how far to trust it."""
    query, match = crops_of(1)[0], crops_of(1)[-1]
    with studio.page(f"explain?q={query}&c={match}") as page:
        page.wait_for_selector(".rs-heat:not([hidden])")
        keep(page, "explain-light")
        page.locator(".rs-check svg").first.wait_for()
        page.locator("text=How far to trust").first.scroll_into_view_if_needed()
        page.evaluate("window.scrollBy(0, 500)")
        keep(page, "explain-checks")


def draw_map(studio: Studio) -> None:
    """The map, coloured by camera, with the crop under the pointer."""
    with studio.page("map") as page:
        page.wait_for_selector("text=/UMAP/")
        page.select_option("[data-part=colour]", "camera")
        page.wait_for_selector("#rs-map-panel .rs-job", state="detached")
        page.wait_for_timeout(3_000)
        box = page.locator("canvas").first.bounding_box()
        assert box is not None
        for dx, dy in itertools.product(range(-90, 91, 9), repeat=2):  # until some point is hit
            page.mouse.move(box["x"] + box["width"] / 2 + dx, box["y"] + box["height"] / 2 + dy)
            page.wait_for_timeout(30)
            if page.locator("[data-part=tip]:visible").count():
                break
        keep(page, "map-light")


def evaluate(studio: Studio) -> None:
    """A run's overview and its failures."""
    with studio.page("evaluate") as page:
        page.wait_for_selector("text=No evaluation yet")  # from the server: the page listens now
        page.click("text=Start run")
        page.wait_for_selector("a[data-view=failures]")
        keep(page, "evaluate-light")
        page.click("a[data-view=failures]")
        page.wait_for_selector(".rs-failure")
        keep(page, "evaluate-failures")


def review(studio: Studio) -> None:
    """A question, on a screen and on a phone, and the identities after some answers."""
    left, right = crops_of(126)[0], crops_of(127)[0]
    for name, phone in (("light", False), ("phone", True)):
        with studio.page(f"review?pair={left},{right}", phone=phone) as page:
            page.wait_for_selector("[data-part=question] img")
            keep(page, f"review-{name}")
    first, second, third = crops_of(101), crops_of(103), crops_of(105)
    studio.judge(
        [(first[0], second[0], "same"), (first[1], third[0], "same"), (second[1], third[1], "different")]
    )
    with studio.page("identities?sort=recent") as page:
        page.wait_for_selector(".ri-card img, .ri-identity img")
        keep(page, "identities-light")


def retrain(studio: Studio) -> None:
    """The gate, after a short training run on some judgements."""
    people = [crops for crops in map(crops_of, range(1, 81)) if len(crops) > 1]
    same = [(crops[0], crops[-1], "same") for crops in people]
    different = [(a[0], b[0], "different") for a, b in itertools.pairwise(people)]
    studio.judge([*same, *different])
    with studio.page("retrain") as page:
        page.wait_for_selector("#step-1 .rs-tile >> text=Locked test")
        page.fill("#step-2 [data-part=name]", "First set")
        page.click("#step-2 [data-part=freeze-button]")
        page.wait_for_selector(".rs-set:has-text('First set')")
        page.fill("#step-3 [data-part=steps]", str(STEPS))
        page.click("#step-3 [data-part=start]")
        page.wait_for_selector("#step-4 .rs-outcome")
        page.evaluate("document.querySelector('#step-4').scrollIntoView(); scrollBy(0, -60)")
        keep(page, "retrain-light")


PICTURES: dict[str, Callable[[Studio], None]] = {
    "search": search,
    "explain": explain,
    "map": draw_map,
    "evaluate": evaluate,
    "review": review,
    "retrain": retrain,
}


def main() -> None:
    """Parse the command line, make the pictures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--url", required=True, help="of the running app")
    parser.add_argument("--chromium", default="/usr/bin/chromium", help="path of the browser")
    parser.add_argument("--only", nargs="+", choices=PICTURES, default=list(PICTURES))
    options = parser.parse_args()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=options.chromium, args=["--no-sandbox", "--disable-gpu"]
        )
        studio = Studio(options.url, browser)
        for name in options.only:
            PICTURES[name](studio)
        browser.close()


if __name__ == "__main__":
    main()
