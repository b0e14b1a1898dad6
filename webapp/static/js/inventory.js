/* Jobs, galleries and models as lists. */
(() => {
  "use strict";
  const { el, find, icon, notice } = window.reid;

  const badge = (text) => el("span", { class: "rs-badge" }, text);
  const address = (name, value) => `./?${new URLSearchParams({ [name]: value })}`;

  window.reid.define("inventory", (element) => {
    const part = (name) => find(element, name);
    const openLists = new Set(); // refused lists that are unfolded stay so while the page refreshes

    function keepOpen(key, details) {
      if (!details) return;
      details.open = openLists.has(key);
      details.addEventListener("toggle", () => openLists[details.open ? "add" : "delete"](key));
    }

    /** Asks once more on the button itself, for as long as it has the focus. */
    function removeButton(gallery, onRemove) {
      const button = el("button", { type: "button", class: "rs-button", "aria-label": `Remove ${gallery.title}` }, "Remove");
      button.addEventListener("click", () => {
        if (button.dataset.sure) onRemove(gallery.name);
        else {
          button.dataset.sure = "1";
          button.textContent = "Remove for good?";
          button.removeAttribute("aria-label");
        }
      });
      button.addEventListener("blur", () => {
        delete button.dataset.sure;
        button.textContent = "Remove";
        button.setAttribute("aria-label", `Remove ${gallery.title}`);
      });
      return button;
    }

    function galleryCard(gallery, onRemove) {
      const facts = [gallery.images, gallery.queries, gallery.identities, gallery.cameras, gallery.time];
      const card = el(
        "article",
        { class: "rs-item", "data-gallery": gallery.name },
        el(
          "div",
          { class: "rs-item-head" },
          el("h3", {}, gallery.title),
          gallery.is_default ? badge("default") : null,
          el("span", { class: "rs-spacer" }),
          gallery.is_default ? null : removeButton(gallery, onRemove),
          el("a", { class: "rs-button", href: address("g", gallery.name) }, icon("search", 14), "Search"),
        ),
        el("p", { class: "rs-item-facts rs-num" }, facts.filter(Boolean).join(" · ")),
        ...gallery.notes.map((text) => el("p", { class: "rs-hint" }, text)),
        gallery.num_refused ? window.reid.refusedList(gallery) : null,
      );
      keepOpen(`gallery ${gallery.name}`, card.querySelector("details"));
      return card;
    }

    function jobCard(job, onCancel) {
      const actions =
        job.state === "done" && job.gallery
          ? [el("a", { class: "rs-button", href: address("g", job.gallery) }, icon("search", 14), "Search it")]
          : [];
      const card = window.reid.jobProgress(job, { onCancel, actions });
      keepOpen(`job ${job.id}`, card.querySelector("details"));
      return card;
    }

    function modelRow(model) {
      return el(
        "tr",
        {},
        el("th", { scope: "row" }, model.name, " ", model.is_default ? badge("default") : null),
        el("td", {}, model.variant),
        el("td", { class: "rs-num" }, model.parameters),
        el("td", { class: "rs-num" }, model.input_size),
        el("td", {}, model.trained_on),
        el("td", {}, model.licence),
        el("td", {}, model.place),
        el("td", {}, el("a", { class: "rs-button", href: address("m", model.name), "aria-label": `Search with ${model.name}` }, "Use")),
      );
    }

    function modelTable(models) {
      const names = ["Name", "Network", "Parameters", "Input", "Trained on", "Licence", "Where", ""];
      return el(
        "div",
        { class: "rs-scroll rs-panel rs-flush", tabindex: "0", role: "region", "aria-label": "Models" },
        el(
          "table",
          { class: "rs-table" },
          el("thead", {}, el("tr", {}, ...names.map((name) => el("th", { scope: "col" }, name || el("span", { class: "rs-sr" }, "Action"))))),
          el("tbody", {}, ...models.map(modelRow)),
        ),
      );
    }

    return {
      problem: (text) => part("problem").replaceChildren(...(text ? [notice("bad", text)] : [])),
      show(data, { onCancel, onRemove }) {
        part("jobs-section").hidden = data.jobs.length === 0;
        part("jobs").replaceChildren(...data.jobs.map((job) => jobCard(job, onCancel)));
        part("galleries").replaceChildren(
          ...(data.galleries.length
            ? data.galleries.map((gallery) => galleryCard(gallery, onRemove))
            : [notice("info", "No gallery yet. Add one, or wait for the demo gallery to be read.")]),
        );
        part("models").replaceChildren(modelTable(data.models));
      },
    };
  });
})();
