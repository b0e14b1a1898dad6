/* The map: tools, focus, hover, keys, comparison of two layouts, export of the picture. */
(() => {
  "use strict";
  const { el, find, icon, imageUrl, announce, pushKeys } = window.reid;
  const HOVER_MS = 25;
  const MOVE_MS = 700;
  const HOLD_MS = 900; // a blink of under 1 per second
  const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
  const KEYS = [
    ["← → ↑ ↓", "next crop in that direction"],
    ["Shift + arrows", "move the map"],
    ["+  −  0", "zoom in, out, whole map"],
    ["Space", "put the crop into the selection or take it out"],
    ["S", "select everybody with the identity of the crop"],
    ["K", "select the crops most similar to it"],
    ["V", "select all crops in view"],
    ["Enter", "search with the crop"],
    ["P  L  B", "drag moves, draws a lasso, draws a box"],
    ["Esc", "clear the selection"],
    ["?", "this help"],
  ];
  const isStill = () => window.matchMedia("(prefers-reduced-motion: reduce)").matches;
  const ease = (share) => (share < 0.5 ? 2 * share * share : 1 - 2 * (1 - share) ** 2);

  window.reid.define("map_view", (element) => {
    const part = (name) => find(element, name);
    const stage = part("stage");
    const cloud = new window.reid.PointCloud(part("points"));
    const overlay = part("overlay");
    const marks = { focus: -1, query: null, outline: null };
    const help = part("help-dialog");
    let handlers = {};
    let mode = "pan";
    let places = null; // { base, other }: x and y of both layouts
    let animation = 0;
    let hoverTimer = 0;
    let blinkTimer = 0;
    let colours = {};
    let popKeys = () => {};

    for (const [name, glyph] of [["zoom-in", "plus"], ["zoom-out", "minus"], ["zoom-fit", "reset"], ["help", "help"], ["help-close", "cross"]]) {
      part(name).append(icon(glyph));
    }
    part("keys").append(...KEYS.flatMap(([key, what]) => [el("dt", {}, el("kbd", {}, key)), el("dd", {}, what)]));

    /* ---- looks ---- */
    function readColours() {
      const style = getComputedStyle(document.body);
      const token = (name) => style.getPropertyValue(name).trim();
      colours = { background: token("--rs-surface"), ink: token("--rs-ink"), muted: token("--rs-muted"), accent: token("--rs-accent-ink") };
      cloud.setTheme(colours.background, colours.ink);
    }
    const isDark = () => document.body.classList.contains("dark");
    readColours();
    let wasDark = isDark();
    new MutationObserver(() => {
      if (wasDark === isDark()) return;
      wasDark = isDark();
      readColours();
      handlers.onTheme?.();
      cloud.draw();
    }).observe(document.body, { attributes: true, attributeFilter: ["class"] });

    function resize() {
      const { clientWidth, clientHeight } = stage;
      if (!clientWidth) return;
      const ratio = Math.min(2, window.devicePixelRatio || 1);
      overlay.width = Math.round(clientWidth * ratio);
      overlay.height = Math.round(clientHeight * ratio);
      cloud.resize(clientWidth, clientHeight, ratio);
    }
    new ResizeObserver(resize).observe(stage);
    cloud.onDraw = () => {
      window.reid.drawOverlay(overlay, cloud, marks, colours);
      if (!part("tip").hidden && shownRow >= 0) placeTip(shownRow);
    };

    /* ---- the card beside a point ---- */
    let shownRow = -1;
    function placeTip(row) {
      const tip = part("tip");
      const [x, y] = cloud.toScreen(cloud.x[row], cloud.y[row]);
      const isRight = x + tip.offsetWidth + 24 < cloud.width;
      tip.style.left = `${Math.max(4, isRight ? x + 14 : x - 14 - tip.offsetWidth)}px`;
      tip.style.top = `${Math.min(Math.max(4, y - tip.offsetHeight / 2), Math.max(4, cloud.height - tip.offsetHeight - 4))}px`;
    }

    async function showTip(row, { aloud = false } = {}) {
      shownRow = row;
      if (row < 0) {
        part("tip").hidden = true;
        return;
      }
      const card = await handlers.describe(row);
      if (shownRow !== row || !card) return;
      const lines = [card.camera, card.time, handlers.colourText(row), ...card.facts.map(({ label, text }) => `${label}: ${text}`)];
      part("tip").replaceChildren(
        el("img", { src: imageUrl(card.image_url, 256), width: 64, height: 128, alt: "" }),
        el("div", {}, el("b", {}, card.title), ...lines.filter(Boolean).map((line) => el("span", {}, line)), el("small", {}, card.id)),
      );
      part("tip").dataset.id = card.id;
      part("tip").hidden = false;
      placeTip(row);
      if (aloud) announce([card.title, card.camera, card.time, handlers.colourText(row)].filter(Boolean).join(", "));
    }

    function focus(row, { aloud = false, centre = false } = {}) {
      marks.focus = row;
      if (row >= 0) {
        const [x, y] = cloud.toScreen(cloud.x[row], cloud.y[row]);
        const isOutside = x < 20 || y < 20 || x > cloud.width - 20 || y > cloud.height - 20;
        if (isOutside || centre) cloud.centreOn(cloud.x[row], cloud.y[row]);
      }
      cloud.draw();
      showTip(row, { aloud });
      handlers.onFocus?.(row);
    }

    /* ---- pointers and buttons ---- */
    function setMode(next) {
      mode = next;
      stage.dataset.mode = next;
      for (const button of element.querySelectorAll("[data-mode]")) {
        if (button !== stage) button.setAttribute("aria-pressed", String(button.dataset.mode === next));
      }
    }
    for (const button of element.querySelectorAll("button[data-mode]")) {
      button.addEventListener("click", () => setMode(button.dataset.mode));
    }
    setMode("pan");

    window.reid.watchPointers(stage, cloud, {
      mode: () => mode,
      onHover(row) {
        stage.toggleAttribute("data-over", row >= 0);
        clearTimeout(hoverTimer);
        hoverTimer = setTimeout(() => showTip(row >= 0 ? row : marks.focus), HOVER_MS);
      },
      onClick(row) {
        stage.focus({ preventScroll: true });
        focus(row);
      },
      onOutline(points) {
        marks.outline = points;
        window.reid.drawOverlay(overlay, cloud, marks, colours);
      },
      onLasso(corners) {
        const rows = cloud.inside(corners);
        cloud.select(rows); // at once; the server's answer follows
        handlers.onPolygon(corners, rows);
      },
    });
    part("zoom-in").addEventListener("click", () => cloud.zoom(1.6));
    part("zoom-out").addEventListener("click", () => cloud.zoom(1 / 1.6));
    part("zoom-fit").addEventListener("click", () => cloud.fit());

    /* ---- keys, while the map has the focus ---- */
    function middleRow() {
      for (const reach of [40, 160, 4000]) {
        const row = cloud.nearest(cloud.width / 2, cloud.height / 2, reach);
        if (row >= 0) return row;
      }
      return -1;
    }
    function step(key, isShifted) {
      const [dx, dy] = STEPS[key];
      if (isShifted) cloud.pan(-dx * 60, dy * 60);
      else if (marks.focus < 0) focus(middleRow(), { aloud: true });
      else {
        const next = cloud.towards(marks.focus, [dx, dy]);
        if (next >= 0) focus(next, { aloud: true });
        else announce("No crop further that way.");
      }
    }
    const actions = {
      "+": () => cloud.zoom(1.6),
      "=": () => cloud.zoom(1.6),
      "-": () => cloud.zoom(1 / 1.6),
      0: () => cloud.fit(),
      " ": () => marks.focus >= 0 && handlers.onToggle(marks.focus),
      s: () => marks.focus >= 0 && handlers.onSame(),
      k: () => marks.focus >= 0 && handlers.onNearest(),
      v: () => handlers.onInView(),
      p: () => setMode("pan"),
      l: () => setMode("lasso"),
      b: () => setMode("box"),
      Enter: () => marks.focus >= 0 && handlers.onOpen(marks.focus),
      Escape: () => handlers.onClear(),
      "?": () => openHelp(),
    };
    stage.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || !cloud.count) return;
      if (STEPS[event.key]) step(event.key, event.shiftKey);
      else {
        const act = actions[event.key] ?? actions[event.key.toLowerCase()];
        if (!act) return;
        act();
      }
      event.preventDefault();
      event.stopPropagation();
    });
    function openHelp() {
      help.showModal();
      popKeys = pushKeys({ "?": () => help.close() });
    }
    part("help").addEventListener("click", openHelp);
    part("help-close").addEventListener("click", () => help.close());
    help.addEventListener("close", () => popKeys());

    /* ---- moving between layouts ---- */
    function between(from, to, share) {
      const [x, y] = [new Float32Array(cloud.count), new Float32Array(cloud.count)];
      for (let i = 0; i < cloud.count; i += 1) {
        const isKnown = to.x[i] === to.x[i]; // NaN: only one layout has this crop
        x[i] = isKnown ? from.x[i] + (to.x[i] - from.x[i]) * share : from.x[i];
        y[i] = isKnown ? from.y[i] + (to.y[i] - from.y[i]) * share : from.y[i];
      }
      return { x, y };
    }
    function glide(from, to, { keepView, onEnd = () => {} }) {
      cancelAnimationFrame(animation);
      if (isStill()) {
        cloud.setPoints(to.x, to.y, { keepView });
        onEnd();
        return;
      }
      const started = performance.now();
      const tick = (now) => {
        const share = Math.min(1, Math.max(0, (now - started) / MOVE_MS));
        const at = share < 1 ? between(from, to, ease(share)) : to;
        cloud.setPoints(at.x, at.y, { keepView });
        if (share < 1) animation = requestAnimationFrame(tick);
        else onEnd();
      };
      animation = requestAnimationFrame(tick);
    }

    function blendTo(share) {
      part("blend").value = share;
      const at = share === 0 ? places.base : between(places.base, places.other, share);
      cloud.setPoints(at.x, at.y, { keepView: true });
    }
    part("blend").addEventListener("input", () => {
      stopBlinking();
      blendTo(Number(part("blend").value));
    });
    function stopBlinking() {
      if (part("blink").getAttribute("aria-pressed") !== "true") return;
      clearTimeout(blinkTimer);
      cancelAnimationFrame(animation);
      part("blink").setAttribute("aria-pressed", "false");
    }
    function blink() {
      const share = Number(part("blend").value) < 0.5 ? 1 : 0;
      const [from, to] = share ? [places.base, places.other] : [between(places.base, places.other, 1), places.base];
      part("blend").value = share;
      glide(from, share ? between(places.base, places.other, 1) : to, { keepView: true });
      blinkTimer = setTimeout(blink, MOVE_MS + HOLD_MS);
    }
    part("blink").addEventListener("click", () => {
      const isOn = part("blink").getAttribute("aria-pressed") === "true";
      stopBlinking();
      if (isOn) return;
      part("blink").setAttribute("aria-pressed", "true");
      blink();
    });
    part("moved").addEventListener("click", () => {
      const moved = [...distances().entries()].sort((a, b) => b[1] - a[1]).slice(0, 50);
      handlers.onRows(moved.map(([row]) => row));
    });
    function distances() {
      const { base, other } = places;
      return base.x.map((x, i) => (other.x[i] === other.x[i] ? Math.hypot(x - other.x[i], base.y[i] - other.y[i]) : 0));
    }

    /* ---- the picture as a file ---- */
    part("png").addEventListener("click", () => {
      const sheet = el("canvas", { width: part("points").width, height: part("points").height });
      const context = sheet.getContext("2d");
      context.drawImage(part("points"), 0, 0);
      context.drawImage(overlay, 0, 0);
      window.reid.drawLegend(context, handlers.legend(), { ratio: cloud.ratio, colours, isDark: isDark() });
      sheet.toBlob((blob) => {
        const address = URL.createObjectURL(blob);
        el("a", { href: address, download: `${handlers.fileName()}.png` }).click();
        setTimeout(() => URL.revokeObjectURL(address), 10_000);
      }, "image/png");
      part("export").open = false;
    });
    document.addEventListener("click", (event) => {
      if (!part("export").contains(event.target)) part("export").open = false;
    });

    return {
      cloud,
      onUse: (callbacks) => (handlers = callbacks),
      focus,
      focused: () => marks.focus,
      isDark,
      rowsInside: (corners) => cloud.inside(corners),
      /** Places of a new layout; the same crops glide to them. */
      show(x, y, { glides }) {
        stopBlinking();
        const target = { x, y };
        const from = { x: cloud.x, y: cloud.y };
        places = { base: target, other: null };
        part("compare").hidden = true;
        if (cloud.count === x.length && glides) glide(from, target, { keepView: false });
        else {
          cancelAnimationFrame(animation);
          marks.focus = -1;
          showTip(-1);
          cloud.setPoints(x, y);
        }
      },
      compare({ x, y, left, right }) {
        places.other = { x, y };
        part("compare").hidden = false;
        part("left").textContent = left;
        part("right").textContent = right;
        blendTo(0);
        const all = distances();
        const { base } = places;
        const centre = [base.x, base.y].map((axis) => axis.reduce((sum, value) => sum + value, 0) / axis.length);
        const radius = Math.sqrt(base.x.reduce((sum, value, i) => sum + (value - centre[0]) ** 2 + (base.y[i] - centre[1]) ** 2, 0) / base.x.length);
        const share = all.reduce((sum, value) => sum + value, 0) / all.length / (radius || 1);
        const text = `A crop moves by ${Math.round(100 * share)} % of the map's radius on average`;
        part("displacement").textContent = `${text} (0 %: the same map, about 90 %: nothing in common).`;
      },
      endComparison() {
        stopBlinking();
        part("compare").hidden = true;
        if (places?.other) cloud.setPoints(places.base.x, places.base.y, { keepView: true });
        if (places) places.other = null;
      },
      markQuery(mark) {
        marks.query = mark;
        cloud.draw();
      },
      status: (text) => (part("status").textContent = text),
      title: (text) => (part("title").textContent = text),
      notes: (nodes) => part("notes").replaceChildren(...nodes),
      links({ svg, html, csv }) {
        part("svg").href = svg;
        part("html").href = html;
        part("all-csv").href = csv;
      },
    };
  });
})();
