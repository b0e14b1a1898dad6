from __future__ import annotations

from dataclasses import replace

import pytest

from reid_core.errors import InputError
from reid_core.retraining.leaks import LeakError
from reid_core.retraining.pools import Pools
from reid_core.retraining.records import Resolution
from reid_core.retraining.snapshot import freeze
from tests.unit.retraining.small_sets import crop, say, train_crop


def changed(pools: Pools, image_id: str, **facts: object) -> Pools:
    crops = tuple(replace(c, **facts) if c.image_id == image_id else c for c in pools.crops)  # type: ignore[arg-type]
    return Pools(pools.name, crops)


def leak_of(pools: Pools, log: list, *resolutions: Resolution):  # type: ignore[no-untyped-def, type-arg]
    with pytest.raises(LeakError) as caught:
        freeze(pools, log, resolutions=resolutions)
    return caught.value.leaks


def test_leak__component_across_train_and_feedback__blocks_and_says_where(pools: Pools) -> None:
    (leak,) = leak_of(pools, [say(train_crop(11, 1), crop(1, 1), "same")])
    assert leak.ties == ("identity",)
    assert leak.where == ("feedback",)
    assert (leak.num_training, leak.num_evaluation) == (2, 4)
    assert leak.key == "identity:1"
    assert train_crop(11, 1) in leak.training
    assert crop(1, 1) in leak.evaluation


def test_leak__moved_to_evaluation__training_crops_become_gallery(pools: Pools) -> None:
    log = [say(train_crop(11, 1), crop(1, 1), "same")]
    snapshot = freeze(pools, log, resolutions=[Resolution("identity:1", "evaluation")])
    assert {snapshot.by_id[c].use for c in (train_crop(11, 1), train_crop(11, 2), crop(1, 1))} == {
        "evaluation"
    }
    assert snapshot.resolutions == (Resolution("identity:1", "evaluation"),)


def test_leak__dropped__training_crops_are_unused_and_evaluation_stays(pools: Pools) -> None:
    log = [say(train_crop(11, 1), crop(1, 1), "same")]
    snapshot = freeze(pools, log, resolutions=[Resolution("identity:1", "drop")])
    assert snapshot.by_id[train_crop(11, 2)].use == "dropped"
    assert snapshot.by_id[crop(1, 1)].use == "evaluation"
    assert snapshot.by_id[train_crop(12, 1)].use == "train"


def test_leak__override__needs_a_reason_that_is_kept_in_the_hash(pools: Pools) -> None:
    log = [say(train_crop(11, 1), crop(1, 1), "same")]
    with pytest.raises(InputError, match="needs a reason"):
        Resolution("identity:1", "override", "because")
    reasons = ["Trained on purpose: a sanity run.", "Trained on purpose: another run."]
    frozen = [freeze(pools, log, resolutions=[Resolution("identity:1", "override", r)]) for r in reasons]
    assert frozen[0].by_id[train_crop(11, 1)].use == "train"
    assert frozen[0].hash != frozen[1].hash


def test_leak__label_shared_with_the_locked_test__withheld_when_moved(pools: Pools) -> None:
    shared = changed(changed(pools, train_crop(11, 1), pid=21), train_crop(11, 2), pid=21)
    (leak,) = leak_of(shared, [])
    assert leak.where == ("locked",)
    assert set(leak.ties) == {"identity", "label"}
    snapshot = freeze(shared, [], resolutions=[Resolution("identity:21", "evaluation")])
    assert snapshot.by_id[train_crop(11, 1)].use == "withheld"
    assert len(snapshot.used("locked")) == 4


def test_leak__merged_away_label_of_the_locked_test__still_found(pools: Pools) -> None:
    shared = changed(pools, crop(1, 3), pid=21)
    log = [say(crop(1, 3), crop(1, 1), "same")]
    (leak,) = leak_of(shared, log)
    assert (leak.pid, leak.ties, leak.where) == (1, ("label",), ("locked",))


def test_leak__same_picture_under_two_names__found_by_content(pools: Pools) -> None:
    content = pools.by_id[crop(2, 1)].sha256
    shared = changed(pools, train_crop(12, 2), sha256=content)
    (leak,) = leak_of(shared, [])
    assert (leak.key, leak.ties) == ("identity:12", ("picture",))
    assert leak.training == (train_crop(12, 2),)
    assert (leak.num_training, leak.num_evaluation) == (2, 1)
    assert "trains with 2 crops, 1 of them a copy, and is in the feedback test with 1 crop (" in leak.sentence


def test_leak__way_out_opens_another__asked_again(pools: Pools) -> None:
    """Identity 1 moves to evaluation with a picture that identity 12 trains on."""
    content = pools.by_id[train_crop(11, 2)].sha256
    shared = changed(pools, train_crop(12, 2), sha256=content)
    log = [say(train_crop(11, 1), crop(1, 1), "same")]
    (leak,) = leak_of(shared, log, Resolution("identity:1", "evaluation"))
    assert leak.key == "identity:12"
    both = [Resolution("identity:1", "evaluation"), Resolution("identity:12", "drop")]
    assert freeze(shared, log + [say(crop(3, 1), crop(3, 2), "same")], resolutions=both).used("train")


def test_leak__resolution_of_no_leak__is_not_recorded(pools: Pools) -> None:
    assert freeze(pools, [], resolutions=[Resolution("identity:99", "drop")]).resolutions == ()
    with pytest.raises(InputError, match="resolved twice"):
        freeze(
            pools, [], resolutions=[Resolution("identity:9", "drop"), Resolution("identity:9", "evaluation")]
        )


def test_leak__parts_that_judgements_told_apart__are_no_leak(pools: Pools) -> None:
    log = [say(crop(1, 3), 1, "different"), say(crop(1, 1), crop(1, 2), "same")]
    snapshot = freeze(pools, log)
    assert (snapshot.by_id[crop(1, 1)].use, snapshot.by_id[crop(1, 3)].use) == ("train", "evaluation")
