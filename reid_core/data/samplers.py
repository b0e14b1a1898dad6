"""Which crops make up training batch number ``step``: pure functions of a seed and the step.

No sampler holds a position, so a run that stopped goes on with the very next batch.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from reid_core.errors import InputError
from reid_core.seeds import rng_for

IndexArray = NDArray[np.int64]


class BatchSampler(Protocol):
    """Gives the indices of the crops of one batch."""

    def batch(self, step: int) -> IndexArray:
        """(B,) int64 indices of batch ``step``, counted from 0."""
        ...


class RandomSampler:
    """Epochs of all N crops in random order; crops that do not fill a last batch wait."""

    def __init__(self, num_crops: int, *, batch_size: int, seed: int) -> None:
        if not 1 <= batch_size <= num_crops:
            raise InputError(
                f"Batches of {batch_size} from {num_crops} crops; expected a batch size between 1 and the "
                "number of crops. Lower the batch size or give more crops."
            )
        self._num_crops, self._batch_size, self._seed = num_crops, batch_size, seed
        self.batches_per_epoch = num_crops // batch_size

    def batch(self, step: int) -> IndexArray:
        """(batch_size,) distinct indices."""
        epoch, position = divmod(step, self.batches_per_epoch)
        order = rng_for(self._seed, "random sampler", epoch).permutation(self._num_crops)
        start = position * self._batch_size
        return order[start : start + self._batch_size].astype(np.int64)


class IdentitySampler:
    """P identities with K crops each (Hermans et al., 2017); an epoch visits every usable identity once.

    An identity with a single crop is never drawn: it has no positive. Identities with fewer than K crops
    repeat some. The K crops come from as many cameras as the identity has been seen by.
    """

    def __init__(
        self,
        pids: NDArray[np.int64],
        camids: NDArray[np.int64],
        *,
        identities_per_batch: int,
        crops_per_identity: int,
        seed: int,
    ) -> None:
        if pids.shape != camids.shape or pids.ndim != 1:
            raise InputError(f"pids {pids.shape} and camids {camids.shape}: expected one of each per crop.")
        if identities_per_batch < 2 or crops_per_identity < 2:
            raise InputError(
                f"{identities_per_batch} identities x {crops_per_identity} crops; "
                "a triplet needs at least 2 x 2."
            )
        self._camids, self._seed = camids, seed
        self._num_identities, self._num_crops = identities_per_batch, crops_per_identity
        order = np.argsort(pids, kind="stable")
        _, starts = np.unique(pids[order], return_index=True)
        groups = np.split(order.astype(np.int64), starts[1:])
        self._crops = [group for group in groups if len(group) >= 2]
        if len(self._crops) < identities_per_batch:
            raise InputError(
                f"{len(self._crops)} identities have two crops or more, a batch needs "
                f"{identities_per_batch}. Lower the number of identities per batch or give more data."
            )
        self.batches_per_epoch = len(self._crops) // identities_per_batch

    def batch(self, step: int) -> IndexArray:
        """(P * K,) indices, the K crops of an identity in a row."""
        epoch, position = divmod(step, self.batches_per_epoch)
        order = rng_for(self._seed, "identity order", epoch).permutation(len(self._crops))
        chosen = order[position * self._num_identities : (position + 1) * self._num_identities]
        rng = rng_for(self._seed, "crops of identities", step)
        return np.concatenate(
            [draw_crops(self._crops[index], self._camids, self._num_crops, rng) for index in chosen]
        )


class CorrectionSampler:
    """Batches of replayed, corrected and disputed identities, P in all, with K crops each.

    At least ``replay_share`` of the P identities are of the base set. Of the others, ``conflict_share`` come
    as *conflict neighbourhoods*: two identities that a person told apart, so that the hard negative is in the
    batch, and of ``triplets`` between the two a random one with all its crops. Only corrected identities seen
    by two cameras or more take part in those. No identity comes twice.
    Where nothing was corrected, all are of the base set.

    Args:
        pids, camids: (N,) int64. is_replay: (N,) bool, constant within a pid: of the base set.
        conflicts: Pairs of pids that were told apart.
        triplets: (T, 3) rows anchor, positive and negative.
        identities_per_batch: P. crops_per_identity: K, at least 2.
        replay_share, conflict_share: As above, in [0, 1].
        seed: Equal seeds give equal batches.

    Raises:
        InputError: Too few identities with two crops to fill a batch.
    """

    def __init__(
        self,
        pids: NDArray[np.int64],
        camids: NDArray[np.int64],
        is_replay: NDArray[np.bool_],
        conflicts: Sequence[tuple[int, int]],
        *,
        identities_per_batch: int,
        crops_per_identity: int,
        replay_share: float,
        conflict_share: float,
        seed: int,
        triplets: IndexArray | None = None,
    ) -> None:
        self._seed, self._num_crops = seed, crops_per_identity
        self._camids = camids
        self._crops = {int(pid): np.flatnonzero(pids == pid).astype(np.int64) for pid in np.unique(pids)}
        usable = [pid for pid, crops in self._crops.items() if len(crops) >= 2]
        self._replay = [pid for pid in usable if is_replay[self._crops[pid][0]]]
        self._corrected = [pid for pid in usable if not is_replay[self._crops[pid][0]]]
        in_cameras = {pid for pid in self._corrected if len(set(camids[self._crops[pid]].tolist())) >= 2}
        self._conflicts = sorted({(min(a, b), max(a, b)) for a, b in conflicts if {a, b} <= in_cameras})
        self._triplets: dict[tuple[int, int], list[IndexArray]] = {}
        for triplet in () if triplets is None else triplets:
            one, other = int(pids[triplet[0]]), int(pids[triplet[2]])
            self._triplets.setdefault((min(one, other), max(one, other)), []).append(triplet)
        self.num_replay = min(identities_per_batch, math.ceil(replay_share * identities_per_batch - 1e-9))
        if not self._corrected:
            self.num_replay = identities_per_batch
        self.num_corrected = identities_per_batch - self.num_replay
        self._num_conflicts = int(conflict_share * self.num_corrected) // 2
        if len(self._replay) < self.num_replay or len(self._corrected) < self.num_corrected:
            raise InputError(
                f"A batch needs {self.num_replay} identities of the base set and {self.num_corrected} of the "
                f"corrected part, each with two crops; there are {len(self._replay)} and "
                f"{len(self._corrected)}. Correct more, or lower the batch size or the share of replay."
            )

    def batch(self, step: int) -> IndexArray:
        """(P * K,) indices: replayed identities first, then conflict neighbourhoods, then the rest."""
        chosen = self._in_turn("replay", self._replay, step, self.num_replay)
        corrected: list[int] = []
        rng = rng_for(self._seed, "crops of corrections", step)
        wanted = np.empty(0, dtype=np.int64)
        for place in self._in_turn("conflicts", range(len(self._conflicts)), step, self._num_conflicts):
            both = self._conflicts[place]
            if not set(both) & set(corrected):
                corrected += both
                if both in self._triplets:
                    wanted = np.append(wanted, rng.choice(self._triplets[both]))
        rest = [pid for pid in self._in_turn("corrected", self._corrected, step, self.num_corrected)]
        corrected += [pid for pid in rest if pid not in corrected][: self.num_corrected - len(corrected)]
        return np.concatenate([self._draw(pid, wanted, rng) for pid in (*chosen, *corrected)])

    def _draw(self, pid: int, wanted: IndexArray, rng: np.random.Generator) -> IndexArray:
        """K crops of one identity: those of it that are wanted, and others."""
        crops = self._crops[pid]
        first = crops[np.isin(crops, wanted)][: self._num_crops]
        others = np.setdiff1d(crops, first) if len(first) < len(crops) else crops
        return np.append(first, draw_crops(others, self._camids, self._num_crops - len(first), rng))

    def _in_turn(self, name: str, items: Sequence[int], step: int, number: int) -> list[int]:
        """``number`` different items; over the steps every item comes about equally often, in random
        order."""
        if not number or not items:
            return []
        taken: list[int] = []
        epoch, position = divmod(step * number, len(items))
        while len(taken) < min(number, len(items)):
            order = rng_for(self._seed, "correction order", name, epoch).permutation(len(items))[position:]
            taken += [items[i] for i in order if items[i] not in taken][: number - len(taken)]
            epoch, position = epoch + 1, 0
        return taken


def draw_crops(
    crops: IndexArray, camids: NDArray[np.int64], number: int, rng: np.random.Generator
) -> IndexArray:
    """``number`` crops of one identity: one of each camera in turn, repeated if there are too few.

    Args:
        crops: Indices of the identity's crops.
        camids: Cameras of all crops that the indices point into.
        number: How many to draw.
        rng: Source of the draw.
    """
    shuffled = rng.permutation(crops)
    # The n-th crop of every camera comes before the (n + 1)-th of any.
    seen: dict[int, int] = {}
    turn = np.empty(len(shuffled), dtype=np.int64)
    for place, crop in enumerate(shuffled):
        camid = int(camids[crop])
        turn[place] = seen.get(camid, 0)
        seen[camid] = int(turn[place]) + 1
    in_turn = shuffled[np.argsort(turn, kind="stable")]
    return np.resize(in_turn, number).astype(np.int64)
