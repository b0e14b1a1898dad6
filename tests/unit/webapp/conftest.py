"""Workbenches behind the addresses: a small gallery to judge in, and a small set to retrain on."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from reid_core.services import Workbench
from tests.service_fakes import WAIT_S, make_settings, make_workbench, write_market
from tests.unit.retraining.small_sets import small_set
from tests.unit.services.test_retraining import load

PROGRAM = (sys.executable, str(Path(__file__).parents[2] / "training_program.py"))


def started(workbench: Workbench) -> Workbench:
    """Once all that starting began is done."""
    workbench.start()
    for job in workbench.jobs():
        assert workbench.wait_for(job.id, WAIT_S).state == "done"
    return workbench


@pytest.fixture(scope="module")
def workbench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workbench]:
    """One for the tests of a module, which see each other's judgements."""
    folder = tmp_path_factory.mktemp("routes")
    opened = started(make_workbench(folder, gallery=str(write_market(folder / "market"))))
    yield opened
    opened.close()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Workbench]:
    """One of its own for every test, with all three pools."""
    small_set(tmp_path / "city")
    (tmp_path / "base.bin").write_bytes(b"base")
    settings = make_settings(tmp_path, gallery=str(tmp_path / "city"), weights=str(tmp_path / "base.bin"))
    opened = started(Workbench(settings, load_model=load, training_program=PROGRAM))
    yield opened
    opened.close()
