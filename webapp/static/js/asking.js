/* Asking the server and asking a person: JSON below v1, a dialog with buttons, the code name, notices. */
(() => {
  "use strict";
  const { el, icon, announce, notice } = window.reid;
  const V1 = "gradio_api/reid/v1";
  const NAME_STORED = "reid-annotator";
  const NAME_RULE = /^[\p{L}\p{N}_][\p{L}\p{N}_ .@+-]{0,39}$/u;

  async function answerOf(response) {
    let body = {};
    try {
      body = await response.json();
    } catch {
      /* not from our server; told below */
    }
    if (response.ok) return body;
    return { ...body, status: response.status, error: body.error ?? `The server answered ${response.status}. See its log.` };
  }

  /**
   * Ask an address below v1; what goes wrong comes back as { error, status }, without a status if nobody answered.
   * params: an object, or [name, value] pairs where a name comes several times.
   */
  window.reid.readV1 = async (path, params = {}) => {
    const wanted = (Array.isArray(params) ? params : Object.entries(params)).filter(([, value]) => value !== "" && value !== null && value !== undefined);
    try {
      return await answerOf(await fetch(`${V1}/${path}?${new URLSearchParams(wanted)}`));
    } catch {
      return { error: "The server gave no answer. Check that the app is still running, then try again." };
    }
  };

  /** Send JSON to an address below v1; what goes wrong comes back as { error }. */
  window.reid.sendV1 = async (path, body) => {
    try {
      const headers = { "Content-Type": "application/json" };
      return await answerOf(await fetch(`${V1}/${path}`, { method: "POST", headers, body: JSON.stringify(body) }));
    } catch {
      return { error: "The server gave no answer. Check that the app is still running, then try again." };
    }
  };

  /**
   * A dialog of our own with a heading, content and buttons; resolves with the value of the button pressed,
   * "" when it was closed. buttons: [value, label, isPrimary]. check(value) returns a problem or "". isRequired: it
   * cannot be closed without an answer. Enter in a text area answers too, Shift+Enter is a new line.
   */
  window.reid.askPerson = (title, content, buttons, { check = () => "", isRequired = false } = {}) =>
    new Promise((done) => {
      const before = document.activeElement;
      const problem = el("p", { class: "rs-problem", role: "alert" });
      const form = el(
        "form",
        { method: "dialog" },
        el("div", { class: "rs-dialog-head" }, el("h2", { id: "rs-ask-title" }, title)),
        el("div", { class: "rs-ask-body" }, ...content, problem),
        el(
          "div",
          { class: "rs-dialog-foot" },
          // Cancel submits nothing: Enter in a field presses the first button that does.
          ...buttons.map(([value, label, isPrimary]) =>
            value
              ? el("button", { type: "submit", class: `rs-button${isPrimary ? " rs-primary" : ""}`, value, "data-answer": value }, label)
              : el("button", { type: "button", class: `rs-button${isPrimary ? " rs-primary" : ""}`, "data-answer": "", onclick: () => dialog.close() }, label),
          ),
        ),
      );
      const dialog = el("dialog", { class: "rs-dialog rs-ask", "aria-labelledby": "rs-ask-title" }, form);
      const takeKeysOff = window.reid.pushKeys({}); // no key of the page works below it
      form.addEventListener("keydown", (event) => {
        if (event.key !== "Enter" || event.shiftKey || event.isComposing || !event.target.matches("textarea")) return;
        event.preventDefault();
        form.requestSubmit(form.querySelector("[type=submit]"));
      });
      form.addEventListener("submit", (event) => {
        const value = event.submitter?.value ?? "";
        const wrong = value ? check(value) : "";
        if (wrong) event.preventDefault();
        problem.textContent = wrong;
        dialog.dataset.answer = wrong ? "" : value;
      });
      dialog.addEventListener("cancel", (event) => isRequired && event.preventDefault());
      dialog.addEventListener("close", () => {
        takeKeysOff();
        dialog.remove();
        if (before?.isConnected) before.focus?.({ preventScroll: true });
        done(dialog.dataset.answer ?? "");
      });
      document.body.append(dialog);
      dialog.showModal();
      (form.querySelector("input,select,textarea") ?? form.querySelector(".rs-primary"))?.focus();
    });

  /** The code name that was given in this browser, or "". */
  window.reid.keptName = () => {
    try {
      return localStorage.getItem(NAME_STORED) ?? "";
    } catch {
      return "";
    }
  };

  /** Ask for the code name and keep it; resolves with "" if none was given. isRequired: see `askPerson`. */
  window.reid.askName = async (name, { isRequired = false } = {}) => {
    const attributes = { type: "text", maxlength: "40", autocomplete: "off" };
    const input = el("input", { ...attributes, id: "rs-annotator-name", value: name || "annotator-1" });
    const answer = await window.reid.askPerson(
      name ? "Your code name" : "Before you judge",
      [
        el("label", { for: "rs-annotator-name" }, "Code name"),
        input,
        el("p", { class: "rs-hint" }, "Every judgement is stored with it. A code name is enough: do not use your real name."),
      ],
      isRequired ? [["ok", "OK", true]] : [["", "Cancel"], ["ok", "OK", true]],
      { check: () => (NAME_RULE.test(input.value.trim()) ? "" : "Use 1 to 40 letters, digits, spaces or . _ @ + -"), isRequired },
    );
    if (answer !== "ok") return "";
    try {
      localStorage.setItem(NAME_STORED, input.value.trim());
    } catch {
      /* asked again next time */
    }
    return input.value.trim();
  };

  /** Notices above the work, three at most; returns tell(kind, text, { label, act }), which returns the notice. */
  window.reid.noticesIn = (host) => (kind, text, action) => {
    const close = el("button", { type: "button", class: "rs-tool", "aria-label": "Dismiss" }, icon("cross"));
    const act = action
      ? [el("button", { type: "button", class: "rs-button", onclick: () => (action.act(), box.remove()) }, action.label)]
      : [];
    const box = notice(kind, text, ...act, close);
    close.addEventListener("click", () => box.remove());
    host.append(box);
    while (host.children.length > 3) host.firstElementChild.remove();
    announce(text);
    return box;
  };
})();
