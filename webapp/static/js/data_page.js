/* The Data page: shows what there is, starts and stops imports, and asks again while a job runs. */
(() => {
  "use strict";
  const { ask, part, announce } = window.reid;
  const POLL_MS = 1000;

  window.reid.define("data_page", async (_element, server) => {
    const [header, intake, inventory] = await Promise.all(["header", "gallery_intake", "inventory"].map(part));
    let timer = 0;
    let wasBusy = false;

    async function refresh() {
      clearTimeout(timer);
      const data = await ask(server.show_data);
      if (!data.galleries) {
        inventory.problem(data.message);
        timer = setTimeout(refresh, 3 * POLL_MS);
        return;
      }
      inventory.problem("");
      inventory.show(data, { onCancel: cancel, onRemove: remove });
      if (data.is_busy) timer = setTimeout(refresh, POLL_MS);
      else if (wasBusy) {
        announce(`${data.jobs[0].title}: ${data.jobs[0].state_word}. ${data.jobs[0].message}`);
        header.refresh();
      }
      wasBusy = data.is_busy;
    }

    async function cancel(id) {
      const answer = await ask(server.cancel_job, { id });
      await refresh();
      if (answer.error) inventory.problem(answer.error);
    }

    async function remove(name) {
      const answer = await ask(server.remove_gallery, { name });
      await refresh();
      header.refresh();
      if (answer.error) inventory.problem(answer.error);
    }

    intake.onUse({
      onUploaded: refresh,
      async onPath(path, name) {
        const answer = await ask(server.import_path, { path, name });
        if (!answer.error) await refresh();
        return answer.error ? answer.error : "";
      },
    });
    await refresh();
  });
})();
