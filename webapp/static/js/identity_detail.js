/* One identity in full: its crops by camera and time, what holds it together, what it could be mixed up with. */
(() => {
  "use strict";
  const { el, icon, imageUrl, labelBadge, momentText, pageLink, readV1, askPerson, announce, keyHint } = window.reid;

  const crops = (number) => `${number} crop${number === 1 ? "" : "s"}`;
  const timeText = (seconds) => {
    if (seconds === null) return "";
    const minutes = Math.floor(seconds / 60);
    return `${minutes}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;
  };
  const placeText = (face) => [face.camid === null ? "" : `cam ${face.camid}`, timeText(face.time_s)].filter(Boolean).join(", ");

  function picture(face, height = 256) {
    return face.image_url
      ? el("img", { src: imageUrl(face.image_url, height), alt: "", loading: "lazy", draggable: "false" })
      : el("span", { class: "ri-gone" }, "gone");
  }

  /** A node of a judgement: the crop, or the identity that was named. */
  function nodeFace(node, faces) {
    const face = faces[node];
    const name = node.startsWith("identity:") ? `ID ${node.slice("identity:".length)}` : placeText(face ?? { camid: null, time_s: null });
    return el(
      "a",
      { class: "ri-node", href: pageLink("identities", { id: node }), title: node },
      face ? picture(face, 128) : el("span", { class: "ri-gone" }, "gone"),
      el("span", {}, name || node),
    );
  }
  window.reid.identityNode = nodeFace;

  /** One event of the log in a line. */
  function changeLine(change) {
    const state = change.kind === "retraction" || change.is_taken_back ? "taken back" : !change.is_in_force ? "replaced" : change.is_contested ? "contested" : "";
    return el(
      "li",
      { class: "ri-change", "data-off": !change.is_in_force && change.kind === "decision" ? "1" : null },
      change.answer ? labelBadge(change.is_contested ? "conflict" : change.answer, { isSure: change.is_sure }) : el("span", { class: "rs-label" }, icon("reset", 12), "undo"),
      el("span", { class: "ri-change-text" }, change.text, state ? el("em", {}, ` ${state}`) : null, change.comment ? el("q", {}, change.comment) : null),
      el("span", { class: "ri-who" }, `${change.annotator}, ${momentText(change.decided_at)}`),
      el("a", { class: "rs-button ri-small", href: pageLink("history", { answer_id: change.answer_id }) }, "In the history"),
    );
  }

  /**
   * Draw an identity into `host`. session: the annotator's; onReload(): it changed; onLeave(): back to the list.
   * Returns { keys, close }.
   */
  window.reid.identityDetail = (host, detail, { session, gallery, model, onLeave, onOpen }) => {
    const { summary } = detail;
    const picked = new Set();
    let other = null; // { node, title } in the second column
    let outlook = null;
    let current = 0;

    const count = el("p", { class: "ri-picked", role: "status" });
    const compare = el("section", { class: "ri-compare", hidden: true, tabindex: "-1", "aria-label": "Compare with another identity" });
    const similarHost = el("div", { class: "ri-similar", "aria-busy": "true" }, el("p", { class: "rs-hint" }, "Looking for look-alikes…"));
    let similar = [];

    /* ---- crops ---- */
    const cameras = [...new Set(detail.crops.map((face) => face.camid))].sort((a, b) => (a ?? 1e9) - (b ?? 1e9));
    const inOrder = cameras.flatMap((camera) =>
      detail.crops.filter((face) => face.camid === camera).sort((a, b) => (a.time_s ?? 0) - (b.time_s ?? 0) || a.crop.localeCompare(b.crop)),
    );
    const buttons = inOrder.map((face, index) =>
      el(
        "button",
        {
          type: "button",
          class: "ri-crop",
          tabindex: index === 0 ? "0" : "-1",
          "aria-pressed": "false",
          "data-crop": face.crop,
          "aria-label": `Crop ${index + 1} of ${inOrder.length}, ${placeText(face)}${face.pid > 0 ? `, label ${face.pid}` : ""}`,
          title: face.crop,
          onclick: () => pick(index),
          onfocus: () => makeCurrent(index),
        },
        picture(face),
        el("span", { class: "ri-crop-facts rs-num" }, timeText(face.time_s), face.pid > 0 && !(summary.pids.length === 1 && summary.pids[0] === face.pid) ? el("b", {}, ` ID ${face.pid}`) : null),
        el("span", { class: "ri-check", "aria-hidden": "true" }, icon("cross", 14)),
      ),
    );
    const byCamera = cameras.map((camera) => {
      const own = inOrder.map((face, index) => [face, buttons[index]]).filter(([face]) => face.camid === camera);
      return el(
        "div",
        { class: "ri-camera", role: "group", "aria-label": camera === null ? "Camera not known" : `Camera ${camera}` },
        el("h3", {}, icon("camera", 14), camera === null ? "camera not known" : `camera ${camera}`, el("span", { class: "rs-num" }, ` ${own.length}`)),
        el("div", { class: "ri-crops" }, ...own.map(([, button]) => button)),
      );
    });

    function makeCurrent(index) {
      buttons[current]?.setAttribute("tabindex", "-1");
      current = index;
      buttons[current]?.setAttribute("tabindex", "0");
      paintLeads();
    }

    /** Where the crop in focus can be seen on other pages. */
    const leads = el("p", { class: "ri-leads" });
    function paintLeads() {
      const face = inOrder[current];
      if (!face) return;
      const lead = (page, params, text) => el("a", { href: pageLink(page, params), "aria-label": `${text}: crop ${current + 1}, ${placeText(face)}` }, text);
      leads.replaceChildren(
        `Crop ${current + 1}${placeText(face) ? `, ${placeText(face)}` : ""}: `,
        lead("map", { point: face.crop }, "Show on map"),
        lead("", { q: face.crop }, "Search"),
        lead("explain", { q: face.crop }, "Explain"),
      );
    }

    function pick(index) {
      const { crop } = inOrder[index];
      if (!picked.delete(crop)) picked.add(crop);
      buttons[index].setAttribute("aria-pressed", String(picked.has(crop)));
      paintPicked();
      buttons[index].focus({ preventScroll: true });
    }

    function clearPicked() {
      picked.clear();
      for (const button of buttons) button.setAttribute("aria-pressed", "false");
      paintPicked();
    }

    async function paintPicked() {
      const number = picked.size;
      for (const button of host.querySelectorAll("[data-needs-pick]")) button.disabled = !number || number === inOrder.length;
      outlook = null;
      if (!number) {
        count.textContent = "Pick crops that do not belong here: click, or arrow keys and Space.";
        return;
      }
      const chosen = [...picked];
      const line = `${number} of ${inOrder.length} picked`;
      count.textContent = line;
      if (number === inOrder.length) {
        count.textContent = `${line}. Leave at least one.`;
        return;
      }
      const told = await readV1("review/consequence", { left: chosen[0], right: nodeFor(chosen), gallery });
      if (chosen.length !== picked.size || !picked.has(chosen[0])) return;
      outlook = told;
      const what = told.outlooks?.different;
      count.textContent = what ? `${line}. Splitting ${what.conflicts ? what.text : `makes a new identity of ${crops(number)} and leaves ${crops(inOrder.length - number)}`}.` : line;
    }

    /** What picked crops are taken out of: the identity of the data set, or a crop that stays. */
    function nodeFor(chosen) {
      if (!chosen.includes(summary.node)) return summary.node;
      return inOrder.find((face) => !chosen.includes(face.crop)).crop;
    }
    const seenOf = (...nodes) => Object.fromEntries(nodes.filter(Boolean).map((node) => [node, Object.values(detail.seen)[0]]));

    async function split() {
      if (!picked.size || picked.size === inOrder.length) return announce("Pick the crops of somebody else first.");
      const chosen = [...picked];
      const text = outlook?.outlooks?.different?.conflicts
        ? `This ${outlook.outlooks.different.text}.`
        : `${crops(chosen.length)} leave and become a new identity; ${crops(inOrder.length - chosen.length)} stay. Undo brings them back.`;
      const answer = await askPerson("Split this identity", [el("p", {}, text), faces(chosen)], [["", "Cancel"], ["split", `Split off ${chosen.length}`, true]]);
      if (answer !== "split") return undefined;
      const stays = inOrder.find((face) => !picked.has(face.crop)).crop;
      return session.send([
        { kind: "sheet", crops: inOrder.map((face) => face.crop), others: [chosen], left: chosen[0], right: stays, identity: nodeFor(chosen), seen: seenOf(nodeFor(chosen)) },
      ]);
    }

    const faces = (ids) =>
      el("div", { class: "ri-row" }, ...ids.slice(0, 12).map((id) => picture(inOrder.find((face) => face.crop === id), 128)), ids.length > 12 ? el("span", {}, `and ${ids.length - 12} more`) : null);

    async function move() {
      if (!picked.size || picked.size === inOrder.length) return announce("Pick the crops that belong elsewhere first.");
      const chosen = [...picked];
      const target = await choose(`Move ${crops(chosen.length)} to…`);
      if (!target) return undefined;
      const told = await readV1("review/consequence", { left: chosen[0], right: target.node, gallery });
      const same = told.outlooks?.same;
      const text = same?.conflicts ? `Moving ${same.text}.` : `${crops(chosen.length)} leave ${summary.title} and join ${target.title} (${crops(target.num_crops)}).`;
      const answer = await askPerson("Move crops", [el("p", {}, text), faces(chosen)], [["", "Cancel"], ["move", `Move ${chosen.length}`, true]]);
      if (answer !== "move") return undefined;
      return session.send([
        { kind: "move", crops: chosen, identity: nodeFor(chosen), to: target.node, seen: { ...seenOf(nodeFor(chosen)), ...told.seen } },
      ]);
    }

    /* ---- the other identity ---- */
    /** Ask for another identity: from the look-alikes or by search. Resolves with its face, or null. */
    async function choose(title) {
      let chosen = null;
      const list = el("div", { class: "ri-choices", role: "radiogroup", "aria-label": "Identities" });
      const input = el("input", { type: "search", "aria-label": "Search identities", placeholder: "Identity, name or crop", maxlength: "200" });
      const show = (found) =>
        list.replaceChildren(
          ...found.map((face) =>
            el(
              "label",
              { class: "ri-choice" },
              el("input", { type: "radio", name: "ri-choice", value: face.node, checked: chosen?.node === face.node, onchange: () => (chosen = face) }),
              el("span", { class: "ri-row" }, ...face.crops.slice(0, 4).map((crop) => picture(crop, 128))),
              el("span", {}, el("b", {}, face.title), ` ${crops(face.num_crops)}`, face.note ? el("small", {}, face.note) : null),
            ),
          ),
          found.length ? "" : el("p", { class: "rs-hint" }, "No identity is called that."),
        );
      show(similar.map((found) => ({ ...found.identity, note: similarityText(found) })));
      let timer = 0;
      input.addEventListener("input", () => {
        clearTimeout(timer);
        timer = setTimeout(async () => {
          const found = await readV1("identities", { gallery, text: input.value.trim(), page_size: 12 });
          if (!found.identities) return;
          const others = found.identities.filter((face) => face.node !== summary.node);
          chosen = others.find((face) => face.node === chosen?.node) ?? null; // a choice made meanwhile stays
          show(others);
        }, 250);
      });
      const answer = await askPerson(title, [input, list], [["", "Cancel"], ["ok", "Choose", true]], {
        check: () => (chosen ? "" : "Choose an identity from the list."),
      });
      return answer === "ok" ? chosen : null;
    }

    async function openCompare(face) {
      other = face ?? (await choose("Compare with another identity"));
      if (!other) return;
      const [told, full] = await Promise.all([
        readV1("review/consequence", { left: summary.node, right: other.node, gallery }),
        readV1("identities/one", { id: other.node, gallery }),
      ]);
      if (told.error || full.error) return session.tell("bad", told.error ?? full.error);
      const column = (title, own) =>
        el("div", { class: "ri-column" }, el("h3", {}, title, el("span", {}, ` ${crops(own.length)}`)), el("div", { class: "ri-crops" }, ...own.slice(0, 60).map((crop) => el("span", { class: "ri-still", title: placeText(crop) }, picture(crop)))));
      const seen = { ...told.seen };
      const say = (answer, isSure = true) => session.send([{ kind: "pair", left: summary.node, right: other.node, answer, is_sure: isSure, seen }]);
      const word = (answer, label, glyph, text) =>
        el(
          "button",
          { type: "button", class: "ri-answer", "data-answer": answer, onclick: () => say(answer) },
          el("span", {}, icon(glyph, 16), label, keyHint(answer)),
          el("small", {}, text),
        );
      compare.replaceChildren(
        el("div", { class: "ri-columns" }, column(summary.title, inOrder), column(full.summary.title, full.crops)),
        el(
          "div",
          { class: "ri-answers", role: "group", "aria-label": "Are they one person?" },
          word("same", "Same: merge", "check", told.outlooks.same.text),
          word("cannot_tell", "Cannot tell", "unknown", "concludes nothing"),
          word("different", "Different", "cross", told.outlooks.different.text),
          el("a", { class: "rs-button", href: pageLink("review", { pair: `${inOrder[0].crop},${full.crops[0]?.crop ?? ""}` }) }, "Look closer in Review"),
          el("button", { type: "button", class: "rs-button", onclick: closeCompare }, "Close"),
        ),
      );
      compare.hidden = false;
      compare.say = say;
      compare.scrollIntoView({ block: "nearest" });
      compare.focus({ preventScroll: true }); // on no button: Space is a judgement here
      announce(`Compared with ${full.summary.title}. Same ${told.outlooks.same.text}.`);
    }

    function closeCompare() {
      other = null;
      compare.hidden = true;
      compare.replaceChildren();
      buttons[current]?.focus({ preventScroll: true });
    }

    const similarityText = (found) =>
      [`similarity ${found.similarity.toFixed(2)}`, found.probability === null ? "" : `P(same) ${found.probability < 0.01 ? "<1" : Math.round(found.probability * 100)}%`, found.is_apart ? "told apart" : ""].filter(Boolean).join(", ");

    async function loadSimilar() {
      const found = await readV1("identities/similar", { id: summary.node, gallery, model, number: 8 });
      similarHost.removeAttribute("aria-busy");
      if (!found.similar) {
        similarHost.replaceChildren(el("p", { class: "rs-hint" }, found.error));
        return;
      }
      similar = found.similar;
      similarHost.replaceChildren(
        ...similar.map((item) =>
          el(
            "button",
            { type: "button", class: "ri-look", onclick: () => openCompare(item.identity), title: "Compare" },
            el("span", { class: "ri-row" }, ...item.identity.crops.slice(0, 4).map((face) => picture(face, 128))),
            el("span", { class: "ri-look-facts" }, el("b", {}, item.identity.title), el("small", { class: "rs-num" }, `${crops(item.identity.num_crops)}, ${similarityText(item)}`), item.is_apart ? labelBadge("different") : null),
          ),
        ),
      );
      if (!similar.length) similarHost.replaceChildren(el("p", { class: "rs-hint" }, "There is no other identity."));
    }

    async function rename() {
      const input = el("input", { type: "text", id: "ri-name", value: summary.aliases[0] ?? "", maxlength: "80", autocomplete: "off" });
      const answer = await askPerson("Name this identity", [
        el("label", { for: "ri-name" }, "Name"),
        input,
        el("p", { class: "rs-hint" }, summary.aliases.length ? `Earlier names stay and can be searched for: ${summary.aliases.join(", ")}` : "No real names, please. Earlier names stay and can be searched for."),
      ], [["", "Cancel"], ["ok", "Name it", true]], { check: () => (input.value.trim() ? "" : "The name is empty.") });
      if (answer !== "ok" || !(await session.ensureName())) return;
      const told = await window.reid.sendV1("identities/name", { node: summary.node, name: input.value.trim(), annotator: session.name(), id: window.reid.newId(), gallery });
      if (told.error) session.tell("bad", told.error);
      else onOpen(summary.node);
    }

    /* ---- what is known ---- */
    const judged = detail.links.filter((link) => link.decision_id);
    const byLabel = detail.links.length - judged.length;
    const linkRows = judged.map((link) =>
      el(
        "li",
        { class: "ri-link", "data-bridge": link.is_bridge ? "1" : null },
        nodeFace(link.left, detail.faces),
        el("span", { class: "ri-edge" }, labelBadge("same"), link.is_bridge ? el("b", { class: "ri-bridge" }, icon("warn", 12), "hangs on this one judgement") : null, el("small", {}, `${link.annotator}, ${momentText(link.decided_at)}`)),
        nodeFace(link.right, detail.faces),
        el("a", { class: "rs-button ri-small", href: pageLink("review", { pair: `${link.left},${link.right}` }) }, "Look again"),
      ),
    );
    const separations = detail.separations.map((change) =>
      el(
        "li",
        { class: "ri-link" },
        nodeFace(change.left, detail.faces),
        el("span", { class: "ri-edge" }, labelBadge("different", { isSure: change.is_sure }), el("small", {}, `${change.annotator}, ${momentText(change.decided_at)}`)),
        nodeFace(change.right, detail.faces),
      ),
    );
    const chips = summary.states
      .filter((state) => window.reid.identityStates[state])
      .map((state) => el("span", { class: "ri-state", "data-state": state }, icon(window.reid.identityStates[state][1], 12), window.reid.identityStates[state][0]));
    const section = (title, ...children) => el("section", { class: "ri-section" }, el("h3", {}, title), ...children);
    const action = (label, hint, act, needsPick = false) =>
      el("button", { type: "button", class: "rs-button", "data-needs-pick": needsPick ? "1" : null, disabled: needsPick, onclick: act }, label, hint);

    host.replaceChildren(
      el("p", {}, el("a", { class: "ri-back", href: pageLink("identities"), onclick: (event) => (event.preventDefault(), onLeave()) }, icon("left", 14), "All identities")),
      el(
        "div",
        { class: "ri-head" },
        el("h2", {}, summary.title),
        el("span", { class: "rs-num ri-facts" }, `${crops(summary.num_crops)}${summary.cameras.length ? `, cameras ${summary.cameras.join(", ")}` : ""}`),
        ...chips,
        el("span", { class: "rs-spacer" }),
        action("Name", keyHint("rename"), rename),
        action("Merge or compare", keyHint("compare"), () => openCompare()),
      ),
      summary.aliases.length > 1 ? el("p", { class: "rs-hint" }, `Also called ${summary.aliases.slice(1).join(", ")}`) : "",
      el("div", { class: "ri-tools", role: "group", "aria-label": "Picked crops" }, count, action("Split off", keyHint("split"), split, true), action("Move to…", keyHint("move"), move, true), action("Clear", el("kbd", { "aria-hidden": "true" }, "Esc"), clearPicked, true)),
      compare,
      leads,
      el("div", { class: "ri-sheet" }, ...byCamera),
      detail.missing.length ? el("p", { class: "rs-hint" }, `${crops(detail.missing.length)} named by judgements ${detail.missing.length === 1 ? "is" : "are"} not in the gallery any more.`) : "",
      section("Look-alikes", similarHost),
      section(
        "Held together by",
        el("p", { class: "rs-hint" }, byLabel ? `${crops(byLabel)} by the data set's labels.` : "No label of the data set."),
        linkRows.length ? el("ul", { class: "ri-links" }, ...linkRows) : el("p", { class: "rs-hint" }, "No judgement."),
      ),
      section("Kept apart from", separations.length ? el("ul", { class: "ri-links" }, ...separations) : el("p", { class: "rs-hint" }, "Nobody, by any judgement.")),
      section("History of this identity", detail.history.length ? el("ul", { class: "ri-history" }, ...detail.history.slice(0, 50).map(changeLine)) : el("p", { class: "rs-hint" }, "Nothing was judged yet."), detail.history.length > 50 ? el("a", { href: pageLink("history", { node: summary.node }) }, "All of it") : ""),
    );
    paintPicked();
    paintLeads();
    loadSimilar();
    announce(`${summary.title}, ${crops(summary.num_crops)}`);

    function step(event) {
      if (!host.contains(document.activeElement) && document.activeElement !== document.body && document.activeElement?.dataset.part !== "page") return false;
      if (!buttons.length) return false;
      if (!document.activeElement.classList.contains("ri-crop")) {
        if (document.activeElement.closest("button,a,summary")) return false;
        buttons[current].focus();
        return true;
      }
      const rect = buttons[current].getBoundingClientRect();
      let target = { ArrowRight: current + 1, ArrowLeft: current - 1, Home: 0, End: buttons.length - 1 }[event.key];
      if (target === undefined) {
        const isDown = event.key === "ArrowDown";
        const others = buttons
          .map((button, index) => ({ index, box: button.getBoundingClientRect() }))
          .filter(({ box }) => (isDown ? box.top > rect.top + 4 : box.top < rect.top - 4));
        if (!others.length) return true;
        const row = isDown ? Math.min(...others.map(({ box }) => box.top)) : Math.max(...others.map(({ box }) => box.top));
        target = others
          .filter(({ box }) => Math.abs(box.top - row) < 4)
          .sort((a, b) => Math.abs(a.box.left - rect.left) - Math.abs(b.box.left - rect.left))[0].index;
      }
      if (target >= 0 && target < buttons.length) buttons[target].focus();
      return true;
    }

    /** Judging keys work while two identities are compared; Space still presses the button that has the focus. */
    const judge = (answer) => (event) => {
      if (!other || compare.hidden || event.repeat) return false;
      if (event.key === " " && document.activeElement.closest("button,a,input,summary")) return false;
      compare.say(answer, !event.shiftKey);
      return true;
    };
    const arrows = Object.fromEntries(["ArrowRight", "ArrowLeft", "ArrowUp", "ArrowDown", "Home", "End"].map((name) => [name, step]));
    return {
      keys: {
        ...arrows,
        "@same": judge("same"),
        "@different": judge("different"),
        "@cannot_tell": judge("cannot_tell"),
        "@split": () => void split(),
        "@move": () => void move(),
        "@compare": () => void openCompare(),
        "@rename": () => void rename(),
        Escape: () => {
          if (other) closeCompare();
          else if (picked.size) clearPicked();
          else onLeave();
        },
      },
    };
  };
})();
