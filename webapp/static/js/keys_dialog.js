/* The dialog with the keys of a page: what they are, other ones, those of another tool, or none. */
(() => {
  "use strict";
  const { el, announce, keyMap } = window.reid;
  const BROWSER_KEYS = new Set(["Tab", "F5", "F11", "F12", "ShiftLeft", "ShiftRight", "ControlLeft"]);
  const WHOLE = ["Whole pictures, while no heat map is shown", ["0"]];
  const SAVE = ["Deliver what is not saved", ["Ctrl", "S"]];

  /** Keys that stay what they are, by page. */
  const FIXED = {
    review: [
      ["On a sheet: move between the crops", ["←", "↑", "↓", "→"]],
      ["On a sheet: the person that the next picked crops are", ["1", "…", "9"]],
      ["Stop: a reason, a new key, this dialog", ["Esc"]],
      WHOLE,
      SAVE,
    ],
    search: [
      ["Move between matches; in a comparison: previous and next match", ["←", "→", "↑", "↓"]],
      ["First and last match", ["Home", "End"]],
      ["Compare with the query", ["Enter"]],
      WHOLE,
      ["Paste a picture", ["Ctrl", "V"]],
      ["Close", ["Esc"]],
      SAVE,
    ],
    failures: [
      ["Previous and next query", ["↑", "↓"]],
      ["Along its ranking", ["←", "→"]],
      ["Compare with the first false match, or the crop in focus", ["Enter"]],
      WHOLE,
      ["Close", ["Esc"]],
      SAVE,
    ],
    identities: [
      ["Move between identities, crops or contradictions", ["←", "→", "↑", "↓"]],
      ["Open an identity", ["Enter"]],
      ["Pick or unpick the crop in focus", ["Space"]],
      ["Settle a contradiction by the way with that number", ["1", "2", "3"]],
      ["Close, clear, back to the list", ["Esc"]],
      SAVE,
    ],
    history: [SAVE],
  };

  let dialog = null;
  let place = "";
  let waiting = ""; // the action whose new key is being pressed

  const message = el("p", { class: "rs-hint", role: "status" });
  const rows = el("tbody", {});
  const fixed = el("tbody", {});
  const isOnBox = el("input", {
    type: "checkbox",
    onchange() {
      keyMap.setOn(isOnBox.checked);
      announce(isOnBox.checked ? "Single keys are on." : "Single keys are off.");
    },
  });
  const preset = el("select", {
    "aria-label": "Keys like in",
    onchange() {
      if (!keyMap.PRESETS.includes(preset.value)) return;
      keyMap.usePreset(preset.value);
      message.textContent = `Keys of ${preset.value}.`;
    },
  });

  function give(action, code) {
    const holder = keyMap.give(action, code);
    message.textContent = holder
      ? `${keyMap.nameOf(code)} is taken by “${keyMap.text(holder)}”. Change that one first.`
      : `${keyMap.text(action)}: ${keyMap.nameOf(code)}.`;
  }

  function keyButton(action) {
    const isWaiting = waiting === action;
    return el(
      "button",
      {
        type: "button",
        class: "rs-button rs-key",
        "data-action": action,
        "aria-label": isWaiting ? `Press the new key for ${keyMap.text(action)}` : `${keyMap.text(action)}: ${keyMap.nameFor(action)}. Change`,
        onclick() {
          waiting = isWaiting ? "" : action;
          message.textContent = waiting ? "Press the new key, or Esc to keep the old one." : "";
          paint();
          focusOn(action);
        },
      },
      isWaiting ? "press a key…" : keyMap.nameFor(action),
    );
  }
  const focusOn = (action) => dialog.querySelector(`[data-action="${action}"]`).focus();

  function paint() {
    isOnBox.checked = keyMap.isOn();
    const used = keyMap.usedPreset() || "My own";
    preset.replaceChildren(...[...new Set([...keyMap.PRESETS, used])].map((name) => el("option", { value: name, selected: name === used }, name)));
    const actions = keyMap.actionsIn(place, ...(place === "review" ? ["reasons"] : []));
    rows.replaceChildren(...actions.map((action) => el("tr", {}, el("th", { scope: "row" }, keyMap.text(action)), el("td", {}, keyButton(action)))));
    fixed.replaceChildren(
      ...FIXED[place].map(([text, names]) => el("tr", {}, el("th", { scope: "row" }, text), el("td", {}, ...names.map((name) => el("kbd", {}, name))))),
    );
  }

  function takeKey(event) {
    if (!waiting) {
      if (keyMap.isOn() && keyMap.actionOf(event, place) === "help") dialog.close();
      return;
    }
    event.preventDefault();
    event.stopPropagation();
    const action = waiting;
    if (event.key !== "Escape" && (BROWSER_KEYS.has(event.code) || event.ctrlKey || event.metaKey || event.altKey)) {
      message.textContent = "That key belongs to the browser. Press another one.";
      return;
    }
    waiting = "";
    if (event.key === "Escape") message.textContent = "";
    else give(action, keyMap.codeOf(event));
    paint();
    focusOn(action);
  }

  function build() {
    dialog = el(
      "dialog",
      { class: "rs-dialog rs-keys-dialog", "aria-labelledby": "rs-keys-title" },
      el(
        "div",
        { class: "rs-dialog-head" },
        el("h2", { id: "rs-keys-title" }, "Keys"),
        el("button", { type: "button", class: "rs-button", onclick: () => dialog.close() }, "Close"),
      ),
      el(
        "div",
        { class: "rs-keys-body" },
        el("label", { class: "rs-keys-choice" }, isOnBox, " Single keys work, on every page"),
        el("label", { class: "rs-keys-choice" }, "Keys like in ", preset),
        message,
        el("table", { class: "rs-keys-table" }, rows, fixed),
        el("p", { class: "rs-hint" }, "Press a key's button to change it. The buttons on the page do all of this, too."),
      ),
    );
    dialog.addEventListener("keydown", takeKey);
    document.body.append(dialog);
    keyMap.onChange(paint);
  }

  /** Show and change the keys of a page: review, search, failures, identities or history. */
  window.reid.openKeys = (of) => {
    if (!dialog) build();
    if (dialog.open) return;
    place = of;
    waiting = "";
    message.textContent = "";
    paint();
    const takeKeysOff = window.reid.pushKeys({}); // no key of the page works below it
    dialog.addEventListener("close", takeKeysOff, { once: true });
    dialog.showModal();
  };
})();
