"""Losses of the training loop; each returns one scalar, the mean over what it counts.

B batch, D embedding size, C identities (classes), T attributes.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from reid_core.errors import InputError


def identity_loss(
    logits: Tensor,
    labels: Tensor,
    *,
    label_smoothing: float,
    weights: Tensor | None = None,
    is_barred: Tensor | None = None,
) -> Tensor:
    """Cross-entropy with label smoothing (Szegedy et al., CVPR 2016): logits (B, C), labels (B,) int64.

    Args:
        logits, labels: As above.
        label_smoothing: Share of the target that is spread evenly over the classes.
        weights: (B,), at least 0: how much each crop counts; the mean is weighted by them.
        is_barred: (B, C) bool: classes that do not exist for a crop, never its own: they get no probability,
            no share of the smoothing and no gradient.
    """
    if is_barred is None:
        per_crop = F.cross_entropy(logits, labels, label_smoothing=label_smoothing, reduction="none")
    else:
        log_shares = logits.masked_fill(is_barred, -math.inf).log_softmax(dim=1)
        own = -log_shares.gather(1, labels[:, None])[:, 0]
        spread = -log_shares.masked_fill(is_barred, 0.0).sum(dim=1) / (~is_barred).sum(dim=1)
        per_crop = (1.0 - label_smoothing) * own + label_smoothing * spread
    if weights is None:
        return per_crop.mean()
    return (weights * per_crop).sum() / weights.sum().clamp_min(1e-6)


def batch_hard_triplet_loss(
    embeddings: Tensor, labels: Tensor, *, margin: float, negative_weights: Tensor | None = None
) -> Tensor:
    """Triplet loss with the hardest positive and negative of the batch (Hermans et al., 2017).

    Distances are Euclidean between L2-normalised embeddings, so the loss shapes the cosine that ranks later.

    Args:
        embeddings: (B, D), of any length.
        labels: (B,) int64; an anchor needs another crop of its identity and one of another identity.
        margin: Distance by which the negative has to be farther than the positive.
        negative_weights: (B, B) in [0, 1]; 0: the pair is never mined as a negative, whatever the labels say.
            Otherwise the anchor counts with the weight of its hardest negative.

    Raises:
        InputError: No crop of the batch has both a positive and a negative.
    """
    unit = F.normalize(embeddings, dim=1)
    same = labels[:, None] == labels[None, :]
    # The clamp keeps the gradient of the square root finite where two crops embed alike.
    distances = (2.0 - 2.0 * unit @ unit.T).clamp_min(1e-6).sqrt()
    itself = torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    is_barred = same if negative_weights is None else same | (negative_weights <= 0)
    hardest_positive = distances.masked_fill(~same | itself, -math.inf).amax(dim=1)
    hardest_negative, place = distances.masked_fill(is_barred, math.inf).min(dim=1)
    violation = hardest_positive - hardest_negative + margin
    anchors = torch.isfinite(violation)
    if not bool(anchors.any()):
        raise InputError(
            "A triplet needs two crops of one identity and one of another in a batch; sample P >= 2 "
            "identities with K >= 2 crops each."
        )
    if negative_weights is None:
        return F.relu(violation[anchors]).mean()
    weights = negative_weights.gather(1, place[:, None])[:, 0][anchors]
    return (weights * F.relu(violation[anchors])).sum() / weights.sum()


def contrastive_loss(
    embeddings: Tensor, labels: Tensor, *, temperature: float, negative_weights: Tensor | None = None
) -> Tensor:
    """Supervised contrastive loss (Khosla et al., NeurIPS 2020) on L2-normalised embeddings.

    Args:
        embeddings: (B, D).
        labels: (B,) int64; crops without a positive in the batch do not count.
        temperature: Divides the cosines.
        negative_weights: (B, B) in [0, 1]: how much each pair counts in the denominator as a negative.

    Raises:
        InputError: No crop has a positive.
    """
    unit = F.normalize(embeddings, dim=1)
    itself = torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    same = labels[:, None] == labels[None, :]
    positives = same & ~itself
    counts = positives.sum(dim=1)
    if not bool(counts.any()):
        raise InputError("A contrastive loss needs two crops of one identity in a batch; sample K >= 2 each.")
    logits = unit @ unit.T / temperature
    if negative_weights is not None:
        logits = logits + negative_weights.masked_fill(same, 1.0).clamp_min(1e-12).log()
    log_shares = logits.masked_fill(itself, -math.inf).log_softmax(dim=1)
    per_anchor = -log_shares.masked_fill(~positives, 0.0).sum(dim=1) / counts.clamp_min(1)
    return per_anchor[counts > 0].mean()


def judged_pair_loss(
    embeddings: Tensor,
    pairs: Tensor,
    is_must: Tensor,
    weights: Tensor,
    *,
    must_similarity: float,
    cannot_similarity: float,
) -> Tensor:
    """Hinge on the cosine of pairs that a person judged, averaged by ``weights``.

    Args:
        embeddings: (B, D).
        pairs: (M, 2) int64 rows of ``embeddings``; M may be 0, then the loss is 0.
        is_must: (M,) bool; True: "same", which should be at least ``must_similarity`` alike; False:
            "different", at most ``cannot_similarity``.
        weights: (M,), at least 0.
        must_similarity: Cosine in [-1, 1].
        cannot_similarity: Cosine in [-1, 1].
    """
    unit = F.normalize(embeddings, dim=1)
    cosines = (unit[pairs[:, 0]] * unit[pairs[:, 1]]).sum(dim=1)
    hinge = torch.where(is_must, must_similarity - cosines, cosines - cannot_similarity)
    return (weights * F.relu(hinge)).sum() / weights.sum().clamp_min(1e-6)


def ranking_loss(embeddings: Tensor, triplets: Tensor, *, margin: float) -> Tensor:
    """Hinge on orders that people demanded: the positive more similar to the anchor than the negative is.

    Args:
        embeddings: (B, D).
        triplets: (T, 3) int64 rows anchor, positive, negative; T may be 0, then the loss is 0.
        margin: Cosine by which the positive has to be ahead. The mean is over those that are not.
    """
    unit = F.normalize(embeddings, dim=1)
    anchors, positives, negatives = (unit[column] for column in triplets.T)
    hinge = F.relu((anchors * (negatives - positives)).sum(dim=1) + margin)
    return hinge.sum() / (hinge > 0).sum().clamp_min(1)


def distillation_loss(embeddings: Tensor, targets: Tensor) -> Tensor:
    """Mean squared distance between the unit vectors of ``embeddings`` and ``targets``, both (B, D).

    0 for B = 0; 4 at most. Keeps a net near what it knew (feature distillation).
    """
    distances = (F.normalize(embeddings, dim=1) - F.normalize(targets, dim=1)).square().sum(dim=1)
    return distances.sum() / max(1, len(distances))


def categorical_attribute_loss(logits: Tensor, targets: Tensor, num_values: tuple[int, ...]) -> Tensor:
    """Mean over T attributes of the cross-entropy, each divided by that of a guess, ln(number of values).

    Args:
        logits: (B, sum of ``num_values``), attribute after attribute.
        targets: (B, T) int64; -1 where unknown: it does not count.
        num_values: Values of each attribute, at least 2.
    """
    losses = [
        F.cross_entropy(part, targets[:, index], ignore_index=-1, reduction="sum")
        / ((targets[:, index] >= 0).sum().clamp_min(1) * math.log(num_values[index]))
        for index, part in enumerate(torch.split(logits, list(num_values), dim=1))
    ]
    return torch.stack(losses).mean()


def real_attribute_loss(predictions: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Weighted mean squared error; all (B, R), weight 0 where an attribute does not apply."""
    return (weights * (predictions - targets) ** 2).sum() / weights.sum().clamp_min(1.0)
