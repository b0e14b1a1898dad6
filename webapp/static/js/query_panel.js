/* Query panel: shows the query and reports a new one. Reports ids through onQuery(id); files are stored first. */
(() => {
  "use strict";
  const { el, find, icon, ask, imageUrl, isTyping, notice, announce, ID_TYPE } = window.reid;

  window.reid.define("query_panel", (element, server) => {
    const part = (name) => find(element, name);
    const drop = part("drop");
    const file = part("file");
    const maxMegabytes = Number(element.querySelector("[data-max-mb]").dataset.maxMb);
    let onQuery = () => {};
    let lastPhoto = null; // the picture behind the present query, for drawing another box on it

    const editor = window.reid.cropEditor(element, { onBox: (photo, box) => store(photo, box) });
    const webcam = window.reid.webcam(element, { onPhoto: take, onProblem: problem });

    for (const [name, glyph] of [["upload", "upload"], ["paste", "paste"], ["webcam", "camera"], ["box", "box"]]) {
      part(name).prepend(icon(glyph, 14));
    }

    function problem(text) {
      part("problem").replaceChildren(...(text ? [notice("bad", text)] : []));
    }

    /** A file from anywhere: a person's crop is searched at once, a larger photo gets a box first. */
    async function take(photo) {
      problem("");
      if (photo.size > maxMegabytes * 1e6) {
        problem(`The picture has ${(photo.size / 1e6).toFixed(0)} MB; at most ${maxMegabytes} MB are read. Scale it down first.`);
        return;
      }
      const size = await window.reid.pictureSize(photo);
      if (size && needsBox(size)) editor.open(photo, size);
      else await store(photo, null);
    }

    /* Crops are tall and small. What is wide, or too large for a detector's crop, is a photo with people in it. */
    const needsBox = ({ width, height }) =>
      Math.max(width, height) > 800 || (width > 0.75 * height && Math.max(width, height) > 320);

    async function store(photo, box) {
      problem("");
      drop.setAttribute("aria-busy", "true");
      const fields = { file: photo };
      if (box) fields.box = JSON.stringify(box);
      const answer = await ask(server.store_upload, { binary: true, data: fields });
      drop.removeAttribute("aria-busy");
      if (!answer.query_id) {
        problem(answer.error);
        return;
      }
      lastPhoto = { id: answer.query_id, file: photo };
      onQuery(answer.query_id);
    }

    async function drawAgain() {
      const size = await window.reid.pictureSize(lastPhoto.file);
      if (size) editor.open(lastPhoto.file, size);
    }

    async function pasteFromClipboard() {
      problem("");
      try {
        for (const item of await navigator.clipboard.read()) {
          const type = item.types.find((name) => name.startsWith("image/"));
          if (type) return take(await item.getType(type));
        }
        problem("The clipboard holds no picture. Copy one first, then paste.");
      } catch {
        problem("The browser did not open the clipboard to this button. Press Ctrl+V (or Cmd+V) on the page instead.");
      }
      return undefined;
    }

    const imageIn = (transfer) => [...(transfer?.files ?? [])].find((f) => f.type.startsWith("image/")) ?? transfer?.files?.[0];

    part("upload").addEventListener("click", () => file.click());
    part("paste").addEventListener("click", pasteFromClipboard);
    part("webcam").addEventListener("click", () => webcam.open());
    part("box").addEventListener("click", drawAgain);
    file.addEventListener("change", () => {
      if (file.files[0]) take(file.files[0]);
      file.value = "";
    });
    document.addEventListener("paste", (event) => {
      const photo = imageIn(event.clipboardData);
      if (!photo || isTyping(event.target)) return;
      event.preventDefault();
      take(photo);
    });

    /* A file may be dropped anywhere on the page; missing the panel must not make the browser open it. */
    const carries = (event, type) => [...(event.dataTransfer?.types ?? [])].includes(type);
    document.addEventListener("dragover", (event) => {
      if (!carries(event, "Files") && !carries(event, ID_TYPE)) return;
      event.preventDefault();
      drop.toggleAttribute("data-over", carries(event, "Files") || drop.contains(event.target));
    });
    document.addEventListener("dragend", () => drop.removeAttribute("data-over"));
    document.addEventListener("dragleave", (event) => {
      if (!event.relatedTarget) drop.removeAttribute("data-over");
    });
    document.addEventListener("drop", (event) => {
      drop.removeAttribute("data-over");
      const photo = imageIn(event.dataTransfer);
      if (photo) {
        event.preventDefault();
        take(photo);
      } else if (carries(event, ID_TYPE) && drop.contains(event.target)) {
        event.preventDefault();
        onQuery(event.dataTransfer.getData(ID_TYPE));
      }
    });

    function exampleButton(example) {
      const button = el(
        "button",
        { type: "button", class: "rs-example", draggable: "true", "data-id": example.id, title: example.id },
        el("img", {
          src: imageUrl(example.image_url, 256),
          width: 64,
          height: 128,
          alt: `Example from ${example.camera}`,
          draggable: "false",
        }),
      );
      button.addEventListener("click", () => onQuery(example.id));
      button.addEventListener("dragstart", (event) => {
        event.dataTransfer.setData(ID_TYPE, example.id);
        event.dataTransfer.effectAllowed = "copy";
      });
      return el("li", {}, button);
    }

    return {
      onQuery: (callback) => (onQuery = callback),
      showExamples(examples) {
        part("examples").replaceChildren(...examples.map(exampleButton));
        part("examples").previousElementSibling.hidden = examples.length === 0;
      },
      showQuery(query) {
        drop.toggleAttribute("data-empty", !query);
        if (query) {
          part("picture").replaceChildren(
            el("img", { src: imageUrl(query.image_url, 512), alt: `Query: ${query.title}`, draggable: "false" }),
          );
          part("facts").replaceChildren(
            ...query.facts.flatMap((fact) => [el("dt", {}, fact.label), el("dd", { class: "rs-num" }, fact.text)]),
          );
        } else {
          part("picture").replaceChildren();
          part("facts").replaceChildren();
        }
        part("box").hidden = !(query && lastPhoto && lastPhoto.id === query.id);
        for (const button of element.querySelectorAll(".rs-example")) {
          button.setAttribute("aria-pressed", String(Boolean(query) && button.dataset.id === query.id));
        }
      },
      showProblem(text) {
        problem(text);
        if (text) announce(text);
      },
    };
  });
})();
