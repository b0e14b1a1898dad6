/* Ranked matches. One tab stop; arrows, Home and End move; Enter or a click compares; Q makes a query of a card. */
(() => {
  "use strict";
  const { el, find, icon, imageUrl, verdictChip, ID_TYPE, VERDICTS } = window.reid;
  const EAGER = 100; // a ranking of 100 is loaded whole; beyond that what is far below waits

  window.reid.define("match_grid", (element) => {
    const grid = find(element, "grid");
    let handlers = { onOpen: () => {}, onQuery: () => {} };
    let hits = [];
    let queryId = "";
    let current = 0;

    const openers = () => grid.querySelectorAll(".rs-card-open");

    function card(hit, index, showsVerdicts) {
      const words = [
        `Rank ${hit.rank}`,
        showsVerdicts ? VERDICTS[hit.verdict].long : hit.identity,
        `similarity ${hit.similarity_text}`,
        hit.probability_text && `probability ${hit.probability_text}`,
        hit.camera,
        hit.time,
        hit.moved_text && `moved ${hit.moved_text}`,
      ];
      const open = el(
        "button",
        {
          type: "button",
          class: "rs-card-open",
          tabindex: index === 0 ? "0" : "-1",
          "aria-label": words.filter(Boolean).join(", "),
          "data-id": hit.id,
          draggable: "true",
        },
        el(
          "span",
          { class: "rs-card-picture" },
          el("img", {
            src: imageUrl(hit.image_url, 256),
            width: 64,
            height: 128,
            alt: "",
            decoding: "async",
            draggable: "false",
            loading: index < EAGER ? "eager" : "lazy",
          }),
          el("span", { class: "rs-rank rs-num" }, String(hit.rank)),
          hit.moved ? el("span", { class: "rs-moved rs-num", "data-way": hit.moved[0] === "▲" ? "up" : "down", title: hit.moved_text }, hit.moved) : null,
          hit.probability_text
            ? el("span", { class: "rs-probability rs-num", title: "Probability of being the same person" }, hit.probability_text)
            : null,
        ),
        el(
          "span",
          { class: "rs-card-facts" },
          el("span", { class: "rs-num rs-strong" }, hit.similarity_text),
          showsVerdicts ? verdictChip(hit.verdict) : el("span", { class: "rs-num" }, hit.identity),
        ),
        el("span", { class: "rs-card-place" }, el("span", {}, hit.camera.replace("camera", "cam")), el("span", { class: "rs-num" }, hit.time)),
        el("span", { class: "rs-card-label", "data-label-slot": "1" }),
      );
      const use = el(
        "button",
        { type: "button", class: "rs-card-query", tabindex: "-1", title: "Use as query (Q)", "aria-label": `Use rank ${hit.rank} as query` },
        icon("search", 14),
      );
      return el("li", { class: "rs-card", "data-verdict": showsVerdicts ? hit.verdict : null, "data-index": index, "data-label-id": hit.id, "data-label-query": queryId, "data-label-similarity": hit.similarity }, open, use);
    }

    const indexOf = (node) => Number(node.closest(".rs-card").dataset.index);

    grid.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (!button) return;
      const index = indexOf(button);
      makeCurrent(index);
      if (button.classList.contains("rs-card-query")) handlers.onQuery(hits[index].id);
      else handlers.onOpen(index);
    });
    grid.addEventListener("focusin", (event) => {
      const opener = event.target.closest(".rs-card-open");
      if (opener) makeCurrent(indexOf(opener));
    });
    grid.addEventListener("dragstart", (event) => {
      const opener = event.target.closest(".rs-card-open");
      if (!opener) return;
      event.dataTransfer.setData(ID_TYPE, opener.dataset.id);
      event.dataTransfer.effectAllowed = "copy";
    });

    function makeCurrent(index) {
      const all = openers();
      all[current]?.setAttribute("tabindex", "-1");
      current = Math.min(Math.max(index, 0), all.length - 1);
      all[current]?.setAttribute("tabindex", "0");
    }

    function focus(index) {
      makeCurrent(index);
      const opener = openers()[current];
      opener?.focus({ preventScroll: true });
      opener?.scrollIntoView({ block: "nearest" });
    }

    function perRow() {
      const all = [...openers()];
      const top = all[0].getBoundingClientRect().top;
      const next = all.findIndex((opener) => opener.getBoundingClientRect().top > top + 4);
      return next < 0 ? all.length : next;
    }

    /** Move the focus; from outside the grid only when nothing else holds it. */
    function step(event) {
      const inside = grid.contains(document.activeElement);
      if (!hits.length || (!inside && document.activeElement !== document.body)) return false;
      if (!inside) {
        if (event.key === "Home" || event.key === "End") return false;
        focus(current);
        return true;
      }
      const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: perRow(), ArrowUp: -perRow() };
      const target = { Home: 0, End: hits.length - 1 }[event.key] ?? current + steps[event.key];
      if (target >= 0 && target < hits.length) focus(target);
      else if (event.key === "ArrowDown") focus(hits.length - 1);
      return true;
    }

    return {
      onUse: (callbacks) => (handlers = callbacks),
      focus,
      step,
      /** The card that has the focus, or null. */
      focusedCard: () => (grid.contains(document.activeElement) ? document.activeElement.closest(".rs-card") : null),
      focusNext: () => current + 1 < hits.length && focus(current + 1),
      currentHit: () => (grid.contains(document.activeElement) ? hits[current] : null),
      images: () => [...grid.querySelectorAll("img")],
      /** Show hits of a query; from number `asideFrom` on they are refused ones, put apart. */
      show(newHits, { showsVerdicts, query = "", asideFrom = newHits.length }) {
        const hadFocus = grid.contains(document.activeElement);
        hits = newHits;
        queryId = query;
        current = 0;
        const cards = hits.map((hit, index) => card(hit, index, showsVerdicts));
        const aside = cards.slice(asideFrom);
        for (const one of aside) one.dataset.aside = "1";
        const border = aside.length ? [el("li", { class: "rs-aside-head" }, `Set aside by your answers: ${aside.length}`)] : [];
        grid.replaceChildren(...cards.slice(0, asideFrom), ...border, ...aside);
        if (hadFocus && hits.length) focus(0);
      },
      busy: (isBusy) => grid.setAttribute("aria-busy", String(isBusy)),
    };
  });
})();
