"""The Search page's answers while the first gallery is still being read, on the real services."""

from __future__ import annotations

from pathlib import Path

from tests.service_fakes import ColourNetwork, make_workbench, wait_until_over, write_market
from webapp.views.search import open_page


def test_open_page__first_start__preparing_with_its_job_then_results(tmp_path: Path) -> None:
    network = ColourNetwork()
    network.gate.clear()
    workbench = make_workbench(tmp_path, network, gallery=str(write_market(tmp_path / "market")))
    workbench.start()
    early = open_page(workbench, {}).search
    assert early.kind == "preparing"
    assert early.job is not None
    assert early.job.title == "Import market"
    network.gate.set()
    for job in workbench.jobs():
        wait_until_over(workbench, job.id)
    page = open_page(workbench, {})
    assert page.search.kind == "results"
    assert page.search.query is not None
    assert page.search.hits[0].verdict == "true"
    assert len(page.examples) == 6
    assert page.filters.cameras == (1, 2, 3)
    workbench.close()


def test_open_page__link_to_a_gallery_that_is_gone__says_so(tmp_path: Path) -> None:
    workbench = make_workbench(tmp_path, gallery=str(write_market(tmp_path / "market")))
    workbench.start()
    for job in workbench.jobs():
        wait_until_over(workbench, job.id)
    view = open_page(workbench, {"g": "paris"}).search
    assert view.kind == "error"
    assert "no gallery 'paris'" in view.message
    workbench.close()
