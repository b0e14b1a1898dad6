/* What a key on the review page does: which key means what is decided by `key_map.js`. */
(() => {
  "use strict";
  const { isTyping, keyMap } = window.reid;
  const ANSWERING = new Set(["same", "different", "neither", "cannot_tell", "undo", "commit", "flag"]);

  /**
   * state(): what is on the stage now; act(action, how): as the buttons do; deliver(): Ctrl+S;
   * toggleReason(name), stopReason(): while a letter for a reason is waited for; onActive(): somebody is there.
   */
  window.reid.reviewKeyboard = ({ state, onActive, deliver, stopReason, toggleReason, act }) => {
    document.addEventListener("keydown", (event) => {
      onActive();
      if ((event.ctrlKey || event.metaKey) && event.code === "KeyS") {
        event.preventDefault();
        if (!event.repeat) deliver();
        return;
      }
      if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
      const target = event.composedPath()[0];
      if (isTyping(target) || document.querySelector("dialog[open]")) return;
      const isCard = Boolean(target.closest?.(".rv-card"));
      const isControl = !isCard && Boolean(target.closest?.("button, a, summary, input"));
      if (isControl && (event.code === "Space" || event.code === "Enter")) return; // whoever tabbed there means it
      const { shown, kind, overlay, awaitsReason } = state();
      if (event.code === "Escape" && awaitsReason) return stopReason();
      const reason = awaitsReason && shown && keyMap.actionOf(event, "reasons");
      if (reason) {
        event.preventDefault();
        toggleReason(keyMap.REASONS.find(({ action }) => action === reason).name);
        return;
      }
      const isSheet = shown && kind === "sheet";
      if (isSheet && event.code.startsWith("Arrow") && !event.shiftKey) {
        event.preventDefault();
        shown.step(event.code);
        return;
      }
      const action = keyMap.actionOf(event, "review");
      if (isCard && action === "cannot_tell" && event.code === "Space") return; // the card's own click picks it
      if (!keyMap.isOn() && !(isCard && action === "commit")) return;
      if (isSheet && /^Digit[1-9]$/.test(event.code)) {
        event.preventDefault();
        shown.setPerson(Number(event.code.slice(5)));
        return;
      }
      if (!action) return;
      event.preventDefault();
      if (event.repeat && ANSWERING.has(action)) return;
      act(action, { isSure: !event.shiftKey, isShift: event.shiftKey });
    });
  };
})();
