/* Step 4: the candidate beside the model that serves, every condition, and the button that only a pass opens. */
(() => {
  "use strict";
  const { el, find, icon, notice } = window.reid;

  window.reid.define("retrain_gate", (element) => {
    const part = (name) => find(element, name);
    const { crop, table, outcome } = window.reid.retrain;
    let handlers = {};
    let fields = [];
    let shown = "";

    const inputs = () => [...part("thresholds").querySelectorAll("input")];
    const tell = (problem) => part("thresholds-problem").replaceChildren(...(problem ? [notice("bad", problem)] : []));
    part("choice").addEventListener("change", () => handlers.onChoose(part("choice").value));
    part("thresholds-form").addEventListener("submit", async (event) => {
      event.preventDefault();
      const values = {};
      for (const input of inputs()) {
        const field = fields.find((each) => each.name === input.name);
        if (input.value === "" || !Number.isFinite(Number(input.value))) return tell(`${field.title}: enter a number.`);
        values[field.name] = Number(input.value) / field.factor;
      }
      values.every_camera_pair = part("camera-rule").value === "true";
      return tell(await handlers.onThresholds(values));
    });
    part("defaults").addEventListener("click", async () => tell(await handlers.onThresholds({})));

    const scoreRow = (row) =>
      el("tr", {}, el("th", { scope: "row" }, row.score), el("td", { class: "rs-num" }, row.before), el("td", { class: "rs-num" }, row.after), el("td", { class: "rs-num", "data-tone": row.tone || null }, row.delta), el("td", { class: "rs-num" }, row.interval || "–"));
    const SCORE_HEADS = ["Score", "Before %", "After %", "Change, points", "95% interval"];
    /** One table, a part for each pool with its name above. */
    function scoreTable(rows) {
      const pools = [...new Set(rows.map((row) => row.pool))];
      const found = table(SCORE_HEADS, []);
      found.querySelector("tbody").remove();
      found.append(...pools.map((pool) => el("tbody", {}, el("tr", { class: "rs-group" }, el("th", { scope: "rowgroup", colspan: SCORE_HEADS.length }, pool)), ...rows.filter((row) => row.pool === pool).map(scoreRow))));
      return found;
    }

    function queryRow(row) {
      const side = (title, item, verdict) => el("div", { class: "rs-changed-side" }, el("span", { class: "rs-hint" }, title), item ? crop(item, { verdict, caption: "" }) : el("span", {}, "none"));
      return el("li", { class: "rs-changed", "data-query": row.id }, el("div", { class: "rs-changed-crops" }, el("div", { class: "rs-changed-side" }, el("span", { class: "rs-hint" }, "Query"), crop(row.query, { caption: "" })), side("First before", row.before, row.before_verdict), side("First after", row.after, row.after_verdict)), el("p", {}, el("b", {}, row.title)), el("p", { class: "rs-hint rs-num" }, row.ranks));
    }
    const list = (name, words, rows, total) => {
      part(`${name}-title`).textContent = `${words}: ${total}${rows.length < total ? `, the ${rows.length} largest shown` : ""}`;
      part(name).replaceChildren(...rows.map(queryRow));
    };
    /** Query cameras below each other, gallery cameras beside each other. */
    function cameraMatrix(cells) {
      const numbers = (side) => [...new Set(cells.map((cell) => cell[side]))].sort((a, b) => a - b);
      const columns = numbers("gallery");
      const at = (query, gallery) => cells.find((cell) => cell.query === query && cell.gallery === gallery);
      const td = (cell) => el("td", cell ? { class: "rs-num", "data-tone": cell.tone || null, "data-beyond": cell.is_beyond || null, title: cell.words } : { class: "rs-num" }, cell ? cell.delta : "–");
      return table(["Query camera", ...columns.map((camera) => `to ${camera}`)], numbers("query").map((query) => el("tr", {}, el("th", { scope: "row" }, String(query)), ...columns.map((gallery) => td(at(query, gallery))))));
    }
    function cameraSummary(cells) {
      const [beyond, clear] = [cells.filter((cell) => cell.is_beyond).length, cells.filter((cell) => cell.tone === "bad").length];
      return `Camera pairs: ${cells.length}, of which ${beyond} lose more than the threshold${clear ? `, ${clear} clearly` : ""}`;
    }

    function showThresholds(gate) {
      fields = gate.thresholds;
      if (part("thresholds-form").contains(document.activeElement) && document.activeElement.matches("input, select")) return;
      part("camera-rule").replaceChildren(...gate.camera_rules.map((words, row) => el("option", { value: String(row === 1), selected: gate.every_camera_pair === (row === 1) }, words)));
      part("thresholds").replaceChildren(
        ...fields.map((field) =>
          el("label", { class: "rs-filter" }, el("span", {}, field.title), el("span", { class: "rs-filter-range" }, el("input", { type: "number", step: "any", name: field.name, value: field.value, "aria-label": field.title }), el("span", {}, field.unit)), el("small", { class: "rs-hint" }, `default ${field.default}`)),
        ),
      );
    }

    function showVerdict(gate) {
      const holds = gate.is_promotable;
      const served = gate.state === "serving" || gate.state === "served";
      part("verdict").dataset.holds = String(holds || served);
      part("verdict").replaceChildren(icon(holds || served ? "check" : "cross"), el("p", {}, gate.verdict));
      const why = holds ? "" : served ? gate.verdict : "Promotion is closed: see the conditions below that fail.";
      part("actions").replaceChildren(
        el("button", { type: "button", class: "rs-button rs-primary", disabled: !holds, "aria-describedby": "rs-why-not", onclick: () => handlers.onPromote(gate.model) }, `Promote ${gate.model}`),
        el("button", { type: "button", class: "rs-button", onclick: () => handlers.onCompare(gate.model) }, "Compare again"),
        el("span", { class: "rs-hint", id: "rs-why-not" }, gate.thresholds_changed ? `${why} Thresholds are not the defaults.`.trim() : why),
      );
    }

    return {
      onUse: (callbacks) => (handlers = callbacks),
      /** Candidates: [{name, run, state_word}]; a GatePanel; a RunPanel for the mixture curve. */
      show(candidates, gate, run) {
        const now = JSON.stringify([candidates, gate, run?.mixture]);
        if (now === shown) return;
        shown = now;
        part("choice-field").hidden = candidates.length < 2;
        part("choice").replaceChildren(...candidates.map((model) => el("option", { value: model.name, selected: model.name === gate.model }, `${model.name}: ${model.state_word}`)));
        showThresholds(gate);
        part("body").hidden = !gate.conditions.length;
        part("state").replaceChildren(...(gate.conditions.length ? [] : [notice("info", gate.message, gate.model ? el("button", { type: "button", class: "rs-button", onclick: () => handlers.onCompare(gate.model) }, "Compare") : "")]));
        if (!gate.conditions.length) return;
        part("title").textContent = `${gate.title}, compared ${gate.when}`;
        showVerdict(gate);
        part("conditions").replaceChildren(
          table(["Condition", "Outcome", "Value", "Threshold", "In words"], gate.conditions.map((row) => el("tr", {}, el("th", { scope: "row" }, row.title), el("td", {}, outcome(row.holds, row.word)), el("td", { class: "rs-num" }, row.value), el("td", { class: "rs-num" }, row.threshold), el("td", {}, row.sentence)))),
        );
        part("scores").replaceChildren(scoreTable(gate.scores));
        part("violations").textContent = gate.violations;
        const percent = (value) => (value * 100).toFixed(1);
        const curve = run?.mixture?.length
          ? window.reid.lineChart({ title: "Mixtures of old (0) and new (1) weights: mAP on validation (%)", lines: [{ title: "mAP", points: run.mixture }], xTitle: "share of the new weights", yFormat: percent, mark: run.chosen === null ? null : { x: run.chosen, title: `chosen: ${run.chosen}` } })
          : null;
        part("mixture").replaceChildren(...(curve ? [curve] : []));
        list("fixed", "Newly right at rank 1", gate.fixed, gate.num_fixed);
        list("broken", "Newly wrong at rank 1", gate.broken, gate.num_broken);
        part("cameras-fold").hidden = !gate.cameras.length;
        part("cameras-title").textContent = cameraSummary(gate.cameras);
        part("camera-rule-now").textContent = `Changes of mAP in points. ${gate.camera_rule}`;
        part("cameras").replaceChildren(cameraMatrix(gate.cameras));
        const beyond = gate.cameras.filter((cell) => cell.is_beyond);
        part("camera-drops").replaceChildren(...beyond.map((cell) => el("li", {}, cell.words)));
        part("corruptions-fold").hidden = !gate.corruptions.length;
        part("corruptions").replaceChildren(scoreTable(gate.corruptions));
        part("notes").replaceChildren(...gate.notes.map((note) => el("li", {}, note)));
      },
    };
  });
})();
