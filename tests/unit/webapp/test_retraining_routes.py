from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from reid_core.services import Workbench
from tests.service_fakes import WAIT_S
from tests.unit.retraining.small_sets import crop, say, train_crop
from tests.unit.services.test_retraining import judge
from webapp.routes.retraining import BASE, build_retraining_routes


@pytest.fixture
def client(bench: Workbench) -> TestClient:
    return TestClient(Starlette(routes=build_retraining_routes(bench.retraining, lambda: "city")))


def answer(response: Any, status: int = 200) -> Any:
    assert response.status_code == status, response.text
    return response.json()


def frozen(client: TestClient, name: str = "set", **fields: Any) -> dict[str, Any]:
    return dict(answer(client.post(f"{BASE}/snapshots", json={"name": name, **fields}), 201))


def test_pools_and_draft__tell_what_freezing_would_give(tmp_path: Path, client: TestClient) -> None:
    judge(tmp_path, say(crop(1, 1), crop(1, 2), "same"))
    pools = answer(client.get(f"{BASE}/pools"))["pools"]
    assert [(pool["name"], pool["num_crops"]) for pool in pools] == [
        ("train", 4),
        ("feedback", 18),
        ("locked", 4),
    ]
    draft = answer(client.post(f"{BASE}/draft", json={}))
    assert (draft["num_base"], draft["num_feedback"], draft["leaks"]) == (4, 4, [])
    everybody = answer(client.post(f"{BASE}/draft", json={"feedback": "all"}))
    assert everybody["num_feedback"] == 16


def test_freeze__leak__409_with_ways_out_then_closed(tmp_path: Path, client: TestClient) -> None:
    judge(tmp_path, say(train_crop(11, 1), crop(1, 1), "same"))
    refused = answer(client.post(f"{BASE}/snapshots", json={"name": "set"}), 409)
    (leak,) = refused["leaks"]
    assert [way["id"] for way in refused["ways_out"]] == ["evaluation", "drop", "override"]
    assert refused["error"].startswith("Nothing was frozen")
    short = [{"key": leak["key"], "way_out": "override", "reason": "no"}]
    assert "needs a reason" in answer(client.post(f"{BASE}/draft", json={"resolutions": short}), 400)["error"]
    view = frozen(client, resolutions=[{"key": leak["key"], "way_out": "evaluation"}])
    assert view["num_base"] == 2


def test_snapshots__list_open_rename_changelog_diff(tmp_path: Path, client: TestClient) -> None:
    judge(tmp_path, say(crop(1, 1), crop(1, 2), "same"))
    first = frozen(client, "first")
    judge(tmp_path, say(crop(3, 1), crop(3, 2), "same"))
    second = frozen(client, "second")
    renamed = answer(client.post(f"{BASE}/snapshots/{first['id']}/rename", json={"name": "<b>één</b>"}))
    assert renamed["name"] == "<b>één</b>"
    assert answer(client.get(f"{BASE}/snapshots/{first['id']}"))["hash"] == first["hash"]
    listed = answer(client.get(f"{BASE}/snapshots"))["snapshots"]
    assert [view["id"] for view in listed] == [second["id"], first["id"]]
    changelog = client.get(f"{BASE}/snapshots/{second['id']}/changelog")
    assert changelog.headers["content-type"].startswith("text/markdown")
    assert changelog.text.startswith("# second (")
    diff = answer(client.get(f"{BASE}/diff", params={"before": first["id"], "after": second["id"]}))
    assert len(diff["crops"]) == 4
    assert "position 1 -> position 2" in diff["text"]
    assert "no training set" in answer(client.get(f"{BASE}/snapshots/nope"), 400)["error"]


def test_download__in_two_ranges__whole_zip(tmp_path: Path, bench: Workbench, client: TestClient) -> None:
    judge(tmp_path, say(crop(1, 1), crop(1, 2), "same"))
    view = frozen(client)
    job = answer(client.post(f"{BASE}/snapshots/{view['id']}/export", json={"layout": "market"}), 202)
    assert bench.wait_for(job["id"], WAIT_S).state == "done"
    (export,) = answer(client.get(f"{BASE}/exports"))["exports"]
    address, half = f"{BASE}/exports/{export['name']}", export["num_bytes"] // 2
    first = client.get(address, headers={"Range": f"bytes=0-{half - 1}"})
    rest = client.get(address, headers={"Range": f"bytes={half}-", "If-Range": first.headers["etag"]})
    assert (first.status_code, rest.status_code) == (206, 206)
    names = zipfile.ZipFile(io.BytesIO(first.content + rest.content)).namelist()
    assert any(name.endswith("manifest.csv") for name in names)
    assert "no export" in answer(client.get(f"{BASE}/exports/other.zip"), 404)["error"]


def test_train_compare_promote__over_http(tmp_path: Path, bench: Workbench, client: TestClient) -> None:
    judge(tmp_path, say(crop(1, 1), crop(1, 2), "same"))
    view = frozen(client)
    started = answer(client.post(f"{BASE}/runs", json={"snapshot": view["id"], "steps": 3, "seed": 5}), 202)
    assert bench.wait_for(started["job"]["id"], WAIT_S).state == "done"
    run = answer(client.get(f"{BASE}/runs/{started['run']['request']['id']}"))
    assert (run["state"], run["step"], len(run["curve"])) == ("finished", 3, 3)
    for job in bench.jobs():
        assert bench.wait_for(job.id, WAIT_S).state == "done"
    models = answer(client.get(f"{BASE}/models"))
    (candidate,) = models["candidates"]
    assert (models["serving"], candidate["state"]) == ("base", "promotable")
    assert models["thresholds"]["min_violations_fixed"] == 0.5
    comparison = answer(client.get(f"{BASE}/comparisons/{candidate['model']['comparison']}"))
    assert len(comparison["result"]["conditions"]) == 5
    job = answer(client.post(f"{BASE}/models/{candidate['model']['name']}/promote"), 202)
    assert bench.wait_for(job["id"], WAIT_S).state == "done"
    after = answer(client.get(f"{BASE}/models"))
    assert after["serving"] == candidate["model"]["name"]
    assert len(after["history"]) == 1
    assert (
        "serves already"
        in answer(client.post(f"{BASE}/models/{candidate['model']['name']}/promote"), 400)["error"]
    )


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("draft", "[]"),
        ("draft", "{"),
        ("draft", '{"feedback": "some"}'),
        ("draft", '{"feedback": 3}'),
        ("draft", '{"resolutions": [1]}'),
        ("draft", '{"resolutions": [{"key": "identity:1", "way_out": "ignore"}]}'),
        ("snapshots", "{}"),
        ("runs", '{"snapshot": "x", "steps": "many"}'),
        ("runs", '{"snapshot": "x", "steps": true}'),
        ("models/none/compare", "{}"),
        ("models/none/promote", "{}"),
        ("runs/none/resume", "{}"),
        ("draft?gallery=none", "{}"),
    ],
)
def test_post__what_makes_no_sense__400_with_a_sentence(client: TestClient, path: str, body: str) -> None:
    assert answer(client.post(f"{BASE}/{path}", content=body), 400)["error"].endswith(".")


def test_get__unknown_comparison_or_run__told(client: TestClient) -> None:
    answer(client.get(f"{BASE}/comparisons/{'0' * 16}"), 404)
    answer(client.get(f"{BASE}/runs/none"), 400)
