"""Write an OSNet as an ONNX graph, node by node: uint8 crops in, embeddings out, preprocessing inside.

Built by hand instead of traced, because the net is known: no exporter is needed at run time, the graph is
the same whatever PyTorch version is installed, and batch normalisation is folded beforehand.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from reid_core.models.engines.torch_engine import fold_batch_norm
from reid_core.models.osnet import EMBEDDING_SIZE, NUM_STREAMS, ConvNorm, LightConv3x3, OSBlock, OSNet
from reid_core.models.preprocessing import Preprocessing

OPSET = 17
_IR_VERSION = 8
INPUT_NAME, OUTPUT_NAME = "crops", "embeddings"


def build_onnx_graph(model: OSNet, preprocessing: Preprocessing) -> onnx.ModelProto:
    """The net as ONNX: ``crops`` (B, height, width, 3) uint8 RGB -> ``embeddings`` (B, 512) float32."""
    return _GraphWriter(preprocessing).write(fold_batch_norm(model))


class _GraphWriter:
    """Appends nodes one after another; each method takes and returns the name of a tensor."""

    def __init__(self, preprocessing: Preprocessing) -> None:
        self._preprocessing = preprocessing
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []

    def write(self, model: OSNet) -> onnx.ModelProto:
        x = self._norm_act(model.conv1, self._normalise(INPUT_NAME))
        x = self._node("MaxPool", [x], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
        for (_, block), transition in zip(model.named_blocks(), model.transitions(), strict=True):
            x = self._block(block, x)
            if transition is not None:
                conv = transition[0]
                assert isinstance(conv, ConvNorm)
                x = self._node("AveragePool", [self._norm_act(conv, x)], kernel_shape=[2, 2], strides=[2, 2])
        x = self._node("GlobalAveragePool", [self._norm_act(model.conv5, x)])
        linear = model.fc[0]
        assert isinstance(linear, nn.Linear)
        x = self._node("Gemm", [self._node("Flatten", [x]), *self._weights(linear)], transB=1)
        self._nodes.append(helper.make_node("Relu", [x], [OUTPUT_NAME]))
        return self._model_proto()

    def _normalise(self, x: str) -> str:
        """uint8 (B, H, W, 3) in RGB -> float32 (B, 3, H, W), as ``Preprocessing.normalise`` does it."""
        preprocessing = self._preprocessing
        x = self._node("Cast", [self._node("Transpose", [x], perm=[0, 3, 1, 2])], to=TensorProto.FLOAT)
        if preprocessing.colour_order == "bgr":
            x = self._node("Gather", [x, self._constant(np.array([2, 1, 0], dtype=np.int64))], axis=1)
        for operation, values in (
            ("Div", [255.0] * 3),
            ("Sub", preprocessing.mean),
            ("Div", preprocessing.std),
        ):
            constant = np.asarray(values, dtype=np.float32).reshape(1, 3, 1, 1)
            x = self._node(operation, [x, self._constant(constant)])
        return x

    def _block(self, block: OSBlock, x: str) -> str:
        reduced = self._norm_act(block.conv1, x)
        gate_weights = [self._weights(block.gate.fc1), self._weights(block.gate.fc2)]
        gated: list[str] = []
        for stream in block.streams():
            stream_map = reduced
            for light in stream.modules():
                if isinstance(light, LightConv3x3):
                    pointwise = self._conv(light.conv1, stream_map)
                    stream_map = self._node("Relu", [self._conv(light.conv2, pointwise)])
            average = self._node("GlobalAveragePool", [stream_map])
            hidden = self._node("Relu", [self._node("Conv", [average, *gate_weights[0]])])
            gate = self._node("Sigmoid", [self._node("Conv", [hidden, *gate_weights[1]])])
            gated.append(self._node("Mul", [stream_map, gate]))
        assert len(gated) == NUM_STREAMS
        fused = gated[0]
        for stream_map in gated[1:]:
            fused = self._node("Add", [fused, stream_map])
        conv3 = block.conv3.conv
        assert isinstance(conv3, nn.Conv2d)
        residual = self._conv(conv3, fused)
        if block.instance_norm == "inside":
            residual = self._instance_norm(block.IN, residual)
        shortcut = x if block.downsample is None else self._conv(block.downsample.conv, x)
        out = self._node("Add", [residual, shortcut])
        if block.instance_norm == "after":
            out = self._instance_norm(block.IN, out)
        return self._node("Relu", [out])

    def _norm_act(self, layer: ConvNorm, x: str) -> str:
        x = self._conv(layer.conv, x)
        if isinstance(layer.bn, nn.InstanceNorm2d):
            x = self._instance_norm(layer.bn, x)
        return self._node("Relu", [x])

    def _conv(self, conv: nn.Conv2d, x: str) -> str:
        kernel, stride, pad = conv.kernel_size, conv.stride, int(conv.padding[0])
        return self._node(
            "Conv",
            [x, *self._weights(conv)],
            kernel_shape=kernel,
            strides=stride,
            pads=[pad] * 4,
            group=conv.groups,
        )

    def _weights(self, layer: nn.Conv2d | nn.Linear) -> list[str]:
        tensors = [layer.weight] if layer.bias is None else [layer.weight, layer.bias]
        return [self._constant(tensor.detach().numpy()) for tensor in tensors]

    def _instance_norm(self, norm: nn.Module | None, x: str) -> str:
        assert isinstance(norm, nn.InstanceNorm2d)
        scale, shift = (self._constant(values.detach().numpy()) for values in (norm.weight, norm.bias))
        return self._node("InstanceNormalization", [x, scale, shift], epsilon=norm.eps)

    def _node(self, operation: str, inputs: Sequence[str], **attributes: Any) -> str:
        output = f"t{len(self._nodes)}"
        self._nodes.append(helper.make_node(operation, list(inputs), [output], **attributes))
        return output

    def _constant(self, values: NDArray[np.generic]) -> str:
        name = f"w{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def _model_proto(self) -> onnx.ModelProto:
        height, width = self._preprocessing.height, self._preprocessing.width
        crops = helper.make_tensor_value_info(INPUT_NAME, TensorProto.UINT8, ["batch", height, width, 3])
        vectors = helper.make_tensor_value_info(OUTPUT_NAME, TensorProto.FLOAT, ["batch", EMBEDDING_SIZE])
        graph = helper.make_graph(self._nodes, "osnet", [crops], [vectors], initializer=self._constants)
        return helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=_IR_VERSION,
            producer_name="reid",
        )
