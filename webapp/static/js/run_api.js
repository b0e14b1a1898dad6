/* Addresses of evaluation runs, and writing to them. An answer always comes back, if need be as { error }. */
(() => {
  "use strict";
  if (window.reid.runApi) return;
  const BASE = "gradio_api/reid/v1/evaluations";

  /** Relative address below the runs; empty parameters are left out, arrays are repeated. */
  function url(path, params = {}) {
    const search = new URLSearchParams();
    for (const [name, value] of Object.entries(params)) {
      for (const entry of Array.isArray(value) ? value : [value]) if (entry) search.append(name, entry);
    }
    const query = search.toString();
    return `${BASE}${path}${query ? `?${query}` : ""}`;
  }

  async function read(response) {
    try {
      return await response.json();
    } catch {
      return { error: `The server refused (status ${response.status}).` };
    }
  }

  async function send(address, options) {
    try {
      return await read(await fetch(address, options));
    } catch {
      return { error: "The server gave no answer. Check that the app is still running, then try again." };
    }
  }

  const post = (address, fields = {}) =>
    send(address, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(fields),
    });

  /** Address of another page, in the gallery and with the model of a run. */
  function pageUrl(page, scope, params) {
    return `./${page}?${new URLSearchParams({ g: scope.gallery, m: scope.model, ...params })}`;
  }

  window.reid.runApi = { url, post, get: (address) => send(address), pageUrl };
})();
