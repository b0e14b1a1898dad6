"""What a frozen training set consists of. Plain frozen values, ready for JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from reid_core.errors import InputError
from reid_core.retraining.pools import Pool

RULES_VERSION = 1
"""Raised whenever the same judgements would give another set."""

Use = Literal["train", "evaluation", "locked", "quarantine", "dropped", "withheld"]
"""What becomes of a crop.

``train``: it trains. ``evaluation``: query or gallery of the feedback pool, for early stopping. ``locked``:
of the locked test. ``quarantine``: neither, until somebody settles its identity. ``dropped``, ``withheld``:
neither, to close a leak; a dropped crop left training, a withheld one belongs to a person of the locked test.
"""
WayOut = Literal["evaluation", "drop", "override"]


@dataclass(frozen=True, slots=True)
class SnapshotRules:
    """How judgements become a training set.

    Attributes:
        version: ``RULES_VERSION`` of the program that froze it.
        feedback: Which identities of the feedback pool train: those that a judgement names ("judged"), all
            ("all"), or none. The others stay as its query and gallery.
        least_crops: An identity of the feedback pool with fewer crops does not train.
        hard_margin: A confirmed negative is hard where it is at most this much less similar to the anchor
            than the anchor's least similar positive; also how close a triplet must be to be listed.
        most_triplets: Keep the worst so many.
    """

    version: int = RULES_VERSION
    feedback: Literal["judged", "all", "none"] = "judged"
    least_crops: int = 2
    hard_margin: float = 0.1
    most_triplets: int = 20_000

    def __post_init__(self) -> None:
        if self.feedback not in ("judged", "all", "none"):
            raise InputError(f"feedback is {self.feedback!r}; expected judged, all or none.")
        if self.least_crops < 1 or self.most_triplets < 0 or not 0.0 <= self.hard_margin <= 2.0:
            raise InputError(
                f"least_crops {self.least_crops}, most_triplets {self.most_triplets} or hard_margin "
                f"{self.hard_margin} is out of range (from 1, from 0, 0 to 2)."
            )


MIN_REASON = 10
"""Letters that the reason of an override has at least."""


@dataclass(frozen=True, slots=True)
class Resolution:
    """How a leak of the identity ``key`` is closed. An override needs a reason, which is kept for ever."""

    key: str
    way_out: WayOut
    reason: str = ""

    def __post_init__(self) -> None:
        if self.way_out not in ("evaluation", "drop", "override"):
            raise InputError(f"A leak is closed by evaluation, drop or override, not by {self.way_out!r}.")
        if self.way_out == "override" and len(self.reason.strip()) < MIN_REASON:
            raise InputError(
                f"An override of the leak guard needs a reason of at least {MIN_REASON} letters: it explains "
                "every score that comes of it."
            )


@dataclass(frozen=True, slots=True)
class CropRow:
    """One crop as it was frozen. ``weight`` is in (0, 1]; ``reason`` says why it does not train, if so.

    ``support`` is the prior that its label had (see ``IdentityGraph``), None for the full one.
    """

    image_id: str
    splits: tuple[str, ...]
    pool: Pool
    sha256: str
    base_pid: int | None
    pid: int | None
    camid: int | None
    time_s: float | None
    use: Use
    weight: float
    is_judged: bool
    support: float | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Identity:
    """One person after the corrections. ``base_pids`` counts its crops by the label they came with."""

    pid: int
    base_pids: Mapping[str, int]
    num_crops: int
    num_cameras: int
    use: Use
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Constraint:
    """A judged pair of crops. ``weight`` is its log-likelihood ratio; where an identity was judged as a
    whole, its crop nearest to the other end stands for it."""

    left: str
    right: str
    kind: Literal["must", "cannot"]
    weight: float
    similarity: float | None
    decision_id: str


@dataclass(frozen=True, slots=True)
class HardNegative:
    """A crop that a person called different although the model finds it close; see ``SnapshotRules``."""

    anchor: str
    negative: str
    similarity: float
    slack: float


@dataclass(frozen=True, slots=True)
class Triplet:
    """``violation`` = similarity(anchor, negative) - similarity(anchor, positive); above 0 is wrong."""

    anchor: str
    positive: str
    negative: str
    violation: float


@dataclass(frozen=True, slots=True)
class SnapshotKey:
    """All that decides a snapshot, besides how leaks were closed.

    ``log_position`` counts events of the collection, ``log_hash`` is the SHA-256 of their lines;
    ``fingerprint`` is the model's, "" where none was used.
    """

    base_name: str
    base_hash: str
    log_position: int
    log_hash: str
    fingerprint: str
    rules: SnapshotRules = field(default_factory=SnapshotRules)
