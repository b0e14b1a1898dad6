/* Judging in place: any card on any page that says whose picture it is and against whom it is ranked.

   A card is an element with data-label-id (the crop) and data-label-query (the crop it is compared with), and a
   child marked data-label-slot where its badge goes. */
(() => {
  "use strict";
  const { el, labelBadge, momentText, sendV1, askPerson, announce, isTyping, keyMap } = window.reid;
  const CHOICES = { same: "same", different: "different", cannot_tell: "cannot_tell" };
  const DEBOUNCE_MS = 150;

  /**
   * session: the annotator's; place: of the key map, search or failures; gallery(): "" for the default one; root: what holds the cards.
   * focused(): the card (element) that keys act on, or null; fingerprint: of the network whose ranking is shown.
   * onChange(): judgements on the cards on screen changed. onLabelled(): one was just given by key.
   * sweepQuery(): the query whose cards "all left: different" judges, or "". takeBack(): what the undo key does here.
   */
  window.reid.labelling = ({ session, place, gallery, root, focused, onChange = () => {}, onLabelled = () => {}, sweepQuery, takeBack = () => session.undo() }) => {
    const states = new Map(); // "query id" -> PairState of the server
    const seen = new Map(); // node -> revision
    const waiting = new Map(); // answer id -> ["query id", ...] not confirmed by the server
    let lastAt = 0;
    let turn = 0;
    let asked = Promise.resolve(); // over when what is known of the cards on screen has come

    const cards = () => [...root.querySelectorAll("[data-label-id][data-label-query]")];
    const keyOf = (card) => `${card.dataset.labelQuery} ${card.dataset.labelId}`;
    const why = (state) =>
      state.is_inferred ? "Follows from other judgements" : state.annotator ? `${state.annotator}, ${momentText(state.decided_at)}` : "";

    function paint() {
      const unsaved = new Set([...waiting.values()].flat());
      for (const card of cards()) {
        const state = states.get(keyOf(card));
        const slot = card.querySelector("[data-label-slot]");
        const answer = state?.answer ?? "";
        card.dataset.label = answer;
        card.toggleAttribute("data-inferred", Boolean(state?.is_inferred));
        if (card.matches("button")) card.setAttribute("aria-description", answer ? `judged: ${answer.replace("_", " ")}` : "");
        if (!slot) continue;
        const mark = unsaved.has(keyOf(card)) ? el("span", { class: "rs-unsaved", title: "Not saved yet" }, "⟳", el("span", { class: "rs-sr" }, " unsaved")) : null;
        slot.replaceChildren(
          ...(answer ? [labelBadge(answer, { isInferred: state.is_inferred, isSure: state.is_sure, why: why(state) })] : []),
          ...(mark ? [mark] : []),
        );
      }
    }

    /** Ask the server what is known of the cards on screen. */
    function refresh() {
      asked = readStates();
      return asked;
    }

    async function readStates() {
      turn += 1;
      const mine = turn;
      const byQuery = new Map();
      for (const card of cards()) {
        const { labelQuery, labelId } = card.dataset;
        if (labelQuery.startsWith("upload:")) continue; // no crop of the gallery: nothing can be said of it
        if (!byQuery.has(labelQuery)) byQuery.set(labelQuery, new Set());
        byQuery.get(labelQuery).add(labelId);
      }
      if (byQuery.size) {
        const rankings = Object.fromEntries([...byQuery].map(([query, ids]) => [query, [...ids]]));
        const found = await sendV1("review/pairs", { rankings, gallery: gallery() });
        if (mine !== turn) return;
        if (!found.states) {
          session.tell("bad", `What was judged is not shown: ${found.error}`);
          return;
        }
        const onTheirWay = new Set([...waiting.values()].flat()); // the server may not know of these yet
        for (const [query, ids] of byQuery) {
          for (const id of ids) {
            if (onTheirWay.has(`${query} ${id}`)) continue;
            if (found.states[query]?.[id]) states.set(`${query} ${id}`, found.states[query][id]);
            else states.delete(`${query} ${id}`);
          }
        }
        for (const [node, revision] of Object.entries(found.seen)) seen.set(node, revision);
      }
      paint();
    }

    const seenOf = (...nodes) => Object.fromEntries(nodes.filter((node) => seen.has(node)).map((node) => [node, seen.get(node)]));

    /** Judge one card: same, different or cannot_tell. */
    async function label(card, answer, isSure = true) {
      const { labelQuery: left, labelId: right, labelSimilarity } = card.dataset;
      if (left.startsWith("upload:")) {
        session.tell("info", "An uploaded picture cannot be judged: it is no crop of this gallery. Use a crop as the query (Q).");
        return false;
      }
      const key = keyOf(card); // the card may show another crop by the time that the answer is kept
      const similarity = labelSimilarity ? Number(labelSimilarity) : null;
      const own = { answer, is_inferred: false, is_sure: isSure, annotator: session.name(), decided_at: new Date().toISOString() };
      const [id] = await session.send([{ kind: "pair", left, right, answer, is_sure: isSure, similarity, seen: seenOf(left, right) }]);
      if (!id) return false;
      waiting.set(id, [key]);
      states.set(key, { ...own, annotator: session.name(), answer_id: id });
      paint();
      announce(`${{ same: "Same", different: "Different", cannot_tell: "Cannot tell" }[answer]}${isSure ? "" : ", not sure"}.`);
      return true;
    }

    /** "All left: different": one confirmation that says how many, one answer, one undo. */
    async function sweep() {
      const query = sweepQuery();
      if (!query || query.startsWith("upload:")) return;
      await asked; // a match that is judged, or carries the query's own label, must be known as such
      const left = cards().filter((card) => card.dataset.labelQuery === query && !states.get(keyOf(card))?.answer);
      const ids = [...new Set(left.map((card) => card.dataset.labelId))];
      if (!ids.length) {
        session.tell("info", "Nothing is left here: every match that is shown is judged or known already.");
        return;
      }
      const alike = ids.filter((id) => states.get(`${query} ${id}`)?.is_by_label);
      const rest = ids.filter((id) => !alike.includes(id));
      const images = (number) => `${number} match${number === 1 ? "" : "es"}`;
      const text = alike.length
        ? `${images(ids.length)} shown here are not judged. ${alike.length} of them carry the query's own label: calling them different takes them out of that identity.`
        : `${images(ids.length)} shown here are not judged yet. All of them become “different” from the query.`;
      const buttons = [["", "Cancel"]];
      if (alike.length) buttons.push(["all", `All ${ids.length} are different`]);
      if (rest.length) buttons.push(["rest", alike.length ? `Only the ${rest.length} without that label` : `${images(rest.length)}: different`, true]);
      const answer = await askPerson("All matches left: different", [el("p", {}, text), el("p", { class: "rs-hint" }, `One undo (${keyMap.nameFor("undo")}) takes all of it back.`)], buttons);
      const others = answer === "all" ? ids : answer === "rest" ? rest : [];
      if (!others.length) return;
      const [id] = await session.send([{ kind: "sweep", left: query, others, seen: seenOf(query, ...others) }]);
      if (!id) return;
      const marked = others.map((other) => `${query} ${other}`);
      waiting.set(id, marked);
      for (const key of marked) states.set(key, { answer: "different", is_inferred: false, is_sure: true, annotator: session.name(), decided_at: new Date().toISOString() });
      paint();
      announce(`${images(others.length)} marked different.`);
    }

    /** The server's word on an answer of this page. */
    async function settled(answer) {
      waiting.delete(answer.id);
      await refresh();
      onChange();
    }

    function act(event) {
      if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
      if (!keyMap.isOn() || isTyping(event.composedPath()[0])) return;
      const card = focused();
      const action = keyMap.actionOf(event, place);
      const element = document.activeElement;
      const isControl = element?.closest("button,a,input,select,summary") && !element.closest("[data-label-id]");
      if (event.code === "Space" && isControl) return; // Space still presses buttons
      if (document.querySelector("dialog[open]") && !card) return;
      if (CHOICES[action] && card) {
        event.preventDefault();
        if (event.repeat || event.timeStamp - lastAt < DEBOUNCE_MS) return;
        lastAt = event.timeStamp;
        label(card, CHOICES[action], !event.shiftKey).then((isGiven) => isGiven && onLabelled());
      } else if (action === "undo" && (card || !isControl)) {
        event.preventDefault();
        if (!event.repeat) event.shiftKey ? session.redo() : takeBack();
      } else if (action === "sweep" && !event.shiftKey && sweepQuery() && !document.querySelector("dialog[open]")) {
        event.preventDefault();
        if (!event.repeat) sweep();
      }
    }
    document.addEventListener("keydown", act, true);
    document.addEventListener("keyup", (event) => {
      // Firefox presses a focused button when Space goes up.
      if (event.code === "Space" && keyMap.isOn() && document.activeElement?.matches("[data-label-id] button, button[data-label-id]")) event.preventDefault();
    });

    return {
      refresh,
      repaint: paint,
      settled,
      label,
      sweep,
      stateOf: (query, id) => states.get(`${query} ${id}`) ?? null,
      badge: (query, id) => {
        const state = states.get(`${query} ${id}`);
        return state?.answer ? labelBadge(state.answer, { isInferred: state.is_inferred, isSure: state.is_sure, why: why(state) }) : null;
      },
    };
  };
})();
