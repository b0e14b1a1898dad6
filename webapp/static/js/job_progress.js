/* One job: title, bar, sentence, cancel, and the list of what was refused. */
(() => {
  "use strict";
  const { el, icon } = window.reid;
  const WATCHED_MS = 5000; // an estimate after less would jump about
  const seen = new Map(); // job id -> { fraction, at } when this page first saw it run

  /** "about 4 min left", from what was done since this page first saw the job run; "" while that is too little. */
  function timeLeft(job) {
    const first = seen.get(job.id);
    if (job.state !== "running" || job.fraction === null) {
      seen.delete(job.id);
      return "";
    }
    if (!first || job.fraction < first.fraction) {
      seen.set(job.id, { fraction: job.fraction, at: performance.now() });
      return "";
    }
    const passed = performance.now() - first.at;
    const done = job.fraction - first.fraction;
    if (passed < WATCHED_MS || done <= 0) return "";
    const seconds = ((1 - job.fraction) / done) * (passed / 1000);
    if (seconds < 60) return "less than a minute left";
    return seconds < 5400 ? `about ${Math.round(seconds / 60)} min left` : `about ${Math.round(seconds / 3600)} h left`;
  }

  /** Node for a JobPanel of views/jobs.py; onCancel(id) makes a cancel button appear while it can be used. */
  window.reid.jobProgress = (job, { onCancel = null, actions = [] } = {}) => {
    const bar = el("progress", { class: "rs-progress", max: "1", "aria-label": job.title });
    if (job.fraction !== null) bar.value = job.fraction;
    const percent = job.fraction === null ? "" : `${Math.floor(job.fraction * 100)}%`;
    return el(
      "article",
      { class: "rs-job", "data-state": job.state, "data-job": job.id },
      el(
        "div",
        { class: "rs-job-line" },
        el("b", {}, job.title),
        el("span", { class: "rs-job-state" }, job.state_word),
        el("span", { class: "rs-num" }, [job.progress, percent, timeLeft(job)].filter(Boolean).join(" · ")),
        el("span", { class: "rs-spacer" }),
        ...actions,
        onCancel && job.can_cancel
          ? el("button", { type: "button", class: "rs-button", onclick: () => onCancel(job.id) }, "Cancel")
          : null,
      ),
      job.can_cancel ? bar : null,
      job.message ? el("p", { class: "rs-job-message" }, job.message) : null,
      job.num_refused ? window.reid.refusedList(job) : null,
    );
  };

  /** What was not read and why, folded; `source` is a JobPanel or a GalleryCard. */
  window.reid.refusedList = (source) => {
    const rows = source.refused.map(({ item, reason }) => el("tr", {}, el("td", {}, item), el("td", {}, reason)));
    const cut = source.num_refused > source.refused.length ? `, the first ${source.refused.length} listed` : "";
    return el(
      "details",
      { class: "rs-refused" },
      el("summary", {}, icon("warn", 14), `${source.num_refused.toLocaleString("en")} not read${cut}`),
      el(
        "div",
        { class: "rs-scroll", tabindex: "0", role: "region", "aria-label": `What was not read in ${source.title}` },
        el(
          "table",
          {},
          el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Item"), el("th", { scope: "col" }, "Why"))),
          el("tbody", {}, ...rows),
        ),
      ),
    );
  };
})();
