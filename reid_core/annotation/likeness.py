"""How much crops look like identities, and identities like each other, and what that says about labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np

from reid_core.annotation.chances import ErrorChance, log_odds, sigmoid
from reid_core.annotation.evidence import FloatArray, IntArray, PairEvidence
from reid_core.annotation.graph import DEFAULT_ACCURACY, DEFAULT_LABEL_ERROR
from reid_core.annotation.likeness_table import LEVEL_SHARE, LikenessTable
from reid_core.annotation.links import Link
from reid_core.annotation.planting import (
    MIN_SPLIT,
    margins_as_is,
    margins_of_planted,
    nearest_partners,
    pairs_as_is,
    pairs_of_planted,
    splits_of_planted,
    telling,
)
from reid_core.annotation.purity import Split, best_split
from reid_core.annotation.snapshot import GraphSnapshot

_WRONG_LABEL = ErrorChance.usual(slope=2.0, offset=0.0, prior=DEFAULT_LABEL_ERROR)
"""Of the margin by which another identity fits better; a mean over pairs is worth about two pairs."""
_ONE_PERSON = ErrorChance.usual(slope=3.0, offset=3.0, prior=0.03)
"""Of two identities and the nearest ones of a collection, by how far their likeness is below their own."""
_TWO_PEOPLE = ErrorChance.usual(slope=1.0, offset=-0.5, prior=0.02)
"""Of one identity, by its best split, in robust standard deviations above the median."""
_WORTH_ASKING = 0.002
"""Pairs of identities less likely one person than this are not offered."""
_ROWS_AT_ONCE = 512
_PURE_LOG_ODDS = log_odds(DEFAULT_ACCURACY)
_STRANGER = 2.0
"""How far below what is typical nobody known would be, in log-odds."""


class LikenessCache:
    """What is kept from one snapshot to the next: likeness, splits, and how errors look here.

    How errors look is measured once, at the first snapshot.
    """

    def __init__(self, evidence: PairEvidence) -> None:
        self.evidence = evidence
        self.table = LikenessTable(evidence)
        self._splits: dict[bytes, Split] = {}
        self._bridges: dict[str, tuple[int, tuple[Link, ...]]] = {}
        self._is_fitted = False
        self.wrong_label, self.one_person, self.two_people = _WRONG_LABEL, _ONE_PERSON, _TWO_PEOPLE
        self._split_centre, self._split_spread = 0.0, 1.0

    def update(self, snapshot: GraphSnapshot) -> None:
        """Move on to another snapshot."""
        self.table.update(snapshot)
        if not self._is_fitted:
            self._is_fitted = True
            self._fit(snapshot)

    @property
    def stranger(self) -> float:
        """The score of nobody known as a rival: what a crop of its identity rarely falls below."""
        return (1 - LEVEL_SHARE) * self.table.typical - _STRANGER

    def split(self, rows: IntArray) -> Split:
        """The best two-way split of an identity of at least two crops."""
        key = rows.tobytes()
        if key not in self._splits:
            self._splits[key] = best_split(self.evidence.log_odds(rows, rows))
        return self._splits[key]

    def bridges(self, snapshot: GraphSnapshot, identity: int) -> tuple[Link, ...]:
        """The bridges of an identity; searched again only when something was decided about it."""
        crop = snapshot.evidence.ids[snapshot.members[identity][0]]
        revision = snapshot.graph.revision(crop)
        known = self._bridges.get(crop)
        if known is None or known[0] != revision:
            known = self._bridges[crop] = revision, snapshot.graph.bridges(crop)
        return known[1]

    def chance_of_two(self, splits: Sequence[Split]) -> FloatArray:
        """That identities with these splits hold two people; a single stray crop makes no second person."""
        measure = (telling(splits) - self._split_centre) / self._split_spread
        return np.where(np.isfinite(measure), self.two_people.chance(np.nan_to_num(measure)), 0.0)

    def _fit(self, snapshot: GraphSnapshot) -> None:
        table, stranger = self.table, self.stranger
        self.wrong_label = _WRONG_LABEL.fitted(
            margins_as_is(table, snapshot, stranger), margins_of_planted(table, snapshot, stranger)
        )
        partners = nearest_partners(table, snapshot)
        self.one_person = _ONE_PERSON.fitted(pairs_as_is(table, partners), pairs_of_planted(table, snapshot))
        as_is = telling([self.split(rows) for rows in snapshot.members if len(rows) >= MIN_SPLIT])
        known = as_is[np.isfinite(as_is)]
        if known.size:
            self._split_centre = float(np.median(known))
            self._split_spread = 1.4826 * float(np.median(np.abs(known - self._split_centre))) + 1e-9
        planted = splits_of_planted(table, snapshot, partners)
        self.two_people = _TWO_PEOPLE.fitted(
            (as_is - self._split_centre) / self._split_spread,
            (planted - self._split_centre) / self._split_spread,
        )


class IdentityLikeness:
    """Likeness in one snapshot; of several, only the newest may be read.

    Attributes:
        own: (N,) mean log-odds of a crop with the others of its identity; NaN if it is alone.
        rival, rival_identity: The best mean with another identity that was not told apart from its own, less
            a share of that identity's level; -inf and -1 if there is none.
    """

    def __init__(self, snapshot: GraphSnapshot, cache: LikenessCache) -> None:
        self.snapshot = snapshot
        self._cache = cache
        cache.update(snapshot)
        table = cache.table
        self.own = table.own.copy()
        self.rival = table.rival.copy()
        identity_of_slot = np.full(len(table.level) + 1, -1, dtype=np.int64)
        identity_of_slot[table.slot] = np.arange(len(table.slot))
        self.rival_identity: IntArray = identity_of_slot[table.rival_slot]
        self._levels = table.level[table.slot]
        self._between = table.between

    @property
    def typical_within(self) -> float:
        """What two crops of one person usually reach, in log-odds."""
        return self._cache.table.typical

    def doubt(self) -> FloatArray:
        """(N,) chance that a crop does not belong to its identity; 0 where nothing is left to ask."""
        return self._doubt

    @cached_property
    def _doubt(self) -> FloatArray:
        """The better of two rivals counts: the best other identity, and nobody known.

        That a crop looks like another identity is no sign of a wrong label if both identities are likely
        one person: then they should be joined.
        """
        snapshot = self.snapshot
        own = np.nan_to_num(self.own, nan=np.inf) - LEVEL_SHARE * self._levels[snapshot.identity]
        evidence = self._cache.wrong_label.log_odds(np.maximum(self.rival, self._cache.stranger) - own)
        if snapshot.seen_pure:
            evidence[np.isin(snapshot.identity, list(snapshot.seen_pure))] -= _PURE_LOG_ODDS
        chance = sigmoid(evidence)
        has_rival = self.rival_identity >= 0
        pairs = np.stack([snapshot.identity, self.rival_identity], axis=1)[has_rival]
        chance[has_rival] *= 1.0 - self.chance_of_one_person(pairs)
        sizes = np.bincount(snapshot.proven, minlength=len(snapshot.proven))[snapshot.proven]
        chance[(sizes > 1) | ~np.isfinite(self.own)] = 0.0
        return chance

    def reference_for(self, row: int) -> int | None:
        """The most typical other crop of its identity to show beside a crop; None if nothing is open.

        A crop that a judgement holds in its identity is settled.
        """
        snapshot = self.snapshot
        rows = snapshot.members[int(snapshot.identity[row])]
        if len(rows) < 2 or np.count_nonzero(snapshot.proven[rows] == snapshot.proven[row]) > 1:
            return None
        for other in rows[np.argsort(-self.own[rows], kind="stable")]:
            if other != row and not snapshot.was_asked(row, int(other)):
                return int(other)
        return None

    def rival_crop(self, row: int) -> int | None:
        """The most typical crop of the strongest other identity."""
        other = int(self.rival_identity[row])
        return None if other < 0 else self.medoid(other)

    def medoid(self, identity: int) -> int:
        """The crop with the highest mean log-odds to the others of its identity."""
        rows = self.snapshot.members[identity]
        return int(rows[int(np.argmax(np.nan_to_num(self.own[rows])))])

    def open_pairs(self) -> IntArray:
        """(M, 2) pairs of identities that nobody told apart and that could be one person."""
        slots = self._cache.table.slot
        least = self._cache.one_person.measure_at(_WORTH_ASKING)
        found = []
        for start in range(0, len(slots), _ROWS_AT_ONCE):
            rows = slots[start : start + _ROWS_AT_ONCE]
            below = self._between[rows][:, slots]
            below -= 0.5 * self._levels[start : start + _ROWS_AT_ONCE, None].astype(np.float32)
            first, second = np.nonzero(below >= (least + 0.5 * self._levels).astype(np.float32))
            found.append(np.stack([first + start, second], axis=1))
        pairs = np.concatenate(found) if found else np.empty((0, 2), dtype=np.int64)
        pairs = pairs[pairs[:, 0] < pairs[:, 1]]
        kept: IntArray = pairs[~self.snapshot.are_apart(pairs[:, 0], pairs[:, 1])]
        return kept

    def chance_of_one_person(self, pairs: IntArray) -> FloatArray:
        """(M,) chance that two identities are one: their mean log-odds beside those within them."""
        slots = self._cache.table.slot
        across = self._between[slots[pairs[:, 0]], slots[pairs[:, 1]]].astype(np.float64)
        return self._cache.one_person.chance(across - self._levels[pairs].mean(axis=1))

    def split(self, identity: int) -> Split:
        """The best two-way split of an identity of at least two crops."""
        return self._cache.split(self.snapshot.members[identity])

    def chance_of_two(self, splits: Sequence[Split]) -> FloatArray:
        """(M,) chance that identities with these splits hold two people."""
        return self._cache.chance_of_two(splits)

    def bridged(self) -> list[int]:
        """Identities that judgements joined from several labels or fragments, ascending."""
        snapshot = self.snapshot
        joined = {
            int(snapshot.identity[snapshot.evidence.row[crop]])
            for link in snapshot.links
            for crop in (link.left, link.right)
            if crop in snapshot.evidence.row
        }
        return sorted(
            i for i in joined if len(snapshot.graph.pids(snapshot.evidence.ids[snapshot.members[i][0]])) > 1
        )

    def bridges(self, identity: int) -> tuple[Link, ...]:
        """Judgements without which an identity would fall apart into parts that both hold a crop."""
        return self._cache.bridges(self.snapshot, identity)

    def sides_of(self, identity: int, link: Link) -> tuple[IntArray, IntArray]:
        """The crops on both sides of a bridge of an identity."""
        left, right = self.snapshot.graph.sides(link)
        row = self.snapshot.evidence.row
        return (
            np.array(sorted(row[c] for c in left), dtype=np.int64),
            np.array(sorted(row[c] for c in right), dtype=np.int64),
        )

    def typical_pair(
        self, left: IntArray, right: IntArray, *, is_allowed: Callable[[int, int], bool]
    ) -> tuple[int, int] | None:
        """The most typical crop of each of two sets, next ones if they are settled; None if all are."""
        for a, b in _by_rank(self._typical_first(left), self._typical_first(right)):
            if is_allowed(a, b):
                return a, b
        return None

    def _typical_first(self, rows: IntArray) -> list[int]:
        block = self.snapshot.evidence.log_odds(rows, rows)
        inner = block.sum(axis=1) - block.diagonal()
        return [int(r) for r in rows[np.argsort(-inner, kind="stable")]]


def _by_rank(left: Sequence[int], right: Sequence[int]) -> list[tuple[int, int]]:
    """Pairs of the first three of each, the sum of ranks ascending."""
    ranked = [(i + j, a, b) for i, a in enumerate(left[:3]) for j, b in enumerate(right[:3])]
    return [(a, b) for _, a, b in sorted(ranked, key=lambda entry: entry[0])]
