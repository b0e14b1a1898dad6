"""``reid weights``: what weights are known, fetch them, look into a file, convert it."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reid_core.models.registry import KnownWeights


def register(subparsers: Any) -> None:
    """Add the parser."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "weights", help="list, show, download or convert network weights"
    )
    actions = parser.add_subparsers(title="actions", required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="all known weights")
    listing.add_argument("--json", action="store_true", help="print JSON")
    listing.set_defaults(run=_list)
    show = actions.add_parser("show", help="what known weights are, or what a weights file holds")
    show.add_argument("weights", help="a name of the registry, demo, or a file")
    show.add_argument("--json", action="store_true", help="print JSON")
    show.set_defaults(run=_show)
    download = actions.add_parser("download", help="fetch known weights into the cache and check them")
    download.add_argument("name", help="a name of the registry")
    download.set_defaults(run=_download)
    convert = actions.add_parser("convert", help="turn any readable weights file into our safetensors format")
    convert.add_argument("source", type=Path, metavar="IN", help="PyTorch, safetensors or ONNX file")
    convert.add_argument("target", type=Path, metavar="OUT", help="safetensors file to write")
    convert.add_argument("--keep-classifier", action="store_true", help="keep the classifier, to train on")
    convert.add_argument("--name", help="name in the record (default: the file's)")
    convert.add_argument("--training-set", help="what the weights were trained on")
    convert.add_argument("--licence", help="what may be done with them")
    convert.set_defaults(run=_convert)


def _list(args: argparse.Namespace) -> int:
    from reid_core.models.registry import KNOWN_WEIGHTS

    if args.json:
        print(json.dumps([_facts(known) for known in KNOWN_WEIGHTS.values()], indent=1))
        return 0
    for known in KNOWN_WEIGHTS.values():
        use = "re-identification" if known.is_for_reid else "training from only"
        size = f"{known.size_bytes / 1e6:.1f} MB" if known.size_bytes else "size unknown"
        digest = "digest pinned" if known.sha256 else "digest kept at first use"
        print(f"{known.name:26} {use:18} {size:13} {digest}")
    print("demo                       ships with a checkout; `reid weights show NAME` tells more")
    return 0


def _show(args: argparse.Namespace) -> int:
    from reid_core.models.complexity import measure_complexity
    from reid_core.models.registry import KNOWN_WEIGHTS
    from reid_core.models.resolve import resolve_weights

    if args.weights in KNOWN_WEIGHTS:
        facts = _facts(KNOWN_WEIGHTS[args.weights])
        spec = KNOWN_WEIGHTS[args.weights].spec
    else:
        loaded = resolve_weights(args.weights)
        spec = loaded.spec
        facts = {**json.loads(spec.to_json()), "loading": list(loaded.report.sentences())}
    preprocessing = spec.preprocessing
    cost = measure_complexity(spec.variant, height=preprocessing.height, width=preprocessing.width)
    facts |= {"parameters": cost.num_parameters, "multiply_adds": cost.num_multiply_adds}
    if args.json:
        print(json.dumps(facts, indent=1))
        return 0
    for name, value in facts.items():
        for line in value if isinstance(value, list) else [value]:
            print(f"{name:16} {line}")
    return 0


def _download(args: argparse.Namespace) -> int:
    from reid_core.models.hub import fetch_known_weights
    from reid_core.models.registry import find_known_weights

    known = find_known_weights(args.name)
    path = fetch_known_weights(known)
    print(path)
    print(known.spec.licence)
    return 0


def _convert(args: argparse.Namespace) -> int:
    from dataclasses import replace

    from reid_core.models import load_weights, save_weights

    loaded = load_weights(args.source, keep_classifier=args.keep_classifier, allow_imagenet=True)
    said = {"name": args.name, "training_set": args.training_set, "licence": args.licence}
    spec = replace(loaded.spec, **{field: value for field, value in said.items() if value})
    save_weights(args.target, loaded.model, spec, with_classifier=args.keep_classifier)
    for sentence in loaded.report.sentences():
        print(sentence)
    if spec.purpose == "imagenet":
        print("These weights are pre-trained on ImageNet: the copy is for training from, not for matching.")
    print(f"Wrote {args.target}.")
    return 0


def _facts(known: KnownWeights) -> dict[str, Any]:
    return {
        **json.loads(known.spec.to_json()),
        "repository": known.repository,
        "revision": known.revision,
        "filename": known.filename,
        "size_bytes": known.size_bytes,
        "sha256": known.sha256,
        "note": known.note,
    }
