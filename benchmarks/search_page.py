"""How long a ranking of 100 takes to be on screen, from the moment its answer has arrived.

Drives a running app in Chromium: `python app.py`, then `python benchmarks/search_page.py`. For each query it
reports the time from the answer (the page's own mark) to two frames after every picture is loaded and
decoded. Cold is a fresh browser profile that never saw the pictures; warm asks the same queries again. The
column cpu is what the page's main thread computed meanwhile: unlike the others it does not grow with the
load of the machine.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics

from playwright.sync_api import Browser, sync_playwright

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]

PARTS = ("cards", "visible", "all", "cpu")

# Runs in the page: search by the example at `place`, wait for a new answer, then for its pictures.
MEASURE = """async ({ place, count }) => {
  const frame = () => new Promise((done) => requestAnimationFrame(done));
  const answers = () => performance.getEntriesByName("reid:answer");
  const before = answers().length;
  document.querySelectorAll(".rs-example")[place].click();
  while (answers().length === before) await frame();
  const answered = answers().at(-1).startTime;
  while (document.querySelectorAll(".rs-card").length !== count) await frame();
  const pictures = [...document.querySelectorAll(".rs-card img")];
  const inView = pictures.filter((picture) => picture.getBoundingClientRect().top < innerHeight);
  const settle = async (wanted) => {
    await Promise.all(wanted.map((picture) => picture.decode()));
    await frame();
    await frame();
    return performance.now() - answered;
  };
  const cards = performance.now() - answered;
  const visible = settle(inView);
  return { cards, visible: await visible, all: await settle(pictures) };
}"""


def measure(browser: Browser, url: str, count: int, places: list[int]) -> dict[str, list[dict[str, float]]]:
    """Times in ms for every query, cold and then warm, in one fresh profile."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.goto(f"{url}?k={count}")
    page.wait_for_selector(".rs-card", timeout=120_000)
    metrics = context.new_cdp_session(page)
    metrics.send("Performance.enable", {"timeDomain": "threadTicks"})

    def thread_ms() -> float:
        found = metrics.send("Performance.getMetrics")["metrics"]
        return 1000 * next(entry["value"] for entry in found if entry["name"] == "ThreadTime")

    def run(place: int) -> dict[str, float]:
        before = thread_ms()
        times: dict[str, float] = page.evaluate(MEASURE, {"place": place, "count": count})
        return {**times, "cpu": thread_ms() - before}

    runs = {name: [run(place) for place in places] for name in ("cold", "warm")}
    context.close()
    return runs


def main() -> None:
    """Print a table and, last, one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", default="http://127.0.0.1:7860/", help="address of the running app")
    parser.add_argument("--size", type=int, default=100, help="matches in a ranking")
    parser.add_argument("--repeats", type=int, default=3, help="fresh browser profiles")
    arguments = parser.parse_args()
    places = [3, 5, 7, 9]
    times: dict[str, list[dict[str, float]]] = {"cold": [], "warm": []}
    with sync_playwright() as playwright:
        path = os.environ.get("CHROMIUM", "/usr/bin/chromium")
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        for _ in range(arguments.repeats):
            for name, runs in measure(browser, arguments.url, arguments.size, places).items():
                times[name] += runs
        browser.close()
    summary = {
        name: {part: round(statistics.median(run[part] for run in runs)) for part in PARTS}
        for name, runs in times.items()
    }
    print(f"{arguments.size} matches, median of {len(times['cold'])} queries, ms after the answer")
    print(" " * 6 + "".join(f"{part:>9}" for part in PARTS))
    for name, row in summary.items():
        print(f"{name:6}" + "".join(f"{row[part]:9}" for part in PARTS))
    print(json.dumps(summary))


if __name__ == "__main__":
    main()
