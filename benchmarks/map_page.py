"""Frames per second of the Map page's canvas: pan, zoom, hover and lasso over synthetic points, in Chromium.

It serves the page's own drawing code with random clusters, so neither a gallery nor a network is needed.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

STATIC = Path(__file__).parents[1] / "webapp" / "static" / "js"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
PAGE = """<!doctype html><body style="margin:0"><div style="position:relative;width:1100px;height:740px">
<canvas id="points" style="width:100%;height:100%"></canvas></div></body>"""

SET_UP = """({ count, seed }) => {
  let state = seed >>> 0;
  const random = () => ((state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32);
  const normal = () => Math.sqrt(-2 * Math.log(random() + 1e-12)) * Math.cos(2 * Math.PI * random());
  const centres = Array.from({ length: 300 }, () => [10 * random(), 10 * random()]);
  const [x, y, styleOf] = [new Float32Array(count), new Float32Array(count), new Uint32Array(count)];
  for (let i = 0; i < count; i += 1) {
    const group = Math.floor(random() * 300);
    x[i] = centres[group][0] + 0.15 * normal();
    y[i] = centres[group][1] + 0.15 * normal();
    styleOf[i] = group % 21;
  }
  const colours = ["#2f86eb", "#7d1d1d", "#cc7a00", "#2b2bb8", "#0b6b4a", "#d065b0", "#e0442a"];
  const shapes = ["disc", "square", "cross"];
  const style = (_, code) => ({ colour: colours[code % 7], shape: shapes[code % 3] });
  const styles = Array.from({ length: 21 }, style);
  const cloud = new window.reid.PointCloud(document.getElementById("points"));
  const started = performance.now();
  cloud.setPoints(x, y);
  cloud.resize(1100, 740, 1);
  cloud.setStyles(styles, styleOf);
  cloud.paint();
  window.cloud = cloud;
  return performance.now() - started;
}"""

FRAMES = """async ({ kind, seconds }) => {
  const { cloud } = window;
  cloud.fit();
  cloud.drawTimes = [];
  let frames = 0;
  const started = performance.now();
  while (performance.now() - started < seconds * 1000) {
    if (kind === "pan") cloud.pan(3 * Math.cos(frames / 15), 3 * Math.sin(frames / 15));
    else cloud.zoom(Math.floor(frames / 40) % 2 ? 0.95 : 1.05, 500, 350);
    await new Promise((done) => requestAnimationFrame(done));
    frames += 1;
  }
  const sorted = cloud.drawTimes.toSorted((a, b) => a - b);
  return { fps: (1000 * frames) / (performance.now() - started), draw: sorted[sorted.length >> 1] };
}"""

ASK = """() => {
  const { cloud } = window;
  cloud.fit();
  const time = (act) => {
    const started = performance.now();
    for (let i = 0; i < 20; i += 1) act(i);
    return (performance.now() - started) / 20;
  };
  const ring = Array.from({ length: 200 }, (_, i) => [5 + 4 * Math.cos(i / 32), 5 + 4 * Math.sin(i / 32)]);
  const hover = time((i) => cloud.nearest(40 * i, 30 * i));
  return { hover, lasso: time(() => cloud.inside(ring)), selected: cloud.inside(ring).length };
}"""


def measure(browser: Browser, count: int, seed: int, seconds: float) -> dict[str, float]:
    """Frames per second and milliseconds for ``count`` points."""
    with tempfile.TemporaryDirectory() as folder:
        page_file = Path(folder) / "map.html"
        page_file.write_text(PAGE)
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(page_file.as_uri())
        for script in ("core.js", "point_cloud.js"):
            page.add_script_tag(path=str(STATIC / script))
        load = page.evaluate(SET_UP, {"count": count, "seed": seed})
        pan = page.evaluate(FRAMES, {"kind": "pan", "seconds": seconds})
        zoom = page.evaluate(FRAMES, {"kind": "zoom", "seconds": seconds})
        asked = page.evaluate(ASK)
        page.close()
    return {"first": load, "pan": pan["fps"], "draw": pan["draw"], "zoom": zoom["fps"], **asked}


def main() -> None:
    """Print a table and, last, one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, nargs="+", default=[20_000, 100_000], help="numbers of points")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2.5, help="of panning and of zooming")
    arguments = parser.parse_args()
    results = {}
    with sync_playwright() as playwright:
        path = os.environ.get("CHROMIUM", "/usr/bin/chromium")
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        for count in arguments.size:
            runs = [
                measure(browser, count, arguments.seed, arguments.seconds) for _ in range(arguments.repeats)
            ]
            results[count] = {
                name: round(statistics.median(run[name] for run in runs), 1) for name in runs[0]
            }
        browser.close()
    names = ("first", "pan", "zoom", "draw", "hover", "lasso")
    print("  points" + "".join(f"{name:>9}" for name in names) + "   (pan and zoom frames/s, else ms)")
    for count, row in results.items():
        print(f"{count:8}" + "".join(f"{row[name]:9}" for name in names))
    print(json.dumps(results))


if __name__ == "__main__":
    main()
