"""What is stored, as the records that pages see."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image

from reid_core.evaluation import Calibration
from reid_core.services.feedback import GuidedRanking
from reid_core.services.galleries import GalleryImage
from reid_core.services.records import UPLOAD_PREFIX, AbsenceView, FeedbackView, HitView, QueryView
from reid_core.services.search import QueryFacts, SearchSpace, verdict_on
from reid_core.types import Hit

UPLOADS = "uploads"
"""Stands in image addresses where a gallery's name stands otherwise."""
IMAGE_ROUTE = "gradio_api/reid/image"
"""Relative to the page, so that the app works below a prefix."""


def view_query(gallery: str, image: GalleryImage) -> QueryView:
    """A gallery's image as a query."""
    return QueryView(
        id=image.id,
        pid=image.pid,
        camid=image.camid,
        time_s=image.time_s,
        width=image.width,
        height=image.height,
        image_url=image_url(gallery, image.content_hash),
    )


def view_upload(key: str, stored: Image.Image) -> QueryView:
    """An uploaded picture as a query; nobody knows who, where and when it is."""
    return QueryView(
        id=f"{UPLOAD_PREFIX}{key}",
        pid=None,
        camid=None,
        time_s=None,
        width=stored.width,
        height=stored.height,
        image_url=image_url(UPLOADS, key),
    )


def view_hit(
    gallery: str, hit: Hit, image: GalleryImage, query: QueryFacts, calibration: Calibration | None
) -> HitView:
    """A hit with what is known about it."""
    probability = None if calibration is None else float(calibration.probability(hit.similarity))
    return HitView(
        rank=hit.rank,
        id=image.id,
        pid=image.pid,
        camid=image.camid,
        time_s=image.time_s,
        similarity=hit.similarity,
        image_url=image_url(gallery, image.content_hash),
        verdict=verdict_on(query, image),
        probability=probability,
        attributes=image.attributes,
    )


def view_hits(space: SearchSpace, hits: Sequence[Hit], query: QueryFacts) -> tuple[HitView, ...]:
    """Hits in their order."""
    gallery = space.gallery
    return tuple(
        view_hit(gallery.name, hit, gallery.by_id[hit.image_id], query, space.calibration) for hit in hits
    )


def view_feedback(
    space: SearchSpace, guided: GuidedRanking, query: QueryFacts, switches: Sequence[str]
) -> FeedbackView:
    """What judgements changed in a ranking."""
    return FeedbackView(
        switches=tuple(switches),
        num_confirmed=guided.num_confirmed,
        num_refused=guided.num_refused,
        was_rank=guided.was_rank,
        aside=view_hits(space, guided.aside, query),
        ap_before=guided.ap_before,
        ap_after=guided.ap_after,
        open_ap_before=guided.open_ap_before,
        open_ap_after=guided.open_ap_after,
    )


def view_absence(hits: Sequence[Hit], calibration: Calibration | None) -> AbsenceView | None:
    """Whether the most similar of all hits is similar enough to be the person."""
    if calibration is None or calibration.absent is None or not hits:
        return None
    threshold = calibration.absent
    return AbsenceView(
        is_absent=max(hit.similarity for hit in hits) < threshold.similarity,
        similarity=threshold.similarity,
        named_share=threshold.fpir,
        doubts=(*threshold.doubts, *calibration.doubts),
    )


def image_url(gallery: str, content_hash: str) -> str:
    """Where the picture is, relative to the page; ``?h=`` asks for a height."""
    return f"{IMAGE_ROUTE}/{gallery}/{content_hash}.jpg"
