"""What an evaluation run is: what was asked for, what was found, and the records that pages show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

from reid_core.data.corruptions import CORRUPTIONS
from reid_core.data.corruptions import SEVERITIES as SEVERITIES
from reid_core.distances import Metric
from reid_core.errors import InputError
from reid_core.evaluation import Interval, protocol_named
from reid_core.experiments.evaluate import CorruptionProtocol, EvaluationPlan

QueryRule = Literal["split", "one_per_identity_and_camera"]
"""Which images are queries: those of the gallery's query split, or one drawn per identity and camera."""
RankingName = Literal["plain", "reranked"]
FailureKind = Literal[
    "look-alike", "occlusion", "low resolution", "several people in the box", "label error", "junk"
]
FAILURE_KINDS: tuple[FailureKind, ...] = get_args(FailureKind)

CORRUPTION_TYPES: tuple[str, ...] = tuple(CORRUPTIONS)
MAX_REPEATS = 100
MAX_TITLE, MAX_COMMENT = 120, 4000


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What a person asks for.

    Attributes:
        gallery, model: Names; empty for the defaults.
        protocol: Name of a scoring preset, see ``reid_core.evaluation.protocol``.
        queries: Which images are queries.
        metric: Distance of the embeddings.
        rerank: Score k-reciprocal re-ranking, too.
        corruption: "none", "mixed" (the published protocol) or "grid".
        repeats: Of the mixed protocol, 1 to 100; 10 in the paper.
        grid_types, grid_severities: Of the grid; at least one of each.
        seed: Of corruptions and of drawn queries.
        title: How to call the run; empty for a name made of what it is.
    """

    gallery: str = ""
    model: str = ""
    protocol: str = "market1501"
    queries: QueryRule = "split"
    metric: Metric = "cosine"
    rerank: bool = False
    corruption: CorruptionProtocol = "none"
    repeats: int = 10
    grid_types: tuple[str, ...] = CORRUPTION_TYPES
    grid_severities: tuple[int, ...] = SEVERITIES
    seed: int = 0
    title: str = ""

    def __post_init__(self) -> None:
        protocol_named(self.protocol)
        _one_of("queries", self.queries, get_args(QueryRule))
        _one_of("metric", self.metric, get_args(Metric))
        _one_of("corruption", self.corruption, get_args(CorruptionProtocol))
        if not 1 <= self.repeats <= MAX_REPEATS:
            raise InputError(f"repeats is {self.repeats}; expected 1 to {MAX_REPEATS}.")
        if not 0 <= self.seed < 2**31:
            raise InputError(f"seed is {self.seed}; expected 0 to {2**31 - 1}.")
        for name in self.grid_types:
            _one_of("corruption type", name, CORRUPTION_TYPES)
        for severity in self.grid_severities:
            _one_of("severity", severity, SEVERITIES)
        if self.corruption == "grid" and not (self.grid_types and self.grid_severities):
            raise InputError("The grid has no cell: choose at least one corruption and one severity.")
        if len(self.title) > MAX_TITLE:
            raise InputError(f"The title has {len(self.title)} characters; at most {MAX_TITLE} are kept.")

    def plan(self) -> EvaluationPlan:
        """The same for the evaluator."""
        return EvaluationPlan(
            protocol=protocol_named(self.protocol),
            metric=self.metric,
            rerank=self.rerank,
            corruption=self.corruption,
            seed=self.seed,
            repeats=self.repeats,
            grid_types=self.grid_types,
            grid_severities=self.grid_severities,
        )

    def num_corrupted(self, num_images: int) -> int:
        """Crops that have to be corrupted and embedded, for ``num_images`` query and gallery images."""
        rounds = {
            "none": 0,
            "mixed": self.repeats,
            "grid": len(self.grid_types) * len(self.grid_severities),
        }
        return rounds[self.corruption] * num_images

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; ``from_dict`` gives the request back."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> RunRequest:
        """The request that ``to_dict`` described.

        Raises:
            InputError: A field is unknown or has a value that makes no sense.
        """
        lists = {name: tuple(values[name]) for name in ("grid_types", "grid_severities") if name in values}
        try:
            return cls(**{**values, **lists})
        except TypeError as error:
            raise InputError(f"This is no request for an evaluation: {error}.") from error


@dataclass(frozen=True, slots=True)
class SettingRow:
    """Scores of one setting (clean, re-ranked, corrupted): fractions by name, deviation over repeats."""

    setting: str
    repeats: int
    mean: Mapping[str, float]
    std: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class RunInfo:
    """One finished run without its rows.

    ``fingerprint`` and ``manifest_hash`` name the network and the gallery's content that it belongs to,
    ``labels_hash`` the identities and cameras it was scored with. Scores are fractions.
    """

    id: str
    title: str
    comment: str
    created_s: float
    elapsed_s: float
    request: RunRequest
    gallery: str
    gallery_title: str
    model: str
    fingerprint: str
    manifest_hash: str
    labels_hash: str
    num_queries: int
    num_unmatched: int
    num_gallery: int
    num_skipped: int
    settings: tuple[SettingRow, ...]
    intervals: Mapping[str, Interval] = field(default_factory=dict)
    rankings: tuple[RankingName, ...] = ("plain",)
    figures: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether a gallery can be scored, and what to do where it cannot.

    ``protocols`` and ``query_rules`` are what can be chosen; ``problem`` is empty where something can.
    """

    gallery: str
    title: str
    num_queries: int
    num_images: int
    query_rules: tuple[QueryRule, ...]
    num_drawn: int
    protocols: tuple[str, ...]
    problem: str = ""
    remedies: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A failure kind that recorded facts make obvious, and the fact. Nobody has confirmed it."""

    kind: FailureKind
    reason: str


def check_kind(kind: str) -> FailureKind:
    """``kind`` if it is one.

    Raises:
        InputError: It is not.
    """
    _one_of("failure kind", kind, FAILURE_KINDS)
    return kind  # type: ignore[return-value]


def _one_of(name: str, value: object, allowed: tuple[object, ...]) -> None:
    if value not in allowed:
        raise InputError(f"{name} is {value!r}; expected one of {', '.join(map(str, allowed))}.")
