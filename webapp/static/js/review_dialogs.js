/* The dialogs of the review: a comment, and what is saved. */
(() => {
  "use strict";
  const { el, askPerson } = window.reid;
  const OK = [["ok", "OK", true]];

  /** A comment on an answer; resolves with its text. */
  async function askComment(text) {
    const area = el("textarea", { rows: "3", maxlength: "500", id: "rv-comment" });
    area.value = text;
    const hint = el("p", { class: "rs-hint" }, "Enter stores it, Shift+Enter begins a new line.");
    await askPerson("Comment", [el("label", { for: "rv-comment" }, "It is stored with your answer."), area, hint], OK);
    return area.value.trim(); // also after Esc: what was typed is not thrown away
  }

  /** Where the answers are. outbox: its state; state: the progress, or null; exportLink: of the log. */
  function showReceipt({ waiting, isOnline, isLasting, refused }, state, exportLink) {
    const lines = [
      waiting
        ? `${waiting} answers wait in this browser${isLasting ? "; closing it loses nothing." : ", which may not keep them: do not close it."}`
        : "Every answer is on the server's disk.",
      isOnline ? "The server answers." : "The server does not answer; delivery is tried again by itself.",
      state ? `${state.num_all} answers of yours are in the log, ${state.num_today} of today.` : "",
    ];
    const content = [
      ...lines.filter(Boolean).map((line) => el("p", {}, line)),
      ...refused.map((entry) => el("p", { class: "rs-problem" }, `Refused: ${entry.refusal}`)),
      el("a", { href: exportLink, download: "decisions.jsonl" }, "Export the log"),
    ];
    return askPerson("What is saved", content, OK);
  }

  window.reid.reviewDialogs = { askComment, showReceipt };
})();
