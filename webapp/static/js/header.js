/* Header: page links that keep gallery and model, the two selectors, the menu on small screens, light or dark. */
(() => {
  "use strict";
  const { el, find, icon, ask, readParams } = window.reid;
  const STORED = "reid-theme";
  const prefersDark = window.matchMedia("(prefers-color-scheme: dark)");

  function storedTheme() {
    try {
      return localStorage.getItem(STORED);
    } catch {
      return null; // storage is switched off: follow the system
    }
  }

  function storeTheme(theme) {
    try {
      localStorage.setItem(STORED, theme);
    } catch {
      /* not remembered, still switched */
    }
  }

  const isDark = () => document.body.classList.contains("dark");

  function themeSwitch(button) {
    const paint = () => {
      const label = isDark() ? "Switch to light" : "Switch to dark";
      button.replaceChildren(icon(isDark() ? "sun" : "moon"));
      button.setAttribute("aria-label", label);
      button.title = label;
    };
    const apply = () => {
      const theme = storedTheme();
      document.body.classList.toggle("dark", theme ? theme === "dark" : prefersDark.matches);
      paint();
    };
    button.addEventListener("click", () => {
      storeTheme(isDark() ? "light" : "dark");
      apply();
    });
    prefersDark.addEventListener("change", () => setTimeout(apply)); // after Gradio's own listener
    apply();
  }

  function fill(select, choices, chosen) {
    const known = choices.some((choice) => choice.name === chosen);
    const options = choices.map((choice) =>
      el("option", { value: choice.name, title: choice.detail, selected: choice.name === chosen }, choice.title),
    );
    if (!known && chosen) options.unshift(el("option", { value: chosen, selected: true }, `${chosen} (not found)`));
    if (!options.length) options.push(el("option", {}, "none"));
    select.replaceChildren(...options);
    select.disabled = choices.length === 0;
    select.title = choices.find((choice) => choice.name === chosen)?.detail ?? "";
  }

  window.reid.define("header", (element, server) => {
    const gallery = find(element, "gallery");
    const model = find(element, "model");
    const menu = find(element, "menu");
    find(element, "gallery-icon").append(icon("database", 14));
    find(element, "model-icon").append(icon("model", 14));
    menu.append(icon("menu", 18));
    themeSwitch(find(element, "theme"));

    let listener = null;
    const chosen = () => ({ g: gallery.value, m: model.value });

    function keepScopeInLinks() {
      const { g, m } = readParams();
      const scope = new URLSearchParams();
      if (g) scope.set("g", g);
      if (m) scope.set("m", m);
      for (const link of element.querySelectorAll(".rs-nav a")) {
        link.search = scope.toString();
      }
    }

    function show(scope) {
      fill(gallery, scope.galleries, scope.gallery);
      fill(model, scope.models, scope.model);
      keepScopeInLinks();
    }

    async function refresh() {
      const { g = "", m = "" } = readParams();
      const scope = await ask(server.describe_scope, { g, m });
      if (scope.galleries) show(scope);
    }

    function changed(which) {
      if (listener) listener(which, chosen());
      else location.search = new URLSearchParams({ ...readParams(), ...chosen() }).toString();
    }
    gallery.addEventListener("change", () => changed("gallery"));
    model.addEventListener("change", () => changed("model"));

    function toggleMenu(open) {
      element.querySelector(".rs-bar").toggleAttribute("data-open", open);
      menu.setAttribute("aria-expanded", String(open));
    }
    menu.addEventListener("click", () => toggleMenu(menu.getAttribute("aria-expanded") !== "true"));
    element.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && menu.getAttribute("aria-expanded") === "true") {
        toggleMenu(false);
        menu.focus();
      }
    });

    refresh();
    return {
      refresh,
      /** callback(which, { g, m }) takes over from reloading the page with another scope. */
      onScope: (callback) => (listener = callback),
    };
  });
})();
