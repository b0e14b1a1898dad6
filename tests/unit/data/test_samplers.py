import numpy as np
import pytest

from reid_core.data.samplers import CorrectionSampler, IdentitySampler, RandomSampler
from reid_core.errors import InputError


def make_sampler(
    counts: list[int], *, cameras: int = 3, num_identities: int = 2, num_crops: int = 4
) -> IdentitySampler:
    pids = np.repeat(np.arange(1, len(counts) + 1), counts).astype(np.int64)
    camids = np.concatenate([np.arange(count) % cameras + 1 for count in counts]).astype(np.int64)
    return IdentitySampler(
        pids, camids, identities_per_batch=num_identities, crops_per_identity=num_crops, seed=5
    )


def test_random_sampler__one_epoch__every_crop_at_most_once() -> None:
    sampler = RandomSampler(23, batch_size=5, seed=1)
    drawn = np.concatenate([sampler.batch(step) for step in range(sampler.batches_per_epoch)])
    assert len(drawn) == 20
    assert len(np.unique(drawn)) == 20
    assert drawn.min() >= 0
    assert drawn.max() < 23


def test_random_sampler__next_epoch__another_order() -> None:
    sampler = RandomSampler(20, batch_size=20, seed=1)
    assert not np.array_equal(sampler.batch(0), sampler.batch(1))
    assert np.array_equal(np.sort(sampler.batch(0)), np.sort(sampler.batch(1)))


def test_random_sampler__asked_out_of_order__same_batches() -> None:
    forward = [RandomSampler(40, batch_size=8, seed=3).batch(step) for step in range(12)]
    backward = [RandomSampler(40, batch_size=8, seed=3).batch(step) for step in reversed(range(12))]
    for first, second in zip(forward, reversed(backward), strict=True):
        np.testing.assert_array_equal(first, second)


def test_random_sampler__batch_larger_than_data__refused() -> None:
    with pytest.raises(InputError, match="Batches of 9 from 8 crops"):
        RandomSampler(8, batch_size=9, seed=0)


def test_identity_sampler__batch__k_crops_in_a_row_of_each_of_p_identities() -> None:
    counts = [6, 5, 7, 4, 8]
    pids = np.repeat(np.arange(5), counts)
    sampler = make_sampler(counts)
    for step in range(6):
        rows = pids[sampler.batch(step)].reshape(2, 4)
        assert (rows == rows[:, :1]).all()
        assert rows[0, 0] != rows[1, 0]


def test_identity_sampler__one_epoch__no_identity_twice() -> None:
    counts = [4] * 9
    pids = np.repeat(np.arange(9), counts)
    sampler = make_sampler(counts)
    assert sampler.batches_per_epoch == 4
    seen = np.concatenate([np.unique(pids[sampler.batch(step)]) for step in range(4)])
    assert len(seen) == len(np.unique(seen)) == 8


def test_identity_sampler__enough_crops__none_repeats_and_all_cameras_come() -> None:
    sampler = make_sampler([12, 12], cameras=4)
    for step in range(10):
        for crops in sampler.batch(step).reshape(2, 4):
            assert len(np.unique(crops)) == 4
            assert len(np.unique((crops % 12) % 4)) == 4


def test_identity_sampler__two_crops_for_four_places__each_twice() -> None:
    batch = make_sampler([2, 2]).batch(0).reshape(2, 4)
    for crops in batch:
        assert sorted(np.unique(crops, return_counts=True)[1]) == [2, 2]


def test_identity_sampler__single_crop_identity__never_drawn() -> None:
    sampler = make_sampler([4, 1, 4, 4])
    drawn = np.concatenate([sampler.batch(step) for step in range(20)])
    assert 4 not in drawn


def test_identity_sampler__resumed_at_a_step__same_batch() -> None:
    whole = make_sampler([5] * 7)
    for step in range(9):
        whole.batch(step)
    np.testing.assert_array_equal(make_sampler([5] * 7).batch(9), whole.batch(9))


def test_identity_sampler__too_few_identities__refused() -> None:
    with pytest.raises(InputError, match="1 identities have two crops"):
        make_sampler([4, 1])


def test_identity_sampler__one_crop_each__refused() -> None:
    with pytest.raises(InputError, match="at least 2 x 2"):
        make_sampler([4, 4], num_crops=1)


def correction_sampler(**changes: object) -> CorrectionSampler:
    """20 base identities and 12 corrected ones (pids 101 to 112), 4 crops each in 2 cameras."""
    pids = np.repeat(np.r_[1:21, 101:113], 4).astype(np.int64)
    settings = {
        "conflicts": [(101, 102), (103, 104), (1, 105)],
        "identities_per_batch": 10,
        "crops_per_identity": 4,
        "replay_share": 0.6,
        "conflict_share": 0.5,
        "seed": 3,
        **changes,
    }
    camids = np.tile([1, 1, 2, 2], len(pids) // 4).astype(np.int64)
    return CorrectionSampler(pids, camids, pids < 100, **settings)  # type: ignore[arg-type]


def pids_of(batch: np.ndarray) -> list[int]:
    return np.repeat(np.r_[1:21, 101:113], 4)[batch].tolist()


def test_correction_sampler__every_batch__replay_share_conflict_pair_and_whole_identities() -> None:
    sampler = correction_sampler()
    seen: set[int] = set()
    for step in range(30):
        pids = pids_of(sampler.batch(step))
        assert [pids.count(pid) for pid in dict.fromkeys(pids)] == [4] * 10
        corrected = {pid for pid in pids if pid > 100}
        assert len(corrected) == 4
        assert {101, 102} <= corrected or {103, 104} <= corrected
        seen |= set(pids)
    assert seen == {*range(1, 21), *range(101, 113)}


def test_correction_sampler__share_between_whole_identities__rounds_towards_replay() -> None:
    sampler = correction_sampler(identities_per_batch=8)  # 4.8 of 8
    assert (sampler.num_replay, sampler.num_corrected) == (5, 3)


def test_correction_sampler__conflict_of_one_camera__takes_no_part() -> None:
    pids = np.repeat([1, 2, 101, 102, 103], 4).astype(np.int64)
    camids = np.where(pids == 102, 1, np.tile([1, 1, 2, 2], 5)).astype(np.int64)
    sampler = CorrectionSampler(
        pids,
        camids,
        pids < 100,
        [(101, 102)],
        identities_per_batch=3,
        crops_per_identity=2,
        replay_share=0.3,
        conflict_share=1.0,
        seed=0,
    )
    together = [{101, 102} <= set(pids[sampler.batch(step)].tolist()) for step in range(20)]
    assert not all(together)


def test_correction_sampler__same_step__same_batch_and_crops_of_both_cameras() -> None:
    first, second = correction_sampler().batch(7), correction_sampler().batch(7)
    assert np.array_equal(first, second)
    camids = np.tile([1, 1, 2, 2], 32)[first].reshape(10, 4)
    assert all(set(row) == {1, 2} for row in camids.tolist())


def test_correction_sampler__triplets_of_a_conflict__one_is_whole_in_every_batch() -> None:
    # Crops 80 to 83 are pid 101, 84 to 87 pid 102.
    triplets = np.array([[80, 82, 85], [87, 84, 81]])
    sampler = correction_sampler(conflicts=[(101, 102)], triplets=triplets, crops_per_identity=2)
    whole = [np.isin(triplets, sampler.batch(step)).all(axis=1) for step in range(20)]
    assert np.any(whole, axis=1).all()
    assert np.any(whole, axis=0).all()
    assert all(len(sampler.batch(step)) == 20 for step in range(3))


def test_correction_sampler__nothing_corrected__all_replay() -> None:
    pids = np.repeat(np.arange(1, 9), 3).astype(np.int64)
    sampler = CorrectionSampler(
        pids,
        np.tile([1, 2, 3], 8).astype(np.int64),
        np.ones(24, dtype=np.bool_),
        [],
        identities_per_batch=4,
        crops_per_identity=2,
        replay_share=0.6,
        conflict_share=0.5,
        seed=0,
    )
    assert len(set(pids[sampler.batch(0)].tolist())) == 4


def test_correction_sampler__too_few_corrected__refused() -> None:
    with pytest.raises(InputError, match="there are 20 and 12"):
        correction_sampler(identities_per_batch=40, replay_share=0.5)
