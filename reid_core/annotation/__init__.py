"""Judgements on identities: an append-only log, the graph that it folds to, what to ask next. No torch."""

from reid_core.annotation.allocation import DEFAULT_FLOORS, StreamAllocation
from reid_core.annotation.decisions import (
    Answer,
    Decision,
    Event,
    Retraction,
    active_decisions,
    from_json_line,
    identity_node,
    to_json_line,
)
from reid_core.annotation.evidence import PairEvidence, centred_by_camera, sharpened_by_labels
from reid_core.annotation.graph import IdentityGraph
from reid_core.annotation.links import Conflict, Consequence, Link
from reid_core.annotation.quality import (
    Rate,
    accuracy_on_gold,
    assumed_accuracies,
    cohen_kappa,
    doubly_judged,
    error_rate,
    krippendorff_alpha,
    wilson_interval,
)
from reid_core.annotation.questions import (
    Judged,
    PairQuestion,
    Question,
    SheetQuestion,
    Stream,
    judged_by_sheet,
    judged_by_vote,
)
from reid_core.annotation.queue import ReviewQueue
from reid_core.annotation.simulation import (
    Found,
    PlantedErrors,
    SimulatedAnnotator,
    SyntheticCrops,
    count_found,
    plant_errors,
    synthetic_crops,
)
from reid_core.annotation.snapshot import GraphSnapshot
from reid_core.annotation.stopping import StoppingEstimate

__all__ = [
    "DEFAULT_FLOORS",
    "Answer",
    "Conflict",
    "Consequence",
    "Decision",
    "Event",
    "Found",
    "GraphSnapshot",
    "IdentityGraph",
    "Judged",
    "Link",
    "PairEvidence",
    "PairQuestion",
    "PlantedErrors",
    "Question",
    "Rate",
    "Retraction",
    "ReviewQueue",
    "SheetQuestion",
    "SimulatedAnnotator",
    "StoppingEstimate",
    "Stream",
    "StreamAllocation",
    "SyntheticCrops",
    "accuracy_on_gold",
    "active_decisions",
    "assumed_accuracies",
    "centred_by_camera",
    "cohen_kappa",
    "count_found",
    "doubly_judged",
    "error_rate",
    "from_json_line",
    "identity_node",
    "judged_by_sheet",
    "judged_by_vote",
    "krippendorff_alpha",
    "plant_errors",
    "sharpened_by_labels",
    "synthetic_crops",
    "to_json_line",
    "wilson_interval",
]
