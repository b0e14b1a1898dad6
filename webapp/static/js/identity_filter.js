/* What the list of identities shows: search text, camera, state, order. */
(() => {
  "use strict";
  const { el, find } = window.reid;
  const WAIT_MS = 250;

  const STATES = {
    "": "any",
    firm: "Firm: judged, no weak spot",
    bridge: "Hangs on one judgement",
    conflict: "Contested",
    unlabelled: "Unlabelled",
    thin: "Thin: few crops or one camera",
    merged: "Merged",
    split: "Split",
    changed: "Changed by judgements",
    judged: "Judged",
    untouched: "Not judged yet",
    single: "Single crop",
  };
  const ORDERS = { size: "Size", suspicion: "Suspicion", recent: "Last change", pid: "Identity" };
  /** Short words and the icon of states that a card shows. */
  window.reid.identityStates = {
    firm: ["Firm", "check"],
    bridge: ["Hangs on one", "link"],
    conflict: ["Contested", "warn"],
    unlabelled: ["Unlabelled", "unknown"],
    thin: ["Thin", "minus"],
    merged: ["Merged", "plus"],
    split: ["Split", "box"],
  };

  window.reid.define("identity_filter", (element) => {
    const part = (name) => find(element, name);
    let onChange = () => {};
    let timer = 0;

    const options = (map) => Object.entries(map).map(([value, word]) => el("option", { value }, word));
    part("state").append(...options(STATES));
    part("sort").append(...options(ORDERS));
    if (window.matchMedia("(max-width: 900px)").matches) part("fold").open = false;

    const changed = () =>
      onChange({
        text: part("text").value.trim(),
        cam: part("camera").value,
        state: part("state").value,
        sort: part("sort").value === "size" ? "" : part("sort").value,
      });
    part("text").addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(changed, WAIT_MS);
    });
    for (const name of ["camera", "state", "sort"]) part(name).addEventListener("change", changed);
    part("clear").addEventListener("click", () => onChange({ text: "", cam: "", state: "", sort: "" }));

    return {
      onChange: (callback) => (onChange = callback),
      onConflicts: (callback) => part("conflicts").addEventListener("click", callback),
      onHelp: (callback) => part("help").addEventListener("click", callback),
      showConflicts(number) {
        part("conflicts").textContent = number ? `Contradictions to settle: ${number}` : "No open contradictions";
        part("conflicts").dataset.number = number;
      },
      setCameras(cameras, chosen) {
        const known = [...new Set([...cameras.map(String), ...(chosen ? [chosen] : [])])];
        part("camera").replaceChildren(
          el("option", { value: "" }, "any"),
          ...known.map((camera) => el("option", { value: camera }, `camera ${camera}`)),
        );
        part("camera").value = chosen;
      },
      show({ text = "", cam = "", state = "", sort = "" }) {
        if (document.activeElement !== part("text")) part("text").value = text;
        part("camera").value = cam;
        part("state").value = state;
        part("sort").value = sort || "size";
        part("clear").hidden = ![text, cam, state, sort].some(Boolean);
      },
    };
  });
})();
