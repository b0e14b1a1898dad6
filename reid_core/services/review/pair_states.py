"""What is known between one crop and others, and by whom: the marks on a ranked list. Plain functions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from reid_core.annotation import Answer, Decision, IdentityGraph
from reid_core.annotation.decisions import answer_of
from reid_core.services.review.identities import contested_ids, joined_by_judgements


@dataclass(frozen=True, slots=True)
class PairState:
    """What judgements say of one crop and the query.

    Attributes:
        answer: same, different, cannot_tell, conflict, or "" where no judgement says anything.
        is_inferred: No judgement names just these two; others lead to it.
        is_sure: False if the latest judgement on the two was marked not sure.
        annotator, decided_at: Of that judgement; empty where inferred.
        answer_id: What undo takes back; empty where inferred.
        is_by_label: The data set's labels put both into one identity, and no judgement says so.
    """

    answer: str
    is_inferred: bool = False
    is_sure: bool = True
    annotator: str = ""
    decided_at: str = ""
    answer_id: str = ""
    is_by_label: bool = False


@dataclass(frozen=True, slots=True)
class KnownCrops:
    """Crops that judgements hold together with a query, and crops that they keep apart from it; sorted."""

    confirmed: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()


def pair_states(graph: IdentityGraph, query: str, ids: Iterable[str]) -> dict[str, PairState]:
    """The state of every id in the graph against ``query``, the query itself left out."""
    if query not in graph:
        return {}
    contested = contested_ids(graph)
    direct: dict[str, Decision] = {}
    disputed: dict[str, Decision] = {}
    for decision in graph.decisions_on(query):
        if graph.is_in_force(decision.decision_id):
            other = decision.right if decision.left == query else decision.left
            (disputed if decision.decision_id in contested else direct)[other] = decision
    proven = joined_by_judgements(graph, query)
    own = graph.component(query)
    found = {}
    for crop in ids:
        if crop == query or crop not in graph:
            continue
        relation = graph.relation(query, crop)
        by_label = graph.component(crop) == own and crop not in proven
        if crop in disputed:
            found[crop] = _told("conflict", disputed[crop], by_label)
        elif crop in direct and (by_label or direct[crop].answer is relation):
            found[crop] = _told(direct[crop].answer.value, direct[crop], by_label)
        elif by_label or relation is None:
            found[crop] = PairState("", is_by_label=by_label)
        else:
            found[crop] = PairState(relation.value, is_inferred=relation is not Answer.CANNOT_TELL)
    return found


def known_crops(graph: IdentityGraph, query: str) -> KnownCrops:
    """Which crops the judgements confirm and refuse for ``query``, by inference as well."""
    if query not in graph:
        return KnownCrops()
    own = graph.component(query)
    proven = joined_by_judgements(graph, query)
    confirmed = {crop for crop in graph.crops(query) if crop in proven} - {query}
    refused: set[str] = set()
    for decision in graph.differences(query):
        for end in decision.pair:
            if graph.component(end) != own:
                refused.update(graph.crops(end))
    return KnownCrops(tuple(sorted(confirmed)), tuple(sorted(refused)))


def _told(answer: str, decision: Decision, by_label: bool) -> PairState:
    return PairState(
        answer,
        is_sure=decision.is_sure,
        annotator=decision.annotator,
        decided_at=decision.decided_at,
        answer_id=answer_of(decision.decision_id),
        is_by_label=by_label,
    )
