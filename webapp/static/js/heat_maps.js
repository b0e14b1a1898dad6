/* Maps over crops: unpack what the server sends, draw a map into a canvas, draw its colour scale. */
(() => {
  "use strict";
  const HATCH_PX = 7;
  const COLOURS = 256;

  function bytes(text) {
    const raw = atob(text);
    const out = new Uint8Array(raw.length);
    for (let at = 0; at < raw.length; at += 1) out[at] = raw.charCodeAt(at);
    return out;
  }

  /** { shape: [S, H, W], data } -> the map of stream 1..S, or of all together for stream 0. */
  function mapOf({ shape, data }, stream) {
    const [count, height, width] = shape;
    const all = new Float32Array(bytes(data).buffer);
    const size = height * width;
    if (stream > 0) return { height, width, values: all.subarray((stream - 1) * size, stream * size) };
    const values = new Float32Array(size);
    for (let at = 0; at < count * size; at += 1) values[at % size] += all[at];
    return { height, width, values };
  }

  const clamp = (value) => Math.min(Math.max(value, 0), 1);

  function canvasOf(width, height) {
    const canvas = document.createElement("canvas");
    canvas.width = width;
    canvas.height = height;
    return canvas;
  }

  function small({ values, height, width }, colourAt) {
    const image = new ImageData(width, height);
    for (let at = 0; at < values.length; at += 1) colourAt(values[at], image.data, at * 4);
    const canvas = canvasOf(width, height);
    canvas.getContext("2d").putImageData(image, 0, 0);
    return canvas;
  }

  let stripes = null;
  function stripePattern(context) {
    if (!stripes) {
      stripes = canvasOf(HATCH_PX, HATCH_PX);
      const pen = stripes.getContext("2d");
      for (let x = 0; x < HATCH_PX; x += 1) {
        for (let y = 0; y < HATCH_PX; y += 1) if ((x + y) % HATCH_PX < 2) pen.fillRect(x, y, 1, 1);
      }
    }
    return context.createPattern(stripes, "repeat");
  }

  /** Draw a map over the whole canvas. `scale` is the largest value; a signed map's negative cells are hatched. */
  function draw(canvas, map, { scale, colours, isSigned }) {
    const table = typeof colours === "string" ? bytes(colours) : colours;
    const share = (value) => (scale > 0 ? value / scale : 0);
    const context = canvas.getContext("2d");
    context.clearRect(0, 0, canvas.width, canvas.height);
    context.imageSmoothingQuality = "high";
    const painted = small(map, (value, out, at) => {
      const place = clamp(isSigned ? (share(value) + 1) / 2 : share(value));
      out.set(table.subarray(Math.round(place * (COLOURS - 1)) * 4, Math.round(place * (COLOURS - 1)) * 4 + 4), at);
    });
    context.drawImage(painted, 0, 0, canvas.width, canvas.height);
    if (!isSigned) return;
    const strength = small(map, (value, out, at) => {
      out[at + 3] = 255 * clamp(-share(value));
    });
    const lines = canvasOf(canvas.width, canvas.height);
    const pen = lines.getContext("2d");
    pen.imageSmoothingQuality = "high";
    pen.drawImage(strength, 0, 0, lines.width, lines.height);
    pen.globalCompositeOperation = "destination-in";
    pen.fillStyle = stripePattern(pen);
    pen.fillRect(0, 0, lines.width, lines.height);
    context.drawImage(lines, 0, 0);
  }

  /** The colour scale from its low to its high end. */
  function drawScale(canvas, { colours, isSigned }) {
    const values = Float32Array.from({ length: COLOURS }, (_, at) => {
      const place = at / (COLOURS - 1);
      return isSigned ? 2 * place - 1 : place;
    });
    draw(canvas, { values, height: 1, width: COLOURS }, { scale: 1, colours, isSigned });
  }

  /** A number with three digits that count; signed ones get a sign. */
  function numberText(value, { signed = false } = {}) {
    const digits = Math.abs(value) >= 0.001 || value === 0 ? String(Number(Math.abs(value).toPrecision(3))) : Math.abs(value).toExponential(1);
    if (value < 0) return `−${digits}`;
    return signed && value > 0 ? `+${digits}` : digits;
  }

  window.reid.heatMaps = { mapOf, draw, drawScale, numberText };
})();
