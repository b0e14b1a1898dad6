/* The form that starts a run, and the list of runs. Choices survive a refresh of the page's data. */
(() => {
  "use strict";
  const { el, find, notice } = window.reid;
  const FIELDS = ["protocol", "queries", "metric", "corruption"];

  window.reid.define("evaluate_setup", (element) => {
    const part = (name) => find(element, name);
    let handlers = { onStart: async () => "" };
    let setup = null;
    if (window.matchMedia("(max-width: 900px)").matches) part("fold").open = false;

    const fill = (select, choices, text) => {
      const before = select.value;
      if ([...select.options].map((option) => option.text).join() === choices.map(text).join()) return; // it may be open
      select.replaceChildren(...choices.map((choice) => el("option", { value: choice.name }, text(choice))));
      if (choices.some((choice) => choice.name === before)) select.value = before;
    };
    const checks = (box, values, text) => {
      if (box.children.length) return; // choices made stay
      box.replaceChildren(
        ...values.map((value) =>
          el("label", {}, el("input", { type: "checkbox", value: String(value), checked: true }), el("span", {}, text(value))),
        ),
      );
    };
    const checked = (name) => [...part(name).querySelectorAll("input:checked")].map((box) => box.value);

    function refresh() {
      if (!setup) return;
      const kind = part("corruption").value;
      part("repeats-field").hidden = kind !== "mixed";
      part("grid-field").hidden = kind !== "grid";
      part("seed-field").hidden = kind === "none" && part("queries").value === "split";
      part("protocol-note").textContent =
        setup.protocols.find((choice) => choice.name === part("protocol").value)?.title ?? "";
      const rounds = { none: 0, mixed: Number(part("repeats").value) || 0, grid: checked("types").length * checked("severities").length };
      const crops = rounds[kind] * setup.num_crops;
      part("cost").textContent = crops ? `Corrupts and embeds ${crops.toLocaleString("en")} crops.` : "";
    }

    for (const name of [...FIELDS, "repeats", "types", "severities"]) part(name).addEventListener("input", refresh);
    for (const [name, value] of [["all-types", true], ["no-types", false]]) {
      part(name).addEventListener("click", () => {
        for (const box of part("types").querySelectorAll("input")) box.checked = value;
        refresh();
      });
    }

    part("form").addEventListener("submit", async (event) => {
      event.preventDefault();
      part("start").disabled = true;
      const wanted = {
        ...Object.fromEntries(FIELDS.map((name) => [name, part(name).value])),
        rerank: part("rerank").checked,
        repeats: Number(part("repeats").value),
        seed: Number(part("seed").value),
        grid_types: checked("types"),
        grid_severities: checked("severities").map(Number),
        title: part("title").value,
      };
      const problem = await handlers.onStart(wanted);
      part("start").disabled = false;
      part("problem").replaceChildren(...(problem ? [notice("bad", problem)] : []));
      if (!problem) part("title").value = "";
    });

    return {
      onUse: (callbacks) => (handlers = callbacks),
      /** An EvaluatePage of views/evaluate.py; `address(id)` is where a run opens. */
      show(page, address) {
        setup = page.setup;
        part("form").hidden = !setup || Boolean(setup.problem);
        part("summary").textContent = setup?.summary ?? "";
        if (setup && !setup.problem) {
          fill(part("protocol"), setup.protocols, (choice) => choice.name);
          fill(part("queries"), setup.query_rules, (choice) => choice.title);
          checks(part("types"), setup.corruptions.map((choice) => choice.name), (name) => name.replaceAll("_", " "));
          checks(part("severities"), setup.severities, String);
          refresh();
        }
        part("runs").replaceChildren(...window.reid.runList(page.runs, page.run?.id, address));
        part("no-runs").hidden = page.runs.length > 0;
      },
    };
  });
})();
