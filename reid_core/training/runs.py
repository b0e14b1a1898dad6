"""The folder of a training run: what was asked for, on what machine, how it went, and how to go on.

``config.json``, ``environment.json``, ``metrics.jsonl`` (one line per report), ``last.pt`` (all that the next
step depends on), ``best.safetensors`` (best on the held-out identities), ``final.safetensors`` and
``curve.html``.
"""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from reid_core import __version__
from reid_core.errors import InputError, WeightsError
from reid_core.training.config import TrainConfig

CheckpointState = dict[str, Any]


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Paths and files of one run; ``create`` or ``reopen`` makes it."""

    path: Path

    @property
    def metrics_path(self) -> Path:
        """One JSON object per line."""
        return self.path / "metrics.jsonl"

    @property
    def checkpoint_path(self) -> Path:
        """The newest resumable state."""
        return self.path / "last.pt"

    @property
    def best_path(self) -> Path:
        """The averaged net with the best validation mAP."""
        return self.path / "best.safetensors"

    @property
    def final_path(self) -> Path:
        """The averaged net after the last step."""
        return self.path / "final.safetensors"

    @property
    def curve_path(self) -> Path:
        """The learning curve as a page."""
        return self.path / "curve.html"

    @staticmethod
    def create(path: Path, config: TrainConfig, sources: Mapping[str, str]) -> RunFolder:
        """Start a folder.

        Args:
            path: A new or empty folder.
            config: The recipe.
            sources: What the run read, for the record: e.g. data folders and starting weights.

        Raises:
            InputError: The folder holds a run already.
        """
        if (path / "config.json").exists():
            raise InputError(
                f"{path} holds a run already. Add --resume to go on with it, or choose another folder."
            )
        path.mkdir(parents=True, exist_ok=True)
        (path / "config.json").write_text(config.to_json(), encoding="utf-8")
        environment = {**_describe_environment(), "sources": dict(sources)}
        (path / "environment.json").write_text(json.dumps(environment, indent=2) + "\n", encoding="utf-8")
        return RunFolder(path)

    @staticmethod
    def reopen(path: Path, config: TrainConfig) -> RunFolder:
        """Open a folder to go on with its run.

        Raises:
            InputError: There is no run, or it was started with another config.
        """
        run = RunFolder(path)
        if run.read_config() != config:
            raise InputError(
                f"The run in {path} was started with another recipe, seed or number of steps. Resume it with "
                "the same, or choose another folder."
            )
        return run

    def read_config(self) -> TrainConfig:
        """The recipe the run was started with.

        Raises:
            InputError: There is no run, or one of another version.
        """
        saved = self.path / "config.json"
        if not saved.is_file():
            raise InputError(f"{self.path} holds no run (no config.json). Start one without --resume.")
        return TrainConfig.from_json(saved.read_text(encoding="utf-8"))

    def append_metrics(self, values: Mapping[str, float | int]) -> None:
        """Add one line."""
        with self.metrics_path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(dict(values)) + "\n")

    def read_metrics(self) -> list[dict[str, float]]:
        """All lines so far."""
        if not self.metrics_path.is_file():
            return []
        return [json.loads(line) for line in self.metrics_path.read_text(encoding="utf-8").splitlines()]

    def save_checkpoint(self, state: CheckpointState) -> None:
        """Replace the newest state, whole or not at all."""
        unfinished = self.checkpoint_path.with_suffix(".part")
        torch.save(state, unfinished)
        unfinished.replace(self.checkpoint_path)

    def load_checkpoint(self, *, is_writer: bool = True) -> CheckpointState | None:
        """The newest state, or ``None`` before the first was saved.

        ``is_writer``: drop metrics lines that are later; only one of several processes may.

        Raises:
            WeightsError: The file is damaged.
        """
        if not self.checkpoint_path.is_file():
            if is_writer:
                self.metrics_path.unlink(missing_ok=True)
            return None
        try:
            state: CheckpointState = torch.load(self.checkpoint_path, map_location="cpu", weights_only=True)
        except (OSError, RuntimeError, EOFError, ValueError) as error:
            raise WeightsError(
                f"{self.checkpoint_path} cannot be read ({error}). Start the run again in another folder."
            ) from error
        if not is_writer:
            return state
        kept = [line for line in self.read_metrics() if line["step"] <= state["step"]]
        text = "".join(json.dumps(line) + "\n" for line in kept)
        self.metrics_path.write_text(text, encoding="utf-8")
        return state


def _describe_environment() -> dict[str, str | int]:
    return {
        "reid_studio": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "machine": platform.machine(),
        "processor": _processor_name(),
        "threads": torch.get_num_threads(),
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def _processor_name() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()
