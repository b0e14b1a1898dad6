"""Between two nets: weights that lie on the straight line from the old net to the new one.

A fine-tuned net and the one it came from can be mixed weight by weight; a point in between often keeps what
the old one knew and most of what the new one learned (Wortsman et al., "Robust fine-tuning", CVPR 2022).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from reid_core.errors import InputError
from reid_core.evaluation import EvalReport, paired_bootstrap
from reid_core.models import OSNet, build_osnet

ENOUGH_FIXED = 0.5
"""Share of the violations that a candidate should fix: what the promotion gate asks for by default."""


@dataclass(frozen=True, slots=True)
class MixPoint:
    """``alpha`` 0 is the old net, 1 the new one; ``score``: mAP; ``fixed``: share of the set's violations
    that it ranks rightly, ``None`` if there are none."""

    alpha: float
    score: float
    fixed: float | None = None


def interpolated(old: OSNet, new: OSNet, alpha: float) -> OSNet:
    """A net with (1 - alpha) of the old weights and statistics and alpha of the new.

    Raises:
        InputError: The nets are of different variants.
    """
    if old.variant != new.variant:
        raise InputError(f"A {old.variant} and a {new.variant} cannot be mixed; expected the same variant.")
    mixed, ends = build_osnet(old.variant), (old.state_dict(), new.state_dict())
    mixed.load_state_dict(
        {
            name: first.lerp(second, alpha) if first.is_floating_point() else second
            for (name, first), second in zip(ends[0].items(), ends[1].values(), strict=True)
        }
    )
    return mixed.eval()


def sweep(
    old: OSNet, new: OSNet, judge: Callable[[OSNet], tuple[float, float | None]], *, parts: int
) -> list[MixPoint]:
    """Score and share fixed at ``parts`` + 1 points from the old net to the new one, both included."""
    alphas = [place / parts for place in range(parts + 1)]
    return [MixPoint(alpha, *judge(interpolated(old, new, alpha))) for alpha in alphas]


def choose_point(points: Sequence[MixPoint], reports: Sequence[EvalReport]) -> MixPoint:
    """The candidate among the nets of a sweep, by people who did not train.

    Of the points that fix half of the violations and are not clearly worse than the old net, the one of the
    best mAP: a step that leaves the mistakes as they are helps nobody. Where there is none, the point nearest
    to the new net that is not clearly worse than the best one, for the best of few people is mostly noise.
    Clearly worse: the 95% interval of the paired difference of mAP lies below 0 (people resampled).

    Args:
        points: As ``sweep`` gives them, the old net first.
        reports: Of the same nets, in the same order and on the same queries.
    """
    enough = [
        point
        for point, report in zip(points, reports, strict=True)
        if (point.fixed or 0.0) >= ENOUGH_FIXED and not _is_clearly_worse(report, reports[0])
    ]
    if enough:
        return max(enough, key=lambda point: point.score)
    best = reports[max(range(len(points)), key=lambda place: points[place].score)]
    as_good = [p for p, report in zip(points, reports, strict=True) if not _is_clearly_worse(report, best)]
    return max(as_good, key=lambda point: point.alpha)


def _is_clearly_worse(report: EvalReport, than: EvalReport) -> bool:
    return paired_bootstrap(than, report)["mean_ap"].interval.high < 0
