"""Errors planted into a collection in thought, and how they would look beside its labels as they are.

Every measure here rises with how much something looks like an error. Nothing of the collection is changed.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from reid_core.annotation.evidence import FloatArray, IntArray
from reid_core.annotation.likeness_table import LEVEL_SHARE, LikenessTable
from reid_core.annotation.purity import Split, best_split
from reid_core.annotation.snapshot import GraphSnapshot
from reid_core.seeds import rng_for

_MAX_CROPS = 4_000
_MAX_IDENTITIES = 400
"""Cases of each kind that are looked at; more would only take longer."""
_MIN_CUT = 4
"""Crops that an identity needs to be cut in two."""
MIN_SPLIT = 3
"""Crops that an identity needs to be asked on a contact sheet."""


def margins_as_is(table: LikenessTable, snapshot: GraphSnapshot, stranger: float) -> FloatArray:
    """Per crop that is not alone, by how much another identity, or ``stranger``, fits better than its own."""
    own = table.own - LEVEL_SHARE * table.level[table.slot[snapshot.identity]]
    margins: FloatArray = (np.maximum(table.rival, stranger) - own)[np.isfinite(table.own)]
    return margins


def margins_of_planted(table: LikenessTable, snapshot: GraphSnapshot, stranger: float) -> FloatArray:
    """The same, had a crop the label of its strongest rival, which is the hardest error to see.

    Others look even more like errors, so a rising chance is high for them, too.
    """
    rng = rng_for(0, "planted labels")
    slots = table.slot[snapshot.identity]
    rows = np.flatnonzero(np.isfinite(table.own) & (table.rival_slot >= 0))
    rows = np.sort(rng.permutation(rows)[:_MAX_CROPS])
    found = []
    for part in np.array_split(rows, max(1, len(rows) // 512)):
        if not len(part):
            continue
        scores = table.rival_scores(part, slots)
        columns = np.arange(len(part))
        own = table.own[part] - LEVEL_SHARE * table.level[slots[part]]
        label = table.rival_slot[part]
        claimed = scores[label, columns].astype(np.float64)
        scores[label, columns] = -np.inf
        found.append(np.maximum.reduce([own, scores.max(axis=0), np.full(len(part), stranger)]) - claimed)
    return np.concatenate(found) if found else np.empty(0)


def nearest_partners(table: LikenessTable, snapshot: GraphSnapshot) -> IntArray:
    """(M, 2) every identity with the one most like it, each pair once."""
    if snapshot.num_identities < 2:
        return np.empty((0, 2), dtype=np.int64)
    number = np.arange(snapshot.num_identities)
    best = np.empty_like(number)
    for i in number:
        likeness = table.between[table.slot[i], table.slot] - table.level[table.slot] / 2
        likeness[i] = -np.inf
        best[i] = int(np.argmax(likeness))
    pairs: IntArray = np.unique(np.sort(np.stack([number, best], axis=1), axis=1), axis=0)
    return pairs


def pairs_as_is(table: LikenessTable, partners: IntArray) -> FloatArray:
    """How near the likeness of two identities comes to that within them."""
    first, second = table.slot[partners[:, 0]], table.slot[partners[:, 1]]
    measure: FloatArray = table.between[first, second] - (table.level[first] + table.level[second]) / 2
    return measure


def pairs_of_planted(table: LikenessTable, snapshot: GraphSnapshot) -> FloatArray:
    """The same for the two halves of identities cut in two at random."""
    rng = rng_for(0, "cut identities")
    large = [rows for rows in snapshot.members if len(rows) >= _MIN_CUT]
    found = []
    for k in rng.permutation(len(large))[:_MAX_IDENTITIES]:
        rows = rng.permutation(large[k])
        block = table.evidence.log_odds(rows, rows)
        np.fill_diagonal(block, 0.0)
        half = len(rows) // 2
        levels = [
            table.level_of(part.sum(axis=1) / (len(part) - 1))
            for part in (block[:half, :half], block[half:, half:])
        ]
        found.append(float(block[:half, half:].mean()) - sum(levels) / 2)
    return np.array(found)


def telling(splits: Sequence[Split]) -> FloatArray:
    """How telling splits are; NaN where only one crop stands against the rest: that is a wrong label."""
    return np.array([s.significance if s.side.sum() > 1 else np.nan for s in splits])


def splits_of_planted(table: LikenessTable, snapshot: GraphSnapshot, partners: IntArray) -> FloatArray:
    """The best splits of identities joined with those most like them."""
    rng = rng_for(0, "joined identities")
    found = []
    for first, second in partners[rng.permutation(len(partners))[:_MAX_IDENTITIES]]:
        rows = np.concatenate([snapshot.members[first], snapshot.members[second]])
        if len(rows) >= MIN_SPLIT:
            found.append(best_split(table.evidence.log_odds(rows, rows)))
    return telling(found)
