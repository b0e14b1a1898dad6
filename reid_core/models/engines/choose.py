"""Pick an engine: the fastest one that provably gives the same embeddings."""

from __future__ import annotations

import logging

import numpy as np
import torch

from reid_core.errors import InputError
from reid_core.models.engines.engine import Engine
from reid_core.models.engines.torch_engine import TorchEngine
from reid_core.models.osnet import OSNet
from reid_core.models.preprocessing import Preprocessing

_log = logging.getLogger(__name__)

ENGINE_NAMES = ("auto", "torch", "onnxruntime")
_MIN_COSINE = 0.99999


def make_engine(name: str, model: OSNet, preprocessing: Preprocessing, *, device: str = "auto") -> Engine:
    """Build an engine for a net in eval mode.

    Args:
        name: One of ``ENGINE_NAMES``. ``auto`` takes ONNX Runtime on a CPU where it works and gives the same
            embeddings as PyTorch, else PyTorch.
        model: The net; it is copied, not changed.
        preprocessing: What the net's weights expect.
        device: ``auto`` (a GPU where there is one), ``cpu``, ``cuda`` or ``cuda:N``.

    Raises:
        InputError: No such engine or device here, or an engine that does not run on that device.
    """
    if name not in ENGINE_NAMES:
        raise InputError(f"There is no engine {name!r}; expected one of {', '.join(ENGINE_NAMES)}.")
    place = resolve_device(device) if name != "onnxruntime" or device != "auto" else "cpu"
    if name == "onnxruntime":
        if place != "cpu":
            raise InputError(
                f"The engine onnxruntime runs on the CPU, not on {place}. Choose the engine torch, or "
                "device cpu."
            )
        return _onnxruntime_engine(model, preprocessing)
    reference = TorchEngine(model, preprocessing, place)
    if name == "torch" or place != "cpu":
        return reference
    return _faster_or_same(model, preprocessing, reference)


def resolve_device(device: str) -> str:
    """``auto``, ``cpu``, ``cuda`` or ``cuda:N`` -> the device that will be used.

    Raises:
        InputError: Not such a name, or no such GPU in this machine.
    """
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cpu":
        return device
    prefix, _, index = device.partition(":")
    if prefix != "cuda" or (":" in device and not index.isdigit()):
        raise InputError(f"There is no device {device!r}; expected auto, cpu, cuda or cuda:N.")
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if int(index or 0) >= count:
        raise InputError(
            f"The device {device} was asked for, but PyTorch sees {count} GPUs here. Use device auto or cpu."
        )
    return device


def _onnxruntime_engine(model: OSNet, preprocessing: Preprocessing) -> Engine:
    # Imported on demand: it costs a second that a GPU run need not pay.
    from reid_core.models.engines.onnxruntime_engine import OnnxRuntimeEngine

    return OnnxRuntimeEngine(model, preprocessing)


def _faster_or_same(model: OSNet, preprocessing: Preprocessing, reference: Engine) -> Engine:
    """ONNX Runtime if it loads and agrees with ``reference`` on two images, else ``reference``."""
    shape = (2, preprocessing.height, preprocessing.width, 3)
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    try:
        engine = _onnxruntime_engine(model, preprocessing)
        ours = engine.run(pixels).astype(np.float64)
    except (ImportError, RuntimeError, ValueError, OSError) as error:
        _log.warning("ONNX Runtime cannot run this network (%s); using PyTorch", error)
        return reference
    theirs = reference.run(pixels).astype(np.float64)
    norms = np.linalg.norm(ours, axis=1) * np.linalg.norm(theirs, axis=1)
    if not np.all((ours * theirs).sum(axis=1) > _MIN_COSINE * norms):  # also false for NaN
        _log.warning("ONNX Runtime computes other embeddings than PyTorch for this network; using PyTorch")
        return reference
    return engine
