"""Contact sheets: one identity per screen, those first where most crops are expected to be somebody else.

Two things make an identity suspicious: it splits into two halves that look like two people (see ``purity``),
and single crops in it look like others. A sheet shows all of it at one glance, so both count together.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from reid_core.annotation.evidence import IntArray
from reid_core.annotation.likeness import IdentityLikeness
from reid_core.annotation.purity import Split
from reid_core.annotation.questions import SheetQuestion
from reid_core.annotation.snapshot import GraphSnapshot

MAX_SHEET = 48
"""Crops on one sheet; of a larger identity the suspected ones and the most typical others are shown."""
_MIN_CROPS = 3
_MAX_HALF = 4
"""Doubtful crops that count towards the order of sheets; more would only favour large identities."""


def sheet_questions(snapshot: GraphSnapshot, likeness: IdentityLikeness) -> Iterator[SheetQuestion]:
    """Identities by how many crops are expected to be picked; those called one person before are left out."""
    identities = [
        i
        for i, rows in enumerate(snapshot.members)
        if len(rows) >= _MIN_CROPS and i not in snapshot.seen_pure and snapshot.identity_node(i)
    ]
    if not identities:
        return
    splits = [likeness.split(i) for i in identities]
    chance = likeness.chance_of_two(splits)
    doubt = likeness.doubt()
    halves = np.array(
        [
            0.0
            if _is_joined(snapshot.proven[snapshot.members[i]], split)
            else min(_MAX_HALF, split.side.sum())
            for i, split in zip(identities, splits, strict=True)
        ]
    )
    singles = np.array([np.sort(doubt[snapshot.members[i]])[-_MAX_HALF:].sum() for i in identities])
    from_split = chance * halves
    # The crops of a suspected half are doubtful one by one as well; the larger of the two counts them once.
    expected = np.maximum(from_split, singles)
    for k in np.argsort(-expected, kind="stable"):
        rows = snapshot.members[identities[k]]
        if from_split[k] >= singles[k] or (halves[k] and chance[k] >= 0.5):
            is_suspected = splits[k].side
        else:
            is_suspected = doubt[rows] >= min(0.5, float(doubt[rows].max()))
            is_suspected &= np.arange(len(rows)) != int(np.argmax(likeness.own[rows]))
        if is_suspected.any():
            yield _sheet(snapshot, likeness, identities[k], is_suspected, float(expected[k]))


def _is_joined(proven: IntArray, split: Split) -> bool:
    return not set(proven[split.side].tolist()).isdisjoint(proven[~split.side].tolist())


def _sheet(
    snapshot: GraphSnapshot,
    likeness: IdentityLikeness,
    identity: int,
    is_suspected: NDArray[np.bool_],
    expected: float,
) -> SheetQuestion:
    rows, ids = snapshot.members[identity], snapshot.evidence.ids
    by_rank = np.argsort(likeness.own[rows], kind="stable")
    suspected = [ids[rows[i]] for i in by_rank if is_suspected[i]]
    others = [ids[rows[i]] for i in by_rank[::-1] if not is_suspected[i]]
    node = snapshot.identity_node(identity)
    assert node is not None
    return SheetQuestion(
        crops=tuple(suspected + others)[:MAX_SHEET],
        suspected=tuple(suspected[:MAX_SHEET]),
        left=suspected[0],
        right=others[0],
        identity=node,
        reason=f"Are these {len(rows)} crops one person? {len(suspected)} of them "
        f"look{'s' if len(suspected) == 1 else ''} unlike the rest.",
        expected_yield=expected,
    )
