import math

import pytest
import torch

from reid_core.errors import InputError
from reid_core.training.losses import (
    batch_hard_triplet_loss,
    categorical_attribute_loss,
    contrastive_loss,
    distillation_loss,
    identity_loss,
    judged_pair_loss,
    ranking_loss,
    real_attribute_loss,
)


def random_batch(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(seed)
    return torch.randn(12, 5), torch.tensor([0, 0, 0, 1, 1, 1, 1, 2, 2, 3, 3, 3])


def test_identity_loss__smoothing__equals_the_written_out_sum() -> None:
    logits, labels = torch.randn(4, 6), torch.tensor([0, 5, 2, 2])
    expected = 0.0
    for row, label in zip(logits, labels, strict=True):
        log_shares = [float(value - row.exp().sum().log()) for value in row]
        for index, log_share in enumerate(log_shares):
            expected -= log_share * (0.1 / 6 + (0.9 if index == label else 0.0)) / 4
    assert float(identity_loss(logits, labels, label_smoothing=0.1)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("seed", range(5))
def test_batch_hard_triplet_loss__random_batch__equals_slow_loop(seed: int) -> None:
    embeddings, labels = random_batch(seed)
    unit = [[float(v) for v in row / row.norm()] for row in embeddings]
    total = 0.0
    for anchor in range(12):
        distances = [math.dist(unit[anchor], other) for other in unit]
        positive = max(d for i, d in enumerate(distances) if labels[i] == labels[anchor] and i != anchor)
        negative = min(d for i, d in enumerate(distances) if labels[i] != labels[anchor])
        total += max(0.0, positive - negative + 0.3)
    loss = batch_hard_triplet_loss(embeddings, labels, margin=0.3)
    assert float(loss) == pytest.approx(total / 12, rel=1e-4)


def test_batch_hard_triplet_loss__longer_embeddings__same_loss() -> None:
    embeddings, labels = random_batch()
    torch.testing.assert_close(
        batch_hard_triplet_loss(embeddings, labels, margin=0.3),
        batch_hard_triplet_loss(embeddings * 7.0, labels, margin=0.3),
    )


def test_batch_hard_triplet_loss__lone_crop__does_not_count() -> None:
    embeddings, labels = random_batch()
    with_lone = torch.cat([embeddings, -embeddings.sum(0, keepdim=True) * 1e3])
    lone_labels = torch.cat([labels, torch.tensor([9])])
    # The lone crop lies opposite to all others: nobody's hardest negative, and no anchor.
    first = batch_hard_triplet_loss(embeddings, labels, margin=0.3)
    second = batch_hard_triplet_loss(with_lone, lone_labels, margin=0.3)
    assert bool(torch.isfinite(second))
    assert float(second) == pytest.approx(float(first), rel=0.2)


def test_batch_hard_triplet_loss__identical_crops__finite_gradient() -> None:
    embeddings = torch.ones(4, 3, requires_grad=True)
    batch_hard_triplet_loss(embeddings, torch.tensor([0, 0, 1, 1]), margin=0.3).backward()
    assert embeddings.grad is not None
    assert bool(torch.isfinite(embeddings.grad).all())


@pytest.mark.parametrize("labels", [[0, 1, 2], [0, 0, 0]])
def test_batch_hard_triplet_loss__no_triplet__refused(labels: list[int]) -> None:
    with pytest.raises(InputError, match="two crops of one identity and one of another"):
        batch_hard_triplet_loss(torch.randn(3, 4), torch.tensor(labels), margin=0.3)


@pytest.mark.parametrize("seed", range(3))
def test_contrastive_loss__random_batch__equals_slow_loop(seed: int) -> None:
    embeddings, labels = random_batch(seed)
    unit = embeddings / embeddings.norm(dim=1, keepdim=True)
    total = 0.0
    for anchor in range(12):
        others = [i for i in range(12) if i != anchor]
        denominator = sum(math.exp(float(unit[anchor] @ unit[i]) / 0.2) for i in others)
        positives = [i for i in others if labels[i] == labels[anchor]]
        for i in positives:
            total -= math.log(math.exp(float(unit[anchor] @ unit[i]) / 0.2) / denominator) / len(positives)
    loss = contrastive_loss(embeddings, labels, temperature=0.2)
    assert float(loss) == pytest.approx(total / 12, rel=1e-4)


def test_contrastive_loss__no_positive__refused() -> None:
    with pytest.raises(InputError, match="sample K >= 2"):
        contrastive_loss(torch.randn(3, 4), torch.tensor([0, 1, 2]), temperature=0.1)


def test_contrastive_loss__backward__finite_gradient() -> None:
    embeddings, labels = random_batch()
    embeddings.requires_grad_()
    contrastive_loss(embeddings, labels, temperature=0.1).backward()
    assert embeddings.grad is not None
    assert bool(torch.isfinite(embeddings.grad).all())


def test_categorical_attribute_loss__even_guess__is_one() -> None:
    targets = torch.tensor([[0, 2], [1, 0]])
    assert float(categorical_attribute_loss(torch.zeros(2, 5), targets, (2, 3))) == pytest.approx(1.0)


def test_categorical_attribute_loss__unknown_value__does_not_count() -> None:
    logits = torch.randn(3, 2)
    known = categorical_attribute_loss(logits[:2], torch.tensor([[0], [1]]), (2,))
    with_unknown = categorical_attribute_loss(logits, torch.tensor([[0], [1], [-1]]), (2,))
    torch.testing.assert_close(known, with_unknown)


def test_categorical_attribute_loss__all_unknown__zero() -> None:
    assert float(categorical_attribute_loss(torch.randn(2, 3), torch.full((2, 1), -1), (3,))) == 0.0


def test_real_attribute_loss__weights__equals_the_written_out_mean() -> None:
    predictions, targets = torch.tensor([[1.0, 5.0], [0.0, 2.0]]), torch.tensor([[3.0, 0.0], [0.0, 1.0]])
    weights = torch.tensor([[1.0, 0.0], [1.0, 1.0]])
    assert float(real_attribute_loss(predictions, targets, weights)) == pytest.approx((4 + 0 + 1) / 3)


def test_identity_loss__weights__equals_the_written_out_mean() -> None:
    logits, labels, weights = (
        torch.randn(4, 6),
        torch.tensor([0, 5, 2, 2]),
        torch.tensor([1.0, 0.5, 0.0, 2.0]),
    )
    each = [float(identity_loss(logits[i : i + 1], labels[i : i + 1], label_smoothing=0.1)) for i in range(4)]
    expected = (each[0] + 0.5 * each[1] + 2.0 * each[3]) / 3.5
    loss = identity_loss(logits, labels, label_smoothing=0.1, weights=weights)
    assert float(loss) == pytest.approx(expected, rel=1e-5)


def test_identity_loss__barred_class__equals_the_loss_without_it_and_gets_no_gradient() -> None:
    logits, labels = torch.randn(3, 5, requires_grad=True), torch.tensor([0, 1, 2])
    is_barred = torch.zeros(3, 5, dtype=torch.bool)
    is_barred[:, 4] = True
    loss = identity_loss(logits, labels, label_smoothing=0.1, is_barred=is_barred)
    expected = identity_loss(logits[:, :4], labels, label_smoothing=0.1)
    assert float(loss.detach()) == pytest.approx(float(expected.detach()), rel=1e-5)
    loss.backward()
    assert logits.grad is not None
    assert bool((logits.grad[:, 4] == 0).all())


@pytest.mark.parametrize("seed", range(3))
def test_batch_hard_triplet_loss__trust_in_negatives__equals_slow_loop(seed: int) -> None:
    embeddings, labels = random_batch(seed)
    trust = torch.rand(12, 12)
    trust[trust < 0.3] = 0.0
    unit = [[float(v) for v in row / row.norm()] for row in embeddings]
    total = weight_sum = 0.0
    for anchor in range(12):
        distances = [math.dist(unit[anchor], other) for other in unit]
        positive = max(d for i, d in enumerate(distances) if labels[i] == labels[anchor] and i != anchor)
        allowed = [i for i in range(12) if labels[i] != labels[anchor] and trust[anchor, i] > 0]
        if not allowed:
            continue
        hardest = min(allowed, key=lambda i: distances[i])
        weight = float(trust[anchor, hardest])
        total += weight * max(0.0, positive - distances[hardest] + 0.3)
        weight_sum += weight
    loss = batch_hard_triplet_loss(embeddings, labels, margin=0.3, negative_weights=trust)
    assert float(loss) == pytest.approx(total / weight_sum, rel=1e-4)


def test_batch_hard_triplet_loss__distrusted_twin__never_mined() -> None:
    embeddings = torch.eye(4)[[0, 0, 0, 1]].clone().requires_grad_()
    labels = torch.tensor([0, 0, 1, 2])  # crop 2 equals crops 0 and 1: a label error
    trust = torch.ones(4, 4)
    trust[2, :2] = trust[:2, 2] = 0.0
    loss = batch_hard_triplet_loss(embeddings, labels, margin=0.3, negative_weights=trust)
    assert float(loss.detach()) == pytest.approx(0.0)
    assert float(batch_hard_triplet_loss(embeddings.detach(), labels, margin=0.3)) > 0.1


@pytest.mark.parametrize("seed", range(3))
def test_contrastive_loss__trust_in_negatives__equals_slow_loop(seed: int) -> None:
    embeddings, labels = random_batch(seed)
    trust = torch.rand(12, 12)
    unit = embeddings / embeddings.norm(dim=1, keepdim=True)
    total = 0.0
    for anchor in range(12):
        others = [i for i in range(12) if i != anchor]
        share = {i: 1.0 if labels[i] == labels[anchor] else float(trust[anchor, i]) for i in others}
        parts = {i: share[i] * math.exp(float(unit[anchor] @ unit[i]) / 0.2) for i in others}
        positives = [i for i in others if labels[i] == labels[anchor]]
        total -= sum(math.log(parts[i] / sum(parts.values())) for i in positives) / len(positives)
    loss = contrastive_loss(embeddings, labels, temperature=0.2, negative_weights=trust)
    assert float(loss) == pytest.approx(total / 12, rel=1e-4)


def test_judged_pair_loss__by_hand() -> None:
    embeddings = torch.tensor([[1.0, 0.0], [0.0, 2.0], [3.0, 3.0]])
    pairs, is_must = torch.tensor([[0, 1], [0, 2], [1, 2]]), torch.tensor([True, False, False])
    weights = torch.tensor([2.0, 1.0, 1.0])
    half = math.sqrt(0.5)
    loss = judged_pair_loss(embeddings, pairs, is_must, weights, must_similarity=0.7, cannot_similarity=0.4)
    assert float(loss) == pytest.approx((2 * 0.7 + (half - 0.4) + (half - 0.4)) / 4, rel=1e-5)


def test_judged_pair_loss__no_pair__zero_with_a_gradient() -> None:
    embeddings = torch.randn(3, 4, requires_grad=True)
    nothing = torch.zeros(0)
    loss = judged_pair_loss(
        embeddings,
        torch.zeros(0, 2, dtype=torch.int64),
        nothing.bool(),
        nothing,
        must_similarity=0.7,
        cannot_similarity=0.4,
    )
    loss.backward()
    assert float(loss.detach()) == 0.0


def test_ranking_loss__by_hand__mean_over_orders_that_miss_the_margin() -> None:
    embeddings = torch.tensor([[1.0, 0.0], [0.0, 2.0], [3.0, 0.0]])
    triplets = torch.tensor([[0, 1, 2], [0, 2, 1]])  # 1 too little ahead, 1 ahead
    assert ranking_loss(embeddings, triplets, margin=0.1).item() == pytest.approx(1.1)
    assert ranking_loss(embeddings, triplets[1:], margin=0.1).item() == 0.0
    assert ranking_loss(embeddings, triplets[:0], margin=0.1).item() == 0.0


def test_distillation_loss__length_does_not_count_and_opposite_is_four() -> None:
    x = torch.tensor([[3.0, 4.0]])
    assert float(distillation_loss(x, 2 * x)) == pytest.approx(0.0, abs=1e-6)
    assert float(distillation_loss(x, -x)) == pytest.approx(4.0)
    assert float(distillation_loss(x[:0], x[:0])) == 0.0
