"""Freezing a set, and reading back an exported one, as jobs."""

from __future__ import annotations

import itertools
import json
import secrets
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Protocol

from reid_core.errors import InputError
from reid_core.retraining.archive import read_set, unpack_set
from reid_core.retraining.pools import Pools
from reid_core.retraining.records import Resolution, SnapshotRules
from reid_core.services.jobs import JobControl, JobQueue
from reid_core.services.records import JobView
from reid_core.services.retraining.snapshot_store import MAX_NAME, SnapshotStore, SnapshotView


class Freezer(Protocol):
    """What freezes: ``Retraining.freeze``."""

    def __call__(
        self,
        gallery: str,
        *,
        name: str,
        model: str,
        rules: SnapshotRules | None,
        resolutions: Sequence[Resolution],
    ) -> SnapshotView: ...


class SetJobs:
    """Submits and runs the two kinds; ``incoming`` holds what was sent until it is read."""

    def __init__(
        self,
        incoming: Path,
        *,
        snapshots: SnapshotStore,
        freeze: Freezer,
        pools_of: Callable[[str], Pools],
        jobs: Callable[[], JobQueue],
    ) -> None:
        self.incoming = incoming
        self._snapshots, self._freeze, self._pools_of, self._jobs = snapshots, freeze, pools_of, jobs

    def freeze(
        self,
        gallery: str,
        *,
        name: str,
        model: str = "",
        rules: SnapshotRules | None = None,
        resolutions: Sequence[Resolution] = (),
    ) -> JobView:
        """Freeze in the background. A leak that is still open ends the job with its sentence.

        Raises:
            InputError: The name is empty, too long or taken.
        """
        name = self._snapshots.check_name(gallery, name)
        parameters = {
            "gallery": gallery,
            "name": name,
            "model": model,
            "rules": json.dumps(asdict(rules or SnapshotRules())),
            "resolutions": json.dumps([asdict(resolution) for resolution in resolutions]),
        }
        return self._jobs().submit("freeze", f"Freeze {name}", parameters, gallery=gallery)

    def run_freeze(self, control: JobControl) -> str:
        """The job."""
        given = control.parameters
        control.report(0, 2, "Reading the judgements and the pools.")
        self._pools_of(given["gallery"])
        control.check()
        control.report(1, 2, "Freezing: identities, weights, constraints, triplets.")
        view = self._freeze(
            given["gallery"],
            name=given["name"],
            model=given["model"],
            rules=SnapshotRules(**json.loads(given["rules"])),
            resolutions=[Resolution(**item) for item in json.loads(given["resolutions"])],
        )
        return f"{view.name} is frozen ({view.id}): {view.headline}."

    def read_back(self, gallery: str, zip_path: Path, *, title: str, name: str = "") -> JobView:
        """Read an exported zip back in the background; the file is this job's from now on.

        Args:
            gallery: Its name.
            zip_path: A file in ``incoming``.
            title: What the file is called; names the set where it is new and nobody chose a name.
            name: Chosen by somebody, for a set that is kept already, too.

        Raises:
            InputError: The name is too long or taken.
        """
        name = self._snapshots.check_name(gallery, name) if name else ""
        parameters = {"gallery": gallery, "zip": zip_path.name, "title": title, "name": name}
        return self._jobs().submit("read-set", f"Read {name or title}", parameters, gallery=gallery)

    def run_read(self, control: JobControl) -> str:
        """The job: unpack, prove unchanged, compare the base data set, keep."""
        given = control.parameters
        path = self.incoming / given["zip"]
        folder = self.incoming / f"{path.stem}-{secrets.token_hex(4)}"
        try:
            control.check()
            control.report(0, 3, "Unpacking.")
            unpack_set(path, folder)
            control.check()
            control.report(1, 3, "Comparing every file with its sum.")
            found = read_set(folder)
            control.report(2, 3, "Comparing with the gallery's data set.")
            pools = self._pools_of(given["gallery"])
            if found.snapshot.key.base_hash != pools.base_hash:
                raise InputError(
                    f"This set was frozen from {found.snapshot.key.base_name!r} "
                    f"({found.snapshot.key.base_hash[:12]}); the gallery's data set is {pools.name!r} "
                    f"({pools.base_hash[:12]}). Import that data set first and choose its gallery."
                )
            name = given["name"] or self._name_of(given["gallery"], found.snapshot.hash, given["title"])
            view = self._snapshots.add(given["gallery"], found.snapshot, found.log, name=name)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            if not control.is_interrupted():
                path.unlink(missing_ok=True)
        return f"{view.name} was read back unchanged ({view.id}, {found.num_files:,} files compared)."

    def _name_of(self, gallery: str, snapshot_hash: str, title: str) -> str:
        """The name that the set has already; for a new one its title, numbered if it is taken."""
        names = {view.hash: view.name for view in self._snapshots.list(gallery)}
        if snapshot_hash in names:
            return names[snapshot_hash]
        stem = " ".join(title.split())[: MAX_NAME - 5] or "set"
        numbered = (f"{stem} {number}" for number in itertools.count(2))
        return next(name for name in itertools.chain([stem], numbered) if name not in names.values())
