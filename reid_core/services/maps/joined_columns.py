"""Colour a map by what other services know of its crops: gate clusters, average precision, judgements."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Protocol

import numpy as np

from reid_core.errors import InputError
from reid_core.explain.records import DEFAULT_BLOCK
from reid_core.services.maps.columns import Content, Numbers, Provider, categories_of

if TYPE_CHECKING:
    from reid_core.services.open_galleries import OpenGallery
    from reid_core.services.review.records import LabelState

NUM_CLUSTERS = 6
"""As many as the Explain page shows at first, so that both speak of the same clusters."""


class GateLabels(Protocol):
    """What is needed of the gate study."""

    def labels(
        self, block: str, num_clusters: int, *, gallery: str = "", model: str = ""
    ) -> dict[str, int]: ...


class Scores(Protocol):
    """What is needed of the evaluation runs."""

    def latest_ap(self, gallery: str = "", model: str = "") -> Mapping[str, float]: ...


class Judgements(Protocol):
    """What is needed of the review."""

    def label_states(self, ids: Iterable[str], *, gallery: str = "") -> dict[str, LabelState]: ...


def gate_clusters(gates: GateLabels) -> Provider:
    """A provider of the crops' gate clusters; it raises what the study does where gates were not read."""

    def provide(opened: OpenGallery, _query_id: str) -> Content:
        numbers = gates.labels(DEFAULT_BLOCK, NUM_CLUSTERS, gallery=opened.gallery, model=opened.model)
        return categories_of(
            [
                f"cluster {numbers[image_id]}" if image_id in numbers else None
                for image_id in opened.space.index.ids
            ]
        )

    return provide


def average_precision(scores: Scores) -> Provider:
    """A provider of each query's AP in the newest run of this gallery and network; other crops have none."""

    def provide(opened: OpenGallery, _query_id: str) -> Content:
        known = scores.latest_ap(opened.gallery, opened.model)
        if not known:
            raise InputError(
                "This gallery was not evaluated with this network yet. Start a run on the Evaluate page."
            )
        ids = opened.space.index.ids
        return Numbers(np.array([known.get(image_id, math.nan) for image_id in ids]), unit="share")

    return provide


def label_state(judgements: Judgements) -> Provider:
    """A provider of what judgements say about each crop's label."""

    def provide(opened: OpenGallery, _query_id: str) -> Content:
        ids = opened.space.index.ids
        states = judgements.label_states(ids, gallery=opened.gallery)
        return categories_of([states[i].state if i in states else None for i in ids])

    return provide
