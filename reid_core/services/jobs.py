"""Long work outside the request: queued, watched, stopped, and taken up again after a restart.

Each lane has one thread, because its jobs keep processor or device busy anyway; kinds share one lane
unless ``lanes`` gives them another. A job is a kind and plain parameters;
``runners`` say what a kind does. Every change of state is written to one small file per job, so that a reload
of the page loses nothing and a restart of the program goes on with what was unfinished.
"""

from __future__ import annotations

import json
import logging
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from reid_core.errors import CancelledError, InputError, ReidError
from reid_core.services.files import write_text_atomically
from reid_core.services.records import JobKind, JobView
from reid_core.types import Refusal

_log = logging.getLogger(__name__)

MAX_KEPT_JOBS = 100
MAX_SHOWN_REFUSALS = 500
MAX_ATTEMPTS = 3
"""A job that was running at this many restarts is not started again: it may be what stopped the program."""

Parameters = Mapping[str, str]


class JobControl:
    """What a running job reports to and asks."""

    def __init__(
        self,
        parameters: Parameters,
        *,
        update: Callable[..., None],
        stop: threading.Event,
        gallery: str = "",
        is_closing: Callable[[], bool] = lambda: False,
    ) -> None:
        self.parameters = parameters
        self.gallery = gallery
        self.is_interrupted = is_closing
        self._update = update
        self._stop = stop

    def report(self, num_done: int, num_total: int, message: str) -> None:
        """Say how far the work is."""
        self._update(num_done=num_done, num_total=num_total, message=message)

    def refuse(self, refused: Sequence[Refusal]) -> None:
        """List what was not read, replacing what was listed before; long lists are cut and say so."""
        shown = tuple(refused[:MAX_SHOWN_REFUSALS])
        if len(refused) > len(shown):
            rest = len(refused) - len(shown)
            shown += (Refusal(f"{rest:,} more", "not listed here; mend the first ones and read again"),)
        self._update(refused=shown)

    def name_gallery(self, gallery: str) -> None:
        """Say which gallery this job made; known again when the job goes on after a restart."""
        self.gallery = gallery
        self._update(gallery=gallery)

    def is_cancelled(self) -> bool:
        """Whether the work should stop now; asked often."""
        return self._stop.is_set()

    def check(self) -> None:
        """Raise CancelledError when the work should stop now."""
        if self._stop.is_set():
            raise CancelledError("Stopped.")


Runner = Callable[[JobControl], str]
"""Does one job and returns the sentence that sums it up."""


@dataclass
class _Job:
    view: JobView
    parameters: Parameters
    attempts: int = 0
    has_begun: bool = False
    stop: threading.Event = field(default_factory=threading.Event)


class JobQueue:
    """Jobs of this process, and those that earlier ones left on disk.

    Kinds that are ``traceless`` leave nothing to clear away before they begin: cancelled while they wait,
    they end at once. The runner of any other kind is called at its turn, to clear away.
    """

    def __init__(
        self,
        folder: Path,
        runners: Mapping[JobKind, Runner],
        *,
        lanes: Mapping[JobKind, str] | None = None,
        traceless: Collection[JobKind] = (),
    ) -> None:
        self._folder = folder
        self._runners = runners
        self._traceless = frozenset(traceless)
        self._lanes = {kind: (lanes or {}).get(kind, "compute") for kind in runners}
        self._condition = threading.Condition()
        self._jobs: dict[str, _Job] = {}
        self._waiting: dict[str, deque[str]] = {lane: deque() for lane in self._lanes.values()}
        self._threads: list[threading.Thread] = []
        self._is_closing = False

    def start(self) -> None:
        """Read the jobs on disk, queue the unfinished ones again and begin to work."""
        with self._condition:
            if self._threads:
                return
            self._load()
            for lane in self._waiting:
                thread = threading.Thread(
                    target=self._work, args=(lane,), name=f"reid-jobs-{lane}", daemon=True
                )
                self._threads.append(thread)
                thread.start()

    def submit(
        self, kind: JobKind, title: str, parameters: Parameters, *, gallery: str = "", model: str = ""
    ) -> JobView:
        """Queue a job. One that is unfinished and has the same kind and parameters is returned instead."""
        with self._condition:
            for job in self._jobs.values():
                if job.view.kind == kind and job.parameters == parameters and not job.view.is_over:
                    return job.view
            view = JobView(
                id=secrets.token_hex(8),
                kind=kind,
                title=title,
                state="queued",
                num_done=0,
                num_total=0,
                message="Waiting for its turn.",
                gallery=gallery,
                model=model,
                created_s=time.time(),
            )
            job = _Job(view, dict(parameters))
            self._jobs[view.id] = job
            self._waiting[self._lanes[kind]].append(view.id)
            self._save(job)
            self._forget_old()
            self._condition.notify_all()
            return view

    def all(self) -> tuple[JobView, ...]:
        """Every job, newest first."""
        with self._condition:
            views = [job.view for job in self._jobs.values()]
        return tuple(sorted(views, key=lambda view: view.created_s, reverse=True))

    def get(self, job_id: str) -> JobView:
        """One job.

        Raises:
            InputError: There is none with this id.
        """
        with self._condition:
            return self._find(job_id).view

    def newest(self, kind: JobKind, parameters: Parameters) -> JobView | None:
        """The newest job of this kind with exactly these parameters, or None."""
        with self._condition:
            same = [
                job.view
                for job in self._jobs.values()
                if job.view.kind == kind and job.parameters == parameters
            ]
        return max(same, key=lambda view: view.created_s, default=None)

    def cancel(self, job_id: str) -> None:
        """Stop a job that waits or runs; one that is over stays as it is.

        Raises:
            InputError: There is none with this id.
        """
        with self._condition:
            job = self._find(job_id)
            job.stop.set()
            if job.view.state == "queued" and not job.has_begun and job.view.kind in self._traceless:
                self._waiting[self._lanes[job.view.kind]].remove(job_id)
                self._end(job, state="cancelled", message="Stopped before it began.")
            elif not job.view.is_over:
                self._change(job, message="Stopping.")

    def wait(self, job_id: str, timeout_s: float | None = None) -> JobView:
        """Block until the job, the time or the queue's work is over; returns the job either way."""
        with self._condition:
            self._condition.wait_for(lambda: self._find(job_id).view.is_over or self._is_closing, timeout_s)
            return self._find(job_id).view

    def close(self, timeout_s: float = 10.0) -> None:
        """Stop working. A running job is interrupted at its next step and goes on at the next start."""
        with self._condition:
            self._is_closing = True
            for job in self._jobs.values():
                if job.view.state == "running":
                    job.stop.set()
            self._condition.notify_all()
            threads = tuple(self._threads)
        for thread in threads:
            thread.join(timeout_s)

    def _find(self, job_id: str) -> _Job:
        if job_id not in self._jobs:
            raise InputError(f"There is no job {job_id!r}; it may be too old to be listed.")
        return self._jobs[job_id]

    def _work(self, lane: str) -> None:
        waiting = self._waiting[lane]
        while True:
            with self._condition:
                self._condition.wait_for(lambda: waiting or self._is_closing)
                if self._is_closing:
                    return
                job = self._jobs[waiting.popleft()]
                job.attempts += 1
                job.has_begun = True
                self._change(job, state="running", message="Starting.")
            self._run(job)

    def _run(self, job: _Job) -> None:
        def update(**changes: Any) -> None:
            with self._condition:
                job.view = replace(job.view, **changes)
                if "gallery" in changes:
                    self._save(job)

        control = JobControl(
            job.parameters,
            update=update,
            stop=job.stop,
            gallery=job.view.gallery,
            is_closing=lambda: self._is_closing,
        )
        try:
            message = self._runners[job.view.kind](control)
        except CancelledError:
            if self._is_closing:
                job.attempts -= 1
                return self._end(job, state="queued", message="Interrupted; goes on at the next start.")
            return self._end(job, state="cancelled", message="Stopped.")
        except ReidError as error:
            return self._end(job, state="failed", message=str(error))
        except OSError as error:
            _log.warning("job %s (%s) failed", job.view.id, job.view.kind, exc_info=True)
            return self._end(job, state="failed", message=f"A file or the disk refused: {error}.")
        except Exception:
            _log.exception("job %s (%s) failed", job.view.id, job.view.kind)
            return self._end(job, state="failed", message="This failed for a reason of ours; see the log.")
        return self._end(job, state="done", message=message)

    def _end(self, job: _Job, **changes: Any) -> None:
        with self._condition:
            self._change(job, **changes)
            self._condition.notify_all()

    def _change(self, job: _Job, **changes: Any) -> None:
        job.view = replace(job.view, **changes)
        self._save(job)

    def _save(self, job: _Job) -> None:
        view = job.view
        stored = {name: getattr(view, name) for name in _STORED_FIELDS}
        stored["refused"] = [(refusal.item, refusal.reason) for refusal in view.refused]
        content = {
            "view": stored,
            "parameters": dict(job.parameters),
            "attempts": job.attempts,
            "has_begun": job.has_begun,
        }
        write_text_atomically(self._folder / f"{view.id}.json", json.dumps(content))

    def _load(self) -> None:
        found: list[_Job] = []
        for path in self._folder.glob("*.json"):
            try:
                job = _parse(json.loads(path.read_text()))
            except (ValueError, KeyError, TypeError):
                _log.warning("job file %s is damaged and was removed", path.name)
                path.unlink()
                continue
            if job.view.id in self._jobs:
                continue
            self._jobs[job.view.id] = job
            found.append(job)
        # By age: what ran when the program ended goes first, for its work may still be under way.
        for job in sorted(found, key=lambda job: job.view.created_s):
            if not job.view.is_over:
                self._take_up(job)

    def _take_up(self, job: _Job) -> None:
        if job.view.kind not in self._runners:
            message = "This version of the app does not know this kind of work."
            self._change(job, state="failed", message=message)
        elif job.attempts >= MAX_ATTEMPTS:
            message = f"The program ended {job.attempts} times while this ran, so it is not tried again."
            self._change(job, state="failed", message=message)
        else:
            self._change(job, state="queued", message="Goes on after a restart.")
            self._waiting[self._lanes[job.view.kind]].append(job.view.id)

    def _forget_old(self) -> None:
        over = sorted((job.view.created_s, job.view.id) for job in self._jobs.values() if job.view.is_over)
        for _, job_id in over[: max(0, len(self._jobs) - MAX_KEPT_JOBS)]:
            del self._jobs[job_id]
            (self._folder / f"{job_id}.json").unlink(missing_ok=True)


_STORED_FIELDS = tuple(item.name for item in fields(JobView) if item.name != "refused")


def _parse(content: Mapping[str, Any]) -> _Job:
    stored = {name: content["view"][name] for name in _STORED_FIELDS}
    refused = tuple(Refusal(item, reason) for item, reason in content["view"]["refused"])
    return _Job(
        JobView(**stored, refused=refused),
        dict(content["parameters"]),
        int(content["attempts"]),
        bool(content.get("has_begun", True)),  # not written by earlier versions
    )
