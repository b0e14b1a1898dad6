"""Addresses of the review: questions, judgements, export and import. No Gradio here."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from reid_core.services.review import AnswerResult, Imported, Outlook, ReviewState, Upcoming
from webapp.routes.answers import PREFIX, RequestError, answering, plain, whole_number

_NO_STORE = {"Cache-Control": "no-store"}
_MAX_KEYS = 50


class Reviewer(Protocol):
    """All that these addresses need of ``workbench.review``."""

    def upcoming(
        self,
        annotator: str,
        *,
        gallery: str = "",
        model: str = "",
        number: int = 5,
        have: Sequence[str] = (),
        selection: str = "",
        pair: tuple[str, str] | None = None,
        adjudicate: bool = False,
    ) -> Upcoming: ...
    def put_off(self, key: str, annotator: str, *, gallery: str = "") -> None: ...
    def consequence(self, left: str, right: str, *, gallery: str = "") -> dict[str, Outlook]: ...
    def revisions(self, nodes: Iterable[str], *, gallery: str = "") -> dict[str, int]: ...
    def state(self, annotator: str, *, gallery: str = "") -> ReviewState: ...
    def answer(
        self, sent: Sequence[Any], annotator: str, *, gallery: str = "", known_answers: Sequence[str] = ()
    ) -> tuple[AnswerResult, ...]: ...
    def export_log(self, *, gallery: str = "") -> Iterator[str]: ...
    def import_log(
        self, lines: Iterable[str], *, gallery: str = "", needs_empty: bool = False
    ) -> Imported: ...
    def import_gold(self, lines: Iterable[str], *, gallery: str = "") -> int: ...
    def rename(self, node: str, name: str, annotator: str, own_id: str, *, gallery: str = "") -> None: ...


def build_review_routes(review: Reviewer) -> list[BaseRoute]:
    """Every route of the review, with full paths."""
    api = _ReviewApi(review)
    v1 = f"{PREFIX}/v1"
    return [
        Route(f"{v1}/review/next", answering(api.upcoming), methods=["GET"]),
        Route(f"{v1}/review/state", answering(api.state), methods=["GET"]),
        Route(f"{v1}/review/consequence", answering(api.consequence), methods=["GET"]),
        Route(f"{v1}/review/skip", answering(api.skip), methods=["POST"]),
        Route(f"{v1}/review/gold", answering(api.import_gold), methods=["POST"]),
        Route(f"{v1}/decisions", answering(api.decide), methods=["POST"]),
        Route(f"{v1}/decisions", answering(api.export), methods=["GET"]),
        Route(f"{v1}/decisions/import", answering(api.import_log), methods=["POST"]),
        Route(f"{v1}/decisions/{{answer_id}}/retract", answering(api.retract), methods=["POST"]),
        Route(f"{v1}/identities/name", answering(api.rename), methods=["POST"]),
    ]


class _ReviewApi:
    """One method per address; what is wrong is raised and answered in one place."""

    def __init__(self, review: Reviewer) -> None:
        self._review = review

    async def upcoming(self, request: Request) -> Response:
        query = request.query_params
        pair = query.getlist("pair")
        if len(pair) not in (0, 2):
            raise RequestError(400, f"pair came {len(pair)} times; send it twice, once for each crop.")
        found = await run_in_threadpool(
            self._review.upcoming,
            query.get("annotator", ""),
            gallery=query.get("gallery", ""),
            model=query.get("model", ""),
            number=whole_number(query.get("number"), "number", 1, 20) or 5,
            have=query.getlist("have")[:_MAX_KEYS],
            selection=query.get("sel", ""),
            pair=(pair[0], pair[1]) if pair else None,
            adjudicate=query.get("adjudicate", "") in ("1", "true", "yes"),
        )
        return JSONResponse(plain(found), headers=_NO_STORE)

    async def state(self, request: Request) -> Response:
        query = request.query_params
        found = await run_in_threadpool(
            self._review.state, query.get("annotator", ""), gallery=query.get("gallery", "")
        )
        return JSONResponse(plain(found), headers=_NO_STORE)

    async def consequence(self, request: Request) -> Response:
        query = request.query_params
        left, right, gallery = query.get("left", ""), query.get("right", ""), query.get("gallery", "")
        outlooks = await run_in_threadpool(self._review.consequence, left, right, gallery=gallery)
        seen = await run_in_threadpool(self._review.revisions, [left, right], gallery=gallery)
        return JSONResponse({"outlooks": plain(outlooks), "seen": seen}, headers=_NO_STORE)

    async def skip(self, request: Request) -> Response:
        body = await _body(request)
        await run_in_threadpool(
            self._review.put_off,
            _text(body, "key"),
            body.get("annotator", ""),
            gallery=_text(body, "gallery"),
        )
        return JSONResponse({"skipped": True}, headers=_NO_STORE)

    async def decide(self, request: Request) -> Response:
        """409 if one of the answers is stale, 400 if one was refused; the others are stored all the same."""
        body = await _body(request)
        known = body.get("known_answers", [])
        if not isinstance(known, list) or len(known) > 5000:
            raise RequestError(400, "known_answers has to be a list of at most 5000 ids.")
        events = body.get("events")
        if not isinstance(events, list):
            raise RequestError(400, "events has to be a list of answers.")
        results = await run_in_threadpool(
            self._review.answer,
            events,
            body.get("annotator", ""),
            gallery=_text(body, "gallery"),
            known_answers=[str(own_id) for own_id in known],
        )
        return _answered(results)

    async def retract(self, request: Request) -> Response:
        """Undo an answer; with ``redo`` true, restore it."""
        body = await _body(request)
        kind = "redo" if body.get("redo") is True else "undo"
        item = {"kind": kind, "id": body.get("id"), "target": request.path_params["answer_id"]}
        results = await run_in_threadpool(
            self._review.answer, [item], body.get("annotator", ""), gallery=_text(body, "gallery")
        )
        return _answered(results)

    async def export(self, request: Request) -> Response:
        gallery = request.query_params.get("gallery", "")
        lines = await run_in_threadpool(self._review.export_log, gallery=gallery)
        headers = {**_NO_STORE, "Content-Disposition": 'attachment; filename="decisions.jsonl"'}
        content = (f"{line}\n" for line in lines)
        return StreamingResponse(content, media_type="application/x-ndjson", headers=headers)

    async def import_log(self, request: Request) -> Response:
        """With ``needs_empty=1`` a gallery that has judgements is refused."""
        lines, query = await _lines(request), request.query_params
        found = await run_in_threadpool(
            self._review.import_log,
            lines,
            gallery=query.get("gallery", ""),
            needs_empty=query.get("needs_empty", "") in ("1", "true", "yes"),
        )
        return JSONResponse(plain(found), headers=_NO_STORE)

    async def import_gold(self, request: Request) -> Response:
        lines = await _lines(request)
        number = await run_in_threadpool(
            self._review.import_gold, lines, gallery=request.query_params.get("gallery", "")
        )
        return JSONResponse({"num_pairs": number}, headers=_NO_STORE)

    async def rename(self, request: Request) -> Response:
        body = await _body(request)
        await run_in_threadpool(
            self._review.rename,
            _text(body, "node"),
            _text(body, "name"),
            body.get("annotator", ""),
            _text(body, "id"),
            gallery=_text(body, "gallery"),
        )
        return JSONResponse({"renamed": True}, headers=_NO_STORE)


def _answered(results: tuple[AnswerResult, ...]) -> Response:
    statuses = {result.status for result in results}
    status = 409 if "stale" in statuses else 400 if "refused" in statuses else 200
    body: dict[str, Any] = {"results": [plain(result) for result in results]}
    if status != 200:
        body["error"] = next(r.message for r in results if r.status in ("stale", "refused"))
    return JSONResponse(body, status_code=status, headers=_NO_STORE)


async def _body(request: Request) -> Mapping[str, Any]:
    # A form cannot send this type, so no foreign page gets here without asking the browser first.
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise RequestError(415, "Send JSON, with the header Content-Type: application/json.")
    try:
        body = json.loads(await request.body())
    except ValueError as error:
        raise RequestError(400, f"The body is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise RequestError(400, "The body has to be a JSON object.")
    return body


async def _lines(request: Request) -> list[str]:
    try:
        return (await request.body()).decode("utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise RequestError(400, f"The file is not UTF-8 text: {error}") from error


def _text(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name, "")
    if not isinstance(value, str) or len(value) > 1000:
        raise RequestError(400, f"{name} has to be a text of at most 1000 characters.")
    return value
