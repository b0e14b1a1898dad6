"""Time the evaluator against a NumPy argsort reference and, if given, Torchreid's Cython evaluator.

    python benchmarks/evaluate.py --size market [--torchreid FOLDER_WITH_BUILT_RANK_CY] [--threads 1]

All contenders get the same unit-norm embeddings and run in turns in this process; each needs distances first,
and that matrix product is part of its time. Scores must agree before any time is printed. FOLDER is where
Torchreid's ``torchreid/metrics/rank_cylib`` was built (``rank_cy.*.so``).
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

SIZES = {  # queries, gallery, identities; counts of the data sets, with junk already removed
    "small": (400, 3_000, 150),
    "market": (3_368, 19_732, 751),
    "msmt17": (11_659, 82_161, 3_060),
}
DIMENSION = 512  # OSNet's


def main() -> None:
    """Parse the command line, run all contenders in turns, print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", choices=SIZES, default="small")
    parser.add_argument("--dimension", type=int, default=DIMENSION, help="embedding size")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1, help="threads of the matrix products")
    parser.add_argument("--torchreid", type=Path, help="folder of the built rank_cy module")
    parser.add_argument("--only-ours", action="store_true", help="skip what needs the full matrix")
    options = parser.parse_args()
    limit_threads(options.threads)
    run(options)


def limit_threads(number: int) -> None:
    """Must come before NumPy is imported; it reads these once."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(number)


def run(options: argparse.Namespace) -> None:
    """Time every contender and print the result."""
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    import numpy as np

    from reid_core.distances import pairwise_distances
    from reid_core.evaluation import evaluate_embeddings, evaluate_ranking

    case = make_case(*SIZES[options.size], options.dimension, options.seed)
    query, gallery = case.pop("query"), case.pop("gallery")
    pids = (case["query_pids"], case["gallery_pids"], case["query_camids"], case["gallery_camids"])

    def fused() -> float:
        return evaluate_embeddings(query, gallery, **case).mean_ap

    def from_matrix() -> float:
        return evaluate_ranking(pairwise_distances(query, gallery), **case).mean_ap

    def argsort() -> float:
        return argsort_mean_ap(1.0 - query @ gallery.T, *pids)

    def only_product() -> float:
        rows = 256
        out = np.empty((rows, len(gallery)), dtype=np.float32)
        for start in range(0, len(query), rows):
            part = query[start : start + rows]
            np.matmul(part, gallery.T, out=out[: len(part)])
        return float("nan")

    contenders: dict[str, Callable[[], float]] = {"evaluate_embeddings (ours, fused)": fused}
    contenders["matrix product alone, blockwise"] = only_product
    if not options.only_ours:
        contenders["evaluate_ranking (ours, full matrix)"] = from_matrix
        contenders["argsort, NumPy"] = argsort
    if options.torchreid is not None:
        sys.path.insert(0, str(options.torchreid))
        import rank_cy

        contenders["Torchreid, Cython"] = lambda: float(
            rank_cy.evaluate_cy(1.0 - query @ gallery.T, *pids, 50)[1]
        )
    evaluate_embeddings(query[:64], gallery, **{k: v[:64] if k[0] == "q" else v for k, v in case.items()})
    if options.only_ours:
        memory = PeakMemory()
        fused()
        print(f"ours needs {memory.extra_gib():.2f} GiB beyond the embeddings")
    times, scores = take_turns(contenders, options.repeats)
    known = [score for score in scores.values() if score == score]
    if max(known) - min(known) > 1e-4:
        raise SystemExit(f"The contenders disagree, so no time is worth printing: {scores}")
    print_table(options, times)


class PeakMemory:
    """How far resident memory rises from here on (Linux)."""

    def __init__(self) -> None:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # forget the peak so far
        self._start = self._read("VmRSS")

    def extra_gib(self) -> float:
        """Peak since the start, less what was held then."""
        return (self._read("VmHWM") - self._start) / 2**20

    @staticmethod
    def _read(field: str) -> int:
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith(field):
                return int(line.split()[1])
        raise SystemExit("Memory is only measured on Linux.")


def make_case(num_queries: int, num_gallery: int, num_pids: int, dimension: int, seed: int) -> dict[str, Any]:
    """Unit embeddings around one centre per identity, a sixth of the gallery distractors, six cameras."""
    import numpy as np

    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(num_pids + 1, dimension)).astype(np.float32)

    def side(number: int, pids: Any) -> Any:
        spread = 1.5 * rng.standard_normal((number, dimension), dtype=np.float32)
        vectors = np.where((pids == 0)[:, None], 0, centres[pids]) + spread
        return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)

    query_pids = rng.integers(1, num_pids + 1, num_queries)
    gallery_pids = np.where(rng.random(num_gallery) < 1 / 6, 0, rng.integers(1, num_pids + 1, num_gallery))
    return {
        "query": side(num_queries, query_pids),
        "gallery": side(num_gallery, gallery_pids),
        "query_pids": query_pids,
        "gallery_pids": gallery_pids,
        "query_camids": rng.integers(1, 7, num_queries),
        "gallery_camids": rng.integers(1, 7, num_gallery),
    }


def argsort_mean_ap(
    distances: Any, query_pids: Any, gallery_pids: Any, query_camids: Any, gallery_camids: Any
) -> float:
    """mAP by sorting every row whole, vectorised per query."""
    import numpy as np

    aps = []
    for row, pid, camid in zip(distances, query_pids, query_camids, strict=True):
        order = np.argsort(row, kind="stable")
        same = gallery_pids[order] == pid
        kept = ~(same & (gallery_camids[order] == camid))
        ranks = np.flatnonzero(same[kept]) + 1
        if ranks.size:
            aps.append(np.mean(np.arange(1, ranks.size + 1) / ranks))
    return float(np.mean(aps))


def take_turns(
    contenders: dict[str, Callable[[], float]], repeats: int
) -> tuple[dict[str, list[float]], dict[str, float]]:
    """Seconds per run and the score of each contender, one run of each after the other."""
    times: dict[str, list[float]] = {name: [] for name in contenders}
    scores: dict[str, float] = {}
    for _ in range(repeats):
        for name, contender in contenders.items():
            start = time.process_time()
            scores[name] = contender()
            times[name].append(time.process_time() - start)
    return times, scores


def print_table(options: argparse.Namespace, times: dict[str, list[float]]) -> None:
    """CPU seconds (median) and the ratio to the slowest published contender that ran."""
    median = {name: statistics.median(values) for name, values in times.items()}
    base = (
        "Torchreid, Cython" if "Torchreid, Cython" in median else max(median, key=lambda name: median[name])
    )
    size = f"{options.size} {SIZES[options.size]} x {options.dimension}"
    print(f"size {size}, {options.threads} thread(s), CPU time")
    for name, seconds in sorted(median.items(), key=lambda item: -item[1]):
        print(f"{name:40s} {seconds:8.2f} s  {median[base] / seconds:6.2f}x of {base}")


if __name__ == "__main__":
    main()
