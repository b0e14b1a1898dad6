"""Frozen sets on disk: one folder each, named by content; the name that people see lies beside it."""

from __future__ import annotations

import json
import logging
import re
import time
from dataclasses import dataclass
from pathlib import Path

from reid_core.annotation import Event, from_json_line, to_json_line
from reid_core.errors import DatasetError, InputError
from reid_core.retraining.changes import Changes, changes_of
from reid_core.retraining.records import SnapshotKey
from reid_core.retraining.snapshot import TrainingSnapshot
from reid_core.services.files import write_text_atomically

_log = logging.getLogger(__name__)
_KEY = re.compile(r"[0-9a-f]{16}")
_SNAPSHOT, _LOG, _NAME = "snapshot.json", "decisions.jsonl", "about.json"
MAX_NAME = 100


@dataclass(frozen=True, slots=True)
class SnapshotView:
    """A frozen set in a list. ``id`` is the beginning of its hash and names it in addresses."""

    id: str
    name: str
    hash: str
    gallery: str
    created_s: float
    key: SnapshotKey
    changes: Changes
    headline: str
    num_train: int
    num_base: int
    num_feedback: int
    num_evaluation: int
    num_locked: int
    num_quarantined: int
    num_overrides: int


class SnapshotStore:
    """The frozen sets of every gallery below one folder. Content is written once and never changed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._views: dict[tuple[str, str], SnapshotView] = {}

    def add(
        self, gallery: str, snapshot: TrainingSnapshot, log: tuple[Event, ...], *, name: str
    ) -> SnapshotView:
        """Keep a set; one with the same content is kept once and has the newer name.

        Raises:
            InputError: The name is empty, too long, or taken by another set.
        """
        name = self.check_name(gallery, name, own_id=snapshot.hash[:16])
        folder = self._folder / gallery / snapshot.hash[:16]
        self._write_about(folder, name, time.time())
        if not (folder / _SNAPSHOT).is_file():
            lines = "".join(f"{to_json_line(event)}\n" for event in log)
            write_text_atomically(folder / _LOG, lines)
            write_text_atomically(folder / _SNAPSHOT, snapshot.to_json())  # last: with it the set is listed
        self._views.pop((gallery, snapshot.hash[:16]), None)
        return self.view(gallery, snapshot.hash[:16])

    def list(self, gallery: str) -> tuple[SnapshotView, ...]:
        """All sets of a gallery, newest first; one that was changed on disk is left out."""
        if not (self._folder / gallery).is_dir():
            return ()
        ids = [path.name for path in (self._folder / gallery).iterdir() if (path / _SNAPSHOT).is_file()]
        views = []
        for snapshot_id in ids:
            try:
                views.append(self.view(gallery, snapshot_id))
            except DatasetError as error:
                _log.warning("training set %s is not listed: %s", snapshot_id, error)
        return tuple(sorted(views, key=lambda view: (-view.created_s, view.id)))

    def view(self, gallery: str, snapshot_id: str) -> SnapshotView:
        """One set without its rows.

        Raises:
            InputError: There is none with this id.
        """
        folder = self._find(gallery, snapshot_id)
        if (gallery, snapshot_id) not in self._views:
            about = json.loads((folder / _NAME).read_text(encoding="utf-8"))
            snapshot = self.open(gallery, snapshot_id)
            self._views[gallery, snapshot_id] = _view(
                snapshot, gallery, str(about["name"]), float(about["created_s"])
            )
        return self._views[gallery, snapshot_id]

    def open(self, gallery: str, snapshot_id: str) -> TrainingSnapshot:
        """One set whole; its hash is verified.

        Raises:
            InputError: There is none with this id. DatasetError: Its file was changed.
        """
        text = (self._find(gallery, snapshot_id) / _SNAPSHOT).read_text(encoding="utf-8")
        return TrainingSnapshot.from_json(text)

    def log(self, gallery: str, snapshot_id: str) -> tuple[Event, ...]:
        """The events that a set was frozen from.

        Raises:
            InputError: There is no such set. DatasetError: Its log is damaged.
        """
        text = (self._find(gallery, snapshot_id) / _LOG).read_text(encoding="utf-8")
        try:
            return tuple(from_json_line(line) for line in text.split("\n") if line)
        except InputError as error:
            raise DatasetError(f"The log of snapshot {snapshot_id} is damaged: {error}") from error

    def rename(self, gallery: str, snapshot_id: str, name: str) -> SnapshotView:
        """Give a set another name; its content and hash stay.

        Raises:
            InputError: There is no such set, or the name is empty, too long or taken.
        """
        view = self.view(gallery, snapshot_id)
        name = self.check_name(gallery, name, own_id=snapshot_id)
        folder = self._find(gallery, snapshot_id)
        about = {"name": name, "created_s": view.created_s}
        write_text_atomically(folder / _NAME, json.dumps(about, ensure_ascii=False))
        self._views.pop((gallery, snapshot_id), None)
        return self.view(gallery, snapshot_id)

    def check_name(self, gallery: str, name: str, *, own_id: str = "") -> str:
        """A name as it is kept, without spare blanks.

        Raises:
            InputError: It is empty, too long, or taken by another set than ``own_id``.
        """
        name = " ".join(name.split())
        if not 1 <= len(name) <= MAX_NAME:
            raise InputError(f"A training set needs a name of 1 to {MAX_NAME} letters.")
        if any(view.name == name and view.id != own_id for view in self.list(gallery)):
            raise InputError(f"Another training set is called {name!r}. Choose another name.")
        return name

    def _write_about(self, folder: Path, name: str, now_s: float) -> None:
        path = folder / _NAME
        if path.is_file():
            now_s = float(json.loads(path.read_text(encoding="utf-8"))["created_s"])
        write_text_atomically(path, json.dumps({"name": name, "created_s": now_s}, ensure_ascii=False))

    def _find(self, gallery: str, snapshot_id: str) -> Path:
        folder = self._folder / gallery / snapshot_id
        if not _KEY.fullmatch(snapshot_id) or not (folder / _SNAPSHOT).is_file():
            raise InputError(
                f"Gallery {gallery!r} has no training set {snapshot_id[:40]!r}. Choose one of its list."
            )
        return folder


def _view(snapshot: TrainingSnapshot, gallery: str, name: str, created_s: float) -> SnapshotView:
    counts, changes = snapshot.counts(), changes_of(snapshot)
    return SnapshotView(
        id=snapshot.hash[:16],
        name=name,
        hash=snapshot.hash,
        gallery=gallery,
        created_s=created_s,
        key=snapshot.key,
        changes=changes,
        headline=changes.headline,
        num_train=counts.get("train", 0),
        num_base=counts["base"],
        num_feedback=counts["feedback"],
        num_evaluation=counts.get("evaluation", 0),
        num_locked=counts.get("locked", 0),
        num_quarantined=counts.get("quarantine", 0),
        num_overrides=sum(resolution.way_out == "override" for resolution in snapshot.resolutions),
    )
