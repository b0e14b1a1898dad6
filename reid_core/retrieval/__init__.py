"""Search in a gallery: exact nearest images, re-ranking, query expansion, use of a person's answers."""

from reid_core.retrieval.feedback import expand_on_confirmed, nearest_evidence, pin_and_set_aside
from reid_core.retrieval.query_expansion import augment_gallery, expand_queries
from reid_core.retrieval.reranking import iter_reranked_blocks, rerank, rerank_distances

__all__ = [
    "augment_gallery",
    "expand_on_confirmed",
    "expand_queries",
    "iter_reranked_blocks",
    "nearest_evidence",
    "pin_and_set_aside",
    "rerank",
    "rerank_distances",
]
