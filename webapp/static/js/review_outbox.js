/* Answers on their way to the server: kept in the browser until the server has them on its disk, in order. */
(() => {
  "use strict";
  const { icon } = window.reid;
  const DB = "reid-review";
  const STORE = "answers";
  const BATCH = 20;
  const FIRST_WAIT_MS = 1000;
  const LONGEST_WAIT_MS = 20000;

  /** A new id for an answer. */
  window.reid.newId = () => {
    if (crypto.randomUUID) return crypto.randomUUID();
    const bytes = crypto.getRandomValues(new Uint8Array(16)); // no secure context: plain http in a lab
    return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  };

  /** Say on a button how far the answers are: the outbox's state, see `reviewOutbox`. */
  window.reid.showSaved = (button, { waiting, isOnline, refused }) => {
    const text = waiting ? (isOnline ? `Saving ${waiting}` : `Unsynced ${waiting}`) : isOnline ? "Saved" : "No connection";
    const isBehind = waiting > 0 || !isOnline;
    button.replaceChildren(icon(isBehind ? "reset" : "check", 14), text, refused.length ? ` · ${refused.length} refused` : "");
    button.dataset.state = isBehind ? "unsynced" : "saved";
    button.dataset.waiting = String(waiting);
  };

  const asPromise = (request) =>
    new Promise((done, failed) => {
      request.onsuccess = () => done(request.result);
      request.onerror = () => failed(request.error);
    });

  function openDatabase() {
    const request = indexedDB.open(DB, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE, { keyPath: "place", autoIncrement: true });
    return asPromise(request);
  }

  /** Storage that lasts; where the browser forbids it (private mode), memory, and `isLasting` is false. */
  async function openStore() {
    try {
      const database = await openDatabase();
      const run = (mode, act) => asPromise(act(database.transaction(STORE, mode).objectStore(STORE)));
      return {
        isLasting: true,
        add: (entry) => run("readwrite", (store) => store.add(entry)),
        all: () => run("readonly", (store) => store.getAll()),
        put: (entry) => run("readwrite", (store) => store.put(entry)),
        remove: (place) => run("readwrite", (store) => store.delete(place)),
      };
    } catch {
      const kept = new Map();
      let next = 1;
      return {
        isLasting: false,
        add: async (entry) => kept.set(next, { ...entry, place: next }) && next++,
        all: async () => [...kept.values()],
        put: async (entry) => kept.set(entry.place, entry),
        remove: async (place) => kept.delete(place),
      };
    }
  }

  /**
   * Make an outbox.
   * onState({ waiting, isOnline, isLasting, refused }): whenever that changed.
   * onResult(entry, result): the server's word on one answer.
   * An entry is { annotator, gallery, answer, question, known }; `known` are the ids of what was sent before from
   * the same page: what they changed was no surprise to whoever gave this answer.
   */
  window.reid.reviewOutbox = async ({ onState, onResult }) => {
    const store = await openStore();
    let isOnline = true;
    let sending = null;
    let timer = 0;
    let wait = FIRST_WAIT_MS;

    async function report() {
      const all = await store.all();
      const refused = all.filter((entry) => entry.refusal);
      onState({ waiting: all.length - refused.length, isOnline, isLasting: store.isLasting, refused });
    }

    /** Deliver a batch; true if the server answered. */
    async function deliver(entries) {
      const { annotator, gallery } = entries[0];
      const response = await fetch("gradio_api/reid/v1/decisions", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({
          annotator,
          gallery,
          events: entries.map((entry) => entry.answer),
          known_answers: [...new Set(entries.flatMap((entry) => entry.known))],
        }),
      });
      if (response.status >= 500 || response.status === 404) throw new Error(`status ${response.status}`);
      const body = await response.json();
      if (!body.results) {
        // The request as a whole was refused: nothing is thrown away, each answer is put aside with the reason.
        body.results = entries.map((entry) => ({ id: entry.answer.id, status: "refused", message: body.error ?? "" }));
      }
      for (const [number, entry] of entries.entries()) {
        const result = body.results[number];
        if (result.status === "refused") await store.put({ ...entry, refusal: result.message });
        else await store.remove(entry.place);
        onResult(entry, result);
      }
    }

    async function sendAll() {
      for (;;) {
        const waiting = (await store.all()).filter((entry) => !entry.refusal);
        if (!waiting.length) break;
        const [first] = waiting;
        const isAlike = (entry) => entry.annotator === first.annotator && entry.gallery === first.gallery;
        const end = waiting.findIndex((entry) => !isAlike(entry));
        try {
          await deliver(waiting.slice(0, Math.min(BATCH, end < 0 ? waiting.length : end)));
          isOnline = true;
          wait = FIRST_WAIT_MS;
        } catch {
          isOnline = false;
          clearTimeout(timer);
          timer = setTimeout(sync, wait);
          wait = Math.min(2 * wait, LONGEST_WAIT_MS);
          break;
        }
      }
      await report();
    }

    /** Deliver what waits; calls during a delivery wait for it and go on. */
    async function sync() {
      clearTimeout(timer);
      while (sending) await sending;
      sending = sendAll();
      try {
        await sending;
      } finally {
        sending = null;
      }
    }

    window.addEventListener("online", sync);
    await report();
    sync();

    return {
      /** Keep an answer; resolved once the browser has it and says so, long before the server does. */
      async add(entry) {
        await store.add(entry);
        await report();
        sync();
      },
      sync,
      /** Keys of the questions whose answers still wait here. */
      async waitingKeys() {
        return (await store.all()).filter((entry) => !entry.refusal).map((entry) => entry.answer.key);
      },
      /** Throw away an answer that the server refused. */
      async discard(place) {
        await store.remove(place);
        await report();
      },
    };
  };
})();
