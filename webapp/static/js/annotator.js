/* Who answers, on any page: code name, the outbox, undo and redo, and what the server said to each answer. */
(() => {
  "use strict";
  const { el, icon, announce, keptName, askName, noticesIn, showSaved, ownAnswers, keyHint } = window.reid;

  /**
   * Start answering on a page.
   * host: where the bar (saved, name, undo, redo) and notices go; gallery(): "" for the default one.
   * onResult(answer, result): after each word of the server that is not "try again". onName(): the name changed.
   * onGiven(answer): an answer, an undo or a redo left this page.
   */
  window.reid.annotator = async ({ host, gallery = () => "", onResult = () => {}, onName = () => {}, onGiven = () => {} }) => {
    let name = keptName();

    const saved = el("button", { type: "button", class: "rs-button rs-saved", title: "What is saved; click to deliver now" });
    const nameButton = el("button", { type: "button", class: "rs-button", title: "Your code name", onclick: () => changeName() });
    const undoButton = el("button", { type: "button", class: "rs-button", "data-action": "undo", onclick: () => own.undo() }, "Undo", keyHint("undo"));
    const redoButton = el("button", { type: "button", class: "rs-button", "data-action": "redo", onclick: () => own.redo() }, "Redo", keyHint("undo", "⇧"));
    const notices = el("div", { class: "rs-notices" });
    const bar = el("div", { class: "rs-annotator", role: "group", "aria-label": "Answering" }, saved, nameButton, undoButton, redoButton);
    host.replaceChildren(bar, notices);

    function paint() {
      nameButton.textContent = name || "Code name…";
      undoButton.disabled = !own.canUndo();
      redoButton.disabled = !own.canRedo();
    }

    const tell = noticesIn(notices);
    const own = await ownAnswers({
      who: () => name,
      gallery,
      tell,
      onState: (state) => showSaved(saved, state),
      onChange: () => paint(),
      onGiven,
      onStale: (_entry, text) => tell("warn", `${text} Look again and decide anew.`),
      onResult,
      settle: { label: "Settle", act: () => (location.href = window.reid.pageLink("identities", { view: "conflicts" })) },
    });
    saved.addEventListener("click", () => own.outbox.sync());

    async function loadStacks() {
      if (!name) return;
      const state = await window.reid.readV1("review/state", { annotator: name, gallery: gallery() });
      if (state.undo) own.start(state);
    }

    async function changeName() {
      const given = await askName(name);
      if (!given) return false;
      name = given;
      own.start({ undo: [], redo: [] });
      await loadStacks();
      onName();
      return true;
    }

    /** Give answers; resolves with their ids once the browser has them, or with [] if no name was given. */
    async function send(answers) {
      if (!name && !(await changeName())) return [];
      const ids = [];
      for (const content of answers) {
        ids.push((await own.give(content)).id);
      }
      return ids;
    }

    document.addEventListener("keydown", (event) => {
      if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "s") {
        event.preventDefault();
        own.outbox.sync();
        announce(saved.textContent);
      }
    });

    paint();
    await loadStacks();
    /** One more button on the bar; action: what the key map calls it. */
    function addButton(label, act, action = "") {
      bar.append(el("button", { type: "button", class: "rs-button", onclick: act }, label, action ? keyHint(action) : null));
    }

    return {
      addButton,
      name: () => name,
      ensureName: async () => Boolean(name) || changeName(),
      send,
      undo: own.undo,
      redo: own.redo,
      /** For `pushKeys`. */
      keys: { "@undo": (event) => void (event.shiftKey ? own.redo() : own.undo()) },
      tell,
      loadStacks,
    };
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
