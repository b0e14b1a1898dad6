"""What the Explain page shows for an address."""

from __future__ import annotations

import pytest

from tests.explain_fakes import ExplainingWorkbench
from webapp.views.explain import find_crops, open_page, read_gates, show_gates, stop_gates

QUERY, OTHER = "0005_c2s1_000420_00.jpg", "0001_c1s1_002222_00.jpg"


@pytest.fixture(scope="module")
def workbench() -> ExplainingWorkbench:
    return ExplainingWorkbench()


def test_open_page__nothing_asked_for__first_example_and_its_best_match(
    workbench: ExplainingWorkbench,
) -> None:
    page = open_page(workbench, {})
    assert page.kind == "ready"
    assert page.query is not None
    assert page.other is not None
    assert page.params["q"] == page.query.id == workbench.examples("", 12)[0].id
    assert page.params["c"] == page.other.id == page.candidates[0].id
    assert page.params["map"] == "evidence"


def test_open_page__query_alone__no_other_crop_and_energy(workbench: ExplainingWorkbench) -> None:
    page = open_page(workbench, {"q": QUERY})
    assert page.other is None
    assert page.params["map"] == "energy"
    assert "c" not in page.params


def test_open_page__whole_address__kept_as_it_is(workbench: ExplainingWorkbench) -> None:
    address = {
        "q": QUERY, "c": OTHER, "g": "figures", "m": "demo", "map": "energy", "block": "conv2.1",
        "stream": "3", "gateblock": "conv3.0", "clusters": "4", "similar": OTHER,
    }  # fmt: skip
    page = open_page(workbench, address)
    assert page.params == address
    assert page.notes == ()


@pytest.mark.parametrize(
    "wrong", [{"block": "conv9"}, {"stream": "x"}, {"stream": "9"}, {"map": "heat"}, {"map": "squared"}]
)
def test_open_page__map_that_does_not_exist__named_and_the_usual_one_shown(
    workbench: ExplainingWorkbench, wrong: dict[str, str]
) -> None:
    page = open_page(workbench, {"q": QUERY, "c": OTHER, **wrong})
    assert page.kind == "ready"
    assert "does not exist" in page.notes[0]
    assert (page.params["map"], page.params["block"]) == ("evidence", "conv3.1")


def test_open_page__no_such_crop__a_sentence(workbench: ExplainingWorkbench) -> None:
    for address in ({"q": "nobody.jpg"}, {"q": QUERY, "c": "nobody.jpg"}):
        page = open_page(workbench, address)
        assert page.kind == "error"
        assert "no image 'nobody.jpg'" in page.message


def test_open_page__gallery_still_embedded__says_how_far() -> None:
    page = open_page(ExplainingWorkbench(polls_until_ready=2), {"q": QUERY})
    assert page.kind == "preparing"
    assert page.job is not None
    assert page.job.fraction == pytest.approx(0.5)


def test_open_page__candidates__verdicts_as_the_search_gives_them(workbench: ExplainingWorkbench) -> None:
    page = open_page(workbench, {"q": QUERY})
    assert page.candidates[0].verdict == "true"
    assert [candidate.rank for candidate in page.candidates] == list(range(1, 17))


def test_find_crops__text__crops_or_why_not(workbench: ExplainingWorkbench) -> None:
    assert len(find_crops(workbench, {"text": "0005"}).crops) == 2
    assert "No id" in find_crops(workbench, {"text": ""}).message
    assert "first 24" in find_crops(workbench, {"text": "many"}).message
    assert "no gallery" in find_crops(workbench, {"text": "a", "g": "none"}).message


def test_gates__from_unread_to_ready__each_state_with_its_words() -> None:
    workbench = ExplainingWorkbench()
    unread = show_gates(workbench, {})
    assert (unread.kind, "100 images have to be read" in unread.message) == ("unread", True)
    reading = read_gates(workbench, {})
    assert reading.kind == "reading"
    assert reading.job is not None
    assert reading.job.can_cancel
    assert stop_gates(workbench, {"id": "job-1"}).kind == "unread"
    assert stop_gates(workbench, {"id": "other"}).kind == "error"
    workbench.explaining.gates.state = "done"
    ready = show_gates(workbench, {"similar": QUERY})
    assert ready.kind == "ready"
    assert ready.block == "conv3.0"  # whose gates differ most
    assert workbench.explaining.gates.asked[-1] == ("conv3.0", 6)
    assert ready.clusters[0].detail == "60 crops, 60%"
    assert ready.similar[0].similarity_text == "0.012 apart"
    assert ready.message == ""


def test_show_gates__block_whose_gates_hardly_differ__warns() -> None:
    workbench = ExplainingWorkbench()
    workbench.explaining.gates.state = "done"
    page = show_gates(workbench, {"gateblock": "conv4.1", "clusters": "3"})
    assert "hardly differ" in page.message
    assert workbench.explaining.gates.asked[-1] == ("conv4.1", 3)
