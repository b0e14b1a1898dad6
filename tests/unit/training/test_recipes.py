"""The paper's recipes at given epochs, against the numbers that were published."""

import math

import pytest

from reid_core.data.published_augment import PublishedAugment
from reid_core.errors import InputError
from reid_core.training import RECIPES, TrainConfig, get_recipe
from reid_core.training.config import HEADS
from reid_core.training.schedules import learning_rate_at

MARKET_CROPS = 12_936


def at_epoch(config: TrainConfig, epoch: float) -> float:
    return learning_rate_at(config, round(epoch * (MARKET_CROPS // config.batch_size)))


def fitted(name: str) -> TrainConfig:
    return get_recipe(name).fitted_to(MARKET_CROPS)


def test_fitted_to__market_size__epochs_times_full_batches() -> None:
    assert fitted("osnet-scratch").steps == 350 * 202
    assert fitted("osnet-finetune").steps == 250 * 202
    assert fitted("osnet-finetune-small").steps == 180 * 101


def test_fitted_to__fewer_crops_than_a_batch__refused() -> None:
    with pytest.raises(InputError, match="63 training crops do not fill a batch of 64"):
        get_recipe("osnet-scratch").fitted_to(63)


@pytest.mark.parametrize(
    ("epoch", "rate"),
    [(0, 0.065), (149.99, 0.065), (150, 0.0065), (224.99, 0.0065), (225, 0.00065), (300, 0.000065)],
)
def test_osnet_scratch__drops_at_150_225_300(epoch: float, rate: float) -> None:
    assert at_epoch(fitted("osnet-scratch"), epoch) == pytest.approx(rate)


@pytest.mark.parametrize("epoch", [0, 50, 125, 200, 249])
def test_osnet_finetune__cosine_over_250_epochs_to_zero(epoch: int) -> None:
    expected = 0.0015 * (1 + math.cos(math.pi * epoch / 250)) / 2
    assert at_epoch(fitted("osnet-finetune"), epoch) == pytest.approx(expected)


@pytest.mark.parametrize(("epoch", "rate"), [(0, 0.003), (79.9, 0.003), (80, 0.0003), (160, 0.00003)])
def test_osnet_finetune_small__drops_every_80_epochs(epoch: float, rate: float) -> None:
    assert at_epoch(fitted("osnet-finetune-small"), epoch) == pytest.approx(rate)


def test_osnet_finetune__first_ten_epochs__classifier_alone() -> None:
    config = fitted("osnet-finetune")
    before, after = config.thaw_at(10 * 202 - 1), config.thaw_at(10 * 202)
    assert before is not None
    assert before.modules == (HEADS,)
    assert after is None


def test_published_augmentation__as_the_papers_say() -> None:
    def of(name: str) -> PublishedAugment:
        augment = get_recipe(name).published_augment
        assert augment is not None
        return augment

    scratch, finetune, cross = (of(f"osnet-{n}") for n in ("scratch", "finetune", "cross-domain"))
    assert min(scratch.flip, scratch.crop, scratch.patch) > 0
    assert scratch.erase == 0
    assert min(finetune.flip, finetune.erase) > 0
    assert cross.jitter > 0
    assert cross.erase == 0  # erasing hurts on cameras never seen


def test_osnet_triplet__identity_batches_and_both_losses() -> None:
    config = get_recipe("osnet-triplet")
    assert config.stages[0].by_identity
    assert (config.triplet_weight, config.triplet_margin) == (1.0, 0.3)


def test_from_corrections__replay_distillation_and_frozen_statistics() -> None:
    config = get_recipe("from-corrections")
    assert config.corrections is not None
    assert config.corrections.replay_share >= 0.6
    assert config.corrections.distillation_weight > 0
    assert config.corrections.interpolation_steps == 10
    assert config.freezes_statistics
    assert config.thaws[0].modules == (HEADS,)


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_recipe__through_json__equal_and_called_by_its_name(name: str) -> None:
    config = get_recipe(name, seed=3)
    assert config.recipe == name
    assert TrainConfig.from_json(config.to_json()) == config


def test_get_recipe__other_epochs__drops_move_along() -> None:
    config = get_recipe("osnet-scratch", epochs=35).fitted_to(MARKET_CROPS)
    assert config.steps == 35 * 202
    assert at_epoch(config, 14.99) == pytest.approx(0.065)
    assert at_epoch(config, 15) == pytest.approx(0.0065)


def test_get_recipe__steps_and_epochs__refused() -> None:
    with pytest.raises(InputError, match="give one of them"):
        get_recipe("osnet-scratch", steps=5, epochs=1)
