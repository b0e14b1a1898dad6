/* Heat maps over one or two crops, with their controls. For any page that shows crops in panes.

   const overlay = window.reid.evidenceOverlay({ panes: [left, right] });
   place.append(overlay.controls);             // the switch, map, block and stream choice, opacity, scale, links
   overlay.show({ gallery, model, left, right });  // ids; without `right` one crop is explained
   pushKeys({ ...overlay.keys, ... });         // the switch, and while it is on the streams; else they pass on

   A pane is an element whose first child is the crop's <img>; the map is a canvas after it that covers exactly the
   picture (object-fit: contain). Nothing is fetched before the heat map is switched on. */
(() => {
  "use strict";
  const { el, icon, notice, announce, heatMaps, keyHint } = window.reid;
  const { mapOf, draw, drawScale, numberText } = heatMaps;
  const ROUTE = "gradio_api/reid/v1/explain";
  const DRAWN_HEIGHT = 512;
  const KEPT = 24;
  const POINT = "Point at a crop to read off a cell.";
  const LAST = "conv5";
  const FIRST_BLOCK = "conv3.1"; // as reid_core.explain.records.DEFAULT_BLOCK

  window.reid.evidenceOverlay = ({ panes, isOn: startsOn = false, withPageLink = true, onChange = () => {} }) => {
    const kept = new Map(); // answers by address, newest last
    let wanted = null; // { gallery, model, left, right }
    let data = null;
    let turn = 0;
    let isOn = startsOn;
    let choice = { map: "evidence", block: FIRST_BLOCK, stream: 0 };
    let lastBlock = FIRST_BLOCK; // the one with streams that was looked at last
    let opacity = 70;
    const shown = []; // the map over each pane, for reading values off

    /* ---- canvases ---- */
    const canvases = panes.map((pane) => {
      const canvas = el("canvas", { class: "rs-heat", "aria-hidden": "true", hidden: true });
      pane.append(canvas);
      pane.firstElementChild.addEventListener("load", paint);
      return canvas;
    });

    /* ---- controls ---- */
    const toggleButton = el("button", { type: "button", class: "rs-button rs-heat-switch", "aria-pressed": "false", onclick: () => toggle() }, "Heat map", keyHint("evidence"));
    const mapSelect = el("select", { "aria-label": "Map", onchange: () => choose({ map: mapSelect.value }) });
    const blockSelect = el("select", { "aria-label": "Block", onchange: () => choose({ block: blockSelect.value }) });
    const streams = el("div", { class: "rs-heat-streams", role: "group", "aria-label": "Streams" });
    const heads = el("p", { class: "rs-stream-heads" });
    const slider = el("input", { type: "range", min: "0", max: "100", step: "5", value: String(opacity), "aria-label": "Opacity of the heat map" });
    const percent = el("output", { class: "rs-num" }, `${opacity}%`);
    const scaleBar = el("canvas", { width: "256", height: "12", class: "rs-heat-bar", role: "img" });
    const low = el("span", { class: "rs-num" });
    const high = el("span", { class: "rs-num" });
    const readout = el("p", { class: "rs-hint rs-num rs-heat-readout" }, POINT);
    const unit = el("p", { class: "rs-hint rs-heat-unit" });
    const caption = el("p", { class: "rs-hint rs-heat-caption" });
    const links = el("p", { class: "rs-heat-links" });
    const message = el("div", { class: "rs-heat-message" });
    const body = el(
      "div",
      { class: "rs-heat-body", hidden: true },
      el("div", { class: "rs-heat-choices" }, el("label", {}, el("span", {}, "Map"), mapSelect), el("label", {}, el("span", {}, "Block"), blockSelect)),
      heads,
      streams,
      el("label", { class: "rs-heat-opacity" }, el("span", {}, "Opacity"), slider, percent),
      el("div", { class: "rs-heat-scale" }, scaleBar, el("p", { class: "rs-heat-ends" }, low, high), unit, readout),
      caption,
      links,
    );
    const controls = el("section", { class: "rs-heat-controls", "aria-label": "Heat map" }, toggleButton, message, body);

    slider.addEventListener("input", () => {
      opacity = Number(slider.value);
      percent.textContent = `${opacity}%`;
      for (const canvas of canvases) canvas.style.opacity = opacity / 100;
      paintLinks();
    });

    /* ---- what is shown ---- */
    const placeOf = (name) => data.places.find((place) => place.name === name);
    const isPair = () => Boolean(data?.places[0].crops[0].evidence);
    const kindsAt = (name) => {
      if (name !== LAST) return isPair() ? ["evidence", "energy"] : ["energy"];
      return isPair() ? ["evidence", "energy", "squared"] : ["energy", "squared"];
    };
    const KIND_WORDS = { evidence: "Evidence", energy: "Gated activation", squared: "Activation, squared" };
    const kindWord = (kind, name) => (name === LAST && kind === "energy" ? "Activation, absolute" : KIND_WORDS[kind]);

    /** The nearest map to the wanted one that exists. */
    function settle(next) {
      const block = placeOf(next.block) ? next.block : FIRST_BLOCK;
      const kinds = kindsAt(block);
      const map = kinds.includes(next.map) ? next.map : kinds[0];
      return { map, block, stream: block === LAST ? 0 : next.stream };
    }

    function scaleNow() {
      return placeOf(choice.block).scales[choice.map][choice.stream ? "stream" : "all"];
    }

    function paint() {
      for (const canvas of canvases) canvas.hidden = !(isOn && data);
      if (!isOn || !data) return;
      const isSigned = choice.map === "evidence";
      const colours = data.colours[isSigned ? "evidence" : "energy"];
      placeOf(choice.block).crops.forEach((crop, side) => {
        const canvas = canvases[side];
        const picture = panes[side]?.firstElementChild;
        if (!canvas) return;
        const ratio = picture.naturalWidth ? picture.naturalWidth / picture.naturalHeight : 0.5;
        canvas.width = Math.max(1, Math.round(DRAWN_HEIGHT * ratio));
        canvas.height = DRAWN_HEIGHT;
        canvas.style.opacity = opacity / 100;
        shown[side] = mapOf(crop[choice.map], choice.stream);
        draw(canvas, shown[side], { scale: scaleNow(), colours, isSigned });
      });
      for (const canvas of canvases.slice(data.ids.length)) canvas.hidden = true;
    }

    /** The value under the pointer; the canvas shows its picture letterboxed, perhaps zoomed. */
    function readOff(side, event) {
      const canvas = canvases[side];
      const area = canvas.getBoundingClientRect();
      const fit = Math.min(area.width / canvas.width, area.height / canvas.height);
      const share = (at, start, length, pixels) => (at - start - (length - pixels * fit) / 2) / (pixels * fit);
      const x = share(event.clientX, area.left, area.width, canvas.width);
      const y = share(event.clientY, area.top, area.height, canvas.height);
      if (canvas.hidden || x < 0 || y < 0 || x >= 1 || y >= 1) return POINT;
      const { values, width, height } = shown[side];
      const [row, column] = [Math.floor(y * height), Math.floor(x * width)];
      const value = numberText(values[row * width + column], { signed: choice.map === "evidence" });
      return `Row ${row + 1} of ${height}, column ${column + 1} of ${width}: ${value}`;
    }
    panes.forEach((pane, side) => {
      pane.addEventListener("pointermove", (event) => (readout.textContent = readOff(side, event)));
      pane.addEventListener("pointerleave", () => (readout.textContent = POINT));
    });

    function bar(share, side) {
      const fill = el("i");
      fill.style.width = `${Math.round(share * 100)}%`;
      return el("span", { class: "rs-share", "data-side": side, "aria-hidden": "true" }, fill);
    }

    function streamButton(stream, place) {
      const field = data.streams[stream - 1]?.field;
      const name = stream ? `${field} × ${field}` : "All streams";
      const shares = stream && place.name !== LAST ? place.crops.map((crop) => crop.shares[stream - 1]) : [];
      const sums = place.crops.map((crop) => crop.evidence_sums).filter(Boolean);
      const sum = sums.length ? sums.flatMap((values) => (stream ? [values[stream - 1]] : values)).reduce((a, b) => a + b, 0) : null;
      const sumText = sum === null ? "" : numberText(sum, { signed: true });
      const shareText = shares.map((share) => `${Math.round(share * 100)}%`).join(" / ");
      const words = [stream ? `Stream ${stream}, ${name}` : name, shareText && `gate share ${shareText}`, sumText && `evidence ${sumText}`];
      return el(
        "button",
        {
          type: "button",
          class: "rs-stream",
          "aria-pressed": String(choice.stream === stream),
          "aria-label": words.filter(Boolean).join(", "),
          title: words.filter(Boolean).join(", "),
          disabled: place.name === LAST && stream > 0,
          onclick: () => choose({ stream }),
        },
        keyHint(`stream_${stream}`),
        el("span", { class: "rs-stream-name" }, name),
        el("span", { class: "rs-shares" }, ...shares.map((share, side) => bar(share, side ? "right" : "left"))),
        el("span", { class: "rs-num rs-stream-share" }, shareText),
        el("span", { class: "rs-num rs-stream-sum", "data-sign": sum === null ? null : sum < 0 ? "minus" : "plus" }, sumText),
      );
    }

    function paintControls() {
      toggleButton.setAttribute("aria-pressed", String(isOn));
      body.hidden = !(isOn && data);
      if (!isOn || !data) return;
      const place = placeOf(choice.block);
      const option = (value, text, isChosen) => el("option", { value, selected: isChosen }, text);
      mapSelect.replaceChildren(...kindsAt(place.name).map((kind) => option(kind, kindWord(kind, place.name), kind === choice.map)));
      blockSelect.replaceChildren(
        ...data.places.map(({ name }, at) => option(name, name === LAST ? `${name} (last map)` : `${name} (${at + 1} of 6)`, name === choice.block)),
      );
      const focused = [...streams.children].indexOf(document.activeElement);
      streams.replaceChildren(...[0, 1, 2, 3, 4].map((stream) => streamButton(stream, place)));
      if (focused >= 0) streams.children[focused].focus();
      heads.replaceChildren(
        el("span", {}, isPair() ? "Gate share, left / right" : "Gate share"),
        ...(isPair() ? [el("span", { title: "Sum over the cells of both crops" }, "Evidence, sum")] : []),
      );
      const isSigned = choice.map === "evidence";
      drawScale(scaleBar, { colours: data.colours[isSigned ? "evidence" : "energy"], isSigned });
      const top = scaleNow();
      low.textContent = isSigned ? `${numberText(-top)} lowers` : "0";
      high.textContent = isSigned ? `raises +${numberText(top)}` : numberText(top);
      unit.textContent = data.units[place.name === LAST && choice.map === "energy" ? "absolute" : choice.map];
      scaleBar.setAttribute("aria-label", `Colour scale from ${low.textContent} to ${high.textContent}, ${unit.textContent}`);
      const about = choice.map === "evidence" ? data.captions.evidence : place.name === LAST ? data.captions.last : data.captions.energy;
      caption.textContent = choice.map === "evidence" && place.note ? `${about} ${place.note}` : about;
      paintLinks();
    }

    const query = () => new URLSearchParams({ ...Object.fromEntries(Object.entries(wanted).filter(([, value]) => value)), ...choice });

    function paintLinks() {
      if (!wanted) return;
      const address = (file, extra = {}) => `${ROUTE}/${file}?${new URLSearchParams([...query(), ...Object.entries(extra)])}`;
      const { gallery, model, left, right } = wanted;
      const page = { ...(gallery && { g: gallery }), ...(model && { m: model }), q: left, ...(right && { c: right }), ...choice, stream: String(choice.stream) };
      links.replaceChildren(
        el("a", { class: "rs-button", href: address("picture.png", { opacity }), download: "" }, icon("upload", 14), "PNG"),
        el("a", { class: "rs-button", href: address("arrays.npz"), download: "" }, icon("upload", 14), "Arrays"),
        withPageLink ? el("a", { class: "rs-button", href: `./explain?${new URLSearchParams(page)}` }, "Explain this pair") : "",
      );
    }

    function say(text, kind = "bad") {
      message.replaceChildren(...(text ? [notice(kind, text)] : []));
    }

    /* ---- loading ---- */
    async function load() {
      if (!isOn || !wanted) return;
      const { gallery, model, left, right } = wanted;
      const params = right ? { gallery, model, left, right } : { gallery, model, image: left };
      const address = `${ROUTE}/${right ? "pair" : "crop"}?${new URLSearchParams(params)}`;
      turn += 1;
      const mine = turn;
      let answer = kept.get(address);
      if (!answer) {
        controls.setAttribute("aria-busy", "true");
        answer = await fetchJson(address);
        if (mine !== turn) return;
        controls.removeAttribute("aria-busy");
      }
      if (answer.error) {
        data = null;
        say(answer.error);
      } else {
        kept.delete(address);
        kept.set(address, answer);
        if (kept.size > KEPT) kept.delete(kept.keys().next().value);
        data = answer;
        say("");
        choice = settle(choice);
      }
      refresh();
    }

    async function fetchJson(address) {
      try {
        const response = await fetch(address);
        return await response.json();
      } catch (failure) {
        console.warn("explanation failed:", failure);
        return { error: "The server gave no answer. Check that the app is still running, then switch the heat map off and on." };
      }
    }

    function refresh() {
      paint();
      paintControls();
      onChange({ isOn, choice, data, wanted });
    }

    function choose(changes) {
      const next = { ...choice, ...changes };
      choice = data ? settle(next) : next;
      if (choice.block !== LAST) lastBlock = choice.block;
      refresh();
      if (data && isOn) announce(`${choice.block}, ${choice.stream ? `stream ${choice.stream}` : "all streams"}, ${kindWord(choice.map, choice.block)}`);
    }

    function toggle(on = !isOn) {
      isOn = on;
      if (!isOn) say("");
      refresh();
      announce(isOn ? "Heat map on" : "Heat map off");
      load();
    }

    const byKey = (stream) => () => {
      if (!isOn || !data) return false;
      choose(stream && choice.block === LAST ? { block: lastBlock, stream } : { stream });
      return true;
    };
    const keys = { "@evidence": (event) => (event.repeat ? false : toggle()) };
    for (const stream of [0, 1, 2, 3, 4]) keys[`@stream_${stream}`] = byKey(stream);

    toggleButton.setAttribute("aria-pressed", String(isOn));
    return {
      controls,
      keys,
      isOn: () => isOn,
      toggle,
      choose,
      state: () => ({ isOn, choice, data, wanted }),
      /** Explain other crops, looking at `wish` { map, block, stream } if given; the former maps go at once. */
      show(next, wish = {}) {
        wanted = next;
        choice = { ...choice, ...wish };
        data = null;
        paint();
        load();
      },
    };
  };
})();
