"""A data set of drawn people with all three pools, judgements on it, and embeddings that know who is who."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from reid_core.annotation import Answer, Decision, identity_node
from reid_core.data import read_market1501
from reid_core.retraining.pools import Pools, pools_of
from reid_core.types import EmbeddingSet
from tests.service_fakes import write_person

_numbers = itertools.count()

FEEDBACK_PIDS, TRAIN_PIDS, LOCKED_PIDS = (1, 2, 3, 4), (11, 12), (21, 22)


def small_set(root: Path) -> Path:
    """Feedback: 4 people with a query in camera 1 and gallery crops in cameras 1 to 3, a distractor, junk;
    train: 2 people; locked: 2 people."""
    for pid in FEEDBACK_PIDS:
        write_person(root / "query", pid, 1, serial=pid)
        for camid in (1, 2, 3):
            write_person(root / "gallery", pid, camid, serial=100 * camid + pid)
    write_person(root / "gallery", 0, 2, serial=901)
    write_person(root / "gallery", -1, 2, serial=902)
    for pid in TRAIN_PIDS:
        for camid in (1, 2):
            write_person(root / "train", pid, camid, serial=100 * camid + pid)
    for pid in LOCKED_PIDS:
        write_person(root / "locked_query", pid, 1, serial=pid)
        write_person(root / "locked_gallery", pid, 2, serial=200 + pid)
    return root


def small_pools(root: Path) -> Pools:
    return pools_of(read_market1501(small_set(root)))


def crop(pid: int, camid: int) -> str:
    """A gallery crop of the feedback pool."""
    name = "-1" if pid < 0 else f"{pid:04d}"
    serial = {0: 901, -1: 902}.get(pid, 100 * camid + pid)
    return f"gallery/{name}_c{camid}s1_{serial:06d}_00.jpg"


def query(pid: int) -> str:
    return f"query/{pid:04d}_c1s1_{pid:06d}_00.jpg"


def train_crop(pid: int, camid: int) -> str:
    return f"train/{pid:04d}_c{camid}s1_{100 * camid + pid:06d}_00.jpg"


def say(
    left: str | int, right: str | int, answer: str, *, is_sure: bool = True, own_id: str = ""
) -> Decision:
    """A judgement; a number stands for a whole identity."""
    ends = [identity_node(end) if isinstance(end, int) else end for end in (left, right)]
    return Decision(
        own_id or f"d{next(_numbers)}",
        ends[0],
        ends[1],
        Answer(answer),
        annotator="ann",
        decided_at="2026-01-01T00:00:00Z",
        is_sure=is_sure,
    )


def embed(
    pools: Pools,
    fingerprint: str = "model-1",
    *,
    seed: int = 0,
    moved: Mapping[str, Sequence[float]] | None = None,
) -> EmbeddingSet:
    """Every crop near a direction of its identity; ``moved`` gives some crops another vector."""
    vectors = []
    for item in pools.crops:
        own = np.random.default_rng([5, (item.pid if item.pid is not None else 99) + 1]).normal(size=8)
        noise = np.random.default_rng([6, seed, len(vectors)]).normal(0, 0.15, size=8)
        vector = np.asarray((moved or {}).get(item.image_id, own + noise), dtype=np.float64)
        vectors.append(vector / np.linalg.norm(vector))
    ids = tuple(item.image_id for item in pools.crops)
    return EmbeddingSet(np.array(vectors, dtype=np.float32), ids, fingerprint)
