"""What the official OSNet code computed on 24 synthetic crops, and nets with the weights it used."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from seeded_weights import fill

from reid_core.models import OSNet, build_osnet

FIXTURES = Path(__file__).parents[2] / "fixtures" / "parity"
MEAN, STD = np.float32([0.485, 0.456, 0.406]), np.float32([0.229, 0.224, 0.225])


@cache
def references() -> dict[str, NDArray[np.float32]]:
    with np.load(FIXTURES / "embeddings.npz") as archive:
        return {name: archive[name] for name in archive.files}


@cache
def published_keys() -> dict[str, dict[str, list[int]]]:
    """Key names and shapes of each variant with a 5-way classifier."""
    entries = json.loads((FIXTURES / "state_dict_keys.json").read_text())
    return {variant: entry["keys"] for variant, entry in entries.items()}


def crop_paths() -> list[Path]:
    return [FIXTURES / "crops" / str(name) for name in references()["names"]]


@cache
def crops_as_input() -> torch.Tensor:
    """The crops as the network's input, (24, 3, 256, 128), made without our own preprocessing."""
    images = np.stack([np.asarray(Image.open(path).convert("RGB")) for path in crop_paths()])
    scaled = (images.astype(np.float32) / 255 - MEAN) / STD
    return torch.from_numpy(np.ascontiguousarray(scaled.transpose(0, 3, 1, 2)))


def seeded_osnet(variant: str, num_classes: int = 0) -> OSNet:
    """A net in eval mode with the deterministic weights of the reference run."""
    model = build_osnet(variant, num_classes)
    model.load_state_dict(fill(model.state_dict()))
    return model.eval()


def relative_errors(vectors: NDArray[np.floating], reference: NDArray[np.floating]) -> NDArray[np.floating]:
    """(N,) largest deviation per row over the largest absolute value of the whole reference."""
    errors: NDArray[np.floating] = np.abs(vectors - reference).max(axis=1) / np.abs(reference).max()
    return errors


def cosines(left: NDArray[np.floating], right: NDArray[np.floating]) -> NDArray[np.floating]:
    """(N,) cosine of each pair of rows, in float64."""
    left, right = left.astype(np.float64), right.astype(np.float64)
    norms = np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1)
    result: NDArray[np.floating] = (left * right).sum(axis=1) / norms
    return result
