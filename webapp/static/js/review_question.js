/* What a question looks like: a pair, three crops with a choice, or the contact sheet of one identity. */
(() => {
  "use strict";
  const { el, imageUrl, linkedZoom } = window.reid;
  const MAX_PERSONS = 9;
  const PAIR_HEIGHT = 512;
  const SHEET_HEIGHT = 256;
  const THUMB_HEIGHT = 96;
  const MAX_READY = 400;

  const clock = (seconds) => {
    const part = (value) => String(Math.floor(value)).padStart(2, "0");
    return `${part(seconds / 3600)}:${part((seconds / 60) % 60)}:${part(seconds % 60)}`;
  };

  /** What is known about a crop, in a few words. */
  function factsOf(face) {
    const facts = [];
    if (face.camid !== null) facts.push(`camera ${face.camid}`);
    if (face.time_s !== null) facts.push(clock(face.time_s));
    if (face.width) facts.push(`${face.width} × ${face.height} px`);
    if (face.pid > 0) facts.push(`labelled ${face.pid}`);
    return facts.join(" · ");
  }

  const ready = new Map(); // address -> a picture that was loaded and decoded ahead

  function preload(url) {
    if (ready.has(url)) return;
    const image = el("img", { src: url, draggable: "false", decoding: "sync" });
    image.decode().catch(() => {}); // a picture that is gone shows its alternative text
    ready.set(url, image);
    if (ready.size > MAX_READY) ready.delete(ready.keys().next().value);
  }

  function picture(face, alt, height) {
    if (!face.image_url) return el("span", { class: "rv-gone" }, "picture is gone");
    const url = imageUrl(face.image_url, height);
    const image = ready.get(url) ?? el("img", { src: url, draggable: "false", decoding: "sync" });
    ready.delete(url); // an element is in one place only
    image.alt = alt;
    image.style.transform = "";
    return image;
  }

  /** Load and decode all pictures of a question before it is shown. */
  function prepare(question) {
    const shown = question.kind === "sheet" ? question.crops : [question.left, question.right, question.rival];
    const height = question.kind === "sheet" ? SHEET_HEIGHT : PAIR_HEIGHT;
    for (const face of shown) if (face?.image_url) preload(imageUrl(face.image_url, height));
    const thumbs = question.identities.flatMap((identity) => identity.crops);
    for (const face of thumbs) if (face.image_url) preload(imageUrl(face.image_url, THUMB_HEIGHT));
  }

  function pane(face, title, alt) {
    const image = picture(face, alt, PAIR_HEIGHT);
    return el(
      "figure",
      {},
      el("figcaption", {}, el("b", {}, title), el("span", {}, factsOf(face))),
      el("div", { class: "rs-pane", "data-crop": face.crop }, image),
    );
  }

  function gapOf(a, b) {
    if (a.time_s === null || b.time_s === null || a.camid === null || b.camid === null) return "";
    const seconds = Math.abs(a.time_s - b.time_s);
    const gap = seconds < 90 ? `${Math.round(seconds)} s` : `${Math.round(seconds / 60)} min`;
    return a.camid === b.camid ? `same camera, ${gap} apart` : `${gap} apart`;
  }

  function showPair(host, question) {
    const { left, right, rival } = question;
    const titleOf = (face) => question.identities.find((i) => i.crops.some((c) => c.crop === face.crop))?.title ?? "Crop";
    const faces = rival
      ? [pane(right, "Its own identity", "A crop of its own identity"), pane(left, "Who is this?", "The crop in question"), pane(rival, "Another identity", "A crop of another identity")]
      : [pane(left, titleOf(left), "Left crop"), pane(right, titleOf(right), "Right crop")];
    const panes = faces.map((figure) => figure.querySelector(".rs-pane")).filter((box) => box.querySelector("img"));
    const zoom = linkedZoom(panes);
    const gap = rival ? "" : gapOf(left, right);
    const facts = el("p", { class: "rv-gap" }, gap);
    host.replaceChildren(el("div", { class: "rv-pair", "data-count": String(faces.length) }, faces), gap ? facts : "");
    return { zoom, pick: null, groups: () => [] };
  }

  /** A sheet: a click, or the pick key on the focused crop, takes a crop out as a person of its own number. */
  function showSheet(host, question, onChange) {
    const persons = new Map(); // crop -> number of the person
    let person = 1;
    const cards = question.crops.map((face, number) => {
      const isSuspected = question.suspected.includes(face.crop);
      const badge = el("span", { class: "rv-badge" });
      const card = el(
        "button",
        { type: "button", class: "rv-card", "data-crop": face.crop, "aria-pressed": "false", tabindex: number ? "-1" : "0" },
        picture(face, "", SHEET_HEIGHT),
        badge,
        el("span", { class: "rv-card-facts" }, isSuspected ? el("b", {}, "unlike the rest") : "", ` ${face.camid === null ? "" : `camera ${face.camid}`}`),
      );
      card.addEventListener("click", () => pick(card));
      card.addEventListener("focus", () => moveTo(card));
      card.toggleAttribute("data-suspected", isSuspected);
      return card;
    });

    function paint() {
      for (const card of cards) {
        const number = persons.get(card.dataset.crop);
        const face = question.crops.find((entry) => entry.crop === card.dataset.crop);
        card.setAttribute("aria-pressed", String(Boolean(number)));
        card.querySelector(".rv-badge").textContent = number ? `✕ person ${number}` : "";
        const state = number ? `somebody else, person ${number}` : "belongs here";
        const unlike = card.hasAttribute("data-suspected") ? ", looks unlike the rest" : "";
        card.setAttribute("aria-label", `Crop, ${face.camid === null ? "" : `camera ${face.camid}, `}${state}${unlike}`);
      }
      const used = Math.max(1, ...persons.values());
      const numbers = Array.from({ length: Math.min(MAX_PERSONS, used + 1) }, (_, at) => at + 1);
      chooser.replaceChildren(
        el("span", {}, "Next picks are "),
        ...numbers.map((number) =>
          el(
            "button",
            { type: "button", class: "rs-button", "aria-pressed": String(number === person), onclick: () => setPerson(number) },
            `person ${number}`,
          ),
        ),
      );
      onChange(groups().length, persons.size);
    }

    function setPerson(number) {
      person = number;
      paint();
    }

    function pick(card) {
      const crop = card.dataset.crop;
      if (persons.get(crop) === person) persons.delete(crop);
      else persons.set(crop, person);
      paint();
      card.focus({ preventScroll: true });
    }

    function moveTo(card) {
      for (const other of cards) other.tabIndex = other === card ? 0 : -1;
    }

    /** Move the focus by rows and columns as they are laid out now. */
    function step(key) {
      const at = Math.max(0, cards.indexOf(document.activeElement));
      const top = cards[0].offsetTop;
      const columns = Math.max(1, cards.filter((card) => card.offsetTop === top).length);
      const moves = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns };
      const next = cards[at + (moves[key] ?? 0)];
      if (next) next.focus();
      return true;
    }

    const groups = () => {
      const byPerson = new Map();
      for (const card of cards) {
        const number = persons.get(card.dataset.crop);
        if (number) byPerson.set(number, [...(byPerson.get(number) ?? []), card.dataset.crop]);
      }
      return [...byPerson.values()];
    };

    const chooser = el("div", { class: "rv-persons", role: "group", "aria-label": "Person of the next picks" });
    host.replaceChildren(
      el("p", { class: "rs-hint" }, "Pick the crops that show somebody else. Those of one other person get one number."),
      el("div", { class: "rv-sheet" }, cards),
      chooser,
    );
    paint();
    return {
      zoom: null,
      groups,
      step,
      setPerson,
      numPicked: () => persons.size,
      numLeft: () => cards.length - persons.size,
      pick: () => {
        const card = cards.includes(document.activeElement) ? document.activeElement : cards[0];
        pick(card);
      },
    };
  }

  /** A line with the pictures of an identity. */
  function identityCard(identity, scope) {
    const link = new URLSearchParams({ ...scope, id: identity.node });
    const word = identity.num_crops === 1 ? "crop" : "crops";
    return el(
      "div",
      { class: "rv-identity" },
      el("a", { href: `./identities?${link}`, title: "Open this identity" }, identity.title),
      el("span", { class: "rs-hint" }, `${identity.num_crops} ${word}`),
      el(
        "div",
        { class: "rv-thumbs" },
        ...identity.crops.map((face) => (face.image_url ? picture(face, "", THUMB_HEIGHT) : "")),
      ),
    );
  }

  window.reid.reviewQuestion = {
    prepare,
    identityCard,
    show: (host, question, onChange) =>
      question.kind === "sheet" ? showSheet(host, question, onChange) : showPair(host, question),
  };
})();
