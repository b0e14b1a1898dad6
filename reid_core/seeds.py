"""Named random streams: a part that draws more numbers never changes what another part gets."""

from __future__ import annotations

import hashlib

import numpy as np


def rng_for(seed: int, *names: str | int) -> np.random.Generator:
    """The generator of one named purpose, e.g. ``rng_for(7, "camera", 3)``; equal names give equal numbers.

    Stable across machines, processes and Python versions (SHA-256 of the names, not ``hash``).
    """
    digest = hashlib.sha256(repr((seed, *names)).encode()).digest()
    return np.random.default_rng(np.frombuffer(digest, dtype=np.uint32))
