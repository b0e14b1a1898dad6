"""Two processes on the CPU take the steps of one."""

from __future__ import annotations

import multiprocessing
import os
import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from reid_core.data.transforms import AugmentConfig
from reid_core.errors import InputError
from reid_core.settings import torchrun_place
from reid_core.training import Stage, TrainConfig, Trainer, TrainingCrops, load_crops
from reid_core.training.distributed import World, join_world, leave_world
from reid_core.training.losses import contrastive_loss

STEPS = 2


def make_config(base: TrainConfig) -> TrainConfig:
    """Both kinds of stage would double the time; the one with batch losses has everything to gather."""
    return replace(
        base,
        stages=(Stage(1.0, 32, 16, by_identity=True),),
        augment=AugmentConfig(),
        mixstyle_probability=0.0,
        learning_rate=0.01,
        validation_identities=0,
    )


def small_net_in_double(world: World) -> dict[str, torch.Tensor]:
    """Gradients and statistics of a net with batch norm under a loss over the whole batch."""
    torch.manual_seed(0)
    layers = (nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    network = nn.Sequential(*layers, nn.Linear(4, 5)).double()
    x, labels = torch.randn(8, 3, 6, 6, dtype=torch.float64), torch.tensor([0, 0, 1, 1, 0, 1, 2, 2])
    world.synced(network)
    wrapped = world.wrap(network)  # has to live until the gradients are averaged
    embeddings = world.gather(wrapped(x[world.own_part(8)]))
    contrastive_loss(embeddings, labels, temperature=0.5).backward()
    found = {f"gradient of {name}": p.grad for name, p in network.named_parameters() if p.grad is not None}
    return {**found, **dict(network.named_buffers())}


def take_steps(config: TrainConfig, crops: TrainingCrops, world: World) -> dict[str, Any]:
    """Losses of two steps, and the weights and statistics after them."""
    trainer = Trainer(config, crops, world=world)
    losses = [trainer.train_one_step() for _ in range(STEPS)]
    return {
        "losses": losses,
        "network": trainer.state.network.state_dict(),
        "heads": trainer.state.heads.state_dict(),
    }


def run_process(rank: int, port: int, config: TrainConfig, folder: Path, out: Path) -> None:
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    torch.set_num_threads(1)
    crops = load_crops([folder], size=(32, 16), category_columns=["upper"], real_columns=["height"])
    world = join_world(rank=rank, size=2)
    try:
        torch.save(
            {**take_steps(config, crops, world), "small": small_net_in_double(world)}, out / f"{rank}.pt"
        )
    finally:
        leave_world()


@pytest.fixture(scope="module")
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.mark.skipif(torch.cuda.is_available(), reason="processes would share one GPU")
def test_two_processes__same_batches__losses_statistics_and_weights_of_one(
    tiny_set: Path, tiny_config: TrainConfig, tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = make_config(tiny_config)
    crops = load_crops([tiny_set], size=(32, 16), category_columns=["upper"], real_columns=["height"])
    alone = take_steps(config, crops, World())
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    monkeypatch.setenv("MASTER_PORT", str(port))
    other = multiprocessing.get_context("spawn").Process(
        target=run_process, args=(1, port, config, tiny_set, tmp_path)
    )
    other.start()
    run_process(0, port, config, tiny_set, tmp_path)
    other.join(timeout=300)
    assert other.exitcode == 0
    both = [torch.load(tmp_path / f"{rank}.pt", weights_only=False) for rank in range(2)]
    small = small_net_in_double(World())
    assert len(small) == 9
    for name, expected in small.items():
        for part in both:
            torch.testing.assert_close(part["small"][name], expected, rtol=1e-9, atol=1e-12)
    for name, value in alone["losses"][0].items():
        # A fresh net's gradients are hundreds of times the clipping limit: rounding shows in their norm.
        tolerance = 2e-2 if name == "gradient_norm" else 1e-5
        for part in both:
            assert part["losses"][0][name] == pytest.approx(value, rel=tolerance), name
    for name, value in alone["losses"][1].items():
        assert both[0]["losses"][1][name] == both[1]["losses"][1][name]
        if name != "gradient_norm":
            # Rounding grows through the batch norms of a fresh net; the net in double is the sharp check.
            assert both[0]["losses"][1][name] == pytest.approx(value, rel=0.1), name
    for part in ("network", "heads"):
        for name, value in both[0][part].items():
            assert torch.equal(value, both[1][part][name]), name


def test_own_part__three_processes_of_twelve__thirds_in_order() -> None:
    assert [World(rank, 3).own_part(12) for rank in range(3)] == [slice(0, 4), slice(4, 8), slice(8, 12)]


def test_own_part__does_not_divide__refused() -> None:
    with pytest.raises(InputError, match="does not divide among 5 processes"):
        World(0, 5).own_part(12)


def test_torchrun_place__variables_and_without() -> None:
    assert torchrun_place({}) == (0, 1, 0)
    assert torchrun_place({"RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "1"}) == (3, 4, 1)
    with pytest.raises(InputError, match="torchrun sets them"):
        torchrun_place({"RANK": "first"})
