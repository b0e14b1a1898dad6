/* Step 3: start a run; follow it with its curves and log; stop it and take it up again. */
(() => {
  "use strict";
  const { el, find, notice } = window.reid;

  window.reid.define("retrain_training", (element) => {
    const part = (name) => find(element, name);
    let handlers = {};
    let recipes = [];
    let setOnPage = "";

    const fill = (select, choices) => {
      const now = JSON.stringify(choices);
      if (select.dataset.shown === now) return;
      const before = select.value;
      select.dataset.shown = now;
      select.replaceChildren(...choices.map(([value, text]) => el("option", { value }, text)));
      if (choices.some(([value]) => value === before)) select.value = before;
    };
    const note = () => (part("recipe-note").textContent = recipes.find((recipe) => recipe.name === part("recipe").value)?.title ?? "");
    part("recipe").addEventListener("change", note);
    part("form").addEventListener("submit", async (event) => {
      event.preventDefault();
      part("start").disabled = true;
      const steps = part("steps").value;
      const problem = await handlers.onStart({
        snapshot: part("set").value,
        recipe: part("recipe").value,
        seed: Number(part("seed").value),
        ...(steps ? { steps: Number(steps) } : {}),
      });
      part("start").disabled = !part("set").value;
      part("problem").replaceChildren(...(problem ? [notice("bad", problem)] : []));
    });

    function runItem(run, openId) {
      return el(
        "li",
        {},
        el(
          "a",
          { class: "rs-run", href: "#", "data-run": run.id, "data-state": run.state, "aria-current": run.id === openId ? "true" : null, onclick: (event) => (event.preventDefault(), handlers.onOpen(run.id)) },
          el("span", { class: "rs-strong" }, `${run.state_word}: ${run.title}`),
          el("span", { class: "rs-hint rs-num" }, [run.set_name, run.when, run.progress, run.model && `made ${run.model}`].filter(Boolean).join(" · ")),
        ),
      );
    }

    return {
      onUse: (callbacks) => (handlers = callbacks),
      show(page) {
        recipes = page.recipes;
        fill(part("set"), page.sets.length ? page.sets.map((card) => [card.id, card.name]) : [["", "none frozen yet"]]);
        if (page.set_id && page.set_id !== setOnPage) part("set").value = page.set_id;
        setOnPage = page.set_id;
        fill(part("recipe"), recipes.map((recipe) => [recipe.name, recipe.name]));
        note();
        part("start").disabled = page.sets.length === 0;
        part("runs").replaceChildren(...page.runs.map((run) => runItem(run, page.run_id)));
        const open = page.runs.find((run) => run.id === page.run_id);
        part("open").hidden = !open;
        if (!open) return;
        part("title").textContent = `${open.state_word}: ${open.title}`;
        const resume = el("button", { type: "button", class: "rs-button", onclick: () => handlers.onResume(open.id) }, { finished: "Register the result", idle: "Start" }[open.state] ?? "Resume");
        part("job").replaceChildren(
          ...(open.job ? [window.reid.jobProgress(open.job, { onCancel: (id) => handlers.onCancel(id), actions: open.can_resume ? [resume] : [] })] : open.can_resume ? [resume] : []),
        );
      },
      /** A RunPanel of views/retrain_run.py. */
      showRun(run) {
        part("newest").textContent = run.newest || run.message || "";
        const percent = (value) => (value * 100).toFixed(1);
        const charts = [
          window.reid.lineChart({ title: "Losses", lines: run.losses ?? [], xTitle: "steps", fromZero: true }),
          window.reid.lineChart({ title: "Validation on people who do not train (%)", lines: run.scores ?? [], xTitle: "steps", yFormat: percent }),
        ].filter(Boolean);
        part("charts").replaceChildren(...charts);
        const log = part("log");
        const atEnd = log.scrollTop + log.clientHeight >= log.scrollHeight - 4;
        if (log.textContent !== run.log) log.textContent = run.log ?? "";
        if (atEnd) log.scrollTop = log.scrollHeight;
      },
    };
  });
})();
