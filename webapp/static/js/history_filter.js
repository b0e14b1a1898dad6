/* Which part of the log is shown; export and import of the whole log. */
(() => {
  "use strict";
  const { el, find } = window.reid;
  const WAIT_MS = 300;
  const ANSWERS = { "": "any", same: "same", different: "different", cannot_tell: "cannot tell" };
  const FIELDS = ["annotator", "answer", "stream", "node", "text", "since", "until"];

  /** Local time of a form field to UTC for the address, and back. */
  const toUtc = (text) => (text ? new Date(text).toISOString() : "");
  function toLocal(iso) {
    if (!iso) return "";
    const at = new Date(iso);
    if (Number.isNaN(at.getTime())) return "";
    return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
  }

  window.reid.define("history_filter", (element) => {
    const part = (name) => find(element, name);
    let onChange = () => {};
    let timer = 0;
    part("answer").append(...Object.entries(ANSWERS).map(([value, word]) => el("option", { value }, word)));
    if (window.matchMedia("(max-width: 900px)").matches) part("fold").open = false;

    const changed = () =>
      onChange(
        Object.fromEntries(
          FIELDS.map((name) => [name, ["since", "until"].includes(name) ? toUtc(part(name).value) : part(name).value.trim()]),
        ),
      );
    for (const name of ["annotator", "answer", "stream", "since", "until"]) part(name).addEventListener("change", changed);
    for (const name of ["node", "text"]) {
      part(name).addEventListener("input", () => {
        clearTimeout(timer);
        timer = setTimeout(changed, WAIT_MS);
      });
    }
    part("clear").addEventListener("click", () => onChange(Object.fromEntries([...FIELDS, "answer_id"].map((name) => [name, ""]))));
    part("import").addEventListener("click", () => part("file").click());
    part("import-gold").addEventListener("click", () => part("gold-file").click());

    const whenChosen = (input, callback) =>
      input.addEventListener("change", () => {
        const [file] = input.files;
        input.value = "";
        if (file) callback(file);
      });
    const fill = (select, entries, chosen) => {
      const known = entries.some(([value]) => value === chosen);
      const all = [["", "any"], ...entries, ...(chosen && !known ? [[chosen, chosen]] : [])];
      select.replaceChildren(...all.map(([value, word]) => el("option", { value }, word)));
      select.value = chosen;
    };

    return {
      FIELDS,
      onChange: (callback) => (onChange = callback),
      onFile: (callback) => whenChosen(part("file"), callback),
      onGold: (callback) => whenChosen(part("gold-file"), callback),
      setExport: (href) => (part("export").href = href),
      setChoices({ annotators, streams }, params) {
        fill(part("annotator"), annotators, params.annotator ?? "");
        fill(part("stream"), streams, params.stream ?? "");
      },
      show(params) {
        part("answer").value = params.answer ?? "";
        for (const name of ["node", "text"]) if (document.activeElement !== part(name)) part(name).value = params[name] ?? "";
        for (const name of ["since", "until"]) part(name).value = toLocal(params[name]);
        for (const name of ["annotator", "stream"]) if (!params[name]) part(name).value = "";
        part("clear").hidden = ![...FIELDS, "answer_id"].some((name) => params[name]);
      },
    };
  });
})();
