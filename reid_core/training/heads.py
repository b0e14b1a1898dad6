"""What hangs on the embedding while a net learns, and is thrown away afterwards."""

from __future__ import annotations

import warnings
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class HeadOutput(NamedTuple):
    """Of B embeddings: identity logits (B, C), categorical logits (B, V) and real predictions (B, R)."""

    identities: Tensor
    categories: Tensor
    reals: Tensor


class TrainingHeads(nn.Module):
    """An identity classifier and linear attribute heads.

    With a ``scale`` the classifier compares directions, as retrieval does, times ``scale``; without one it is
    linear, as published. It sits on the embedding itself, or behind a batch norm without bias (BN-neck, Luo
    et al., CVPRW 2019) when ``has_neck``. The attribute heads always sit behind
    the neck: on the un-centred, non-negative embedding they made the loss rise.
    """

    def __init__(
        self,
        embedding_size: int,
        num_identities: int,
        num_categories: int,
        num_reals: int,
        *,
        scale: float | None,
        has_neck: bool,
    ) -> None:
        super().__init__()
        self.scale, self.has_neck = scale, has_neck
        self.neck = nn.BatchNorm1d(embedding_size)
        self.neck.bias.requires_grad_(False)
        self.identity_weight = nn.Parameter(torch.randn(num_identities, embedding_size) * 0.05)
        if scale is None:
            self.identity_weight.data.mul_(0.2)  # N(0, 0.01), as the published code starts it
            self.identity_bias = nn.Parameter(torch.zeros(num_identities))
        self.categories = _linear(embedding_size, num_categories)
        self.reals = _linear(embedding_size, num_reals)

    def forward(self, embeddings: Tensor) -> HeadOutput:
        """(B, D) -> logits and predictions."""
        centred = self.neck(embeddings)
        features = centred if self.has_neck else embeddings
        if self.scale is None:
            identities = F.linear(features, self.identity_weight, self.identity_bias)
        else:
            identities = (
                self.scale * F.normalize(features, dim=1) @ F.normalize(self.identity_weight, dim=1).T
            )
        return HeadOutput(identities, self.categories(centred), self.reals(centred))

    @torch.no_grad()
    def start_at_means(self, embeddings: Tensor, labels: Tensor) -> None:
        """Put the neck's statistics and every identity's weights where these (N, D) embeddings are.

        A classifier that begins at the identities' mean directions ("imprinting", Qi et al., CVPR 2018) does
        not first pull a trained net apart.
        """
        self.neck.running_mean.copy_(embeddings.mean(dim=0))  # type: ignore[union-attr]
        self.neck.running_var.copy_(embeddings.var(dim=0))  # type: ignore[union-attr]
        was_training = self.neck.training
        features = self.neck.eval()(embeddings) if self.has_neck else embeddings
        self.neck.train(was_training)
        sums = torch.zeros_like(self.identity_weight).index_add_(0, labels, F.normalize(features, dim=1))
        self.identity_weight.copy_(F.normalize(sums, dim=1))


def _linear(num_inputs: int, num_outputs: int) -> nn.Linear:
    """A linear layer with N(0, 0.01) weights; it may have no output."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Initializing zero-element tensors")
        linear = nn.Linear(num_inputs, num_outputs)
    if num_outputs:
        nn.init.normal_(linear.weight, std=0.01)
        nn.init.zeros_(linear.bias)
    return linear
