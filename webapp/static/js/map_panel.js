/* Beside the map: layout, parameters, comparison, colour, legend, finding, and selecting without a drag. */
(() => {
  "use strict";
  const { el, find, notice } = window.reid;

  window.reid.define("map_panel", (element) => {
    const part = (name) => find(element, name);
    const PARAMETERS = ["n", "d", "metric", "seed"];
    let handlers = {};
    let page = null;
    let highlighted = null; // code of the legend entry that stands out
    let combine = "replace";

    /* ---- layout ---- */
    for (const name of ["umap", "pca"]) {
      part(name).addEventListener("click", () => handlers.onChange({ layout: name === "pca" ? "pca" : "" }));
    }
    const isValid = () => PARAMETERS.every((name) => part(name).reportValidity());
    part("apply").addEventListener("click", () => {
      if (isValid()) handlers.onFit(Object.fromEntries(PARAMETERS.map((name) => [name, part(name).value])));
    });
    part("defaults").addEventListener("click", () => handlers.onFit({ n: "", d: "", metric: "", seed: "" }));
    part("compare").addEventListener("change", () => handlers.onChange({ with: part("compare").value, layout: "" }));

    function fitNodes(fit, { compared }) {
      const again = el("button", { type: "button", class: "rs-button", onclick: () => handlers.onStart(compared) }, "Fit");
      if (!fit || fit.state === "ready") return [];
      if (fit.state === "working") {
        const job = window.reid.jobProgress(fit.job, { onCancel: handlers.onCancel });
        const meanwhile = !compared && page?.shown === "pca" ? el("p", { class: "rs-hint" }, "PCA is shown meanwhile.") : null;
        return [job, ...(meanwhile ? [meanwhile] : [])];
      }
      if (fit.state === "preparing") return [notice("info", fit.message)];
      return [notice("warn", fit.message || "This map was not fitted yet.", again)];
    }

    /* ---- colour and legend ---- */
    part("colour").addEventListener("change", () => handlers.onChange({ color: part("colour").value }));

    function highlight(code) {
      highlighted = highlighted === code ? null : code;
      for (const button of part("legend").querySelectorAll("button")) {
        button.setAttribute("aria-pressed", String(Number(button.dataset.code) === highlighted));
      }
      part("highlighted").disabled = highlighted === null;
      handlers.onHighlight(highlighted);
    }

    function entry({ code, label, count, shape, ...colours }, theme) {
      return el(
        "li",
        {},
        el(
          "button",
          { type: "button", "aria-pressed": String(code === highlighted), "data-code": code, onclick: () => highlight(code) },
          window.reid.legendMark({ shape, colour: colours[theme] }),
          el("span", { class: "rs-legend-label" }, label),
          el("span", { class: "rs-num" }, count.toLocaleString("en")),
        ),
      );
    }

    function note(legend) {
      const parts = [];
      if (legend.kind === "scale" && legend.unit) parts.push(`Unit: ${legend.unit}.`);
      const looks = legend.kind === "groups" ? legend.cycle.light.length * legend.shapes.length : 0;
      if (legend.num_groups > looks && looks) parts.push(`${legend.num_groups} groups share ${looks} looks: press one to see it alone.`);
      const hidden = legend.num_groups - legend.entries.length;
      if (legend.kind === "groups" && hidden > 0) parts.push(`The ${legend.entries.length} largest are listed.`);
      if (legend.num_unknown) parts.push(`${legend.num_unknown.toLocaleString("en")} not known, grey.`);
      return parts.join(" ");
    }

    function showLegend(theme) {
      const legend = page?.legend;
      part("legend-problem").replaceChildren(...(page?.legend_problem ? [notice("warn", page.legend_problem)] : []));
      part("legend-note").textContent = legend ? note(legend) : "";
      part("scale").hidden = legend?.kind !== "scale";
      if (legend?.kind === "scale") window.reid.showScale(part("scale-bar"), part("scale-ticks"), legend, theme);
      const entries = legend?.kind === "groups" ? legend.entries : [];
      part("legend").replaceChildren(...entries.map((item) => entry(item, theme)));
      part("legend").hidden = !entries.length;
    }

    /* ---- find and select ---- */
    part("find-form").addEventListener("submit", async (event) => {
      event.preventDefault();
      part("found").textContent = await handlers.onFind(part("find").value);
    });
    for (const button of element.querySelectorAll("[data-combine]")) {
      button.addEventListener("click", () => {
        combine = button.dataset.combine;
        for (const other of element.querySelectorAll("[data-combine]")) other.setAttribute("aria-pressed", String(other === button));
      });
    }
    part("same").addEventListener("click", () => handlers.onSame());
    part("nearest").addEventListener("click", () => handlers.onNearest());
    part("in-view").addEventListener("click", () => handlers.onInView());
    part("highlighted").addEventListener("click", () => {
      const chosen = page.legend.entries.find((item) => item.code === highlighted);
      handlers.onCategory(page.colour, chosen.label);
    });
    part("rectangle").addEventListener("click", () => {
      const inputs = ["x0", "x1", "y0", "y1"].map(part);
      for (const input of inputs) input.setCustomValidity(input.value === "" ? "Write a number." : "");
      if (!inputs.every((input) => input.reportValidity())) return;
      const [x0, x1, y0, y1] = inputs.map((input) => Number(input.value));
      handlers.onRectangle([[x0, y0], [x1, y0], [x1, y1], [x0, y1]]);
    });
    for (const name of ["x0", "x1", "y0", "y1"]) part(name).addEventListener("input", () => part(name).setCustomValidity(""));

    return {
      onUse: (callbacks) => (handlers = callbacks),
      combine: () => combine,
      nearestCount: () => Math.min(2000, Math.max(1, Math.round(Number(part("nearest-count").value)) || 20)),
      highlighted: () => highlighted,
      showFit: (fit) => part("fit").replaceChildren(...fitNodes(fit, { compared: false })),
      showCompareFit: (fit) => part("compare-fit").replaceChildren(...fitNodes(fit, { compared: true })),
      showLegend,
      /** A MapPage of views/map.py. */
      show(next, theme) {
        const isOtherColour = page?.colour !== next.colour || page?.title !== next.title;
        page = next;
        if (isOtherColour) {
          highlighted = null;
          part("highlighted").disabled = true;
        }
        const isPca = next.params.layout === "pca";
        part("umap").setAttribute("aria-pressed", String(!isPca));
        part("pca").setAttribute("aria-pressed", String(isPca));
        for (const name of PARAMETERS) part(name).value = next.parameters[name];
        const chosen = next.params.with ?? "";
        part("compare").replaceChildren(
          el("option", { value: "" }, next.compare_models.length ? "no other model" : "there is only one model"),
          ...next.compare_models.map((name) => el("option", { value: name, selected: name === chosen }, name)),
        );
        part("compare").disabled = !next.compare_models.length;
        if (chosen) part("compare-fold").open = true;
        const known = next.columns.some((column) => column.name === next.colour);
        part("colour").replaceChildren(
          ...(known ? [] : [el("option", { value: next.colour, selected: true }, `${next.colour} (not found)`)]),
          ...next.columns.map(({ name, title }) => el("option", { value: name, selected: name === next.colour }, title)),
        );
        this.showFit(next.fit);
        this.showCompareFit(next.compare);
        showLegend(theme);
      },
      showFocus(card) {
        part("focus-name").textContent = card ? `In focus: ${card.title}, ${card.id}` : "No crop in focus: click one, or press an arrow key on the map.";
        part("same").disabled = part("nearest").disabled = !card;
      },
      suggestRectangle({ left, right, bottom, top }) {
        for (const [name, value] of [["x0", left], ["x1", right], ["y0", bottom], ["y1", top]]) {
          if (part(name).value === "") part(name).placeholder = value.toFixed(2);
        }
      },
    };
  });
})();
