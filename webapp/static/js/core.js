/* What every component shares: building nodes, icons, mounting, keys, the address bar, calls to Python.
   Text of a gallery (ids, attributes, messages) only ever reaches the page as text nodes and attributes. */
(() => {
  "use strict";
  if (window.reid) return;

  const SVG_NS = "http://www.w3.org/2000/svg";
  const ICONS = {
    check: "M3.5 8.5l3 3 6-7",
    cross: "M4 4l8 8M12 4l-8 8",
    junk: "M8 2.5a5.5 5.5 0 1 0 0 11a5.5 5.5 0 1 0 0-11M4.2 4.2l7.6 7.6",
    camera: "M2 5.5h2.5l1-1.5h5l1 1.5H14v7H2zM8 7a2 2 0 1 0 0 4a2 2 0 1 0 0-4",
    unknown: "M5.8 6.2a2.2 2.2 0 1 1 3.2 2c-.7.4-1 .8-1 1.6M8 12.2v.1",
    search: "M7 2.5a4.5 4.5 0 1 0 0 9a4.5 4.5 0 1 0 0-9M10.5 10.5l3 3",
    upload: "M8 11V3M4.8 6L8 2.8L11.2 6M2.8 13.2h10.4",
    paste: "M5.5 3.5h-2v10h9v-10h-2M5.5 2.5h5v2h-5z",
    box: "M2.5 5V2.5H5M11 2.5h2.5V5M13.5 11v2.5H11M5 13.5H2.5V11",
    target: "M8 1.8v3M8 11.2v3M1.8 8h3M11.2 8h3M8 5.2a2.8 2.8 0 1 0 0 5.6a2.8 2.8 0 1 0 0-5.6",
    left: "M10 3L5 8l5 5",
    right: "M6 3l5 5-5 5",
    menu: "M2.5 4.5h11M2.5 8h11M2.5 11.5h11",
    sun: "M8 5a3 3 0 1 0 0 6a3 3 0 1 0 0-6M8 1.5v1.4M8 13.1v1.4M1.5 8h1.4M13.1 8h1.4M3.4 3.4l1 1M11.6 11.6l1 1M3.4 12.6l1-1M11.6 4.4l1-1",
    moon: "M13 9.8A5.6 5.6 0 0 1 6.2 3A5.6 5.6 0 1 0 13 9.8z",
    help: "M8 1.8a6.2 6.2 0 1 0 0 12.4a6.2 6.2 0 1 0 0-12.4M6.2 6.4a1.9 1.9 0 1 1 2.7 1.7c-.6.3-.9.7-.9 1.3M8 11.4v.1",
    warn: "M8 2.5l6 11H2zM8 6.5v3.2M8 11.6v.1",
    info: "M8 1.8a6.2 6.2 0 1 0 0 12.4a6.2 6.2 0 1 0 0-12.4M8 7.2v4M8 4.9v.1",
    plus: "M8 3v10M3 8h10",
    minus: "M3 8h10",
    reset: "M3 8a5 5 0 1 0 1.7-3.8M3 2.5v3h3",
    link: "M6.5 9.5l3-3M7 4.5l1.6-1.6a2.8 2.8 0 0 1 4 4L11 8.5M9 11.5l-1.6 1.6a2.8 2.8 0 0 1-4-4L5 7.5",
    folder: "M1.8 4h4.4l1.3 1.6h6.7v7.2H1.8z",
    database: "M2.5 4c0-1.2 2.5-2 5.5-2s5.5.8 5.5 2-2.5 2-5.5 2-5.5-.8-5.5-2v8c0 1.2 2.5 2 5.5 2s5.5-.8 5.5-2V4M2.5 8c0 1.2 2.5 2 5.5 2s5.5-.8 5.5-2",
    model: "M3.2 3.200h.1M3.2 8h.1M3.2 12.800h.1M8 5.500h.1M8 10.500h.1M12.8 8h.1M3.2 3.200L8 5.500L3.2 8L8 10.500L3.2 12.800M8 5.500L12.8 8L8 10.5",
  };

  /** Make an element: attributes (on* are listeners; false and null are left out), then children. */
  function el(tag, attributes, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes ?? {})) {
      if (value === false || value === null || value === undefined) continue;
      if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
      else node.setAttribute(name, value === true ? "" : value);
    }
    node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== ""));
    return node;
  }

  /** Make an SVG element with attributes. */
  function svg(tag, attributes, ...children) {
    const node = document.createElementNS(SVG_NS, tag);
    for (const [name, value] of Object.entries(attributes ?? {})) node.setAttribute(name, value);
    node.append(...children);
    return node;
  }

  function icon(name, size = 16) {
    return svg(
      "svg",
      { viewBox: "0 0 16 16", width: size, height: size, class: "rs-icon", "aria-hidden": "true", focusable: "false" },
      svg("path", { d: ICONS[name] }),
    );
  }

  /** Type under which an image id travels when an example or a card is dragged. */
  const ID_TYPE = "application/x-reid-id";

  /* ---- components: define() in a script, mount() from the page, part() to reach another one ---- */
  const definitions = new Map();
  const parts = new Map();

  function slot(name) {
    if (!parts.has(name)) {
      let resolve;
      const ready = new Promise((done) => (resolve = done));
      parts.set(name, { ready, resolve });
    }
    return parts.get(name);
  }

  function mount(name, element, server) {
    slot(name).resolve(definitions.get(name)(element, server ?? {}) ?? {});
  }

  /** The element marked data-part="name" below a skeleton. */
  const find = (element, name) => element.querySelector(`[data-part="${name}"]`);

  /* ---- calls to Python: an answer always comes back, if need be as { error } ---- */
  async function ask(serverFunction, data = {}) {
    try {
      const answer = await serverFunction(data);
      if (answer) return answer; // Gradio answers nothing when the function failed
    } catch (failure) {
      console.warn("call failed:", failure);
    }
    const message =
      "The server gave no answer. Check that the app is still running and what its log says, then try again.";
    return { error: message, message };
  }

  /* ---- one keyboard handler for the page; the topmost layer gets the key ---- */
  const layers = [];
  const EDITABLE =
    "input:not([type=checkbox]):not([type=radio]):not([type=button]),textarea,select,[contenteditable=true],[role=textbox],[role=combobox]";
  const isTyping = (target) => Boolean(target?.closest?.(EDITABLE));

  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (isTyping(event.composedPath()[0])) return;
    const layer = layers.at(-1);
    if (!layer) return;
    for (const name of window.reid.keyMap.namesOf(event)) {
      if (layer[name] && layer[name](event) !== false) {
        event.preventDefault();
        return;
      }
    }
  });

  /** Put a map of key (or "@action" of the key map) -> function on top; the returned function takes it off.
   * A false return passes the key on. */
  function pushKeys(map) {
    layers.push(map);
    return () => {
      const place = layers.indexOf(map);
      if (place >= 0) layers.splice(place, 1);
    };
  }

  /* ---- address bar ---- */
  const readParams = () => Object.fromEntries(new URLSearchParams(location.search));

  /** Address parameters for a link to another page: the gallery and the model of this one, and `more`. */
  function scopeParams(more) {
    const { g, m } = readParams();
    return new URLSearchParams({ ...(g ? { g } : {}), ...(m ? { m } : {}), ...more }).toString();
  }

  function writeParams(params, { push = false } = {}) {
    const search = new URLSearchParams(params).toString().replaceAll("%2C", ",").replaceAll("%3A", ":");
    const url = location.pathname + (search ? `?${search}` : "");
    if (url === location.pathname + location.search) return;
    history[push ? "pushState" : "replaceState"](null, "", url);
  }

  /* ---- small things ---- */
  function announce(text) {
    const region = document.getElementById("rs-live");
    if (region) region.textContent = text;
  }

  /** The same image at another height; without one in full size. */
  function imageUrl(url, height) {
    const bare = url.replace(/([?&])h=\d+(&|$)/, (_, start, end) => (end ? start : ""));
    if (!height) return bare;
    return `${bare}${bare.includes("?") ? "&" : "?"}h=${height}`;
  }

  const VERDICTS = {
    true: { word: "True", icon: "check", long: "true match" },
    false: { word: "False", icon: "cross", long: "false match" },
    junk: { word: "Junk", icon: "junk", long: "junk" },
    same_camera: { word: "Same cam", icon: "camera", long: "same person, same camera" },
    unknown: { word: "Unknown", icon: "unknown", long: "identity not known" },
  };

  function verdictChip(verdict) {
    const { word, icon: name } = VERDICTS[verdict];
    return el("span", { class: "rs-verdict", "data-verdict": verdict }, icon(name, 12), word);
  }

  /** A sentence in place: kind is info, warn or bad; children may be buttons. */
  function notice(kind, text, ...children) {
    return el(
      "div",
      { class: "rs-notice", "data-kind": kind, role: kind === "bad" ? "alert" : null },
      icon(kind === "info" ? "info" : "warn"),
      el("p", {}, text),
      ...children,
    );
  }

  window.reid = {
    el,
    svg,
    icon,
    find,
    ID_TYPE,
    define: (name, factory) => definitions.set(name, factory),
    mount,
    part: (name) => slot(name).ready,
    ask,
    pushKeys,
    isTyping,
    readParams,
    writeParams,
    scopeParams,
    announce,
    imageUrl,
    VERDICTS,
    verdictChip,
    notice,
  };
})();
