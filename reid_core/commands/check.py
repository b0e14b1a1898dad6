"""``reid check``: explain a data set and say what is wrong with it."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reid_core.types import Dataset

_EPILOG = "Exit code: 0 nothing wrong, 1 an error was found or the data set cannot be opened, 2 wrong usage."


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser(
        "check",
        help="explain a data set: counts, queries without a match, leaks, copies, damage",
        description="Explain a data set and say what is wrong with it.",
        epilog=_EPILOG,
    )
    parser.add_argument("data", type=Path, metavar="DATA", help="folder, CSV or Parquet manifest, or zip")
    parser.add_argument("--layout", default="auto", help="how it lies on disk (default: auto)")
    parser.add_argument("--protocol", help="published protocol, such as cuhk03-labeled or msmt17+val")
    parser.add_argument("--split", type=int, help="split of that protocol, from 0")
    parser.add_argument("--pattern", help="regex with groups pid, camid, time, split for --layout regex")
    parser.add_argument("--deep", action="store_true", help="also read every file: damage, copies, sizes")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the report; 1 if it holds an error."""
    from reid_core.data.check import check_dataset

    with tempfile.TemporaryDirectory(prefix="reid-check-") as scratch:
        dataset = _open(args, Path(scratch))
        report = check_dataset(dataset, deep=args.deep, progress=_progress_bar("Reading files"))
    print(report.to_json() if args.json else report.to_text(), end="" if not args.json else "\n")
    return 1 if report.num_errors else 0


def _open(args: argparse.Namespace, scratch: Path) -> Dataset:
    from reid_core.data import extract_archive, open_dataset

    source = args.data
    if source.suffix.lower() == ".zip" and source.is_file():
        source = extract_archive(source, scratch / source.stem, progress=_progress_bar("Unpacking")).root
    return open_dataset(
        source,
        args.layout,
        protocol=args.protocol,
        split=args.split,
        pattern=args.pattern,
        progress=_progress_bar("Unpacking"),
    )


def _progress_bar(what: str) -> Callable[[int, int], None] | None:
    """A line on a terminal's error stream that counts up; None where nobody watches."""
    if not sys.stderr.isatty():
        return None

    def show(done: int, total: int) -> None:
        if done == total or done % 100 == 0:
            end = "\n" if done == total else ""
            print(f"\r{what}: {done:,} of {total:,}", end=end, file=sys.stderr, flush=True)

    return show
