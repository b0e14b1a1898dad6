/* The buttons below a question: answers, reasons, tools. They do what the keys do. */
(() => {
  "use strict";
  const { el, icon, keyHint, keyMap } = window.reid;

  /** part(name): where they go; act(action) and the others: what the buttons do. */
  window.reid.reviewControls = ({ part, act, redo, toggleReason, toggleUnsure }) => {
    function answerButton(entry, action, word, text, state) {
      const glyph = { same: "check", different: "cross", cannot_tell: "unknown", commit: "check" }[state];
      return el(
        "button",
        {
          type: "button",
          class: "rv-answer",
          "data-action": action,
          "data-state": state,
          "aria-pressed": String(entry.answer?.choice === action),
          onclick: () => act(action),
        },
        el("span", { class: "rv-answer-word" }, icon(glyph, 18), word, keyHint(action)),
        text ? el("span", { class: "rv-answer-text" }, text) : "",
      );
    }

    function paintAnswers(entry, shown) {
      const { question } = entry;
      const outlook = (name) => question.outlooks[name]?.text ?? "";
      const buttons =
        question.kind === "sheet"
          ? [answerButton(entry, "commit", commitWord(shown), "Those not picked are one person.", "commit")]
          : question.rival
            ? [
                answerButton(entry, "same", "Its own identity", outlook("same"), "same"),
                answerButton(entry, "neither", "Neither", "leaves its identity, joins none", "different"),
                answerButton(entry, "cannot_tell", "Cannot tell", "", "cannot_tell"),
                answerButton(entry, "different", "The other identity", "moves the crop there", "same"),
              ]
            : [
                answerButton(entry, "same", "Same", outlook("same"), "same"),
                answerButton(entry, "cannot_tell", "Cannot tell", "asked no more, concludes nothing", "cannot_tell"),
                answerButton(entry, "different", "Different", outlook("different"), "different"),
              ];
      part("answers").replaceChildren(...buttons);
      part("answers").dataset.kind = question.kind === "sheet" ? "sheet" : question.rival ? "vote" : "pair";
    }

    function commitWord(shown) {
      const number = shown?.numPicked?.() ?? 0;
      if (!number) return "All one person";
      return number === 1 ? "1 is somebody else" : `${number} are somebody else`;
    }

    function paintReasons(entry, awaitsReason) {
      const { reasons } = entry;
      const focused = [...part("reasons").children].indexOf(document.activeElement);
      part("reasons").replaceChildren(
        el("span", { class: "rs-hint" }, awaitsReason ? "Reason? Press its letter:" : "Reasons"),
        ...keyMap.REASONS.map(({ action, name, word }) =>
          el(
            "button",
            { type: "button", class: "rs-button rv-chip", "aria-pressed": String(reasons.has(name)), onclick: () => toggleReason(name) },
            word,
            awaitsReason ? keyHint(action) : "",
          ),
        ),
        el(
          "button",
          { type: "button", class: "rs-button rv-chip", "aria-pressed": String(entry.isUnsure), onclick: toggleUnsure },
          "Not sure",
          keyMap.isOn() ? el("kbd", { class: "rs-key-hint", "aria-hidden": "true" }, "Shift") : "",
        ),
      );
      if (focused >= 0) part("reasons").children[focused].focus({ preventScroll: true });
    }

    /** entry: the question that is shown, null if none is. */
    function paintTools(entry, { isFirst, isLast, canUndo, canRedo }) {
      const tool = (action, word, isOff = false, act_ = () => act(action)) =>
        el(
          "button",
          { type: "button", class: "rs-button", "data-action": action, disabled: isOff, onclick: act_ },
          word,
          action === "redo" ? keyHint("undo", "⇧") : keyHint(action),
        );
      const hasQuestion = Boolean(entry);
      part("tools").replaceChildren(
        tool("undo", "Undo", !canUndo),
        tool("redo", "Redo", !canRedo, redo),
        tool("previous", "Previous", isFirst),
        tool("next", hasQuestion && !entry.answer && isLast ? "Skip" : "Next", !hasQuestion),
        tool("comment", entry?.comment ? "Comment ✓" : "Comment", !hasQuestion),
        tool("flag", "To the adjudicator", !hasQuestion || entry.question.kind === "sheet" || entry.question.stream === "adjudication"),
        ...(hasQuestion && entry.question.kind === "pair"
          ? [tool("zoom_out", "Zoom out"), tool("zoom_in", "Zoom in")]
          : []),
      );
      part("tools").hidden = !hasQuestion && !canUndo;
    }

    return { paintAnswers, paintReasons, paintTools };
  };
})();
