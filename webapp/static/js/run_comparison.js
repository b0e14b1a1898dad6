/* Two runs: what changed in scores and cameras, and the changed queries with both rankings. */
(() => {
  "use strict";
  const { el, find, imageUrl, notice } = window.reid;
  const TONES = { good: "better", bad: "worse", plain: "" };

  window.reid.define("run_comparison", (element) => {
    const part = (name) => find(element, name);
    let handlers = {};
    let drawn = "";
    part("other").addEventListener("change", () => {
      const [vs, vsrank] = part("other").value.split("~");
      handlers.onChoose({ vs, vsrank: vsrank === "plain" ? "" : (vsrank ?? "") });
    });
    part("more").addEventListener("click", () => handlers.onMore());

    function choices(runs, open, params) {
      const value = `${params.vs ?? ""}~${params.vsrank || "plain"}`;
      const entries = runs.flatMap((run) => [
        [`${run.id}~plain`, `${run.title} · ${run.scores} · ${run.when}`],
        ...(run.has_reranked ? [[`${run.id}~reranked`, `${run.title}, re-ranked · ${run.when}`]] : []),
      ]);
      const own = `${open.id}~${open.ranking}`;
      part("other").replaceChildren(
        el("option", { value: "" }, "choose a run"),
        ...entries.filter(([name]) => name !== own).map(([name, text]) => el("option", { value: name, selected: name === value }, text)),
      );
    }

    const table = (caption, header, rows) =>
      el(
        "div",
        { class: "rs-panel rs-flush rs-scroll", tabindex: "0", role: "region", "aria-label": caption },
        el(
          "table",
          { class: "rs-table rs-num" },
          el("caption", {}, caption),
          el("thead", {}, el("tr", {}, ...header.map((name) => el("th", { scope: "col" }, name)))),
          el("tbody", {}, ...rows),
        ),
      );

    const difference = (row) =>
      el(
        "tr",
        {},
        el("th", { scope: "row" }, row.title),
        el("td", {}, row.before),
        el("td", {}, row.after),
        el("td", { "data-tone": row.tone }, el("b", {}, row.delta)),
        el("td", {}, row.interval),
        el("td", {}, row.verdict),
      );
    const camera = (row) =>
      el(
        "tr",
        {},
        el("th", { scope: "row" }, el("a", { href: handlers.address(row.filters) }, row.camera)),
        el("td", {}, row.queries),
        el("td", {}, row.before),
        el("td", {}, row.after),
        el("td", {}, el("span", { class: "rs-delta-bar", style: `--share: ${Math.min(1, Math.abs(row.share) * 4)}`, "data-tone": row.share < 0 ? "bad" : "good" }, row.delta)),
      );

    function change({ delta, tone, before, after }) {
      const side = (name, row) =>
        el(
          "div",
          { class: "rs-change-side" },
          el("p", { class: "rs-hint" }, `${name}: `, el("b", { class: "rs-num" }, `AP ${row.ap_text}`), `, first true match: ${row.rank_text}`),
          window.reid.rankStrip(row.strip, (id) => handlers.onCompare(row.id, id, name), `${name}: ranked images`),
        );
      return el(
        "li",
        { class: "rs-change", "data-query": after.id },
        el(
          "div",
          { class: "rs-change-query" },
          el("img", { src: imageUrl(after.image_url, 128), width: 56, height: 112, alt: `Query, ${after.facts}`, loading: "lazy" }),
          el("p", { class: "rs-num", "data-tone": tone }, el("b", {}, delta), ` ${TONES[tone]}`),
          el("a", { href: handlers.address({}, after.id), class: "rs-hint" }, "Search"),
        ),
        side("Before", before),
        side("After", after),
      );
    }

    return {
      onUse: (callbacks) => (handlers = callbacks),
      hide: (isHidden) => (part("root").hidden = isHidden),
      /** A ComparisonView of views/run_comparison.py, the page's runs, the open run, the address parameters. */
      async show(found, { runs, open, params, loadFigures, file }) {
        choices(runs, open, params);
        part("message").replaceChildren(...(found.message ? [notice(params.vs ? "warn" : "info", found.message)] : []));
        part("body").hidden = Boolean(found.message);
        part("sides").textContent = found.message ? "" : `Before: ${found.first}. After: ${found.second}.`;
        if (found.message) return;
        part("summary").textContent = found.summary;
        part("tables").replaceChildren(
          table("Scores in percent, paired bootstrap over identities", ["Score", "Before", "After", "Change", "95% interval", "Is it real?"], found.differences.map(difference)),
          ...(found.cameras.length ? [table("Mean AP by query camera", ["Camera", "Queries", "Before", "After", "Change"], found.cameras.map(camera))] : []),
        );
        part("tabs").replaceChildren(
          ...found.tabs.map((tab) =>
            el("button", { type: "button", "data-list": tab.name, "aria-pressed": String(tab.name === found.changes.name), onclick: () => handlers.onList(tab.name) }, `${tab.title} (${tab.total})`),
          ),
        );
        part("changes").replaceChildren(
          ...(found.changes.rows.length ? found.changes.rows.map(change) : [el("li", { class: "rs-hint" }, "None.")]),
        );
        part("more").hidden = found.changes.rows.length >= found.changes.total;
        part("more").textContent = `Show more (${found.changes.rows.length} of ${found.changes.total})`;
        const key = JSON.stringify([open.id, open.ranking, params.vs, params.vsrank]);
        if (key === drawn) return;
        drawn = key;
        const figures = await loadFigures();
        if (key !== drawn || figures.error) return;
        part("figures").replaceChildren(
          ...Object.entries(figures).map(([name, figure]) => window.reid.plots.card(name, figure, { file: (suffix) => file(name, suffix) })),
        );
      },
    };
  });
})();
