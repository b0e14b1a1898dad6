/* Filters: reports the changed address parameters. A slider reports when it is let go, its text follows at once. */
(() => {
  "use strict";
  const { el, find } = window.reid;
  const STEPS = 1000;
  const pad = (number) => String(Math.floor(number)).padStart(2, "0");

  /** The same clock that the cards show (views/formats.py), for a slider's text while it moves. */
  function clock(seconds) {
    const whole = Math.round(Math.abs(seconds));
    if (whole >= 1e9) return new Date(whole * 1000).toISOString().slice(0, 19).replace("T", " ");
    const sign = Math.round(seconds) < 0 ? "-" : "";
    const days = Math.floor(whole / 86400);
    const rest = whole % 86400;
    const time = `${Math.floor(rest / 3600)}:${pad((rest % 3600) / 60)}:${pad(rest % 60)}`;
    return sign + (days ? `${days} d ${time}` : time);
  }

  window.reid.define("filter_panel", (element) => {
    const part = (name) => find(element, name);
    const from = part("from");
    const to = part("to");
    let onChange = () => {};
    let range = null;

    const secondsAt = (step) => range[0] + (step / STEPS) * (range[1] - range[0]);
    const stepAt = (seconds) => Math.round(((seconds - range[0]) / (range[1] - range[0])) * STEPS);

    function paintTime() {
      part("from-text").textContent = clock(secondsAt(Number(from.value)));
      part("to-text").textContent = clock(secondsAt(Number(to.value)));
      from.setAttribute("aria-valuetext", part("from-text").textContent);
      to.setAttribute("aria-valuetext", part("to-text").textContent);
      part("span").style.setProperty("--from", Number(from.value) / STEPS);
      part("span").style.setProperty("--to", Number(to.value) / STEPS);
    }

    from.addEventListener("input", () => {
      from.value = Math.min(Number(from.value), Number(to.value) - 1);
      paintTime();
    });
    to.addEventListener("input", () => {
      to.value = Math.max(Number(to.value), Number(from.value) + 1);
      paintTime();
    });
    for (const slider of [from, to]) {
      slider.addEventListener("change", () =>
        onChange({
          from: Number(from.value) > 0 ? secondsAt(Number(from.value)).toFixed(3) : "",
          to: Number(to.value) < STEPS ? secondsAt(Number(to.value)).toFixed(3) : "",
        }),
      );
    }

    part("k").addEventListener("input", () => (part("k-text").textContent = part("k").value));
    part("k").addEventListener("change", () => onChange({ k: part("k").value }));
    part("same").addEventListener("change", () => onChange({ same: part("same").checked ? "1" : "" }));
    for (const name of ["expand", "rerank"]) {
      part(name).addEventListener("change", () => onChange({ [name]: part(name).checked ? "1" : "" }));
    }
    const uses = () => [...part("feedback-field").querySelectorAll("[data-feedback]")];
    part("feedback-field").addEventListener("change", () =>
      onChange({ fb: uses().filter((use) => use.checked).map((use) => use.dataset.feedback).join(",") }),
    );
    part("clear").addEventListener("click", () =>
      onChange({ cam: "", from: "", to: "", same: "", expand: "", rerank: "", fb: "", k: "" }),
    );

    const toggles = () => [...part("cameras").querySelectorAll("[data-camera]")];

    function toggleCamera(button) {
      const isOn = button.getAttribute("aria-pressed") !== "true";
      button.setAttribute("aria-pressed", String(isOn));
      const chosen = toggles().filter((other) => other.getAttribute("aria-pressed") === "true");
      onChange({ cam: chosen.map((other) => other.dataset.camera).join(",") });
    }

    if (window.matchMedia("(max-width: 900px)").matches) part("fold").open = false;

    return {
      onChange: (callback) => (onChange = callback),
      /** What can be filtered in this gallery. */
      setUp({ cameras, time_range_s }) {
        part("cameras-field").hidden = cameras.length < 2;
        part("cameras").replaceChildren(
          ...cameras.map((camera) => {
            const button = el(
              "button",
              { type: "button", class: "rs-toggle rs-num", "data-camera": camera, "aria-label": `Camera ${camera}` },
              String(camera),
            );
            button.addEventListener("click", () => toggleCamera(button));
            return button;
          }),
        );
        range = time_range_s;
        part("time-field").hidden = !range;
      },
      /** The filters that an address holds. */
      show(params) {
        const chosen = new Set((params.cam ?? "").split(",").filter(Boolean));
        for (const button of toggles()) {
          button.setAttribute("aria-pressed", String(chosen.has(button.dataset.camera)));
        }
        if (range) {
          from.value = params.from ? stepAt(Number(params.from)) : 0;
          to.value = params.to ? stepAt(Number(params.to)) : STEPS;
          paintTime();
        }
        part("same").checked = params.same === "1";
        part("expand").checked = params.expand === "1";
        part("rerank").checked = params.rerank === "1";
        const used = new Set((params.fb ?? "").split(","));
        for (const use of uses()) use.checked = used.has(use.dataset.feedback);
        part("k").value = params.k ?? 50;
        part("k-text").textContent = params.k ?? 50;
        part("clear").hidden = !["cam", "from", "to", "same", "expand", "rerank", "fb"].some((name) => params[name]);
      },
    };
  });
})();
