"""Reduce an ONNX graph to its layers with weights and which layer feeds which.

Exporters, optimisers and simplifiers rename tensors, fold normalisation, reorder nodes and spell the rest in
many ways. What none of them changes is which weighted layers there are and how data flows between them. So
only that is kept: a layer's sources are the layers that its input derives from through anything without
weights.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

FloatArray = NDArray[np.float32]
LayerKind = Literal["conv", "linear", "instance_norm"]

GRAPH_INPUT = -1
"""The source that stands for the image."""

_QUANTISED = frozenset(
    {"DequantizeLinear", "QuantizeLinear", "QLinearConv", "ConvInteger", "MatMulInteger", "QLinearMatMul"}
)
_UNCHANGED = frozenset({"Identity", "Dropout", "Cast"})
_RESHAPING = frozenset({"Reshape", "Squeeze", "Unsqueeze", "Flatten"})
_AFFINE = frozenset({"Add", "Sub", "Mul", "Div"})


class GraphFormError(Exception):
    """The graph cannot be that of an OSNet; the text says why, as the end of a sentence."""


@dataclass(frozen=True, slots=True)
class BatchNormParameters:
    """A batch normalisation as the graph has it, one number per channel each."""

    scale: FloatArray
    shift: FloatArray
    mean: FloatArray
    variance: FloatArray
    epsilon: float


@dataclass(slots=True)
class Layer:
    """One run of a layer with weights.

    ``weight``: convolution (D, C / groups, kh, kw), linear (D, C), instance norm its scale (C,). ``bias`` is
    (D,), zero where there is none. ``batch_norm`` is what follows directly, if it alone does; other constant
    scales and shifts that follow are worked into weight and bias.
    """

    kind: LayerKind
    weight: FloatArray
    bias: FloatArray
    sources: frozenset[int]
    batch_norm: BatchNormParameters | None = None


@dataclass(frozen=True, slots=True)
class LayerGraph:
    """The layers of a graph, in the order they run; a layer's place in the list is its number."""

    layers: tuple[Layer, ...]
    has_half_precision: bool

    def fed_by(self, sources: frozenset[int], kind: LayerKind | None = None) -> list[int]:
        """Numbers of the layers that read exactly ``sources``."""
        return [
            number
            for number, layer in enumerate(self.layers)
            if layer.sources == sources and kind in (None, layer.kind)
        ]


def read_layers(graph: onnx.GraphProto, input_name: str) -> LayerGraph:
    """The layers between one graph input and the outputs.

    Raises:
        GraphFormError: The net is quantised, prepares its images itself, or has control flow.
    """
    return _Reader(graph, input_name).read()


class _Reader:
    def __init__(self, graph: onnx.GraphProto, input_name: str) -> None:
        self._graph = graph
        self._half = any(tensor.data_type == onnx.TensorProto.FLOAT16 for tensor in graph.initializer)
        self._constants = {tensor.name: _values_of(tensor) for tensor in graph.initializer}
        self._origins: dict[str, frozenset[int]] = {input_name: frozenset({GRAPH_INPUT})}
        self._consumers: dict[str, list[onnx.NodeProto]] = defaultdict(list)
        for node in graph.node:
            for name in node.input:
                self._consumers[name].append(node)
        self._layers: list[Layer] = []

    def read(self) -> LayerGraph:
        for node in self._graph.node:
            if node.op_type in _QUANTISED:
                raise GraphFormError(
                    f"the net is quantised ({node.op_type}); use the float model it was made from"
                )
            if any(attribute.HasField("g") for attribute in node.attribute):
                raise GraphFormError(f"it has control flow ({node.op_type})")
            if self._fold_constant(node):
                continue
            if self._add_layer(node):
                continue
            self._pass_on(node)
        return LayerGraph(tuple(self._layers), self._half)

    def _fold_constant(self, node: onnx.NodeProto) -> bool:
        """Compute a node of constants, as far as exporters put weights behind such nodes."""
        if node.op_type == "Constant":
            tensors = [a.t for a in node.attribute if a.name == "value"]
            if tensors:
                self._half |= tensors[0].data_type == onnx.TensorProto.FLOAT16
                self._constants[node.output[0]] = _values_of(tensors[0])
            else:
                self._origins[node.output[0]] = frozenset()
            return True
        if not node.input or any(name not in self._constants for name in node.input if name):
            return False
        value = self._constants[node.input[0]]
        try:
            if node.op_type in _UNCHANGED:
                self._constants[node.output[0]] = value
            elif node.op_type == "Transpose":
                order = next((list(a.ints) for a in node.attribute if a.name == "perm"), None)
                self._constants[node.output[0]] = np.transpose(value, order)
            elif node.op_type in _RESHAPING:
                self._constants[node.output[0]] = self._reshaped(node, value)
            else:
                return False
        except (ValueError, IndexError) as error:
            raise GraphFormError(f"a constant of it cannot be computed ({node.op_type}: {error})") from error
        return True

    def _reshaped(self, node: onnx.NodeProto, value: NDArray[np.generic]) -> NDArray[np.generic]:
        if node.op_type == "Reshape":
            shape = [int(size) for size in self._constants[node.input[1]]]
            shape = [value.shape[axis] if size == 0 else size for axis, size in enumerate(shape)]
            return value.reshape(shape)
        if node.op_type == "Flatten":
            return value.reshape(value.shape[0], -1)
        axes = [list(a.ints) for a in node.attribute if a.name == "axes"]
        if len(node.input) > 1:
            axes = [[int(axis) for axis in self._constants[node.input[1]]]]
        if node.op_type == "Squeeze":
            return np.squeeze(value, tuple(axes[0]) if axes else None)
        return np.expand_dims(value, tuple(axes[0]))

    def _add_layer(self, node: onnx.NodeProto) -> bool:
        """Turn a node with constant weights into a layer; say whether it is one."""
        sources = self._origins.get(node.input[0]) if node.input else None
        layer = None if sources is None else self._layer_of(node, sources)
        if layer is None:
            return False
        if GRAPH_INPUT in layer.sources and self._layers:
            raise GraphFormError("more than one layer reads the image")
        self._origins[node.output[0]] = frozenset({len(self._layers)})
        self._absorb_what_follows(layer, node.output[0])
        self._layers.append(layer)
        return True

    def _layer_of(self, node: onnx.NodeProto, sources: frozenset[int]) -> Layer | None:
        constants = [self._constants.get(name) for name in node.input[1:]]
        if not constants or constants[0] is None or constants[0].dtype.kind != "f":
            return None
        weight = np.asarray(constants[0], dtype=np.float32)
        bias = constants[1] if len(constants) > 1 else None
        attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        if node.op_type == "Conv":
            return Layer("conv", weight, _bias(bias, len(weight)), sources)
        if node.op_type == "Gemm":
            weight = weight if attributes.get("transB", 0) else weight.T
            scaled_bias = _bias(bias, len(weight)) * np.float32(attributes.get("beta", 1.0))
            return Layer("linear", weight * np.float32(attributes.get("alpha", 1.0)), scaled_bias, sources)
        if node.op_type == "MatMul" and weight.ndim == 2:
            return Layer("linear", weight.T, _bias(None, weight.shape[1]), sources)
        if node.op_type == "InstanceNormalization":
            return Layer("instance_norm", weight, _bias(bias, len(weight)), sources)
        return None

    def _absorb_what_follows(self, layer: Layer, output: str) -> None:
        """Work constant scales and shifts after a layer into it; keep a lone batch normalisation as it is."""
        while len(self._consumers[output]) == 1:
            node = self._consumers[output][0]
            if node.op_type == "BatchNormalization":
                parameters = self._batch_norm(node, len(layer.weight))
                if parameters is None:
                    return
                _apply_batch_norm(layer, parameters)
            elif node.op_type in _AFFINE:
                if not self._apply_affine(layer, node, output):
                    return
            elif node.op_type not in _UNCHANGED and not (
                layer.kind == "instance_norm" and node.op_type in _RESHAPING
            ):
                return
            output = node.output[0]

    def _batch_norm(self, node: onnx.NodeProto, channels: int) -> BatchNormParameters | None:
        values = [self._constants.get(name) for name in node.input[1:5]]
        if any(value is None or value.shape != (channels,) for value in values):
            return None
        scale, shift, mean, variance = (np.asarray(value, dtype=np.float32) for value in values)
        epsilon = next((a.f for a in node.attribute if a.name == "epsilon"), 1e-5)
        return BatchNormParameters(scale, shift, mean, variance, epsilon)

    def _apply_affine(self, layer: Layer, node: onnx.NodeProto, output: str) -> bool:
        """Work ``layer op constant`` into the layer; say whether it could be done."""
        is_first = node.input[0] == output
        constant = self._constants.get(node.input[1 if is_first else 0])
        if constant is None or (not is_first and node.op_type in ("Sub", "Div")):
            return False
        channels = len(layer.weight)
        expected = (1, channels, 1, 1) if layer.kind != "linear" else (1, channels)
        is_per_channel = constant.shape in (expected, expected[1:])
        if constant.size != 1 and not is_per_channel:
            return False
        values = np.broadcast_to(np.asarray(constant, dtype=np.float32).reshape(-1), (channels,))
        one, zero = np.ones(channels, dtype=np.float32), np.zeros(channels, dtype=np.float32)
        if node.op_type in ("Add", "Sub"):
            _scale_and_shift(layer, one, values if node.op_type == "Add" else -values)
        else:
            _scale_and_shift(layer, values if node.op_type == "Mul" else one / values, zero)
        return True

    def _pass_on(self, node: onnx.NodeProto) -> None:
        """Outputs of a node without weights derive from all that its inputs derive from."""
        inputs = [self._origins[name] for name in node.input if name in self._origins]
        origins: frozenset[int] = frozenset().union(*inputs)
        if origins == {GRAPH_INPUT} and node.op_type not in _UNCHANGED:
            raise GraphFormError(
                f"it prepares its images itself ({node.op_type} before the first layer); use an export "
                "whose input are normalised images (B, 3, H, W)"
            )
        if node.op_type == "Shape":
            origins = frozenset()
        for name in node.output:
            self._origins[name] = origins


def _values_of(tensor: onnx.TensorProto) -> NDArray[np.generic]:
    """A stored constant; floating-point numbers of any size as float32."""
    try:
        values: NDArray[np.generic] = numpy_helper.to_array(tensor)
    except (ValueError, TypeError, KeyError) as error:
        raise GraphFormError(
            f"its weight {tensor.name!r} is damaged or of an unknown type ({error})"
        ) from error
    return values.astype(np.float32) if values.dtype.kind == "f" else values


def _bias(values: NDArray[np.generic] | None, size: int) -> FloatArray:
    if values is None:
        return np.zeros(size, dtype=np.float32)
    return np.broadcast_to(np.asarray(values, dtype=np.float32).reshape(-1), (size,)).copy()


def _apply_batch_norm(layer: Layer, norm: BatchNormParameters) -> None:
    if layer.batch_norm is None and layer.kind != "instance_norm":
        layer.batch_norm = norm
        return
    scale = norm.scale / np.sqrt(norm.variance + norm.epsilon)
    _scale_and_shift(layer, scale, norm.shift - norm.mean * scale)


def _scale_and_shift(layer: Layer, scale: FloatArray, shift: FloatArray) -> None:
    """Change a layer so that it computes ``scale * before + shift``."""
    norm = layer.batch_norm
    if norm is not None:
        layer.batch_norm = BatchNormParameters(
            norm.scale * scale, norm.shift * scale + shift, norm.mean, norm.variance, norm.epsilon
        )
        return
    layer.weight = layer.weight * scale.reshape(_column(layer.weight))
    layer.bias = layer.bias * scale + shift


def _column(weight: FloatArray) -> Sequence[int]:
    return (-1, *([1] * (weight.ndim - 1)))
