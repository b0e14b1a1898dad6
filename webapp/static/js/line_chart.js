/* A small line chart as SVG: lines differ in colour and dash, and are named beside it with their last value. */
(() => {
  "use strict";
  if (window.reid.lineChart) return;
  const { el, svg } = window.reid;
  const WIDTH = 420, HEIGHT = 190, LEFT = 44, RIGHT = 10, TOP = 8, BOTTOM = 36;
  const DASHES = ["", "6 3", "2 3", "8 3 2 3", "12 4", "1 4"];

  function ticks(low, high, count = 4) {
    const rough = (high - low) / count || 1;
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((m) => m * power).find((value) => value >= rough);
    const found = [];
    for (let value = Math.ceil(low / step) * step; value <= high + step / 1e6; value += step) found.push(value);
    return found;
  }
  const text = (value) => String(Number(value.toPrecision(4)));

  /** Figure for {title, lines: [{title, points}], xTitle, yFormat, fromZero, mark: {x, title}}; null without points. */
  window.reid.lineChart = ({ title, lines, xTitle, yFormat = text, fromZero = false, mark = null }) => {
    const all = lines.flatMap((line) => line.points);
    if (!all.length) return null;
    const xs = all.map(([x]) => x), ys = all.map(([, y]) => y);
    const [xLow, xHigh] = [Math.min(...xs), Math.max(...xs)];
    let [yLow, yHigh] = [fromZero ? Math.min(0, ...ys) : Math.min(...ys), Math.max(...ys)];
    if (yHigh === yLow) [yLow, yHigh] = [yLow - Math.abs(yLow || 1) * 0.1, yHigh + Math.abs(yHigh || 1) * 0.1];
    const X = (x) => LEFT + ((x - xLow) / (xHigh - xLow || 1)) * (WIDTH - LEFT - RIGHT);
    const Y = (y) => HEIGHT - BOTTOM - ((y - yLow) / (yHigh - yLow)) * (HEIGHT - TOP - BOTTOM);
    const grid = ticks(yLow, yHigh).flatMap((value) => [
      svg("line", { x1: LEFT, x2: WIDTH - RIGHT, y1: Y(value), y2: Y(value), class: "rs-chart-grid" }),
      svg("text", { x: LEFT - 6, y: Y(value) + 4, "text-anchor": "end" }, yFormat(value)),
    ]);
    const steps = ticks(xLow, xHigh, 5).map((value) => svg("text", { x: X(value), y: HEIGHT - BOTTOM + 14, "text-anchor": "middle" }, text(value)));
    const curves = lines.map((line, row) => {
      const attributes = { class: "rs-chart-line", "data-line": row % 6 };
      if (line.points.length === 1) return svg("circle", { ...attributes, cx: X(line.points[0][0]), cy: Y(line.points[0][1]), r: 3 });
      const points = line.points.map(([x, y]) => `${X(x).toFixed(1)},${Y(y).toFixed(1)}`).join(" ");
      return svg("polyline", { ...attributes, points, "stroke-dasharray": DASHES[row % 6] });
    });
    const marked = mark ? [svg("line", { x1: X(mark.x), x2: X(mark.x), y1: TOP, y2: HEIGHT - BOTTOM, class: "rs-chart-marked" })] : [];
    const last = (line) => yFormat(line.points.at(-1)[1]);
    const words = lines.filter((line) => line.points.length).map((line) => `${line.title} ${last(line)}`).join(", ");
    const key = lines.map((line, row) =>
      el("li", {}, svg("svg", { width: 22, height: 8, "aria-hidden": "true" }, svg("line", { x1: 0, x2: 22, y1: 4, y2: 4, class: "rs-chart-line", "data-line": row % 6, "stroke-dasharray": DASHES[row % 6] })), `${line.title} ${line.points.length ? last(line) : ""}`),
    );
    return el(
      "figure",
      { class: "rs-line-chart" },
      el("figcaption", {}, title),
      svg(
        "svg",
        { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": `${title}: from ${text(xLow)} to ${text(xHigh)} ${xTitle}; at the end ${words}${mark ? `; ${mark.title}` : ""}` },
        ...grid,
        ...steps,
        svg("text", { x: WIDTH - RIGHT, y: HEIGHT - 2, "text-anchor": "end" }, xTitle),
        ...marked,
        ...curves,
      ),
      el("ul", { class: "rs-chart-key rs-num" }, ...key, mark ? el("li", {}, mark.title) : null),
    );
  };
})();
