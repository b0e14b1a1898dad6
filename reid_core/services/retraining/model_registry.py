"""Trained models, which one serves, and who served before: one small file that a restart reads."""

from __future__ import annotations

import hashlib
import json
import logging
import re
import shutil
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from reid_core.errors import InputError
from reid_core.services.files import write_text_atomically
from reid_core.services.model_shelf import ModelShelf

_log = logging.getLogger(__name__)
_FILE = "models.json"


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """A model that a training run of this app made.

    ``comparison`` is the newest comparison with the model that served then, "" before the first.
    ``is_promotable`` is its outcome, None before the first.
    """

    name: str
    file: str
    sha256: str
    fingerprint: str
    gallery: str
    snapshot: str
    run: str
    base_model: str
    created_s: float
    comparison: str = ""
    is_promotable: bool | None = None


@dataclass(frozen=True, slots=True)
class Promotion:
    """A model took over from another. ``reason`` is a sentence; ``comparison`` the gate that it passed."""

    model: str
    previous: str
    at_s: float
    reason: str
    comparison: str = ""


class ModelRegistry:
    """Trained models below one folder; puts them on the shelf and keeps the choice of the default.

    The choice is forgotten where the app is started with other default weights than those it was made beside.
    """

    def __init__(self, folder: Path, shelf: ModelShelf) -> None:
        self._folder = folder
        self._shelf = shelf
        self._lock = threading.RLock()
        self._settings_default = shelf.default
        self._models: dict[str, TrainedModel] = {}
        self._history: tuple[Promotion, ...] = ()
        self._load()

    @property
    def models(self) -> tuple[TrainedModel, ...]:
        """Every trained model, newest first."""
        return tuple(sorted(self._models.values(), key=lambda model: -model.created_s))

    @property
    def history(self) -> tuple[Promotion, ...]:
        """Who took over from whom, newest first."""
        return tuple(reversed(self._history))

    def model(self, name: str) -> TrainedModel:
        """One trained model.

        Raises:
            InputError: There is none of this name.
        """
        if name not in self._models:
            known = ", ".join(self._models) or "none yet"
            raise InputError(f"There is no trained model {name!r}. Trained here: {known}.")
        return self._models[name]

    def has_served(self, name: str) -> bool:
        """Whether a model was the default before, or is the one of the settings."""
        served = {
            self._settings_default,
            *(p.model for p in self._history),
            *(p.previous for p in self._history),
        }
        return name in served

    def of_run(self, run: str) -> TrainedModel | None:
        """The model that a run made, None if it made none yet."""
        return next((model for model in self._models.values() if model.run == run), None)

    def add(
        self, weights: Path, *, stem: str, gallery: str, snapshot: str, run: str, base_model: str
    ) -> TrainedModel:
        """Copy a run's weights to a place of their own, under a name of their own, and put it on the shelf.

        Raises:
            InputError: The same weights are registered already, or equal those of another model.
            WeightsError: The file is no model.
        """
        with self._lock:
            earlier = self.of_run(run)
            if earlier is not None:
                return earlier
            content = weights.read_bytes()
            digest = hashlib.sha256(content).hexdigest()
            twin = next((model for model in self._models.values() if model.sha256 == digest), None)
            if twin is not None:
                raise InputError(f"The run ended with the very weights of {twin.name}: nothing was learnt.")
            name = self._free_name(stem)
            target = self._folder / f"{name}{weights.suffix}"
            self._folder.mkdir(parents=True, exist_ok=True)
            partial = target.with_name(f".{target.name}.part")
            shutil.copyfile(weights, partial)
            partial.replace(target)
            self._shelf.add(name, str(target))
            model = TrainedModel(
                name=name,
                file=target.name,
                sha256=digest,
                fingerprint=self._shelf.get(name).fingerprint,
                gallery=gallery,
                snapshot=snapshot,
                run=run,
                base_model=base_model,
                created_s=time.time(),
            )
            self._models[name] = model
            self._save()
            return model

    def keep_comparison(self, name: str, comparison: str, *, is_promotable: bool) -> None:
        """Remember the newest comparison of a model."""
        with self._lock:
            self._models[name] = replace(self.model(name), comparison=comparison, is_promotable=is_promotable)
            self._save()

    def switch(self, name: str, *, reason: str, comparison: str = "") -> Promotion:
        """Let a model serve from now on, here and after a restart: the file first, then this process.

        Raises:
            InputError: There is no such model.
        """
        with self._lock:
            name = self._shelf.resolve(name)
            promotion = Promotion(name, self._shelf.default, time.time(), reason, comparison)
            self._history = (*self._history, promotion)
            self._save(default=name)
            self._shelf.set_default(name)
            return promotion

    def _free_name(self, stem: str) -> str:
        clean = re.sub(r"[^\w.@-]+", "-", re.sub(r"-r\d+$", "", stem)).strip("-") or "model"
        taken = {info.name for info in self._shelf.infos()} | self._models.keys()
        number = 1
        while f"{clean}-r{number}" in taken:
            number += 1
        return f"{clean}-r{number}"

    def _load(self) -> None:
        path = self._folder / _FILE
        if not path.is_file():
            return
        stored = json.loads(path.read_text(encoding="utf-8"))
        self._history = tuple(Promotion(**item) for item in stored["history"])
        for item in stored["models"]:
            model = TrainedModel(**item)
            self._models[model.name] = model
            if not self._is_intact(model):
                continue
            try:
                self._shelf.add(model.name, str(self._folder / model.file))
            except InputError as error:
                _log.warning("trained model %s is not offered: %s", model.name, error)
        if stored["settings_default"] != self._settings_default:
            return
        try:
            self._shelf.set_default(stored["default"])
        except InputError as error:
            _log.warning("%s serves instead of the promoted model: %s", self._shelf.default, error)

    def _is_intact(self, model: TrainedModel) -> bool:
        path = self._folder / model.file
        if not path.is_file():
            _log.warning("the weights of trained model %s are gone (%s)", model.name, path)
            return False
        if hashlib.sha256(path.read_bytes()).hexdigest() != model.sha256:
            _log.warning("the weights of trained model %s were changed (%s); not offered", model.name, path)
            return False
        return True

    def _save(self, *, default: str | None = None) -> None:
        content: dict[str, Any] = {
            "models": _plain(tuple(self._models.values())),
            "default": self._shelf.default if default is None else default,
            "settings_default": self._settings_default,
            "history": _plain(self._history),
        }
        write_text_atomically(self._folder / _FILE, json.dumps(content, indent=1))


def _plain(items: Sequence[TrainedModel | Promotion]) -> list[dict[str, Any]]:
    return [asdict(item) for item in items]
