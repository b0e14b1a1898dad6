"""The review's addresses on a real service and a small gallery."""

from __future__ import annotations

import json
import re
import time
import uuid
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from reid_core.services import Workbench
from tests.service_fakes import WAIT_S
from webapp.routes.review import build_review_routes

V1 = "/gradio_api/reid/v1"
A, B, C = (f"bounding_box_test/{pid:04d}_c1s1_{100 + pid:06d}_00.jpg" for pid in (1, 2, 3))


@pytest.fixture
def client(workbench: Workbench) -> TestClient:
    return TestClient(Starlette(routes=build_review_routes(workbench.review)))


def pair(left: str, right: str, answer: str = "same", **more: Any) -> dict[str, Any]:
    return {"kind": "pair", "id": str(uuid.uuid4()), "left": left, "right": right, "answer": answer, **more}


def ask(client: TestClient, params: dict[str, Any]) -> dict[str, Any]:
    """The next questions, once the crops are compared with each other."""
    deadline = time.monotonic() + WAIT_S
    while (asked := client.get(f"{V1}/review/next", params=params).json())["state"] == "preparing":
        assert time.monotonic() < deadline, asked
        time.sleep(0.05)
    return dict(asked)


def test_decisions__answered_asked_exported_and_taken_back(client: TestClient) -> None:
    (question,) = ask(client, {"annotator": "ann", "pair": [A, B]})["questions"]
    item = pair(A, B, seen=question["seen"], ms_taken=1200)
    body = {"annotator": "ann", "events": [item]}
    assert client.post(f"{V1}/decisions", json=body).json()["results"][0]["status"] == "saved"
    assert client.post(f"{V1}/decisions", json=body).json()["results"][0]["status"] == "known"
    assert client.get(f"{V1}/review/state", params={"annotator": "ann"}).json()["undo"] == [item["id"]]
    stale = {"annotator": "bob", "events": [pair(A, C, seen=question["seen"])]}
    refused = client.post(f"{V1}/decisions", json=stale)
    assert refused.status_code == 409
    assert refused.json()["results"][0]["changes"][0]["annotator"] == "ann"
    assert "ann" in refused.json()["error"]
    lines = client.get(f"{V1}/decisions").text.splitlines()
    assert json.loads(lines[1])["decision_id"] == item["id"]
    assert client.post(f"{V1}/decisions/import", content="\n".join(lines)).json()["num_events"] == 0
    undo = {"annotator": "ann", "id": str(uuid.uuid4())}
    assert client.post(f"{V1}/decisions/{item['id']}/retract", json=undo).status_code == 200
    assert client.get(f"{V1}/review/state", params={"annotator": "ann"}).json()["redo"] == [item["id"]]
    redo = {"annotator": "ann", "id": str(uuid.uuid4()), "redo": True}
    assert client.post(f"{V1}/decisions/{item['id']}/retract", json=redo).status_code == 200
    assert client.get(f"{V1}/review/state", params={"annotator": "ann"}).json()["undo"] == [item["id"]]


def test_adjudication__no_file_name_leaves_and_the_answer_finds_its_crops(client: TestClient) -> None:
    a, b = (f"bounding_box_test/000{pid}_c2s1_00020{pid}_00.jpg" for pid in (5, 6))
    handed_over = pair(a, b, "cannot_tell", reasons=["flagged"])
    client.post(f"{V1}/decisions", json={"annotator": "ann", "events": [handed_over]})
    asked = ask(client, {"annotator": "eve", "adjudicate": "1"})
    (question,) = asked["questions"]
    left, right = question["left"]["node"], question["right"]["node"]
    told = client.get(f"{V1}/review/consequence", params={"left": left, "right": right}).json()
    assert told == {"outlooks": {}, "seen": question["seen"]}
    more = {"stream": "adjudication", "reasons": ["clothes"], "key": question["key"], "seen": told["seen"]}
    body = {"annotator": "eve", "events": [pair(left, right, "different", **more)]}
    saved = client.post(f"{V1}/decisions", json=body)
    assert saved.json()["results"][0]["status"] == "saved"
    assert not re.search(r"_c\ds\d_", json.dumps([asked, told, saved.json()]))
    stored = json.loads(client.get(f"{V1}/decisions").text.splitlines()[-1])
    assert {stored["left"], stored["right"]} == {a, b}


def test_consequence__both_answers_and_revisions(client: TestClient) -> None:
    found = client.get(f"{V1}/review/consequence", params={"left": B, "right": C}).json()
    assert found["outlooks"]["same"]["text"].startswith("merges")
    assert set(found["seen"]) == {B, C}


@pytest.mark.parametrize(
    ("method", "path", "options", "status", "message"),
    [
        ("GET", "review/next", {"params": {"annotator": ""}}, 400, "code name"),
        ("GET", "review/next", {"params": {"annotator": "ann", "pair": [A]}}, 400, "twice"),
        ("GET", "review/next", {"params": {"annotator": "ann", "pair": [A, "no.jpg"]}}, 400, "no.jpg"),
        ("GET", "review/next", {"params": {"annotator": "ann", "gallery": "../x"}}, 400, "gallery"),
        ("GET", "review/next", {"params": {"annotator": "ann", "sel": "0" * 16}}, 400, "selection"),
        ("GET", "review/next", {"params": {"annotator": "ann", "number": "many"}}, 400, "number"),
        ("GET", "review/consequence", {"params": {"left": A}}, 400, "not a crop"),
        ("POST", "decisions", {"json": {"annotator": "ann"}}, 400, "events"),
        ("POST", "decisions", {"json": [1]}, 400, "object"),
        ("POST", "decisions", {"content": "{", "headers": {"content-type": "application/json"}}, 400, "JSON"),
        ("POST", "decisions", {"data": {"events": "[]"}}, 415, "application/json"),
        ("POST", "decisions", {"json": {"annotator": "ann", "events": []}}, 400, "1 to"),
        ("POST", "decisions", {"json": {"annotator": "ann", "events": [3]}}, 400, "object"),
        ("POST", "decisions/nothing/retract", {"json": {"annotator": "a", "id": "x" * 9}}, 400, "no answer"),
        ("POST", "decisions/import", {"content": b"\xff\xfe"}, 400, "UTF-8"),
        ("POST", "decisions/import", {"content": "nonsense"}, 400, "JSON"),
        ("POST", "review/gold", {"content": '{"left": "a", "right": "b", "answer": "same"}'}, 400, "no crop"),
        (
            "POST",
            "identities/name",
            {"json": {"annotator": "a", "node": A, "id": "x", "name": ""}},
            400,
            "name",
        ),
    ],
)
def test_wrong_requests__refused_with_the_reason(
    client: TestClient, method: str, path: str, options: dict[str, Any], status: int, message: str
) -> None:
    answer = client.request(method, f"{V1}/{path}", **options)
    assert answer.status_code == status, answer.text
    assert message in answer.text
