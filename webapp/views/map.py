"""What the Map page does: an address in, everything that is drawn out. Plain values, no Gradio."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from reid_core.errors import GalleryNotReadyError, ReidError
from reid_core.services import JobView, ModelInfo
from reid_core.services.maps import MapLayout, MapRequest, MapService
from webapp.views.formats import (
    format_camera,
    format_count,
    format_identity,
    format_time,
    is_person,
)
from webapp.views.jobs import JobPanel, show_job
from webapp.views.map_address import MapAddress, read_map_address
from webapp.views.map_legend import Legend, show_legend
from webapp.views.search import Fact

MAX_DESCRIBED = 300
MAX_FOUND = 50
MAX_FACTS = 3
"""Columns of a table that a card shows; it lies over the map."""


class Cartographer(Protocol):
    """All that this page needs of the Workbench."""

    @property
    def maps(self) -> MapService: ...
    def models(self) -> tuple[ModelInfo, ...]: ...
    def prepare(self, gallery: str = "", model: str = "") -> JobView: ...


@dataclass(frozen=True, slots=True)
class ColumnChoice:
    """One entry of the colour selector."""

    name: str
    title: str


@dataclass(frozen=True, slots=True)
class CropCard:
    """One crop as the page shows it."""

    id: str
    image_url: str
    title: str
    identity: str
    camera: str
    time: str
    facts: tuple[Fact, ...]


@dataclass(frozen=True, slots=True)
class SelectionPanel:
    """What is selected: the key for other pages, rows of the layout, and ids, people together."""

    key: str = ""
    rows: tuple[int, ...] = ()
    ids: tuple[str, ...] = ()
    summary: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True)
class QueryMark:
    """The current query on the map."""

    id: str
    x: float
    y: float
    is_placed: bool


@dataclass(frozen=True, slots=True)
class FitPanel:
    """How far a layout is.

    ``needed``: nothing was done yet; ``working``; ``ready``; ``stopped`` by hand or an error;
    ``preparing``: the network that it needs is still embedding the gallery.
    """

    state: Literal["needed", "working", "ready", "stopped", "preparing"]
    message: str = ""
    job: JobPanel | None = None


@dataclass(frozen=True, slots=True)
class MapPage:
    """The answer to one address.

    ``kind`` is ``map``; ``preparing`` while the gallery is embedded (``job`` says how far); or ``error``.
    ``shown`` is the layout that has places now: PCA as long as UMAP has none. ``fit`` is about the layout
    that the address asks for, ``compare`` about the other model's.
    """

    kind: Literal["map", "preparing", "error"]
    params: dict[str, str]
    message: str = ""
    job: JobPanel | None = None
    notes: tuple[str, ...] = ()
    title: str = ""
    num_crops: int = 0
    shown: Literal["pca", "umap"] = "pca"
    layout_key: str = ""
    fit: FitPanel | None = None
    compare: FitPanel | None = None
    compare_models: tuple[str, ...] = ()
    model: str = ""
    columns: tuple[ColumnChoice, ...] = ()
    colour: str = ""
    legend: Legend | None = None
    legend_problem: str = ""
    query: QueryMark | None = None
    selection: SelectionPanel | None = None
    parameters: dict[str, str] | None = None


def open_map(cartographer: Cartographer, params: Mapping[str, object]) -> MapPage:
    """Everything for one address but the points, which a route of their own sends."""
    address = read_map_address(params)
    try:
        return _open(cartographer, address)
    except GalleryNotReadyError as error:
        return _preparing(cartographer, address, str(error))
    except ReidError as error:
        return MapPage("error", address.params(), message=str(error), notes=address.problems)


def shown_request(maps: MapService, address: MapAddress) -> tuple[MapRequest, MapLayout]:
    """The map that an address shows now: the one it asks for, or PCA while that is not fitted."""
    request = address.request()
    layout = maps.layout(request)
    if layout is None:
        request = replace(request, method="pca")
        layout = maps.layout(request)
    assert layout is not None  # PCA always has places
    return request, layout


def start_fit(cartographer: Cartographer, params: Mapping[str, object], *, is_compared: bool) -> FitPanel:
    """Begin to fit what the address asks for; ``is_compared`` means the other model's layout."""
    address = read_map_address(params)
    return _follow(lambda: show_job(cartographer.maps.fit(_wanted(cartographer, address, is_compared))))


def follow_fit(cartographer: Cartographer, params: Mapping[str, object], *, is_compared: bool) -> FitPanel:
    """How far that is."""
    address = read_map_address(params)
    try:
        return _fit_panel(cartographer.maps, _wanted(cartographer, address, is_compared))
    except GalleryNotReadyError as error:
        return FitPanel("preparing", str(error))
    except ReidError as error:
        return FitPanel("stopped", str(error))


def cancel_fit(cartographer: Cartographer, job_id: str) -> FitPanel:
    """Stop a fit."""
    try:
        cartographer.maps.cancel(job_id)
    except ReidError as error:
        return FitPanel("stopped", str(error))
    return FitPanel("stopped", "Stopped. What was shown before stays.")


def describe(
    cartographer: Cartographer, params: Mapping[str, object], ids: Sequence[str]
) -> tuple[CropCard, ...]:
    """Cards of at most 300 crops.

    Raises:
        ReidError: The gallery is not ready, or has no such crop.
    """
    address = read_map_address(params)
    facts = cartographer.maps.facts(address.request(), list(ids)[:MAX_DESCRIBED])
    return tuple(
        CropCard(
            id=fact.view.id,
            image_url=fact.view.image_url,
            title=_title(fact.view.pid),
            identity=format_identity(fact.view.pid),
            camera=format_camera(fact.view.camid),
            time="" if fact.view.time_s is None else format_time(fact.view.time_s),
            facts=(
                Fact("Size", f"{fact.view.width} × {fact.view.height} px"),
                Fact("Split", fact.split),
                *(
                    Fact(name.replace("_", " "), text)
                    for name, text in list(fact.attributes.items())[:MAX_FACTS]
                ),
            ),
        )
        for fact in facts
    )


def find(cartographer: Cartographer, params: Mapping[str, object], text: str) -> SelectionPanel:
    """Crops that a person looks for by id or by identity; nothing is selected by it."""
    try:
        ids = cartographer.maps.find(read_map_address(params).request(), text, MAX_FOUND)
    except ReidError as error:
        return SelectionPanel(error=str(error))
    if not ids:
        return SelectionPanel(error=f"No crop on this map matches {text.strip()[:60]!r}.")
    return SelectionPanel(ids=ids, summary=format_count(len(ids), "crop"))


def _open(cartographer: Cartographer, address: MapAddress) -> MapPage:
    maps = cartographer.maps
    opened = maps.open(address.request())
    request, layout = shown_request(maps, address)
    notes = list(address.problems)
    if layout.num_placed:
        notes.append(
            f"{format_count(layout.num_placed, 'crop')} came after this map was made and stand near the "
            "crops that they resemble. Fit again to lay all of them out."
        )
    columns = tuple(ColumnChoice(info.name, info.title) for info in maps.columns(request))
    legend, legend_problem = _legend(maps, request, address, columns)
    fit = FitPanel("ready") if address.is_pca else _fit_panel(maps, address.request())
    if layout.num_placed and fit.state == "needed":
        fit = FitPanel("ready")
    return MapPage(
        kind="map",
        params=address.params(),
        notes=tuple(notes),
        title=opened.space.gallery.title,
        num_crops=len(layout.ids),
        shown=layout.method,
        layout_key=layout.key,
        fit=fit,
        compare=follow_fit(cartographer, address.params(), is_compared=True) if address.compare else None,
        compare_models=tuple(m.name for m in cartographer.models() if m.name != opened.model),
        model=opened.model,
        columns=columns,
        colour=address.colour,
        legend=legend,
        legend_problem=legend_problem,
        query=_query(maps, request, layout, address.query_id, notes),
        selection=load_selection(maps, request, address.selection),
        parameters={
            "n": str(address.parameters.num_neighbours),
            "d": f"{address.parameters.min_dist:g}",
            "seed": str(address.parameters.seed),
            "metric": address.parameters.metric,
        },
    )


def load_selection(maps: MapService, request: MapRequest, key: str) -> SelectionPanel | None:
    """What a link selects."""
    if not key:
        return None
    try:
        found = maps.selections.load(request, key)
    except ReidError as error:
        return SelectionPanel(error=str(error))
    return SelectionPanel(found.key, found.rows, found.ids, summarise(maps, request, found.ids))


def summarise(maps: MapService, request: MapRequest, ids: Sequence[str]) -> str:
    """``24 crops, 3 people, 5 cameras``."""
    images = maps.open(request).space.gallery.by_id
    pids = {images[image_id].pid for image_id in ids}
    people = sum(is_person(pid) for pid in pids)
    cameras = len({images[image_id].camid for image_id in ids} - {None})
    parts = [format_count(len(ids), "crop")]
    parts += [format_count(people, "person", "people")] if people else []
    parts += [format_count(cameras, "camera")] if cameras else []
    return ", ".join(parts)


def _legend(
    maps: MapService, request: MapRequest, address: MapAddress, columns: Sequence[ColumnChoice]
) -> tuple[Legend | None, str]:
    title = next((column.title for column in columns if column.name == address.colour), address.colour)
    try:
        return show_legend(title, maps.column(request, address.colour, address.query_id)), ""
    except ReidError as error:
        return None, str(error)


def _query(
    maps: MapService, request: MapRequest, layout: MapLayout, query_id: str, notes: list[str]
) -> QueryMark | None:
    if not query_id:
        return None
    try:
        x, y = maps.place_query(request, layout, query_id)
    except ReidError as error:
        notes.append(f"The query is not shown: {error}")
        return None
    return QueryMark(query_id, x, y, is_placed=query_id not in maps.open(request).space.index)


def _wanted(cartographer: Cartographer, address: MapAddress, is_compared: bool) -> MapRequest:
    request = address.request()
    if not is_compared:
        return replace(request, method="umap")
    return address.compared(cartographer.maps.open(request).model)


def _fit_panel(maps: MapService, request: MapRequest) -> FitPanel:
    layout = maps.layout(request)
    job = maps.job(request)
    if job is not None and not job.is_over:
        return FitPanel("working", job=show_job(job))
    if layout is not None:
        return FitPanel("ready")
    if job is None or job.state == "done":  # done, but its file was deleted
        return FitPanel("needed")
    return FitPanel("stopped", job.message, show_job(job))


def _follow(start: Callable[[], JobPanel]) -> FitPanel:
    try:
        return FitPanel("working", job=start())
    except GalleryNotReadyError as error:
        return FitPanel("preparing", str(error))
    except ReidError as error:
        return FitPanel("stopped", str(error))


def _preparing(cartographer: Cartographer, address: MapAddress, reason: str) -> MapPage:
    try:
        job = cartographer.prepare(address.gallery, address.model)
    except GalleryNotReadyError as error:
        return MapPage("preparing", address.params(), message=str(error))
    except ReidError as error:
        return MapPage("error", address.params(), message=str(error), notes=address.problems)
    kind: Literal["error", "preparing"] = "error" if job.state in ("failed", "cancelled") else "preparing"
    return MapPage(
        kind, address.params(), message=job.message if kind == "error" else reason, job=show_job(job)
    )


def _title(pid: int | None) -> str:
    return f"ID {pid}" if is_person(pid) else format_identity(pid)
