/* What the steps of the Retrain page share: their addresses, crops, counts, tables and pass/fail words. */
(() => {
  "use strict";
  if (window.reid.retrain) return;
  const { el, icon, imageUrl } = window.reid;
  const BASE = "gradio_api/reid/v1/retraining";

  const url = (path, params = {}) => {
    const search = new URLSearchParams(Object.entries(params).filter(([, value]) => value)).toString();
    return `${BASE}/${path}${search ? `?${search}` : ""}`;
  };

  /** A crop in a box; the caption is also its text alternative. */
  const crop = (item, { verdict = "", caption = item.caption, height = 96 } = {}) =>
    el(
      "figure",
      { class: "rs-small-crop", "data-verdict": verdict || null },
      el("img", { src: imageUrl(item.image_url, 128), alt: `crop ${item.id}`, title: item.id, height, loading: "lazy", decoding: "async" }),
      caption || verdict
        ? el("figcaption", {}, verdict ? window.reid.verdictChip(verdict) : null, caption ? el("span", {}, caption) : null)
        : null,
    );

  const tile = ({ title, value, note }) => el("div", { class: "rs-tile" }, el("span", {}, title), el("b", { class: "rs-num" }, value), note ? el("small", {}, note) : null);

  const table = (heads, rows) =>
    el(
      "table",
      {},
      el("thead", {}, el("tr", {}, ...heads.map((head) => el("th", { scope: "col" }, head)))),
      el("tbody", {}, ...rows),
    );

  const outcome = (holds, word) => el("span", { class: "rs-outcome", "data-holds": String(holds) }, icon(holds ? "check" : "cross", 13), word);

  window.reid.retrain = { url, crop, tile, table, outcome };
})();
