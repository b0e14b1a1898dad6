/* One query as a row: query, score, first false match, ranked strip, tags, links. */
(() => {
  "use strict";
  const { el, imageUrl } = window.reid;

  /** Node for a FailureRow. `links` are [name, title, href]; `on` has open(id), tag(kind, isOn), choose(), select(isOn). */
  window.reid.failureRow = (row, number, links, on, isSelected) => {
    const open = el(
      "button",
      { type: "button", class: "rs-fail-open", tabindex: "-1", "aria-label": `Query ${number}, AP ${row.ap_text}, first true match at ${row.rank_text}, ${row.facts}. Compare with the first false match`, onclick: () => on.open(row.false_crop?.id ?? "") },
      el("img", { src: imageUrl(row.image_url, 128), width: 56, height: 112, alt: "", loading: "lazy", draggable: "false" }),
    );
    const check = el("input", { type: "checkbox", tabindex: "-1", checked: isSelected, "aria-label": `Select query ${number}`, onchange: () => on.select(check.checked) });
    const tags = el("div", { class: "rs-tags" }, ...window.reid.failureTags.chips(row, on.tag));
    return el(
      "li",
      { class: "rs-failure", "data-query": row.id, "data-missed": row.is_missed ? "1" : null },
      el("div", { class: "rs-fail-query" }, open, el("label", { class: "rs-fail-check" }, check, el("span", { class: "rs-num" }, String(number)))),
      el(
        "div",
        { class: "rs-fail-facts" },
        el("p", { class: "rs-fail-score" }, el("b", { class: "rs-num" }, `AP ${row.ap_text}`), el("span", { "data-tone": row.is_missed ? "bad" : "good" }, row.is_missed ? `first true match: ${row.rank_text}` : `true at ${row.rank_text}`)),
        el("p", { class: "rs-hint" }, row.facts),
        tags,
        el(
          "div",
          { class: "rs-fail-links" },
          ...links.map(([name, title, href]) => el("a", { href, tabindex: "-1", "data-link": name, title: `${title} (${window.reid.keyMap.nameFor(`to_${name}`)})` }, title)),
          el("button", { type: "button", tabindex: "-1", title: `Tag the failure kind (${window.reid.keyMap.nameFor("tag")})`, onclick: on.choose }, "Tag"),
        ),
      ),
      el("div", { class: "rs-fail-false" }, row.false_crop ? window.reid.rankCrop(row.false_crop, on.open, row.id) : el("span", { class: "rs-hint" }, "no false match"), el("span", { class: "rs-hint" }, "first false")),
      window.reid.rankStrip(row.strip, on.open, "Ranked images", row.id),
    );
  };
})();
