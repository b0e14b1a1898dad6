"""Finished evaluation runs on disk: one folder each, written whole or not at all, never changed afterwards.

A folder holds ``run.json`` (what was asked, for which content and network, the scores), ``report.json`` (and
``report_reranked.json``) with a row per query and per true match, ``rankings.npz`` with the top of each
ranking, ``images.parquet`` with the labels and facts as they were at the time, ``figures.json``, and the
tables that ``reid evaluate`` writes. Only ``note.json``, title and comment, can be edited.
"""

from __future__ import annotations

import json
import math
import re
import secrets
import shutil
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reid_core.errors import InputError
from reid_core.evaluation import EvalReport, Interval
from reid_core.experiments.breakdown import HEIGHT_COLUMN
from reid_core.experiments.evaluate import Evaluation
from reid_core.experiments.rankings import TopRanking
from reid_core.services.evaluations.records import (
    MAX_COMMENT,
    MAX_TITLE,
    RankingName,
    RunInfo,
    RunRequest,
    SettingRow,
)
from reid_core.services.files import write_text_atomically
from reid_core.services.galleries import GalleryImage

FORMAT_VERSION = 1
_MAX_OPEN = 4
_ID = re.compile(r"[0-9a-f]{12}")
_REPORTS: Mapping[RankingName, str] = {"plain": "report.json", "reranked": "report_reranked.json"}


@dataclass(frozen=True, slots=True)
class RunImage:
    """A query or gallery image as it was when the run was made; ``attributes`` are manifest columns."""

    id: str
    content_hash: str
    width: int
    height: int
    pid: int
    camid: int | None
    time_s: float | None
    attributes: Mapping[str, str]

    @property
    def person_height(self) -> float:
        """Pixels the person was high: before any scaling if the manifest says so, else the crop's height."""
        recorded = number_of(self.attributes.get(HEIGHT_COLUMN))
        return float(self.height) if recorded is None else recorded


@dataclass(frozen=True, slots=True)
class ImageColumns:
    """What filters look at, (N,) each: heights in pixels, cameras, times in seconds; NaN where not known."""

    heights: NDArray[np.float64]
    cameras: NDArray[np.float64]
    times: NDArray[np.float64]

    @classmethod
    def of(cls, images: Sequence[RunImage]) -> ImageColumns:
        """The columns of these images, in their order."""
        facts = [
            (
                image.person_height,
                math.nan if image.camid is None else image.camid,
                math.nan if image.time_s is None else image.time_s,
            )
            for image in images
        ]
        return cls(*np.array(facts, dtype=np.float64).reshape(-1, 3).T)


@dataclass(frozen=True)
class OpenRun:
    """One ranking of a run with everything that explains it. Rows of ``report`` are ``queries``."""

    info: RunInfo
    ranking_name: RankingName
    report: EvalReport
    ranking: TopRanking
    queries: tuple[RunImage, ...]
    images: tuple[RunImage, ...]

    @cached_property
    def row_of(self) -> Mapping[str, int]:
        """Row of each query by id."""
        return {image.id: row for row, image in enumerate(self.queries)}

    @cached_property
    def query_columns(self) -> ImageColumns:
        """Facts of the queries as columns."""
        return ImageColumns.of(self.queries)

    @cached_property
    def image_columns(self) -> ImageColumns:
        """Facts of the gallery images as columns."""
        return ImageColumns.of(self.images)

    def row(self, query_id: str) -> int:
        """The row of a query.

        Raises:
            InputError: The run has no such query.
        """
        if query_id not in self.row_of:
            raise InputError(f"Run {self.info.id} has no query {query_id[:200]!r}. Choose one from its list.")
        return self.row_of[query_id]

    @cached_property
    def is_counted(self) -> NDArray[np.bool_]:
        """(Q,) whether a query counts in the means."""
        counted: NDArray[np.bool_] = self.report.per_query.is_matched | (
            self.report.protocol.unmatched == "zero"
        )
        return counted


class RunStore:
    """The runs below one folder; safe to use from many threads."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._open: OrderedDict[tuple[str, RankingName], OpenRun] = OrderedDict()

    def write(
        self,
        evaluation: Evaluation,
        info: RunInfo,
        images: Mapping[str, GalleryImage],
        figures: Mapping[str, Any],
    ) -> RunInfo:
        """Keep a finished evaluation; returns ``info`` with the names of its figures and tables.

        Args:
            evaluation: What was found.
            info: What it is about; its id names the folder.
            images: The gallery's images by id, for hashes and sizes.
            figures: Plotly figures by name, as plain values.
        """
        from reid_core.experiments.results import write_tables

        staging = self._folder / ".staging" / f"{info.id}-{secrets.token_hex(4)}"
        staging.mkdir(parents=True)
        try:
            tables = tuple(path.name for path in write_tables(evaluation, staging))
            (staging / _REPORTS["plain"]).write_text(evaluation.report.to_json(), encoding="utf-8")
            arrays = {
                "plain_index": evaluation.ranking.index,
                "plain_distance": evaluation.ranking.distance,
            }
            rankings: tuple[RankingName, ...] = ("plain",)
            if evaluation.reranked is not None and evaluation.reranked_ranking is not None:
                rankings = ("plain", "reranked")
                (staging / _REPORTS["reranked"]).write_text(evaluation.reranked.to_json(), encoding="utf-8")
                arrays["reranked_index"] = evaluation.reranked_ranking.index
                arrays["reranked_distance"] = evaluation.reranked_ranking.distance
            np.savez_compressed(staging / "rankings.npz", **arrays)  # type: ignore[arg-type]
            _write_images(evaluation, images, staging / "images.parquet")
            (staging / "figures.json").write_text(json.dumps(figures), encoding="utf-8")
            info = replace(info, rankings=rankings, figures=tuple(figures), tables=tables)
            content = {"version": FORMAT_VERSION, **asdict(info)}
            (staging / "run.json").write_text(json.dumps(content, indent=1), encoding="utf-8")
            staging.rename(self._folder / info.id)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
        return info

    def infos(self) -> tuple[RunInfo, ...]:
        """Every run, newest first; a folder that cannot be read is passed over."""
        if not self._folder.is_dir():
            return ()
        found = []
        for folder in self._folder.iterdir():
            if _ID.fullmatch(folder.name) and (folder / "run.json").is_file():
                try:
                    found.append(self.info(folder.name))
                except InputError:
                    continue
        return tuple(sorted(found, key=lambda info: info.created_s, reverse=True))

    def info(self, run_id: str) -> RunInfo:
        """One run.

        Raises:
            InputError: There is none with this id, or it was written by another version.
        """
        folder = self.folder(run_id)
        try:
            content = json.loads((folder / "run.json").read_text(encoding="utf-8"))
            if content.pop("version") != FORMAT_VERSION:
                raise InputError(
                    f"Run {run_id} was written by another version of this program; run it again."
                )
            info = _info_from_dict(content)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"Run {run_id} is damaged ({error}); delete it and run it again.") from error
        note = folder / "note.json"
        if note.is_file():
            edited = json.loads(note.read_text(encoding="utf-8"))
            info = replace(info, title=edited["title"] or info.title, comment=edited["comment"])
        return info

    def open(self, run_id: str, ranking: RankingName = "plain") -> OpenRun:
        """A run with its rows; the newest used ones stay in memory.

        Raises:
            InputError: There is no such run, or it has no such ranking.
        """
        info = self.info(run_id)
        if ranking not in info.rankings:
            raise InputError(
                f"Run {info.title!r} has no {ranking} ranking. Start a run with re-ranking switched on."
            )
        with self._lock:
            kept = self._open.get((run_id, ranking))
            if kept is not None:
                if (kept.info.title, kept.info.comment) != (info.title, info.comment):
                    kept = self._open[run_id, ranking] = replace(kept, info=info)
                self._open.move_to_end((run_id, ranking))
                return kept  # with the columns that were drawn from its images before
        opened = self._load(info, ranking)
        with self._lock:
            self._open[run_id, ranking] = opened
            while len(self._open) > _MAX_OPEN:
                self._open.popitem(last=False)
        return opened

    def edit(self, run_id: str, *, title: str, comment: str) -> RunInfo:
        """Rename a run or comment on it.

        Raises:
            InputError: There is no such run, or a text is too long.
        """
        if len(title) > MAX_TITLE or len(comment) > MAX_COMMENT:
            raise InputError(
                f"Title and comment have {len(title)} and {len(comment)} characters; at most {MAX_TITLE} and "
                f"{MAX_COMMENT} are kept."
            )
        note = {"title": title.strip(), "comment": comment.strip()}
        write_text_atomically(self.folder(run_id) / "note.json", json.dumps(note, ensure_ascii=False))
        return self.info(run_id)

    def remove(self, run_id: str) -> None:
        """Delete a run and everything in it.

        Raises:
            InputError: There is no such run.
        """
        grave = self._folder / ".staging" / f"removed-{secrets.token_hex(6)}"
        grave.parent.mkdir(parents=True, exist_ok=True)
        self.folder(run_id).rename(grave)  # one step: a reader sees the whole run or none
        shutil.rmtree(grave)
        with self._lock:
            for key in [key for key in self._open if key[0] == run_id]:
                del self._open[key]

    def folder(self, run_id: str) -> Path:
        """Where a run lies.

        Raises:
            InputError: There is no such run.
        """
        folder = self._folder / run_id
        if not _ID.fullmatch(run_id) or not (folder / "run.json").is_file():
            raise InputError(f"There is no evaluation run {run_id[:40]!r}. It may have been deleted.")
        return folder

    def figures(self, run_id: str) -> dict[str, Any]:
        """Plotly figures by name, as plain values.

        Raises:
            InputError: There is no such run.
        """
        text = (self.folder(run_id) / "figures.json").read_text(encoding="utf-8")
        figures: dict[str, Any] = json.loads(text)
        return figures

    def _load(self, info: RunInfo, ranking: RankingName) -> OpenRun:
        folder = self.folder(info.id)
        report = EvalReport.from_json((folder / _REPORTS[ranking]).read_text(encoding="utf-8"))
        with np.load(folder / "rankings.npz") as arrays:
            top = TopRanking(arrays[f"{ranking}_index"], arrays[f"{ranking}_distance"])
        queries, images = _read_images(folder / "images.parquet")
        return OpenRun(info, ranking, report, top, queries, images)


def _write_images(evaluation: Evaluation, images: Mapping[str, GalleryImage], path: Path) -> None:
    import pandas as pd

    rows = [
        {
            "role": role,
            "id": record.image_id,
            "content_hash": images[record.image_id].content_hash,
            "width": images[record.image_id].width,
            "height": images[record.image_id].height,
            "pid": record.pid,
            "camid": record.camid,
            "time_s": record.time_s,
            "attributes": json.dumps(dict(record.attributes), ensure_ascii=False),
        }
        for role, records in (("query", evaluation.query), ("gallery", evaluation.gallery))
        for record in records
    ]
    table = pd.DataFrame(rows).astype({"camid": "Int64", "pid": "int64", "time_s": "float64"})
    table.to_parquet(path, index=False)


def _read_images(path: Path) -> tuple[tuple[RunImage, ...], tuple[RunImage, ...]]:
    import pyarrow.parquet as pq

    rows: Sequence[Mapping[str, Any]] = pq.read_table(path, partitioning=None).to_pylist()
    found: dict[str, list[RunImage]] = {"query": [], "gallery": []}
    for row in rows:
        time_s = row["time_s"]
        image = RunImage(
            id=row["id"],
            content_hash=row["content_hash"],
            width=row["width"],
            height=row["height"],
            pid=row["pid"],
            camid=row["camid"],
            time_s=None if time_s is None or time_s != time_s else time_s,
            attributes=json.loads(row["attributes"]),
        )
        found[row["role"]].append(image)
    return tuple(found["query"]), tuple(found["gallery"])


def _info_from_dict(values: Mapping[str, Any]) -> RunInfo:
    return RunInfo(
        **{
            **values,
            "request": RunRequest.from_dict(values["request"]),
            "settings": tuple(SettingRow(**row) for row in values["settings"]),
            "intervals": {name: Interval(**fields) for name, fields in values["intervals"].items()},
            "rankings": tuple(values["rankings"]),
            "figures": tuple(values["figures"]),
            "tables": tuple(values["tables"]),
            "notes": tuple(values["notes"]),
        }
    )


def number_of(text: str | None) -> float | None:
    """A manifest column as a number; None where it is none."""
    try:
        value = float(text) if text else math.nan
    except ValueError:
        return None
    return value if math.isfinite(value) else None
