"""Asking and answering on the small gallery of ``service_fakes.write_market``, for tests of the review."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable
from typing import Any

from reid_core.services import Workbench
from reid_core.services.review import QuestionView, ReviewService, Upcoming
from tests.service_fakes import WAIT_S

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


def names_in(question: QuestionView) -> list[str]:
    """Everything of a question that looks like the name of a file of this gallery, or of an identity."""
    return re.findall(r"\w*_c\ds\d_\w*|identity:\d+", str(question))


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


def give(review: ReviewService, *items: dict[str, Any], by: str = "ann") -> list[str]:
    """Give answers that have to be stored; returns their ids."""
    results = review.answer([{"id": str(uuid.uuid4()), **item} for item in items], by)
    assert [result.status for result in results] == ["saved"] * len(items), results
    return [result.id for result in results]


def undo(review: ReviewService, target: str, by: str = "ann") -> None:
    give(review, {"kind": "undo", "target": target}, by=by)
