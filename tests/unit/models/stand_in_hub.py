"""A hub on this machine: answers as the Hugging Face hub does for single files, and can misbehave on
purpose."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class StandInHub:
    """``files`` maps "repository/filename" to content. ``break_after`` bytes, the connection is cut, that
    many ``breaks`` times."""

    files: dict[str, bytes] = field(default_factory=dict)
    breaks: int = 0
    break_after: int = 0
    requests: list[tuple[str, str | None]] = field(default_factory=list)
    endpoint: str = ""

    @property
    def downloads(self) -> list[str | None]:
        """The Range header of each GET."""
        return [offset for method, offset in self.requests if method == "GET"]


@contextmanager
def running(hub: StandInHub) -> Iterator[StandInHub]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_HEAD(self) -> None:
            self._answer(with_body=False)

        def do_GET(self) -> None:
            self._answer(with_body=True)

        def _answer(self, *, with_body: bool) -> None:
            offset = self.headers.get("Range")
            hub.requests.append((self.command, offset))
            repository, _, rest = self.path.strip("/").partition("/resolve/")
            revision, _, filename = rest.partition("/")
            content = hub.files.get(f"{repository}/{filename}")
            if content is None:
                self.send_response(404)
                self.send_header("X-Error-Code", "EntryNotFound")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            start = int(offset.removeprefix("bytes=").split("-")[0]) if offset and with_body else 0
            part = content[start:]
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(part)))
            self.send_header("Accept-Ranges", "bytes")
            self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
            self.send_header("X-Repo-Commit", revision)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            self.end_headers()
            if not with_body:
                return
            if hub.breaks:
                hub.breaks -= 1
                self.wfile.write(part[: hub.break_after])
                self.wfile.flush()
                self.connection.close()
                return
            self.wfile.write(part)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    hub.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
