"""Judging by the pictures alone: blind questions, second opinions, gold pairs, adjudication, cover names."""

from __future__ import annotations

import json
import uuid
from dataclasses import replace
from typing import Any

import pytest

from reid_core.errors import InputError
from reid_core.services import Workbench
from reid_core.services.review import QuestionView, ReviewService
from tests.review_fakes import Start, ask, keys, name, names_in, query, real, restarted, say


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
