"""Score the demo weights on the shipped demo city beside an untrained net and a colour histogram.

    python benchmarks/demo_weights.py [--also FILE ...] [--locked] [--json]

Market-1501 rules, cosine distance. ``--also`` scores further weights files in the same way, each at the input
size it says. Look-alikes are the queries whose identity belongs to a family of people who dress alike; the
others are unique. The pictures are synthetic: no number here says anything about real people.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

if TYPE_CHECKING:
    from reid_core.evaluation import EvalReport
    from reid_core.types import ImageRecord

STRIPES, HUES, LEVELS = 6, 12, 4
UNIQUE_FAMILY = "0"
Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class Row:
    """Scores of one model, fractions; Rank-1 also for look-alikes, for the rest, and per query camera."""

    model: str
    mean_ap: float
    rank1: float
    mean_inp: float
    rank1_unique: float
    rank1_alike: float
    num_unique: int
    num_alike: int
    rank1_by_camera: dict[str, float]


def main() -> None:
    """Embed with every model, print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="data set folder (default: the shipped demo city)")
    parser.add_argument("--weights", default="demo", help="weights to score (default: the shipped ones)")
    parser.add_argument("--also", type=Path, nargs="*", default=[], help="further weights files")
    parser.add_argument("--locked", action="store_true", help="score the locked test split")
    parser.add_argument("--seed", type=int, default=0, help="of the untrained net")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    options = parser.parse_args()
    rows = run(options)
    if options.json:
        print(json.dumps([asdict(row) for row in rows]))
    else:
        print_tables(rows)


def run(options: argparse.Namespace) -> list[Row]:
    """One row per model, the histogram and the untrained net first."""
    from reid_core.assets import DEMO_CITY, asset_path
    from reid_core.data import read_manifest
    from reid_core.models import Embedder

    dataset = read_manifest((options.data or asset_path(DEMO_CITY)) / "manifest.csv")
    query = dataset.locked_query if options.locked else dataset.query
    gallery = dataset.locked_gallery if options.locked else dataset.gallery
    rows = [score("colour histogram", color_histograms(query), color_histograms(gallery), query, gallery)]
    demo = Embedder(options.weights)
    embedders = {
        "untrained net": untrained(options.seed, like=demo),
        "demo weights": demo,
        **{path.name: Embedder(path) for path in options.also},
    }
    for name, embedder in embedders.items():
        vectors = (embedder.embed([record.path for record in part]).vectors for part in (query, gallery))
        rows.append(score(name, *vectors, query, gallery))
    return rows


def untrained(seed: int, *, like: Embedder) -> Embedder:  # noqa: F821
    """The same net with its initial random weights and the same input size."""
    import torch

    from reid_core.models import Embedder, build_osnet, save_weights

    torch.manual_seed(seed)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "untrained.safetensors"
        save_weights(path, build_osnet(like.variant), replace(like.spec, name="untrained"))
        return Embedder(path)


def color_histograms(records: Sequence[ImageRecord]) -> Vectors:
    """Square roots of six stripes' HSV histograms, so that the cosine is Hellinger's affinity."""
    vectors = []
    edges = [np.linspace(0, 256, bins + 1) for bins in (HUES, LEVELS, LEVELS)]
    for record in records:
        with Image.open(record.path) as image:
            pixels = np.asarray(image.convert("HSV").resize((64, 128), Image.Resampling.BILINEAR))
        histograms = [
            np.histogramdd(stripe.reshape(-1, 3), bins=edges)[0].ravel()
            for stripe in np.array_split(pixels, STRIPES)
        ]
        root = np.sqrt(np.concatenate(histograms))
        vectors.append(root / np.linalg.norm(root))
    return np.array(vectors, dtype=np.float32)


def score(
    name: str,
    query_vectors: Vectors,
    gallery_vectors: Vectors,
    query: Sequence[ImageRecord],
    gallery: Sequence[ImageRecord],
) -> Row:
    """Evaluate one model and split its Rank-1."""
    from reid_core.evaluation import evaluate_embeddings

    report: EvalReport = evaluate_embeddings(
        query_vectors,
        gallery_vectors,
        query_pids=[record.pid for record in query],
        gallery_pids=[record.pid for record in gallery],
        query_camids=[record.camid for record in query],
        gallery_camids=[record.camid for record in gallery],
        metric="cosine",
    )
    is_first = report.per_query.first_match_rank == 1
    is_valid = report.per_query.num_matches > 0
    is_alike = np.array([record.attributes.get("family", UNIQUE_FAMILY) != UNIQUE_FAMILY for record in query])
    camids = np.array([record.camid for record in query])

    def rank1(chosen: NDArray[np.bool_]) -> float:
        return float(is_first[chosen & is_valid].mean()) if bool((chosen & is_valid).any()) else float("nan")

    return Row(
        model=name,
        mean_ap=report.mean_ap,
        rank1=report.rank1,
        mean_inp=report.mean_inp,
        rank1_unique=rank1(~is_alike),
        rank1_alike=rank1(is_alike),
        num_unique=int((~is_alike & is_valid).sum()),
        num_alike=int((is_alike & is_valid).sum()),
        rank1_by_camera={str(camid): rank1(camids == camid) for camid in np.unique(camids)},
    )


def print_tables(rows: Sequence[Row]) -> None:
    """Two Markdown tables, in percent."""
    print(f"{rows[0].num_unique} queries of unique people, {rows[0].num_alike} of look-alikes\n")
    print("| model | mAP | Rank-1 | mINP | Rank-1 unique | Rank-1 look-alikes |")
    print("| --- | --- | --- | --- | --- | --- |")
    for row in rows:
        values = (row.mean_ap, row.rank1, row.mean_inp, row.rank1_unique, row.rank1_alike)
        print(f"| {row.model} | " + " | ".join(f"{100 * value:.1f}" for value in values) + " |")
    cameras = list(rows[0].rank1_by_camera)
    print("\n| Rank-1 by query camera | " + " | ".join(cameras) + " |")
    print("| --- " * (len(cameras) + 1) + "|")
    for row in rows:
        values = " | ".join(f"{100 * row.rank1_by_camera[camid]:.1f}" for camid in cameras)
        print(f"| {row.model} | {values} |")


if __name__ == "__main__":
    main()
