/* Files of the History page: a log to read in, and pairs whose answer is known. */
(() => {
  "use strict";
  const V1 = "gradio_api/reid/v1";

  async function send(path, scope, file) {
    try {
      const headers = { "Content-Type": "application/x-ndjson" };
      const response = await fetch(`${V1}/${path}?${new URLSearchParams(scope)}`, { method: "POST", headers, body: file });
      return await response.json();
    } catch {
      return { error: "The server gave no answer. Nothing is known of the import; reload the page and look." };
    }
  }

  /** gallery: "" for the default one; tell(kind, text, action): shows a notice; onImported(): read the page anew. */
  window.reid.historyFiles = ({ gallery, tell, onImported }) => {
    async function importLog(file, isAdding = false) {
      const told = await send("decisions/import", { gallery, ...(isAdding ? {} : { needs_empty: "1" }) }, file);
      if (told.error) {
        const canAdd = !isAdding && /already/.test(told.error);
        tell("bad", `Not imported: ${told.error}`, canAdd ? { label: "Add to it on purpose", act: () => importLog(file, true) } : undefined);
        return;
      }
      const missing = told.missing.length ? ` ${told.missing.length} named crops are not in this gallery; what was said of them is kept.` : "";
      tell("info", `Imported ${told.num_events} events and ${told.num_names} names.${missing}`);
      await onImported();
    }

    async function importGold(file) {
      const told = await send("review/gold", { gallery }, file);
      if (told.error) {
        tell("bad", `Not imported: ${told.error}`);
        return;
      }
      const number = `${told.num_pairs} pair${told.num_pairs === 1 ? "" : "s"}`;
      tell("info", `Imported ${number} with a known answer. They come up unannounced in the review and measure how often each person is right.`);
    }

    return { importLog, importGold };
  };
})();
