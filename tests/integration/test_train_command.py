"""``reid train`` as people start it: alone, with ``torchrun``, stopped and resumed, with its switches."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from reid_core.cli import main
from reid_core.commands.train import STOPPED
from tests.unit.training.conftest import tiny_set

__all__ = ["tiny_set"]  # fixture

ROOT = Path(__file__).parents[2]
WAIT_S = 120.0
STEPS = 30


def words(data: Path, out: Path, *more: str) -> list[str]:
    """A run of the paper's recipe on a dozen people."""
    common = ["--recipe", "osnet-demo-scale", "--batch-size", "8", "--validation", "0"]
    return ["train", str(data), *common, "--out", str(out), *more]


def process(command: list[str]) -> subprocess.Popen[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def metrics(run: Path) -> list[dict[str, Any]]:
    """All lines without what depends on the clock."""
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{name: value for name, value in line.items() if name != "crops_per_s"} for line in lines]


def two_processes(words: list[str]) -> subprocess.Popen[str]:
    start = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    return process([*start, "-m", "reid_core", *words])


def stop_after_first_report(training: subprocess.Popen[str], run: Path) -> str:
    """SIGTERM once there are metrics; what it said."""
    until = time.monotonic() + WAIT_S
    while not (run / "metrics.jsonl").is_file() and training.poll() is None and time.monotonic() < until:
        time.sleep(0.02)
    training.send_signal(signal.SIGTERM)
    said, _ = training.communicate(timeout=WAIT_S)
    return said


def test_torchrun__two_processes__steps_of_one(tiny_set: Path, tmp_path: Path) -> None:
    two = two_processes(words(tiny_set, tmp_path / "two", "--steps", "2"))
    assert main(words(tiny_set, tmp_path / "one", "--steps", "2")) == 0
    said, _ = two.communicate(timeout=WAIT_S)
    assert two.returncode == 0, said
    assert said.count("final.safetensors") == 1  # only the first process reports

    one_lines, two_lines = metrics(tmp_path / "one"), metrics(tmp_path / "two")
    assert [line["step"] for line in two_lines] == [1, 2]
    assert two_lines[0]["identity"] == pytest.approx(one_lines[0]["identity"], rel=1e-5)
    # Rounding grows through the batch norms of a fresh net; test_distributed.py has the sharp check.
    assert two_lines[1]["identity"] == pytest.approx(one_lines[1]["identity"], rel=0.1)
    one, both = (load_file(tmp_path / run / "final.safetensors") for run in ("one", "two"))
    assert one.keys() == both.keys()
    start_of_both = torch.cat([one[name].flatten() - both[name].flatten() for name in one])
    moved = torch.cat([value.flatten() for value in one.values()])
    assert start_of_both.norm() < 0.05 * moved.norm()


def test_torchrun__stopped__one_process_goes_on_with_the_next_step(tiny_set: Path, tmp_path: Path) -> None:
    run = tmp_path / "stopped"
    said = stop_after_first_report(two_processes(words(tiny_set, run, "--steps", str(STEPS))), run)
    assert "Training stopped after step" in said
    step, before = torch.load(run / "last.pt", weights_only=True)["step"], metrics(run)
    assert 0 < step < STEPS

    assert main(words(tiny_set, run, "--steps", str(STEPS), "--resume")) == 0
    lines = metrics(run)
    assert lines[: len(before)] == before
    assert [line["step"] for line in lines] == list(range(1, STEPS + 1))
    assert lines[step]["identity"] < 2 * lines[step - 1]["identity"]
    assert (run / "final.safetensors").is_file()


def test_sigterm__in_the_middle__checkpoint_that_resumes_to_the_identical_weights(
    tiny_set: Path, tmp_path: Path
) -> None:
    run = tmp_path / "stopped"
    stopped = process([sys.executable, "-m", "reid_core", *words(tiny_set, run, "--steps", str(STEPS))])
    said = stop_after_first_report(stopped, run)
    assert stopped.returncode == STOPPED, said
    assert "Training stopped after step" in said
    step = torch.load(run / "last.pt", weights_only=True)["step"]
    assert 0 < step < STEPS
    assert not (run / "final.safetensors").exists()

    handlers = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    assert main(words(tiny_set, run, "--steps", str(STEPS), "--resume")) == 0
    assert main(words(tiny_set, tmp_path / "whole", "--steps", str(STEPS))) == 0
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == handlers
    whole, resumed = (load_file(tmp_path / name / "final.safetensors") for name in ("whole", "stopped"))
    assert all(torch.equal(value, resumed[name]) for name, value in whole.items())
    assert metrics(run)[-1] == metrics(tmp_path / "whole")[-1]


def test_bf16__two_steps__finite_and_near_float32(tiny_set: Path, tmp_path: Path) -> None:
    assert main(words(tiny_set, tmp_path / "half", "--steps", "2", "--bf16")) == 0
    assert main(words(tiny_set, tmp_path / "full", "--steps", "2")) == 0
    assert json.loads((tmp_path / "half" / "config.json").read_text())["precision"] == "bfloat16"
    half, full = metrics(tmp_path / "half"), metrics(tmp_path / "full")
    assert half[0]["identity"] == pytest.approx(full[0]["identity"], rel=0.05)
    assert half[0]["identity"] != full[0]["identity"]
    weights = load_file(tmp_path / "half" / "final.safetensors")
    assert all(bool(value.isfinite().all()) for value in weights.values())


def test_tensorboard__asked_for__every_report_in_the_folder_of_the_run(
    tiny_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[tuple[str, str, float, int]] = []

    class SummaryWriter:
        def __init__(self, folder: str) -> None:
            self.folder = folder

        def add_scalar(self, name: str, value: float, step: int) -> None:
            written.append((self.folder, name, value, step))

        def flush(self) -> None:
            pass

    stand_in = ModuleType("torch.utils.tensorboard")
    stand_in.SummaryWriter = SummaryWriter  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", stand_in)
    run = tmp_path / "run"
    assert main(words(tiny_set, run, "--steps", "2", "--tensorboard")) == 0
    assert {folder for folder, *_ in written} == {str(run / "tensorboard")}
    expected = [(name, line[name], line["step"]) for line in metrics(run) for name in line if name != "step"]
    assert [entry[1:] for entry in written if entry[1] != "crops_per_s"] == expected


@pytest.mark.skipif(find_spec("tensorboard") is None, reason="the package tensorboard is not installed")
def test_tensorboard__installed__event_file(tiny_set: Path, tmp_path: Path) -> None:
    assert main(words(tiny_set, tmp_path / "run", "--steps", "2", "--tensorboard")) == 0
    (events,) = (tmp_path / "run" / "tensorboard").glob("events.out.tfevents.*")
    assert b"identity" in events.read_bytes()


def test_tensorboard__not_installed__error_with_the_way_out_and_no_run(
    tiny_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    for name in [name for name in sys.modules if name.startswith("torch.utils.tensorboard")]:
        monkeypatch.delitem(sys.modules, name)
    assert main(words(tiny_set, tmp_path / "run", "--steps", "2", "--tensorboard")) == 1
    assert "pip install tensorboard" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
