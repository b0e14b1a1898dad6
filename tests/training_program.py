"""Stands in for ``reid train``: writes what a run folder holds.

Seed 1 fails, seed 2 waits for a file, the net of seed 13 is blind.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

STEPS = 4


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("command", choices=["train"])
    parser.add_argument("data", type=Path)
    parser.add_argument("--recipe", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--start-from", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--resume", action="store_true")
    args = parser.parse_args()
    assert (args.data / "manifest.csv").is_file()
    assert args.start_from.is_file()
    out: Path = args.out
    sys.stdout.write(f"training {'again' if args.resume else 'anew'}\n")
    first = 0
    if args.resume:
        first = len((out / "metrics.jsonl").read_text().splitlines())
    else:
        (out / "config.json").write_text(json.dumps({"steps": args.steps}))
    for step in range(first + 1, args.steps + 1):
        with (out / "metrics.jsonl").open("a") as file:
            file.write(json.dumps({"step": step, "identity_loss": 1.0 / step}) + "\n")
        sys.stderr.write(f"\rtraining:  50%|## | {step}/{args.steps} [00:01<00:01, 2.00step/s]")
        if args.seed == 1 and step == 2:
            sys.stderr.write("\nreid: the set is too small for the recipe\n")
            return 1
        while args.seed == 2 and step == 2 and not (out / "go").exists():
            time.sleep(0.05)
    (out / "interpolation.json").write_text(json.dumps({"alpha": 0.5}))
    name = "blind" if args.seed == 13 else args.recipe
    (out / "final.safetensors").write_bytes(f"{name} {args.seed} {args.steps}".encode())
    return 0


if __name__ == "__main__":
    sys.exit(main())
