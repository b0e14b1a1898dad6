"""OSNet, OSNet-IBN and OSNet-AIN in one file, under the attribute names of the published checkpoints.

Sources: OSNet (Zhou et al., "Omni-Scale Feature Learning for Person Re-Identification", ICCV 2019) and
OSNet-AIN (Zhou et al., "Learning Generalisable Omni-Scale Representations", TPAMI 2021). IBN puts instance
normalisation after the residual addition of the first two blocks; AIN puts it inside the residual of four
blocks that an architecture search chose; both use it in the stem.

The net runs stem -> three stages of two omni-scale blocks -> 1x1 convolution -> global average -> 512
numbers. What a block's streams and their gates computed is its public API (``trace_streams``), and
``forward`` is made of it, so that an explanation shows the very numbers the embedding came from.

B batch, C channels, M = C // 4 channels inside a block, H and W height and width.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from reid_core.errors import InputError

EMBEDDING_SIZE = 512
"""Length of the embedding, for every width."""
NUM_STREAMS = 4
"""Streams in a block; stream t of 1..4 sees (2t + 1) x (2t + 1) of the block's input."""
BLOCK_NAMES = ("conv2.0", "conv2.1", "conv3.0", "conv3.1", "conv4.0", "conv4.1")
"""The six omni-scale blocks in the order they run."""

Family = Literal["plain", "ibn", "ain"]
InstanceNormPlace = Literal["none", "inside", "after"]
"""Where a block has instance normalisation: nowhere, on the residual, or after the residual's addition."""

_CHANNELS = {
    "x1_0": (64, 256, 384, 512),
    "x0_75": (48, 192, 288, 384),
    "x0_5": (32, 128, 192, 256),
    "x0_25": (16, 64, 96, 128),
}
_BLOCK_NORMS: dict[Family, tuple[InstanceNormPlace, ...]] = {
    "plain": ("none",) * 6,
    "ibn": ("after", "after", "none", "none", "none", "none"),
    "ain": ("inside", "inside", "none", "inside", "inside", "none"),
}


@dataclass(frozen=True, slots=True)
class Architecture:
    """What sets a variant apart: channels of the stem and the three stages, and where instance norm sits."""

    variant: str
    family: Family
    channels: tuple[int, int, int, int]

    @property
    def block_norms(self) -> tuple[InstanceNormPlace, ...]:
        """Place of instance normalisation in each of the six blocks."""
        return _BLOCK_NORMS[self.family]


ARCHITECTURES = {
    architecture.variant: architecture
    for architecture in (
        *(Architecture(f"osnet_{width}", "plain", channels) for width, channels in _CHANNELS.items()),
        Architecture("osnet_ibn_x1_0", "ibn", _CHANNELS["x1_0"]),
        *(Architecture(f"osnet_ain_{width}", "ain", channels) for width, channels in _CHANNELS.items()),
    )
}
VARIANTS = tuple(ARCHITECTURES)
"""The nine names that ``build_osnet`` takes."""


class StreamTrace(NamedTuple):
    """What one block's streams computed: the numbers that ``forward`` used.

    ``maps``: (B, 4, M, H, W) after ReLU, stream 1 first. ``gates``: (B, 4, M, 1, 1) in (0, 1).
    ``gates * maps`` is what each stream contributes; the block sums it over the streams.
    """

    maps: Tensor
    gates: Tensor


class BlockTrace(NamedTuple):
    """One block of a traced pass: its name, its streams, their gated sum, and its output after ReLU.

    ``fused`` is (B, M, H, W), the sum of ``gates * maps`` over the streams; ``output`` is (B, C, H, W).
    """

    name: str
    streams: StreamTrace
    fused: Tensor
    output: Tensor


StreamEdit = Callable[[str, StreamTrace], StreamTrace]
"""Block name and streams in, the streams to go on with out: asks what the net would do with others."""


class NetworkTrace(NamedTuple):
    """One pass through the net with everything on the way.

    ``blocks`` are the six blocks in order, ``feature_map`` (B, C, H / 16, W / 16) is what the global average
    reads, ``embedding`` is (B, 512), equal to what ``OSNet.embed`` returns.
    """

    blocks: tuple[BlockTrace, ...]
    feature_map: Tensor
    embedding: Tensor


class TrainOutput(NamedTuple):
    """What train mode returns: ``logits`` (B, K), or ``None`` without classifier; ``embedding`` (B, 512)."""

    logits: Tensor | None
    embedding: Tensor


class ConvNorm(nn.Module):
    """Convolution without bias, normalisation, and ReLU unless ``linear``; (B, C, H, W) -> (B, D, H', W')."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int = 1,
        *,
        stride: int = 1,
        linear: bool = False,
        instance_norm: bool = False,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(
            in_channels, out_channels, kernel_size, stride=stride, padding=kernel_size // 2, bias=False
        )
        # Published checkpoints call the stem's normalisation "bn" in the instance-norm families, too.
        self.bn: nn.Module = (
            nn.InstanceNorm2d(out_channels, affine=True) if instance_norm else nn.BatchNorm2d(out_channels)
        )
        self.linear = linear

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, D, H', W')."""
        x = self.bn(self.conv(x))
        return x if self.linear else torch.relu_(x)


class BareConv(nn.Module):
    """A 1x1 convolution alone, kept in a module so that its key reads ``conv3.conv.weight`` as published."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, D, H, W)."""
        out: Tensor = self.conv(x)
        return out


class LightConv3x3(nn.Module):
    """Pointwise, then depthwise 3x3, BN, ReLU: the reverse of MobileNet's order."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 1, bias=False)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False)
        self.bn = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """(B, M, H, W) -> (B, M, H, W)."""
        return torch.relu_(self.bn(self.conv2(self.conv1(x))))


class LightConvStream(nn.Module):
    """A stack of light convolutions under the key ``layers``, as AIN checkpoints name it."""

    def __init__(self, channels: int, depth: int) -> None:
        super().__init__()
        self.layers = _light_convs(channels, depth)

    def forward(self, x: Tensor) -> Tensor:
        """(B, M, H, W) -> (B, M, H, W)."""
        out: Tensor = self.layers(x)
        return out


class ChannelGate(nn.Module):
    """The aggregation gate: one weight in (0, 1) per channel and image, from the map's global average."""

    def __init__(self, channels: int, reduction: int = 16) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(channels, channels // reduction, 1)
        self.fc2 = nn.Conv2d(channels // reduction, channels, 1)

    def forward(self, averages: Tensor) -> Tensor:
        """Global averages (B, M, 1, 1) -> gates (B, M, 1, 1)."""
        return torch.sigmoid(self.fc2(torch.relu_(self.fc1(averages))))


class OSBlock(nn.Module):
    """Omni-scale block: streams of 1, 2, 3 and 4 light convolutions, fused by one gate that all four share.

    ``(B, C, H, W) -> (B, D, H, W)`` with M = D // 4 channels inside. Size and stride never change.
    """

    def __init__(
        self, in_channels: int, out_channels: int, *, instance_norm: InstanceNormPlace, family: Family
    ) -> None:
        super().__init__()
        mid, same = out_channels // 4, in_channels == out_channels
        self.family, self.instance_norm = family, instance_norm
        self.conv1 = ConvNorm(in_channels, mid)
        if family == "ain":
            self.conv2 = nn.ModuleList(LightConvStream(mid, depth) for depth in range(1, NUM_STREAMS + 1))
        else:
            self.conv2a = LightConv3x3(mid)
            self.conv2b = _light_convs(mid, 2)
            self.conv2c = _light_convs(mid, 3)
            self.conv2d = _light_convs(mid, 4)
        self.gate = ChannelGate(mid)
        # With the norm "inside", that norm takes the place of the batch norm, so the convolution stands bare.
        self.conv3: nn.Module = (
            BareConv(mid, out_channels)
            if instance_norm == "inside"
            else ConvNorm(mid, out_channels, linear=True)
        )
        self.downsample = None if same else ConvNorm(in_channels, out_channels, linear=True)
        self.IN = None if instance_norm == "none" else nn.InstanceNorm2d(out_channels, affine=True)

    def streams(self) -> tuple[nn.Module, ...]:
        """The four streams' modules, smallest view first, whatever the family calls them."""
        if self.family == "ain":
            return tuple(self.conv2)
        return (self.conv2a, self.conv2b, self.conv2c, self.conv2d)

    def trace_streams(self, x: Tensor) -> StreamTrace:
        """The block's input (B, C, H, W) -> what its four streams and their gates computed."""
        reduced = self.conv1(x)
        maps = torch.stack([stream(reduced) for stream in self.streams()], dim=1)
        averages = maps.mean((3, 4))
        # One gate serves all streams, so it runs once on the four averages laid side by side in the batch.
        gates = self.gate(averages.flatten(0, 1)[:, :, None, None])
        return StreamTrace(maps, gates.view(*averages.shape, 1, 1))

    def mix(self, streams: StreamTrace) -> Tensor:
        """The block's streams -> their gated sum (B, M, H, W)."""
        maps, gates = streams
        # Summed stream by stream, not by sum(dim=1) or addcmul: the published code's order of rounding.
        fused = gates[:, 0] * maps[:, 0]
        for index in range(1, NUM_STREAMS):
            fused = fused + gates[:, index] * maps[:, index]
        return fused

    def join(self, x: Tensor, fused: Tensor) -> Tensor:
        """The block's input and its streams' gated sum -> the block's output (B, D, H, W), after ReLU."""
        residual = self.conv3(fused)
        if self.instance_norm == "inside" and self.IN is not None:
            residual = self.IN(residual)
        out = residual + (x if self.downsample is None else self.downsample(x))
        if self.instance_norm == "after" and self.IN is not None:
            out = self.IN(out)
        return torch.relu_(out)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, D, H, W)."""
        return self.join(x, self.mix(self.trace_streams(x)))


class OSNet(nn.Module):
    """The whole net; build it with ``build_osnet``.

    ``eval()``: ``forward`` returns the embedding (B, 512), not L2-normalised, every number >= 0 (it ends in a
    ReLU). ``train()``: ``forward`` returns ``TrainOutput(logits, embedding)``, whatever ``num_classes`` is.
    """

    def __init__(self, architecture: Architecture, num_classes: int = 0) -> None:
        super().__init__()
        self.architecture, self.num_classes = architecture, num_classes
        family, norms = architecture.family, architecture.block_norms
        stem, stage2, stage3, stage4 = architecture.channels

        def block(index: int, in_channels: int, out_channels: int) -> OSBlock:
            return OSBlock(in_channels, out_channels, instance_norm=norms[index], family=family)

        self.conv1 = ConvNorm(3, stem, 7, stride=2, instance_norm=family != "plain")
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.conv2 = nn.Sequential(block(0, stem, stage2), block(1, stage2, stage2))
        self.conv3 = nn.Sequential(block(2, stage2, stage3), block(3, stage3, stage3))
        if family == "ain":
            self.pool2, self.pool3 = _transition(stage2), _transition(stage3)
        else:
            self.conv2.append(_transition(stage2))
            self.conv3.append(_transition(stage3))
        self.conv4 = nn.Sequential(block(4, stage3, stage4), block(5, stage4, stage4))
        self.conv5 = ConvNorm(stage4, stage4)
        self.fc = nn.Sequential(
            nn.Linear(stage4, EMBEDDING_SIZE), nn.BatchNorm1d(EMBEDDING_SIZE), nn.ReLU(inplace=True)
        )
        self.classifier = nn.Linear(EMBEDDING_SIZE, num_classes) if num_classes else None

    @property
    def variant(self) -> str:
        """The name it was built by, e.g. ``osnet_ain_x0_5``."""
        return self.architecture.variant

    def named_blocks(self) -> Iterator[tuple[str, OSBlock]]:
        """The six blocks under their names in ``BLOCK_NAMES``, in the order they run."""
        for stage_name, stage in (("conv2", self.conv2), ("conv3", self.conv3), ("conv4", self.conv4)):
            for index in range(2):
                block = stage[index]
                assert isinstance(block, OSBlock)
                yield f"{stage_name}.{index}", block

    def transitions(self) -> tuple[nn.Sequential | None, ...]:
        """What follows each of the six blocks: the layers that halve the map, or ``None``."""
        is_ain = self.architecture.family == "ain"
        halving2 = self.pool2 if is_ain else self.conv2[2]
        halving3 = self.pool3 if is_ain else self.conv3[2]
        assert isinstance(halving2, nn.Sequential)
        assert isinstance(halving3, nn.Sequential)
        return (None, halving2, None, halving3, None, None)

    def embed(self, x: Tensor) -> Tensor:
        """Images (B, 3, H, W) -> embeddings (B, 512), in either mode."""
        return self.pool(self._feature_map(x))

    def trace(self, x: Tensor, edit: StreamEdit | None = None) -> NetworkTrace:
        """One pass over images (B, 3, H, W) that also hands out every block's streams and the last map.

        Args:
            x: Images (B, 3, H, W).
            edit: Called in each block before its streams are summed; the pass goes on with what it returns.
        """
        blocks: list[BlockTrace] = []
        feature_map = self._feature_map(x, blocks, edit)
        return NetworkTrace(tuple(blocks), feature_map, self.pool(feature_map))

    def pool(self, feature_map: Tensor) -> Tensor:
        """The last map (B, C, H, W) -> embeddings (B, 512): global average, linear layer, BN, ReLU."""
        embedding: Tensor = self.fc(feature_map.mean((2, 3)))
        return embedding

    def forward(self, x: Tensor) -> Tensor | TrainOutput:
        """Images (B, 3, H, W) -> embeddings (B, 512) in eval mode, ``TrainOutput`` in train mode."""
        embedding = self.embed(x)
        if not self.training:
            return embedding
        return TrainOutput(None if self.classifier is None else self.classifier(embedding), embedding)

    def _feature_map(
        self, x: Tensor, record: list[BlockTrace] | None = None, edit: StreamEdit | None = None
    ) -> Tensor:
        """Run up to ``conv5``; with ``record``, append each block's trace to it."""
        if x.ndim != 4 or x.shape[1] != 3:
            raise InputError(
                f"OSNet got a tensor of shape {tuple(x.shape)}, expected (B, 3, H, W) in RGB order. "
                "Preprocess images first, and give one image a batch axis."
            )
        x = self.maxpool(self.conv1(x))
        for (name, block), transition in zip(self.named_blocks(), self.transitions(), strict=True):
            streams = block.trace_streams(x)
            if edit is not None:
                streams = edit(name, streams)
            fused = block.mix(streams)
            x = block.join(x, fused)
            if record is not None:
                record.append(BlockTrace(name, streams, fused, x))
            if transition is not None:
                x = transition(x)
        out: Tensor = self.conv5(x)
        return out


def find_architecture(variant: str) -> Architecture:
    """The architecture of a name in ``VARIANTS``.

    Raises:
        InputError: Another name.
    """
    if variant not in ARCHITECTURES:
        raise InputError(f"There is no variant {variant!r}; expected one of {', '.join(VARIANTS)}.")
    return ARCHITECTURES[variant]


def build_osnet(variant: str, num_classes: int = 0) -> OSNet:
    """Build one of the nine variants with fresh weights, in train mode, on the CPU.

    Args:
        variant: A name in ``VARIANTS``.
        num_classes: K of the classifier used in training; 0 leaves the classifier out.

    Raises:
        InputError: Another name, or a negative number of classes.
    """
    architecture = find_architecture(variant)
    if num_classes < 0:
        raise InputError(
            f"num_classes is {num_classes}; expected 0 (no classifier) or the number of classes."
        )
    model = OSNet(architecture, num_classes)
    _initialise(model)
    return model


def _light_convs(channels: int, depth: int) -> nn.Sequential:
    return nn.Sequential(*(LightConv3x3(channels) for _ in range(depth)))


def _transition(channels: int) -> nn.Sequential:
    """Halve height and width: 1x1 convolution, then the average of 2x2."""
    return nn.Sequential(ConvNorm(channels, channels), nn.AvgPool2d(2, stride=2))


def _initialise(model: nn.Module) -> None:
    """Convolutions Kaiming normal by fan-out, linear layers N(0, 0.01), biases 0, as the OSNet code does."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        elif isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, 0.0, 0.01)
        if isinstance(module, nn.Conv2d | nn.Linear) and module.bias is not None:
            nn.init.zeros_(module.bias)
