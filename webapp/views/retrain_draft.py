"""Step 1 of the Retrain page: pools, corrections, what freezing now would give, leaks with their ways out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from reid_core.errors import GalleryNotReadyError, ReidError
from reid_core.retraining.leaks import WAYS_OUT, Leak
from reid_core.retraining.records import MIN_REASON, Resolution, SnapshotRules
from reid_core.services.retraining.records import DraftView, WaitingCrop
from reid_core.services.retraining.snapshot_store import SnapshotView
from webapp.views.evaluate import Choice
from webapp.views.formats import format_count
from webapp.views.retrain_parts import Count, CropPicture, Workbench, crop_picture, gallery_of

POOL_WORDS = {
    "train": ("Train", "trains, and is replayed in every batch"),
    "feedback": ("Feedback", "people judge here; what they judged joins the training"),
    "locked": ("Locked test", "nobody judges here; it decides whether a model is better"),
}
_MAX_WAITING_SHOWN = 24
_MAX_LEAK_CROPS = 6


@dataclass(frozen=True, slots=True)
class LeakPanel:
    """One identity that trains and is tested, with crops of both sides."""

    key: str
    title: str
    sentence: str
    training: tuple[CropPicture, ...]
    evaluation: tuple[CropPicture, ...]


@dataclass(frozen=True, slots=True)
class DraftPanel:
    """What freezing now would give. ``kind`` is ``open``, ``preparing`` or ``error`` with ``message``.

    ``is_frozen``: the newest set holds every judgement. ``applied``: keys of the leaks that a way out closed.
    """

    kind: Literal["open", "preparing", "error"]
    message: str = ""
    pools: tuple[Count, ...] = ()
    num_decisions: int = 0
    decisions: str = ""
    advice: str = ""
    changes: str = ""
    counts: tuple[Count, ...] = ()
    leaks: tuple[LeakPanel, ...] = ()
    applied: tuple[str, ...] = ()
    ways_out: tuple[Choice, ...] = tuple(Choice(way, label) for way, label in WAYS_OUT)
    min_reason: int = MIN_REASON
    problem: str = ""
    waiting: tuple[Count, ...] = ()
    waiting_crops: tuple[CropPicture, ...] = ()
    is_frozen: bool = False


def show_draft(workbench: Workbench, params: Mapping[str, object]) -> DraftPanel:
    """Step one, for ``g``; with the model of ``m`` the hard pairs and triplets are found.

    ``feedback`` is who of the feedback pool trains, see ``SnapshotRules``.
    ``resolutions`` are the ways out chosen so far, each with key, way_out and reason; leaks that are left,
    or that a way out opened, are shown.
    """
    info = gallery_of(workbench, params)
    if info is None:
        return DraftPanel("error", message="There is no such gallery.")
    loop = workbench.retraining
    try:
        resolutions = _resolutions(params.get("resolutions"))
        draft = loop.sets.draft(
            info.name,
            model=str(params.get("m") or ""),
            resolutions=resolutions,
            rules=SnapshotRules(feedback=str(params.get("feedback") or "judged")),  # type: ignore[arg-type]
        )
        sets = loop.snapshots.list(info.name)
    except GalleryNotReadyError as error:
        return DraftPanel("preparing", message=str(error))
    except ReidError as error:
        return DraftPanel("error", message=str(error))
    reasons = Counter(crop.reason for crop in draft.waiting)
    newest = sets[0] if sets else None
    return DraftPanel(
        kind="open",
        pools=tuple(
            Count(
                POOL_WORDS[pool.name][0],
                format_count(pool.num_crops, "crop"),
                f"{format_count(pool.num_identities, 'identity', 'identities')}; {POOL_WORDS[pool.name][1]}",
            )
            for pool in draft.pools
        ),
        num_decisions=draft.num_decisions,
        decisions=f"{format_count(draft.num_decisions, 'pair')} judged same or different."
        f"{_since(draft, newest)}",
        advice=draft.advice,
        changes=_changes(draft, {view.id: view.name for view in sets}),
        counts=_counts(draft),
        leaks=tuple(_leak_panel(info.name, leak) for leak in draft.leaks),
        applied=tuple(resolution.key for resolution in draft.applied),
        problem=draft.problem,
        waiting=tuple(Count(reason, format_count(count, "crop")) for reason, count in reasons.most_common()),
        waiting_crops=_waiting(info.name, draft.waiting),
        is_frozen=newest is not None and newest.key.log_position == draft.log_position,
    )


def _since(draft: DraftView, newest: SnapshotView | None) -> str:
    """How many entries the log got after the newest set; nothing where that set is of another log."""
    num_new = draft.log_position - (newest.key.log_position if newest else 0)
    if newest is None or num_new < 0:
        return ""
    if num_new == 0:
        return f" None of them since {newest.name} was frozen."
    return f" {format_count(num_new, 'new entry', 'new entries')} in the log since {newest.name} was frozen."


def _changes(draft: DraftView, names: Mapping[str, str]) -> str:
    """What freezing now would give, in words; "" where nothing can be frozen."""
    if not draft.headline:
        return ""
    dropped = " with the training crops of these leaks left out" if draft.leaks else ""
    twin = names.get(draft.equals)
    rest = f" That is {twin}: freezing it again only gives it the new name." if twin else ""
    return f"Freezing now{dropped}: {draft.headline}.{rest}"


def _resolutions(given: object) -> tuple[Resolution, ...]:
    chosen = [item for item in given if isinstance(item, Mapping)] if isinstance(given, list) else []
    return tuple(
        Resolution(str(item.get("key")), item.get("way_out", ""), str(item.get("reason") or ""))
        for item in chosen
    )


def _waiting(gallery: str, crops: tuple[WaitingCrop, ...]) -> tuple[CropPicture, ...]:
    return tuple(crop_picture(gallery, crop.image_id, crop.reason) for crop in crops[:_MAX_WAITING_SHOWN])


def _counts(draft: DraftView) -> tuple[Count, ...]:
    changes = draft.changes
    if changes is None:
        return ()
    return (
        Count("Crops that train", f"{draft.num_train:,}", f"{draft.num_base:,} of them replay"),
        Count("Corrected identities that train", f"{changes.num_trained_feedback:,}"),
        Count("Crops relabelled", f"{changes.num_relabelled:,}"),
        Count("Confirmed negatives", f"{changes.num_confirmed_negatives:,}"),
        Count(
            "Rank violations to fix", f"{changes.num_violations:,}", f"of {changes.num_triplets:,} triplets"
        ),
        Count("In quarantine", format_count(changes.num_quarantined, "crop")),
    )


def _leak_panel(gallery: str, leak: Leak) -> LeakPanel:
    sentence = leak.sentence[0].upper() + leak.sentence[1:]
    return LeakPanel(
        key=leak.key,
        title=f"Identity {leak.pid}",
        sentence=sentence,
        training=tuple(crop_picture(gallery, crop) for crop in leak.training[:_MAX_LEAK_CROPS]),
        evaluation=tuple(crop_picture(gallery, crop) for crop in leak.evaluation[:_MAX_LEAK_CROPS]),
    )
