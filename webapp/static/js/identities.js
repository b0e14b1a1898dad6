/* The Identities page: the address says whether the list, one identity, or the contradictions are shown. */
(() => {
  "use strict";
  const { el, find, icon, imageUrl, notice, part: component, readParams, writeParams, readV1, pushKeys, announce } = window.reid;
  const PAGE = 60;
  const POLL_MS = 2000;
  const CARD = { cardWidth: 232, cardHeight: 214, gap: 12, pageSize: PAGE };
  const LISTED = ["text", "cam", "state", "sort"];
  const ARROWS = ["ArrowRight", "ArrowLeft", "ArrowUp", "ArrowDown", "Home", "End"];

  window.reid.define("identities", async (element) => {
    const part = (name) => find(element, name);
    const filter = await component("identity_filter");
    let { g: gallery = "", m: model = "" } = readParams();
    let popKeys = () => {};
    let turn = 0;
    let listed = ""; // the filter that the list on screen belongs to
    let opened = 0; // place in the list that was opened last
    let viewKeys = {};

    const session = await window.reid.annotator({ host: part("annotator"), gallery: () => gallery, onResult: settled });

    /* ---- the list ---- */
    function card(summary, index) {
      const sheet = summary.crops.slice(0, 8).map((face) => el("img", { src: imageUrl(face.image_url, 128), alt: "", loading: "lazy", draggable: "false" }));
      const chips = summary.states
        .filter((state) => window.reid.identityStates[state])
        .map((state) => el("span", { class: "ri-state", "data-state": state }, icon(window.reid.identityStates[state][1], 12), window.reid.identityStates[state][0]));
      const link = el(
        "a",
        {
          class: "ri-card-link",
          href: window.reid.pageLink("identities", { id: summary.node }),
          "data-node": summary.node,
          onclick: (event) => {
            if (event.ctrlKey || event.metaKey || event.shiftKey) return;
            event.preventDefault();
            opened = index;
            openOne(summary.node);
          },
        },
        el("span", { class: "ri-card-sheet" }, ...sheet),
        el("b", {}, summary.title),
        el("span", { class: "rs-num ri-facts" }, `${summary.num_crops} crop${summary.num_crops === 1 ? "" : "s"}${summary.cameras.length ? `, cam ${summary.cameras.join(" ")}` : ""}`),
        el("span", { class: "ri-chips" }, ...chips),
      );
      return el("div", { class: "ri-card", role: "listitem" }, link);
    }

    const grid = window.reid.virtualGrid({
      scroll: part("scroll"),
      canvas: part("canvas"),
      ...CARD,
      card,
      load: async (page) => (await readV1("identities", { ...wanted(), page })).identities ?? null,
    });

    function wanted() {
      const { text = "", cam = "", state = "", sort = "" } = readParams();
      return { gallery, model, text, camera: cam, state, order: sort || "size", page_size: PAGE };
    }

    async function showList({ isFresh = false } = {}) {
      show("list");
      viewKeys = Object.fromEntries(ARROWS.map((name) => [name, grid.step]));
      setKeys();
      const own = JSON.stringify(wanted());
      if (!isFresh && own === listed) {
        grid.focus(opened);
        return;
      }
      turn += 1;
      const mine = turn;
      part("list").setAttribute("aria-busy", "true");
      const found = await readV1("identities", wanted());
      if (mine !== turn) return;
      part("list").removeAttribute("aria-busy");
      if (!found.identities) {
        part("list").hidden = true;
        if (found.status === 409) {
          say("info", found.error); // the gallery is being prepared
          setTimeout(() => mine === turn && showList({ isFresh: true }), POLL_MS);
        } else say("bad", found.error, () => showList({ isFresh: true }));
        return;
      }
      listed = own;
      opened = 0;
      part("count").textContent = `${found.num_all.toLocaleString()} identit${found.num_all === 1 ? "y" : "ies"}`;
      part("state").replaceChildren();
      if (!found.num_all) say("info", LISTED.some((name) => readParams()[name]) ? "No identity passes these filters." : "This gallery has no identity yet.");
      grid.show(found.num_all, found.identities);
    }

    /* ---- one identity ---- */
    async function showOne(node) {
      turn += 1;
      const mine = turn;
      const detail = await readV1("identities/one", { id: node, gallery });
      if (mine !== turn) return;
      if (!detail.summary) {
        show("");
        say("bad", `${detail.error} It may be of another gallery.`, () => leave(), "All identities");
        return;
      }
      show("detail");
      const view = window.reid.identityDetail(part("detail"), detail, { session, gallery, model, onLeave: leave, onOpen: openOne });
      viewKeys = view.keys;
      setKeys();
      const { id } = readParams();
      if (id === node) part("page").focus({ preventScroll: true });
    }

    async function showConflicts() {
      turn += 1;
      const mine = turn;
      const found = await readV1("identities/conflicts", { gallery });
      if (mine !== turn) return;
      if (!found.conflicts) {
        show("");
        say("bad", found.error, () => leave(), "All identities");
        return;
      }
      filter.showConflicts(found.conflicts.length);
      show("conflicts");
      const view = window.reid.identityConflicts(part("conflicts"), found.conflicts, {
        settle: (conflict, way) => session.send([{ kind: "settle", target: conflict.contested.id, way }]),
        onLeave: leave,
      });
      viewKeys = view.keys;
      setKeys();
      view.focus();
    }

    function show(name) {
      for (const own of ["list", "detail", "conflicts"]) part(own).hidden = own !== name;
      part("state").replaceChildren();
      if (name !== "detail") part("detail").replaceChildren();
    }

    function say(kind, text, act, label = "Try again") {
      const button = act ? [el("button", { type: "button", class: "rs-button", onclick: act }, label)] : [];
      part("state").replaceChildren(notice(kind, text, ...button));
      announce(text);
    }

    function showAddress(options) {
      const { id = "", view = "" } = readParams();
      filter.show(readParams());
      window.scrollTo({ top: 0 });
      if (view === "conflicts") return showConflicts();
      return id ? showOne(id) : showList(options);
    }

    function go(changes) {
      const params = { ...readParams(), ...changes };
      for (const name of Object.keys(params)) if (!params[name]) delete params[name];
      writeParams(params, { push: true });
      return showAddress();
    }
    const openOne = (node) => go({ id: node, view: "" });
    const leave = () => go({ id: "", view: "" });

    /** The server's word on an answer: what is on screen is out of date, so it is read anew. */
    async function settled() {
      listed = "";
      await session.loadStacks();
      countConflicts();
      const { id = "", view = "" } = readParams();
      if (view === "conflicts") await showConflicts();
      else if (id) await showOne(id);
      else await showList({ isFresh: true });
    }

    async function countConflicts() {
      const found = await readV1("identities/conflicts", { gallery });
      if (found.conflicts) filter.showConflicts(found.conflicts.length);
    }

    /* ---- keys ---- */
    const openHelp = () => window.reid.openKeys("identities");

    function setKeys() {
      popKeys();
      popKeys = pushKeys({ ...session.keys, ...viewKeys, "@help": openHelp });
    }

    filter.onChange((changes) => go({ ...changes, id: "", view: "" }));
    filter.onConflicts(() => go({ view: "conflicts", id: "" }));
    filter.onHelp(openHelp);
    window.addEventListener("popstate", () => showAddress());

    const header = await component("header");
    header.onScope((_which, scope) => {
      writeParams(scope, { push: true });
      location.reload();
    });
    const known = await readV1("galleries");
    const own = (known.galleries ?? []).find((entry) => (gallery ? entry.name === gallery : entry.is_default));
    filter.setCameras(own?.cameras ?? [], readParams().cam ?? "");
    countConflicts();
    await showAddress();
  });
})();
