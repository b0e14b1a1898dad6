/* Where else the person was seen: pictures over camera lanes, placed by time (by similarity without times). */
(() => {
  "use strict";
  const { el, svg, imageUrl, VERDICTS } = window.reid;
  const LANE = 13;
  const AXIS = 17;
  const LABEL = 48;
  const PICTURE = { width: 27, height: 54 };
  const LEADER = 12;
  const MARGIN = 16;

  /** Nudge sorted positions apart by at least `gap`, inside [low, high], moving each as little as is easy. */
  function spread(positions, gap, low, high) {
    const placed = [];
    for (const position of positions) {
      placed.push(Math.max(position, placed.length ? placed.at(-1) + gap : low));
    }
    let limit = high;
    for (let i = placed.length - 1; i >= 0; i -= 1) {
      placed[i] = Math.min(placed[i], limit);
      limit = placed[i] - gap;
    }
    return placed;
  }

  function dot(mark, x, y) {
    if (mark.rank === 0) {
      return svg("rect", { x: x - 4, y: y - 4, width: 8, height: 8, transform: `rotate(45 ${x} ${y})`, class: "rs-mark-query" });
    }
    if (mark.verdict === "false") {
      return svg("path", { d: `M${x - 2.5} ${y - 2.5}l5 5M${x + 2.5} ${y - 2.5}l-5 5`, class: "rs-mark", "data-verdict": "false" });
    }
    return svg("circle", { cx: x, cy: y, r: mark.verdict === "true" ? 4.5 : 3, class: "rs-mark", "data-verdict": mark.verdict });
  }

  /** Draw into `box`; onOpen(rank) when a picture is chosen. Returns nothing; call it again on another width. */
  window.reid.drawSightings = (box, chart, { query, hits, onOpen }) => {
    const width = Math.max(box.clientWidth, 240);
    const right = width - MARGIN;
    const left = LABEL + MARGIN;
    const at = (x) => left + x * (right - left);
    const top = PICTURE.height + LEADER;
    const height = top + chart.lanes.length * LANE + AXIS;
    const laneY = (lane) => top + lane * LANE + LANE / 2;
    const most = Math.max(1, Math.floor((right - left + PICTURE.width) / (PICTURE.width + 2)));

    const picture = svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" });
    chart.lanes.forEach((lane, index) => {
      const y = laneY(index);
      const label = svg("text", { x: 0, y: y + 3.5, class: "rs-chart-label" });
      label.textContent = lane.label;
      picture.append(label, svg("line", { x1: LABEL, x2: width, y1: y, y2: y, class: "rs-chart-lane" }));
    });
    const ticks = width < 520 ? chart.ticks.filter((_, i) => i % 2 === 0) : chart.ticks;
    for (const tick of ticks) {
      const anchor = tick.x < 0.1 ? "start" : tick.x > 0.9 ? "end" : "middle";
      const text = svg("text", { x: at(tick.x) + (anchor === "end" ? MARGIN : 0), y: height - 3, class: "rs-chart-label", "text-anchor": anchor });
      text.textContent = tick.label;
      picture.append(svg("line", { x1: at(tick.x), x2: at(tick.x), y1: top, y2: height - AXIS, class: "rs-chart-tick" }), text);
    }

    const pictured = chart.marks
      .filter((mark) => mark.has_picture)
      .slice(0, most)
      .sort((a, b) => a.x - b.x);
    const centres = spread(
      pictured.map((mark) => at(mark.x)),
      PICTURE.width + 2,
      LABEL + PICTURE.width / 2,
      width - PICTURE.width / 2,
    );
    const buttons = pictured.map((mark, index) => {
      const hit = mark.rank ? hits[mark.rank - 1] : null;
      const shown = hit ?? query;
      const centre = centres[index];
      picture.append(
        svg("path", {
          d: `M${centre} ${PICTURE.height + 1}V${PICTURE.height + 4}L${at(mark.x)} ${top - 1}V${laneY(mark.lane)}`,
          class: "rs-chart-leader",
          "data-verdict": mark.rank ? mark.verdict : "query",
        }),
      );
      const words = hit
        ? `Rank ${hit.rank}, ${VERDICTS[hit.verdict].long}, ${hit.camera}, ${hit.time}`
        : "The query itself";
      const style = `left:${centre - PICTURE.width / 2}px;width:${PICTURE.width}px;height:${PICTURE.height}px`;
      const image = el("img", { src: imageUrl(shown.image_url, 256), alt: "", draggable: "false" });
      return hit
        ? el("button", { type: "button", class: "rs-sighting", style, title: words, "aria-label": words, "data-verdict": hit.verdict, onclick: () => onOpen(hit.rank) }, image)
        : el("span", { class: "rs-sighting", style, title: words, "data-verdict": "query" }, image);
    });
    for (const mark of [...chart.marks].reverse()) picture.append(dot(mark, at(mark.x), laneY(mark.lane)));
    box.style.height = `${height}px`;
    box.replaceChildren(picture, ...buttons);
  };
})();
