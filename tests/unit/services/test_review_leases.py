"""What others hold, for how long, and what whoever waits is told."""

from __future__ import annotations

import re
import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest

from reid_core.annotation import store as annotation_store
from reid_core.services import Workbench
from reid_core.services.review import ReviewService, evidence_shelf, planner
from reid_core.services.review.evidence import ReviewEvidence, make_evidence
from tests.review_fakes import Start, ask, keys, name, query, restarted, settled
from tests.service_fakes import WAIT_S


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
