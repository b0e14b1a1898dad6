/* Sends gallery files to the server as one streamed upload with progress, or reports a path on the server. */
(() => {
  "use strict";
  const { el, find, notice, announce } = window.reid;
  const UPLOAD_URL = "gradio_api/reid/v1/galleries/upload";

  window.reid.define("gallery_intake", (element) => {
    const part = (name) => find(element, name);
    const drop = part("drop");
    const file = part("file");
    let files = [];
    let isBusy = false;
    let handlers = { onPath: () => {}, onUploaded: () => {} };

    const path = () => part("path")?.value.trim() ?? "";

    function refresh() {
      const bytes = files.reduce((sum, each) => sum + each.size, 0);
      const names = files.length === 1 ? files[0].name : `${files.length} files`;
      part("chosen").textContent = files.length ? `${names}, ${(bytes / 1e6).toFixed(1)} MB` : "";
      part("add").disabled = isBusy || (!files.length && !path());
    }

    function choose(list) {
      files = [...list];
      problem("");
      refresh();
    }

    function problem(text) {
      part("problem").replaceChildren(...(text ? [notice("bad", text)] : []));
    }

    /** One zip or CSV goes as it is; anything else is packed into one zip first. */
    async function pack() {
      if (files.length === 1 && /\.(zip|csv)$/i.test(files[0].name)) return { body: files[0], filename: files[0].name };
      const folder = files[0].webkitRelativePath?.split("/")[0];
      return { body: await window.reid.zipFiles(files), filename: `${folder || "images"}.zip` };
    }

    async function upload() {
      problem("");
      isBusy = true;
      refresh();
      const bar = el("progress", { class: "rs-progress", max: "1", "aria-label": "Upload" });
      part("progress").replaceChildren(bar);
      let packed;
      try {
        packed = await pack();
      } catch (failure) {
        finish({ error: failure.message });
        return;
      }
      const request = new XMLHttpRequest(); // fetch() reports no upload progress
      const stop = el("button", { type: "button", class: "rs-button", onclick: () => request.abort() }, "Cancel upload");
      part("progress").append(stop);
      request.upload.onprogress = (event) => {
        if (event.lengthComputable) bar.value = event.loaded / event.total;
      };
      request.onload = () => finish(readAnswer(request));
      request.onerror = () => finish({ error: "The upload broke off. Check that the app is still running, then try again." });
      request.onabort = () => finish({ error: "Upload cancelled; nothing was kept." });
      const fields = { filename: packed.filename, name: part("name").value.trim() };
      request.open("POST", `${UPLOAD_URL}?${new URLSearchParams(fields)}`);
      request.setRequestHeader("Content-Type", "application/octet-stream");
      request.send(packed.body);
    }

    function readAnswer(done) {
      let answer = {};
      try {
        answer = JSON.parse(done.responseText);
      } catch {
        /* a proxy answered in its own words */
      }
      if (done.status < 400 && answer.job) return answer;
      return { error: answer.error ?? `The server refused the upload (status ${done.status}).` };
    }

    function finish(answer) {
      isBusy = false;
      part("progress").replaceChildren();
      if (answer.error) {
        problem(answer.error);
      } else {
        files = [];
        part("name").value = "";
        announce("Upload finished, reading the gallery.");
        handlers.onUploaded(answer.job);
      }
      refresh();
    }

    async function readPath() {
      const error = await handlers.onPath(path(), part("name").value.trim());
      problem(error);
      if (!error) part("path").value = part("name").value = "";
      refresh();
    }

    part("choose").addEventListener("click", () => file.click());
    part("choose-folder").addEventListener("click", () => part("folder").click());
    part("path")?.addEventListener("input", refresh);
    part("add").addEventListener("click", () => (files.length ? upload() : readPath()));
    for (const input of [file, part("folder")]) {
      input.addEventListener("change", () => {
        if (input.files.length) choose(input.files);
        input.value = "";
      });
    }
    document.addEventListener("dragover", (event) => {
      if (![...(event.dataTransfer?.types ?? [])].includes("Files")) return;
      event.preventDefault();
      drop.setAttribute("data-over", "");
    });
    document.addEventListener("dragleave", (event) => {
      if (!event.relatedTarget) drop.removeAttribute("data-over");
    });
    document.addEventListener("drop", (event) => {
      drop.removeAttribute("data-over");
      if (!event.dataTransfer?.files.length) return;
      event.preventDefault();
      choose(event.dataTransfer.files);
    });

    return { onUse: (callbacks) => (handlers = callbacks) };
  });
})();
