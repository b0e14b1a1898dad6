"""The explained tensors are those the network used, and evidence means what its formula says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from reid_core.assets import DEMO_CITY, asset_path
from reid_core.errors import InputError
from reid_core.explain.records import LAST_MAP, PLACES, Explanation, MapChoice
from reid_core.explain.streams import measure_removal, trace_crops, trace_pair
from reid_core.images import read_image
from reid_core.models import VARIANTS, Embedder
from reid_core.models.osnet import BLOCK_NAMES, OSNet, StreamTrace
from tests.unit.explain.nets import SIZE, crops, lively_osnet

FAMILIES = ("osnet_x0_25", "osnet_ibn_x1_0", "osnet_ain_x0_25")


def cosine(model: OSNet, images: torch.Tensor) -> float:
    with torch.inference_mode():
        left, right = torch.nn.functional.normalize(model(images), dim=1)
    return float(left @ right)


@pytest.mark.parametrize("variant", VARIANTS)
def test_trace_pair__every_variant__shapes_shares_and_gates(variant: str) -> None:
    model = lively_osnet(variant)
    explained = trace_pair(model, crops())
    height, width = SIZE
    assert len(explained.crops) == 2
    for crop in explained.crops:
        assert tuple(block.name for block in crop.blocks) == BLOCK_NAMES == PLACES[:-1]
        assert np.linalg.norm(crop.vector) == pytest.approx(1.0, abs=1e-5)
        for index, block in enumerate(crop.blocks):
            stride = 4 * 2 ** (index // 2)
            mid = model.architecture.channels[1 + index // 2] // 4
            assert block.gates.shape == (4, mid)
            assert block.energy.shape == (4, height // stride, width // stride)
            assert block.shares.sum() == pytest.approx(1.0, abs=1e-5)
            assert ((block.gates > 0) & (block.gates < 1)).all()
            assert block.instance_norm == model.architecture.block_norms[index]
        assert crop.absolute.shape == crop.squared.shape == (height // 16, width // 16)
    for side in (0, 1):
        shapes = [stack.shape for stack in explained.evidence[side]]
        assert shapes[:-1] == [block.energy.shape for block in explained.crops[side].blocks]
        assert shapes[-1] == (1, height // 16, width // 16)
    assert explained.similarity == pytest.approx(cosine(model, crops()), abs=1e-5)


def test_trace_pair__demo_weights__explains_the_very_embedding_the_engine_gives() -> None:
    embedder = Embedder("demo")
    paths: list[Path] = sorted(asset_path(f"{DEMO_CITY}/query").glob("*.jpg"))[:2]
    pixels = np.stack([embedder.preprocessing.resize(read_image(path)) for path in paths])
    explained = trace_pair(embedder.model, torch.from_numpy(embedder.preprocessing.normalise(pixels)))
    vectors = embedder.embed(paths).vectors
    for crop, vector in zip(explained.crops, vectors, strict=True):
        assert float(crop.vector @ vector) > 0.99999
    assert explained.similarity == pytest.approx(float(vectors[0] @ vectors[1]), abs=1e-4)


@pytest.mark.parametrize("variant", FAMILIES)
def test_trace_crops__against_the_trace__energy_shares_and_last_map_by_hand(variant: str) -> None:
    model = lively_osnet(variant)
    (crop,) = trace_crops(model, crops(1))
    with torch.inference_mode():
        trace = model.trace(crops(1))
    for block, traced in zip(crop.blocks, trace.blocks, strict=True):
        maps, gates = traced.streams.maps[0].numpy(), traced.streams.gates[0].numpy()
        np.testing.assert_allclose(block.energy, (gates * maps).mean(axis=1), rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(block.energy.sum(0), traced.fused[0].mean(0), rtol=1e-4, atol=1e-5)
        strength = [gates[stream].mean() * maps[stream].mean() for stream in range(4)]
        np.testing.assert_allclose(block.shares, strength / np.sum(strength), rtol=1e-4)
    feature_map = trace.feature_map[0].numpy()
    np.testing.assert_allclose(crop.absolute, np.abs(feature_map).sum(0), rtol=1e-5)
    np.testing.assert_allclose(crop.squared, (feature_map**2).sum(0), rtol=1e-5)


@pytest.mark.parametrize("variant", FAMILIES)
@pytest.mark.parametrize("block", ["conv2.1", "conv3.1", "conv4.1"])
def test_trace_pair__stream_scaled_a_little__cosine_moves_as_the_evidence_says(
    variant: str, block: str
) -> None:
    model = lively_osnet(variant).double()
    images = crops().double()
    evidence = trace_pair(model, images).evidence[0][PLACES.index(block)].sum(axis=(1, 2))
    for stream in range(4):

        def scaled(factor: float, stream: int = stream) -> float:
            def edit(name: str, trace: StreamTrace) -> StreamTrace:
                if name != block:
                    return trace
                maps = trace.maps.clone()
                maps[0, stream] *= factor
                return trace._replace(maps=maps)

            with torch.inference_mode():
                left, right = torch.nn.functional.normalize(model.trace(images, edit).embedding, dim=1)
            return float(left @ right)

        slope = (scaled(1 + 1e-5) - scaled(1 - 1e-5)) / 2e-5
        assert evidence[stream] == pytest.approx(slope, rel=0.01, abs=2e-6)


def test_trace_pair__instance_norm_inside__evidence_of_the_block_adds_up_to_zero() -> None:
    explained = trace_pair(lively_osnet("osnet_ain_x0_25"), crops())
    unbalanced = {"inside": 0.0, "none": 0.0}
    for index, block in enumerate(explained.crops[0].blocks):
        for side in (0, 1):
            stack = explained.evidence[side][index]
            rest = float(abs(stack.sum()) / np.abs(stack).sum())
            unbalanced[block.instance_norm] = max(unbalanced[block.instance_norm], rest)
    assert unbalanced["inside"] < 5e-3  # the norm's epsilon
    assert unbalanced["none"] > 2e-2


def test_trace_pair__equal_crops__cosine_one_and_no_evidence() -> None:
    images = crops(1).repeat(2, 1, 1, 1)
    explained = trace_pair(lively_osnet("osnet_x0_25"), images)
    unequal = trace_pair(lively_osnet("osnet_x0_25"), crops())
    assert explained.similarity == pytest.approx(1.0, abs=1e-6)
    for place in range(len(PLACES)):
        largest = np.abs(explained.evidence[0][place]).max()
        assert largest < 1e-2 * np.abs(unequal.evidence[0][place]).max()


def test_trace_pair__sides_swapped__evidence_swaps_with_them() -> None:
    model = lively_osnet("osnet_ibn_x1_0")
    one, other = trace_pair(model, crops()), trace_pair(model, crops().flip(0))
    for place in range(len(PLACES)):
        scale = np.abs(one.evidence[0][place]).max()
        np.testing.assert_allclose(one.evidence[0][place], other.evidence[1][place], atol=1e-3 * scale)


def test_trace_pair__twice__the_same_numbers() -> None:
    model = lively_osnet("osnet_ain_x0_25")
    one, other = trace_pair(model, crops()), trace_pair(model, crops())
    for place in range(len(PLACES)):
        assert np.array_equal(one.evidence[0][place], other.evidence[0][place])


@pytest.mark.parametrize("variant", FAMILIES)
def test_trace_crops__beside_other_crops__the_same_explanation(variant: str) -> None:
    model = lively_osnet(variant)
    alone, together = trace_crops(model, crops(3)[:1])[0], trace_crops(model, crops(3))[0]
    for one, other in zip(alone.blocks, together.blocks, strict=True):
        np.testing.assert_allclose(one.energy, other.energy, rtol=1e-4, atol=1e-5)


def test_trace_pair__last_map_of_a_plain_linear_head__sign_by_hand() -> None:
    """Three channels of the last map become the embedding, so the formula can be worked out by hand."""
    model = lively_osnet("osnet_x0_25")
    with torch.inference_mode():
        features = model.trace(crops()).feature_map
    channels = features.mean((2, 3)).amin(0).topk(3).indices
    linear, norm = model.fc[0], model.fc[1]
    with torch.no_grad():
        linear.weight.zero_()
        linear.bias.zero_()
        linear.weight[torch.arange(3), channels] = 1.0
        norm.running_mean.zero_()
        norm.running_var.fill_(1.0)
        norm.weight.fill_(1.0)
        norm.bias.zero_()
    explained = trace_pair(model, crops())
    features = features[:, channels].double()
    vectors = features.mean((2, 3))
    norms = vectors.norm(dim=1)
    left, right = vectors[0] / norms[0], vectors[1] / norms[1]
    gradient = (right - float(left @ right) * left) / norms[0]
    by_hand = (gradient[:, None, None] * features[0]).sum(0) / features[0, 0].numel()
    np.testing.assert_allclose(explained.evidence[0][-1][0], by_hand.numpy(), rtol=1e-3, atol=1e-6)
    assert (by_hand > 0).any()
    assert (by_hand < 0).any()


def test_measure_removal__against_one_pass_per_stream__the_same() -> None:
    model = lively_osnet("osnet_x0_25")
    measured = measure_removal(model, crops(), "conv3.0")
    whole = cosine(model, crops())
    for side in (0, 1):
        for stream in range(4):

            def edit(name: str, trace: StreamTrace, side: int = side, stream: int = stream) -> StreamTrace:
                maps = trace.maps.clone()
                maps[side, stream] *= float(name != "conv3.0")
                return trace._replace(maps=maps)

            with torch.inference_mode():
                left, right = torch.nn.functional.normalize(model.trace(crops(), edit).embedding, dim=1)
            assert measured[side, stream] == pytest.approx(whole - float(left @ right), abs=1e-5)


def test_trace_pair__one_image_or_train_mode__refused() -> None:
    model = lively_osnet("osnet_x0_25")
    with pytest.raises(InputError, match="explained from 2 images"):
        trace_pair(model, crops(1))
    with pytest.raises(InputError, match="train mode"):
        trace_pair(model.train(), crops())


def test_trace_crops__dead_network__an_error_and_no_picture() -> None:
    model = lively_osnet("osnet_x0_25")
    with torch.no_grad():
        model.fc[1].weight.zero_()
        model.fc[1].bias.fill_(-1.0)
    with pytest.raises(InputError, match="zero or not a finite number"):
        trace_crops(model, crops())


def test_explanation__stream_0__is_the_sum_and_scales_cover_both_crops() -> None:
    explained = trace_pair(lively_osnet("osnet_x0_25"), crops())
    single = [explained.map(1, MapChoice("energy", "conv4.0", stream)) for stream in (1, 2, 3, 4)]
    np.testing.assert_allclose(explained.map(1, MapChoice("energy", "conv4.0", 0)), sum(single), rtol=1e-5)
    for kind in ("energy", "evidence"):
        choice = MapChoice(kind, "conv2.0", 2)
        largest = max(np.abs(explained.stack(side, kind, "conv2.0")).max() for side in (0, 1))
        assert explained.scale(choice) == pytest.approx(float(largest))


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        (("heat", "conv4.1", 0), "no map 'heat'"),
        (("energy", "conv9", 0), "no block 'conv9'"),
        (("energy", "conv4.1", 5), "no stream 5"),
        (("evidence", LAST_MAP, 1), "after the streams were joined"),
        (("squared", "conv4.1", 0), "Squared sums"),
    ],
)
def test_map_choice__that_does_not_exist__says_what_does(choice: tuple[str, str, int], message: str) -> None:
    with pytest.raises(InputError, match=message):
        MapChoice(*choice)


def test_explanation__of_one_crop__has_no_evidence_and_no_right_side() -> None:
    alone = Explanation(trace_crops(lively_osnet("osnet_x0_25"), crops(1)))
    with pytest.raises(InputError, match="two crops"):
        alone.map(0, MapChoice("evidence"))
    with pytest.raises(InputError, match="no second crop"):
        alone.map(1, MapChoice("energy"))
