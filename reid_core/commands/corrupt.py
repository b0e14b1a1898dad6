"""``reid corrupt``: save a corrupted copy of a data set, or a contact sheet of all corruptions."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def register(subparsers: Any) -> None:
    """Add the parser."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "corrupt",
        help="write a corrupted copy of a data set's query and gallery, or a sheet of all 100 corruptions",
        description="Corruptions of Market-1501-C, CUHK03-C and MSMT17-C; see docs/protocol.md.",
    )
    parser.add_argument("source", type=Path, help="a data set, or with --sheet one image")
    parser.add_argument("out", type=Path, help="a new folder, or with --sheet a .png file")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--repeat", type=int, default=0, help="which of the 10 repeats (default 0)")
    parser.add_argument("--type", dest="name", help="one type for all crops; default: drawn per crop")
    parser.add_argument("--severity", type=int, default=3, help="1..5, with --type (default 3)")
    parser.add_argument("--sheet", action="store_true", help="draw 20 x 5 cells of one image")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write what was asked for and say where."""
    from reid_core.data import open_dataset
    from reid_core.data.corruptions import CorruptionChoice
    from reid_core.data.corruptions.save import contact_sheet, save_corrupted
    from reid_core.images import read_image
    from reid_core.progress import progress_bar

    if args.sheet:
        contact_sheet(read_image(args.source), seed=args.seed).save(args.out)
        print(f"{args.out}: 20 types x 5 severities")
        return 0
    choice = CorruptionChoice(args.name, args.severity) if args.name else None
    with progress_bar("corrupting") as progress:
        corrupted = save_corrupted(
            open_dataset(args.source),
            args.out,
            seed=args.seed,
            repeat=args.repeat,
            choice=choice,
            progress=progress,
        )
    for refusal in corrupted.refused:
        print(f"left out {refusal.item}: {refusal.reason}")
    print(f"{args.out}: {len(corrupted.query)} query and {len(corrupted.gallery)} gallery crops")
    return 0
