"""Does a map tell the truth? Deletion and insertion, and what happens when the weights forget what they
learned.

Deletion and insertion: Petsiuk et al., "RISE", BMVC 2018. Cells of the crop are covered with the grey that
preprocessing maps to zero (deletion), or uncovered (insertion), in the map's order, and the similarity is
measured again with the whole network. Random orders are the yardstick: a map that names the right places
makes the similarity fall faster than they do, and rise faster.

Cascading randomisation: Adebayo et al., "Sanity Checks for Saliency Maps", NeurIPS 2018. From the output
down, the weights of one layer after the other are shuffled. A map that does not change shows the crop's
edges and not what the network learned.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import rankdata
from torch import Tensor, nn

from reid_core.errors import InputError
from reid_core.explain.records import Array, CascadeStep, Curve, PlaceCheck
from reid_core.models.osnet import OSNet
from reid_core.seeds import rng_for

NUM_STEPS, NUM_RANDOM = 12, 4
_BATCH = 8

Embed = Callable[[Tensor], Tensor]
"""Images (B, 3, height, width) -> embeddings (B, D), of any length."""


def check_places(
    embed: Embed,
    image: Tensor,
    target: Array,
    importance: Array,
    *,
    num_steps: int = NUM_STEPS,
    num_random: int = NUM_RANDOM,
    seed: int = 0,
) -> PlaceCheck:
    """Delete and insert the cells of a map, the most important first.

    Args:
        embed: The network; called with at most 8 images at a time.
        image: (3, height, width), preprocessed; zero is the grey that stands for nothing.
        target: (D,) unit vector whose cosine with the changed crop is measured.
        importance: (H, W) map over the crop; equal values keep their order in the map.
        num_steps: Cells are covered in this many equal steps, fewer where the map has fewer cells.
        num_random: Number of random orders.
        seed: Of the random orders.

    Raises:
        InputError: The map is not two-dimensional or not finite.
    """
    if importance.ndim != 2 or not np.isfinite(importance).all():
        raise InputError(f"The map has shape {importance.shape}; expected (H, W) finite numbers.")
    num_cells = importance.size
    rng = rng_for(seed, "deletion orders", num_cells)
    orders = [np.argsort(-importance.ravel(), kind="stable")]
    orders += [rng.permutation(num_cells) for _ in range(num_random)]
    counts = np.unique(np.linspace(0, num_cells, num_steps + 1).round().astype(int))
    masks = np.concatenate([_masks(order, counts, num_cells) for order in orders])
    deleted = ~masks.reshape(-1, *importance.shape)
    images = (_covered(image, keep) for keep in (*deleted, *~deleted))
    similarities = _similarities(embed, images, target).reshape(2, len(orders), len(counts))
    fractions = (counts / num_cells).astype(np.float32)
    deletion, insertion = ([Curve(fractions, row) for row in rows] for rows in similarities)
    return PlaceCheck(deletion[0], insertion[0], tuple(deletion[1:]), tuple(insertion[1:]))


def check_weights(
    model: OSNet, explain: Callable[[OSNet], Array], *, seed: int = 0
) -> tuple[CascadeStep, ...]:
    """Shuffle the weights of layer after layer from the output down, and compare the map with the real one.

    Convolutions and linear layers are shuffled within themselves, so that their weights keep their
    distribution; normalisations stay. ``model`` is copied, not changed.

    Args:
        model: The net in eval mode.
        explain: Makes the map of a net; any shape, the same each time.
        seed: Of the shuffling.

    Returns:
        One step per layer, output first; correlations are Spearman's.
    """
    real = explain(model)
    forgetful = copy.deepcopy(model)
    steps = []
    for name, modules in _layers_from_output(forgetful):
        for index, module in enumerate(_weighted(modules)):
            weight = module.weight.detach()
            order = rng_for(seed, "shuffled weights", name, index).permutation(weight.numel())
            with torch.no_grad():
                module.weight.copy_(weight.flatten()[torch.from_numpy(order)].view_as(weight))
        steps.append(CascadeStep(name, rank_correlation(real, explain(forgetful))))
    return tuple(steps)


def rank_correlation(one: Array, other: Array) -> float | None:
    """Spearman's correlation of two maps of one shape; None where one of them is flat or not finite."""
    if not (np.isfinite(one).all() and np.isfinite(other).all()):
        return None
    ranks = [rankdata(values.ravel()) for values in (one, other)]
    if any(np.ptp(row) == 0 for row in ranks):
        return None
    return float(np.corrcoef(*ranks)[0, 1])


def _masks(order: NDArray[np.integer], counts: NDArray[np.integer], num_cells: int) -> NDArray[np.bool_]:
    """(S, num_cells): which cells are among the first ``counts`` of the order."""
    place = np.empty(num_cells, dtype=np.int64)
    place[order] = np.arange(num_cells)
    return place[None] < counts[:, None]


def _covered(image: Tensor, keep: NDArray[np.bool_]) -> Tensor:
    """The image with the cells that are not kept at zero; cells are stretched over it as the maps are."""
    mask = torch.from_numpy(keep.astype(np.float32))[None, None]
    return image * nn.functional.interpolate(mask, size=image.shape[1:], mode="nearest")[0]


def _similarities(embed: Embed, images: Iterable[Tensor], target: Array) -> Array:
    waiting: list[Tensor] = []
    found: list[Array] = []

    def run() -> None:
        vectors = embed(torch.stack(waiting)).float().cpu().numpy().astype(np.float64)
        norms = np.maximum(np.linalg.norm(vectors, axis=1), 1e-12)  # a covered crop may embed as zero
        found.append((vectors @ target / norms).astype(np.float32))
        waiting.clear()

    for image in images:
        waiting.append(image)
        if len(waiting) == _BATCH:
            run()
    if waiting:
        run()
    return np.concatenate(found)


def _layers_from_output(model: OSNet) -> list[tuple[str, list[nn.Module]]]:
    """The layers by name, output first; what halves a map goes with the block before it."""
    blocks: list[tuple[str, list[nn.Module]]] = [
        (name, [block] if transition is None else [block, transition])
        for (name, block), transition in zip(model.named_blocks(), model.transitions(), strict=True)
    ]
    layers: list[tuple[str, list[nn.Module]]] = [("conv1", [model.conv1]), *blocks]
    layers += [("conv5", [model.conv5]), ("fc", [model.fc])]
    return layers[::-1]


def _weighted(modules: list[nn.Module]) -> list[nn.Conv2d | nn.Linear]:
    return [
        part for module in modules for part in module.modules() if isinstance(part, nn.Conv2d | nn.Linear)
    ]
