/* The selected crops. Only the rows of cards in view exist, so any number of crops scrolls at once. */
(() => {
  "use strict";
  const { el, find, imageUrl, notice } = window.reid;
  const CARD = { width: 112, height: 262, gap: 10 };
  const SPARE_ROWS = 2;

  window.reid.define("map_selection", (element) => {
    const part = (name) => find(element, name);
    const scroll = part("scroll");
    const window_ = part("window");
    let handlers = {};
    let ids = [];
    let cards = new Map(); // what is known about crops, by id
    let drawn = "";

    const perRow = () => Math.max(1, Math.floor((scroll.clientWidth - CARD.gap) / (CARD.width + CARD.gap)));

    function card(id, index, columns) {
      const known = cards.get(id);
      const [row, column] = [Math.floor(index / columns), index % columns];
      const space = (scroll.clientWidth - columns * CARD.width) / (columns + 1);
      const style = `left:${space + column * (CARD.width + space)}px;top:${row * (CARD.height + CARD.gap)}px`;
      const words = known ? [known.title, known.camera, known.time].filter(Boolean).join(", ") : id;
      return el(
        "div",
        { class: "rs-map-card", role: "listitem", "aria-setsize": ids.length, "aria-posinset": index + 1, style, "data-id": id },
        el(
          "button",
          { type: "button", class: "rs-map-card-picture", title: `${id}: show on the map`, "aria-label": `Show on the map: ${words}`, onclick: () => handlers.onShow(id) },
          known ? el("img", { src: imageUrl(known.image_url, 256), width: 112, height: 190, alt: "", draggable: "false" }) : null,
        ),
        el("span", { class: "rs-map-card-title" }, el("b", {}, known?.title ?? ""), el("span", { class: "rs-num" }, known?.time ?? "")),
        el("span", { class: "rs-map-card-place" }, known?.camera ?? ""),
        el(
          "span",
          { class: "rs-map-card-links" },
          el("a", { href: handlers.searchLink(id), "aria-label": `Search with ${id}`, title: "Search with this crop" }, "Search"),
          el("a", { href: handlers.explainLink(id), "aria-label": `Explain ${id}`, title: "Look inside" }, "Explain"),
        ),
      );
    }

    async function draw() {
      if (!ids.length || !scroll.clientWidth) return;
      const columns = perRow();
      const pitch = CARD.height + CARD.gap;
      const first = Math.max(0, Math.floor(scroll.scrollTop / pitch) - SPARE_ROWS);
      const last = Math.ceil((scroll.scrollTop + scroll.clientHeight) / pitch) + SPARE_ROWS;
      const shown = ids.slice(first * columns, last * columns);
      window_.style.height = `${Math.ceil(ids.length / columns) * pitch}px`;
      const missing = shown.filter((id) => !cards.has(id));
      const state = JSON.stringify([scroll.clientWidth, columns, first, shown.length, missing.length, ids.length, shown[0]]);
      if (state === drawn) return;
      drawn = state;
      const focused = window_.contains(document.activeElement) ? document.activeElement.closest(".rs-map-card").dataset.id : "";
      window_.replaceChildren(...shown.map((id, offset) => card(id, first * columns + offset, columns)));
      if (focused) window_.querySelector(`[data-id="${CSS.escape(focused)}"] button`)?.focus({ preventScroll: true });
      if (!missing.length) return;
      const known = await handlers.describe(missing);
      for (const fact of known) cards.set(fact.id, fact);
      if (known.length) draw();
    }
    scroll.addEventListener("scroll", draw, { passive: true });
    new ResizeObserver(draw).observe(scroll);
    part("clear").addEventListener("click", () => handlers.onClear());

    return {
      onUse: (callbacks) => (handlers = callbacks),
      ids: () => ids,
      forget: () => cards.clear(),
      problem: (text) => part("problem").replaceChildren(...(text ? [notice("bad", text)] : [])),
      /** ids in map order, a summary, and the addresses of the buttons. */
      show({ ids: next, summary, links }) {
        ids = next;
        drawn = "";
        part("problem").replaceChildren();
        part("summary").textContent = ids.length ? summary : "Nothing selected. Draw a lasso, or use the ways under Select.";
        part("actions").hidden = scroll.hidden = !ids.length;
        if (!ids.length) {
          window_.replaceChildren();
          return;
        }
        for (const name of ["review", "csv", "json"]) part(name).href = links[name];
        scroll.scrollTop = 0;
        draw();
      },
    };
  });
})();
