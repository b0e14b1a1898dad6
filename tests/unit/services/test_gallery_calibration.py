from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from reid_core.services import SearchRequest, Workbench
from tests.service_fakes import (
    WAIT_S,
    ColourNetwork,
    import_and_wait,
    make_workbench,
    person_image,
    write_market,
    write_person,
)


@pytest.fixture
def workbench(tmp_path: Path) -> Iterator[Workbench]:
    made = make_workbench(tmp_path, gallery=str(write_market(tmp_path / "town", num_people=30)))
    made.start()
    for job in made.jobs():
        made.wait_for(job.id, WAIT_S)
    yield made
    made.close()


def query_of(pid: int) -> str:
    return f"query/{pid:04d}_c1s1_{pid:06d}_00.jpg"


def test_search__known_people__probability_falls_with_similarity(workbench: Workbench) -> None:
    result = workbench.search(SearchRequest(query_of(4), k=40))
    probabilities = [hit.probability for hit in result.hits]
    assert all(p is not None and 0.0 < p < 1.0 for p in probabilities)
    assert probabilities == sorted(probabilities, reverse=True)
    assert probabilities[0] > 0.5 > probabilities[-1]
    assert result.absence is not None
    assert not result.absence.is_absent


def test_search__upload_of_a_stranger__probably_not_in_this_gallery(workbench: Workbench) -> None:
    stranger = workbench.store_upload(person_image(999, 1, size=(64, 128)))
    absence = workbench.search(SearchRequest(stranger.id)).absence
    assert absence is not None
    assert absence.is_absent
    assert absence.named_share < 0.5


def test_search__second_start__calibration_comes_from_its_file(workbench: Workbench, tmp_path: Path) -> None:
    (stored,) = (tmp_path / "data" / "calibrations").glob("*.json")
    before = workbench.search(SearchRequest(query_of(4))).hits[0].probability
    text = stored.read_text()
    again = make_workbench(tmp_path, gallery=str(tmp_path / "town"))
    again.start()
    try:
        again.prepare()
        for job in again.jobs():
            again.wait_for(job.id, WAIT_S)
        assert again.search(SearchRequest(query_of(4))).hits[0].probability == before
    finally:
        again.close()
    assert stored.read_text() == text


def test_search__other_network__own_calibration(tmp_path: Path) -> None:
    town = write_market(tmp_path / "town", num_people=30)
    for fingerprint in ("colour-1", "colour-2"):
        made = make_workbench(tmp_path, ColourNetwork(fingerprint), gallery=str(town))
        made.start()
        for job in made.jobs():
            made.wait_for(job.id, WAIT_S)
        made.prepare()
        for job in made.jobs():
            made.wait_for(job.id, WAIT_S)
        assert made.search(SearchRequest(query_of(4))).hits[0].probability is not None
        made.close()
    assert len(list((tmp_path / "data" / "calibrations").glob("*.json"))) == 2


@pytest.mark.parametrize("num_people", [3, 9])
def test_search__few_known_people__no_probability_is_claimed(tmp_path: Path, num_people: int) -> None:
    made = make_workbench(tmp_path, gallery=str(write_market(tmp_path / "town", num_people=num_people)))
    made.start()
    try:
        for job in made.jobs():
            made.wait_for(job.id, WAIT_S)
        result = made.search(SearchRequest(query_of(2)))
    finally:
        made.close()
    assert result.hits[0].probability is None
    assert result.absence is None


def test_search__nobody_is_known__no_probability_is_claimed(workbench: Workbench, tmp_path: Path) -> None:
    for number in range(12):
        person_image(number, 1).save(tmp_path / f"crop-{number}.jpg")
    strangers = tmp_path / "strangers"
    strangers.mkdir()
    for number in range(12):
        (tmp_path / f"crop-{number}.jpg").rename(strangers / f"crop-{number}.jpg")
    gallery = import_and_wait(workbench, strangers)
    result = workbench.search(SearchRequest("crop-3.jpg", gallery=gallery))
    assert {hit.probability for hit in result.hits} == {None}


def test_search__one_camera_without_queries__no_probability_is_claimed(
    workbench: Workbench, tmp_path: Path
) -> None:
    for pid in range(1, 25):
        for serial in range(2):
            write_person(tmp_path / "one-camera", pid, 1, serial=serial)
    gallery = import_and_wait(workbench, tmp_path / "one-camera")
    result = workbench.search(SearchRequest("0003_c1s1_000000_00.jpg", gallery=gallery))
    assert result.hits[0].probability is None


def test_search__expanded__other_order_same_images_and_a_note(workbench: Workbench) -> None:
    plain = workbench.search(SearchRequest(query_of(4), k=92))
    expanded = workbench.search(SearchRequest(query_of(4), k=92, expand=True))
    assert {hit.id for hit in plain.hits} == {hit.id for hit in expanded.hits}
    assert [hit.id for hit in plain.hits] != [hit.id for hit in expanded.hits]
    similarity = {hit.id: hit.similarity for hit in plain.hits}
    assert all(hit.similarity == pytest.approx(similarity[hit.id]) for hit in expanded.hits)
    assert any("query expansion" in note for note in expanded.notes)
    both = workbench.search(SearchRequest(query_of(4), k=92, expand=True, rerank=True))
    assert any("query expansion and k-reciprocal" in note for note in both.notes)
