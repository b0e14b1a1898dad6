"""Evaluation runs of galleries: start, keep, look into, compare, export. ``Evaluations`` is the way in."""

from reid_core.services.evaluations.comparison import CameraDelta, RunComparison, name_of
from reid_core.services.evaluations.failures import (
    UNTAGGED,
    Failure,
    FailureFilter,
    SliceEdges,
    StripItem,
    similarity_of,
    slice_edges,
    strip_of,
)
from reid_core.services.evaluations.records import (
    CORRUPTION_TYPES,
    FAILURE_KINDS,
    SEVERITIES,
    FailureKind,
    QueryRule,
    RankingName,
    Readiness,
    RunInfo,
    RunRequest,
    SettingRow,
    Suggestion,
)
from reid_core.services.evaluations.service import Evaluations, caption
from reid_core.services.evaluations.store import OpenRun, RunImage
from reid_core.services.evaluations.tags import TagEvent

__all__ = [
    "CORRUPTION_TYPES",
    "SEVERITIES",
    "FAILURE_KINDS",
    "UNTAGGED",
    "CameraDelta",
    "Evaluations",
    "Failure",
    "FailureFilter",
    "FailureKind",
    "OpenRun",
    "QueryRule",
    "RankingName",
    "Readiness",
    "RunComparison",
    "RunImage",
    "RunInfo",
    "RunRequest",
    "SettingRow",
    "SliceEdges",
    "StripItem",
    "Suggestion",
    "TagEvent",
    "caption",
    "name_of",
    "similarity_of",
    "slice_edges",
    "strip_of",
]
