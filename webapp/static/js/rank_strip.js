/* A ranking as a strip of small crops; every mark is colour, line and sign. */
(() => {
  "use strict";
  if (window.reid.rankStrip) return;
  const { el, icon, imageUrl } = window.reid;
  const SIGNS = { true: "check", false: "cross", junk: "junk", same_camera: "camera", unknown: "unknown" };

  /** One crop as a button; `onOpen(id)`. With the id of its query it can be judged in place. */
  function crop(item, onOpen, query = "") {
    const card = query ? { "data-label-id": item.id, "data-label-query": query, "data-label-similarity": item.similarity ?? "" } : {};
    return el(
      "button",
      { ...card, type: "button", class: "rs-ranked", tabindex: "-1", "data-verdict": item.verdict, "data-id": item.id, "aria-label": item.label, title: item.label, onclick: () => onOpen(item.id) },
      el("img", { src: imageUrl(item.image_url, 128), width: 48, height: 96, alt: "", loading: "lazy", decoding: "async", draggable: "false" }),
      el("span", { class: "rs-ranked-mark" }, icon(SIGNS[item.verdict], 11)),
      el("span", { class: "rs-ranked-text rs-num" }, el("b", {}, item.rank), item.caption),
      query ? el("span", { class: "rs-ranked-label", "data-label-slot": "1" }) : null,
    );
  }

  /** A strip is one tab stop; left and right arrow move inside it. */
  window.reid.rankStrip = (items, onOpen, label, query = "") => {
    const crops = items.map((item) => crop(item, onOpen, query));
    if (crops.length) crops[0].tabIndex = 0;
    const step = (event) => {
      const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      const next = by && crops[crops.indexOf(document.activeElement) + by];
      if (!next) return;
      event.preventDefault();
      next.focus({ preventScroll: true });
      next.scrollIntoView({ block: "nearest", inline: "nearest" });
    };
    return el("div", { class: "rs-rank-strip", role: "group", "aria-label": label, onkeydown: step }, ...crops);
  };
  window.reid.rankCrop = crop;
})();
