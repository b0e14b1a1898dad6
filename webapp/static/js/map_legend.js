/* The legend as a list, as a scale, as styles for the points, and drawn into an exported picture. */
(() => {
  "use strict";
  const { el, svg } = window.reid;
  const QUIET = { light: "#8a93a1", dark: "#6d7686" };
  const STEPS = 64;
  const MAX_DRAWN = 16;

  const swatchPath = { disc: "M8 3.500a4.500 4.500 0 1 0 0 9a4.500 4.500 0 1 0 0-9", square: "M4 4h8v8h-8z", cross: "M6.500 3h3v3.500h3.500v3h-3.500v3.500h-3v-3.500h-3.500v-3h3.500z" };

  /** A mark as the map draws it. */
  window.reid.legendMark = ({ shape, colour }) =>
    svg("svg", { viewBox: "0 0 16 16", width: 14, height: 14, "aria-hidden": "true" }, svg("path", { d: swatchPath[shape], fill: colour }));

  function mixed(stops, share) {
    const at = Math.min(Math.max(share, 0), 1) * (stops.length - 1);
    const below = Math.min(Math.floor(at), stops.length - 2);
    const [low, high] = [stops[below], stops[below + 1]].map((text) => [1, 3, 5].map((i) => parseInt(text.slice(i, i + 2), 16)));
    return `#${low.map((value, i) => Math.round(value + (high[i] - value) * (at - below)).toString(16).padStart(2, "0")).join("")}`;
  }

  /** { styles, styleOf }: what PointCloud.setStyles takes, for a colour channel and its legend; null colours all alike. */
  window.reid.stylesFor = (legend, channel, theme, accent, count) => {
    const quiet = { colour: QUIET[theme], shape: "disc" };
    const styleOf = new Uint32Array(count);
    if (!legend) return { styles: [{ colour: accent, shape: "disc" }], styleOf };
    if (legend.kind === "scale") {
      const width = legend.high - legend.low || 1;
      const styles = [quiet];
      for (let step = 0; step <= STEPS; step += 1) styles.push({ colour: mixed(legend[theme], step / STEPS), shape: "disc" });
      for (let i = 0; i < count; i += 1) {
        const value = channel[i];
        if (value === value) styleOf[i] = 1 + Math.round(Math.min(Math.max((value - legend.low) / width, 0), 1) * STEPS);
      }
      return { styles, styleOf };
    }
    const cycle = legend.cycle[theme];
    const styles = [quiet];
    const placeOf = new Map();
    for (const code of legend.quiet) placeOf.set(code, 0);
    for (let i = 0; i < count; i += 1) {
      const code = channel[i];
      if (code < 0) continue;
      if (!placeOf.has(code)) {
        placeOf.set(code, styles.length);
        styles.push({ colour: cycle[code % cycle.length], shape: legend.shapes[code % legend.shapes.length] });
      }
      styleOf[i] = placeOf.get(code);
    }
    return { styles, styleOf };
  };

  /** Fill the scale's bar and ticks. */
  window.reid.showScale = (bar, ticks, legend, theme) => {
    bar.style.background = `linear-gradient(to right, ${legend[theme].join(", ")})`;
    ticks.replaceChildren(...legend.ticks.map(([, text]) => el("span", {}, text)));
  };

  /** Draw the legend over the upper right corner of an exported picture. */
  window.reid.drawLegend = (context, legend, { ratio, colours, isDark }) => {
    if (!legend) return;
    const theme = isDark ? "dark" : "light";
    const shown = legend.kind === "groups" ? legend.entries.slice(0, MAX_DRAWN) : legend.ticks.map(([share, label]) => ({ label, share }));
    const height = 34 + 20 * shown.length;
    const width = 190;
    context.setTransform(ratio, 0, 0, ratio, context.canvas.width - (width + 10) * ratio, 10 * ratio);
    context.fillStyle = colours.background;
    context.strokeStyle = colours.muted;
    context.lineWidth = 1;
    context.beginPath();
    context.rect(0, 0, width, height);
    context.fill();
    context.stroke();
    context.textAlign = "left";
    context.fillStyle = colours.ink;
    context.font = "600 12px system-ui, sans-serif";
    context.fillText(legend.unit ? `${legend.title} (${legend.unit})` : legend.title, 10, 19, width - 20);
    context.font = "12px system-ui, sans-serif";
    shown.forEach((entry, row) => {
      const y = 30 + 20 * row;
      context.save();
      context.translate(8, y);
      context.fillStyle = entry.share === undefined ? entry[theme] : mixed(legend[theme], entry.share);
      context.fill(new Path2D(swatchPath[entry.shape ?? "square"]));
      context.restore();
      context.fillStyle = colours.ink;
      context.fillText(entry.share === undefined ? `${entry.label} (${entry.count})` : entry.label, 30, y + 12, width - 40);
    });
  };
})();
