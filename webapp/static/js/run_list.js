/* The runs of a gallery as a list; the open one is marked. */
(() => {
  "use strict";
  const { el } = window.reid;

  /** Nodes for RunCards of views/evaluate.py; `address(id)` is where a run opens. */
  window.reid.runList = (runs, openId, address) =>
    runs.map((run) =>
      el(
        "li",
        {},
        el(
          "a",
          { class: "rs-run", href: address(run.id), "data-run": run.id, "aria-current": run.id === openId ? "true" : null },
          el("b", {}, run.title),
          el("span", { class: "rs-num" }, run.scores),
          el("span", { class: "rs-hint" }, `${run.when} · ${run.protocol}`),
          run.comment ? el("span", { class: "rs-run-note" }, run.comment) : null,
        ),
      ),
    );
})();
