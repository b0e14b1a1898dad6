"""``reid evaluate``: score a model on a data set and write tables and figures."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reid_core.evaluation import Protocol
    from reid_core.types import Dataset


def register(subparsers: Any) -> None:
    """Add the parser."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "evaluate",
        help="score a model on a data set: CMC, mAP, mINP, clean, re-ranked, corrupted",
        description="Prints a table and writes results.json, scores.csv, queries.parquet and figures.html. A "
        "stopped run goes on where it was: embeddings are kept under --cache.",
    )
    parser.add_argument("data", type=Path, nargs="?", help="a data set's folder or manifest")
    parser.add_argument("--weights", default="demo", help="demo, a registry name or a file (default demo)")
    parser.add_argument("--protocol", default="", help="data protocol or scoring preset; --list-protocols")
    parser.add_argument("--list-protocols", action="store_true", help="print all protocols and stop")
    parser.add_argument("--splits", type=int, help="of a protocol with many splits, only the first N")
    parser.add_argument("--metric", choices=("cosine", "euclidean", "squared_euclidean"), default="cosine")
    parser.add_argument("--rerank", action="store_true", help="also score k-reciprocal re-ranking")
    parser.add_argument(
        "--corrupt",
        nargs="?",
        const="mixed",
        default="none",
        choices=("mixed", "grid"),
        help="mixed: the published protocol (10 repeats); grid: all 20 types x 5 severities",
    )
    parser.add_argument("--repeats", type=int, default=10, help="of the mixed protocol (default 10)")
    parser.add_argument("--seed", type=int, default=0, help="of the corruptions (default 0)")
    parser.add_argument("--locked", action="store_true", help="score the locked test split")
    parser.add_argument("--out", type=Path, help="folder for the results (default runs/evaluate/<data>)")
    parser.add_argument("--cache", type=Path, default=Path("data/embeddings"), help="folder for embeddings")
    parser.add_argument("--json", action="store_true", help="print the summary as JSON instead of a table")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Evaluate every asked split, write results, print the table."""
    from reid_core.errors import InputError
    from reid_core.experiments.evaluate import EvaluationPlan, evaluate_dataset
    from reid_core.experiments.results import (
        average_over_splits,
        extra_lines,
        score_table,
        summary,
        write_results,
        write_scores,
    )
    from reid_core.models import Embedder
    from reid_core.progress import progress_bar

    if args.list_protocols:
        _print_protocols()
        return 0
    if args.data is None:
        raise InputError("Which data set? Give its folder or manifest, e.g. reid evaluate assets/demo-city.")
    embedder = Embedder(args.weights)
    scoring, datasets = _resolve(args)
    plan = EvaluationPlan(
        protocol=scoring,
        metric=args.metric,
        rerank=args.rerank,
        corruption=args.corrupt,
        seed=args.seed,
        repeats=args.repeats,
        locked=args.locked,
    )
    out: Path = args.out or Path("runs/evaluate") / args.data.resolve().name
    evaluations = []
    for number, dataset in enumerate(datasets):
        with progress_bar("evaluating") as bar:

            def show(what: str, done: int, total: int, bar: Any = bar) -> None:
                bar(done, total)

            evaluation = evaluate_dataset(dataset, embedder, plan, cache_dir=args.cache, progress=show)
        evaluations.append(evaluation)
        write_results(evaluation, out if len(datasets) == 1 else out / f"split-{number:02d}")
        for note in evaluation.notes if number == 0 else ():
            _say(args, f"note: {note}")
        for refusal in evaluation.skipped:
            _say(args, f"left out {refusal.item}: {refusal.reason}")
    if args.json:
        print(json.dumps([summary(evaluation) for evaluation in evaluations]))
        return 0
    first = evaluations[0].report
    print(
        f"{args.data}: {first.num_queries} queries, {first.num_gallery} gallery images, "
        f"{first.num_unmatched} queries without a match; protocol {scoring.name}, {args.metric} distance"
    )
    print(score_table(evaluations[0].settings if len(evaluations) == 1 else average_over_splits(evaluations)))
    if len(evaluations) > 1:
        write_scores(average_over_splits(evaluations), out / "scores.csv")
        print(f"mean ± deviation over {len(evaluations)} splits")
    else:
        print("\n".join(extra_lines(evaluations[0])))
    print(f"written to {out}")
    return 0


def _say(args: argparse.Namespace, text: str) -> None:
    if not args.json:
        print(text)


def _resolve(args: argparse.Namespace) -> tuple[Protocol, list[Dataset]]:
    """The scoring preset and the data of every split that ``--protocol`` means."""
    from reid_core.data import get_protocol, open_dataset, open_protocol, protocol_names
    from reid_core.errors import InputError
    from reid_core.evaluation import MARKET1501, PROTOCOLS

    name = args.protocol
    if name in protocol_names():
        known = get_protocol(name)
        count = known.num_splits if args.splits is None else min(args.splits, known.num_splits)
        datasets = [open_protocol(name, args.data, split=number) for number in range(max(1, count))]
        return replace(PROTOCOLS[known.scoring]), datasets
    if name and name not in PROTOCOLS:
        raise InputError(
            f"There is no protocol {name!r}. Data protocols: {', '.join(protocol_names())}. Scoring presets: "
            f"{', '.join(PROTOCOLS)}."
        )
    return PROTOCOLS[name] if name else MARKET1501, [open_dataset(args.data)]


def _print_protocols() -> None:
    from reid_core.data import get_protocol, protocol_names
    from reid_core.evaluation import PROTOCOLS

    print("data protocols (how a known data set is read, split and scored):")
    for name in protocol_names():
        known = get_protocol(name)
        splits = f", mean over {known.num_splits} splits" if known.num_splits > 1 else ""
        print(f"  {name}: scored as {known.scoring}{splits}")
    print("scoring presets (for any data set):")
    for name, preset in PROTOCOLS.items():
        print(
            f"  {name}: {preset.ap} AP, junk {preset.junk}, unmatched {preset.unmatched}, ties {preset.ties}"
        )
