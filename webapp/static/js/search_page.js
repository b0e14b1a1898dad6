/* The Search page: the address is the state. Every change writes the address and searches; Back reads it again. */
(() => {
  "use strict";
  const { ask, part, readParams, writeParams, pushKeys } = window.reid;
  const POLL_MS = 1000;

  window.reid.define("search_page", async (_element, server) => {
    const [header, panel, filters, head, grid, pair] = await Promise.all(
      ["header", "query_panel", "filter_panel", "ranking_head", "match_grid", "pair_view"].map(part),
    );
    let view = null; // the SearchView on screen
    let shown = []; // its hits, those set aside last
    let turn = 0; // only the latest request may paint
    let timer = 0;
    let shownScope = "";
    const scopeOf = ({ g = "", m = "" }) => JSON.stringify([g, m]);

    function paint(next) {
      const { pair: pairId } = readParams();
      if (view?.kind === "preparing" && next.kind !== "preparing") header.refresh(); // it may have a name now
      view = next;
      clearTimeout(timer);
      performance.mark("reid:answer");
      shown = [...view.hits, ...(view.feedback?.aside ?? [])];
      head.show(view, { onOpen: (rank) => openPair(rank - 1), onRetry: () => search(readParams()) });
      head.showFeedback(view.feedback ?? null, { onWithout: () => search(change({ fb: "" })), onUpdate: () => search(readParams()) });
      grid.show(shown, { showsVerdicts: view.shows_verdicts, query: view.query?.id ?? "", asideFrom: view.hits.length });
      labels?.refresh();
      if (view.query || view.kind !== "preparing") panel.showQuery(view.query);
      filters.show(view.params);
      if (view.kind === "preparing") timer = setTimeout(open, POLL_MS); // filters and examples may be new, too
      const at = pairId ? shown.findIndex((hit) => hit.id === pairId) : -1;
      if (at >= 0) openPair(at);
      else if (pair.isOpen()) pair.close();
    }

    function failed(answer) {
      const empty = { hits: [], summary: [], notes: [], params: readParams(), query: view?.query ?? null };
      return { ...empty, kind: "error", count: "", message: answer.message };
    }

    async function search(params) {
      turn += 1;
      const mine = turn;
      clearTimeout(timer);
      grid.busy(true);
      head.busy(true);
      const answer = await ask(server.search, params);
      if (mine !== turn) return;
      grid.busy(false);
      head.busy(false);
      paint(answer.hits ? answer : failed(answer));
    }

    /** Open the gallery that the address names: filters, examples, and the search. */
    async function open() {
      turn += 1;
      const mine = turn;
      clearTimeout(timer);
      const page = await ask(server.open_page, readParams());
      if (mine !== turn) return;
      if (!page.search) {
        paint(failed(page));
        return;
      }
      // What was being prepared is listed now, and its network is known.
      if (view?.kind === "preparing" && page.search.kind !== "preparing") header.refresh();
      filters.setUp(page.filters);
      panel.showExamples(page.examples);
      const { pair: pairId } = readParams();
      writeParams(pairId ? { ...page.search.params, pair: pairId } : page.search.params);
      shownScope = scopeOf(readParams());
      paint(page.search);
    }

    /** Change some address parameters; empty ones are taken out. A step that Back undoes. */
    function change(changes) {
      const params = { ...readParams(), ...changes };
      delete params.pair;
      for (const name of Object.keys(params)) if (!params[name]) delete params[name];
      writeParams(params, { push: true });
      return params;
    }

    const useAsQuery = (id) => {
      search(change({ q: id }));
      window.scrollTo({ top: 0 });
    };

    function openPair(index) {
      pair.open({ query: view.query, hits: shown, showsVerdicts: view.shows_verdicts }, index);
    }

    header.onScope((which, scope) => {
      const clear = which === "gallery" ? { q: keepUpload(readParams().q), cam: "", from: "", to: "" } : {};
      change({ ...scope, ...clear });
      header.refresh();
      open();
    });
    /* A picture of one's own can be searched in any gallery; an id of one gallery means nothing in another. */
    const keepUpload = (id) => (id?.startsWith("upload:") ? id : "");

    panel.onQuery(useAsQuery);
    filters.onChange((changes) => search(change(changes)));
    grid.onUse({ onOpen: openPair, onQuery: useAsQuery });
    /* ---- judging in place ---- */
    let labels = null;
    const answering = head.answering().appendChild(window.reid.el("div"));
    const openKeys = () => window.reid.openKeys("search");
    const gallery = () => readParams().g ?? "";
    const focused = () => (pair.isOpen() ? pair.labelCard() : grid.focusedCard());
    window.reid
      .annotator({ host: answering, gallery, onResult: (answer) => labels?.settled(answer), onName: () => labels?.refresh() })
      .then((session) => {
        labels = window.reid.labelling({
          session,
          place: "search",
          gallery,
          root: document,
          focused,
          onChange: head.isOutOfDate,
          onLabelled: () => (pair.isOpen() ? pair.next() : grid.focusNext()),
          sweepQuery: () => document.querySelector("[data-label-id][data-label-query]")?.dataset.labelQuery ?? "",
        });
        session.addButton("All left: different", () => labels.sweep(), "sweep");
        session.addButton("Keys", openKeys);
        labels.refresh();
      });

    pair.onUse({
      bar: answering,
      keys: { "@help": openKeys },
      onPaint: () => labels?.repaint(),
      onLabel: (card, answer) => labels?.label(card, answer),
      onQuery: useAsQuery,
      onMove: (index) => writeParams({ ...readParams(), pair: shown[index].id }),
      onClose: (index) => {
        const { pair: _closed, ...params } = readParams();
        writeParams(params);
        grid.focus(index);
      },
    });

    const steps = ["ArrowRight", "ArrowLeft", "ArrowDown", "ArrowUp", "Home", "End"];
    pushKeys({
      ...Object.fromEntries(steps.map((name) => [name, grid.step])),
      "@query": () => {
        const hit = grid.currentHit();
        if (!hit) return false;
        useAsQuery(hit.id);
        return true;
      },
      "@help": openKeys,
    });

    window.addEventListener("popstate", () => {
      header.refresh(); // always: an opening that Back has overtaken may have changed it already
      if (scopeOf(readParams()) === shownScope) search(readParams());
      else open();
    });

    await open();
  });
})();
