"""Render a whole city into a folder: in parallel, with progress, and able to go on after a stop.

While it runs, ``.render/`` inside the folder holds the scenes' plates and a journal of finished groups; at
the end the journal becomes ``manifest.csv``. ``render.json`` says what the folder holds, so that a second run
with other settings is refused instead of mixing two cities.
"""

from __future__ import annotations

import csv
import io
import json
import multiprocessing
import multiprocessing.connection
import os
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from reid_core.errors import DatasetError, InputError
from reid_core.synthetic.city import City
from reid_core.synthetic.crops import MANIFEST_COLUMNS, CropRenderer, ManifestValue
from reid_core.synthetic.scene import Scene, build_scene, load_scene, save_plate
from reid_core.synthetic.worlds import CameraSpec

Row = dict[str, ManifestValue]

T = TypeVar("T")
R = TypeVar("R")

_WORK = ".render"


@dataclass(frozen=True)
class RenderProgress:
    """How far a run has come; ``missing`` crops could not be taken because nobody was to be seen."""

    phase: str
    done: int
    total: int
    missing: int = 0


@dataclass(frozen=True)
class RenderSettings:
    """How crops are written."""

    jobs: int = 1
    writes_masks: bool = False
    """Also write ``masks/<stem>.png``, 255 where the person is seen."""

    def __post_init__(self) -> None:
        if self.jobs < 1:
            raise InputError(f"jobs is {self.jobs}, expected the number of processes, 1 or more.")


def render_city(
    city: City,
    folder: Path,
    *,
    label: dict[str, str | int],
    settings: RenderSettings | None = None,
    on_progress: Callable[[RenderProgress], None] = lambda _: None,
) -> Path:
    """Render every crop of ``city`` into ``folder`` and write its manifest; returns the manifest's path.

    A stopped run goes on where it was when called again with the same arguments. A finished one does nothing.

    Args:
        city: The plan.
        folder: Gets one folder per split, ``manifest.csv`` and ``render.json``.
        label: What made the city (world, seed, counts); must equal that of an earlier run into the folder.
        settings: Processes and masks.
        on_progress: Called after every finished camera and group.

    Raises:
        DatasetError: The folder holds another city.
    """
    settings = settings or RenderSettings()
    folder.mkdir(parents=True, exist_ok=True)
    _claim(folder, {**label, "masks": int(settings.writes_masks)})
    manifest = folder / "manifest.csv"
    if manifest.exists():
        on_progress(RenderProgress("crops", len(city.crops), len(city.crops)))
        return manifest
    journal = _Journal(folder / _WORK / "journal.jsonl")
    finished = journal.read()
    groups = {name: crops for name, crops in city.groups().items() if name not in finished}
    done = sum(len(crops) for name, crops in city.groups().items() if name in finished)
    missing = done - sum(len(rows) for rows in finished.values())
    with _crew(city, folder, settings) as run:
        camids = [camera.camid for camera in city.cameras] if groups else []
        for count, _ in enumerate(run(_prepare_camera, camids), start=1):
            on_progress(RenderProgress("cameras", count, len(camids)))
        for name, rows in run(_render_group, list(groups)):
            journal.append(name, rows)
            finished[name] = rows
            done += len(groups[name])
            missing += len(groups[name]) - len(rows)
            on_progress(RenderProgress("crops", done, len(city.crops), missing))
    _write_manifest(manifest, [row for name in city.groups() for row in finished[name]])
    shutil.rmtree(folder / _WORK)
    return manifest


def jpeg_bytes(image: NDArray[np.uint8], quality: int) -> bytes:
    """The saved form of a crop."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="JPEG", quality=quality, optimize=True)
    return buffer.getvalue()


def _claim(folder: Path, label: dict[str, str | int]) -> None:
    path = folder / "render.json"
    if path.exists():
        try:
            earlier = json.loads(path.read_text())
        except json.JSONDecodeError as error:
            raise DatasetError(f"{path} is damaged ({error}). Delete {folder} and render it again.") from None
        if earlier != label:
            raise DatasetError(
                f"{folder} holds the city {earlier}, but {label} was asked for. Choose another folder."
            )
        return
    if any(entry.name != "README.md" for entry in folder.iterdir()):
        raise DatasetError(f"{folder} is not empty and holds no city. Choose another folder.")
    path.write_text(json.dumps(label, indent=2) + "\n")


@dataclass(frozen=True)
class _Journal:
    """One line of JSON per finished group; a line cut short by a crash is left out."""

    path: Path

    def read(self) -> dict[str, list[Row]]:
        finished: dict[str, list[Row]] = {}
        if self.path.exists():
            for line in self.path.read_text().splitlines():
                try:
                    entry = json.loads(line)
                except json.JSONDecodeError:
                    continue
                finished[entry["group"]] = entry["rows"]
        return finished

    def append(self, group: str, rows: list[Row]) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a") as file:
            file.write(json.dumps({"group": group, "rows": rows}) + "\n")


class _Worker:
    """What one process keeps: the city, its groups, the scenes it has loaded."""

    def __init__(self, city: City, folder: Path, settings: RenderSettings) -> None:
        self.city, self.folder, self.settings = city, folder, settings
        self.groups = city.groups()
        self.renderer = CropRenderer(city, self._load)

    def prepare_camera(self, camid: int) -> int:
        """Render and keep the plate of one camera."""
        plates = self._plates(camid)
        if not (plates / "complete").exists():
            save_plate(build_scene(self.city.cameras[camid - 1].scene), plates)
            (plates / "complete").touch()
        return camid

    def render_group(self, name: str) -> tuple[str, list[Row]]:
        """Render and save all crops of a group."""
        rows = []
        for crop in self.groups[name]:
            shot = self.renderer.render(crop)
            if shot is None:
                continue
            row = self.renderer.manifest_row(crop, shot)
            self._save(crop.path, jpeg_bytes(shot.image, self.city.world.jpeg_quality))
            if self.settings.writes_masks:
                row["mask"] = f"masks/{Path(crop.file_name).stem}.png"
                buffer = io.BytesIO()
                Image.fromarray(shot.mask).convert("1").save(buffer, format="PNG")
                self._save(str(row["mask"]), buffer.getvalue())
            rows.append(row)
        return name, rows

    def _save(self, relative: str, content: bytes) -> None:
        path = self.folder / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    def _plates(self, camid: int) -> Path:
        return self.folder / _WORK / "plates" / f"c{camid:03d}"

    def _load(self, camera: CameraSpec) -> Scene:
        return load_scene(camera.scene, self._plates(camera.camid))


_worker: _Worker | None = None
"""This process's worker, set by ``_start_worker``: a process pool has no other place for it."""


def _start_worker(city: City, folder: Path, settings: RenderSettings) -> None:
    global _worker
    _worker = _Worker(city, folder, settings)


def _start_worker_process(city: City, folder: Path, settings: RenderSettings) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _start_worker(city, folder, settings)


def _end_with_parent() -> None:
    """End this process when the one that started it is gone: a killed run leaves no process behind."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)


def _prepare_camera(camid: int) -> int:
    assert _worker is not None
    return _worker.prepare_camera(camid)


def _render_group(name: str) -> tuple[str, list[Row]]:
    assert _worker is not None
    return _worker.render_group(name)


class _Run(Protocol):
    """Calls a function on every item, in any process, and yields results as they come."""

    def __call__(self, function: Callable[[T], R], items: Sequence[T]) -> Iterator[R]: ...


@contextmanager
def _crew(city: City, folder: Path, settings: RenderSettings) -> Iterator[_Run]:
    """One worker in this process, or ``settings.jobs`` processes with one each."""
    if settings.jobs == 1:
        _start_worker(city, folder, settings)
        yield lambda function, items: (function(item) for item in items)
        return
    context = multiprocessing.get_context("spawn")
    arguments = (city, folder, settings)
    with ProcessPoolExecutor(settings.jobs, context, _start_worker_process, arguments) as executor:

        def run(function: Callable[[T], R], items: Sequence[T]) -> Iterator[R]:
            futures = [executor.submit(function, item) for item in items]
            for future in as_completed(futures):
                yield future.result()

        try:
            yield run
        except BaseException:
            executor.shutdown(wait=True, cancel_futures=True)
            raise


def _write_manifest(path: Path, rows: Sequence[Row]) -> None:
    """Write the table whole or not at all; attribute columns come after the fixed ones."""
    columns = list(dict.fromkeys([*MANIFEST_COLUMNS, *(column for row in rows for column in row)]))
    partial = path.with_suffix(".partial")
    with partial.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(sorted(rows, key=lambda row: str(row["path"])))
    partial.replace(path)
