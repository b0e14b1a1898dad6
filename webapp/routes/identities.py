"""Addresses that read identities and the log: lists, one in full, contradictions, history. No Gradio here."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from reid_core.services.review import (
    ConflictView,
    HistoryPage,
    IdentityDetail,
    IdentitySummary,
    PairState,
    ReviewStatistics,
    SimilarIdentity,
    SinceYouLeft,
    UndoOutlook,
)
from webapp.routes.answers import PREFIX, RequestError, answering, plain, whole_number

_NO_STORE = {"Cache-Control": "no-store"}
_MAX_IDS = 20_000
_MAX_ID_LENGTH = 500


class IdentityReader(Protocol):
    """All that these addresses need of ``workbench.review``."""

    def identities(
        self,
        *,
        gallery: str = "",
        text: str = "",
        camera: int | None = None,
        state: str = "",
        order: str = "size",
        page: int = 1,
        page_size: int = 50,
        model: str = "",
    ) -> tuple[tuple[IdentitySummary, ...], int]: ...
    def identity(self, node: str, *, gallery: str = "") -> IdentityDetail: ...
    def similar(
        self, node: str, *, gallery: str = "", model: str = "", number: int = 8
    ) -> tuple[SimilarIdentity, ...]: ...
    def conflicts(self, *, gallery: str = "") -> tuple[ConflictView, ...]: ...
    def history(
        self,
        *,
        gallery: str = "",
        annotator: str = "",
        node: str = "",
        answer: str = "",
        stream: str = "",
        text: str = "",
        since: str = "",
        until: str = "",
        answer_id: str = "",
        page: int = 1,
        page_size: int = 50,
    ) -> HistoryPage: ...
    def undo_outlook(self, answer_id: str, *, gallery: str = "") -> UndoOutlook: ...
    def statistics(self, *, gallery: str = "") -> ReviewStatistics: ...
    def since_you_left(self, annotator: str, *, gallery: str = "") -> SinceYouLeft: ...
    def pair_states(self, query: str, ids: Iterable[str], *, gallery: str = "") -> dict[str, PairState]: ...
    def revisions(self, nodes: Iterable[str], *, gallery: str = "") -> dict[str, int]: ...


def build_identity_routes(review: IdentityReader) -> list[BaseRoute]:
    """Every route of identities and history, with full paths."""
    api = _IdentityApi(review)
    v1 = f"{PREFIX}/v1"
    return [
        Route(f"{v1}/identities", answering(api.identities), methods=["GET"]),
        Route(f"{v1}/identities/one", answering(api.identity), methods=["GET"]),
        Route(f"{v1}/identities/similar", answering(api.similar), methods=["GET"]),
        Route(f"{v1}/identities/conflicts", answering(api.conflicts), methods=["GET"]),
        Route(f"{v1}/history", answering(api.history), methods=["GET"]),
        Route(f"{v1}/history/undo", answering(api.undo_outlook), methods=["GET"]),
        Route(f"{v1}/history/statistics", answering(api.statistics), methods=["GET"]),
        Route(f"{v1}/history/since", answering(api.since), methods=["GET"]),
        Route(f"{v1}/review/pairs", answering(api.pairs), methods=["POST"]),
    ]


class _IdentityApi:
    """One method per address."""

    def __init__(self, review: IdentityReader) -> None:
        self._review = review

    async def identities(self, request: Request) -> Response:
        query = request.query_params
        found, number = await run_in_threadpool(
            self._review.identities,
            gallery=query.get("gallery", ""),
            text=query.get("text", ""),
            camera=whole_number(query.get("camera"), "camera", -(2**31), 2**31),
            state=query.get("state", ""),
            order=query.get("order", "") or "size",
            page=_page(request),
            page_size=whole_number(query.get("page_size"), "page_size", 1, 200) or 60,
            model=query.get("model", ""),
        )
        return _json({"identities": plain(found), "num_all": number})

    async def identity(self, request: Request) -> Response:
        query = request.query_params
        node, gallery = query.get("id", ""), query.get("gallery", "")
        return _json(plain(await run_in_threadpool(self._review.identity, node, gallery=gallery)))

    async def similar(self, request: Request) -> Response:
        query = request.query_params
        found = await run_in_threadpool(
            self._review.similar,
            query.get("id", ""),
            gallery=query.get("gallery", ""),
            model=query.get("model", ""),
            number=whole_number(query.get("number"), "number", 1, 50) or 8,
        )
        return _json({"similar": plain(found)})

    async def conflicts(self, request: Request) -> Response:
        gallery = request.query_params.get("gallery", "")
        return _json({"conflicts": plain(await run_in_threadpool(self._review.conflicts, gallery=gallery))})

    async def history(self, request: Request) -> Response:
        query = request.query_params
        names = ("gallery", "annotator", "node", "answer", "stream", "text", "since", "until", "answer_id")
        found = await run_in_threadpool(
            self._review.history,
            **{name: query.get(name, "") for name in names},
            page=_page(request),
            page_size=whole_number(query.get("page_size"), "page_size", 1, 200) or 50,
        )
        return _json(plain(found))

    async def undo_outlook(self, request: Request) -> Response:
        query = request.query_params
        answer, gallery = query.get("answer", ""), query.get("gallery", "")
        return _json(plain(await run_in_threadpool(self._review.undo_outlook, answer, gallery=gallery)))

    async def statistics(self, request: Request) -> Response:
        gallery = request.query_params.get("gallery", "")
        return _json(plain(await run_in_threadpool(self._review.statistics, gallery=gallery)))

    async def since(self, request: Request) -> Response:
        query = request.query_params
        name, gallery = query.get("annotator", ""), query.get("gallery", "")
        return _json(plain(await run_in_threadpool(self._review.since_you_left, name, gallery=gallery)))

    async def pairs(self, request: Request) -> Response:
        """States between queries and crops; a POST only because hundreds of ids do not fit an address."""
        body = await _object(request)
        rankings, gallery = body.get("rankings"), body.get("gallery", "")
        if not isinstance(rankings, dict) or not isinstance(gallery, str):
            raise RequestError(400, "rankings has to be an object of crops by query, gallery a text.")
        asked = [rankings.keys(), *rankings.values()]
        if not all(isinstance(ids, list) for ids in rankings.values()) or sum(map(len, asked)) > _MAX_IDS:
            raise RequestError(400, f"rankings has to hold lists of ids of crops, at most {_MAX_IDS} ids.")
        if not all(_is_id(own) for ids in asked for own in ids):
            raise RequestError(400, f"An id has to be a text of 1 to {_MAX_ID_LENGTH} characters.")
        return _json(await run_in_threadpool(self._known, rankings, gallery))

    def _known(self, rankings: Mapping[str, list[str]], gallery: str) -> dict[str, Any]:
        states: dict[str, Any] = {}
        nodes: set[str] = set()
        for query, ids in rankings.items():
            found = self._review.pair_states(query, ids, gallery=gallery)
            states[query] = {own: plain(state) for own, state in found.items()}
            nodes.update((query, *found) if found else ())
        return {"states": states, "seen": self._review.revisions(sorted(nodes), gallery=gallery)}


def _page(request: Request) -> int:
    return whole_number(request.query_params.get("page"), "page", 1, 1_000_000) or 1


def _is_id(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= _MAX_ID_LENGTH


async def _object(request: Request) -> Mapping[str, Any]:
    try:
        body = json.loads(await request.body())
    except ValueError as error:
        raise RequestError(400, f"The body is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise RequestError(400, "The body has to be a JSON object.")
    return body


def _json(content: Any) -> Response:
    return JSONResponse(content, headers=_NO_STORE)
