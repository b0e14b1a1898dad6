/* Who answers, on any page: code name, the outbox, undo and redo, and what the server said to each answer. */
(() => {
  "use strict";
  const { el, icon, announce, notice } = window.reid;
  const V1 = "gradio_api/reid/v1";
  const NAME_STORED = "reid-annotator";
  const NAME_RULE = /^[\p{L}\p{N}_][\p{L}\p{N}_ .@+-]{0,39}$/u;

  function newId() {
    if (crypto.randomUUID) return crypto.randomUUID();
    const bytes = crypto.getRandomValues(new Uint8Array(16)); // no secure context: plain http in a lab
    return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  }

  function stored() {
    try {
      return localStorage.getItem(NAME_STORED) ?? "";
    } catch {
      return "";
    }
  }

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

  /** Ask an address below v1; what goes wrong comes back as { error }. */
  window.reid.readV1 = async (path, params = {}) => {
    const wanted = Object.entries(params).filter(([, value]) => value !== "" && value !== null && value !== undefined);
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
   * "" when it was closed. buttons: [value, label, isPrimary]. check(value) returns a problem or "".
   */
  window.reid.askPerson = (title, content, buttons, { check = () => "" } = {}) =>
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
      form.addEventListener("submit", (event) => {
        const value = event.submitter?.value ?? "";
        const wrong = value ? check(value) : "";
        if (wrong) event.preventDefault();
        problem.textContent = wrong;
        dialog.dataset.answer = wrong ? "" : value;
      });
      dialog.addEventListener("close", () => {
        takeKeysOff();
        dialog.remove();
        if (before?.isConnected) before.focus?.({ preventScroll: true });
        done(dialog.dataset.answer ?? "");
      });
      document.body.append(dialog);
      dialog.showModal();
      (form.querySelector("input,select") ?? form.querySelector(".rs-primary"))?.focus();
    });

  /**
   * Start answering on a page.
   * host: where the bar (saved, name, undo, redo) and notices go; gallery(): "" for the default one.
   * onResult(answer, result): after each word of the server that is not "try again". onName(): the name changed.
   * onGiven(answer): an answer, an undo or a redo left this page.
   */
  window.reid.annotator = async ({ host, gallery = () => "", onResult = () => {}, onName = () => {}, onGiven = () => {} }) => {
    let name = stored();
    let undoable = []; // ids of own answers, the next one to take back last
    let redoable = [];
    const given = [];

    const saved = el("button", { type: "button", class: "rs-button rs-saved", title: "What is saved; click to deliver now" });
    const nameButton = el("button", { type: "button", class: "rs-button", title: "Your code name", onclick: () => changeName() });
    const undoButton = el("button", { type: "button", class: "rs-button", "data-action": "undo", onclick: () => undo() }, "Undo");
    const redoButton = el("button", { type: "button", class: "rs-button", "data-action": "redo", onclick: () => redo() }, "Redo");
    const notices = el("div", { class: "rs-notices" });
    const bar = el("div", { class: "rs-annotator", role: "group", "aria-label": "Answering" }, saved, nameButton, undoButton, redoButton);
    host.replaceChildren(bar, notices);

    function paint() {
      nameButton.textContent = name || "Code name…";
      undoButton.disabled = !undoable.length;
      redoButton.disabled = !redoable.length;
    }

    function paintSaved({ waiting, isOnline, refused }) {
      const text = waiting ? (isOnline ? `Saving ${waiting}` : `Unsynced ${waiting}`) : isOnline ? "Saved" : "No connection";
      const isBehind = waiting > 0 || !isOnline;
      saved.replaceChildren(icon(isBehind ? "reset" : "check", 14), text, refused.length ? ` · ${refused.length} refused` : "");
      saved.dataset.state = isBehind ? "unsynced" : "saved";
      saved.dataset.waiting = String(waiting);
    }

    function tell(kind, text, action) {
      const close = el("button", { type: "button", class: "rs-tool", "aria-label": "Dismiss" }, icon("cross"));
      const act = action
        ? [el("button", { type: "button", class: "rs-button", onclick: () => (action.act(), box.remove()) }, action.label)]
        : [];
      const box = notice(kind, text, ...act, close);
      close.addEventListener("click", () => box.remove());
      notices.append(box);
      while (notices.children.length > 3) notices.firstElementChild.remove();
      announce(text);
    }

    function settle(entry, result) {
      if (result.status === "stale") {
        forget(entry.answer.id);
        const what = (result.changes ?? []).map((change) => `${change.annotator}: ${change.text}`).join("; ");
        tell("warn", `Not stored, because it was changed since you saw it. ${what || result.message} Look again and decide anew.`);
      } else if (result.status === "refused") {
        forget(entry.answer.id);
        tell("bad", `An answer was refused: ${result.message}`, {
          label: "Throw it away",
          act: () => outbox.discard(entry.place),
        });
      } else if (result.is_contested) {
        tell("warn", `Stored. ${result.message}`, {
          label: "Settle",
          act: () => (location.href = window.reid.pageLink("identities", { view: "conflicts" })),
        });
      }
      onResult(entry.answer, result);
    }

    function forget(id) {
      undoable = undoable.filter((own) => own !== id);
      paint();
    }

    const outbox = await window.reid.reviewOutbox({ onState: paintSaved, onResult: settle, knownAnswers: () => given });
    saved.addEventListener("click", () => outbox.sync());

    async function loadStacks() {
      if (!name) return;
      const state = await window.reid.readV1("review/state", { annotator: name, gallery: gallery() });
      if (state.undo) {
        undoable = [...state.undo];
        redoable = [...state.redo];
      }
      paint();
    }

    async function changeName() {
      const input = el("input", { type: "text", id: "rs-annotator-name", value: name || "annotator-1", maxlength: "40", autocomplete: "off" });
      const answer = await window.reid.askPerson(
        name ? "Your code name" : "Before you judge",
        [
          el("label", { for: "rs-annotator-name" }, "Code name"),
          input,
          el("p", { class: "rs-hint" }, "Every judgement is stored with it. A code name is enough: do not use your real name."),
        ],
        [["", "Cancel"], ["ok", "OK", true]],
        { check: () => (NAME_RULE.test(input.value.trim()) ? "" : "Use 1 to 40 letters, digits, spaces or . _ @ + -") },
      );
      if (answer !== "ok") return false;
      name = input.value.trim();
      try {
        localStorage.setItem(NAME_STORED, name);
      } catch {
        /* asked again next time */
      }
      undoable = [];
      redoable = [];
      await loadStacks();
      onName();
      return true;
    }

    async function deliver(answer) {
      given.push(answer.id);
      await outbox.add({ annotator: name, gallery: gallery(), answer });
      onGiven(answer);
    }

    /** Give answers; resolves with their ids once the browser has them, or with [] if no name was given. */
    async function send(answers) {
      if (!name && !(await changeName())) return [];
      const ids = [];
      for (const content of answers) {
        const answer = { ...content, id: newId(), decided_at: new Date().toISOString() };
        if (answer.kind !== "undo" && answer.kind !== "redo") {
          undoable.push(answer.id);
          redoable = [];
        }
        ids.push(answer.id);
        await deliver(answer);
      }
      paint();
      return ids;
    }

    async function undo() {
      const target = undoable.pop();
      if (!target) return announce("Nothing to undo.");
      redoable.push(target);
      await deliver({ kind: "undo", id: newId(), target, decided_at: new Date().toISOString() });
      paint();
      announce("Taken back.");
    }

    async function redo() {
      const target = redoable.pop();
      if (!target) return announce("Nothing to redo.");
      undoable.push(target);
      await deliver({ kind: "redo", id: newId(), target, decided_at: new Date().toISOString() });
      paint();
      announce("Restored.");
    }

    document.addEventListener("keydown", (event) => {
      if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "s") {
        event.preventDefault();
        outbox.sync();
        announce(saved.textContent);
      }
    });

    paint();
    await loadStacks();
    /** One more button on the bar. */
    function addButton(label, act, key = "") {
      bar.append(el("button", { type: "button", class: "rs-button", onclick: act }, label, key ? el("kbd", { "aria-hidden": "true" }, key) : null));
    }

    return { addButton, name: () => name, ensureName: async () => Boolean(name) || changeName(), send, undo, redo, tell, newId, loadStacks };
  };

  /** Link to another page that keeps gallery and model. */
  window.reid.pageLink = (page, params = {}) => {
    const { g = "", m = "" } = window.reid.readParams();
    const wanted = Object.entries({ ...params, g, m }).filter(([, value]) => value);
    const search = new URLSearchParams(wanted).toString().replaceAll("%2C", ",").replaceAll("%3A", ":");
    return `./${page}${search ? `?${search}` : ""}`;
  };

  /** A moment of the log in the reader's own time. */
  window.reid.momentText = (iso) => {
    const at = new Date(iso);
    if (Number.isNaN(at.getTime())) return iso;
    const isToday = at.toDateString() === new Date().toDateString();
    return isToday
      ? at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" })
      : at.toLocaleString([], { year: "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit" });
  };

  const LABELS = {
    same: { word: "same", icon: "check" },
    different: { word: "different", icon: "cross" },
    cannot_tell: { word: "unclear", icon: "unknown" },
    conflict: { word: "conflict", icon: "warn" },
  };

  /** What is known of a pair, in an icon, a word and a line style; never by colour alone. */
  window.reid.labelBadge = (answer, { isInferred = false, isSure = true, why = "" } = {}) => {
    const { word, icon: glyph } = LABELS[answer];
    const text = `${isInferred ? "↝ " : ""}${word}${isSure ? "" : "?"}`;
    return el(
      "span",
      { class: "rs-label", "data-label": answer, "data-inferred": isInferred ? "1" : null, title: why || null },
      icon(glyph, 12),
      text,
      isInferred ? el("span", { class: "rs-sr" }, " inferred") : null,
      isSure ? null : el("span", { class: "rs-sr" }, " not sure"),
    );
  };
})();
