/* The Explain page: the address is the state. Choosing crops is a step that Back undoes; choosing a map is not. */
(() => {
  "use strict";
  const { ask, part, readParams, writeParams } = window.reid;
  const POLL_MS = 1000;

  window.reid.define("explain_page", async (_element, server) => {
    const [header, picker, view, gates] = await Promise.all(["header", "explain_picker", "explain_view", "gate_study"].map(part));
    let turn = 0;
    let timer = 0;
    let wasPreparing = false;

    const choiceOf = ({ map, block, stream }) => ({ map, block, stream: Number(stream || 0) });

    async function open() {
      turn += 1;
      const mine = turn;
      clearTimeout(timer);
      const answer = await ask(server.open_page, readParams());
      if (mine !== turn) return;
      const page = answer.kind ? answer : { kind: "error", message: answer.message, notes: [], candidates: [], params: readParams() };
      if (wasPreparing && page.kind !== "preparing") header.refresh();
      wasPreparing = page.kind === "preparing";
      if (page.kind === "ready") writeParams(page.params);
      picker.show(page);
      view.show(page, choiceOf(page.params), { onRetry: open });
      if (page.kind === "ready") gates.show(page.params, { query: page.query.id, other: page.other?.id });
      if (page.kind === "preparing") timer = setTimeout(open, POLL_MS);
    }

    function change(changes, { push = true } = {}) {
      const params = { ...readParams(), ...changes };
      for (const name of Object.keys(params)) if (!params[name]) delete params[name];
      writeParams(params, { push });
    }
    function go(changes) {
      change(changes);
      open();
    }

    picker.onUse({
      onChoose: (slot, id) => go(slot === "query" ? { q: id } : { c: id, ...(readParams().c ? {} : { map: "" }) }),
      onSwap: () => {
        const { q, c } = readParams();
        go({ q: c, c: q });
      },
      onAlone: () => go({ c: "", map: "" }),
    });
    view.onChoice(({ map, block, stream }) => {
      change({ map, block, stream: stream ? String(stream) : "" }, { push: false });
    });
    gates.onUse({
      onParams: (changes) => change(changes, { push: false }),
      onCompare: (id) => {
        go({ c: id, ...(readParams().c ? {} : { map: "" }) });
        window.scrollTo({ top: 0 });
      },
    });
    header.onScope((which, scope) => {
      const upload = (id) => (id?.startsWith("upload:") ? id : "");
      const { q, c } = readParams();
      const other = which === "gallery" ? { q: upload(q), c: upload(c), similar: "" } : {};
      change({ ...scope, ...other, gateblock: "" });
      header.refresh();
      open();
    });
    window.addEventListener("popstate", () => {
      header.refresh();
      open();
    });

    await open();
  });
})();
