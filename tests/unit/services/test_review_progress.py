from __future__ import annotations

from reid_core.annotation import Answer, Decision, Event, Retraction
from reid_core.services.review.progress import undo_stacks

AT = "2026-01-01T00:00:00Z"


def answer(own_id: str, annotator: str = "ann") -> Decision:
    return Decision(own_id, "a", f"b-{own_id}", Answer.SAME, annotator, AT)


def back(own_id: str, target: str, annotator: str = "ann") -> Retraction:
    return Retraction(own_id, target, annotator, AT)


def test_undo_stacks__undone_and_redone__as_in_an_editor() -> None:
    log: list[Event] = [answer("1"), answer("2"), back("u", "2"), back("r", "u")]
    assert undo_stacks(tuple(log[:2]), "ann") == (("1", "2"), ())
    assert undo_stacks(tuple(log[:3]), "ann") == (("1",), ("2",))
    assert undo_stacks(tuple(log), "ann") == (("1", "2"), ())


def test_undo_stacks__new_answer__empties_redo() -> None:
    assert undo_stacks((answer("1"), back("u", "1"), answer("2")), "ann") == (("2",), ())


def test_undo_stacks__answer_of_several_decisions__one_step() -> None:
    log = (answer("1.1"), answer("1.2"), back("u.1", "1.1"), back("u.2", "1.2"))
    assert undo_stacks(log[:2], "ann") == (("1",), ())
    assert undo_stacks(log, "ann") == ((), ("1",))


def test_undo_stacks__others__leave_mine_alone_unless_they_took_it_back() -> None:
    log = (answer("1"), answer("2", "bob"), back("u", "1", "bob"))
    assert undo_stacks(log[:2], "ann") == (("1",), ())
    assert undo_stacks(log, "ann") == ((), ("1",))
