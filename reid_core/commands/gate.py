"""``reid gate``: does a candidate replace the present model?"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reid_core.retraining.gate import GateResult

NOT_PROMOTABLE = 3
"""Exit code where a condition does not hold."""


def register(subparsers: Any) -> None:
    """Add the parser."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "gate",
        help="compare two models on locked test and feedback pool, and decide",
        description="Prints every condition with its value and the decision. Exit code 0: the candidate may "
        f"replace the present model; {NOT_PROMOTABLE}: it may not.",
    )
    parser.add_argument("data", type=Path, help="a data set with a locked test")
    parser.add_argument("--before", default="demo", help="the present model (default demo)")
    parser.add_argument("--after", required=True, help="the candidate")
    parser.add_argument("--set", type=Path, help="the frozen set that it was trained on, for rank violations")
    parser.add_argument("--min-map-delta", type=float, default=-0.003, help="fraction (default -0.003)")
    parser.add_argument("--min-map-low", type=float, default=-0.010, help="fraction (default -0.010)")
    parser.add_argument("--min-violations-fixed", type=float, default=0.5, help="share (default 0.5)")
    parser.add_argument("--max-camera-pair-drop", type=float, default=0.02, help="fraction (default 0.02)")
    parser.add_argument(
        "--every-camera-pair", action="store_true", help="count drops that may be chance, too"
    )
    parser.add_argument(
        "--max-broken-per-fixed",
        type=float,
        default=1.0,
        help="newly wrong rank-1 queries per newly right one (default 1)",
    )
    parser.add_argument("--seed", type=int, default=0, help="of the paired intervals (default 0)")
    parser.add_argument("--out", type=Path, help="write everything as JSON to this file")
    parser.add_argument("--cache", type=Path, default=Path("data/embeddings"), help="folder for embeddings")
    parser.add_argument("--json", action="store_true", help="print conditions and scores as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Embed, compare, print the decision."""
    from reid_core.data import open_dataset
    from reid_core.experiments.embedding import embed_records
    from reid_core.models import Embedder
    from reid_core.progress import progress_bar
    from reid_core.retraining.gate import GateThresholds, decide
    from reid_core.retraining.scoring import (
        pools_of_dataset,
        pools_of_snapshot,
        score_pool,
        violations_between,
    )
    from reid_core.retraining.snapshot import TrainingSnapshot

    thresholds = GateThresholds(
        min_map_delta=args.min_map_delta,
        min_map_low=args.min_map_low,
        min_violations_fixed=args.min_violations_fixed,
        max_camera_pair_drop=args.max_camera_pair_drop,
        every_camera_pair=args.every_camera_pair,
        max_broken_per_fixed=args.max_broken_per_fixed,
        seed=args.seed,
    )
    dataset = open_dataset(args.data)
    snapshot = None
    if args.set is not None:
        snapshot = TrainingSnapshot.from_json((args.set / "snapshot.json").read_text(encoding="utf-8"))
    pools = pools_of_dataset(dataset) if snapshot is None else pools_of_snapshot(snapshot)
    records = {r.image_id: r for split in dataset.splits().values() for r in split}
    needed = {crop for pool in pools for crop in pool.crops}
    if snapshot is not None:
        _check_base(args.data, needed, set(records))
        needed |= {crop for t in snapshot.triplets for crop in (t.anchor, t.positive, t.negative)}
    embedded = []
    for weights in (args.before, args.after):
        with progress_bar(f"embedding with {Path(weights).name}") as bar:
            embedded.append(
                embed_records(
                    Embedder(weights),
                    [records[crop] for crop in sorted(needed)],
                    cache_dir=args.cache,
                    progress=bar,
                )
            )
    before, after = ({pool.name: score_pool(pool, one) for pool in pools} for one in embedded)
    violations = None if snapshot is None else violations_between(snapshot, *embedded)
    result = decide(before, after, violations=violations, thresholds=thresholds)
    if args.out is not None:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(json.dumps(result.to_dict(), ensure_ascii=False) + "\n", encoding="utf-8")
    _print(result, as_json=args.json)
    return 0 if result.is_promotable else NOT_PROMOTABLE


def _check_base(data: Path, needed: set[str], known: set[str]) -> None:
    from reid_core.errors import DatasetError

    if needed - known:
        raise DatasetError(
            f"{data} lacks {len(needed - known)} crops of the frozen set, e.g. {min(needed - known)}. Give "
            "the data set that was frozen."
        )


def _print(result: GateResult, *, as_json: bool) -> None:
    if as_json:
        values = result.to_dict()
        for pool in values["pools"]:
            pool.pop("queries")
        print(json.dumps(values))
        return
    for pool in result.pools:
        print(f"{pool.pool}: {pool.num_queries} queries of {pool.num_identities} identities")
        for score in pool.scores:
            print(
                f"  {score.score:<9} {score.before * 100:6.2f} -> {score.after * 100:6.2f}  "
                f"({score.delta * 100:+.2f}, interval {score.low * 100:+.2f} to {score.high * 100:+.2f})"
            )
        print(f"  rank 1: {len(pool.fixed)} newly right, {len(pool.broken)} newly wrong")
    for condition in result.conditions:
        print(f"[{'holds' if condition.holds else 'FAILS'}] {condition.sentence}")
    for note in result.notes:
        print(f"note: {note}")
    print("promote" if result.is_promotable else "keep the present model")
