from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from webapp.security import BodyLimit, OriginGuard, SecurityHeaders

HEADERS = list[tuple[bytes, bytes]]


async def count_body(request: Request) -> Response:
    return PlainTextResponse(str(len(await request.body())))


def make_app(*, allowed_hosts: tuple[str, ...] = (), frames: tuple[str, ...] = ()) -> Starlette:
    return Starlette(
        routes=[Route("/{path:path}", count_body, methods=["GET", "POST"])],
        middleware=[
            Middleware(SecurityHeaders, may_be_framed_by=frames),
            Middleware(OriginGuard, allowed_hosts=allowed_hosts),
            Middleware(BodyLimit, limit_mb=lambda path: 2 if path == "/large" else 1),
        ],
    )


def call(
    app: Starlette,
    headers: HEADERS,
    *,
    method: str = "GET",
    path: str = "/",
    chunks: list[bytes] | None = None,
) -> tuple[int, dict[str, str], bytes]:
    """One request with exactly these headers, which clients would tidy up."""
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": headers,
        "scheme": "http",
        "server": ("127.0.0.1", 7860),
        "http_version": "1.1",
    }
    pending = list(chunks or [b""])
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        body = pending.pop(0)
        return {"type": "http.request", "body": body, "more_body": bool(pending)}

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    answered = {name.decode().lower(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], answered, b"".join(message.get("body", b"") for message in sent[1:])


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("localhost:7860", None),
        ("127.0.0.1:7860", "http://127.0.0.1:7860"),
        ("LOCALHOST:8080", "http://localhost:8080"),
        ("192.168.1.20:7860", "http://192.168.1.20:7860"),
        ("[::1]:7860", "http://[::1]:7860"),
        ("reid.lab.example", "https://reid.lab.example"),
        ("127.0.0.1:7860", "https://reid.lab.example"),
        ("reid.lab.example:443", "https://reid.lab.example"),
        ("odd.example:8443", "https://odd.example:8443"),
    ],
)
def test_origin_guard__own_page__passes(host: str, origin: str | None) -> None:
    headers = [(b"host", host.encode())]
    if origin:
        headers.append((b"origin", origin.encode()))
    app = make_app(allowed_hosts=("reid.lab.example", "odd.example:8443"))
    assert call(app, headers)[0] == 200


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "http://localhost:3000",
        "http://127.0.0.1:7861",
        "null",
        "",
        "file://",
        "http://localhost:7860.evil.example",
        "http://evil.example?localhost:7860",
        "https://reid.lab.example:8443",
        "chrome-extension://localhost:7860",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_origin_guard__foreign_page__refused(origin: str, method: str) -> None:
    headers = [(b"host", b"localhost:7860"), (b"origin", origin.encode())]
    status, _, body = call(make_app(allowed_hosts=("reid.lab.example",)), headers, method=method)
    assert status == 403
    assert "another origin" in json.loads(body)["error"]


@pytest.mark.parametrize(
    "headers",
    [
        [(b"host", b"evil.example"), (b"origin", b"http://evil.example")],  # DNS rebinding
        [(b"host", b"localhost.evil.example")],
        [(b"host", b"")],
        [],
        [(b"host", b"localhost"), (b"host", b"evil.example")],
    ],
)
def test_origin_guard__host_that_is_not_ours__refused(headers: HEADERS) -> None:
    status, _, body = call(make_app(), headers)
    assert status == 403
    assert "--allowed-hosts" in json.loads(body)["error"]


def test_origin_guard__two_origins__refused() -> None:
    own = (b"origin", b"http://localhost:7860")
    headers = [(b"host", b"localhost:7860"), own, (b"origin", b"https://evil.example")]
    assert call(make_app(), headers)[0] == 403


LOCAL = (b"host", b"localhost:7860")


def test_body_limit__claims_too_much__413_before_the_body_is_read() -> None:
    headers = [LOCAL, (b"content-length", b"1000001")]
    status, _, body = call(make_app(), headers, method="POST", chunks=[])
    assert status == 413
    assert "1 MB" in json.loads(body)["error"]


@pytest.mark.parametrize("claim", [b"-5", b"1e3", b"\xb2", b"99999999999999999999"])
def test_body_limit__odd_length__413(claim: bytes) -> None:
    assert call(make_app(), [LOCAL, (b"content-length", claim)], method="POST", chunks=[])[0] == 413


def test_body_limit__no_length_and_too_much__413_when_it_shows() -> None:
    status, _, _ = call(make_app(), [LOCAL], method="POST", chunks=[b"x" * 600_000] * 3)
    assert status == 413


def test_body_limit__within__passes_and_paths_differ() -> None:
    chunks = [b"x" * 600_000] * 3
    assert call(make_app(), [LOCAL], method="POST", path="/large", chunks=chunks)[2] == b"1800000"
    assert call(make_app(), [LOCAL], method="POST", chunks=chunks[:1])[2] == b"600000"


def test_security_headers__every_answer__also_refusals() -> None:
    for headers in ([LOCAL], [LOCAL, (b"origin", b"https://evil.example")]):
        _, answered, _ = call(make_app(), headers)
        assert answered["x-content-type-options"] == "nosniff"
        assert answered["referrer-policy"] == "same-origin"
        assert "frame-ancestors 'self'" in answered["content-security-policy"]
        assert "access-control-allow-origin" not in answered


def test_security_headers__on_a_space__its_page_may_frame_the_app() -> None:
    _, answered, _ = call(make_app(frames=("https://huggingface.co",)), [LOCAL])
    assert "frame-ancestors 'self' https://huggingface.co" in answered["content-security-policy"]
    assert "x-frame-options" not in answered
