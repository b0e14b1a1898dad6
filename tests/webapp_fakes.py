"""A small workbench with drawn figures, for tests of the pages that need neither a network nor a data set."""

from __future__ import annotations

import hashlib
import io
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from reid_core.errors import GalleryNotReadyError, InputError
from reid_core.images import ImageInput, read_image
from reid_core.services import (
    Box,
    GalleryInfo,
    HitView,
    JobView,
    ModelInfo,
    QueryView,
    SearchRequest,
    SearchResult,
    Verdict,
)
from reid_core.settings import Settings
from reid_core.types import Refusal

HOSTILE_ID = "<img src=x onerror=alert(1)>${7*7}.jpg"
NUM_PIDS, NUM_CAMERAS = 24, 6
COLOURS = ["#c0392b", "#2471a3", "#1e8449", "#b7950b", "#6c3483", "#d35400", "#17a589", "#839192"]


def draw_figure(pid: int, camid: int, variant: int = 0, size: tuple[int, int] = (128, 256)) -> Image.Image:
    """A flat figure: clothes by identity, background by camera."""
    image = Image.new("RGB", size, f"hsl({camid * 57 % 360}, 22%, {38 + 5 * (camid % 4)}%)")
    draw, (w, h) = ImageDraw.Draw(image), size
    shift = (variant % 3 - 1) * 0.05
    skin = ["#e8c39e", "#c68863", "#8d5524", "#f1d3b8"][pid % 4]
    top, legs = COLOURS[pid % 8], COLOURS[(pid * 5 + pid // 8 + 3) % 8]
    draw.ellipse((w * (0.4 + shift), h * 0.06, w * (0.6 + shift), h * 0.18), fill=skin)
    draw.rectangle((w * (0.28 + shift), h * 0.18, w * (0.72 + shift), h * 0.55), fill=top)
    draw.rectangle((w * (0.32 + shift), h * 0.55, w * (0.48 + shift), h * 0.95), fill=legs)
    draw.rectangle((w * (0.52 + shift), h * 0.55, w * (0.68 + shift), h * 0.95), fill=legs)
    if pid % 3 == 0:
        draw.rectangle((w * (0.6 + shift), h * 0.25, w * (0.8 + shift), h * 0.45), fill="#222222")
    return image


class NothingJudged:
    """A review that knows of no judgement; tests of judging use a real one."""

    def pair_states(self, query: str, ids: object, *, gallery: str = "") -> dict[str, object]:
        return {}

    def revisions(self, nodes: object, *, gallery: str = "") -> dict[str, int]:
        return {}


class FakeWorkbench:
    """A gallery of drawn figures whose 'embedding' is the mean colour of three body parts."""

    def __init__(self, settings: Settings | None = None, *, polls_until_ready: int = 0) -> None:
        self.settings = settings or Settings()
        self.explaining = None  # figures have no network inside
        self.polls_left = polls_until_ready
        self.maps: Any = None  # the Map page is tested on the real services
        self.retraining = None
        self.review = NothingJudged()
        self.uploads: dict[str, Image.Image] = {}
        self.images: dict[str, tuple[int, int, float, int]] = {}
        self.import_jobs: list[JobView] = []
        self.evaluations = None  # its addresses exist, and no test of these pages calls them
        self.selections = None
        self.removed: list[str] = []
        self.vectors: dict[str, list[float]] = {}
        for pid in range(1, NUM_PIDS + 1):
            for camid in range(1, NUM_CAMERAS + 1):
                if (pid + camid) % 3:
                    time_s = 60.0 * ((pid * 7 + camid * 11) % 50)
                    self.images[f"{pid:04d}_c{camid}s1_{int(time_s):06d}_00.jpg"] = (
                        pid,
                        camid,
                        time_s,
                        camid,
                    )
        for number in range(12):
            self.images[f"0000_c{number % 6 + 1}s1_{number:06d}_00.jpg"] = (
                0,
                number % 6 + 1,
                77.0 * number,
                number,
            )
            self.images[f"-1_c{number % 6 + 1}s1_{number:06d}_00.jpg"] = (
                -1,
                number % 6 + 1,
                99.0 * number,
                number,
            )
        self.images["0001_c1s1_002222_00.jpg"] = (1, 1, 2222.0, 3)
        self.images[HOSTILE_ID] = (1, 5, 1234.0, 2)

    def _picture(self, image_id: str) -> Image.Image:
        if image_id in self.uploads:
            return self.uploads[image_id]
        if image_id not in self.images:
            raise InputError(f"The gallery has no image {image_id!r}. Choose one that it shows.")
        pid, camid, _, variant = self.images[image_id]
        return draw_figure(40 + variant if pid < 1 else pid, camid, variant)

    def _vector(self, image_id: str) -> list[float]:
        if image_id not in self.vectors:
            self.vectors[image_id] = self._embed(image_id)
        return self.vectors[image_id]

    def _embed(self, image_id: str) -> list[float]:
        small = self._picture(image_id).resize((8, 16))
        values = [value / 255 for value in small.crop((2, 2, 6, 15)).tobytes()]
        norm = math.sqrt(sum(value * value for value in values)) or 1.0
        return [value / norm for value in values]

    def _url(self, image_id: str) -> str:
        digest = hashlib.sha256(image_id.encode()).hexdigest()[:32]
        return f"gradio_api/reid/image/figures/{digest}.jpg"

    def models(self) -> tuple[ModelInfo, ...]:
        demo = ModelInfo(
            "demo", "osnet_x0_25", "f00d", 201_864, (256, 128), "drawn figures", "Apache-2.0", True, True
        )
        return (demo, replace(demo, name="other", is_default=False))

    def galleries(self) -> tuple[GalleryInfo, ...]:
        cameras = tuple(range(1, NUM_CAMERAS + 1))
        figures = GalleryInfo(
            "figures", "Drawn figures", len(self.images), 12, NUM_PIDS, cameras, 0.0, 2940.0, True
        )
        plain = replace(
            figures, name="plain", title="Plain folder", num_queries=0, num_pids=0, is_default=False
        )
        return tuple(gallery for gallery in (figures, plain) if gallery.name not in self.removed)

    def gallery_status(self, gallery: str = "", model: str = "") -> JobView:
        return self._embedding()

    def prepare(self, gallery: str = "", model: str = "") -> JobView:
        return self._embedding()

    def _embedding(self) -> JobView:
        done = 100 // (1 + self.polls_left)
        state = "done" if self.polls_left <= 0 else "running"
        return JobView(
            "embed-1", "embed", "Embedding Drawn figures", state, done, 100, "Reading crops", "figures"
        )

    def import_gallery(self, source: Path, *, name: str = "", kind: str = "auto") -> str:
        refused = tuple(Refusal(f"<b>{n}</b>.jpg", "It is cut short; save it again.") for n in range(3))
        job = JobView(
            f"import-{len(self.import_jobs) + 1}",
            "import",
            f"Import {name or source.name}",
            "running",
            40,
            200,
            "Embedding",
            refused=refused,
        )
        self.import_jobs.insert(0, job)
        return job.id

    def jobs(self) -> tuple[JobView, ...]:
        return tuple(self.import_jobs)

    def job(self, job_id: str) -> JobView:
        return next(job for job in self.import_jobs if job.id == job_id)

    def cancel(self, job_id: str) -> None:
        self.import_jobs = [
            replace(job, state="cancelled", message="Stopped by you.") if job.id == job_id else job
            for job in self.import_jobs
        ]

    def store_upload(self, image: ImageInput, *, box: Box | None = None) -> QueryView:
        upright = read_image(image, name="the picture")
        if box is not None:
            upright = upright.crop(tuple(round(value) for value in box))
        digest = hashlib.sha256(upright.tobytes()).hexdigest()[:32]
        self.uploads[f"upload:{digest}"] = upright
        return self._query(f"upload:{digest}")

    def _query(self, image_id: str) -> QueryView:
        pid, camid, time_s, _ = self.images.get(image_id, (None, None, None, 0))
        picture = self._picture(image_id)
        return QueryView(image_id, pid, camid, time_s, picture.width, picture.height, self._url(image_id))

    def examples(self, gallery: str = "", count: int = 12) -> tuple[QueryView, ...]:
        known = [image_id for image_id, facts in self.images.items() if facts[0] > 0]
        return tuple(self._query(image_id) for image_id in known[:: len(known) // count][:count])

    def search(self, request: SearchRequest) -> SearchResult:
        if self.polls_left > 0:
            self.polls_left -= 1
            raise GalleryNotReadyError("Drawn figures is still being embedded.")
        if request.gallery not in ("", "figures", "plain"):
            raise InputError(f"There is no gallery {request.gallery!r}. Choose one of the list.")
        query, wanted = self._query(request.query_id), self._vector(request.query_id)
        kept: list[tuple[float, str]] = []
        for image_id, (pid, camid, time_s, _) in self.images.items():
            is_same = pid == query.pid and camid == query.camid
            if image_id == query.id or (is_same and request.exclude_same_camera):
                continue
            if request.cameras and camid not in request.cameras:
                continue
            if not (request.time_from_s or 0.0) <= time_s <= (request.time_to_s or 1e9):
                continue
            vector = self._vector(image_id)
            kept.append((sum(a * b for a, b in zip(wanted, vector, strict=True)), image_id))
        kept.sort(key=lambda pair: (-pair[0], pair[1]))
        hits = tuple(self._hit(rank, s, i, query) for rank, (s, i) in enumerate(kept[: request.k], start=1))
        notes = ("Re-ranked the nearest 300 images by shared neighbours.",) if request.rerank else ()
        return SearchResult(
            query=query,
            hits=hits,
            gallery="figures",
            model="demo",
            num_candidates=len(kept),
            num_filtered=len(self.images) - len(kept),
            elapsed_s=0.01,
            notes=notes,
            num_true=self._count_true([image_id for _, image_id in kept], query),
        )

    def _count_true(self, kept: list[str], query: QueryView) -> int | None:
        if query.pid is None:
            return None
        return sum(self.images[i][0] == query.pid and self.images[i][1] != query.camid for i in kept)

    def _hit(self, rank: int, similarity: float, image_id: str, query: QueryView) -> HitView:
        pid, camid, time_s, _ = self.images[image_id]
        verdict: Verdict = "false"
        if query.pid is None:
            verdict = "unknown"
        elif pid == -1:
            verdict = "junk"
        elif pid == query.pid:
            verdict = "same_camera" if camid == query.camid else "true"
        attributes = {"<b>note</b>": "<script>alert(2)</script>"} if image_id == HOSTILE_ID else {}
        return HitView(
            rank, image_id, pid, camid, time_s, similarity, self._url(image_id), verdict, attributes
        )

    def image_bytes(self, gallery: str, image_id: str, *, max_height: int | None = None) -> bytes:
        picture = self._picture(image_id).copy()
        if max_height and picture.height > max_height:
            picture.thumbnail((10_000, max_height))
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=88)
        return buffer.getvalue()

    def image_by_hash(self, gallery: str, content_hash: str, *, max_height: int | None = None) -> bytes:
        for image_id in [*self.images, *self.uploads]:
            if content_hash in self._url(image_id):
                return self.image_bytes(gallery, image_id, max_height=max_height)
        raise InputError("There is no such image.")

    def remove_gallery(self, gallery: str) -> None:
        self.removed.append(gallery)
