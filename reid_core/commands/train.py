"""``reid train``: train a net by a named recipe, in a folder from which a stopped run goes on."""

from __future__ import annotations

import argparse
import signal
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reid_core.training import RunFolder, TrainConfig
    from reid_core.training.curves import MetricsSink
    from reid_core.training.distributed import World


STOPPED = 130
"""Exit code of a run that a signal stopped: its state is saved, its weights are not finished."""


def register(subparsers: Any) -> None:
    """Add the parser."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "train",
        help="train a net on a data set by a named recipe",
        description="Writes config.json, environment.json, metrics.jsonl, curve.html, last.pt, "
        "best.safetensors and final.safetensors to --out. A stopped run goes on with the identical next "
        "step: the same command with --resume. Several processes or machines: start it with torchrun.",
    )
    parser.add_argument(
        "data",
        type=Path,
        nargs="+",
        help="data set folders (their train split); for from-corrections one exported retraining set",
    )
    parser.add_argument("--recipe", default="demo", help="name of the recipe (default demo)")
    parser.add_argument("--out", type=Path, required=True, help="folder of the run")
    parser.add_argument("--seed", type=int, default=0, help="of weights, batches, augmentation (default 0)")
    parser.add_argument("--steps", type=int, help="another number of steps than the recipe's")
    parser.add_argument("--epochs", type=float, help="another number of epochs than the recipe's")
    parser.add_argument("--variant", help="another network than the recipe's, e.g. osnet_x0_5")
    parser.add_argument("--batch-size", type=int, help="another number of crops per step")
    parser.add_argument("--accumulate", type=int, help="cut every batch into so many parts, to save memory")
    parser.add_argument("--average", type=float, help="decay of the moving average of the weights, 0: none")
    parser.add_argument("--bf16", action="store_true", help="mixed precision; on a CPU early layers suffer")
    parser.add_argument("--compile", action="store_true", help="compile the network first (torch.compile)")
    parser.add_argument("--validation", type=int, help="identities held out to choose the best checkpoint")
    parser.add_argument(
        "--start-from",
        type=Path,
        help="weights to start from: a file, or a run of the same data to keep its heads too",
    )
    parser.add_argument("--stop-after", type=int, help="save and stop after this many steps of the recipe")
    parser.add_argument("--resume", action="store_true", help="go on with the run in --out")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads (default 1)")
    parser.add_argument("--tensorboard", action="store_true", help="also write TensorBoard event files")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Train, then say where the weights are."""
    import torch

    from reid_core.errors import CancelledError
    from reid_core.settings import torchrun_place
    from reid_core.training.curves import tensorboard_sink
    from reid_core.training.distributed import join_world, leave_world

    torch.set_num_threads(args.threads)
    rank, size, local_rank = torchrun_place()
    world = join_world(rank=rank, size=size, local_rank=local_rank)
    on_metrics = tensorboard_sink(args.out / "tensorboard") if args.tensorboard and world.is_first else None
    try:
        train = _correct if recipe_config(args).corrections is not None else _train
        folder = train(args, world, on_metrics)
    except CancelledError as stop:
        print(stop)
        return 0 if args.stop_after is not None else STOPPED
    finally:
        leave_world()
    if world.is_first:
        for line in folder.read_metrics():
            if "validation_map" in line:
                scores = f"mAP {line['validation_map']:.1%}, Rank-1 {line['validation_rank1']:.1%}"
                print(f"step {line['step']}: people who did not train {scores}")
        print(f"{folder.final_path}\n{folder.curve_path}")
    return 0


def recipe_config(args: argparse.Namespace) -> TrainConfig:
    """The recipe with what the command line changes."""
    from reid_core.training import get_recipe

    config = get_recipe(args.recipe, seed=args.seed, steps=args.steps, epochs=args.epochs)
    changes = {
        "variant": args.variant,
        "batch_size": args.batch_size,
        "accumulation": args.accumulate,
        "average_decay": args.average,
        "precision": "bfloat16" if args.bf16 else None,
        "compiles": args.compile or None,
        "validation_identities": args.validation,
    }
    return replace(config, **{name: value for name, value in changes.items() if value is not None})


def _train(args: argparse.Namespace, world: World, on_metrics: MetricsSink | None) -> RunFolder:
    from reid_core.models import load_weights
    from reid_core.training import RunFolder, StartingPoint, Trainer, load_crops

    config = recipe_config(args)
    start_from = None
    if args.start_from is not None:
        start_from = (
            StartingPoint.from_run(RunFolder(args.start_from), config)
            if args.start_from.is_dir()
            else StartingPoint(
                load_weights(args.start_from, variant=config.variant, allow_imagenet=True).model
            )
        )
    crops = load_crops(
        args.data,
        size=config.input_size,
        category_columns=config.category_columns,
        real_columns=config.real_columns,
    )
    trainer = Trainer(config, crops, start_from=start_from, world=world)
    folder = _open_run(args, trainer.config, world)
    _fit(args, lambda **hooks: trainer.fit(folder, on_metrics=on_metrics, **hooks))
    return folder


def _correct(args: argparse.Namespace, world: World, on_metrics: MetricsSink | None) -> RunFolder:
    from reid_core.errors import InputError
    from reid_core.training import load_served, read_correction_set, retrain

    if args.start_from is None or len(args.data) != 1:
        raise InputError(
            "from-corrections needs one exported retraining set and --start-from with the weights that "
            "serve now."
        )
    served, config = load_served(args.start_from, recipe_config(args))
    data = read_correction_set(args.data[0], size=config.input_size)
    folder = _open_run(args, config, world)
    outcome = _fit(
        args,
        lambda **hooks: retrain(config, data, served, folder, world=world, on_metrics=on_metrics, **hooks),
    )
    if world.is_first:
        print(
            f"{outcome.fixed} of {outcome.violations} rank violations fixed; the candidate lies at "
            f"{outcome.alpha:.1f} between the old net (0) and the trained one (1)"
        )
    return folder


def _open_run(args: argparse.Namespace, config: TrainConfig, world: World) -> RunFolder:
    """The folder of the run; the first process makes it, the others wait."""
    from reid_core.training import RunFolder

    sources = {f"data {number}": str(folder) for number, folder in enumerate(args.data, start=1)}
    if args.start_from is not None:
        sources["start_from"] = str(args.start_from)
    if args.resume:
        return RunFolder.reopen(args.out, config)
    folder = RunFolder.create(args.out, config, sources) if world.is_first else RunFolder(args.out)
    world.wait()
    return folder


def _fit(args: argparse.Namespace, fit: Any) -> Any:
    from reid_core.progress import progress_bar

    done, is_stopped = 0, False

    def stop(number: int, frame: object) -> None:
        nonlocal is_stopped
        is_stopped = True
        signal.signal(number, signal.SIG_DFL)  # a second one ends the process at once

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        with progress_bar("training", unit="step") as show:

            def on_progress(step: int, total: int) -> None:
                nonlocal done
                done = step
                show(step, total)

            return fit(on_progress=on_progress, should_cancel=lambda: is_stopped or done == args.stop_after)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
