"""Read the tensors out of a weights file, without running anything that is in it.

PyTorch files are pickles. They are opened with ``weights_only=True`` and nothing else, ever: a file that
needs more than tensors and plain values is refused.
"""

from __future__ import annotations

import pickle
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from reid_core.errors import InputError, WeightsError
from reid_core.models.file_kinds import FileKind
from reid_core.models.weights import WeightSpec

FORMAT_KEY, SPEC_KEY = "reid_format", "reid_spec"
FORMAT_VERSION = 1
"""Version of the metadata that ``save_weights`` puts into a safetensors file."""

_CONTAINER_KEYS = (
    "state_dict",
    "model_state_dict",
    "model_state",
    "model",
    "net",
    "network",
    "weights",
    "params",
)
_DAMAGED_PICKLE_ERRORS = (
    RuntimeError, EOFError, OSError, ValueError, KeyError, IndexError, AttributeError, TypeError,
)  # fmt: skip
_safe_globals_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class RawCheckpoint:
    """Tensors by the names the file gives them, before anything is known about them.

    ``container`` is the key that held them, "" if the file is the state dict itself. ``spec`` is what our
    own format says about them. ``input_size`` (height, width) is known for ONNX files only.
    ``converted_from`` are number types that reading has already turned into float32.
    """

    tensors: Mapping[str, Tensor]
    kind: FileKind
    container: str = ""
    spec: WeightSpec | None = None
    input_size: tuple[int, int] | None = None
    converted_from: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def read_torch_file(path: Path, kind: FileKind) -> RawCheckpoint:
    """Read a ``torch.save`` file: a state dict, or a training checkpoint that holds one.

    Raises:
        WeightsError: It is damaged, holds code, or holds no or several state dicts.
    """
    container, tensors = _find_state_dict(path, _unpickle_tensors(path))
    return RawCheckpoint(tensors, kind, container)


def read_safetensors_file(path: Path) -> RawCheckpoint:
    """Read a safetensors file, and what our metadata says about it if it is ours.

    Raises:
        WeightsError: It is damaged, or a later version of this program wrote it.
    """
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            metadata = dict(file.metadata() or {})
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (not a mapping)
    except (SafetensorError, OSError, ValueError) as error:
        raise WeightsError(f"{path} is a damaged safetensors file ({error}). Fetch it again.") from error
    return RawCheckpoint(tensors, FileKind.SAFETENSORS, spec=_spec_from(path, metadata))


def _spec_from(path: Path, metadata: Mapping[str, str]) -> WeightSpec | None:
    if FORMAT_KEY not in metadata:
        return None
    if metadata[FORMAT_KEY] != str(FORMAT_VERSION):
        raise WeightsError(
            f"{path} has format version {metadata[FORMAT_KEY]}, this program reads version {FORMAT_VERSION}. "
            "Update the program, or convert the file with the version that wrote it."
        )
    try:
        return WeightSpec.from_json(metadata.get(SPEC_KEY, ""))
    except InputError as error:
        raise WeightsError(f"{path}: {error}") from error


def _unpickle_tensors(path: Path) -> Any:
    try:
        # Torchreid saves its rank-1 score as a NumPy number, so these inert types are let in beside tensors.
        # An open file, not a path: given a path, torch.load may choose the format by its suffix.
        with (
            path.open("rb") as file,
            _safe_globals_lock,
            torch.serialization.safe_globals(_numpy_scalar_types()),
        ):
            return torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise _refused_pickle(path, str(error)) from error
    except (
        RuntimeError,
        EOFError,
        OSError,
        ValueError,
        KeyError,
        IndexError,
        AttributeError,
        TypeError,
    ) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise WeightsError(
            f"{path} ({path.stat().st_size} bytes) is a PyTorch file that is damaged or cut short "
            f"({reason}). Fetch it again."
        ) from error


def _numpy_scalar_types() -> list[Any]:
    """What ``weights_only`` has to know to read NumPy numbers, under NumPy 1's and NumPy 2's module names."""
    scalar = np.float64(0).__reduce__()[0]
    dtypes = [type(np.dtype(name)) for name in ("float16", "float32", "float64", "int32", "int64", "bool")]
    return [
        (scalar, "numpy.core.multiarray.scalar"),
        (scalar, "numpy._core.multiarray.scalar"),
        np.dtype,
        *dtypes,
    ]


def _refused_pickle(path: Path, message: str) -> WeightsError:
    found = re.search(r"GLOBAL ([\w.]+)", message) or re.search(r"type[s]? ([\w.]+\.[\w.]+)", message)
    if found:
        return WeightsError(
            f"{path} holds more than tensors: it refers to the Python object {found.group(1)!r}, which "
            "could run any code when opened, so nothing of it was opened. Ask whoever made the file for "
            "the state dict alone (torch.save(model.state_dict(), path)), or for a safetensors or ONNX "
            "file."
        )
    reason = message.splitlines()[0] if message else "unreadable pickle"
    return WeightsError(
        f"{path} cannot be read as a PyTorch file of tensors ({reason}). It is damaged, or holds Python "
        "objects that could run code. Fetch it again, or ask for the state dict alone."
    )


def _find_state_dict(path: Path, content: Any) -> tuple[str, dict[str, Tensor]]:
    """The key of the one state dict in a file's content ("" for the content itself), and its tensors."""
    if isinstance(content, Mapping):
        tensors = _tensors_of(content)
        if tensors:
            return "", tensors
        found = _nested_state_dicts(content)
        if len(found) == 1:
            return next(iter(found.items()))
        if found:
            raise WeightsError(
                f"{path} holds {len(found)} sets of weights ({', '.join(sorted(found))}), and nothing says "
                "which one to use. Save the one you mean as a file of its own."
            )
        keys = ", ".join(str(key) for key in list(content)[:6]) or "none"
        raise WeightsError(
            f"{path} holds no tensors (its keys: {keys}). Expected the state dict of an OSNet."
        )
    raise WeightsError(
        f"{path} holds a {type(content).__name__}, expected the state dict of an OSNet: a mapping from "
        "names to tensors."
    )


def _tensors_of(content: Mapping[Any, Any]) -> dict[str, Tensor]:
    return {
        name: value for name, value in content.items() if isinstance(name, str) and isinstance(value, Tensor)
    }


def _nested_state_dicts(content: Mapping[Any, Any], depth: int = 2) -> dict[str, dict[str, Tensor]]:
    """State dicts one or two levels down, e.g. under ``state_dict`` or ``model.state_dict``."""
    found: dict[str, dict[str, Tensor]] = {}
    for key in _CONTAINER_KEYS:
        value = content.get(key)
        if not isinstance(value, Mapping):
            continue
        tensors = _tensors_of(value)
        if tensors:
            found[key] = tensors
        elif depth > 1:
            inner = _nested_state_dicts(value, depth - 1)
            found.update({f"{key}.{name}": state for name, state in inner.items()})
    return found
