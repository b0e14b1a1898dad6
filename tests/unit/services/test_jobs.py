from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from reid_core.errors import DatasetError, InputError
from reid_core.services.jobs import MAX_KEPT_JOBS, MAX_SHOWN_REFUSALS, JobControl, JobQueue, Runner
from reid_core.types import Refusal
from tests.service_fakes import WAIT_S


def finish(control: JobControl) -> str:
    control.report(2, 2, "Working.")
    return f"{control.parameters['what']} is finished."


class Held:
    """A runner that works until it is let go or stopped."""

    def __init__(self) -> None:
        self.is_running, self.may_end = threading.Event(), threading.Event()
        self.cleaned: list[str] = []

    def __call__(self, control: JobControl) -> str:
        try:
            control.report(1, 9, "Working.")
            self.is_running.set()
            while not self.may_end.wait(0.01):
                control.check()
        except Exception:
            if not control.is_interrupted():
                self.cleaned.append(control.parameters["what"])
            raise
        return "Let go."


def make_queue(folder: Path, runner: Runner = finish) -> JobQueue:
    return JobQueue(folder, {"embed": runner, "import": runner})


def submit(queue: JobQueue, what: str) -> str:
    return queue.submit("embed", f"Embed {what}", {"what": what}).id


def test_submit__runs__done_with_its_sentence(tmp_path: Path) -> None:
    queue = make_queue(tmp_path)
    queue.start()
    view = queue.wait(submit(queue, "a"), WAIT_S)
    assert (view.state, view.message, view.num_done, view.num_total) == ("done", "a is finished.", 2, 2)
    queue.close()


def test_submit__same_work_unfinished__same_job_else_a_new_one(tmp_path: Path) -> None:
    held = Held()
    queue = make_queue(tmp_path, held)
    queue.start()
    first = submit(queue, "a")
    assert submit(queue, "a") == first
    assert submit(queue, "b") != first
    held.may_end.set()
    queue.wait(first, WAIT_S)
    assert submit(queue, "a") != first
    queue.close()


def test_cancel__running_and_waiting__both_cancelled_and_cleaned_up(tmp_path: Path) -> None:
    held = Held()
    queue = make_queue(tmp_path, held)
    queue.start()
    running, waiting = submit(queue, "a"), submit(queue, "b")
    assert held.is_running.wait(WAIT_S)
    assert queue.get(waiting).state == "queued"
    queue.cancel(waiting)
    queue.cancel(running)
    assert queue.wait(running, WAIT_S).state == "cancelled"
    assert queue.wait(waiting, WAIT_S).state == "cancelled"
    assert held.cleaned == ["a", "b"]
    queue.cancel(running)
    assert queue.get(running).state == "cancelled"
    queue.close()


def test_cancel__waiting_and_traceless__over_at_once_also_after_a_restart(tmp_path: Path) -> None:
    held = Held()

    def make() -> JobQueue:
        return JobQueue(tmp_path, {"embed": held}, traceless=["embed"])

    first = make()
    first.start()
    running, second, third = (submit(first, what) for what in "abc")
    assert held.is_running.wait(WAIT_S)
    first.cancel(second)
    assert (first.get(second).state, first.get(second).message) == ("cancelled", "Stopped before it began.")
    assert first.get(running).state == "running"
    first.close()

    again = make()
    held.is_running.clear()
    again.start()
    assert held.is_running.wait(WAIT_S)
    again.cancel(third)
    assert again.get(third).state == "cancelled"
    again.cancel(running)
    assert again.wait(running, WAIT_S).state == "cancelled"
    assert held.cleaned == ["a"]  # what began is cleared away by its runner
    again.close()


def test_lanes__a_long_job_in_one_lane__another_lane_goes_on(tmp_path: Path) -> None:
    held = Held()
    queue = JobQueue(tmp_path, {"train": held, "embed": finish}, lanes={"train": "training"})
    queue.start()
    training = queue.submit("train", "Train", {"what": "t"}).id
    assert held.is_running.wait(WAIT_S)
    assert queue.wait(submit(queue, "a"), WAIT_S).state == "done"
    assert queue.get(training).state == "running"
    held.may_end.set()
    assert queue.wait(training, WAIT_S).state == "done"
    queue.close()


def test_start__job_of_a_kind_that_nobody_runs__failed_with_a_reason(tmp_path: Path) -> None:
    earlier = JobQueue(tmp_path, {"train": finish, "embed": finish})
    left = earlier.submit("train", "Train", {"what": "t"}).id
    queue = make_queue(tmp_path)
    queue.start()
    assert (queue.get(left).state, "does not know" in queue.get(left).message) == ("failed", True)
    queue.close()


def test_errors__each_kind__failed_and_the_next_job_still_runs(tmp_path: Path) -> None:
    errors = {
        "ours": DatasetError("There are no images."),
        "disk": OSError(28, "No space left on device"),
        "bug": ZeroDivisionError("secret detail"),
    }

    def fail(control: JobControl) -> str:
        if control.parameters["what"] in errors:
            raise errors[control.parameters["what"]]
        return "fine"

    queue = make_queue(tmp_path, fail)
    queue.start()
    views = {what: queue.wait(submit(queue, what), WAIT_S) for what in (*errors, "good")}
    assert {what: view.state for what, view in views.items()} == {
        "ours": "failed",
        "disk": "failed",
        "bug": "failed",
        "good": "done",
    }
    assert views["ours"].message == "There are no images."
    assert "No space left" in views["disk"].message
    assert "secret detail" not in views["bug"].message
    queue.close()


def test_restart__finished_and_unfinished__kept_and_taken_up_in_order(tmp_path: Path) -> None:
    held = Held()
    first = make_queue(tmp_path, held)
    first.start()
    done = first.submit("import", "Import", {"what": "0"}).id
    held.may_end.set()
    first.wait(done, WAIT_S)
    held.may_end.clear()
    held.is_running.clear()
    running, waiting = submit(first, "a"), submit(first, "b")
    assert held.is_running.wait(WAIT_S)
    first.close()  # writes the interrupted job's file last
    assert held.cleaned == []  # interrupted, not cancelled

    order: list[str] = []

    def note(control: JobControl) -> str:
        order.append(control.parameters["what"])
        return finish(control)

    second = make_queue(tmp_path, note)
    assert second.all() == ()
    second.start()
    assert second.wait(running, WAIT_S).message == "a is finished."
    assert second.wait(waiting, WAIT_S).message == "b is finished."
    assert order == ["a", "b"]
    assert second.get(done).state == "done"
    assert [view.id for view in second.all()] == [waiting, running, done]
    second.close()


def test_restart__job_that_was_running_at_three_deaths__not_tried_again(tmp_path: Path) -> None:
    queue = make_queue(tmp_path)
    job_id = submit(queue, "a")
    path = tmp_path / f"{job_id}.json"
    content = json.loads(path.read_text())
    content["attempts"], content["view"]["state"] = 3, "running"
    path.write_text(json.dumps(content))
    again = make_queue(tmp_path)
    again.start()
    view = again.wait(job_id, WAIT_S)
    assert (view.state, "3 times" in view.message) == ("failed", True)
    again.close()


def test_restart__damaged_job_file__removed_and_the_rest_runs(tmp_path: Path) -> None:
    queue = make_queue(tmp_path)
    job_id = submit(queue, "a")
    (tmp_path / "damaged.json").write_text('{"view": 3')
    again = make_queue(tmp_path)
    again.start()
    assert again.wait(job_id, WAIT_S).state == "done"
    assert not (tmp_path / "damaged.json").exists()
    again.close()


def test_refuse__long_list__cut_and_says_so_also_after_a_restart(tmp_path: Path) -> None:
    def refuse(control: JobControl) -> str:
        control.refuse([Refusal(f"{i}.jpg", "cut short") for i in range(MAX_SHOWN_REFUSALS + 7)])
        return "done"

    queue = make_queue(tmp_path, refuse)
    queue.start()
    job_id = submit(queue, "a")
    refused = queue.wait(job_id, WAIT_S).refused
    assert len(refused) == MAX_SHOWN_REFUSALS + 1
    assert refused[-1].item == "7 more"
    queue.close()
    again = make_queue(tmp_path, refuse)
    again.start()
    assert again.get(job_id).refused == refused
    again.close()


def test_submit__many__only_the_newest_are_kept(tmp_path: Path) -> None:
    queue = make_queue(tmp_path)
    queue.start()
    for number in range(MAX_KEPT_JOBS + 5):
        queue.wait(submit(queue, str(number)), WAIT_S)
    assert len(queue.all()) <= MAX_KEPT_JOBS
    assert len(list(tmp_path.glob("*.json"))) <= MAX_KEPT_JOBS
    queue.close()


def test_get__unknown_job__says_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no job 'x'"):
        make_queue(tmp_path).get("x")
