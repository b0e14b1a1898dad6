"""Zips to download and folders to train from, made of frozen sets."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from reid_core.annotation import Event
from reid_core.errors import InputError
from reid_core.retraining.archive import write_folder, write_zip
from reid_core.retraining.export import FileContent, imagefolder_files, set_files, text_files
from reid_core.retraining.layout import TOP_FOLDERS, reader_for
from reid_core.retraining.snapshot import TrainingSnapshot
from reid_core.services.files import write_text_atomically
from reid_core.services.jobs import JobControl
from reid_core.services.retraining.records import ExportView
from reid_core.services.retraining.snapshot_store import SnapshotView

LAYOUTS = ("market", "imagefolder", "tables")
_NAME = re.compile(r"[\w.-]+\.zip", re.ASCII)


class ExportStore:
    """``zips`` holds what can be downloaded, ``sets`` what training reads; a zip is made once per set."""

    def __init__(self, zips: Path, sets: Path) -> None:
        self._zips, self._sets = zips, sets

    def check_layout(self, layout: str, *, with_locked: bool) -> None:
        """Refuse an unknown layout, and tables of the locked test: without its crops they prove nothing.

        Raises:
            InputError: It is none of ``LAYOUTS``, or tables with the locked test.
        """
        if layout not in LAYOUTS:
            raise InputError(f"There is no layout {layout[:40]!r}; choose one of {', '.join(LAYOUTS)}.")
        if layout == "tables" and with_locked:
            raise InputError("The tables come without the locked test. Choose the market layout for it.")

    def pack(
        self,
        snapshot: TrainingSnapshot,
        log: Sequence[Event],
        paths: Mapping[str, Path],
        *,
        view: SnapshotView,
        layout: str,
        with_locked: bool,
        control: JobControl,
    ) -> str:
        """Write a zip; returns a sentence. A stop leaves nothing behind.

        Raises:
            DatasetError: A crop is gone or changed. CancelledError: Somebody stopped it.
        """
        self.check_layout(layout, with_locked=with_locked)
        name = f"{snapshot.hash[:16]}-{layout}{'-locked' if with_locked else ''}.zip"
        top = TOP_FOLDERS[reader_for(snapshot, with_locked=with_locked)] if layout == "market" else ""
        files = self._files(snapshot, log, paths, view.name, layout, with_locked, control)
        target = write_zip(files, self._zips / name, top_folder=top)
        about = ExportView(
            name=name,
            gallery=view.gallery,
            snapshot=view.id,
            layout=layout,
            with_locked=with_locked,
            num_bytes=target.stat().st_size,
            created_s=target.stat().st_mtime,
        )
        write_text_atomically(target.with_suffix(".json"), json.dumps(asdict(about)))
        return f"{name} is ready to download ({about.num_bytes / 1e6:.1f} MB)."

    def list(self) -> tuple[ExportView, ...]:
        """Finished zips, newest first."""
        if not self._zips.is_dir():
            return ()
        found = [
            ExportView(**json.loads(path.read_text(encoding="utf-8")))
            for path in self._zips.glob("*.json")
            if path.with_suffix(".zip").is_file()
        ]
        return tuple(sorted(found, key=lambda view: (-view.created_s, view.name)))

    def file(self, name: str) -> Path:
        """A finished zip.

        Raises:
            InputError: There is none of this name.
        """
        path = self._zips / name
        if not _NAME.fullmatch(name) or not path.is_file():
            raise InputError(f"There is no export {name[:60]!r}. Export the training set again.")
        return path

    def set_folder(
        self,
        snapshot: TrainingSnapshot,
        log: Sequence[Event],
        paths: Mapping[str, Path],
        *,
        control: JobControl,
    ) -> Path:
        """The set as a folder that ``reid train`` reads, written at its first use.

        Raises:
            DatasetError: A crop is gone or changed. CancelledError: The job should stop.
        """
        target = self._sets / snapshot.hash[:16]
        if not target.is_dir():
            write_folder(self._files(snapshot, log, paths, "", "market", False, control), target)
        return target

    @staticmethod
    def _files(
        snapshot: TrainingSnapshot,
        log: Sequence[Event],
        paths: Mapping[str, Path],
        name: str,
        layout: str,
        with_locked: bool,
        control: JobControl,
    ) -> Iterator[FileContent]:
        if layout == "tables":
            return text_files(snapshot, log, name=name)
        make = set_files if layout == "market" else imagefolder_files
        return make(
            snapshot,
            log,
            paths,
            name=name,
            with_locked=with_locked,
            report=lambda done, total: control.report(done, total, "Writing crops."),
            is_cancelled=control.is_cancelled,
        )
