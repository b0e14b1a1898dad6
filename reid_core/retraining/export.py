"""A frozen training set as a folder that trains, here or in other programs.

The contract (format ``reid-retraining-set/1``). All paths are relative to the folder, with forward slashes.

``manifest.csv`` (and ``manifest.parquet``), read by ``reid_core.data.read_manifest``; one row per crop:

========== ==========================================================================================
path       ``bounding_box_train/...``, ``query/...`` or ``bounding_box_test/...`` (Market-1501 names)
split      ``train``, ``query`` or ``gallery``; ``query`` and ``gallery`` are feedback identities that do not
           train: for early stopping. ``locked_query``, ``locked_gallery`` only where asked for at the export
pid        identity after the corrections; train rows are above 0; -1 junk and 0 distractors in the gallery
camid      camera, from 1
time_s     seconds, empty where unknown
weight     in (0, 1]: probability that the weakest link of the crop to its identity holds
origin     ``base``: of the base set's own training part, these rows are the replay; ``feedback``: of the part
           that was corrected. Every batch should draw at least 60 percent of its train rows from ``base``
judged     ``1`` where a judgement names this very crop, else ``0``
base_pid   identity before the corrections, empty where nobody said
source_id  the crop's id in the base data set
sha256     of the crop's bytes in the base data set
========== ==========================================================================================

Quarantined and dropped crops have no row. No identity and no picture is in train and in another split, except
where an override with its reason is in ``snapshot.json``.

``constraints.csv``: pairs of train rows that a person judged. ``left,right`` (paths), ``kind`` (``must`` or
``cannot``), ``weight`` (log-likelihood ratio of the judgement, above 0), ``similarity`` (cosine under the
frozen model, empty if none), ``decision_id``.

``triplets.csv``: ``anchor,positive,negative`` (paths of train rows: anchor and positive one identity,
negative one that a person told apart from it), ``violation`` = similarity(anchor, negative) -
similarity(anchor, positive) under the frozen model; above 0 the ranking is wrong. Worst first.

``hard_negatives.csv``: ``anchor,negative`` (paths of train rows that a person called different),
``similarity``, ``slack`` = similarity to the least similar positive - similarity; at most the margin.

``decisions.jsonl`` the log up to the frozen position; ``snapshot.json`` all of the above as it was frozen,
with the set's hash; ``quarantine.csv``, ``identities.csv``, ``CHANGELOG.md``, ``README.md``;
``SHA256SUMS`` of all other files. Texts in CSV files that a spreadsheet would run as a formula have an
apostrophe before them.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from reid_core.annotation import Event, to_json_line
from reid_core.errors import CancelledError, DatasetError
from reid_core.images import read_image
from reid_core.retraining.cards import folder_card, set_card
from reid_core.retraining.changes import changelog
from reid_core.retraining.layout import PlacedCrop, place_crops, place_in_folders
from reid_core.retraining.pools import sha256_lines
from reid_core.retraining.snapshot import TrainingSnapshot
from reid_core.retraining.tables import (
    constraint_table,
    hard_negative_table,
    identity_table,
    manifest_parquet,
    manifest_table,
    metadata_table,
    quarantine_table,
    triplet_table,
)

FileContent = tuple[str, bytes]
"""A path below the exported folder, and what is in the file."""
Report = Callable[[int, int], None]


def set_files(
    snapshot: TrainingSnapshot,
    log: Sequence[Event],
    paths: Mapping[str, Path],
    *,
    name: str = "",
    with_locked: bool = False,
    report: Report | None = None,
    is_cancelled: Callable[[], bool] = lambda: False,
) -> Iterator[FileContent]:
    """The files of a set in the format above, one after the other; equal snapshots give equal bytes.

    Args:
        snapshot: What was frozen.
        log: The events that it was frozen from.
        paths: Where each crop of the base data set lies, by id.
        name: For the card and the changelog.
        with_locked: Whether the locked test goes along.
        report: Called with (crops, of so many).
        is_cancelled: Asked before every crop.

    Raises:
        DatasetError: The log is another one, or a crop is gone or changed since it was frozen.
        CancelledError: ``is_cancelled`` said so.
    """
    _check_log(snapshot, log)
    placed = place_crops(snapshot, with_locked=with_locked)
    yield from _pictures(placed, paths, report, is_cancelled)
    yield "manifest.parquet", manifest_parquet(placed)
    yield from text_files(snapshot, log, name=name, with_locked=with_locked)


def text_files(
    snapshot: TrainingSnapshot, log: Sequence[Event], *, name: str = "", with_locked: bool = False
) -> Iterator[FileContent]:
    """The files of a set that the snapshot alone decides."""
    placed = place_crops(snapshot, with_locked=with_locked)
    path_of = {crop.row.image_id: crop.path for crop in placed if crop.split == "train"}
    texts = {
        "manifest.csv": manifest_table(placed),
        "constraints.csv": constraint_table(snapshot, path_of),
        "triplets.csv": triplet_table(snapshot, path_of),
        "hard_negatives.csv": hard_negative_table(snapshot, path_of),
        "identities.csv": identity_table(snapshot),
        "quarantine.csv": quarantine_table(snapshot),
        "decisions.jsonl": "".join(f"{to_json_line(event)}\n" for event in log),
        "CHANGELOG.md": changelog(snapshot, name=name),
        "README.md": set_card(snapshot, placed, name=name),
        "snapshot.json": snapshot.to_json(),
    }
    for path, text in texts.items():
        yield path, text.encode()


def imagefolder_files(
    snapshot: TrainingSnapshot,
    log: Sequence[Event],
    paths: Mapping[str, Path],
    *,
    name: str = "",
    with_locked: bool = False,
    report: Report | None = None,
    is_cancelled: Callable[[], bool] = lambda: False,
) -> Iterator[FileContent]:
    """The same set as the Hugging Face ``imagefolder`` layout: a folder with ``metadata.csv`` per split, and
    a data card whose header names the splits. Arguments and errors as ``set_files``.
    """
    _check_log(snapshot, log)
    placed = place_in_folders(snapshot, with_locked=with_locked)
    yield from _pictures(placed, paths, report, is_cancelled)
    for split in dict.fromkeys(crop.split for crop in placed):
        members = [crop for crop in placed if crop.split == split]
        yield f"{split}/metadata.csv", metadata_table(members).encode()
    yield "decisions.jsonl", "".join(f"{to_json_line(event)}\n" for event in log).encode()
    yield "CHANGELOG.md", changelog(snapshot, name=name).encode()
    yield "README.md", folder_card(snapshot, placed, name=name).encode()
    yield "snapshot.json", snapshot.to_json().encode()


def _pictures(
    placed: Sequence[PlacedCrop],
    paths: Mapping[str, Path],
    report: Report | None,
    is_cancelled: Callable[[], bool],
) -> Iterator[FileContent]:
    for number, crop in enumerate(placed):
        if is_cancelled():
            raise CancelledError("The export was stopped.")
        yield crop.path, _as_jpeg(_verified(crop, paths), crop.row.image_id)
        if report is not None:
            report(number + 1, len(placed))


def _verified(crop: PlacedCrop, paths: Mapping[str, Path]) -> bytes:
    row = crop.row
    try:
        content = paths[row.image_id].read_bytes()
    except (KeyError, OSError) as error:
        raise DatasetError(
            f"{row.image_id} cannot be read any more ({error}). Bring the data set back, or freeze again."
        ) from error
    if hashlib.sha256(content).hexdigest() != row.sha256:
        raise DatasetError(
            f"{row.image_id} changed since the set was frozen. Bring the old file back, or freeze again."
        )
    return content


def _as_jpeg(content: bytes, label: str) -> bytes:
    """JPEG files as they are; others are written anew, because published readers look for ``*.jpg`` only."""
    if content.startswith(b"\xff\xd8\xff"):
        return content
    buffer = io.BytesIO()
    read_image(content, name=label).save(buffer, "JPEG", quality=95)
    return buffer.getvalue()


def _check_log(snapshot: TrainingSnapshot, log: Sequence[Event]) -> None:
    key = snapshot.key
    if len(log) != key.log_position or sha256_lines(to_json_line(event) for event in log) != key.log_hash:
        raise DatasetError(
            f"The snapshot was frozen from {key.log_position} decisions; these {len(log)} are others. Give "
            "the log that was kept with it."
        )
