"""ReID Studio's core: OSNet, its evaluator, data, training and feedback logic. No web code in here.

The names below are the public API. They are loaded on first use, so ``import reid_core`` is cheap and a part
that needs no PyTorch never imports it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from reid_core.errors import ReidError

if TYPE_CHECKING:
    from reid_core.evaluation import evaluate_embeddings, evaluate_ranking
    from reid_core.models import Embedder, build_osnet
    from reid_core.retrieval import rerank

__version__ = "0.1.0"
__all__ = ["Embedder", "ReidError", "build_osnet", "evaluate_embeddings", "evaluate_ranking", "rerank"]

_HOME = {
    "Embedder": "reid_core.models",
    "build_osnet": "reid_core.models",
    "evaluate_embeddings": "reid_core.evaluation",
    "evaluate_ranking": "reid_core.evaluation",
    "rerank": "reid_core.retrieval",
}


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(_HOME[name]), name)
    raise AttributeError(f"module 'reid_core' has no attribute {name!r}")
