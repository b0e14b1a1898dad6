"""Addresses of identities and history on a real service and a small gallery."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from reid_core.services import Workbench
from webapp.routes.identities import build_identity_routes
from webapp.routes.review import build_review_routes

V1 = "/gradio_api/reid/v1"
A, B, C = (f"bounding_box_test/{pid:04d}_c1s1_{100 + pid:06d}_00.jpg" for pid in (1, 2, 3))


@pytest.fixture
def client(workbench: Workbench) -> TestClient:
    routes = [*build_identity_routes(workbench.review), *build_review_routes(workbench.review)]
    return TestClient(Starlette(routes=routes))


def give(client: TestClient, **item: Any) -> str:
    own = {"id": str(uuid.uuid4()), **item}
    answered = client.post(f"{V1}/decisions", json={"annotator": "ann", "events": [own]})
    assert answered.status_code == 200, answered.text
    return str(own["id"])


def test_identities__listed_opened_and_their_history_read(client: TestClient) -> None:
    own = give(client, kind="pair", left=A, right=B, answer="same")
    listed = client.get(f"{V1}/identities", params={"state": "merged"}).json()
    assert (listed["num_all"], listed["identities"][0]["node"]) == (1, "identity:1")
    one = client.get(f"{V1}/identities/one", params={"id": B}).json()
    assert one["summary"]["node"] == "identity:1"
    assert set(one["faces"]) == {A, B}
    similar = client.get(f"{V1}/identities/similar", params={"id": A, "number": 2}).json()["similar"]
    assert len(similar) == 2
    told = client.get(f"{V1}/history/undo", params={"answer": own}).json()
    assert "falls apart" in told["effects"][0]
    assert client.get(f"{V1}/history", params={"answer_id": own}).json()["num_all"] == 1
    assert client.get(f"{V1}/history/statistics").json()["annotators"][0]["annotator"] == "ann"
    assert client.get(f"{V1}/history/since", params={"annotator": "ann"}).json()["num_changes"] == 0
    give(client, kind="undo", target=own)


def test_pairs__states_and_revisions(client: TestClient) -> None:
    give(client, kind="pair", left=A, right=C, answer="different")
    body = {"rankings": {A: [C, B, "unknown"]}}
    told = client.post(f"{V1}/review/pairs", json=body).json()
    assert told["states"][A][C]["answer"] == "different"
    assert told["states"][A][B]["answer"] == ""
    assert set(told["states"][A]) == {B, C}
    assert set(told["seen"]) == {A, B, C}
    of_upload = client.post(f"{V1}/review/pairs", json={"rankings": {"upload:1": [A]}}).json()
    assert of_upload == {"states": {"upload:1": {}}, "seen": {}}


@pytest.mark.parametrize("body", [b"[]", b"{", b'{"rankings": []}', b'{"rankings": {"a": [""]}}'])
def test_pairs__wrong_body__400_with_a_sentence(client: TestClient, body: bytes) -> None:
    answer = client.post(f"{V1}/review/pairs", content=body)
    assert answer.status_code == 400
    assert answer.json()["error"]


@pytest.mark.parametrize(
    ("path", "word"),
    [
        ("identities?state=odd", "firm"),
        ("identities?camera=x", "camera"),
        ("identities/one?id=nobody", "nobody"),
        ("history?since=tomorrow", "since"),
        ("history/undo?answer=none", "no answer"),
        ("history/since?annotator=", "code name"),
    ],
)
def test_reads__wrong_value__400_that_names_it(client: TestClient, path: str, word: str) -> None:
    answer = client.get(f"{V1}/{path}")
    assert answer.status_code == 400
    assert word in answer.json()["error"]


def test_import__needs_empty__refused_where_there_are_judgements(client: TestClient) -> None:
    give(client, kind="pair", left=B, right=C, answer="cannot_tell")
    lines = client.get(f"{V1}/decisions").text
    refused = client.post(f"{V1}/decisions/import", params={"needs_empty": "1"}, content=lines)
    assert refused.status_code == 400
    assert "already" in refused.json()["error"]
    assert client.post(f"{V1}/decisions/import", content=lines).json()["num_events"] == 0
