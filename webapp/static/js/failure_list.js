/* Failures, worst first. One tab stop per row in focus; arrows move, Enter compares, letters act on the row. */
(() => {
  "use strict";
  const { el, find, icon, notice, announce } = window.reid;
  const TOAST_MS = 8000;
  const MOST_IN_REPORT = 300; // as services/evaluations has them
  const MOST_IN_STRIP = 50;

  window.reid.define("failure_list", (element) => {
    const part = (name) => find(element, name);
    const list = part("rows");
    const selected = new Set();
    const undoable = [];
    let handlers = {};
    let run = null; // Overview of the open run
    let rows = [];
    let current = 0;
    let isSent = false;
    const filters = window.reid.failureFilters(part("filters"), (params) => handlers.onFilter(params));

    part("help").append(icon("help"));
    const openHelp = () => window.reid.openKeys("failures");
    part("help").addEventListener("click", openHelp);
    part("more").addEventListener("click", () => handlers.onMore());

    /* ---- rows and focus ---- */
    const node = (index) => list.children[index];
    const link = (page, params) => window.reid.runApi.pageUrl(page, run, params);
    function linksOf(row, candidate) {
      const other = candidate || row.false_crop?.id || "";
      return [
        ...(other ? [["explain", "Explain", link("explain", { q: row.id, c: other })]] : []),
        ["map", "Map", link("map", { point: row.id })],
        ["search", "Search", link("", { q: row.id })],
        ...(other ? [["review", "Review", link("review", { pair: `${row.id},${other}` })]] : []),
      ];
    }

    function build(row, index) {
      const on = {
        open: (candidate) => handlers.onCompare(row.id, candidate),
        tag: (kind, isOn) => tag(index, kind, isOn),
        choose: () => chooseTag(index),
        select: (isOn) => select(index, isOn),
      };
      return window.reid.failureRow(row, index + 1, linksOf(row, ""), on, selected.has(row.id));
    }

    function makeCurrent(index) {
      for (const [place, item] of [[current, node(current)], [index, node(index)]]) {
        if (!item) continue;
        const isCurrent = place === index;
        item.toggleAttribute("data-current", isCurrent);
        for (const control of item.querySelectorAll("button, a, input")) {
          if (!control.closest(".rs-rank-strip")) control.tabIndex = isCurrent ? 0 : -1;
        }
      }
      current = index;
    }

    function focusRow(index) {
      if (!rows.length) return;
      makeCurrent(Math.min(Math.max(index, 0), rows.length - 1));
      const opener = node(current).querySelector(".rs-fail-open");
      opener.focus({ preventScroll: true });
      node(current).scrollIntoView({ block: "nearest" });
    }

    function stepStrip(by) {
      const crops = [...node(current).querySelectorAll(".rs-rank-strip .rs-ranked")];
      const at = crops.indexOf(document.activeElement) + by;
      if (at < 0) return focusRow(current);
      const crop = crops[Math.min(at, crops.length - 1)];
      crop?.focus({ preventScroll: true });
      crop?.scrollIntoView({ block: "nearest", inline: "nearest" });
      return undefined;
    }

    list.addEventListener("focusin", (event) => {
      const item = event.target.closest(".rs-failure");
      const index = [...list.children].indexOf(item);
      if (index >= 0 && index !== current) makeCurrent(index);
    });

    /** Keys work where the list has the focus, or nothing else has it. */
    const inReach = () => !part("root").hidden && rows.length > 0 && (list.contains(document.activeElement) || document.activeElement === document.body);
    const acting = (act) => () => (inReach() ? (act(), true) : false);
    function follow(key) {
      const crop = document.activeElement.closest?.(".rs-ranked");
      const wanted = linksOf(rows[current], crop && node(current).contains(crop) ? crop.dataset.id : "");
      const href = wanted.find(([name]) => name === key)?.[2];
      if (href) handlers.onLeave(href);
    }
    const keys = {
      ArrowDown: acting(() => (list.contains(document.activeElement) ? focusRow(current + 1) : focusRow(current))),
      ArrowUp: acting(() => focusRow(list.contains(document.activeElement) ? current - 1 : current)),
      ArrowRight: acting(() => stepStrip(1)),
      ArrowLeft: acting(() => stepStrip(-1)),
      Home: acting(() => focusRow(0)),
      End: acting(() => focusRow(rows.length - 1)),
      ...Object.fromEntries(["explain", "map", "search", "review"].map((name) => [`@to_${name}`, acting(() => follow(name))])),
      "@tag": acting(() => chooseTag(current)),
      "@undo": acting(() => undo()),
      "@select": acting(() => select(current, !selected.has(rows[current].id))),
      "@help": () => (part("root").hidden ? false : (openHelp(), true)),
    };

    /* ---- tags ---- */
    function repaint(index) {
      const hadFocus = node(index).contains(document.activeElement);
      node(index).replaceWith(build(rows[index], index));
      handlers.onPaint();
      if (hadFocus || index === current) makeCurrent(index);
      if (hadFocus) focusRow(index);
    }

    function setTag(index, kind, isOn) {
      const row = rows[index];
      const tags = row.tags.filter((entry) => entry !== kind);
      rows[index] = { ...row, tags: isOn ? [...tags, kind] : tags, suggestions: row.suggestions.filter((entry) => entry.kind !== kind) };
      repaint(index);
    }

    async function tag(index, kind, isOn) {
      const row = rows[index];
      setTag(index, kind, isOn); // shown at once; taken back if the server refuses
      const answer = await window.reid.runApi.post(window.reid.runApi.url(`/${run.id}/tags`), { query: row.id, kind, on: isOn, who: handlers.who() });
      if (answer.error) {
        rows[index] = row;
        repaint(index);
        toast(answer.error);
        return;
      }
      if (answer.event) undoable.push({ event: answer.event.id, query: row.id, kind, isOn });
      const words = isOn ? `Tagged as ${kind}` : `${kind} taken off`;
      toast(`${words}.`, undo);
      handlers.onTagged();
    }

    function remove(answer) {
      const at = undoable.findIndex((entry) => entry.answer === answer);
      if (at >= 0) undoable.splice(at, 1);
    }

    async function undo() {
      const last = undoable.pop();
      if (!last) return toast("Nothing to undo on this page.");
      if (last.answer) return handlers.onTakeBack();
      const answer = await window.reid.runApi.post(window.reid.runApi.url(`/${run.id}/tags/undo`), { event: last.event, who: handlers.who() });
      if (answer.error) return toast(answer.error);
      const index = rows.findIndex((row) => row.id === last.query);
      if (index >= 0) setTag(index, last.kind, !last.isOn);
      handlers.onTagged();
      return toast(`${last.isOn ? "Tag" : "Change"} undone: ${last.kind}.`);
    }

    function chooseTag(index) {
      makeCurrent(index);
      if (node(index).querySelector(".rs-tag-bar")) return;
      const bar = window.reid.failureTags.choose(
        handlers.kinds(),
        (kind) => tag(index, kind, true),
        () => focusRow(index),
      );
      node(index).querySelector(".rs-fail-facts").append(bar);
      bar.querySelector("button").focus({ preventScroll: true });
      announce("Choose a failure kind by its letter.");
    }

    let toastTimer = 0;
    function toast(text, action = null) {
      clearTimeout(toastTimer);
      part("toast").hidden = false;
      part("toast").replaceChildren(text, ...(action ? [" ", el("button", { type: "button", class: "rs-button", onclick: action }, "Undo (Z)")] : []));
      announce(text);
      toastTimer = setTimeout(() => (part("toast").hidden = true), TOAST_MS);
    }

    /* ---- selection ---- */
    function select(index, isOn) {
      selected[isOn ? "add" : "delete"](rows[index].id);
      const check = node(index).querySelector("input[type=checkbox]");
      check.checked = isOn;
      node(index).toggleAttribute("data-selected", isOn);
      showActions();
    }

    /** What the buttons act on: what is selected or, with nothing selected, all that the filters let through. */
    async function keep(withFalse) {
      const fields = { with_false: withFalse, ...(selected.size ? { queries: [...selected] } : {}) };
      const answer = await window.reid.runApi.post(window.reid.runApi.url(`/${run.id}/selection`, { ...handlers.params() }), fields);
      if (answer.error) toast(answer.error);
      return answer;
    }
    async function send(page, withFalse) {
      if (isSent) return;
      isSent = true;
      const { key } = await keep(withFalse);
      isSent = false;
      if (key) handlers.onLeave(window.reid.runApi.pageUrl(page, run, { sel: key }));
    }
    async function open(path, params, most) {
      const { key, num_queries: number } = await keep(false);
      if (number > most) toast(`${number} queries are too many for one file; filter or select at most ${most}.`);
      else if (key) window.open(window.reid.runApi.url(`/${run.id}${path}`, { ...params, sel: key, rank: run.ranking === "plain" ? "" : run.ranking }), "_blank");
    }
    const button = (text, title, act) => el("button", { type: "button", class: "rs-button", title, onclick: act }, text);
    function showActions() {
      const all = list.dataset.total ?? "0";
      part("selected").textContent = selected.size ? `${selected.size} selected` : `all ${all}`;
      part("actions").replaceChildren(
        button("Review", "Judge these queries and what they are confused with", () => send("review", true)),
        button("Map", "Show these queries on the map", () => send("map", false)),
        button("Report", "Rank lists on one page, to print or to send", () => open("/report.html", { k: "10" }, MOST_IN_REPORT)),
        button("PNG", "Strips for a paper, up to 50 queries", () => open("/strip.png", { k: "8" }, MOST_IN_STRIP)),
        el("a", { class: "rs-button", href: window.reid.runApi.url(`/${run.id}/queries.csv`, handlers.params()), download: "", title: "All queries that pass the filters, as a table" }, "CSV"),
        el("a", { class: "rs-button", href: window.reid.runApi.url("/tags.csv", { gallery: run.gallery }), download: "", title: "Every tag: who, when, which" }, "Tags CSV"),
        ...(selected.size ? [button("Clear selection", "", clearSelection)] : []),
      );
    }
    function clearSelection() {
      selected.clear();
      for (const [index, item] of [...list.children].entries()) {
        item.querySelector("input[type=checkbox]").checked = selected.has(rows[index].id);
        item.removeAttribute("data-selected");
      }
      showActions();
    }

    return {
      keys,
      undo,
      /** Where the bar of the annotator goes. */
      answering: () => part("answering"),
      /** The crop that judging keys act on: the one in focus, else the first false match of the row in focus. */
      focusedCard() {
        const active = document.activeElement;
        if (part("root").hidden || !list.contains(active) || list.querySelector(".rs-tag-bar")) return null;
        return active.closest("[data-label-id]") ?? active.closest(".rs-failure")?.querySelector(".rs-fail-false [data-label-id]") ?? null;
      },
      /** After a judgement by key: the next crop of the ranking, or the next query. */
      goOn() {
        const active = document.activeElement;
        if (active.closest(".rs-rank-strip")) stepStrip(1);
        else if (list.contains(active)) focusRow(current + 1);
      },
      /** An answer, undo or redo left this page: Z takes back whatever came last, tag or judgement. */
      answered({ kind, id, target }) {
        if (kind === "undo") remove(target);
        else undoable.push({ answer: kind === "redo" ? target : id });
      },
      /** An answer was not stored, so there is nothing to take back. */
      unanswered: (id) => remove(id),
      onUse: (callbacks) => (handlers = callbacks),
      hide: (isHidden) => (part("root").hidden = isHidden),
      focus: (queryId) => focusRow(Math.max(0, rows.findIndex((row) => row.id === queryId))),
      reachedEnd: () => current >= rows.length - 3 && !part("more").hidden,
      toast,
      /** A FailureList of views/failures.py; `isMore` adds its rows to those that are there. */
      show(found, openRun, isMore = false) {
        if (run?.id !== openRun.id) selected.clear();
        run = openRun;
        const first = isMore ? rows.length : 0;
        rows = isMore ? [...rows, ...found.rows] : [...found.rows];
        const nodes = found.rows.map((row, offset) => build(row, first + offset));
        if (isMore) list.append(...nodes);
        else list.replaceChildren(...nodes);
        list.dataset.total = String(found.total);
        filters.show(found);
        part("summary").textContent = found.summary;
        part("notes").replaceChildren(
          ...found.notes.map((text) => notice("warn", text)),
          ...(found.message ? [notice("info", found.message)] : []),
        );
        part("more").hidden = !found.next_offset;
        part("more").textContent = `Show more (${rows.length} of ${found.total})`;
        if (!isMore && rows.length) {
          current = 0;
          makeCurrent(0);
          // Whoever came by the tab goes on with the keys; whoever types into a filter stays there.
          if (document.activeElement.closest("[data-view=failures]")) focusRow(0);
        }
        showActions();
        if (!isMore) announce(found.summary || found.message);
      },
      /** Counts of the kinds changed; rows stay. */
      counts: (found) => filters.show(found),
    };
  });
})();
