"""Addresses of the map: points and colours as binary numbers, ids, selections, figures. No Gradio here.

Every address takes the parameters of the Map page (``g``, ``m``, ``layout``, ``n``, ``d``, ``seed``,
``metric``, ``color``, ``q``) and speaks of the map that the page shows for them.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from reid_core.services.maps import (
    Categories,
    Combine,
    Content,
    Gesture,
    MapLayout,
    MapRequest,
    MapService,
    Numbers,
)
from webapp.routes.answers import FOR_EVER, PREFIX, RequestError, answering
from webapp.views.map import shown_request, summarise
from webapp.views.map_address import MapAddress, read_map_address
from webapp.views.map_figures import draw_html, draw_svg, table_of, write_csv, write_json
from webapp.views.palettes import Theme

_MAX_BODY = 4_000_000
_FRESH = {"Cache-Control": "no-store"}
_WAYS = ("polygon", "ids", "same_identity", "nearest", "category", "everything")


def build_map_routes(maps: MapService) -> list[BaseRoute]:
    """Every route of the map, with full paths."""
    api = _MapApi(maps)
    root = f"{PREFIX}/v1/map"
    return [
        Route(f"{root}/points", answering(api.points), methods=["GET"]),
        Route(f"{root}/colors", answering(api.colours), methods=["GET"]),
        Route(f"{root}/ids", answering(api.ids), methods=["GET"]),
        Route(f"{root}/select", answering(api.select), methods=["POST"]),
        Route(f"{root}/export", answering(api.export), methods=["GET"]),
        Route(f"{root}/figure", answering(api.figure), methods=["GET"]),
    ]


class _MapApi:
    """One method per address."""

    def __init__(self, maps: MapService) -> None:
        self._maps = maps

    async def points(self, request: Request) -> Response:
        """x then y, float32 little-endian; with ``channels=xyc`` the colour channel after them.

        ``with`` names another model: then the places of the same crops in that model's aligned map, NaN where
        it has none.
        """
        address = read_map_address(request.query_params)
        return await run_in_threadpool(self._points, address, request.query_params)

    async def colours(self, request: Request) -> Response:
        """The colour channel, float32: code of a group (-1 not known), or the number (NaN not known)."""
        address = read_map_address(request.query_params)

        def answer() -> Response:
            wanted, _ = shown_request(self._maps, address)
            channel = _channel(self._maps.column(wanted, address.colour, address.query_id))
            return Response(channel.tobytes(), media_type="application/octet-stream", headers=_FRESH)

        return await run_in_threadpool(answer)

    async def ids(self, request: Request) -> Response:
        """A JSON list of ids in the order of the points, compressed."""
        address = read_map_address(request.query_params)

        def answer() -> Response:
            _, layout = shown_request(self._maps, address)
            body = json.dumps(layout.ids, ensure_ascii=False, separators=(",", ":")).encode()
            headers = {**_lifetime(request.query_params, layout), "Content-Encoding": "gzip"}
            return Response(gzip.compress(body, 5, mtime=0), media_type="application/json", headers=headers)

        return await run_in_threadpool(answer)

    async def select(self, request: Request) -> Response:
        """Body: ``params`` of the page, one way to select, ``combine`` (replace, add, remove), ``base``."""
        body = await _read_body(request)
        gesture, combine, base = _read_gesture(body)
        address = read_map_address(_texts(body.get("params", {})))

        def answer() -> Response:
            wanted, layout = shown_request(self._maps, address)
            expected = body.get("layout_key")
            if expected and expected != layout.key:
                raise RequestError(409, "The map changed since it was drawn. Reload it and select again.")
            found = self._maps.selections.select(wanted, gesture, combine=combine, base=base)
            summary = summarise(self._maps, wanted, found.ids)
            content = {"key": found.key, "rows": found.rows, "ids": found.ids, "summary": summary}
            return JSONResponse(content, headers=_FRESH)

        return await run_in_threadpool(answer)

    async def export(self, request: Request) -> Response:
        """A selection (``sel``), or all crops, as a table: ``format`` csv or json."""
        params = request.query_params
        kind = params.get("format", "csv")
        if kind not in ("csv", "json"):
            raise RequestError(400, f"format is {kind[:20]!r}; expected csv or json.")
        address = read_map_address(params)

        def answer() -> Response:
            wanted, layout = shown_request(self._maps, address)
            ids = (
                self._maps.selections.load(wanted, address.selection).ids if address.selection else layout.ids
            )
            rows = table_of(
                self._maps.facts(wanted, ids, layout), self._similarities(wanted, layout, address.query_id)
            )
            opened = self._maps.open(wanted)
            name = f"{opened.gallery}-{address.selection or 'all'}"
            if kind == "csv":
                return _download(write_csv(rows), "text/csv; charset=utf-8", f"{name}.csv")
            header = {
                "gallery": opened.gallery,
                "model": opened.model,
                "layout": wanted.method,
                "query": address.query_id or None,
            }
            return _download(write_json(rows, header), "application/json", f"{name}.json")

        return await run_in_threadpool(answer)

    async def figure(self, request: Request) -> Response:
        """The whole map: ``format`` svg or html, ``theme`` light or dark."""
        params = request.query_params
        kind = params.get("format", "svg")
        if kind not in ("svg", "html") or params.get("theme", "light") not in get_args(Theme):
            raise RequestError(400, "A figure is format=svg or html, theme=light or dark.")
        theme: Theme = "dark" if params.get("theme") == "dark" else "light"
        address = read_map_address(params)

        def answer() -> Response:
            wanted, layout = shown_request(self._maps, address)
            content = self._maps.column(wanted, address.colour, address.query_id)
            opened = self._maps.open(wanted)
            column = next(
                (info.title for info in self._maps.columns(wanted) if info.name == address.colour),
                address.colour,
            )
            title = f"{opened.space.gallery.title}, {wanted.method.upper()} of {opened.model}"
            if kind == "svg":
                text = draw_svg(layout.points, content, title=title, column=column, theme=theme)
                return _download(text, "image/svg+xml", f"{opened.gallery}-map.svg")
            text = draw_html(layout.points, layout.ids, content, title=title, column=column, theme=theme)
            return _download(text, "text/html; charset=utf-8", f"{opened.gallery}-map.html")

        return await run_in_threadpool(answer)

    def _points(self, address: MapAddress, params: Mapping[str, str]) -> Response:
        wanted, layout = shown_request(self._maps, address)
        points, headers = layout.points, _lifetime(params, layout)
        if address.compare:
            other = self._maps.layout(address.compared(self._maps.open(wanted).model))
            if other is None:
                raise RequestError(409, "The other model's map is not fitted yet.")
            points, headers = self._maps.points_in_order_of(layout, other), _FRESH
        parts = [points[:, 0].astype("<f4"), points[:, 1].astype("<f4")]
        if params.get("channels") == "xyc":
            parts.append(_channel(self._maps.column(wanted, address.colour, address.query_id)))
            headers = _FRESH
        body = b"".join(part.tobytes() for part in parts)
        return Response(
            body, media_type="application/octet-stream", headers={**headers, "X-Layout": layout.key}
        )

    def _similarities(self, request: MapRequest, layout: MapLayout, query_id: str) -> dict[str, float]:
        if not query_id:
            return {}
        content = self._maps.column(request, "similarity", query_id)
        assert isinstance(content, Numbers)
        return dict(zip(layout.ids, content.values.tolist(), strict=True))


def _channel(content: Content) -> NDArray[np.float32]:
    values = content.codes if isinstance(content, Categories) else content.values
    return values.astype("<f4")


def _lifetime(params: Mapping[str, str], layout: MapLayout) -> dict[str, str]:
    """An address that names the layout's key never changes its answer."""
    return {"Cache-Control": FOR_EVER} if params.get("key") == layout.key else _FRESH


async def _read_body(request: Request) -> dict[str, Any]:
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > _MAX_BODY:
            raise RequestError(413, "The selection is larger than 4 MB. Draw a simpler outline.")
    try:
        body = json.loads(content)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise RequestError(400, "A selection is sent as a JSON object.")
    return body


def _read_gesture(body: Mapping[str, Any]) -> tuple[Gesture, Combine, str]:
    given = [way for way in _WAYS if way in body]
    if len(given) != 1:
        raise RequestError(400, f"Send exactly one of {', '.join(_WAYS)}; {len(given)} came.")
    combine, base = body.get("combine", "replace"), body.get("base", "")
    if combine not in get_args(Combine) or not isinstance(base, str):
        raise RequestError(400, "combine is replace, add or remove, and base is the key of a selection.")
    value = body[given[0]]
    try:
        gesture = _GESTURES[given[0]](value)
    except (TypeError, ValueError, KeyError):
        raise RequestError(400, f"{given[0]} is {str(value)[:60]!r}, which makes no selection.") from None
    return gesture, combine, base


_GESTURES = {
    "polygon": lambda value: Gesture(polygon=tuple((float(x), float(y)) for x, y in value)),
    "ids": lambda value: Gesture(ids=tuple(_text(entry) for entry in value)),
    "same_identity": lambda value: Gesture(same_identity=_text(value)),
    "nearest": lambda value: Gesture(nearest=(_text(value["id"]), int(value["count"]))),
    "category": lambda value: Gesture(category=(_text(value["column"]), _text(value["label"]))),
    "everything": lambda value: Gesture(everything=True),
}


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _texts(value: object) -> dict[str, str]:
    if not isinstance(value, dict):
        raise RequestError(400, "params are the address parameters of the page.")
    return {str(name): str(text) for name, text in value.items()}


def _download(text: str, media_type: str, name: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"', **_FRESH}
    return Response(text, media_type=media_type, headers=headers)
