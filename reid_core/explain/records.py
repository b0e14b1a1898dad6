"""What explanations are made of. NumPy arrays and plain values; nothing here needs PyTorch.

H and W are the height and width of a block's maps, M its channels inside; arrays are float32. A map covers
the whole crop: cell (y, x) of an (H, W) map lies over the part y / H to (y + 1) / H of the crop's height.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reid_core.errors import InputError

Array = NDArray[np.float32]

RECEPTIVE_FIELDS = (3, 5, 7, 9)
"""How many cells of the block's input each stream sees, in height and width."""
NUM_STREAMS = len(RECEPTIVE_FIELDS)
LAST_MAP = "conv5"
"""The map that the global average reads."""
PLACES = ("conv2.0", "conv2.1", "conv3.0", "conv3.1", "conv4.0", "conv4.1", LAST_MAP)
"""The six blocks in the order they run, and the last map."""
DEFAULT_BLOCK = "conv3.1"
"""Where to look first: cells fine enough to see body parts, and evidence that beat random orders in deletion
and insertion on the demo city (``benchmarks/explain.py``)."""
MAP_KINDS = ("evidence", "energy", "squared")


@dataclass(frozen=True, eq=False)
class BlockStreams:
    """One omni-scale block of one crop.

    ``gates`` (4, M) are in (0, 1). ``mean_gates`` (4,) are their means over channels. ``shares`` (4,) are
    mean gate times mean activation, divided by the sum over the streams; all zero where the block is
    silent. ``energy`` (4, H, W) is the mean over channels of gate times activation, in the network's own
    units; its sum over the streams is the energy of what the block passes on. ``instance_norm`` is none,
    inside or after.
    """

    name: str
    instance_norm: str
    gates: Array
    mean_gates: Array
    shares: Array
    energy: Array


@dataclass(frozen=True, eq=False)
class CropStreams:
    """One crop: its unit embedding (512,), its six blocks, and its last map in both published aggregations.

    ``absolute`` and ``squared`` (H, W) are the sums over channels of the absolute values and of the squares.
    """

    vector: Array
    blocks: tuple[BlockStreams, ...]
    absolute: Array
    squared: Array


@dataclass(frozen=True, slots=True)
class MapChoice:
    """Which map is looked at.

    ``kind`` is ``evidence`` (pairs only), ``energy``, or ``squared`` (the last map only, where ``energy``
    is the absolute sum). ``block`` is one of the six blocks or ``LAST_MAP``. ``stream`` is 1 to 4, or 0 for
    all of them together; the last map has no streams.
    """

    kind: str = "evidence"
    block: str = DEFAULT_BLOCK
    stream: int = 0

    def __post_init__(self) -> None:
        if self.kind not in MAP_KINDS:
            raise InputError(f"There is no map {self.kind!r}; expected one of {', '.join(MAP_KINDS)}.")
        if self.block not in PLACES:
            raise InputError(f"There is no block {self.block!r}; expected one of {', '.join(PLACES)}.")
        if not 0 <= self.stream <= NUM_STREAMS:
            raise InputError(f"There is no stream {self.stream}; expected 1 to 4, or 0 for all together.")
        if self.block == LAST_MAP and self.stream:
            raise InputError(f"{LAST_MAP} comes after the streams were joined; ask for stream 0.")
        if self.kind == "squared" and self.block != LAST_MAP:
            raise InputError(f"Squared sums are made of {LAST_MAP} only; ask for energy in a block.")


@dataclass(frozen=True, eq=False)
class Explanation:
    """One crop, or a pair with its cosine and with what moved it.

    ``evidence`` is empty for one crop; for a pair it holds, for the left and the right crop, seven maps in
    cosine units: (4, H, W) for each block and (1, H, W) for the last map. See ``streams`` for what they
    mean.
    """

    crops: tuple[CropStreams, ...]
    similarity: float | None = None
    evidence: tuple[tuple[Array, ...], ...] = ()

    def map(self, side: int, choice: MapChoice) -> Array:
        """The chosen (H, W) map of the left (0) or right (1) crop.

        Raises:
            InputError: Evidence of a single crop, or the right crop where there is none.
        """
        stack = self.stack(side, choice.kind, choice.block)
        chosen: Array = stack.sum(axis=0) if choice.stream == 0 else stack[choice.stream - 1]
        return chosen

    def stack(self, side: int, kind: str, block: str) -> Array:
        """The maps of all streams, (4, H, W), or (1, H, W) for the last map.

        Raises:
            InputError: As for ``map``.
        """
        if kind == "evidence" and not self.evidence:
            raise InputError("Evidence is about two crops. Choose a second one, or look at the energy.")
        if not 0 <= side < len(self.crops):
            raise InputError("There is no second crop in this explanation. Choose one, or look at the first.")
        place = PLACES.index(block)
        if kind == "evidence":
            return self.evidence[side][place]
        crop = self.crops[side]
        if block == LAST_MAP:
            return (crop.squared if kind == "squared" else crop.absolute)[None]
        return crop.blocks[place].energy

    def scale(self, choice: MapChoice) -> float:
        """Largest absolute value of the map in both crops; of a single stream, in all four streams."""
        stacks = [self.stack(side, choice.kind, choice.block) for side in range(len(self.crops))]
        if choice.stream == 0:
            stacks = [stack.sum(axis=0) for stack in stacks]
        return float(max(np.abs(stack).max() for stack in stacks))


@dataclass(frozen=True, eq=False)
class Curve:
    """Similarities (S,) while a growing share (S,) of the cells is deleted or inserted; ``area`` is below
    it."""

    fractions: Array
    similarities: Array

    @property
    def area(self) -> float:
        """Area under the curve by the trapezoid rule; the fractions run from 0 to 1."""
        steps = np.diff(self.fractions)
        return float((steps * (self.similarities[1:] + self.similarities[:-1]) / 2).sum())


@dataclass(frozen=True, eq=False)
class PlaceCheck:
    """Deletion and insertion of cells, in the map's order and in random orders (one curve each)."""

    deletion: Curve
    insertion: Curve
    random_deletion: tuple[Curve, ...]
    random_insertion: tuple[Curve, ...]


@dataclass(frozen=True, slots=True)
class CascadeStep:
    """After the layers from the output down to ``layer`` lost what they learned: the map's rank correlation
    with the real map, None where the map is flat."""

    layer: str
    correlation: float | None


@dataclass(frozen=True, eq=False)
class StreamCheck:
    """What leaving one stream out of a block really does to the cosine, beside what the evidence says.

    ``predicted`` and ``measured`` are (2, 4), left crop first, in cosine units: how much lower the cosine is
    without the stream.
    """

    predicted: Array
    measured: Array
