"""What review hands to pages and routes: questions, identities, history. Plain values only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Status = Literal["saved", "known", "stale", "refused"]


@dataclass(frozen=True, slots=True)
class CropFace:
    """One crop as a page shows it.

    ``node`` is what an answer names: the crop's id, or an identity of the data set that the crop stands for.
    ``pid`` is the data set's label. ``image_url`` is relative to the page; "" if the crop is gone.
    """

    node: str
    crop: str
    image_url: str
    width: int
    height: int
    pid: int | None
    camid: int | None
    time_s: float | None


@dataclass(frozen=True, slots=True)
class IdentityFace:
    """An identity in a line: ``node`` opens it, ``crops`` are at most a handful of its crops."""

    node: str
    title: str
    num_crops: int
    crops: tuple[CropFace, ...]


@dataclass(frozen=True, slots=True)
class Outlook:
    """What one answer would do, as a sentence and as numbers; see ``reid_core.annotation.Consequence``."""

    text: str
    num_left: int
    num_right: int
    new_pairs: int
    overrules_labels: bool
    conflicts: bool


@dataclass(frozen=True, slots=True)
class QuestionView:
    """One question on a page.

    ``kind`` "pair": are ``left`` and ``right`` one person; with ``rival`` it is a choice between the two,
    and ``identity`` is that of ``right``. ``kind`` "sheet": which of ``crops`` are somebody else;
    ``identity`` is what they are taken out of.
    Blind questions and adjudications tell neither labels nor probability nor what is known, and name nodes,
    crops and ``key`` by covers, see ``covers``. ``seen`` goes back with the answer: the revision of every
    identity on screen. ``outlooks`` is by answer.
    """

    key: str
    kind: Literal["pair", "sheet"]
    stream: str
    reason: str
    is_blind: bool
    left: CropFace
    right: CropFace
    seen: Mapping[str, int]
    position: int
    lease_s: float
    fingerprint: str = ""
    rival: CropFace | None = None
    supersedes: str | None = None
    similarity: float | None = None
    probability: float | None = None
    outlooks: Mapping[str, Outlook] = field(default_factory=dict)
    identities: tuple[IdentityFace, ...] = ()
    crops: tuple[CropFace, ...] = ()
    suspected: tuple[str, ...] = ()
    identity: str = ""
    earlier_answers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Upcoming:
    """The next questions. ``state`` "preparing": ask again in a moment; "empty": nothing is left to ask.

    ``num_waiting`` of an empty one: so many questions are with others, and come free when these answer or go
    away.
    """

    state: Literal["ready", "preparing", "empty"]
    questions: tuple[QuestionView, ...]
    message: str = ""
    num_waiting: int = 0


@dataclass(frozen=True, slots=True)
class Change:
    """What somebody did, for "this was changed by ..." and for the history.

    ``kind`` is "decision" or "retraction"; ``answer`` is empty for a retraction. What is not in force was
    either taken back, and a redo restores it (``is_taken_back``), or replaced by a later answer.
    """

    id: str
    answer_id: str
    kind: Literal["decision", "retraction"]
    text: str
    annotator: str
    decided_at: str
    left: str
    right: str
    answer: str
    is_sure: bool
    reasons: tuple[str, ...]
    comment: str
    stream: str
    ms_taken: int | None
    similarity: float | None
    fingerprint: str
    refers_to: str | None
    is_in_force: bool
    is_taken_back: bool
    is_contested: bool


@dataclass(frozen=True, slots=True)
class AnswerResult:
    """What became of an answer. ``stale``: ``changes`` say what was changed meanwhile; nothing was stored.

    Of an answer by the pictures alone (blind, or an adjudication) neither ``changes`` nor ``is_contested`` is
    told.
    """

    id: str
    status: Status
    message: str = ""
    is_contested: bool = False
    changes: tuple[Change, ...] = ()
    events: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LabelState:
    """What judgements say about a crop.

    ``state``: "labelled" (as the data set says), "confirmed" (a judgement holds it), "moved" (taken out
    of its labelled identity), "unlabelled", "conflict" (a contradiction touches it).
    ``identity`` is the node that names its identity.
    """

    crop: str
    state: Literal["labelled", "confirmed", "moved", "unlabelled", "conflict"]
    identity: str
    title: str
    num_crops: int


@dataclass(frozen=True, slots=True)
class IdentitySummary:
    """A row of the list of identities.

    ``states`` are those of ``identities.STATES`` that it is in. ``suspicion`` says how clearly its crops fall
    into two groups (0 or less: not at all), None where nothing was computed. ``changed_at`` and
    ``changed_by`` are of the last event that named one of its members, empty if there is none.
    """

    node: str
    title: str
    num_crops: int
    pids: tuple[int, ...]
    cameras: tuple[int, ...]
    aliases: tuple[str, ...]
    num_judgements: int
    is_bridged: bool
    has_conflict: bool
    is_changed: bool
    crops: tuple[CropFace, ...]
    states: tuple[str, ...] = ()
    suspicion: float | None = None
    changed_at: str = ""
    changed_by: str = ""


@dataclass(frozen=True, slots=True)
class SimilarIdentity:
    """An identity that looks like another one. ``similarity`` is the mean of its three closest crops' cosines
    to the other's nearest crop; ``probability`` that at the best pair, None where nothing is calibrated.
    ``is_apart``: somebody told the two apart."""

    identity: IdentityFace
    similarity: float
    probability: float | None
    is_apart: bool


@dataclass(frozen=True, slots=True)
class UndoOutlook:
    """What taking an answer back would do. ``effects`` are sentences; ``dependents`` are later answers in
    force on the identities that would change (the latest first, at most 20 of ``num_dependents``)."""

    answer_id: str
    effects: tuple[str, ...]
    dependents: tuple[Change, ...]
    num_dependents: int


@dataclass(frozen=True, slots=True)
class AnnotatorStatistics:
    """One annotator's work. ``agreement`` is the share of doubly judged pairs on which others say the same;
    ``gold`` the share of gold pairs answered right."""

    annotator: str
    num_answers: int
    num_today: int
    per_hour: float | None
    median_s: float | None
    num_unsure: int
    num_cannot_tell: int
    num_taken_back: int
    agreement: float | None
    num_doubly_judged: int
    gold: RateView | None


@dataclass(frozen=True, slots=True)
class StreamStatistics:
    """What one reason for asking brought. ``yield_per_minute`` is label changes per minute of answering, None
    where it was not measured since the app started."""

    stream: str
    num_answers: int
    num_same: int
    num_different: int
    num_cannot_tell: int
    median_s: float | None
    yield_per_minute: float | None


@dataclass(frozen=True, slots=True)
class ReviewStatistics:
    """Numbers of a whole log. ``alpha`` is Krippendorff's over blind second opinions."""

    num_answers: int
    num_events: int
    annotators: tuple[AnnotatorStatistics, ...]
    streams: tuple[StreamStatistics, ...]
    alpha: float | None
    num_doubly_judged: int
    num_conflicts: int
    num_to_adjudicate: int


@dataclass(frozen=True, slots=True)
class SinceYouLeft:
    """What others did to identities that an annotator judged, after that annotator's last event; newest
    first, at most 20 of ``num_changes``. ``left_at`` is the time of that last event, empty if there is
    none."""

    left_at: str
    changes: tuple[Change, ...]
    num_changes: int


@dataclass(frozen=True, slots=True)
class LinkView:
    """Why two nodes are one person. ``annotator`` is empty for a label of the data set."""

    left: str
    right: str
    weight: float
    decision_id: str
    annotator: str
    decided_at: str
    is_bridge: bool


@dataclass(frozen=True, slots=True)
class IdentityDetail:
    """Everything about one identity. ``separations`` are judgements that keep it apart from others; ``faces``
    shows what they and the links name, by node."""

    summary: IdentitySummary
    crops: tuple[CropFace, ...]
    links: tuple[LinkView, ...]
    separations: tuple[Change, ...]
    history: tuple[Change, ...]
    missing: tuple[str, ...]
    seen: Mapping[str, int]
    faces: Mapping[str, CropFace] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ConflictView:
    """Judgements that cannot all hold: ``contested`` is not in effect; ``cut`` is the cheapest way out."""

    contested: Change
    against: Change
    chain: tuple[LinkView, ...]
    cut: tuple[LinkView, ...]
    cut_weight: float
    own_weight: float
    suggestion: str
    faces: Mapping[str, CropFace]


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """Events, newest first; ``num_all`` passed the filter."""

    events: tuple[Change, ...]
    num_all: int
    page: int
    page_size: int


@dataclass(frozen=True, slots=True)
class RateView:
    """A share with its 95 percent interval."""

    rate: float
    low: float
    high: float
    num_judged: int


@dataclass(frozen=True, slots=True)
class ReviewState:
    """The header of the review page, for one annotator.

    ``per_hour`` is the annotator's own rate over the last answers, None before there are enough.
    ``yields`` is label changes per minute by stream, ``stopping`` a sentence, ``error_rate`` that of the data
    set's labels by the audit. ``undo`` and ``redo`` are the answers that these would act on next.
    """

    annotator: str
    num_today: int
    num_all: int
    per_hour: float | None
    median_s: float | None
    needs_break: bool
    yields: Mapping[str, float]
    stopping: str
    is_done: bool
    error_rate: RateView | None
    own_accuracy: RateView | None
    agreement: float | None
    num_doubly_judged: int
    num_conflicts: int
    num_to_adjudicate: int
    num_missing: int
    position: int
    undo: tuple[str, ...]
    redo: tuple[str, ...]
    annotators: tuple[str, ...]
    is_preparing: bool
