"""The thresholds of the gate as people set them; one small file that a restart reads."""

from __future__ import annotations

import json
import logging
import math
import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from reid_core.errors import InputError
from reid_core.retraining.gate import GateThresholds
from reid_core.services.files import write_text_atomically

_log = logging.getLogger(__name__)

EDITABLE = (
    "min_map_delta",
    "min_map_low",
    "min_violations_fixed",
    "max_camera_pair_drop",
    "every_camera_pair",
    "max_broken_per_fixed",
)
"""Fields of ``GateThresholds`` that can be set; they are decided on anew from kept scores."""


class ThresholdStore:
    """The present thresholds; ``default`` where nobody set any."""

    def __init__(self, path: Path, default: GateThresholds) -> None:
        self._path, self.default = path, default
        self._lock = threading.Lock()
        self._current = self._load()

    @property
    def current(self) -> GateThresholds:
        """What the gate decides by now."""
        return self._current

    @property
    def changed(self) -> tuple[str, ...]:
        """Names of thresholds that are not the default."""
        return tuple(name for name in EDITABLE if getattr(self._current, name) != getattr(self.default, name))

    def set(self, values: Mapping[str, float | bool]) -> GateThresholds:
        """Change some thresholds; with no values all are the default again.

        Raises:
            InputError: A name or number makes no sense.
        """
        for name, value in values.items():
            if name not in EDITABLE:
                raise InputError(
                    f"There is no threshold {name[:40]!r}; expected some of {', '.join(EDITABLE)}."
                )
            if isinstance(getattr(self.default, name), bool):
                if not isinstance(value, bool):
                    raise InputError(f"{name} is {value!r}; expected true or false.")
            elif isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
                raise InputError(f"{name} is {value!r}; expected a number.")
        with self._lock:
            changed = replace(self._current, **dict[str, Any](values)) if values else self.default
            stored = {name: getattr(changed, name) for name in EDITABLE}
            write_text_atomically(self._path, json.dumps(stored))
            self._current = changed
            return changed

    def _load(self) -> GateThresholds:
        try:
            stored = json.loads(self._path.read_text(encoding="utf-8"))
            kinds = {name: type(getattr(self.default, name)) for name in EDITABLE}
            kept: dict[str, Any] = {
                name: kind(stored[name]) for name, kind in kinds.items() if name in stored
            }
            return replace(self.default, **kept)
        except FileNotFoundError:
            return self.default
        except (ValueError, KeyError, TypeError, InputError) as error:
            _log.warning("the thresholds in %s cannot be read (%s); the default counts", self._path, error)
            return self.default
