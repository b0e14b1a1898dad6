from collections.abc import Callable
from dataclasses import fields, replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from reid_core.data.transforms import AugmentConfig
from reid_core.errors import CancelledError, InputError
from reid_core.models import build_osnet, load_weights
from reid_core.training import (
    RunFolder,
    Stage,
    StartingPoint,
    TrainConfig,
    Trainer,
    TrainingCrops,
    get_recipe,
    load_crops,
)
from reid_core.training.engine import stage_ends
from reid_core.training.mixstyle import mix_styles, mixing_styles
from reid_core.training.schedules import augmentation_strength_at, learning_rate_at
from reid_core.training.state import update_average


@pytest.fixture
def tiny_crops(tiny_set: Path, tiny_config: TrainConfig) -> TrainingCrops:
    return load_crops(
        [tiny_set],
        size=tiny_config.input_size,
        category_columns=tiny_config.category_columns,
        real_columns=tiny_config.real_columns,
    )


def test_fit__thirty_steps__losses_fall_and_weights_load(
    tiny_crops: TrainingCrops, tiny_config: TrainConfig, tmp_path: Path
) -> None:
    plain = AugmentConfig(**{each.name: 0.0 for each in fields(AugmentConfig)})
    stages = (Stage(1.0, 32, 16, by_identity=True),)
    config = replace(tiny_config, stages=stages, augment=plain, mixstyle_probability=0.0)
    trainer = Trainer(config, tiny_crops)
    losses = [trainer.train_one_step() for _ in range(29)]
    for name in ("identity", "triplet"):
        first, last = (np.mean([step[name] for step in part]) for part in (losses[:5], losses[-5:]))
        assert last < 0.95 * first, f"{name} went from {first:.3f} to {last:.3f}"
    run = RunFolder.create(tmp_path / "run", config, {"data": "tiny"})
    trainer.fit(run)
    loaded = load_weights(run.final_path)
    assert loaded.model.variant == "osnet_x0_25"
    assert (loaded.spec.preprocessing.height, loaded.spec.preprocessing.width) == (32, 16)
    assert {"config.json", "environment.json", "last.pt", "best.safetensors"} <= {
        path.name for path in run.path.iterdir()
    }


def test_fit__stopped_and_resumed__every_weight_equal_bit_for_bit(
    tiny_crops: TrainingCrops, tiny_config: TrainConfig, tmp_path: Path
) -> None:
    config = replace(tiny_config, steps=12, checkpoint_steps=5)
    whole = Trainer(config, tiny_crops)
    whole.fit(RunFolder.create(tmp_path / "whole", config, {}))

    run = RunFolder.create(tmp_path / "halves", config, {})
    stopped = Trainer(config, tiny_crops)
    with pytest.raises(CancelledError, match="step 7"):
        stopped.fit(run, should_cancel=lambda: stopped.state.step == 7)
    resumed = Trainer(config, tiny_crops)
    resumed.fit(RunFolder.reopen(tmp_path / "halves", config))

    for part in ("network", "heads", "average"):
        expected = getattr(whole.state, part).state_dict()
        for name, value in getattr(resumed.state, part).state_dict().items():
            assert torch.equal(value, expected[name]), f"{part} {name}"
    shipped = [
        load_weights(path).model.state_dict()
        for path in (tmp_path / "whole/final.safetensors", run.final_path)
    ]
    assert all(torch.equal(value, shipped[1][name]) for name, value in shipped[0].items())
    assert RunFolder(tmp_path / "whole").read_metrics()[-1]["step"] == run.read_metrics()[-1]["step"] == 12


@pytest.fixture
def plain_config(tiny_config: TrainConfig) -> TrainConfig:
    """One stage, cross-entropy alone on the embedding itself: what a sum over crops can be cut into."""
    return replace(
        tiny_config,
        stages=(Stage(1.0, 32, 16, by_identity=False),),
        triplet_weight=0.0,
        contrastive_weight=0.0,
        category_weight=0.0,
        real_weight=0.0,
        mixstyle_probability=0.0,
        has_neck=False,
        gradient_clip=0.0,
        learning_rate=0.001,
        validation_identities=0,
    )


def gradients_of_a_step(config: TrainConfig, crops: TrainingCrops) -> torch.Tensor:
    torch.manual_seed(3)
    trainer = Trainer(config, crops, start_from=StartingPoint(build_osnet(config.variant)))
    trainer.train_one_step()
    found = [p.grad for p in trainer.state.network.parameters()]
    return torch.cat([gradient.flatten() for gradient in found if gradient is not None])


def test_accumulation__frozen_statistics__gradient_of_the_whole_batch(
    tiny_crops: TrainingCrops, plain_config: TrainConfig
) -> None:
    config = replace(plain_config, freezes_statistics=True)
    whole = gradients_of_a_step(config, tiny_crops)
    parts = gradients_of_a_step(replace(config, accumulation=4), tiny_crops)
    assert whole.norm() > 0
    torch.testing.assert_close(parts, whole, rtol=1e-3, atol=1e-5 * float(whole.abs().max()))


def test_accumulation__batch_norm_of_the_part__another_gradient(
    tiny_crops: TrainingCrops, plain_config: TrainConfig
) -> None:
    whole = gradients_of_a_step(plain_config, tiny_crops)
    parts = gradients_of_a_step(replace(plain_config, accumulation=4), tiny_crops)
    assert (parts - whole).norm() > 0.05 * whole.norm()  # 4 crops have other statistics than 16


def test_trainer__channels_last__weights_activations_and_after_a_step(
    tiny_crops: TrainingCrops, plain_config: TrainConfig
) -> None:
    trainer = Trainer(plain_config, tiny_crops)
    seen: list[bool] = []
    network = trainer.state.network
    handle = network.conv1.register_forward_hook(
        lambda _module, _inputs, out: seen.append(out.is_contiguous(memory_format=torch.channels_last))
    )
    trainer.train_one_step()
    handle.remove()
    assert seen == [True]
    for net in (network, trainer.state.average):
        assert net.conv1.conv.weight.is_contiguous(memory_format=torch.channels_last)
        assert not net.conv1.conv.weight.is_contiguous()


def test_trainer__compiled__net_is_one_graph_traced_once_and_losses_are_equal(
    tiny_crops: TrainingCrops, plain_config: TrainConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The graph is run as it is: making machine code of it takes minutes."""
    config = replace(plain_config, batch_size=8)
    plain = Trainer(config, tiny_crops)
    expected = [plain.train_one_step()["identity"] for _ in range(2)]
    traced: list[int] = []

    def run_as_it_is(graph: torch.fx.GraphModule, _inputs: list[torch.Tensor]) -> Callable[..., object]:
        traced.append(len(graph.graph.nodes))
        return graph.forward

    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=run_as_it_is, fullgraph=True))
    compiled = Trainer(replace(config, compiles=True), tiny_crops)
    found = [compiled.train_one_step()["identity"] for _ in range(2)]
    torch._dynamo.reset()
    assert found == pytest.approx(expected, rel=1e-5)
    assert len(traced) == 1
    assert traced[0] > 100


def test_config__compiled_recipe_that_mixes_styles__refused(tiny_config: TrainConfig) -> None:
    with pytest.raises(InputError, match="without --compile"):
        replace(tiny_config, compiles=True)


def test_trainer__start_from__begins_with_those_weights(
    tiny_crops: TrainingCrops, tiny_config: TrainConfig
) -> None:
    torch.manual_seed(7)
    start = build_osnet("osnet_x0_25")
    trainer = Trainer(tiny_config, tiny_crops, start_from=StartingPoint(start))
    for name, value in start.state_dict().items():
        assert torch.equal(trainer.state.network.state_dict()[name], value)
        assert torch.equal(trainer.state.average.state_dict()[name], value)


def test_trainer__two_seeds__other_weights_and_one_seed__same(
    tiny_crops: TrainingCrops, tiny_config: TrainConfig
) -> None:
    def stem(seed: int) -> torch.Tensor:
        torch.manual_seed(np.random.default_rng().integers(1000).item())
        return Trainer(replace(tiny_config, seed=seed), tiny_crops).state.network.conv1.conv.weight

    assert torch.equal(stem(1), stem(1))
    assert not torch.equal(stem(1), stem(2))


def test_run_folder__folder_in_use__refused(tiny_config: TrainConfig, tmp_path: Path) -> None:
    RunFolder.create(tmp_path, tiny_config, {})
    with pytest.raises(InputError, match="holds a run already"):
        RunFolder.create(tmp_path, tiny_config, {})


def test_run_folder__resumed_with_other_config__refused(tiny_config: TrainConfig, tmp_path: Path) -> None:
    RunFolder.create(tmp_path, tiny_config, {})
    with pytest.raises(InputError, match="another recipe, seed or number of steps"):
        RunFolder.reopen(tmp_path, replace(tiny_config, seed=1))


def test_run_folder__nothing_there__refused(tiny_config: TrainConfig, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no run"):
        RunFolder.reopen(tmp_path, tiny_config)


def test_run_folder__lines_after_the_checkpoint__dropped(tiny_config: TrainConfig, tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path, tiny_config, {})
    for step in (10, 20, 30):
        run.append_metrics({"step": step})
    run.save_checkpoint({"step": 20})
    run.load_checkpoint()
    assert [line["step"] for line in run.read_metrics()] == [10, 20]


def test_config__through_json__equal(tiny_config: TrainConfig) -> None:
    assert TrainConfig.from_json(tiny_config.to_json()) == tiny_config
    assert TrainConfig.from_json(get_recipe("demo", seed=3).to_json()) == get_recipe("demo", seed=3)


def test_config__shares_not_one__refused(tiny_config: TrainConfig) -> None:
    with pytest.raises(InputError, match="add up to 1"):
        replace(tiny_config, stages=tiny_config.stages[:1])


def test_get_recipe__unknown__refused() -> None:
    with pytest.raises(InputError, match="no recipe 'dmeo'"):
        get_recipe("dmeo")


def test_stage_at__shares_of_the_run__switches_where_they_say(tiny_config: TrainConfig) -> None:
    assert [tiny_config.stage_at(step).by_identity for step in (0, 11, 12, 29)] == [False, False, True, True]


def test_learning_rate_at__warm_up_then_cosine__by_hand(tiny_config: TrainConfig) -> None:
    config = replace(tiny_config, steps=100, warmup_steps=10, learning_rate=1.0, final_rate_share=0.0)
    assert learning_rate_at(config, 0) == pytest.approx(0.1)
    assert learning_rate_at(config, 50) == pytest.approx(0.5)
    assert learning_rate_at(config, 99) < 1e-3


def test_augmentation_strength_at__half_way__full(tiny_config: TrainConfig) -> None:
    config = replace(tiny_config, steps=100, first_strength=0.2, full_strength_at=0.5)
    assert [augmentation_strength_at(config, s) for s in (0, 25, 50, 90)] == pytest.approx([0.2, 0.6, 1, 1])


def test_update_average__late_step__moves_by_one_minus_decay() -> None:
    average, network = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)
    expected = 0.9 * average.weight.detach() + 0.1 * network.weight.detach()
    update_average(average, network, decay=0.9, step=10_000)
    torch.testing.assert_close(average.weight.detach(), expected)


def test_mix_styles__statistics__lie_between_those_of_two_crops_and_shape_stays() -> None:
    x = torch.randn(4, 3, 8, 8) * torch.arange(1.0, 5.0).view(4, 1, 1, 1)
    mixed = mix_styles(x, torch.Generator().manual_seed(0), alpha=0.1)
    before, after = x.std(dim=(2, 3)), mixed.std(dim=(2, 3))
    assert not torch.allclose(before, after, atol=1e-2)
    assert bool((after >= before.amin(0) - 1e-3).all())
    assert bool((after <= before.amax(0) + 1e-3).all())
    centred = (x - x.mean(dim=(2, 3), keepdim=True)) / before[:, :, None, None]
    recentred = (mixed - mixed.mean(dim=(2, 3), keepdim=True)) / after[:, :, None, None]
    torch.testing.assert_close(centred, recentred, atol=1e-3, rtol=0)


def test_mixing_styles__eval_mode_or_closed__plain_network() -> None:
    network, x = build_osnet("osnet_x0_25").eval(), torch.rand(4, 3, 32, 16)
    plain = network(x)
    with mixing_styles(stage_ends(network), torch.Generator(), probability=1.0, alpha=0.1):
        assert torch.equal(network(x), plain)
    network.train()
    torch.manual_seed(0)
    outside = network(x).embedding
    with mixing_styles(stage_ends(network), torch.Generator().manual_seed(1), probability=1.0, alpha=0.1):
        assert not torch.equal(network(x).embedding, outside)
    assert torch.equal(network(x).embedding, outside)


@pytest.mark.parametrize("variant", ["osnet_x0_25", "osnet_ibn_x1_0", "osnet_ain_x0_25"])
def test_stage_ends__each_family__maps_of_the_first_two_stages(variant: str) -> None:
    network = build_osnet(variant).eval()
    shapes = []
    handles = [
        module.register_forward_hook(lambda _m, _i, out: shapes.append(tuple(out.shape[2:])))
        for module in stage_ends(network)
    ]
    network(torch.rand(1, 3, 64, 32))
    for handle in handles:
        handle.remove()
    assert shapes == [(8, 4), (4, 2)]


def test_starting_point__run_of_the_same_data__average_and_heads_carried(
    tiny_crops: TrainingCrops, tiny_config: TrainConfig, tmp_path: Path
) -> None:
    config = replace(tiny_config, steps=2, checkpoint_steps=2, validation_identities=0)
    run = RunFolder.create(tmp_path / "first", config, {})
    first = Trainer(config, tiny_crops)
    first.fit(run)
    second = Trainer(config, tiny_crops, start_from=StartingPoint.from_run(run, config))
    for name, value in first.state.average.state_dict().items():
        assert torch.equal(second.state.network.state_dict()[name], value)
    for name, value in first.state.heads.state_dict().items():
        assert torch.equal(second.state.heads.state_dict()[name], value)
    assert second.state.step == 0


def test_starting_point__heads_of_other_identities__refused(
    tiny_crops: TrainingCrops, tiny_config: TrainConfig, tmp_path: Path
) -> None:
    config = replace(tiny_config, steps=1, checkpoint_steps=1, validation_identities=0)
    run = RunFolder.create(tmp_path / "first", config, {})
    Trainer(config, tiny_crops).fit(run)
    with pytest.raises(InputError, match="identity_weight"):
        Trainer(tiny_config, tiny_crops, start_from=StartingPoint.from_run(run, tiny_config))


def test_starting_point__run_without_checkpoint__refused(tiny_config: TrainConfig, tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path, tiny_config, {})
    with pytest.raises(InputError, match="no checkpoint yet"):
        StartingPoint.from_run(run, tiny_config)
