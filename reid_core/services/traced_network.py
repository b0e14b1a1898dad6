"""The OSNet behind a gallery's embeddings, and crops as it gets them. PyTorch is imported at the first
use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, cast

import numpy as np

from reid_core.errors import InputError
from reid_core.images import read_image

if TYPE_CHECKING:
    from torch import Tensor

    from reid_core.models import Embedder
    from reid_core.services.open_galleries import OpenGallery


class OpensGallery(Protocol):
    """``Workbench.open_gallery``."""

    def __call__(self, gallery: str = "", model: str = "") -> OpenGallery: ...


def osnet_embedder(opened: OpenGallery) -> Embedder:
    """The gallery's embedder, if the network in it is an OSNet.

    Raises:
        InputError: It is another network.
    """
    from reid_core.models import OSNet

    if not isinstance(getattr(opened.embedder, "model", None), OSNet):
        raise InputError(
            f"The model {opened.model!r} has no OSNet inside, so it has no streams to look at. Choose an "
            "OSNet in the header."
        )
    return cast("Embedder", opened.embedder)


def to_input(embedder: Embedder, contents: Sequence[bytes]) -> Tensor:
    """Encoded crops -> (B, 3, height, width), prepared as the weights expect."""
    import torch

    prepared = embedder.preprocessing
    pixels = np.stack([prepared.resize(read_image(content)) for content in contents])
    return torch.from_numpy(prepared.normalise(pixels))
