from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from reid_core.data.corruptions import CORRUPTIONS
from reid_core.errors import CancelledError, DatasetError
from reid_core.evaluation import SINGLE_CAMERA
from reid_core.experiments.breakdown import camera_matrix
from reid_core.experiments.embedding import CorruptionRun, embed_records
from reid_core.experiments.evaluate import EvaluationPlan, evaluate_dataset
from reid_core.experiments.pairs import count_pairs
from reid_core.experiments.results import query_table, score_table, write_results
from reid_core.images import read_image
from reid_core.types import Dataset, EmbeddingSet, ImageRecord, Refusal


class MeanColour:
    """Embeds a crop as the mean colour of its four quarters; counts what it is asked for."""

    def __init__(self, fingerprint: str = "mean-colour") -> None:
        self.fingerprint = fingerprint
        self.num_embedded = 0

    def embed(self, images: Sequence[Any], *, ids: Sequence[str] | None = None) -> EmbeddingSet:
        assert ids is not None
        rows, kept, skipped = [], [], []
        for image, own_id in zip(images, ids, strict=True):
            self.num_embedded += 1
            try:
                pixels = np.asarray(read_image(image).resize((16, 32)), dtype=np.float32)
            except Exception as error:
                skipped.append(Refusal(own_id, str(error)))
                continue
            row = 1 + pixels.reshape(2, 16, 2, 8, 3).mean(axis=(1, 3)).ravel()
            rows.append(row / np.linalg.norm(row))
            kept.append(own_id)
        vectors = np.array(rows, dtype=np.float32).reshape(len(rows), 12)
        return EmbeddingSet(vectors, tuple(kept), self.fingerprint, tuple(skipped))


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    """12 people of four colours each, every crop tinted anew, 3 cameras; a junk crop, two distractors."""
    rng = np.random.default_rng(0)
    root = tmp_path / "city"
    root.mkdir()

    def crop(pid: int, camid: int, number: int) -> ImageRecord:
        name = f"{pid:04d}_c{camid}s1_{number:06d}_00.png"
        person = np.random.default_rng(abs(pid) * 7 + (pid < 1) * 1000 + number * (pid < 1))
        colours = person.integers(0, 255, (2, 1, 2, 1, 3)) + rng.normal(0, 55, 3)
        pixels = np.broadcast_to(colours, (2, 16, 2, 8, 3)).reshape(32, 16, 3) + rng.normal(0, 9, (32, 16, 3))
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(root / name)
        return ImageRecord(name, root / name, pid=pid, camid=camid)

    people = range(1, 13)
    query = tuple(crop(pid, 1, 1) for pid in people)
    gallery = tuple(crop(pid, camid, 2) for pid in people for camid in (1, 2, 3))
    extra = (crop(-1, 2, 3), crop(0, 2, 4), crop(0, 3, 5))
    return Dataset("city", root, query=query, gallery=(*gallery, *extra))


def test_evaluate_dataset__clean__same_camera_and_junk_left_out(dataset: Dataset, tmp_path: Path) -> None:
    found = evaluate_dataset(dataset, MeanColour(), EvaluationPlan(), cache_dir=tmp_path / "cache")
    assert found.report.num_queries == 12
    assert found.report.per_query.num_matches.tolist() == [2] * 12
    assert found.report.per_query.num_kept.tolist() == [37] * 12
    assert 0.3 < found.report.mean_ap < 1.0


def test_evaluate_dataset__second_run__nothing_embedded_again(dataset: Dataset, tmp_path: Path) -> None:
    first, second = MeanColour(), MeanColour()
    plan = EvaluationPlan(corruption="mixed", repeats=2)
    one = evaluate_dataset(dataset, first, plan, cache_dir=tmp_path / "cache")
    two = evaluate_dataset(dataset, second, plan, cache_dir=tmp_path / "cache")
    assert first.num_embedded == 3 * (12 + 39)
    assert second.num_embedded == 0
    assert one.settings == two.settings


def test_evaluate_dataset__changed_file_or_model__embedded_again(dataset: Dataset, tmp_path: Path) -> None:
    evaluate_dataset(dataset, MeanColour(), EvaluationPlan(), cache_dir=tmp_path / "cache")
    Image.new("RGB", (16, 32), "red").save(dataset.query[0].path)
    changed = MeanColour()
    evaluate_dataset(dataset, changed, EvaluationPlan(), cache_dir=tmp_path / "cache")
    assert changed.num_embedded == 12
    other = MeanColour("other model")
    found = evaluate_dataset(dataset, other, EvaluationPlan(), cache_dir=tmp_path / "cache")
    assert other.num_embedded == 12 + 39
    assert found.fingerprint == "other model"


def test_evaluate_dataset__mixed_corruption__four_settings_with_spread(
    dataset: Dataset, tmp_path: Path
) -> None:
    plan = EvaluationPlan(corruption="mixed", repeats=3)
    found = evaluate_dataset(dataset, MeanColour(), plan, cache_dir=tmp_path / "cache")
    by_name = {setting.setting: setting for setting in found.settings}
    assert list(by_name) == ["clean", "corrupted query and gallery", "corrupted query", "corrupted gallery"]
    assert by_name["corrupted query and gallery"].mean["mean_ap"] < by_name["clean"].mean["mean_ap"]
    assert by_name["corrupted query"].std["mean_ap"] > 0
    again = evaluate_dataset(dataset, MeanColour(), plan, cache_dir=tmp_path / "elsewhere")
    assert again.settings == found.settings
    other_seed = evaluate_dataset(
        dataset, MeanColour(), replace(plan, seed=1), cache_dir=tmp_path / "elsewhere"
    )
    assert other_seed.settings != found.settings


def test_evaluate_dataset__grid__every_type_at_every_severity(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    types = {name: CORRUPTIONS[name] for name in ("fog", "contrast", "shot_noise")}
    monkeypatch.setattr("reid_core.experiments.evaluate.CORRUPTIONS", types)
    small = replace(dataset, query=dataset.query[:4], gallery=dataset.gallery[:14])
    plan = EvaluationPlan(corruption="grid")
    found = evaluate_dataset(small, MeanColour(), plan, cache_dir=tmp_path / "cache")
    assert set(found.grid) == {(name, severity) for name in types for severity in range(1, 6)}
    written = write_results(found, tmp_path / "out")
    assert len(pd.read_csv(tmp_path / "out" / "corruptions.csv")) == 15
    assert [path.name for path in written][-2:] == ["corruptions.csv", "figures.html"]


def test_evaluate_dataset__reranked__second_row_of_scores(dataset: Dataset, tmp_path: Path) -> None:
    found = evaluate_dataset(dataset, MeanColour(), EvaluationPlan(rerank=True), cache_dir=tmp_path)
    assert [setting.setting for setting in found.settings] == ["clean", "clean, re-ranked"]
    assert found.settings[0].mean != found.settings[1].mean


def test_evaluate_dataset__damaged_gallery_image__left_out_and_listed(
    dataset: Dataset, tmp_path: Path
) -> None:
    dataset.gallery[0].path.write_bytes(b"no image")
    found = evaluate_dataset(dataset, MeanColour(), EvaluationPlan(), cache_dir=tmp_path / "cache")
    assert [refusal.item for refusal in found.skipped] == [dataset.gallery[0].image_id]
    assert len(found.gallery) == found.report.num_gallery == 38
    assert [record.image_id for record in found.gallery] == list(found.gallery_embeddings.ids)


def test_evaluate_dataset__no_gallery__sentence(dataset: Dataset, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="both are needed"):
        evaluate_dataset(replace(dataset, gallery=()), MeanColour(), EvaluationPlan(), cache_dir=tmp_path)


def test_evaluate_dataset__no_cameras__refused_or_single_camera(dataset: Dataset, tmp_path: Path) -> None:
    blind = replace(
        dataset,
        query=tuple(replace(r, camid=None) for r in dataset.query),
        gallery=tuple(replace(r, camid=None) for r in dataset.gallery),
    )
    with pytest.raises(DatasetError, match="single_camera"):
        evaluate_dataset(blind, MeanColour(), EvaluationPlan(), cache_dir=tmp_path)
    plan = EvaluationPlan(protocol=SINGLE_CAMERA)
    found = evaluate_dataset(blind, MeanColour(), plan, cache_dir=tmp_path)
    assert found.report.per_query.num_matches.tolist() == [3] * 12


def test_evaluate_dataset__unknown_identity__refused(dataset: Dataset, tmp_path: Path) -> None:
    nameless = replace(dataset, query=(replace(dataset.query[0], pid=None),))
    with pytest.raises(DatasetError, match="no identity"):
        evaluate_dataset(nameless, MeanColour(), EvaluationPlan(), cache_dir=tmp_path)


def test_embed_records__cancelled__finished_chunks_kept(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reid_core.experiments.embedding.CHUNK", 10)
    calls = 0

    def cancel() -> None:
        nonlocal calls
        calls += 1
        if calls > 2:
            raise CancelledError("stopped")

    with pytest.raises(CancelledError):
        embed_records(MeanColour(), dataset.gallery, cache_dir=tmp_path, cancel=cancel)
    rest = MeanColour()
    whole = embed_records(rest, dataset.gallery, cache_dir=tmp_path)
    assert rest.num_embedded == 39 - 20
    assert whole.ids == tuple(record.image_id for record in dataset.gallery)


def test_embed_records__damaged_cache_file__computed_again(dataset: Dataset, tmp_path: Path) -> None:
    clean = embed_records(MeanColour(), dataset.query, cache_dir=tmp_path)
    (cached,) = tmp_path.glob("*.npz")
    cached.write_bytes(cached.read_bytes()[:100])
    again = MeanColour()
    assert np.array_equal(embed_records(again, dataset.query, cache_dir=tmp_path).vectors, clean.vectors)
    assert again.num_embedded == 12


def test_embed_records__corrupted__differs_from_clean_and_repeats_itself(
    dataset: Dataset, tmp_path: Path
) -> None:
    clean = embed_records(MeanColour(), dataset.query, cache_dir=tmp_path)
    hard = [
        embed_records(MeanColour(), dataset.query, cache_dir=tmp_path / str(n), corruption=CorruptionRun(5))
        for n in range(2)
    ]
    assert not np.array_equal(clean.vectors, hard[0].vectors)
    assert np.array_equal(hard[0].vectors, hard[1].vectors)


def test_count_pairs__small_set__every_valid_pair_once(dataset: Dataset, tmp_path: Path) -> None:
    found = evaluate_dataset(dataset, MeanColour(), EvaluationPlan(), cache_dir=tmp_path)
    pairs = count_pairs(found)
    assert pairs.matches.sum() == 12 * 2
    assert pairs.mismatches.sum() == 12 * (11 * 3 + 2)
    recall, precision = pairs.precision_recall()
    assert recall[-1] == 1.0
    assert precision[-1] == pytest.approx(24 / (24 + 420))


def test_write_results__all_files__readable_and_consistent(dataset: Dataset, tmp_path: Path) -> None:
    plan = EvaluationPlan(corruption="mixed", repeats=2)
    found = evaluate_dataset(dataset, MeanColour(), plan, cache_dir=tmp_path / "cache")
    write_results(found, tmp_path / "out")
    summary = json.loads((tmp_path / "out" / "results.json").read_text())
    assert summary["settings"][0]["mean"]["mean_ap"] == pytest.approx(found.report.mean_ap)
    scores = pd.read_csv(tmp_path / "out" / "scores.csv")
    assert scores["setting"].tolist()[0] == "clean"
    queries = pd.read_parquet(tmp_path / "out" / "queries.parquet")
    assert queries["ap"].is_monotonic_increasing
    assert queries["ap"].mean() == pytest.approx(found.report.mean_ap)
    page = (tmp_path / "out" / "figures.html").read_text()
    assert "Precision and recall" in page
    assert "cdn.plot.ly" not in page.split("plotly.js v")[0]


def test_evaluate_dataset__cameras__every_pair_sliced_with_intervals(
    dataset: Dataset, tmp_path: Path
) -> None:
    found = evaluate_dataset(dataset, MeanColour(), EvaluationPlan(), cache_dir=tmp_path / "cache")
    cameras, matrix = camera_matrix(found.slices["camera_pairs"], "mean_ap")
    assert cameras == ["1", "2", "3"]
    assert np.isfinite(matrix[0, 1:]).all()
    assert np.isnan(matrix[1:]).all()
    interval = found.intervals["mean_ap"]
    assert interval.low < found.report.mean_ap < interval.high
    assert 0.0 <= found.roc.eer <= 0.5
    write_results(found, tmp_path / "out")
    assert len(pd.read_csv(tmp_path / "out" / "slices_camera_pairs.csv")) == 2


def test_query_table__worst_query__names_its_first_false_match(dataset: Dataset, tmp_path: Path) -> None:
    found = evaluate_dataset(dataset, MeanColour(), EvaluationPlan(), cache_dir=tmp_path)
    table = query_table(found)
    row = table.iloc[0]
    gallery_pids = {record.image_id: record.pid for record in found.gallery}
    assert gallery_pids[row["best_false_id"]] != row["pid"]
    assert gallery_pids[row["best_match_id"]] == row["pid"]


def test_score_table__repeats__mean_and_deviation(dataset: Dataset, tmp_path: Path) -> None:
    plan = EvaluationPlan(corruption="mixed", repeats=2)
    found = evaluate_dataset(dataset, MeanColour(), plan, cache_dir=tmp_path / "cache")
    lines = score_table(found.settings).split("\n")
    assert len(lines) == 5
    assert "±" not in lines[1]
    assert "±" in lines[2]
