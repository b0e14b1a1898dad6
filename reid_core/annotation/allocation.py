"""Which stream asks next: Thompson sampling on measured yield, with floors that are always kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from reid_core.annotation.questions import Question, SheetQuestion, Stream
from reid_core.errors import InputError

DEFAULT_FLOORS: Mapping[Stream, float] = {Stream.AUDIT: 0.05, Stream.GOLD: 0.03, Stream.PURITY: 0.15}
"""Least share of the questions per stream. Without gold pairs, the audit gets both shares."""
_PAIR_S, _SHEET_S = 4.0, 8.0
_MEMORY = 0.97
"""Weight of an answer after one more answer of its stream: streams run dry, so the past fades."""
_PRIOR_STRENGTH = 2.0


@dataclass(slots=True)
class _Record:
    """What a stream brought: faded sums."""

    changes: float = 0.0
    expected: float = 0.0
    seconds: float = 0.0
    answers: float = 0.0


class StreamAllocation:
    """Chooses between the best questions of all streams.

    A stream's forecasts are multiplied by how far they came true so far: changes are taken as Poisson with a
    rate of trust times forecast, so trust has a Gamma posterior (prior mean 1), and one draw from it decides
    (Thompson, 1933). What is compared is expected label changes per second.

    Args:
        floors: Least share of questions per stream, together below 1.
        rng: Draws the trust.
    """

    def __init__(self, rng: np.random.Generator, *, floors: Mapping[Stream, float] = DEFAULT_FLOORS) -> None:
        if min(floors.values(), default=0.0) < 0 or sum(floors.values()) >= 1:
            raise InputError(f"Floors are shares that leave room for other streams, got {dict(floors)}.")
        self._rng = rng
        self._floors = dict(floors)
        self._records = {stream: _Record() for stream in Stream}
        self.asked: Counter[Stream] = Counter()

    def choose(self, offers: Mapping[Stream, Question]) -> Question | None:
        """The question to ask now, None if none is offered. Conflicts come first, then floors in arrears."""
        if Stream.CONFLICT in offers:
            return offers[Stream.CONFLICT]
        due = {s: self._arrears(s, offers) for s in offers}
        most_due = max(due, key=lambda s: due[s], default=None)
        if most_due is not None and due[most_due] > 0:
            return offers[most_due]
        drawn = {s: self._drawn_trust(s) * self._forecast(s, q) for s, q in offers.items()}
        best = max(drawn, key=lambda s: drawn[s], default=None)
        return None if best is None else offers[best]

    def record(self, question: Question, *, changes: float, seconds: float) -> None:
        """Take in what an answer changed and how long it took."""
        record = self._records[question.stream]
        record.changes = _MEMORY * record.changes + changes
        record.expected = _MEMORY * record.expected + question.expected_yield
        record.seconds = _MEMORY * record.seconds + seconds
        record.answers = _MEMORY * record.answers + 1.0
        self.asked[question.stream] += 1

    def changes_per_second(self, stream: Stream) -> float | None:
        """The recent measured yield of a stream; None before its first answer."""
        record = self._records[stream]
        return record.changes / record.seconds if record.seconds else None

    def _arrears(self, stream: Stream, offers: Mapping[Stream, Question]) -> float:
        """Questions that a stream lacks of its floor, if one more is asked elsewhere."""
        share = self._floors.get(stream, 0.0)
        if stream is Stream.AUDIT and Stream.GOLD not in offers:
            share += self._floors.get(Stream.GOLD, 0.0)
        done = self.asked[stream]
        if stream is Stream.AUDIT and Stream.GOLD not in offers:
            done += self.asked[Stream.GOLD]
        return share * (self.asked.total() + 1) - done

    def _drawn_trust(self, stream: Stream) -> float:
        record = self._records[stream]
        shape, rate = _PRIOR_STRENGTH + record.changes, _PRIOR_STRENGTH + record.expected
        return float(self._rng.gamma(shape, 1.0 / rate))

    def _forecast(self, stream: Stream, question: Question) -> float:
        record = self._records[stream]
        usual = _SHEET_S if isinstance(question, SheetQuestion) else _PAIR_S
        seconds = (record.seconds + usual) / (record.answers + 1.0)
        return question.expected_yield / seconds
