"""What an inference engine offers."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Engine(Protocol):
    """Runs one network with its preprocessing; may be called from several threads."""

    @property
    def name(self) -> str:
        """How reports call it, e.g. ``onnxruntime``."""

    @property
    def device(self) -> str:
        """Where it runs, e.g. ``cpu`` or ``cuda:0``."""

    def run(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Resized crops (B, height, width, 3) in RGB -> embeddings (B, 512), not normalised."""
