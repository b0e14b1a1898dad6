"""Which images of a gallery are searched for, and whether it can be scored at all."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from reid_core.errors import DatasetError
from reid_core.evaluation import PROTOCOLS
from reid_core.seeds import rng_for
from reid_core.services.evaluations.records import QueryRule, Readiness
from reid_core.services.galleries import Gallery, GalleryImage
from reid_core.services.search import is_known
from reid_core.types import Dataset, ImageRecord

_LABEL_REMEDIES = (
    "Import it again with identities: file names such as 0002_c1s1_000451_03.jpg, one folder per "
    "person, or a "
    "CSV with a column pid (0 for people nobody searches for, -1 for boxes that show nobody).",
    "Or say who is who on the Review page and import the labels that it exports.",
)


def assess(gallery: Gallery) -> Readiness:
    """What a gallery can be scored by, or why it cannot and what to do."""
    queries = [image for image in gallery.images if image.is_query]
    drawn = draw_queries(gallery, seed=0)
    used = [image for image in gallery.images if image.is_query or image.in_gallery]
    nameless = [image for image in used if image.pid is None]
    rules: list[QueryRule] = []
    if queries and gallery.searched:
        rules.append("split")
    if drawn:
        rules.append("one_per_identity_and_camera")
    cameras = {image.camid for image in used}
    has_cameras = None not in cameras and len(cameras) > 1
    protocols = tuple(PROTOCOLS) if has_cameras else ("single_camera",)
    problem = ""
    remedies: tuple[str, ...] = ()
    if nameless and len(nameless) == len(used):
        problem = (
            f"Nobody has said who is on these {len(used):,} crops, so there is nothing to score against."
        )
        remedies = _LABEL_REMEDIES
    elif nameless:
        problem = (
            f"{len(nameless):,} of {len(used):,} crops have no identity (the first: {nameless[0].id}). "
            f"A score "
            "would count them as somebody else."
        )
        remedies = _LABEL_REMEDIES
    elif not rules:
        problem = "This gallery has no query split, and no identity from which a query could be drawn."
        remedies = _LABEL_REMEDIES
    return Readiness(
        gallery=gallery.name,
        title=gallery.title,
        num_queries=len(queries),
        num_images=len(gallery.searched),
        query_rules=() if problem else tuple(rules),
        num_drawn=len(drawn),
        protocols=protocols,
        problem=problem,
        remedies=remedies,
    )


def draw_queries(gallery: Gallery, *, seed: int) -> tuple[GalleryImage, ...]:
    """One gallery image per identity and camera (per identity where cameras are not known), in table order.

    As Market-1501 chose its queries; but here they stay in the gallery, so that nobody loses a match. A query
    is never its own match. Equal seeds give equal queries, whatever else the gallery holds.
    """
    groups: dict[tuple[int, int | None], list[GalleryImage]] = {}
    for image in gallery.searched:
        if image.pid is not None and is_known(image.pid):
            groups.setdefault((image.pid, image.camid), []).append(image)
    chosen = set()
    for (pid, camid), images in groups.items():
        ordered = sorted(images, key=lambda image: image.id)
        place = rng_for(seed, "query of", pid, str(camid)).integers(len(ordered))
        chosen.add(ordered[int(place)].id)
    return tuple(image for image in gallery.searched if image.id in chosen)


def dataset_of(gallery: Gallery, rule: QueryRule, *, seed: int) -> Dataset:
    """The gallery as a data set whose query split follows ``rule``.

    Raises:
        DatasetError: The gallery cannot be scored, or not by this rule.
    """
    readiness = assess(gallery)
    if rule not in readiness.query_rules:
        reason = readiness.problem or "It has no query split: draw one query per identity and camera instead."
        raise DatasetError(f"Gallery {gallery.title!r} cannot be scored like this. {reason}")
    is_split = rule == "split"
    queries = (
        [image for image in gallery.images if image.is_query]
        if is_split
        else draw_queries(gallery, seed=seed)
    )
    note = f"Queries were drawn from the gallery: one per identity and camera, seed {seed}."
    return Dataset(
        name=gallery.title,
        root=Path(gallery.source or "."),
        query=tuple(record_of(image) for image in queries),
        gallery=tuple(record_of(image) for image in gallery.searched),
        notes=() if is_split else (note,),
    )


def record_of(image: GalleryImage) -> ImageRecord:
    """A gallery's image for the evaluator."""
    return ImageRecord(
        image_id=image.id,
        path=image.path,
        pid=image.pid,
        camid=image.camid,
        time_s=image.time_s,
        attributes=image.attributes,
    )


def hash_labels(queries: Sequence[ImageRecord], gallery: Sequence[ImageRecord]) -> str:
    """SHA-256 of who and which camera every query and gallery image is, in order."""
    digest = sha256()
    for records in (queries, gallery):
        for record in records:
            digest.update(repr((record.image_id, record.pid, record.camid)).encode())
        digest.update(b"|")
    return digest.hexdigest()
