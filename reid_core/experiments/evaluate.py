"""Evaluate a model on a data set: clean, re-ranked, and under the corrupted benchmark's two protocols."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from reid_core.data.corruptions import CORRUPTIONS, SEVERITIES, CorruptionChoice
from reid_core.distances import Metric, iter_distance_blocks
from reid_core.errors import DatasetError
from reid_core.evaluation import (
    MARKET1501,
    EvalReport,
    Interval,
    Protocol,
    RocCurve,
    SliceTable,
    bootstrap_intervals,
    evaluate_blocks,
    roc_of_embeddings,
)
from reid_core.experiments.breakdown import break_down
from reid_core.experiments.embedding import (
    CachedEmbeddings,
    CorruptionRun,
    EmbeddingSource,
    EmbedsImages,
)
from reid_core.experiments.rankings import RankingRecorder, TopRanking
from reid_core.progress import ProgressCallback
from reid_core.retrieval.reranking import iter_reranked_blocks
from reid_core.types import Dataset, EmbeddingSet, ImageRecord, Refusal

CorruptionProtocol = Literal["none", "mixed", "grid"]
SCORES = ("rank1", "rank5", "rank10", "rank20", "mean_ap", "mean_inp")


@dataclass(frozen=True, slots=True)
class EvaluationPlan:
    """What to compute.

    Attributes:
        protocol: Which gallery images count, see ``reid_core.evaluation.protocol``.
        metric: Distance of the embeddings.
        rerank: Score a k-reciprocal re-ranking (k1=20, k2=6, lambda=0.3) beside the plain ranking.
        corruption: "mixed" is the published protocol: per crop a random type and severity, ``repeats`` times,
            query and gallery both or one of them corrupted. "grid" is every type at every severity, on both,
            or those of ``grid_types`` and ``grid_severities``.
        seed: Of the corruptions.
        repeats: Of the mixed protocol; 10 in the paper.
        locked: Score the locked test split instead of query and gallery.
    """

    protocol: Protocol = MARKET1501
    metric: Metric = "cosine"
    rerank: bool = False
    corruption: CorruptionProtocol = "none"
    seed: int = 0
    repeats: int = 10
    max_rank: int = 50
    locked: bool = False
    grid_types: tuple[str, ...] = ()
    grid_severities: tuple[int, ...] = SEVERITIES


@dataclass(frozen=True, slots=True)
class Labels:
    """Who and which camera each row of an embedding set is."""

    pids: NDArray[np.int64]
    camids: NDArray[np.int64] | None


@dataclass(frozen=True, slots=True)
class SettingScores:
    """Mean and standard deviation over repeats of the scores in ``SCORES``, as fractions."""

    setting: str
    num_repeats: int
    mean: Mapping[str, float]
    std: Mapping[str, float]


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """All that one run found. ``report`` is the clean ranking; ``query`` and ``gallery`` are its rows.

    ``ranking`` holds the top of that ranking; ``reranked`` and ``reranked_ranking`` are the same after
    re-ranking, where the plan asked for it.
    """

    dataset: str
    fingerprint: str
    plan: EvaluationPlan
    report: EvalReport
    query: tuple[ImageRecord, ...]
    gallery: tuple[ImageRecord, ...]
    query_embeddings: EmbeddingSet
    gallery_embeddings: EmbeddingSet
    settings: tuple[SettingScores, ...]
    intervals: Mapping[str, Interval]
    roc: RocCurve
    slices: Mapping[str, SliceTable]
    ranking: TopRanking
    reranked: EvalReport | None = None
    reranked_ranking: TopRanking | None = None
    grid: Mapping[tuple[str, int], Mapping[str, float]] = field(default_factory=dict)
    skipped: tuple[Refusal, ...] = ()
    notes: tuple[str, ...] = ()


def evaluate_dataset(
    dataset: Dataset,
    embedder: EmbedsImages,
    plan: EvaluationPlan,
    *,
    cache_dir: Path,
    progress: Callable[[str, int, int], None] | None = None,
    cancel: Callable[[], None] | None = None,
) -> Evaluation:
    """Score ``embedder`` on ``dataset``; embeddings are cached in ``cache_dir``, so a stopped run resumes.

    Args:
        progress: Called with (what is being done, done, total).
        cancel: Called often; raise ``CancelledError`` in it to stop.

    Raises:
        DatasetError: No query or no gallery, or an identity or a camera that the protocol needs is unknown.
        NoValidQueryError: No query has a match that the protocol counts.
    """
    source = CachedEmbeddings(embedder, cache_dir)
    return evaluate_source(dataset, source, plan, progress=progress, cancel=cancel)


def evaluate_source(
    dataset: Dataset,
    source: EmbeddingSource,
    plan: EvaluationPlan,
    *,
    progress: Callable[[str, int, int], None] | None = None,
    cancel: Callable[[], None] | None = None,
) -> Evaluation:
    """``evaluate_dataset`` with embeddings that come from anywhere, such as those of an open gallery.

    A query that is an image of the gallery, too, is never its own match, whatever the protocol.

    Raises:
        DatasetError, NoValidQueryError: As ``evaluate_dataset``.
    """
    query, gallery = _test_split(dataset, plan)
    run = _Run(dataset, source, plan, progress, cancel)
    clean_query, clean_gallery = run.embed("query", query), run.embed("gallery", gallery)
    top = run.recorder(clean_query, clean_gallery)
    report = run.score(clean_query, clean_gallery, top)
    query_records, gallery_records = _records_of(clean_query, query), _records_of(clean_gallery, gallery)
    settings = [_summarise("clean", [report])]
    reranked, reranked_top = None, run.recorder(clean_query, clean_gallery)
    if plan.rerank:
        reranked = run.score_reranked(clean_query, clean_gallery, reranked_top)
        settings.append(_summarise("clean, re-ranked", [reranked]))
    if plan.corruption == "mixed":
        settings += _score_mixed(run, query, gallery, clean_query, clean_gallery)
    grid = dict(_score_grid(run, query, gallery)) if plan.corruption == "grid" else {}
    return Evaluation(
        dataset=dataset.name,
        fingerprint=source.fingerprint,
        plan=plan,
        report=report,
        query=query_records,
        gallery=gallery_records,
        query_embeddings=clean_query,
        gallery_embeddings=clean_gallery,
        settings=tuple(settings),
        intervals=intervals_of(report),
        roc=run.roc(clean_query, clean_gallery),
        slices=break_down(report, query_records, gallery_records),
        ranking=top.result(),
        reranked=reranked,
        reranked_ranking=reranked_top.result() if plan.rerank else None,
        grid=grid,
        skipped=(*clean_query.skipped, *clean_gallery.skipped),
        notes=dataset.notes,
    )


def labels_of(records: Sequence[ImageRecord], plan: EvaluationPlan, role: str) -> Labels:
    """Identities and cameras of ``records`` as arrays.

    Raises:
        DatasetError: A pid is unknown, or a camid is unknown and the protocol needs cameras.
    """
    nameless = [r.image_id for r in records if r.pid is None]
    if nameless:
        raise DatasetError(
            f"{len(nameless)} {role} images have no identity (first: {nameless[0]}), so nothing can be "
            "scored. Give pids in the manifest, or search without scoring."
        )
    pids = np.array([r.pid for r in records], dtype=np.int64)
    if plan.protocol.same_camera == "keep":
        return Labels(pids, None)
    without_camera = [r.image_id for r in records if r.camid is None]
    if without_camera:
        raise DatasetError(
            f"{len(without_camera)} {role} images have no camera (first: {without_camera[0]}), but protocol "
            f"'{plan.protocol.name}' leaves out matches from the query's own camera. Give camids in the "
            "manifest, or use the protocol 'single_camera' and compare such numbers only among themselves."
        )
    return Labels(pids, np.array([r.camid for r in records], dtype=np.int64))


@dataclass(frozen=True, slots=True)
class _Run:
    """What stays the same while one data set is scored again and again."""

    dataset: Dataset
    source: EmbeddingSource
    plan: EvaluationPlan
    progress: Callable[[str, int, int], None] | None
    cancel: Callable[[], None] | None

    def embed(
        self, what: str, records: Sequence[ImageRecord], corruption: CorruptionRun | None = None
    ) -> EmbeddingSet:
        found = self.source.embed(
            records, corruption, progress=self.reporting(f"embedding {what}"), cancel=self.cancel
        )
        if found.fingerprint != self.source.fingerprint:
            raise DatasetError(
                f"The embeddings of {what} come from network {found.fingerprint[:12]}, not from "
                f"{self.source.fingerprint[:12]}; one evaluation never mixes networks."
            )
        return found

    def reporting(self, what: str) -> ProgressCallback | None:
        if self.progress is None:
            return None
        progress = self.progress
        return lambda done, total: progress(what, done, total)

    def is_cancelled(self) -> bool:
        """For the evaluators: lets the caller's ``cancel`` raise between their blocks."""
        if self.cancel is not None:
            self.cancel()
        return False

    def recorder(self, query: EmbeddingSet, gallery: EmbeddingSet) -> RankingRecorder:
        return RankingRecorder(len(query), len(gallery), own_index=own_positions(query.ids, gallery.ids))

    def score(
        self, query: EmbeddingSet, gallery: EmbeddingSet, top: RankingRecorder | None = None
    ) -> EvalReport:
        blocks = iter_distance_blocks(query, gallery, self.plan.metric)
        return evaluate_blocks(
            blocks if top is None else top.watch(blocks),
            num_queries=len(query),
            num_gallery=len(gallery),
            **self._labels(query, gallery),
            metric=self.plan.metric,
            max_rank=self.plan.max_rank,
            protocol=self.plan.protocol,
            keep_matches=True,
            check_direction=False,
            on_progress=self.reporting("scoring queries"),
            should_cancel=self.is_cancelled,
        )

    def roc(self, query: EmbeddingSet, gallery: EmbeddingSet) -> RocCurve:
        return roc_of_embeddings(
            query,
            gallery,
            **self._labels(query, gallery),
            metric=self.plan.metric,
            protocol=self.plan.protocol,
            should_cancel=self.is_cancelled,
        )

    def score_reranked(self, query: EmbeddingSet, gallery: EmbeddingSet, top: RankingRecorder) -> EvalReport:
        blocks = iter_reranked_blocks(
            query,
            gallery,
            on_progress=self.reporting("searching neighbours for re-ranking"),
            should_cancel=self.is_cancelled,
        )
        return evaluate_blocks(
            top.watch(blocks),
            num_queries=len(query),
            num_gallery=len(gallery),
            **self._labels(query, gallery),
            metric="k-reciprocal",
            max_rank=self.plan.max_rank,
            protocol=self.plan.protocol,
            keep_matches=True,
            should_cancel=self.is_cancelled,
        )

    def _labels(self, query: EmbeddingSet, gallery: EmbeddingSet) -> dict[str, Any]:
        """The label arguments of every evaluator."""
        query_records, gallery_records = _test_split(self.dataset, self.plan)
        query_labels = labels_of(_records_of(query, query_records), self.plan, "query")
        gallery_labels = labels_of(_records_of(gallery, gallery_records), self.plan, "gallery")
        return {
            "query_pids": query_labels.pids,
            "gallery_pids": gallery_labels.pids,
            "query_camids": query_labels.camids,
            "gallery_camids": gallery_labels.camids,
            "own_index": own_positions(query.ids, gallery.ids),
        }


def own_positions(query_ids: Sequence[str], gallery_ids: Sequence[str]) -> NDArray[np.int64] | None:
    """(Q,) where each query's own image lies in the gallery, -1 where it does not; None if none does."""
    position = {image_id: index for index, image_id in enumerate(gallery_ids)}
    found = np.array([position.get(image_id, -1) for image_id in query_ids], dtype=np.int64)
    return found if (found >= 0).any() else None


def _test_split(
    dataset: Dataset, plan: EvaluationPlan
) -> tuple[tuple[ImageRecord, ...], tuple[ImageRecord, ...]]:
    query, gallery = (
        (dataset.locked_query, dataset.locked_gallery) if plan.locked else (dataset.query, dataset.gallery)
    )
    if not query or not gallery:
        which = "locked test" if plan.locked else "test"
        raise DatasetError(
            f"{dataset.name} has {len(query)} query and {len(gallery)} gallery images in its {which} split; "
            "both are needed. `reid check` explains what was read."
        )
    return query, gallery


def _records_of(embeddings: EmbeddingSet, records: Sequence[ImageRecord]) -> tuple[ImageRecord, ...]:
    by_id = {record.image_id: record for record in records}
    return tuple(by_id[image_id] for image_id in embeddings.ids)


def _score_mixed(
    run: _Run,
    query: Sequence[ImageRecord],
    gallery: Sequence[ImageRecord],
    clean_query: EmbeddingSet,
    clean_gallery: EmbeddingSet,
) -> list[SettingScores]:
    reports: dict[str, list[EvalReport]] = {
        "corrupted query and gallery": [],
        "corrupted query": [],
        "corrupted gallery": [],
    }
    for repeat in range(run.plan.repeats):
        corruption = CorruptionRun(run.plan.seed, repeat)
        name = f"(corrupted, repeat {repeat + 1} of {run.plan.repeats})"
        hard_query = run.embed(f"query {name}", query, corruption)
        hard_gallery = run.embed(f"gallery {name}", gallery, corruption)
        reports["corrupted query and gallery"].append(run.score(hard_query, hard_gallery))
        reports["corrupted query"].append(run.score(hard_query, clean_gallery))
        reports["corrupted gallery"].append(run.score(clean_query, hard_gallery))
    return [_summarise(setting, found) for setting, found in reports.items()]


def _score_grid(
    run: _Run, query: Sequence[ImageRecord], gallery: Sequence[ImageRecord]
) -> Iterator[tuple[tuple[str, int], Mapping[str, float]]]:
    for name in run.plan.grid_types or tuple(CORRUPTIONS):
        for severity in run.plan.grid_severities:
            corruption = CorruptionRun(run.plan.seed, choice=CorruptionChoice(name, severity))
            cell = f"({name} {severity})"
            report = run.score(
                run.embed(f"query {cell}", query, corruption),
                run.embed(f"gallery {cell}", gallery, corruption),
            )
            yield (name, severity), scores_of(report)


def intervals_of(report: EvalReport) -> dict[str, Interval]:
    """95% intervals over identities; none for a single identity, which says nothing about others."""
    matched = report.per_query.pid[report.per_query.is_matched]
    return bootstrap_intervals(report) if len(np.unique(matched)) > 1 else {}


def scores_of(report: EvalReport) -> dict[str, float]:
    """The scores named in ``SCORES``; ranks beyond ``max_rank`` are left out."""
    return {name: getattr(report, name) for name in SCORES if _is_computed(name, report)}


def _is_computed(name: str, report: EvalReport) -> bool:
    return not name.startswith("rank") or int(name.removeprefix("rank")) <= report.max_rank


def _summarise(setting: str, reports: Sequence[EvalReport]) -> SettingScores:
    table = [scores_of(report) for report in reports]
    mean = {name: float(np.mean([row[name] for row in table])) for name in table[0]}
    std = {name: float(np.std([row[name] for row in table])) for name in table[0]}
    return SettingScores(setting, len(reports), mean, std)
