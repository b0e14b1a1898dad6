"""How long it takes until a judgement is acknowledged, with several annotators at once.

Starts the app on the demo city (or on --data-dir, where that was done before), lets --annotators threads ask
for questions and answer them over HTTP, and reports the time of each `POST /gradio_api/reid/v1/decisions`,
from the first byte sent to the last one read. Every answer is on disk (`synchronous=FULL`) before it is
acknowledged. --think is the time between two answers of one annotator; 0 is faster than any person. At the
end the log must hold every acknowledged answer.
"""

from __future__ import annotations

import argparse
import http.client
import json
import random
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import uuid
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
V1 = "/gradio_api/reid/v1"
READY_S = 900.0


class Annotator(threading.Thread):
    """Asks, thinks and answers until the time is over; keeps the times in milliseconds."""

    def __init__(self, name: str, port: int, *, think_s: float, until_s: float, seed: int) -> None:
        super().__init__(name=name)
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self._think_s, self._until_s = think_s, until_s
        self._random = random.Random(seed)
        self.commit_ms: list[float] = []
        self.next_ms: list[float] = []
        self.acknowledged: list[str] = []
        self.refused: list[str] = []

    def run(self) -> None:
        """Ask five questions ahead, as the page does."""
        questions: list[dict[str, Any]] = []
        given: list[str] = []
        while time.monotonic() < self._until_s:
            if len(questions) < 5:
                have = [("have", question["key"]) for question in questions]
                start = time.perf_counter()
                query = urllib.parse.urlencode(
                    [("annotator", self.name), ("number", 5 - len(questions)), *have]
                )
                questions += self._call("GET", f"{V1}/review/next?{query}")[1]["questions"]
                self.next_ms.append(1000 * (time.perf_counter() - start))
            if not questions:
                time.sleep(0.2)
                continue
            time.sleep(self._think_s * self._random.uniform(0.5, 1.5))
            answer = self._answer(questions.pop(0))
            start = time.perf_counter()
            body = {"annotator": self.name, "events": [answer], "known_answers": given[-100:]}
            status, found = self._call("POST", f"{V1}/decisions", body)
            elapsed = 1000 * (time.perf_counter() - start)
            if status == 200:
                self.commit_ms.append(elapsed)
                self.acknowledged += found["results"][0]["events"]
                given.append(answer["id"])
            else:
                self.refused.append(f"{status} {found.get('error', '')[:80]}")

    def _answer(self, question: dict[str, Any]) -> dict[str, Any]:
        keys = ("key", "stream", "seen", "fingerprint")
        common = {key: question[key] for key in keys} | {"id": str(uuid.uuid4()), "ms_taken": 1500}
        left, right = question["left"]["node"], question["right"]["node"]
        if question["kind"] == "sheet":
            crops = [face["node"] for face in question["crops"]]
            others = [question["suspected"][:1]] if self._random.random() < 0.3 else []
            return common | {
                "kind": "sheet",
                "left": left,
                "right": right,
                "crops": crops,
                "others": others,
                "identity": question["identity"],
            }
        is_same = question["left"]["pid"] == question["right"]["pid"]
        answer = "same" if is_same else "different"
        return common | {"kind": "pair", "left": left, "right": right, "answer": answer}

    def _call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        content = None if body is None else json.dumps(body)
        self._connection.request(method, path, content, {"Content-Type": "application/json"})
        response = self._connection.getresponse()
        return response.status, json.loads(response.read())


def quantile(values: list[float], share: float) -> float:
    """The smallest value that ``share`` of all do not exceed."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def wait_until_ready(port: int) -> None:
    """Until questions can be asked: the gallery is read and embedded."""
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            connection.request("GET", f"{V1}/review/next?annotator=warm-up&number=1")
            response = connection.getresponse()
            if json.loads(response.read()).get("state") == "ready":
                return
        except (OSError, ValueError):
            pass
        time.sleep(1.0)
    raise SystemExit("The app did not get ready.")


def main() -> None:
    """Parse the command line, run, print a line per measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--annotators", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument(
        "--think", type=float, default=1.0, help="mean seconds between answers of one annotator"
    )
    parser.add_argument("--data-dir", type=Path, help="data folder of the app; a new one by default")
    parser.add_argument("--port", type=int, default=7865)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="make the last line one JSON object")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data_dir = options.data_dir or Path(folder)
        command = [sys.executable, "app.py", "--port", str(options.port), "--data-dir", str(data_dir)]
        database = Path(folder) / "bench.sqlite"
        command += ["--annotation-db", f"sqlite:///{database}"]
        app = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_until_ready(options.port)
            until_s = time.monotonic() + options.seconds
            people = [
                Annotator(
                    f"annotator-{n}",
                    options.port,
                    think_s=options.think,
                    until_s=until_s,
                    seed=options.seed + n,
                )
                for n in range(options.annotators)
            ]
            for person in people:
                person.start()
            for person in people:
                person.join()
            connection = http.client.HTTPConnection("127.0.0.1", options.port, timeout=60)
            connection.request("GET", f"{V1}/decisions")
            lines = [json.loads(line) for line in connection.getresponse().read().splitlines()]
        finally:
            app.terminate()
            app.wait(60)
    report(people, {line.get("decision_id", line.get("retraction_id")) for line in lines}, options)


def report(people: list[Annotator], stored: set[str], options: argparse.Namespace) -> None:
    """Print the times, and whether anything acknowledged is missing."""
    commits = [ms for person in people for ms in person.commit_ms]
    asked = [ms for person in people for ms in person.next_ms]
    lost = [own_id for person in people for own_id in person.acknowledged if own_id not in stored]
    refused = [text for person in people for text in person.refused]
    pace = f"in {options.seconds:g} s, think {options.think:g} s"
    print(f"{len(commits)} answers of {len(people)} annotators {pace}")
    for name, values in (("commit", commits), ("next", asked)):
        print(
            f"{name}: median {quantile(values, 0.5):.0f} ms, p95 {quantile(values, 0.95):.0f} ms, "
            f"max {max(values):.0f} ms"
        )
    print(f"{len(refused)} refused: {sorted(set(refused))[:3]}")
    print(f"{len(lost)} acknowledged answers are missing in the log")
    if options.json:
        result = {"p50_ms": quantile(commits, 0.5), "p95_ms": quantile(commits, 0.95), "lost": len(lost)}
        print(json.dumps(result | {"answers": len(commits), "refused": len(refused)}))
    if lost:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
