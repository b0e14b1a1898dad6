"""The review service on a real small gallery: questions, answers, undo, who is who, export and import."""

from __future__ import annotations

import json
import shutil
import threading
import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reid_core.annotation import likeness_table
from reid_core.errors import InputError
from reid_core.services import Workbench
from reid_core.services.review import QuestionView, ReviewService
from tests.review_fakes import Start, ask, keys, name, query, real, say
from tests.service_fakes import (
    WAIT_S,
    ColourNetwork,
    import_and_wait,
    make_workbench,
    write_market,
    write_person,
)


def crops_of(review: ReviewService, question: QuestionView) -> set[str]:
    shown = [question.left, question.right, *question.crops, *([question.rival] if question.rival else [])]
    return {real(review, face.crop) for face in shown}


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
