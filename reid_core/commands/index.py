"""``reid index``: read and embed a gallery, so that the app opens it at once."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reid_core.services import GalleryInfo, JobView

_SETTINGS = (
    "data_dir",
    "weights",
    "engine",
    "device",
    "max_pixels",
    "max_gallery_mb",
    "max_gallery_images",
    "offline",
)
_MAX_SHOWN = 10


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    from reid_core.settings import add_settings_arguments

    parser = subparsers.add_parser(
        "index",
        help="read and embed a gallery for the app",
        description="Read a gallery, embed and register it for the app. Stopped, the same command goes on.",
        epilog="A folder, CSV or Market-1501 tree is referenced where it lies; a zip is unpacked into the "
        "data folder. Read again, a source takes the place of what it was.",
    )
    parser.add_argument("data", type=Path, metavar="DATA", help="folder, zip, CSV or Market-1501 tree")
    parser.add_argument("--name", default="", help="how to call it (default: like the file)")
    parser.add_argument("--kind", default="auto", help="auto, folder, zip, csv, market, or a layout's name")
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_settings_arguments(parser, _SETTINGS)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Import, embed, report; 0 also where some items were refused."""
    from reid_core.settings import prepare_environment, settings_from_arguments

    settings = settings_from_arguments(args)
    prepare_environment(settings)
    from reid_core.services import Workbench  # libraries read the environment when they are imported

    progress = _Progress()
    gallery = Workbench(settings).import_now(args.data, name=args.name, kind=args.kind, watch=progress.show)
    progress.end()
    print(json.dumps(asdict(gallery), indent=1) if args.json else _describe(gallery, settings.data_dir))
    return 0


class _Progress:
    """One line on a terminal that counts up; elsewhere a line per step."""

    def __init__(self) -> None:
        self._is_terminal = sys.stderr.isatty()
        self._step = ""

    def show(self, view: JobView) -> None:
        """Write what is being done."""
        if self._is_terminal and view.num_total:
            count = f"{view.num_done:,} of {view.num_total:,}"
            print(f"\r\033[K{view.message.rstrip('.')}: {count}", end="", file=sys.stderr, flush=True)
        elif view.message != self._step:
            print(view.message, file=sys.stderr)
        self._step = view.message

    def end(self) -> None:
        """Leave the line."""
        if self._is_terminal:
            print(file=sys.stderr)


def _describe(gallery: GalleryInfo, data_dir: Path) -> str:
    lines = [
        f"Gallery {gallery.name!r}: {gallery.num_images:,} images, {gallery.num_queries:,} queries, "
        f"{gallery.num_pids:,} identities, {len(gallery.cameras)} cameras.",
        *gallery.notes,
        *(f"Refused {refusal.item}: {refusal.reason}" for refusal in gallery.refused[:_MAX_SHOWN]),
    ]
    if len(gallery.refused) > _MAX_SHOWN:
        lines.append(f"{len(gallery.refused) - _MAX_SHOWN:,} more were refused; --json lists them all.")
    lines.append(f"Open it with: python app.py --data-dir {data_dir} --gallery {gallery.name}")
    return "\n".join(lines)
