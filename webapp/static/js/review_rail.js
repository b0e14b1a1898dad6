/* The right side of the review: what is known about the pair, and how far the work is. */
(() => {
  "use strict";
  const { el } = window.reid;
  const { identityCard } = window.reid.reviewQuestion;

  const STREAMS = {
    conflict: "Contradiction",
    bridge: "Hangs on one judgement",
    false_match_first: "Likely one person",
    neighbour_vote: "Label in doubt",
    purity: "Contact sheet",
    rank_violation: "Ranks too high",
    margin: "Hard to tell",
    audit: "Random check",
    adjudication: "Adjudication",
    free: "Your pair",
  };
  const percent = (share) => `${(100 * share).toFixed(share < 0.1 ? 1 : 0)}%`;

  /** What the model and earlier judgements say; nothing for a blind question. */
  function showKnown(host, question, scope) {
    if (!question) return host.replaceChildren();
    const rows = [];
    if (question.is_blind) {
      rows.push(el("p", { class: "rs-hint" }, "This is a random check: what is known stays hidden."));
    }
    if (question.probability !== null && question.kind === "pair") {
      rows.push(
        el(
          "p",
          { class: "rs-similarity" },
          el("span", {}, question.rival ? "P(is its own identity)" : "P(same) of these two crops"),
          el("b", { class: "rs-num" }, percent(question.probability)),
        ),
        el("div", { class: "rs-meter", "aria-hidden": "true" }, meter(question.probability)),
      );
    }
    if (question.earlier_answers.length) {
      rows.push(
        el("h3", { class: "rs-title" }, "What others said"),
        el("ul", { class: "rv-list" }, ...question.earlier_answers.map((text) => el("li", {}, text))),
      );
    }
    if (question.identities.length) {
      rows.push(el("h3", { class: "rs-title" }, question.kind === "sheet" ? "This identity" : "Who they are now"));
      const seen = new Set();
      for (const identity of question.identities) {
        if (!seen.has(identity.node)) rows.push(identityCard(identity, scope));
        seen.add(identity.node);
      }
      if (seen.size === 1 && question.kind === "pair") {
        rows.push(el("p", { class: "rs-hint" }, "Both crops are one identity now."));
      }
    }
    return host.replaceChildren(...rows);
  }

  function meter(share) {
    const bar = el("i", {});
    bar.style.width = `${100 * share}%`;
    return bar;
  }

  /** Done today, own rate, yields, when to stop, the error rate of the labels. */
  function showProgress(host, state, { adjudicateLink }) {
    if (!state) return;
    const row = (name, text) => [el("dt", {}, name), el("dd", { class: "rs-num" }, text)];
    const facts = [
      ...row("Done today", String(state.num_today)),
      ...row("Your rate", state.per_hour ? `${Math.round(state.per_hour)} per hour` : "after 5 answers"),
    ];
    if (state.own_accuracy) facts.push(...row("Right on gold pairs", rate(state.own_accuracy)));
    if (state.error_rate) facts.push(...row("Wrong labels, audit", rate(state.error_rate)));
    if (state.agreement !== null) {
      facts.push(...row("Agreement (alpha)", `${state.agreement.toFixed(2)} on ${state.num_doubly_judged}`));
    }
    const rows = [el("h3", { class: "rs-title" }, "Progress"), el("dl", { class: "rv-facts" }, facts)];
    if (state.stopping && state.num_all >= 20) rows.push(el("p", { class: state.is_done ? "rv-done" : "" }, state.stopping));
    if (state.is_done) rows.push(el("p", { class: "rs-hint" }, "Stopping is reasonable now."));
    if (state.needs_break) {
      rows.push(el("p", { class: "rv-break" }, "You have become slower over the last answers. A short break helps."));
    }
    const yields = Object.entries(state.yields).sort((a, b) => b[1] - a[1]);
    if (yields.length) {
      rows.push(
        el(
          "details",
          {},
          el("summary", {}, "Label changes per minute, by kind"),
          el("dl", { class: "rv-facts" }, yields.flatMap(([name, value]) => row(STREAMS[name] ?? name, value.toFixed(1)))),
        ),
      );
    }
    if (state.num_conflicts) {
      const word = state.num_conflicts === 1 ? "contradiction is" : "contradictions are";
      rows.push(el("p", {}, `${state.num_conflicts} ${word} open: asked first, then left to the adjudicator.`));
    }
    if (adjudicateLink && state.num_to_adjudicate) {
      rows.push(el("p", {}, el("a", { href: adjudicateLink }, `Adjudicate ${state.num_to_adjudicate}`)));
    }
    if (state.num_missing) {
      rows.push(
        el("p", { class: "rs-hint" }, `Judgements name ${state.num_missing} images that this gallery lacks; they are kept.`),
      );
    }
    host.replaceChildren(...rows);
  }

  const rate = ({ rate: share, low, high, num_judged: number }) =>
    `${percent(share)} (${percent(low)} to ${percent(high)}, ${number} judged)`;

  window.reid.reviewRail = { STREAMS, showKnown, showProgress };
})();
