/* Questions stay with whoever looks at them for five minutes: renew that while somebody is there, warn otherwise. */
(() => {
  "use strict";
  const { announce } = window.reid;
  const BEAT_MS = 60_000;

  /**
   * idleMs(): since the last sign of life; leaseMs(): of the question that is shown, 0 if none waits for an answer;
   * renew(): ask the server; warn(text, action): show a notice, returns its element; onActive(): a sign of life.
   */
  window.reid.reviewLease = ({ idleMs, leaseMs, renew, warn, onActive }) => {
    let warning = null;
    setInterval(() => {
      const lease = leaseMs();
      if (!lease) return;
      if (idleMs() < lease - 1.5 * BEAT_MS) {
        warning?.remove();
        warning = null;
        renew();
      } else if (!warning?.isConnected) {
        const keep = () => {
          onActive();
          renew();
        };
        warning = warn("This question soon goes to others, because nothing was done for a while.", { label: "Keep it", act: keep });
        announce("This question soon goes to others. Press any key to keep it.");
      }
    }, BEAT_MS);
  };
})();
