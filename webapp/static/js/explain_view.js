/* The crops with their heat map, all blocks and streams at a glance, and the checks of the map that is shown. */
(() => {
  "use strict";
  const { el, find, notice, imageUrl, pushKeys } = window.reid;
  const SETTLE_MS = 700; // checks take seconds, so they wait until a person stays with a map

  window.reid.define("explain_view", (element) => {
    const part = (name) => find(element, name);
    const panes = [part("left"), part("right")];
    let page = null;
    let onChoice = () => {};
    let timer = 0;
    let turn = 0;
    let checked = "";

    const overlay = window.reid.evidenceOverlay({ panes, isOn: true, withPageLink: false, onChange: changed });
    part("controls").append(overlay.controls);
    pushKeys(overlay.keys);

    function changed({ isOn, choice, data }) {
      const isShown = Boolean(data);
      part("atlas-section").hidden = !isShown;
      part("checks-section").hidden = !isShown || !isOn;
      part("similarity-line").hidden = !data?.similarity_text;
      part("similarity").textContent = data?.similarity_text ?? "";
      if (!data) {
        checked = "";
        return;
      }
      const cards = [page.query, ...(data.ids.length > 1 ? [page.other] : [])];
      window.reid.drawAtlas(part("atlas"), { data, cards, choice, onChoose: choose });
      part("atlas-hint").textContent =
        `${choice.map === "evidence" ? "Evidence" : "Gated activation"}; each row has a scale of its own for “All” and one that its four streams and both crops share. Rows are the blocks from the input to the output.`;
      onChoice(choice);
      scheduleChecks();
    }

    function choose(change) {
      overlay.choose(change);
      element.querySelector(".rs-atlas-cell[aria-pressed=true]")?.focus({ preventScroll: true });
    }

    /* ---- checks ---- */
    function scheduleChecks() {
      const { choice, wanted, isOn, data } = overlay.state();
      if (!isOn || !data) return;
      const side = data.ids.length > 1 ? part("side").value : "left";
      part("side-field").hidden = data.ids.length < 2;
      const given = Object.fromEntries(Object.entries({ ...wanted, ...choice, side }).filter(([, value]) => value !== "" && value !== undefined && value !== null));
      const address = `gradio_api/reid/v1/explain/checks?${new URLSearchParams(given)}`;
      if (address === checked) return;
      checked = address;
      clearTimeout(timer);
      part("checks").replaceChildren(el("p", { class: "rs-hint" }, "Covering cells and shuffling weights to test this map …"));
      timer = setTimeout(() => runChecks(address, data.streams), SETTLE_MS);
    }

    async function runChecks(address, fields) {
      turn += 1;
      const mine = turn;
      let answer;
      try {
        answer = await (await fetch(address)).json();
      } catch {
        answer = { error: "The server gave no answer, so this map is not tested." };
      }
      if (mine !== turn || address !== checked) return;
      part("checks").replaceChildren(...(answer.error ? [notice("bad", answer.error)] : window.reid.showChecks(answer, fields)));
    }
    part("side").addEventListener("change", scheduleChecks);

    function setPane(pane, name, card) {
      const image = pane.firstElementChild;
      part(name).textContent = card?.title ?? "";
      part(name).title = card?.title ?? "";
      if (!card) {
        image.removeAttribute("src");
        return;
      }
      image.src = imageUrl(card.image_url, 0);
      image.alt = `${card.title}, ${card.camera}`;
    }

    return {
      onChoice: (callback) => (onChoice = callback),
      /** An ExplainPage of views/explain.py, with the choice of the address. */
      show(next, choice, { onRetry }) {
        page = next;
        const isReady = next.kind === "ready";
        part("pair").hidden = !isReady;
        const retry = el("button", { type: "button", class: "rs-button", onclick: onRetry }, "Try again");
        const state = { preparing: ["info", "The gallery is being read by the network. This page opens as soon as it is ready."], empty: ["info", next.message], error: ["bad", next.message] }[next.kind];
        part("state").replaceChildren(
          ...(state ? [notice(...state, ...(next.kind === "error" ? [retry] : []))] : []),
          ...(next.job && next.kind === "preparing" ? [window.reid.jobProgress(next.job)] : []),
          ...next.notes.map((text) => notice("warn", text)),
        );
        if (!isReady) {
          part("atlas-section").hidden = true;
          part("checks-section").hidden = true;
          return;
        }
        part("right-figure").hidden = !next.other;
        part("pair").toggleAttribute("data-alone", !next.other);
        setPane(panes[0], "left-name", next.query);
        setPane(panes[1], "right-name", next.other);
        const { g: gallery = "", m: model = "" } = next.params;
        overlay.show({ gallery, model, left: next.query.id, right: next.other?.id }, choice);
      },
    };
  });
})();
