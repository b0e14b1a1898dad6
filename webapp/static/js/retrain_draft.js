/* Step 1: what was corrected, what freezing now would give, and leaks with their three ways out. */
(() => {
  "use strict";
  const { el, find, icon, notice } = window.reid;

  window.reid.define("retrain_draft", (element) => {
    const part = (name) => find(element, name);
    const { crop, tile } = window.reid.retrain;
    const chosen = new Map(); // leak key -> { way_out, reason }
    const leaks = new Map(); // every leak that was asked about
    let minReason = 1;
    let onWays = () => {}; // what freezing would give has to be asked for again
    let timer = 0;

    const isClosed = (key) => {
      const { way_out: way, reason } = chosen.get(key) ?? {};
      return Boolean(way) && (way !== "override" || reason.trim().length >= minReason);
    };
    const numOpen = () => [...leaks.keys()].filter((key) => !isClosed(key)).length;
    /** What freezing would give depends on the ways out; typing is waited for. */
    function choose(key, choice) {
      const wasClosed = isClosed(key);
      chosen.set(key, choice);
      head();
      clearTimeout(timer);
      if (wasClosed || isClosed(key)) timer = setTimeout(() => onWays(), 400);
    }

    function leakBox(leak, ways) {
      const name = `way-${leak.key}`;
      const picked = chosen.get(leak.key) ?? { way_out: "", reason: "" };
      const reason = el("label", { class: "rs-line", hidden: picked.way_out !== "override" }, el("span", {}, `Reason, kept with the set (at least ${minReason} letters)`), el("input", { type: "text", maxlength: 300, value: picked.reason, oninput: (event) => choose(leak.key, { way_out: "override", reason: event.target.value }) }));
      const choices = ways.map((way) =>
        el(
          "label",
          { class: "rs-way" },
          el("input", { type: "radio", name, value: way.name, checked: picked.way_out === way.name, onchange: () => {
            reason.hidden = way.name !== "override";
            choose(leak.key, { way_out: way.name, reason: chosen.get(leak.key)?.reason ?? "" });
          } }),
          el("span", {}, way.title),
        ),
      );
      const side = (title, crops) => el("div", {}, el("span", { class: "rs-hint" }, title), el("div", { class: "rs-small-crops" }, ...crops.map((item) => crop(item, { caption: "" }))));
      return el(
        "fieldset",
        { class: "rs-leak", "data-leak": leak.key },
        el("legend", {}, icon("warn", 14), ` ${leak.title}`),
        el("p", {}, leak.sentence),
        el("div", { class: "rs-leak-sides" }, side("Trains", leak.training), side("Is tested", leak.evaluation)),
        ...choices,
        reason,
      );
    }

    function head() {
      const open = numOpen();
      const text = `${leaks.size} ${leaks.size === 1 ? "identity trains and is tested" : "identities train and are tested"}, which would make every later score too good. ${open ? `Choose a way out for each: ${open} left.` : "Each has a way out now."}`;
      part("leak-head").replaceChildren(...(leaks.size ? [notice(open ? "warn" : "info", text)] : []));
    }

    function addLeaks(found, ways) {
      for (const leak of found) {
        if (leaks.has(leak.key)) continue;
        leaks.set(leak.key, leak);
        part("leaks").append(leakBox(leak, ways));
      }
      head();
    }

    /** Leaks that later judgements closed are asked about no more. */
    function keepLeaks(keys) {
      for (const key of [...leaks.keys()].filter((each) => !keys.has(each))) {
        leaks.delete(key);
        chosen.delete(key);
        part("leaks").querySelector(`[data-leak="${CSS.escape(key)}"]`).remove();
      }
    }

    part("feedback").addEventListener("change", () => onWays());

    return {
      onWays: (callback) => (onWays = callback),
      /** Who of the feedback pool trains: "judged" or "all". */
      feedback: () => part("feedback").value,
      /** Complete ways out, as the service takes them. */
      resolutions: () => [...chosen].map(([key, choice]) => ({ key, ...choice })).filter((item) => isClosed(item.key)),
      open: numOpen,
      addLeaks,
      forget() {
        chosen.clear();
        leaks.clear();
        part("leaks").replaceChildren();
        head();
      },
      wait: (text) => {
        if (part("body").hidden) part("state").replaceChildren(notice("info", text));
      },
      /** A DraftPanel of views/retrain.py; `review` is where one goes to judge more. */
      show(draft, review) {
        part("body").hidden = draft.kind !== "open";
        part("state").replaceChildren(...(draft.kind === "open" ? [] : [notice(draft.kind === "error" ? "bad" : "info", draft.message)]));
        if (draft.kind !== "open") return;
        part("pools").replaceChildren(...draft.pools.map(tile));
        minReason = draft.min_reason;
        part("decisions").textContent = draft.decisions;
        part("advice").replaceChildren(...(draft.advice ? [notice("warn", draft.advice, el("a", { class: "rs-button", href: review }, "Review pairs"))] : []));
        part("problem").replaceChildren(...(draft.problem ? [notice("bad", draft.problem)] : []));
        part("changes").textContent = draft.changes;
        part("counts").replaceChildren(...draft.counts.map(tile));
        part("waiting-fold").hidden = draft.waiting.length === 0;
        part("waiting-title").textContent = "Quarantine: neither trained nor tested, and why";
        part("waiting-way").href = review;
        part("waiting").replaceChildren(...draft.waiting.map((count) => el("li", {}, `${count.value}: ${count.title}`)));
        part("waiting-crops").replaceChildren(...draft.waiting_crops.map((item) => crop(item, { caption: "" })));
        if (draft.changes) keepLeaks(new Set([...draft.leaks.map((leak) => leak.key), ...draft.applied]));
        addLeaks(draft.leaks, draft.ways_out);
      },
    };
  });
})();
