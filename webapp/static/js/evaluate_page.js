/* The Evaluate page: the address is the state. It names the run, the view, the ranking, the filters. */
(() => {
  "use strict";
  const { ask, part, readParams, writeParams, pushKeys } = window.reid;
  const POLL_MS = 1000;
  const FILTERS = ["cams", "hmin", "hmax", "gmin", "gmax", "apmin", "apmax", "kind", "guess", "missed"];
  const VIEWS = ["overview", "failures", "compare"];

  window.reid.define("evaluate_page", async (_element, server) => {
    const [header, setup, head, overview, failures, comparison, pair] = await Promise.all(
      ["header", "evaluate_setup", "run_head", "run_overview", "failure_list", "run_comparison", "pair_view"].map(part),
    );
    let page = null; // the EvaluatePage on screen
    let pageTurn = 0; // only the latest request may paint
    let viewTurn = 0;
    let timer = 0;
    let offset = 0; // of the next failures
    let limit = 0; // of the changed queries
    let pairQuery = "";
    const follows = new Set(); // jobs whose run is opened when it is done

    const viewOf = (params) => (VIEWS.includes(params.view) ? params.view : "overview");
    const ranking = () => (page.run.ranking === "plain" ? "" : page.run.ranking);
    const filtersOf = (params) => Object.fromEntries(FILTERS.filter((name) => params[name]).map((name) => [name, params[name]]));
    const clean = (params) => Object.fromEntries(Object.entries(params).filter(([, value]) => value));
    const addressOf = (params) => `./evaluate?${new URLSearchParams(clean(params))}`;
    const scope = () => {
      const { g = "", m = "" } = readParams();
      return { g, m };
    };
    const runAddress = (id) => addressOf({ ...scope(), run: id, view: readParams().view ?? "" });

    function change(changes, { push = true } = {}) {
      const params = clean({ ...readParams(), ...changes });
      writeParams(params, { push });
      return params;
    }

    /* ---- the page and its jobs ---- */
    async function refresh() {
      pageTurn += 1;
      const mine = pageTurn;
      clearTimeout(timer);
      const answer = await ask(server.open_page, readParams());
      if (mine !== pageTurn) return;
      if (!answer.kind) {
        head.problem(answer.message);
        timer = setTimeout(refresh, 3 * POLL_MS);
        return;
      }
      const before = page;
      page = answer;
      // The newest run stays open when a newer one comes.
      if (page.run && !readParams().run) change({ run: page.run.id }, { push: false });
      setup.show(page, runAddress);
      head.show(page, viewOf(readParams()));
      if (page.is_busy || page.kind === "preparing") timer = setTimeout(poll, POLL_MS);
      if (before?.run?.id !== page.run?.id || before?.run?.ranking !== page.run?.ranking) await showView();
      else if (before?.runs.length !== page.runs.length && viewOf(readParams()) === "compare") await showView();
    }

    /** While a job runs: what is on screen stays, unless the run of a job started here is done. */
    async function poll() {
      const known = new Set(page.runs?.map((run) => run.id));
      const wasNone = !page.run;
      const busy = (page.jobs ?? []).filter((job) => job.can_cancel).map((job) => job.id);
      await refresh();
      const isOver = busy.some((id) => !page.jobs.some((job) => job.id === id));
      const fresh = page.runs?.find((run) => !known.has(run.id));
      if (!isOver || !fresh) return;
      const isMine = busy.some((id) => follows.has(id) && !page.jobs.some((job) => job.id === id));
      window.reid.announce(`Run finished: ${fresh.scores}.`);
      if (isMine || wasNone) openRun(fresh.id);
      else head.offer(fresh, () => openRun(fresh.id));
    }

    function openRun(id) {
      change({ run: id, ...Object.fromEntries(FILTERS.map((name) => [name, ""])), rank: "", vs: "", vsrank: "" });
      header.refresh();
      refresh();
    }

    async function start(wanted) {
      const { g = "", m = "" } = readParams();
      const answer = await window.reid.runApi.post(window.reid.runApi.url(""), { gallery: g, model: m, ...wanted });
      if (answer.error) return answer.error;
      follows.add(answer.job);
      await refresh();
      return "";
    }

    /* ---- views ---- */
    async function showView() {
      const params = readParams();
      const view = page.run ? viewOf(params) : "";
      overview.hide(view !== "overview");
      failures.hide(view !== "failures");
      comparison.hide(view !== "compare");
      head.mark(view);
      if (view === "overview") await showOverview();
      if (view === "failures") await showFailures();
      if (view === "compare") await showComparison();
    }

    function showOverview() {
      const { id } = page.run;
      return overview.show(page.run, {
        address: (filters) => addressOf({ ...scope(), run: id, view: "failures", ...filters }),
        loadFigures: () => window.reid.runApi.get(window.reid.runApi.url(`/${id}/figures`)),
        file: (path) => window.reid.runApi.url(`/${id}${path}`),
      });
    }

    async function showFailures(isMore = false) {
      viewTurn += 1;
      const mine = viewTurn;
      const wanted = { ...readParams(), run: page.run.id, offset: isMore ? String(offset) : "" };
      const found = await ask(server.show_failures, wanted);
      if (mine !== viewTurn) return;
      if (!found.rows) {
        head.problem(found.message);
        return;
      }
      offset = found.next_offset;
      failures.show(found, page.run, isMore);
      labels?.refresh();
    }

    async function showComparison() {
      viewTurn += 1;
      const mine = viewTurn;
      const params = { ...readParams(), run: page.run.id, limit: limit ? String(limit) : "" };
      const found = await ask(server.show_comparison, params);
      if (mine !== viewTurn) return;
      const sides = { run: page.run.id, rank: ranking(), vs: params.vs, vsrank: params.vsrank };
      await comparison.show(found, {
        runs: page.runs,
        open: page.run,
        params,
        loadFigures: () => window.reid.runApi.get(window.reid.runApi.url("/compare/figures", sides)),
        file: (name, suffix) => window.reid.runApi.url(`/compare/figures/${name}.${suffix}`, sides),
      });
    }

    /* ---- comparison of a query with its ranking ---- */
    async function openPair(query, candidate, from = {}) {
      const answer = await ask(server.show_pair, { run: page.run.id, rank: ranking(), ...from, q: query, c: candidate });
      if (!answer.query) {
        failures.toast(answer.message);
        return;
      }
      pairQuery = query;
      pair.open({ query: answer.query, hits: answer.hits, showsVerdicts: true }, answer.index);
    }
    const leave = (href) => (location.href = href);
    const pairLink = (target, params) => () => leave(window.reid.runApi.pageUrl(target, page.run, params()));
    let pairOther = "";
    /* ---- judging in place: the same keys as on the Search page, in the comparison and in the list ---- */
    let labels = null;
    let annotator = null;
    const answering = failures.answering().appendChild(window.reid.el("div"));
    const openKeys = () => window.reid.openKeys("failures");
    const gallery = () => page?.run?.gallery ?? readParams().g ?? "";
    window.reid
      .annotator({
        host: answering,
        gallery,
        onName: () => labels?.refresh(),
        onGiven: failures.answered,
        onResult(answer, { status }) {
          if (status === "stale" || status === "refused") failures.unanswered(answer.id);
          labels?.settled(answer);
        },
      })
      .then((session) => {
        annotator = session;
        session.addButton("Keys", openKeys);
        labels = window.reid.labelling({
          session,
          place: "failures",
          gallery,
          root: document,
          sweepQuery: () => (pair.isOpen() ? "" : (failures.focusedCard()?.dataset.labelQuery ?? "")),
          focused: () => (pair.isOpen() ? pair.labelCard() : failures.focusedCard()),
          onLabelled: () => (pair.isOpen() ? pair.next() : failures.goOn()),
          takeBack() {
            if (pair.isOpen()) session.undo();
            else if (viewOf(readParams()) === "failures") failures.undo();
          },
        });
        labels.refresh();
      });
    pair.onUse({
      bar: answering,
      onPaint: () => labels?.refresh(),
      onLabel: (card, answer) => labels?.label(card, answer),
      onQuery: (id) => leave(window.reid.runApi.pageUrl("", page.run, { q: id })),
      onMove: (_index, hit) => (pairOther = hit?.id ?? ""),
      onClose() {
        if (viewOf(readParams()) === "failures") failures.focus(pairQuery);
      },
      keys: {
        "@help": openKeys,
        "@to_explain": pairLink("explain", () => ({ q: pairQuery, c: pairOther })),
        "@to_search": pairLink("", () => ({ q: pairQuery, pair: pairOther })),
        "@to_review": pairLink("review", () => ({ pair: `${pairQuery},${pairOther}` })),
      },
    });

    /* ---- wiring ---- */
    setup.onUse({ onStart: start });
    head.onUse({
      onView(view) {
        change({ view: view === "overview" ? "" : view });
        showView();
      },
      onRanking(name) {
        change({ rank: name === "plain" ? "" : name });
        refresh();
      },
      async onEdit(id, title, comment) {
        const answer = await window.reid.runApi.post(window.reid.runApi.url(`/${id}/edit`), { title, comment });
        if (answer.error) head.problem(answer.error);
        else await refresh();
        return !answer.error;
      },
      async onDelete(id) {
        const answer = await window.reid.runApi.post(window.reid.runApi.url(`/${id}/delete`));
        if (answer.error) return head.problem(answer.error);
        change({ run: "", vs: "", vsrank: "", rank: "" }, { push: false });
        return refresh();
      },
      onCancel: async (id) => {
        await window.reid.runApi.post(`gradio_api/reid/v1/jobs/${id}/cancel`);
        refresh();
      },
      onQuickStart: async () => {
        const queries = page.setup.query_rules[0]?.name ?? "split";
        const protocol = page.setup.protocols[0]?.name ?? "market1501";
        head.problem(await start({ queries, protocol }));
      },
    });
    failures.onUse({
      who: () => annotator?.name() ?? "",
      onTakeBack: () => annotator.undo(),
      onPaint: () => labels?.repaint(),
      kinds: () => page.kinds,
      params: () => ({ ...filtersOf(readParams()), rank: ranking() }),
      onFilter(params) {
        change(params);
        showFailures();
      },
      onMore: () => showFailures(true),
      onCompare: openPair,
      onLeave: leave,
      async onTagged() {
        const found = await ask(server.show_failures, { ...readParams(), run: page.run.id });
        if (found.rows) failures.counts(found);
      },
    });
    comparison.onUse({
      address: (filters, query) =>
        query ? window.reid.runApi.pageUrl("", page.run, { q: query }) : addressOf({ ...scope(), run: page.run.id, view: "failures", ...filters }),
      onChoose(sides) {
        limit = 0;
        change(sides);
        showComparison();
      },
      onList(name) {
        limit = 0;
        change({ list: name });
        showComparison();
      },
      onMore() {
        limit = (limit || 10) + 20;
        showComparison();
      },
      onCompare(query, candidate, side) {
        const { vs, vsrank = "" } = readParams();
        openPair(query, candidate, side === "Before" ? { run: vs, rank: vsrank } : {});
      },
    });
    header.onScope((_which, chosen) => {
      change({ ...chosen, run: "", vs: "", vsrank: "", rank: "", ...Object.fromEntries(FILTERS.map((name) => [name, ""])) });
      page = null;
      header.refresh();
      refresh();
    });
    pushKeys(failures.keys);
    window.addEventListener("popstate", async () => {
      header.refresh();
      await refresh();
      showView();
    });
    await refresh();
  });
})();
