"""A ranking that uses what was judged about its query, beside the ranking without it. Plain functions.

Nothing is stored and no embedding is changed: with every switch off the plain ranking is back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from reid_core.retrieval import expand_on_confirmed, nearest_evidence, pin_and_set_aside
from reid_core.services.records import SearchRequest
from reid_core.services.search import (
    QueryFacts,
    Ranking,
    Reorder,
    SearchSpace,
    check_request,
    describe_reordering,
    find_candidates,
    order_candidates,
    reorder_nearest,
    verdict_on,
)
from reid_core.types import Hit, Vectors


@dataclass(frozen=True)
class GuidedRanking:
    """A ranking by judgements. ``aside`` are refused hits out of it; the rest as in ``FeedbackView``."""

    ranking: Ranking
    aside: tuple[Hit, ...]
    num_confirmed: int
    num_refused: int
    was_rank: Mapping[str, int]
    ap_before: float | None
    ap_after: float | None
    open_ap_before: float | None
    open_ap_after: float | None


def rank_with_feedback(
    space: SearchSpace,
    query: QueryFacts,
    vector: Vectors,
    fingerprint: str,
    request: SearchRequest,
    *,
    confirmed: Sequence[str],
    refused: Sequence[str],
    reorder: Reorder,
    num_rerank: int,
) -> GuidedRanking:
    """Rank all candidates with and without the judgements that ``request.feedback`` switches on.

    Args:
        confirmed, refused: Crops judged to show, and not to show, the query's person. Those that a filter
            hides count as evidence and stay hidden; those without an embedding are passed over.
        space, query, vector, fingerprint, request, reorder, num_rerank: As in ``search.rank``.

    Raises:
        InputError: As ``search.rank``.
    """
    check_request(request)
    index, switches = space.index, frozenset(request.feedback)
    yes = [crop for crop in confirmed if crop in index]
    no = [crop for crop in refused if crop in index]
    candidates = find_candidates(space, query, request)
    notes = list(candidates.notes)
    is_reordered = request.rerank or request.expand
    depth = max(request.k, num_rerank)

    def ordered(by: Vectors) -> tuple[Hit, ...]:
        hits = order_candidates(space, candidates, by, fingerprint, max(1, candidates.number))
        return reorder_nearest(hits, by, index, reorder, depth) if is_reordered else hits

    before = ordered(vector)
    if is_reordered and "evidence" not in switches and before:
        notes.append(describe_reordering(request, min(depth, len(before))))
    similarity = {hit.image_id: hit.similarity for hit in before}
    moved = vector
    if "expand" in switches and yes:
        moved = expand_on_confirmed(vector, index.vectors_of(yes)).astype(np.float32)
    ids = [hit.image_id for hit in before]
    if "evidence" in switches and (yes or no) and ids:
        score = nearest_evidence(
            moved, index.vectors_of(ids), confirmed=index.vectors_of(yes), refused=index.vectors_of(no)
        )
        order = [ids[place] for place in np.argsort(-score, kind="stable")]
        if is_reordered:
            notes.append("The nearest evidence decides the order; the other re-ranking is left out.")
    elif moved is not vector:
        order = [hit.image_id for hit in ordered(moved)]
    else:
        order = ids
    place = {crop: number for number, crop in enumerate(ids)}
    kept, aside = pin_and_set_aside(
        [place[crop] for crop in order],
        confirmed=frozenset(place[crop] for crop in yes if crop in place),
        refused=frozenset(place[crop] for crop in no if crop in place),
        pin="pin" in switches,
        set_aside="aside" in switches,
    )
    settled = frozenset((*yes, *no))
    after = [ids[number] for number in (*kept, *aside)]
    hits = tuple(
        Hit(rank, ids[number], similarity[ids[number]])
        for rank, number in enumerate(kept[: request.k], start=1)
    )
    out = tuple(
        Hit(len(kept) + rank, ids[number], similarity[ids[number]])
        for rank, number in enumerate(aside[: request.k], start=1)
    )
    return GuidedRanking(
        ranking=Ranking(
            hits=hits,
            num_candidates=candidates.number,
            num_filtered=candidates.num_filtered,
            notes=tuple(notes),
            num_true=candidates.num_true,
        ),
        aside=out,
        num_confirmed=len(yes),
        num_refused=len(no),
        was_rank={hit.image_id: place[hit.image_id] + 1 for hit in (*hits, *out)},
        ap_before=_average_precision(space, query, ids),
        ap_after=_average_precision(space, query, after),
        open_ap_before=_average_precision(space, query, [crop for crop in ids if crop not in settled]),
        open_ap_after=_average_precision(space, query, [crop for crop in after if crop not in settled]),
    )


def _average_precision(space: SearchSpace, query: QueryFacts, order: Sequence[str]) -> float | None:
    """Of a whole ranking by the data set's labels; junk and the query's own camera do not count."""
    images = space.gallery.by_id
    verdicts = [verdict_on(query, images[crop]) for crop in order]
    is_true = np.array([verdict == "true" for verdict in verdicts if verdict in ("true", "false")])
    if not is_true.any():
        return None
    ranks = np.flatnonzero(is_true) + 1
    return float((np.arange(1, len(ranks) + 1) / ranks).mean())
