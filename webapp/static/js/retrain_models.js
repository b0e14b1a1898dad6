/* Step 5: which model serves, who did before, and one click back. */
(() => {
  "use strict";
  const { el, find, icon, notice } = window.reid;
  const WORDS = { promote: "Promote", callback: "Serve again", compare: "Compare" };

  window.reid.define("retrain_models", (element) => {
    const part = (name) => find(element, name);
    let handlers = {};
    const act = async (work) => {
      const problem = await work;
      part("problem").replaceChildren(...(problem ? [notice("bad", problem)] : []));
    };
    return {
      onUse: (callbacks) => (handlers = callbacks),
      show(page) {
        part("serving").replaceChildren(icon("model"), " ", el("b", { "data-part": "serving-name" }, page.serving), " serves now.");
        part("models").replaceChildren(
          ...page.models.map((model) =>
            el(
              "li",
              { class: "rs-model", "data-model": model.name, "data-state": model.state },
              el("div", { class: "rs-run-line" }, el("b", {}, model.name), el("span", { class: "rs-badge" }, model.state_word), el("span", { class: "rs-spacer" }), model.comparison ? el("button", { type: "button", class: "rs-button", "aria-label": `Show the comparison of ${model.name}`, onclick: () => handlers.onShow(model.name) }, "Comparison") : null, model.action ? el("button", { type: "button", class: "rs-button", "aria-label": `${WORDS[model.action]}: ${model.name}`, onclick: () => act(model.action === "compare" ? handlers.onCompare(model.name) : handlers.onPromote(model.name)) }, WORDS[model.action]) : null),
              el("p", {}, model.verdict),
              el("p", { class: "rs-hint rs-num" }, model.facts),
            ),
          ),
        );
        part("history").replaceChildren(...page.history.map((row) => el("li", {}, el("span", { class: "rs-num" }, row.when), `: ${row.model} instead of ${row.previous}. ${row.reason}`)));
        part("no-history").hidden = page.history.length > 0;
      },
    };
  });
})();
