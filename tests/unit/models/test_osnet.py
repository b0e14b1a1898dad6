from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from parity_data import cosines, crops_as_input, published_keys, references, relative_errors, seeded_osnet

from reid_core.errors import InputError
from reid_core.models import VARIANTS, OSNet, TrainOutput, build_osnet
from reid_core.models.osnet import BLOCK_NAMES, OSBlock

FAMILIES = ("osnet_x0_25", "osnet_ibn_x1_0", "osnet_ain_x0_25")


def images(count: int = 2, height: int = 64, width: int = 32) -> torch.Tensor:
    return torch.randn(count, 3, height, width, generator=torch.Generator().manual_seed(7))


def embed_in_batches(model: OSNet, batch_size: int = 8) -> np.ndarray:
    with torch.inference_mode():
        return torch.cat([model(batch) for batch in crops_as_input().split(batch_size)]).numpy()


@pytest.mark.parametrize("variant", VARIANTS)
def test_build_osnet__seeded_weights__official_embeddings(variant: str) -> None:
    model, reference = seeded_osnet(variant), references()[f"seeded__{variant}"]
    vectors = embed_in_batches(model)
    assert cosines(vectors, reference).min() > 0.99999
    errors = relative_errors(vectors, reference)
    for index in np.flatnonzero(errors > 1e-5):
        # Cancellation can leave the reference itself further from the exact result than the tolerance (crop 8
        # of x1.0: 1.5e-5 from float64). Only there may ours differ by as much.
        with torch.inference_mode():
            exact = model.double()(crops_as_input()[index : index + 1].double()).numpy()
        rounding = np.abs(exact - reference[index]).max() / np.abs(reference).max()
        assert errors[index] <= 2 * rounding


@pytest.mark.parametrize("variant", VARIANTS)
def test_build_osnet__state_dict__published_keys_and_shapes(variant: str) -> None:
    state = build_osnet(variant, num_classes=5).state_dict()
    assert {name: list(tensor.shape) for name, tensor in state.items()} == published_keys()[variant]


@pytest.mark.parametrize(("prefix", "count"), [("osnet_x", 567), ("osnet_ibn", 568), ("osnet_ain", 552)])
def test_build_osnet__with_classifier__tensor_count_of_family(prefix: str, count: int) -> None:
    chosen = [variant for variant in VARIANTS if variant.startswith(prefix)]
    assert {len(build_osnet(variant, num_classes=751).state_dict()) for variant in chosen} == {count}


def test_build_osnet__without_classes__no_classifier_keys() -> None:
    assert not [key for key in build_osnet("osnet_x0_25").state_dict() if key.startswith("classifier")]


@pytest.mark.parametrize("variant", ["osnet", "osnet_ibn_x0_5", "OSNET_X1_0", ""])
def test_build_osnet__unknown_variant__lists_the_nine(variant: str) -> None:
    with pytest.raises(InputError, match="osnet_ain_x0_25"):
        build_osnet(variant)


def test_build_osnet__negative_classes__refused() -> None:
    with pytest.raises(InputError, match="num_classes is -1"):
        build_osnet("osnet_x0_25", num_classes=-1)


def test_build_osnet__fresh_weights__kaiming_fan_out_and_small_linear() -> None:
    torch.manual_seed(0)
    model = build_osnet("osnet_x1_0", num_classes=751)
    fan_out = 512 * 1 * 1
    assert model.conv5.conv.weight.std().item() == pytest.approx(math.sqrt(2 / fan_out), rel=0.02)
    depthwise = (
        model.conv4[0].conv2d[3].conv2.weight
    )  # torch counts out_channels * 9 as fan-out of a depthwise one
    assert depthwise.std().item() == pytest.approx(math.sqrt(2 / (128 * 9)), rel=0.1)
    assert model.classifier is not None
    assert model.classifier.weight.std().item() == pytest.approx(0.01, rel=0.02)
    assert not model.classifier.bias.any()
    assert not model.conv2[0].gate.fc1.bias.any()
    assert model.conv1.bn.weight.eq(1).all()


@pytest.mark.parametrize("num_classes", [0, 7])
def test_forward__train_mode__logits_and_embedding(num_classes: int) -> None:
    output = build_osnet("osnet_x0_25", num_classes).train()(images())
    assert isinstance(output, TrainOutput)
    assert output.embedding.shape == (2, 512)
    if num_classes:
        assert output.logits is not None
        assert output.logits.shape == (2, 7)
    else:
        assert output.logits is None


@pytest.mark.parametrize("num_classes", [0, 7])
def test_forward__eval_mode__embedding_alone_and_never_negative(num_classes: int) -> None:
    with torch.inference_mode():
        vectors = build_osnet("osnet_x0_25", num_classes).eval()(images())
    assert vectors.shape == (2, 512)
    assert vectors.min() >= 0


@pytest.mark.parametrize("variant", FAMILIES)
def test_forward__train_mode__every_parameter_gets_a_gradient(variant: str) -> None:
    model = build_osnet(variant, num_classes=3).train()
    output = model(images(4))
    torch.nn.functional.cross_entropy(output.logits, torch.tensor([0, 1, 2, 0])).backward()
    without = [name for name, parameter in model.named_parameters() if parameter.grad is None]
    assert without == []


@pytest.mark.parametrize("shape", [(3, 64, 32), (2, 64, 32, 3), (2, 1, 64, 32)])
def test_forward__wrong_shape__says_what_was_expected(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=r"expected \(B, 3, H, W\)"):
        build_osnet("osnet_x0_25").eval()(torch.zeros(shape))


@pytest.mark.parametrize("variant", FAMILIES)
def test_trace__one_pass__equals_forward_and_shows_six_blocks(variant: str) -> None:
    model = seeded_osnet(variant)
    batch = crops_as_input()[:2]
    with torch.inference_mode():
        trace, vectors = model.trace(batch), model(batch)
    assert torch.equal(trace.embedding, vectors)
    assert torch.equal(model.pool(trace.feature_map), vectors)
    assert tuple(block.name for block in trace.blocks) == BLOCK_NAMES
    assert trace.feature_map.shape == (2, model.architecture.channels[3], 16, 8)


@pytest.mark.parametrize("variant", FAMILIES)
def test_trace_streams__first_block__gated_maps_rebuild_the_output(variant: str) -> None:
    model = seeded_osnet(variant)
    with torch.inference_mode():
        x = model.maxpool(model.conv1(crops_as_input()[:1]))
        block = model.conv2[0]
        assert isinstance(block, OSBlock)
        maps, gates = block.trace_streams(x)
        mid = model.architecture.channels[1] // 4
        assert maps.shape == (1, 4, mid, 64, 32)
        assert gates.shape == (1, 4, mid, 1, 1)
        assert ((gates > 0) & (gates < 1)).all()
        assert maps.min() >= 0
        residual = block.conv3((gates * maps).sum(dim=1))
        if variant.startswith("osnet_ain"):
            residual = block.IN(residual)
        out = residual + block.downsample(x)
        if variant.startswith("osnet_ibn"):
            out = block.IN(out)
        torch.testing.assert_close(torch.relu(out), block(x), rtol=1e-5, atol=1e-4)


def test_trace_streams__stream_t__sees_2t_plus_1_pixels() -> None:
    block = seeded_osnet("osnet_x0_25").conv2[1]
    assert isinstance(block, OSBlock)
    x = torch.zeros(1, 64, 15, 15)
    touched = x.clone()
    touched[0, :, 7, 7] = 10.0
    with torch.inference_mode():
        difference = block.trace_streams(touched).maps - block.trace_streams(x).maps
    for stream in range(4):
        rows = torch.nonzero(difference[0, stream].abs().sum(0).sum(1)).flatten()
        assert rows.min() >= 7 - (stream + 1)
        assert rows.max() <= 7 + (stream + 1)


@pytest.mark.parametrize("variant", FAMILIES)
def test_trace__train_mode__runs_with_gradients(variant: str) -> None:
    model = build_osnet(variant).train()
    trace = model.trace(images())
    trace.embedding.sum().backward()
    assert model.conv1.conv.weight.grad is not None
