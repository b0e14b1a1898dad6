/* Figures: plotly comes from this server when the first one is needed; each can be saved as picture or numbers. */
(() => {
  "use strict";
  if (window.reid.plots) return;
  const { el } = window.reid;
  const SOURCE = "gradio_api/reid/vendor/plotly.min.js";
  let loading = null;

  function load() {
    loading ??= new Promise((resolve, reject) => {
      const script = el("script", { src: SOURCE });
      script.onload = () => resolve(window.Plotly);
      script.onerror = () => reject(new Error("plotly could not be loaded"));
      document.head.append(script);
    });
    return loading;
  }

  const token = (name) => getComputedStyle(document.body).getPropertyValue(name).trim();

  /** The figure's layout in the colours of the page; the figure itself names none but those of its data. */
  function themed(layout) {
    const ink = token("--rs-ink");
    const axis = { gridcolor: token("--rs-line"), linecolor: token("--rs-line-strong"), zerolinecolor: token("--rs-line-strong"), automargin: true };
    const axes = Object.keys(layout).filter((name) => /^[xy]axis/.test(name));
    return {
      ...layout,
      title: undefined, // the card has it as a heading
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      font: { color: ink, family: "Inter Var, sans-serif", size: 12 },
      margin: { l: 56, r: 16, t: 28, b: 48 },
      ...Object.fromEntries([...new Set(["xaxis", "yaxis", ...axes])].map((name) => [name, { ...axis, ...layout[name] }])),
    };
  }

  /** Dark ground needs lighter lines than print does. */
  const LIGHTER = { "#0072B2": "#56B4E9", "#B34A00": "#E8793B" };
  function tinted(data) {
    if (!document.body.classList.contains("dark")) return data;
    return JSON.parse(JSON.stringify(data).replaceAll(/#0072B2|#B34A00/g, (colour) => LIGHTER[colour]));
  }

  function draw(Plotly, box, figure) {
    return Plotly.react(box, tinted(figure.data), themed(figure.layout), { responsive: true, displaylogo: false, modeBarButtonsToRemove: ["lasso2d", "select2d"] });
  }

  const titleOf = (figure) => (typeof figure.layout.title === "string" ? figure.layout.title : figure.layout.title?.text) ?? "";

  /** For the saved picture: white ground, dark ink, its title, at twice the size. */
  async function save(box, figure, name, format) {
    const Plotly = await load();
    const layout = { ...figure.layout, paper_bgcolor: "#fff", plot_bgcolor: "#fff", font: { color: "#111827", size: 13 }, width: box.clientWidth, height: box.clientHeight };
    const scale = format === "png" ? 3 : 1;
    const picture = await Plotly.toImage({ data: figure.data, layout }, { format, width: layout.width, height: layout.height, scale });
    el("a", { href: picture, download: `${name}.${format}` }).click();
  }

  /** A card with a figure, drawn once it comes into view. `file(suffix)` is the address of html and csv. */
  function card(name, figure, { file, hint = "", onPoint = null }) {
    const title = titleOf(figure) || name.replaceAll("_", " ");
    const box = el("div", { class: "rs-figure-box", role: "group", "aria-label": `${title}. The CSV button gives its numbers.` });
    if (figure.layout.height) box.style.height = `${figure.layout.height}px`;
    const button = (format) =>
      el("button", { type: "button", class: "rs-button", "aria-label": `${title} as ${format.toUpperCase()}`, onclick: () => save(box, figure, name, format) }, format.toUpperCase());
    const link = (suffix) =>
      el("a", { class: "rs-button", href: file(suffix), download: "", "aria-label": `${title} as ${suffix.toUpperCase()}` }, suffix.toUpperCase());
    const node = el(
      "figure",
      { class: "rs-figure", "data-figure": name },
      el("figcaption", {}, el("h2", {}, title), hint ? el("span", { class: "rs-hint" }, hint) : null),
      box,
      el("div", { class: "rs-figure-files" }, button("png"), button("svg"), link("html"), link("csv")),
    );
    async function paint() {
      try {
        const Plotly = await load();
        await draw(Plotly, box, figure);
        box.dataset.drawn = "1";
        if (onPoint) {
          box.removeAllListeners?.("plotly_click");
          box.on("plotly_click", ({ points }) => onPoint(points[0]));
        }
      } catch {
        box.textContent = "The figure could not be drawn; its numbers are in the CSV.";
      }
    }
    new IntersectionObserver((entries, observer) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      observer.disconnect();
      paint();
      new MutationObserver(() => box.isConnected && paint()).observe(document.body, { attributeFilter: ["class"] });
    }, { rootMargin: "300px" }).observe(node);
    return node;
  }

  window.reid.plots = { card };
})();
