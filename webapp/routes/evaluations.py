"""Addresses of evaluation runs: start, list, edit, tag, figures, tables, reports. No Gradio here.

What a page shows goes through its server functions; here are all writes, and what is downloaded.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route

from reid_core.errors import ReidError
from reid_core.services.evaluations import Evaluations, OpenRun, RankingName, RunRequest
from webapp.routes.answers import FOR_EVER, PREFIX, RequestError, answering, plain, whole_number
from webapp.views.failure_address import read_failures, read_ranking

EVALUATIONS = f"{PREFIX}/v1/evaluations"
PLOTLY = f"{PREFIX}/vendor/plotly.min.js"
_MAX_JSON = 4_000_000
_NO_STORE = {"Cache-Control": "no-store"}
_MEDIA = {".csv": "text/csv; charset=utf-8", ".json": "application/json", ".html": "text/html; charset=utf-8"}
_PAGE_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
"""A report shows pictures and styles that are inside it, and can do nothing else."""


class Selections(Protocol):
    """All that is needed of ``SelectionStore``."""

    def save(self, gallery: str, image_ids: Iterable[str]) -> str: ...
    def load(self, gallery: str, key: str) -> tuple[str, ...]: ...


def build_evaluation_routes(evaluations: Evaluations, selections: Selections) -> list[BaseRoute]:
    """Every address of this feature, with full paths."""
    api = _Api(evaluations, selections)
    run = f"{EVALUATIONS}/{{run_id}}"
    gets: list[tuple[str, Any]] = [
        (PLOTLY, plotly_file),
        (EVALUATIONS, api.runs),
        (f"{EVALUATIONS}/tags.csv", api.tags_csv),
        (f"{EVALUATIONS}/compare/figures", api.comparison_figures),
        (f"{EVALUATIONS}/compare/figures/{{name}}", api.comparison_figure),
        (run, api.info),
        (f"{run}/figures", api.figures),
        (f"{run}/figures/{{name}}", api.figure),
        (f"{run}/tables/{{name}}", api.table),
        (f"{run}/queries.csv", api.queries_csv),
        (f"{run}/report.html", api.report),
        (f"{run}/strip.png", api.strip),
    ]
    posts: list[tuple[str, Any]] = [
        (EVALUATIONS, api.start),
        (f"{run}/edit", api.edit),
        (f"{run}/delete", api.delete),
        (f"{run}/tags", api.tag),
        (f"{run}/tags/undo", api.undo_tag),
        (f"{run}/selection", api.select),
    ]
    return [
        *(Route(path, answering(handler), methods=["GET"]) for path, handler in gets),
        *(Route(path, answering(handler), methods=["POST"]) for path, handler in posts),
    ]


async def plotly_file(request: Request) -> Response:
    """The drawing library as the Python package ships it."""
    spec = find_spec("plotly")
    if spec is None or spec.origin is None:
        raise RequestError(404, "The plotly package is not installed, so figures cannot be drawn.")
    path = Path(spec.origin).parent / "package_data" / "plotly.min.js"
    return FileResponse(path, media_type="text/javascript", headers={"Cache-Control": FOR_EVER})


class _Api:
    """One method per address; errors are raised and answered in one place."""

    def __init__(self, evaluations: Evaluations, selections: Selections) -> None:
        self._evaluations, self._selections = evaluations, selections

    async def runs(self, request: Request) -> Response:
        gallery = request.query_params.get("gallery", "")
        runs = await run_in_threadpool(self._evaluations.runs, gallery)
        return JSONResponse({"runs": [plain(info) for info in runs]}, headers=_NO_STORE)

    async def start(self, request: Request) -> Response:
        wanted = RunRequest.from_dict(await _read_json(request))
        job = await run_in_threadpool(self._evaluations.start, wanted)
        return JSONResponse({"job": job.id}, status_code=202)

    async def info(self, request: Request) -> Response:
        run = await self._open(request)
        return JSONResponse(plain(run.info), headers=_NO_STORE)

    async def edit(self, request: Request) -> Response:
        fields = await _read_json(request)
        texts = {name: _text(fields, name) for name in ("title", "comment")}
        info = await run_in_threadpool(lambda: self._evaluations.edit(_run_id(request), **texts))
        return JSONResponse({"title": info.title, "comment": info.comment})

    async def delete(self, request: Request) -> Response:
        await run_in_threadpool(self._evaluations.remove, _run_id(request))
        return JSONResponse({"deleted": _run_id(request)})

    async def tag(self, request: Request) -> Response:
        fields = await _read_json(request)
        is_on = fields.get("on", True)
        if not isinstance(is_on, bool):
            raise RequestError(400, f"on is {str(is_on)[:40]!r}; expected true or false.")
        event = await run_in_threadpool(
            lambda: self._evaluations.tag(
                _run_id(request),
                _text(fields, "query"),
                _text(fields, "kind"),
                who=_text(fields, "who"),
                is_on=is_on,
            )
        )
        return JSONResponse({"event": plain(event) if event else None})

    async def undo_tag(self, request: Request) -> Response:
        fields = await _read_json(request)
        event = await run_in_threadpool(
            lambda: self._evaluations.undo_tag(
                _run_id(request), _text(fields, "event"), who=_text(fields, "who")
            )
        )
        return JSONResponse({"event": plain(event)})

    async def tags_csv(self, request: Request) -> Response:
        gallery = request.query_params.get("gallery", "")
        text = await run_in_threadpool(self._evaluations.tag_csv, gallery)
        return _download(text, "failure-tags.csv")

    async def select(self, request: Request) -> Response:
        """Keep queries as a selection for other pages; ``with_false`` adds what they are confused with."""
        fields = await _read_json(request)
        wanted = fields.get("queries")
        if wanted is not None and not (
            isinstance(wanted, list) and all(isinstance(name, str) for name in wanted)
        ):
            raise RequestError(400, "queries has to be a list of image ids.")
        run = await self._open(request)

        def save() -> tuple[str, int]:
            rows = self._rows(run, request) if wanted is None else [run.row(name) for name in wanted]
            ids = [run.queries[row].id for row in rows]
            if fields.get("with_false") is True:
                false = run.report.per_query.best_false_index
                ids += [run.images[int(false[row])].id for row in rows if false[row] >= 0]
            return self._selections.save(run.info.gallery, ids), len(rows)

        key, number = await run_in_threadpool(save)
        return JSONResponse({"key": key, "num_queries": number})

    async def figures(self, request: Request) -> Response:
        found = await run_in_threadpool(self._evaluations.figures, _run_id(request))
        return JSONResponse(found)

    async def figure(self, request: Request) -> Response:
        found = await run_in_threadpool(self._evaluations.figures, _run_id(request))
        return await self._figure_file(found, request, _run_id(request))

    async def comparison_figures(self, request: Request) -> Response:
        return JSONResponse(await self._comparison(request), headers=_NO_STORE)

    async def comparison_figure(self, request: Request) -> Response:
        return await self._figure_file(await self._comparison(request), request, "comparison")

    async def table(self, request: Request) -> Response:
        name = request.path_params["name"]
        content = await run_in_threadpool(self._evaluations.table, _run_id(request), name)
        return _download(content, name)

    async def queries_csv(self, request: Request) -> Response:
        run = await self._open(request)
        text = await run_in_threadpool(lambda: self._evaluations.query_csv(run, self._rows(run, request)))
        return _download(text, f"queries-{run.info.id}.csv")

    async def report(self, request: Request) -> Response:
        """``k`` images per query; ``download`` saves it instead of showing it."""
        k = whole_number(request.query_params.get("k"), "k", 1, 20) or 10
        run = await self._open(request)
        text = await run_in_threadpool(lambda: self._evaluations.report(run, self._rows(run, request), k=k))
        headers = {**_NO_STORE, "Content-Security-Policy": _PAGE_POLICY}
        if request.query_params.get("download"):
            headers["Content-Disposition"] = f'attachment; filename="rank-lists-{run.info.id}.html"'
        return Response(text, media_type=_MEDIA[".html"], headers=headers)

    async def strip(self, request: Request) -> Response:
        """``k`` images per query at ``scale``; ``junk=0`` leaves out what the protocol leaves out."""
        k = whole_number(request.query_params.get("k"), "k", 1, 20) or 10
        scale = whole_number(request.query_params.get("scale"), "scale", 1, 8) or 3
        shows_junk = request.query_params.get("junk") != "0"
        run = await self._open(request)
        content = await run_in_threadpool(
            lambda: self._evaluations.strip(
                run, self._rows(run, request), k=k, scale=scale, shows_junk=shows_junk
            )
        )
        headers = {**_NO_STORE, "Content-Disposition": f'inline; filename="strip-{run.info.id}.png"'}
        return Response(content, media_type="image/png", headers=headers)

    async def _open(self, request: Request) -> OpenRun:
        ranking = read_ranking(request.query_params.get("rank"))
        try:
            return await run_in_threadpool(self._evaluations.open, _run_id(request), ranking)
        except ReidError as error:
            raise RequestError(404, str(error)) from error

    def _rows(self, run: OpenRun, request: Request) -> list[int]:
        """The queries named by ``q`` (repeated), in a selection ``sel``, or else passing the filters."""
        names = request.query_params.getlist("q")
        if names:
            return [run.row(name) for name in names]
        key = request.query_params.get("sel")
        if key:
            chosen = set(self._selections.load(run.info.gallery, key))
            rows = self._evaluations.worst(run, read_failures({}).wanted)
            found = [row for row in rows if run.queries[row].id in chosen]
            if not found:
                raise RequestError(
                    404, f"None of the images of selection {key[:40]!r} is a query of this run."
                )
            return found
        address = read_failures(request.query_params)
        if address.problems:
            raise RequestError(400, address.problems[0])
        return list(self._evaluations.worst(run, address.wanted))

    async def _comparison(self, request: Request) -> dict[str, Any]:
        query = request.query_params
        first: tuple[str, RankingName] = (query.get("vs", ""), read_ranking(query.get("vsrank")))
        second: tuple[str, RankingName] = (query.get("run", ""), read_ranking(query.get("rank")))
        return await run_in_threadpool(self._evaluations.comparison_figures, first, second)

    async def _figure_file(self, figures: Mapping[str, Any], request: Request, stem: str) -> Response:
        name, _, suffix = request.path_params["name"].partition(".")
        text = await run_in_threadpool(self._evaluations.figure_file, figures, name, suffix)
        return _download(text, f"{name}-{stem}.{suffix}")


def _run_id(request: Request) -> str:
    return str(request.path_params["run_id"])


async def _read_json(request: Request) -> dict[str, Any]:
    if not request.headers.get("content-type", "").startswith("application/json"):
        raise RequestError(400, "Send the fields as JSON (Content-Type: application/json).")
    body = await request.body()
    if len(body) > _MAX_JSON:
        raise RequestError(413, f"The request has {len(body):,} bytes; at most {_MAX_JSON:,} are read.")
    try:
        values = json.loads(body)
    except ValueError as error:
        raise RequestError(400, f"The body is not JSON ({error}).") from error
    if not isinstance(values, dict):
        raise RequestError(400, "The body has to be a JSON object with named fields.")
    return values


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name, "")
    if not isinstance(value, str):
        raise RequestError(400, f"{name} has to be a text.")
    return value


def _download(content: str | bytes, name: str) -> Response:
    media = _MEDIA.get(Path(name).suffix, "application/octet-stream")
    headers = {**_NO_STORE, "Content-Disposition": f'attachment; filename="{name}"'}
    return Response(content, media_type=media, headers=headers)
