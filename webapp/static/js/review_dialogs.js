/* The dialogs of the review: code name, comment, what is saved. */
(() => {
  "use strict";
  const { el } = window.reid;
  const NAME_STORED = "reid-annotator";
  const NAME_RULE = /^[\p{L}\p{N}_][\p{L}\p{N}_ .@+-]{0,39}$/u;

  function keptName() {
    try {
      return localStorage.getItem(NAME_STORED) ?? "";
    } catch {
      return "";
    }
  }

  function keep(name) {
    try {
      localStorage.setItem(NAME_STORED, name);
    } catch {
      /* asked again next time */
    }
  }

  /** host: the dialog element; panel: what has the keys again afterwards. */
  window.reid.reviewDialogs = (host, panel) => {
    function openDialog(title, ...children) {
      const dialog = host;
      const form = el(
        "form",
        { method: "dialog" },
        el("div", { class: "rs-dialog-head" }, el("h2", {}, title)),
        el("div", { class: "rv-dialog-body" }, ...children),
        el("div", { class: "rs-dialog-foot" }, el("button", { class: "rs-button rs-primary", value: "ok" }, "OK")),
      );
      dialog.replaceChildren(form);
      dialog.onclose = () => panel.focus({ preventScroll: true });
      dialog.oncancel = null;
      dialog.showModal();
      return { dialog, form };
    }

    /** The code name; resolves with it, with the old one when the dialog was left. */
    function askName(annotator, { isFirst = false } = {}) {
      return new Promise((done) => {
        const input = el("input", { type: "text", value: annotator || "annotator-1", maxlength: "40", autocomplete: "off", id: "rv-name" });
        const problem = el("p", { class: "rv-problem", role: "alert" });
        const { dialog, form } = openDialog(
          isFirst ? "Before you start" : "Your code name",
          el("label", { for: "rv-name" }, "Code name"),
          input,
          el("p", { class: "rs-hint" }, "Every judgement is stored with it. A code name is enough: do not use your real name."),
          problem,
        );
        form.addEventListener("submit", (event) => {
          if (NAME_RULE.test(input.value.trim())) return;
          event.preventDefault();
          problem.textContent = "Use 1 to 40 letters, digits, spaces or . _ @ + -";
        });
        if (isFirst) dialog.oncancel = (event) => event.preventDefault();
        dialog.onclose = () => {
          panel.focus({ preventScroll: true });
          const isGiven = dialog.returnValue === "ok";
          if (isGiven) keep(input.value.trim());
          done(isGiven ? input.value.trim() : annotator);
        };
        input.select();
      });
    }

    /** A comment on an answer; resolves with its text. */
    function askComment(text) {
      return new Promise((done) => {
        const area = el("textarea", { rows: "3", maxlength: "500", id: "rv-comment" });
        area.value = text;
        const { dialog } = openDialog("Comment", el("label", { for: "rv-comment" }, "It is stored with your answer."), area);
        dialog.onclose = () => {
          panel.focus({ preventScroll: true });
          done(area.value.trim());
        };
        area.focus();
      });
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
      openDialog(
        "What is saved",
        ...lines.filter(Boolean).map((line) => el("p", {}, line)),
        ...refused.map((entry) => el("p", { class: "rv-problem" }, `Refused: ${entry.refusal}`)),
        el("a", { href: exportLink, download: "decisions.jsonl" }, "Export the log"),
      );
    }

    return { keptName, askName, askComment, showReceipt };
  };
})();
