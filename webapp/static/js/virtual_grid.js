/* A grid of any length whose cards exist only while they are near the screen. Cards have one height. */
(() => {
  "use strict";
  const BUFFER_ROWS = 3;

  /**
   * scroll: the box that scrolls; canvas: a child of it; load(page): items of one page (or null);
   * card(item, index): the card's element, whose first focusable child gets the roving tab stop.
   */
  window.reid.virtualGrid = ({ scroll, canvas, cardWidth, cardHeight, gap, pageSize, load, card }) => {
    let number = 0;
    let pages = new Map(); // page number -> items, or "loading"
    let shown = new Map(); // index -> element
    let current = 0;
    let turn = 0;

    const columns = () => Math.max(1, Math.floor((canvas.clientWidth + gap) / (cardWidth + gap)));
    const width = () => (canvas.clientWidth - gap * (columns() - 1)) / columns();
    const itemAt = (index) => {
      const page = pages.get(Math.floor(index / pageSize));
      return Array.isArray(page) ? page[index % pageSize] : null;
    };

    async function fetchPage(page) {
      if (pages.has(page)) return;
      pages.set(page, "loading");
      const mine = turn;
      const items = await load(page + 1);
      if (mine !== turn) return;
      if (items) pages.set(page, items);
      else pages.delete(page);
      paint();
    }

    function paint() {
      const perRow = columns();
      const rows = Math.ceil(number / perRow);
      canvas.style.height = `${Math.max(0, rows * (cardHeight + gap) - gap)}px`;
      const first = Math.max(0, Math.floor(scroll.scrollTop / (cardHeight + gap)) - BUFFER_ROWS);
      const last = Math.min(rows, Math.ceil((scroll.scrollTop + scroll.clientHeight) / (cardHeight + gap)) + BUFFER_ROWS);
      const wanted = new Set();
      for (let index = first * perRow; index < Math.min(number, last * perRow); index += 1) wanted.add(index);
      if (current < number) wanted.add(current); // the tab stop stays in the page
      for (const [index, element] of shown) {
        if (wanted.has(index)) continue;
        element.remove();
        shown.delete(index);
      }
      for (const index of [...wanted].sort((a, b) => a - b)) {
        let element = shown.get(index);
        if (!element) {
          const item = itemAt(index);
          if (!item) {
            fetchPage(Math.floor(index / pageSize));
            continue;
          }
          element = card(item, index);
          element.dataset.index = index;
          element.setAttribute("aria-posinset", index + 1);
          element.setAttribute("aria-setsize", number);
          element.style.position = "absolute";
          element.style.height = `${cardHeight}px`;
          shown.set(index, element);
          canvas.append(element);
          focusable(element).tabIndex = index === current ? 0 : -1;
        }
        element.style.width = `${width()}px`;
        element.style.left = `${(index % perRow) * (width() + gap)}px`;
        element.style.top = `${Math.floor(index / perRow) * (cardHeight + gap)}px`;
      }
    }
    const focusable = (element) => element.querySelector("a,button") ?? element;

    function makeCurrent(index) {
      const old = shown.get(current);
      if (old) focusable(old).tabIndex = -1;
      current = Math.min(Math.max(index, 0), Math.max(0, number - 1));
      const now = shown.get(current);
      if (now) focusable(now).tabIndex = 0;
    }

    function focus(index) {
      makeCurrent(index);
      const top = Math.floor(current / columns()) * (cardHeight + gap);
      if (top < scroll.scrollTop) scroll.scrollTop = top;
      if (top + cardHeight > scroll.scrollTop + scroll.clientHeight) scroll.scrollTop = top + cardHeight - scroll.clientHeight;
      paint();
      const element = shown.get(current);
      if (element) focusable(element).focus({ preventScroll: true });
    }

    scroll.addEventListener("scroll", () => requestAnimationFrame(paint));
    canvas.addEventListener("focusin", (event) => {
      const element = event.target.closest("[data-index]");
      if (element) makeCurrent(Number(element.dataset.index));
    });
    new ResizeObserver(() => number && paint()).observe(canvas);

    return {
      /** Show `total` items, the first page of which is there already. */
      show(total, firstPage) {
        turn += 1;
        number = total;
        pages = new Map([[0, firstPage]]);
        for (const element of shown.values()) element.remove();
        shown = new Map();
        current = 0;
        scroll.scrollTop = 0;
        paint();
      },
      /** Move by an arrow, Home or End; false if there is nowhere to go. */
      step(event) {
        if (!number) return false;
        const isInside = canvas.contains(document.activeElement);
        if (!isInside && document.activeElement !== document.body) return false;
        const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns(), ArrowUp: -columns() };
        const target = isInside ? ({ Home: 0, End: number - 1 }[event.key] ?? current + steps[event.key]) : current;
        if (target < 0 || target >= number) return true;
        focus(target);
        return true;
      },
      focus,
      number: () => number,
    };
  };
})();
