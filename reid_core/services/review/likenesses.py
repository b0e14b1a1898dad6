"""Identities by their looks: which resemble each other, which look like two people. Plain functions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from reid_core.annotation.purity import best_split
from reid_core.services.review.evidence import ReviewEvidence
from reid_core.services.review.faces import Faces
from reid_core.services.review.records import SimilarIdentity

_CLOSEST = 3
_MAX_ASKED = 200
"""Crops of an identity that are compared; more of one person say nothing new."""


def similar_identities(
    faces: Faces, evidence: ReviewEvidence, node: str, *, number: int
) -> tuple[SimilarIdentity, ...]:
    """The identities that look most like that of ``node``, closest first; see ``SimilarIdentity``."""
    graph, pairs = faces.graph, evidence.pairs
    own = graph.component(node)
    rows = [pairs.row[crop] for crop in graph.crops(node) if crop in pairs.row][:_MAX_ASKED]
    if not rows:
        return ()
    nearest = (pairs.vectors @ pairs.vectors[rows].T).max(axis=1)
    by_identity: defaultdict[int, list[int]] = defaultdict(list)
    for row, crop in enumerate(pairs.ids):
        if crop in graph and crop in faces.gallery.by_id:
            by_identity[graph.component(crop)].append(row)
    by_identity.pop(own, None)
    mean = {
        component: float(np.sort(nearest[members])[-_CLOSEST:].mean())
        for component, members in by_identity.items()
    }
    apart = {
        graph.component(end)
        for decision in graph.differences(node)
        for end in decision.pair
        if graph.component(end) != own
    }
    found = []
    for component in sorted(mean, key=lambda c: (-mean[c], by_identity[c][0]))[:number]:
        members = by_identity[component]
        best = members[int(np.argmax(nearest[members]))]
        probability = None
        if evidence.is_calibrated:
            probability = float(pairs.probability(np.array([float(nearest[best])]))[0])
        found.append(
            SimilarIdentity(faces.identity(pairs.ids[best]), mean[component], probability, component in apart)
        )
    return tuple(found)


def suspicion(evidence: ReviewEvidence, crops: Sequence[str]) -> float | None:
    """How clearly crops of one identity fall into two people; None where fewer than two can be compared."""
    pairs = evidence.pairs
    rows = [pairs.row[crop] for crop in crops if crop in pairs.row][:_MAX_ASKED]
    if len(rows) < 2:
        return None
    return best_split(pairs.log_odds(rows, rows)).significance
