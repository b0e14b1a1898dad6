from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import helper, numpy_helper
from onnx_files import (
    as_half,
    graph_with_preprocessing,
    plain_graph,
    with_constants_as_nodes,
    with_l2_norm,
    with_matmul,
    with_node_changed,
    with_separate_batch_norm,
    write,
)
from parity_data import cosines, relative_errors, seeded_osnet
from torch import nn

from reid_core.errors import WeightsError
from reid_core.models import VARIANTS, OSNet, load_weights

SMALL = "osnet_x0_25"
FAMILIES = (SMALL, "osnet_ain_x0_25", "osnet_ibn_x1_0")


def assert_same_net(recovered: OSNet, original: OSNet, tolerance: float = 1e-5) -> None:
    images = torch.randn(2, 3, 64, 32, generator=torch.Generator().manual_seed(5))
    with torch.inference_mode():
        came, expected = recovered(images).numpy(), original(images).numpy()
    assert relative_errors(came, expected).max() <= tolerance
    assert cosines(came, expected).min() > 0.99999


@pytest.mark.parametrize("variant", VARIANTS)
def test_onnx__every_variant__recovered(variant: str, tmp_path: Path) -> None:
    model = seeded_osnet(variant)
    loaded = load_weights(write(plain_graph(model), tmp_path / "osnet_x1_0.pth"))
    assert loaded.spec.variant == variant
    assert loaded.report.file_format == "ONNX file"
    assert loaded.report.batch_norm_folded
    assert any("Recovered from the ONNX graph" in note for note in loaded.report.notes)
    assert_same_net(loaded.model, model, tolerance=5e-5)


@pytest.mark.parametrize("variant", FAMILIES)
@pytest.mark.parametrize(
    "change", [with_constants_as_nodes, with_matmul, with_separate_batch_norm], ids=lambda f: f.__name__
)
def test_onnx__other_spelling__recovered(
    variant: str, change: Callable[[onnx.ModelProto], onnx.ModelProto], tmp_path: Path
) -> None:
    model = seeded_osnet(variant)
    loaded = load_weights(write(change(plain_graph(model)), tmp_path / "net.onnx"))
    assert_same_net(loaded.model, model)


@pytest.mark.parametrize(
    ("variant", "opset", "is_training_graph"),
    [(SMALL, 17, False), (SMALL, 13, True), ("osnet_ain_x0_25", 11, False)],
)
def test_onnx__exported_by_torch__recovered(
    variant: str, opset: int, is_training_graph: bool, tmp_path: Path
) -> None:
    model, path = seeded_osnet(variant), tmp_path / "net.onnx"
    mode = torch.onnx.TrainingMode.PRESERVE if is_training_graph else torch.onnx.TrainingMode.EVAL
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model, (torch.randn(1, 3, 64, 32),), str(path), opset_version=opset, dynamo=False, training=mode
        )
    loaded = load_weights(path)
    assert_same_net(loaded.model, model)
    preprocessing = loaded.spec.preprocessing
    assert (preprocessing.height, preprocessing.width) == (64, 32)


@pytest.mark.parametrize("variant", [SMALL, "osnet_ain_x0_25"])
def test_onnx__rewritten_by_an_optimiser__recovered(variant: str, tmp_path: Path) -> None:
    model, path = seeded_osnet(variant), tmp_path / "optimised.onnx"
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(path)
    proto = with_constants_as_nodes(with_separate_batch_norm(plain_graph(model)))
    onnxruntime.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
    assert_same_net(load_weights(path).model, model)


def test_onnx__fixed_batch_and_size__recovered_with_its_size(tmp_path: Path) -> None:
    model = seeded_osnet(SMALL)
    loaded = load_weights(write(plain_graph(model, batch=3, height=128, width=64), tmp_path / "net.onnx"))
    assert (loaded.spec.preprocessing.height, loaded.spec.preprocessing.width) == (128, 64)
    assert_same_net(loaded.model, model)


def test_onnx__ends_in_l2_norm__recovered_and_said(tmp_path: Path) -> None:
    model = seeded_osnet(SMALL)
    loaded = load_weights(write(with_l2_norm(plain_graph(model)), tmp_path / "net.onnx"))
    assert any("L2 normalisation" in note for note in loaded.report.notes)
    assert_same_net(loaded.model, model)


def test_onnx__half_precision__recovered_and_said(tmp_path: Path) -> None:
    model = seeded_osnet(SMALL)
    with torch.no_grad():  # seeded values overflow float16
        model.fc[0].weight /= 1000  # type: ignore[operator]
        model.fc[1].running_var.fill_(1.0)  # type: ignore[union-attr, operator]
    loaded = load_weights(write(as_half(plain_graph(model)), tmp_path / "net.onnx"))
    assert loaded.report.converted_from == ("float16",)
    images = torch.randn(2, 3, 64, 32, generator=torch.Generator().manual_seed(5))
    with torch.inference_mode():
        assert cosines(loaded.model(images).numpy(), model(images).numpy()).min() > 0.999


def test_onnx__class_scores_as_output__embedding_before_them(tmp_path: Path) -> None:
    class WithScores(nn.Module):
        def __init__(self, model: OSNet) -> None:
            super().__init__()
            self.model = model

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            assert self.model.classifier is not None
            scores: torch.Tensor = self.model.classifier(self.model.embed(images))
            return scores

    model, path = seeded_osnet(SMALL, num_classes=751), tmp_path / "net.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(WithScores(model).eval(), (torch.randn(1, 3, 64, 32),), str(path), dynamo=False)
    loaded = load_weights(path, keep_classifier=True)
    assert loaded.report.num_classes == 751
    assert any("class scores" in note for note in loaded.report.notes)
    assert_same_net(loaded.model, model)


def test_onnx__imagenet_scores__refused(tmp_path: Path) -> None:
    model = seeded_osnet(SMALL, num_classes=1000)
    assert model.classifier is not None
    proto = plain_graph(model)
    weight = numpy_helper.from_array(model.classifier.weight.detach().numpy(), "classifier_weight")
    bias = numpy_helper.from_array(model.classifier.bias.detach().numpy(), "classifier_bias")
    proto.graph.initializer.extend([weight, bias])
    name = proto.graph.output[0].name
    proto.graph.node.append(
        helper.make_node("Gemm", [name, "classifier_weight", "classifier_bias"], ["scores"], transB=1)
    )
    proto.graph.output[0].name = "scores"
    proto.graph.output[0].type.tensor_type.shape.dim[1].dim_value = 1000
    with pytest.raises(WeightsError, match="ImageNet"):
        load_weights(write(proto, tmp_path / "net.onnx"))


def rename(operation: str) -> Callable[[onnx.NodeProto], None]:
    def change(node: onnx.NodeProto) -> None:
        node.op_type = operation
        del node.attribute[:]

    return change


def attribute(name: str, values: list[int]) -> Callable[[onnx.NodeProto], None]:
    def change(node: onnx.NodeProto) -> None:
        kept = [a for a in node.attribute if a.name != name]
        del node.attribute[:]
        node.attribute.extend([*kept, helper.make_attribute(name, values)])

    return change


@pytest.mark.parametrize(
    ("operation", "number", "change"),
    [
        ("Sigmoid", 5, rename("HardSigmoid")),
        ("Relu", 12, rename("Elu")),
        ("MaxPool", 0, attribute("pads", [0, 0, 1, 1])),
        ("AveragePool", 1, rename("MaxPool")),
        ("Relu", -1, rename("Identity")),
    ],
)
def test_onnx__same_layers_but_one_step_differs__refused(
    operation: str, number: int, change: Callable[[onnx.NodeProto], None], tmp_path: Path
) -> None:
    def apply(node: onnx.NodeProto) -> None:
        kernel = [a for a in node.attribute if a.name in ("kernel_shape", "strides")]
        change(node)
        if node.op_type == "MaxPool" and not node.attribute:
            node.attribute.extend(kernel)

    proto = with_node_changed(plain_graph(seeded_osnet(SMALL)), operation, number, apply)
    with pytest.raises(WeightsError, match="computes something else"):
        load_weights(write(proto, tmp_path / "osnet_x0_25.onnx"))


def test_onnx__one_gate_not_shared__refused(tmp_path: Path) -> None:
    proto = plain_graph(seeded_osnet(SMALL))
    gates = [node for node in proto.graph.node if node.op_type == "Conv" and len(node.attribute) == 0]
    other = next(t for t in proto.graph.initializer if t.name == gates[0].input[1])
    proto.graph.initializer.append(numpy_helper.from_array(numpy_helper.to_array(other) * 1.5, "own_gate"))
    gates[0].input[1] = "own_gate"
    with pytest.raises(WeightsError, match="have different gates"):
        load_weights(write(proto, tmp_path / "net.onnx"))


def export(model: nn.Module, path: Path) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(model.eval(), (torch.randn(1, 3, 64, 32),), str(path), dynamo=False)
    return path


def test_onnx__other_net_with_512_outputs__refused(tmp_path: Path) -> None:
    import torchvision

    resnet = torchvision.models.resnet18(weights=None)
    resnet.fc = nn.Identity()  # 512 numbers per image, like an OSNet
    with pytest.raises(WeightsError, match="not of an OSNet.*first convolution"):
        load_weights(export(resnet, tmp_path / "osnet_x1_0.onnx"))


def test_onnx__stream_one_layer_shorter__refused(tmp_path: Path) -> None:
    model = seeded_osnet(SMALL)
    model.conv3[1].conv2d = model.conv3[1].conv2d[:3]  # type: ignore[union-attr, index, assignment]
    with pytest.raises(WeightsError, match=r"streams of depths \[1, 2, 3, 3\]"):
        load_weights(export(model, tmp_path / "net.onnx"))


def test_onnx__norms_of_no_variant__refused(tmp_path: Path) -> None:
    model = seeded_osnet(SMALL)
    block = model.conv2[0]
    block.instance_norm, block.IN = "after", nn.InstanceNorm2d(64, affine=True)  # type: ignore[assignment]
    with pytest.raises(WeightsError, match="instance normalisations.*no variant"):
        load_weights(export(model, tmp_path / "net.onnx"))


def test_onnx__prepares_images_itself__refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="prepares its images itself"):
        load_weights(write(graph_with_preprocessing(seeded_osnet(SMALL)), tmp_path / "net.onnx"))


def test_onnx__two_inputs__refused(tmp_path: Path) -> None:
    proto = plain_graph(seeded_osnet(SMALL))
    proto.graph.input.append(helper.make_tensor_value_info("gallery", onnx.TensorProto.FLOAT, [8, 512]))
    with pytest.raises(WeightsError, match=r"2 inputs \(input, gallery\)"):
        load_weights(write(proto, tmp_path / "net.onnx"))


def test_onnx__channels_last_or_uint8_input__refused(tmp_path: Path) -> None:
    proto = plain_graph(seeded_osnet(SMALL))
    proto.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.UINT8
    with pytest.raises(WeightsError, match="of type UINT8, expected float images"):
        load_weights(write(proto, tmp_path / "net.onnx"))


def test_onnx__quantised_weights__refused(tmp_path: Path) -> None:
    proto = plain_graph(seeded_osnet(SMALL))
    conv = proto.graph.node[0]
    weight = next(t for t in proto.graph.initializer if t.name == conv.input[1])
    values = numpy_helper.to_array(weight)
    scale = float(np.abs(values).max() / 127)
    proto.graph.initializer.extend(
        [
            numpy_helper.from_array(np.round(values / scale).astype(np.int8), "w8"),
            numpy_helper.from_array(np.float32(scale), "s8"),
        ]
    )
    proto.graph.node.insert(0, helper.make_node("DequantizeLinear", ["w8", "s8"], ["w"]))
    proto.graph.node[1].input[1] = "w"
    with pytest.raises(WeightsError, match="quantised"):
        load_weights(write(proto, tmp_path / "net.onnx"))


@pytest.mark.parametrize("share", [0.3, 0.9])
def test_onnx__cut_short__refused(share: float, tmp_path: Path) -> None:
    content = plain_graph(seeded_osnet(SMALL)).SerializeToString()
    path = tmp_path / "net.onnx"
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(WeightsError, match="damaged, cut short"):
        load_weights(path)
