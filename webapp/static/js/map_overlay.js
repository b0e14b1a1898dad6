/* Over the points: axes, the crop in focus, the query, and the outline that is being drawn. */
(() => {
  "use strict";

  /** Round numbers about `wanted` apart between low and high. */
  function ticks(low, high, wanted) {
    const raw = (high - low) / Math.max(1, wanted);
    const power = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= raw);
    const found = [];
    for (let n = Math.ceil(low / step); n * step <= high; n += 1) found.push(n === 0 ? 0 : n * step);
    const digits = Math.max(0, -Math.floor(Math.log10(step)));
    return found.map((value) => [value, value.toFixed(digits)]);
  }

  function axes(context, cloud, colour) {
    const { left, right, bottom, top } = cloud.viewCorners();
    context.fillStyle = colour;
    context.strokeStyle = colour;
    context.lineWidth = 1;
    context.font = "11px system-ui, sans-serif";
    context.textAlign = "center";
    context.beginPath();
    for (const [x, text] of ticks(left, right, cloud.width / 110)) {
      const [at] = cloud.toScreen(x, 0);
      if (at < 34 || at > cloud.width - 14) continue;
      context.moveTo(at, cloud.height);
      context.lineTo(at, cloud.height - 4);
      context.fillText(text, at, cloud.height - 7);
    }
    context.textAlign = "left";
    for (const [y, text] of ticks(bottom, top, cloud.height / 90)) {
      const [, at] = cloud.toScreen(0, y);
      if (at < 10 || at > cloud.height - 20) continue;
      context.moveTo(0, at);
      context.lineTo(4, at);
      context.fillText(text, 7, at + 4);
    }
    context.stroke();
  }

  function ring(context, [x, y], radius, ink, background) {
    for (const [width, colour] of [[4, background], [2, ink]]) {
      context.lineWidth = width;
      context.strokeStyle = colour;
      context.beginPath();
      context.arc(x, y, radius, 0, 2 * Math.PI);
      context.stroke();
    }
  }

  function diamond(context, [x, y], { background, accent }) {
    context.beginPath();
    context.moveTo(x, y - 9);
    context.lineTo(x + 9, y);
    context.lineTo(x, y + 9);
    context.lineTo(x - 9, y);
    context.closePath();
    context.fillStyle = accent;
    context.fill();
    context.lineWidth = 2;
    context.strokeStyle = background;
    context.stroke();
    context.font = "600 12px system-ui, sans-serif";
    context.textAlign = "left";
    context.lineWidth = 3;
    context.strokeText("query", x + 12, y + 4);
    context.fillText("query", x + 12, y + 4);
  }

  function outline(context, points, accent, background) {
    context.beginPath();
    points.forEach(([x, y], index) => (index ? context.lineTo(x, y) : context.moveTo(x, y)));
    context.closePath();
    context.globalAlpha = 0.12;
    context.fillStyle = accent;
    context.fill();
    context.globalAlpha = 1;
    for (const [width, colour] of [[3.5, background], [1.5, accent]]) {
      context.lineWidth = width;
      context.strokeStyle = colour;
      context.stroke();
    }
  }

  /** marks: { focus: row or -1, query: {x, y} or null, outline: [[sx, sy], ...] or null }, colours from the theme. */
  window.reid.drawOverlay = (canvas, cloud, marks, colours) => {
    const context = canvas.getContext("2d");
    context.setTransform(cloud.ratio, 0, 0, cloud.ratio, 0, 0);
    context.clearRect(0, 0, cloud.width, cloud.height);
    if (!cloud.count) return;
    axes(context, cloud, colours.muted);
    if (marks.query) diamond(context, cloud.toScreen(marks.query.x, marks.query.y), colours);
    if (marks.focus >= 0) {
      const place = cloud.toScreen(cloud.x[marks.focus], cloud.y[marks.focus]);
      ring(context, place, cloud.radius + 5, colours.accent, colours.background);
    }
    if (marks.outline?.length > 1) outline(context, marks.outline, colours.accent, colours.background);
  };
})();
