"""Deterministic weights for parity checks: every tensor is a function of its name and shape alone.

``fill(state_dict)`` overwrites a state dict in place. The same call on any implementation of OSNet that
uses the published key names gives the same network, so embeddings can be compared without shipping weights.
"""

import math
import zlib

import numpy as np
import torch


def fill(state_dict: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Overwrite every tensor of an OSNet state dict (published key names) in place and return it."""
    for name, tensor in state_dict.items():
        rng = np.random.default_rng(zlib.crc32(name.encode()))
        if name.endswith("num_batches_tracked"):
            tensor.zero_()
            continue
        if name.endswith("running_var"):
            values = rng.uniform(0.5, 1.5, tensor.shape)
        elif name.endswith("running_mean") or name.endswith("bias"):
            values = rng.normal(0.0, 0.1, tensor.shape)
        elif tensor.dim() == 1:  # scale of a normalisation layer
            values = rng.uniform(0.5, 1.5, tensor.shape)
        else:  # convolution or linear weight
            values = rng.normal(0.0, math.sqrt(2.0 / math.prod(tensor.shape[1:])), tensor.shape)
        tensor.copy_(torch.from_numpy(np.asarray(values, dtype=np.float32)))
    return state_dict
