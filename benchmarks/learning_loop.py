"""What 300 answers are worth: review, retraining and the locked test, with a simulated annotator.

    python benchmarks/learning_loop.py [--quick] [--json] [--start labels|tracklets]

The demo city's query and gallery people are the feedback pool. ``--start labels`` (default): the data set
says who is who, with errors planted as in ``review_order.py`` (3% of the crops mislabelled, duplicated and
merged identities). ``--start tracklets``: it knows the person within one camera only, as a tracker does. An
annotator who is right with probability 0.97 makes 300 judgements (every pair decision counts as one); the
corrections are frozen and exported (``reid_core.retraining``); the shipped x0.25 is retrained with
``from-corrections``; old and new net are scored on the locked test, whose people nobody reviewed and no
training saw.

The base pool, which is the replay in every batch, is the demo city's ``train`` split, as on the Retrain
page: 80 other people before the same cameras, rightly labelled, which the shipped net never saw. It teaches
those cameras by itself; "base only" says how much, and only what a row has beyond that comes from the
feedback pool. With ``--base rendered`` the base pool is rendered instead: other people, scenes and cameras of
the world that the shipped net learned from. Then nothing but the feedback pool shows the demo city's cameras.

``--feedback all`` (default): everybody of the feedback pool trains, those whom nobody judged under the labels
as they came. ``--feedback judged``: the identities that a judgement names, as the Retrain page proposes.

Rows, all with the same recipe, seed and number of steps:

* queue: 300 judgements in the order of the review queue.
* random: 300 judgements on random pairs of everybody's ten nearest crops.
* as given: no judgement; the labels as they came, errors included.
* base only: no crop of the feedback pool.
* perfect (only with ``--rows``): the true labels of everybody: the ceiling.

Violations: triplets of the frozen set that the old net ranks wrongly (anchor closer to a person that
somebody told it apart from than to its own other crop); fixed: ranked rightly by the new one. Each row has a
set of its own, so these shares do not compare between rows. The two counts beside them do: all triplets by
the true labels (crop, the same person before another camera, somebody else) that are ranked wrongly, of the
feedback pool and of the locked test.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

if TYPE_CHECKING:
    from reid_core.annotation import Decision, PlantedErrors
    from reid_core.evaluation import EvalReport
    from reid_core.training import CorrectionSet
    from reid_core.training.crops import TrainingCrops
    from reid_core.types import ImageRecord

QUESTIONS, ACCURACY = 300, 0.97
RENDERED_IDENTITIES, RENDERED_CAMERAS, RENDERED_SEED = 120, 16, 20269
QUICK_IDENTITIES, QUICK_CAMERAS = 60, 8
QUICK_POINTS = 5
_BASE_PID, _BASE_CAMERA = 1_000_000, 1_000


@dataclass(frozen=True)
class Row:
    """One way to get labels, and what retraining on them gave. Scores are fractions."""

    name: str
    judgements: int
    trained_identities: int
    trained_crops: int
    wrong_labels: float
    alpha: float
    map_before: float
    map_after: float
    delta_map: float
    ci_low: float
    ci_high: float
    delta_rank1: float
    violations: int
    violations_fixed: float
    feedback_violations: int
    feedback_violations_after: int
    locked_violations: int
    locked_violations_after: int
    wall_s: float
    cpu_s: float


def main() -> None:
    """Parse the command line, run the rows, print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--quick", action="store_true", help=f"the rows queue and random, {QUICK_POINTS} points of the sweep"
    )
    parser.add_argument("--json", action="store_true", help="make the last line one JSON object")
    parser.add_argument("--start", choices=("labels", "tracklets"), default="labels")
    parser.add_argument("--feedback", choices=("all", "judged"), default="all", help="who trains")
    parser.add_argument("--rows", nargs="+", choices=ROWS, help="default: the first four")
    parser.add_argument("--weights", type=Path, help="another OSNet to start from than the shipped one")
    parser.add_argument("--city", type=Path, help="another city than the shipped one, with all three pools")
    parser.add_argument("--base", choices=("demo", "rendered"), default="demo", help="the base pool")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, help="another number of steps than the recipe's")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rendered", type=Path, help="folder of the rendered base, made if it is missing")
    parser.add_argument("--keep", type=Path, help="folder for sets, runs and weights (default: temporary)")
    options = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", str(options.threads))
    import torch

    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        rows = run(options, folder)
    print_table(rows)
    if options.json:
        print(json.dumps(summary(rows)))


def run(options: argparse.Namespace, folder: Path) -> list[Row]:
    """All rows, the baseline scored once."""
    city = City(options, folder)
    names = options.rows or (ROWS[:2] if options.quick else ROWS[:4])
    return [city.row(name) for name in names]


class City:
    """The demo city with the labels that a user starts from, and the net that serves."""

    def __init__(self, options: argparse.Namespace, folder: Path) -> None:
        from reid_core.assets import DEMO_CITY, DEMO_WEIGHTS, asset_path
        from reid_core.data import read_manifest
        from reid_core.training import get_recipe, load_served

        self.options, self.folder = options, folder
        self.city = read_manifest((options.city or asset_path(DEMO_CITY)) / "manifest.csv")
        self.weights: Path = options.weights or asset_path(DEMO_WEIGHTS)
        recipe = get_recipe("from-corrections", seed=options.seed, steps=options.steps)
        self.served, self.config = load_served(self.weights, recipe)
        if options.quick:
            terms = replace(self.config.corrections, interpolation_steps=QUICK_POINTS)
            self.config = replace(self.config, corrections=terms, checkpoint_steps=1000)
        self.people = [r for r in (*self.city.query, *self.city.gallery) if r.pid is not None and r.pid > 0]
        self.crops = self._embed()
        self.planted = self._planted()
        self.base = self._base()
        self._read: dict[str, TrainingCrops] = {}
        self.before = self.score(self.served.model)
        served = self.served.model
        self.violations_before = self.feedback_violations(served), self.locked_violations(served)

    def row(self, name: str) -> Row:
        """Judge, freeze, export, train, score."""
        from reid_core.evaluation import paired_bootstrap
        from reid_core.training import RunFolder, retrain

        start, start_cpu = time.perf_counter(), time.process_time()
        log = self.judge(name)
        data = self.correction_set(name, log)
        run = RunFolder.create(self.folder / f"run-{name.replace(' ', '-')}", self.config, {})
        candidate = retrain(self.config, data, self.served, run)
        wall, cpu = time.perf_counter() - start, time.process_time() - start_cpu
        from reid_core.models import load_weights

        network = load_weights(candidate.path).model
        after = self.score(network)
        delta = paired_bootstrap(self.before, after)
        print([(point.alpha, round(point.score, 4)) for point in candidate.curve], file=sys.stderr)
        corrected = ~data.is_replay
        row = Row(
            name=name,
            judgements=len(log),
            trained_identities=len(set(data.crops.pids[corrected].tolist())),
            trained_crops=int(corrected.sum()),
            wrong_labels=self.wrong_labels(),
            alpha=candidate.alpha,
            map_before=self.before.mean_ap,
            map_after=after.mean_ap,
            delta_map=delta["mean_ap"].interval.estimate,
            ci_low=delta["mean_ap"].interval.low,
            ci_high=delta["mean_ap"].interval.high,
            delta_rank1=after.rank1 - self.before.rank1,
            violations=candidate.violations,
            violations_fixed=candidate.fixed / max(1, candidate.violations),
            feedback_violations=self.violations_before[0],
            feedback_violations_after=self.feedback_violations(network),
            locked_violations=self.violations_before[1],
            locked_violations_after=self.locked_violations(network),
            wall_s=wall,
            cpu_s=cpu,
        )
        print(row, file=sys.stderr, flush=True)
        return row

    def judge(self, name: str) -> list[Decision]:
        """The judgements of a row, in order."""
        if name not in ("queue", "random"):
            return []
        from review_order import asker, make_evidence

        from reid_core.annotation import IdentityGraph, SimulatedAnnotator

        seed = self.options.seed
        evidence = make_evidence(self.crops, self.planted)
        graph = IdentityGraph(self.planted.labels, support=evidence.support(self.planted.labels))
        annotator = SimulatedAnnotator(self.planted, accuracy=ACCURACY, seed=seed)
        ask, answered = asker("ours" if name == "queue" else "random", evidence, graph, seed)
        log: list[Decision] = []
        while len(log) < QUESTIONS:
            question = ask()
            if question is None:
                break
            decisions = annotator.answer(question)
            for decision in decisions[: QUESTIONS - len(log)]:
                graph.add(decision)
                log.append(decision)
            answered(question, len(decisions))
        self.support = evidence.support(self.planted.labels)
        return log

    def correction_set(self, name: str, log: Sequence[Decision]) -> CorrectionSet:
        """Freeze, export, and read the folder that a training run would read."""
        from reid_core.retraining.archive import write_folder
        from reid_core.retraining.export import set_files
        from reid_core.retraining.pools import pools_of
        from reid_core.retraining.records import SnapshotRules
        from reid_core.retraining.snapshot import freeze
        from reid_core.training import read_correction_set

        labels = self.planted.truth if name == "perfect" else self.planted.labels
        people = [replace(r, pid=labels[r.image_id]) for r in self.people]
        dataset = replace(
            self.city,
            train=self.base,
            query=tuple(people[: len(self.city.query)]),
            gallery=tuple(people[len(self.city.query) :]),
        )
        uses = {"base only": "none"}.get(name, "all")
        if log and (self.options.start == "tracklets" or self.options.feedback == "judged"):
            uses = "judged"  # of tracklets always: one person in one camera teaches little
        pools = pools_of(dataset)
        snapshot = freeze(
            pools,
            log,
            embeddings=self.embeddings,
            support=self.support if log else None,
            rules=SnapshotRules(feedback=uses),
        )
        paths = {crop.image_id: crop.path for crop in pools.crops}
        folder = write_folder(set_files(snapshot, log, paths), self.folder / f"set-{name.replace(' ', '-')}")
        self.frozen = {row.image_id: row.pid for row in snapshot.crops if row.use == "train"}
        return read_correction_set(folder, size=self.config.input_size)

    def wrong_labels(self) -> float:
        """Share of the feedback crops of the last set that train under somebody else's identity."""
        from collections import Counter, defaultdict

        people: dict[int, list[int]] = defaultdict(list)
        for crop, pid in self.frozen.items():
            if crop in self.planted.truth and pid is not None:
                people[pid].append(self.planted.truth[crop])
        total = sum(map(len, people.values()))
        right = sum(Counter(found).most_common(1)[0][1] for found in people.values())
        return 1.0 - right / total if total else 0.0

    def score(self, network: Any) -> EvalReport:
        """The locked test by Market-1501 rules."""
        from reid_core.training.engine import evaluate_network

        return evaluate_network(network, *self._locked())

    def feedback_violations(self, network: Any) -> int:
        """Triplets of the feedback pool that the net ranks wrongly, by the true labels."""
        crops = self._crops_of("people", self.people)
        return num_violations(network, crops, crops)

    def locked_violations(self, network: Any) -> int:
        """Triplets of the locked test, each with a query as its anchor, that the net ranks wrongly."""
        return num_violations(network, *self._locked())

    def _locked(self) -> tuple[TrainingCrops, TrainingCrops]:
        query = self._crops_of("locked query", self.city.locked_query)
        return query, self._crops_of("locked gallery", self.city.locked_gallery)

    def _crops_of(self, name: str, records: Sequence[ImageRecord]) -> TrainingCrops:
        """Their pictures, read once."""
        from reid_core.training.crops import crops_of_records

        if name not in self._read:
            self._read[name] = crops_of_records(records, size=self.config.input_size)
        return self._read[name]

    def _embed(self) -> Any:
        import numpy as np
        from review_order import Crops

        from reid_core.models import Embedder

        self.embeddings = Embedder(self.weights).embed(self.people)
        known = {record.image_id: record for record in self.people}
        kept = [known[i] for i in self.embeddings.ids]
        return Crops(
            self.embeddings.ids,
            self.embeddings.vectors,
            np.array([record.pid for record in kept]),
            np.array([record.camid or 0 for record in kept]),
        )

    def _planted(self) -> PlantedErrors:
        from reid_core.annotation import plant_errors
        from reid_core.annotation.simulation import PlantedErrors

        ids, pids, camids = self.crops.ids, self.crops.pids, self.crops.camids
        if self.options.start == "labels":
            return plant_errors(ids, pids, self.crops.vectors, seed=self.options.seed)
        truth = dict(zip(ids, pids.tolist(), strict=True))
        tracklets = (100 * pids + camids).tolist()
        return PlantedErrors(truth, dict(zip(ids, tracklets, strict=True)), (), (), ())

    def _base(self) -> tuple[ImageRecord, ...]:
        """The base pool: the demo city's, or rendered people under numbers of their own."""
        from reid_core.data import read_manifest

        if self.options.base == "demo":
            # Planted duplicates take the next free numbers, which would be those of the base pool.
            return tuple(replace(record, pid=_BASE_PID + (record.pid or 0)) for record in self.city.train)
        quick = self.options.quick
        root = self.options.rendered or self.folder / "rendered"
        if not (root / "manifest.csv").is_file():
            arguments = {
                "--world": "training",
                "--identities": QUICK_IDENTITIES if quick else RENDERED_IDENTITIES,
                "--cameras": QUICK_CAMERAS if quick else RENDERED_CAMERAS,
                "--seed": RENDERED_SEED,
                "--jobs": self.options.threads,
            }
            words = [str(word) for pair in arguments.items() for word in pair]
            command = [sys.executable, "-m", "reid_core", "render", str(root), *words]
            subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        return tuple(
            replace(
                record,
                image_id=f"rendered/{record.image_id}",
                pid=_BASE_PID + (record.pid or 0),
                camid=_BASE_CAMERA + (record.camid or 0),
            )
            for record in read_manifest(root / "manifest.csv").train
            if record.pid is not None and record.pid > 0
        )


def num_violations(network: Any, anchors: TrainingCrops, others: TrainingCrops) -> int:
    """Pairs of an anchor's match before another camera and somebody else who is more similar to it."""
    import numpy as np

    from reid_core.training.engine import embed_crops

    similarity = embed_crops(network, anchors.images) @ embed_crops(network, others.images).T
    total = 0
    for row, pid, camid in zip(similarity, anchors.pids, anchors.camids, strict=True):
        matches = row[(others.pids == pid) & (others.camids != camid)]
        rest = np.sort(row[others.pids != pid])
        total += int((len(rest) - np.searchsorted(rest, matches, side="right")).sum())
    return total


ROWS = ("queue", "random", "as given", "base only", "perfect")


def print_table(rows: Sequence[Row]) -> None:
    """Markdown, in percent."""
    print(
        "| labels | judgements | people, crops trained | wrong labels | alpha | locked mAP | delta mAP [95%] "
        "| delta Rank-1 | violations fixed | feedback violations | locked violations | wall / CPU |"
    )
    print("| --- " * 12 + "|")
    for row in rows:
        print(
            f"| {row.name} | {row.judgements} | {row.trained_identities}, {row.trained_crops} "
            f"| {row.wrong_labels:.1%} | {row.alpha:.1f} "
            f"| {100 * row.map_before:.1f} to {100 * row.map_after:.1f} "
            f"| {100 * row.delta_map:+.1f} [{100 * row.ci_low:+.1f}, {100 * row.ci_high:+.1f}] "
            f"| {100 * row.delta_rank1:+.1f} | {row.violations_fixed:.0%} of {row.violations} "
            f"| {row.feedback_violations:,} to {row.feedback_violations_after:,} "
            f"| {row.locked_violations:,} to {row.locked_violations_after:,} "
            f"| {row.wall_s / 60:.1f} / {row.cpu_s / 60:.1f} min |"
        )


def summary(rows: Sequence[Row]) -> dict[str, Any]:
    """The first row's numbers under the names that the target has, and all rows. mAP in fractions."""
    first = rows[0]
    return {
        "delta_map": round(first.delta_map, 4),
        "ci_low": round(first.ci_low, 4),
        "violations_fixed": round(first.violations_fixed, 4),
        "minutes": round(first.wall_s / 60, 2),
        "rows": {row.name: {k: _rounded(v) for k, v in asdict(row).items()} for row in rows},
    }


def _rounded(value: Any) -> Any:
    return round(value, 4) if isinstance(value, float) else value


if __name__ == "__main__":
    main()
