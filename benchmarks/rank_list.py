"""How much looking does the review queue save beside a rank list? The planted errors of `review_order.py`.

    python benchmarks/rank_list.py [--quick] [--json] [--embeddings FILE.npz | --synthetic]

A rank list is what ReID libraries and annotation tools offer: a query and its ten nearest crops, everybody's
list in turn. Two orders of the queries: as the files come, and the worst first (AP by the labels as they are,
ascending). The currency is one crop compared with another: a pair costs one; a card of a list and a crop on a
contact sheet cost ``w``, for a grid may be read faster than pairs one by one (the table takes w = 1, 1/2 and
1/4 for both).

The list gets the benefit of the doubt: an error counts as found at the first right answer to any pair that
shows it (labels equal and people not, or the reverse), its false alarms cost nothing, and a pair in two lists
is looked at once. The queue counts as in ``review_order.py``: the identity graph must be right about the
error. Both annotators are right with probability 0.97 at every answer. Hours: 9 s a pair (400 an hour, six
reviewers of animal pairs in a web page: Parham's dissertation on photographic censusing, chapter 5), so they
are an estimate from elsewhere; the ratio does not depend on them.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from review_order import ACCURACY, QUICK_SEEDS, SEEDS, Crops, asker, load_crops, make_evidence  # noqa: E402

if TYPE_CHECKING:
    from reid_core.annotation import PairEvidence, PlantedErrors

LIST_LENGTH = 10
SHARES = (0.5, 0.7, 0.8, 0.85)
GRID_COSTS = (1.0, 0.5, 0.25)
PAIR_SECONDS = 9.0
QUEUE_JUDGEMENTS = 600


@dataclass(frozen=True)
class Effort:
    """What was looked at until a share of the errors was found: pairs on their own, and crops in a grid."""

    share: float
    pairs: int
    in_grid: int

    def cost(self, grid_cost: float) -> float:
        """In pairs on their own."""
        return self.pairs + grid_cost * self.in_grid


def main() -> None:
    """Parse the command line, run both ways on all seeds, print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_SEEDS} seeds instead of {SEEDS}")
    parser.add_argument("--json", action="store_true", help="make the last line one JSON object")
    parser.add_argument("--embeddings", type=Path, help="vectors, pids and camids as .npz")
    parser.add_argument("--synthetic", action="store_true", help="clusters with camera offsets, no images")
    parser.add_argument("--root", type=Path, default=ROOT / "assets" / "demo-city")
    parser.add_argument("--weights", default="demo")
    parser.add_argument("--seed", type=int, default=0, help="first seed")
    options = parser.parse_args()
    crops = load_crops(options)
    runs: dict[str, list[list[Effort]]] = defaultdict(list)
    for seed in range(options.seed, options.seed + (QUICK_SEEDS if options.quick else SEEDS)):
        from reid_core.annotation import plant_errors

        planted = plant_errors(crops.ids, crops.pids, crops.vectors, seed=seed)
        evidence = make_evidence(crops, planted)
        runs["review queue"].append(review(planted, evidence, seed))
        runs["rank list, file order"].append(read_lists(crops, planted, seed, worst_first=False))
        runs["rank list, worst query first"].append(read_lists(crops, planted, seed, worst_first=True))
        for name, efforts in runs.items():
            print(f"seed {seed}: {name}: {efforts[-1][-1]}", file=sys.stderr, flush=True)
    print_table(runs)
    if options.json:
        print(json.dumps(summary(runs)))


def review(planted: PlantedErrors, evidence: PairEvidence, seed: int) -> list[Effort]:
    """The review queue: the share found after every answer."""
    from reid_core.annotation import IdentityGraph, SimulatedAnnotator, count_found
    from reid_core.annotation.questions import SheetQuestion

    graph = IdentityGraph(planted.labels, support=evidence.support(planted.labels))
    annotator = SimulatedAnnotator(planted, accuracy=ACCURACY, seed=seed)
    ask, answered = asker("ours", evidence, graph, seed)
    efforts: list[Effort] = []
    pairs = in_grid = num_judged = 0
    while num_judged < round(QUEUE_JUDGEMENTS * len(planted.labels) / 1_600):
        question = ask()
        if question is None:
            break
        decisions = annotator.answer(question)
        for decision in decisions:
            graph.add(decision)
        answered(question, len(decisions))
        num_judged += len(decisions)
        if isinstance(question, SheetQuestion):
            in_grid += len(question.crops)
        else:
            pairs += 1 + (question.rival is not None)
        efforts.append(Effort(count_found(planted, graph).total / len(planted), pairs, in_grid))
    return efforts


def read_lists(crops: Crops, planted: PlantedErrors, seed: int, *, worst_first: bool) -> list[Effort]:
    """The ten nearest of one query after the other: the share found after every list."""
    import numpy as np

    from reid_core.seeds import rng_for

    similarity = crops.vectors @ crops.vectors.T
    np.fill_diagonal(similarity, -np.inf)
    ranked = np.argsort(-similarity, axis=1, kind="stable")
    labels = np.array([planted.labels[crop] for crop in crops.ids])
    order: Any = range(len(labels))
    if worst_first:
        order = np.argsort(average_precisions(ranked, labels, crops.camids), kind="stable")
    rng = rng_for(seed, "annotator", "rank list")
    shown: set[tuple[int, int]] = set()
    found: set[object] = set()
    efforts = []
    for query in order:
        for candidate in ranked[query, :LIST_LENGTH].tolist():
            pair = (min(int(query), candidate), max(int(query), candidate))
            if pair in shown:
                continue
            shown.add(pair)
            if rng.random() < ACCURACY:
                found.update(errors_shown(planted, *(crops.ids[row] for row in pair)))
        efforts.append(Effort(len(found) / len(planted), 0, len(shown)))
    return efforts


def average_precisions(ranked: Any, labels: Any, camids: Any) -> Any:
    """(N,) AP of every crop as a query by the Market-1501 rules; those without a match come last."""
    import numpy as np

    values = []
    for query, row in enumerate(ranked):
        row = row[row != query]
        row = row[(labels[row] != labels[query]) | (camids[row] != camids[query])]
        ranks = np.flatnonzero(labels[row] == labels[query]) + 1
        values.append(np.mean(np.arange(1, len(ranks) + 1) / ranks) if len(ranks) else np.inf)
    return np.array(values)


def errors_shown(planted: PlantedErrors, left: str, right: str) -> Iterator[object]:
    """The planted errors that a right answer about two crops shows."""
    labels = planted.labels[left], planted.labels[right]
    is_same = planted.truth[left] == planted.truth[right]
    if (labels[0] == labels[1]) == is_same:
        return
    yield from (crop for crop in (left, right) if crop in planted.mislabelled)
    pair = (min(labels), max(labels))
    if is_same and pair in planted.duplicated:
        yield pair
    if not is_same and labels[0] in planted.merged and not {left, right} & set(planted.mislabelled):
        yield labels[0]


def until(efforts: list[Effort], share: float) -> Effort | None:
    """The first at which that share was found."""
    return next((effort for effort in efforts if effort.share >= share), None)


def median_cost(runs: list[list[Effort]], share: float, grid_cost: float) -> float | None:
    """Over seeds; ``None`` if half of them never found that share."""
    costs = [effort.cost(grid_cost) if effort else None for run in runs for effort in [until(run, share)]]
    reached = [cost for cost in costs if cost is not None]
    return (
        median(reached + [float("inf")] * (len(costs) - len(reached)))
        if 2 * len(reached) > len(costs)
        else None
    )


def print_table(runs: dict[str, list[list[Effort]]]) -> None:
    """Comparisons, hours and ratios, a row per share found."""
    queue, *lists = runs
    print("| found | grid cost | " + " | ".join([queue, *(f"{name} (ratio)" for name in lists)]) + " |")
    print("| --- " * (3 + len(lists)) + "|")
    for share in SHARES:
        for grid_cost in GRID_COSTS:
            own = median_cost(runs[queue], share, grid_cost)
            cells = [f"{share:.0%}", f"{grid_cost:g}", in_words(own)]
            for name in lists:
                cost = median_cost(runs[name], share, grid_cost)
                ratio = f" (**{cost / own:.1f}**)" if cost and own else ""
                cells.append(in_words(cost) + ratio)
            print("| " + " | ".join(cells) + " |")


def in_words(cost: float | None) -> str:
    """Comparisons and the hours that they take."""
    return "never" if cost is None else f"{cost:,.0f}, {cost * PAIR_SECONDS / 3600:.1f} h"


def summary(runs: dict[str, list[list[Effort]]]) -> dict[str, float | None]:
    """Ratios of the looking, list to queue, at 80% found."""
    queue, *lists = runs
    values: dict[str, float | None] = {}
    for name in lists:
        for grid_cost in GRID_COSTS:
            own, cost = (median_cost(runs[k], 0.8, grid_cost) for k in (queue, name))
            values[f"{name}, grid cost {grid_cost:g}"] = round(cost / own, 2) if own and cost else None
    return values


if __name__ == "__main__":
    main()
