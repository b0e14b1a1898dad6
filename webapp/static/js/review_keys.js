/* The keys of the review: a map from action to key that each person may change, or switch off. */
(() => {
  "use strict";
  const { el, announce } = window.reid;
  const STORED = "reid-review-keys";
  const BROWSER_KEYS = new Set(["Tab", "Escape", "F5", "F11", "F12", "ShiftLeft", "ShiftRight", "ControlLeft"]);

  const ACTIONS = {
    same: "Same person (with Shift: not sure)",
    different: "Different people (with Shift: not sure)",
    neither: "Neither of the two, where three are shown",
    cannot_tell: "Cannot tell; on a sheet: pick or unpick",
    undo: "Undo (with Shift: redo)",
    next: "Next without answering",
    previous: "Previous question",
    reason: "Reason: then C, O, M, L, J or W",
    comment: "Comment",
    flag: "Hand over to the adjudicator",
    evidence: "Show what moved the score",
    commit: "Commit the sheet",
    sweep: "All matches left: different (Search, Failures)",
    zoom_in: "Zoom in",
    zoom_out: "Zoom out",
    zoom_reset: "Whole picture",
    help: "These keys",
  };
  /** Keys that stay what they are, by what they do. */
  const FIXED = {
    "Streams 1 to 4 of the evidence, or all": ["1", "2", "3", "4", "0"],
    "On a sheet: move between the crops": ["←", "↑", "↓", "→"],
    "On a sheet: the person that the next picked crops are": ["1", "…", "9"],
    "Stop: a reason, a new key, this dialog": ["Esc"],
    "Deliver what is not saved, and show what is": ["Ctrl", "S"],
  };
  const DEFAULT = {
    same: "KeyF",
    different: "KeyJ",
    neither: "KeyN",
    cannot_tell: "Space",
    undo: "KeyZ",
    next: "ArrowRight",
    previous: "ArrowLeft",
    reason: "KeyE",
    comment: "KeyC",
    flag: "KeyL",
    evidence: "KeyH",
    commit: "Enter",
    sweep: "KeyA",
    zoom_in: "Equal",
    zoom_out: "Minus",
    zoom_reset: "Digit0",
    help: "Slash",
  };
  const PRESETS = {
    "ReID Studio": DEFAULT,
    Prodigy: { ...DEFAULT, same: "KeyA", different: "KeyX", undo: "Backspace", flag: "KeyF", sweep: "KeyW" },
    TrapTagger: {
      ...DEFAULT,
      same: "Space",
      different: "KeyR",
      next: "KeyS",
      cannot_tell: "KeyU",
      undo: "Backquote",
    },
  };
  const REASONS = {
    KeyC: ["clothes", "Clothes"],
    KeyO: ["occlusion", "Occlusion"],
    KeyM: ["multiple", "Several people"],
    KeyL: ["low-res", "Low resolution"],
    KeyJ: ["junk", "Junk"],
    KeyW: ["wrong-label", "Wrong label"],
  };

  const NAMES = {
    Space: "Space",
    ArrowRight: "→",
    ArrowLeft: "←",
    ArrowUp: "↑",
    ArrowDown: "↓",
    Equal: "+",
    Minus: "−",
    Slash: "?",
    Backquote: "~",
    Backspace: "⌫",
    Enter: "Enter",
  };
  const nameOf = (code) => NAMES[code] ?? code.replace(/^(Key|Digit|Numpad)/, "");

  function load() {
    try {
      const stored = JSON.parse(localStorage.getItem(STORED) ?? "{}");
      return { isOn: stored.isOn !== false, map: { ...DEFAULT, ...stored.map } };
    } catch {
      return { isOn: true, map: { ...DEFAULT } };
    }
  }

  /** The dialog with all keys, and what they are now. `onChange` is called after every change. */
  window.reid.reviewKeys = (dialog, onChange) => {
    const state = load();
    let waiting = ""; // the action whose new key is being pressed

    function save() {
      try {
        localStorage.setItem(STORED, JSON.stringify(state));
      } catch {
        /* not remembered, still changed */
      }
      paint();
      onChange();
    }

    function give(action, code) {
      const other = Object.keys(state.map).find((name) => state.map[name] === code && name !== action);
      if (other) {
        message.textContent = `${nameOf(code)} is taken by “${ACTIONS[other]}”. Change that one first.`;
        return;
      }
      state.map = { ...state.map, [action]: code };
      message.textContent = `${ACTIONS[action]}: ${nameOf(code)}.`;
      save();
    }

    const message = el("p", { class: "rs-hint", role: "status" });
    const rows = el("tbody", {});
    const fixed = el(
      "tbody",
      {},
      ...Object.entries(FIXED).map(([text, names]) =>
        el("tr", {}, el("th", { scope: "row" }, text), el("td", {}, ...names.map((name) => el("kbd", {}, name)))),
      ),
    );
    const isOnBox = el("input", { type: "checkbox", onchange: () => setOn(isOnBox.checked) });
    const preset = el("select", {
      "aria-label": "Keys like in",
      onchange: () => {
        if (!PRESETS[preset.value]) return;
        state.map = { ...PRESETS[preset.value] };
        message.textContent = `Keys of ${preset.value}.`;
        save();
      },
    });

    function setOn(isOn) {
      state.isOn = isOn;
      announce(isOn ? "Single keys are on." : "Single keys are off.");
      save();
    }

    function paint() {
      isOnBox.checked = state.isOn;
      const current = Object.keys(PRESETS).find((name) => JSON.stringify(PRESETS[name]) === JSON.stringify(state.map));
      const names = [...Object.keys(PRESETS), ...(current ? [] : ["My own"])];
      preset.replaceChildren(
        ...names.map((name) => el("option", { value: name, selected: name === (current ?? "My own") }, name)),
      );
      rows.replaceChildren(
        ...Object.entries(ACTIONS).map(([action, text]) => {
          const isWaiting = waiting === action;
          const button = el(
            "button",
            {
              type: "button",
              class: "rs-button rs-key",
              "data-action": action,
              "aria-label": isWaiting ? `Press the new key for ${text}` : `${text}: ${nameOf(state.map[action])}. Change`,
              onclick: () => {
                waiting = isWaiting ? "" : action;
                message.textContent = waiting ? "Press the new key, or Esc to keep the old one." : "";
                paint();
                dialog.querySelector(`[data-action="${action}"]`).focus();
              },
            },
            isWaiting ? "press a key…" : nameOf(state.map[action]),
          );
          return el("tr", {}, el("th", { scope: "row" }, text), el("td", {}, button));
        }),
      );
    }

    dialog.addEventListener("keydown", (event) => {
      if (!waiting) return;
      event.preventDefault();
      event.stopPropagation();
      const action = waiting;
      if (event.code === "Escape") message.textContent = "";
      else if (BROWSER_KEYS.has(event.code) || event.ctrlKey || event.metaKey || event.altKey) {
        message.textContent = "That key belongs to the browser. Press another one.";
        return;
      }
      waiting = "";
      if (event.code === "Escape") paint();
      else give(action, event.code);
      paint();
      dialog.querySelector(`[data-action="${action}"]`).focus();
    });
    dialog.addEventListener("close", () => {
      waiting = "";
      paint();
    });

    dialog.append(
      el(
        "div",
        { class: "rs-dialog-head" },
        el("h2", { id: "rv-keys-title" }, "Keys"),
        el("button", { type: "button", class: "rs-button", onclick: () => dialog.close() }, "Close"),
      ),
      el(
        "div",
        { class: "rv-keys-body" },
        el("label", { class: "rv-check" }, isOnBox, " Single keys answer questions"),
        el("label", { class: "rv-check" }, "Keys like in ", preset),
        message,
        el("table", { class: "rv-keys-table" }, rows, fixed),
        el("p", { class: "rs-hint" }, "The buttons on the page do all of this, too."),
      ),
    );
    dialog.setAttribute("aria-labelledby", "rv-keys-title");
    paint();

    return {
      REASONS,
      isOn: () => state.isOn,
      setOn,
      nameFor: (action) => nameOf(state.map[action]),
      /** The action of a pressed key, or undefined. */
      actionOf: (event) => Object.keys(state.map).find((name) => state.map[name] === event.code),
      open: () => {
        message.textContent = "";
        dialog.showModal();
      },
    };
  };
})();
