"""Where each crop of a frozen set lies in an exported folder, and which published readers take it as it is.

Market-1501 readers of Torchreid and FastReID look for ``*.jpg`` in ``bounding_box_train``, ``query`` and
``bounding_box_test``, read a number, ``_c`` and one digit out of each path and insist on pid <= 1501 and
camera 1 to 6; their DukeMTMC-reID readers use the same folders and pattern with cameras 1 to 8,
but keep junk. So a set of up to 6 cameras is laid out as Market-1501, one of 7 or 8 as DukeMTMC-reID with its
junk in a folder of its own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from reid_core.retraining.records import CropRow
from reid_core.retraining.snapshot import TrainingSnapshot
from reid_core.types import JUNK_PID

Reader = Literal["market1501", "dukemtmc-reid", ""]
"""The published reader that loads the tree as it is, "" if none does."""
TOP_FOLDERS: dict[Reader, str] = {
    "market1501": "market1501/Market-1501-v15.09.15",
    "dukemtmc-reid": "dukemtmc-reid/DukeMTMC-reID",
    "": "set",
}
"""Folder inside a zip: unpack it where Torchreid's ``root`` points to."""
JUNK_FOLDER = "junk"
_FOLDERS = {
    "train": "bounding_box_train",
    "query": "query",
    "gallery": "bounding_box_test",
    "locked_query": "locked_query",
    "locked_gallery": "locked_gallery",
}
_MARKET_CAMERAS, _DUKE_CAMERAS, _MARKET_PIDS = 6, 8, 1501


@dataclass(frozen=True, slots=True)
class PlacedCrop:
    """A crop in an exported folder; one that is query and gallery at once is placed twice."""

    row: CropRow
    split: str
    path: str

    @property
    def origin(self) -> str:
        """``base`` for the base set's own training pool, ``feedback`` for the corrected, or ``locked``."""
        return "base" if self.row.pool == "train" else self.row.pool


def reader_for(snapshot: TrainingSnapshot, *, with_locked: bool = False) -> Reader:
    """The published reader that the exported tree suits."""
    rows = [row for row, _ in _split_rows(snapshot, with_locked)]
    cameras = [row.camid for row in rows]
    pids = [row.pid for row in rows if row.pid is not None]
    if any(camid is None or camid < 1 for camid in cameras):
        return ""
    most = max([camid for camid in cameras if camid is not None], default=0)
    if most <= _MARKET_CAMERAS and max(pids, default=0) <= _MARKET_PIDS:
        return "market1501"
    return "dukemtmc-reid" if most <= _DUKE_CAMERAS else ""


def place_crops(snapshot: TrainingSnapshot, *, with_locked: bool = False) -> tuple[PlacedCrop, ...]:
    """The Market-1501 tree. Crops of unknown people are left out: they may match anybody."""
    keeps_junk = reader_for(snapshot, with_locked=with_locked) != "dukemtmc-reid"
    placed = []
    for number, (row, split) in enumerate(_split_rows(snapshot, with_locked)):
        folder = _FOLDERS[split] if keeps_junk or row.pid != JUNK_PID else JUNK_FOLDER
        placed.append(PlacedCrop(row, split, f"{folder}/{_name(row, number)}"))
    return tuple(placed)


def place_in_folders(snapshot: TrainingSnapshot, *, with_locked: bool = False) -> tuple[PlacedCrop, ...]:
    """One folder per split, for the ``imagefolder`` layout."""
    return tuple(
        PlacedCrop(row, split, f"{split}/{_name(row, number)}")
        for number, (row, split) in enumerate(_split_rows(snapshot, with_locked))
    )


def _name(row: CropRow, number: int) -> str:
    pid = f"{row.pid:04d}" if row.pid is not None and row.pid >= 0 else str(JUNK_PID)
    return f"{pid}_c{row.camid or 0}s1_{number:06d}_00.jpg"


def _split_rows(snapshot: TrainingSnapshot, with_locked: bool) -> Iterator[tuple[CropRow, str]]:
    """Crops with the split that they are exported in, by split and id.

    A feedback query that no other camera of the gallery matches any more joins the gallery.
    """
    tested = [row for row in snapshot.used("evaluation") if row.pid is not None]
    cameras: dict[int | None, set[int | None]] = defaultdict(set)
    for row in tested:
        if "query" not in row.splits or "gallery" in row.splits:
            cameras[row.pid].add(row.camid)
    queries = {
        row.image_id
        for row in tested
        if "query" in row.splits and row.pid is not None and row.pid > 0 and cameras[row.pid] - {row.camid}
    }
    yield from ((row, "train") for row in snapshot.used("train"))
    yield from ((row, "query") for row in tested if row.image_id in queries)
    for row in tested:
        if row.image_id not in queries or "gallery" in row.splits:
            yield row, "gallery"
    if with_locked:
        for split in ("locked_query", "locked_gallery"):
            yield from ((row, split) for row in snapshot.used("locked") if split in row.splits)
