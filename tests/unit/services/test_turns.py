from __future__ import annotations

import threading

from reid_core.services.turns import ComputeTurns
from tests.service_fakes import WAIT_S


def test_turns__search_during_batches__goes_next_and_never_at_once() -> None:
    turns, order = ComputeTurns(), []
    first_batch_runs, search_waits = threading.Event(), threading.Event()
    running = threading.Semaphore(1)

    def enter(name: str) -> None:
        assert running.acquire(blocking=False), "two at once"
        order.append(name)

    def batches() -> None:
        for number in range(4):
            with turns.background():
                enter(f"batch {number}")
                if number == 0:
                    first_batch_runs.set()
                    assert search_waits.wait(WAIT_S)
                running.release()

    def search() -> None:
        assert first_batch_runs.wait(WAIT_S)
        threading.Timer(0.1, search_waits.set).start()  # fires while this thread waits for its turn
        with turns.interactive():
            enter("search")
            running.release()

    threads = [threading.Thread(target=batches), threading.Thread(target=search)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_S)
    assert order == ["batch 0", "search", "batch 1", "batch 2", "batch 3"]


def test_turns__error_inside__turn_given_back() -> None:
    turns = ComputeTurns()
    for take in (turns.background, turns.interactive):
        try:
            with take():
                raise ValueError
        except ValueError:
            pass
    with turns.interactive():
        pass
