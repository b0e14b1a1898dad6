"""The frozen records that services hand to pages, routes and commands. Plain values only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from reid_core.types import Refusal

Verdict = Literal["true", "false", "junk", "same_camera", "unknown"]
"""What is known about a hit.

``true``: same pid, another camera (or no camera known). ``same_camera``: same pid and camera; the protocol
ignores it. ``junk``: pid -1. ``false``: another pid, distractors (pid 0) included. ``unknown``: nobody said
who the query, or the image, is.
"""
JobState = Literal["queued", "running", "done", "failed", "cancelled"]
JobKind = Literal[
    "import",
    "embed",
    "gates",
    "map",
    "evaluate",
    "freeze",
    "read-set",
    "export",
    "train",
    "compare",
    "promote",
]

MAX_K = 200
FEEDBACK = ("pin", "aside", "expand", "evidence")
"""Uses of judgements in a search: confirmed crops first; refused ones set aside; the query moved towards the
confirmed ones; candidates ordered by their nearest confirmed look, less what refused ones speak against."""
UPLOAD_PREFIX = "upload:"
"""Query ids of stored uploads are this and the first 32 hex digits of the stored JPEG's SHA-256."""


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """One question to a gallery.

    ``query_id`` is the id of a query or gallery image of the gallery, or ``upload:<hash>``. ``gallery`` and
    ``model`` are names, empty for the default ones. ``k`` is 1 to 200. ``cameras`` empty means all; the time
    window is closed and in seconds. ``exclude_same_camera`` hides gallery images with the query's pid AND
    camid, as the protocol does; where the query's pid is not known it hides nothing. ``rerank`` reorders the
    nearest candidates by k-reciprocal neighbours. ``expand`` moves the query towards its nearest neighbours
    before the candidates are ordered (query expansion). ``feedback`` names the uses of judgements on
    the query that are switched on, see ``FEEDBACK``.
    """

    query_id: str
    gallery: str = ""
    model: str = ""
    k: int = 50
    cameras: tuple[int, ...] = ()
    time_from_s: float | None = None
    time_to_s: float | None = None
    exclude_same_camera: bool = True
    rerank: bool = False
    expand: bool = False
    feedback: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class HitView:
    """One ranked gallery image. ``similarity`` is the cosine, also where the order was re-ranked.

    ``probability`` is P(same person) in [0, 1], calibrated on this gallery and network; None where the
    gallery names too few people.
    """

    rank: int
    id: str
    pid: int | None
    camid: int | None
    time_s: float | None
    similarity: float
    image_url: str
    verdict: Verdict
    attributes: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    probability: float | None = None


@dataclass(frozen=True, slots=True)
class QueryView:
    """A query image. ``width`` and ``height`` are pixels of the upright image."""

    id: str
    pid: int | None
    camid: int | None
    time_s: float | None
    width: int
    height: int
    image_url: str


@dataclass(frozen=True, slots=True)
class AbsenceView:
    """Whether the best hit is too dissimilar for the person to be in the gallery.

    ``is_absent`` where the best similarity is below ``similarity``: only 1 in 20 of the people who are in
    this gallery have no image of theirs that close. ``named_share`` of the people who are not in it still
    find somebody that close. ``doubts`` are sentences on thin evidence.
    """

    is_absent: bool
    similarity: float
    named_share: float
    doubts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FeedbackView:
    """What judgements on the query changed in a ranking.

    ``was_rank`` gives the rank without them for every hit shown. ``aside`` are refused hits taken out of the
    ranking. The average precisions are those of all candidates before and after, and of the candidates that
    no judgement settles (the honest gain: settled ones are right by definition); None where nobody said who
    the query is, or no true match is left.
    """

    switches: tuple[str, ...]
    num_confirmed: int
    num_refused: int
    was_rank: Mapping[str, int]
    aside: tuple[HitView, ...] = ()
    ap_before: float | None = None
    ap_after: float | None = None
    open_ap_before: float | None = None
    open_ap_after: float | None = None


@dataclass(frozen=True, slots=True)
class SearchResult:
    """A ranked answer.

    ``num_candidates`` gallery images passed the filters, ``num_filtered`` did not; ``notes`` are sentences on
    what was done (re-ranking, what a filter hid). ``num_true`` of the candidates are true matches; None where
    nobody said who the query is. ``absence`` is None where the gallery is not calibrated or has no hit.
    ``feedback`` is None unless the request switched a use of judgements on.
    """

    query: QueryView
    hits: tuple[HitView, ...]
    gallery: str
    model: str
    num_candidates: int
    num_filtered: int
    elapsed_s: float
    notes: tuple[str, ...] = ()
    num_true: int | None = None
    absence: AbsenceView | None = None
    feedback: FeedbackView | None = None


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """Weights to choose from. ``fingerprint`` is empty until they were loaded; ``input_size`` is (h, w)."""

    name: str
    variant: str
    fingerprint: str
    num_parameters: int
    input_size: tuple[int, int]
    trained_on: str
    licence: str
    is_default: bool
    is_local: bool


@dataclass(frozen=True, slots=True)
class GalleryInfo:
    """A registered gallery. ``num_images`` counts its gallery split, ``num_queries`` its query split."""

    name: str
    title: str
    num_images: int
    num_queries: int
    num_pids: int
    cameras: tuple[int, ...]
    time_from_s: float | None
    time_to_s: float | None
    is_default: bool
    notes: tuple[str, ...] = ()
    refused: tuple[Refusal, ...] = ()


@dataclass(frozen=True, slots=True)
class JobView:
    """Where a piece of long work stands. ``gallery`` is empty until an import has found its name."""

    id: str
    kind: JobKind
    title: str
    state: JobState
    num_done: int
    num_total: int
    message: str
    gallery: str = ""
    model: str = ""
    created_s: float = 0.0
    refused: tuple[Refusal, ...] = ()

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen."""
        return self.state in ("done", "failed", "cancelled")
