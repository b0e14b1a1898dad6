"""Our own addresses below ``/gradio_api/reid``: images, static files and the HTTP interface. No Gradio here.

Any other path would be swallowed by Gradio's Node server where that is on. Images are named by content, so
they never change and browsers may keep them for ever; an image's id is never part of a path.
"""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import Any, Protocol

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from reid_core.errors import ReidError
from reid_core.images import ImageInput
from reid_core.services import (
    GalleryInfo,
    JobView,
    ModelInfo,
    QueryView,
    SearchRequest,
    SearchResult,
)
from reid_core.services.evaluations import Evaluations
from reid_core.services.maps import MapService
from reid_core.services.retraining import Retraining
from reid_core.services.selections import SelectionStore
from webapp.routes import explain
from webapp.routes.answers import (
    FOR_EVER,
    PREFIX,
    RequestError,
    answering,
    number,
    plain,
    switch,
    text_field,
    whole_number,
)
from webapp.routes.evaluations import build_evaluation_routes
from webapp.routes.identities import IdentityReader, build_identity_routes
from webapp.routes.maps import build_map_routes
from webapp.routes.retraining import build_retraining_routes
from webapp.routes.retraining_sets import build_retraining_set_routes
from webapp.routes.review import Reviewer, build_review_routes

_log = logging.getLogger(__name__)

STATIC_DIR = Path(__file__).parents[1] / "static"

_HASH = re.compile(r"[0-9a-f]{32}(?:[0-9a-f]{32})?")
_SEARCH_FIELDS = frozenset(
    {
        "image",
        "query_id",
        "k",
        "camid",
        "time_from_s",
        "time_to_s",
        "exclude_same_camera",
        "rerank",
        "expand",
        "gallery",
        "model",
    }
)
_MB = 1_000_000
_CHUNK = 1 << 20


class JudgementServices(Reviewer, IdentityReader, Protocol):
    """What the addresses of review, identities and history need together."""


class Services(explain.Services, Protocol):
    """All that these addresses need of the Workbench."""

    @property
    def retraining(self) -> Retraining: ...
    @property
    def evaluations(self) -> Evaluations: ...
    @property
    def selections(self) -> SelectionStore: ...
    def galleries(self) -> tuple[GalleryInfo, ...]: ...
    def models(self) -> tuple[ModelInfo, ...]: ...
    def jobs(self) -> tuple[JobView, ...]: ...
    def job(self, job_id: str) -> JobView: ...
    def cancel(self, job_id: str) -> None: ...
    def gallery_status(self, gallery: str = "", model: str = "") -> JobView: ...
    def import_gallery(self, source: Path, *, name: str = "", kind: str = "auto") -> str: ...
    def store_upload(self, image: ImageInput) -> QueryView: ...
    def search(self, request: SearchRequest) -> SearchResult: ...
    def image_by_hash(self, gallery: str, content_hash: str, *, max_height: int | None = None) -> bytes: ...
    @property
    def review(self) -> JudgementServices: ...

    @property
    def maps(self) -> MapService: ...


@dataclass(frozen=True, slots=True)
class UploadLimits:
    """``incoming`` is where gallery uploads are streamed to; the sizes are megabytes."""

    incoming: Path
    max_image_mb: int
    max_gallery_mb: int


def build_routes(services: Services, limits: UploadLimits) -> list[BaseRoute]:
    """Every route, with full paths, ready for ``launch(app_kwargs={"routes": ...})``."""
    api = _Api(services, limits)
    return [
        Route(f"{PREFIX}/image/{{gallery}}/{{name}}", answering(api.image), methods=["GET"]),
        Route(f"{PREFIX}/v1/search", answering(api.search), methods=["POST"]),
        Route(f"{PREFIX}/v1/status", answering(api.status), methods=["GET"]),
        Route(f"{PREFIX}/v1/galleries", answering(api.galleries), methods=["GET"]),
        Route(f"{PREFIX}/v1/models", answering(api.models), methods=["GET"]),
        Route(f"{PREFIX}/v1/galleries/upload", answering(api.upload_gallery), methods=["POST"]),
        Route(f"{PREFIX}/v1/jobs/{{job_id}}", answering(api.job), methods=["GET"]),
        Route(f"{PREFIX}/v1/jobs/{{job_id}}/cancel", answering(api.cancel), methods=["POST"]),
        *explain.build_explain_routes(services),
        *build_map_routes(services.maps),
        *build_retraining_routes(services.retraining, lambda: _default_gallery(services)),
        *build_retraining_set_routes(
            services.retraining, lambda: _default_gallery(services), max_mb=limits.max_gallery_mb
        ),
        *build_review_routes(services.review),
        *build_identity_routes(services.review),
        *build_evaluation_routes(services.evaluations, services.selections),
        Mount(f"{PREFIX}/static", _VersionedFiles(directory=STATIC_DIR)),
    ]


def _default_gallery(services: Services) -> str:
    found = services.galleries()
    if not found:
        raise RequestError(404, "There is no gallery yet. Import one first.")
    return found[0].name


class _Api:
    """One method per address; errors are raised and answered in one place."""

    def __init__(self, services: Services, limits: UploadLimits) -> None:
        self._services = services
        self._limits = limits

    async def image(self, request: Request) -> Response:
        content_hash, _, suffix = request.path_params["name"].partition(".")
        if suffix != "jpg" or not _HASH.fullmatch(content_hash):
            raise RequestError(404, "There is no such image.")
        height = whole_number(request.query_params.get("h"), "h", 1, 10_000)
        etag = f'"{content_hash}-{height or 0}"'
        headers = {"Cache-Control": FOR_EVER, "ETag": etag}
        if etag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        try:
            content = await run_in_threadpool(
                self._services.image_by_hash,
                request.path_params["gallery"],
                content_hash,
                max_height=height,
            )
        except ReidError as error:
            raise RequestError(404, str(error)) from error
        return Response(content, media_type="image/jpeg", headers=headers)

    async def search(self, request: Request) -> Response:
        async with request.form(max_files=1, max_fields=500, max_part_size=_CHUNK) as form:
            strange = sorted(set(form) - _SEARCH_FIELDS)
            if strange:
                raise RequestError(
                    400, f"There is no field {strange[0]!r}. Known: {', '.join(sorted(_SEARCH_FIELDS))}."
                )
            content = await self._read_image(form)
            query_id = text_field(form, "query_id")
            if (content is None) == (not query_id):
                raise RequestError(400, "Send either an image or a query_id, not both and not neither.")
            settings = _read_search(form)
        if content is not None:
            query_id = (await run_in_threadpool(self._services.store_upload, content)).id
        wanted = SearchRequest(query_id=query_id, **settings)
        result = await run_in_threadpool(self._services.search, wanted)
        return JSONResponse(plain(result), headers={"Cache-Control": "no-store"})

    async def status(self, request: Request) -> Response:
        gallery, model = request.query_params.get("gallery", ""), request.query_params.get("model", "")
        ready = await run_in_threadpool(self._services.gallery_status, gallery, model)
        jobs = await run_in_threadpool(self._services.jobs)
        return JSONResponse({"gallery": plain(ready), "jobs": [plain(job) for job in jobs]})

    async def galleries(self, request: Request) -> Response:
        found = await run_in_threadpool(self._services.galleries)
        return JSONResponse({"galleries": [plain(gallery) for gallery in found]})

    async def models(self, request: Request) -> Response:
        found = await run_in_threadpool(self._services.models)
        return JSONResponse({"models": [plain(model) for model in found]})

    async def job(self, request: Request) -> Response:
        try:
            found = await run_in_threadpool(self._services.job, request.path_params["job_id"])
        except ReidError as error:
            raise RequestError(404, str(error)) from error
        return JSONResponse(plain(found))

    async def cancel(self, request: Request) -> Response:
        await run_in_threadpool(self._services.cancel, request.path_params["job_id"])
        return await self.job(request)

    async def upload_gallery(self, request: Request) -> Response:
        """The file is the field ``file`` of a form, or the body itself with its name in ``?filename=``."""
        name = request.query_params.get("name", "")
        if not request.headers.get("content-type", "").startswith("multipart/form-data"):
            filename = request.query_params.get("filename", "gallery.zip")
            return await self._import(filename, name, request.stream())
        async with request.form(max_files=1, max_fields=10, max_part_size=_CHUNK) as form:
            sent = form.get("file")
            if not isinstance(sent, UploadFile):
                raise RequestError(400, "The field 'file' has to be a file.")
            return await self._import(sent.filename or "", name or text_field(form, "name"), _chunks(sent))

    async def _import(self, filename: str, name: str, content: AsyncIterator[bytes]) -> Response:
        claimed = PureWindowsPath(filename)  # knows both kinds of slashes; only suffix and title are used
        suffix = claimed.suffix.lower()
        if suffix not in (".zip", ".csv"):
            raise RequestError(400, f"A gallery is uploaded as .zip or .csv, not as {claimed.name[:80]!r}.")
        self._limits.incoming.mkdir(parents=True, exist_ok=True)
        path = self._limits.incoming / f"{secrets.token_hex(8)}{suffix}"
        try:
            await self._write(content, path)
            title = name or claimed.stem
            job_id = await run_in_threadpool(self._services.import_gallery, path, name=title)
        finally:
            path.unlink(missing_ok=True)  # the import has a copy of its own
        return JSONResponse({"job": job_id}, status_code=202)

    async def _write(self, content: AsyncIterator[bytes], path: Path) -> None:
        left = self._limits.max_gallery_mb * _MB
        with path.open("wb") as file:
            async for chunk in content:
                left -= len(chunk)
                if left < 0:
                    raise RequestError(
                        413,
                        f"The file is larger than the {self._limits.max_gallery_mb} MB that are accepted.",
                    )
                await run_in_threadpool(file.write, chunk)
        if path.stat().st_size == 0:
            raise RequestError(400, "The file is empty.")

    async def _read_image(self, form: FormData) -> bytes | None:
        sent = form.get("image")
        if sent is None:
            return None
        if not isinstance(sent, UploadFile):
            raise RequestError(400, "The field 'image' has to be a file.")
        content = await sent.read(self._limits.max_image_mb * _MB + 1)
        if len(content) > self._limits.max_image_mb * _MB:
            raise RequestError(
                413, f"The image is larger than the {self._limits.max_image_mb} MB that are accepted."
            )
        return content


class _VersionedFiles(StaticFiles):
    """Static files; an address with a version in its query never changes its content."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        is_versioned = scope.get("query_string", b"").startswith(b"v=")
        if response.status_code in (200, 304):
            response.headers["Cache-Control"] = FOR_EVER if is_versioned else "no-cache"
        return response


async def _chunks(sent: UploadFile) -> AsyncIterator[bytes]:
    while chunk := await sent.read(_CHUNK):
        yield chunk


def _read_search(form: FormData) -> dict[str, Any]:
    """The fields of a SearchRequest that were sent, as their types."""
    k = whole_number(text_field(form, "k"), "k", 1, 200)
    cameras = [whole_number(str(value), "camid", -(2**31), 2**31) for value in form.getlist("camid")]
    settings: dict[str, Any] = {
        "k": k,
        "cameras": tuple(camera for camera in cameras if camera is not None),
        "time_from_s": number(text_field(form, "time_from_s"), "time_from_s"),
        "time_to_s": number(text_field(form, "time_to_s"), "time_to_s"),
        "exclude_same_camera": switch(text_field(form, "exclude_same_camera"), "exclude_same_camera"),
        "rerank": switch(text_field(form, "rerank"), "rerank"),
        "expand": switch(text_field(form, "expand"), "expand"),
        "gallery": text_field(form, "gallery") or None,
        "model": text_field(form, "model") or None,
    }
    return {name: value for name, value in settings.items() if value is not None}
