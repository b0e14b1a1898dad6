/* Contradictions: the chain of judgements that cannot all hold, the weakest cut, settled with one key each. */
(() => {
  "use strict";
  const { el, icon, labelBadge, momentText, pageLink, identityNode } = window.reid;

  /** Draw the open contradictions; settle(conflict, way) is asked for by button or key. Returns { keys }. */
  window.reid.identityConflicts = (host, conflicts, { settle, onLeave }) => {
    const items = conflicts.map((conflict, index) => draw(conflict, index));

    function draw(conflict, index) {
      const { contested, against, chain, cut, faces } = conflict;
      const isCut = new Set(cut.map((link) => `${link.left} ${link.right}`));
      const steps = [];
      let at = against.left;
      for (const link of chain) {
        const [from, to] = link.left === at ? [link.left, link.right] : [link.right, link.left];
        if (!steps.length) steps.push(identityNode(from, faces));
        const isWeak = isCut.has(`${link.left} ${link.right}`);
        steps.push(
          el(
            "span",
            { class: "ri-edge", "data-weak": isWeak ? "1" : null },
            labelBadge("same"),
            isWeak ? el("b", { class: "ri-bridge" }, icon("warn", 12), "weakest") : null,
            el("small", {}, link.decision_id ? `${link.annotator}, ${momentText(link.decided_at)}` : "label of the data set"),
          ),
          identityNode(to, faces),
        );
        at = to;
      }
      const ends = el(
        "p",
        { class: "ri-against" },
        labelBadge("different", { isSure: against.is_sure }),
        `but ${against.annotator} said (${momentText(against.decided_at)}): ${against.text}.`,
      );
      const words = (links) =>
        links.map((link) => (link.decision_id ? `the “same” by ${link.annotator}` : "a label of the data set")).join(" and ");
      // A contested "same" can be its own weakest link: then giving up the cut is giving up the judgement.
      const isOwnCut = cut.some((link) => link.decision_id === contested.id);
      const ways = [
        ...(isOwnCut ? [] : [["cut", "Give up the weakest link", `Takes back ${words(cut)}; weight ${conflict.cut_weight.toFixed(1)}. The contested judgement takes effect.`]]),
        ["contested", "Give up the contested judgement", `Takes back “${contested.text}” by ${contested.annotator}; weight ${conflict.own_weight.toFixed(1)}.`],
        ...(against.id === contested.id ? [] : [["against", "Give up the “different”", `Takes back “${against.text}” by ${against.annotator}.`]]),
      ];
      const proposal = conflict.suggestion === "drop the cut" && !isOwnCut ? "cut" : "contested";
      const way = (name, key, text, detail) =>
        el(
          "button",
          { type: "button", class: "ri-answer", "data-way": name, "data-proposed": proposal === name ? "1" : null, onclick: () => settle(conflict, name) },
          el("span", {}, text, el("kbd", { "aria-hidden": "true" }, key), proposal === name ? el("em", {}, "proposed") : null),
          el("small", {}, detail),
        );
      const item = el(
        "li",
        { class: "ri-conflict", tabindex: index === 0 ? "0" : "-1", "data-index": index, "aria-label": `Contradiction ${index + 1} of ${conflicts.length}`, onfocusin: () => makeCurrent(index) },
        el("p", { class: "ri-contested" }, labelBadge("conflict"), el("b", {}, `${contested.annotator}: ${contested.text}`), ` (${momentText(contested.decided_at)}). It is kept and not in effect.`),
        el("div", { class: "ri-chain" }, ...steps),
        ends,
        el(
          "div",
          { class: "ri-answers", role: "group", "aria-label": "Settle it" },
          ...ways.map(([name, text, detail], place) => way(name, String(place + 1), text, detail)),
          el("a", { class: "rs-button", "data-look": "1", href: pageLink("review", { pair: `${contested.left},${contested.right}` }) }, "Look at the pair in Review", window.reid.keyHint("look")),
        ),
      );
      return Object.assign(item, { ways: ways.map(([name]) => name) });
    }

    const settleBy = (place) => () => {
      const name = items[current]?.ways[place];
      if (name) settle(conflicts[current], name);
    };

    let current = 0;
    function makeCurrent(index) {
      items[current]?.setAttribute("tabindex", "-1");
      current = index;
      items[current]?.setAttribute("tabindex", "0");
    }
    const step = (by) => () => {
      const target = current + by;
      if (target >= 0 && target < items.length) items[target].focus();
    };

    host.replaceChildren(
      el("p", {}, el("a", { class: "ri-back", href: pageLink("identities"), onclick: (event) => (event.preventDefault(), onLeave()) }, icon("left", 14), "All identities")),
      el("h2", { class: "ri-title" }, conflicts.length ? `Contradictions to settle: ${conflicts.length}` : "No open contradictions"),
      conflicts.length
        ? el("p", { class: "rs-hint" }, "Each judgement below is fine alone; together they cannot hold. Both ways out can be undone.")
        : el("p", { class: "rs-hint" }, "When judgements contradict each other, the chain of them shows here."),
      el("ol", { class: "ri-conflicts" }, ...items),
    );
    return {
      keys: {
        ArrowDown: step(1),
        ArrowUp: step(-1),
        1: settleBy(0),
        2: settleBy(1),
        3: settleBy(2),
        "@look": () => items[current]?.querySelector("[data-look]").click(),
        Escape: onLeave,
      },
      focus: () => items[0]?.focus({ preventScroll: true }),
    };
  };
})();
