"""A workbench with two networks and a small gallery, and a way to run evaluations on it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from reid_core.services import Workbench
from reid_core.services.evaluations import RunInfo, RunRequest
from reid_core.services.model_shelf import LoadedModel
from tests.service_fakes import ColourNetwork, make_settings, wait_until_over


class GreyNetwork(ColourNetwork):
    """A worse network: it sees brightness only."""

    def embed(self, images, *, ids):  # type: ignore[no-untyped-def]
        found = super().embed(images, ids=ids)
        grey = found.vectors.reshape(len(found), -1, 3).mean(axis=2) if len(found) else found.vectors
        grey = grey / np.maximum(np.linalg.norm(grey, axis=1, keepdims=True), 1e-9)
        return replace(found, vectors=grey.astype(np.float32))


@contextmanager
def open_bench(folder: Path, gallery: Path) -> Iterator[Workbench]:
    """Networks ``demo`` and the worse ``grey``; the gallery is embedded by the first."""
    networks = {"demo": ColourNetwork(), "grey": GreyNetwork("grey-1")}
    workbench = Workbench(
        make_settings(folder, gallery=str(gallery), extra_weights="grey"),
        load_model=lambda weights: LoadedModel(networks[weights], "colour", 0, (256, 128), "nothing", "none"),
    )
    workbench.start()
    for job in workbench.jobs():
        wait_until_over(workbench, job.id)
    yield workbench
    workbench.close()


def run(workbench: Workbench, **wanted: object) -> RunInfo:
    """Start a run, wait, and return it."""
    job = workbench.evaluations.start(RunRequest(**wanted))  # type: ignore[arg-type]
    wait_until_over(workbench, job.id)
    view = workbench.job(job.id)
    assert view.state == "done", view
    newest = workbench.evaluations.runs()[0]
    assert newest.id in view.message
    return newest
