/* The Retrain page: five steps on one page. The address names the gallery, the set and the run. */
(() => {
  "use strict";
  const { ask, part, readParams, writeParams } = window.reid;
  const POLL_MS = 1500;

  window.reid.define("retrain_page", async (_element, server) => {
    const [header, path, draft, sets, training, gate, models] = await Promise.all(
      ["header", "retrain_path", "retrain_draft", "retrain_sets", "retrain_training", "retrain_gate", "retrain_models"].map(part),
    );
    const { url } = window.reid.retrain;
    const api = window.reid.runApi;
    let page = null; // the RetrainPage on screen
    let panel = null; // the newest DraftPanel
    let timer = 0;
    let turn = 0; // only the latest request may paint
    let draftTurn = 0;

    const seen = new Set(); // jobs that this page saw at work: their end is shown, that of older ones is history

    const scope = () => ({ gallery: page?.gallery ?? readParams().g ?? "" });
    const change = (changes, push = true) =>
      writeParams(Object.fromEntries(Object.entries({ ...readParams(), ...changes }).filter(([, value]) => value)), { push });
    const openRun = () => page.runs.find((run) => run.id === page.run_id);
    /** The candidate of the open run; without one the newest. */
    const candidate = () => page.models.find((model) => model.run && model.run === page.run_id) ?? (openRun() ? null : page.models.find((model) => model.run));

    function steps() {
      const under = (kind) => page.jobs.find((job) => job.kind === kind && job.can_cancel);
      const best = candidate();
      const count = panel?.num_decisions ?? 0;
      const open = panel?.is_frozen ? 0 : draft.open();
      const judged = !panel ? "counting" : open ? `${open} ${open === 1 ? "leak needs" : "leaks need"} a way out` : panel.is_frozen ? "all frozen" : `${count} pairs judged`;
      const newest = page.sets[0]?.name;
      const isUntrained = Boolean(newest) && !page.runs.some((run) => run.set_name === newest);
      const hasNew = Boolean(panel) && !panel.is_frozen;
      const wasKept = best?.state === "kept" && !isUntrained; // the way on is to judge more, and to freeze that
      const found = [
        { title: "Corrections", state: wasKept && !hasNew ? "judge more, then freeze and train again" : judged, isDone: (hasNew || !wasKept) && count > 0 && !open },
        { title: "Freeze", state: under("freeze") ? "freezing" : page.sets.length ? `${page.sets.length} frozen${hasNew ? ", new judgements since" : ""}` : "no set yet", isDone: page.sets.length > 0 && !(wasKept && hasNew) },
        { title: "Train", state: under("train") ? "under way" : isUntrained ? `${newest} waits for a run` : openRun() ? openRun().state_word.toLowerCase() : "no run yet", isDone: !isUntrained && Boolean(openRun()?.model) },
        { title: "Compare", state: under("compare") ? "comparing" : best ? best.state_word.toLowerCase() : "nothing to compare", isDone: ["serving", "served", "kept", "promotable"].includes(best?.state) },
        { title: "Promote", state: under("promote") ? "embedding the galleries" : best?.state === "promotable" ? `${best.name} may serve` : `${page.serving} serves`, isDone: ["serving", "served", "kept"].includes(best?.state) },
      ];
      const next = found.findIndex((step) => !step.isDone);
      return found.map(({ title, state }, row) => ({ id: row + 1, title, state, isNext: row === next }));
    }

    async function refresh() {
      turn += 1;
      const mine = turn;
      clearTimeout(timer);
      const answer = await ask(server.open_page, readParams());
      if (mine !== turn) return;
      if (answer.kind !== "open") {
        path.problem(answer.message);
        timer = setTimeout(refresh, 4 * POLL_MS);
        return;
      }
      const before = page;
      page = answer;
      path.problem("");
      sets.show(page);
      training.show(page);
      models.show(page);
      const run = page.run_id ? await ask(server.show_run, { run: page.run_id }) : null;
      const best = candidate();
      const shown = await ask(server.show_gate, { model: best?.name ?? "" });
      if (mine !== turn) return;
      if (run) training.showRun(run);
      if (shown.thresholds) gate.show(page.models.filter((model) => model.run), shown, run?.id === best?.run ? run : null);
      showPath();
      tell(before);
      if (before && before.serving !== page.serving) header.refresh();
      if (before && (before.sets.length !== page.sets.length || before.serving !== page.serving)) showDraft();
      if (page.is_busy) timer = setTimeout(refresh, POLL_MS);
    }

    /** What ended since the last look is said once. */
    function tell(before) {
      for (const job of page.jobs) {
        const was = before?.jobs.find((other) => other.id === job.id);
        if (was?.can_cancel && !job.can_cancel) window.reid.announce(`${job.title}: ${job.state_word}. ${job.message}`);
      }
    }

    async function showDraft() {
      draftTurn += 1;
      const mine = draftTurn;
      draft.wait("Reading the judgements and the pools.");
      const found = await ask(server.show_draft, { ...readParams(), resolutions: draft.resolutions(), feedback: draft.feedback() });
      if (mine !== draftTurn) return;
      if (!found.kind) return draft.show({ kind: "error", message: found.message });
      if (found.kind === "preparing") setTimeout(() => mine === draftTurn && showDraft(), 2 * POLL_MS);
      panel = found.kind === "open" ? found : null;
      draft.show(found, `./review?${window.reid.scopeParams()}`);
      if (page) showPath();
    }

    function showPath() {
      for (const job of page.jobs) if (job.can_cancel) seen.add(job.id);
      path.show(steps(), page.jobs.filter((job) => job.can_cancel || job.state === "failed" || seen.has(job.id)));
    }

    /** Post, look again, and hand back what is wrong, if anything is. */
    async function post(address, fields) {
      const answer = await api.post(address, fields);
      if (answer.error) return answer.error;
      await refresh();
      return "";
    }

    const cancel = (id) => post(`gradio_api/reid/v1/jobs/${id}/cancel`);
    draft.onWays(showDraft);
    sets.onUse({
      async onFreeze(name) {
        if (draft.open()) return "Choose a way out for each leak in step 1 first.";
        const resolutions = draft.resolutions();
        const feedback = draft.feedback();
        const found = await ask(server.show_draft, { ...readParams(), resolutions, feedback });
        if (found.kind !== "open") return found.message;
        if (found.leaks.length) {
          draft.addLeaks(found.leaks, found.ways_out);
          return "A way out opened another leak; it is listed in step 1. Choose there, then freeze again.";
        }
        if (found.problem) return found.problem;
        const problem = await post(url("freeze", scope()), { name, model: readParams().m ?? "", resolutions, feedback });
        if (!problem) change({ set: "" }, false);
        return problem;
      },
      onImport: async (file, name) => {
        try {
          const response = await fetch(url("import", { ...scope(), filename: file.name, name }), { method: "POST", body: file });
          const answer = await response.json();
          if (answer.error) return answer.error;
        } catch {
          return "The server gave no answer. Check that the app is still running, then try again.";
        }
        await refresh();
        return "";
      },
      onOpen: (set, vs) => ask(server.show_set, { g: page.gallery, set, vs }),
      onChoose(set) {
        change({ set });
        refresh();
        document.getElementById("step-3").scrollIntoView({ block: "start" });
      },
      onExport: (set, layout, isLocked) => post(url(`snapshots/${set}/export`, scope()), { layout, with_locked: isLocked }),
      onCancel: cancel,
      onRename: (set, name) => post(url(`snapshots/${set}/rename`, scope()), { name }),
    });
    const promote = (name) => post(url(`models/${encodeURIComponent(name)}/promote`));
    const compare = (name) => post(url(`models/${encodeURIComponent(name)}/compare`));
    path.onUse({ onCancel: cancel });
    training.onUse({
      async onStart(wanted) {
        const answer = await api.post(url("runs", scope()), wanted);
        if (answer.error) return answer.error;
        change({ run: answer.run.request.id });
        await refresh();
        return "";
      },
      onOpen(run) {
        change({ run });
        refresh();
      },
      onResume: async (run) => path.problem(await post(url(`runs/${run}/resume`))),
      onCancel: cancel,
    });
    const showModel = (name) => {
      change({ run: page.models.find((model) => model.name === name)?.run ?? "" });
      return refresh();
    };
    gate.onUse({
      onChoose: showModel,
      onPromote: async (name) => path.problem(await promote(name)),
      onCompare: async (name) => path.problem(await compare(name)),
      onThresholds: (values) => post(url("thresholds"), values),
    });
    models.onUse({
      onPromote: promote,
      onCompare: compare,
      async onShow(name) {
        await showModel(name);
        document.getElementById("step-4").scrollIntoView({ block: "start" });
      },
    });
    header.onScope((_which, chosen) => {
      change({ ...chosen, set: "", run: "" });
      draft.forget();
      header.refresh();
      refresh();
      showDraft();
    });
    window.addEventListener("popstate", () => {
      header.refresh();
      refresh();
    });
    await refresh();
    await showDraft();
  });
})();
