"""Mean log-odds of every crop with every identity, kept up to date from one snapshot to the next.

An answer changes one or two identities. Only their rows are computed again, and only crops whose strongest
rival is touched look for a new one: 20,000 crops stay answerable within a fraction of a second. The table
needs 4 bytes per crop and identity (200 MB for 20,000 crops of 2,500 people).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from reid_core.annotation.evidence import FloatArray, IntArray, PairEvidence
from reid_core.annotation.snapshot import GraphSnapshot
from reid_core.errors import InputError

LEVEL_SHARE = 0.8
"""How much of an identity's own level is taken off before crops compare identities.

Without it, crops of people who look different every time fill the front of the queue. Demo city, 4 draws:
with 0.5, 85 instead of 73 percent of the mislabelled crops were among the first 8 percent.
"""
_LEVEL_PRIOR = 2
"""Crops of typical likeness that an identity's level is drawn towards."""
MAX_TABLE_BYTES = 1 << 30
"""Of the table at its start: 20,000 crops of 9,000 people, or 11,000 crops that nobody has labelled."""
_COLUMNS_AT_ONCE = 512
_SLOTS_AT_ONCE = 256
_SPARE_SLOTS = 64


class LikenessTable:
    """Rows are identities (in slots that are used again), columns are crops.

    Attributes, valid for the snapshot of the last ``update``:
        slot: (K,) where each identity of the snapshot is kept.
        own: (N,) mean log-odds of a crop with the others of its identity; NaN if it is alone.
        typical: Median of ``own`` at the first update: what two crops of one person usually reach.
        rival: (N,) the best mean with another identity that was not told apart from its own, less a share of
            that identity's level; -inf if there is none. ``rival_slot``: (N,) which one, or -1. A single crop
            is no rival: if it looks like an identity, it belongs there rather than the other way round.
        level: (S,) per slot, mean log-odds within it: low for people who look different every time.
        between: (S, S) mean log-odds of the crops of two identities.
    """

    def __init__(self, evidence: PairEvidence) -> None:
        number = len(evidence.ids)
        self.evidence = evidence
        self.slot: IntArray = np.empty(0, dtype=np.int64)
        self.own = np.full(number, np.nan)
        self.typical = 0.0
        self.is_typical_known = False
        self.rival = np.full(number, -np.inf)
        self.rival_slot: IntArray = np.full(number, -1, dtype=np.int64)
        self.level = np.zeros(0)
        self.between = np.zeros((0, 0), dtype=np.float32)
        self._scores = np.zeros((0, number), dtype=np.float32)
        self._is_used = np.zeros(0, dtype=np.bool_)
        self._is_rival = np.zeros(0, dtype=np.bool_)
        self._slot_of: dict[bytes, int] = {}
        self._apart: dict[int, frozenset[int]] = {}

    def update(self, snapshot: GraphSnapshot) -> None:
        """Move on to another snapshot of the same evidence.

        Raises:
            InputError: The first one has more identities than fit into ``MAX_TABLE_BYTES``.
        """
        if not self._is_used.size:
            self._check_size(len(snapshot.members))
        keys = [rows.tobytes() for rows in snapshot.members]
        for key in self._slot_of.keys() - set(keys):
            slot = self._slot_of.pop(key)
            self._is_used[slot] = self._is_rival[slot] = False
        new = [i for i, key in enumerate(keys) if key not in self._slot_of]
        self._make_room(len(new))
        for i, free in zip(new, np.flatnonzero(~self._is_used).tolist(), strict=False):
            self._slot_of[keys[i]] = free
            self._is_used[free] = True
            self._is_rival[free] = len(snapshot.members[i]) > 1
        self.slot = np.array([self._slot_of[key] for key in keys], dtype=np.int64)
        members = [snapshot.members[i] for i in new]
        self._measure_within(members, self.slot[new])
        self._measure_towards(members, self.slot[new])
        self._measure_between(members, self.slot[new])
        self._find_rivals(snapshot, self.slot[new])

    def _check_size(self, num_identities: int) -> None:
        needed = 4 * num_identities * (self.own.size + num_identities)
        if needed > MAX_TABLE_BYTES:
            raise InputError(
                f"{self.own.size:,} crops of {num_identities:,} identities are too many to choose questions "
                f"from at once: comparing them takes {needed / 2**30:.1f} GB of memory, and "
                f"{MAX_TABLE_BYTES / 2**30:.0f} GB is the limit. Select some of the images, for example on "
                "the Map, and review those."
            )

    def _make_room(self, number: int) -> None:
        missing = number - int(np.count_nonzero(~self._is_used))
        if missing <= 0:
            return
        extra = missing + _SPARE_SLOTS
        size = len(self._is_used) + extra
        self._scores = np.concatenate([self._scores, np.zeros((extra, self.own.size), dtype=np.float32)])
        between = np.zeros((size, size), dtype=np.float32)
        between[: len(self._is_used), : len(self._is_used)] = self.between
        self.between = between
        self.level = np.concatenate([self.level, np.zeros(extra)])
        self._is_used = np.concatenate([self._is_used, np.zeros(extra, dtype=np.bool_)])
        self._is_rival = np.concatenate([self._is_rival, np.zeros(extra, dtype=np.bool_)])

    def _measure_within(self, members: Sequence[IntArray], slots: IntArray) -> None:
        for rows in members:
            number = len(rows)
            block = self.evidence.log_odds(rows, rows)
            inner = block.sum(axis=1) - block.diagonal()
            self.own[rows] = inner / (number - 1) if number > 1 else np.nan
        if not self.is_typical_known:
            self.is_typical_known = True
            known = self.own[np.isfinite(self.own)]
            self.typical = float(np.median(known)) if known.size else 0.0
        for rows, slot in zip(members, slots, strict=True):
            self.level[slot] = self.level_of(self.own[rows])

    def level_of(self, own: FloatArray) -> float:
        """Of an identity with these mean log-odds of its crops; drawn to the typical one if they are few."""
        number = len(own) if len(own) > 1 else 0
        inner = float(own.sum()) if number else 0.0
        return (inner + _LEVEL_PRIOR * self.typical) / (number + _LEVEL_PRIOR)

    def _measure_towards(self, members: Sequence[IntArray], slots: IntArray) -> None:
        everyone = np.arange(self.own.size)
        sizes = np.array([len(rows) for rows in members], dtype=np.int64)
        batch = np.cumsum(sizes) // _COLUMNS_AT_ONCE
        for number in np.unique(batch):
            chosen = np.flatnonzero(batch == number).tolist()
            rows = np.concatenate([members[i] for i in chosen])
            starts = np.concatenate([[0], np.cumsum(sizes[chosen])[:-1]])
            sums = np.add.reduceat(self.evidence.log_odds_block(rows, everyone), starts, axis=0)
            means = sums / sizes[chosen][:, None] - LEVEL_SHARE * self.level[slots[chosen]][:, None]
            self._scores[slots[chosen]] = means

    def _measure_between(self, members: Sequence[IntArray], slots: IntArray) -> None:
        """Means of the rows that ``_measure_towards`` has filled over the crops of ``members``."""
        if not len(members):
            return
        rows = np.concatenate(members)
        sizes = np.array([len(r) for r in members])
        starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
        for start in range(0, len(self._scores), _SLOTS_AT_ONCE):
            part = slice(start, start + _SLOTS_AT_ONCE)
            across = np.add.reduceat(self._scores[part][:, rows], starts, axis=1) / sizes
            across += LEVEL_SHARE * self.level[part, None]
            self.between[part, slots] = across
            self.between[slots, part] = across.T

    def _find_rivals(self, snapshot: GraphSnapshot, new_slots: IntArray) -> None:
        apart = self._separations(snapshot)
        slot_of_crop = self.slot[snapshot.identity]
        is_new = np.zeros(len(self._is_used), dtype=np.bool_)
        is_new[new_slots] = True
        new = set(new_slots.tolist())
        changed = [
            # A slot that is used again stands for somebody else now.
            s
            for s in {*apart, *self._apart}
            if apart.get(s) != self._apart.get(s) or not new.isdisjoint(apart.get(s, ()))
        ]
        must_look = is_new.copy()
        must_look[changed] = True
        has_lost = (self.rival_slot >= 0) & (is_new | ~self._is_used)[self.rival_slot]
        self._apart = apart
        looking = must_look[slot_of_crop] | has_lost
        for slot in new_slots[self._is_rival[new_slots]]:
            scores = self._scores[slot]
            is_better = ~looking & (scores > self.rival)
            self.rival[is_better] = scores[is_better]
            self.rival_slot[is_better] = slot
        rows = np.flatnonzero(looking)
        for start in range(0, len(rows), _COLUMNS_AT_ONCE):
            self._look(rows[start : start + _COLUMNS_AT_ONCE], slot_of_crop)

    def _look(self, rows: IntArray, slot_of_crop: IntArray) -> None:
        scores = self.rival_scores(rows, slot_of_crop)
        place = scores.argmax(axis=0)
        best = scores[place, np.arange(len(rows))]
        self.rival[rows] = best
        self.rival_slot[rows] = np.where(np.isfinite(best), place, -1)

    def rival_scores(self, rows: IntArray, slot_of_crop: IntArray) -> NDArray[np.float32]:
        """(S, R) scores of all slots; -inf for a crop's own, those told apart from it, and those no rival."""
        scores = self._scores[:, rows]
        scores[~self._is_rival] = -np.inf
        scores[slot_of_crop[rows], np.arange(len(rows))] = -np.inf
        for column, slot in enumerate(slot_of_crop[rows]):
            if slot in self._apart:
                scores[list(self._apart[slot]), column] = -np.inf
        return scores

    def _separations(self, snapshot: GraphSnapshot) -> dict[int, frozenset[int]]:
        found: dict[int, set[int]] = {}
        for first, second in snapshot.apart:
            a, b = int(self.slot[first]), int(self.slot[second])
            found.setdefault(a, set()).add(b)
            found.setdefault(b, set()).add(a)
        return {slot: frozenset(others) for slot, others in found.items()}
