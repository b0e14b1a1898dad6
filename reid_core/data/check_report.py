"""The result of checking a data set: plain records, as text for a terminal and as JSON for machines."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

Level = Literal["error", "warning", "note"]


@dataclass(frozen=True, slots=True)
class SplitSummary:
    """Counts of one split. ``num_identities`` counts pids above 0."""

    name: str
    num_images: int
    num_identities: int
    num_cameras: int
    num_junk: int
    num_distractors: int
    num_unknown: int
    num_without_camera: int


@dataclass(frozen=True, slots=True)
class QuerySummary:
    """Which queries can be scored; see ``Finding`` "unmatched-queries" for what to do about the others.

    Of ``num_without_match``, ``num_absent`` have an identity that is not in the gallery, ``num_same_camera``
    have it from their own camera only, ``num_no_camera`` lack the camera that would tell, ``num_unlabelled``
    have no identity or are junk or distractors.
    """

    num_queries: int
    num_without_match: int
    num_absent: int
    num_same_camera: int
    num_no_camera: int
    num_unlabelled: int


@dataclass(frozen=True, slots=True)
class CameraPair:
    """How many identities of query and gallery both cameras saw."""

    first: int
    second: int
    num_identities: int


@dataclass(frozen=True, slots=True)
class SizeSummary:
    """Pixels over all readable images; medians are of width and height on their own."""

    min_width: int
    median_width: float
    max_width: int
    min_height: int
    median_height: float
    max_height: int


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to know. An ``error`` makes scores wrong or impossible, a ``warning`` may, a ``note`` no."""

    level: Level
    code: str
    message: str
    count: int
    examples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CheckReport:
    """All that ``check_dataset`` found. Histograms map a label to a number of identities."""

    name: str
    root: str
    is_deep: bool
    splits: tuple[SplitSummary, ...]
    queries: QuerySummary
    cameras_per_identity: Mapping[str, int]
    images_per_identity: Mapping[str, int]
    camera_pairs: tuple[CameraPair, ...]
    sizes: SizeSummary | None
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]

    @property
    def num_errors(self) -> int:
        """Findings of level error; 0 means that scores on this data set mean what they say."""
        return sum(finding.level == "error" for finding in self.findings)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {**asdict(self), "num_errors": self.num_errors}

    def to_json(self) -> str:
        """``to_dict`` as JSON text."""
        return json.dumps(self.to_dict(), indent=1, ensure_ascii=False)

    def to_text(self) -> str:
        """The report as a person reads it in a terminal."""
        return "\n".join(_text_lines(self)) + "\n"


def _text_lines(report: CheckReport) -> list[str]:
    lines = [f"{report.name}  ({report.root})", ""]
    lines += _split_table(report.splits)
    q = report.queries
    if q.num_queries:
        lines += [
            "",
            f"Queries with a match from another camera: {q.num_queries - q.num_without_match:,} of "
            f"{q.num_queries:,}",
        ]
    lines += _histogram("Identities by number of images", report.images_per_identity)
    lines += _histogram("Identities by number of cameras (query and gallery)", report.cameras_per_identity)
    if report.camera_pairs:
        cells = [f"{pair.first}-{pair.second}: {pair.num_identities:,}" for pair in report.camera_pairs]
        lines += ["", "Identities that two cameras share", *_columns(cells)]
    if report.sizes is not None:
        s = report.sizes
        lines += [
            "",
            f"Width {s.min_width} to {s.max_width} (median {s.median_width:g}), "
            f"height {s.min_height} to {s.max_height} (median {s.median_height:g}) pixels",
        ]
    lines += ["", *(f"  {note}" for note in report.notes)]
    lines += ["", *_finding_lines(report)]
    return lines


def _split_table(splits: Sequence[SplitSummary]) -> list[str]:
    columns = ("images", "identities", "cameras", "junk", "distractors", "unknown")
    lines = [f"{'split':<16}" + "".join(f"{column:>12}" for column in columns)]
    for s in splits:
        values = (s.num_images, s.num_identities, s.num_cameras, s.num_junk, s.num_distractors, s.num_unknown)
        lines.append(f"{s.name:<16}" + "".join(f"{value:>12,}" for value in values))
    return lines


def _histogram(title: str, counts: Mapping[str, int]) -> list[str]:
    if not counts:
        return []
    largest = max(counts.values())
    return [
        "",
        title,
        *(f"  {label:>6} {'#' * max(1, round(40 * n / largest))} {n:,}" for label, n in counts.items()),
    ]


def _columns(cells: Sequence[str], *, per_line: int = 6) -> list[str]:
    width = max(map(len, cells)) + 2
    return [
        "  " + "".join(cell.ljust(width) for cell in cells[start : start + per_line]).rstrip()
        for start in range(0, len(cells), per_line)
    ]


def _finding_lines(report: CheckReport) -> list[str]:
    if not report.findings:
        depth = "Every file was read." if report.is_deep else "Files were not opened: --deep reads them too."
        return [f"Nothing found amiss. {depth}"]
    lines = []
    for finding in report.findings:
        lines.append(f"{finding.level.upper()}: {finding.message}")
        if finding.examples:
            lines.append(f"    e.g. {', '.join(finding.examples)}")
    return lines
