"""The tables of an exported set, as CSV that a spreadsheet cannot run as formulas, and as Parquet."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from reid_core.errors import DatasetError
from reid_core.retraining.layout import PlacedCrop
from reid_core.retraining.snapshot import TrainingSnapshot

_DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "\n", "'")
"""First letters that make a spreadsheet compute a cell (OWASP, CSV injection), and our own mark."""
_MANIFEST = (
    "path",
    "split",
    "pid",
    "camid",
    "time_s",
    "weight",
    "origin",
    "judged",
    "base_pid",
    "source_id",
    "sha256",
)


def safe_text(text: str) -> str:
    """``text`` with an apostrophe before it where a spreadsheet would run it; ``plain_text`` takes it off."""
    return f"'{text}" if text.startswith(_DANGEROUS) else text


def plain_text(cell: str) -> str:
    """What ``safe_text`` was given."""
    return cell[1:] if cell.startswith("'") else cell


def manifest_table(placed: Sequence[PlacedCrop]) -> str:
    """``manifest.csv``; see ``export`` for the columns."""
    return _csv(_MANIFEST, (_manifest_row(crop) for crop in placed))


def manifest_parquet(placed: Sequence[PlacedCrop]) -> bytes:
    """The same rows with their types; texts as they are, because no spreadsheet runs this."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = {
        "pid": pa.int64(),
        "camid": pa.int64(),
        "time_s": pa.float64(),
        "weight": pa.float64(),
        "judged": pa.int64(),
        "base_pid": pa.int64(),
    }
    rows = [_manifest_row(crop) for crop in placed]
    columns = {
        name: pa.array([row[place] for row in rows], types.get(name, pa.string()))
        for place, name in enumerate(_MANIFEST)
    }
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(columns), sink)
    return bytes(sink.getvalue().to_pybytes())


def metadata_table(placed: Sequence[PlacedCrop]) -> str:
    """``metadata.csv`` of one folder: ``file_name`` relative to it, then the manifest's columns."""
    rows = ([crop.path.rpartition("/")[2], *(_manifest_row(crop)[2:])] for crop in placed)
    return _csv(("file_name", *_MANIFEST[2:]), rows)


def constraint_table(snapshot: TrainingSnapshot, path_of: Mapping[str, str]) -> str:
    """``constraints.csv``: pairs whose crops are both in ``path_of``."""
    return _csv(
        ("left", "right", "kind", "weight", "similarity", "decision_id"),
        (
            [
                path_of[pair.left],
                path_of[pair.right],
                pair.kind,
                pair.weight,
                pair.similarity,
                pair.decision_id,
            ]
            for pair in snapshot.constraints
            if pair.left in path_of and pair.right in path_of
        ),
    )


def triplet_table(snapshot: TrainingSnapshot, path_of: Mapping[str, str]) -> str:
    """``triplets.csv``: those whose crops are all in ``path_of``, worst first."""
    return _csv(
        ("anchor", "positive", "negative", "violation"),
        (
            [path_of[t.anchor], path_of[t.positive], path_of[t.negative], t.violation]
            for t in snapshot.triplets
            if t.anchor in path_of and t.positive in path_of and t.negative in path_of
        ),
    )


def hard_negative_table(snapshot: TrainingSnapshot, path_of: Mapping[str, str]) -> str:
    """``hard_negatives.csv``: pairs whose crops are both in ``path_of``, closest first."""
    return _csv(
        ("anchor", "negative", "similarity", "slack"),
        (
            [path_of[n.anchor], path_of[n.negative], n.similarity, n.slack]
            for n in snapshot.hard_negatives
            if n.anchor in path_of and n.negative in path_of
        ),
    )


def identity_table(snapshot: TrainingSnapshot) -> str:
    """``identities.csv``: everybody with what their crops were called; then the numbers that are retired."""
    rows: list[list[Any]] = [
        [
            identity.pid,
            " ".join(f"{pid}:{count}" for pid, count in identity.base_pids.items()),
            identity.num_crops,
            identity.num_cameras,
            identity.use,
            identity.reason,
            "",
        ]
        for identity in snapshot.identities
    ]
    rows += [[old, "", 0, 0, "retired", "", new] for old, new in snapshot.aliases.items()]
    columns = ("pid", "base_pids", "num_crops", "num_cameras", "use", "reason", "is_now")
    return _csv(columns, rows)


def quarantine_table(snapshot: TrainingSnapshot) -> str:
    """``quarantine.csv``: the crops that wait, and why."""
    return _csv(
        ("source_id", "pid", "base_pid", "reason"),
        ([row.image_id, row.pid, row.base_pid, row.reason] for row in snapshot.quarantined()),
    )


def read_csv(text: str) -> list[dict[str, str]]:
    """Rows of such a table by column, marks taken off.

    Raises:
        DatasetError: Not a table.
    """
    try:
        lines = csv.DictReader(io.StringIO(text, newline=""), strict=True)
        return [{name: plain_text(value) for name, value in row.items()} for row in lines]
    except (csv.Error, AttributeError) as error:
        raise DatasetError(f"This is not a table of an exported set ({error}).") from error


def _manifest_row(crop: PlacedCrop) -> list[Any]:
    row = crop.row
    return [
        crop.path,
        crop.split,
        row.pid,
        row.camid,
        row.time_s,
        row.weight,
        crop.origin,
        int(row.is_judged),
        row.base_pid,
        row.image_id,
        row.sha256,
    ]


def _csv(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        # Numbers stay numbers: -1 is junk, not a formula.
        writer.writerow([safe_text(cell) if isinstance(cell, str) else cell for cell in row])
    return buffer.getvalue()
