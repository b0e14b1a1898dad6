/* Query and match side by side, zoomed as one. */
(() => {
  "use strict";
  const { el, find, icon, imageUrl, verdictChip, VERDICTS, pushKeys, readParams, scopeParams, linkedZoom, keyHint } = window.reid;
  const FILM = 15;
  const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

  window.reid.define("pair_view", (element) => {
    const part = (name) => find(element, name);
    const dialog = part("dialog");
    const panes = [part("left"), part("right")];
    let query = null;
    let hits = [];
    let index = 0;
    let showsVerdicts = false;
    let handlers = { onQuery: () => {}, onMove: () => {}, onClose: () => {} };
    let popKeys = () => {};
    let barHome = null; // where the annotator's bar is while nothing is compared
    const overlay = window.reid.evidenceOverlay({ panes });
    part("heat").append(overlay.controls);

    for (const [name, glyph] of [
      ["previous", "left"],
      ["next", "right"],
      ["close", "cross"],
      ["zoom-in", "plus"],
      ["zoom-out", "minus"],
      ["zoom-reset", "reset"],
    ]) {
      part(name).append(icon(glyph));
    }

    const { zoomAt, reset, release } = linkedZoom(panes, (scale) => {
      part("zoom").textContent = `${Math.round(scale * 100)}%`;
    });
    part("zoom-in").addEventListener("click", () => zoomAt(1.5));
    part("zoom-out").addEventListener("click", () => zoomAt(1 / 1.5));
    part("zoom-reset").addEventListener("click", reset);

    /* ---- what is compared ---- */
    function paint() {
      const hit = hits[index];
      part("title").textContent = `Match ${hit.rank} of ${hits.length}`;
      part("verdict").replaceChildren(showsVerdicts ? verdictChip(hit.verdict) : "");
      part("left-name").textContent = query.title;
      part("right-label").textContent = `Match ${hit.rank}`;
      part("right-name").textContent = hit.id;
      setPicture(panes[0], query.image_url, `Query, ${query.camera}`);
      setPicture(panes[1], hit.image_url, `Match ${hit.rank}, ${hit.camera}, ${VERDICTS[hit.verdict].long}`);
      const isSimilarity = hit.similarity !== null; // else the ranking is by a distance that is no cosine
      part("measure").textContent = isSimilarity ? "Similarity" : "Distance";
      part("similarity").textContent = hit.similarity_text;
      part("meter-bar").hidden = !isSimilarity;
      part("meter").style.width = `${clamp(hit.similarity ?? 0, 0, 1) * 100}%`;
      part("relation").textContent = hit.relation;
      part("map").href = `./map?${scopeParams({ point: hit.id, q: query.id })}`;
      part("facts").replaceChildren(...factRows(query.facts, hit.facts));
      Object.assign(part("labels").dataset, { labelId: hit.id, labelQuery: query.id, labelSimilarity: hit.similarity ?? "" });
      handlers.onPaint?.();
      if (panes[1].firstElementChild.complete) showMatchSize();
      part("previous").disabled = index === 0;
      part("next").disabled = index === hits.length - 1;
      paintFilm();
      const { g: gallery = "", m: model = "" } = readParams();
      overlay.show({ gallery, model, left: query.id, right: hit.id });
      for (const near of [hits[index + 1], hits[index - 1]]) if (near) new Image().src = imageUrl(near.image_url, 0);
    }

    /* The size of a match is known only once its picture is there. */
    panes[1].firstElementChild.addEventListener("load", showMatchSize);
    function showMatchSize() {
      const { naturalWidth, naturalHeight } = panes[1].firstElementChild;
      const cell = part("facts").querySelector('[data-fact="Size"]');
      if (cell && naturalWidth) cell.textContent = `${naturalWidth} × ${naturalHeight} px`;
    }

    function setPicture(pane, url, alt) {
      const image = pane.firstElementChild;
      const full = imageUrl(url, 0);
      if (image.getAttribute("src") !== full) image.src = full;
      image.alt = alt;
    }

    function factRows(left, right) {
      const names = [...new Set([...left, ...right].map((fact) => fact.label))];
      const text = (facts, name) => facts.find((fact) => fact.label === name)?.text ?? "";
      return names.map((name) =>
        el(
          "tr",
          {},
          el("th", { scope: "row" }, name.replaceAll("_", " ")),
          el("td", {}, text(left, name)),
          el("td", { "data-fact": name }, text(right, name)),
        ),
      );
    }

    function paintFilm() {
      const hadFocus = part("film").contains(document.activeElement);
      const first = clamp(index - Math.floor(FILM / 2), 0, Math.max(0, hits.length - FILM));
      const wanted = hits.slice(first, first + FILM);
      part("film").replaceChildren(
        ...wanted.map((hit, offset) => {
          const isCurrent = first + offset === index;
          const button = el(
            "button",
            {
              type: "button",
              tabindex: isCurrent ? "0" : "-1",
              "aria-label": `Match ${hit.rank}`,
              "aria-current": isCurrent ? "true" : null,
              "data-verdict": showsVerdicts ? hit.verdict : null,
              onclick: () => go(first + offset),
            },
            el("img", { src: imageUrl(hit.image_url, 256), alt: "", draggable: "false" }),
            el("span", { class: "rs-num" }, String(hit.rank)),
          );
          return el("li", {}, button);
        }),
      );
      if (hadFocus) part("film").querySelector("[aria-current]").focus();
    }

    function go(next) {
      if (next < 0 || next >= hits.length) return;
      index = next;
      paint();
      handlers.onMove(index, hits[index]);
    }

    function close() {
      dialog.close();
    }
    function use() {
      const { id } = hits[index];
      close();
      handlers.onQuery(id);
    }
    part("previous").addEventListener("click", () => go(index - 1));
    part("next").addEventListener("click", () => go(index + 1));
    part("use").addEventListener("click", use);
    part("close").addEventListener("click", close);
    dialog.addEventListener("click", (event) => {
      if (event.target === dialog) close(); // the backdrop
    });
    for (const button of part("labels").querySelectorAll("[data-answer]")) {
      button.append(keyHint(button.dataset.answer));
      button.addEventListener("click", () => handlers.onLabel?.(part("labels"), button.dataset.answer));
    }
    dialog.addEventListener("close", () => {
      popKeys();
      barHome?.append(handlers.bar);
      for (const name of ["labelId", "labelQuery", "labelSimilarity"]) delete part("labels").dataset[name];
      release();
      handlers.onClose(index);
    });

    return {
      /** onLabel(card, answer) shows the buttons of a judgement; bar: of the annotator, here while this is open. */
      onUse(callbacks) {
        handlers = callbacks;
        part("labels").hidden = !callbacks.onLabel;
      },
      isOpen: () => dialog.open,
      /** What is judged while the comparison is open, or null. */
      labelCard: () => (dialog.open ? part("labels") : null),
      /** The next match, if there is one. */
      next: () => go(index + 1),
      close,
      /** Compare hit number `at` (from 0) of a ranking with its query. */
      open(ranking, at) {
        ({ query, hits, showsVerdicts } = ranking);
        index = clamp(at, 0, hits.length - 1);
        reset();
        paint();
        if (!dialog.open) {
          barHome = handlers.bar?.parentElement ?? null;
          if (barHome) part("answering").append(handlers.bar);
          dialog.showModal();
          popKeys = pushKeys({
            ...handlers.keys, // what the page adds, such as leads to other pages
            ArrowRight: () => go(index + 1),
            ArrowLeft: () => go(index - 1),
            Home: () => go(0),
            End: () => go(hits.length - 1),
            "@zoom_in": () => zoomAt(1.5),
            "@zoom_out": () => zoomAt(1 / 1.5),
            "@zoom_reset": reset,
            ...overlay.keys,
            0: reset, // while there is no heat map whose streams it shows
            "@query": use,
            "@to_map": () => part("map").click(),
          });
        }
        part("right").focus({ preventScroll: true });
        handlers.onMove(index, hits[index]);
      },
    };
  });
})();
