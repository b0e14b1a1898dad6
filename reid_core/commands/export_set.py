"""``reid export-set``: a frozen training set with its pictures, for training here or elsewhere."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def register(subparsers: Any) -> None:
    """Add the parser."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "export-set",
        help="write a frozen set with its pictures, or check an exported one",
        description="A Market-1501 tree that Torchreid and FastReID read, with manifest, constraints, "
        "triplets, log and SHA256SUMS, or the Hugging Face imagefolder layout. With --check, proves that an "
        "exported folder is unchanged and prints the hash of its set.",
    )
    parser.add_argument("set", type=Path, help="folder of reid freeze; with --check, an exported folder")
    parser.add_argument("--data", type=Path, help="the data set that was frozen")
    parser.add_argument("--out", type=Path, help="a new folder, or a file that ends in .zip")
    parser.add_argument("--layout", choices=("market", "imagefolder"), default="market")
    parser.add_argument("--with-locked", action="store_true", help="put the locked test in too")
    parser.add_argument("--check", action="store_true", help="check an exported folder instead")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write the set, or check it."""
    from reid_core.annotation import from_json_line
    from reid_core.data import open_dataset
    from reid_core.errors import InputError
    from reid_core.progress import progress_bar
    from reid_core.retraining.archive import read_set, write_folder, write_zip
    from reid_core.retraining.export import imagefolder_files, set_files
    from reid_core.retraining.layout import TOP_FOLDERS, reader_for
    from reid_core.retraining.snapshot import TrainingSnapshot

    if args.check:
        found = read_set(args.set)
        print(f"set {found.snapshot.hash}")
        print(f"{found.num_files} files are unchanged, {len(found.log)} decisions belong to it")
        return 0
    if args.data is None or args.out is None:
        raise InputError("Give --data, the data set that was frozen, and --out, a new folder or a .zip.")
    if not (args.set / "snapshot.json").is_file():
        raise InputError(f"{args.set} holds no frozen set (no snapshot.json). Make one with reid freeze.")
    snapshot = TrainingSnapshot.from_json((args.set / "snapshot.json").read_text(encoding="utf-8"))
    lines = (args.set / "decisions.jsonl").read_text(encoding="utf-8").split("\n")
    log = tuple(from_json_line(line) for line in lines if line)
    splits = open_dataset(args.data).splits()
    paths = {record.image_id: record.path for records in splits.values() for record in records}
    make = set_files if args.layout == "market" else imagefolder_files
    reader = reader_for(snapshot, with_locked=args.with_locked)
    with progress_bar("writing") as bar:
        files = make(snapshot, log, paths, name=args.set.name, with_locked=args.with_locked, report=bar)
        if args.out.suffix.lower() == ".zip":
            write_zip(files, args.out, top_folder=TOP_FOLDERS[reader] if args.layout == "market" else "")
        else:
            write_folder(files, args.out)
    if args.layout == "market":
        print(f"published readers: {reader or 'none, use manifest.csv (more than eight cameras)'}")
    print(f"set {snapshot.hash[:16]} written to {args.out}")
    return 0
