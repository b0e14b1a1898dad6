"""Queries and tags as CSV, safe to open in a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import asdict, fields
from typing import Any

import numpy as np

from reid_core.services.evaluations.failures import Failure
from reid_core.services.evaluations.tags import TagEvent

_CSV_COLUMNS = (
    "image_id",
    "pid",
    "camid",
    "ap",
    "num_matches",
    "first_match_rank",
    "best_match_id",
    "best_match_camid",
    "best_match_distance",
    "best_false_id",
    "best_false_pid",
    "best_false_distance",
    "height_px",
    "time_gap_s",
    "tags",
    "suggestions",
)


def write_queries(failures: Iterable[Failure]) -> str:
    """A row per query: scores, ranks, nearest images, tags and suggestions."""
    return _write(_CSV_COLUMNS, (_csv_row(found) for found in failures))


def write_tags(events: Iterable[TagEvent]) -> str:
    """A row per event, in their order."""
    return _write([field.name for field in fields(TagEvent)], (asdict(event).values() for event in events))


def _write(header: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    target = io.StringIO()
    writer = csv.writer(target, lineterminator="\n")
    writer.writerow(header)
    for row in rows:
        writer.writerow([_safe(value) for value in row])
    return target.getvalue()


def _csv_row(found: Failure) -> list[Any]:
    match, false = found.best_match, found.best_false
    return [
        found.image.id,
        found.image.pid,
        found.image.camid,
        found.ap,
        found.num_matches,
        found.first_match_rank,
        match.id if match else None,
        match.camid if match else None,
        found.best_match_distance if np.isfinite(found.best_match_distance) else None,
        false.id if false else None,
        false.pid if false else None,
        found.best_false_distance if np.isfinite(found.best_false_distance) else None,
        found.height_px,
        found.gap_s,
        "; ".join(found.tags),
        "; ".join(suggestion.kind for suggestion in found.suggestions),
    ]


def _safe(value: Any) -> Any:
    """A text that a spreadsheet would take for a formula gets a quote in front."""
    return f"'{value}" if isinstance(value, str) and value[:1] in "=+-@\t\r" and value else value
