"""Evaluation runs from the request to the kept folder, on a small gallery with a network without weights."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from reid_core.data import open_dataset
from reid_core.errors import InputError
from reid_core.experiments.evaluate import EvaluationPlan, evaluate_dataset
from reid_core.services import Workbench
from reid_core.services.evaluations import FailureFilter, RunInfo, RunRequest, strip_of
from reid_core.services.evaluations.failures import choose, describe, judge, suggest
from reid_core.services.evaluations.store import RunImage
from reid_core.services.model_shelf import LoadedModel
from tests.evaluation_bench import open_bench, run
from tests.service_fakes import (
    ColourNetwork,
    import_and_wait,
    make_settings,
    person_image,
    wait_until_over,
    write_market,
)

SIZE = (32, 64)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_market(tmp_path_factory.mktemp("market") / "market", num_people=8)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory, root: Path) -> Iterator[Workbench]:
    """For all tests; those that change runs make their own."""
    with open_bench(tmp_path_factory.mktemp("bench"), root) as workbench:
        yield workbench


@pytest.fixture(scope="module")
def clean(bench: Workbench) -> RunInfo:
    return run(bench, rerank=True)


def test_start__split__same_numbers_as_the_command(
    bench: Workbench, clean: RunInfo, root: Path, tmp_path: Path
) -> None:
    plan = EvaluationPlan(rerank=True)
    expected = evaluate_dataset(open_dataset(root), ColourNetwork(), plan, cache_dir=tmp_path)
    for row, scores in zip(clean.settings, expected.settings, strict=True):
        assert row.mean == pytest.approx(scores.mean)
    opened = bench.evaluations.open(clean.id)
    by_name = {
        Path(image.id).name: ap for image, ap in zip(opened.queries, opened.report.per_query.ap, strict=True)
    }
    for record, ap in zip(expected.query, expected.report.per_query.ap, strict=True):
        assert by_name[Path(record.image_id).name] == pytest.approx(ap)
    assert (
        clean.intervals["mean_ap"].low <= clean.settings[0].mean["mean_ap"] <= clean.intervals["mean_ap"].high
    )


def test_run_folder__kept__config_tables_rankings_and_labels(bench: Workbench, clean: RunInfo) -> None:
    folder = bench.settings.data_dir / "evaluations" / "runs" / clean.id
    stored = json.loads((folder / "run.json").read_text())
    assert stored["fingerprint"] == "colour-1"
    assert stored["manifest_hash"] == bench.open_gallery().space.gallery.manifest_hash
    queries = pd.read_parquet(folder / "queries.parquet")
    assert queries["ap"].is_monotonic_increasing
    assert {"results.json", "scores.csv", "queries.parquet"} <= set(clean.tables)
    assert {"cmc", "precision_recall", "distances", "cameras"} <= set(clean.figures)
    opened = bench.evaluations.open(clean.id, "reranked")
    assert opened.report.num_queries == len(opened.ranking.index) == 8
    assert not list((folder.parent / ".staging").iterdir())


def test_strip__marks__equal_the_evaluators_ranks(bench: Workbench, clean: RunInfo) -> None:
    opened = bench.evaluations.open(clean.id)
    for row in range(len(opened.queries)):
        items = strip_of(opened, row, 50)
        first = next((item.rank for item in items if item.verdict == "true"), None)
        assert first == describe(opened, row, {}).first_match_rank
        false = next((item.image.id for item in items if item.verdict == "false"), None)
        best_false = describe(opened, row, {}).best_false
        assert best_false is not None
        assert false == best_false.id
        assert sum(item.verdict == "same_camera" for item in items) == 1
        assert sum(item.verdict == "junk" for item in items) == 1


def test_worst__no_filter__ap_ascending(bench: Workbench, clean: RunInfo) -> None:
    opened = bench.evaluations.open(clean.id)
    aps = [opened.report.per_query.ap[row] for row in bench.evaluations.worst(opened, FailureFilter())]
    assert len(aps) == 8
    assert aps == sorted(aps)


def test_choose__camera_pair__as_many_as_the_matrix_says(bench: Workbench, clean: RunInfo) -> None:
    opened = bench.evaluations.open(clean.id)
    table = pd.read_csv(
        bench.settings.data_dir / "evaluations" / "runs" / clean.id / "slices_camera_pairs.csv"
    )
    for label, number in zip(table["label"], table["num_queries"], strict=True):
        query_camera, match_camera = (int(word) for word in label.split(" -> "))
        wanted = FailureFilter(query_camera=query_camera, match_camera=match_camera)
        assert len(choose(opened, wanted, {})) == number
    assert len(choose(opened, FailureFilter(query_camera=3), {})) == 0


def test_choose__ap_and_height__closed_and_open_ends(bench: Workbench, clean: RunInfo) -> None:
    opened = bench.evaluations.open(clean.id)
    worst = float(np.nanmin(opened.report.per_query.ap))
    assert len(choose(opened, FailureFilter(ap_to=worst), {})) >= 1
    assert len(choose(opened, FailureFilter(ap_from=1.01), {})) == 0
    assert len(choose(opened, FailureFilter(height_from=64, height_to=65), {})) == 8
    assert len(choose(opened, FailureFilter(height_to=64), {})) == 0


def image(**facts: object) -> RunImage:
    values = {
        "id": "a.jpg",
        "content_hash": "0",
        "width": 64,
        "height": 128,
        "pid": 1,
        "camid": 1,
        "time_s": None,
    }
    return RunImage(**{**values, "attributes": {}, **facts})  # type: ignore[arg-type]


def test_suggest__facts_of_a_manifest__kind_and_reason() -> None:
    query = image(attributes={"family": "3", "height_px": "54", "visible_fraction": "0.4", "occluded": "0"})
    found = {s.kind: s.reason for s in suggest(query, image(pid=2, attributes={"family": "3"}))}
    assert set(found) == {"low resolution", "look-alike", "occlusion"}
    assert "54 px" in found["low resolution"]
    assert suggest(image(attributes={"family": "0"}), image(pid=2, attributes={"family": "0"})) == ()
    assert suggest(image(), None) == ()


def test_judge__protocols__what_counts() -> None:
    from reid_core.evaluation import MARKET1501, OPENREID_CUHK03, SINGLE_CAMERA, TORCHREID

    query = image()
    assert judge(query, image(camid=2), MARKET1501) == "true"
    assert judge(query, image(camid=1), MARKET1501) == "same_camera"
    assert judge(query, image(camid=1), SINGLE_CAMERA) == "true"
    assert judge(query, image(pid=-1), MARKET1501) == "junk"
    assert judge(query, image(pid=-1, camid=2), TORCHREID) == "false"
    assert judge(query, image(pid=5, camid=1), OPENREID_CUHK03) == "junk"
    assert judge(query, image(pid=0, camid=2), MARKET1501) == "false"


def test_compare__other_network__fixed_broken_and_intervals(bench: Workbench, clean: RunInfo) -> None:
    grey = run(bench, model="grey")
    assert grey.fingerprint == "grey-1"
    found = bench.evaluations.compare((grey.id, "plain"), (clean.id, "plain"))
    before, after = found.first.report.per_query, found.second.report.per_query
    assert found.delta == pytest.approx(after.ap - before.ap)
    assert set(found.fixed) == set(
        np.flatnonzero((before.first_match_rank > 1) & (after.first_match_rank == 1))
    )
    assert set(found.broken) == set(
        np.flatnonzero((before.first_match_rank == 1) & (after.first_match_rank > 1))
    )
    difference = found.differences["mean_ap"].interval
    assert difference.estimate == pytest.approx(found.second.report.mean_ap - found.first.report.mean_ap)
    (camera,) = found.cameras
    assert camera.delta == pytest.approx(difference.estimate)
    figures = bench.evaluations.comparison_figures((grey.id, "plain"), (clean.id, "plain"))
    assert sum(1 for _ in figures["delta_histogram"]["data"][0]["x"]) == 8
    assert len(bench.evaluations.figure_file(figures, "delta_sorted", "csv").splitlines()) == 9
    own = bench.evaluations.compare((clean.id, "plain"), (clean.id, "reranked"))
    assert own.differences["rank1"].interval.num_identities == 8


def test_compare__other_protocol_or_itself__refused(bench: Workbench, clean: RunInfo) -> None:
    other = run(bench, protocol="matlab")
    with pytest.raises(InputError, match="different protocols"):
        bench.evaluations.compare((clean.id, "plain"), (other.id, "plain"))
    with pytest.raises(InputError, match="with itself"):
        bench.evaluations.compare((clean.id, "plain"), (clean.id, "plain"))


def test_compare__other_gallery__refused(bench: Workbench, clean: RunInfo, tmp_path: Path) -> None:
    smaller = import_and_wait(bench, write_market(tmp_path / "smaller", num_people=3), name="smaller")
    other = run(bench, gallery=smaller)
    with pytest.raises(InputError, match="different galleries"):
        bench.evaluations.compare((clean.id, "plain"), (other.id, "plain"))
    assert [info.id for info in bench.evaluations.runs(smaller)] == [other.id]


def test_latest_ap__runs_of_two_networks__only_the_asked_one(bench: Workbench, clean: RunInfo) -> None:
    opened = bench.evaluations.open(clean.id)
    found = bench.evaluations.latest_ap()
    assert found == {
        image.id: ap for image, ap in zip(opened.queries, opened.report.per_query.ap, strict=True)
    }


def test_corrupted__mixed__four_settings_and_work_removed(bench: Workbench) -> None:
    info = run(bench, corruption="mixed", repeats=2)
    assert [row.setting for row in info.settings] == [
        "clean",
        "corrupted query and gallery",
        "corrupted query",
        "corrupted gallery",
    ]
    assert info.settings[1].repeats == 2
    assert not list((bench.settings.data_dir / "evaluations" / "unfinished").iterdir())


def test_corrupted__grid_of_two_types__a_cell_each(bench: Workbench) -> None:
    info = run(bench, corruption="grid", grid_types=("fog", "contrast"), grid_severities=(1, 5))
    figure = bench.evaluations.figures(info.id)["corruptions_mean_ap"]["data"][0]
    assert figure["y"] == ["fog", "contrast"]
    assert figure["x"] == ["severity 1", "severity 5"]
    assert len(bench.evaluations.table(info.id, "corruptions.csv").splitlines()) == 5


def test_edit_and_remove__run__note_kept_then_gone(bench: Workbench) -> None:
    info = run(bench, seed=7)
    edited = bench.evaluations.edit(info.id, title="Night cameras", comment="<b>after</b> the new lamps")
    assert bench.evaluations.open(info.id).info.title == "Night cameras"
    assert bench.evaluations.edit(info.id, title="", comment="").title == info.title
    assert edited.comment == "<b>after</b> the new lamps"
    bench.evaluations.remove(info.id)
    with pytest.raises(InputError, match="no evaluation run"):
        bench.evaluations.open(info.id)
    with pytest.raises(InputError, match="no evaluation run"):
        bench.evaluations.open("../../etc")


def test_start__cancelled_then_restarted__goes_on_after_a_restart(tmp_path: Path, root: Path) -> None:
    network = ColourNetwork()
    settings = make_settings(tmp_path, gallery=str(root))
    workbench = Workbench(settings, load_model=lambda _: LoadedModel(network, "c", 0, (256, 128), "", ""))
    workbench.start()
    for job in workbench.jobs():
        wait_until_over(workbench, job.id)
    network.gate.clear()
    job = workbench.evaluations.start(RunRequest(corruption="mixed", repeats=1))
    workbench.cancel(job.id)
    network.gate.set()
    wait_until_over(workbench, job.id)
    assert workbench.job(job.id).state == "cancelled"
    assert workbench.evaluations.runs() == ()

    network.gate.clear()
    job = workbench.evaluations.start(RunRequest(corruption="mixed", repeats=1))
    while workbench.job(job.id).state != "running":
        pass
    network.gate.set()
    workbench.close()
    again = Workbench(settings, load_model=lambda _: LoadedModel(network, "c", 0, (256, 128), "", ""))
    again.start()
    wait_until_over(again, job.id)
    assert again.job(job.id).state == "done"
    assert len(again.evaluations.runs()) == 1
    again.close()


def test_readiness__no_labels_no_queries__problem_and_remedy(bench: Workbench, tmp_path: Path) -> None:
    folder = tmp_path / "nameless"
    folder.mkdir()
    for number in range(4):
        person_image(number + 1, 1).save(folder / f"crop{number}.jpg")
    name = import_and_wait(bench, folder)
    found = bench.evaluations.readiness(name)
    assert "Nobody has said who" in found.problem
    assert found.remedies
    with pytest.raises(InputError, match="Nobody has said who"):
        bench.evaluations.start(RunRequest(gallery=name))


def test_drawn_queries__labelled_gallery_without_split__named_option(
    bench: Workbench, tmp_path: Path, root: Path
) -> None:
    folder = tmp_path / "unsplit"
    shutil.copytree(root / "bounding_box_test", folder)
    name = import_and_wait(bench, folder)
    found = bench.evaluations.readiness(name)
    assert found.query_rules == ("one_per_identity_and_camera",)
    assert found.num_drawn == 24
    with pytest.raises(InputError, match="Draw one query per identity and camera"):
        bench.evaluations.start(RunRequest(gallery=name))
    info = run(bench, gallery=name, queries="one_per_identity_and_camera")
    opened = bench.evaluations.open(info.id)
    assert info.num_queries == 24
    assert set(opened.report.per_query.num_matches) == {2}
    for row, query in enumerate(opened.queries):
        assert query.id not in [item.image.id for item in strip_of(opened, row, 50)]
    single = run(bench, gallery=name, queries="one_per_identity_and_camera", protocol="single_camera")
    assert set(bench.evaluations.open(single.id).report.per_query.num_matches) == {
        2
    }  # never the query itself


def test_request__nonsense__refused() -> None:
    for wrong in (
        {"repeats": 0},
        {"protocol": "mine"},
        {"corruption": "grid", "grid_types": ()},
        {"seed": -1},
    ):
        with pytest.raises(InputError):
            RunRequest(**wrong)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="no request"):
        RunRequest.from_dict({"colour": "red"})


def test_changed_file__corrupted_run__refused(tmp_path: Path) -> None:
    root = write_market(tmp_path / "market", num_people=3)
    workbench = Workbench(
        make_settings(tmp_path, gallery=str(root)),
        load_model=lambda _: LoadedModel(ColourNetwork(), "c", 0, (256, 128), "", ""),
    )
    workbench.start()
    for job in workbench.jobs():
        wait_until_over(workbench, job.id)
    Image.new("RGB", SIZE, "red").save(next((root / "query").iterdir()))
    job = workbench.evaluations.start(RunRequest(corruption="mixed", repeats=1))
    wait_until_over(workbench, job.id)
    view = workbench.job(job.id)
    workbench.close()
    assert view.state == "failed"
    assert "changed since the gallery was imported" in view.message
