"""Freezing and reading back as jobs, thresholds that change a verdict, pictures of any crop."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from reid_core.errors import InputError
from reid_core.retraining.archive import read_set, unpack_set
from reid_core.retraining.records import Resolution
from reid_core.retraining.snapshot import freeze
from reid_core.services import Workbench
from tests.unit.retraining.small_sets import crop, say, train_crop
from tests.unit.services.test_retraining import (
    BLIND_SEED,
    WAIT_S,
    Start,
    bench,
    finish,
    judge,
    start,
    train,
)

__all__ = ["bench", "start"]  # fixtures


def test_freeze_job__leak_open__fails_with_the_sentence_then_closed(tmp_path: Path, bench: Workbench) -> None:
    judge(tmp_path, say(train_crop(11, 1), crop(1, 1), "same"))
    sets = bench.retraining.set_jobs
    refused = bench.wait_for(sets.freeze("city", name="set").id, WAIT_S)
    assert refused.state == "failed"
    assert "Nothing was frozen" in refused.message
    job = sets.freeze("city", name="set", resolutions=[Resolution("identity:1", "drop")])
    assert "is frozen" in finish(bench, job.id)
    (view,) = bench.retraining.snapshots.list("city")
    assert (view.name, view.num_base) == ("set", 2)
    with pytest.raises(InputError, match="called 'set'"):
        sets.freeze("city", name=" set ")


def test_read_back__own_export__same_hash_under_the_new_name(tmp_path: Path, bench: Workbench) -> None:
    judge(tmp_path, say(crop(1, 1), crop(1, 2), "same"))
    view = bench.retraining.sets.freeze("city", name="set")
    finish(bench, bench.retraining.sets.export("city", view.id, layout="tables").id)
    (export,) = bench.retraining.sets.exports("city")
    path = bench.retraining.sets.export_file(export.name)
    assert read_set(unpack_set(path, tmp_path / "unpacked")).snapshot.hash == view.hash
    with pytest.raises(InputError, match="without the locked test"):
        bench.retraining.sets.export("city", view.id, layout="tables", with_locked=True)
    incoming = bench.retraining.set_jobs.incoming
    incoming.mkdir(parents=True)
    shutil.rmtree(tmp_path / "data" / "retraining" / "snapshots")
    shutil.copyfile(path, incoming / "sent.zip")
    job = bench.retraining.set_jobs.read_back(
        "city", incoming / "sent.zip", title="sent", name="from a colleague"
    )
    assert "read back unchanged" in finish(bench, job.id)
    (found,) = bench.retraining.snapshots.list("city")
    assert (found.hash, found.name) == (view.hash, "from a colleague")
    assert list(incoming.iterdir()) == []


def test_read_back__no_name_chosen__a_known_set_keeps_its_own_and_a_new_one_gets_a_free_one(
    tmp_path: Path, bench: Workbench
) -> None:
    sets, snapshots = bench.retraining.sets, bench.retraining.snapshots
    incoming = bench.retraining.set_jobs.incoming
    incoming.mkdir(parents=True)

    def read(file: Path) -> set[str]:
        shutil.copyfile(file, incoming / "sent.zip")
        finish(bench, bench.retraining.set_jobs.read_back("city", incoming / "sent.zip", title="file").id)
        return {view.name for view in snapshots.list("city")}

    judge(tmp_path, say(crop(1, 1), crop(1, 2), "same"))
    view = sets.freeze("city", name="mine")
    finish(bench, sets.export("city", view.id, layout="tables").id)
    path = sets.export_file(sets.exports("city")[0].name)
    assert read(path) == {"mine"}
    shutil.rmtree(tmp_path / "data" / "retraining" / "snapshots")
    judge(tmp_path, say(crop(3, 1), crop(3, 2), "same"))
    sets.freeze("city", name="file")
    assert read(path) == {"file", "file 2"}
    assert read(path) == {"file", "file 2"}


def test_freeze__after_its_draft__the_set_of_the_draft_until_something_changes(
    tmp_path: Path, bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    computed: list[int] = []

    def counted(*given: Any, **named: Any) -> Any:
        computed.append(len(given[1]))
        return freeze(*given, **named)

    monkeypatch.setattr("reid_core.services.retraining.freezing.freeze", counted)
    sets = bench.retraining.sets
    judge(tmp_path, say(train_crop(11, 1), crop(1, 1), "same"))
    (leak,) = sets.draft("city").leaks
    drop = [Resolution(leak.key, "drop")]
    computed.clear()
    sets.draft("city", resolutions=drop)  # as the draft with its leak showed it
    first = sets.freeze("city", name="first", resolutions=drop)
    assert computed == []
    override = [Resolution(leak.key, "override", "checked one by one")]
    second = sets.freeze("city", name="second", resolutions=override)
    judge(tmp_path, say(crop(3, 1), crop(3, 2), "same"))
    third = sets.freeze("city", name="third", resolutions=override)
    assert computed == [1, 2]
    assert len({first.hash, second.hash, third.hash}) == 3


def test_start_training__recipe_that_does_not_fit__refused_with_those_that_do(
    tmp_path: Path, bench: Workbench
) -> None:
    judge(tmp_path, say(crop(1, 1), crop(1, 2), "same"))
    view = bench.retraining.sets.freeze("city", name="set")
    assert [name for name, _ in bench.retraining.training.recipes()] == ["from-corrections"]
    with pytest.raises(InputError, match="expected one of from-corrections"):
        bench.retraining.training.start("city", view.id, recipe="demo")
    assert bench.retraining.training.runs() == ()


def test_read_back__no_zip__told_and_nothing_left(bench: Workbench) -> None:
    incoming = bench.retraining.set_jobs.incoming
    incoming.mkdir(parents=True)
    (incoming / "sent.zip").write_bytes(b"nothing")
    job = bench.retraining.set_jobs.read_back("city", incoming / "sent.zip", title="x")
    over = bench.wait_for(job.id, WAIT_S)
    assert (over.state, list(incoming.iterdir())) == ("failed", [])
    assert "not a zip" in over.message


def test_thresholds__wide__kept_candidate_may_be_promoted_and_history_says_so(
    tmp_path: Path, start: Start
) -> None:
    bench = start()
    judge(tmp_path, say(crop(1, 1), crop(1, 2), "same"))
    model = train(bench, bench.retraining.sets.freeze("city", name="set").id, seed=BLIND_SEED)
    assert bench.retraining.promoting.candidates()[0].state == "kept"
    bench.retraining.gate_settings.set(
        {
            "min_map_delta": -1,
            "min_map_low": -1,
            "min_violations_fixed": 0,
            "max_camera_pair_drop": 1,
            "max_broken_per_fixed": 1000,
        }
    )
    result = bench.retraining.promoting.decided(bench.retraining.promoting.candidates()[0].model.comparison)
    failed = [condition.name for condition in result.conditions if not condition.holds]
    assert failed == ["rank1_balance"]  # nothing was newly right, so nothing may be newly wrong
    assert bench.retraining.promoting.candidates()[0].state == "kept"
    seeing = train(bench, bench.retraining.snapshots.list("city")[0].id)
    bench.retraining.gate_settings.set({"min_map_delta": 0.1})
    assert {c.model.name: c.state for c in bench.retraining.promoting.candidates()} == {
        model: "kept",
        seeing: "kept",
    }
    bench.close()
    again = start()
    assert again.retraining.thresholds.min_map_delta == 0.1
    again.retraining.gate_settings.set({"min_map_delta": -1})
    finish(again, again.retraining.promoting.promote(seeing).id)
    assert "changed thresholds (min_map_delta" in again.retraining.promoting.history()[0].reason


def test_pictures__crop_of_the_training_pool_and_of_nobody(bench: Workbench) -> None:
    assert bench.retraining.pictures.jpeg("city", train_crop(11, 1), height=64).startswith(b"\xff\xd8")
    with pytest.raises(InputError, match="no crop"):
        bench.retraining.pictures.jpeg("city", "../../etc/passwd")


def test_jobs__of_a_gallery__with_the_job_of_each_run(tmp_path: Path, bench: Workbench) -> None:
    judge(tmp_path, say(crop(1, 1), crop(1, 2), "same"))
    view = bench.retraining.sets.freeze("city", name="set")
    run, job = bench.retraining.training.start("city", view.id)
    finish(bench, job.id)
    found = bench.retraining.training.job_of(run.request.id)
    assert found is not None
    assert (found.id, found.state) == (job.id, "done")
    assert job.id in {each.id for each in bench.retraining.jobs("city")}
    assert bench.retraining.jobs("elsewhere") == ()
    assert bench.retraining.training.recipes()[0][0] == "from-corrections"
