/* The gate study: read the gates of the gallery, clusters of crops, crops with gates like one's. */
(() => {
  "use strict";
  const { el, find, icon, ask, notice, imageUrl, announce } = window.reid;
  const POLL_MS = 1000;

  window.reid.define("gate_study", (element, server) => {
    const part = (name) => find(element, name);
    let params = {};
    let crops = { query: "", other: "" };
    let handlers = { onCompare: () => {}, onParams: () => {} };
    let timer = 0;
    let turn = 0;

    function crop(item) {
      return el(
        "li",
        { class: "rs-gate-crop" },
        el(
          "button",
          { type: "button", class: "rs-example", title: `Compare with ${item.id}`, "aria-label": `Compare with ${item.id}, ${item.camera}`, onclick: () => handlers.onCompare(item.id) },
          el("img", { src: imageUrl(item.image_url, 256), width: 64, height: 128, alt: "", loading: "lazy", draggable: "false" }),
        ),
        item.similarity_text ? el("span", { class: "rs-hint rs-num" }, item.similarity_text) : "",
        el("button", { type: "button", class: "rs-gate-like", title: "Find similar gates", "aria-label": `Find gates like those of ${item.id}`, onclick: () => change({ similar: item.id }) }, icon("target", 14)),
      );
    }

    function gateBars(gates) {
      const words = gates.map((gate, at) => `stream ${at + 1} ${gate.toFixed(3)}`).join(", ");
      return el(
        "p",
        { class: "rs-gate-bars rs-num", title: "Mean gate of each stream", role: "img", "aria-label": `Mean gates: ${words}` },
        ...gates.map((gate, at) => {
          const fill = el("i");
          fill.style.height = `${gate * 100}%`;
          return el("span", { "aria-hidden": "true" }, el("span", { class: "rs-gate-bar" }, fill), el("small", {}, String(at + 1)));
        }),
      );
    }

    function clusterRow(row) {
      return el(
        "section",
        { class: "rs-gate-row" },
        el("div", { class: "rs-gate-head" }, el("h3", {}, row.title), el("p", { class: "rs-hint rs-num" }, row.detail), gateBars(row.gates)),
        el("ul", { class: "rs-gate-crops", "aria-label": `${row.title}, nearest crops` }, ...row.crops.map(crop)),
      );
    }

    function paint(page) {
      clearTimeout(timer);
      const isReady = page.kind === "ready";
      part("choices").hidden = !isReady;
      part("rows").replaceChildren(...(isReady ? page.clusters.map(clusterRow) : []));
      part("similar").replaceChildren(...(isReady && page.similar.length ? [similarRow(page)] : []));
      part("message").replaceChildren(...messageOf(page));
      if (isReady) {
        part("block").replaceChildren(...page.places.map(({ name, title }) => el("option", { value: name, selected: name === page.block }, title)));
        part("clusters").value = page.num_clusters;
        part("similar-query").disabled = !crops.query;
        part("similar-other").disabled = !crops.other;
      }
      if (page.kind === "reading") timer = setTimeout(load, POLL_MS);
    }

    function messageOf(page) {
      if (page.kind === "unread") return [notice("info", page.message, el("button", { type: "button", class: "rs-button rs-primary", onclick: read }, "Read the gates"))];
      if (page.kind === "reading" && page.job) return [window.reid.jobProgress(page.job, { onCancel: stop })];
      if (page.kind === "ready") return page.message ? [notice("warn", page.message)] : [];
      return page.message || page.error ? [notice(page.kind === "reading" ? "info" : "bad", page.message || page.error)] : [];
    }

    function similarRow(page) {
      return el(
        "section",
        { class: "rs-gate-row rs-gate-similar" },
        el("div", { class: "rs-gate-head" }, el("h3", {}, "Similar gates"), el("p", { class: "rs-hint" }, `to ${page.similar_to} in ${page.block}; root mean square difference of a gate`), el("button", { type: "button", class: "rs-button", onclick: () => change({ similar: "" }) }, "Close")),
        el("ul", { class: "rs-gate-crops", "aria-label": "Crops with similar gates" }, ...page.similar.map(crop)),
      );
    }

    async function load() {
      turn += 1;
      const mine = turn;
      clearTimeout(timer);
      const page = await ask(server.show_gates, params);
      if (mine === turn) paint(page);
    }
    async function read() {
      paint(await ask(server.read_gates, params));
    }
    async function stop(id) {
      await ask(server.stop_gates, { id });
      load();
    }
    async function change(changes) {
      params = { ...params, ...changes };
      handlers.onParams(changes);
      await load();
      if (changes.similar) {
        part("similar").scrollIntoView({ block: "nearest" });
        announce("Crops with similar gates are shown.");
      }
    }

    part("block").addEventListener("change", () => change({ gateblock: part("block").value }));
    part("clusters").addEventListener("change", () => {
      if (part("clusters").checkValidity()) change({ clusters: part("clusters").value });
    });
    part("similar-query").addEventListener("click", () => change({ similar: crops.query }));
    part("similar-other").addEventListener("click", () => change({ similar: crops.other }));

    return {
      onUse: (callbacks) => (handlers = callbacks),
      /** The gate study of the address; `query` and `other` are ids of the crops above. */
      show(next, { query, other }) {
        const { g = "", m = "", gateblock = "", clusters = "", similar = "" } = next;
        const wanted = { g, m, gateblock, clusters, similar };
        crops = { query: query ?? "", other: other ?? "" };
        part("similar-query").disabled = !crops.query;
        part("similar-other").disabled = !crops.other;
        if (JSON.stringify(wanted) === JSON.stringify(params)) return;
        params = wanted;
        load();
      },
    };
  });
})();
