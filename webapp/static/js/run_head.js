/* Above the views: jobs under way, what is wrong, and what the open run is. */
(() => {
  "use strict";
  const { el, find, icon, notice } = window.reid;
  const VIEWS = [
    ["overview", "Overview"],
    ["failures", "Failures"],
    ["compare", "Compare"],
  ];

  window.reid.define("run_head", (element) => {
    const part = (name) => find(element, name);
    let handlers = {};
    let run = null;
    const dismissed = new Set();

    part("views").append(
      ...VIEWS.map(([name, title]) =>
        el("a", { href: "#", "data-view": name, onclick: (event) => (event.preventDefault(), handlers.onView(name)) }, title),
      ),
    );
    part("ranking").addEventListener("change", () => handlers.onRanking(part("ranking").value));

    /* Asks once more on the button itself, for as long as it has the focus. */
    const remove = part("delete");
    remove.addEventListener("click", () => {
      if (remove.dataset.sure) handlers.onDelete(run.id);
      else {
        remove.dataset.sure = "1";
        remove.textContent = "Delete for good?";
      }
    });
    remove.addEventListener("blur", () => {
      delete remove.dataset.sure;
      remove.textContent = "Delete run";
    });

    function edit(isOpen) {
      part("edit-form").hidden = !isOpen;
      if (!isOpen) return part("edit").focus();
      part("edit-title").value = run.title;
      part("edit-comment").value = run.comment;
      return part("edit-title").focus();
    }
    part("edit").addEventListener("click", () => edit(part("edit-form").hidden));
    part("edit-cancel").addEventListener("click", () => edit(false));
    part("edit-form").addEventListener("submit", async (event) => {
      event.preventDefault();
      if (await handlers.onEdit(run.id, part("edit-title").value, part("edit-comment").value)) edit(false);
    });

    const remedies = (setup) =>
      setup?.remedies.length ? el("ul", { class: "rs-remedies" }, ...setup.remedies.map((text) => el("li", {}, text))) : null;

    function state(page) {
      if (page.kind === "error") return [notice("bad", page.message)];
      if (page.kind === "preparing") return [notice("info", page.message)];
      if (page.kind === "unscorable") {
        return [
          el(
            "div",
            { class: "rs-empty" },
            el("h1", {}, "This gallery cannot be scored yet"),
            el("p", {}, page.message),
            remedies(page.setup),
            el("p", {}, "Search, Explain and Map work without identities."),
          ),
        ];
      }
      if (page.kind === "none" && !page.jobs.length) {
        return [
          el(
            "div",
            { class: "rs-empty" },
            el("h1", {}, "No evaluation yet"),
            el("p", {}, "A run ranks the gallery for every query and keeps the scores, the curves and every single failure. It goes on when you leave this page."),
            el("button", { type: "button", class: "rs-button rs-primary", onclick: () => handlers.onQuickStart() }, "Run with the Market-1501 protocol"),
          ),
        ];
      }
      return [];
    }

    return {
      onUse: (callbacks) => (handlers = callbacks),
      /** Say that a run is finished; what is on screen stays until somebody opens it. */
      offer(done, onOpen) {
        const open = el("button", { type: "button", class: "rs-button", onclick: () => (part("offer").replaceChildren(), onOpen()) }, "Open it");
        const close = el("button", { type: "button", class: "rs-tool", "aria-label": "Hide", onclick: () => part("offer").replaceChildren() }, icon("cross", 14));
        part("offer").replaceChildren(notice("info", `${done.title} is finished: ${done.scores}.`, open, close));
      },
      problem: (text) => part("state").replaceChildren(...(text ? [notice("bad", text)] : [])),
      /** An EvaluatePage of views/evaluate.py and the name of the open view. */
      show(page, view) {
        run = page.run;
        const focusedJob = document.activeElement.closest?.("[data-job]")?.dataset.job;
        const jobs = page.jobs.filter((job) => job.can_cancel || !dismissed.has(job.id)).slice(0, 4);
        part("jobs").replaceChildren(
          ...jobs.map((job) => {
            const hide = el("button", { type: "button", class: "rs-tool", "aria-label": "Hide", onclick: () => (dismissed.add(job.id), card.remove()) }, icon("cross", 14));
            const card = window.reid.jobProgress(job, { onCancel: handlers.onCancel, actions: job.can_cancel ? [] : [hide] });
            return card;
          }),
        );
        if (focusedJob) part("jobs").querySelector(`[data-job="${focusedJob}"] button`)?.focus();
        part("state").replaceChildren(...state(page));
        part("head").hidden = !run;
        if (!run) return;
        part("title").textContent = run.title;
        part("comment").textContent = run.comment;
        part("facts").textContent = run.facts.join(" · ");
        const notes = [...run.notes, ...(run.is_other_scope ? [run.is_other_scope] : [])];
        part("notes").replaceChildren(...notes.map((text) => notice("info", text)));
        part("ranking-field").hidden = run.rankings.length < 2;
        if (part("ranking").value !== run.ranking || part("ranking").options.length !== run.rankings.length) part("ranking").replaceChildren(
          ...run.rankings.map((choice) => el("option", { value: choice.name, selected: choice.name === run.ranking }, choice.title)),
        );
        this.mark(view);
      },
      mark(view) {
        for (const link of part("views").children) {
          if (link.dataset.view === view) link.setAttribute("aria-current", "page");
          else link.removeAttribute("aria-current");
        }
      },
    };
  });
})();
