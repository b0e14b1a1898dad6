"""Explain a data set: what is in it, what a score on it would mean, and what is wrong with it."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import combinations

import numpy as np

from reid_core.data.check_report import (
    CameraPair,
    CheckReport,
    Finding,
    Level,
    QuerySummary,
    SizeSummary,
    SplitSummary,
)
from reid_core.data.facts import compare_with_facts
from reid_core.data.fingerprints import Fingerprint, exact_groups, fingerprint_all, near_pairs
from reid_core.data.protocols import PROTOCOLS
from reid_core.data.splits import SPLIT_GROUPS, find_leaks
from reid_core.types import DISTRACTOR_PID, JUNK_PID, Dataset, ImageRecord

_NUM_EXAMPLES = 5
_HISTOGRAM_EDGES = (1, 2, 3, 5, 9, 17, 33)
_MIN_WIDTH, _MIN_HEIGHT = 16, 32
_RARE_CAMERA_SHARE = 0.001
_GROUP_OF = {split: group for group, members in SPLIT_GROUPS for split in members}


def check_dataset(
    dataset: Dataset,
    *,
    deep: bool = False,
    progress: Callable[[int, int], None] | None = None,
    is_cancelled: Callable[[], bool] | None = None,
) -> CheckReport:
    """Explain a data set that was opened.

    Args:
        dataset: As ``open_dataset`` or ``open_protocol`` returned it.
        deep: Also read every file: damage, exact and near copies, sizes. About 1 ms per image.
        progress: Called with (files read, files) when deep.
        is_cancelled: Asked before every file when deep.

    Raises:
        CancelledError: ``is_cancelled`` returned True.
    """
    splits = tuple(_summarise_split(name, records) for name, records in dataset.splits().items() if records)
    test = (*dataset.query, *dataset.gallery)
    everything = tuple(record for records in dataset.splits().values() for record in records)
    queries, unmatched = _summarise_queries(dataset)
    differences = _published_differences(dataset)
    findings = [
        *_check_refused(dataset),
        *_check_counts(differences),
        *_check_queries(dataset, queries, unmatched),
        *_check_leaks(dataset),
        *_check_labels(dataset),
        *_check_names(everything),
    ]
    sizes = None
    if deep:
        placed = _placed_files(dataset)
        prints = fingerprint_all([r.path for _, r in placed], progress=progress, is_cancelled=is_cancelled)
        findings += [
            *_check_files(placed, prints),
            *_check_copies(placed, prints),
            *_check_sizes(placed, prints),
        ]
        sizes = _summarise_sizes(prints)
    return CheckReport(
        name=dataset.name,
        root=str(dataset.root),
        is_deep=deep,
        splits=splits,
        queries=queries,
        cameras_per_identity=_cameras_per_identity(test or everything),
        images_per_identity=_images_per_identity(everything),
        camera_pairs=_camera_pairs(test or everything),
        sizes=sizes,
        findings=tuple(sorted(findings, key=lambda f: ("error", "warning", "note").index(f.level))),
        notes=tuple(note for note in dataset.notes if note not in differences),
    )


# --- counts


def _summarise_split(name: str, records: Sequence[ImageRecord]) -> SplitSummary:
    return SplitSummary(
        name=name,
        num_images=len(records),
        num_identities=len({r.pid for r in records if _is_person(r)}),
        num_cameras=len({r.camid for r in records if r.camid is not None}),
        num_junk=sum(r.pid == JUNK_PID for r in records),
        num_distractors=sum(r.pid == DISTRACTOR_PID for r in records),
        num_unknown=sum(r.pid is None for r in records),
        num_without_camera=sum(r.camid is None for r in records),
    )


def _is_person(record: ImageRecord) -> bool:
    return record.pid is not None and record.pid > 0


def _cameras_by_pid(records: Iterable[ImageRecord]) -> dict[int, set[int]]:
    cameras: dict[int, set[int]] = defaultdict(set)
    for record in records:
        if record.pid is not None and record.pid > 0:
            found = cameras[record.pid]
            if record.camid is not None:
                found.add(record.camid)
    return cameras


def _cameras_per_identity(records: Iterable[ImageRecord]) -> dict[str, int]:
    counts = Counter(len(cameras) for cameras in _cameras_by_pid(records).values())
    return {str(number): counts[number] for number in sorted(counts)}


def _camera_pairs(records: Iterable[ImageRecord]) -> tuple[CameraPair, ...]:
    counts: Counter[tuple[int, int]] = Counter()
    for cameras in _cameras_by_pid(records).values():
        counts.update(combinations(sorted(cameras), 2))
    return tuple(CameraPair(first, second, counts[first, second]) for first, second in sorted(counts))


def _images_per_identity(records: Iterable[ImageRecord]) -> dict[str, int]:
    """Identities by how many images they have, in bins 1, 2, 3-4, 5-8, 9-16, 17-32, 33+."""
    numbers = Counter(record.pid for record in records if _is_person(record)).values()
    edges = np.array(_HISTOGRAM_EDGES)
    bins = Counter(int(np.searchsorted(edges, number, side="right")) - 1 for number in numbers)
    return {_bin_label(index): bins[index] for index in sorted(bins)}


def _bin_label(index: int) -> str:
    low = _HISTOGRAM_EDGES[index]
    if index == len(_HISTOGRAM_EDGES) - 1:
        return f"{low}+"
    high = _HISTOGRAM_EDGES[index + 1] - 1
    return str(low) if low == high else f"{low}-{high}"


def _summarise_queries(dataset: Dataset) -> tuple[QuerySummary, tuple[ImageRecord, ...]]:
    """The summary, and the queries of a person that have no match from another camera."""
    cameras: dict[int, set[int | None]] = defaultdict(set)
    for record in dataset.gallery:
        if record.pid is not None and record.pid > 0:
            cameras[record.pid].add(record.camid)
    reasons: Counter[str] = Counter()
    unmatched = []
    for query in dataset.query:
        reason = _why_unmatched(query, cameras)
        if reason is not None:
            reasons[reason] += 1
            unmatched.append(query)
    summary = QuerySummary(
        num_queries=len(dataset.query),
        num_without_match=len(unmatched),
        num_absent=reasons["absent"],
        num_same_camera=reasons["same camera"],
        num_no_camera=reasons["no camera"],
        num_unlabelled=reasons["unlabelled"],
    )
    return summary, tuple(unmatched)


def _why_unmatched(query: ImageRecord, gallery_cameras: Mapping[int, set[int | None]]) -> str | None:
    if query.pid is None or query.pid <= 0:
        return "unlabelled"
    seen = gallery_cameras.get(query.pid, set())
    if not seen:
        return "absent"
    if query.camid is None or seen == {None}:
        return "no camera"
    return None if seen - {query.camid, None} else "same camera"


# --- findings without opening files


def _check_refused(dataset: Dataset) -> list[Finding]:
    by_reason: dict[str, list[str]] = defaultdict(list)
    for item in dataset.refused:
        by_reason[re.sub(r"line \d+", "line ...", item.reason)].append(item.item)
    findings = []
    for reason, items in by_reason.items():
        level: Level = "note" if reason == "not an image file" else "warning"
        message = f"{_count(len(items), 'item')} not read: {reason}."
        findings.append(Finding(level, "refused", message, len(items), tuple(items[:_NUM_EXAMPLES])))
    return findings


def _published_differences(dataset: Dataset) -> tuple[str, ...]:
    """What ``open_protocol`` found to differ; none for a folder that is merely called like a protocol."""
    if dataset.name not in PROTOCOLS:
        return ()
    differences = compare_with_facts(dataset, PROTOCOLS[dataset.name].facts)
    return differences if set(differences) <= set(dataset.notes) else ()


def _check_counts(differences: Sequence[str]) -> list[Finding]:
    if not differences:
        return []
    message = f"The counts differ from the published ones. {' '.join(differences)}"
    return [Finding("warning", "published-counts", message, len(differences) - 1)]


def _check_queries(
    dataset: Dataset, queries: QuerySummary, unmatched: Sequence[ImageRecord]
) -> list[Finding]:
    if dataset.query and not dataset.gallery:
        return [
            Finding("error", "no-gallery", "There are queries but no gallery to search.", len(dataset.query))
        ]
    if not queries.num_without_match:
        return []
    parts = (
        (queries.num_absent, "show somebody who is not in the gallery"),
        (
            queries.num_same_camera,
            "have their match from their own camera only, which the protocol leaves out",
        ),
        (queries.num_no_camera, "have no camera, or their match has none, so nobody can tell"),
        (queries.num_unlabelled, "have no identity above 0"),
    )
    reasons = "; ".join(f"{number:,} {reason}" for number, reason in parts if number)
    everyone = queries.num_without_match == queries.num_queries
    if everyone:
        message = (
            f"None of the {queries.num_queries:,} queries has a match from another camera: {reasons}. Other "
            "tools stop here with 'all query identities do not appear in gallery'. "
        )
    else:
        message = (
            f"{queries.num_without_match:,} of {queries.num_queries:,} queries have no match from another "
            f"camera and are left out of every score: {reasons}. "
        )
    examples = tuple(record.image_id for record in unmatched[:_NUM_EXAMPLES])
    level: Level = "error" if everyone else "warning"
    return [Finding(level, "unmatched-queries", message + _advise_queries(queries), len(unmatched), examples)]


def _advise_queries(queries: QuerySummary) -> str:
    advice = []
    if queries.num_absent:
        advice.append("check that query and gallery number the same people alike")
    if queries.num_same_camera:
        advice.append(
            "check that the camera in names or manifest is right; if there is one camera only, score with "
            "protocol single_camera and compare such numbers with each other only"
        )
    if queries.num_no_camera:
        advice.append(
            "name the cameras (manifest column camid, or a pattern with (?P<camid>...)), or use single_camera"
        )
    if queries.num_unlabelled:
        advice.append("label the queries, or take junk and distractors out of them")
    return f"What to do: {'; '.join(advice)}."


def _check_leaks(dataset: Dataset) -> list[Finding]:
    return [
        Finding(
            "error",
            "leak",
            f"{leak.first} and {leak.second} share {len(leak.items):,} {leak.what}: a score on "
            f"{leak.second} would be too good. Split by identity, or renumber if both count their people "
            "from 1.",
            len(leak.items),
            leak.items[:_NUM_EXAMPLES],
        )
        for leak in find_leaks(dataset)
    ]


def _check_labels(dataset: Dataset) -> list[Finding]:
    findings = []
    lonely = _single_images(dataset.train)
    if lonely:
        message = (
            f"{_count(len(lonely), 'training identity has', 'training identities have')} one image only: "
            "metric losses find no pair in them."
        )
        findings.append(_finding("note", "single-image-identity", message, lonely))
    everything = [r for records in dataset.splits().values() for r in records]
    cameras = Counter(r.camid for r in everything if r.camid is not None)
    if 0 in cameras:
        message = (
            f"{_count(cameras[0], 'image')} from camera 0: cameras are counted from 0 here, elsewhere from 1."
        )
        findings.append(_finding("note", "camera-zero", message, [r for r in everything if r.camid == 0]))
    rare = {camid for camid, number in cameras.items() if number < _RARE_CAMERA_SHARE * len(everything)}
    if rare and len(cameras) > 2:
        images = [r for r in everything if r.camid in rare]
        message = (
            f"Cameras {sorted(rare)} took {_count(len(images), 'image')} only: are the camera numbers right?"
        )
        findings.append(_finding("warning", "rare-camera", message, images))
    return findings


def _single_images(records: Sequence[ImageRecord]) -> list[ImageRecord]:
    numbers = Counter(record.pid for record in records if _is_person(record))
    return [record for record in records if numbers[record.pid] == 1]


def _check_names(records: Sequence[ImageRecord]) -> list[Finding]:
    """Names that say the same in different ways, or that other file systems cannot keep apart."""
    findings = []
    spellings: dict[int, dict[str, ImageRecord]] = defaultdict(dict)
    folded: dict[str, dict[str, ImageRecord]] = defaultdict(dict)
    for record in records:
        folded[unicodedata.normalize("NFC", record.image_id).casefold()].setdefault(record.image_id, record)
        written = re.match(r"(-?\d+)_", record.image_id.rpartition("/")[2])
        if written and record.pid is not None and int(written[1]) == record.pid:
            spellings[record.pid].setdefault(written[1], record)
    twice = [record for images in folded.values() if len(images) > 1 for record in images.values()]
    if twice:
        message = (
            f"{_count(len(twice), 'name')} differ from another only in case or in how accents are encoded."
        )
        findings.append(_finding("warning", "names-collide", message, twice))
    mixed = [record for found in spellings.values() if len(found) > 1 for record in found.values()]
    if mixed:
        number = sum(len(found) > 1 for found in spellings.values())
        people = _count(number, "identity is", "identities are")
        message = f"{people} written in several ways, such as 2_ and 0002_."
        findings.append(_finding("warning", "inconsistent-names", message, mixed))
    return findings


# --- findings from the files

_Placed = list[tuple[str, ImageRecord]]


def _placed_files(dataset: Dataset) -> _Placed:
    """(split, record) of every file, each once; an image in query and gallery counts as query."""
    seen: dict[str, tuple[str, ImageRecord]] = {}
    for split, records in dataset.splits().items():
        for record in records:
            seen.setdefault(record.image_id, (split, record))
    return list(seen.values())


def _check_files(placed: _Placed, prints: Sequence[Fingerprint]) -> list[Finding]:
    damaged = [(r, p.error) for (_, r), p in zip(placed, prints, strict=True) if p.error is not None]
    if not damaged:
        return []
    message = (
        f"{_count(len(damaged), 'file')} damaged or no image; the first: {damaged[0][1]} Replace or remove "
        "them, or they are missing from every score."
    )
    return [_finding("error", "damaged", message, [record for record, _ in damaged])]


def _check_copies(placed: _Placed, prints: Sequence[Fingerprint]) -> list[Finding]:
    pairs: dict[tuple[bool, str], list[tuple[int, int]]] = defaultdict(list)
    for group in exact_groups(prints):
        for other in group[1:]:
            pairs[True, _relation(placed[group[0]], placed[other])].append((group[0], other))
    for first, second in near_pairs(prints):
        pairs[False, _relation(placed[first], placed[second])].append((first, second))
    findings = []
    for (is_exact, relation), found in sorted(pairs.items()):
        level = _COPY_LEVELS[is_exact].get(relation)
        if level is not None:
            kind = "exact copies (same bytes)" if is_exact else "near copies (same picture, other bytes)"
            examples = tuple(
                f"{placed[i][1].image_id} = {placed[j][1].image_id}" for i, j in found[:_NUM_EXAMPLES]
            )
            message = f"{_count(len(found), 'pair')} of {kind} {_RELATIONS[relation]}."
            code = f"{'exact' if is_exact else 'near'}-copies-{relation}"
            findings.append(Finding(level, code, message, len(found), examples))
    return findings


_RELATIONS = {
    "leak": "between training and test: scores would be too good",
    "people": "under different identities: at least one label is wrong",
    "answer": "in query and gallery: the match is the query itself",
    "same": "of one identity",
}
_COPY_LEVELS: Mapping[bool, Mapping[str, Level]] = {
    True: {"leak": "error", "people": "error", "answer": "error", "same": "note"},
    False: {"leak": "warning", "people": "warning"},  # neighbouring frames of one person are no fault
}


def _relation(first: tuple[str, ImageRecord], second: tuple[str, ImageRecord]) -> str:
    (split_a, a), (split_b, b) = first, second
    if _GROUP_OF[split_a] != _GROUP_OF[split_b]:
        return "leak"
    if a.pid != b.pid and not {a.pid, b.pid} & {None, JUNK_PID}:
        return "people"
    if {split_a, split_b} in ({"query", "gallery"}, {"locked_query", "locked_gallery"}) and _is_person(a):
        return "answer"
    return "same"


def _check_sizes(placed: _Placed, prints: Sequence[Fingerprint]) -> list[Finding]:
    records = [(r, p) for (_, r), p in zip(placed, prints, strict=True) if p.error is None]
    small = [r for r, p in records if p.width < _MIN_WIDTH or p.height < _MIN_HEIGHT]
    wide = [r for r, p in records if p.width > p.height]
    findings = []
    if small:
        limit = f"{_MIN_WIDTH} x {_MIN_HEIGHT} pixels (width x height)"
        message = f"{_count(len(small), 'image')} smaller than {limit}."
        findings.append(_finding("note", "small", message, small))
    if wide:
        message = f"{_count(len(wide), 'image')} wider than high: is each a crop of one standing person?"
        findings.append(_finding("warning", "wide", message, wide))
    return findings


def _summarise_sizes(prints: Sequence[Fingerprint]) -> SizeSummary | None:
    sizes = np.array([(p.width, p.height) for p in prints if p.error is None])
    if not len(sizes):
        return None
    (min_w, min_h), (max_w, max_h), (med_w, med_h) = sizes.min(0), sizes.max(0), np.median(sizes, axis=0)
    return SizeSummary(int(min_w), float(med_w), int(max_w), int(min_h), float(med_h), int(max_h))


def _finding(level: Level, code: str, message: str, records: Sequence[ImageRecord]) -> Finding:
    return Finding(level, code, message, len(records), tuple(r.image_id for r in records[:_NUM_EXAMPLES]))


def _count(number: int, singular: str, plural: str | None = None) -> str:
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"
