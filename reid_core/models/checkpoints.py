"""Load OSNet weights from any file that holds them, strictly, and say what was done; save our own format.

A loader that skips what does not fit returns a half-random net whose embeddings look plausible. Here
everything but the classifier must fit: the variant is read from the tensors (never from the file's name),
and a file that is no OSNet, an ImageNet net, damaged or dead is refused with a reason.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from reid_core.errors import InputError, WeightsError
from reid_core.models.checkpoint_files import (
    FORMAT_KEY,
    FORMAT_VERSION,
    SPEC_KEY,
    RawCheckpoint,
    read_safetensors_file,
    read_torch_file,
)
from reid_core.models.file_kinds import FileKind, sniff_weights_file
from reid_core.models.osnet import ARCHITECTURES, EMBEDDING_SIZE, OSNet, build_osnet, find_architecture
from reid_core.models.preprocessing import TORCHREID_PREPROCESSING
from reid_core.models.weights import WeightSpec

IMAGENET_CLASSES = 1000
_FLOAT_TYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
_COUNTER = "num_batches_tracked"
_ANCHOR = "conv5.conv.weight"
"""A key that an OSNet has exactly once; what stands before it is the prefix of all keys."""

# Tensors that a trained net cannot have at zero throughout: without them no image information gets through.
_NEVER_ZERO = ("conv1.conv.weight", "conv5.conv.weight", "fc.0.weight", "fc.1.weight")

# Parts of key names that give other networks away; the first that fits is named in the message.
_OTHER_NETWORKS = (
    ("layer1.0.conv1", "a ResNet"),
    ("layer1.0.conv2", "a ResNet"),
    ("denseblock", "a DenseNet"),
    ("features.0.0.weight", "a MobileNet"),
    ("features.0.weight", "a VGG or AlexNet"),
    ("stage2.0.branch", "a ShuffleNet"),
    ("attn.qkv", "a vision transformer"),
    ("self_attn", "a transformer"),
    ("patch_embed", "a vision transformer"),
    ("Mixed_5b", "an Inception network"),
    ("_blocks.0._depthwise_conv", "an EfficientNet"),
    ("model.0.conv", "a YOLO detector"),
    ("hsa", "an HACNN"),
)


@dataclass(frozen=True, slots=True)
class LoadReport:
    """What loading a file did.

    ``prefix`` was taken off every key; ``container`` is the key of the file that held the state dict. With a
    classifier in the file, ``num_classes`` is its width. ``batch_norm_folded``: the file's normalisation
    layers are identities, their work is in the convolutions. ``converted_from`` are number types other than
    float32.
    """

    path: str
    file_format: str
    variant: str
    container: str
    prefix: str
    classifier: Literal["absent", "dropped", "kept"]
    num_classes: int | None
    batch_norm_folded: bool
    num_missing_counters: int
    converted_from: tuple[str, ...]
    notes: tuple[str, ...]

    def sentences(self) -> tuple[str, ...]:
        """The report for a person, one fact a sentence."""
        lines = [f"Read {self.variant} from {self.path} ({self.file_format})."]
        if self.container:
            lines.append(f"The weights lay under {self.container!r} in a training checkpoint.")
        if self.prefix:
            lines.append(f"Took the prefix {self.prefix!r} off every name.")
        if self.classifier != "absent":
            lines.append(f"{self.classifier.capitalize()} the {self.num_classes}-way classifier.")
        if self.batch_norm_folded:
            lines.append("Batch normalisation is folded into the convolutions.")
        if self.num_missing_counters:
            lines.append(f"{self.num_missing_counters} batch counters are missing and start at 0.")
        if self.converted_from:
            lines.append(f"Converted from {', '.join(self.converted_from)} to float32.")
        return (*lines, *self.notes)


@dataclass(frozen=True, slots=True)
class LoadedWeights:
    """A net in eval mode on the CPU, what its weights are, and how they were loaded."""

    model: OSNet
    spec: WeightSpec
    report: LoadReport


def load_weights(
    path: str | Path,
    *,
    variant: str | None = None,
    keep_classifier: bool = False,
    allow_imagenet: bool = False,
) -> LoadedWeights:
    """Load an OSNet from a PyTorch, safetensors or ONNX file, whatever its suffix.

    Args:
        path: The file.
        variant: What the file must hold; ``None`` accepts any of the nine.
        keep_classifier: Keep the classifier, to go on training with it. It is dropped otherwise.
        allow_imagenet: Accept a 1000-way classifier: a net pre-trained on ImageNet (to train from; it cannot
            tell people apart), or one that really was trained on 1,000 identities.

    Raises:
        WeightsError: The file is damaged, unsafe, no OSNet, another variant, or not fit for
        re-identification.
    """
    path = Path(path).expanduser()
    raw = _read(path)
    prefix, state = _without_prefix(path, raw.tensors)
    _check_numbers(path, state)
    converted = {str(t.dtype).removeprefix("torch.") for t in state.values() if t.dtype in _FLOAT_TYPES}
    state = {name: tensor.detach().to(_stored_type(name)).contiguous() for name, tensor in state.items()}
    model = _build_fitting(path, state, asked=variant)
    num_classes = _classifier_width(path, state)
    _refuse_imagenet(path, raw, num_classes, allow_imagenet=allow_imagenet)
    is_kept = keep_classifier and num_classes is not None
    if num_classes is not None and is_kept:
        model = build_osnet(model.variant, num_classes)
    num_missing_counters = _fill(model, state)
    _check_alive(path, model.eval())
    spec, notes = _spec_of(path, raw, model.variant, num_classes)
    report = LoadReport(
        path=str(path),
        file_format=raw.kind.value,
        variant=model.variant,
        container=raw.container,
        prefix=prefix,
        classifier="absent" if num_classes is None else "kept" if is_kept else "dropped",
        num_classes=num_classes,
        batch_norm_folded=_is_batch_norm_folded(model),
        num_missing_counters=num_missing_counters,
        converted_from=tuple(sorted((converted | {*raw.converted_from}) - {"float32"})),
        notes=(*raw.notes, *notes),
    )
    return LoadedWeights(model, spec, report)


def save_weights(path: str | Path, model: OSNet, spec: WeightSpec, *, with_classifier: bool = False) -> None:
    """Write a net and all that is known about it as one safetensors file, whole or not at all.

    Raises:
        InputError: ``spec`` is about another variant.
    """
    if spec.variant != model.variant:
        raise InputError(
            f"The record is about {spec.variant}, the net is {model.variant}. Save a net with its own record."
        )
    target = Path(path).expanduser()
    state = {
        name: tensor.detach().to("cpu").contiguous().clone()
        for name, tensor in model.state_dict().items()
        if with_classifier or not name.startswith("classifier.")
    }
    metadata = {"format": "pt", FORMAT_KEY: str(FORMAT_VERSION), SPEC_KEY: spec.to_json()}
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_name(f".{target.name}.{os.getpid()}.part")  # with the usual file rights
    try:
        save_file(state, unfinished, metadata=metadata)
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)


def _read(path: Path) -> RawCheckpoint:
    kind = sniff_weights_file(path)
    if kind is FileKind.SAFETENSORS:
        return read_safetensors_file(path)
    if kind is FileKind.ONNX:
        # Imported on demand: ONNX and its runtime are needed by no other kind of file.
        from reid_core.models.onnx_import import read_onnx_file

        return read_onnx_file(path)
    return read_torch_file(path, kind)


def _spec_of(
    path: Path, raw: RawCheckpoint, variant: str, num_classes: int | None
) -> tuple[WeightSpec, tuple[str, ...]]:
    """What the file says about itself, or what must be assumed, with notes on the assumptions."""
    if raw.spec is not None:
        if raw.spec.variant != variant:
            raise WeightsError(
                f"{path} says it holds {raw.spec.variant}, but its tensors are those of {variant}. Someone "
                "changed the file; save it again from its source."
            )
        return raw.spec, ()
    preprocessing = TORCHREID_PREPROCESSING
    if raw.input_size is not None:
        height, width = raw.input_size
        preprocessing = replace(preprocessing, height=height, width=width)
    spec = WeightSpec(
        name=path.stem,
        variant=variant,
        preprocessing=preprocessing,
        num_classes=num_classes,
        purpose="imagenet" if num_classes == IMAGENET_CLASSES else "reid",
    )
    return spec, ("The file does not say how its images were prepared; Torchreid's way is assumed.",)


def _without_prefix(path: Path, tensors: Mapping[str, Tensor]) -> tuple[str, dict[str, Tensor]]:
    """The prefix that all keys share, such as ``module.``, and the state dict without it."""
    prefixes = [name.removesuffix(_ANCHOR) for name in tensors if name.endswith(_ANCHOR)]
    prefixes = [prefix for prefix in prefixes if not prefix or prefix.endswith(".")]
    if not prefixes:
        raise _not_an_osnet(path, tensors)
    if len(prefixes) > 1:
        shown = ", ".join(repr(prefix) for prefix in sorted(prefixes))
        raise WeightsError(
            f"{path} holds {len(prefixes)} OSNets, under {shown}, and nothing says which one to use. Save "
            "the one you mean as a file of its own."
        )
    prefix = prefixes[0]
    outside = [name for name in tensors if not name.startswith(prefix)]
    if outside:
        raise WeightsError(
            f"{path} holds an OSNet under {prefix!r} and {len(outside)} tensors beside it "
            f"({_some(outside)}). They may change the embedding, so the OSNet alone would not be the net "
            "that was trained. Save the OSNet's own state dict if they do not."
        )
    return prefix, {name.removeprefix(prefix): tensor for name, tensor in tensors.items()}


def _stored_type(name: str) -> torch.dtype:
    return torch.int64 if name.endswith(_COUNTER) else torch.float32


def _check_numbers(path: Path, state: Mapping[str, Tensor]) -> None:
    """Refuse tensors that are no plain floating-point numbers, or whose numbers no trained net has."""
    for name, tensor in state.items():
        if name.endswith(_COUNTER):
            continue
        if tensor.dtype not in _FLOAT_TYPES or tensor.layout != torch.strided or tensor.device.type != "cpu":
            raise WeightsError(
                f"{path}: {name} holds {tensor.dtype} numbers ({tensor.layout}), expected floating-point "
                "ones. The net is quantised or stored in a special form; use the float32 weights it was "
                "made from."
            )
        if not torch.isfinite(tensor).all():
            raise WeightsError(
                f"{path}: {name} holds NaN or infinite numbers. The training diverged or the file is "
                "damaged; use an earlier checkpoint."
            )
        if name.endswith("running_var") and bool((tensor < 0).any()):
            raise WeightsError(
                f"{path}: {name} holds a negative variance ({tensor.min().item():.4g}), which no batch "
                "normalisation computes. The file is damaged; fetch it again."
            )
        if name in _NEVER_ZERO and not tensor.any():
            raise WeightsError(
                f"{path}: {name} is zero throughout, so no image can reach the embedding. The file was saved "
                "before it was filled, or is damaged."
            )


def _build_fitting(path: Path, state: Mapping[str, Tensor], *, asked: str | None) -> OSNet:
    """The one variant whose every tensor is there in the right shape, with nothing left over."""
    if asked is not None:
        find_architecture(asked)
    model = build_osnet(_closest_variant(state))
    expected = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    differences = _differences(expected, {name: tuple(tensor.shape) for name, tensor in state.items()})
    if differences:
        raise WeightsError(
            f"{path} holds none of the nine OSNet variants. The closest is {model.variant}, but "
            f"{'; '.join(differences)}. Nothing was loaded; use a file that fits entirely."
        )
    if asked is not None and asked != model.variant:
        raise WeightsError(
            f"{path} holds {model.variant}, but {asked} was asked for. Leave the variant out to take it "
            "from the file, or choose the other file."
        )
    return model


def _closest_variant(state: Mapping[str, Tensor]) -> str:
    """The variant that the key names and the stem's width speak for; whether it fits is checked
    afterwards."""
    family = "plain"
    if any(name.startswith("pool2.") or ".layers." in name for name in state):
        family = "ain"
    elif any(".IN." in name for name in state):
        family = "ibn"
    stem = state.get("conv1.conv.weight")
    width = stem.shape[0] if stem is not None and stem.ndim else 0
    candidates = [architecture for architecture in ARCHITECTURES.values() if architecture.family == family]
    return min(candidates, key=lambda architecture: abs(architecture.channels[0] - width)).variant


def _differences(expected: Mapping[str, tuple[int, ...]], came: Mapping[str, tuple[int, ...]]) -> list[str]:
    """What keeps a file's tensors from being exactly the expected ones, apart from classifier and
    counters."""
    missing = [name for name in expected if name not in came and not name.endswith(_COUNTER)]
    unexpected = [name for name in came if name not in expected and not name.startswith("classifier.")]
    reshaped = [name for name in expected if name in came and came[name] != expected[name]]
    found = []
    if missing:
        found.append(f"{len(missing)} tensors are missing ({_some(missing)})")
    if unexpected:
        found.append(f"{len(unexpected)} are unexpected ({_some(unexpected)})")
    if reshaped:
        name = reshaped[0]
        found.append(
            f"{len(reshaped)} have another shape ({name} is {came[name]}, expected {expected[name]})"
        )
    return found


def _not_an_osnet(path: Path, tensors: Mapping[str, Tensor]) -> WeightsError:
    guess = next(
        (network for part, network in _OTHER_NETWORKS if any(part in name for name in tensors)),
        "another network",
    )
    return WeightsError(
        f"{path} is not an OSNet: it looks like {guess} ({len(tensors)} tensors, such as "
        f"{_some(list(tensors))}), and has no tensor {_ANCHOR!r}. Whatever the file's name says, choose a "
        "file of OSNet weights."
    )


def _classifier_width(path: Path, state: Mapping[str, Tensor]) -> int | None:
    shapes = {name: tuple(tensor.shape) for name, tensor in state.items() if name.startswith("classifier.")}
    if not shapes:
        return None
    num_classes = shapes.get("classifier.bias", (0,))[0]
    if shapes != {"classifier.weight": (num_classes, EMBEDDING_SIZE), "classifier.bias": (num_classes,)}:
        raise WeightsError(
            f"{path} has a classifier of another form ({shapes}), expected weight (K, {EMBEDDING_SIZE}) and "
            "bias (K,). Remove its tensors from the file if only embeddings are wanted."
        )
    return num_classes


def _refuse_imagenet(
    path: Path, raw: RawCheckpoint, num_classes: int | None, *, allow_imagenet: bool
) -> None:
    says_imagenet = raw.spec is not None and raw.spec.purpose == "imagenet"
    looks_imagenet = raw.spec is None and num_classes == IMAGENET_CLASSES
    if allow_imagenet or not (says_imagenet or looks_imagenet):
        return
    raise WeightsError(
        f"{path} is an OSNet pre-trained on ImageNet (its classifier has {num_classes or IMAGENET_CLASSES} "
        "classes). It never learned to tell people apart, so its matches would look plausible and mean "
        "little. Use weights trained for re-identification (`reid weights list`). To train from it, or if "
        "it really was trained on 1,000 identities, allow it explicitly (allow_imagenet=True)."
    )


def _fill(model: OSNet, state: Mapping[str, Tensor]) -> int:
    """Put the state into the net; counters that it lacks start at 0, and how many is returned."""
    own = model.state_dict()
    counters = {name: torch.zeros((), dtype=torch.int64) for name in own if name.endswith(_COUNTER)}
    model.load_state_dict({**counters, **{name: state[name] for name in own if name in state}}, strict=True)
    return sum(name not in state for name in counters)


def _check_alive(path: Path, model: OSNet) -> None:
    """Two different images must give two different, finite, non-zero embeddings."""
    images = torch.randn(2, 3, 64, 32, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        vectors = model(images)
    largest = vectors.abs().max()
    if not torch.isfinite(vectors).all() or largest == 0:
        raise WeightsError(
            f"{path} is an OSNet by its names and shapes, but its embeddings are zero, infinite or NaN. The "
            "weights are damaged; fetch the file again."
        )
    if (vectors[0] - vectors[1]).abs().max() <= 1e-6 * largest:
        raise WeightsError(
            f"{path} is an OSNet by its names and shapes, but answers the same to every image. The weights "
            "are damaged or were never trained."
        )


def _is_batch_norm_folded(model: OSNet) -> bool:
    """Whether every 2-D batch normalisation only adds a bias."""
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    return all(
        norm.running_mean is not None
        and norm.running_var is not None
        and not norm.running_mean.any()
        and torch.allclose(norm.weight, torch.sqrt(norm.running_var + norm.eps), rtol=1e-6, atol=0)
        for norm in norms
    )


def _some(names: list[str], limit: int = 3) -> str:
    shown = ", ".join(names[:limit])
    return f"{shown}, ..." if len(names) > limit else shown
