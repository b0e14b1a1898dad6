"""Nobody is trained on and tested on. What touches both stops a snapshot until a person chooses a way out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from reid_core.errors import DatasetError, InputError
from reid_core.retraining.records import CropRow, Resolution, WayOut

Tie = Literal["identity", "label", "picture"]
"""How training and evaluation touch: one identity of the graph, one base label, or one file's content."""
WAYS_OUT: tuple[tuple[WayOut, str], ...] = (
    ("evaluation", "Move the whole identity to evaluation: its training crops become gallery crops."),
    ("drop", "Drop its training crops: they are not used at all, evaluation stays as it is."),
    ("override", "Train on it all the same, with a reason that stays on record."),
)
_MAX_SHOWN = 12


@dataclass(frozen=True, slots=True)
class Leak:
    """An identity that trains and touches evaluation.

    Attributes:
        key: Names it in a ``Resolution``; the same as long as the judgements and labels are.
        pid: Its number after the corrections.
        ties: How it touches.
        where: The pools it touches: feedback, locked.
        training, evaluation: Crops that touch, sorted, at most 12 a side. ``num_training``: all crops that
            the identity trains with; ``num_evaluation``: all that it touches.
        sentence: For a person.
    """

    key: str
    pid: int
    ties: tuple[Tie, ...]
    where: tuple[Literal["feedback", "locked"], ...]
    training: tuple[str, ...]
    evaluation: tuple[str, ...]
    num_training: int
    num_evaluation: int
    sentence: str


class LeakError(DatasetError):
    """Identities are in training and in evaluation; ``leaks`` lists them for a page to ask about."""

    def __init__(self, leaks: Sequence[Leak]) -> None:
        self.leaks = tuple(leaks)
        first = self.leaks[0]
        more = f" and {len(self.leaks) - 1} more" if len(self.leaks) > 1 else ""
        super().__init__(
            f"Nothing was frozen: {first.sentence}{more} Scores on it would be too good. For each, move the "
            "whole identity to evaluation, drop it from training, or override with a reason."
        )


def find_leaks(rows: Iterable[CropRow]) -> tuple[Leak, ...]:
    """Every identity whose training crops share a number, a base label or a content with evaluation crops.

    Args:
        rows: All crops with what becomes of them; ``pid`` is the number after the corrections.
    """
    training = [row for row in rows if row.use == "train"]
    tested = [row for row in rows if row.use in ("evaluation", "locked")]
    by_pid, by_label, by_content = (_grouped(tested, key) for key in ("pid", "base_pid", "sha256"))
    of_identity: dict[int, list[CropRow]] = defaultdict(list)
    for row in training:
        if row.pid is not None:
            of_identity[row.pid].append(row)
    leaks = []
    for pid, crops in sorted(of_identity.items()):
        touched: dict[Tie, list[CropRow]] = {
            "identity": by_pid.get(pid, []),
            "label": [hit for label in {c.base_pid for c in crops} for hit in by_label.get(label, [])],
            "picture": [hit for row in crops for hit in by_content.get(row.sha256, [])],
        }
        # Parts of one label that judgements told apart are different people; nobody judged the locked test.
        touched["label"] = [hit for hit in touched["label"] if hit.pool == "locked" or hit.pid == pid]
        if any(touched.values()):
            leaks.append(_describe(pid, crops, touched))
    return tuple(leaks)


def apply_resolutions(
    rows: Sequence[CropRow], resolutions: Sequence[Resolution]
) -> tuple[tuple[CropRow, ...], tuple[Resolution, ...]]:
    """Close leaks; returns the rows and the resolutions that were needed, by key.

    A leak that another one's way out opens is looked for again.

    Raises:
        LeakError: Leaks are left.
        InputError: A key is resolved twice.
    """
    chosen = {resolution.key: resolution for resolution in resolutions}
    if len(chosen) != len(resolutions):
        raise InputError("A leak was resolved twice; choose one way out for each.")
    used: dict[str, Resolution] = {}
    current = tuple(rows)
    while True:
        leaks = [leak for leak in find_leaks(current) if leak.key not in used]
        known = [leak for leak in leaks if leak.key in chosen]
        if not known:
            if leaks:
                raise LeakError(leaks)
            return current, tuple(used[key] for key in sorted(used))
        for leak in known:
            used[leak.key] = chosen[leak.key]
            current = tuple(_close(row, leak, chosen[leak.key]) for row in current)


def _close(row: CropRow, leak: Leak, resolution: Resolution) -> CropRow:
    if row.use != "train" or row.pid != leak.pid or resolution.way_out == "override":
        return row
    if resolution.way_out == "drop":
        return replace(row, use="dropped", reason="dropped from training to close a leak")
    if "locked" in leak.where:
        return replace(row, use="withheld", reason="belongs to a person of the locked test")
    return replace(row, use="evaluation", reason="moved to evaluation to close a leak")


def _grouped(rows: Iterable[CropRow], key: str) -> Mapping[object, list[CropRow]]:
    found: dict[object, list[CropRow]] = defaultdict(list)
    for row in rows:
        value = getattr(row, key)
        if key == "sha256" or (value is not None and value > 0):
            found[value].append(row)
    return found


def _describe(pid: int, crops: Sequence[CropRow], touched: Mapping[Tie, Sequence[CropRow]]) -> Leak:
    hits = {row.image_id: row for rows in touched.values() for row in rows}
    ties = tuple(tie for tie, rows in touched.items() if rows)
    pools = {"locked" if row.use == "locked" else "feedback" for row in hits.values()}
    shared = {row.sha256 for row in touched["picture"]}
    is_copied = ties == ("picture",)
    training = sorted(row.image_id for row in crops if not is_copied or row.sha256 in shared)
    tested = sorted(hits)
    words = {"identity": "one identity", "label": "one label", "picture": "the same picture"}
    how = " and ".join(words[tie] for tie in ties)
    names = " and the ".join("locked test" if pool == "locked" else "feedback test" for pool in sorted(pools))
    also = f", {len(training)} of them a copy, and is in" if is_copied else " and is in"
    return Leak(
        key=f"identity:{pid}",
        pid=pid,
        ties=ties,
        where=tuple(pool for pool in ("feedback", "locked") if pool in pools),
        training=tuple(training[:_MAX_SHOWN]),
        evaluation=tuple(tested[:_MAX_SHOWN]),
        num_training=len(crops),
        num_evaluation=len(tested),
        sentence=(
            f"identity {pid} trains with {_crops(len(crops))}{also} the {names} with {_crops(len(tested))} "
            f"({how}; for instance {training[0]} and {tested[0]})."
        ),
    )


def _crops(number: int) -> str:
    return "1 crop" if number == 1 else f"{number} crops"
