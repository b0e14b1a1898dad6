"""Which crops of a frozen set a model is scored on before and after, and the scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reid_core.errors import DatasetError, InputError
from reid_core.evaluation import MARKET1501, SINGLE_CAMERA, EvalReport, Protocol, evaluate_embeddings
from reid_core.retraining.comparison import ScoredPool
from reid_core.retraining.gate import FEEDBACK, FEEDBACK_UNSEEN, LOCKED, Violations
from reid_core.retraining.mining import Likeness, measured_violations
from reid_core.retraining.records import CropRow
from reid_core.retraining.snapshot import TrainingSnapshot
from reid_core.types import Dataset, EmbeddingSet, ImageRecord


@dataclass(frozen=True, slots=True)
class CropToScore:
    """A crop with the labels that both models are scored with."""

    image_id: str
    pid: int
    camid: int | None


@dataclass(frozen=True, slots=True)
class PoolToScore:
    """Queries and the gallery that they are searched in."""

    name: str
    query: tuple[CropToScore, ...]
    gallery: tuple[CropToScore, ...]

    @property
    def crops(self) -> tuple[str, ...]:
        """Every crop once, sorted."""
        return tuple(sorted({crop.image_id for crop in (*self.query, *self.gallery)}))


def pools_of_snapshot(snapshot: TrainingSnapshot) -> tuple[PoolToScore, ...]:
    """The locked test with its own labels; the feedback pool with the corrected ones.

    The feedback pool is scored whole and, where some of it does not train, with the queries of those
    identities alone. Quarantined crops and unknown people are in neither. Without a query split every
    named crop of the pool is a query, if all cameras are known: its own picture then never counts.

    Raises:
        DatasetError: There is no locked test, so no decision could be trusted.
    """
    locked = _pool(LOCKED, snapshot.used("locked"), "locked_query", "locked_gallery")
    if not locked.query or not locked.gallery:
        raise DatasetError(
            f"{snapshot.key.base_name} has no locked test (locked_query and locked_gallery), so nobody can "
            "say whether a candidate is better on people that it never saw. Add one to the data set: other "
            "people, whom the correction pages never show."
        )
    rows = [r for r in snapshot.crops if r.pool == "feedback" and r.use in ("train", "evaluation")]
    whole = _pool(FEEDBACK, rows, "query", "gallery")
    found = [locked, whole] if whole.query and whole.gallery else [locked]
    trained = {row.image_id for row in rows if row.use == "train"}
    unseen = tuple(crop for crop in whole.query if crop.image_id not in trained)
    if unseen and len(unseen) < len(whole.query):
        found.append(PoolToScore(FEEDBACK_UNSEEN, unseen, whole.gallery))
    return tuple(found)


def pools_of_dataset(dataset: Dataset) -> tuple[PoolToScore, ...]:
    """The locked test and, where there is one, query and gallery, with the labels of the data set.

    Raises:
        DatasetError: There is no locked test.
    """
    locked = PoolToScore(LOCKED, _people(dataset.locked_query), _known(dataset.locked_gallery))
    if not locked.query or not locked.gallery:
        raise DatasetError(
            f"{dataset.name} has no locked test (locked_query and locked_gallery); the gate decides on it."
        )
    feedback = PoolToScore(FEEDBACK, _people(dataset.query), _known(dataset.gallery))
    return (locked, feedback) if feedback.query and feedback.gallery else (locked,)


def score_pool(
    pool: PoolToScore,
    embeddings: EmbeddingSet,
    *,
    corrupted: Mapping[str, EmbeddingSet] | None = None,
    max_rank: int = 50,
) -> ScoredPool:
    """Score one model on one pool, Market-1501 rules (single-camera rules where cameras are not known).

    Args:
        pool: Who is searched where.
        embeddings: Of the pool's crops, others may be among them. Crops that could not be embedded are left
            out, and the comparison of two models that left out different ones is refused.
        corrupted: By setting, embeddings of the same crops after corruption.
        max_rank: Of the CMC curve.

    Raises:
        InputError: Not one query or gallery crop is embedded. NoValidQueryError: No query has a match.
    """
    report, query, gallery = _evaluate(pool, embeddings, max_rank)
    has_cameras = report.protocol is MARKET1501
    return ScoredPool(
        report=report,
        query_ids=tuple(crop.image_id for crop in query),
        gallery_ids=tuple(crop.image_id for crop in gallery),
        gallery_camids=(np.array([crop.camid for crop in gallery], dtype=np.int64) if has_cameras else None),
        fingerprint=embeddings.fingerprint,
        corrupted_map={
            setting: _evaluate(pool, changed, max_rank)[0].mean_ap
            for setting, changed in (corrupted or {}).items()
        },
    )


def violations_between(snapshot: TrainingSnapshot, before: EmbeddingSet, after: EmbeddingSet) -> Violations:
    """How many of the snapshot's triplets each model puts in the wrong order."""
    return Violations.count(
        measured_violations(snapshot.triplets, Likeness(before)),
        measured_violations(snapshot.triplets, Likeness(after)),
    )


def _evaluate(
    pool: PoolToScore, embeddings: EmbeddingSet, max_rank: int
) -> tuple[EvalReport, tuple[CropToScore, ...], tuple[CropToScore, ...]]:
    row_of = {image_id: row for row, image_id in enumerate(embeddings.ids)}
    query = tuple(crop for crop in pool.query if crop.image_id in row_of)
    gallery = tuple(crop for crop in pool.gallery if crop.image_id in row_of)
    if not query or not gallery:
        raise InputError(
            f"Of the pool {pool.name!r} {len(query)} queries and {len(gallery)} gallery crops are embedded; "
            "both are needed."
        )
    protocol: Protocol = MARKET1501
    query_camids, gallery_camids = _cameras(query), _cameras(gallery)
    if query_camids is None or gallery_camids is None:
        protocol, query_camids, gallery_camids = SINGLE_CAMERA, None, None
    report = evaluate_embeddings(
        embeddings.vectors[[row_of[crop.image_id] for crop in query]],
        embeddings.vectors[[row_of[crop.image_id] for crop in gallery]],
        query_pids=np.array([crop.pid for crop in query], dtype=np.int64),
        gallery_pids=np.array([crop.pid for crop in gallery], dtype=np.int64),
        query_camids=query_camids,
        gallery_camids=gallery_camids,
        max_rank=max_rank,
        protocol=protocol,
        keep_matches=True,
    )
    return report, query, gallery


def _cameras(crops: Sequence[CropToScore]) -> NDArray[np.int64] | None:
    if any(crop.camid is None for crop in crops):
        return None
    return np.array([crop.camid for crop in crops], dtype=np.int64)


def _pool(name: str, rows: Sequence[CropRow], query: str, gallery: str) -> PoolToScore:
    known = [row for row in rows if row.pid is not None]
    people = [row for row in known if (row.pid or 0) > 0]
    queries = [row for row in people if query in row.splits]
    if not queries and all(row.camid is not None for row in known):
        queries = people
    return PoolToScore(
        name,
        tuple(CropToScore(row.image_id, row.pid or 0, row.camid) for row in queries),
        tuple(CropToScore(row.image_id, row.pid or 0, row.camid) for row in known if gallery in row.splits),
    )


def _known(records: Sequence[ImageRecord]) -> tuple[CropToScore, ...]:
    return tuple(
        CropToScore(record.image_id, record.pid, record.camid) for record in records if record.pid is not None
    )


def _people(records: Sequence[ImageRecord]) -> tuple[CropToScore, ...]:
    return tuple(crop for crop in _known(records) if crop.pid > 0)
