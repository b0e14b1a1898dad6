"""Explanations of two drawn figures by a small net with fixed random weights, for tests of the web parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from reid_core.errors import GalleryNotReadyError, InputError
from reid_core.explain.faithfulness import check_places, check_weights
from reid_core.explain.records import Explanation, MapChoice, StreamCheck
from reid_core.explain.streams import measure_removal, trace_crops, trace_pair
from reid_core.services import JobView, QueryView
from reid_core.services.explaining import Checks, Explained
from reid_core.services.gate_study import GateClusterView, GateNeighbour
from tests.unit.explain.nets import crops, lively_osnet
from tests.webapp_fakes import FakeWorkbench


def figure(image_id: str) -> QueryView:
    return QueryView(image_id, 5, 2, 60.0, 64, 128, f"gradio_api/reid/image/figures/{image_id}.jpg")


@dataclass
class FakeGates:
    """A gate study that is read in two steps."""

    state: str = "queued"
    asked: list[tuple[str, int]] = field(default_factory=list)

    def status(self, gallery: str = "", model: str = "") -> JobView:
        job_id = "job-1" if self.state == "running" else ""
        done = {"queued": 0, "running": 40, "done": 100}[self.state]
        return JobView(job_id, "gates", "Gates of Figures", self.state, done, 100, "Reading gates.")  # type: ignore[arg-type]

    def read(self, gallery: str = "", model: str = "") -> JobView:
        self.state = "running"
        return self.status()

    def stop(self, job_id: str) -> JobView:
        if job_id != "job-1":
            raise InputError("There is no such job.")
        self.state = "queued"
        return JobView("job-1", "gates", "Gates of Figures", "cancelled", 40, 100, "Stopped.")

    def spreads(self, *, gallery: str = "", model: str = "") -> dict[str, float]:
        return {"conv2.0": 0.01, "conv3.0": 0.03, "conv4.1": 0.0001}

    def clusters(
        self, block: str, num_clusters: int, *, gallery: str = "", model: str = ""
    ) -> tuple[GateClusterView, ...]:
        if self.state != "done":
            raise GalleryNotReadyError("The gates were not read yet.")
        self.asked.append((block, num_clusters))
        sizes = [60, 40]
        return tuple(
            GateClusterView(number, size, (0.4, 0.5, 0.6, 0.7), (figure(f"a{number}.jpg"),))
            for number, size in enumerate(sizes, start=1)
        )

    def similar(
        self, block: str, image_id: str, *, count: int = 12, gallery: str = "", model: str = ""
    ) -> tuple[GateNeighbour, ...]:
        return (GateNeighbour(figure("near.jpg"), 0.0123),)


class FakeExplaining:
    """Real explanations of two fixed crops, whatever the ids are; ``missing.jpg`` does not exist."""

    def __init__(self) -> None:
        self.gates = FakeGates()
        self.model = lively_osnet("osnet_ain_x0_25")

    def explain(self, image_ids: Sequence[str], *, gallery: str = "", model: str = "") -> Explained:
        if "missing.jpg" in image_ids:
            raise InputError("Gallery 'figures' has no image 'missing.jpg'.")
        images = crops()[: len(image_ids)]
        explanation = (
            trace_pair(self.model, images)
            if len(images) == 2
            else Explanation(trace_crops(self.model, images))
        )
        return Explained(
            "figures", "demo", self.model.variant, "f00d", tuple(image_ids), (64, 32), explanation
        )

    def check(
        self,
        image_ids: Sequence[str],
        choice: MapChoice,
        *,
        side: int = 0,
        gallery: str = "",
        model: str = "",
    ) -> Checks:
        explanation = self.explain(image_ids).explanation
        images = crops()
        with torch.inference_mode():
            places = check_places(
                self.model.embed,
                images[side],
                explanation.crops[-1].vector,
                explanation.map(side, choice),
                num_steps=3,
                num_random=2,
            )
        weights = check_weights(self.model, lambda net: trace_pair(net, images).map(side, choice))
        measured = measure_removal(self.model, images, "conv4.0")
        return Checks(places, weights, StreamCheck(np.zeros((2, 4), np.float32), measured))

    def find_images(
        self, text: str, *, gallery: str = "", model: str = "", count: int = 24
    ) -> tuple[QueryView, ...]:
        if gallery == "none":
            raise InputError("There is no gallery 'none'.")
        return tuple(figure(f"{text}-{n}.jpg") for n in range(count if text == "many" else 2 * bool(text)))


class ExplainingWorkbench(FakeWorkbench):
    """The drawn figures with explanations."""

    explaining: FakeExplaining  # type: ignore[assignment]

    def __init__(self, **options: int) -> None:
        super().__init__(**options)  # type: ignore[arg-type]
        self.explaining = FakeExplaining()

    def query(self, gallery: str, query_id: str) -> QueryView:
        return self._query(query_id)
