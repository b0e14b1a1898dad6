"""``reid embed``: images in, a file of embeddings out."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any


def register(subparsers: Any) -> None:
    """Add the parser."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "embed",
        help="embed images and write the vectors to a file",
        description="Writes L2-normalised float32 vectors (N, 512), their ids and the fingerprint of weights "
        "and preprocessing to an .npz file. Images that cannot be read are listed and left out.",
        epilog="Exit code: 0 done, 1 an error or not one image could be embedded, 2 wrong usage.",
    )
    parser.add_argument(
        "images", nargs="+", type=Path, metavar="IMAGE", help="image files, or folders of them"
    )
    parser.add_argument("--weights", default="demo", help="demo, a registry name or a file (default demo)")
    parser.add_argument("--variant", help="refuse weights of another variant")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.npz", help="where to write")
    parser.add_argument("--engine", default="auto", help="auto, torch or onnxruntime (default auto)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (default auto)")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Embed all images and write the file."""
    from reid_core.errors import InputError
    from reid_core.models import Embedder
    from reid_core.progress import progress_bar
    from reid_core.retrieval.embedding_file import save_embeddings

    paths = _image_files(args.images)
    embedder = Embedder(args.weights, args.variant, engine=args.engine, device=args.device)
    with progress_bar("embedding") as bar:
        embeddings = embedder.embed(paths, progress=bar)
    skipped = [{"item": refusal.item, "reason": refusal.reason} for refusal in embeddings.skipped]
    if not len(embeddings):
        first = f" The first: {skipped[0]['reason']}" if skipped else ""
        raise InputError(f"Not one of {len(paths)} images could be embedded, so nothing was written.{first}")
    save_embeddings(embeddings, args.out)
    if args.json:
        facts = {"out": str(args.out), "images": len(embeddings), "fingerprint": embeddings.fingerprint}
        print(json.dumps({**facts, "engine": embedder.engine_name, "skipped": skipped}, indent=1))
        return 0
    for refusal in skipped:
        print(f"left out {refusal['item']}: {refusal['reason']}")
    print(f"{len(embeddings)} embeddings of {embedder.spec.name} ({embedder.engine_name}) in {args.out}")
    return 0


def _image_files(sources: list[Path]) -> list[Path]:
    """The files as named, and the images in named folders, sorted; each once."""
    from reid_core.errors import InputError
    from reid_core.images import IMAGE_SUFFIXES

    found: list[Path] = []
    for source in sources:
        if source.is_dir():
            inside = sorted(path for path in source.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES)
            if not inside:
                raise InputError(f"The folder {source} holds no images. Name a folder or files with images.")
            found += inside
        else:
            found.append(source)
    return list(dict.fromkeys(found))
