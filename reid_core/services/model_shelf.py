"""The choices of weights, each loaded once, at its first use."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from reid_core.errors import InputError
from reid_core.services.embeddings import CropEmbedder
from reid_core.services.records import ModelInfo
from reid_core.services.turns import ComputeTurns


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A network ready to embed, with what a reader wants to know about it. ``input_size`` is (h, w)."""

    embedder: CropEmbedder
    variant: str
    num_parameters: int
    input_size: tuple[int, int]
    trained_on: str
    licence: str


ModelLoader = Callable[[str], LoadedModel]
"""Weights (a path or a name of the registry) in, network out; raises ReidError."""


class ModelShelf:
    """Networks by name. Loading happens under the compute turns, because it keeps the processor busy."""

    def __init__(self, weights: Sequence[str], load: ModelLoader, turns: ComputeTurns) -> None:
        """``weights`` are paths or names of the registry, the default first."""
        self._weights = _name_weights(weights)
        self._load = load
        self._turns = turns
        self._lock = threading.Lock()
        self._loaded: dict[str, LoadedModel] = {}
        self._default = next(iter(self._weights))

    @property
    def default(self) -> str:
        """Name of the default weights."""
        return self._default

    def weights_of(self, name: str) -> str:
        """What the weights of a model are loaded from: a path or a name of the registry.

        Raises:
            InputError: It is not among the choices.
        """
        return self._weights[self.resolve(name)]

    def add(self, name: str, weights: str) -> None:
        """Take in one more choice; ``weights`` is a path or a name of the registry.

        Raises:
            InputError: Another model has this name.
        """
        with self._lock:
            if self._weights.get(name, weights) != weights:
                raise InputError(f"There is another model {name!r} already. Choose another name.")
            self._weights = {**self._weights, name: weights}

    def set_default(self, name: str) -> None:
        """Let a model serve from now on; requests that run meanwhile keep the one they began with.

        Raises:
            InputError: It is not among the choices.
        """
        self._default = self.resolve(name)

    def resolve(self, name: str) -> str:
        """``name``, or the default for an empty one.

        Raises:
            InputError: It is not among the choices.
        """
        if not name:
            return self.default
        if name not in self._weights:
            raise InputError(
                f"There is no model {name!r} here. Choose one of {', '.join(self._weights)}, or start the "
                "app with --extra-weights."
            )
        return name

    def get(self, name: str) -> CropEmbedder:
        """The network, loaded and warmed up where this is its first use.

        Raises:
            InputError: It is not among the choices.
            WeightsError, DownloadError: It could not be loaded.
        """
        name = self.resolve(name)
        with self._lock:
            if name not in self._loaded:
                with self._turns.interactive():
                    model = self._load(self._weights[name])
                    grey = np.full((*model.input_size, 3), 128, dtype=np.uint8)
                    model.embedder.embed([grey], ids=["warm-up"])  # the first call costs much more
                self._loaded[name] = model
        return self._loaded[name].embedder

    def peek(self, name: str) -> CropEmbedder | None:
        """The network if it is loaded already."""
        model = self._loaded.get(self.resolve(name))
        return model.embedder if model else None

    def infos(self) -> tuple[ModelInfo, ...]:
        """Every choice, the default first; loads nothing."""
        default = self._default
        others = (name for name in self._weights if name != default)
        return tuple(self._info(name) for name in (default, *others))

    def _info(self, name: str) -> ModelInfo:
        model = self._loaded.get(name)
        return ModelInfo(
            name=name,
            variant=model.variant if model else "",
            fingerprint=model.embedder.fingerprint if model else "",
            num_parameters=model.num_parameters if model else 0,
            input_size=model.input_size if model else (0, 0),
            trained_on=model.trained_on if model else "",
            licence=model.licence if model else "",
            is_default=name == self.default,
            is_local=model is not None
            or self._weights[name] == "demo"
            or Path(self._weights[name]).is_file(),
        )


def _name_weights(weights: Sequence[str]) -> dict[str, str]:
    """Weights by the name that pages and addresses show: a path goes by its file name, numbered if taken."""
    named: dict[str, str] = {}
    for entry in weights:
        is_path = "/" in entry or "\\" in entry or Path(entry).is_file()
        stem = re.sub(r"[^\w.@-]+", "-", Path(entry).stem) if is_path else entry
        name, number = stem, 1
        while name in named:
            number += 1
            name = f"{stem}-{number}"
        named[name] = entry
    return named
