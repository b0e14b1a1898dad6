"""``reid freeze``: make a training set out of judgements."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reid_core.annotation import Event
    from reid_core.retraining.records import Resolution


def register(subparsers: Any) -> None:
    """Add the parser."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "freeze",
        help="freeze judgements as a training set",
        description="Writes snapshot.json, decisions.jsonl and CHANGELOG.md to --out. The same data, "
        "decisions, weights and rules give the same set. `reid export-set` adds the pictures.",
    )
    parser.add_argument("data", type=Path, help="a data set's folder or manifest")
    parser.add_argument(
        "--decisions", required=True, help="a log (.jsonl), or the annotation database (.sqlite or a URL)"
    )
    parser.add_argument("--collection", default="", help="name of the gallery in the annotation database")
    parser.add_argument("--position", type=int, help="only the first N events of the log")
    parser.add_argument("--weights", default="demo", help="model to correct; 'none' gives no triplets")
    parser.add_argument("--feedback", choices=("judged", "all", "none"), default="judged", help="who trains")
    parser.add_argument("--move", action="append", default=[], metavar="KEY", help="leak: move to evaluation")
    parser.add_argument("--drop", action="append", default=[], metavar="KEY", help="leak: drop from training")
    parser.add_argument(
        "--override", action="append", default=[], metavar="KEY=REASON", help="leak: train all the same"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for the set")
    parser.add_argument("--cache", type=Path, default=Path("data/embeddings"), help="folder for embeddings")
    parser.add_argument("--json", action="store_true", help="print hash and counts as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Freeze, write, say what changed."""
    from dataclasses import asdict

    from reid_core.annotation import to_json_line
    from reid_core.data import open_dataset
    from reid_core.errors import InputError
    from reid_core.experiments.embedding import embed_records
    from reid_core.progress import progress_bar
    from reid_core.retraining.changes import changelog, changes_of
    from reid_core.retraining.leaks import LeakError
    from reid_core.retraining.pools import pools_of
    from reid_core.retraining.records import SnapshotRules
    from reid_core.retraining.snapshot import freeze

    if (args.out / "snapshot.json").exists():
        raise InputError(f"{args.out} holds a frozen set already; choose another folder.")
    dataset = open_dataset(args.data)
    log, support = _read_log(args.decisions, args.collection)
    if args.position is not None:
        log = log[: args.position]
    embeddings = None
    if args.weights != "none":
        from reid_core.models import Embedder

        records = {record.image_id: record for record in (*dataset.query, *dataset.gallery)}
        with progress_bar("embedding") as bar:
            embeddings = embed_records(
                Embedder(args.weights),
                [records[crop] for crop in sorted(records)],
                cache_dir=args.cache,
                progress=bar,
            )
    try:
        snapshot = freeze(
            pools_of(dataset),
            log,
            embeddings=embeddings,
            support=support,
            rules=SnapshotRules(feedback=args.feedback),
            resolutions=_resolutions(args),
        )
    except LeakError as error:
        for leak in error.leaks:
            print(f"{leak.key}: {leak.sentence}")
        print("close each with --move KEY, --drop KEY or --override KEY=REASON")
        raise
    args.out.mkdir(parents=True, exist_ok=True)
    text = "".join(f"{to_json_line(event)}\n" for event in log)
    (args.out / "decisions.jsonl").write_text(text, encoding="utf-8", newline="")
    (args.out / "CHANGELOG.md").write_text(changelog(snapshot, name=args.out.name), encoding="utf-8")
    (args.out / "snapshot.json").write_text(snapshot.to_json(), encoding="utf-8", newline="")
    changes = changes_of(snapshot)
    if args.json:
        print(json.dumps({"hash": snapshot.hash, **snapshot.counts(), **asdict(changes)}))
        return 0
    counts = snapshot.counts()
    print(f"set {snapshot.hash[:16]}: {changes.headline}")
    print(
        f"{counts.get('train', 0)} crops of {counts['train_identities']} identities train: {counts['base']} "
        f"of the training pool, {counts['feedback']} corrected; {changes.num_violations} of "
        f"{changes.num_triplets} triplets are in the wrong order"
    )
    print(f"written to {args.out}")
    return 0


def _read_log(source: str, collection: str) -> tuple[tuple[Event, ...], dict[str, float] | None]:
    """The events of a file or a database and, from a database, the support of the labels."""
    from reid_core.annotation import from_json_line
    from reid_core.annotation.store import AnnotationStore
    from reid_core.errors import InputError

    path = Path(source)
    if path.suffix == ".jsonl":
        if not path.is_file():
            raise InputError(f"The log {path} does not exist.")
        lines = path.read_text(encoding="utf-8").split("\n")
        return tuple(from_json_line(line) for line in lines if line.strip()), None
    if not collection:
        raise InputError("A database holds many logs: say with --collection which gallery's is meant.")
    if "://" not in source and not path.is_file():
        raise InputError(f"The annotation database {path} does not exist.")
    store = AnnotationStore(source if "://" in source else f"sqlite:///{path.absolute()}")
    try:
        read = getattr(store, "support", None)
        return store.log(collection), None if read is None else read(collection)
    finally:
        store.close()


def _resolutions(args: argparse.Namespace) -> tuple[Resolution, ...]:
    from reid_core.errors import InputError
    from reid_core.retraining.records import Resolution

    found = [Resolution(key, "evaluation") for key in args.move]
    found += [Resolution(key, "drop") for key in args.drop]
    for entry in args.override:
        key, separator, reason = entry.partition("=")
        if not separator:
            raise InputError(f"--override {entry} has no reason; write KEY=REASON, in quotes.")
        found.append(Resolution(key, "override", reason))
    return tuple(found)
