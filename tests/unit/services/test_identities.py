"""Identities and history as the pages read them, whole answers on many crops, and search by judgements."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from reid_core.errors import InputError
from reid_core.services import SearchRequest, Workbench
from reid_core.services.review import ReviewService
from tests.review_fakes import give, name, query, say, undo


def partition(review: ReviewService) -> set[frozenset[str]]:
    found, _ = review.identities(page_size=200)
    return {frozenset(face.crop for face in review.identity(own.node).crops) for own in found}


# ---- marks on a ranked list --------------------------------------------------------------------------------


def test_pair_states__direct_inferred_label_and_nothing__told_apart(review: ReviewService) -> None:
    q, ids = query(1), [name(1, 1), name(2, 1), name(2, 2), name(3, 1), name(4, 1)]
    (direct,) = give(review, say(q, name(2, 1), "different", is_sure=False))
    give(review, say(q, name(3, 1), "cannot_tell"))
    states = review.pair_states(q, [*ids, "no such crop", q])
    assert set(states) == set(ids)
    assert (states[name(2, 1)].answer, states[name(2, 1)].is_inferred) == ("different", False)
    assert (states[name(2, 1)].answer_id, states[name(2, 1)].annotator) == (direct, "ann")
    assert not states[name(2, 1)].is_sure
    assert (states[name(2, 2)].answer, states[name(2, 2)].is_inferred) == ("different", True)
    assert states[name(3, 1)].answer == "cannot_tell"
    assert (states[name(1, 1)].answer, states[name(1, 1)].is_by_label) == ("", True)
    assert (states[name(4, 1)].answer, states[name(4, 1)].is_by_label) == ("", False)


def test_pair_states__taken_back__nothing_is_known(review: ReviewService) -> None:
    (own,) = give(review, say(query(1), name(2, 1), "different"))
    undo(review, own)
    assert review.pair_states(query(1), [name(2, 1)])[name(2, 1)].answer == ""


def test_pair_states__cannot_tell_within_one_label__keeps_its_mark(review: ReviewService) -> None:
    (own,) = give(review, say(query(1), name(1, 1), "cannot_tell"))
    state = review.pair_states(query(1), [name(1, 1)])[name(1, 1)]
    assert (state.answer, state.answer_id, state.is_by_label) == ("cannot_tell", own, True)


def test_pair_states__contested__is_a_conflict(review: ReviewService) -> None:
    a, b, c = query(1), query(2), query(3)
    review.answer([say(a, b), say(b, c), say(a, c, "different", is_sure=True)], "ann")
    assert review.pair_states(a, [c])[c].answer == "conflict"


# ---- answers on many crops ---------------------------------------------------------------------------------


def test_sweep__many_crops__one_answer_and_one_undo(review: ReviewService) -> None:
    others = [name(pid, 1) for pid in (2, 3, 4)]
    (own,) = give(review, {"kind": "sweep", "left": query(1), "others": others})
    assert set(review.known_crops(query(1)).refused) >= set(others)
    assert review.state("ann").undo == (own,)
    undo(review, own)
    assert review.known_crops(query(1)).refused == ()


@pytest.mark.parametrize("others", [[], ["x", "x"]])
def test_sweep__nothing_or_twice__refused(review: ReviewService, others: list[str]) -> None:
    item = {"id": str(uuid.uuid4()), "kind": "sweep", "left": query(1), "others": others}
    assert review.answer([item], "ann")[0].status == "refused"
    assert review.history().num_all == 0


def test_sweep__over_the_query_itself__refused(review: ReviewService) -> None:
    item = {"id": str(uuid.uuid4()), "kind": "sweep", "left": query(1), "others": [query(1)]}
    (result,) = review.answer([item], "ann")
    assert result.status == "refused"
    assert "query is among" in result.message


def test_move__crops_to_another_identity__and_back_by_undo(review: ReviewService) -> None:
    before = partition(review)
    moved = [name(1, 1), name(1, 2)]
    item = {"kind": "move", "crops": moved, "identity": "identity:1", "to": "identity:2"}
    (own,) = give(review, item)
    assert {review.identity_of(crop) for crop in moved} == {"identity:2"}
    assert {face.crop for face in review.identity("identity:1").crops} == {query(1), name(1, 3)}
    undo(review, own)
    assert partition(review) == before


def test_move__onto_itself__refused(review: ReviewService) -> None:
    item = {"id": str(uuid.uuid4()), "kind": "move", "crops": [name(1, 1)]}
    (result,) = review.answer([{**item, "identity": "identity:1", "to": "identity:1"}], "ann")
    assert result.status == "refused"


# ---- contradictions ----------------------------------------------------------------------------------------


def make_conflict(review: ReviewService) -> tuple[str, str, str]:
    """Same (a, b) unsure, same (b, c), different (a, c): judgements alone contradict each other."""
    a, b, c = query(1), query(2), query(3)
    weak, strong = give(review, say(a, b, is_sure=False), say(b, c))
    (contested,) = give(review, say(a, c, "different"))
    assert len(review.conflicts()) == 1
    return weak, strong, contested


def test_settle__by_the_cut__weakest_link_goes_and_the_contested_holds(review: ReviewService) -> None:
    weak, strong, contested = make_conflict(review)
    (conflict,) = review.conflicts()
    assert [link.decision_id for link in conflict.cut] == [weak]
    give(review, {"kind": "settle", "target": contested, "way": "cut"})
    assert review.conflicts() == ()
    assert review.relations(query(1), [query(3)]) == {query(3): "different"}
    assert review.relations(query(2), [query(3)]) == {query(3): "same"}


def test_settle__by_the_contested__undone_brings_the_conflict_back(review: ReviewService) -> None:
    _, _, contested = make_conflict(review)
    (own,) = give(review, {"kind": "settle", "target": contested, "way": "contested"})
    assert review.conflicts() == ()
    assert review.relations(query(1), [query(3)]) == {query(3): "same"}
    undo(review, own)
    assert [conflict.contested.id for conflict in review.conflicts()] == [contested]


def test_settle__cut_through_a_label__contested_judgement_is_made_again(review: ReviewService) -> None:
    # Unsure "different" within one label is contested by the label alone.
    (contested,) = give(review, say(name(1, 1), name(1, 2), "different", is_sure=False))
    (conflict,) = review.conflicts()
    assert {link.decision_id for link in conflict.cut} == {""}
    (own,) = give(review, {"kind": "settle", "target": contested, "way": "cut"})
    assert review.conflicts() == ()
    assert review.relations(name(1, 1), [name(1, 2)]) == {name(1, 2): "different"}
    undo(review, own)
    assert len(review.conflicts()) == 1


def test_settle__contested_same__by_giving_up_the_different_against_it(review: ReviewService) -> None:
    give(review, say(query(1), query(2)), say(query(1), query(3), "different"))
    (contested,) = give(review, say(query(2), query(3)))
    give(review, {"kind": "settle", "target": contested, "way": "against"})
    assert review.conflicts() == ()
    assert review.relations(query(1), [query(3)]) == {query(3): "same"}


def test_settle__settled_already__refused_with_a_next_step(review: ReviewService) -> None:
    _, _, contested = make_conflict(review)
    give(review, {"kind": "settle", "target": contested, "way": "contested"})
    item = {"id": str(uuid.uuid4()), "kind": "settle", "target": contested, "way": "cut"}
    (result,) = review.answer([item], "bob")
    assert result.status == "refused"
    assert "not open any more" in result.message


# ---- lists -------------------------------------------------------------------------------------------------


def nodes(review: ReviewService, **options: Any) -> list[str]:
    return [own.node for own in review.identities(**options)[0]]


def test_identities__states__each_finds_its_own(review: ReviewService) -> None:
    give(review, say("identity:1", "identity:2"))
    split = review.split("identity:3", [[name(3, 1)]], "ann", str(uuid.uuid4()))
    assert split.status == "saved"
    give(review, say(name(4, 1), name(4, 2)))
    assert nodes(review, state="merged") == ["identity:1"]
    assert "identity:1" in nodes(review, state="bridge")
    assert set(nodes(review, state="split")) == {"identity:3", name(3, 1)}
    assert nodes(review, state="single") == [name(3, 1)]
    assert name(3, 1) in nodes(review, state="thin")
    assert "identity:4" in nodes(review, state="firm")
    assert "identity:1" not in nodes(review, state="firm")
    assert "identity:5" in nodes(review, state="untouched")
    assert nodes(review, state="unlabelled") == []


def test_identities__unknown_state__refused_with_the_known_ones(review: ReviewService) -> None:
    with pytest.raises(InputError, match="firm, bridge"):
        review.identities(state="strange")


def test_identities__by_suspicion__two_people_under_one_name_first(review: ReviewService) -> None:
    give(review, say("identity:2", "identity:5"))
    found, number = review.identities(order="suspicion")
    assert found[0].node == "identity:2"
    assert number == len(found)
    assert found[0].suspicion is not None
    assert found[0].suspicion > (found[1].suspicion or 0.0)


def test_identities__last_change__latest_first_with_who(review: ReviewService) -> None:
    give(review, say(name(4, 1), name(4, 2)), by="bob")
    give(review, say(name(2, 1), name(2, 2)), by="ann")
    found, _ = review.identities(order="recent")
    assert [(own.node, own.changed_by) for own in found[:2]] == [("identity:2", "ann"), ("identity:4", "bob")]


def test_similar__split_person__finds_the_other_half_first(review: ReviewService) -> None:
    review.split("identity:3", [[name(3, 1), name(3, 2)]], "ann", str(uuid.uuid4()))
    similar = review.similar(name(3, 1))
    assert similar[0].identity.node == "identity:3"
    assert similar[0].is_apart
    assert [own.similarity for own in similar] == sorted((own.similarity for own in similar), reverse=True)
    assert name(3, 1) not in {own.identity.node for own in similar}


# ---- undo told before it is done ---------------------------------------------------------------------------


def test_undo_outlook__merge__says_how_it_falls_apart_and_what_came_later(review: ReviewService) -> None:
    (first,) = give(review, say(name(1, 1), name(2, 1)))
    (later,) = give(review, say(name(2, 2), name(3, 1)), by="bob")
    before = partition(review)
    outlook = review.undo_outlook(first)
    assert outlook.effects == ("Identity 1 + 2 + 3 falls apart: 12 crops become 8 + 4.",)
    assert [change.answer_id for change in outlook.dependents] == [later]
    assert partition(review) == before  # telling it changes nothing


def test_undo_outlook__split__says_what_comes_together(review: ReviewService) -> None:
    result = review.split("identity:3", [[name(3, 1)]], "ann", str(uuid.uuid4()))
    outlook = review.undo_outlook(result.id)
    assert "2 identities become one of 4 crops." in outlook.effects


def test_undo_outlook__link_of_a_conflict__says_that_it_settles(review: ReviewService) -> None:
    weak, _, _ = make_conflict(review)
    assert "1 contradiction would be settled." in review.undo_outlook(weak).effects


def test_undo_outlook__said_twice__changes_nothing(review: ReviewService) -> None:
    first, _ = give(review, say(name(1, 1), name(2, 1)), say(name(1, 2), name(2, 2)))
    assert review.undo_outlook(first).effects == ("No identity changes: other judgements say the same.",)


def test_undo_outlook__unknown__refused(review: ReviewService) -> None:
    with pytest.raises(InputError, match="no answer"):
        review.undo_outlook("nobody-gave-this")


# ---- history and numbers -----------------------------------------------------------------------------------


def test_history__time_and_answer__filtered(review: ReviewService) -> None:
    early = say(name(1, 1), name(2, 1), decided_at="2026-01-01T10:00:00Z")
    late = say(name(3, 1), name(4, 1), decided_at="2026-02-01T10:00:00Z")
    first, second = give(review, early, late)
    only = [e.answer_id for e in review.history(since="2026-01-15T00:00:00+00:00").events]
    assert only == [second]
    assert [e.answer_id for e in review.history(until="2026-01-15T00:00:00Z").events] == [first]
    undo(review, first)
    assert [e.kind for e in review.history(answer_id=first).events] == ["retraction", "decision"]
    with pytest.raises(InputError, match="with a zone"):
        review.history(since="yesterday")


def test_history__taken_back_or_replaced__only_the_first_can_be_restored(review: ReviewService) -> None:
    (first, back) = give(
        review, say(query(1), name(2, 1), "different"), say(query(1), name(3, 1), "different")
    )
    (later,) = give(review, say(query(1), name(2, 1), "cannot_tell", supersedes=first))
    undo(review, back)
    states = {event.id: (event.is_in_force, event.is_taken_back) for event in review.history().events}
    assert (states[first], states[back], states[later]) == ((False, False), (False, True), (True, False))
    undo(review, later)
    states = {event.id: (event.is_in_force, event.is_taken_back) for event in review.history().events}
    assert (states[first], states[later]) == ((True, False), (False, True))


def test_statistics__two_annotators__agreement_and_counts(review: ReviewService) -> None:
    pairs = [(name(1, 1), name(2, 1)), (name(3, 1), name(4, 1))]
    give(review, *(say(a, b, "different", ms_taken=2000) for a, b in pairs), by="ann")
    give(review, say(*pairs[0], "different"), say(*pairs[1], "cannot_tell", is_sure=False), by="bob")
    (own,) = give(review, *[say(name(5, 1), name(6, 1), "different")], by="bob")
    undo(review, own, by="bob")
    numbers = review.statistics()
    by_name = {stats.annotator: stats for stats in numbers.annotators}
    assert numbers.num_answers == 5
    assert (by_name["ann"].agreement, by_name["ann"].num_doubly_judged) == (0.5, 2)
    bob = by_name["bob"]
    assert (bob.num_answers, bob.num_unsure, bob.num_cannot_tell, bob.num_taken_back) == (3, 1, 1, 1)
    (stream,) = numbers.streams
    assert (stream.num_same, stream.num_different, stream.num_cannot_tell) == (0, 4, 1)
    assert numbers.num_to_adjudicate == 1


def test_since_you_left__others_changed_what_i_judged__told(review: ReviewService) -> None:
    give(review, say(name(1, 1), name(2, 1)), by="ann")
    give(review, say(name(2, 2), name(3, 1)), say(name(5, 1), name(6, 1)), by="bob")
    found = review.since_you_left("ann")
    assert [(change.annotator, change.left) for change in found.changes] == [("bob", name(2, 2))]
    assert review.since_you_left("bob").num_changes == 0
    assert review.since_you_left("new").left_at == ""


def test_import__gallery_with_judgements__refused_on_demand_and_nothing_kept(
    review: ReviewService, workbench: Workbench
) -> None:
    give(review, say(name(1, 1), name(2, 1)))
    lines = list(review.export_log())
    with pytest.raises(InputError, match="holds 1 event already"):
        review.import_log(lines, needs_empty=True)
    assert review.import_log(lines).num_events == 0


# ---- search by judgements ----------------------------------------------------------------------------------


def ranked(workbench: Workbench, *uses: str, **more: Any) -> Any:
    return workbench.search(SearchRequest(query(1), k=20, feedback=uses, **more))


def test_search__feedback_off__same_as_ever_and_no_panel(workbench: Workbench) -> None:
    plain = ranked(workbench)
    give(workbench.review, say(query(1), plain.hits[4].id))
    again = ranked(workbench)
    assert [hit.id for hit in again.hits] == [hit.id for hit in plain.hits]
    assert again.feedback is None


def test_search__pin_and_aside__confirmed_first_refused_apart(workbench: Workbench) -> None:
    plain = [hit.id for hit in ranked(workbench).hits]
    # Crops of two identities of the data set: everything that follows from the answers moves with them.
    far = next(crop for crop in reversed(plain) if "/000" in crop and "/0000" not in crop)
    give(workbench.review, say(query(1), far))
    near = next(
        crop for crop in plain if "/0001" not in crop and crop[:24] != far[:24] and "/0000" not in crop
    )
    give(workbench.review, say(query(1), near, "different"))
    result = ranked(workbench, "pin", "aside")
    known = workbench.review.known_crops(query(1))
    num_pinned = sum(crop in known.confirmed for crop in plain)
    assert far in [hit.id for hit in result.hits[:num_pinned]]
    assert near in [hit.id for hit in result.feedback.aside]
    assert near not in [hit.id for hit in result.hits]
    assert result.feedback.was_rank[far] == plain.index(far) + 1
    untouched = [c for c in plain if c not in known.confirmed and c not in known.refused]
    assert [hit.id for hit in result.hits[num_pinned:]] == untouched
    assert result.feedback.ap_before is not None


def test_search__evidence_and_expand__embeddings_stay_as_they_are(workbench: Workbench) -> None:
    before = workbench.open_gallery().space.index.vectors_of([name(1, 1), name(2, 1)]).copy()
    give(workbench.review, say(query(1), name(1, 2)), say(query(1), name(2, 1), "different"))
    for uses in (("expand",), ("evidence",), ("expand", "evidence")):
        result = ranked(workbench, *uses)
        assert result.feedback.num_confirmed == 1  # a label alone confirms nothing
        assert {hit.id for hit in result.hits} == {hit.id for hit in ranked(workbench).hits}
    after = workbench.open_gallery().space.index.vectors_of([name(1, 1), name(2, 1)])
    assert (before == after).all()


def test_search__unknown_use__refused(workbench: Workbench) -> None:
    with pytest.raises(InputError, match="pin, aside, expand, evidence"):
        ranked(workbench, "magic")
