"""Training outside of this process: started, followed, stopped, and found again after a restart of the app.

A run is a folder. ``run.json`` says what was asked for, ``process.json`` which process works on it,
``train.log`` holds what it printed and ``exit.txt`` the exit code; all other files are those of ``reid
train``. The process is a session of its own, so it goes on while the app is closed; the job of the next start
follows it, or takes the run up from its checkpoint.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import reid_core
from reid_core.errors import CancelledError, DatasetError, InputError
from reid_core.services.files import write_text_atomically
from reid_core.services.jobs import JobControl

RunState = Literal["new", "running", "stopped", "finished"]

DEFAULT_RECIPE = "from-corrections"
MAX_TAKE_UPS = 3
"""A run whose process vanished this often is not taken up again by itself."""
_POLL_S = 0.5
_STOP_S = 15.0
_RUN, _PROCESS, _LOG, _EXIT = "run.json", "process.json", "train.log", "exit.txt"
_KEEP_EXIT_CODE = '"$@"; code=$?; echo "$code" > "$0"; exit "$code"'
"""For ``sh -c``: runs the command and writes its exit code, whether or not the app is there to see it."""
_FINAL = "final.safetensors"
_TAIL_BYTES = 20_000
_BAR = re.compile(rb"(\d+)/\d+ \[")


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What to train: a frozen set, by a recipe, from a model. ``steps`` None: as the recipe says."""

    id: str
    gallery: str
    snapshot: str
    recipe: str
    base_model: str
    base_fingerprint: str
    seed: int
    steps: int | None
    threads: int
    created_s: float


@dataclass(frozen=True, slots=True)
class RunView:
    """A run in a list. ``step`` of ``num_steps`` (0 where not known yet); ``losses`` is the newest report."""

    request: RunRequest
    state: RunState
    step: int
    num_steps: int
    losses: Mapping[str, float]
    model: str = ""


class TrainingRuns:
    """Run folders below one folder. ``program`` is the command that ``train ...`` is added to."""

    def __init__(self, folder: Path, *, program: Sequence[str] | None = None) -> None:
        self._folder = folder
        self._program = tuple(program or (sys.executable, "-m", "reid_core", "--verbose"))

    def create(
        self,
        *,
        gallery: str,
        snapshot: str,
        recipe: str,
        base_model: str,
        base_fingerprint: str,
        seed: int,
        steps: int | None,
        threads: int,
    ) -> RunRequest:
        """Write down what to train; nothing is started.

        Raises:
            InputError: A number is out of range.
        """
        if seed < 0 or threads < 1 or (steps is not None and steps < 1):
            raise InputError(f"seed {seed}, threads {threads} or steps {steps} is out of range (0, 1, 1 up).")
        request = RunRequest(
            id=f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}",
            gallery=gallery,
            snapshot=snapshot,
            recipe=recipe,
            base_model=base_model,
            base_fingerprint=base_fingerprint,
            seed=seed,
            steps=steps,
            threads=threads,
            created_s=time.time(),
        )
        write_text_atomically(self._folder / request.id / _RUN, json.dumps(asdict(request), indent=1))
        return request

    def list(self) -> tuple[RunView, ...]:
        """Every run, newest first."""
        if not self._folder.is_dir():
            return ()
        ids = [path.name for path in self._folder.iterdir() if (path / _RUN).is_file()]
        return tuple(sorted((self.view(run) for run in ids), key=lambda view: -view.request.created_s))

    def request(self, run: str) -> RunRequest:
        """What was asked for.

        Raises:
            InputError: There is no such run.
        """
        path = self.folder(run) / _RUN
        return RunRequest(**json.loads(path.read_text(encoding="utf-8")))

    def folder(self, run: str) -> Path:
        """The folder of a run.

        Raises:
            InputError: There is no such run.
        """
        is_name = bool(run) and all(letter.isalnum() or letter == "-" for letter in run)
        if not is_name or not (self._folder / run / _RUN).is_file():
            raise InputError(f"There is no training run {run[:40]!r}. Choose one of the list.")
        return self._folder / run

    def view(self, run: str) -> RunView:
        """Where a run stands.

        Raises:
            InputError: There is no such run.
        """
        folder = self.folder(run)
        lines = self.curve(run)
        newest = lines[-1] if lines else {}
        state: RunState = "stopped"
        if self._living_process(folder) is not None:
            state = "running"
        elif self._is_finished(folder):
            state = "finished"
        elif not (folder / "config.json").is_file():
            state = "new"
        num_steps = self._num_steps(folder)
        step = num_steps if state == "finished" else max(int(newest.get("step", 0)), self._bar_step(folder))
        losses = {name: value for name, value in newest.items() if name != "step"}
        return RunView(self.request(run), state, step, num_steps, losses)

    def curve(self, run: str) -> tuple[dict[str, float], ...]:
        """What the run reported so far: dictionaries with ``step``, losses and, at times, validation scores.

        Raises:
            InputError: There is no such run.
        """
        path = self.folder(run) / "metrics.jsonl"
        if not path.is_file():
            return ()
        found = []
        for line in path.read_text(encoding="utf-8").splitlines():
            with contextlib.suppress(ValueError):  # the last line may be half written
                values = json.loads(line)
                if isinstance(values, dict):
                    found.append(values)
        return tuple(found)

    def interpolation(self, run: str) -> Any:
        """What the run wrote about mixtures of old and new weights, as its JSON; None before it did.

        Raises:
            InputError: There is no such run.
        """
        try:
            return json.loads((self.folder(run) / "interpolation.json").read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return None

    def log_tail(self, run: str) -> str:
        """The end of what the run printed.

        Raises:
            InputError: There is no such run.
        """
        path = self.folder(run) / _LOG
        if not path.is_file():
            return ""
        with path.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - _TAIL_BYTES))
            return file.read().decode("utf-8", errors="replace")

    def final_weights(self, run: str) -> Path:
        """The weights that a finished run ended with.

        Raises:
            InputError: There is no such run, or it is not finished.
        """
        folder = self.folder(run)
        if not self._is_finished(folder):
            raise InputError(f"Training run {run} is not finished; resume it first.")
        return folder / _FINAL

    def follow(self, run: str, control: JobControl, *, data: Path, start_from: Path) -> None:
        """Start the run, or find it running, and stay with it until it ends.

        Args:
            run: Its id.
            control: Is told every step. Cancelled, it stops the process; interrupted (the app closes), it
                leaves it alone.
            data: Folder of the exported set.
            start_from: Weights file to begin with.

        Raises:
            CancelledError: The job was cancelled or interrupted.
            DatasetError: The run failed; the message is the end of what it printed.
        """
        folder = self.folder(run)
        take_ups = 0
        while not self._is_finished(folder):
            process = self._living_process(folder)
            child: subprocess.Popen[bytes] | None = None
            if process is None:
                if take_ups == MAX_TAKE_UPS:
                    raise DatasetError(f"The training process vanished {take_ups} times. {self._why(run)}")
                child = self._start(folder, data, start_from)
                process, take_ups = child.pid, take_ups + 1
            code = self._watch(folder, process, child, control)
            if code not in (0, None):
                _stop(process, child)  # what it may have started, too
                raise DatasetError(self._why(run))
            if code == 0 and not (folder / _FINAL).is_file():
                raise DatasetError(f"Training ended without weights. {self._why(run)}")

    def _watch(
        self, folder: Path, process: int, child: subprocess.Popen[bytes] | None, control: JobControl
    ) -> int | None:
        """Until the process is over: its exit code, None where it is not our child and nobody knows."""
        run = folder.name
        while True:
            code = child.poll() if child is not None else None
            if child is not None and code is not None:
                return code
            if child is None and self._living_process(folder) is None:
                return self._exit_code(folder)
            if control.is_cancelled():
                if not control.is_interrupted():
                    _stop(process, child)
                raise CancelledError("Training was stopped; what it had learnt is kept in its checkpoint.")
            view = self.view(run)
            loss = next(
                (f", {name} {value:.3f}" for name, value in view.losses.items() if "loss" in name), ""
            )
            words = f"Step {view.step:,} of {view.num_steps:,}{loss}." if view.step else "Reading the set."
            if view.step and view.step == view.num_steps:
                words = "Scoring the trained weights, and mixtures with the old ones."
            control.report(view.step, view.num_steps, words)
            time.sleep(_POLL_S)

    def _start(self, folder: Path, data: Path, start_from: Path) -> subprocess.Popen[bytes]:
        request = self.request(folder.name)
        command = [*self._program, "train", str(data), "--recipe", request.recipe, "--out", str(folder)]
        command += ["--seed", str(request.seed), "--threads", str(request.threads)]
        command += ["--start-from", str(start_from)]
        if request.steps is not None:
            command += ["--steps", str(request.steps)]
        if (folder / "config.json").is_file():
            command.append("--resume")
        (folder / _EXIT).unlink(missing_ok=True)
        with (folder / _LOG).open("ab") as log:
            child = subprocess.Popen(
                ["/bin/sh", "-c", _KEEP_EXIT_CODE, str(folder / _EXIT), *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=Path(reid_core.__file__).parents[1],
                start_new_session=True,
            )
        write_text_atomically(folder / _PROCESS, json.dumps({"pid": child.pid, "command": command}))
        return child

    def _living_process(self, folder: Path) -> int | None:
        """The leader of a run's session if any of it still works; not another program's number."""
        try:
            stored = json.loads((folder / _PROCESS).read_text(encoding="utf-8"))
            process = int(stored["pid"])
            os.killpg(process, 0)
        except (OSError, ValueError, KeyError):
            return None
        try:
            listed = Path(f"/proc/{process}/cmdline").read_bytes()
        except (
            OSError
        ):  # no such system, or the leader is gone: its number is not given out while others live
            return process
        return process if str(folder).encode() in listed else None

    def _exit_code(self, folder: Path) -> int | None:
        try:
            return int((folder / _EXIT).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None

    def _is_finished(self, folder: Path) -> bool:
        """Whether the process ended well: weights alone may be those of an earlier step of its work."""
        return self._exit_code(folder) == 0 and (folder / _FINAL).is_file()

    def _bar_step(self, folder: Path) -> int:
        """Where the bar on the process's standard error stands: steps between two reports."""
        path = folder / _LOG
        if not path.is_file():
            return 0
        with path.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - 400))
            found = _BAR.findall(file.read())
        return int(found[-1]) if found else 0

    def _num_steps(self, folder: Path) -> int:
        try:
            values: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
            return int(values["steps"])
        except (OSError, ValueError, KeyError, TypeError):
            return 0

    def _why(self, run: str) -> str:
        lines = [line for line in self.log_tail(run).replace("\r", "\n").splitlines() if line.strip()]
        last = lines[-1].removeprefix("reid: ") if lines else "It printed nothing."
        return f"Training run {run} failed: {last}"


def _stop(process: int, child: subprocess.Popen[bytes] | None) -> None:
    """Ask the run's session to end, then end it."""
    for number, wait_s in ((signal.SIGTERM, _STOP_S), (signal.SIGKILL, 2.0)):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process, number)
        until = time.monotonic() + wait_s
        while time.monotonic() < until:
            if child is not None:
                child.poll()  # else it stays in the table of processes
            try:
                os.killpg(process, 0)
            except (ProcessLookupError, PermissionError):
                return
            time.sleep(0.1)
