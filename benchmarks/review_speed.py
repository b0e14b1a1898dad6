"""How long does the identity graph take per event, and the review queue per question, on a large collection?

    python benchmarks/review_speed.py [--crops 20000] [--decisions 10000] [--questions 20] [--seed 0]

Made-up embeddings (``synthetic_crops``) of eight crops per person, with planted label errors. The log holds
what a simulated annotator says: on a tenth of the pairs about another identity, else about the own one.
Times are those of the processor, one thread: they do not depend on what else the machine does.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")  # before NumPy is imported, which reads these once
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

if TYPE_CHECKING:
    from reid_core.annotation import Decision, IdentityGraph, PlantedErrors, SyntheticCrops

_TIME = "2026-01-01T00:00:00Z"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--crops", type=int, default=20_000)
    parser.add_argument("--decisions", type=int, default=10_000)
    parser.add_argument("--questions", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    from reid_core.annotation import plant_errors, synthetic_crops

    made = synthetic_crops(num_identities=options.crops // 8, dimension=128, seed=options.seed)
    planted = plant_errors(made.ids, made.pids, made.vectors, seed=options.seed)
    print(f"{len(made.ids)} crops, {len(set(planted.labels.values()))} labels, {options.decisions} decisions")
    log = judgements(planted, options.decisions, options.seed)
    graph = measure_graph(planted, log)
    measure_store(planted, log)
    measure_queue(made, planted, graph, options.questions, options.seed)


def judgements(planted: PlantedErrors, number: int, seed: int) -> list[Decision]:
    """A simulated annotator's log on random crops."""
    from reid_core.annotation import PairQuestion, SimulatedAnnotator, Stream
    from reid_core.seeds import rng_for

    rng = rng_for(seed, "log")
    annotator = SimulatedAnnotator(planted, accuracy=0.97, seed=seed)
    ids = list(planted.labels)
    fellows: dict[int, list[str]] = {}
    for crop, label in planted.labels.items():
        fellows.setdefault(label, []).append(crop)
    log: list[Decision] = []
    while len(log) < number:
        left = ids[int(rng.integers(len(ids)))]
        near = fellows[planted.labels[left]] if rng.random() < 0.9 else ids
        right = near[int(rng.integers(len(near)))]
        if left != right:
            log += annotator.answer(PairQuestion(left, right, Stream.NEIGHBOUR_VOTE, "", 0.0))
    return log


def measure_graph(planted: PlantedErrors, log: list[Decision]) -> IdentityGraph:
    """Build, add, undo and redo."""
    from reid_core.annotation import IdentityGraph, Retraction

    start = time.process_time()
    graph = IdentityGraph(planted.labels)
    report("build from labels", [time.process_time() - start])
    report("add", [timed(lambda d=decision: graph.add(d)) for decision in log])
    undone = log[:: max(1, len(log) // 100)]
    times = [
        timed(lambda d=d: graph.add(Retraction(f"u{d.decision_id}", d.decision_id, "a", _TIME)))
        for d in undone
    ]
    report("undo of any, old and new", times)
    times = [
        timed(lambda d=d: graph.add(Retraction(f"r{d.decision_id}", f"u{d.decision_id}", "a", _TIME)))
        for d in undone
    ]
    report("redo", times)
    return graph


def measure_store(planted: PlantedErrors, log: list[Decision]) -> None:
    """Import, open again, record one more, read the graph."""
    from reid_core.annotation import to_json_line
    from reid_core.annotation.store import AnnotationStore

    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/annotations.sqlite"
        store = AnnotationStore(url)
        store.open_collection("c", planted.labels)
        lines = [to_json_line(decision) for decision in log[:-50]]
        report("store: import of the whole log", [timed(lambda: store.import_lines("c", lines))])
        again = AnnotationStore(url)
        report("store: open again", [timed(lambda: again.open_collection("c", planted.labels))])
        report("store: record", [timed(lambda d=d: again.record("c", d)) for d in log[-50:]])
        report("store: graph, 50 behind", [timed(lambda: store.graph("c"))])
        report("store: graph, nothing new", [timed(lambda: store.graph("c")) for _ in range(20)])
        store.close()
        again.close()


def measure_queue(
    made: SyntheticCrops, planted: PlantedErrors, graph: IdentityGraph, questions: int, seed: int
) -> None:
    """Open the queue on the judged graph, then ask and answer."""
    import numpy as np

    from reid_core.annotation import PairEvidence, ReviewQueue, SimulatedAnnotator

    def probability(similarity: np.ndarray) -> np.ndarray:
        return 1.0 / (1.0 + np.exp(-12.0 * (similarity - 0.6)))

    start = time.process_time()
    evidence = PairEvidence(made.ids, made.vectors, probability)
    report("evidence", [time.process_time() - start])
    start = time.process_time()
    queue = ReviewQueue(evidence, graph, seed=seed)
    report("queue: open", [time.process_time() - start])
    report("queue: first question", [timed(queue.next)])
    annotator = SimulatedAnnotator(planted, accuracy=0.97, seed=seed, name="another")
    asked, answered = [], []
    for _ in range(questions):
        start = time.process_time()
        question = queue.next()
        asked.append(time.process_time() - start)
        if question is None:
            break
        decisions = annotator.answer(question)
        for decision in decisions:
            graph.add(decision)
        start = time.process_time()
        queue.answered(question, seconds=4.0)
        answered.append(time.process_time() - start)
    report("queue: next", asked)
    report("queue: answered", answered)
    report("queue: next and answered", [a + b for a, b in zip(asked, answered, strict=False)])


def timed(work: Callable[[], object]) -> float:
    """Seconds."""
    start = time.process_time()
    work()
    return time.process_time() - start


def report(what: str, seconds: list[float]) -> None:
    """Median and largest, in milliseconds."""
    ordered = sorted(seconds)
    print(
        f"{what:32s} median {1e3 * ordered[len(ordered) // 2]:9.2f} ms, "
        f"largest {1e3 * ordered[-1]:9.2f} ms, {len(ordered)} times",
        flush=True,
    )


if __name__ == "__main__":
    main()
