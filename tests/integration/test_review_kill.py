"""Judgements that were acknowledged over HTTP survive the server being killed at any moment."""

from __future__ import annotations

import http.client
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path
from typing import Any

from tests.service_fakes import WAIT_S, make_workbench, write_market

ROUNDS = 3
SERVER = """
import sys
from pathlib import Path
import uvicorn
from starlette.applications import Starlette
from tests.service_fakes import WAIT_S, make_workbench
from webapp.routes.review import build_review_routes

folder, port = Path(sys.argv[1]), int(sys.argv[2])
workbench = make_workbench(folder, gallery=str(folder / "market"))
workbench.start()
for job in workbench.jobs():
    workbench.wait_for(job.id, WAIT_S)
uvicorn.run(Starlette(routes=build_review_routes(workbench.review)), port=port, log_level="error")
"""


def crop(pid: int, camid: int) -> str:
    return f"bounding_box_test/{pid:04d}_c{camid}s1_{100 * camid + pid:06d}_00.jpg"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def post(connection: http.client.HTTPConnection, item: dict[str, Any]) -> dict[str, Any]:
    body = json.dumps({"annotator": "ann", "events": [item]})
    headers = {"Content-Type": "application/json"}
    connection.request("POST", "/gradio_api/reid/v1/decisions", body, headers)
    answer: dict[str, Any] = json.loads(connection.getresponse().read())
    return answer


def start_server(folder: Path) -> tuple[subprocess.Popen[bytes], http.client.HTTPConnection]:
    port = free_port()
    server = subprocess.Popen([sys.executable, "-c", SERVER, str(folder), str(port)], cwd=Path.cwd())
    deadline = time.monotonic() + WAIT_S
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        try:
            connection.request("GET", "/gradio_api/reid/v1/review/state?annotator=ann")
            if connection.getresponse().read():
                return server, connection
        except OSError:
            assert server.poll() is None, "the server ended by itself"
            assert time.monotonic() < deadline, "the server did not start"
            time.sleep(0.2)


def kill_later(server: subprocess.Popen[bytes], done: list[str], goal: int, delay_s: float) -> None:
    """SIGKILL, a moment after so many answers were acknowledged; in any case after a minute."""
    deadline = time.monotonic() + WAIT_S
    while len(done) < goal and time.monotonic() < deadline:
        time.sleep(0.001)
    time.sleep(delay_s)
    os.kill(server.pid, signal.SIGKILL)


def test_decisions__server_killed_while_answering__every_acknowledged_one_is_there(tmp_path: Path) -> None:
    write_market(tmp_path / "market")
    rng = random.Random(0)
    acknowledged: list[str] = []
    sent: list[dict[str, Any]] = []
    for _ in range(ROUNDS):
        server, connection = start_server(tmp_path)
        try:
            goal, delay_s = len(acknowledged) + rng.randint(5, 20), rng.uniform(0.0, 0.03)
            killer = threading.Thread(target=kill_later, args=(server, acknowledged, goal, delay_s))
            killer.start()
            for item in list(sent):  # what was on its way at the last kill is sent again, as a page does
                if (
                    item["id"] not in acknowledged
                    and post(connection, item)["results"][0]["status"] != "refused"
                ):
                    acknowledged.append(item["id"])
            while True:
                left, right = rng.sample(range(1, 7), 2)
                item = {
                    "id": str(uuid.UUID(int=rng.getrandbits(128))),
                    "left": crop(left, rng.randint(1, 3)),
                    "right": crop(right, rng.randint(1, 3)),
                    "answer": "cannot_tell",
                    "decided_at": "2026-01-01T00:00:00Z",
                }
                sent.append(item)
                assert post(connection, item)["results"][0]["status"] == "saved"
                acknowledged.append(item["id"])
        except (OSError, http.client.HTTPException):
            pass  # killed
        finally:
            killer.join()
            server.wait()
    assert len(acknowledged) >= 5 * ROUNDS
    after = make_workbench(tmp_path, gallery=str(tmp_path / "market"))
    after.start()
    try:
        lines = [json.loads(line) for line in after.review.export_log()][1:]
    finally:
        after.close()
    stored = [line["decision_id"] for line in lines]
    assert len(stored) == len(set(stored))
    assert set(acknowledged) <= set(stored) <= {item["id"] for item in sent}
