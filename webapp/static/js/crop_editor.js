/* A box drawn on a larger photo. Coordinates are pixels of the upright picture: browsers turn it as EXIF says. */
(() => {
  "use strict";
  const { find, icon, el } = window.reid;
  const MIN_SIDE = 8;
  const HANDLES = ["nw", "n", "ne", "e", "se", "s", "sw", "w"];
  const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

  /** Upright width and height, or null where the browser cannot decode the file (the server may still). */
  window.reid.pictureSize = async (file) => {
    try {
      const bitmap = await createImageBitmap(file, { imageOrientation: "from-image" });
      const size = { width: bitmap.width, height: bitmap.height };
      bitmap.close();
      return size;
    } catch {
      return null;
    }
  };

  window.reid.cropEditor = (element, { onBox }) => {
    const part = (name) => find(element, `crop-${name}`);
    const dialog = find(element, "crop");
    const stage = part("stage");
    const image = part("image");
    const frame = part("box");
    const preview = part("preview");
    let file = null;
    let size = { width: 1, height: 1 };
    let box = { left: 0, top: 0, right: 1, bottom: 1 };
    let drag = null;
    let isGuess = true; // until a person has touched it, a drag that starts inside the box draws a new one

    part("close").append(icon("cross"));
    frame.append(...HANDLES.map((name) => el("i", { "data-handle": name })));

    function touch() {
      isGuess = false;
      frame.removeAttribute("data-guess");
    }

    function set(next) {
      const left = clamp(Math.min(next.left, next.right), 0, size.width - MIN_SIDE);
      const top = clamp(Math.min(next.top, next.bottom), 0, size.height - MIN_SIDE);
      box = {
        left,
        top,
        right: clamp(Math.max(next.left, next.right), left + MIN_SIDE, size.width),
        bottom: clamp(Math.max(next.top, next.bottom), top + MIN_SIDE, size.height),
      };
      draw();
    }

    function draw() {
      const percent = (value, whole) => `${(100 * value) / whole}%`;
      frame.style.left = percent(box.left, size.width);
      frame.style.top = percent(box.top, size.height);
      frame.style.width = percent(box.right - box.left, size.width);
      frame.style.height = percent(box.bottom - box.top, size.height);
      const width = Math.round(box.right - box.left);
      const height = Math.round(box.bottom - box.top);
      part("size").textContent = `${width} × ${height} px`;
      const context = preview.getContext("2d");
      const scale = Math.min(preview.width / width, preview.height / height);
      context.clearRect(0, 0, preview.width, preview.height);
      if (!image.complete || !image.naturalWidth) return;
      context.drawImage(
        image,
        box.left,
        box.top,
        width,
        height,
        (preview.width - width * scale) / 2,
        (preview.height - height * scale) / 2,
        width * scale,
        height * scale,
      );
    }

    /** Where a pointer is, in pixels of the picture. */
    function place(event) {
      const area = image.getBoundingClientRect();
      return {
        x: clamp(((event.clientX - area.left) / area.width) * size.width, 0, size.width),
        y: clamp(((event.clientY - area.top) / area.height) * size.height, 0, size.height),
      };
    }

    stage.addEventListener("pointerdown", (event) => {
      if (event.button > 0) return;
      const start = place(event);
      const inside = frame.contains(event.target) && !isGuess;
      drag = { start, handle: event.target.dataset?.handle ?? (inside ? "move" : "new"), box: { ...box } };
      stage.setPointerCapture(event.pointerId);
      stage.focus({ preventScroll: true });
      event.preventDefault();
    });

    stage.addEventListener("pointermove", (event) => {
      if (!drag) return;
      const now = place(event);
      const { start, handle } = drag;
      touch();
      if (handle === "new") {
        set({ left: start.x, top: start.y, right: now.x, bottom: now.y });
        return;
      }
      move(drag.box, handle, now.x - start.x, now.y - start.y);
    });

    for (const name of ["pointerup", "pointercancel"]) stage.addEventListener(name, () => (drag = null));

    function move(from, handle, dx, dy) {
      if (handle === "move") {
        const shiftX = clamp(dx, -from.left, size.width - from.right);
        const shiftY = clamp(dy, -from.top, size.height - from.bottom);
        set({
          left: from.left + shiftX,
          right: from.right + shiftX,
          top: from.top + shiftY,
          bottom: from.bottom + shiftY,
        });
        return;
      }
      const next = { ...from };
      if (handle.includes("w")) next.left = Math.min(from.left + dx, from.right - MIN_SIDE);
      if (handle.includes("e")) next.right = Math.max(from.right + dx, from.left + MIN_SIDE);
      if (handle.includes("n")) next.top = Math.min(from.top + dy, from.bottom - MIN_SIDE);
      if (handle.includes("s")) next.bottom = Math.max(from.bottom + dy, from.top + MIN_SIDE);
      set(next);
    }

    stage.addEventListener("keydown", (event) => {
      const step = Math.max(1, Math.round(size.height / 100));
      const [dx, dy] = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] }[
        event.key
      ] ?? [0, 0];
      if (dx || dy) touch();
      if (dx || dy) move(box, event.shiftKey ? "se" : "move", dx, dy);
      else if (event.key === "Enter") use();
      else return;
      event.preventDefault();
      event.stopPropagation();
    });

    function close() {
      dialog.close();
    }

    function use() {
      const chosen = [box.left, box.top, box.right, box.bottom].map(Math.round);
      close();
      onBox(file, chosen);
    }

    part("use").addEventListener("click", use);
    part("whole").addEventListener("click", () => {
      close();
      onBox(file, null);
    });
    part("close").addEventListener("click", close);
    dialog.addEventListener("close", () => {
      URL.revokeObjectURL(image.src);
      image.removeAttribute("src");
    });

    let popKeys = () => {};
    dialog.addEventListener("close", () => popKeys());

    return {
      /** Show the photo with a first guess: all of a tall picture, the middle of a wide one. */
      open(photo, pictureSize) {
        file = photo;
        size = pictureSize;
        image.src = URL.createObjectURL(photo);
        image.onload = draw;
        isGuess = true;
        frame.setAttribute("data-guess", "");
        image.style.setProperty("--ratio", size.width / size.height);
        const height = size.height * (size.width > 0.75 * size.height ? 0.9 : 1);
        const width = Math.min(size.width, height / 2);
        dialog.showModal();
        popKeys = window.reid.pushKeys({});
        set({
          left: (size.width - width) / 2,
          right: (size.width + width) / 2,
          top: (size.height - height) / 2,
          bottom: (size.height + height) / 2,
        });
        stage.focus({ preventScroll: true });
      },
    };
  };
})();
