/* The History page: the log filtered, any answer taken back or restored, statistics, export and import. */
(() => {
  "use strict";
  const { el, find, icon, notice, labelBadge, momentText, pageLink, part: component, readParams, writeParams, readV1, askPerson, pushKeys, announce } = window.reid;
  const PAGE = 50;
  const { STREAMS } = window.reid.reviewRail;
  const EXTRA = { free: "Nobody asked", adjudication: "Adjudication", second_opinion: "Second opinion", import: "Imported", gold: "Known answer" };
  const streamName = (name) => STREAMS[name] ?? EXTRA[name] ?? name;

  window.reid.define("history", async (element) => {
    const part = (name) => find(element, name);
    const filter = await component("history_filter");
    const { g: gallery = "" } = readParams();
    const session = await window.reid.annotator({ host: part("annotator"), gallery: () => gallery, onResult: settled, onName: () => showSince() });
    let turn = 0;

    /* ---- the log ---- */
    const act = (name, label, onclick) => el("button", { type: "button", class: "rs-button ri-small", "data-act": name, onclick }, label);

    function line(change, isFirst) {
      const isDecision = change.kind === "decision";
      const past = change.is_taken_back ? "taken back" : "replaced by a later answer";
      const state = !isDecision ? "" : change.is_contested ? "contested" : change.is_in_force ? "" : past;
      const facts = [
        streamName(change.stream),
        change.ms_taken === null ? "" : `${(change.ms_taken / 1000).toFixed(1)} s`,
        change.similarity === null ? "" : `similarity ${change.similarity.toFixed(2)}`,
        ...change.reasons,
      ].filter(Boolean);
      const node = (own) => el("a", { href: pageLink("identities", { id: own }), title: "Open its identity" }, own);
      const words = { same: "are the same person", different: "are different people", cannot_tell: "cannot be told" };
      return el(
        "li",
        { class: "rh-event", "data-id": change.id, "data-answer-id": change.answer_id, "data-off": isDecision && !change.is_in_force ? "1" : null },
        isDecision
          ? labelBadge(change.is_contested ? "conflict" : change.answer, { isSure: change.is_sure })
          : el("span", { class: "rs-label" }, icon("reset", 12), "undo"),
        el(
          "div",
          { class: "rh-what" },
          el("p", {}, isDecision ? [node(change.left), " and ", node(change.right), ` ${words[change.answer]}`] : change.text, state ? el("em", {}, ` (${state})`) : ""),
          el("p", { class: "rs-hint" }, isDecision ? facts.join(" · ") : "", change.comment ? [" ", el("q", {}, change.comment)] : ""),
        ),
        el("span", { class: "rh-who" }, el("b", {}, change.annotator), el("time", { datetime: change.decided_at, title: change.decided_at }, momentText(change.decided_at))),
        el(
          "span",
          { class: "rh-acts" },
          isFirst && isDecision && change.left && !change.left.startsWith("identity:") && !change.right.startsWith("identity:")
            ? el("a", { class: "rs-button ri-small", href: pageLink("review", { pair: `${change.left},${change.right}` }) }, "Look again")
            : "",
          isFirst && isDecision && change.is_in_force ? act("undo", "Undo", () => takeBack(change)) : "",
          isFirst && isDecision && change.is_taken_back ? act("redo", "Redo", () => session.send([{ kind: "redo", target: change.answer_id }])) : "",
        ),
      );
    }

    async function takeBack(change) {
      const told = await readV1("history/undo", { answer: change.answer_id, gallery });
      if (told.error) return session.tell("bad", told.error);
      const dependents = told.num_dependents
        ? [
            el("p", {}, `${told.num_dependents} later answer${told.num_dependents > 1 ? "s" : ""} on the same identities stay${told.num_dependents > 1 ? "" : "s"} in force:`),
            el("ul", { class: "rh-dependents" }, ...told.dependents.map((own) => el("li", {}, labelBadge(own.answer), ` ${own.text} (${own.annotator}, ${momentText(own.decided_at)})`))),
          ]
        : [];
      const answer = await askPerson(
        "Take this answer back",
        [el("p", {}, `${change.annotator}: ${change.text}`), el("ul", { class: "rh-effects" }, ...told.effects.map((text) => el("li", {}, text))), ...dependents],
        [["", "Keep it"], ["undo", "Take it back", true]],
      );
      if (answer === "undo") await session.send([{ kind: "undo", target: change.answer_id }]);
      return undefined;
    }

    async function showLog() {
      turn += 1;
      const mine = turn;
      const params = readParams();
      const page = Math.max(1, Number(params.page) || 1);
      const wanted = Object.fromEntries(filter.FIELDS.map((name) => [name, params[name] ?? ""]));
      part("log").setAttribute("aria-busy", "true");
      const found = await readV1("history", { ...wanted, answer_id: params.answer_id ?? "", gallery, page, page_size: PAGE });
      if (mine !== turn) return;
      part("log").removeAttribute("aria-busy");
      part("state").replaceChildren();
      if (!found.events) {
        part("events").replaceChildren();
        part("state").replaceChildren(notice("bad", found.error, el("button", { type: "button", class: "rs-button", onclick: () => showLog() }, "Try again")));
        return;
      }
      const hasFilter = [...filter.FIELDS, "answer_id"].some((name) => params[name]);
      part("count").textContent = found.num_all ? `${found.num_all.toLocaleString()} event${found.num_all === 1 ? "" : "s"}` : hasFilter ? "Nothing passes these filters." : "Nobody has judged anything yet.";
      const seen = new Set();
      part("events").replaceChildren(
        ...found.events.map((change) => {
          const isFirst = !seen.has(change.answer_id);
          seen.add(change.answer_id);
          return line(change, isFirst);
        }),
      );
      const pages = Math.max(1, Math.ceil(found.num_all / PAGE));
      part("place").textContent = `page ${found.page} of ${pages}`;
      part("newer").disabled = found.page <= 1;
      part("older").disabled = found.page >= pages;
      part("newer").parentElement.hidden = pages < 2;
    }

    /* ---- numbers ---- */
    async function showNumbers() {
      const numbers = await readV1("history/statistics", { gallery });
      if (numbers.error) return part("numbers").replaceChildren(notice("bad", numbers.error));
      window.reid.historyNumbers(part("numbers"), numbers, { streamName });
      return numbers;
    }

    async function showChoices() {
      const numbers = await readV1("history/statistics", { gallery });
      if (numbers.error) return;
      filter.setChoices(
        { annotators: numbers.annotators.map((own) => [own.annotator, own.annotator]), streams: numbers.streams.map((own) => [own.stream, streamName(own.stream)]) },
        readParams(),
      );
      part("adjudicate").textContent = numbers.num_to_adjudicate ? `Adjudicate ${numbers.num_to_adjudicate} pair${numbers.num_to_adjudicate > 1 ? "s" : ""}` : "Nothing to adjudicate";
      part("adjudicate").href = pageLink("review", { adjudicate: "1" });
    }

    async function showSince() {
      if (!session.name()) return;
      const found = await readV1("history/since", { annotator: session.name(), gallery });
      if (!found.num_changes) return part("since").replaceChildren();
      const more = found.num_changes - found.changes.length;
      part("since").replaceChildren(
        el(
          "details",
          { class: "rs-panel rh-since", open: true },
          el("summary", {}, el("b", {}, `Since you left (${momentText(found.left_at)})`), ` others changed identities that you judged: ${found.num_changes} event${found.num_changes > 1 ? "s" : ""}`),
          el(
            "ul",
            {},
            ...found.changes.slice(0, 8).map((change) =>
              el("li", {}, change.answer ? labelBadge(change.is_contested ? "conflict" : change.answer) : el("span", { class: "rs-label" }, icon("reset", 12), "undo"), el("span", {}, ` ${change.annotator}: ${change.text} `), change.left ? el("a", { href: pageLink("identities", { id: change.left }) }, "open") : ""),
            ),
            more > 0 || found.changes.length > 8 ? el("li", { class: "rs-hint" }, `and ${found.num_changes - Math.min(8, found.changes.length)} more, below in the log`) : "",
          ),
        ),
      );
      return found;
    }

    /* ---- all of it ---- */
    function showTab() {
      const isNumbers = readParams().view === "numbers";
      part("log").hidden = isNumbers;
      part("numbers").hidden = !isNumbers;
      part("show-log").setAttribute("aria-pressed", String(!isNumbers));
      part("show-numbers").setAttribute("aria-pressed", String(isNumbers));
      return isNumbers ? showNumbers() : showLog();
    }

    function go(changes) {
      const params = { ...readParams(), page: "", ...changes };
      for (const name of Object.keys(params)) if (!params[name]) delete params[name];
      writeParams(params, { push: true });
      filter.show(readParams());
      return showTab();
    }

    async function settled() {
      await session.loadStacks();
      await Promise.all([showTab(), showChoices(), showSince()]);
    }

    pushKeys({ ...session.keys, "@help": () => window.reid.openKeys("history") });

    filter.onChange((changes) => go(changes));
    const files = window.reid.historyFiles({ gallery, tell: session.tell, onImported: settled });
    filter.onFile((file) => files.importLog(file));
    filter.onGold((file) => files.importGold(file));
    filter.setExport(`gradio_api/reid/v1/decisions?${new URLSearchParams({ gallery })}`);
    part("show-log").addEventListener("click", () => go({ view: "" }));
    part("show-numbers").addEventListener("click", () => go({ view: "numbers" }));
    const turnPage = (by) => () => go({ page: String((Number(readParams().page) || 1) + by) });
    part("newer").addEventListener("click", turnPage(-1));
    part("older").addEventListener("click", turnPage(1));
    window.addEventListener("popstate", () => {
      filter.show(readParams());
      showTab();
    });
    (await component("header")).onScope((_which, scope) => {
      writeParams(scope, { push: true });
      location.reload();
    });
    filter.show(readParams());
    await Promise.all([showTab(), showChoices(), showSince()]);
    announce(part("count").textContent);
  });
})();
