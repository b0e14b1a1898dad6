/* Several pictures that are zoomed and moved as one: a scale, and the point of the picture in the middle. */
(() => {
  "use strict";
  const MAX_SCALE = 12;
  const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

  /** Link panes; what is in them, a picture and maps over it, moves together. `onScale` is told the scale, 1 for the whole picture. */
  window.reid.linkedZoom = (panes, onScale = () => {}) => {
    let view = { scale: 1, x: 0.5, y: 0.5 }; // x, y: what lies in the middle of a pane, 0..1 of the pane
    const pointers = new Map();

    function setView(next) {
      const scale = clamp(next.scale, 1, MAX_SCALE);
      const half = 0.5 / scale;
      view = { scale, x: clamp(next.x, half, 1 - half), y: clamp(next.y, half, 1 - half) };
      for (const pane of panes) {
        for (const layer of pane.children) {
          layer.style.transform =
            `translate(${(0.5 - view.x) * 100 * scale}%, ${(0.5 - view.y) * 100 * scale}%) scale(${scale})`;
        }
        pane.toggleAttribute("data-zoomed", scale > 1);
      }
      onScale(scale);
    }

    /** Zoom so that the picture point under the pointer stays under it. */
    function zoomAt(factor, px = 0.5, py = 0.5) {
      const scale = clamp(view.scale * factor, 1, MAX_SCALE);
      const move = 1 / view.scale - 1 / scale;
      setView({ scale, x: view.x + (px - 0.5) * move, y: view.y + (py - 0.5) * move });
    }

    const reset = () => setView({ scale: 1, x: 0.5, y: 0.5 });
    function inPane(pane, event) {
      const area = pane.getBoundingClientRect();
      return [(event.clientX - area.left) / area.width, (event.clientY - area.top) / area.height];
    }
    const spanOf = () => {
      const [a, b] = [...pointers.values()];
      return Math.hypot(a.x - b.x, a.y - b.y);
    };

    for (const pane of panes) {
      pane.addEventListener(
        "wheel",
        (event) => {
          event.preventDefault();
          zoomAt(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0018)), ...inPane(pane, event));
        },
        { passive: false },
      );
      pane.addEventListener("dblclick", (event) => {
        if (view.scale > 1) reset();
        else zoomAt(3, ...inPane(pane, event));
      });
      pane.addEventListener("pointerdown", (event) => {
        pane.setPointerCapture(event.pointerId);
        pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
      });
      pane.addEventListener("pointermove", (event) => {
        const before = pointers.get(event.pointerId);
        if (!before) return;
        const area = pane.getBoundingClientRect();
        const spanBefore = pointers.size === 2 ? spanOf() : 0;
        pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
        if (pointers.size === 2) {
          zoomAt(spanOf() / Math.max(spanBefore, 1), ...inPane(pane, event));
        } else {
          setView({
            scale: view.scale,
            x: view.x - (event.clientX - before.x) / area.width / view.scale,
            y: view.y - (event.clientY - before.y) / area.height / view.scale,
          });
        }
      });
      for (const name of ["pointerup", "pointercancel"]) {
        pane.addEventListener(name, (event) => pointers.delete(event.pointerId));
      }
    }

    return { zoomAt, reset, release: () => pointers.clear() };
  };
})();
