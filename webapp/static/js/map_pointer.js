/* What pointers do on the map: drag to move, pinch and wheel to zoom, lasso and box, hover and click. */
(() => {
  "use strict";
  const STILL = 4; // CSS pixels that a click may wander
  const FINE = 1.5; // shortest step of a lasso

  /** handlers: mode() -> pan, lasso, box; onHover(row), onClick(row), onOutline(points or null), onLasso(corners). */
  window.reid.watchPointers = (stage, cloud, handlers) => {
    const pointers = new Map();
    let drag = null; // { kind, from, points, moved }
    let hovered = -1;

    const place = (event) => {
      const area = stage.getBoundingClientRect();
      return [event.clientX - area.left - stage.clientLeft, event.clientY - area.top - stage.clientTop];
    };
    const middle = () => {
      const all = [...pointers.values()];
      return [0, 1].map((axis) => all.reduce((sum, point) => sum + point[axis], 0) / all.length);
    };
    const spread = () => {
      const [a, b] = [...pointers.values()];
      return Math.hypot(a[0] - b[0], a[1] - b[1]);
    };

    function hover(row) {
      if (row === hovered) return;
      hovered = row;
      handlers.onHover(row);
    }

    function outlineOf({ kind, from, points }, to) {
      if (kind === "lasso") return points;
      return [from, [to[0], from[1]], to, [from[0], to[1]]];
    }

    stage.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      stage.setPointerCapture(event.pointerId);
      pointers.set(event.pointerId, place(event));
      if (pointers.size > 1) {
        drag = null; // two fingers pinch, whatever one began
        handlers.onOutline(null);
        return;
      }
      const from = place(event);
      const kind = event.shiftKey ? "lasso" : handlers.mode();
      drag = { kind, from, last: from, points: [from], moved: false };
    });

    stage.addEventListener("pointermove", (event) => {
      const at = place(event);
      if (!pointers.has(event.pointerId)) {
        hover(event.pointerType === "touch" ? -1 : cloud.nearest(...at));
        return;
      }
      if (pointers.size === 2) {
        const [before, wide] = [middle(), spread()];
        pointers.set(event.pointerId, at);
        const after = middle();
        cloud.pan(after[0] - before[0], after[1] - before[1]);
        cloud.zoom(spread() / Math.max(wide, 1), ...after);
        return;
      }
      pointers.set(event.pointerId, at);
      if (!drag) return;
      if (Math.hypot(at[0] - drag.from[0], at[1] - drag.from[1]) > STILL) drag.moved = true;
      if (drag.kind === "pan") {
        if (drag.moved) cloud.pan(at[0] - drag.last[0], at[1] - drag.last[1]);
        if (drag.moved) drag.last = at;
        return;
      }
      const [x, y] = drag.points.at(-1);
      if (Math.hypot(at[0] - x, at[1] - y) >= FINE) drag.points.push(at);
      handlers.onOutline(outlineOf(drag, at));
    });

    function release(event) {
      if (!pointers.delete(event.pointerId) || !drag || pointers.size) return;
      const ended = drag;
      drag = null;
      handlers.onOutline(null);
      const at = place(event);
      if (!ended.moved) handlers.onClick(cloud.nearest(...at, event.pointerType === "touch" ? 24 : 12));
      else if (ended.kind !== "pan") {
        const corners = outlineOf(ended, at).map((point) => cloud.toMap(...point));
        if (corners.length > 2) handlers.onLasso(corners);
      }
    }
    stage.addEventListener("pointerup", release);
    stage.addEventListener("pointercancel", (event) => {
      pointers.delete(event.pointerId);
      drag = null;
      handlers.onOutline(null);
    });
    stage.addEventListener("pointerleave", () => hover(-1));
    stage.addEventListener(
      "wheel",
      (event) => {
        event.preventDefault();
        cloud.zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0016)), ...place(event));
      },
      { passive: false },
    );
    stage.addEventListener("dblclick", (event) => cloud.zoom(2.5, ...place(event)));
  };
})();
