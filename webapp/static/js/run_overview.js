/* One run in numbers and figures; slices and matrix cells lead to their queries. */
(() => {
  "use strict";
  const { el, find } = window.reid;
  const HINTS = {
    precision_recall: "all pairs under one distance threshold",
    cameras: "click a cell to list its queries",
    distances: "where the two overlap, a threshold errs",
  };

  window.reid.define("run_overview", (element) => {
    const part = (name) => find(element, name);
    let shown = "";

    function table(caption, header, rows, isWide = false) {
      return el(
        "div",
        { class: "rs-panel rs-flush rs-scroll", tabindex: "0", role: "region", "aria-label": caption, "data-wide": isWide },
        el(
          "table",
          { class: "rs-table rs-num" },
          el("caption", {}, caption),
          el("thead", {}, el("tr", {}, ...header.map((name) => el("th", { scope: "col" }, name)))),
          el("tbody", {}, ...rows),
        ),
      );
    }

    const scoreTable = ({ header, rows }) =>
      table("Scores in percent", header, rows.map(([first, ...rest]) => el("tr", {}, el("th", { scope: "row" }, first), ...rest.map((text) => el("td", {}, text)))), true);

    function sliceTable(slice, address) {
      const rows = slice.rows
        .filter((row) => row.queries !== "0")
        .map((row) => {
          const label = Object.keys(row.filters).length ? el("a", { href: address(row.filters) }, row.label) : row.label;
          return el(
            "tr",
            {},
            el("th", { scope: "row" }, label),
            el("td", {}, row.queries),
            el("td", {}, row.rank1),
            el("td", {}, el("span", { class: "rs-bar-cell", style: `--share: ${row.share ?? 0}` }, row.mean_ap)),
            el("td", {}, row.mean_inp),
          );
        });
      return table(slice.title, ["Range", "Queries", "Rank-1", "mAP", "mINP"], rows);
    }

    /** mAP by camera pair as a table: what the heat map shows, for the keyboard and for reading aloud. */
    function cameraTable({ cameras, rows }, address) {
      const cell = ({ text, queries, filters }, query, match) =>
        el(
          "td",
          {},
          Object.keys(filters).length
            ? el("a", { href: address(filters), title: `${queries} queries of camera ${query} with a match in camera ${match}`, "aria-label": `mAP ${text}, query camera ${query}, gallery camera ${match}, ${queries} queries` }, text)
            : text,
        );
      return table(
        "mAP by camera pair: gallery cameras across",
        ["Query camera", ...cameras.map((camera) => `cam ${camera}`)],
        rows.map(({ camera, cells }) => el("tr", {}, el("th", { scope: "row" }, `cam ${camera}`), ...cells.map((one, place) => cell(one, camera, cameras[place])))),
        true,
      );
    }

    return {
      hide: (isHidden) => (part("root").hidden = isHidden),
      /** An Overview; `address(filters)` lists failures, `loadFigures()` gives figures by name, `file(path)` an address. */
      async show(run, { address, loadFigures, file }) {
        part("tiles").replaceChildren(
          ...run.tiles.map((tile) =>
            el("div", { class: "rs-tile" }, el("span", {}, tile.title), el("b", { class: "rs-num" }, tile.value), el("small", { class: "rs-num" }, tile.interval)),
          ),
        );
        part("interval-note").textContent = run.interval_note;
        part("tables").replaceChildren(...(run.table.rows.length > 1 ? [scoreTable(run.table)] : []), ...run.slices.map((slice) => sliceTable(slice, address)), ...(run.camera_pairs ? [cameraTable(run.camera_pairs, address)] : []));
        part("files").replaceChildren(
          "Tables: ",
          ...run.files.flatMap((name) => [el("a", { href: file(`/tables/${encodeURIComponent(name)}`), download: name }, name), " "]),
        );
        if (shown === run.id) return;
        shown = run.id;
        const figures = await loadFigures();
        if (shown !== run.id || figures.error) return;
        part("figures").replaceChildren(
          ...Object.entries(figures).map(([name, figure]) =>
            window.reid.plots.card(name, figure, {
              hint: HINTS[name],
              file: (suffix) => file(`/figures/${name}.${suffix}`),
              onPoint: name === "cameras" ? ({ x, y }) => (location.href = address({ cams: `${y.replace("cam ", "")}-${x.replace("cam ", "")}` })) : null,
            }),
          ),
        );
      },
    };
  });
})();
