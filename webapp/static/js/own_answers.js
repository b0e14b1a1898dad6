/* What one person answers on one page: sent by way of the outbox, taken back and restored in order, and what the
   server said to it. */
(() => {
  "use strict";
  const { announce, newId } = window.reid;
  const KNOWN = 100; // answers of this page that go along with the next one

  /**
   * who(): the code name; gallery(): "" for the default one; tell: see `noticesIn`; onState(state): of the outbox.
   * onChange(): there is more or less to undo or redo. onGiven(answer): an answer, an undo or a redo left this page.
   * onStale(entry, text): it was not stored, and why. onResult(answer, result): after each word of the server that is
   * not "try again". settle: a button { label, act } beside the word of a contradiction.
   */
  window.reid.ownAnswers = async ({ who, gallery, tell, onState, onChange, onGiven = () => {}, onStale, onResult, settle }) => {
    let undoable = []; // ids of answers, the next one to take back last
    let redoable = [];
    const given = []; // ids of everything this page has sent

    const outbox = await window.reid.reviewOutbox({ onState, onResult: hear });

    function hear(entry, result) {
      if (result.status === "stale") {
        forget(entry.answer.id);
        const what = (result.changes ?? []).map((change) => `${change.annotator}: ${change.text}`).join("; ");
        onStale(entry, what ? `Not stored, because it was changed since you saw it. ${what}` : result.message);
      } else if (result.status === "refused") {
        forget(entry.answer.id);
        tell("bad", `An answer was refused: ${result.message}`, {
          label: "Throw it away",
          act: () => outbox.discard(entry.place),
        });
      } else if (result.is_contested) {
        tell("warn", `Stored. ${result.message}`, settle);
      }
      onResult(entry.answer, result);
    }

    /** An answer that was taken back otherwise or not stored is not undone. */
    function forget(id) {
      undoable = undoable.filter((own) => own !== id);
      onChange();
    }

    async function deliver(answer, question = null) {
      // What this page has sent before goes along: after a reload the next page could not say it.
      const known = given.slice(-KNOWN);
      given.push(answer.id);
      await outbox.add({ annotator: who(), gallery: gallery(), answer, question, known });
      onGiven(answer);
      onChange();
    }

    const made = (content) => ({ id: newId(), decided_at: new Date().toISOString(), ...content });

    /** The newest of one stack goes onto the other; resolves with its id, or "" if there was none. */
    async function turn(kind, from, to) {
      const target = from.pop();
      if (!target) {
        announce(`Nothing to ${kind}.`);
        return "";
      }
      to.push(target);
      await deliver(made({ kind, target }));
      announce(kind === "undo" ? "Taken back." : "Restored.");
      return target;
    }

    return {
      outbox,
      /** Give an answer; resolves with it once the browser has it. */
      async give(content, question) {
        const answer = made(content);
        if (answer.kind !== "undo" && answer.kind !== "redo") {
          undoable.push(answer.id);
          redoable = [];
        }
        await deliver(answer, question);
        return answer;
      },
      undo: () => turn("undo", undoable, redoable),
      redo: () => turn("redo", redoable, undoable),
      canUndo: () => undoable.length > 0,
      canRedo: () => redoable.length > 0,
      hasGiven: () => given.length > 0,
      forget,
      isUndoable: (id) => undoable.includes(id),
      /** Start from what the server knows of this person. */
      start({ undo, redo }) {
        undoable = [...undo];
        redoable = [...redo];
        onChange();
      },
    };
  };
})();
