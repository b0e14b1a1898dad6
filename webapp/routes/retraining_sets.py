"""More addresses below ``v1/retraining``: freeze and read back as jobs, the gate's thresholds, pictures."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path, PureWindowsPath
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from reid_core.errors import ReidError
from reid_core.services.retraining import Retraining
from webapp.routes.answers import RequestError, answering, plain, whole_number
from webapp.routes.retraining import (
    BASE,
    answer_json,
    body_resolutions,
    body_rules,
    body_text,
    read_body,
)

_MB = 1_000_000
_PICTURE_CACHE = "private, max-age=3600"


def build_retraining_set_routes(
    service: Retraining, default_gallery: Callable[[], str], *, max_mb: int
) -> list[BaseRoute]:
    """The addresses; an import larger than ``max_mb`` is refused."""
    api = _Api(service, default_gallery, max_mb)
    return [
        Route(f"{BASE}/freeze", answering(api.freeze), methods=["POST"]),
        Route(f"{BASE}/import", answering(api.read_back), methods=["POST"]),
        Route(f"{BASE}/thresholds", answering(api.set_thresholds), methods=["POST"]),
        Route(f"{BASE}/crop", answering(api.crop), methods=["GET"]),
    ]


class _Api:
    """One method per address."""

    def __init__(self, service: Retraining, default_gallery: Callable[[], str], max_mb: int) -> None:
        self._service, self._default_gallery, self._max_mb = service, default_gallery, max_mb

    async def freeze(self, request: Request) -> Response:
        """202 with the job; leaks are asked about beforehand, by ``POST draft``."""
        gallery, body = await self._gallery(request), await read_body(request)

        def work() -> Any:
            return self._service.set_jobs.freeze(
                gallery,
                name=body_text(body, "name"),
                model=body_text(body, "model"),
                rules=body_rules(body),
                resolutions=body_resolutions(body),
            )

        return answer_json(plain(await run_in_threadpool(work)), status=202)

    async def read_back(self, request: Request) -> Response:
        """The body is the zip; ``filename`` and, if somebody chose one, ``name`` come in the address."""
        gallery = await self._gallery(request)
        claimed = PureWindowsPath(request.query_params.get("filename", ""))  # knows both kinds of slashes
        if claimed.suffix.lower() != ".zip":
            raise RequestError(400, f"An exported set is a .zip, not {claimed.name[:80]!r}.")
        name = request.query_params.get("name", "").strip()
        incoming = self._service.set_jobs.incoming
        path = incoming / f"{secrets.token_hex(8)}.zip"
        try:
            await self._receive(request, path)
            read_back = self._service.set_jobs.read_back
            job = await run_in_threadpool(read_back, gallery, path, title=claimed.stem, name=name)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return answer_json(plain(job), status=202)

    async def set_thresholds(self, request: Request) -> Response:
        """Fields by name; none at all brings the default back."""
        body = await read_body(request)
        found = await run_in_threadpool(self._service.gate_settings.set, body)
        return answer_json(plain(found))

    async def crop(self, request: Request) -> Response:
        gallery, crop = await self._gallery(request), request.query_params.get("id", "")
        height = whole_number(request.query_params.get("h"), "h", 1, 10_000)
        try:
            content = await run_in_threadpool(self._service.pictures.jpeg, gallery, crop, height=height)
        except ReidError as error:
            raise RequestError(404, str(error)) from error
        return Response(content, media_type="image/jpeg", headers={"Cache-Control": _PICTURE_CACHE})

    async def _receive(self, request: Request, path: Path) -> None:
        left = self._max_mb * _MB
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            async for chunk in request.stream():
                left -= len(chunk)
                if left < 0:
                    raise RequestError(
                        413, f"The file is larger than the {self._max_mb} MB that are accepted."
                    )
                await run_in_threadpool(file.write, chunk)

    async def _gallery(self, request: Request) -> str:
        return request.query_params.get("gallery", "") or await run_in_threadpool(self._default_gallery)
