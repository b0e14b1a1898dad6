"""Rank a gallery for one query: filters, protocol rule, order, verdicts. Plain functions on plain arrays."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from reid_core.errors import InputError
from reid_core.evaluation import Calibration
from reid_core.retrieval import expand_queries, rerank
from reid_core.retrieval.index import BoolArray, GalleryIndex
from reid_core.services.galleries import Gallery, GalleryImage
from reid_core.services.records import FEEDBACK, MAX_K, SearchRequest, Verdict
from reid_core.types import DISTRACTOR_PID, JUNK_PID, EmbeddingSet, Hit, Vectors

EXPANSION_NEIGHBOURS = 5
"""Of query expansion; a person rarely has many more images in a gallery."""
NOBODY_SAID = -(2**62)
"""Stands for a pid or camid that is not known; no table can hold it."""

Reorder = Callable[[Vectors, Vectors], NDArray[np.floating]]
"""(D,) query and (N, D) candidates in, (N,) distances out, small is close."""


@dataclass(frozen=True, slots=True)
class QueryFacts:
    """What is known about a query besides its vector. ``id`` is None for an upload."""

    id: str | None
    pid: int | None = None
    camid: int | None = None


@dataclass(frozen=True)
class SearchSpace:
    """A gallery with its embeddings of one network, row by row.

    ``index`` holds the N images that could be embedded, queries included; ``is_searched`` (N,) bool says
    which of them a search may answer. ``pids`` and ``camids`` are (N,) int64 with ``NOBODY_SAID``;
    ``times_s`` is (N,) with NaN. ``calibration`` says what a similarity means here, if that is known.
    """

    gallery: Gallery
    index: GalleryIndex
    is_searched: BoolArray
    pids: NDArray[np.int64]
    camids: NDArray[np.int64]
    times_s: NDArray[np.float64]
    calibration: Calibration | None = None

    @classmethod
    def build(cls, gallery: Gallery, embeddings: EmbeddingSet) -> SearchSpace:
        """Align a gallery's table with its embeddings."""
        images = [gallery.by_id[image_id] for image_id in embeddings.ids]
        return cls(
            gallery=gallery,
            index=GalleryIndex.from_embeddings(embeddings),
            is_searched=np.array([image.in_gallery for image in images], dtype=np.bool_),
            pids=_to_ints([image.pid for image in images]),
            camids=_to_ints([image.camid for image in images]),
            times_s=np.array([np.nan if i.time_s is None else i.time_s for i in images], dtype=np.float64),
        )


@dataclass(frozen=True, slots=True)
class Ranking:
    """Hits in order, how many images passed the filters and how many did not, and what was done in words.

    ``num_true`` counts the true matches that passed; None where the query's pid is not known.
    """

    hits: tuple[Hit, ...]
    num_candidates: int
    num_filtered: int
    notes: tuple[str, ...]
    num_true: int | None


def check_request(request: SearchRequest) -> None:
    """Refuse a request whose numbers make no sense.

    Raises:
        InputError: k out of range, or a time window that is empty or not a number.
    """
    if not 1 <= request.k <= MAX_K:
        raise InputError(f"k is {request.k}; ask for 1 to {MAX_K} matches.")
    window = [edge for edge in (request.time_from_s, request.time_to_s) if edge is not None]
    if not all(np.isfinite(window)):
        raise InputError(f"The time window {window} is not made of numbers of seconds.")
    if len(window) == 2 and window[0] > window[1]:
        raise InputError(f"The time window ends ({window[1]:g} s) before it starts ({window[0]:g} s).")
    strange = sorted(set(request.feedback) - set(FEEDBACK))
    if strange:
        raise InputError(f"There is no use of answers called {strange[0]!r}; known: {', '.join(FEEDBACK)}.")


def rank(
    space: SearchSpace,
    query: QueryFacts,
    vector: Vectors,
    fingerprint: str,
    request: SearchRequest,
    *,
    reorder: Reorder,
    num_rerank: int,
) -> Ranking:
    """The ``request.k`` nearest images of ``space`` that pass the request's filters.

    Args:
        space: Where to search.
        query: Who is searched for, as far as that is known.
        vector: (D,) unit vector of the query, made by the network that ``fingerprint`` names.
        fingerprint: It must be the space's own.
        request: k, filters and switches.
        reorder: How candidates are reordered where the request asks for re-ranking or expansion.
        num_rerank: How many candidates are re-ranked (at least k).

    Raises:
        InputError: The request or its cameras make no sense, or another network made the vector.
    """
    check_request(request)
    candidates = find_candidates(space, query, request)
    is_reordered = request.rerank or request.expand
    num_wanted = max(request.k, num_rerank) if is_reordered else request.k
    hits = order_candidates(space, candidates, vector, fingerprint, num_wanted)
    notes = list(candidates.notes)
    if is_reordered and len(hits) > 1:
        hits = _reordered(hits, vector, space.index, reorder)
        notes.append(describe_reordering(request, len(hits)))
    return Ranking(
        hits=hits[: request.k],
        num_candidates=candidates.number,
        num_filtered=candidates.num_filtered,
        notes=tuple(notes),
        num_true=candidates.num_true,
    )


@dataclass(frozen=True)
class Candidates:
    """The rows that pass a request's filters: ``allowed`` (N,) bool. The rest as in ``Ranking``."""

    allowed: BoolArray
    number: int
    num_filtered: int
    num_true: int | None
    notes: tuple[str, ...]


def find_candidates(space: SearchSpace, query: QueryFacts, request: SearchRequest) -> Candidates:
    """Which images of ``space`` the request's filters and the protocol leave to be ranked.

    Raises:
        InputError: The gallery has no such camera.
    """
    searched = space.is_searched.copy()
    if query.id is not None and query.id in space.index:
        searched[space.index.row_of(query.id)] = False  # nobody looks for the picture in the hand
    allowed, notes = _filter(space, searched, query, request)
    number = int(allowed.sum())
    if not number:
        notes.append("No image passes the filters. Widen the cameras or the time window.")
    num_true = _count_true(space, allowed, query)
    return Candidates(allowed, number, int(searched.sum()) - number, num_true, tuple(notes))


def order_candidates(
    space: SearchSpace, candidates: Candidates, vector: Vectors, fingerprint: str, number: int
) -> tuple[Hit, ...]:
    """The ``number`` nearest candidates by cosine."""
    return space.index.search(vector, number, fingerprint=fingerprint, allowed=candidates.allowed)


def reorder_nearest(
    hits: tuple[Hit, ...], vector: Vectors, index: GalleryIndex, reorder: Reorder, number: int
) -> tuple[Hit, ...]:
    """The first ``number`` hits in another order, the others behind them as they were."""
    if len(hits[:number]) < 2:
        return hits
    return (*_reordered(hits[:number], vector, index, reorder), *hits[number:])


def describe_reordering(request: SearchRequest, number: int) -> str:
    """What the request's switches did to the first ``number`` images."""
    ways = [
        *(["query expansion"] if request.expand else []),
        *(["k-reciprocal neighbours"] if request.rerank else []),
    ]
    return (
        f"Reordered by {' and '.join(ways)} among the {number} nearest images that pass the filters; "
        "the similarity shown is still the cosine."
    )


def reorder_by(request: SearchRequest) -> Reorder:
    """Distances of candidates as the request's switches want them ordered."""

    def distances(query: Vectors, candidates: Vectors) -> NDArray[np.floating]:
        if request.expand:
            query = expand_queries(query[None], candidates, k=EXPANSION_NEIGHBOURS)[0]
        if request.rerank:
            reranked: NDArray[np.floating] = rerank(query[None], candidates)[0]
            return reranked
        plain: NDArray[np.floating] = 1.0 - candidates @ query
        return plain

    return distances


def is_known(pid: int | None) -> bool:
    """Whether a pid names a person: junk and distractors do not."""
    return pid is not None and pid > DISTRACTOR_PID


def verdict_on(query: QueryFacts, image: GalleryImage) -> Verdict:
    """What is known about a hit; see ``Verdict``."""
    if not is_known(query.pid) or image.pid is None:
        return "unknown"
    if image.pid == JUNK_PID:
        return "junk"
    if image.pid != query.pid:
        return "false"
    is_same_camera = query.camid is not None and query.camid == image.camid
    return "same_camera" if is_same_camera else "true"


def choose_examples(gallery: Gallery, count: int) -> tuple[GalleryImage, ...]:
    """Up to ``count`` varied images to start from: one per identity, cameras in turn, the same at each call.

    Queries where the gallery has some, else its images with a known identity, else any.
    """
    queries = [image for image in gallery.images if image.is_query]
    named = [image for image in gallery.images if is_known(image.pid)]
    by_person: dict[int | str, list[GalleryImage]] = {}
    for image in queries or named or gallery.images:
        person = image.pid if image.pid is not None and is_known(image.pid) else image.id
        by_person.setdefault(person, []).append(image)
    people = list(by_person.values())
    num_chosen = min(count, len(people))
    chosen: list[GalleryImage] = []
    num_from: Counter[int | None] = Counter()
    for place in range(num_chosen):
        images = people[place * len(people) // num_chosen]
        best = min(images, key=lambda image: (num_from[image.camid], image.id))
        num_from[best.camid] += 1
        chosen.append(best)
    return tuple(chosen)


def _filter(
    space: SearchSpace, searched: BoolArray, query: QueryFacts, request: SearchRequest
) -> tuple[BoolArray, list[str]]:
    """Which of the searched rows pass, and what a reader should know about those that do not."""
    allowed, notes = searched.copy(), []
    if request.cameras:
        allowed &= np.isin(space.camids, _known_cameras(space, request))
    if request.time_from_s is not None or request.time_to_s is not None:
        allowed &= _in_time(space, request)
        num_timeless = int((searched & np.isnan(space.times_s)).sum())
        if num_timeless:
            notes.append(f"{num_timeless} images have no time and are hidden by the time window.")
    if request.exclude_same_camera and is_known(query.pid) and query.camid is not None:
        same = (space.pids == query.pid) & (space.camids == query.camid)
        num_same = int((same & allowed).sum())
        allowed &= ~same
        if num_same:
            images = "image" if num_same == 1 else "images"
            notes.append(
                f"Hidden, as the protocol leaves it out: {num_same} {images} of the same person from the "
                "query's own camera."
            )
    return allowed, notes


def _count_true(space: SearchSpace, allowed: BoolArray, query: QueryFacts) -> int | None:
    """How many allowed rows ``verdict_on`` calls true."""
    if not is_known(query.pid):
        return None
    is_true = allowed & (space.pids == query.pid)
    if query.camid is not None:
        is_true &= space.camids != query.camid
    return int(is_true.sum())


def _in_time(space: SearchSpace, request: SearchRequest) -> BoolArray:
    earliest = -np.inf if request.time_from_s is None else request.time_from_s
    latest = np.inf if request.time_to_s is None else request.time_to_s
    return (space.times_s >= earliest) & (space.times_s <= latest)


def _known_cameras(space: SearchSpace, request: SearchRequest) -> list[int]:
    present = sorted({int(c) for c in space.camids[space.is_searched] if c != NOBODY_SAID})
    strange = [camera for camera in request.cameras if camera not in present]
    if strange:
        raise InputError(
            f"Gallery {space.gallery.name!r} has no camera {strange[0]}; it has "
            f"{', '.join(map(str, present)) or 'no camera numbers at all'}."
        )
    return list(request.cameras)


def _reordered(
    hits: tuple[Hit, ...], vector: Vectors, index: GalleryIndex, reorder: Reorder
) -> tuple[Hit, ...]:
    distances = reorder(vector, index.vectors_of([hit.image_id for hit in hits]))
    order = np.argsort(distances, kind="stable")  # equal distances keep the order by similarity
    return tuple(replace(hits[place], rank=rank) for rank, place in enumerate(order, start=1))


def _to_ints(values: list[int | None]) -> NDArray[np.int64]:
    return np.array([NOBODY_SAID if value is None else value for value in values], dtype=np.int64)
