"""How long it takes from the key that answers to the next question on screen.

Drives a running app in Chromium: `python app.py`, then `python benchmarks/review_page.py`. For each of --size
answers it reports the time from the key event to two frames after the next question's pictures are loaded and
decoded, and whether that was under 100 ms. --think is the time between two answers, in which the page fetches
ahead. The time that the page's main thread computed meanwhile does, unlike the others, not grow with the load
of the machine. The answers are real ones of a code name of its own: use an app whose log may be thrown away.
"""

from __future__ import annotations

import argparse
import json
import statistics

from playwright.sync_api import Page, sync_playwright

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]

# Runs in the page: press the key that answers, wait for other pictures, until they are painted.
MEASURE = """async () => {
  const frame = () => new Promise((done) => requestAnimationFrame(done));
  const pictures = () => [...document.querySelectorAll("[data-part=question] img")];
  const shown = () => pictures().map((picture) => picture.src).join();
  const before = shown();
  const code = document.querySelector(".rv-sheet") ? "Enter" : "KeyJ";
  const start = performance.now();
  const press = { code, key: code, bubbles: true, composed: true };
  document.body.dispatchEvent(new KeyboardEvent("keydown", press));
  while (shown() === before || !pictures().length) {
    if (performance.now() - start > 20000) return null;
    await frame();
  }
  await Promise.all(pictures().map((picture) => picture.decode()));
  await frame();
  await frame();
  return performance.now() - start;
}"""


def measure(page: Page, number: int, think_ms: float) -> list[tuple[float, float]]:
    """Per answer, up to ``number``: ms from key to paint, and ms that the page's main thread computed."""
    metrics = page.context.new_cdp_session(page)
    metrics.send("Performance.enable", {"timeDomain": "threadTicks"})

    def thread_ms() -> float:
        found = metrics.send("Performance.getMetrics")["metrics"]
        return 1000 * next(float(entry["value"]) for entry in found if entry["name"] == "ThreadTime")

    times = []
    for _ in range(number):
        page.wait_for_timeout(think_ms)
        before = thread_ms()
        elapsed = page.evaluate(MEASURE)
        if elapsed is None:
            break
        times.append((float(elapsed), thread_ms() - before))
    return times


def main() -> None:
    """Parse the command line, answer, print the times."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--url", default="http://127.0.0.1:7860/")
    parser.add_argument("--size", type=int, default=40, help="how many answers")
    parser.add_argument("--think", type=float, default=1.0, help="seconds between answers")
    parser.add_argument("--seed", type=int, default=0, help="part of the code name")
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    parser.add_argument("--json", action="store_true", help="make the last line one JSON object")
    options = parser.parse_args()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=options.chromium, args=FLAGS)
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        context.add_init_script(f"localStorage.setItem('reid-annotator', 'benchmark-{options.seed}')")
        page = context.new_page()
        page.goto(f"{options.url}review")
        page.wait_for_selector(".rv-pair, .rv-sheet", timeout=120_000)
        page.wait_for_timeout(2000)
        measured = measure(page, options.size, 1000 * options.think)
        browser.close()
    if not measured:
        raise SystemExit("No question followed an answer.")
    times = sorted(elapsed for elapsed, _ in measured)
    cpu = statistics.median(cpu for _, cpu in measured)
    p95 = times[min(len(times) - 1, int(0.95 * len(times)))]
    share = sum(time < 100 for time in times) / len(times)
    median = statistics.median(times)
    print(f"{len(times)} answers: median {median:.0f} ms, p95 {p95:.0f} ms, max {times[-1]:.0f} ms")
    print(f"{share:.0%} under 100 ms; the main thread computed for {cpu:.0f} ms (median)")
    if options.json:
        print(
            json.dumps(
                {"p50_ms": median, "p95_ms": p95, "under_100": share, "cpu_ms": cpu, "answers": len(times)}
            )
        )


if __name__ == "__main__":
    main()
