"""What the Explain page shows besides the maps: the crops, what to compare them with, the gate study.

Plain values, no Gradio. The maps themselves come from the addresses of ``routes/explain.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from reid_core.errors import GalleryNotReadyError, ReidError
from reid_core.explain.gates import MAX_CLUSTERS, MIN_CLUSTERS
from reid_core.explain.records import DEFAULT_BLOCK, LAST_MAP, PLACES, MapChoice
from reid_core.services import JobView, QueryView, SearchRequest, SearchResult, Verdict
from reid_core.services.gate_study import GateClusterView, GateNeighbour
from webapp.views.formats import format_count, format_similarity
from webapp.views.jobs import JobPanel, show_job
from webapp.views.search import QueryCard, show_query

NUM_CANDIDATES = 16
NUM_FOUND = 24
DEFAULT_CLUSTERS = 6
_SMALL_SPREAD = 0.005


class Gates(Protocol):
    """The gate study, as far as this page needs it."""

    def status(self, gallery: str = "", model: str = "") -> JobView: ...
    def read(self, gallery: str = "", model: str = "") -> JobView: ...
    def stop(self, job_id: str) -> JobView: ...
    def spreads(self, *, gallery: str = "", model: str = "") -> dict[str, float]: ...
    def clusters(
        self, block: str, num_clusters: int, *, gallery: str = "", model: str = ""
    ) -> tuple[GateClusterView, ...]: ...
    def similar(
        self, block: str, image_id: str, *, count: int = 12, gallery: str = "", model: str = ""
    ) -> tuple[GateNeighbour, ...]: ...


class Explainer(Protocol):
    """The explanations, as far as this page needs them."""

    @property
    def gates(self) -> Gates: ...
    def find_images(
        self, text: str, *, gallery: str = "", model: str = "", count: int = 24
    ) -> tuple[QueryView, ...]: ...


class Services(Protocol):
    """All that this page needs of the Workbench."""

    @property
    def explaining(self) -> Explainer: ...
    def examples(self, gallery: str = "", count: int = 12) -> tuple[QueryView, ...]: ...
    def query(self, gallery: str, query_id: str) -> QueryView: ...
    def search(self, request: SearchRequest) -> SearchResult: ...
    def prepare(self, gallery: str = "", model: str = "") -> JobView: ...


@dataclass(frozen=True, slots=True)
class Candidate:
    """A crop to compare with. Rank, similarity and verdict are empty where it was not searched for."""

    id: str
    image_url: str
    camera: str
    rank: int = 0
    similarity_text: str = ""
    verdict: Verdict | Literal[""] = ""


@dataclass(frozen=True, slots=True)
class Place:
    """A block that can be looked at; ``title`` says where it stands."""

    name: str
    title: str


@dataclass(frozen=True, slots=True)
class ExplainPage:
    """All that the page needs for an address.

    ``kind`` is ``ready``; ``preparing`` while the gallery is being embedded (``job`` says how far); ``empty``
    where there is no crop to start from; ``error`` with a sentence in ``message``. ``params`` is the address
    in canonical form.
    """

    kind: Literal["ready", "preparing", "empty", "error"]
    params: dict[str, str]
    message: str = ""
    notes: tuple[str, ...] = ()
    query: QueryCard | None = None
    other: QueryCard | None = None
    candidates: tuple[Candidate, ...] = ()
    examples: tuple[QueryCard, ...] = ()
    places: tuple[Place, ...] = ()
    job: JobPanel | None = None


@dataclass(frozen=True, slots=True)
class ClusterRow:
    """A cluster of the gate study; ``gates`` are the mean gates of its centre, one per stream."""

    title: str
    detail: str
    gates: tuple[float, ...]
    crops: tuple[Candidate, ...]


@dataclass(frozen=True, slots=True)
class GatePage:
    """The gate study of the open gallery.

    ``kind`` is ``ready``; ``unread`` where the gates have to be read first; ``reading`` meanwhile; ``error``.
    ``similar`` are the crops with gates most like those of ``similar_to``, which may be empty. Without a
    block in the address the one is shown whose gates differ most between crops; ``places`` say how much.
    """

    kind: Literal["ready", "unread", "reading", "error"]
    message: str = ""
    job: JobPanel | None = None
    block: str = ""
    places: tuple[Place, ...] = ()
    num_clusters: int = DEFAULT_CLUSTERS
    clusters: tuple[ClusterRow, ...] = ()
    similar_to: str = ""
    similar: tuple[Candidate, ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """Crops found by a part of their id, or a sentence on why there are none."""

    crops: tuple[Candidate, ...] = ()
    message: str = ""


def open_page(services: Services, params: Mapping[str, object]) -> ExplainPage:
    """What an address shows. Without a crop the first example and its best match are shown."""
    words = {name: str(value).strip() for name, value in params.items() if value is not None}
    choice, notes = _read_choice(words)
    gallery, model = words.get("g", ""), words.get("m", "")
    query_id, other_id = words.get("q", ""), words.get("c", "")
    try:
        examples = services.examples(gallery, 12)
        is_first_visit = not query_id
        if is_first_visit:
            if not examples:
                return ExplainPage("empty", words, "This gallery has no crop to start from.", notes)
            query_id = examples[0].id
        result = services.search(
            SearchRequest(query_id=query_id, gallery=gallery, model=model, k=NUM_CANDIDATES)
        )
        if is_first_visit and not other_id and result.hits:
            other_id = result.hits[0].id
        other = services.query(gallery, other_id) if other_id else None
    except GalleryNotReadyError as error:
        return _preparing(services, words, str(error))
    except ReidError as error:
        return ExplainPage("error", words, str(error), notes)
    return ExplainPage(
        kind="ready",
        params=_canonical(words, query_id, other_id, choice),
        notes=notes,
        query=show_query(result.query),
        other=None if other is None else show_query(other),
        candidates=_show_candidates(result),
        examples=tuple(show_query(example) for example in examples),
        places=tuple(Place(name, _title(name)) for name in PLACES),
    )


def find_crops(services: Services, params: Mapping[str, object]) -> Found:
    """Crops whose id contains the address parameter ``text``, or whose pid it is."""
    text = str(params.get("text", "")).strip()
    try:
        images = services.explaining.find_images(
            text, gallery=str(params.get("g", "")), model=str(params.get("m", "")), count=NUM_FOUND
        )
    except ReidError as error:
        return Found(message=str(error))
    if not images:
        return Found(message=f"No id of this gallery contains {text!r}.")
    more = f"The first {NUM_FOUND} are shown; type more of the id." if len(images) == NUM_FOUND else ""
    return Found(tuple(_show_crop(image) for image in images), more)


def show_gates(services: Services, params: Mapping[str, object]) -> GatePage:
    """The gate study for the parameters ``gateblock``, ``clusters`` and ``similar`` (the id of a crop)."""
    gates, scope = services.explaining.gates, _scope(params)
    similar_to = str(params.get("similar", ""))
    try:
        num_clusters = _read_clusters(str(params.get("clusters", "")))
        status = gates.status(**scope)
        if status.state != "done":
            return _show_reading(status)
        spreads = gates.spreads(**scope)
        block = str(params.get("gateblock", "")) or max(spreads, key=lambda name: spreads[name])
        clusters = gates.clusters(block, num_clusters, **scope)
        similar = (
            gates.similar(block, similar_to, gallery=scope["gallery"], model=scope["model"])
            if similar_to
            else ()
        )
    except GalleryNotReadyError as error:
        return GatePage("reading", str(error))
    except ReidError as error:
        return GatePage("error", str(error))
    total = sum(cluster.size for cluster in clusters)
    return GatePage(
        kind="ready",
        message=_judge_spread(spreads[block]),
        block=block,
        places=tuple(Place(name, f"{name}: gates differ by {value:.2g}") for name, value in spreads.items()),
        num_clusters=num_clusters,
        clusters=tuple(_show_cluster(cluster, total) for cluster in clusters),
        similar_to=similar_to,
        similar=tuple(
            Candidate(
                near.image.id,
                near.image.image_url,
                show_query(near.image).camera,
                similarity_text=f"{near.distance:.3f} apart",
            )
            for near in similar
        ),
    )


def read_gates(services: Services, params: Mapping[str, object]) -> GatePage:
    """Start reading the gates of the gallery, or go on with it."""
    try:
        return _show_reading(services.explaining.gates.read(**_scope(params)))
    except ReidError as error:
        return GatePage("error", str(error))


def stop_gates(services: Services, params: Mapping[str, object]) -> GatePage:
    """Stop reading gates; what was read is kept."""
    try:
        return _show_reading(services.explaining.gates.stop(str(params.get("id", ""))))
    except ReidError as error:
        return GatePage("error", str(error))


def _read_choice(words: Mapping[str, str]) -> tuple[MapChoice, tuple[str, ...]]:
    """The map that an address asks for; what makes no sense in it is named, and the default shown."""
    has_pair = bool(words.get("c")) or not words.get("q")
    default = MapChoice("evidence" if has_pair else "energy", DEFAULT_BLOCK)
    text = words.get("stream", "") or "0"
    try:
        kind = words.get("map", "") or default.kind
        stream = int(text) if text.isascii() and text.isdigit() and len(text) < 4 else -1
        return MapChoice(kind, words.get("block", "") or DEFAULT_BLOCK, stream), ()
    except ReidError as error:
        return default, (f"The link names a map that does not exist, so the usual one is shown. {error}",)


def _canonical(words: Mapping[str, str], query_id: str, other_id: str, choice: MapChoice) -> dict[str, str]:
    kept = {name: words.get(name, "") for name in ("g", "m", "clusters", "gateblock", "similar")}
    values = {
        "q": query_id,
        "c": other_id,
        **kept,
        "map": choice.kind,
        "block": choice.block,
        "stream": str(choice.stream) if choice.stream else "",
    }
    return {name: value for name, value in values.items() if value}


def _preparing(services: Services, words: dict[str, str], reason: str) -> ExplainPage:
    try:
        job = services.prepare(words.get("g", ""), words.get("m", ""))
    except GalleryNotReadyError as error:
        return ExplainPage("preparing", words, str(error))
    except ReidError as error:
        return ExplainPage("error", words, str(error))
    kind: Literal["error", "preparing"] = "error" if job.state in ("failed", "cancelled") else "preparing"
    return ExplainPage(kind, words, job.message if kind == "error" else reason, job=show_job(job))


def _show_candidates(result: SearchResult) -> tuple[Candidate, ...]:
    is_known = any(hit.verdict != "unknown" for hit in result.hits)
    return tuple(
        Candidate(
            hit.id,
            hit.image_url,
            "" if hit.camid is None else f"camera {hit.camid}",
            hit.rank,
            format_similarity(hit.similarity),
            hit.verdict if is_known else "",
        )
        for hit in result.hits
    )


def _show_crop(image: QueryView) -> Candidate:
    return Candidate(image.id, image.image_url, show_query(image).camera)


def _show_cluster(cluster: GateClusterView, total: int) -> ClusterRow:
    share = cluster.size / total if total else 0.0
    return ClusterRow(
        title=f"Cluster {cluster.number}",
        detail=f"{format_count(cluster.size, 'crop')}, {share:.0%}",
        gates=tuple(round(value, 4) for value in cluster.mean_gates),
        crops=tuple(_show_crop(image) for image in cluster.nearest),
    )


def _show_reading(job: JobView) -> GatePage:
    if job.state == "done":
        return GatePage("reading", "All gates are read.", show_job(job))
    if job.id and not job.is_over:
        return GatePage("reading", job.message, show_job(job))
    done = f" {job.num_done:,} are read already." if job.num_done else ""
    failed = f" {job.message}" if job.state == "failed" else ""
    text = f"The gates of {format_count(job.num_total, 'image')} have to be read first.{done}{failed}"
    return GatePage("unread", text if job.num_total else job.message)


def _judge_spread(spread: float) -> str:
    if spread >= _SMALL_SPREAD:
        return ""
    return (
        f"In this block the gates hardly differ between crops (standard deviation {spread:.2g}): the network "
        "does not use them to tell crops apart, and the clusters mean little."
    )


def _read_clusters(text: str) -> int:
    if not text:
        return DEFAULT_CLUSTERS
    if text.isascii() and text.isdigit() and MIN_CLUSTERS <= int(text[:6]) <= MAX_CLUSTERS:
        return int(text)
    return DEFAULT_CLUSTERS


def _scope(params: Mapping[str, object]) -> dict[str, str]:
    return {"gallery": str(params.get("g", "")), "model": str(params.get("m", ""))}


def _title(name: str) -> str:
    if name == LAST_MAP:
        return f"{name}: the last map"
    place = PLACES.index(name)
    return f"{name}: block {place + 1} of {len(PLACES) - 1}"
