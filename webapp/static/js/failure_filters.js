/* The filters above the failures. Every change reports all of them as address parameters. */
(() => {
  "use strict";
  const { el } = window.reid;
  const GAPS = [["60", "1 min"], ["300", "5 min"], ["900", "15 min"], ["3600", "1 h"], ["86400", "1 day"]];

  /** Fill `form`; returns { show(list, kinds) }. `onChange(params)` gets every filter, empty ones as "". */
  window.reid.failureFilters = (form, onChange) => {
    const controls = {};
    const field = (label, ...nodes) => el("label", { class: "rs-filter" }, el("span", {}, label), ...nodes);
    const select = (name, options) => (controls[name] = el("select", { name }, ...options.map(([value, text]) => el("option", { value }, text))));
    const number = (name, label, step, max) =>
      (controls[name] = el("input", { type: "number", name, min: "0", step, max, "aria-label": label, inputmode: "decimal" }));
    const range = (label, low, high) => el("div", { class: "rs-filter", role: "group", "aria-label": label }, el("span", {}, label), el("span", { class: "rs-filter-range" }, low, "–", high));

    const cameras = range("Camera pair", select("query", [["", "any"]]), select("match", [["", "any"]]));
    controls.query.setAttribute("aria-label", "Query camera");
    controls.match.setAttribute("aria-label", "Camera of a true match");
    const gap = range("Time gap", select("gmin", [["", "any"], ...GAPS]), select("gmax", [["", "any"], ...GAPS]));
    controls.gmin.setAttribute("aria-label", "Time gap at least");
    controls.gmax.setAttribute("aria-label", "Time gap below");
    form.append(
      cameras,
      range("Height (px)", number("hmin", "Height at least, pixels", "1"), number("hmax", "Height below, pixels", "1")),
      gap,
      range("AP", number("apmin", "AP at least", "0.05", "1"), number("apmax", "AP at most", "0.05", "1")),
      field("Tagged", select("kind", [["", "any"]])),
      field("Suggested", select("guess", [["", "any"]])),
      el("label", { class: "rs-filter-check" }, (controls.missed = el("input", { type: "checkbox", name: "missed" })), el("span", {}, "Missed at rank 1")),
      el("button", { type: "button", class: "rs-button", onclick: () => onChange(Object.fromEntries(NAMES.map((name) => [name, ""]))) }, "Clear"),
    );

    const NAMES = ["cams", "hmin", "hmax", "gmin", "gmax", "apmin", "apmax", "kind", "guess", "missed"];
    function read() {
      const { query, match, missed } = controls;
      const plain = Object.fromEntries(["hmin", "hmax", "gmin", "gmax", "apmin", "apmax", "kind", "guess"].map((name) => [name, controls[name].value]));
      return { ...plain, cams: query.value || match.value ? `${query.value}-${match.value}` : "", missed: missed.checked ? "1" : "" };
    }
    form.addEventListener("change", () => onChange(read()));
    form.addEventListener("submit", (event) => event.preventDefault());

    function options(node, entries, value) {
      node.replaceChildren(...entries.map(([name, text]) => el("option", { value: name }, text)));
      if (value && !entries.some(([name]) => name === value)) node.append(el("option", { value }, value));
      node.value = value;
    }

    return {
      /** A FailureList of views/failures.py. */
      show(list) {
        const { params } = list;
        const [query = "", match = ""] = (params.cams ?? "").split("-");
        const camera = (number) => [String(number), `cam ${number}`];
        options(controls.query, [["", "any"], ...list.query_cameras.map(camera)], query);
        options(controls.match, [["", "any"], ...list.match_cameras.map(camera)], match);
        cameras.hidden = list.query_cameras.length + list.match_cameras.length === 0;
        gap.hidden = !list.has_times;
        const counts = list.counts.map(({ kind, count }) => [kind, `${kind} (${count})`]);
        options(controls.kind, [["", "any"], ["untagged", "not tagged"], ...counts], params.kind ?? "");
        options(controls.guess, [["", "any"], ...list.counts.map(({ kind }) => [kind, kind])], params.guess ?? "");
        for (const name of ["gmin", "gmax"]) options(controls[name], [["", "any"], ...GAPS], params[name] ?? "");
        for (const name of ["hmin", "hmax", "apmin", "apmax"]) controls[name].value = params[name] ?? "";
        controls.missed.checked = params.missed === "1";
      },
    };
  };
})();
