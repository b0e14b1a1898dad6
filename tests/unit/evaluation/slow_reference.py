"""An evaluator as plain as possible: sort each row, walk down it. Ours must equal it on every case."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from reid_core.evaluation import Protocol


@dataclass(frozen=True)
class SlowScore:
    cmc: list[float]
    mean_ap: float
    mean_inp: float
    num_unmatched: int
    first_ranks: list[int]
    best_false: list[int]


def order_of(row: Any, is_match: list[bool], kept: list[int], ties: str) -> list[int]:
    """Kept gallery positions from first to last."""
    tie_key = {
        "stable": lambda j: j,
        "reversed": lambda j: -j,
        "optimistic": lambda j: 0 if is_match[j] else 1,
        "pessimistic": lambda j: 1 if is_match[j] else 0,
    }[ties]
    return sorted(kept, key=lambda j: (row[j], tie_key(j)))


def average_precision(flags: list[bool], rule: str) -> float:
    hits, total = 0, 0.0
    previous = 1.0
    for rank, flag in enumerate(flags, start=1):
        hits += flag
        precision = hits / rank
        if flag:
            total += precision if rule == "step" else (previous + precision) / 2
        previous = precision
    return total / hits


def evaluate_slowly(
    distances: Any, query_pids: Any, gallery_pids: Any, query_camids: Any, gallery_camids: Any,
    *, protocol: Protocol, max_rank: int,
) -> SlowScore | None:  # fmt: skip
    length = min(max_rank, len(gallery_pids))
    curve = [0.0] * length
    aps: list[float] = []
    inps: list[float] = []
    first_ranks: list[int] = []
    best_false: list[int] = []
    unmatched = 0
    for i, row in enumerate(distances):
        kept = []
        for j in range(len(gallery_pids)):
            same_pid, same_cam = gallery_pids[j] == query_pids[i], gallery_camids[j] == query_camids[i]
            if protocol.junk == "drop" and gallery_pids[j] == -1:
                continue
            if protocol.distractors == "drop" and gallery_pids[j] == 0:
                continue
            if protocol.same_camera == "drop_same_identity" and same_pid and same_cam:
                continue
            if protocol.same_camera == "drop_camera" and same_cam:
                continue
            kept.append(j)
        is_match = [pid == query_pids[i] for pid in gallery_pids]
        order = order_of(row, is_match, kept, protocol.ties)
        flags = [bool(is_match[j]) for j in order]
        falses = [j for j in order if not is_match[j]]
        closest = [j for j in falses if row[j] == row[falses[0]]]
        best_false.append((max(closest) if protocol.ties == "reversed" else min(closest)) if falses else -1)
        if not any(flags):
            unmatched += 1
            first_ranks.append(-1)
            continue
        first = flags.index(True) + 1
        last = len(flags) - flags[::-1].index(True)
        first_ranks.append(first)
        aps.append(average_precision(flags, protocol.ap))
        inps.append(sum(flags) / last)
        for k in range(length):
            curve[k] += first <= k + 1
    counted = len(aps) if protocol.unmatched == "skip" else len(distances)
    if not aps:
        return None
    return SlowScore(
        cmc=[value / counted for value in curve],
        mean_ap=sum(aps) / counted,
        mean_inp=sum(inps) / counted,
        num_unmatched=unmatched,
        first_ranks=first_ranks,
        best_false=best_false,
    )
