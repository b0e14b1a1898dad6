"""Make training, query and gallery splits from labelled images, and find what leaks between them.

Everything is decided by identity and drawn with ``seeded_order``, so a split can be made again anywhere.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from reid_core.data.split_file import seeded_order
from reid_core.errors import DatasetError, InputError
from reid_core.types import Dataset, ImageRecord

SPLIT_GROUPS = (
    ("train", ("train",)),
    ("test", ("query", "gallery")),
    ("locked test", ("locked_query", "locked_gallery")),
)
"""Groups of splits that must share neither people nor images."""


@dataclass(frozen=True, slots=True)
class QueryGallery:
    """Queries and the gallery that they are searched in; ``is_single_camera`` tells which rule made them."""

    query: tuple[ImageRecord, ...]
    gallery: tuple[ImageRecord, ...]
    is_single_camera: bool
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Leak:
    """What two groups of splits share: ``what`` is "identities" or "images"."""

    first: str
    second: str
    what: str
    items: tuple[str, ...]


def make_splits(dataset: Dataset, *, test_fraction: float = 0.5, seed: int = 0) -> Dataset:
    """Split all labelled images of a data set anew: some people train, the others are searched.

    Args:
        dataset: Its records are pooled; their present splits are forgotten. Locked splits stay locked.
        test_fraction: Share of the identities that go to query and gallery, above 0 and up to 1.
        seed: Decides who.

    Returns:
        The data set with new ``train``, ``query`` and ``gallery``. Junk and distractors are gallery; images
        of unknown people are left out, because nobody can say whether they match.

    Raises:
        InputError: ``test_fraction`` is out of range.
        DatasetError: Fewer than two identities, or nobody in the test part can be searched.
    """
    if not 0 < test_fraction <= 1:
        raise InputError(f"test_fraction is {test_fraction}; expected a share above 0 and up to 1.")
    pooled = tuple(
        sorted({r.image_id: r for r in (*dataset.train, *dataset.query, *dataset.gallery)}.values(), key=_id)
    )
    people = sorted({record.pid for record in pooled if record.pid is not None and record.pid > 0})
    if len(people) < 2:
        raise DatasetError(f"{dataset.name} has {len(people)} identities; a split needs at least two.")
    order = seeded_order((str(pid) for pid in people), seed=seed, purpose="test identities")
    test_pids = {int(pid) for pid in order[: max(1, round(test_fraction * len(order)))]}
    test = make_query_gallery([r for r in pooled if r.pid in test_pids or _is_background(r)], seed=seed)
    note = f"{len(test_pids)} of {len(people)} identities were drawn for the test with seed {seed}."
    return replace(
        dataset,
        train=tuple(r for r in pooled if r.pid is not None and r.pid > 0 and r.pid not in test_pids),
        query=test.query,
        gallery=test.gallery,
        notes=(*dataset.notes, note, *test.notes),
    )


def make_query_gallery(
    records: Sequence[ImageRecord], *, seed: int = 0, single_camera: bool | None = None
) -> QueryGallery:
    """Choose one query per identity and camera, as Market-1501 does; all other images are gallery.

    A query is chosen only if every chosen query of that person keeps a match in the gallery: from another
    camera, or, with ``single_camera``, any other image.

    Args:
        records: Labelled images. Junk and distractors go to the gallery; unknown people are left out.
        seed: Decides which image of a camera is the query.
        single_camera: Whether a match from the query's own camera counts. By default only if no person is
            seen by two cameras.

    Raises:
        DatasetError: No query can be chosen; the message says why.
    """
    people: dict[int, list[ImageRecord]] = defaultdict(list)
    for record in sorted(records, key=_id):
        if record.pid is not None and record.pid > 0:
            people[record.pid].append(record)
    is_single = not any(_num_cameras(images) > 1 for images in people.values())
    if single_camera is not None:
        is_single = single_camera
    chosen = {r.image_id for images in people.values() for r in _choose_queries(images, seed, is_single)}
    if not chosen:
        raise DatasetError(_explain_no_query(people, is_single))
    known = [r for r in sorted(records, key=_id) if r.pid is not None]
    notes = [f"{len(chosen)} queries: one image per identity and camera where a match remains, seed {seed}."]
    if is_single:
        notes.append(explain_single_camera())
    if len(known) < len(records):
        notes.append(
            f"{len(records) - len(known)} images of unknown people were left out: they may match anybody."
        )
    return QueryGallery(
        query=tuple(r for r in known if r.image_id in chosen),
        gallery=tuple(r for r in known if r.image_id not in chosen),
        is_single_camera=is_single,
        notes=tuple(notes),
    )


def explain_single_camera() -> str:
    """The sentence to show wherever data from one camera is scored."""
    return (
        "Single-camera mode: no person is seen by two cameras, so matches from the query's own camera count "
        "(protocol single_camera). Such matches are often frames of one walk and far easier: compare these "
        "numbers with each other only, never with published cross-camera ones."
    )


def find_leaks(dataset: Dataset) -> tuple[Leak, ...]:
    """People (pid above 0) and images that training, test and locked test share; empty is as it should be."""
    splits = dataset.splits()
    groups = [(name, [r for split in members for r in splits[split]]) for name, members in SPLIT_GROUPS]
    leaks = []
    for i, (first, first_records) in enumerate(groups):
        for second, second_records in groups[i + 1 :]:
            for what, key in (("identities", _pid_text), ("images", _id)):
                shared = {key(r) for r in first_records} & {key(r) for r in second_records} - {""}
                if shared:
                    leaks.append(Leak(first, second, what, tuple(sorted(shared, key=_natural))))
    return tuple(leaks)


def check_no_leaks(dataset: Dataset) -> None:
    """Refuse a data set whose splits share people or images.

    Raises:
        DatasetError: They do; the message names the first.
    """
    for leak in find_leaks(dataset):
        raise DatasetError(
            f"{dataset.name}: {leak.first} and {leak.second} share {len(leak.items)} {leak.what}, e.g. "
            f"{', '.join(leak.items[:3])}. Scores on it would be too good; split by identity first."
        )


def _choose_queries(images: Sequence[ImageRecord], seed: int, is_single: bool) -> list[ImageRecord]:
    by_id = {record.image_id: record for record in images}
    chosen: list[ImageRecord] = []
    seen: set[int | None] = set()
    for image_id in seeded_order(by_id, seed=seed, purpose="query"):
        record = by_id[image_id]
        if record.camid in seen or (record.camid is None and not is_single):
            continue
        candidate = [*chosen, record]
        rest = [other for other in images if other not in candidate]
        if all(_has_match(query, rest, is_single) for query in candidate):
            chosen, seen = candidate, seen | {record.camid}
    return chosen


def _has_match(query: ImageRecord, rest: Iterable[ImageRecord], is_single: bool) -> bool:
    if is_single:
        return any(True for _ in rest)
    return any(other.camid is not None and other.camid != query.camid for other in rest)


def _explain_no_query(people: dict[int, list[ImageRecord]], is_single: bool) -> str:
    if not people:
        return "No image says who it shows (pid above 0), so nobody can be searched. Label some people first."
    if is_single:
        return f"None of the {len(people)} identities has two images, so nothing can match. Add images."
    return (
        f"None of the {len(people)} identities is seen by two cameras. Name the cameras if there are "
        "several, or use single_camera=True for data from one."
    )


def _num_cameras(images: Iterable[ImageRecord]) -> int:
    return len({record.camid for record in images if record.camid is not None})


def _is_background(record: ImageRecord) -> bool:
    return record.pid is not None and record.pid <= 0


def _id(record: ImageRecord) -> str:
    return record.image_id


def _pid_text(record: ImageRecord) -> str:
    return str(record.pid) if record.pid is not None and record.pid > 0 else ""


def _natural(text: str) -> tuple[int, str]:
    return (len(text), text) if text.isdecimal() else (0, text)
