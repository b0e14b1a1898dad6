"""Addresses of explanations: maps as JSON, arrays and pictures to take away, checks, the gate study. No
Gradio.

All of them are GET: they change nothing, and a link is enough to take a picture or the numbers away.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Protocol

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from reid_core.explain.gates import MAX_CLUSTERS, MIN_CLUSTERS
from reid_core.explain.records import DEFAULT_BLOCK, NUM_STREAMS, MapChoice
from reid_core.services.explaining import Explaining
from webapp.routes.answers import PREFIX, RequestError, answering, plain, whole_number
from webapp.views.explanation import pack_arrays, show_checks, show_explained
from webapp.views.explanation_picture import draw_picture

_MAX_NEIGHBOURS = 60
_FRESH = {"Cache-Control": "no-store"}


class Services(Protocol):
    """All that these addresses need of the Workbench."""

    @property
    def explaining(self) -> Explaining: ...
    def image_bytes(self, gallery: str, image_id: str, *, max_height: int | None = None) -> bytes: ...


def build_explain_routes(services: Services) -> list[BaseRoute]:
    """Every route below ``v1/explain``."""
    api = _Api(services)
    routes = {
        "crop": api.crop,
        "pair": api.pair,
        "checks": api.checks,
        "arrays.npz": api.arrays,
        "picture.png": api.picture,
        "gates/clusters": api.gate_clusters,
        "gates/similar": api.similar_gates,
    }
    return [
        Route(f"{PREFIX}/v1/explain/{name}", answering(handler), methods=["GET"])
        for name, handler in routes.items()
    ]


class _Api:
    """One method per address."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def crop(self, request: Request) -> Response:
        ids = [_needed(request, "image")]
        explained = await run_in_threadpool(self._services.explaining.explain, ids, **_scope(request))
        return JSONResponse(await run_in_threadpool(show_explained, explained), headers=_FRESH)

    async def pair(self, request: Request) -> Response:
        ids = [_needed(request, "left"), _needed(request, "right")]
        explained = await run_in_threadpool(self._services.explaining.explain, ids, **_scope(request))
        return JSONResponse(await run_in_threadpool(show_explained, explained), headers=_FRESH)

    async def checks(self, request: Request) -> Response:
        ids, choice = _ids(request), _choice(request)
        side = {"": 0, "left": 0, "right": 1}.get(request.query_params.get("side", ""))
        if side is None:
            raise RequestError(400, "side has to be left or right.")
        checks = await run_in_threadpool(
            self._services.explaining.check, ids, choice, side=side, **_scope(request)
        )
        return JSONResponse(show_checks(checks, choice, is_pair=len(ids) == 2), headers=_FRESH)

    async def arrays(self, request: Request) -> Response:
        explained = await run_in_threadpool(
            self._services.explaining.explain, _ids(request), **_scope(request)
        )
        content = await run_in_threadpool(pack_arrays, explained)
        return Response(content, media_type="application/octet-stream", headers=_as_file(request, "npz"))

    async def picture(self, request: Request) -> Response:
        ids, choice = _ids(request), _choice(request)
        opacity = whole_number(request.query_params.get("opacity"), "opacity", 0, 100)
        explained = await run_in_threadpool(self._services.explaining.explain, ids, **_scope(request))

        def draw() -> bytes:
            crops = [self._services.image_bytes(explained.gallery, image_id) for image_id in ids]
            return draw_picture(explained, crops, choice, opacity=(60 if opacity is None else opacity) / 100)

        content = await run_in_threadpool(draw)
        return Response(content, media_type="image/png", headers=_as_file(request, "png"))

    async def gate_clusters(self, request: Request) -> Response:
        clusters = whole_number(request.query_params.get("clusters"), "clusters", MIN_CLUSTERS, MAX_CLUSTERS)
        found = await run_in_threadpool(
            self._services.explaining.gates.clusters,
            request.query_params.get("block") or DEFAULT_BLOCK,
            clusters or 6,
            **_scope(request),
        )
        return JSONResponse({"clusters": [plain(cluster) for cluster in found]}, headers=_FRESH)

    async def similar_gates(self, request: Request) -> Response:
        count = whole_number(request.query_params.get("count"), "count", 1, _MAX_NEIGHBOURS)
        found = await run_in_threadpool(
            self._services.explaining.gates.similar,
            request.query_params.get("block") or DEFAULT_BLOCK,
            _needed(request, "image"),
            count=count or 12,
            **_scope(request),
        )
        return JSONResponse({"neighbours": [plain(neighbour) for neighbour in found]}, headers=_FRESH)


def _scope(request: Request) -> dict[str, str]:
    return {name: request.query_params.get(name, "") for name in ("gallery", "model")}


def _needed(request: Request, name: str) -> str:
    value = request.query_params.get(name, "")
    if not value:
        raise RequestError(400, f"The parameter {name!r} is missing; give the id of a crop.")
    return value


def _ids(request: Request) -> list[str]:
    """The left crop, and the right one where there is one."""
    right = request.query_params.get("right", "")
    return [_needed(request, "left"), *([right] if right else [])]


def _choice(request: Request) -> MapChoice:
    given: Mapping[str, str] = request.query_params
    stream = whole_number(given.get("stream"), "stream", 0, NUM_STREAMS)
    default = "evidence" if given.get("right") else "energy"
    return MapChoice(given.get("map") or default, given.get("block") or DEFAULT_BLOCK, stream or 0)


def _as_file(request: Request, suffix: str) -> dict[str, str]:
    """Headers that save the answer under a name made of the crops' ids; plain ASCII, no path."""
    stems = [
        re.sub(r"[^A-Za-z0-9_-]+", "-", i.rsplit("/", 1)[-1].rsplit(".", 1)[0])[:40] for i in _ids(request)
    ]
    name = "explain_" + "_".join(stem.strip("-") or "crop" for stem in stems)
    return {**_FRESH, "Content-Disposition": f'attachment; filename="{name}.{suffix}"'}
