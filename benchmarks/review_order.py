"""How fast does a review order find label errors? Planted errors, a simulated annotator, honest counting.

    python benchmarks/review_order.py [--quick] [--json] [--embeddings FILE.npz | --synthetic]

Crops: query and gallery images of known people (pid > 0) of the demo city, embedded with the shipped weights.
Planted into a copy of the labels: 3 percent mislabelled crops (two thirds of them to the person who looks
most like theirs), 4 percent duplicated identities, 2 percent merged look-alikes. The annotator is right with
probability 0.97 at every question. An error counts as found when the identity graph's state is right about
it, whatever was asked: see ``reid_core.annotation.simulation.count_found``. Every pair decision that an
answer records counts as one judgement, those of a contact sheet too. Budgets are scaled to 1,600 crops.

The calibration is fitted on the planted labels: nothing but ``count_found`` and the annotator sees the truth.
FILE.npz holds ``vectors`` (N, D), ``pids`` and ``camids`` (N,).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")  # before NumPy is imported, which reads these once
ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

if TYPE_CHECKING:
    from reid_core.annotation import GraphSnapshot, IdentityGraph, PairEvidence, PlantedErrors, Question

BUDGETS = (50, 150, 300, 600)
CROPS = 1_600
ACCURACY = 0.97
SEEDS, QUICK_SEEDS = 5, 2
ORDERS = ("ours", "random", "uncertainty", "similarity")


@dataclass(frozen=True)
class Crops:
    """What is reviewed: names, unit vectors, true pids, cameras."""

    ids: tuple[str, ...]
    vectors: Any
    pids: Any
    camids: Any


def main() -> None:
    """Parse the command line, run all orders on all seeds, print a table."""
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
    parser.add_argument("--orders", nargs="+", choices=ORDERS, default=ORDERS)
    options = parser.parse_args()
    crops = load_crops(options)
    print(f"{len(crops.ids)} crops of {len(set(crops.pids.tolist()))} people; judgements per {CROPS} crops")
    seeds = range(options.seed, options.seed + (QUICK_SEEDS if options.quick else SEEDS))
    results: dict[str, list[dict[int, dict[str, float]]]] = {}
    for order in options.orders:
        start = time.perf_counter()
        results[order] = [review(crops, order, seed) for seed in seeds]
        print_rows(order, results[order], time.perf_counter() - start)
    if options.json:
        print(json.dumps(summary(results)))


def load_crops(options: argparse.Namespace) -> Crops:
    """Embeddings from a file, made up, or of the demo city with the chosen weights."""
    import numpy as np

    if options.synthetic:
        from reid_core.annotation import synthetic_crops

        made = synthetic_crops(seed=0)
        return Crops(made.ids, made.vectors, made.pids, made.camids)
    if options.embeddings is not None:
        with np.load(options.embeddings) as file:
            vectors, pids, camids = (file[name] for name in ("vectors", "pids", "camids"))
        return Crops(tuple(f"{i:06d}" for i in range(len(pids))), vectors, pids, camids)
    from reid_core.data import open_dataset
    from reid_core.models import Embedder

    dataset = open_dataset(options.root)
    records = [r for r in (*dataset.query, *dataset.gallery) if r.pid is not None and r.pid > 0]
    embedded = Embedder(options.weights).embed(records)
    known = {r.image_id: r for r in records}
    kept = [known[i] for i in embedded.ids]
    return Crops(
        embedded.ids,
        embedded.vectors,
        np.array([r.pid for r in kept]),
        np.array([r.camid or 0 for r in kept]),
    )


def review(crops: Crops, order: str, seed: int) -> dict[int, dict[str, float]]:
    """One run of one order: what was found at every budget, as fractions."""
    from reid_core.annotation import IdentityGraph, SimulatedAnnotator, count_found, plant_errors

    planted = plant_errors(crops.ids, crops.pids, crops.vectors, seed=seed)
    evidence = make_evidence(crops, planted)
    graph = IdentityGraph(planted.labels, support=evidence.support(planted.labels))
    annotator = SimulatedAnnotator(planted, accuracy=ACCURACY, seed=seed)
    reached = {}
    num_judged = 0
    budgets = {round(b * len(crops.ids) / CROPS): b for b in BUDGETS}

    def note() -> None:
        if num_judged in budgets:
            found = count_found(planted, graph)
            reached[budgets[num_judged]] = {
                "all": found.total / len(planted),
                "mislabelled": found.mislabelled / len(planted.mislabelled),
                "duplicated": found.duplicated / len(planted.duplicated),
                "merged": found.merged / len(planted.merged),
                "broken": found.num_broken,
            }

    ask, answered = asker(order, evidence, graph, seed)
    while num_judged < max(budgets):
        question = ask()
        if question is None:
            raise SystemExit(f"The order {order} ran out of questions after {num_judged} judgements.")
        decisions = annotator.answer(question)
        for decision in decisions:
            graph.add(decision)
            num_judged += 1
            note()
            if num_judged == max(budgets):
                break
        answered(question, len(decisions))
    return reached


def make_evidence(crops: Crops, planted: PlantedErrors) -> PairEvidence:
    """Camera means taken out, P(same) calibrated on the labels as they are, errors included."""
    import numpy as np

    from reid_core.annotation import PairEvidence, centred_by_camera, sharpened_by_labels
    from reid_core.evaluation import LabelledPairs, fit_calibration
    from reid_core.seeds import rng_for

    labels = np.array([planted.labels[i] for i in crops.ids])
    vectors = sharpened_by_labels(centred_by_camera(crops.vectors, crops.camids), labels.tolist())
    first, second = np.triu_indices(len(labels), 1)
    is_same = labels[first] == labels[second]
    drawn = rng_for(0, "calibration pairs").choice(np.flatnonzero(~is_same), 100_000, replace=False)
    chosen = np.concatenate([np.flatnonzero(is_same), drawn])
    first, second = first[chosen], second[chosen]
    pairs = LabelledPairs.of(
        np.einsum("nd,nd->n", vectors[first], vectors[second]).astype(np.float64),
        labels[first],
        labels[second],
    )
    calibration = fit_calibration(
        pairs,
        model_fingerprint="benchmark",
        gallery_fingerprint="benchmark",
        prior=float(is_same.mean()),
        resamples=2,
    )
    return PairEvidence(crops.ids, vectors, calibration.curve.probability)


def asker(
    order: str, evidence: PairEvidence, graph: IdentityGraph, seed: int
) -> tuple[Callable[[], Question | None], Callable[[Question, int], None]]:
    """The next question of an order, and what to call after its answer was applied."""
    from reid_core.annotation import ReviewQueue

    if order == "ours":
        queue = ReviewQueue(evidence, graph, seed=seed)

        def answered(question: Question, num_decisions: int) -> None:
            queue.answered(question, seconds=4.0 * num_decisions)

        return queue.next, answered
    from reid_core.annotation import GraphSnapshot

    pairs = neighbour_pairs(order, evidence, seed)

    def ask() -> Question | None:
        snapshot = GraphSnapshot(evidence, graph)
        return next((pair for pair in pairs if is_open(snapshot, pair)), None)

    return ask, lambda question, num_decisions: None


def is_open(snapshot: GraphSnapshot, question: Question) -> bool:
    """Whether judgements do not settle a pair yet; every order asks open pairs only."""
    row = snapshot.evidence.row
    return not snapshot.is_known(row[question.left], row[question.right])


def neighbour_pairs(order: str, evidence: PairEvidence, seed: int) -> Iterator[Question]:
    """Pairs of everybody's ten nearest crops: at random, by |P - 1/2|, or by similarity."""
    import numpy as np

    from reid_core.annotation import PairQuestion, Stream
    from reid_core.seeds import rng_for

    near = evidence.neighbours[:, :10]
    rows = np.repeat(np.arange(len(near)), near.shape[1])
    pairs, first = np.unique(
        np.sort(np.stack([rows, near.reshape(-1)], 1), axis=1), axis=0, return_index=True
    )
    sort_by = {
        "random": rng_for(seed, "random order").random(len(pairs)),
        "uncertainty": np.abs(evidence.neighbour_log_odds[:, :10].reshape(-1)[first]),
        "similarity": -evidence.neighbour_similarity[:, :10].reshape(-1)[first],
    }[order]
    for k in np.argsort(sort_by, kind="stable"):
        left, right = (evidence.ids[i] for i in pairs[k])
        yield PairQuestion(left, right, Stream.MARGIN, f"{order} order", 0.0)


def mean(runs: list[dict[int, dict[str, float]]], budget: int, kind: str) -> float:
    """Over seeds."""
    return sum(run[budget][kind] for run in runs) / len(runs)


def print_rows(order: str, runs: list[dict[int, dict[str, float]]], seconds: float) -> None:
    """One order's share of planted errors found, in percent."""
    found = " ".join(f"{b}: {mean(runs, b, 'all'):4.0%}" for b in BUDGETS)
    kinds = " ".join(f"{k} {mean(runs, 600, k):.0%}" for k in ("mislabelled", "duplicated", "merged"))
    broken = mean(runs, 600, "broken")
    print(f"{order:12s} {found} | at 600: {kinds}, {broken:.1f} crops broken | {seconds:.0f} s", flush=True)


def summary(results: dict[str, list[dict[int, dict[str, float]]]]) -> dict[str, float]:
    """The numbers that the targets name."""
    values = {
        "found_150": mean(results["ours"], 150, "all"),
        "found_600": mean(results["ours"], 600, "all"),
        "merged_600": mean(results["ours"], 600, "merged"),
    }
    if "random" in results:
        values["random_150"] = mean(results["random"], 150, "all")
    return {name: round(value, 4) for name, value in values.items()}


if __name__ == "__main__":
    main()
