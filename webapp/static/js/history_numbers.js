/* Statistics of the log: per annotator and per reason for asking, as tables with bars. */
(() => {
  "use strict";
  const { el, pageLink } = window.reid;

  const percent = (share) => (share === null ? "–" : `${Math.round(share * 100)}%`);
  const rate = (found) => (found ? `${percent(found.rate)} (${Math.round(found.low * 100)}–${Math.round(found.high * 100)}%, n ${found.num_judged})` : "–");
  const seconds = (value) => (value === null ? "–" : `${value.toFixed(1)} s`);

  function table(caption, heads, rows) {
    return el(
      "div",
      { class: "rh-table", tabindex: "0", role: "region", "aria-label": caption },
      el(
        "table",
        {},
        el("caption", {}, caption),
        el("thead", {}, el("tr", {}, ...heads.map((head) => el("th", { scope: "col" }, head)))),
        el("tbody", {}, ...rows.map(([head, ...cells]) => el("tr", {}, el("th", { scope: "row" }, head), ...cells.map((cell) => el("td", { class: "rs-num" }, cell))))),
      ),
    );
  }

  /** A bar of same, different and cannot tell; the numbers stand beside it. */
  function shares(stream) {
    const all = stream.num_answers || 1;
    const piece = (number, label) => (number ? el("i", { "data-label": label, style: `width:${(100 * number) / all}%` }) : null);
    return el(
      "span",
      { class: "rh-shares" },
      el("span", { class: "rh-bar", "aria-hidden": "true" }, piece(stream.num_same, "same"), piece(stream.num_different, "different"), piece(stream.num_cannot_tell, "cannot_tell")),
      `${stream.num_same} / ${stream.num_different} / ${stream.num_cannot_tell}`,
    );
  }

  window.reid.historyNumbers = (host, numbers, { streamName }) => {
    if (!numbers.num_answers) {
      host.replaceChildren(el("p", { class: "rs-hint" }, "Nobody has judged anything yet. Numbers come with the first answers."), el("a", { class: "rs-button", href: pageLink("review") }, "Open the review"));
      return;
    }
    const fact = (value, what) => el("div", { class: "rh-fact" }, el("b", { class: "rs-num" }, value), el("span", {}, what));
    host.replaceChildren(
      el(
        "div",
        { class: "rh-facts" },
        fact(numbers.num_answers.toLocaleString(), "answers"),
        fact(numbers.alpha === null ? "–" : numbers.alpha.toFixed(2), `agreement (Krippendorff's alpha over ${numbers.num_doubly_judged} blind second opinions)`),
        fact(String(numbers.num_conflicts), "open contradictions"),
        fact(String(numbers.num_to_adjudicate), "pairs to adjudicate"),
      ),
      table(
        "Annotators",
        ["Annotator", "Answers", "Today", "Per hour", "Median time", "Not sure", "Cannot tell", "Taken back", "Others agree", "Gold right"],
        numbers.annotators.map((own) => [
          own.annotator,
          own.num_answers.toLocaleString(),
          String(own.num_today),
          own.per_hour === null ? "–" : Math.round(own.per_hour).toLocaleString(),
          seconds(own.median_s),
          String(own.num_unsure),
          String(own.num_cannot_tell),
          String(own.num_taken_back),
          own.agreement === null ? "–" : `${percent(own.agreement)} of ${own.num_doubly_judged}`,
          rate(own.gold),
        ]),
      ),
      table(
        "Reasons for asking",
        ["Asked because", "Answers", "Same / different / cannot tell", "Median time", "Label changes per minute"],
        numbers.streams.map((own) => [
          streamName(own.stream),
          own.num_answers.toLocaleString(),
          shares(own),
          seconds(own.median_s),
          own.yield_per_minute === null ? "–" : own.yield_per_minute.toFixed(2),
        ]),
      ),
      el("p", { class: "rs-hint" }, "Rates are medians of the last 30 answers, pauses of more than two minutes left out. Label changes are measured since the app started."),
    );
  };
})();
