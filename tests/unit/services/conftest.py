from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reid_core.services import Workbench
from reid_core.services.review import ReviewService
from tests.service_fakes import WAIT_S, ColourNetwork, make_workbench, write_market

Start = Callable[..., Workbench]


@pytest.fixture
def network() -> ColourNetwork:
    return ColourNetwork()


@pytest.fixture
def market(tmp_path: Path) -> Path:
    return write_market(tmp_path / "market")


@pytest.fixture
def start(tmp_path: Path, market: Path, network: ColourNetwork) -> Iterator[Start]:
    """Starts workbenches on one data folder, with the small gallery as default, and closes them."""
    started: list[Workbench] = []

    def start_one(own_network: ColourNetwork | None = None, **overrides: object) -> Workbench:
        settings = {"gallery": str(market), **overrides}
        workbench = make_workbench(tmp_path, own_network or network, **settings)
        started.append(workbench)
        workbench.start()
        return workbench

    yield start_one
    network.gate.set()
    for workbench in started:
        workbench.close()


@pytest.fixture
def workbench(start: Start) -> Workbench:
    """Ready: the small gallery is embedded."""
    opened = start()
    for job in opened.jobs():
        assert opened.wait_for(job.id, WAIT_S).state == "done"
    return opened


@pytest.fixture
def review(workbench: Workbench) -> ReviewService:
    return workbench.review
