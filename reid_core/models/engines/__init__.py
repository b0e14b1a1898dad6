"""Ways to run the network: PyTorch anywhere, ONNX Runtime several times faster on a CPU."""

from reid_core.models.engines.choose import ENGINE_NAMES, make_engine, resolve_device
from reid_core.models.engines.engine import Engine

__all__ = ["ENGINE_NAMES", "Engine", "make_engine", "resolve_device"]
