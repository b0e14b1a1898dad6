"""What has to be known about a set of weights before its numbers mean anything."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from reid_core.errors import InputError
from reid_core.models.osnet import find_architecture
from reid_core.models.preprocessing import TORCHREID_PREPROCESSING, Preprocessing

Distance = Literal["cosine", "euclidean"]
Purpose = Literal["reid", "imagenet"]
UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class WeightSpec:
    """What a weights file says, or the registry knows, about itself.

    ``num_classes`` is K of the classifier it was trained with, ``None`` if nobody said. ``distance`` is what
    its published scores were computed with. ``purpose`` is ``imagenet`` for pre-training that cannot tell
    people apart. ``recipe`` and ``licence`` are sentences for a person.
    """

    name: str
    variant: str
    preprocessing: Preprocessing = TORCHREID_PREPROCESSING
    training_set: str = UNKNOWN
    num_classes: int | None = None
    recipe: str = UNKNOWN
    distance: Distance = "cosine"
    purpose: Purpose = "reid"
    licence: str = UNKNOWN

    def __post_init__(self) -> None:
        find_architecture(self.variant)
        if self.distance not in ("cosine", "euclidean") or self.purpose not in ("reid", "imagenet"):
            raise InputError(
                f"The weights {self.name!r} have distance {self.distance!r} and purpose {self.purpose!r}; "
                "expected 'cosine' or 'euclidean', and 'reid' or 'imagenet'."
            )

    def to_json(self) -> str:
        """One line of JSON with sorted keys."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> WeightSpec:
        """Rebuild what ``to_json`` wrote.

        Raises:
            InputError: It is not such a record.
        """
        try:
            values = json.loads(text)
            preprocessing = Preprocessing.from_mapping(values.pop("preprocessing"))
            return cls(preprocessing=preprocessing, **_known_fields(values))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(
                f"The record about the weights cannot be read ({type(error).__name__}: {error}); expected "
                "what save_weights writes."
            ) from error


def _known_fields(values: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of this version; a later version may have written more."""
    return {name: value for name, value in values.items() if name in WeightSpec.__dataclass_fields__}


def fingerprint(variant: str, state: Mapping[str, Tensor], preprocessing: Preprocessing) -> str:
    """SHA-256 (64 hex digits) of all that decides an embedding: variant, weights, preprocessing.

    Equal for equal float32 weights whatever file they came from; the classifier and the batch counters, which
    no embedding depends on, are left out. Vectors with different fingerprints must not be compared.
    """
    digest = hashlib.sha256(f"reid-embedding-1 {variant} {preprocessing.to_json()}".encode())
    for name in sorted(state):
        if name.startswith("classifier.") or name.endswith(".num_batches_tracked"):
            continue
        tensor = state[name].detach().to(device="cpu", dtype=torch.float32).contiguous()
        digest.update(f"\n{name} {tuple(tensor.shape)} ".encode())
        digest.update(tensor.numpy().astype("<f4", copy=False).tobytes())
    return digest.hexdigest()
