/* Where one stands on the way from corrections to a model, and the work under way. */
(() => {
  "use strict";
  const { el, find, notice } = window.reid;

  window.reid.define("retrain_path", (element) => {
    const part = (name) => find(element, name);
    let handlers = {};
    return {
      onUse: (callbacks) => (handlers = callbacks),
      problem: (text) => part("problem").replaceChildren(...(text ? [notice("bad", text)] : [])),
      /** `steps`: [{id, title, state, isNext}]; `jobs`: JobPanels. */
      show(steps, jobs) {
        part("steps").replaceChildren(
          ...steps.map(({ id, title, state, isNext }) =>
            el(
              "li",
              { "data-next": isNext || null },
              el("a", { href: `#step-${id}`, "aria-current": isNext ? "step" : null, onclick: (event) => (event.preventDefault(), document.getElementById(`step-${id}`).scrollIntoView({ block: "start" })) }, `${id}. ${title}`),
              el("span", { class: "rs-hint" }, isNext ? `Next: ${state}` : state),
            ),
          ),
        );
        part("jobs").hidden = jobs.length === 0;
        part("jobs").replaceChildren(...jobs.map((job) => window.reid.jobProgress(job, { onCancel: (id) => handlers.onCancel(id) })));
      },
    };
  });
})();
