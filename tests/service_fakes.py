"""A small gallery on disk and a network that needs no weights, for tests of the services."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from reid_core.errors import ImageReadError, WeightsError
from reid_core.images import ImageInput, read_image
from reid_core.services import Workbench
from reid_core.services.model_shelf import LoadedModel
from reid_core.settings import Settings, load_settings
from reid_core.types import EmbeddingSet, Refusal

WAIT_S = 300.0  # generous: a busy machine must not fail a test


class ColourNetwork:
    """Embeds a crop as its 4 x 2 grid of mean colours. ``gate`` lets a test hold it up; calls are counted."""

    def __init__(self, fingerprint: str = "colour-1") -> None:
        self.fingerprint = fingerprint
        self.num_embedded = 0
        self.gate = threading.Event()
        self.gate.set()
        self.on_call: Callable[[int], None] = lambda num_embedded: None

    def embed(self, images: Sequence[ImageInput], *, ids: Sequence[str]) -> EmbeddingSet:
        assert self.gate.wait(WAIT_S)
        vectors, kept, skipped = [], [], []
        for image, image_id in zip(images, ids, strict=True):
            try:
                small = read_image(image).resize((2, 4), Image.Resampling.BOX)
            except ImageReadError as error:
                skipped.append(Refusal(image_id, str(error)))
                continue
            vector = np.asarray(small, dtype=np.float32).ravel() - 127.4
            vectors.append(vector / np.linalg.norm(vector))
            kept.append(image_id)
        if "warm-up" not in ids:
            self.num_embedded += len(kept)
            self.on_call(self.num_embedded)
        stacked = np.stack(vectors) if vectors else np.empty((0, 24), dtype=np.float32)
        return EmbeddingSet(stacked.astype(np.float32), tuple(kept), self.fingerprint, tuple(skipped))


def loader_of(network: ColourNetwork) -> Callable[[str], LoadedModel]:
    def load(weights: str) -> LoadedModel:
        if weights == "broken":
            raise WeightsError("broken is not a weights file.")
        return LoadedModel(network, "colour", 0, (256, 128), "nothing", "none")

    return load


def person_image(pid: int, camid: int, serial: int = 0, size: tuple[int, int] = (32, 64)) -> Image.Image:
    """Equal people have equal clothes; cameras differ in light, serial numbers in noise."""
    clothes = np.random.default_rng([7, pid + 1]).integers(0, 256, size=(4, 2, 3))
    noise = np.random.default_rng([8, pid + 1, camid, serial]).normal(0, 6, size=(4, 2, 3))
    pixels = np.clip(clothes + noise + 4 * camid, 0, 255).astype(np.uint8)
    return Image.fromarray(pixels).resize(size, Image.Resampling.NEAREST)


def write_person(folder: Path, pid: int, camid: int, serial: int = 0) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{pid:04d}" if pid >= 0 else "-1"
    path = folder / f"{name}_c{camid}s1_{serial:06d}_00.jpg"
    person_image(pid, camid, serial).save(path, quality=95)
    return path


def write_market(root: Path, *, num_people: int = 6, num_cameras: int = 3) -> Path:
    """Per person one query in camera 1 and one gallery image per camera; one distractor, one junk image."""
    for pid in range(1, num_people + 1):
        write_person(root / "query", pid, 1, serial=pid)
        for camid in range(1, num_cameras + 1):
            write_person(root / "bounding_box_test", pid, camid, serial=100 * camid + pid)
    write_person(root / "bounding_box_test", 0, 2, serial=901)
    write_person(root / "bounding_box_test", -1, 2, serial=902)
    return root


def make_settings(tmp_path: Path, **overrides: object) -> Settings:
    return load_settings(**{"data_dir": tmp_path / "data", "gallery": "", **overrides})


def make_workbench(tmp_path: Path, network: ColourNetwork | None = None, **overrides: object) -> Workbench:
    settings = make_settings(tmp_path, **overrides)
    return Workbench(settings, load_model=loader_of(network or ColourNetwork()))


def wait_until_over(workbench: Workbench, job_id: str) -> None:
    view = workbench.wait_for(job_id, WAIT_S)
    assert view.is_over, view


def import_and_wait(workbench: Workbench, source: Path, name: str = "") -> str:
    job_id = workbench.import_gallery(source, name=name)
    wait_until_over(workbench, job_id)
    view = workbench.job(job_id)
    assert view.state == "done", view
    return view.gallery


def query_of(workbench: Workbench, pid: int) -> str:
    """A query of this person."""
    return next(query.id for query in workbench.examples(count=50) if query.pid == pid)
