"""What the Retrain page shows, and its own addresses."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from reid_core.services import Workbench
from tests.service_fakes import WAIT_S
from tests.unit.retraining.small_sets import crop, query, say, small_set, train_crop
from tests.unit.services.test_retraining import BLIND_SEED, finish, judge, train
from webapp.routes.retraining import BASE
from webapp.routes.retraining_sets import build_retraining_set_routes
from webapp.views.retrain import open_page, show_set
from webapp.views.retrain_draft import show_draft
from webapp.views.retrain_gate import show_gate
from webapp.views.retrain_run import show_run


@pytest.fixture
def client(bench: Workbench) -> TestClient:
    routes = build_retraining_set_routes(bench.retraining, lambda: "city", max_mb=1)
    return TestClient(Starlette(routes=routes))


def test_draft__leak__crops_of_both_sides_then_closed_by_a_choice(tmp_path: Path, bench: Workbench) -> None:
    judge(tmp_path, say(train_crop(11, 1), crop(1, 1), "same"))
    panel = show_draft(bench, {})
    assert [(pool.title, pool.value) for pool in panel.pools] == [
        ("Train", "4 crops"),
        ("Feedback", "18 crops"),
        ("Locked test", "4 crops"),
    ]
    assert panel.num_decisions == 1
    assert "fewer than 50" in panel.advice
    (leak,) = panel.leaks
    assert train_crop(11, 1) in [item.id for item in leak.training]
    assert [way.name for way in panel.ways_out] == ["evaluation", "drop", "override"]
    choice = {"key": leak.key, "way_out": "drop", "reason": ""}
    assert "of these leaks left out" in panel.changes
    closed = show_draft(bench, {"resolutions": [choice]})
    assert (closed.leaks, closed.applied) == ((), (leak.key,))
    assert closed.changes.startswith("Freezing now: ")
    short = show_draft(bench, {"resolutions": [{**choice, "way_out": "override"}]})
    assert "needs a reason" in short.message
    assert show_draft(bench, {"resolutions": [{"key": leak.key}]}).kind == "error"


def test_draft__everybody_trains__more_crops_than_of_those_judged(tmp_path: Path, bench: Workbench) -> None:
    judge(tmp_path, say(crop(1, 1), crop(1, 2), "same"))
    judged, everybody = (show_draft(bench, {"feedback": choice}) for choice in ("judged", "all"))
    assert (judged.kind, everybody.kind) == ("open", "open")
    assert judged == show_draft(bench, {})
    assert judged.counts != everybody.counts
    assert "judged, all or none" in show_draft(bench, {"feedback": "some"}).message


def test_draft__frozen_and_judged_on__says_what_is_new_and_which_set_it_is(
    tmp_path: Path, bench: Workbench
) -> None:
    judge(tmp_path, say(crop(1, 1), crop(1, 2), "same"))
    assert show_draft(bench, {}).decisions == "1 pair judged same or different."
    bench.retraining.sets.freeze("city", name="First")
    frozen = show_draft(bench, {})
    assert frozen.is_frozen
    assert frozen.decisions.endswith("None of them since First was frozen.")
    assert frozen.changes.endswith("That is First: freezing it again only gives it the new name.")
    judge(tmp_path, say(crop(3, 1), crop(3, 2), "same"))
    later = show_draft(bench, {})
    assert not later.is_frozen
    assert later.decisions.endswith("1 new entry in the log since First was frozen.")
    assert "That is" not in later.changes


def test_open_page__nothing_yet__empty_lists_and_a_name_to_freeze_under(bench: Workbench) -> None:
    page = open_page(bench, {})
    assert (page.kind, page.gallery, page.sets, page.runs, page.models[0].name) == (
        "open",
        "city",
        (),
        (),
        "base",
    )
    assert (page.suggested_name, page.is_busy) == ("Set 1", False)
    assert page.recipes[0].name == "from-corrections"
    assert open_page(bench, {"g": "nowhere"}).kind == "error"


def test_pages_of_a_finished_run__cards_curve_gate_and_promotion(tmp_path: Path, bench: Workbench) -> None:
    judge(tmp_path, say(crop(1, 1), crop(1, 2), "same"), say(query(2), crop(3, 1), "different"))
    view = bench.retraining.sets.freeze("city", name="Set 1")
    model = train(bench, view.id)
    page = open_page(bench, {"set": "unknown", "run": "unknown"})
    assert page.set_id == view.id
    assert page.suggested_name == "Set 2"
    run = page.runs[0]
    assert (run.state, run.model, run.set_name, run.can_resume) == ("finished", model, "Set 1", False)
    assert page.run_id == run.id
    states = {card.name: (card.state, card.action) for card in page.models}
    assert states == {model: ("promotable", "promote"), "base": ("serving", "")}
    panel = show_run(bench.retraining, {"run": run.id})
    assert panel.losses[0].points == ((1.0, 1.0), (2.0, 0.5), (3.0, 1 / 3), (4.0, 0.25))
    assert panel.chosen == 0.5
    assert "no training run" in show_run(bench.retraining, {"run": "x"}).message
    gate = show_gate(bench.retraining, {"model": model})
    assert gate.is_promotable
    assert [row.word for row in gate.conditions] == ["Holds"] * 5
    assert {row.score for row in gate.scores} == {"mAP", "Rank-1", "mINP"}
    assert page.sets[0].packing == ()
    assert gate.scores[0].delta == "+0.0"
    assert gate.thresholds[0].value == "-0.3"
    assert "compared" in show_gate(bench.retraining, {}).message
    finish(bench, bench.retraining.promoting.promote(model).id)
    after = open_page(bench, {})
    assert {card.name: card.action for card in after.models} == {model: "", "base": "callback"}
    assert after.history[0].model == model


def test_run__cancelled_while_another_trains__not_started_and_can_be(
    tmp_path: Path, bench: Workbench
) -> None:
    judge(tmp_path, say(crop(1, 1), crop(1, 2), "same"))
    view = bench.retraining.sets.freeze("city", name="set")
    first, working = bench.retraining.training.start("city", view.id, seed=2)  # waits for a file
    second, waiting = bench.retraining.training.start("city", view.id)
    assert waiting.title == "Train on set (from-corrections, seed 0)"
    assert open_page(bench, {}).runs[0].state_word == "Waiting"
    bench.cancel(waiting.id)
    card = open_page(bench, {}).runs[0]
    assert (card.id, card.state_word, card.can_resume, card.job) == (
        second.request.id,
        "Not started",
        True,
        None,
    )
    bench.retraining.training_runs.folder(first.request.id).joinpath("go").touch()
    finish(bench, working.id)
    finish(bench, bench.retraining.training.resume(second.request.id).id)
    assert open_page(bench, {}).runs[0].state_word == "Finished"


def test_gate__candidate_that_unlearnt__broken_queries_with_crops_and_the_reason(
    tmp_path: Path, bench: Workbench
) -> None:
    judge(tmp_path, say(crop(1, 1), crop(1, 2), "same"))
    model = train(bench, bench.retraining.sets.freeze("city", name="set").id, seed=BLIND_SEED)
    gate = show_gate(bench.retraining, {"model": model})
    assert not gate.is_promotable
    assert "present model serves on" in gate.verdict
    assert "Fails" in [row.word for row in gate.conditions]
    assert gate.num_broken == len(gate.broken) > 0
    row = gate.broken[0]
    assert (row.before_verdict, row.after_verdict) == ("true", "false")
    assert "locked_query" in row.query.image_url
    assert {(cell.query, cell.gallery) for cell in gate.cameras if cell.is_beyond} != set()
    assert all(cell.words.startswith(f"camera {cell.query} to {cell.gallery}: mAP") for cell in gate.cameras)
    (pairs,) = (row for row in gate.conditions if row.title == "Worst camera pair")
    assert pairs.sentence.endswith(gate.camera_rule)
    assert gate.camera_rule.startswith("Only clear drops count")
    bench.retraining.gate_settings.set({"every_camera_pair": True})
    every = show_gate(bench.retraining, {"model": model})
    assert every.thresholds_changed
    assert (every.every_camera_pair, every.camera_rule) == (True, gate.camera_rules[1])
    assert "Fails" in [row.word for row in every.conditions if row.title == "Worst camera pair"]


def test_show_set__changelog_and_differences(tmp_path: Path, bench: Workbench) -> None:
    judge(tmp_path, say(crop(1, 1), crop(1, 2), "same"))
    first = bench.retraining.sets.freeze("city", name="first")
    judge(tmp_path, say(crop(3, 1), crop(3, 2), "same"))
    second = bench.retraining.sets.freeze("city", name="second")
    found = show_set(bench, {"set": second.id, "vs": first.id})
    assert found["changelog"].startswith("# second")
    assert "position 1 -> position 2" in found["diff"]
    assert "no training set" in show_set(bench, {"set": "x"})["message"]


def test_addresses__freeze_import_thresholds_crop(
    tmp_path: Path, bench: Workbench, client: TestClient
) -> None:
    judge(tmp_path, say(crop(1, 1), crop(1, 2), "same"))
    started = client.post(f"{BASE}/freeze", json={"name": "set"})
    assert started.status_code == 202
    finish(bench, started.json()["id"])
    (view,) = bench.retraining.snapshots.list("city")
    assert client.post(f"{BASE}/freeze", json={"name": "set"}).status_code == 400
    finish(bench, bench.retraining.sets.export("city", view.id, layout="tables").id)
    content = bench.retraining.sets.export_file(bench.retraining.sets.exports("city")[0].name).read_bytes()
    sent = client.post(f"{BASE}/import?filename=C:\\x\\file.zip&name=back", content=content)
    assert sent.status_code == 202
    assert view.id in finish(bench, sent.json()["id"])
    assert bench.retraining.snapshots.list("city")[0].name == "back"
    assert client.post(f"{BASE}/import?filename=a.tar", content=content).status_code == 400
    assert client.post(f"{BASE}/import?filename=a.zip", content=bytes(1_000_001)).status_code == 413
    assert list(bench.retraining.set_jobs.incoming.iterdir()) == []
    assert client.post(f"{BASE}/thresholds", json={"min_map_low": -0.5}).json()["min_map_low"] == -0.5
    assert client.post(f"{BASE}/thresholds", json={"min_map_low": "low"}).status_code == 400
    picture = client.get(f"{BASE}/crop", params={"id": train_crop(11, 1), "h": 64})
    assert (picture.status_code, picture.headers["content-type"]) == (200, "image/jpeg")
    assert client.get(f"{BASE}/crop", params={"id": "../x"}).status_code == 404


def test_import__set_of_another_data_set__refused_with_both_names(
    tmp_path: Path, bench: Workbench, client: TestClient
) -> None:
    judge(tmp_path, say(crop(1, 1), crop(1, 2), "same"))
    view = bench.retraining.sets.freeze("city", name="set")
    finish(bench, bench.retraining.sets.export("city", view.id, layout="tables").id)
    path = bench.retraining.sets.export_file(bench.retraining.sets.exports("city")[0].name)
    assert "snapshot.json" in zipfile.ZipFile(path).namelist()
    other = small_set(tmp_path / "other")
    (other / train_crop(11, 1)).unlink()
    job_id = bench.import_gallery(other)
    bench.wait_for(job_id, WAIT_S)
    sent = client.post(f"{BASE}/import?filename=back.zip&gallery=other", content=path.read_bytes())
    over = bench.wait_for(sent.json()["id"], WAIT_S)
    assert over.state == "failed"
    assert "was frozen from" in over.message
