/* Failure kinds on a query: chips, suggestions marked as such, and the row of letters that T opens. */
(() => {
  "use strict";
  const { el, icon, pushKeys } = window.reid;
  const LETTERS = {
    "look-alike": "l",
    occlusion: "o",
    "low resolution": "r",
    "several people in the box": "p",
    "label error": "e",
    junk: "j",
  };

  /** Chips of a row: tags with a button that takes them off, suggestions with one that confirms them. */
  function chips(row, onTag) {
    return [
      ...row.tags.map((kind) =>
        el(
          "span",
          { class: "rs-tag", "data-kind": kind },
          kind,
          el("button", { type: "button", tabindex: "-1", "aria-label": `Take ${kind} off`, onclick: () => onTag(kind, false) }, icon("cross", 10)),
        ),
      ),
      ...row.suggestions.map(({ kind, reason }) =>
        el(
          "button",
          { type: "button", class: "rs-tag rs-guess", tabindex: "-1", "data-guess": kind, title: `Suggested, nobody has confirmed it: ${reason}. Click to confirm.`, "aria-label": `Suggested: ${kind}, ${reason}. Confirm`, onclick: () => onTag(kind, true) },
          `${kind}?`,
        ),
      ),
    ];
  }

  /** The choices below a row; the next letter, a click or Escape ends it. `onChosen(kind)`, `onEnd()`. */
  function choose(kinds, onChosen, onEnd) {
    let isOver = false;
    const end = (kind) => {
      if (isOver) return;
      isOver = true;
      pop();
      bar.remove();
      if (kind) onChosen(kind);
      onEnd();
    };
    const bar = el(
      "div",
      { class: "rs-tag-bar", role: "group", "aria-label": "Failure kind" },
      ...kinds.map((kind) => el("button", { type: "button", class: "rs-button", onclick: () => end(kind) }, el("kbd", {}, (LETTERS[kind] ?? "").toUpperCase()), kind)),
      el("button", { type: "button", class: "rs-button", onclick: () => end("") }, el("kbd", {}, "Esc"), "no tag"),
    );
    const pop = pushKeys({ ...Object.fromEntries(kinds.map((kind) => [LETTERS[kind], () => end(kind)])), Escape: () => end("") });
    return bar;
  }

  window.reid.failureTags = { chips, choose, LETTERS };
})();
