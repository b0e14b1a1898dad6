"""Time and memory of sparse k-reciprocal re-ranking, against the published dense code if given.

    python benchmarks/rerank.py --size small [--published python-version/re_ranking_ranklist.py] [--threads 1]

``--published`` is a file of zhunzhong07/person-re-ranking whose ``re_ranking(q_g_dist, q_q_dist, g_g_dist)``
is timed in turns with ours on the same embeddings; results must agree. It needs several N x N matrices, so
only the small size is practical.
"""

from __future__ import annotations

import argparse
import importlib.util
import statistics
import sys
import time
from pathlib import Path
from typing import Any

from evaluate import DIMENSION, SIZES, PeakMemory, limit_threads, make_case


def main() -> None:
    """Parse the command line, re-rank, print seconds and peak memory."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", choices=SIZES, default="small")
    parser.add_argument("--dimension", type=int, default=DIMENSION, help="embedding size")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1, help="threads of the matrix products")
    parser.add_argument("--published", type=Path, help="re_ranking_ranklist.py of the authors")
    options = parser.parse_args()
    limit_threads(options.threads)
    run(options)


def run(options: argparse.Namespace) -> None:
    """Time ours in blocks, then the published code if asked for."""
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    import numpy as np

    from reid_core.retrieval import iter_reranked_blocks

    case = make_case(*SIZES[options.size], options.dimension, options.seed)
    query, gallery = case["query"], case["gallery"]
    for _ in iter_reranked_blocks(query[:30], gallery[:60]):  # compile
        pass
    memory, extra = PeakMemory(), 0.0
    ours, theirs = [], []
    result = np.empty((len(query), len(gallery)) if options.published else (0, 0), dtype=np.float32)
    for _ in range(options.repeats):
        start, done = time.process_time(), 0
        for block in iter_reranked_blocks(query, gallery):
            if options.published:
                result[done : done + len(block)] = block
            done += len(block)
        ours.append(time.process_time() - start)
        extra = extra or memory.extra_gib()
        if options.published:
            start = time.process_time()
            expected = load(options.published).re_ranking(*euclidean_distances(query, gallery))
            theirs.append(time.process_time() - start)
            worst = float(np.abs(expected - result).max())
            if worst > 1e-3:
                raise SystemExit(f"Results differ by up to {worst:.2g}, so no time is worth printing.")
            print(f"largest difference to the published code: {worst:.1g}")
    size = f"{options.size} {SIZES[options.size]} x {options.dimension}"
    print(f"size {size}, {options.threads} thread(s), CPU time")
    print(f"ours       {statistics.median(ours):8.2f} s, {extra:.2f} GiB beyond the embeddings")
    if theirs:
        ratio = statistics.median(theirs) / statistics.median(ours)
        print(f"published  {statistics.median(theirs):8.2f} s, {ratio:.1f} times ours")


def load(path: Path) -> Any:
    """The module in a file, whatever its name."""
    specification = importlib.util.spec_from_file_location("published_re_ranking", path)
    if specification is None or specification.loader is None:
        raise SystemExit(f"{path} is not a Python file.")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def euclidean_distances(query: Any, gallery: Any) -> tuple[Any, Any, Any]:
    """Query-gallery, query-query and gallery-gallery distances of unit rows."""
    import numpy as np

    def between(a: Any, b: Any) -> Any:
        return np.sqrt(np.maximum(2 - 2 * (a @ b.T), 0))

    return between(query, gallery), between(query, query), between(gallery, gallery)


if __name__ == "__main__":
    main()
