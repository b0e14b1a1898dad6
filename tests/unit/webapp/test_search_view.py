from dataclasses import asdict, replace
from json import dumps

import pytest

from reid_core.errors import GalleryNotReadyError, ImageReadError
from reid_core.services import (
    AbsenceView,
    FeedbackView,
    HitView,
    JobView,
    QueryView,
    SearchRequest,
    SearchResult,
    Verdict,
)
from tests.webapp_fakes import HOSTILE_ID, FakeWorkbench
from webapp.views.search import (
    SummaryItem,
    open_page,
    run_search,
    show_feedback,
    store_upload,
    summarise,
)

QUERY = QueryView("q.jpg", 7, 1, 100.0, 64, 128, "gradio_api/reid/image/g/q.jpg")


def hit(rank: int, verdict: Verdict, similarity: float = 0.5) -> HitView:
    pid = {"true": 7, "same_camera": 7, "junk": -1, "false": 9, "unknown": None}[verdict]
    return HitView(rank, f"{rank}.jpg", pid, 2, 60.0 * rank, similarity, f"{rank}.jpg", verdict)


def result(*verdicts: Verdict, num_true: int | None = None) -> SearchResult:
    """A ranking; every true match is among the hits unless ``num_true`` says otherwise."""
    if num_true is None and "unknown" not in verdicts:
        num_true = verdicts.count("true")
    hits = tuple(hit(rank, verdict, 0.9 - rank / 100) for rank, verdict in enumerate(verdicts, start=1))
    return SearchResult(QUERY, hits, "g", "m", 40, 2, 0.01, num_true=num_true)


class NotReady(FakeWorkbench):
    job = JobView("e1", "embed", "Embed", "running", 3, 10, "Working")

    def search(self, request: object) -> SearchResult:
        raise GalleryNotReadyError("Still embedding.")

    def prepare(self, gallery: str = "", model: str = "") -> JobView:
        return self.job


def test_open_page__no_query_in_the_address__first_example_is_searched() -> None:
    workbench = FakeWorkbench()
    page = open_page(workbench, {})
    assert page.search.kind == "results"
    assert page.search.params["q"] == workbench.examples()[0].id
    assert page.filters.cameras == (1, 2, 3, 4, 5, 6)
    assert page.filters.time_range_s == (0.0, 2940.0)
    assert len(page.examples) == 12


def test_open_page__unknown_gallery__one_sentence_instead_of_results() -> None:
    page = open_page(FakeWorkbench(), {"q": "0001_c1s1_001080_00.jpg", "g": "nowhere"})
    assert page.search.kind == "error"
    assert "nowhere" in page.search.message
    assert page.filters.cameras == ()


def test_run_search__no_query__asks_for_one() -> None:
    assert run_search(FakeWorkbench(), {}).kind == "empty"


def test_run_search__problem_in_the_link__told_beside_the_results() -> None:
    view = run_search(FakeWorkbench(), {"q": "0001_c1s1_001080_00.jpg", "k": "9999"})
    assert view.kind == "results"
    assert view.params["k"] == "50"
    assert "'9999'" in view.notes[0]


def test_run_search__gallery_being_embedded__progress_instead_of_an_error() -> None:
    view = run_search(NotReady(), {"q": "a"})
    assert view.kind == "preparing"
    assert view.job is not None
    assert view.job.fraction == pytest.approx(0.3)
    assert view.job.progress == "3 of 10 images"


def test_run_search__embedding_failed__error_with_its_reason() -> None:
    workbench = NotReady()
    workbench.job = replace(workbench.job, state="failed", message="The disk is full. Free some space.")
    view = run_search(workbench, {"q": "a"})
    assert (view.kind, view.message) == ("error", "The disk is full. Free some space.")


def test_run_search__hostile_id__stays_plain_data_and_fits_json() -> None:
    view = run_search(FakeWorkbench(), {"q": HOSTILE_ID})
    assert view.query is not None
    assert view.query.id == HOSTILE_ID
    assert HOSTILE_ID in dumps(asdict(view))


def test_run_search__filters_that_nothing_passes__says_so() -> None:
    view = run_search(FakeWorkbench(), {"q": "0001_c1s1_001080_00.jpg", "from": "900000"})
    assert (view.kind, view.hits, view.message) == ("results", (), "No matches.")


def test_run_search__upload_of_an_unknown_person__names_who_the_matches_are() -> None:
    workbench = FakeWorkbench()
    stored = store_upload(
        workbench, workbench.image_bytes("", "0005_c2s1_000420_00.jpg"), None, max_upload_mb=1
    )
    view = run_search(workbench, {"q": stored.query_id})
    assert view.shows_verdicts is False
    assert view.hits[0].identity == "ID 5"
    assert view.summary[0].text.startswith("Best match: person 5, camera")


def test_store_upload__box__only_that_part_is_kept() -> None:
    workbench = FakeWorkbench()
    stored = store_upload(
        workbench, workbench.image_bytes("", HOSTILE_ID), [10, 20, 74, 148], max_upload_mb=1
    )
    assert workbench.uploads[stored.query_id].size == (64, 128)


def test_store_upload__no_image__sentence_instead_of_a_query() -> None:
    with pytest.raises(ImageReadError):
        FakeWorkbench().store_upload(b"no image")
    view = store_upload(FakeWorkbench(), b"no image", None, max_upload_mb=1)
    assert view.query_id == ""
    assert "could not be read as an image" in view.error


@pytest.mark.parametrize("box", [[1, 2, 3], ["a", 0, 1, 1], 7])
def test_store_upload__box_of_another_form__sentence_instead_of_a_query(box: list[float]) -> None:
    workbench = FakeWorkbench()
    picture = workbench.image_bytes("", HOSTILE_ID)
    assert "Draw it again" in store_upload(workbench, picture, box, max_upload_mb=1).error


def test_store_upload__file_above_the_limit__refused_unread() -> None:
    view = store_upload(FakeWorkbench(), b"x" * 2_000_001, None, max_upload_mb=1)
    assert "2 MB; at most 1 MB" in view.error


def test_summarise__first_counted_hit_is_true__hit_count_and_ap_without_junk_and_own_camera() -> None:
    items = summarise(result("same_camera", "junk", "true", "false", "true"))
    assert items[0] == SummaryItem("Rank-1 hit: camera 2, 0.870", "good")
    assert items[1].text == "2 of 2 true matches in the top 10"
    assert items[2].text == "AP 0.83"  # (1/1 + 2/3) / 2


def test_summarise__true_matches_beyond_the_hits__no_ap_is_claimed() -> None:
    items = summarise(result("true", "false", num_true=6))
    assert [item.text for item in items[1:]] == ["1 of 6 true matches in the top 10"]


class Calibrated(FakeWorkbench):
    """Knows what a similarity means, and that the best one is too small."""

    def search(self, request: SearchRequest) -> SearchResult:
        found = super().search(request)
        hits = tuple(replace(hit, probability=hit.similarity / 2) for hit in found.hits)
        unnamed = replace(found.query, pid=None)
        absence = AbsenceView(is_absent=True, similarity=0.97, named_share=0.31, doubts=("Thin.",))
        return replace(found, query=unnamed, hits=hits, num_true=None, absence=absence)


def test_run_search__calibrated__probability_on_every_card_and_in_the_comparison() -> None:
    view = run_search(Calibrated(), {"q": "0001_c1s1_001080_00.jpg"})
    assert all(card.probability_text.endswith("%") for card in view.hits)
    assert view.hits[0].facts[3].label == "P(same person)"
    assert view.hits[0].facts[3].text == view.hits[0].probability_text


def test_run_search__nothing_similar_enough__says_probably_not_here_and_why() -> None:
    view = run_search(Calibrated(), {"q": "0001_c1s1_001080_00.jpg"})
    assert view.summary[0] == SummaryItem("Probably not in this gallery", "bad")
    assert "0.970" in view.notes[-2]
    assert "31%" in view.notes[-2]
    assert view.notes[-1] == "Thin."


def test_run_search__not_calibrated__no_probability_is_claimed() -> None:
    view = run_search(FakeWorkbench(), {"q": "0001_c1s1_001080_00.jpg"})
    assert {card.probability_text for card in view.hits} == {""}
    assert all(fact.label != "P(same person)" for card in view.hits for fact in card.facts)


def test_summarise__first_is_false__miss_and_rank_of_the_first_true_match() -> None:
    items = summarise(result("false", "junk", "false", "true"))
    assert items[0] == SummaryItem("Rank-1 miss: first true match at rank 3", "bad")


def test_summarise__true_matches_exist_but_none_is_shown__says_how_far_it_looked() -> None:
    items = summarise(result("false", "false", num_true=1))
    assert items == (SummaryItem("None of the 1 true match in the top 2", "bad"),)


def test_summarise__person_not_in_the_gallery__says_so() -> None:
    assert "shows this person" in summarise(result("false", "false"))[0].text


def test_summarise__identity_unknown__no_claim_of_right_or_wrong() -> None:
    items = summarise(result("unknown", "unknown"))
    assert {item.tone for item in items} == {"plain"}
    assert items[1].text == "gap to the next 0.010"


class Guided(FakeWorkbench):
    """A search whose second hit was confirmed and pinned, and whose last one was set aside."""

    def search(self, request: SearchRequest) -> SearchResult:
        plain = result("false", "true", "false")
        hits = (replace(plain.hits[1], rank=1), replace(plain.hits[0], rank=2))
        was = {own.id: own.rank for own in plain.hits}
        feedback = FeedbackView(request.feedback, 1, 1, was, (plain.hits[2],), 0.5, 1.0, None, None)
        return replace(plain, hits=hits, feedback=feedback)


def test_run_search__judgements_used__told_with_moves_gains_and_what_is_aside() -> None:
    view = run_search(Guided(), {"q": "q.jpg", "fb": "aside,pin"})
    assert view.params["fb"] == "pin,aside"
    assert [(card.moved, card.moved_text) for card in view.hits] == [
        ("▲1", "up 1 from rank 2"),
        ("▼1", "down 1 from rank 1"),
    ]
    assert view.feedback is not None
    assert view.feedback.text == "Uses 1 confirmed and 1 refused: 2 matches moved, 1 set aside."
    assert view.feedback.gains == ("AP 0.50 → 1.00",)
    assert [card.id for card in view.feedback.aside] == ["3.jpg"]
    assert view.feedback.aside[0].moved == ""


def test_show_feedback__nothing_judged_yet__said_so() -> None:
    plain = result("false")
    assert show_feedback(plain) is None
    unused = replace(plain, feedback=FeedbackView(("pin",), 0, 0, {"1.jpg": 1}))
    panel = show_feedback(unused)
    assert panel is not None
    assert not panel.can_help
    assert "Nothing is judged" in panel.text


def test_run_search__unknown_use_in_the_link__named_and_left_out() -> None:
    view = run_search(FakeWorkbench(), {"q": "0001_c1s1_001080_00.jpg", "fb": "pin,magic"})
    assert view.params["fb"] == "pin"
    assert any("'pin,magic'" in note for note in view.notes)
