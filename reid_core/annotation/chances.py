"""How likely is an error, given how it looks? Calibrated on errors planted into the collection itself.

Nobody knows which labels are wrong, but everybody can make wrong ones: give a crop the label of another
identity, cut an identity in two, join two identities. Let f be the density of a measure over the labels as
they are, g that over planted errors, and s the share of errors. Then the chance of an error at a measure m is
s g(m) / f(m): the labels as they are need not be right for that (they are positive and unlabelled data: Elkan
and Noto, KDD 2008). The ratio is a pooled regression that only rises with the measure (isotonic; Ayer et al.,
1955). Where an error looks most like one, all are errors: s is the smallest ratio of the shares of labels as
they are and of planted errors beyond any measure (as in Storey's estimate of true hypotheses, JRSS B 2002).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from reid_core.annotation.evidence import FloatArray

_PRIOR_STRENGTH = 40.0
"""The assumed share of errors counts like this many cases looked at."""
_FEWEST_BEYOND = 4
"""Cases as they are that must lie beyond a measure for its ratio to count."""
_FEWEST = 60
"""Cases as they are below which the usual chances stay."""
_HIGHEST = 0.98
_RISE = 1e-3
"""Log-odds per unit of the measure where the regression is flat: what looks worse stays in front."""


@dataclass(frozen=True, slots=True)
class ErrorChance:
    """Log-odds of an error by a measure: straight between nodes, with ``slope`` beyond them.

    Attributes:
        measures, values: (J,) where the log-odds are known, both ascending.
        slope: Log-odds per unit of the measure outside; also what is usual.
        prior: Share of errors.
    """

    measures: tuple[float, ...]
    values: tuple[float, ...]
    slope: float
    prior: float

    @classmethod
    def usual(cls, *, slope: float, offset: float, prior: float) -> ErrorChance:
        """Log-odds of ``slope`` times the measure plus ``offset``, plus those of the prior."""
        return cls((0.0,), (offset + log_odds(prior),), slope, prior)

    def log_odds(self, measure: FloatArray) -> FloatArray:
        """Same shape, within ±50."""
        low, high = self.measures[0], self.measures[-1]
        inside = np.interp(measure, self.measures, self.values)
        beyond = np.minimum(measure - low, 0.0) + np.maximum(measure - high, 0.0)
        values: FloatArray = inside + self.slope * np.nan_to_num(beyond, posinf=1e6, neginf=-1e6)
        return np.clip(values, -50.0, 50.0)

    def chance(self, measure: FloatArray) -> FloatArray:
        """In [0, 1], same shape; rises with the measure."""
        return sigmoid(self.log_odds(measure))

    def measure_at(self, chance: float) -> float:
        """The measure from which on an error is at least this likely."""
        wanted = log_odds(chance)
        if wanted <= self.values[0]:
            return self.measures[0] + (wanted - self.values[0]) / self.slope
        if wanted >= self.values[-1]:
            return self.measures[-1] + (wanted - self.values[-1]) / self.slope
        return float(np.interp(wanted, self.values, self.measures))

    def fitted(self, as_is: FloatArray, planted: FloatArray) -> ErrorChance:
        """Adapted to a collection; unchanged if it is too small to tell.

        Args:
            as_is: The measure of what the labels say, most of it right.
            planted: The measure of errors made on purpose.
        """
        as_is, planted = as_is[np.isfinite(as_is)], planted[np.isfinite(planted)]
        if len(as_is) < _FEWEST or len(planted) < _FEWEST:
            return self
        ordered = np.sort(planted)
        as_is_beyond = np.arange(_FEWEST_BEYOND, len(as_is) + 1)
        thresholds = np.sort(as_is)[::-1][_FEWEST_BEYOND - 1 :]
        planted_beyond = len(planted) - np.searchsorted(ordered, thresholds, side="left")
        ratios = (as_is_beyond / len(as_is)) / (np.maximum(planted_beyond, 0.5) / len(planted))
        share = float(min(ratios.min(), 0.5))
        prior = (share * len(as_is) + self.prior * _PRIOR_STRENGTH) / (len(as_is) + _PRIOR_STRENGTH)
        return self._pooled(as_is, planted, prior)

    def _pooled(self, as_is: FloatArray, planted: FloatArray, prior: float) -> ErrorChance:
        measure = np.concatenate([as_is, planted])
        weight = np.concatenate(
            [np.ones(len(as_is)), np.full(len(planted), prior * len(as_is) / len(planted))]
        )
        is_planted = np.concatenate([np.zeros(len(as_is)), np.ones(len(planted))])
        order = np.argsort(measure, kind="stable")
        centres, shares = _rising(measure[order], is_planted[order], weight[order])
        # A share p of planted ones in a pool makes their ratio to those as they are p / (1 - p).
        chances = np.clip(shares / np.maximum(1.0 - shares, 1e-9), 1e-4, _HIGHEST)
        values = np.log(chances / (1.0 - chances)) + _RISE * (centres - centres[0])
        return ErrorChance(tuple(centres.tolist()), tuple(values.tolist()), self.slope, prior)


def _rising(measure: FloatArray, target: FloatArray, weight: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Isotonic regression by pooling adjacent violators: the centre and the mean target of every pool."""
    pools: list[tuple[float, float, float]] = []
    for m, t, w in zip(measure.tolist(), target.tolist(), weight.tolist(), strict=True):
        pools.append((w, w * t, w * m))
        while len(pools) > 1 and pools[-2][1] * pools[-1][0] >= pools[-1][1] * pools[-2][0]:
            last, before = pools.pop(), pools.pop()
            pools.append((before[0] + last[0], before[1] + last[1], before[2] + last[2]))
    table = np.array(pools)
    return table[:, 2] / table[:, 0], table[:, 1] / table[:, 0]


def log_odds(probability: float) -> float:
    """ln(p / (1 - p))."""
    return math.log(probability / (1.0 - probability))


def sigmoid(values: FloatArray) -> FloatArray:
    """The inverse of :func:`log_odds`, element by element."""
    result: FloatArray = 1.0 / (1.0 + np.exp(-values))
    return result
