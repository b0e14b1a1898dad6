"""One network call at a time, and a person who waits goes before a job that runs for minutes.

Two matrix products at once are slower than one after the other (BLAS threads fight: 12.4 against 5.8 calls
per second, measured with 100k x 512 on two cores), and a plain lock lets a loop of batches starve a search.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class ComputeTurns:
    """Hands out the right to compute: ``interactive`` before ``background``, one holder at a time."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._is_taken = False
        self._num_interactive = 0

    @contextmanager
    def interactive(self) -> Iterator[None]:
        """For work a person waits for: next in turn."""
        with self._condition:
            self._num_interactive += 1
            self._condition.wait_for(lambda: not self._is_taken)
            self._num_interactive -= 1
            self._is_taken = True
        try:
            yield
        finally:
            self._give_back()

    @contextmanager
    def background(self) -> Iterator[None]:
        """For one short piece of long work: waits until nobody interactive does."""
        with self._condition:
            self._condition.wait_for(lambda: not self._is_taken and self._num_interactive == 0)
            self._is_taken = True
        try:
            yield
        finally:
            self._give_back()

    def _give_back(self) -> None:
        with self._condition:
            self._is_taken = False
            self._condition.notify_all()
