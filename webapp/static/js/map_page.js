/* The Map page: the address is the state. The page asks for the map that it names, draws it, and follows its fit. */
(() => {
  "use strict";
  const { ask, part, readParams, writeParams, notice, announce, scopeParams } = window.reid;
  const POLL_MS = 1000;
  const ROOT = "gradio_api/reid/v1/map";

  window.reid.define("map_page", async (_element, server) => {
    const [header, map, panel, selection] = await Promise.all(["header", "map_view", "map_panel", "map_selection"].map(part));
    let page = null; // the MapPage on screen
    let shownKey = "";
    let ids = [];
    let channel = null; // colour of every point, as sent
    let turn = 0;
    let timer = 0;
    let compareTimer = 0;
    const cards = new Map();
    const theme = () => (map.isDark() ? "dark" : "light");

    /* ---- addresses ---- */
    function link(path, changes = {}) {
      const params = { ...readParams(), ...changes };
      for (const name of Object.keys(params)) if (!params[name]) delete params[name];
      return `${path}?${new URLSearchParams(params)}`;
    }

    function change(changes, { push = true } = {}) {
      const params = { ...readParams(), ...changes };
      for (const name of Object.keys(params)) if (!params[name]) delete params[name];
      writeParams(params, { push });
    }

    async function binary(path) {
      const answer = await fetch(path);
      if (!answer.ok) throw new Error((await answer.json()).error);
      return new Float32Array(await answer.arrayBuffer());
    }

    async function points(count, changes) {
      const both = await binary(link(`${ROOT}/points`, { with: "", sel: "", point: "", color: "", q: "", ...changes }));
      if (both.length !== 2 * count) throw new Error("The map changed while it was loaded. Reload the page.");
      return { x: both.slice(0, count), y: both.slice(count) };
    }

    /* ---- opening ---- */
    async function open() {
      turn += 1;
      const mine = turn;
      clearTimeout(timer);
      clearTimeout(compareTimer);
      const answer = await ask(server.open_map, readParams());
      if (mine !== turn) return;
      if (answer.kind !== "map") {
        wait(answer);
        return;
      }
      if (page?.kind !== "map") header.refresh();
      try {
        await paint(answer, mine);
      } catch (failure) {
        map.notes([notice("bad", failure.message)]);
      }
    }

    function wait(answer) {
      page = answer;
      shownKey = "";
      map.status("");
      const job = answer.job ? [window.reid.jobProgress(answer.job)] : [];
      const text = answer.message;
      map.notes([notice(answer.kind === "preparing" ? "info" : "bad", text), ...job]);
      announce(text);
      if (answer.kind === "preparing") timer = setTimeout(open, POLL_MS);
    }

    async function paint(answer, mine) {
      const isNewMap = answer.layout_key !== shownKey;
      const glides = page?.kind === "map" && page.title === answer.title && page.model === answer.model;
      const [places, colours, names] = await Promise.all([
        isNewMap ? points(answer.num_crops, { key: answer.layout_key }) : null,
        answer.legend ? binary(link(`${ROOT}/colors`, { sel: "", point: "" })) : null,
        isNewMap && !glides ? fetch(link(`${ROOT}/ids`, { key: answer.layout_key, sel: "", point: "" })).then((got) => got.json()) : ids,
      ]);
      if (mine !== turn) return;
      page = answer;
      ids = names;
      channel = colours;
      if (!glides) {
        cards.clear();
        selection.forget();
      }
      writeParams({ ...answer.params });
      if (isNewMap) map.show(places.x, places.y, { glides });
      shownKey = answer.layout_key;
      panel.show(answer, theme());
      dress();
      map.title(answer.title);
      map.status(`${answer.num_crops.toLocaleString("en")} crops · ${answer.shown === "pca" ? "PCA" : "UMAP"}`);
      map.notes(answer.notes.map((text) => notice("info", text)));
      map.markQuery(answer.query);
      map.links({
        svg: link(`${ROOT}/figure`, { format: "svg", theme: theme() }),
        html: link(`${ROOT}/figure`, { format: "html", theme: theme() }),
        csv: link(`${ROOT}/export`, { format: "csv", sel: "" }),
      });
      panel.suggestRectangle(map.cloud.viewCorners());
      showSelection(answer.selection);
      const { point } = answer.params;
      const row = point ? ids.indexOf(point) : -1;
      if (row >= 0 && map.focused() !== row) map.focus(row, { centre: map.cloud.view.scale > map.cloud.fitScale });
      else if (point && row < 0) map.notes([notice("warn", `${point} is not on this map: it could not be embedded, or it is of another gallery.`)]);
      followFit(answer.fit, { compared: false });
      followFit(answer.compare, { compared: true });
      if (!answer.compare) map.endComparison();
      performance.mark("reid:map");
    }

    /** Colours and highlight of the points, again after a change of theme. */
    function dress() {
      const accent = theme() === "dark" ? "#9db8ff" : "#2444b4";
      const { styles, styleOf } = window.reid.stylesFor(page.legend, channel, theme(), accent, ids.length);
      map.cloud.setStyles(styles, styleOf);
      highlight(panel.highlighted());
    }

    function highlight(code) {
      map.cloud.highlight(code === null ? null : Uint8Array.from(channel, (value) => (value === code ? 1 : 0)));
    }

    /* ---- fitting ---- */
    function followFit(fit, { compared }) {
      if (!fit) return;
      const show = compared ? panel.showCompareFit : panel.showFit;
      show(fit);
      if (compared) clearTimeout(compareTimer);
      else clearTimeout(timer);
      if (fit.state === "needed") start(compared);
      else if (fit.state === "ready") {
        if (compared) compare();
      } else if (fit.state !== "stopped") {
        const again = setTimeout(() => poll(compared), POLL_MS);
        if (compared) compareTimer = again;
        else timer = again;
      }
    }

    async function start(compared) {
      const mine = turn;
      const fit = await ask(server.start_fit, { params: readParams(), compared });
      if (mine === turn) followFit(fit.state ? fit : { state: "stopped", message: fit.message }, { compared });
    }

    async function poll(compared) {
      const mine = turn;
      const fit = await ask(server.follow_fit, { params: readParams(), compared });
      if (mine !== turn) return;
      if (fit.state === "ready" && !compared) {
        announce("The UMAP map is ready.");
        open();
      } else followFit(fit.state ? fit : { state: "preparing", message: fit.message }, { compared });
    }

    async function compare() {
      const mine = turn;
      try {
        const other = await points(page.num_crops, { with: page.params.with });
        if (mine === turn && page.shown === "umap") map.compare({ ...other, left: page.model, right: page.params.with });
      } catch (failure) {
        panel.showCompareFit({ state: "stopped", message: failure.message });
      }
    }

    /* ---- selecting ---- */
    function showSelection(found) {
      const known = found ?? { key: "", rows: [], ids: [], summary: "" };
      map.cloud.select(known.rows);
      const sel = known.key;
      selection.show({
        ids: known.ids,
        summary: known.summary,
        links: {
          review: `./review?${scopeParams({ sel })}`,
          csv: link(`${ROOT}/export`, { format: "csv", sel }),
          json: link(`${ROOT}/export`, { format: "json", sel }),
        },
      });
      if (known.error) selection.problem(known.error);
    }

    async function select(gesture, { combine = panel.combine(), local = null } = {}) {
      const body = { params: readParams(), layout_key: shownKey, combine, base: readParams().sel ?? "", ...gesture };
      try {
        const answer = await fetch(`${ROOT}/select`, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
        const found = await answer.json();
        if (!answer.ok) throw new Error(found.error);
        if (local && combine === "replace" && local.length !== found.rows.length) {
          throw new Error("The browser and the server disagree about this outline. Reload the page.");
        }
        change({ sel: found.key });
        page.params = readParams();
        showSelection(found);
        announce(found.key ? `Selected ${found.summary}.` : "Nothing selected.");
      } catch (failure) {
        map.cloud.select(page.selection?.rows ?? []);
        selection.problem(failure.message);
        announce(failure.message);
      }
    }

    function clear() {
      change({ sel: "" });
      page.params = readParams();
      showSelection(null);
      announce("Selection cleared.");
    }

    async function describe(wanted) {
      const missing = wanted.filter((id) => !cards.has(id));
      if (missing.length) {
        const answer = await ask(server.describe, { params: readParams(), ids: missing.slice(0, 300) });
        for (const card of answer.cards ?? []) cards.set(card.id, card);
      }
      return wanted.map((id) => cards.get(id)).filter(Boolean);
    }

    function colourText(row) {
      const legend = page.legend;
      if (!legend || legend.title === "Identity" || legend.title === "Camera" || legend.title === "Time") return "";
      const value = channel[row];
      if (legend.kind === "scale") return `${legend.title}: ${value === value ? value.toPrecision(3) : "not known"}`;
      const entry = legend.entries.find((item) => item.code === value);
      return entry ? `${legend.title}: ${entry.label}` : "";
    }

    function show(id) {
      const row = ids.indexOf(id);
      if (row < 0) return;
      map.focus(row, { aloud: true, centre: map.cloud.view.scale > map.cloud.fitScale });
      document.getElementById("rs-map").scrollIntoView({ block: "nearest" });
    }

    const focusedId = () => ids[map.focused()];
    const sameIdentity = () => select({ same_identity: focusedId() });
    const mostSimilar = () => select({ nearest: { id: focusedId(), count: panel.nearestCount() } });
    const inView = () => {
      const { left, right, bottom, top } = map.cloud.viewCorners();
      select({ polygon: [[left, bottom], [right, bottom], [right, top], [left, top]] });
    };

    map.onUse({
      describe: async (row) => (await describe([ids[row]]))[0],
      colourText,
      legend: () => page?.legend,
      fileName: () => `map-${page?.title ?? ""}`.replaceAll(/[^\w-]+/g, "-").toLowerCase(),
      async onFocus(row) {
        const id = row >= 0 ? ids[row] : "";
        change({ point: id }, { push: false });
        page.params = readParams();
        panel.showFocus(id ? (await describe([id]))[0] : null);
      },
      onPolygon: (polygon, local) => select({ polygon }, { local }),
      onRows: (rows) => select({ ids: rows.map((row) => ids[row]) }, { combine: "replace" }),
      onToggle: (row) => select({ ids: [ids[row]] }, { combine: map.cloud.selected[row] ? "remove" : "add" }),
      onSame: sameIdentity,
      onNearest: mostSimilar,
      onInView: inView,
      onClear: clear,
      onOpen: (row) => location.assign(`./?${scopeParams({ q: ids[row] })}`),
      onTheme() {
        if (page?.kind !== "map") return;
        panel.showLegend(theme());
        dress();
      },
    });
    panel.onUse({
      onChange(changes) {
        change(changes);
        open();
      },
      onFit(changes) {
        change({ ...changes, layout: "" });
        open();
      },
      onStart: start,
      async onCancel(id) {
        const fit = await ask(server.cancel_fit, { id });
        if (fit.state) open();
      },
      onHighlight: highlight,
      async onFind(text) {
        const found = await ask(server.find, { params: readParams(), text });
        if (found.error || !found.ids?.length) return found.error || found.message;
        show(found.ids[0]);
        if (found.ids.length > 1) select({ ids: found.ids }, { combine: "replace" });
        return found.ids.length > 1 ? `${found.summary} found and selected.` : `Found ${found.ids[0]}.`;
      },
      onSame: sameIdentity,
      onNearest: mostSimilar,
      onInView: inView,
      onCategory: (column, label) => select({ category: { column, label } }),
      onRectangle: (polygon) => select({ polygon }, { local: panel.combine() === "replace" ? map.rowsInside(polygon) : null }),
    });
    selection.onUse({
      describe,
      onShow: show,
      onClear: clear,
      searchLink: (id) => `./?${scopeParams({ q: id })}`,
      explainLink: (id) => `./explain?${scopeParams({ q: id })}`,
    });
    header.onScope((which, chosen) => {
      const gone = which === "gallery" ? { q: "", point: "", sel: "", color: "" } : {};
      change({ ...chosen, ...gone, with: "" });
      header.refresh();
      open();
    });
    window.addEventListener("popstate", () => {
      header.refresh();
      open();
    });
    await open();
  });
})();
