"""From an exported set to a candidate, on a tiny set with a label error that people found."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from reid_core.data import read_manifest
from reid_core.errors import DatasetError, InputError
from reid_core.evaluation import EvalReport, evaluate_ranking
from reid_core.models import (
    LoadedWeights,
    OSNet,
    Preprocessing,
    WeightSpec,
    build_osnet,
    load_weights,
    save_weights,
)
from reid_core.training import (
    CorrectionSet,
    RunFolder,
    Stage,
    TrainConfig,
    get_recipe,
    read_correction_set,
    retrain,
)
from reid_core.training.corrections import correction_trainer, hold_out_validation, num_ranked_right
from reid_core.training.interpolation import MixPoint, choose_point, interpolated, sweep
from reid_core.training.likeness import NegativeTrust

SIZE = (32, 16)
BASE_PIDS = 7
"""Identities 1 to 7 of the tiny set are the base, 8 to 12 the corrected part."""


@pytest.fixture(scope="session")
def exported(tiny_set: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny set in the exported format: judgements on 8 against 9 and within 10, one triplet."""
    root = tmp_path_factory.mktemp("exported")
    records = read_manifest(tiny_set / "manifest.csv").train
    (root / "bounding_box_train").mkdir()
    rows, name_of = [], {}
    for record in records:
        assert record.pid is not None
        name = f"bounding_box_train/{record.path.name}"
        (root / name).write_bytes(record.path.read_bytes())
        name_of.setdefault(record.pid, []).append(name)
        is_base = record.pid <= BASE_PIDS
        rows.append(
            [
                name,
                "train",
                record.pid,
                record.camid,
                1.0 if is_base else 0.9,
                "base" if is_base else "feedback",
            ]
        )
    _write(root / "manifest.csv", ["path", "split", "pid", "camid", "weight", "origin"], rows)
    _write(
        root / "constraints.csv",
        ["left", "right", "kind", "weight", "similarity", "decision_id"],
        [
            [name_of[8][0], name_of[9][0], "cannot", 3.0, 0.9, "d1"],
            [name_of[10][0], name_of[10][1], "must", 3.0, "", "d2"],
        ],
    )
    _write(
        root / "triplets.csv",
        ["anchor", "positive", "negative", "violation"],
        [
            [name_of[8][0], name_of[8][1], name_of[9][0], 0.2],
            [name_of[8][1], name_of[8][0], name_of[9][1], -0.2],
        ],
    )
    return root


@pytest.fixture
def corrections(exported: Path) -> CorrectionSet:
    return read_correction_set(exported, size=SIZE)


@pytest.fixture
def config() -> TrainConfig:
    return replace(
        get_recipe("from-corrections"),
        stages=(Stage(1.0, *SIZE, by_identity=True),),
        steps=8,
        batch_size=20,
        warmup_steps=2,
        validation_identities=2,
        checkpoint_steps=4,
    )


@pytest.fixture
def served(tmp_path: Path) -> LoadedWeights:
    torch.manual_seed(0)
    network = build_osnet("osnet_x0_25").eval()
    spec = WeightSpec("served", "osnet_x0_25", Preprocessing(height=SIZE[0], width=SIZE[1]))
    save_weights(tmp_path / "served.safetensors", network, spec)
    return load_weights(tmp_path / "served.safetensors")


def _write(path: Path, header: list[str], rows: list[list[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])


def test_read_correction_set__roles_weights_pairs_and_triplets(corrections: CorrectionSet) -> None:
    assert len(corrections.crops) == 72
    assert set(corrections.crops.pids[corrections.is_replay]) == set(range(1, BASE_PIDS + 1))
    assert set(corrections.weights[~corrections.is_replay].tolist()) == {np.float32(0.9)}
    assert corrections.pairs.is_must.tolist() == [False, True]
    assert corrections.crops.pids[corrections.pairs.rows].tolist() == [[8, 9], [10, 10]]
    assert corrections.conflicts() == [(8, 9)]
    assert corrections.violations.tolist() == pytest.approx([0.2, -0.2])


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("manifest.csv", ",feedback", ",elsewhere", "origin 'elsewhere'"),
        ("manifest.csv", ",0.9,", ",1.9,", "weight '1.9'"),
        ("constraints.csv", "cannot", "perhaps", "kinds \\['perhaps'\\]"),
        ("constraints.csv", "bounding_box_train/0008", "bounding_box_train/0088", "not a training crop"),
        ("triplets.csv", "violation", "excess", "no column violation"),
    ],
)
def test_read_correction_set__faulty_file__refused(
    exported: Path, tmp_path: Path, file: str, old: str, new: str, message: str
) -> None:
    for name in ("manifest.csv", "constraints.csv", "triplets.csv"):
        text = (exported / name).read_text()
        (tmp_path / name).write_text(text.replace(old, new) if name == file else text)
    (tmp_path / "bounding_box_train").symlink_to(exported / "bounding_box_train")
    with pytest.raises(DatasetError, match=message):
        read_correction_set(tmp_path, size=SIZE)


def test_read_correction_set__plain_folder__refused(tiny_set: Path) -> None:
    with pytest.raises(DatasetError, match="not an exported retraining set"):
        read_correction_set(tiny_set, size=SIZE)


def test_retrain__tiny_set__candidate_between_old_and_new(
    corrections: CorrectionSet, config: TrainConfig, served: LoadedWeights, tmp_path: Path
) -> None:
    before = {name: value.clone() for name, value in served.model.state_dict().items()}
    run = RunFolder.create(tmp_path / "run", config, {})
    candidate = retrain(config, corrections, served, run)
    assert [point.alpha for point in candidate.curve] == pytest.approx([i / 10 for i in range(11)])
    chosen = min(candidate.curve, key=lambda point: abs(point.alpha - candidate.alpha))
    assert chosen.fixed == candidate.fixed / candidate.violations
    assert candidate.violations == 1
    assert candidate.path.is_file()
    assert (run.path / "trained.safetensors").is_file()
    assert (run.path / "interpolation.json").is_file()
    assert all(torch.equal(value, before[name]) for name, value in served.model.state_dict().items())


def test_retrain__running_statistics__stay_those_of_the_served_net(
    corrections: CorrectionSet, config: TrainConfig, served: LoadedWeights
) -> None:
    trainer = correction_trainer(config, corrections, served)
    for _ in range(3):
        losses = trainer.train_one_step()
    assert {"identity", "triplet", "contrastive", "distillation", "pairs"} <= set(losses)
    trained, old = trainer.state.network.state_dict(), served.model.state_dict()
    moved = [name for name in old if not torch.equal(trained[name], old[name])]
    assert moved
    assert not [name for name in moved if "running" in name]


def test_retrain__stopped_and_resumed__every_weight_equal(
    corrections: CorrectionSet, config: TrainConfig, served: LoadedWeights, tmp_path: Path
) -> None:
    whole = correction_trainer(config, corrections, served)
    for _ in range(6):
        whole.train_one_step()
    first = correction_trainer(config, corrections, served)
    for _ in range(3):
        first.train_one_step()
    run = RunFolder.create(tmp_path / "run", config, {})
    run.save_checkpoint(first.state.to_checkpoint())
    second = correction_trainer(config, corrections, served)
    saved = run.load_checkpoint()
    assert saved is not None
    second.state.load_checkpoint(saved)
    for _ in range(3):
        second.train_one_step()
    expected = whole.state.network.state_dict()
    for name, value in second.state.network.state_dict().items():
        assert torch.equal(value, expected[name]), name


def test_correction_trainer__other_input_size__refused(
    corrections: CorrectionSet, config: TrainConfig, served: LoadedWeights
) -> None:
    other = replace(config, stages=(Stage(1.0, 64, 32, by_identity=True),))
    with pytest.raises(InputError, match=r"at \(64, 32\).*at \(32, 16\)"):
        correction_trainer(other, corrections, served)


def test_correction_trainer__recipe_without_corrections__refused(
    corrections: CorrectionSet, served: LoadedWeights
) -> None:
    with pytest.raises(InputError, match="does not train from corrections"):
        correction_trainer(get_recipe("demo"), corrections, served)


def test_hold_out_validation__no_evaluation_identities__corrected_people_leave_training(
    corrections: CorrectionSet,
) -> None:
    left, (query, gallery) = hold_out_validation(corrections, 2, seed=0)
    chosen = set(query.pids.tolist())
    assert len(chosen) == 2
    assert chosen < set(range(BASE_PIDS + 1, 13))
    assert set(gallery.pids.tolist()) == set(range(1, 13))
    assert not chosen & set(left.crops.pids.tolist())
    kept = [pair for pair in ([8, 9], [10, 10]) if not chosen & set(pair)]
    assert left.crops.pids[left.pairs.rows].tolist() == kept
    assert left.crops.num_identities == 10


def test_hold_out_validation__other_seeds__others_are_drawn_and_the_same_seed_draws_the_same(
    corrections: CorrectionSet,
) -> None:
    drawn = [hold_out_validation(corrections, 2, seed=seed)[1][0].pids.tolist() for seed in range(8)]
    assert len({tuple(pids) for pids in drawn}) > 1
    assert hold_out_validation(corrections, 2, seed=5)[1][0].pids.tolist() == drawn[5]


def test_hold_out_validation__some_in_triplets__leave_training_only_when_the_others_are_too_few(
    corrections: CorrectionSet,
) -> None:
    assert set(corrections.crops.pids[corrections.triplets].ravel().tolist()) == {8, 9}
    for seed in range(8):
        left, (query, _) = hold_out_validation(corrections, 3, seed=seed)
        assert set(query.pids.tolist()) == {10, 11, 12}
        assert len(left.triplets) == len(corrections.triplets)
    assert len(set(hold_out_validation(corrections, 4, seed=0)[1][0].pids.tolist()) & {8, 9}) == 1


def test_hold_out_validation__large_base__an_eighth_of_its_people_chooses_too(
    corrections: CorrectionSet,
) -> None:
    all_base = replace(corrections, is_replay=corrections.crops.pids <= 8)
    left, (query, _) = hold_out_validation(all_base, 2, seed=0)
    chosen = set(query.pids.tolist())
    assert [len(chosen & base) for base in (set(range(1, 9)), set(range(9, 13)))] == [1, 2]
    assert not chosen & set(left.crops.pids.tolist())
    assert hold_out_validation(all_base, 0, seed=0)[0].crops.num_identities == 12


def test_negative_trust__base_and_judged_pairs_count_fully_and_twins_not_at_all(
    corrections: CorrectionSet,
) -> None:
    rng = np.random.default_rng(0)
    labels = corrections.crops.labels.numpy()
    centres = rng.normal(size=(12, 64))
    centres[11] = centres[10]  # pid 12 is pid 11 under another number, and nobody compared them
    centres[8] = centres[7]  # pid 9 looks like pid 8, but somebody told them apart
    vectors = (centres[labels] + 0.3 * rng.normal(size=(72, 64))).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    trust = NegativeTrust(corrections, vectors, mine_below=0.5)
    by_identity = trust.of_identities(torch.arange(12))
    assert bool((by_identity[:7, :7] == 1).all())
    assert by_identity[7, 8] == by_identity[8, 7] == 1
    assert by_identity[10, 11] == by_identity[11, 10] == 0
    assert by_identity[10, 10] == 1
    assert 0.5 < float(by_identity[9, 10]) <= 1
    by_crop = trust.of_crops(torch.arange(72))
    of_11, of_12 = np.flatnonzero(labels == 10), np.flatnonzero(labels == 11)
    assert float(by_crop[of_11][:, of_12].mean()) < 0.1


def test_interpolated__half_way__mean_of_both_and_ends_are_the_nets() -> None:
    old, new = build_osnet("osnet_x0_25"), build_osnet("osnet_x0_25")
    half = interpolated(old, new, 0.5).state_dict()
    for name, value in half.items():
        if value.is_floating_point():
            torch.testing.assert_close(value, (old.state_dict()[name] + new.state_dict()[name]) / 2)
    for end, alpha in ((old, 0.0), (new, 1.0)):
        got = interpolated(old, new, alpha).state_dict()
        assert all(torch.allclose(value, end.state_dict()[name]) for name, value in got.items())


def test_sweep__score_of_the_stem__eleven_points_and_the_best_is_near_the_target() -> None:
    old, new = build_osnet("osnet_x0_25"), build_osnet("osnet_x0_25")
    target = interpolated(old, new, 0.3).conv1.conv.weight

    def judge(net: OSNet) -> tuple[float, None]:
        return -float((net.conv1.conv.weight - target).detach().abs().sum()), None

    points = sweep(old, new, judge, parts=10)
    assert len(points) == 11
    assert max(points, key=lambda point: point.score).alpha == pytest.approx(0.3)


def report_of(precisions: list[float]) -> EvalReport:
    """One query of each of some people, with average precisions of 1 or a half."""
    number = len(precisions)
    pids = np.arange(1, number + 1)
    distances = np.ones((number, number))
    for row, precision in enumerate(precisions):
        distances[row, row] = 0.5
        if precision < 1:
            distances[row, (row + 1) % number] = 0.1
    return evaluate_ranking(
        distances,
        query_pids=pids,
        gallery_pids=pids,
        query_camids=np.full(number, 1),
        gallery_camids=np.full(number, 2),
    )


def test_choose_point__nothing_fixed__farthest_that_is_not_clearly_below_the_best() -> None:
    best = [1.0] * 20
    one_worse, all_worse = [*[1.0] * 19, 0.5], [0.5] * 20
    points = [MixPoint(alpha, score) for alpha, score in ((0.2, 0.9), (0.4, 1.0), (0.6, 0.97), (0.8, 0.5))]
    reports = [report_of(each) for each in (one_worse, best, one_worse, all_worse)]
    assert choose_point(points, reports).alpha == 0.6
    assert choose_point(points[:2], reports[:2]).alpha == 0.4


def test_choose_point__some_fix_half__the_best_of_them_unless_clearly_worse_than_the_old_net() -> None:
    old, better, clearly_worse = [*[1.0] * 15, *[0.5] * 5], [1.0] * 20, [0.5] * 20
    points = [
        MixPoint(0.0, 0.88, 0.0),
        MixPoint(0.5, 1.0, 0.49),
        MixPoint(0.9, 0.88, 0.5),
        MixPoint(1.0, 0.5, 0.9),
    ]
    reports = [report_of(each) for each in (old, better, old, clearly_worse)]
    assert choose_point(points, reports).alpha == 0.9
    all_bad = [*points[:2], MixPoint(0.9, 0.5, 0.5), points[3]]
    assert choose_point(all_bad, [*reports[:2], reports[3], reports[3]]).alpha == 0.5


def test_interpolated__two_widths__refused() -> None:
    with pytest.raises(InputError, match="cannot be mixed"):
        interpolated(build_osnet("osnet_x0_25"), build_osnet("osnet_x0_5"), 0.5)


def test_num_ranked_right__by_hand() -> None:
    vectors = np.array([[1, 0], [0.8, 0.6], [0, 1]], dtype=np.float32)
    assert num_ranked_right(vectors, np.array([[0, 1, 2], [0, 2, 1]])) == 1
