import pytest
import torch
from torch import nn

from reid_core.errors import InputError
from reid_core.models import build_osnet
from reid_core.training.config import HEADS, Thaw
from reid_core.training.heads import TrainingHeads
from reid_core.training.schedules import set_training


@pytest.fixture
def parts() -> tuple[nn.Module, TrainingHeads]:
    return build_osnet("osnet_x0_25"), TrainingHeads(512, 3, 0, 0, scale=20.0, has_neck=True)


def test_set_training__classifier_alone__net_stands_still_in_eval_mode(parts) -> None:
    network, heads = parts
    set_training(network, heads, Thaw(0.1, (HEADS,)), freezes_statistics=False)
    assert not any(p.requires_grad for p in network.parameters())
    assert not any(child.training for child in network.children())
    assert heads.training
    assert heads.identity_weight.requires_grad
    before = {name: value.clone() for name, value in network.state_dict().items()}
    network(torch.rand(4, 3, 32, 16))
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_set_training__last_layers__only_they_get_gradients(parts) -> None:
    network, heads = parts
    set_training(network, heads, Thaw(0.1, (HEADS, "fc")), freezes_statistics=False)
    network(torch.rand(4, 3, 32, 16)).embedding.sum().backward()
    got = {name.split(".")[0] for name, p in network.named_parameters() if p.grad is not None}
    assert got == {"fc"}


def test_set_training__frozen_statistics__scale_trains_and_running_mean_stays(parts) -> None:
    network, heads = parts
    set_training(network, heads, None, freezes_statistics=True)
    before = network.fc[1].running_mean.clone()
    network(torch.rand(4, 3, 32, 16)).embedding.sum().backward()
    assert torch.equal(network.fc[1].running_mean, before)
    assert network.fc[1].weight.grad is not None


def test_set_training__after_the_last_thaw__everything_but_the_necks_bias(parts) -> None:
    network, heads = parts
    set_training(network, heads, Thaw(0.1, (HEADS,)), freezes_statistics=False)
    set_training(network, heads, None, freezes_statistics=False)
    assert all(p.requires_grad for p in network.parameters())
    assert [name for name, p in heads.named_parameters() if not p.requires_grad] == ["neck.bias"]


def test_set_training__unknown_module__refused(parts) -> None:
    with pytest.raises(InputError, match="no layer9"):
        set_training(*parts, Thaw(0.1, ("layer9",)), freezes_statistics=False)
