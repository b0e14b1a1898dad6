from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import pytest

from reid_core.annotation import (
    Answer,
    Decision,
    GraphSnapshot,
    IdentityGraph,
    PairEvidence,
    PairQuestion,
    ReviewQueue,
    SheetQuestion,
    SimulatedAnnotator,
    StoppingEstimate,
    Stream,
    StreamAllocation,
    count_found,
    judged_by_sheet,
    judged_by_vote,
    plant_errors,
    synthetic_crops,
)
from reid_core.annotation.likeness import IdentityLikeness, LikenessCache
from reid_core.annotation.purity import best_split
from reid_core.annotation.queue import count_label_changes
from reid_core.annotation.sheets import sheet_questions
from reid_core.annotation.streams import (
    FRAGMENT_IMPACT,
    audit_questions,
    bridge_questions,
    conflict_questions,
    false_match_questions,
    gold_questions,
    margin_questions,
    neighbour_vote_questions,
    rank_violation_questions,
)
from reid_core.errors import InputError

_numbers = itertools.count()


def logistic(similarity: np.ndarray) -> np.ndarray:
    return 1.0 / (1.0 + np.exp(-12.0 * (similarity - 0.6)))


def say(left: str, right: str, answer: str, stream: str = "free") -> Decision:
    return Decision(
        f"q{next(_numbers)}", left, right, Answer(answer), "ann", "2026-01-01T00:00:00Z", stream=stream
    )


def crops(**people: int) -> PairEvidence:
    """``a=3`` makes a0, a1, a2 about one axis; every letter gets its own."""
    names, rows = [], []
    rng = np.random.default_rng(0)
    for axis, (letter, number) in enumerate(people.items()):
        for i in range(number):
            names.append(f"{letter}{i}")
            rows.append(np.eye(8)[axis] + 0.1 * rng.normal(size=8))
    return PairEvidence(names, np.array(rows), logistic, num_neighbours=6)


def look(evidence: PairEvidence, graph: IdentityGraph) -> tuple[GraphSnapshot, IdentityLikeness]:
    snapshot = GraphSnapshot(evidence, graph)
    return snapshot, IdentityLikeness(snapshot, LikenessCache(evidence))


def test_neighbour_vote__crop_with_the_wrong_label__asked_first_with_its_rival() -> None:
    evidence = crops(a=4, b=4)
    labels = {c: 1 if c[0] == "a" else 2 for c in evidence.ids} | {"b3": 1}
    first = next(neighbour_vote_questions(*look(evidence, IdentityGraph(labels))))
    assert first.left == "b3"
    assert first.right.startswith("a")
    assert first.rival is not None
    assert first.rival.startswith("b")


def test_neighbour_vote__confirmed_by_a_person__not_asked_again() -> None:
    evidence = crops(a=4, b=4)
    labels = {c: 1 if c[0] == "a" else 2 for c in evidence.ids} | {"b3": 1}
    graph = IdentityGraph(labels)
    graph.add(say("b3", "a0", "same"))
    assert "b3" not in {q.left for q in neighbour_vote_questions(*look(evidence, graph))}


def test_false_match_first__one_person_under_two_labels__asked_first_until_told_apart() -> None:
    evidence = crops(a=6, b=4)
    labels = {c: 1 for c in evidence.ids} | {f"a{i}": 3 for i in (3, 4, 5)} | {f"b{i}": 2 for i in range(4)}
    graph = IdentityGraph(labels)
    first = next(false_match_questions(*look(evidence, graph)))
    assert {labels[first.left], labels[first.right]} == {1, 3}
    graph.add(say("a0", "a3", "different"))
    asked = [{labels[q.left], labels[q.right]} for q in false_match_questions(*look(evidence, graph))]
    assert {1, 3} not in asked


def test_sheets__two_people_under_one_label__first_with_one_of_them_suspected() -> None:
    evidence = crops(a=4, b=3, c=5, d=5, e=5)
    labels = {c: "xxcde".index(c[0]) + 1 if c[0] in "cde" else 1 for c in evidence.ids}
    first = next(sheet_questions(*look(evidence, IdentityGraph(labels))))
    assert set(first.crops) == {c for c in evidence.ids if c[0] in "ab"}
    assert {c[0] for c in first.suspected} in ({"a"}, {"b"})


def test_sheets__called_one_person__not_shown_again() -> None:
    evidence = crops(a=4, b=3, c=5)
    graph = IdentityGraph({c: 3 if c[0] == "c" else 1 for c in evidence.ids})
    first = next(sheet_questions(*look(evidence, graph)))
    for left, right, answer in judged_by_sheet(first, []):
        graph.add(say(left, right, answer.value, "purity"))
    assert first.key not in {q.key for q in sheet_questions(*look(evidence, graph))}


def test_judged_by_sheet__picked_group__leaves_together_with_one_decision_per_crop() -> None:
    evidence = crops(a=4, b=3, c=5)
    graph = IdentityGraph({c: 3 if c[0] == "c" else 1 for c in evidence.ids})
    sheet = next(sheet_questions(*look(evidence, graph)))
    judged = judged_by_sheet(sheet, [["b0", "b1", "b2"]])
    assert len(judged) == 3
    for left, right, answer in judged:
        assert graph.add(say(left, right, answer.value, "purity")) is None
    assert graph.crops("b0") == ("b0", "b1", "b2")
    assert graph.crops("a0") == ("a0", "a1", "a2", "a3")


@pytest.mark.parametrize("picked", [[["nobody"]], [["b0"], ["b0"]], [["a0", "a1", "b0", "b1"]]])
def test_judged_by_sheet__impossible_picks__refused(picked: list[list[str]]) -> None:
    sheet = SheetQuestion(("a0", "a1", "b0", "b1"), ("b0",), "b0", "a0", "identity:1", "why", 1.0)
    with pytest.raises(InputError):
        judged_by_sheet(sheet, picked)


def test_judged_by_vote__rival__leaves_its_own_and_joins_the_other() -> None:
    question = PairQuestion("x", "own", Stream.NEIGHBOUR_VOTE, "why", 1.0, rival="other")
    assert judged_by_vote(question, is_rival=True) == (
        ("x", "own", Answer.DIFFERENT),
        ("x", "other", Answer.SAME),
    )
    assert judged_by_vote(question, is_rival=False)[1] == ("x", "other", Answer.DIFFERENT)


def test_conflict__contradicting_judgements__asked_again_and_settled_by_the_answer() -> None:
    evidence = crops(a=3, b=3)
    graph = IdentityGraph({c: 1 if c[0] == "a" else 2 for c in evidence.ids})
    for decision in (say("a0", "a1", "same"), say("a1", "a2", "same"), say("a0", "a2", "different")):
        graph.add(decision)
    question = next(conflict_questions(GraphSnapshot(evidence, graph)))
    assert question.supersedes is not None
    assert ReviewQueue(evidence, graph).next() == question
    flipped = Decision(
        "again", "a0", "a2", Answer.SAME, "ann", "2026-01-01T00:00:00Z", supersedes=question.supersedes
    )
    assert question.pair == flipped.pair
    graph.add(flipped)
    assert list(conflict_questions(GraphSnapshot(evidence, graph))) == []


def test_bridge__merge_on_one_judgement__confirmed_by_a_second_pair_across_it() -> None:
    evidence = crops(a=3, b=3)
    graph = IdentityGraph({c: 1 if c[0] == "a" else 2 for c in evidence.ids})
    graph.add(say("a0", "b0", "same"))
    question = next(bridge_questions(*look(evidence, graph)))
    assert {question.left[0], question.right[0]} == {"a", "b"}
    assert question.pair != {"a0", "b0"}
    graph.add(say(question.left, question.right, "same"))
    assert list(bridge_questions(*look(evidence, graph))) == []


def test_rank_violation__other_label_above_a_confirmed_match__asked() -> None:
    vectors = np.array([[1, 0], [0.8, 0.6], [0.95, 0.3], [0, 1]])
    evidence = PairEvidence(["q", "p", "n", "far"], vectors, logistic)
    graph = IdentityGraph({"q": 1, "p": 1, "n": 2, "far": 3})
    assert list(rank_violation_questions(GraphSnapshot(evidence, graph))) == []
    graph.add(say("q", "p", "same"))
    pairs = [q.pair for q in rank_violation_questions(GraphSnapshot(evidence, graph))]
    assert pairs[0] == {"q", "n"}
    assert {"q", "far"} not in pairs


def test_rank_violation__judgement_on_a_crop_outside_the_selection__the_others_still_asked() -> None:
    vectors = np.array([[1, 0], [0.8, 0.6], [0.95, 0.3]])
    evidence = PairEvidence(["q", "p", "n"], vectors, logistic)
    graph = IdentityGraph({"q": 1, "p": 1, "n": 2, "outside": 3})
    graph.add(say("q", "p", "same"))
    graph.add(say("q", "outside", "same"))
    pairs = [q.pair for q in rank_violation_questions(GraphSnapshot(evidence, graph))]
    assert pairs[0] == {"q", "n"}


def test_margin__neighbours_of_other_labels__nearest_to_even_odds_first() -> None:
    vectors = np.array([[1, 0], [0.6, 0.8], [0.99, 0.14]])
    evidence = PairEvidence(["a", "even", "near"], vectors, logistic)
    graph = IdentityGraph({"a": 1, "even": 2, "near": 3})
    assert next(margin_questions(GraphSnapshot(evidence, graph))).pair == {"a", "even"}


def test_audit__order_given__goes_through_it_and_passes_over_settled_crops() -> None:
    evidence = crops(a=3, b=3)
    graph = IdentityGraph({c: 1 if c[0] == "a" else 2 for c in evidence.ids})
    graph.add(say("a0", "a1", "same"))
    order = np.array([0, 4, 2])
    assert [q.left for q in audit_questions(*look(evidence, graph), order)] == ["b1", "a2"]


def test_gold__answered_pair__not_asked_again() -> None:
    evidence = crops(a=3, b=3)
    graph = IdentityGraph({c: 1 if c[0] == "a" else 2 for c in evidence.ids})
    gold = {("a0", "a1"): Answer.SAME, ("a0", "b1"): Answer.DIFFERENT}
    graph.add(say("a1", "a0", "same"))
    assert [q.pair for q in gold_questions(GraphSnapshot(evidence, graph), gold)] == [{"a0", "b1"}]


def test_best_split__two_blocks__found_and_more_telling_than_noise() -> None:
    side = np.array([True] * 3 + [False] * 5)
    log_odds = np.where(side[:, None] == side[None], 2.0, -2.0)
    split = best_split(log_odds)
    assert (split.side == side).all()
    assert (split.within, split.across) == (2.0, -2.0)
    noise = np.random.default_rng(0).normal(size=(8, 8))
    assert split.significance > 2 * best_split((noise + noise.T) / 2).significance


def test_best_split__all_alike__leaves_a_smaller_side_and_no_significance() -> None:
    split = best_split(np.ones((4, 4)))
    assert 1 <= split.side.sum() <= 2
    assert split.significance == 0.0


@pytest.mark.parametrize(
    ("before", "after", "changes"),
    [
        ([0, 0, 1, 1, 1], [0, 0, 0, 0, 0], 2.0),
        ([0, 0, 0, 0], [0, 0, 0, 1], 1.0),
        ([0, 1, 1], [0, 0, 0], FRAGMENT_IMPACT),
        ([0, 0, 1], [1, 1, 0], 0.0),
    ],
)
def test_count_label_changes__merge_split_rejoin_rename__smaller_part_counts(
    before: list[int], after: list[int], changes: float
) -> None:
    assert count_label_changes(np.array(before), np.array(after)) == changes


def test_allocation__one_stream_pays__asked_most_but_floors_kept_at_every_moment() -> None:
    floors = {Stream.AUDIT: 0.08, Stream.PURITY: 0.15}
    allocation = StreamAllocation(np.random.default_rng(0), floors=floors)
    streams = (Stream.AUDIT, Stream.PURITY, Stream.MARGIN, Stream.NEIGHBOUR_VOTE)
    offers = {s: PairQuestion("a", "b", s, "why", 0.5) for s in streams}
    for total in range(1, 201):
        question = allocation.choose(offers)
        assert question is not None
        pays = question.stream is Stream.NEIGHBOUR_VOTE
        allocation.record(question, changes=float(pays), seconds=4.0)
        assert all(allocation.asked[s] >= share * total - 1 for s, share in floors.items())
    assert allocation.asked[Stream.NEIGHBOUR_VOTE] > 120
    assert allocation.asked[Stream.MARGIN] < 20
    assert allocation.changes_per_second(Stream.NEIGHBOUR_VOTE) == pytest.approx(0.25)


def test_allocation__floors_leave_no_room__refused() -> None:
    with pytest.raises(InputError, match="Floors"):
        StreamAllocation(np.random.default_rng(0), floors={Stream.AUDIT: 0.6, Stream.PURITY: 0.5})


def test_stopping__quiet_answers_from_a_cold_start__73_as_published() -> None:
    estimate = StoppingEstimate()
    quiet = 0
    while not estimate.is_done:
        estimate.record(has_changed=False)
        quiet += 1
    assert quiet == 73


def test_stopping__change__not_done_and_says_so() -> None:
    estimate = StoppingEstimate(span=1)
    estimate.record(has_changed=False)
    assert estimate.is_done
    estimate.record(has_changed=True)
    assert not estimate.is_done
    assert estimate.sentence == "About 1 in 1 further answers is expected to change anything."


def simulate(num_judgements: int, seed: int = 0) -> tuple[float, list[str], Counter[Stream]]:
    made = synthetic_crops(num_identities=40, crops_per_identity=6, dimension=32, seed=seed)
    planted = plant_errors(made.ids, made.pids, made.vectors, seed=seed)
    evidence = PairEvidence(made.ids, made.vectors, logistic, num_neighbours=15)
    graph = IdentityGraph(planted.labels, support=evidence.support(planted.labels))
    annotator = SimulatedAnnotator(planted, accuracy=0.97, seed=seed)
    queue = ReviewQueue(evidence, graph, seed=seed)
    asked: list[str] = []
    while len(graph.log) < num_judgements:
        question = queue.next()
        assert question is not None
        if isinstance(question, PairQuestion) and question.stream is not Stream.CONFLICT:
            rows = (evidence.row[question.left], evidence.row[question.right])
            snapshot = GraphSnapshot(evidence, graph)
            assert not snapshot.was_asked(*rows)
            assert question.stream is Stream.BRIDGE or not snapshot.is_known(*rows)
        asked.append(question.key)
        decisions = annotator.answer(question)
        for decision in decisions:
            graph.add(decision)
        queue.answered(question, seconds=4.0 * len(decisions))
    return count_found(planted, graph).total / len(planted), asked, queue.allocation.asked


def test_queue__simulated_review__beats_random_never_asks_known_pairs_keeps_floors() -> None:
    found, asked, by_stream = simulate(60)
    assert found >= 0.6  # a random order finds about 0.15 of them
    total = by_stream.total()
    assert by_stream[Stream.AUDIT] >= 0.08 * total - 1
    assert by_stream[Stream.PURITY] >= 0.15 * total - 1
    again = simulate(15)[1]
    assert again == asked[: len(again)]


def test_queue__skip__asks_something_else() -> None:
    evidence = crops(a=4, b=4)
    queue = ReviewQueue(evidence, IdentityGraph({c: 1 if c[0] == "a" else 2 for c in evidence.ids}))
    first = queue.next()
    assert first is not None
    second = queue.next(skip={first.key})
    assert second is None or second.key != first.key


def test_queue__audit__unbiased_rate_although_other_streams_settle_crops() -> None:
    made = synthetic_crops(num_identities=40, crops_per_identity=6, dimension=32, seed=3)
    planted = plant_errors(made.ids, made.pids, made.vectors, seed=3, mislabelled_share=0.1)
    evidence = PairEvidence(made.ids, made.vectors, logistic, num_neighbours=15)
    graph = IdentityGraph(planted.labels, support=evidence.support(planted.labels))
    annotator = SimulatedAnnotator(planted, accuracy=1.0, seed=3)
    queue = ReviewQueue(evidence, graph, seed=3, floors={Stream.AUDIT: 0.5})
    with pytest.raises(InputError, match="No audit question"):
        queue.label_error_rate()
    for _ in range(100):
        question = queue.next()
        assert question is not None
        for decision in annotator.answer(question):
            graph.add(decision)
        queue.answered(question, seconds=4.0)
    rate = queue.label_error_rate()
    assert rate.num_judged >= 40
    assert rate.low <= 0.12 <= rate.high


def test_queue__nothing_left__none() -> None:
    evidence = PairEvidence(["a", "b"], np.eye(2), logistic)
    graph = IdentityGraph({"a": 1, "b": 2})
    graph.add(say("a", "b", "different"))
    assert ReviewQueue(evidence, graph).next() is None
