/* Deletion and insertion curves, the random-weights check, and what leaving a stream out really does. */
(() => {
  "use strict";
  const { el, svg, heatMaps } = window.reid;
  const { numberText } = heatMaps;
  const W = 300;
  const H = 150;
  const PAD = { left: 36, right: 8, top: 8, bottom: 20 };

  function curveChart(title, curve) {
    const all = [...curve.map, ...curve.random.flat()];
    const low = Math.min(...all);
    const high = Math.max(...all, low + 1e-6);
    const x = (share) => PAD.left + share * (W - PAD.left - PAD.right);
    const y = (value) => H - PAD.bottom - ((value - low) / (high - low)) * (H - PAD.top - PAD.bottom);
    const line = (values, name) => svg("polyline", { class: name, points: values.map((value, at) => `${x(curve.fractions[at])},${y(value)}`).join(" ") });
    const label = (text, at, anchor = "middle") => {
      const node = svg("text", { x: at[0], y: at[1], class: "rs-chart-label", "text-anchor": anchor });
      node.append(text);
      return node;
    };
    const words = `${title}: area ${curve.area.toFixed(3)} in the map's order, ${curve.random_area.toFixed(3)} in random orders`;
    return el(
      "figure",
      { class: "rs-check" },
      el("figcaption", {}, title),
      svg(
        "svg",
        { viewBox: `0 0 ${W} ${H}`, role: "img", "aria-label": words },
        svg("line", { class: "rs-chart-lane", x1: x(0), x2: x(1), y1: y(low), y2: y(low) }),
        ...curve.random.map((values) => line(values, "rs-curve-random")),
        line(curve.map, "rs-curve-map"),
        label(high.toFixed(2), [PAD.left - 5, y(high) + 8], "end"),
        label(low.toFixed(2), [PAD.left - 5, y(low)], "end"),
        label("0%", [x(0), H - 5]),
        label("100% of the crop", [x(1), H - 5], "end"),
      ),
      el("p", { class: "rs-hint rs-num" }, `Cosine. Solid: this map's order, area ${curve.area.toFixed(3)}. Dashed: random orders, ${curve.random_area.toFixed(3)}.`),
    );
  }

  function weightsTable(steps) {
    const row = ({ layer, correlation }) => {
      const fill = el("i");
      fill.style.width = `${Math.abs(correlation ?? 0) * 100}%`;
      return el(
        "tr",
        {},
        el("th", { scope: "row" }, layer),
        el("td", {}, el("span", { class: "rs-share", "aria-hidden": "true" }, fill)),
        el("td", { class: "rs-num" }, correlation === null ? "flat" : numberText(Number(correlation.toFixed(2)))),
      );
    };
    return el(
      "figure",
      { class: "rs-check" },
      el("figcaption", {}, "Weights shuffled, from the output down to"),
      el(
        "table",
        { class: "rs-check-table" },
        el("thead", {}, el("tr", {}, ...["Layer", "", "Rank correlation"].map((text) => el("th", { scope: "col" }, text || el("span", { class: "rs-sr" }, "Bar"))))),
        el("tbody", {}, ...steps.map(row)),
      ),
    );
  }

  function streamsTable(streams, fields) {
    const cells = (side, stream) => [streams.predicted, streams.measured].map((values) => el("td", { class: "rs-num" }, numberText(values[side][stream], { signed: true })));
    return el(
      "figure",
      { class: "rs-check" },
      el("figcaption", {}, "One stream of this block left out"),
      el(
        "table",
        { class: "rs-check-table" },
        el(
          "thead",
          {},
          el("tr", {}, el("th", { scope: "col", rowspan: "2" }, "Stream"), el("th", { scope: "colgroup", colspan: "2" }, "in the query"), el("th", { scope: "colgroup", colspan: "2" }, "in the other crop")),
          el("tr", {}, ...["evidence", "measured", "evidence", "measured"].map((text) => el("th", { scope: "col" }, text))),
        ),
        el("tbody", {}, ...fields.map(({ stream, field }) => el("tr", {}, el("th", { scope: "row" }, `${stream}: ${field} × ${field}`), ...cells(0, stream - 1), ...cells(1, stream - 1)))),
      ),
      el("p", { class: "rs-hint" }, "How much lower the cosine is without the stream. Evidence is the slope at what is there, so it can be far from what a whole stream's absence does."),
    );
  }

  /** Nodes for an answer of the address explain/checks; `fields` are the streams of the explanation. */
  window.reid.showChecks = (checks, fields) => [
    el(
      "div",
      { class: "rs-map-checks" },
      curveChart("Cells covered, strongest first", checks.deletion),
      curveChart("Cells uncovered, strongest first", checks.insertion),
      weightsTable(checks.weights),
      ...(checks.streams ? [streamsTable(checks.streams, fields)] : []),
    ),
    el("p", {}, checks.places_verdict),
    el("p", {}, checks.weights_verdict),
    el("p", { class: "rs-hint" }, "Covered cells turn into the mean colour of the training pictures, which no real crop shows; the curves say how the network reacts to that, too."),
  ];
})();
