from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reid_core.annotation import (
    Answer,
    Decision,
    IdentityGraph,
    Retraction,
    SheetQuestion,
    active_decisions,
    identity_node,
    judged_by_sheet,
)
from reid_core.annotation.decisions import event_id
from reid_core.errors import InputError

LABELS = {"a1": 1, "a2": 1, "a3": 1, "b1": 2, "b2": 2, "c1": 3, "x": None, "junk": -1}
_numbers = itertools.count()


def say(
    left: str,
    right: str,
    answer: str,
    *,
    own_id: str = "",
    is_sure: bool = True,
    supersedes: str | None = None,
) -> Decision:
    return Decision(
        own_id or f"d{next(_numbers)}",
        left,
        right,
        Answer(answer),
        annotator="ann",
        decided_at="2026-01-01T00:00:00Z",
        is_sure=is_sure,
        supersedes=supersedes,
    )


def undo(target: str) -> Retraction:
    return Retraction(f"r{next(_numbers)}", target, "ann", "2026-01-01T00:00:00Z")


@pytest.fixture
def graph() -> IdentityGraph:
    return IdentityGraph(LABELS)


def test_graph__labels_only__identities_of_the_data_set(graph: IdentityGraph) -> None:
    assert list(graph.identities()) == [("a1", "a2", "a3"), ("b1", "b2"), ("c1",), ("junk",), ("x",)]
    assert graph.relation("a1", "a2") is Answer.SAME
    assert graph.relation("a1", "b1") is None


def test_same__across_identities__merges_and_is_a_bridge(graph: IdentityGraph) -> None:
    assert graph.add(say("a1", "b1", "same", own_id="s")) is None
    assert graph.crops("b2") == ("a1", "a2", "a3", "b1", "b2")
    assert graph.pids("a1") == (1, 2)
    assert [link.decision_id for link in graph.bridges("a1")] == ["s"]


def test_same__said_again_elsewhere__no_bridge_left(graph: IdentityGraph) -> None:
    graph.add(say("a1", "b1", "same"))
    graph.add(say("a2", "b2", "same"))
    assert graph.bridges("a1") == ()


def test_different__known_for_one_pair__inferred_for_both_identities(graph: IdentityGraph) -> None:
    graph.add(say("a1", "b1", "different"))
    assert graph.relation("a3", "b2") is Answer.DIFFERENT


def test_different__within_a_label__less_supported_crop_leaves() -> None:
    graph = IdentityGraph(LABELS, support={"a1": 0.9, "a2": 0.1, "a3": 0.9})
    assert graph.add(say("a1", "a2", "different")) is None
    assert graph.crops("a1") == ("a1", "a3")
    assert graph.crops("a2") == ("a2",)
    assert graph.displaced() == ("a2",)
    assert graph.relation("a2", "a3") is Answer.DIFFERENT


def test_different__crop_and_identity__that_crop_leaves(graph: IdentityGraph) -> None:
    graph.add(say("a3", identity_node(1), "different"))
    assert graph.displaced() == ("a3",)
    assert graph.relation("a1", "a3") is Answer.DIFFERENT


def test_different__between_merged_identities__wrong_label_gives_way() -> None:
    """b1 is really person 1: it was found by "same", then the two identities were told apart."""
    graph = IdentityGraph(LABELS, support={"b1": 0.0})
    graph.add(say("a1", "b1", "same"))
    assert graph.add(say("a2", "b2", "different")) is None
    assert graph.crops("a1") == ("a1", "a2", "a3", "b1")
    assert graph.crops("b2") == ("b2",)
    assert graph.displaced() == ("b1",)


def test_same__between_identities_told_apart__label_gives_way_in_this_order_too() -> None:
    graph = IdentityGraph(LABELS, support={"b1": 0.0})
    graph.add(say("a2", "b2", "different"))
    assert graph.add(say("a1", "b1", "same")) is None
    assert graph.crops("a1") == ("a1", "a2", "a3", "b1")


def test_different__against_a_chain_of_judgements__contested_with_chain_and_cut(graph: IdentityGraph) -> None:
    graph.add(say("x", "c1", "same", own_id="one"))
    graph.add(say("c1", "junk", "same", own_id="two", is_sure=False))
    conflict = graph.add(say("x", "junk", "different", own_id="three"))
    assert conflict is not None
    assert [link.decision_id for link in conflict.chain] == ["one", "two"]
    assert [link.decision_id for link in conflict.weakest_cut] == ["two"]
    assert conflict.suggestion == "drop the cut"
    assert graph.relation("x", "junk") is Answer.SAME
    assert [c.decision.decision_id for c in graph.conflicts()] == ["three"]


def test_same__against_a_judged_difference__contested_and_nothing_merged(graph: IdentityGraph) -> None:
    graph.add(say("x", "c1", "same"))
    graph.add(say("x", "junk", "different", own_id="no"))
    conflict = graph.add(say("c1", "junk", "same"))
    assert conflict is not None
    assert conflict.against.decision_id == "no"
    assert graph.relation("c1", "junk") is Answer.DIFFERENT


def test_conflict__weak_judgement_taken_back__contested_one_takes_effect(graph: IdentityGraph) -> None:
    graph.add(say("x", "c1", "same"))
    graph.add(say("c1", "junk", "same", own_id="wrong"))
    graph.add(say("x", "junk", "different"))
    graph.add(undo("wrong"))
    assert graph.conflicts() == ()
    assert graph.relation("x", "junk") is Answer.DIFFERENT


def test_unsure_different__against_a_label__contested(graph: IdentityGraph) -> None:
    assert graph.add(say("a1", "a2", "different", is_sure=False)) is not None
    assert graph.relation("a1", "a2") is Answer.SAME


def test_undo_and_redo__merge__as_if_never_said_and_back(graph: IdentityGraph) -> None:
    graph.add(say("a1", "b1", "same", own_id="s"))
    first = undo("s")
    graph.add(first)
    assert graph.relation("a1", "b1") is None
    graph.add(undo(first.retraction_id))
    assert graph.relation("a1", "b1") is Answer.SAME


def test_undo_and_redo__a_thousand_times_and_long_after__as_said_or_not(graph: IdentityGraph) -> None:
    graph.add(say("a1", "b1", "same", own_id="s"))
    graph.add(say("c1", "x", "different"))
    target = "s"
    for number in range(1, 1_101):
        back = undo(target)
        graph.add(back)
        target = back.retraction_id
        if number in (1, 2, 1_099, 1_100):
            assert graph.relation("a2", "b2") is (None if number % 2 else Answer.SAME)


def test_supersede__same_by_different__only_the_new_answer_holds(graph: IdentityGraph) -> None:
    graph.add(say("a1", "b1", "same", own_id="old"))
    graph.add(say("a1", "b1", "different", own_id="new", supersedes="old"))
    assert graph.relation("a1", "b1") is Answer.DIFFERENT
    graph.add(undo("new"))
    assert graph.relation("a1", "b1") is Answer.SAME


def correct_twice(graph: IdentityGraph) -> None:
    graph.add(say("a1", "b1", "same", own_id="first"))
    graph.add(say("a1", "b1", "different", own_id="second", supersedes="first"))
    graph.add(say("a1", "b1", "cannot_tell", own_id="third", supersedes="second"))


def test_supersede__corrected_twice__the_first_answer_does_not_come_back(graph: IdentityGraph) -> None:
    correct_twice(graph)
    assert [graph.is_in_force(own) for own in ("first", "second", "third")] == [False, False, True]
    assert graph.relation("a1", "b1") is Answer.CANNOT_TELL
    graph.add(undo("third"))
    assert graph.relation("a1", "b1") is Answer.DIFFERENT
    graph.add(undo("second"))
    assert graph.relation("a1", "b1") is Answer.SAME


def test_supersede__the_replaced_answer_taken_back__what_it_replaced_stays_out(graph: IdentityGraph) -> None:
    correct_twice(graph)
    graph.add(undo("second"))
    assert [graph.is_in_force(own) for own in ("first", "second", "third")] == [False, False, True]
    assert not graph.is_taken_back("second")  # a redo would not bring it back


def test_cannot_tell__pair__kept_without_consequence(graph: IdentityGraph) -> None:
    graph.add(say("a1", "b1", "cannot_tell"))
    assert graph.relation("a1", "b1") is Answer.CANNOT_TELL
    assert graph.relation("a2", "b1") is None


def test_consequence__one_crop_twice__refused(graph: IdentityGraph) -> None:
    with pytest.raises(InputError, match="two different crops"):
        graph.consequence("a1", "a1", Answer.SAME)


def test_consequence__before_each_answer__matches_what_then_happens(graph: IdentityGraph) -> None:
    merge = graph.consequence("a1", "b1", Answer.SAME)
    assert (merge.num_left, merge.num_right, merge.new_pairs, merge.conflicts) == (3, 2, 6, False)
    assert graph.consequence("a1", "a2", Answer.DIFFERENT).overrules_labels
    graph.add(say("x", "c1", "same"))
    assert graph.consequence("x", "c1", Answer.DIFFERENT).conflicts
    graph.add(say("x", "junk", "different"))
    assert graph.consequence("c1", "junk", Answer.SAME).conflicts


def test_revision__every_change_to_an_identity__grows(graph: IdentityGraph) -> None:
    seen = graph.revision("b2")
    graph.add(say("a1", "b1", "same", own_id="s"))
    assert graph.revision("b2") > seen
    seen = graph.revision("b2")
    graph.add(undo("s"))
    assert graph.revision("b2") > seen
    seen = graph.revision("b2")
    graph.add(say("b1", identity_node(2), "different"))
    assert graph.revision("b2") > seen
    assert graph.revision("c1") == 0


@pytest.mark.parametrize(
    "event",
    [
        say("a1", "nobody", "same"),
        say("a1", identity_node(99), "same"),
        undo("absent"),
        say("a1", "a2", "same", supersedes="absent"),
    ],
)
def test_add__unknown_crop_or_target__refused_and_nothing_changed(
    graph: IdentityGraph, event: Decision | Retraction
) -> None:
    with pytest.raises(InputError):
        graph.add(event)
    assert len(list(graph.identities())) == 5


NODES = [*LABELS, identity_node(1), identity_node(2)]


@st.composite
def logs(draw: st.DrawFn) -> list[Decision | Retraction]:
    events: list[Decision | Retraction] = []
    for number in range(draw(st.integers(1, 16))):
        kind = draw(st.sampled_from(["say", "say", "say", "undo", "supersede", "sheet"]))
        if kind == "undo" and events:
            target = draw(st.sampled_from(events))
            own = target.decision_id if isinstance(target, Decision) else target.retraction_id
            events.append(Retraction(f"e{number}", own, "ann", "2026-01-01T00:00:00Z"))
            continue
        if kind == "sheet":
            others = draw(st.lists(st.sampled_from(["a1", "a2", "a3"]), min_size=1, max_size=2, unique=True))
            sheet = SheetQuestion(("a1", "a2", "a3"), ("a1",), "a1", "a2", identity_node(1), "why", 1.0)
            for place, (left, right, given) in enumerate(judged_by_sheet(sheet, [others])):
                events.append(say(left, right, given.value, own_id=f"e{number}.{place}"))
            continue
        left, right = draw(st.lists(st.sampled_from(NODES), min_size=2, max_size=2, unique=True))
        answer = draw(st.sampled_from(["same", "same", "different", "different", "cannot_tell"]))
        said = [e.decision_id for e in events if isinstance(e, Decision)]
        old = draw(st.sampled_from(said)) if kind == "supersede" and said else None
        is_sure = draw(st.booleans())
        events.append(say(left, right, answer, own_id=f"e{number}", is_sure=is_sure, supersedes=old))
    return events


def picture(graph: IdentityGraph) -> tuple[object, ...]:
    return (
        list(graph.identities()),
        [(c.decision.decision_id, c.weakest_cut, c.against.decision_id) for c in graph.conflicts()],
        list(graph.separations()),
        graph.displaced(),
        {pair: graph.relation(*pair) for pair in itertools.combinations(NODES, 2)},
    )


@settings(max_examples=300, deadline=None)
@given(logs())
def test_add__any_log__equals_the_fold_of_the_decisions_in_force(log: list[Decision | Retraction]) -> None:
    support = {"a1": 0.7, "a2": 0.4, "a3": 0.9, "b1": 0.2, "b2": 0.6, "c1": 0.5}
    incremental = IdentityGraph.fold(LABELS, log, support=support)
    bare = [d for d in active_decisions(log)]
    scratch = IdentityGraph(LABELS, support=support)
    for decision in bare:
        scratch.add(
            Decision(
                decision.decision_id,
                decision.left,
                decision.right,
                decision.answer,
                decision.annotator,
                decision.decided_at,
                is_sure=decision.is_sure,
            )
        )
    assert picture(incremental) == picture(scratch)


@settings(max_examples=200, deadline=None)
@given(logs())
def test_add__any_log__no_judged_difference_in_effect_is_violated(log: list[Decision | Retraction]) -> None:
    graph = IdentityGraph.fold(LABELS, log)
    contested = {c.decision.decision_id for c in graph.conflicts()}
    for decision in active_decisions(log):
        if decision.decision_id in contested:
            continue
        relation = graph.relation(decision.left, decision.right)
        if decision.answer is Answer.SAME:
            assert relation is Answer.SAME
        elif decision.answer is Answer.DIFFERENT:
            assert relation is Answer.DIFFERENT


@settings(max_examples=100, deadline=None)
@given(logs())
def test_add__everything_taken_back__labels_only(log: list[Decision | Retraction]) -> None:
    graph = IdentityGraph.fold(LABELS, log)
    for number, decision in enumerate(active_decisions(log)):
        graph.add(Retraction(f"back{number}", decision.decision_id, "ann", "2026-01-01T00:00:00Z"))
    # Taking back a superseding answer revives the old one, so go on until none is in force.
    for turn in range(len(log)):
        for number, decision in enumerate(active_decisions(graph.log)):
            graph.add(
                Retraction(f"back{turn}-{number}x", decision.decision_id, "ann", "2026-01-01T00:00:00Z")
            )
    assert picture(graph) == picture(IdentityGraph(LABELS))


@settings(max_examples=200, deadline=None)
@given(logs(), st.data())
def test_without__any_events_of_any_log__as_if_they_had_been_undone(
    log: list[Decision | Retraction], data: st.DataObject
) -> None:
    support = {"a1": 0.7, "a2": 0.4, "a3": 0.9, "b1": 0.2, "b2": 0.6, "c1": 0.5}
    graph = IdentityGraph.fold(LABELS, log, support=support)
    ids = data.draw(st.lists(st.sampled_from([event_id(e) for e in log]), min_size=1, unique=True))
    before = picture(graph)
    small = graph.without(ids)
    assert picture(graph) == before
    for own_id in ids:
        graph.add(Retraction(f"{own_id}/undone", own_id, "ann", "2026-01-01T00:00:00Z"))
    for left, right in itertools.combinations([node for node in NODES if node in small], 2):
        assert small.relation(left, right) == graph.relation(left, right)
    assert set(small.identities()) <= set(graph.identities())
    contested = {c.decision.decision_id for c in graph.conflicts()}
    assert {c.decision.decision_id for c in small.conflicts()} == {
        own_id for own_id in contested if small.event(own_id) is not None
    }
