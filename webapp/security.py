"""What every request passes: where it comes from, how large it is, and what a browser may do with the answer.

Gradio echoes any Origin with credentials allowed unless the host is local, so a foreign page could call the
app through a visitor's browser; here every request whose ``Origin`` is present and foreign is refused. A host
name that is not ours is refused too, because a foreign name that resolves to this machine makes a foreign
page look like our own (DNS rebinding).
"""

from __future__ import annotations

import ipaddress
import json
import socket
from collections.abc import Callable, Iterable

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_FOREIGN_PAGE = "Requests from pages of another origin are refused."
_FOREIGN_HOST = (
    "This server does not answer to that host name. Open it as localhost or by its address, or start it with "
    "--allowed-hosts."
)
_TOO_LARGE = "The request is larger than the {limit} MB that are accepted here."
_MB = 1_000_000


class OriginGuard:
    """Refuses requests to a host name that is not ours, and those sent by a page of another origin."""

    def __init__(self, app: ASGIApp, *, allowed_hosts: Iterable[str] = ()) -> None:
        """``allowed_hosts``: names besides localhost, addresses and our own, with the port if it is odd."""
        self._app = app
        self._allowed = frozenset(host.lower() for host in allowed_hosts)
        own = {"localhost", socket.gethostname().lower()}
        self._names = own | {_without_port(host) for host in self._allowed}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request through, or answer 403."""
        is_checked = scope["type"] in ("http", "websocket")
        reason = self._reason_against(Headers(scope=scope)) if is_checked else None
        if reason is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await _answer(send, 403, reason)
        else:
            await send({"type": "websocket.close", "code": 1008, "reason": ""})

    def _reason_against(self, headers: Headers) -> str | None:
        hosts, origins = headers.getlist("host"), headers.getlist("origin")
        if len(hosts) != 1 or not self._is_ours(_without_port(hosts[0].lower())):
            return _FOREIGN_HOST
        if not origins:
            return None
        return None if len(origins) == 1 and self._is_same(origins[0], hosts[0]) else _FOREIGN_PAGE

    def _is_ours(self, name: str) -> bool:
        return name in self._names or _is_address(name)

    def _is_same(self, origin: str, host: str) -> bool:
        scheme, separator, place = origin.lower().partition("://")
        if not separator or scheme not in ("http", "https"):
            return False
        # A proxy that ends TLS changes the scheme and may change Host, so only names and ports are compared,
        # and a name that was allowed on purpose needs no equal Host.
        place = place.removesuffix(":443" if scheme == "https" else ":80")
        return place in self._allowed or place == host.lower().removesuffix(":443").removesuffix(":80")


class BodyLimit:
    """Refuses a request body as soon as it is known to be larger than its path may take."""

    def __init__(self, app: ASGIApp, *, limit_mb: Callable[[str], int]) -> None:
        """``limit_mb`` gives the limit of a path, in megabytes."""
        self._app = app
        self._limit_mb = limit_mb

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request through while its body stays within the limit, else answer 413."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit_mb = self._limit_mb(scope["path"])
        claimed = Headers(scope=scope).get("content-length", "0")
        if not claimed.isascii() or not claimed.isdigit() or int(claimed) > limit_mb * _MB:
            await _answer(send, 413, _TOO_LARGE.format(limit=limit_mb))
            return
        counter = _Counter(receive, send, limit_mb)
        try:
            await self._app(scope, counter.receive, counter.send)
        except BodyTooLargeError:
            if counter.has_answered:
                raise
        if counter.is_over and not counter.has_answered:
            await _answer(send, 413, _TOO_LARGE.format(limit=limit_mb))


class BodyTooLargeError(Exception):
    """A body without a truthful length turned out too large while it was read."""


class _Counter:
    """Counts a request's body, and keeps back an answer that was made after it grew too large."""

    def __init__(self, receive: Receive, send: Send, limit_mb: int) -> None:
        self._receive, self._send, self._left = receive, send, limit_mb * _MB
        self.is_over = False
        self.has_answered = False

    async def receive(self) -> Message:
        message = await self._receive()
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            self.is_over = True
            raise BodyTooLargeError
        return message

    async def send(self, message: Message) -> None:
        if self.is_over and not self.has_answered:
            return
        self.has_answered = True
        await self._send(message)


class SecurityHeaders:
    """Tells the browser to keep to this server, not to guess types, and not to tell others where it was."""

    def __init__(self, app: ASGIApp, *, may_be_framed_by: Iterable[str] = ()) -> None:
        """``may_be_framed_by`` are origins besides our own that may show the app inside their pages."""
        self._app = app
        self._headers = {
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Permissions-Policy": "camera=(self), clipboard-read=(self), geolocation=(), microphone=()",
            "Content-Security-Policy": _content_policy(may_be_framed_by),
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Add the headers to every answer."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_with_headers if scope["type"] == "http" else send)


def _content_policy(may_be_framed_by: Iterable[str]) -> str:
    # Gradio needs inline scripts and styles, and builds its HTML templates with Function().
    return "; ".join(
        [
            "default-src 'self'",
            "script-src 'self' 'unsafe-inline' 'unsafe-eval'",
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "media-src 'self' data: blob:",
            "font-src 'self' data:",
            "connect-src 'self' data: blob:",
            "worker-src 'self' blob:",
            "object-src 'none'",
            "base-uri 'self'",
            "form-action 'self'",
            " ".join(["frame-ancestors 'self'", *may_be_framed_by]),
        ]
    )


def _without_port(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return (name if colon and port.isdigit() else host).strip("[]")


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


async def _answer(send: Send, status: int, reason: str) -> None:
    body = json.dumps({"error": reason}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if status == 413:
        headers.append((b"connection", b"close"))  # the rest of the body is not read
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
