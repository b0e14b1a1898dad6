"""What judging the first page is worth to the rest of the ranking, on the demo city.

    python benchmarks/feedback.py [--judged 10] [--queries 150] [--threads 1]

Per query the first ``--judged`` gallery crops are judged by their true labels. Then everything that was not
judged is ranked anew; the table gives its mean AP before and after. Judged crops count nowhere, so the gain
is not that of moving known matches up.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path


def main() -> None:
    """Parse the command line, embed, rank, print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--judged", type=int, default=10, help="crops judged per query")
    parser.add_argument("--queries", type=int, default=150, help="queries, evenly spread")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", str(options.threads))
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    run(options)


def run(options: argparse.Namespace) -> None:
    """Compare the plain order, expansion and nearest evidence of several weights."""
    import numpy as np

    from reid_core.assets import DEMO_CITY, asset_path
    from reid_core.models import Embedder
    from reid_core.retrieval import expand_on_confirmed, nearest_evidence

    root = asset_path(DEMO_CITY)
    embedder = Embedder("demo")

    def load(split: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        paths = [p for p in sorted((root / split).glob("*.jpg")) if not p.name.startswith("-1")]
        found = embedder.embed([path.read_bytes() for path in paths], ids=[path.name for path in paths])
        pids = np.array([int(name.split("_")[0]) for name in found.ids])
        cameras = np.array([int(name.split("_c")[1][0]) for name in found.ids])
        return found.vectors, pids, cameras

    query, query_pids, query_cameras = load("query")
    gallery, pids, cameras = load("gallery")
    chosen = np.linspace(0, len(query) - 1, min(options.queries, len(query))).astype(int)
    weights = (0.0, 0.25, 0.5, 1.0)
    scores: dict[str, list[float]] = {
        name: [] for name in ("plain", "expand", *(f"evidence {w}" for w in weights), "both 0.5")
    }
    for q in chosen:
        counted = ~((pids == query_pids[q]) & (cameras == query_cameras[q]))
        images, is_true = gallery[counted], pids[counted] == query_pids[q]
        order = np.argsort(-(images @ query[q]), kind="stable")
        judged, rest = order[: options.judged], order[options.judged :]
        if not is_true[rest].any():
            continue
        yes, no = images[judged[is_true[judged]]], images[judged[~is_true[judged]]]
        moved = expand_on_confirmed(query[q], yes)
        by_score = {"plain": images[rest] @ query[q], "expand": images[rest] @ moved}
        for weight in weights:
            by_score[f"evidence {weight}"] = nearest_evidence(
                query[q], images[rest], confirmed=yes, refused=no, weight=weight
            )
        by_score["both 0.5"] = nearest_evidence(moved, images[rest], confirmed=yes, refused=no)
        for name, score in by_score.items():
            ranks = np.flatnonzero(is_true[rest][np.argsort(-score, kind="stable")]) + 1
            scores[name].append(float((np.arange(1, len(ranks) + 1) / ranks).mean()))
    print(f"{len(scores['plain'])} queries with a true match left, {options.judged} judged each")
    for name, values in scores.items():
        print(f"{name:15s} mean AP of what nobody judged {100 * np.mean(values):.1f}")


if __name__ == "__main__":
    main()
