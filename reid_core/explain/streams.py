"""The streams, gates and last map that made a crop's embedding, and what in a pair moved its cosine.

Everything is read from ``OSNet.trace``, the pass that makes the embedding itself. Sources: OSNet (Zhou et
al., ICCV 2019) for streams, gates and the activation map; gradient times value is the first-order term of
leaving a value out (Simonyan et al., 2014; Shrikumar et al., ICML 2017).

With F the gated sum of a block's streams, g a gate and m a map, the evidence of stream t at cell (y, x) is

    sum over channels c of  d cosine / d F[c, y, x]  *  g[t, c]  *  m[t, c, y, x].

The gradient is the same for all four streams, because F is their sum; so evidence adds up exactly over
streams. It does not add up to the cosine, because a cosine does not change when an embedding grows as a
whole: what counts for a cell is its part of the dot product minus its part of the crop's own norm times the
cosine. Positive evidence is where the crop agrees with the other one more than the two agree as a whole,
negative evidence where less; for two equal crops all of it is zero. Where a block has instance
normalisation inside, the sum over all streams and cells is zero but for the norm's epsilon, because that
norm takes any common growth back: there only differences between places and between streams mean something.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from reid_core.errors import InputError
from reid_core.explain.records import Array, BlockStreams, CropStreams, Explanation
from reid_core.models.osnet import NUM_STREAMS, BlockTrace, NetworkTrace, OSNet, StreamTrace


def trace_crops(model: OSNet, images: Tensor) -> tuple[CropStreams, ...]:
    """What the net computed for each of B crops.

    Args:
        model: The net in eval mode.
        images: (B, 3, height, width), preprocessed as its weights expect.

    Raises:
        InputError: The net is in train mode, or an embedding is zero or not finite.
    """
    _check_eval(model)
    with torch.inference_mode():
        trace = model.trace(images)
    return _read_crops(model, trace)


def trace_pair(model: OSNet, images: Tensor) -> Explanation:
    """What the net computed for two crops, and what moved their cosine.

    Args:
        model: The net in eval mode.
        images: (2, 3, height, width), preprocessed as its weights expect.

    Raises:
        InputError: Not two images, the net is in train mode, or an embedding is zero or not finite.
    """
    _check_eval(model)
    if len(images) != 2:
        raise InputError(f"A pair is explained from 2 images; {len(images)} came.")
    with torch.enable_grad():
        trace = model.trace(images.detach().requires_grad_(True))
        crops = _read_crops(model, trace)
        left, right = torch.nn.functional.normalize(trace.embedding, dim=1)
        similarity = (left * right).sum()
        values = [*(block.fused for block in trace.blocks), trace.feature_map]
        *gradients, last_gradient = torch.autograd.grad(similarity, values)
    with torch.no_grad():
        maps = [_block_evidence(*both) for both in zip(trace.blocks, gradients, strict=True)]
        maps.append(_array((last_gradient * trace.feature_map).sum(1, keepdim=True)))
    evidence = tuple(tuple(both[side] for both in maps) for side in range(2))
    return Explanation(crops, float(similarity.detach()), evidence)


def measure_removal(model: OSNet, images: Tensor, block: str) -> Array:
    """How much lower the cosine of two crops is when one stream of ``block`` adds nothing in one of them.

    Args:
        model: The net in eval mode.
        images: (2, 3, height, width), preprocessed as its weights expect.
        block: A name in ``BLOCK_NAMES``.

    Returns:
        (2, 4): left crop first, stream by stream. Gates stay as they were.
    """
    _check_eval(model)
    streams = torch.arange(NUM_STREAMS)

    def silence(name: str, trace: StreamTrace) -> StreamTrace:
        if name != block:
            return trace
        maps = trace.maps.clone()
        maps[streams, streams] = 0  # copy t goes on without stream t
        maps[NUM_STREAMS + streams, streams] = 0
        return trace._replace(maps=maps)

    with torch.inference_mode():
        vectors = torch.nn.functional.normalize(model.embed(images), dim=1)
        without = model.trace(images.repeat_interleave(NUM_STREAMS, dim=0), silence).embedding
        others = vectors.flip(0).repeat_interleave(NUM_STREAMS, dim=0)
        similarities = (torch.nn.functional.normalize(without, dim=1) * others).sum(1)
        return _array((vectors[0] * vectors[1]).sum() - similarities.view(2, NUM_STREAMS))


def _read_crops(model: OSNet, trace: NetworkTrace) -> tuple[CropStreams, ...]:
    norms = trace.embedding.detach().norm(dim=1)
    if not bool((torch.isfinite(norms) & (norms > 0)).all()):
        raise InputError(
            "The network's embedding of a crop is zero or not a finite number, so there is nothing to "
            "explain. Look at the crop; if many are affected, the weights are damaged."
        )
    with torch.no_grad():
        vectors = _array(trace.embedding / norms[:, None])
        absolute, squared = _array(trace.feature_map.abs().sum(1)), _array(trace.feature_map.square().sum(1))
        norms_by_block = model.architecture.block_norms
        blocks = [
            _read_block(block, place) for block, place in zip(trace.blocks, norms_by_block, strict=True)
        ]
    return tuple(
        CropStreams(vectors[row], tuple(block[row] for block in blocks), absolute[row], squared[row])
        for row in range(len(vectors))
    )


def _read_block(block: BlockTrace, instance_norm: str) -> list[BlockStreams]:
    """One block, for each crop."""
    maps, gates = block.streams
    energy = _array((gates * maps).abs().mean(2))
    gate_vectors = _array(gates.flatten(2))
    mean_gates = gate_vectors.mean(axis=2)
    strength = mean_gates * _array(maps.abs().mean((2, 3, 4)))
    total = strength.sum(axis=1, keepdims=True)
    shares = np.divide(strength, total, out=np.zeros_like(strength), where=total > 0)
    return [
        BlockStreams(block.name, instance_norm, *parts)
        for parts in zip(gate_vectors, mean_gates, shares, energy, strict=True)
    ]


def _block_evidence(block: BlockTrace, gradient: Tensor) -> Array:
    """(2, 4, H, W)."""
    maps, gates = block.streams
    return _array((gradient[:, None] * gates * maps).sum(2))


def _array(values: Tensor) -> Array:
    result: Array = values.detach().float().cpu().numpy()
    return result


def _check_eval(model: OSNet) -> None:
    if model.training:
        raise InputError(
            "The network is in train mode, where a crop's maps depend on the batch. Call eval()."
        )
