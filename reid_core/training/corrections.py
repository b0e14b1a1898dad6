"""Retraining "from corrections": an exported retraining set and the net that served make a candidate.

Replay of the base set in every batch, disputed identities beside each other, feature distillation on the
replay, frozen batch-norm statistics, trust in negatives that nobody compared, a hinge on judged pairs; then
the way from the old net to the new one is swept on identities that did not train.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reid_core.data.samplers import CorrectionSampler
from reid_core.errors import InputError
from reid_core.evaluation import EvalReport
from reid_core.models import LoadedWeights, OSNet, load_weights
from reid_core.training.config import CorrectionTerms, TrainConfig
from reid_core.training.correction_set import CorrectionSet
from reid_core.training.crops import TrainingCrops
from reid_core.training.curves import MetricsSink
from reid_core.training.distributed import World
from reid_core.training.engine import Progress, ShouldCancel, Trainer, embed_crops, evaluate_network
from reid_core.training.interpolation import MixPoint, choose_point, interpolated, sweep
from reid_core.training.likeness import NegativeTrust
from reid_core.training.losses import (
    batch_hard_triplet_loss,
    contrastive_loss,
    distillation_loss,
    identity_loss,
    judged_pair_loss,
    ranking_loss,
)
from reid_core.training.objective import Batch, Losses
from reid_core.training.runs import RunFolder
from reid_core.training.state import StartingPoint
from reid_core.types import Vectors

_GALLERY_OTHERS = 500
_BASE_PART = 8
_MIX_FILE, _TRAINED_FILE = "interpolation.json", "trained.safetensors"


@dataclass(frozen=True, slots=True)
class Candidate:
    """The outcome of a retraining run.

    Attributes:
        path: Weights of the candidate, ``final.safetensors`` of the run.
        alpha: Its place between the old net (0) and the trained one (1).
        curve: mAP on the identities that chose it and violations fixed, along the way; empty if nobody chose.
        violations: Triplets of the set that the old net ranked wrongly. fixed: those ranked rightly now.
    """

    path: Path
    alpha: float
    curve: tuple[MixPoint, ...]
    violations: int
    fixed: int


def retrain(
    config: TrainConfig,
    data: CorrectionSet,
    served: LoadedWeights,
    run: RunFolder,
    *,
    on_progress: Progress | None = None,
    should_cancel: ShouldCancel | None = None,
    on_metrics: MetricsSink | None = None,
    world: World | None = None,
) -> Candidate:
    """Train from the served net on a retraining set and choose a point between both.

    Args:
        config: The recipe "from-corrections", or one like it; its input size is the served net's.
        data: The set, read at that size.
        served: The net that serves now.
        run: Folder of the run; a stopped one goes on.
        on_progress, should_cancel, on_metrics: See ``Trainer.fit``.
        world: Place among several processes.

    Raises:
        InputError: The config is no recipe for corrections, or of another variant or size than the net.
        CancelledError: ``should_cancel`` said so.
    """
    trainer = correction_trainer(config, data, served, world=world)
    trainer.fit(run, on_progress=on_progress, should_cancel=should_cancel, on_metrics=on_metrics)
    old, new = served.model.cpu(), trainer.state.average.cpu()
    terms = config.corrections
    assert terms is not None
    violated = data.triplets[data.violations > 0]
    used, places = np.unique(violated, return_inverse=True)
    images, triplets = data.crops.images[used], places.reshape(len(violated), 3)

    def num_fixed(network: OSNet) -> int:
        return num_ranked_right(embed_crops(network, images), triplets) if len(triplets) else 0

    query, gallery = trainer.validation
    reports: list[EvalReport] = []

    def judge(network: OSNet) -> tuple[float, float | None]:
        reports.append(evaluate_network(network, query, gallery))
        return reports[-1].mean_ap, num_fixed(network) / len(triplets) if len(triplets) else None

    curve = sweep(old, new, judge, parts=terms.interpolation_steps) if len(query) else []
    alpha = choose_point(curve, reports).alpha if curve else 1.0
    chosen = interpolated(old, new, alpha)
    if trainer.world.is_first:
        trainer.save_network(run.path / _TRAINED_FILE, new)
        trainer.save_network(run.final_path, chosen)
        points = [asdict(point) for point in curve]
        text = json.dumps({"alpha": alpha, "curve": points}, indent=2) + "\n"
        (run.path / _MIX_FILE).write_text(text, encoding="utf-8")
    return Candidate(run.final_path, alpha, tuple(curve), len(violated), num_fixed(chosen))


def correction_trainer(
    config: TrainConfig, data: CorrectionSet, served: LoadedWeights, *, world: World | None = None
) -> Trainer:
    """The trainer of ``retrain``, before its first step."""
    terms, size = config.corrections, served.spec.preprocessing
    if terms is None:
        raise InputError(f"The recipe {config.recipe!r} does not train from corrections.")
    if config.variant != served.model.variant or config.input_size != (size.height, size.width):
        raise InputError(
            f"The recipe trains a {config.variant} at {config.input_size}, the served net is a "
            f"{served.model.variant} at {(size.height, size.width)}; expected the same."
        )
    data, validation = hold_out_validation(data, config.validation_identities, seed=config.seed)
    vectors = embed_crops(served.model, data.crops.images)
    sampler = CorrectionSampler(
        data.crops.pids,
        data.crops.camids,
        data.is_replay,
        data.conflicts(),
        identities_per_batch=config.batch_size // config.crops_per_identity,
        crops_per_identity=config.crops_per_identity,
        replay_share=terms.replay_share,
        conflict_share=terms.conflict_share,
        triplets=data.triplets,
        seed=config.seed,
    )
    trainer = Trainer(
        config,
        data.crops,
        start_from=StartingPoint(served.model),
        world=world,
        objective=CorrectionObjective(config, terms, data, vectors),
        sampler=sampler,
        validation=validation,
    )
    device = trainer.world.device
    trainer.state.heads.start_at_means(torch.from_numpy(vectors).to(device), data.crops.labels.to(device))
    return trainer


def hold_out_validation(
    data: CorrectionSet, num_identities: int, *, seed: int
) -> tuple[CorrectionSet, tuple[TrainingCrops, TrainingCrops]]:
    """The set that trains, and query and gallery that choose among nets.

    The set's own evaluation identities choose if at least ``num_identities`` of them have a query with a
    match from another camera; else so many corrected identities seen by two cameras are drawn and held out,
    and as many of the base set, at most an eighth of it: their labels are certain (0: nothing chooses). They
    are drawn because numbers are not by chance: the highest are those of identities that somebody split.
    Those that no triplet names come first, so that the orders that people demanded are left to learn.
    """
    if num_identities <= num_matched(data.query, data.gallery) > 0:
        return data, (data.query, data.gallery)
    crops = data.crops
    base = _in_cameras(crops, data.is_replay)
    corrected = _in_cameras(crops, ~data.is_replay)
    rng = np.random.default_rng(seed)
    in_triplets = set(np.unique(crops.pids[data.triplets]).tolist())
    drawn = sorted(rng.permutation(corrected).tolist(), key=lambda pid: pid in in_triplets)
    chosen = [
        *drawn[:num_identities],
        *rng.permutation(base)[: min(num_identities, len(base) // _BASE_PART)],
    ]
    held_out = np.isin(crops.pids, chosen)
    # Others join the gallery: among a handful of people any net finds everybody.
    others = np.flatnonzero(~held_out)
    gallery = held_out.copy()
    gallery[others[:: max(1, round(len(others) / _GALLERY_OTHERS))]] = True
    return without_crops(data, held_out), (crops.select(held_out), crops.select(gallery))


def _in_cameras(crops: TrainingCrops, is_of_them: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> list[int]:
    """Those identities, ascending, that two cameras or more saw."""
    pids = np.unique(crops.pids[is_of_them]).tolist()
    return [pid for pid in pids if len(np.unique(crops.camids[crops.pids == pid])) >= 2]


def without_crops(
    data: CorrectionSet, is_left_out: np.ndarray[tuple[int], np.dtype[np.bool_]]
) -> CorrectionSet:
    """The set without some training crops and what refers to them."""
    place = np.cumsum(~is_left_out) - 1
    pairs, triplets = data.pairs, data.triplets
    kept_pairs = ~is_left_out[pairs.rows].any(axis=1)
    kept_triplets = ~is_left_out[triplets].any(axis=1)
    return replace(
        data,
        crops=data.crops.select(~is_left_out),
        is_replay=data.is_replay[~is_left_out],
        weights=data.weights[~is_left_out],
        pairs=replace(
            pairs,
            rows=place[pairs.rows[kept_pairs]],
            is_must=pairs.is_must[kept_pairs],
            weights=pairs.weights[kept_pairs],
        ),
        triplets=place[triplets[kept_triplets]],
        violations=data.violations[kept_triplets],
    )


def num_ranked_right(vectors: Vectors, triplets: np.ndarray[tuple[int, int], np.dtype[np.int64]]) -> int:
    """How many (T, 3) rows anchor, positive, negative have the positive at least as similar as the
    negative."""
    anchors, positives, negatives = (vectors[column] for column in triplets.T)
    right = np.einsum("nd,nd->n", anchors, positives) >= np.einsum("nd,nd->n", anchors, negatives)
    return int(right.sum())


class CorrectionObjective:
    """The losses of the recipe; see the attributes of ``CorrectionTerms``.

    Args:
        config: Weights of the common losses. ``terms``: of the further ones.
        data: What trains.
        vectors: (N, D) embeddings of its crops by the net before: what distillation holds on to.
    """

    def __init__(
        self, config: TrainConfig, terms: CorrectionTerms, data: CorrectionSet, vectors: Vectors
    ) -> None:
        self.config, self.terms = config, terms
        self._trust = NegativeTrust(data, vectors, mine_below=terms.mine_below)
        self._before = torch.from_numpy(vectors)
        self._weights = torch.from_numpy(data.weights)
        self._is_replay = torch.from_numpy(data.is_replay)
        self._pairs, self._triplets, self._num_crops = data.pairs, data.triplets, len(data.crops)

    def losses(self, batch: Batch) -> Losses:
        """See ``Objective``; a batch is always drawn by identity."""
        config, terms, embeddings = self.config, self.terms, batch.embeddings
        device, index = embeddings.device, batch.index
        trust = self._trust.of_crops(index).to(device)
        # A class that is likely the same person must not push this crop away either.
        is_barred = (self._trust.of_identities(batch.labels.cpu()) <= 0).to(device)
        loss = identity_loss(
            batch.heads.identities,
            batch.labels,
            label_smoothing=config.label_smoothing,
            weights=self._weights[index].to(device),
            is_barred=is_barred,
        )
        losses: Losses = {"identity": (1.0, loss)}
        if config.triplet_weight:
            loss = batch_hard_triplet_loss(
                embeddings, batch.labels, margin=config.triplet_margin, negative_weights=trust
            )
            losses["triplet"] = (config.triplet_weight, loss)
        if config.contrastive_weight:
            loss = contrastive_loss(
                embeddings,
                batch.labels,
                temperature=config.contrastive_temperature,
                negative_weights=trust,
            )
            losses["contrastive"] = (config.contrastive_weight, loss)
        if terms.distillation_weight:
            replayed = self._is_replay[index]
            loss = distillation_loss(
                embeddings[replayed.to(device)], self._before[index[replayed]].to(device)
            )
            losses["distillation"] = (terms.distillation_weight, loss)
        if terms.pair_weight:
            losses["pairs"] = (terms.pair_weight, self._pair_loss(embeddings, index))
        if terms.ranking_weight:
            triplets, inside = self._inside(self._triplets, index)
            loss = ranking_loss(
                embeddings, torch.from_numpy(triplets[inside]).to(device), margin=terms.ranking_margin
            )
            losses["ranking"] = (terms.ranking_weight, loss)
        return losses

    def _inside(self, rows: NDArray[np.int64], index: Tensor) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Rows of training crops as places in the batch, and the numbers of those wholly in it."""
        place = np.full(self._num_crops, -1, dtype=np.int64)
        place[index.numpy()] = np.arange(len(index))
        places = place[rows]
        return places, np.flatnonzero((places >= 0).all(axis=1))

    def _pair_loss(self, embeddings: Tensor, index: Tensor) -> Tensor:
        """Of those judged pairs of which both crops happen to be in the batch."""
        pairs, inside = self._inside(self._pairs.rows, index)
        device = embeddings.device
        return judged_pair_loss(
            embeddings,
            torch.from_numpy(pairs[inside]).to(device),
            torch.from_numpy(self._pairs.is_must[inside]).to(device),
            torch.from_numpy(self._pairs.weights[inside]).to(device),
            must_similarity=self.terms.must_similarity,
            cannot_similarity=self.terms.cannot_similarity,
        )


def num_matched(query: TrainingCrops, gallery: TrainingCrops) -> int:
    """How many people have a query with a match from another camera."""
    pids = np.intersect1d(query.pids[query.pids > 0], gallery.pids)
    return sum(
        bool((gallery.camids[gallery.pids == pid][:, None] != query.camids[query.pids == pid]).any())
        for pid in pids
    )


def load_served(path: str | Path, config: TrainConfig) -> tuple[LoadedWeights, TrainConfig]:
    """The served net, and the recipe at its variant and input size."""
    served = load_weights(path)
    size = served.spec.preprocessing
    stages = tuple(replace(stage, height=size.height, width=size.width) for stage in config.stages)
    assert isinstance(served.model, OSNet)
    return served, replace(config, variant=served.model.variant, stages=stages, licence=served.spec.licence)
