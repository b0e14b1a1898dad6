"""Addresses of the learning loop, below ``v1/retraining``. Bodies and answers are JSON; sets are zips.

What works on sets as jobs, pictures and thresholds are in ``retraining_sets``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from reid_core.errors import InputError
from reid_core.retraining.leaks import WAYS_OUT, LeakError
from reid_core.retraining.records import Resolution, SnapshotRules
from reid_core.services.retraining import Retraining
from webapp.routes.answers import PREFIX, Handler, RequestError, answering, plain

BASE = f"{PREFIX}/v1/retraining"
_MAX_BODY = 1 << 20
_NO_STORE = {"Cache-Control": "no-store"}

Body = Mapping[str, Any]


def build_retraining_routes(service: Retraining, default_gallery: Callable[[], str]) -> list[BaseRoute]:
    """Every address of the loop.

    Args:
        service: ``workbench.retraining``.
        default_gallery: Name of the gallery that a request without one means.
    """
    api = _Api(service, default_gallery)

    def get(path: str, handler: Handler) -> Route:
        return Route(f"{BASE}/{path}", answering(handler), methods=["GET"])

    def post(path: str, handler: Handler) -> Route:
        return Route(f"{BASE}/{path}", answering(leaks_told(handler)), methods=["POST"])

    return [
        get("pools", api.pools),
        post("draft", api.draft),
        get("snapshots", api.snapshots),
        post("snapshots", api.freeze),
        get("diff", api.diff),
        get("snapshots/{snapshot}", api.snapshot),
        post("snapshots/{snapshot}/rename", api.rename),
        get("snapshots/{snapshot}/changelog", api.changelog),
        post("snapshots/{snapshot}/export", api.export),
        get("exports", api.exports),
        get("exports/{name}", api.download),
        get("runs", api.runs),
        post("runs", api.train),
        get("runs/{run}", api.run),
        post("runs/{run}/resume", api.resume),
        get("models", api.models),
        post("models/{model}/compare", api.compare),
        post("models/{model}/promote", api.promote),
        get("comparisons/{comparison}", api.comparison),
    ]


def leaks_told(handler: Handler) -> Handler:
    """A leak is a question to a person: status 409 with everything the page needs to ask it."""

    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except LeakError as error:
            content = {
                "error": str(error),
                "leaks": [plain(leak) for leak in error.leaks],
                "ways_out": [{"id": way, "label": label} for way, label in WAYS_OUT],
            }
            return JSONResponse(content, status_code=409, headers=_NO_STORE)

    return answer


class _Api:
    """One method per address."""

    def __init__(self, service: Retraining, default_gallery: Callable[[], str]) -> None:
        self._service, self._default_gallery = service, default_gallery

    async def pools(self, request: Request) -> Response:
        gallery = await self._gallery(request)
        found = await run_in_threadpool(self._service.sets.pools, gallery)
        return answer_json({"gallery": gallery, "pools": plain(found)})

    async def draft(self, request: Request) -> Response:
        gallery, body = await self._gallery(request), await read_body(request)

        def work() -> Any:
            return self._service.sets.draft(
                gallery,
                model=body_text(body, "model"),
                rules=body_rules(body),
                resolutions=body_resolutions(body),
            )

        view = await run_in_threadpool(work)
        ways = [{"id": way, "label": label} for way, label in WAYS_OUT]
        return answer_json({**plain(view), "ways_out": ways})

    async def freeze(self, request: Request) -> Response:
        gallery, body = await self._gallery(request), await read_body(request)

        def work() -> Any:
            return self._service.sets.freeze(
                gallery,
                name=body_text(body, "name"),
                model=body_text(body, "model"),
                rules=body_rules(body),
                resolutions=body_resolutions(body),
            )

        return answer_json(plain(await run_in_threadpool(work)), status=201)

    async def snapshots(self, request: Request) -> Response:
        gallery = await self._gallery(request)
        found = await run_in_threadpool(self._service.snapshots.list, gallery)
        return answer_json({"gallery": gallery, "snapshots": plain(found)})

    async def snapshot(self, request: Request) -> Response:
        gallery, own_id = await self._gallery(request), request.path_params["snapshot"]
        view = await run_in_threadpool(self._service.snapshots.view, gallery, own_id)
        return answer_json(plain(view))

    async def rename(self, request: Request) -> Response:
        gallery, body = await self._gallery(request), await read_body(request)
        own_id, name = request.path_params["snapshot"], body_text(body, "name")
        return answer_json(
            plain(await run_in_threadpool(self._service.snapshots.rename, gallery, own_id, name))
        )

    async def changelog(self, request: Request) -> Response:
        gallery, own_id = await self._gallery(request), request.path_params["snapshot"]
        text = await run_in_threadpool(self._service.sets.changelog, gallery, own_id)
        return PlainTextResponse(text, media_type="text/markdown", headers=_NO_STORE)

    async def diff(self, request: Request) -> Response:
        gallery = await self._gallery(request)
        before, after = (request.query_params.get(side, "") for side in ("before", "after"))
        found = await run_in_threadpool(self._service.sets.diff, gallery, before, after)
        return answer_json({**plain(found), "text": found.to_text()})

    async def export(self, request: Request) -> Response:
        gallery, body = await self._gallery(request), await read_body(request)

        def work() -> Any:
            return self._service.sets.export(
                gallery,
                request.path_params["snapshot"],
                layout=body_text(body, "layout") or "market",
                with_locked=_switch(body, "with_locked"),
            )

        return answer_json(plain(await run_in_threadpool(work)), status=202)

    async def exports(self, request: Request) -> Response:
        gallery = await self._gallery(request)
        return answer_json({"exports": plain(await run_in_threadpool(self._service.sets.exports, gallery))})

    async def download(self, request: Request) -> Response:
        """A zip; ``Range`` is honoured, so that a broken download goes on."""
        try:
            path = await run_in_threadpool(self._service.sets.export_file, request.path_params["name"])
        except InputError as error:
            raise RequestError(404, str(error)) from error
        return FileResponse(
            path,
            media_type="application/zip",
            filename=path.name,
            headers={"Cache-Control": "private, no-cache"},
        )

    async def runs(self, request: Request) -> Response:
        gallery = await self._gallery(request)
        return answer_json({"runs": plain(await run_in_threadpool(self._service.training.runs, gallery))})

    async def train(self, request: Request) -> Response:
        gallery, body = await self._gallery(request), await read_body(request)
        given: dict[str, Any] = {
            "recipe": body_text(body, "recipe") or None,
            "base_model": body_text(body, "base_model") or None,
            "seed": _whole(body, "seed"),
            "steps": _whole(body, "steps"),
            "threads": _whole(body, "threads"),
        }
        chosen = {name: value for name, value in given.items() if value is not None}

        def work() -> Any:
            return self._service.training.start(gallery, body_text(body, "snapshot"), **chosen)

        run, job = await run_in_threadpool(work)
        return answer_json({"run": plain(run), "job": plain(job)}, status=202)

    async def run(self, request: Request) -> Response:
        runs, own_id = self._service.training_runs, request.path_params["run"]

        def work() -> Any:
            view, curve = runs.view(own_id), runs.curve(own_id)
            return {
                **plain(view),
                "curve": list(curve),
                "interpolation": runs.interpolation(own_id),
                "log": runs.log_tail(own_id),
            }

        return answer_json(await run_in_threadpool(work))

    async def resume(self, request: Request) -> Response:
        job = await run_in_threadpool(self._service.training.resume, request.path_params["run"])
        return answer_json(plain(job), status=202)

    async def models(self, request: Request) -> Response:
        candidates = await run_in_threadpool(self._service.promoting.candidates)
        history = await run_in_threadpool(self._service.promoting.history)
        return answer_json(
            {
                "serving": self._service.serving,
                "candidates": plain(candidates),
                "history": plain(history),
                "thresholds": plain(self._service.thresholds),
            }
        )

    async def compare(self, request: Request) -> Response:
        job = await run_in_threadpool(self._service.promoting.compare, request.path_params["model"])
        return answer_json(plain(job), status=202)

    async def promote(self, request: Request) -> Response:
        job = await run_in_threadpool(self._service.promoting.promote, request.path_params["model"])
        return answer_json(plain(job), status=202)

    async def comparison(self, request: Request) -> Response:
        try:
            found = await run_in_threadpool(
                self._service.promoting.comparison, request.path_params["comparison"]
            )
        except InputError as error:
            raise RequestError(404, str(error)) from error
        return answer_json(found)

    async def _gallery(self, request: Request) -> str:
        return request.query_params.get("gallery", "") or await run_in_threadpool(self._default_gallery)


def answer_json(content: Any, *, status: int = 200) -> JSONResponse:
    """Plain values that no browser keeps."""
    return JSONResponse(content, status_code=status, headers=_NO_STORE)


async def read_body(request: Request) -> Body:
    """The body as one JSON object; an empty body is an empty one."""
    body = await request.body()
    if len(body) > _MAX_BODY:
        raise RequestError(413, "The request is too long.")
    try:
        values = json.loads(body or b"{}")
    except ValueError:
        values = None
    if not isinstance(values, dict):
        raise RequestError(400, "Send the fields as one JSON object.")
    return values


def body_text(body: Body, name: str) -> str:
    """One text, stripped; empty where it was not sent."""
    value = body.get(name, "")
    if not isinstance(value, str):
        raise RequestError(400, f"The field {name!r} has to be a text.")
    return value.strip()


def _whole(body: Body, name: str) -> int | None:
    value = body.get(name)
    if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
        raise RequestError(400, f"The field {name!r} has to be a whole number.")
    return value


def _switch(body: Body, name: str) -> bool:
    value = body.get(name, False)
    if not isinstance(value, bool):
        raise RequestError(400, f"The field {name!r} has to be true or false.")
    return value


def body_rules(body: Body) -> SnapshotRules:
    """``feedback``: judged, all or none."""
    choice = body_text(body, "feedback") or "judged"
    return SnapshotRules(feedback=choice)  # type: ignore[arg-type]  # it checks the choice itself


def body_resolutions(body: Body) -> tuple[Resolution, ...]:
    """``resolutions``: [{"key": ..., "way_out": ..., "reason": ...}]."""
    given = body.get("resolutions", [])
    if not isinstance(given, list) or not all(isinstance(item, dict) for item in given):
        raise RequestError(400, "The field 'resolutions' has to be a list of objects with key and way_out.")
    return tuple(
        Resolution(body_text(item, "key"), body_text(item, "way_out"), body_text(item, "reason"))  # type: ignore[arg-type]
        for item in given
    )
