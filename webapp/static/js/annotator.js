/* Who answers, on any page: code name, the outbox, undo and redo, and what the server said to each answer. */
(() => {
  "use strict";
  const KNOWN = 100; // answers of this page that go along with the next one
  const { el, icon, announce, keptName, askName, noticesIn, newId, showSaved } = window.reid;

  /**
   * Start answering on a page.
   * host: where the bar (saved, name, undo, redo) and notices go; gallery(): "" for the default one.
   * onResult(answer, result): after each word of the server that is not "try again". onName(): the name changed.
   * onGiven(answer): an answer, an undo or a redo left this page.
   */
  window.reid.annotator = async ({ host, gallery = () => "", onResult = () => {}, onName = () => {}, onGiven = () => {} }) => {
    let name = keptName();
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

    const tell = noticesIn(notices);

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

    const outbox = await window.reid.reviewOutbox({ onState: (state) => showSaved(saved, state), onResult: settle });
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
      const given = await askName(name);
      if (!given) return false;
      name = given;
      undoable = [];
      redoable = [];
      await loadStacks();
      onName();
      return true;
    }

    async function deliver(answer) {
      const known = given.slice(-KNOWN);
      given.push(answer.id);
      await outbox.add({ annotator: name, gallery: gallery(), answer, known });
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
    /** One more button on the bar; returns it. */
    function addButton(label, act, key = "") {
      const button = el("button", { type: "button", class: "rs-button", onclick: act }, label, key ? el("kbd", { "aria-hidden": "true" }, key) : null);
      bar.append(button);
      return button;
    }

    return { addButton, name: () => name, ensureName: async () => Boolean(name) || changeName(), send, undo, redo, tell, loadStacks };
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
