/* The review: asks, shows, takes answers. An answer is in the browser's outbox before the next question shows. */
(() => {
  "use strict";
  const { el, find, icon, readParams, announce, readV1, sendV1, keyMap } = window.reid;
  const { show } = window.reid.reviewQuestion;
  const { contentOf, makeAnswer } = window.reid.reviewAnswers;
  const { STREAMS, showKnown, showProgress } = window.reid.reviewRail;
  const dialogs = window.reid.reviewDialogs;
  const V1 = "gradio_api/reid/v1";
  const TRAIL = 200;
  const DEBOUNCE_MS = 150;

  window.reid.define("review_panel", async (element) => {
    const part = (name) => find(element, name);
    const panel = part("panel");
    const params = readParams();
    const { g = "", m = "", sel = "", pair = "", adjudicate = "" } = params;
    const scope = Object.fromEntries(Object.entries({ g, m }).filter(([, value]) => value));
    let annotator = window.reid.keptName();
    const trail = []; // entries that were shown: { question, answer, reasons, comment, isUnsure }
    let cursor = -1;
    let shown = null; // what the stage answers: zoom, groups, pick
    let shownAt = 0;
    let lastAnswerAt = 0;
    const answered = new Map(); // id of an answer of this page -> { entry, answer, before: what it corrected, or null }
    let state = null;
    let awaitsReason = false;
    let lastActive = performance.now();
    let outboxState = { waiting: 0, isOnline: true, isLasting: true, refused: [] };
    const current = () => trail[cursor] ?? null;

    const tell = window.reid.noticesIn(part("notices"));

    /* ---- own answers ---- */
    const own = await window.reid.ownAnswers({
      who: () => annotator,
      gallery: () => g,
      tell,
      onState: takeState,
      onChange: () => paintTools(),
      onStale: askAgain,
      onResult: scheduleState,
    });

    function takeState(now) {
      window.reid.showSaved(part("saved"), now);
      const wasOnline = outboxState.isOnline;
      outboxState = now;
      if (now.isOnline && !wasOnline) supply.fetchMore();
    }

    /** A stale answer: say what was changed, and ask the same question with what is true now. */
    async function askAgain(entry, text) {
      tell("warn", `${text} It is asked again next.`);
      const { question } = entry;
      if (!question) return;
      const right = question.kind === "sheet" ? question.identity : question.right.node;
      const now = await readV1("review/consequence", { left: question.left.node, right, gallery: g });
      if (!now.seen) return tell("bad", `The question could not be asked again: ${now.error}`);
      supply.putFirst({ ...question, seen: { ...question.seen, ...now.seen }, outlooks: now.outlooks, reason: text });
      return !current() || current().answer ? advance() : null;
    }

    /* ---- questions ---- */
    const supply = window.reid.reviewSupply({
      address: params,
      annotator: () => annotator,
      held: () => [current(), trail.at(-1)].filter((entry) => entry && !entry.answer).map((entry) => entry.question),
      waitingKeys: () => own.outbox.waitingKeys(),
      onFound: showFound,
    });

    /** After every word of the server on what comes next; true if it is to be asked again soon. */
    function showFound(found) {
      const needsOne = !current() || (current().answer && cursor === trail.length - 1);
      if (found.error) {
        const title = !found.status ? "No connection" : found.status < 500 ? "This cannot be reviewed" : "The server failed";
        const text = found.status ? found.error : "Questions come as soon as the server answers again.";
        if (!current() || (found.status && found.status < 500)) say(title, text);
        return false;
      }
      if (needsOne && supply.hasNext()) advance();
      else if (needsOne && found.state === "preparing") {
        say("Choosing what to ask", found.message || "This takes a few seconds.", true);
      } else if (needsOne && !found.questions.length && found.state === "empty") {
        const hint = found.num_waiting
          ? "Their questions come free within 5 minutes."
          : "Come back after others have answered, or look at the history.";
        say(found.message || "Nothing is left to ask.", hint);
      }
      return found.state === "preparing" || (needsOne && !supply.hasNext() && !(current() && !current().answer));
    }

    /** A sentence in place of a question. */
    function say(title, text, isBusy = false) {
      shown = null;
      part("stream").textContent = "";
      part("reason").textContent = "";
      part("question").replaceChildren(
        el(
          "div",
          { class: "rv-empty", "aria-busy": String(isBusy) },
          el("h2", {}, title),
          el("p", {}, text),
          pair || sel || adjudicate ? el("a", { class: "rs-button", href: `./review?${new URLSearchParams(scope)}` }, "All questions") : "",
        ),
      );
      for (const name of ["answers", "reasons", "tools"]) part(name).replaceChildren();
      showKnown(part("known"), null, scope);
      paintEvidence(null);
      paintTools();
    }

    /** The next question that was not answered; false if there is none yet. */
    function advance() {
      if (cursor < trail.length - 1) {
        cursor = trail.length - 1;
        if (!current().answer) return paint();
      }
      const question = supply.next();
      if (!question) {
        if (pair) say("Answered", "That was the pair you opened.");
        else if (!outboxState.isOnline) {
          say("No connection", `${outboxState.waiting} answers are kept in this browser and delivered later.`);
        } else say("Choosing what to ask", "The next question comes in a moment.", true);
        return false;
      }
      trail.push({ question, answer: null, reasons: new Set(), comment: "", isUnsure: false });
      if (trail.length > TRAIL) trail.shift();
      cursor = trail.length - 1;
      return paint();
    }

    /* ---- painting ---- */
    function paint() {
      const entry = current();
      const { question } = entry;
      const chip = part("stream");
      chip.textContent = STREAMS[question.stream] ?? question.stream;
      chip.dataset.stream = question.stream;
      part("reason").textContent = question.reason;
      shown = show(part("question"), question, () => paintAnswers());
      paintReasons();
      paintAnswers();
      paintTools();
      showKnown(part("known"), question, scope);
      paintEvidence(question);
      shownAt = performance.now();
      if (own.hasGiven() && question.kind === "pair" && !question.is_blind && question.stream !== "adjudication") refreshOutlook(entry);
      const fresh = performance.now();
      requestAnimationFrame(() => setTimeout(() => performance.measure("reid:painted", { start: lastAnswerAt || fresh })));
      if (question.kind !== "sheet") panel.focus({ preventScroll: true });
      else part("question").querySelector(".rv-card").focus({ preventScroll: true });
      return true;
    }

    async function refreshOutlook(entry) {
      const { left, right } = entry.question;
      const now = await readV1("review/consequence", { left: left.node, right: right.node, gallery: g });
      if (!now.outlooks || current() !== entry) return; // the older line stays
      entry.question.outlooks = now.outlooks;
      paintAnswers();
    }

    const controls = window.reid.reviewControls({ part, act, redo, toggleReason, toggleUnsure });
    const paintAnswers = () => controls.paintAnswers(current(), shown);
    const paintReasons = () => controls.paintReasons(current(), awaitsReason);
    const paintTools = () =>
      controls.paintTools(shown ? current() : null, {
        isLast: cursor === trail.length - 1,
        isFirst: cursor <= 0,
        canUndo: own.canUndo(),
        canRedo: own.canRedo(),
      });

    function toggleReason(name) {
      const { reasons } = current();
      if (!reasons.delete(name)) reasons.add(name);
      awaitsReason = false;
      announce(`${reasons.has(name) ? "Reason" : "Not a reason"}: ${name}`);
      paintReasons();
    }

    function toggleUnsure() {
      current().isUnsure = !current().isUnsure;
      paintReasons();
    }

    /* ---- answering ---- */
    async function give(choice, isSure) {
      const entry = current();
      const { question } = entry;
      const now = performance.now();
      if (now - lastAnswerAt < DEBOUNCE_MS) return;
      const reasons = [...entry.reasons, ...(choice === "flag" ? ["flagged"] : [])];
      if (question.stream === "adjudication" && !entry.reasons.size) {
        awaitsReason = true;
        paintReasons();
        announce("An adjudication needs a reason: press its letter.");
        return;
      }
      if (choice === "commit" && question.kind === "sheet" && !shown.numLeft()) {
        tell("warn", "Every crop was picked. Leave those of one person; pick the others.");
        return;
      }
      const content = contentOf(question, choice, shown);
      if (!content) return;
      lastAnswerAt = now;
      const earlier = entry.answer;
      const details = { choice, msTaken: now - shownAt, isSure: isSure && !entry.isUnsure, reasons, comment: entry.comment };
      const answer = makeAnswer(content, question, details);
      const isCorrection = content.kind === "pair" && earlier?.kind === "pair" && own.isUndoable(earlier.id);
      if (isCorrection) answer.supersedes = earlier.id;
      else if (earlier && own.isUndoable(earlier.id)) {
        own.forget(earlier.id);
        await own.give({ kind: "undo", target: earlier.id });
      }
      entry.answer = answer;
      answered.set(answer.id, { entry, answer, before: isCorrection ? earlier : null });
      supply.close(question.key);
      await own.give(answer, question);
      announceAnswer(choice);
      advance();
    }

    function announceAnswer(choice) {
      const words = { same: "Same", different: "Different", neither: "Neither", cannot_tell: "Cannot tell", commit: "Committed", flag: "Handed over" };
      announce(`${words[choice]}. ${(state?.num_today ?? 0) + 1} today.`);
    }

    async function undo() {
      const id = await own.undo();
      if (!id) return null;
      const { entry, before } = answered.get(id) ?? {};
      const at = trail.indexOf(entry);
      if (at < 0) return tell("info", "Your last answer, from before this page was loaded, was taken back.");
      entry.answer = before; // what it had corrected is in force again
      if (!before) supply.reopen(entry.question.key);
      cursor = at;
      return paint();
    }

    async function redo() {
      const id = await own.redo();
      if (!answered.has(id)) return null;
      const { entry, answer } = answered.get(id);
      entry.answer = answer;
      supply.close(entry.question.key);
      return current() === entry ? advance() : null;
    }

    async function next() {
      const entry = current();
      if (!entry) return;
      if (cursor < trail.length - 1) {
        cursor += 1;
        paint();
        return;
      }
      if (!entry.answer && !pair) {
        sendV1("review/skip", { annotator, gallery: g, key: entry.question.key });
        supply.close(entry.question.key);
        announce("Skipped.");
      }
      advance();
    }

    function previous() {
      if (cursor <= 0) return;
      cursor -= 1;
      paint();
    }

    /* ---- evidence: what moved the score; never on a question that is to be judged by the pictures alone ---- */
    let overlay = null;
    function paintEvidence(question) {
      const isOn = overlay?.isOn() ?? false;
      overlay = null;
      part("evidence").replaceChildren();
      const isOpen = question?.kind === "pair" && !question.is_blind && question.stream !== "adjudication";
      if (!isOpen) return;
      const panes = [...part("question").querySelectorAll(".rs-pane:has(img)")];
      const shownPanes = [question.left, question.right].map((face) => panes.find((pane) => pane.dataset.crop === face.crop));
      if (!shownPanes.every(Boolean)) return;
      overlay = window.reid.evidenceOverlay({ panes: shownPanes, isOn });
      part("evidence").append(overlay.controls);
      overlay.show({ gallery: g, model: m, left: question.left.crop, right: question.right.crop });
    }

    /* ---- keys and buttons ---- */
    const openKeys = () => window.reid.openKeys("review");
    keyMap.onChange(() => {
      paintKeySwitch();
      if (shown) paintReasons();
    });

    function paintKeySwitch() {
      part("keys-switch").textContent = keyMap.isOn() ? "Keys on" : "Keys off";
      part("keys-switch").setAttribute("aria-pressed", String(keyMap.isOn()));
    }

    function act(action, { isSure = true, isShift = false } = {}) {
      const entry = current();
      if (action === "undo") return isShift ? redo() : undo();
      if (action === "help") return openKeys();
      if (action === "previous") return previous();
      if (!entry || !shown) return null;
      if (action === "next") return next();
      if (action === "comment") return openComment();
      if (action === "evidence") return overlay ? overlay.toggle() : announce("No evidence maps here.");
      if (action.startsWith("stream_")) return overlay?.keys[`@${action}`]() || (action === "stream_0" && shown.zoom?.reset());
      if (action === "reason") {
        awaitsReason = !awaitsReason;
        announce(awaitsReason ? `Reason: ${keyMap.REASONS.map(({ action: reason, word }) => `${keyMap.nameFor(reason)} ${word}`).join(", ")}.` : "");
        return paintReasons();
      }
      if (action === "zoom_in") return shown.zoom?.zoomAt(1.5);
      if (action === "zoom_out") return shown.zoom?.zoomAt(1 / 1.5);
      if (action === "zoom_reset") return shown.zoom?.reset();
      if (action === "cannot_tell" && entry.question.kind === "sheet") return shown.pick();
      return give(action, isSure);
    }

    window.reid.reviewKeyboard({
      state: () => ({ shown, kind: current()?.question.kind, overlay, awaitsReason }),
      onActive: () => (lastActive = performance.now()),
      deliver: openReceipt,
      stopReason: () => {
        awaitsReason = false;
        paintReasons();
      },
      toggleReason,
      act,
    });

    element.addEventListener("pointerdown", () => (lastActive = performance.now()));
    element.addEventListener("click", (event) => {
      // After a mouse click the keys go on working; event.detail is 0 for a click made by the keyboard.
      if (event.detail && event.target.closest("button") && !event.target.closest("dialog, .rv-card, .rv-persons")) {
        panel.focus({ preventScroll: true });
      }
    });

    part("help").append(icon("help"));
    part("help").addEventListener("click", openKeys);
    part("keys-switch").addEventListener("click", () => keyMap.setOn(!keyMap.isOn()));
    part("saved").addEventListener("click", openReceipt);

    /* ---- dialogs ---- */
    const backToKeys = () => panel.focus({ preventScroll: true });

    async function changeName() {
      const given = await window.reid.askName(annotator);
      if (given && given !== annotator) location.reload();
      backToKeys();
    }

    async function openComment() {
      const entry = current();
      entry.comment = await dialogs.askComment(entry.comment);
      paintTools();
      backToKeys();
    }

    async function openReceipt() {
      await own.outbox.sync();
      await dialogs.showReceipt(outboxState, state, `${V1}/decisions?${new URLSearchParams({ gallery: g })}`);
      backToKeys();
    }

    /* ---- progress and leases ---- */
    let stateTimer = 0;
    function scheduleState() {
      clearTimeout(stateTimer);
      stateTimer = setTimeout(refreshState, 400);
    }

    async function refreshState() {
      const found = await readV1("review/state", { annotator, gallery: g });
      if (found.error) return; // shown again with the next answer
      state = found;
      if (!own.hasGiven()) own.start(found);
      const link = adjudicate ? "" : `./review?${new URLSearchParams({ ...scope, adjudicate: "1" })}`;
      showProgress(part("progress"), state, { adjudicateLink: link });
    }

    window.reid.reviewLease({
      idleMs: () => performance.now() - lastActive,
      leaseMs: () => (!current() || current().answer || pair ? 0 : 1000 * current().question.lease_s),
      renew: supply.fetchMore,
      warn: (text, action) => tell("warn", text, action),
      onActive: () => (lastActive = performance.now()),
    });

    paintKeySwitch();
    say("Choosing what to ask", "The first questions come in a moment.", true);
    if (!annotator) annotator = await window.reid.askName("", { isRequired: true });
    part("name").textContent = annotator;
    part("name").addEventListener("click", changeName);
    await Promise.all([supply.fetchMore(), refreshState()]);
    return { isReady: true };
  });
})();
