"""How good labels and annotators are: error rate with interval, agreement, accuracy on gold pairs."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

from reid_core.annotation.decisions import Answer, Decision
from reid_core.errors import InputError


@dataclass(frozen=True, slots=True)
class Rate:
    """A share with its interval; ``num_wrong`` of ``num_judged`` were counted."""

    rate: float
    low: float
    high: float
    num_wrong: int
    num_judged: int


def wilson_interval(num_hits: int, num_trials: int, *, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval of a share (JASA 1927); (0, 1) without trials.

    Raises:
        InputError: Hits are negative or more than trials, or confidence is outside (0, 1).
    """
    if not 0 <= num_hits <= num_trials or not 0 < confidence < 1:
        raise InputError(f"{num_hits} of {num_trials} at confidence {confidence} is not a share.")
    if num_trials == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    share, n = num_hits / num_trials, num_trials
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    # At 0 and at n hits the limit is 0 and 1 exactly; rounding must not say otherwise.
    low = 0.0 if num_hits == 0 else max(0.0, centre - half)
    high = 1.0 if num_hits == n else min(1.0, centre + half)
    return low, high


def error_rate(
    num_wrong: int, num_judged: int, *, annotator_accuracy: float = 1.0, confidence: float = 0.95
) -> Rate:
    """Share of wrong labels from a random sample, corrected for judges who err themselves.

    An annotator who is right with probability a calls (1 - a) of right labels wrong; (observed - (1 - a)) /
    (2a - 1) undoes that (Rogan and Gladen, 1978), for the share and for both ends of Wilson's interval.

    Raises:
        InputError: Nothing was judged, or the accuracy is not above 0.5 and at most 1.
    """
    if num_judged < 1:
        raise InputError("No audit question has been answered yet, so no error rate is known.")
    if not 0.5 < annotator_accuracy <= 1.0:
        raise InputError(f"An annotator's accuracy is {annotator_accuracy}, expected above 0.5, at most 1.")

    def corrected(observed: float) -> float:
        return min(1.0, max(0.0, (observed - (1 - annotator_accuracy)) / (2 * annotator_accuracy - 1)))

    low, high = wilson_interval(num_wrong, num_judged, confidence=confidence)
    return Rate(corrected(num_wrong / num_judged), corrected(low), corrected(high), num_wrong, num_judged)


def accuracy_on_gold(
    decisions: Iterable[Decision], gold: Mapping[frozenset[str], Answer], *, confidence: float = 0.95
) -> dict[str, Rate]:
    """Per annotator, the share of gold pairs answered rightly; "cannot tell" is neither right nor wrong."""
    right: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for decision in decisions:
        truth = gold.get(decision.pair)
        if truth is not None and decision.answer is not Answer.CANNOT_TELL:
            total[decision.annotator] += 1
            right[decision.annotator] += decision.answer is truth
    rates = {}
    for name, number in sorted(total.items()):
        low, high = wilson_interval(right[name], number, confidence=confidence)
        rates[name] = Rate(right[name] / number, low, high, number - right[name], number)
    return rates


def assumed_accuracies(
    measured: Mapping[str, Rate], *, prior: float = 0.95, strength: int = 20
) -> dict[str, float]:
    """What to weigh annotators with: their gold rate drawn towards ``prior`` as by ``strength`` answers.

    Within [0.55, 0.995]: nobody is worth nothing, and nobody is certain.
    """
    return {
        name: min(
            0.995, max(0.55, (r.num_judged - r.num_wrong + prior * strength) / (r.num_judged + strength))
        )
        for name, r in measured.items()
    }


def doubly_judged(decisions: Iterable[Decision]) -> dict[frozenset[str], dict[str, Answer]]:
    """Pairs that at least two annotators answered: the last answer of each."""
    answers: dict[frozenset[str], dict[str, Answer]] = defaultdict(dict)
    for decision in decisions:
        answers[decision.pair][decision.annotator] = decision.answer
    return {pair: given for pair, given in answers.items() if len(given) > 1}


def cohen_kappa(first: Sequence[Hashable], second: Sequence[Hashable]) -> float | None:
    """Agreement of two annotators on the same items beyond chance (Cohen, 1960): 1 perfect, 0 chance.

    None if chance alone agrees always: both gave one and the same answer throughout.

    Raises:
        InputError: The lengths differ or are 0.
    """
    if len(first) != len(second) or not first:
        raise InputError(f"{len(first)} and {len(second)} answers; expected the same number, above 0.")
    n = len(first)
    observed = sum(a == b for a, b in zip(first, second, strict=True)) / n
    ours, theirs = Counter(first), Counter(second)
    expected = sum(ours[c] * theirs[c] for c in ours) / n**2
    return None if expected == 1.0 else (observed - expected) / (1 - expected)


def krippendorff_alpha(items: Iterable[Sequence[Hashable]]) -> float | None:
    """Agreement beyond chance on nominal answers, any number of annotators per item (Krippendorff, 2011).

    Items with fewer than two answers do not count. None if nothing was doubly judged or all answers are one.
    """
    pairable = [list(item) for item in items if len(item) > 1]
    totals = Counter(answer for item in pairable for answer in item)
    n = totals.total()
    disagreement = math.fsum(
        (len(item) ** 2 - sum(c * c for c in Counter(item).values())) / (len(item) - 1) for item in pairable
    )
    by_chance = n * n - sum(c * c for c in totals.values())
    return None if by_chance == 0 else 1.0 - (n - 1) * disagreement / by_chance
