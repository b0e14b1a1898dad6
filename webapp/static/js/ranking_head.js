/* Above the grid: the ranking in a line, notes, the sightings chart, progress, errors, and the keyboard help. */
(() => {
  "use strict";
  const { el, find, icon, notice, announce } = window.reid;
  const TONES = { good: "check", bad: "cross" };

  window.reid.define("ranking_head", (element) => {
    const part = (name) => find(element, name);
    let drawn = null;

    part("help").append(icon("help"));
    part("help").addEventListener("click", () => window.reid.openKeys("search"));

    function redraw() {
      if (drawn && part("sightings").open) window.reid.drawSightings(part("chart"), drawn.chart, drawn);
    }
    part("sightings").addEventListener("toggle", redraw);
    let width = 0;
    new ResizeObserver(([entry]) => {
      if (Math.abs(entry.contentRect.width - width) < 1) return;
      width = entry.contentRect.width;
      redraw();
    }).observe(part("chart"));

    function summaryItem({ text, tone }) {
      return el("span", { class: "rs-summary-item", "data-tone": tone }, TONES[tone] ? icon(TONES[tone], 14) : null, text);
    }

    /** What judgements did to the order, with before and after, and the way back. */
    function showFeedback(panel, { onWithout, onUpdate }) {
      part("feedback").hidden = !panel;
      if (!panel) return part("feedback").replaceChildren();
      const button = (label, act, extra = {}) => el("button", { type: "button", class: "rs-button", onclick: act, ...extra }, label);
      return part("feedback").replaceChildren(
        icon("info", 14),
        el("span", {}, panel.text),
        ...panel.gains.map((gain) => el("b", { class: "rs-num" }, gain)),
        el("span", { class: "rs-spacer" }),
        button("Update the order", onUpdate, { "data-part": "update", hidden: true }),
        button("Without answers", onWithout),
      );
    }

    return {
      showFeedback,
      /** Where the annotator's bar goes. */
      answering: () => part("answering"),
      /** The order shown was made before the latest judgements. */
      isOutOfDate() {
        const button = part("feedback").querySelector('[data-part="update"]');
        if (button) button.hidden = false;
      },
      /** A SearchView of views/search.py; onOpen(rank), onRetry(). */
      show(view, { onOpen, onRetry }) {
        const hasHits = view.hits.length > 0;
        part("head").hidden = view.kind !== "results";
        part("summary").replaceChildren(...view.summary.map(summaryItem));
        part("count").textContent = view.count;
        part("notes").replaceChildren(...view.notes.map((text) => el("p", {}, icon("info", 14), text)));
        const chart = hasHits && view.sightings?.lanes.length ? view.sightings : null;
        part("sightings").hidden = !chart;
        drawn = chart && { chart, query: view.query, hits: view.hits, onOpen };
        part("caption").textContent = view.sightings?.caption ?? "";
        if (chart) redraw();
        part("state").replaceChildren(...this.state(view, onRetry));
        if (hasHits) announce(`${view.count}. ${view.summary.map((item) => item.text).join(". ")}`);
        else announce(view.message);
      },
      state(view, onRetry) {
        if (view.kind === "preparing") {
          return [
            notice("info", "The gallery is being read by the network. Results appear here as soon as it is ready."),
            ...(view.job ? [window.reid.jobProgress(view.job)] : []),
          ];
        }
        if (view.kind === "error") {
          const retry = el("button", { type: "button", class: "rs-button", onclick: onRetry }, "Try again");
          return [notice("bad", view.message, retry)];
        }
        return view.message ? [notice(view.kind === "empty" ? "info" : "warn", view.message)] : [];
      },
      busy: (isBusy) => part("head").toggleAttribute("data-busy", isBusy),
    };
  });
})();
