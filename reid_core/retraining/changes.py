"""What a snapshot changes, in words, and what differs between two."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from reid_core.errors import InputError
from reid_core.retraining.records import CropRow, Triplet
from reid_core.retraining.snapshot import TrainingSnapshot
from reid_core.types import DISTRACTOR_PID

_MAX_LISTED = 200


@dataclass(frozen=True, slots=True)
class Changes:
    """Counts of what judgements changed against the base labels.

    ``num_relabelled`` crops have another number than they came with; ``num_merged`` numbers went up in
    others, ``num_split`` numbers are now carried by several people, ``num_named`` crops of nobody became
    somebody's; ``num_violations`` triplets are in the wrong order under the model.
    """

    num_relabelled: int
    num_merged: int
    num_split: int
    num_named: int
    num_confirmed_same: int
    num_confirmed_negatives: int
    num_hard_negatives: int
    num_triplets: int
    num_violations: int
    num_quarantined: int
    num_trained_identities: int
    num_trained_feedback: int

    @property
    def headline(self) -> str:
        """One line: "12 crops relabelled, 3 identities merged, 140 confirmed negatives"."""
        parts = [
            _count(self.num_relabelled, "crop relabelled", "crops relabelled"),
            _count(self.num_named, "nameless crop given an identity", "nameless crops given an identity"),
            _count(self.num_merged, "identity merged", "identities merged"),
            _count(self.num_split, "identity split", "identities split"),
            _count(self.num_confirmed_negatives, "confirmed negative", "confirmed negatives"),
            _count(self.num_quarantined, "crop in quarantine", "crops in quarantine"),
        ]
        return ", ".join(part for part in parts if part) or "nothing changed against the base labels"


@dataclass(frozen=True, slots=True)
class CropChange:
    """A crop that differs between two snapshots; None where the snapshot does not hold it."""

    image_id: str
    before: tuple[int | None, str] | None
    after: tuple[int | None, str] | None


@dataclass(frozen=True, slots=True)
class SnapshotDiff:
    """From ``before`` to ``after``. ``crops`` have another identity or use; pairs are named by their ends.

    Numbers that both snapshots made up for new people are compared by who carries them, not by value.
    """

    before: str
    after: str
    inputs: tuple[str, ...]
    crops: tuple[CropChange, ...]
    constraints_added: tuple[tuple[str, str, str], ...]
    constraints_removed: tuple[tuple[str, str, str], ...]
    num_triplets: tuple[int, int]
    num_violations: tuple[int, int]

    @property
    def is_empty(self) -> bool:
        """Whether both are the same set."""
        return self.before == self.after

    def to_text(self) -> str:
        """For a person."""
        if self.is_empty:
            return "The two snapshots are the same set."
        lines = [f"{self.before[:12]} -> {self.after[:12]}", *self.inputs]
        lines.append(f"{_count(len(self.crops), 'crop differs', 'crops differ') or 'no crop differs'}")
        for change in self.crops[:_MAX_LISTED]:
            lines.append(f"  {change.image_id}: {_state(change.before)} -> {_state(change.after)}")
        if len(self.crops) > _MAX_LISTED:
            lines.append(f"  and {len(self.crops) - _MAX_LISTED:,} more")
        for sign, pairs in (("+", self.constraints_added), ("-", self.constraints_removed)):
            lines += [f"{sign} {kind} {left} | {right}" for left, right, kind in pairs[:_MAX_LISTED]]
        lines.append(
            f"triplets {self.num_triplets[0]} -> {self.num_triplets[1]}, in the wrong order "
            f"{self.num_violations[0]} -> {self.num_violations[1]}"
        )
        return "\n".join(lines)


def changes_of(snapshot: TrainingSnapshot) -> Changes:
    """Count what the judgements changed."""
    open_rows = [row for row in snapshot.crops if row.use != "locked"]
    carriers = Counter(pid for identity in snapshot.identities for pid in identity.base_pids)
    kinds = Counter(pair.kind for pair in snapshot.constraints)
    return Changes(
        num_relabelled=sum(_is_named(row.base_pid) and row.pid != row.base_pid for row in open_rows),
        num_merged=len(snapshot.aliases),
        num_split=sum(count > 1 for count in carriers.values()),
        num_named=sum(not _is_named(row.base_pid) and _is_named(row.pid) for row in open_rows),
        num_confirmed_same=kinds["must"],
        num_confirmed_negatives=kinds["cannot"],
        num_hard_negatives=len(snapshot.hard_negatives),
        num_triplets=len(snapshot.triplets),
        num_violations=_num_wrong(snapshot.triplets),
        num_quarantined=len(snapshot.quarantined()),
        num_trained_identities=len({row.pid for row in snapshot.used("train")}),
        num_trained_feedback=len({row.pid for row in snapshot.used("train") if row.pool == "feedback"}),
    )


def changelog(snapshot: TrainingSnapshot, *, name: str = "") -> str:
    """The snapshot for a reader, as Markdown: counts first, then every relabelled crop and every wait."""
    changes, key, counts = changes_of(snapshot), snapshot.key, snapshot.counts()
    trained = changes.num_trained_identities
    lines = [
        f"# {name or 'Training set'} ({snapshot.hash[:12]})",
        "",
        f"{changes.headline[0].upper()}{changes.headline[1:]}.",
        "",
        f"- Base data set: {key.base_name}, {key.base_hash[:12]}; decisions up to position "
        f"{key.log_position}; model {key.fingerprint[:12] or 'none'}; rules version {key.rules.version}.",
        f"- {counts['base'] + counts['feedback']:,} crops of {trained:,} identities train: "
        f"{counts['base']:,} of the base training pool (replay) and {counts['feedback']:,} of "
        f"{changes.num_trained_feedback:,} corrected feedback identities.",
        f"- {changes.num_confirmed_same:,} pairs judged the same, {changes.num_confirmed_negatives:,} judged "
        f"different, of which {changes.num_hard_negatives:,} directions are hard for the model.",
        f"- {changes.num_triplets:,} triplets, {changes.num_violations:,} of them in the wrong order.",
        f"- {counts.get('evaluation', 0):,} feedback crops stay for early stopping, "
        f"{counts.get('locked', 0):,} are in the locked test.",
    ]
    lines += _section("Relabelled", [_relabelled(row) for row in snapshot.crops if _is_changed(row)])
    lines += _section(
        "Numbers that are retired", [f"{old} is now {new}" for old, new in snapshot.aliases.items()]
    )
    lines += _section(
        "Quarantine", [f"{row.image_id} (identity {row.pid}): {row.reason}" for row in snapshot.quarantined()]
    )
    lines += _section(
        "Leaks and what was done",
        [f"{r.key}: {r.way_out}{f', because: {r.reason}' if r.reason else ''}" for r in snapshot.resolutions],
    )
    return "\n".join(lines) + "\n"


def diff_snapshots(before: TrainingSnapshot, after: TrainingSnapshot) -> SnapshotDiff:
    """What differs, crop by crop and pair by pair.

    Raises:
        InputError: They are of data sets that share no crop.
    """
    if before.crops and after.crops and not before.by_id.keys() & after.by_id.keys():
        raise InputError(
            f"The snapshots are of {before.key.base_name!r} and {after.key.base_name!r}, which share "
            "no crop. Compare two of one data set."
        )
    names_before, names_after = _stable_names(before), _stable_names(after)
    changed = []
    for image_id in sorted(before.by_id.keys() | after.by_id.keys()):
        old, new = before.by_id.get(image_id), after.by_id.get(image_id)
        key_old = None if old is None else (names_before.get(old.pid, old.pid), old.use)
        key_new = None if new is None else (names_after.get(new.pid, new.pid), new.use)
        if key_old != key_new:
            changed.append(
                CropChange(
                    image_id,
                    None if old is None else (old.pid, old.use),
                    None if new is None else (new.pid, new.use),
                )
            )
    pairs_before, pairs_after = (
        {(pair.left, pair.right, pair.kind) for pair in snapshot.constraints} for snapshot in (before, after)
    )
    return SnapshotDiff(
        before=before.hash,
        after=after.hash,
        inputs=tuple(_inputs(before, after)),
        crops=tuple(changed),
        constraints_added=tuple(sorted(pairs_after - pairs_before)),
        constraints_removed=tuple(sorted(pairs_before - pairs_after)),
        num_triplets=(len(before.triplets), len(after.triplets)),
        num_violations=(_num_wrong(before.triplets), _num_wrong(after.triplets)),
    )


def _inputs(before: TrainingSnapshot, after: TrainingSnapshot) -> list[str]:
    old, new = before.key, after.key
    named = [
        ("base data set", old.base_hash[:12], new.base_hash[:12]),
        ("decisions", f"position {old.log_position}", f"position {new.log_position}"),
        ("model", old.fingerprint[:12] or "none", new.fingerprint[:12] or "none"),
        ("rules", str(old.rules), str(new.rules)),
    ]
    lines = [f"{what}: {a} -> {b}" for what, a, b in named if a != b]
    if old.log_position == new.log_position and old.log_hash != new.log_hash:
        lines.append("decisions: two different logs of equal length")
    if before.resolutions != after.resolutions:
        lines.append("leaks were closed in other ways")
    return lines


def _stable_names(snapshot: TrainingSnapshot) -> dict[int | None, str]:
    """For numbers that no base label carries: the first crop of who has it."""
    labels = {row.base_pid for row in snapshot.crops}
    names: dict[int | None, str] = {}
    for row in snapshot.crops:
        if row.pid is not None and row.pid not in labels:
            names.setdefault(row.pid, row.image_id)
    return names


def _is_named(pid: int | None) -> bool:
    return pid is not None and pid > DISTRACTOR_PID


def _is_changed(row: CropRow) -> bool:
    return row.use != "locked" and row.pid != row.base_pid


def _relabelled(row: CropRow) -> str:
    return f"{row.image_id}: {'unknown' if row.base_pid is None else row.base_pid} -> {row.pid}"


def _num_wrong(triplets: tuple[Triplet, ...]) -> int:
    return sum(triplet.violation > 0 for triplet in triplets)


def _section(title: str, lines: list[str]) -> list[str]:
    if not lines:
        return []
    shown = [f"- {line}" for line in lines[:_MAX_LISTED]]
    rest = [f"- and {len(lines) - _MAX_LISTED:,} more"] if len(lines) > _MAX_LISTED else []
    return ["", f"## {title}", "", *shown, *rest]


def _state(value: tuple[int | None, str] | None) -> str:
    return "absent" if value is None else f"{'unknown' if value[0] is None else value[0]} ({value[1]})"


def _count(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}" if number else ""
