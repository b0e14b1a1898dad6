/* Every block and stream of an explanation as small pictures; a click looks at one of them in full. */
(() => {
  "use strict";
  const { el, imageUrl, heatMaps } = window.reid;
  const { mapOf, draw } = heatMaps;
  const WIDTH = 56;
  const HEIGHT = 112;

  /** Fill a table. `cards` are the crops' cards, `choice` the map that is shown, onChoose({ block, stream }). */
  window.reid.drawAtlas = (table, { data, cards, choice, onChoose }) => {
    const kind = choice.map === "squared" ? "energy" : choice.map;
    const isSigned = kind === "evidence";
    const colours = data.colours[isSigned ? "evidence" : "energy"];

    function picture(place, stream, side) {
      const canvas = el("canvas", { width: WIDTH * 2, height: HEIGHT * 2 });
      const scale = place.scales[kind][stream ? "stream" : "all"];
      draw(canvas, mapOf(place.crops[side][kind], stream), { scale, colours, isSigned });
      const image = el("img", { src: imageUrl(cards[side].image_url, 256), alt: "", draggable: "false" });
      return el("span", { class: "rs-atlas-crop" }, image, canvas);
    }

    function cell(place, stream) {
      const isChosen = place.name === choice.block && stream === choice.stream;
      const name = stream ? `stream ${stream}` : "all streams";
      return el(
        "td",
        {},
        el(
          "button",
          { type: "button", class: "rs-atlas-cell", "aria-pressed": String(isChosen), "aria-label": `${place.name}, ${name}`, onclick: () => onChoose({ block: place.name, stream }) },
          ...cards.map((_, side) => picture(place, stream, side)),
        ),
      );
    }

    const heads = ["All", ...data.streams.map(({ stream, field }) => `${stream}: ${field} × ${field}`)];
    table.replaceChildren(
      el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Block"), ...heads.map((text) => el("th", { scope: "col" }, text)))),
      el(
        "tbody",
        {},
        ...data.places.map((place) => {
          const streams = place.num_streams > 1 ? [0, 1, 2, 3, 4] : [0];
          const [, height, width] = place.crops[0].energy.shape;
          return el(
            "tr",
            {},
            el("th", { scope: "row" }, place.name, el("small", { class: "rs-num" }, `${height} × ${width}`)),
            ...streams.map((stream) => cell(place, stream)),
          );
        }),
      ),
    );
  };
})();
