"""What an explanation costs beside a plain forward pass, and which maps stand the deletion test.

Timing: a plain pass, the same pass traced, and a pair's full explanation, in turns within one process; the
least CPU time of the repeats counts, because other work on the machine only ever adds to it. Faithfulness,
with ``--pairs``: pairs of the shipped demo city and the shipped network; per block, how much faster than
random orders the map's order moves the cosine when cells are covered and when they are uncovered (area
between the curves).
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Callable

import numpy as np
import torch

from reid_core.assets import DEMO_CITY, asset_path
from reid_core.explain.faithfulness import check_places
from reid_core.explain.records import PLACES, MapChoice
from reid_core.explain.streams import trace_pair
from reid_core.images import read_image
from reid_core.models import Embedder, build_osnet

VARIANTS = ("osnet_x1_0", "osnet_ibn_x1_0", "osnet_ain_x1_0", "osnet_x0_25")
SIZES = {"small": (128, 64), "full": (256, 128)}


def time_variant(variant: str, size: tuple[int, int], repeats: int, seed: int) -> dict[str, float]:
    """Least CPU seconds, and least wall seconds of the explanation, for two crops."""
    torch.manual_seed(seed)
    model = build_osnet(variant).eval()
    images = torch.randn(2, 3, *size)

    def plain() -> None:
        with torch.inference_mode():
            model.embed(images)

    def traced() -> None:
        with torch.inference_mode():
            model.trace(images)

    def explained() -> None:
        trace_pair(model, images)

    steps: dict[str, Callable[[], None]] = {"plain": plain, "traced": traced, "explained": explained}
    least = {**dict.fromkeys(steps, np.inf), "wall": np.inf}
    for _ in range(repeats + 1):
        for name, step in steps.items():
            cpu, wall = time.process_time(), time.perf_counter()
            step()
            least[name] = min(least[name], time.process_time() - cpu)
            if name == "explained":
                least["wall"] = min(least["wall"], time.perf_counter() - wall)
    return {name: float(value) for name, value in least.items()}


def measure_faithfulness(num_pairs: int, seed: int) -> dict[str, dict[str, float]]:
    """Mean gains over random orders and the share of pairs with a gain, per block."""
    embedder = Embedder("demo", engine="torch")
    queries, gallery = (
        sorted(asset_path(f"{DEMO_CITY}/{split}").glob("*.jpg")) for split in ("query", "gallery")
    )
    rng = random.Random(seed)
    gains: dict[str, list[tuple[float, float]]] = {place: [] for place in PLACES}
    for number in range(num_pairs):
        query = rng.choice(queries)
        same = [crop for crop in gallery if crop.name[:4] == query.name[:4]]
        other = rng.choice(same if number % 2 and same else gallery)
        pixels = np.stack([embedder.preprocessing.resize(read_image(path)) for path in (query, other)])
        images = torch.from_numpy(embedder.preprocessing.normalise(pixels))
        explanation = trace_pair(embedder.model, images)
        for place in PLACES:
            importance = explanation.map(0, MapChoice("evidence", place, 0))
            with torch.inference_mode():
                check = check_places(embedder.model.embed, images[0], explanation.crops[1].vector, importance)
            deletion = np.mean([curve.area for curve in check.random_deletion]) - check.deletion.area
            insertion = check.insertion.area - np.mean([curve.area for curve in check.random_insertion])
            gains[place].append((float(deletion), float(insertion)))
    return {
        place: {
            "deletion": round(float(np.mean([gain[0] for gain in found])), 4),
            "insertion": round(float(np.mean([gain[1] for gain in found])), 4),
            "both_better": round(float(np.mean([min(gain) > 0 for gain in found])), 3),
        }
        for place, found in gains.items()
    }


def main() -> None:
    """Print tables and, last, one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", choices=SIZES, default="full", help="input of the timed networks")
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--pairs", type=int, default=0, help="pairs for the faithfulness table; 0 leaves it out"
    )
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    result: dict[str, object] = {"threads": arguments.threads, "size": SIZES[arguments.size]}
    print(
        f"{'2 crops, CPU s':16}{'plain':>9}{'traced':>9}{'ratio':>7}{'explained':>11}{'ratio':>7}"
        f"{'wall s':>8}"
    )
    for variant in VARIANTS:
        least = time_variant(variant, SIZES[arguments.size], arguments.repeats, arguments.seed)
        traced, explained = least["traced"] / least["plain"], least["explained"] / least["plain"]
        print(
            f"{variant:16}{least['plain']:9.3f}{least['traced']:9.3f}{traced:7.2f}{least['explained']:11.3f}"
            f"{explained:7.2f}{least['wall']:8.3f}"
        )
        result[variant] = {name: round(value, 4) for name, value in least.items()}
    if arguments.pairs:
        result["faithfulness"] = found = measure_faithfulness(arguments.pairs, arguments.seed)
        print(f"{arguments.pairs} pairs, evidence; gain over random orders")
        for place, gains in found.items():
            print(f"{place:10}" + "".join(f"{name} {value:+.3f}  " for name, value in gains.items()))
    print(json.dumps(result))


if __name__ == "__main__":
    main()
