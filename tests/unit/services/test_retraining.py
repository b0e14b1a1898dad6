from __future__ import annotations

import json
import os
import signal
import sys
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from reid_core.annotation import Event
from reid_core.annotation.store import AnnotationStore
from reid_core.errors import DatasetError, InputError
from reid_core.images import ImageInput
from reid_core.retraining.archive import read_set, unpack_set
from reid_core.retraining.leaks import LeakError
from reid_core.retraining.records import Resolution
from reid_core.services import Workbench
from reid_core.services.files import write_text_atomically
from reid_core.services.model_shelf import LoadedModel
from reid_core.types import EmbeddingSet
from tests.service_fakes import WAIT_S, ColourNetwork, make_settings
from tests.unit.retraining.small_sets import crop, query, say, small_set, train_crop

PROGRAM = (sys.executable, str(Path(__file__).parents[2] / "training_program.py"))
BLIND_SEED = 13
"""Of the stand-in for training: a net that unlearnt everything."""


class BlindNetwork(ColourNetwork):
    """Sees nothing: every crop somewhere at random."""

    def embed(self, images: Sequence[ImageInput], *, ids: Sequence[str]) -> EmbeddingSet:
        vectors = np.array(
            [np.random.default_rng(list(name.encode())).normal(size=24) for name in ids], dtype=np.float32
        )
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return EmbeddingSet(vectors, tuple(ids), self.fingerprint)


def load(weights: str) -> LoadedModel:
    """The base network and what training makes of it see alike, except that of ``BLIND_SEED``."""
    content = Path(weights).read_bytes()
    network = (BlindNetwork if content.startswith(b"blind") else ColourNetwork)(f"net-{content.hex()}")
    return LoadedModel(network, "colour", 0, (256, 128), "nothing", "none")


Start = Callable[[], Workbench]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    small_set(tmp_path / "city")
    (tmp_path / "base.bin").write_bytes(b"base")
    started: list[Workbench] = []

    def start_one() -> Workbench:
        settings = make_settings(tmp_path, gallery=str(tmp_path / "city"), weights=str(tmp_path / "base.bin"))
        workbench = Workbench(settings, load_model=load, training_program=PROGRAM)
        started.append(workbench)
        workbench.start()
        for job in workbench.jobs():
            if job.kind == "import":
                workbench.wait_for(job.id, WAIT_S)
        return workbench

    yield start_one
    for workbench in started:
        workbench.close()


@pytest.fixture
def bench(start: Start) -> Workbench:
    return start()


def judge(tmp_path: Path, *events: Event) -> None:
    store = AnnotationStore(f"sqlite:///{tmp_path / 'data' / 'annotations.sqlite'}")
    labels: dict[str, int | None] = {train_crop(11, 1): 11, **{query(pid): pid for pid in (1, 2, 3, 4)}}
    labels |= {crop(pid, camid): pid for pid in (1, 2, 3, 4) for camid in (1, 2, 3)}
    store.open_collection("city", labels)
    for event in events:
        store.record("city", event)
    store.close()


def finish(bench: Workbench, job_id: str) -> str:
    view = bench.wait_for(job_id, WAIT_S)
    assert view.state == "done", view
    return view.message


def train(bench: Workbench, snapshot: str, **options: object) -> str:
    """Train, wait for the comparison, return the model's name."""
    run, job = bench.retraining.training.start("city", snapshot, **options)  # type: ignore[arg-type]
    finish(bench, job.id)
    for each in bench.jobs():
        if each.kind == "compare":
            finish(bench, each.id)
    return next(
        view.model for view in bench.retraining.training.runs("city") if view.request.id == run.request.id
    )


def test_pools__gallery_of_a_data_set__training_pool_and_locked_test_come_along(bench: Workbench) -> None:
    found = {pool.name: (pool.num_crops, pool.num_identities) for pool in bench.retraining.sets.pools("city")}
    assert found == {"train": (4, 2), "feedback": (18, 4), "locked": (4, 2)}


def test_draft__leak__told_with_the_rest_as_if_dropped(tmp_path: Path, bench: Workbench) -> None:
    judge(tmp_path, say(train_crop(11, 1), crop(1, 1), "same"), say(crop(2, 1), crop(2, 2), "same"))
    draft = bench.retraining.sets.draft("city")
    assert [leak.key for leak in draft.leaks] == ["identity:1"]
    assert draft.advice.startswith("2 pairs are judged.")
    assert draft.num_decisions == 2
    assert draft.changes is not None
    with pytest.raises(LeakError):
        bench.retraining.sets.freeze("city", name="first")
    assert bench.retraining.snapshots.list("city") == ()
    view = bench.retraining.sets.freeze("city", name="first", resolutions=[Resolution("identity:1", "drop")])
    assert view.num_base == 2


def test_snapshots__listed_while_one_is_written__whole_or_not_there(
    tmp_path: Path, bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a page that asks at the wrong moment gets."""
    listed: list[int] = []

    def write_and_list(path: Path, text: str) -> None:
        write_text_atomically(path, text)
        listed.append(len(bench.retraining.snapshots.list("city")))

    monkeypatch.setattr("reid_core.services.retraining.snapshot_store.write_text_atomically", write_and_list)
    judge(tmp_path, say(crop(1, 1), crop(1, 2), "same"))
    bench.retraining.sets.freeze("city", name="set")
    assert listed == [0, 0, 1]


def test_snapshots__named_renamed_reopened_and_compared(tmp_path: Path, start: Start) -> None:
    bench = start()
    judge(tmp_path, say(crop(1, 1), crop(1, 2), "same"))
    first = bench.retraining.sets.freeze("city", name="  before  lunch ")
    assert (first.name, first.num_feedback) == ("before lunch", 4)
    assert bench.retraining.sets.draft("city").equals == first.id
    again = bench.retraining.sets.freeze("city", name="same judgements")
    assert again.id == first.id
    judge(tmp_path, say(crop(3, 1), crop(3, 2), "same"))
    second = bench.retraining.sets.freeze("city", name="after lunch")
    with pytest.raises(InputError, match="called 'after lunch'"):
        bench.retraining.snapshots.rename("city", first.id, "after lunch")
    bench.retraining.snapshots.rename("city", first.id, "Morgens ☀")
    bench.close()
    reopened = start().retraining
    assert [view.name for view in reopened.snapshots.list("city")] == ["after lunch", "Morgens ☀"]
    diff = reopened.sets.diff("city", first.id, second.id)
    assert {change.image_id for change in diff.crops} == {query(3), *(crop(3, c) for c in (1, 2, 3))}
    assert "# Morgens ☀" in reopened.sets.changelog("city", first.id)


def test_snapshots__one_was_changed_on_disk__left_out_and_opening_it_says_why(
    tmp_path: Path, start: Start
) -> None:
    bench = start()
    judge(tmp_path, say(crop(1, 1), crop(1, 2), "same"))
    first = bench.retraining.sets.freeze("city", name="first")
    judge(tmp_path, say(crop(3, 1), crop(3, 2), "same"))
    second = bench.retraining.sets.freeze("city", name="second")
    bench.close()
    path = tmp_path / "data" / "retraining" / "snapshots" / "city" / first.id / "snapshot.json"
    path.write_text(path.read_text().replace('"use":"train"', '"use":"dropped"'))
    reopened = start().retraining
    assert [view.id for view in reopened.snapshots.list("city")] == [second.id]
    with pytest.raises(DatasetError, match="was changed"):
        reopened.snapshots.open("city", first.id)


@pytest.mark.parametrize("layout", ["market", "imagefolder"])
def test_export__zip__reads_back_to_the_same_hash(tmp_path: Path, bench: Workbench, layout: str) -> None:
    judge(tmp_path, say(crop(1, 1), crop(1, 2), "same"))
    view = bench.retraining.sets.freeze("city", name="set")
    job = bench.retraining.sets.export("city", view.id, layout=layout)
    assert "ready to download" in finish(bench, job.id)
    (export,) = bench.retraining.sets.exports("city")
    path = bench.retraining.sets.export_file(export.name)
    assert path.stat().st_size == export.num_bytes
    assert read_set(unpack_set(path, tmp_path / "unpacked")).snapshot.hash == view.hash
    with pytest.raises(InputError, match="no layout"):
        bench.retraining.sets.export("city", view.id, layout="tar")
    with pytest.raises(InputError, match="no export"):
        bench.retraining.sets.export_file("../jobs/x.zip")


def test_loop__train_compare_promote_and_call_back__survives_restarts(tmp_path: Path, start: Start) -> None:
    bench = start()
    judge(tmp_path, say(crop(1, 1), crop(1, 2), "same"), say(crop(1, 1), crop(2, 1), "different"))
    view = bench.retraining.sets.freeze("city", name="set")
    model = train(bench, view.id)
    assert model == "base-r1"
    (candidate,) = bench.retraining.promoting.candidates()
    assert candidate.state == "promotable", candidate.verdict
    kept = bench.retraining.promoting.comparison(candidate.model.comparison)
    assert (kept["before_model"], kept["after_model"], kept["snapshot"]) == ("base", model, view.id)
    assert [pool["pool"] for pool in kept["result"]["pools"]][0] == "locked"
    job = bench.retraining.promoting.promote(model)
    assert "base-r1 serves now instead of base" in finish(bench, job.id)
    assert bench.models()[0].name == model
    opened = bench.open_gallery("city")
    assert opened.model == model
    assert opened.space.index.fingerprint == candidate.model.fingerprint != "net-" + b"base".hex()
    bench.close()

    bench = start()
    assert bench.retraining.serving == model
    assert [info.name for info in bench.models()] == [model, "base"]
    with pytest.raises(InputError, match="serves already"):
        bench.retraining.promoting.promote(model)
    job = bench.retraining.promoting.promote("base")
    assert job.title == "Call back base"
    finish(bench, job.id)
    assert [(p.model, p.previous) for p in bench.retraining.promoting.history()] == [
        ("base", model),
        (model, "base"),
    ]
    assert bench.retraining.promoting.candidates()[0].state == "served"
    bench.close()
    assert start().retraining.serving == "base"


def test_gate__candidate_that_unlearnt__kept_with_the_reason_and_not_promoted(
    tmp_path: Path, bench: Workbench
) -> None:
    judge(tmp_path, say(crop(1, 1), crop(1, 2), "same"))
    view = bench.retraining.sets.freeze("city", name="set")
    model = train(bench, view.id, seed=BLIND_SEED)
    (candidate,) = bench.retraining.promoting.candidates()
    assert candidate.state == "kept"
    assert "present model serves on" in candidate.verdict
    with pytest.raises(InputError, match="is not promoted and base serves on"):
        bench.retraining.promoting.promote(model)
    assert bench.retraining.serving == "base"


def test_candidates__kept_comparison_damaged__to_be_compared_again_and_the_rest_is_listed(
    tmp_path: Path, start: Start
) -> None:
    bench = start()
    judge(tmp_path, say(crop(1, 1), crop(1, 2), "same"))
    view = bench.retraining.sets.freeze("city", name="set")
    damaged, whole = train(bench, view.id), train(bench, view.id, seed=4)
    comparison = bench.retraining.registry.model(damaged).comparison
    (tmp_path / "data" / "retraining" / "comparisons" / f"{comparison}.json").write_text("{")
    bench.close()
    again = start().retraining
    assert {c.model.name: c.state for c in again.promoting.candidates()} == {
        damaged: "outdated",
        whole: "promotable",
    }
    with pytest.raises(InputError, match="is damaged. Compare the candidate again"):
        again.promoting.promote(damaged)


def test_promotion__another_model_took_over_meanwhile__comparison_is_outdated(
    tmp_path: Path, bench: Workbench
) -> None:
    judge(tmp_path, say(crop(1, 1), crop(1, 2), "same"))
    view = bench.retraining.sets.freeze("city", name="set")
    first, second = train(bench, view.id), train(bench, view.id, seed=3)
    finish(bench, bench.retraining.promoting.promote(first).id)
    states = {c.model.name: c.state for c in bench.retraining.promoting.candidates()}
    assert states == {first: "serving", second: "outdated"}
    with pytest.raises(InputError, match="compare it again"):
        bench.retraining.promoting.promote(second)
    finish(bench, bench.retraining.promoting.compare(second).id)
    finish(bench, bench.retraining.promoting.promote(second).id)
    assert bench.retraining.serving == second


def test_promotion__app_started_with_other_weights__the_choice_of_the_settings_counts(
    tmp_path: Path, start: Start
) -> None:
    bench = start()
    judge(tmp_path, say(crop(1, 1), crop(1, 2), "same"))
    model = train(bench, bench.retraining.sets.freeze("city", name="set").id)
    finish(bench, bench.retraining.promoting.promote(model).id)
    bench.close()
    (tmp_path / "other.bin").write_bytes(b"other")
    settings = make_settings(tmp_path, gallery=str(tmp_path / "city"), weights=str(tmp_path / "other.bin"))
    other = Workbench(settings, load_model=load)
    assert other.retraining.serving == "other"
    assert model in {info.name for info in other.models()}


def test_promoted_weights__changed_on_disk__not_offered_and_the_base_serves(
    tmp_path: Path, start: Start
) -> None:
    bench = start()
    judge(tmp_path, say(crop(1, 1), crop(1, 2), "same"))
    model = train(bench, bench.retraining.sets.freeze("city", name="set").id)
    finish(bench, bench.retraining.promoting.promote(model).id)
    bench.close()
    (tmp_path / "data" / "retraining" / "models" / f"{model}.safetensors").write_bytes(b"tampered")
    again = start()
    assert again.retraining.serving == "base"
    assert model not in {info.name for info in again.models()}


def test_training__fails__job_says_why_and_the_run_can_be_looked_at(tmp_path: Path, bench: Workbench) -> None:
    judge(tmp_path, say(crop(1, 1), crop(1, 2), "same"))
    view = bench.retraining.sets.freeze("city", name="set")
    run, job = bench.retraining.training.start("city", view.id, seed=1)
    over = bench.wait_for(job.id, WAIT_S)
    assert over.state == "failed"
    assert "the set is too small for the recipe" in over.message
    runs = bench.retraining.training_runs
    assert runs.view(run.request.id).state == "stopped"
    assert [line["step"] for line in runs.curve(run.request.id)] == [1, 2]
    assert "training anew" in runs.log_tail(run.request.id)


def wait_for_step(bench: Workbench, run: str, step: int) -> None:
    until = time.monotonic() + WAIT_S
    while bench.retraining.training_runs.view(run).step < step:
        assert time.monotonic() < until, bench.retraining.training_runs.log_tail(run)
        time.sleep(0.05)


def process_of(bench: Workbench, run: str) -> int:
    folder = bench.retraining.training_runs.folder(run)
    return int(json.loads((folder / "process.json").read_text())["pid"])


def test_training__app_restarts__same_process_goes_on_and_ends_well(tmp_path: Path, start: Start) -> None:
    bench = start()
    judge(tmp_path, say(crop(1, 1), crop(1, 2), "same"))
    view = bench.retraining.sets.freeze("city", name="set")
    run, job = bench.retraining.training.start("city", view.id, seed=2)
    own_id = run.request.id
    wait_for_step(bench, own_id, 2)
    process = process_of(bench, own_id)
    bench.close()
    os.kill(process, 0)  # it goes on while the app is closed

    bench = start()
    assert bench.retraining.training_runs.view(own_id).state == "running"
    (bench.retraining.training_runs.folder(own_id) / "go").touch()
    finish(bench, job.id)
    assert process_of(bench, own_id) == process
    assert bench.retraining.training_runs.log_tail(own_id).count("training anew") == 1
    assert "again" not in bench.retraining.training_runs.log_tail(own_id)
    assert bench.retraining.training_runs.interpolation(own_id) == {"alpha": 0.5}
    assert [view.model for view in bench.retraining.training.runs()] == ["base-r1"]


def test_training__process_killed__taken_up_from_its_checkpoint_once_resumed(
    tmp_path: Path, bench: Workbench
) -> None:
    judge(tmp_path, say(crop(1, 1), crop(1, 2), "same"))
    view = bench.retraining.sets.freeze("city", name="set")
    run, job = bench.retraining.training.start("city", view.id, seed=2)
    own_id = run.request.id
    wait_for_step(bench, own_id, 2)
    os.kill(process_of(bench, own_id), signal.SIGKILL)
    assert bench.wait_for(job.id, WAIT_S).state == "failed"
    resumed = bench.retraining.training.resume(own_id)
    finish(bench, resumed.id)
    assert "training again" in bench.retraining.training_runs.log_tail(own_id)
    assert [line["step"] for line in bench.retraining.training_runs.curve(own_id)] == [1, 2, 3, 4]


def test_training__cancelled__process_is_gone(tmp_path: Path, bench: Workbench) -> None:
    judge(tmp_path, say(crop(1, 1), crop(1, 2), "same"))
    view = bench.retraining.sets.freeze("city", name="set")
    run, job = bench.retraining.training.start("city", view.id, seed=2)
    wait_for_step(bench, run.request.id, 2)
    process = process_of(bench, run.request.id)
    bench.cancel(job.id)
    assert bench.wait_for(job.id, WAIT_S).state == "cancelled"
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)
    assert bench.retraining.training_runs.view(run.request.id).state == "stopped"
    assert bench.retraining.promoting.candidates() == ()


def test_run__between_two_reports__step_of_the_bar(bench: Workbench, tmp_path: Path) -> None:
    runs = bench.retraining.training_runs
    request = runs.create(
        gallery="city",
        snapshot="x",
        recipe="r",
        base_model="base",
        base_fingerprint="f",
        seed=0,
        steps=None,
        threads=1,
    )
    assert runs.view(request.id).state == "new"
    folder = runs.folder(request.id)
    (folder / "config.json").write_text(json.dumps({"steps": 90}))
    (folder / "train.log").write_text("training:  3%|  | 3/90 [00:01<00:30]\rtraining:  8%|# | 7/90 [00:02<")
    (folder / "metrics.jsonl").write_text('{"step": 5, "identity_loss": 2.0}\n{"step": 6, "iden')
    view = runs.view(request.id)
    assert (view.state, view.step, view.num_steps) == ("stopped", 7, 90)
    assert dict(view.losses) == {"identity_loss": 2.0}


def test_training__of_no_set_or_run__refused(bench: Workbench) -> None:
    with pytest.raises(InputError, match="no training set"):
        bench.retraining.training.start("city", "0" * 16)
    with pytest.raises(InputError, match="no training run"):
        bench.retraining.training.resume("../jobs")


def test_export__zip_entries__are_stored_pictures(tmp_path: Path, bench: Workbench) -> None:
    judge(tmp_path, say(crop(1, 1), crop(1, 2), "same"))
    view = bench.retraining.sets.freeze("city", name="set")
    finish(bench, bench.retraining.sets.export("city", view.id, with_locked=True).id)
    (export,) = bench.retraining.sets.exports("city")
    names = zipfile.ZipFile(bench.retraining.sets.export_file(export.name)).namelist()
    assert any("locked_query/" in name for name in names)
    assert all(name.startswith("market1501/Market-1501-v15.09.15/") for name in names)
