"""The review service on a real small gallery: questions, answers, undo, who is who, export and import."""

from __future__ import annotations

import json
import re
import shutil
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from reid_core.annotation import likeness_table
from reid_core.annotation import store as annotation_store
from reid_core.errors import InputError
from reid_core.services import Workbench
from reid_core.services.review import QuestionView, ReviewService, Upcoming, evidence_shelf, planner
from reid_core.services.review.evidence import ReviewEvidence, make_evidence
from tests.service_fakes import (
    WAIT_S,
    ColourNetwork,
    import_and_wait,
    make_workbench,
    write_market,
    write_person,
)

Start = Callable[..., Workbench]


def name(pid: int, camid: int) -> str:
    return f"bounding_box_test/{pid:04d}_c{camid}s1_{100 * camid + pid:06d}_00.jpg"


def query(pid: int) -> str:
    return f"query/{pid:04d}_c1s1_{pid:06d}_00.jpg"


def say(left: str, right: str, answer: str = "same", **more: Any) -> dict[str, Any]:
    return {"id": str(uuid.uuid4()), "kind": "pair", "left": left, "right": right, "answer": answer, **more}


def ask(review: ReviewService, annotator: str, *, least: int = 5, **options: Any) -> Upcoming:
    """Ask until ``least`` questions are there: the background work takes a moment."""
    deadline = time.monotonic() + WAIT_S
    while True:
        found = review.upcoming(annotator, **options)
        if found.state == "empty" or len(found.questions) >= least or options.get("have"):
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.02)


def keys(found: Upcoming) -> list[str]:
    return [question.key for question in found.questions]


def real(review: ReviewService, cover: str) -> str:
    """The crop or identity behind a name that a question gave it."""
    return review._collection("").covers.uncover(cover)


def crops_of(review: ReviewService, question: QuestionView) -> set[str]:
    shown = [question.left, question.right, *question.crops, *([question.rival] if question.rival else [])]
    return {real(review, face.crop) for face in shown}


def names_in(question: QuestionView) -> list[str]:
    """Everything of a question that looks like the name of a file of this gallery, or of an identity."""
    return re.findall(r"\w*_c\ds\d_\w*|identity:\d+", str(question))


@pytest.fixture
def review(workbench: Workbench) -> ReviewService:
    return workbench.review


def test_ids__of_the_small_gallery__are_what_these_tests_say(workbench: Workbench) -> None:
    images = workbench.open_gallery().space.gallery.by_id
    assert {name(1, 1), query(1)} <= set(images)


# ---- questions ---------------------------------------------------------------------------------------------


def test_upcoming__fresh_gallery__five_questions_with_reason_and_revisions(review: ReviewService) -> None:
    found = ask(review, "ann")
    assert found.state == "ready"
    assert len(set(keys(found))) == 5
    for question in found.questions:
        assert question.reason
        assert question.seen
        assert question.left.image_url.startswith("gradio_api/reid/image/")


def test_upcoming__junk_and_distractors__are_never_asked_about(review: ReviewService) -> None:
    shown: set[str] = set()
    for number in range(8):
        for question in ask(review, f"ann-{number}", least=1).questions:
            shown |= crops_of(review, question)
    assert shown
    assert not {crop for crop in shown if crop.split("/")[1].startswith(("0000", "-1"))}


def test_upcoming__two_annotators__never_the_same_question(review: ReviewService) -> None:
    assert not set(keys(ask(review, "ann"))) & set(keys(ask(review, "bob", least=1)))


def test_upcoming__page_reloaded__same_questions_again(review: ReviewService) -> None:
    first = keys(ask(review, "ann"))
    assert keys(ask(review, "ann")) == first
    assert not set(keys(ask(review, "ann", have=first))) & set(first)


def test_upcoming__skipped__comes_back_to_others_only(review: ReviewService) -> None:
    first = keys(ask(review, "ann"))
    review.put_off(first[0], "ann")
    assert first[0] not in keys(ask(review, "ann"))


def test_upcoming__blind_question__tells_nothing(review: ReviewService) -> None:
    blind: list[QuestionView] = []
    for number in range(12):
        blind += [q for q in ask(review, f"ann-{number}", least=1).questions if q.is_blind]
    assert blind
    for question in blind:
        assert (question.probability, question.similarity, question.identities) == (None, None, ())
        assert (question.outlooks, question.left.pid, question.right.pid) == ({}, None, None)
        assert question.stream == "audit"
        assert names_in(question) == []


def test_upcoming__single_pair__asked_with_consequences(review: ReviewService) -> None:
    found = ask(review, "ann", least=1, pair=(name(1, 1), name(2, 1)))
    (question,) = found.questions
    assert question.outlooks["same"].text == "merges 4 + 4 crops; 15 other pairs become known"
    assert question.outlooks["different"].text == "keeps 4 + 4 crops apart; 15 other pairs become known"


def test_upcoming__selection__every_question_is_about_it(workbench: Workbench) -> None:
    gallery = workbench.galleries()[0].name
    chosen = {name(1, 1), name(2, 2), query(3)}
    key = workbench.selections.save(gallery, chosen)
    found = ask(workbench.review, "ann", selection=key)
    assert found.questions
    for question in found.questions:
        assert crops_of(workbench.review, question) & chosen


def test_upcoming__gallery_of_unlabelled_crops__asks_and_claims_no_probability(
    workbench: Workbench, tmp_path: Path
) -> None:
    folder = tmp_path / "nameless"
    for pid in range(1, 7):
        for camid in (1, 2):
            path = write_person(folder, pid, camid)
            path.rename(folder / f"crop-{pid}-{camid}.jpg")
    gallery = import_and_wait(workbench, folder)
    found = ask(workbench.review, "ann", gallery=gallery)
    assert found.questions
    assert {question.probability for question in found.questions} == {None}
    assert not [question.reason for question in found.questions if "%" in question.reason]


def test_upcoming__other_model__judgements_are_the_same(
    workbench: Workbench, start: Start, review: ReviewService
) -> None:
    ask(review, "ann")
    review.answer([say(name(1, 1), name(2, 1))], "ann")
    before = review.identity(name(1, 1))
    workbench.close()
    other = start(ColourNetwork("colour-2"))
    for job in other.jobs():
        other.wait_for(job.id, WAIT_S)
    assert ask(other.review, "ann").state == "ready"
    after = other.review.identity(name(1, 1))
    assert (after.summary, after.links) == (before.summary, before.links)


# ---- questions that others hold ----------------------------------------------------------------------------


class Clock:
    """The real clocks, moved on by ``passed_s``."""

    def __init__(self) -> None:
        self.passed_s = 0.0

    def monotonic(self) -> float:
        return time.monotonic() + self.passed_s

    def time(self) -> float:
        return time.time() + self.passed_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(planner, "time", found)
    monkeypatch.setattr(annotation_store, "time", found)
    return found


@pytest.fixture
def few(workbench: Workbench) -> str:
    """A selection of two crops, about which there is little to ask."""
    return workbench.selections.save(workbench.galleries()[0].name, {name(1, 1), name(2, 2)})


def take_all(review: ReviewService, annotator: str, selection: str) -> set[str]:
    """Keys of all that can be asked about a selection, held by one annotator from now on."""
    held: set[str] = set()
    while fresh := keys(settled(review, annotator, selection=selection, number=20, have=sorted(held))):
        held |= set(fresh)
    return held


def settled(review: ReviewService, annotator: str, **options: Any) -> Upcoming:
    """What is answered once the background work has nothing left to do."""
    deadline = time.monotonic() + WAIT_S
    while review.upcoming(annotator, **{**options, "have": ()}).state == "preparing":
        assert time.monotonic() < deadline
        time.sleep(0.02)
    review._collection("").peek_planner().wait_until_settled(WAIT_S, options.get("selection", ""))
    return review.upcoming(annotator, **options)


def restarted(workbench: Workbench, start: Start) -> ReviewService:
    workbench.close()
    again = start()
    for job in again.jobs():
        assert again.wait_for(job.id, WAIT_S).state == "done"
    return again.review


def test_upcoming__app_restarted__questions_of_others_stay_theirs(
    review: ReviewService, workbench: Workbench, start: Start
) -> None:
    of_ann = set(keys(ask(review, "ann")))
    again = restarted(workbench, start)
    of_bob = set(keys(settled(again, "bob")))
    assert of_bob
    assert not of_bob & of_ann
    assert set(keys(settled(again, "ann"))) == of_ann


def test_upcoming__others_hold_all_that_is_left__says_so_also_after_a_restart(
    review: ReviewService, workbench: Workbench, start: Start, few: str
) -> None:
    held = take_all(review, "ann", few)
    assert held
    for now in (review, restarted(workbench, start)):
        waiting = settled(now, "bob", selection=few)
        assert (waiting.state, waiting.questions) == ("empty", ())
        assert waiting.message == "Others are at what is left to ask."
        assert waiting.num_waiting == len(held)
    assert take_all(now, "ann", few) == held


def test_upcoming__somebody_went_away__questions_come_free_after_five_minutes_and_not_before(
    review: ReviewService, workbench: Workbench, start: Start, few: str, clock: Clock
) -> None:
    held = take_all(review, "ann", few)
    for now, passed_s in ((review, 0.0), (restarted(workbench, start), 240.0)):
        clock.passed_s = passed_s
        assert settled(now, "bob", selection=few).num_waiting == len(held)
    clock.passed_s = 301.0
    now.upcoming("bob", selection=few)  # from here on they are chosen again
    assert set(keys(settled(now, "bob", selection=few, number=20))) <= held
    assert take_all(now, "bob", few) == held


def test_upcoming__put_off__comes_to_others_where_nothing_else_is_left(
    review: ReviewService, few: str
) -> None:
    held = take_all(review, "ann", few)
    skipped = min(held)
    review.put_off(skipped, "ann")
    assert keys(settled(review, "bob", selection=few)) == [skipped]


def test_upcoming__another_process_was_faster__the_next_ones_come(
    review: ReviewService, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = keys(settled(review, "ann"))
    review.put_off(first[0], "ann")
    store = review._store
    claim_all = store.claim_all

    def faster(collection: str, items: Any, annotator: str, **more: Any) -> frozenset[str]:
        monkeypatch.undo()
        wanted = list(items)
        claim_all(collection, wanted, "far-away")
        return claim_all(collection, wanted, annotator)

    monkeypatch.setattr(store, "claim_all", faster)
    found = review.upcoming("bob")
    assert found.questions
    others = set(store.held_by_others(review._collection("").name, "bob"))
    assert not set(keys(found)) & others


# ---- answers -----------------------------------------------------------------------------------------------


def test_answer__same__merges_and_survives_a_restart(
    review: ReviewService, workbench: Workbench, start: Start
) -> None:
    (result,) = review.answer([say(name(1, 1), name(2, 1))], "ann")
    assert result.status == "saved"
    workbench.close()
    assert len(start().review.identity(name(1, 3)).crops) == 8


def test_answer__sent_twice__stored_once(review: ReviewService) -> None:
    item = say(name(1, 1), name(2, 1))
    assert [review.answer([item], "ann")[0].status for _ in range(2)] == ["saved", "known"]
    assert review.history().num_all == 1


def test_answer__other_answer_under_a_known_id__refused(review: ReviewService) -> None:
    item = say(name(1, 1), name(2, 1))
    review.answer([item], "ann")
    (result,) = review.answer([{**item, "answer": "different"}], "ann")
    assert result.status == "refused"
    assert review.history().num_all == 1


def test_answer__others_changed_the_identity__stale_and_told_who_did_what(review: ReviewService) -> None:
    (question,) = ask(review, "ann", least=1, pair=(name(1, 1), name(2, 1))).questions
    review.answer([say(name(1, 2), name(3, 1))], "bob")
    (result,) = review.answer([say(name(1, 1), name(2, 1), seen=question.seen)], "ann")
    assert result.status == "stale"
    assert [(change.annotator, change.left) for change in result.changes] == [("bob", name(1, 2))]
    assert review.history().num_all == 1


def test_answer__same_page_changed_the_identity__not_stale(review: ReviewService) -> None:
    (question,) = ask(review, "ann", least=1, pair=(name(1, 1), name(2, 1))).questions
    first = say(name(1, 2), name(3, 1))
    review.answer([first], "ann")
    second = say(name(1, 1), name(2, 1), seen=question.seen)
    assert review.answer([second], "ann")[0].status == "stale"  # another tab does not know of it
    assert review.answer([second], "ann", known_answers=[first["id"]])[0].status == "saved"


def test_answer__one_of_several_refused__the_others_are_stored(review: ReviewService) -> None:
    items = [say(name(1, 1), name(2, 1)), say(name(1, 1), "nobody.jpg"), say(name(3, 1), name(4, 1))]
    assert [r.status for r in review.answer(items, "ann")] == ["saved", "refused", "saved"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"answer": "perhaps"}, "same, different or cannot_tell"),
        ({"id": "x"}, "UUID"),
        ({"left": ""}, "left"),
        ({"kind": "guess"}, "kind"),
        ({"ms_taken": -1}, "ms_taken"),
        ({"is_sure": "yes"}, "is_sure"),
        ({"reasons": "clothes"}, "reasons"),
        ({"stream": "guess"}, "stream"),
        ({"similarity": "high"}, "similarity"),
        ({"seen": {"a": "b"}}, "seen"),
        ({"decided_at": "yesterday"}, "ISO 8601"),
    ],
)
def test_answer__wrong_field__refused_and_named(
    review: ReviewService, change: dict[str, Any], message: str
) -> None:
    (result,) = review.answer([{**say(name(1, 1), name(2, 1)), **change}], "ann")
    assert result.status == "refused"
    assert message in result.message


@pytest.mark.parametrize("annotator", ["", "  ", "x" * 41, "<b>", 7, None])
def test_answer__no_code_name__refused(review: ReviewService, annotator: Any) -> None:
    with pytest.raises(InputError, match="code name"):
        review.answer([say(name(1, 1), name(2, 1))], annotator)


def test_answer__third_choice__crop_moves_to_the_rival(review: ReviewService) -> None:
    item = say(name(1, 1), name(1, 2), kind="vote", rival=name(2, 1), is_rival=True, identity="identity:1")
    (result,) = review.answer([item], "ann")
    assert result.status == "saved"
    assert review.identity_of(name(1, 1)) == "identity:2"
    assert review.identity_of(name(1, 2)) == "identity:1"


def test_answer__contact_sheet__picked_crops_become_one_new_identity_and_one_undo_restores(
    review: ReviewService,
) -> None:
    crops = [query(1), name(1, 1), name(1, 2), name(1, 3)]
    item = {"id": str(uuid.uuid4()), "kind": "sheet", "crops": crops, "identity": "identity:1"}
    item |= {"left": crops[0], "right": crops[2], "others": [[crops[0], crops[1]]], "stream": "purity"}
    assert review.answer([item], "ann")[0].status == "saved"
    assert len(review.identity(crops[0]).crops) == 2
    assert review.identity_of(crops[0]) == review.identity_of(crops[1]) != "identity:1"
    review.answer([{"id": str(uuid.uuid4()), "kind": "undo", "target": item["id"]}], "ann")
    assert len(review.identity("identity:1").crops) == 4


def test_answer__undo_and_redo__as_often_as_wanted(review: ReviewService) -> None:
    items = [say(name(1, 1), name(2, 1)), say(name(3, 1), name(4, 1))]
    review.answer(items, "ann")
    ids = [item["id"] for item in items]
    assert review.state("ann").undo == tuple(ids)
    for target in reversed(ids):
        review.answer([{"id": str(uuid.uuid4()), "kind": "undo", "target": target}], "ann")
    state = review.state("ann")
    assert (state.undo, state.redo) == ((), tuple(reversed(ids)))
    assert review.identity_of(name(2, 1)) == "identity:2"
    review.answer([{"id": str(uuid.uuid4()), "kind": "redo", "target": ids[0]}], "ann")
    assert review.identity_of(name(2, 1)) == "identity:1"
    assert review.state("ann").undo == (ids[0],)


def test_answer__contradiction__kept_and_listed_with_the_way_out(review: ReviewService) -> None:
    review.answer([say(name(1, 1), name(2, 1)), say(name(2, 1), "identity:3")], "ann")
    (result,) = review.answer([say(name(1, 1), "identity:3", "different")], "bob")
    assert (result.status, result.is_contested) == ("saved", True)
    (conflict,) = review.conflicts()
    assert conflict.contested.annotator == "bob"
    assert conflict.cut
    assert conflict.suggestion


def join_through_others(review: ReviewService, left: str, right: str) -> None:
    """Others say that ``left`` and ``right`` are one person, through two judgements."""
    review.answer([say(left, "identity:6"), say(right, "identity:6")], "zoe")


@pytest.mark.parametrize("stream", ["audit", "gold", "second_opinion", "adjudication"])
def test_answer__by_the_pictures_and_stale__told_nothing_but_to_look_again(
    review: ReviewService, stream: str
) -> None:
    a, b = name(1, 1), name(2, 1)
    if stream == "gold":
        review.import_gold([json.dumps({"left": a, "right": b, "answer": "same"})])
    if stream == "second_opinion":
        review.answer([say(a, b, "cannot_tell")], "zoe")
    seen = review.revisions([a, b])
    review.answer([say(name(1, 2), name(3, 1))], "bob")
    sent = "adjudication" if stream == "adjudication" else "audit"
    item = say(a, b, stream=sent, reasons=["clothes"], seen=seen)
    (result,) = review.answer([item], "ann")
    assert (result.status, result.changes, result.is_contested) == ("stale", (), False)
    assert result.message == "Not stored: it changed while you looked. Please judge by the pictures again."
    again = {**item, "seen": review.revisions([a, b])}
    assert review.answer([again], "ann")[0].status == "saved"
    assert review.history(annotator="ann").events[0].stream == stream


@pytest.mark.parametrize("stream", ["audit", "adjudication"])
def test_answer__by_the_pictures_and_contested__kept_but_not_told(review: ReviewService, stream: str) -> None:
    a, b = name(1, 1), name(2, 1)
    join_through_others(review, a, b)
    item = say(a, b, "different", stream=stream, reasons=["clothes"])
    for status in ("saved", "known"):
        (result,) = review.answer([item], "ann")
        assert (result.status, result.message, result.is_contested) == (status, "", False)
    assert [conflict.contested.answer_id for conflict in review.conflicts()] == [item["id"]]


def test_upcoming__two_adjudicators__each_pair_goes_to_one(review: ReviewService) -> None:
    for pid in (1, 2):
        review.answer([say(name(pid, 1), query(pid), "cannot_tell", reasons=["flagged"])], "ann")
    (first,) = review.upcoming("eve", adjudicate=True, number=1).questions
    (second,) = review.upcoming("fay", adjudicate=True).questions
    assert first.key != second.key
    waiting = review.upcoming("gus", adjudicate=True)
    assert (waiting.state, waiting.message) == ("empty", "Others are at what is left to adjudicate.")


def test_upcoming__evidence_in_the_making__says_how_long_and_answers_go_on(
    review: ReviewService, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_allowed = threading.Event()

    def slow(space: Any) -> ReviewEvidence:
        assert is_allowed.wait(WAIT_S)
        return make_evidence(space)

    monkeypatch.setattr(evidence_shelf, "make_evidence", slow)
    monkeypatch.setattr(evidence_shelf, "_S_PER_CROP", 0.25)
    monkeypatch.setattr(evidence_shelf, "time", SimpleNamespace(monotonic=lambda: clock.passed_s))
    found = review.upcoming("ann")
    assert (found.state, found.questions) == ("preparing", ())
    what, then = "Comparing 24 crops with one another", "Then the first questions are chosen."
    assert found.message == f"{what}: 0 s, about 6 s in all. {then}"
    clock.passed_s += 4.0
    assert review.upcoming("ann").message == f"{what}: 4 s, about 6 s in all. {then}"
    clock.passed_s += 5.0
    longer = "9 s; about 6 s is usual where nothing else runs."
    assert review.upcoming("ann").message == f"{what}: {longer} {then}"
    assert review.upcoming("ann", pair=(name(1, 1), query(1))).state == "preparing"
    assert review.label_states([name(1, 1)])  # reading waits for nothing
    is_allowed.set()
    assert ask(review, "ann").state == "ready"


def test_upcoming__first_questions_being_chosen__says_how_long(
    review: ReviewService, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_allowed = threading.Event()
    open_lane = planner.Planner._open_lane

    def slow(own: planner.Planner, name: str, chosen: frozenset[str] | None) -> None:
        assert is_allowed.wait(WAIT_S)
        open_lane(own, name, chosen)

    monkeypatch.setattr(planner.Planner, "_open_lane", slow)
    deadline = time.monotonic() + WAIT_S
    while not (told := review.upcoming("ann").message).startswith("Choosing the first questions"):
        assert time.monotonic() < deadline, told
        time.sleep(0.02)
    clock.passed_s = 100.0
    told = review.upcoming("ann").message
    assert re.fullmatch(r"Choosing the first questions about 24 crops: 1\d\d s; about 1 s is usual.*", told)
    is_allowed.set()
    assert ask(review, "ann").state == "ready"


def test_upcoming__too_many_identities__refused_but_a_selection_is_asked_about(
    review: ReviewService, workbench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(likeness_table, "MAX_TABLE_BYTES", 0)
    with pytest.raises(InputError, match="Select some of the images"):
        ask(review, "ann")
    monkeypatch.undo()
    gallery = workbench.open_gallery().space.gallery
    selection = workbench.selections.save(gallery.name, [name(1, 1), query(1)])
    assert ask(review, "ann", selection=selection, least=1).state == "ready"


def test_answer__flagged_pair__adjudicator_settles_it_without_names(review: ReviewService) -> None:
    a, b = name(1, 1), name(2, 1)
    review.answer([say(a, b)], "zoe")
    review.answer([say(a, b, "cannot_tell", reasons=["flagged"], comment="twins?")], "bob")
    (question,) = review.upcoming("eve", adjudicate=True).questions
    assert question.earlier_answers == ("same", "cannot tell (flagged): twins?")
    assert (question.identities, question.similarity, question.probability) == ((), None, None)
    assert (question.outlooks, question.left.pid, question.right.pid) == ({}, None, None)
    assert "zoe" not in str(question)
    assert "bob" not in str(question)
    (refused,) = review.answer([say(a, b, "different", stream="adjudication")], "eve")
    assert "reason" in refused.message
    verdict = say(a, b, "different", stream="adjudication", reasons=["clothes"])
    assert [review.answer([verdict], "eve")[0].status for _ in range(2)] == ["saved", "known"]
    assert review.identity_of(b) == "identity:2"
    assert review.upcoming("eve", adjudicate=True).state == "empty"


def take_back(review: ReviewService, target: str, by: str) -> str:
    item = {"id": str(uuid.uuid4()), "kind": "undo", "target": target}
    assert review.answer([item], by)[0].status == "saved"
    return str(item["id"])


def disagree(review: ReviewService, left: str, right: str) -> list[dict[str, Any]]:
    """One person says "same", another hands the pair over; their answers."""
    items = [say(left, right), say(left, right, "cannot_tell", reasons=["flagged"])]
    for item, annotator in zip(items, ("zoe", "bob"), strict=True):
        review.answer([item], annotator)
    return items


def disputes(review: ReviewService) -> list[tuple[str, ...]]:
    """What an adjudicator is told about each waiting pair."""
    found = review.upcoming("eve", adjudicate=True).questions
    assert review.state("eve").num_to_adjudicate == len(found)
    return [question.earlier_answers for question in found]


def test_adjudication__verdict_taken_back__pair_waits_again(review: ReviewService) -> None:
    disagree(review, name(1, 1), name(2, 1))
    verdict = say(name(1, 1), name(2, 1), "different", stream="adjudication", reasons=["clothes"])
    review.answer([verdict], "eve")
    assert disputes(review) == []
    undo = take_back(review, verdict["id"], "eve")
    assert disputes(review) == [("same", "cannot tell (flagged)")]
    take_back(review, undo, "eve")
    assert disputes(review) == []


def test_adjudication__handed_over_again_after_the_verdict__waits_with_what_was_said_since(
    review: ReviewService,
) -> None:
    a, b = name(1, 1), name(2, 1)
    disagree(review, a, b)
    review.answer([say(a, b, "different", stream="adjudication", reasons=["clothes"])], "eve")
    again = say(a, b, "cannot_tell", reasons=["flagged"], comment="new picture")
    review.answer([again], "zoe")
    told = ("adjudicator: different (clothes)", "cannot tell (flagged): new picture")
    assert disputes(review) == [told]
    review.answer([say(a, b, "same", stream="adjudication", reasons=["occlusion"])], "fay")
    assert disputes(review) == []


def test_adjudication__same_said_again_after_the_verdict__stays_settled(review: ReviewService) -> None:
    a, b = name(1, 1), name(2, 1)
    disagree(review, a, b)
    review.answer([say(a, b, "different", stream="adjudication", reasons=["clothes"])], "eve")
    review.answer([say(a, b, "different")], "zoe")
    assert disputes(review) == []


def test_adjudication__answer_taken_back__not_shown_and_counts_no_more(review: ReviewService) -> None:
    a, b = name(1, 1), name(2, 1)
    same, flagged = disagree(review, a, b)
    review.answer([say(a, b, "different")], "ann")
    assert disputes(review) == [("same", "cannot tell (flagged)", "different")]
    take_back(review, same["id"], "zoe")
    assert disputes(review) == [("cannot tell (flagged)", "different")]
    take_back(review, flagged["id"], "bob")
    assert disputes(review) == []


def test_adjudication__only_answer_taken_back__does_not_wait(review: ReviewService) -> None:
    item = say(name(1, 1), name(2, 1), "cannot_tell", reasons=["flagged"])
    review.answer([item], "bob")
    assert disputes(review) == [("cannot tell (flagged)",)]
    take_back(review, item["id"], "bob")
    assert disputes(review) == []


def test_adjudication__person_answered_again__the_last_answer_counts(review: ReviewService) -> None:
    a, b = name(1, 1), name(2, 1)
    review.answer([say(a, b, "cannot_tell", reasons=["flagged"])], "bob")
    review.answer([say(a, b, "different")], "zoe")
    review.answer([say(a, b, "different")], "bob")
    assert disputes(review) == []


def test_answer__second_opinions__are_blind_and_give_the_agreement(review: ReviewService) -> None:
    people = [(p, q) for p in range(1, 6) for q in range(p + 1, 7)]
    review.answer([say(name(p, 1), name(q, 1), "different") for p, q in people], "ann")
    review.answer([say(name(p, 2), name(q, 2), "different") for p, q in people[:9]], "bob")
    first = ask(review, "bob").questions[0]
    assert (first.is_blind, first.stream, first.outlooks) == (True, "audit", {})
    assert (first.left.pid, first.right.pid, first.identities) == (None, None, ())
    judged = {real(review, first.left.node), real(review, first.right.node)}
    assert judged in [{name(p, 1), name(q, 1)} for p, q in people]
    item = say(first.left.node, first.right.node, "cannot_tell", stream="audit", key=first.key)
    review.answer([item], "bob")
    assert review.history(stream="second_opinion").num_all == 1
    state = review.state("bob")
    assert (state.num_doubly_judged, state.num_to_adjudicate) == (1, 1)
    assert state.agreement is not None
    assert state.agreement <= 0


def handed_over(review: ReviewService, left: str, right: str) -> QuestionView:
    """The adjudication of two crops."""
    review.answer([say(left, right, "cannot_tell", reasons=["flagged"])], "bob")
    (question,) = review.upcoming("eve", adjudicate=True).questions
    return question


def verdict_on(question: QuestionView, answer: str = "same") -> dict[str, Any]:
    """As the page sends it."""
    more = {"stream": question.stream, "key": question.key, "seen": dict(question.seen)}
    return say(question.left.node, question.right.node, answer, reasons=["clothes"], **more)


def test_cover_names__answered__stored_on_the_crops_also_after_a_restart(
    review: ReviewService, workbench: Workbench, start: Start
) -> None:
    question = handed_over(review, name(1, 1), name(2, 1))
    assert names_in(question) == []
    again = restarted(workbench, start)
    assert again.answer([verdict_on(question)], "eve")[0].status == "saved"
    event = again.history(annotator="eve").events[0]
    assert {event.left, event.right} == {name(1, 1), name(2, 1)}
    assert ask(again, "eve", adjudicate=True).message == "There is nothing to adjudicate."


def test_cover_names__identity_handed_over__is_covered_too(review: ReviewService) -> None:
    question = handed_over(review, name(1, 1), "identity:2")
    assert names_in(question) == []
    assert review.answer([verdict_on(question)], "eve")[0].status == "saved"
    assert review.identity_of(name(2, 3)) == "identity:1"


def test_cover_names__asked_what_an_answer_would_do__told_only_how_long_the_log_is(
    review: ReviewService,
) -> None:
    question = handed_over(review, name(1, 1), name(1, 2))
    pair = (question.left.node, question.right.node)
    assert review.consequence(*pair) == {}
    assert review.revisions(pair) == question.seen == dict.fromkeys(pair, 1)
    with pytest.raises(InputError, match="is not a crop"):
        review.upcoming("eve", pair=pair)


def test_cover_names__identity_changed_meanwhile__stale_and_then_saved(review: ReviewService) -> None:
    question = handed_over(review, name(1, 1), name(2, 1))
    review.answer([say(name(1, 2), name(3, 1))], "zoe")
    (result,) = review.answer([verdict_on(question)], "eve")
    assert (result.status, result.changes) == ("stale", ())
    seen = review.revisions([question.left.node, question.right.node])
    assert review.answer([verdict_on(replace(question, seen=seen))], "eve")[0].status == "saved"


def test_cover_names__question_is_held_and_skipped_by_its_covered_key(review: ReviewService) -> None:
    question = handed_over(review, name(1, 1), name(2, 1))
    assert review.upcoming("eve", adjudicate=True, have=[question.key]).questions == ()
    blind = next(q for n in range(12) for q in ask(review, f"ann-{n}", least=1).questions if q.is_blind)
    holder = next(f"ann-{n}" for n in range(12) if blind.key in keys(ask(review, f"ann-{n}", least=1)))
    review.put_off(blind.key, holder)
    assert blind.key not in keys(ask(review, holder))


def test_cover_names__nobody_has_one__refused(review: ReviewService) -> None:
    (result,) = review.answer([say("blind-" + 24 * "0", "blind-" + 24 * "1")], "eve")
    assert result.status == "refused"
    assert "is not a crop" in result.message


def test_answer__gold_pair__measures_the_annotator(review: ReviewService) -> None:
    review.import_gold([json.dumps({"left": name(1, 1), "right": name(1, 2), "answer": "same"})])
    review.answer([say(name(1, 2), name(1, 1), "different", stream="audit")], "ann")
    accuracy = review.state("ann").own_accuracy
    assert accuracy is not None
    assert (accuracy.rate, accuracy.num_judged) == (0.0, 1)
    assert review.history(stream="gold").num_all == 1


def test_answer__eight_annotators_at_once__nothing_lost(review: ReviewService) -> None:
    def work(worker: int) -> None:
        for turn in range(6):
            pids = sorted({1 + (worker + turn) % 6, 1 + (worker + turn * 2 + 1) % 6})
            if len(pids) == 2:
                item = say(name(pids[0], 1 + worker % 3), name(pids[1], 1 + turn % 3), "cannot_tell")
                assert review.answer([item], f"ann-{worker}")[0].status == "saved"

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wanted = sum((w + t) % 6 != (w + t * 2 + 1) % 6 for w in range(8) for t in range(6))
    assert review.history().num_all == wanted


# ---- reading -----------------------------------------------------------------------------------------------


def test_merge_and_split__reversible__as_before(review: ReviewService) -> None:
    before = review.identity("identity:1").summary
    merged = review.merge("identity:1", "identity:2", "ann", str(uuid.uuid4()))
    assert len(review.identity("identity:2").crops) == 8
    split = review.split("identity:2", [[name(2, 1)], [name(1, 1)]], "ann", str(uuid.uuid4()))
    assert review.identity_of(name(2, 1)) == name(2, 1)
    for done in (split, merged):
        review.answer([{"id": str(uuid.uuid4()), "kind": "undo", "target": done.id}], "ann")
    after = review.identity("identity:1").summary
    assert after.changed_by == "ann"
    assert replace(after, changed_at="", changed_by="") == before


def test_split__everything_picked__refused(review: ReviewService) -> None:
    with pytest.raises(InputError, match="leave at least one"):
        review.split("identity:1", [[query(1), *(name(1, c) for c in (1, 2, 3))]], "ann", str(uuid.uuid4()))


def test_rename__twice__old_name_is_kept_and_found(review: ReviewService) -> None:
    review.rename("identity:1", "Red coat", "ann", str(uuid.uuid4()))
    review.rename("identity:1", "Red coat, left arm", "ann", str(uuid.uuid4()))
    found, number = review.identities(text="red coat")
    assert (number, found[0].aliases) == (1, ("Red coat, left arm", "Red coat"))
    review.merge("identity:1", "identity:2", "ann", str(uuid.uuid4()))
    assert "Red coat" in review.identity("identity:2").summary.aliases


def test_identities__by_state_camera_and_text__only_those(review: ReviewService) -> None:
    review.answer([say(name(1, 1), name(1, 2), "different"), say(name(3, 1), name(4, 1))], "ann")
    changed, number = review.identities(state="changed")
    assert number == 3  # the crop that left, what it left, and the merged one
    assert all(identity.is_changed for identity in changed)
    assert review.identities(state="bridge")[0][0].pids == (3, 4)
    assert review.identities(camera=99)[1] == 0
    assert review.identities(text="0005_c2")[1] == 1
    assert review.identities()[1] == 6  # 5 labelled identities are left, and one crop alone


def test_label_states_and_relations__say_what_judgements_say(review: ReviewService) -> None:
    review.answer([say(name(1, 1), name(1, 2), "different"), say(name(3, 1), name(4, 1))], "ann")
    states = review.label_states([name(1, 1), name(1, 2), name(3, 1), name(5, 1), "nobody.jpg"])
    assert states[name(3, 1)].state == "confirmed"
    assert states[name(5, 1)].state == "labelled"
    assert {states[name(1, 1)].state, states[name(1, 2)].state} == {"moved", "labelled"}
    assert "nobody.jpg" not in states
    known = review.relations(name(3, 1), [name(4, 1), name(3, 2), name(5, 1)])
    assert known == {name(4, 1): "same"}  # that 3_2 is the same person is only a label so far


def test_history__filtered_and_paged__newest_first(review: ReviewService) -> None:
    review.answer([say(name(p, 1), name(p + 1, 1), "different") for p in range(1, 5)], "ann")
    review.answer([say(name(1, 2), name(6, 1), "cannot_tell", comment="dark")], "bob")
    assert review.history(annotator="bob").events[0].comment == "dark"
    page = review.history(page=2, page_size=2)
    assert (page.num_all, [event.left for event in page.events]) == (5, [name(3, 1), name(2, 1)])
    assert review.history(node="identity:6").num_all == 1
    assert review.history(text="DARK").num_all == 1


# ---- files, and galleries that change ----------------------------------------------------------------------


def test_export_import__into_an_empty_store__same_identities(review: ReviewService, tmp_path: Path) -> None:
    ask(review, "ann")
    review.answer([say(name(1, 1), name(1, 2), "different"), say(name(3, 1), name(4, 1))], "ann")
    review.answer([say(name(5, 1), name(6, 1))], "ann")
    review.answer([{"id": str(uuid.uuid4()), "kind": "undo", "target": review.state("ann").undo[-1]}], "ann")
    review.rename("identity:3", "Blue", "ann", str(uuid.uuid4()))
    lines = list(review.export_log())
    market = write_market(tmp_path / "elsewhere" / "market")
    empty = make_workbench(tmp_path / "elsewhere", gallery=str(market))
    empty.start()
    try:
        for job in empty.jobs():
            empty.wait_for(job.id, WAIT_S)
        done = empty.review.import_log(lines)
        assert (done.num_events, done.num_names, done.missing, done.kept_support) == (4, 1, (), True)
        assert empty.review.identities()[0] == review.identities()[0]
        assert list(empty.review.export_log()) == lines
        assert empty.review.import_log(lines).num_events == 0
    finally:
        empty.close()


def test_import__broken_line__nothing_is_stored(review: ReviewService) -> None:
    review.answer([say(name(1, 1), name(2, 1))], "ann")
    lines = list(review.export_log())
    other = lines[1].replace(json.loads(lines[1])["decision_id"], str(uuid.uuid4()))
    with pytest.raises(InputError, match="JSON"):
        review.import_log([other, "{broken"])
    assert review.history().num_all == 1


def test_gallery_read_again__crop_is_gone__its_judgements_are_kept_and_reported(
    review: ReviewService, workbench: Workbench, start: Start, market: Path
) -> None:
    review.answer([say(name(1, 1), name(2, 1)), say(name(2, 1), name(3, 1))], "ann")
    workbench.close()
    (market / name(2, 1)).unlink()
    again = start()
    for job in again.jobs():
        assert again.wait_for(job.id, WAIT_S).state == "done"
    detail = again.review.identity(name(1, 1))
    assert detail.missing == (name(2, 1),)
    assert {face.crop for face in detail.crops} >= {name(1, 1), name(3, 1)}  # joined through it
    assert again.review.state("ann").num_missing == 1
    assert again.review.history().num_all == 2
    assert again.review.answer([say(name(4, 1), name(5, 1))], "ann")[0].status == "saved"
    target = again.review.state("ann").undo[0]
    again.review.answer([{"id": str(uuid.uuid4()), "kind": "undo", "target": target}], "ann")
    assert again.review.identity_of(name(1, 1)) == "identity:1"


def test_gallery_removed_and_imported_again__judgements_are_back(
    workbench: Workbench, tmp_path: Path
) -> None:
    folder = write_market(tmp_path / "second")
    gallery = import_and_wait(workbench, folder)
    workbench.review.answer([say(name(1, 1), name(2, 1))], "ann", gallery=gallery)
    workbench.remove_gallery(gallery)
    with pytest.raises(InputError, match="no gallery"):
        workbench.review.history(gallery=gallery)
    assert import_and_wait(workbench, folder) == gallery
    assert len(workbench.review.identity(name(1, 1), gallery=gallery).crops) == 8
    shutil.rmtree(folder)
