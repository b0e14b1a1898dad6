"""``reid render``: render a synthetic city of people and cameras into a folder of crops."""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reid_core.synthetic.city import CityCounts
    from reid_core.synthetic.render_run import RenderProgress


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser(
        "render",
        help="render a synthetic city of people and cameras",
        description=(
            "Render a city of computed people into a folder: crops with Market-1501 names and manifest.csv. "
            "The same arguments give the same pictures; a stopped run goes on where it was."
        ),
    )
    add = parser.add_argument
    add("out", type=Path, metavar="OUT", help="folder that gets the crops")
    parser.add_argument(
        "--world", choices=("training", "demo"), default="training", help="scenes, clothes, cameras"
    )
    add("--preset", choices=("shipped",), help="the counts of the city that ships in assets/")
    parser.add_argument(
        "--identities", type=int, default=200, metavar="N", help="number of people (default 200)"
    )
    parser.add_argument(
        "--cameras", type=int, metavar="K", help="number of cameras (default: training 64, demo 8)"
    )
    add("--seed", type=int, default=0, metavar="S", help="decides everything (default 0)")
    parser.add_argument(
        "--height-cap", type=int, metavar="H", help="render boxes at most H pixels high; 0: no limit"
    )
    parser.add_argument(
        "--size", metavar="WxH", help="size of the crops (default: training 80x160, demo 128x256)"
    )
    add("--jobs", type=int, default=1, metavar="J", help="processes (default 1)")
    add("--masks", action="store_true", help="also write where the person is, as masks/*.png")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Plan and render; prints progress to stderr and the manifest's path to stdout."""
    from reid_core.synthetic.city import plan_city
    from reid_core.synthetic.render_run import RenderSettings, render_city
    from reid_core.synthetic.worlds import world_named

    world = world_named(args.world)
    cameras = args.cameras if args.cameras is not None else (8 if world.name == "demo" else 64)
    options = world.options
    if args.height_cap is not None:
        options = replace(options, height_cap=args.height_cap)
    if args.size:
        width, height = _parse_size(args.size)
        options = replace(options, width=width, height=height)
    counts = _counts(args, world.name)
    city = plan_city(world, seed=args.seed, cameras=cameras, counts=counts, options=options)
    label: dict[str, str | int] = {"world": world.name, "seed": args.seed, "cameras": cameras, **vars(counts)}
    label.update(width=options.width, height=options.height, height_cap=options.height_cap)
    settings = RenderSettings(jobs=args.jobs, writes_masks=args.masks)
    manifest = render_city(city, args.out, label=label, settings=settings, on_progress=_ProgressLine())
    print(manifest)
    return 0


def _counts(args: argparse.Namespace, world: str) -> CityCounts:
    from reid_core.synthetic.city import SHIPPED_COUNTS, CityCounts

    if args.preset == "shipped":
        return SHIPPED_COUNTS
    if world == "training":
        return CityCounts(train_identities=args.identities)
    return CityCounts(
        gallery_identities=args.identities, distractors=args.identities, junk=max(1, args.identities // 4)
    )


def _parse_size(text: str) -> tuple[int, int]:
    from reid_core.errors import InputError

    width, separator, height = text.lower().partition("x")
    if not (separator and width.isdigit() and height.isdigit() and int(width) >= 8 and int(height) >= 16):
        raise InputError(f"--size is {text!r}, expected WIDTHxHEIGHT of at least 8x16, such as 128x256.")
    return int(width), int(height)


class _ProgressLine:
    """Rewrites one line on a terminal; elsewhere writes a line every half minute."""

    def __init__(self) -> None:
        self._started = self._shown = time.monotonic()

    def __call__(self, progress: RenderProgress) -> None:
        now = time.monotonic()
        is_terminal, is_last = sys.stderr.isatty(), progress.done == progress.total
        if now - self._shown < (0.2 if is_terminal else 30.0) and not is_last:
            return
        self._shown = now
        text = f"{progress.phase}: {progress.done} of {progress.total}, {now - self._started:.0f} s"
        if progress.missing:
            text += f", {progress.missing} not visible"
        print(text, end="\r" if is_terminal and not is_last else "\n", file=sys.stderr, flush=True)
