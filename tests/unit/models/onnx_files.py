"""ONNX files of OSNets as different exporters, optimisers and people would write them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from reid_core.models import OSNet, Preprocessing
from reid_core.models.engines.onnx_graph import INPUT_NAME, build_onnx_graph

_PREPARING = ("Transpose", "Cast", "Div", "Sub", "Gather")


def plain_graph(
    model: OSNet, *, batch: int | str = "batch", height: int = 64, width: int = 32
) -> onnx.ModelProto:
    """Normalised images in, embeddings out; four gate runs a block, as the official code exports."""
    proto = build_onnx_graph(model, Preprocessing(height=height, width=width))
    graph = proto.graph
    preparing = []
    for node in graph.node:
        if node.op_type not in _PREPARING:
            break
        preparing.append(node)
    last = preparing[-1].output[0]
    for node in preparing:
        graph.node.remove(node)
    for node in graph.node:
        node.input[:] = ["input" if name == last else name for name in node.input]
    del graph.input[:]
    graph.input.append(helper.make_tensor_value_info("input", TensorProto.FLOAT, [batch, 3, height, width]))
    if isinstance(batch, int):
        graph.output[0].type.tensor_type.shape.dim[0].dim_value = batch
    return proto


def graph_with_preprocessing(model: OSNet) -> onnx.ModelProto:
    """The same with the images' preparation inside."""
    proto = plain_graph(model)
    scale = numpy_helper.from_array(np.float32([255.0]), "scale")
    proto.graph.initializer.append(scale)
    for node in proto.graph.node:
        node.input[:] = ["scaled" if name == "input" else name for name in node.input]
    proto.graph.node.insert(0, helper.make_node("Div", ["input", "scale"], ["scaled"]))
    assert INPUT_NAME != "input"
    return proto


def with_constants_as_nodes(proto: onnx.ModelProto) -> onnx.ModelProto:
    """Every second weight as a Constant node, behind an Identity."""
    moved = list(proto.graph.initializer)[::2]
    nodes = []
    for tensor in moved:
        proto.graph.initializer.remove(tensor)
        inner = onnx.TensorProto()
        inner.CopyFrom(tensor)
        nodes.append(helper.make_node("Constant", [], [f"{tensor.name}_value"], value=inner))
        nodes.append(helper.make_node("Identity", [f"{tensor.name}_value"], [tensor.name]))
    for node in reversed(nodes):
        proto.graph.node.insert(0, node)
    return proto


def with_matmul(proto: onnx.ModelProto) -> onnx.ModelProto:
    """The linear layer as MatMul and Add."""
    index = next(i for i, node in enumerate(proto.graph.node) if node.op_type == "Gemm")
    gemm = proto.graph.node[index]
    weight = next(tensor for tensor in proto.graph.initializer if tensor.name == gemm.input[1])
    turned = np.ascontiguousarray(numpy_helper.to_array(weight).T)
    weight.CopyFrom(numpy_helper.from_array(turned, weight.name))
    product = helper.make_node("MatMul", gemm.input[:2], ["product"])
    total = helper.make_node("Add", ["product", gemm.input[2]], gemm.output)
    proto.graph.node.remove(gemm)
    proto.graph.node.insert(index, product)
    proto.graph.node.insert(index + 1, total)
    return proto


def with_l2_norm(proto: onnx.ModelProto) -> onnx.ModelProto:
    """The output divided by its norm."""
    name = proto.graph.output[0].name
    proto.graph.node.append(helper.make_node("LpNormalization", [name], ["unit"], axis=1, p=2))
    proto.graph.output[0].name = "unit"
    return proto


def with_separate_batch_norm(proto: onnx.ModelProto) -> onnx.ModelProto:
    """A batch normalisation after the stem's convolution that undoes a change of its weights."""
    conv = proto.graph.node[0]
    weight = next(tensor for tensor in proto.graph.initializer if tensor.name == conv.input[1])
    values = numpy_helper.to_array(weight)
    weight.CopyFrom(numpy_helper.from_array(values * 2, weight.name))
    channels = len(values)
    bias = next((t for t in proto.graph.initializer if len(conv.input) > 2 and t.name == conv.input[2]), None)
    shift = np.zeros(channels, np.float32) if bias is None else numpy_helper.to_array(bias)
    del conv.input[2:]
    variance = np.full(channels, 4 - 1e-3, np.float32)
    parameters = {"bn_scale": np.ones(channels, np.float32), "bn_shift": shift.copy(),
                  "bn_mean": np.zeros(channels, np.float32), "bn_var": variance}  # fmt: skip
    proto.graph.initializer.extend(numpy_helper.from_array(v, name) for name, v in parameters.items())
    output = conv.output[0]
    conv.output[0] = "stem_before_norm"
    norm = helper.make_node("BatchNormalization", ["stem_before_norm", *parameters], [output], epsilon=1e-3)
    proto.graph.node.insert(1, norm)
    return proto


def as_half(proto: onnx.ModelProto) -> onnx.ModelProto:
    """All numbers in float16."""
    for tensor in proto.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype == np.float32:
            tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), tensor.name))
    for value in (*proto.graph.input, *proto.graph.output):
        value.type.tensor_type.elem_type = TensorProto.FLOAT16
    return proto


def with_node_changed(
    proto: onnx.ModelProto, operation: str, number: int, change: Callable[[onnx.NodeProto], None]
) -> onnx.ModelProto:
    """One node of a kind changed in place."""
    change([node for node in proto.graph.node if node.op_type == operation][number])
    return proto


def write(proto: onnx.ModelProto, path: Path) -> Path:
    path.write_bytes(proto.SerializeToString())
    return path
