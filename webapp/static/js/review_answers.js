/* What an answer sends: the form that the address `decisions` expects. No page, no state. */
(() => {
  "use strict";
  const LONGEST_MS = 86_400_000;

  /** What a choice says about a question; null if it says nothing. shown: of the stage, for a contact sheet. */
  function contentOf(question, choice, shown) {
    const ends = { left: question.left.node, right: question.right.node };
    if (question.kind === "sheet") {
      if (choice !== "commit") return null;
      if (!shown.numLeft()) return null;
      return { kind: "sheet", ...ends, identity: question.identity, crops: question.crops.map((f) => f.node), others: shown.groups() };
    }
    if (choice === "cannot_tell" || choice === "flag") return { kind: "pair", ...ends, answer: "cannot_tell" };
    if (question.rival && (choice === "different" || choice === "neither")) {
      return { kind: "vote", ...ends, rival: question.rival.node, identity: question.identity, is_rival: choice === "different" };
    }
    return choice === "same" || choice === "different" ? { kind: "pair", ...ends, answer: choice } : null;
  }

  /** A complete answer, with an id of its own. */
  function makeAnswer(content, question, { choice, msTaken, isSure, reasons, comment }) {
    const answer = {
      ...content,
      id: window.reid.newId(),
      choice,
      key: question.key,
      stream: question.stream,
      seen: question.seen,
      fingerprint: question.fingerprint,
      ms_taken: Math.round(Math.min(msTaken, LONGEST_MS)),
      decided_at: new Date().toISOString(),
      is_sure: isSure,
      reasons,
      comment,
    };
    if (content.kind === "pair" && question.similarity !== null) answer.similarity = question.similarity;
    if (content.kind === "pair" && question.supersedes) answer.supersedes = question.supersedes;
    return answer;
  }

  window.reid.reviewAnswers = { contentOf, makeAnswer };
})();
