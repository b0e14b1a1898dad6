/* Step 2: freeze, and what was frozen: changelog, quarantine, comparison with another set, name, exports. */
(() => {
  "use strict";
  const { el, find, notice } = window.reid;
  const LAYOUTS = [
    ["market", "Market-1501 tree"],
    ["imagefolder", "imagefolder"],
    ["tables", "tables only"],
  ];

  window.reid.define("retrain_sets", (element) => {
    const part = (name) => find(element, name);
    let handlers = {};
    let shown = ""; // what the list was painted from: open folds and typed text stay while nothing changed
    let suggested = "";

    part("freeze").addEventListener("submit", async (event) => {
      event.preventDefault();
      part("freeze-button").disabled = true;
      const problem = await handlers.onFreeze(part("name").value);
      part("freeze-button").disabled = false;
      part("freeze-problem").replaceChildren(...(problem ? [notice("bad", problem)] : []));
    });
    part("import").addEventListener("submit", async (event) => {
      event.preventDefault();
      part("import-button").disabled = true;
      part("import-problem").replaceChildren(notice("info", "Sending the file."));
      const problem = await handlers.onImport(part("file").files[0], part("import-name").value);
      part("import-button").disabled = false;
      part("import-problem").replaceChildren(...(problem ? [notice("bad", problem)] : []));
      if (!problem) part("import").reset();
    });

    async function fill(card, box, others) {
      const found = await handlers.onOpen(card.id, box.querySelector("select")?.value ?? "");
      const text = found.changelog ?? found.message ?? found.error;
      const choice = el("label", { class: "rs-filter" }, el("span", {}, "What differs from"), el("select", { onchange: () => fill(card, box, others) }, el("option", { value: "" }, "no other set"), ...others.map((other) => el("option", { value: other.id, selected: other.id === box.querySelector("select")?.value }, other.name))));
      box.replaceChildren(
        ...(others.length ? [choice] : []),
        ...(found.diff ? [el("pre", { class: "rs-log", tabindex: "0", "data-part": "diff", "aria-label": "Differences" }, found.diff)] : []),
        el("pre", { class: "rs-log", tabindex: "0", "aria-label": "Changelog" }, text),
      );
    }

    function item(card, page) {
      const others = page.sets.filter((other) => other.id !== card.id);
      const box = el("div", { class: "rs-set-more" });
      const layout = el("select", { "aria-label": `Layout for ${card.name}` }, ...LAYOUTS.map(([value, text]) => el("option", { value }, text)));
      const locked = el("input", { type: "checkbox" });
      const name = el("input", { type: "text", maxlength: 100, value: card.name, "aria-label": `Name of ${card.name}` });
      const problem = el("div");
      const act = async (work) => {
        const failed = await work;
        problem.replaceChildren(...(failed ? [notice("bad", failed)] : []));
      };
      return el(
        "li",
        { class: "rs-set", "data-set": card.id, "aria-current": card.id === page.set_id ? "true" : null },
        el("div", { class: "rs-run-line" }, el("b", {}, card.name), el("code", {}, card.id), el("span", { class: "rs-hint" }, card.when), el("span", { class: "rs-spacer" }), el("button", { type: "button", class: "rs-button", onclick: () => handlers.onChoose(card.id) }, "Train on it")),
        el("p", {}, card.headline),
        el("p", { class: "rs-hint rs-num" }, card.facts),
        card.exports.length ? el("p", { class: "rs-files" }, "Download: ", ...card.exports.flatMap((file, row) => [row ? " · " : "", el("a", { href: file.href, download: "" }, file.title)])) : null,
        problem,
        el("div", { class: "rs-packing", "data-packing": card.id }),
        el("details", { ontoggle: (event) => event.target.open && !box.children.length && fill(card, box, others) }, el("summary", {}, "Changelog and differences"), box),
        el(
          "details",
          {},
          el("summary", {}, "Export or rename"),
          el("div", { class: "rs-inline-form" }, layout, el("label", { class: "rs-filter-check" }, locked, el("span", {}, "with the locked test")), el("button", { type: "button", class: "rs-button", onclick: () => act(handlers.onExport(card.id, layout.value, locked.checked)) }, "Pack a zip")),
          el("form", { class: "rs-inline-form", onsubmit: (event) => (event.preventDefault(), act(handlers.onRename(card.id, name.value))) }, name, el("button", { type: "submit", class: "rs-button" }, "Rename")),
        ),
      );
    }

    return {
      onUse: (callbacks) => (handlers = callbacks),
      /** A RetrainPage of views/retrain.py. */
      show(page) {
        if (!part("name").value || part("name").value === suggested) part("name").value = page.suggested_name;
        suggested = page.suggested_name;
        const now = JSON.stringify([page.sets.map(({ packing: _packing, ...card }) => card), page.set_id]);
        if (now !== shown) part("sets").replaceChildren(...page.sets.map((card) => item(card, page)));
        shown = now;
        part("no-sets").hidden = page.sets.length > 0;
        for (const card of page.sets) {
          const box = part("sets").querySelector(`[data-packing="${card.id}"]`);
          box.replaceChildren(...card.packing.map((job) => window.reid.jobProgress(job, { onCancel: (id) => handlers.onCancel(id) })));
        }
      },
    };
  });
})();
