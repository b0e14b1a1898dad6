"""What the map service takes and hands out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from reid_core.mapping import UmapParameters
from reid_core.services.records import QueryView

LAYOUT_VERSION = 1
"""Goes up when the same parameters give other places."""

Method = Literal["pca", "umap"]


@dataclass(frozen=True, slots=True)
class MapRequest:
    """Which map: a gallery by a network, and how it is laid out; empty names are the defaults.

    ``aligned_to`` names another network: this map is then laid out to be compared with that one's.
    """

    gallery: str = ""
    model: str = ""
    method: Method = "umap"
    parameters: UmapParameters = field(default_factory=UmapParameters)
    aligned_to: str = ""

    def digest(self, reference_fingerprint: str = "") -> str:
        """Names the layout among those of one gallery and network; ``reference_fingerprint`` if aligned."""
        if self.method == "pca":
            return "pca"  # which no parameter changes
        p = self.parameters
        decisive = [
            LAYOUT_VERSION,
            p.num_neighbours,
            round(p.min_dist, 6),
            p.seed,
            p.metric,
            reference_fingerprint,
        ]
        return hashlib.sha256(json.dumps(decisive).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class MapLayout:
    """Places of all embedded crops: ``points`` (N, 2) float32 belong to ``ids``, finite.

    ``key`` changes when a place does. ``num_placed`` crops came after the layout was fitted and stand near
    their neighbours; nothing was fitted again.
    """

    key: str
    ids: tuple[str, ...]
    points: NDArray[np.float32]
    method: Method
    num_placed: int = 0


@dataclass(frozen=True, slots=True)
class CropFacts:
    """What is known about one crop on the map; ``x``, ``y`` are NaN where it has no place."""

    view: QueryView
    split: str
    attributes: Mapping[str, str]
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class SelectionView:
    """A set of crops: the ``key`` that other pages take ("" for none), its ids with the
    crops of a person together, and its rows of the map in rising order."""

    key: str
    ids: tuple[str, ...]
    rows: tuple[int, ...]
