/* Which crop is explained and what it is compared with: by id, or from the query's best matches. */
(() => {
  "use strict";
  const { el, find, icon, ask, imageUrl, readParams, VERDICTS } = window.reid;
  const TYPING_MS = 250;

  window.reid.define("explain_picker", (element, server) => {
    const part = (name) => find(element, name);
    const slots = { query: part("slot-query"), other: part("slot-other") };
    let slot = "other";
    let view = null;
    let handlers = { onChoose: () => {}, onSwap: () => {}, onAlone: () => {} };
    let timer = 0;
    let turn = 0;

    part("swap").prepend(icon("reset", 14));
    part("search-link").prepend(icon("search", 14));

    function choose(name) {
      slot = name;
      for (const [each, button] of Object.entries(slots)) button.setAttribute("aria-pressed", String(each === name));
      part("find-label").textContent = name === "query" ? "Find the query by id or person" : "Find what to compare with, by id or person";
    }
    slots.query.addEventListener("click", () => choose("query"));
    slots.other.addEventListener("click", () => choose("other"));
    part("swap").addEventListener("click", () => handlers.onSwap());
    part("alone").addEventListener("click", () => handlers.onAlone());
    choose("other");

    function crop(item, target) {
      const words = [item.rank ? `Rank ${item.rank}` : "", item.id, item.camera, item.similarity_text && `similarity ${item.similarity_text}`, item.verdict && VERDICTS[item.verdict].long];
      const button = el(
        "button",
        { type: "button", class: "rs-example", "data-id": item.id, "data-verdict": item.verdict || null, title: item.id, "aria-label": words.filter(Boolean).join(", ") },
        el("img", { src: imageUrl(item.image_url, 256), width: 64, height: 128, alt: "", draggable: "false", loading: "lazy" }),
        item.similarity_text
          ? el("span", { class: "rs-candidate-facts rs-num" }, item.similarity_text, item.verdict ? icon(VERDICTS[item.verdict].icon, 12) : "")
          : "",
      );
      button.addEventListener("click", () => handlers.onChoose(target ?? slot, item.id));
      return el("li", {}, button);
    }

    async function search() {
      const text = part("find").value.trim();
      turn += 1;
      const mine = turn;
      if (!text) {
        part("found").replaceChildren();
        part("found-message").textContent = "";
        return;
      }
      const { g = "", m = "" } = readParams();
      const found = await ask(server.find_crops, { text, g, m });
      if (mine !== turn) return;
      part("found").replaceChildren(...(found.crops ?? []).map((item) => crop(item)));
      part("found-message").textContent = found.message ?? "";
      mark();
    }
    part("find").addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(search, TYPING_MS);
    });

    function mark() {
      for (const button of element.querySelectorAll(".rs-example")) {
        button.setAttribute("aria-pressed", String(button.dataset.id === view?.other?.id));
      }
    }

    function picture(card) {
      return card ? el("img", { src: imageUrl(card.image_url, 256), alt: card.title, draggable: "false" }) : "";
    }

    return {
      onUse: (callbacks) => (handlers = callbacks),
      /** An ExplainPage of views/explain.py. */
      show(page) {
        view = page;
        part("query-picture").replaceChildren(picture(page.query));
        part("other-picture").replaceChildren(picture(page.other));
        part("swap").disabled = !page.other;
        part("alone").disabled = !page.other;
        const { g = "", m = "" } = readParams();
        const scope = { ...(g && { g }), ...(m && { m }) };
        part("search-link").href = `./?${new URLSearchParams({ ...scope, ...(page.query && { q: page.query.id }), ...(page.other && { pair: page.other.id }) })}`;
        const point = page.other?.id ?? page.query?.id ?? "";
        const places = { ...(page.query && { q: page.query.id }), ...(point && !point.startsWith("upload:") && { point }) };
        part("map-link").href = `./map?${new URLSearchParams({ ...scope, ...places })}`;
        part("candidates").replaceChildren(...page.candidates.map((item) => crop(item, "other")));
        part("list-title").hidden = page.candidates.length === 0;
        mark();
      },
    };
  });
})();
