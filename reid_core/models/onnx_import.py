"""Turn an ONNX export of an OSNet back into our OSNet, and prove it by running both.

Names in the file are ignored: an exporter may keep a published name for a weight it has changed. Layers are
found by how they feed each other, put into our net, and both are run on the same images. A graph that is
built otherwise, or computes something else with the same weights, is refused as no OSNet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from numpy.typing import NDArray
from onnx.external_data_helper import load_external_data_for_model
from torch import Tensor, nn

from reid_core.errors import WeightsError
from reid_core.models.checkpoint_files import RawCheckpoint
from reid_core.models.file_kinds import FileKind
from reid_core.models.onnx_layers import (
    GRAPH_INPUT,
    BatchNormParameters,
    FloatArray,
    GraphFormError,
    Layer,
    LayerGraph,
    read_layers,
)
from reid_core.models.osnet import (
    ARCHITECTURES,
    EMBEDDING_SIZE,
    NUM_STREAMS,
    Architecture,
    BareConv,
    ConvNorm,
    InstanceNormPlace,
    LightConv3x3,
    OSBlock,
    OSNet,
    build_osnet,
)

Sources = frozenset[int]

_DEFAULT_SIZE = (256, 128)
_PROBE_BATCH = 2
_MIN_COSINE, _MAX_DEVIATION = 0.9999, 1e-3
_MIN_COSINE_HALF, _MAX_DEVIATION_HALF = 0.999, 3e-2
_ONLY_FATAL = 4


def read_onnx_file(path: Path) -> RawCheckpoint:
    """Recover the OSNet in an ONNX file.

    Raises:
        WeightsError: The file is damaged, or holds no OSNet, or one that cannot be turned back exactly.
    """
    proto = _parse(path)
    image = _image_input(path, proto.graph)
    try:
        graph = read_layers(proto.graph, image.name)
        model = _Recovery(graph).build()
    except GraphFormError as error:
        raise WeightsError(
            f"{path} is an ONNX file, but not of an OSNet that can be read: {error}. Whatever its name "
            "says, choose an ONNX export of one of the nine OSNet variants, or its PyTorch weights."
        ) from error
    batch, height, width = _input_sizes(image)
    notes = _prove_same(path, proto, model, (batch, 3, height, width), is_half=graph.has_half_precision)
    return RawCheckpoint(
        model.state_dict(),
        FileKind.ONNX,
        input_size=(height, width),
        converted_from=("float16",) if graph.has_half_precision else (),
        notes=notes,
    )


def _parse(path: Path) -> onnx.ModelProto:
    try:
        proto = onnx.load_model_from_string(path.read_bytes())
        load_external_data_for_model(proto, str(path.resolve().parent))
    except (DecodeError, ValueError, OSError, onnx.checker.ValidationError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise WeightsError(
            f"{path} ({path.stat().st_size} bytes) is an ONNX file that is damaged, cut short, or lacks its "
            f"data file ({reason}). Fetch all its parts again."
        ) from error
    if not proto.graph.node:
        raise WeightsError(f"{path} is an ONNX file without any layer. It is damaged; fetch it again.")
    return proto


def _image_input(path: Path, graph: onnx.GraphProto) -> onnx.ValueInfoProto:
    constants = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in constants]
    if len(inputs) != 1:
        names = ", ".join(value.name for value in inputs) or "none"
        raise WeightsError(
            f"{path} is an ONNX file with {len(inputs)} inputs ({names}), expected one: images (B, 3, H, "
            "W). Use an export of the network alone."
        )
    tensor = inputs[0].type.tensor_type
    channels = tensor.shape.dim[1] if len(tensor.shape.dim) == 4 else None
    is_float = tensor.elem_type in (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16)
    if not is_float or channels is None or (channels.HasField("dim_value") and channels.dim_value != 3):
        shape = [dim.dim_value or dim.dim_param for dim in tensor.shape.dim]
        raise WeightsError(
            f"{path} is an ONNX file whose input is {shape} of type "
            f"{onnx.TensorProto.DataType.Name(tensor.elem_type)}, expected float images (B, 3, H, W). Use "
            "an export that takes normalised images, channels first."
        )
    image: onnx.ValueInfoProto = inputs[0]
    return image


def _input_sizes(image: onnx.ValueInfoProto) -> tuple[int, int, int]:
    """Batch, height and width to run with: the file's where it fixes them."""
    batch, _, height, width = (dim.dim_value for dim in image.type.tensor_type.shape.dim)
    return batch or _PROBE_BATCH, height or _DEFAULT_SIZE[0], width or _DEFAULT_SIZE[1]


class _Recovery:
    """Finds the layers of an OSNet in a layer graph and puts their weights into our net."""

    def __init__(self, graph: LayerGraph) -> None:
        self._graph = graph

    def build(self) -> OSNet:
        """The net with the graph's weights.

        Raises:
            GraphFormError: The layers are not those of an OSNet.
        """
        stem = self._one(frozenset({GRAPH_INPUT}), "the first convolution", (None, 3, 7, 7))
        channels = next(
            (a.channels for a in ARCHITECTURES.values() if a.channels[0] == len(self._layer(stem).weight)),
            None,
        )
        if channels is None:
            raise GraphFormError(f"its first convolution has {len(self._layer(stem).weight)} channels")
        stem_norm, sources = self._after_norm(frozenset({stem}))
        blocks: list[_BlockLayers] = []
        transitions: list[int] = []
        inputs = channels[0]
        for stage, outputs in enumerate(channels[1:]):
            for _ in range(2):
                block, sources = self._find_block(sources, inputs, outputs)
                blocks.append(block)
                inputs = outputs
            if stage < 2:
                shape = (outputs, outputs, 1, 1)
                transitions.append(self._one(sources, "a convolution between two stages", shape))
                sources = frozenset({transitions[-1]})
        conv5 = self._one(sources, "the last convolution", (channels[3], channels[3], 1, 1))
        linear = self._one(frozenset({conv5}), "the linear layer", (EMBEDDING_SIZE, channels[3]))
        classifiers = self._graph.fed_by(frozenset({linear}), "linear")
        model = build_osnet(
            _match_architecture(
                channels, stem_norm is not None, [block.norm_place for block in blocks]
            ).variant,
            len(self._layer(classifiers[0]).weight) if len(classifiers) == 1 else 0,
        )
        self._put_conv_norm(model.conv1, stem, stem_norm)
        for (_, target), block in zip(model.named_blocks(), blocks, strict=True):
            self._put_block(target, block)
        halving = [transition for transition in model.transitions() if transition is not None]
        for target_layers, number in zip(halving, transitions, strict=True):
            self._put_conv_norm(target_layers[0], number)
        self._put_conv_norm(model.conv5, conv5)
        _put_normed(model.fc[0], model.fc[1], self._layer(linear))
        if model.classifier is not None:
            _put(model.classifier.weight, self._layer(classifiers[0]).weight)
            _put(model.classifier.bias, self._layer(classifiers[0]).bias)
        return model.eval()

    def _find_block(self, sources: Sources, inputs: int, outputs: int) -> tuple[_BlockLayers, Sources]:
        """The layers of the block that reads ``sources``, and the sources that its output stands for."""
        mid = outputs // 4
        conv1 = self._one(sources, "a block's first convolution", (mid, inputs, 1, 1))
        shape = (outputs, inputs, 1, 1)
        downsample = None if inputs == outputs else self._one(sources, "a block's shortcut", shape)
        streams = self._find_streams(conv1, mid)
        ends = frozenset(stream[-1][1] for stream in streams)
        gate, gate_ends = self._find_gate(ends, mid)
        conv3 = self._one(ends | gate_ends, "a block's last convolution", (outputs, mid, 1, 1))
        inside, residual = self._after_norm(frozenset({conv3}))
        after, result = self._after_norm(residual | (sources if downsample is None else {downsample}))
        if inside is not None and after is not None:
            raise GraphFormError("a block has two instance normalisations")
        place: InstanceNormPlace = (
            "inside" if inside is not None else "after" if after is not None else "none"
        )
        norm = inside if inside is not None else after
        return _BlockLayers(conv1, streams, gate, conv3, downsample, norm, place), result

    def _find_streams(self, conv1: int, mid: int) -> list[list[tuple[int, int]]]:
        """Per stream its light convolutions as (pointwise, depthwise), shortest stream first."""
        streams = []
        for start in self._shaped(frozenset({conv1}), (mid, mid, 1, 1)):
            pairs: list[tuple[int, int]] = []
            following = [start]
            while len(following) == 1:
                pointwise = following[0]
                depthwise = self._one(frozenset({pointwise}), "a depthwise convolution", (mid, 1, 3, 3))
                pairs.append((pointwise, depthwise))
                following = self._shaped(frozenset({depthwise}), (mid, mid, 1, 1))
            streams.append(pairs)
        streams.sort(key=len)
        depths = [len(stream) for stream in streams]
        if depths != list(range(1, NUM_STREAMS + 1)):
            raise GraphFormError(f"a block has streams of depths {depths}, expected 1, 2, 3, 4")
        return streams

    def _find_gate(self, ends: Sources, mid: int) -> tuple[tuple[int, int], Sources]:
        """The shared gate's two layers, and the sources of its outputs: it runs once, or once per stream."""
        hidden = mid // 16
        squeezing = self._shaped(ends, (hidden, mid, 1, 1))
        if not squeezing:
            squeezing = [self._one(frozenset({end}), "a gate", (hidden, mid, 1, 1)) for end in sorted(ends)]
        widening = [
            self._one(frozenset({number}), "a gate's second layer", (mid, hidden, 1, 1))
            for number in squeezing
        ]
        for runs in (squeezing, widening):
            first = self._layer(runs[0])
            for other in map(self._layer, runs[1:]):
                if not (
                    np.array_equal(first.weight, other.weight) and np.array_equal(first.bias, other.bias)
                ):
                    raise GraphFormError(
                        "the streams of a block have different gates; in an OSNet they share one"
                    )
        return (squeezing[0], widening[0]), frozenset(widening)

    def _after_norm(self, sources: Sources) -> tuple[int | None, Sources]:
        """The instance normalisation that reads ``sources``, if there is one, and the sources behind it."""
        norms = self._graph.fed_by(sources, "instance_norm")
        return (norms[0], frozenset(norms)) if len(norms) == 1 else (None, sources)

    def _one(self, sources: Sources, what: str, shape: tuple[int | None, ...]) -> int:
        """The only layer of this shape that reads ``sources``."""
        found = self._shaped(sources, shape)
        if len(found) != 1:
            there = [tuple(self._layer(number).weight.shape) for number in self._graph.fed_by(sources)]
            wanted = " x ".join("?" if size is None else str(size) for size in shape)
            raise GraphFormError(f"where {what} ({wanted}) belongs there are layers of the shapes {there}")
        return found[0]

    def _shaped(self, sources: Sources, shape: tuple[int | None, ...]) -> list[int]:
        """Convolutions and linear layers that read ``sources``; a linear layer may be a 1x1 convolution."""
        wanted = (*shape, 1, 1)[:4]
        found = []
        for number in self._graph.fed_by(sources):
            came = (*self._layer(number).weight.shape, 1, 1)[:4]
            fits = all(size in (None, other) for size, other in zip(wanted, came, strict=True))
            if fits and self._layer(number).kind != "instance_norm":
                found.append(number)
        return found

    def _layer(self, number: int) -> Layer:
        return self._graph.layers[number]

    def _put_block(self, target: OSBlock, block: _BlockLayers) -> None:
        self._put_conv_norm(target.conv1, block.conv1)
        for stream, pairs in zip(target.streams(), block.streams, strict=True):
            lights = [module for module in stream.modules() if isinstance(module, LightConv3x3)]
            for light, (pointwise, depthwise) in zip(lights, pairs, strict=True):
                _put_bare(light.conv1, self._layer(pointwise))
                _put_normed(light.conv2, light.bn, self._layer(depthwise))
        for layer, number in zip((target.gate.fc1, target.gate.fc2), block.gate, strict=True):
            _put(layer.weight, self._layer(number).weight)
            assert layer.bias is not None
            _put(layer.bias, self._layer(number).bias)
        if isinstance(target.conv3, BareConv):
            _put(target.conv3.conv.weight, self._layer(block.conv3).weight)
        else:
            self._put_conv_norm(target.conv3, block.conv3)
        if target.downsample is not None and block.downsample is not None:
            self._put_conv_norm(target.downsample, block.downsample)
        if target.IN is not None and block.norm is not None:
            _put_instance_norm(target.IN, self._layer(block.norm))

    def _put_conv_norm(self, target: nn.Module, conv: int, instance_norm: int | None = None) -> None:
        assert isinstance(target, ConvNorm)
        if instance_norm is None:
            _put_normed(target.conv, target.bn, self._layer(conv))
        else:
            # A bias before instance normalisation changes nothing: the mean is taken out.
            _put(target.conv.weight, self._layer(conv).weight)
            _put_instance_norm(target.bn, self._layer(instance_norm))


@dataclass(frozen=True, slots=True)
class _BlockLayers:
    """Numbers of one block's layers."""

    conv1: int
    streams: list[list[tuple[int, int]]]
    gate: tuple[int, int]
    conv3: int
    downsample: int | None
    norm: int | None
    norm_place: InstanceNormPlace


def _match_architecture(
    channels: tuple[int, ...], has_stem_norm: bool, places: Sequence[InstanceNormPlace]
) -> Architecture:
    for architecture in ARCHITECTURES.values():
        same_norms = architecture.block_norms == tuple(places)
        if (
            architecture.channels == channels
            and same_norms
            and has_stem_norm == (architecture.family != "plain")
        ):
            return architecture
    stem = "with" if has_stem_norm else "without"
    raise GraphFormError(
        f"its instance normalisations ({', '.join(places)} in the six blocks, {stem} one in the stem) are "
        "those of no variant of this width"
    )


def _put(target: Tensor, values: FloatArray) -> None:
    if tuple(target.shape) != values.shape:
        values = values.reshape(tuple(target.shape))
    with torch.no_grad():
        target.copy_(torch.from_numpy(np.array(values, dtype=np.float32)))


def _put_bare(target: nn.Conv2d, layer: Layer) -> None:
    if layer.batch_norm is not None or layer.bias.any():
        raise GraphFormError("a pointwise convolution inside a stream has a bias, which no OSNet has")
    _put(target.weight, layer.weight)


def _put_normed(conv: nn.Module, norm: nn.Module, layer: Layer) -> None:
    """A layer into a convolution (or linear layer) without bias and the batch normalisation behind it."""
    assert isinstance(conv, nn.Conv2d | nn.Linear)
    if not isinstance(norm, nn.BatchNorm2d | nn.BatchNorm1d):
        raise GraphFormError("an instance normalisation is missing")
    assert norm.running_mean is not None
    assert norm.running_var is not None
    _put(conv.weight, layer.weight)
    channels = len(layer.weight)
    came = layer.batch_norm or BatchNormParameters(
        scale=np.ones(channels, dtype=np.float32),
        shift=np.zeros(channels, dtype=np.float32),
        mean=np.zeros(channels, dtype=np.float32),
        variance=np.full(channels, 1 - norm.eps, dtype=np.float32),
        epsilon=norm.eps,
    )
    bias = layer.bias
    if conv.bias is not None:
        _put(conv.bias, bias)
        bias = np.zeros(channels, dtype=np.float32)
    is_identity = layer.batch_norm is None
    _put(norm.weight, came.scale)
    # Without statistics of its own, the norm only carries the bias that a folding left in the convolution.
    _put(norm.bias, bias if is_identity else came.shift)
    _put(norm.running_mean, came.mean if is_identity else came.mean - bias)
    # The file stores epsilon in float32, so an equal one differs by 1e-13.
    other_epsilon = 0.0 if np.isclose(came.epsilon, norm.eps, rtol=1e-5) else came.epsilon - norm.eps
    _put(norm.running_var, came.variance + np.float32(other_epsilon))


def _put_instance_norm(target: nn.Module, layer: Layer) -> None:
    assert isinstance(target, nn.InstanceNorm2d)
    _put(target.weight, layer.weight)
    _put(target.bias, layer.bias)


def _prove_same(
    path: Path, proto: onnx.ModelProto, model: OSNet, shape: tuple[int, ...], *, is_half: bool
) -> tuple[str, ...]:
    """Run the file and the recovered net on the same images; notes if they agree, an error if not."""
    images = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
    outputs = _run_onnx(path, proto, images)
    with torch.inference_mode():
        vectors = model.embed(torch.from_numpy(images))
        logits = None if model.classifier is None else model.classifier(vectors).numpy()
    embeddings: NDArray[np.float32] = vectors.numpy()
    unit = embeddings / np.maximum(np.linalg.norm(embeddings, axis=1, keepdims=True), 1e-12)
    readings = [
        (embeddings, ""),
        (unit, "The ONNX graph ends in an L2 normalisation, which is done here afterwards."),
    ]
    if logits is not None:
        readings.append((logits, "The ONNX graph ends in class scores; the embedding before them is used."))
    for ours, note in readings:
        if any(_agree(output, ours, is_half=is_half) for output in outputs):
            checked = "Recovered from the ONNX graph; both gave the same embeddings for test images."
            return (checked, note) if note else (checked,)
    shapes = ", ".join(str(output.shape) for output in outputs)
    raise WeightsError(
        f"{path} is an ONNX file with the layers of {model.variant}, but it computes something else with "
        f"them (outputs of shape {shapes} differ from the OSNet's embeddings for the same images). It is a "
        "changed network and is not loaded; use the OSNet's own weights."
    )


def _run_onnx(path: Path, proto: onnx.ModelProto, images: FloatArray) -> list[NDArray[np.float32]]:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _ONLY_FATAL
    options.intra_op_num_threads = 1  # one short run: starting threads would cost more than they save
    try:
        session = onnxruntime.InferenceSession(
            proto.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        image = session.get_inputs()[0]
        dtype = np.float16 if "float16" in image.type else np.float32
        outputs = session.run(None, {image.name: images.astype(dtype)})
    except Exception as error:  # ONNX Runtime's errors share no base class
        raise WeightsError(
            f"{path} is an ONNX file that ONNX Runtime cannot run ({str(error).splitlines()[0]}), so it "
            "could not be checked. Export it again."
        ) from error
    return [np.asarray(output, dtype=np.float32) for output in outputs if isinstance(output, np.ndarray)]


def _agree(theirs: NDArray[np.float32], ours: NDArray[np.float32], *, is_half: bool) -> bool:
    if theirs.size != ours.size:
        return False
    theirs = theirs.reshape(ours.shape).astype(np.float64)
    min_cosine = _MIN_COSINE_HALF if is_half else _MIN_COSINE
    max_deviation = _MAX_DEVIATION_HALF if is_half else _MAX_DEVIATION
    norms = np.linalg.norm(theirs, axis=1) * np.linalg.norm(ours, axis=1)
    cosines = (theirs * ours).sum(axis=1) / np.maximum(norms, 1e-30)
    deviation = np.abs(theirs - ours).max() / max(np.abs(ours).max(), 1e-30)
    return bool((cosines > min_cosine).all() and deviation <= max_deviation)
