/* The next questions: asked for ahead of time, none twice. */
(() => {
  "use strict";
  const { prepare } = window.reid.reviewQuestion;
  const AHEAD = 5;
  const POLL_MS = 1000;

  function splitPair(text) {
    const comma = text.indexOf(",");
    return comma < 0 ? [text] : [text.slice(0, comma), text.slice(comma + 1)];
  }

  /**
   * address: g, m, sel, pair and adjudicate of the page; annotator(): the code name; held(): the questions on
   * the page that are not answered; waitingKeys(): of questions whose answers are on their way.
   * onFound(found): after every word of the server; returns true while it is to be asked again soon.
   */
  window.reid.reviewSupply = ({ address, annotator, held, waitingKeys, onFound }) => {
    const { g = "", m = "", sel = "", pair = "", adjudicate = "" } = address;
    const queue = [];
    const answered = new Set(); // keys of questions that this page has answered
    let isFetching = false;
    let isOver = false; // the one pair of the address was brought
    let timer = 0;

    async function fetchMore() {
      if (isFetching || !annotator() || isOver) return;
      isFetching = true;
      clearTimeout(timer);
      const here = new Set([...queue, ...held()].map((question) => question.key));
      const number = Math.max(1, AHEAD + 1 - here.size);
      const keys = new Set([...here, ...(await waitingKeys())].filter(Boolean));
      const found = await window.reid.readV1("review/next", [
        ["annotator", annotator()],
        ["gallery", g],
        ["model", m],
        ["number", String(number)],
        ["sel", sel],
        ["adjudicate", adjudicate ? "1" : ""],
        ...[...keys].map((key) => ["have", key]),
        ...(pair ? splitPair(pair).map((id) => ["pair", id]) : []),
      ]);
      isFetching = false;
      if (found.questions) take(found.questions);
      const isAway = Boolean(found.error) && (!found.status || found.status >= 500);
      if (onFound(found) || isAway) timer = setTimeout(fetchMore, isAway ? 3 * POLL_MS : POLL_MS);
    }

    function take(questions) {
      const here = new Set([...queue, ...held()].map((question) => question.key));
      const fresh = questions.filter((q) => !here.has(q.key) && (!answered.has(q.key) || q.supersedes || pair));
      queue.push(...fresh);
      for (const question of fresh) prepare(question);
      isOver = Boolean(pair && fresh.length);
    }

    return {
      fetchMore,
      /** The next question, or undefined; more are asked for when they run low. */
      next() {
        const question = queue.shift();
        if (queue.length < AHEAD) setTimeout(fetchMore);
        return question;
      },
      hasNext: () => queue.length > 0,
      /** Ask this one next, whatever was answered before. */
      putFirst(question) {
        answered.delete(question.key);
        queue.unshift(question);
      },
      close: (key) => answered.add(key),
      reopen: (key) => answered.delete(key),
    };
  };
})();
