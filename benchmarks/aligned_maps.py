"""How far points lie apart in the maps of two networks, and how true the second map is to its own network.

    python benchmarks/aligned_maps.py [--other WEIGHTS] [--size N] [--seed 0]

Three ways to the second map: ours, a map of its own turned onto the first one, and umap-learn's AlignedUMAP.
moved: mean distance of a crop's two places as a share of the map's radius. kept: share of a crop's 15 nearest
by the second network that are among its 30 nearest on the second map. The second network is another one's
weights (--other), or stood in for by the first one's embeddings with noise: what a retrained network changes.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
from sklearn.neighbors import NearestNeighbors
from umap import AlignedUMAP

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from reid_core.assets import DEMO_CITY, asset_path
from reid_core.data import read_manifest
from reid_core.mapping import (
    NeighbourGraph,
    UmapParameters,
    align,
    aligned_umap_layout,
    find_neighbours,
    mean_displacement,
    pca_layout,
    umap_layout,
)
from reid_core.models import Embedder

NEIGHBOURS, NEAR = 15, 30
NOISE = (0.02, 0.04)


def share_kept(graph: NeighbourGraph, points: np.ndarray) -> float:
    """Share of the neighbours in ``graph`` that are among the nearest on the map."""
    near = NearestNeighbors(n_neighbors=NEAR + 1).fit(points).kneighbors(points, return_distance=False)[:, 1:]
    return float((graph.rows[:, 1:, None] == near[:, None]).any(axis=2).mean())


def main() -> None:
    """Print a table and, last, one JSON line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--other", help="weights of another network, by name or path")
    parser.add_argument("--size", type=int, default=0, help="crops to use, all of the demo city by default")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    city = read_manifest(asset_path(DEMO_CITY) / "manifest.csv")
    records = [*city.query, *city.gallery]
    records = records[: arguments.size or len(records)]
    vectors = Embedder("demo").embed(records).vectors
    rng = np.random.default_rng(arguments.seed)
    others = {}
    if arguments.other:
        others[Path(arguments.other).stem] = Embedder(arguments.other).embed(records).vectors
    for noise in NOISE:
        noisy = vectors + noise * rng.normal(size=vectors.shape).astype(np.float32)
        noisy /= np.linalg.norm(noisy, axis=1, keepdims=True)
        others[f"cosine {float((vectors * noisy).sum(axis=1).mean()):.2f}"] = noisy
    parameters = UmapParameters(seed=arguments.seed)
    first = find_neighbours(vectors, NEIGHBOURS)
    fixed = umap_layout(first, parameters, start=pca_layout(vectors))
    shuffled = mean_displacement(align(rng.permutation(fixed), fixed), fixed)
    print(f"{len(vectors)} crops; moved and kept in percent; shuffled crops move by {100 * shuffled:.0f}")
    print(f"{'second network':>30}{'aligned':>14}{'own map':>14}{'AlignedUMAP':>14}")
    results = {}
    for name, other in others.items():
        graph = find_neighbours(other, NEIGHBOURS)
        own = align(umap_layout(graph, parameters, start=pca_layout(other)), fixed)
        published = AlignedUMAP(n_neighbors=NEIGHBOURS, metric="cosine", random_state=arguments.seed)
        published.fit([vectors, other], relations=[{row: row for row in range(len(vectors))}])
        theirs_first, theirs = published.embeddings_
        pairs = {
            "aligned": (aligned_umap_layout(graph, parameters, reference=fixed), fixed),
            "own map": (own, fixed),
            "AlignedUMAP": (align(theirs, theirs_first), theirs_first),
        }
        row = {
            way: (100 * mean_displacement(moved, start), 100 * share_kept(graph, moved))
            for way, (moved, start) in pairs.items()
        }
        print(
            f"{name[-30:]:>30}" + "".join(f"{f'{moved:.0f}, {kept:.0f}':>14}" for moved, kept in row.values())
        )
        results[name] = {way: [round(value, 1) for value in values] for way, values in row.items()}
    print(json.dumps(results))


if __name__ == "__main__":
    main()
