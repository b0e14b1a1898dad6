from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from reid_core.errors import GalleryNotReadyError, InputError
from reid_core.services import SearchRequest, Workbench
from reid_core.services.preparation import Preparation
from tests.service_fakes import (
    ColourNetwork,
    make_workbench,
    query_of,
    wait_until_over,
    write_person,
)

Start = Callable[..., Workbench]


def test_start__first_time__default_gallery_is_read_and_embedded(workbench: Workbench) -> None:
    (gallery,) = workbench.galleries()
    assert (gallery.name, gallery.is_default) == ("market", True)
    assert (gallery.num_images, gallery.num_queries, gallery.num_pids) == (20, 6, 6)
    assert gallery.cameras == (1, 2, 3)
    assert workbench.gallery_status().state == "done"


def test_start__second_time__nothing_is_embedded_again(start: Start, workbench: Workbench) -> None:
    workbench.close()
    second = ColourNetwork()
    again = start(second)
    assert again.gallery_status().state in ("running", "done")
    assert again.search(SearchRequest(query_of(again, 3))).hits[0].pid == 3
    assert again.gallery_status().state == "done"
    assert second.num_embedded == 0
    assert len(again.jobs()) == 1  # that of the first start


def test_start__folder_changed_since__read_again_under_the_same_name(
    start: Start, workbench: Workbench, market: Path
) -> None:
    workbench.close()
    write_person(market / "bounding_box_test", 77, 2)
    again = start(ColourNetwork())
    for job in again.jobs():
        wait_until_over(again, job.id)
    (gallery,) = again.galleries()
    assert (gallery.name, gallery.num_images) == ("market", 21)


def test_start__gallery_does_not_exist__says_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="neither registered"):
        make_workbench(tmp_path, gallery="/nowhere/at-all").start()


def test_search__while_embedding__not_ready_with_progress_then_works(
    start: Start, network: ColourNetwork
) -> None:
    network.gate.clear()
    opened = start()
    with pytest.raises(GalleryNotReadyError):
        opened.search(SearchRequest("query/0001_c1s1_000001_00.jpg"))
    assert opened.gallery_status().state in ("queued", "running")
    network.gate.set()
    for job in opened.jobs():
        wait_until_over(opened, job.id)
    assert opened.search(SearchRequest(query_of(opened, 1))).hits[0].pid == 1


def test_prepare__second_model__own_embeddings_and_own_status(start: Start) -> None:
    opened = start(extra_weights="other")
    for job in opened.jobs():
        wait_until_over(opened, job.id)
    assert opened.gallery_status(model="other").state == "queued"
    assert opened.gallery_status(model="other").id == ""
    first, second = opened.prepare(model="other"), opened.prepare(model="other")
    assert first.id == second.id or second.state == "done"
    wait_until_over(opened, first.id)
    assert opened.gallery_status(model="other").state == "done"
    assert opened.prepare(model="other").state == "done"


def test_prepare__job_ends_while_it_is_asked__no_second_job(
    start: Start, network: ColourNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = start(extra_weights="other")
    for job in opened.jobs():
        wait_until_over(opened, job.id)
    network.gate.clear()
    first = opened.prepare(model="other")
    is_ready = Preparation.is_ready

    def is_ready_just_before_the_end(preparation: Preparation, name: str, model: str) -> bool:
        answer = is_ready(preparation, name, model)
        network.gate.set()
        wait_until_over(opened, first.id)
        return answer

    monkeypatch.setattr(Preparation, "is_ready", is_ready_just_before_the_end)
    opened.prepare(model="other")
    assert [job.id for job in opened.jobs() if job.kind == "embed"] == [first.id]
