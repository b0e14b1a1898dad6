"""A progress bar for the command line, behind the plain ``(done, total)`` callback that long work takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

ProgressCallback = Callable[[int, int], None]
"""Called with (done, total) while long work runs; may be called from one thread at a time."""


@contextmanager
def progress_bar(label: str, unit: str = "crop") -> Iterator[ProgressCallback]:
    """Draw a bar on standard error while the block runs; the total may become known late.

    Lines of the log go above the bar, each on a line of its own.
    """
    with logging_redirect_tqdm(), tqdm(desc=label, unit=unit, dynamic_ncols=True) as bar:

        def update(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield update
