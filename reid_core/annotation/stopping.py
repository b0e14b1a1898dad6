"""When further answers are no longer worth their time."""

from __future__ import annotations

import math

from reid_core.errors import InputError


class StoppingEstimate:
    """Exponentially weighted share of answers that changed a label.

    The rule of WBIA (Crall, thesis 2017; numbers as its author corrected them): stop when a change within the
    next ``ahead`` answers is less likely than ``threshold``. From a cold start that takes 73 quiet answers.

    Args:
        span: Answers that the mean looks back on, about. ``ahead``: answers to look ahead.
        threshold: Between 0 and 1.
    """

    def __init__(self, *, span: int = 20, ahead: int = 72, threshold: float = 0.052) -> None:
        if span < 1 or ahead < 1 or not 0 < threshold < 1:
            raise InputError(
                f"span {span} and ahead {ahead} must be 1 or more, threshold {threshold} in (0, 1)."
            )
        self._step = 2.0 / (span + 1)
        self._ahead = ahead
        self._threshold = threshold
        self.change_rate = 1.0

    def record(self, *, has_changed: bool) -> None:
        """Take in one answer."""
        self.change_rate += self._step * (float(has_changed) - self.change_rate)

    @property
    def chance_of_change(self) -> float:
        """Of at least one change within the next ``ahead`` answers."""
        return 1.0 - math.exp(-self.change_rate * self._ahead)

    @property
    def is_done(self) -> bool:
        """Whether to suggest stopping."""
        return self.chance_of_change < self._threshold

    @property
    def sentence(self) -> str:
        """For the annotator."""
        one_in = max(1, round(1.0 / self.change_rate)) if self.change_rate > 1e-6 else 1_000_000
        return f"About 1 in {one_in} further answers is expected to change anything."
