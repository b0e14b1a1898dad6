/* Which key does what: one map for all pages, kept in this browser. Each person may change it or switch it off. */
(() => {
  "use strict";
  const STORED = "reid-review-keys";
  const JUDGING = "review search failures identities";
  const HEAT = "review search failures explain";
  const ZOOMED = "review search failures";

  /** What an action does, its key, and where it works: two actions of one place never share a key. */
  const ACTIONS = {
    same: ["Same person (with Shift: not sure)", "KeyF", JUDGING],
    different: ["Different people (with Shift: not sure)", "KeyJ", JUDGING],
    neither: ["Neither of the two, where three are shown", "KeyN", "review"],
    cannot_tell: ["Cannot tell; on a sheet: pick or unpick", "Space", JUDGING],
    undo: ["Undo (with Shift: redo)", "KeyZ", `${JUDGING} history`],
    sweep: ["All matches left: different", "KeyA", "search failures"],
    next: ["Next without answering", "ArrowRight", "review"],
    previous: ["Previous question", "ArrowLeft", "review"],
    reason: ["Reason: then its letter", "KeyE", "review"],
    comment: ["Comment", "KeyC", "review"],
    flag: ["Hand over to the adjudicator", "KeyL", "review"],
    commit: ["Commit the sheet", "Enter", "review"],
    reason_clothes: ["Reason: clothes", "KeyC", "reasons"],
    reason_occlusion: ["Reason: occlusion", "KeyO", "reasons"],
    reason_multiple: ["Reason: several people", "KeyM", "reasons"],
    "reason_low-res": ["Reason: low resolution", "KeyL", "reasons"],
    reason_junk: ["Reason: junk", "KeyJ", "reasons"],
    "reason_wrong-label": ["Reason: wrong label", "KeyW", "reasons"],
    evidence: ["Heat map: what moved the score", "KeyH", HEAT],
    stream_1: ["Heat map: stream 1, 3 × 3", "Digit1", HEAT],
    stream_2: ["Heat map: stream 2, 5 × 5", "Digit2", HEAT],
    stream_3: ["Heat map: stream 3, 7 × 7", "Digit3", HEAT],
    stream_4: ["Heat map: stream 4, 9 × 9", "Digit4", HEAT],
    stream_0: ["Heat map: all streams", "Digit0", HEAT],
    zoom_in: ["Zoom in", "Equal", ZOOMED],
    zoom_out: ["Zoom out", "Minus", ZOOMED],
    zoom_reset: ["Whole pictures", "KeyR", ZOOMED],
    query: ["Search with the match", "KeyQ", "search failures"],
    tag: ["Tag the failure kind: then its letter", "KeyT", "failures"],
    select: ["Select the query", "KeyX", "failures"],
    to_explain: ["Explain this pair", "KeyE", "failures"],
    to_map: ["Show on the map", "KeyM", "search failures"],
    to_search: ["Search with the query", "KeyS", "failures"],
    to_review: ["Judge this pair in Review", "KeyV", "failures"],
    split: ["Split the picked crops off", "KeyS", "identities"],
    move: ["Move the picked crops to another identity", "KeyV", "identities"],
    compare: ["Merge or compare with another identity", "KeyM", "identities"],
    rename: ["Name the identity", "KeyN", "identities"],
    look: ["Look at a contested pair in Review", "KeyR", "identities"],
    help: ["These keys", "Slash", `${JUDGING} history`],
  };
  const DEFAULT = Object.fromEntries(Object.entries(ACTIONS).map(([action, [, code]]) => [action, code]));
  const PRESETS = {
    "ReID Studio": DEFAULT,
    Prodigy: { ...DEFAULT, same: "KeyA", different: "KeyX", undo: "Backspace", flag: "KeyF", sweep: "KeyW", select: "KeyO" },
    TrapTagger: {
      ...DEFAULT,
      same: "Space",
      different: "KeyR",
      next: "KeyS",
      cannot_tell: "KeyU",
      undo: "Backquote",
      zoom_reset: "KeyG",
      look: "KeyO",
    },
  };
  const REASONS = Object.keys(ACTIONS)
    .filter((action) => action.startsWith("reason_"))
    .map((action) => {
      const word = ACTIONS[action][0].slice("Reason: ".length);
      return { action, name: action.slice("reason_".length), word: word[0].toUpperCase() + word.slice(1) };
    });

  const NAMES = {
    ArrowRight: "→",
    ArrowLeft: "←",
    ArrowUp: "↑",
    ArrowDown: "↓",
    Equal: "+",
    Minus: "−",
    Slash: "?",
    Backquote: "~",
    Backspace: "⌫",
  };
  const SIGNS = { "+": "Equal", "=": "Equal", "-": "Minus", "?": "Slash", " ": "Space" };

  /** What a key is called here: by the letter, digit or sign printed on it, so that every keyboard layout works. */
  function codeOf(event) {
    const { key } = event;
    if (/^[a-z]$/i.test(key)) return `Key${key.toUpperCase()}`;
    if (/^[0-9]$/.test(key)) return `Digit${key}`;
    return SIGNS[key] ?? (key === "/" ? key : event.code);
  }
  const nameOf = (code) => NAMES[code] ?? code.replace(/^(Key|Digit)/, "");

  function load() {
    try {
      const stored = JSON.parse(localStorage.getItem(STORED) ?? "{}");
      return { isOn: stored.isOn !== false, map: { ...DEFAULT, ...stored.map } };
    } catch {
      return { isOn: true, map: { ...DEFAULT } };
    }
  }
  const state = load();
  const listeners = [];

  function save() {
    try {
      localStorage.setItem(STORED, JSON.stringify(state));
    } catch {
      /* not remembered, still changed */
    }
    for (const hint of document.querySelectorAll("[data-key-of]")) paintHint(hint);
    for (const listener of listeners) listener();
  }

  const placesOf = (action) => ACTIONS[action][2].split(" ");
  const actionsOf = (event) => {
    const code = codeOf(event);
    return Object.keys(ACTIONS).filter((action) => state.map[action] === code);
  };
  const usedPreset = () => Object.keys(PRESETS).find((name) => Object.keys(ACTIONS).every((action) => PRESETS[name][action] === state.map[action])) ?? "";

  /** A key cap beside a word: the key that the action has, also after it was changed; nothing while keys are off. */
  window.reid.keyHint = (action, prefix = "") => {
    const hint = window.reid.el("kbd", { class: "rs-key-hint", "aria-hidden": "true", "data-key-of": action, "data-prefix": prefix });
    paintHint(hint);
    return hint;
  };
  function paintHint(hint) {
    hint.textContent = hint.dataset.prefix + nameOf(state.map[hint.dataset.keyOf]);
    hint.hidden = !state.isOn;
  }

  window.reid.keyMap = {
    REASONS,
    PRESETS: Object.keys(PRESETS),
    codeOf,
    nameOf,
    isOn: () => state.isOn,
    setOn(isOn) {
      state.isOn = isOn;
      save();
    },
    text: (action) => ACTIONS[action][0],
    nameFor: (action) => nameOf(state.map[action]),
    /** The actions of some places, in order. */
    actionsIn: (...places) => Object.keys(ACTIONS).filter((action) => placesOf(action).some((place) => places.includes(place))),
    /** What a pressed key does at a place, or undefined. */
    actionOf: (event, place) => actionsOf(event).find((action) => placesOf(action).includes(place)),
    /** The names under which `pushKeys` looks for a pressed key: "@action", then the key itself. */
    namesOf(event) {
      if (!state.isOn) return event.key.length > 1 ? [event.key] : [];
      return new Set([...actionsOf(event).map((action) => `@${action}`), event.key, event.key.toLowerCase()]);
    },
    /** Give an action another key; returns the action that has it already, "" if it was free. */
    give(action, code) {
      const isNear = (other) => placesOf(other).some((place) => placesOf(action).includes(place));
      const holder = Object.keys(ACTIONS).find((other) => other !== action && state.map[other] === code && isNear(other));
      if (holder) return holder;
      state.map = { ...state.map, [action]: code };
      save();
      return "";
    },
    usedPreset,
    usePreset(name) {
      state.map = { ...PRESETS[name] };
      save();
    },
    onChange: (listener) => listeners.push(listener),
  };
})();
