"""Inference with ONNX Runtime on the CPU: three to seven times as fast as eager PyTorch there."""

from __future__ import annotations

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from reid_core.models.engines.onnx_graph import INPUT_NAME, OUTPUT_NAME, build_onnx_graph
from reid_core.models.osnet import OSNet
from reid_core.models.preprocessing import Preprocessing

_ONLY_ERRORS = 3


class OnnxRuntimeEngine:
    """The net as a graph that ONNX Runtime optimises; preprocessing is part of the graph."""

    name = "onnxruntime"
    device = "cpu"

    def __init__(self, model: OSNet, preprocessing: Preprocessing) -> None:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = _ONLY_ERRORS
        graph = build_onnx_graph(model, preprocessing).SerializeToString()
        self._session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])

    def run(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Resized crops (B, height, width, 3) in RGB -> embeddings (B, 512), not normalised."""
        vectors: NDArray[np.float32] = self._session.run([OUTPUT_NAME], {INPUT_NAME: pixels})[0]
        return vectors
