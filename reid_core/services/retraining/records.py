"""What the retraining service hands to pages, routes and commands. Plain frozen values."""

from __future__ import annotations

from dataclasses import dataclass

from reid_core.retraining.changes import Changes
from reid_core.retraining.leaks import Leak
from reid_core.retraining.records import Resolution
from reid_core.services.retraining.model_registry import TrainedModel


@dataclass(frozen=True, slots=True)
class PoolView:
    """One of train, feedback, locked."""

    name: str
    num_crops: int
    num_identities: int


@dataclass(frozen=True, slots=True)
class WaitingCrop:
    """A crop in quarantine and why."""

    image_id: str
    pid: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class DraftView:
    """What freezing now would give; nothing is kept.

    Attributes:
        gallery, model: Names.
        pools: Of the base data set.
        log_position: Decisions and retractions so far.
        num_decisions: Judgements in force that say same or different.
        advice: A sentence where training is not worth it yet, else "".
        leaks: To be closed before freezing; the rest is then as if each trained identity in it were dropped.
        applied: The resolutions that were needed.
        changes, headline: What the judgements change; None and "" where nothing can be frozen.
        problem: Why nothing can be frozen besides leaks, else "".
        waiting: Crops in quarantine.
        num_train, num_base, num_feedback, num_evaluation: Crops.
        equals: Id of a frozen set with this very content, "" if there is none.
    """

    gallery: str
    model: str
    pools: tuple[PoolView, ...]
    log_position: int
    num_decisions: int
    advice: str
    leaks: tuple[Leak, ...] = ()
    applied: tuple[Resolution, ...] = ()
    changes: Changes | None = None
    headline: str = ""
    problem: str = ""
    waiting: tuple[WaitingCrop, ...] = ()
    num_train: int = 0
    num_base: int = 0
    num_feedback: int = 0
    num_evaluation: int = 0
    equals: str = ""


@dataclass(frozen=True, slots=True)
class ExportView:
    """A finished zip. ``layout`` is market or imagefolder; ``name`` is its file name and address."""

    name: str
    gallery: str
    snapshot: str
    layout: str
    with_locked: bool
    num_bytes: int
    created_s: float


@dataclass(frozen=True, slots=True)
class CandidateView:
    """A trained model with its standing.

    ``state``: ``serving``; ``served`` before and can be called back; ``promotable`` against the model that
    serves now; ``kept`` because a condition did not hold (``verdict`` says which); ``outdated`` where it was
    compared with another model than serves now; ``new`` where it was not compared yet.
    """

    model: TrainedModel
    state: str
    verdict: str
