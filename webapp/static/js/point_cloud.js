/* Points on a canvas: drawn pixel by pixel, found through a grid. 100,000 points take a few milliseconds without a
   GPU. Coordinates: map units with y upwards; screen positions in CSS pixels from the canvas' corner. */
(() => {
  "use strict";
  const MARGIN = 26;
  const MAX_ZOOM = 400;
  const SHAPES = { disc: 0, square: 1, cross: 2 };
  const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

  /** 0xAABBGGRR, as pixels lie in memory, of "#rrggbb" mixed with a background. */
  function pixel(colour, background = colour, share = 1) {
    const parts = [1, 3, 5].map((at) => {
      const [front, back] = [colour, background].map((text) => parseInt(text.slice(at, at + 2), 16));
      return Math.round(back + (front - back) * share);
    });
    return (0xff000000 | (parts[2] << 16) | (parts[1] << 8) | parts[0]) >>> 0;
  }

  /** Offsets [dx, dy, ...] of the pixels of a shape with this radius. */
  function stamp(shape, radius) {
    const offsets = [];
    const reach = Math.ceil(radius);
    const arm = Math.max(0, Math.floor(radius / 2.6));
    for (let y = -reach; y <= reach; y += 1) {
      for (let x = -reach; x <= reach; x += 1) {
        const inside =
          shape === SHAPES.disc
            ? x * x + y * y <= radius * radius + 0.3
            : shape === SHAPES.square
              ? Math.max(Math.abs(x), Math.abs(y)) <= radius * 0.85
              : (Math.abs(x) <= arm || Math.abs(y) <= arm) && Math.max(Math.abs(x), Math.abs(y)) <= radius * 1.1;
        if (inside) offsets.push(x, y);
      }
    }
    return Int32Array.from(offsets);
  }

  class PointCloud {
    constructor(canvas) {
      this.canvas = canvas;
      this.context = canvas.getContext("2d", { alpha: false });
      this.count = 0;
      this.x = new Float32Array(0);
      this.y = this.x;
      this.width = this.height = 1;
      this.ratio = 1;
      this.view = null; // { scale, left, top }: screen = left + x * scale, top - y * scale
      this.fitScale = 1;
      this.background = "#ffffff";
      this.ink = "#000000";
      this.selected = new Uint8Array(0);
      this.numSelected = 0;
      this.highlighted = null;
      this.onDraw = () => {};
      this.frame = 0;
      this.drawTimes = [];
    }

    /** New places of `x.length` crops; `keepView` for places that only moved a little. */
    setPoints(x, y, { keepView = false } = {}) {
      const isOther = x.length !== this.count;
      this.x = x;
      this.y = y;
      this.count = x.length;
      if (isOther) {
        this.selected = new Uint8Array(this.count);
        this.numSelected = 0;
        this.highlighted = null;
        this.pixels = new Uint32Array(this.count);
        this.faded = new Uint32Array(this.count);
        this.shapes = new Uint8Array(this.count);
      }
      this.measure();
      this.buildGrid();
      if (!this.view || !keepView) this.fit();
      this.draw();
    }

    measure() {
      const { x, y, count } = this;
      let [left, right, bottom, top] = [Infinity, -Infinity, Infinity, -Infinity];
      for (let i = 0; i < count; i += 1) {
        if (x[i] < left) left = x[i];
        if (x[i] > right) right = x[i];
        if (y[i] < bottom) bottom = y[i];
        if (y[i] > top) top = y[i];
      }
      this.extent = count ? { left, right, bottom, top } : { left: 0, right: 1, bottom: 0, top: 1 };
    }

    buildGrid() {
      const { x, y, count, extent } = this;
      const side = Math.max(16, Math.ceil(Math.sqrt(count / 4)));
      const perX = side / (extent.right - extent.left || 1);
      const perY = side / (extent.top - extent.bottom || 1);
      const cell = new Uint32Array(count);
      const starts = new Uint32Array(side * side + 1);
      for (let i = 0; i < count; i += 1) {
        const column = Math.min(side - 1, ((x[i] - extent.left) * perX) | 0);
        const row = Math.min(side - 1, ((y[i] - extent.bottom) * perY) | 0);
        cell[i] = column + side * row;
        starts[cell[i] + 1] += 1;
      }
      for (let i = 0; i < side * side; i += 1) starts[i + 1] += starts[i];
      const next = starts.slice();
      const order = new Uint32Array(count);
      for (let i = 0; i < count; i += 1) order[next[cell[i]]++] = i;
      this.grid = { side, perX, perY, starts, order };
    }

    /** Look of every point: styles is a list of { colour, shape }, styleOf (count) indexes it. */
    setStyles(styles, styleOf) {
      const full = styles.map(({ colour }) => pixel(colour));
      const faint = styles.map(({ colour }) => pixel(colour, this.background, 0.16));
      const kinds = styles.map(({ shape }) => SHAPES[shape]);
      for (let i = 0; i < this.count; i += 1) {
        const style = styleOf[i];
        this.pixels[i] = full[style];
        this.faded[i] = faint[style];
        this.shapes[i] = kinds[style];
      }
      this.draw();
    }

    setTheme(background, ink) {
      this.background = background;
      this.ink = ink;
    }

    select(rows) {
      this.selected.fill(0);
      for (const row of rows) this.selected[row] = 1;
      this.numSelected = rows.length;
      this.draw();
    }

    /** A (count) mask of what stands out; null lets all stand out. */
    highlight(mask) {
      this.highlighted = mask;
      this.draw();
    }

    /* ---- view ---- */
    resize(width, height, ratio) {
      const centre = this.view && this.toMap(this.width / 2, this.height / 2);
      this.width = width;
      this.height = height;
      this.ratio = ratio;
      this.canvas.width = Math.max(1, Math.round(width * ratio));
      this.canvas.height = Math.max(1, Math.round(height * ratio));
      this.image = null;
      const zoom = this.view ? this.view.scale / this.fitScale : 1;
      this.measureFit();
      if (!centre || zoom === 1) this.fit();
      else this.centreOn(centre[0], centre[1], this.view.scale);
      this.paint(); // a resized canvas is empty until then
    }

    measureFit() {
      const { left, right, bottom, top } = this.extent ?? { left: 0, right: 1, bottom: 0, top: 1 };
      this.fitScale = Math.min(
        Math.max(this.width - 2 * MARGIN, 20) / (right - left || 1),
        Math.max(this.height - 2 * MARGIN, 20) / (top - bottom || 1),
      );
    }

    fit() {
      this.measureFit();
      const { left, right, bottom, top } = this.extent ?? { left: 0, right: 1, bottom: 0, top: 1 };
      this.centreOn((left + right) / 2, (bottom + top) / 2, this.fitScale);
    }

    centreOn(x, y, scale = this.view.scale) {
      this.view = { scale, left: this.width / 2 - x * scale, top: this.height / 2 + y * scale };
      this.draw();
    }

    pan(dx, dy) {
      this.view = { ...this.view, left: this.view.left + dx, top: this.view.top + dy };
      this.draw();
    }

    /** Zoom so that the place under (sx, sy) stays under it. */
    zoom(factor, sx = this.width / 2, sy = this.height / 2) {
      const scale = clamp(this.view.scale * factor, this.fitScale / 4, this.fitScale * MAX_ZOOM);
      const real = scale / this.view.scale;
      this.view = {
        scale,
        left: sx - (sx - this.view.left) * real,
        top: sy - (sy - this.view.top) * real,
      };
      this.draw();
    }

    toScreen(x, y) {
      return [this.view.left + x * this.view.scale, this.view.top - y * this.view.scale];
    }

    toMap(sx, sy) {
      return [(sx - this.view.left) / this.view.scale, (this.view.top - sy) / this.view.scale];
    }

    /** Radius of a point in CSS pixels. */
    get radius() {
      const base = this.count < 3000 ? 3.4 : this.count < 30000 ? 2.2 : 1.3;
      return clamp(base * Math.sqrt(this.view.scale / this.fitScale), base * 0.6, 9);
    }

    /* ---- drawing ---- */
    draw() {
      if (this.frame || !this.view) return;
      this.frame = requestAnimationFrame(() => {
        this.frame = 0;
        this.paint();
      });
    }

    paint() {
      if (!this.view) return;
      const started = performance.now();
      const { width, height } = this.canvas;
      if (!this.image) {
        this.image = new ImageData(width, height);
        this.memory = new Uint32Array(this.image.data.buffer);
      }
      this.memory.fill(pixel(this.background));
      if (this.count) {
        const radius = Math.max(0.5, this.radius * this.ratio);
        const stamps = [0, 1, 2].map((shape) => stamp(shape, radius));
        const ring = [0, 1, 2].map((shape) => stamp(shape, radius + 1.6 * this.ratio));
        this.pass(stamps, radius, { colours: this.highlighted ? this.faded : this.pixels });
        if (this.highlighted) this.pass(stamps, radius, { colours: this.pixels, mask: this.highlighted });
        if (this.numSelected) {
          this.pass(ring, radius + 2 * this.ratio, { colour: pixel(this.ink), mask: this.selected });
          this.pass(stamps, radius, { colours: this.pixels, mask: this.selected });
        }
      }
      this.context.putImageData(this.image, 0, 0);
      this.drawTimes.push(performance.now() - started);
      if (this.drawTimes.length > 200) this.drawTimes.shift();
      this.onDraw();
    }

    /** Stamp every point, or those that `mask` marks, in one colour or in `colours`. */
    pass(stamps, radius, { colours = null, colour = 0, mask = null }) {
      const { x, y, count, shapes, memory } = this;
      const { width, height } = this.canvas;
      const scale = this.view.scale * this.ratio;
      const left = this.view.left * this.ratio;
      const top = this.view.top * this.ratio;
      const reach = Math.ceil(radius * 1.1) + 1;
      const flat = stamps.map((offsets) => {
        const moved = new Int32Array(offsets.length / 2);
        for (let k = 0; k < moved.length; k += 1) moved[k] = offsets[2 * k] + width * offsets[2 * k + 1];
        return moved;
      });
      for (let i = 0; i < count; i += 1) {
        if (mask !== null && mask[i] === 0) continue;
        const px = (left + x[i] * scale) | 0;
        const py = (top - y[i] * scale) | 0;
        if (px < reach || py < reach || px >= width - reach || py >= height - reach) continue;
        const at = px + width * py;
        const offsets = flat[shapes[i]];
        const paint = colours === null ? colour : colours[i];
        for (let k = 0; k < offsets.length; k += 1) memory[at + offsets[k]] = paint;
      }
    }

    /* ---- asking ---- */
    /** Row of the point nearest to a screen position, at most `reach` CSS pixels away, or -1. */
    nearest(sx, sy, reach = 12) {
      if (!this.count) return -1;
      const [mx, my] = this.toMap(sx, sy);
      const wide = reach / this.view.scale;
      const { side, perX, perY, starts, order } = this.grid;
      const column = (x) => clamp(((x - this.extent.left) * perX) | 0, 0, side - 1);
      const line = (y) => clamp(((y - this.extent.bottom) * perY) | 0, 0, side - 1);
      let best = -1;
      let closest = wide * wide;
      for (let row = line(my - wide); row <= line(my + wide); row += 1) {
        for (let col = column(mx - wide); col <= column(mx + wide); col += 1) {
          const cell = col + side * row;
          for (let k = starts[cell]; k < starts[cell + 1]; k += 1) {
            const i = order[k];
            const distance = (this.x[i] - mx) ** 2 + (this.y[i] - my) ** 2;
            if (distance < closest && (!this.highlighted || this.highlighted[i])) {
              closest = distance;
              best = i;
            }
          }
        }
      }
      return best;
    }

    /** Row of the next point from `row` towards [dx, dy] (y upwards), within 45 degrees; -1 at the edge. */
    towards(row, [dx, dy]) {
      let best = -1;
      let shortest = Infinity;
      for (let i = 0; i < this.count; i += 1) {
        if (i === row || (this.highlighted && !this.highlighted[i])) continue;
        const ax = this.x[i] - this.x[row];
        const ay = this.y[i] - this.y[row];
        const along = ax * dx + ay * dy;
        const across = Math.abs(ax * dy - ay * dx);
        if (along <= 0 || across > along) continue;
        const cost = along + 2 * across;
        if (cost < shortest) {
          shortest = cost;
          best = i;
        }
      }
      return best;
    }

    /** Rows inside a polygon of [x, y] map corners: the same sums, in the same order, as the server does. */
    inside(corners) {
      const xs = corners.map((corner) => corner[0]);
      const ys = corners.map((corner) => corner[1]);
      const [left, right, bottom, top] = [xs.reduce((a, b) => Math.min(a, b)), xs.reduce((a, b) => Math.max(a, b)), ys.reduce((a, b) => Math.min(a, b)), ys.reduce((a, b) => Math.max(a, b))];
      const rows = [];
      for (let i = 0; i < this.count; i += 1) {
        const x = this.x[i];
        const y = this.y[i];
        if (x < left || x > right || y < bottom || y > top) continue;
        let isInside = false;
        for (let j = 0, k = corners.length - 1; j < corners.length; k = j, j += 1) {
          const [x1, y1, x2, y2] = [xs[j], ys[j], xs[k], ys[k]];
          if (y1 > y !== y2 > y && x < ((x2 - x1) * (y - y1)) / (y2 - y1) + x1) isInside = !isInside;
        }
        if (isInside) rows.push(i);
      }
      return rows;
    }

    /** Corners [x, y] of what is in view. */
    viewCorners() {
      const [left, top] = this.toMap(0, 0);
      const [right, bottom] = this.toMap(this.width, this.height);
      return { left, right, bottom, top };
    }
  }

  window.reid.PointCloud = PointCloud;
})();
