"""A manifest: one table row per image, as CSV or Parquet. The plainest way to bring or freeze a data set.

Columns: ``path`` (needed; below the root, with forward or back slashes), ``split`` (one of
``types.SPLIT_NAMES``; without it all images are gallery), ``pid`` (-1 junk, 0 distractor, empty unknown),
``camid``, ``time_s``. Every further column becomes an attribute, kept as text.
"""

from __future__ import annotations

import csv
import io
import math
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from reid_core.data.listing import is_image_name
from reid_core.errors import DatasetError
from reid_core.types import JUNK_PID, SPLIT_NAMES, Dataset, ImageRecord, Refusal

MANIFEST_SUFFIXES = frozenset({".csv", ".parquet"})
KNOWN_COLUMNS = ("path", "split", "pid", "camid", "time_s")

_MAX_SHOWN = 10
_MAX_HEADER = 1 << 16
_EMPTY = frozenset({"", "nan", "none", "null", "na", "<na>"})
_WHOLE = re.compile(r"([+-]?\d{1,18})(?:\.0*)?", re.ASCII)  # tables with gaps store 12 as 12.0
_PATH_LOOKALIKES = (
    "image",
    "image_path",
    "img",
    "img_path",
    "file",
    "filename",
    "file_name",
    "name",
    "image_id",
)


def read_manifest(path: str | Path, *, root: str | Path | None = None, strict: bool = True) -> Dataset:
    """Read a manifest; images are not opened, only looked for.

    Args:
        path: A ``.csv`` (UTF-8; comma, semicolon or tab) or ``.parquet`` file.
        root: Folder that ``path`` entries are relative to; by default the manifest's own.
        strict: Raise on any faulty row. Otherwise faulty rows are left out and listed in ``refused``.

    Raises:
        DatasetError: Not a readable table, no ``path`` column, no usable row, or (strict) faulty rows: a bad
            number or split, an absent file, a path that occurs twice or lies outside the root. The message
            names the lines.
    """
    source = Path(path).expanduser().absolute()
    base = Path(root).expanduser().absolute() if root is not None else source.parent
    header, rows = _read_table(source)
    columns = _check_header(source, header)
    reader = _RowReader(base, source)
    for line, row in rows:
        reader.add(line, columns, row)
    if strict and reader.problems:
        raise DatasetError(_describe_problems(source, reader.problems))
    if not any(reader.splits.values()):
        detail = f" {_describe_problems(source, reader.problems)}" if reader.problems else ""
        raise DatasetError(f"{source} lists no usable image.{detail}")
    notes = (
        []
        if "split" in columns
        else ["The manifest has no 'split' column, so all images are gallery images."]
    )
    return Dataset(
        name=base.name,
        root=base,
        notes=tuple(notes),
        refused=tuple(Refusal(f"{source.name}, line {line}", reason) for line, reason in reader.problems),
        **{name: tuple(records) for name, records in reader.splits.items()},
    )


def write_manifest(dataset: Dataset, path: str | Path) -> None:
    """Write all records of ``dataset`` as CSV or Parquet, by the suffix of ``path``.

    Equal data sets give equal CSV bytes. Paths are the image ids, relative to ``dataset.root``: keep the file
    there, or read it with ``root=``.

    Raises:
        DatasetError: Unknown suffix, or an attribute is called like one of the manifest's own columns.
    """
    target = Path(path)
    if target.suffix.lower() not in MANIFEST_SUFFIXES:
        raise DatasetError(f"{target} must end in .csv or .parquet to be a manifest.")
    records = [(split, record) for split, members in dataset.splits().items() for record in members]
    attributes = sorted({name for _, record in records for name in record.attributes})
    clash = sorted(set(attributes) & set(KNOWN_COLUMNS))
    if clash:
        raise DatasetError(f"Attributes {clash} are called like columns of the manifest; rename them.")
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.partial")
    if target.suffix.lower() == ".csv":
        partial.write_text(_to_csv(records, attributes), encoding="utf-8", newline="")
    else:
        _write_parquet(records, attributes, partial)
    partial.replace(target)


def has_path_column(path: Path) -> bool:
    """Whether ``path`` is a table that could be a manifest; never raises on other files."""
    if path.suffix.lower() not in MANIFEST_SUFFIXES or not path.is_file():
        return False
    try:
        header = _read_csv_header(path) if path.suffix.lower() == ".csv" else _read_parquet(path)[0]
    except DatasetError:
        return False
    return "path" in {_canonical(name) for name in header}


def read_annotations(path: Path) -> dict[str, ImageRecord]:
    """Records of a manifest by path, without looking for the images (for times and attributes beside names).

    Raises:
        DatasetError: As ``read_manifest`` does in strict mode, but absent files are not looked at.
    """
    header, rows = _read_table(path)
    columns = _check_header(path, header)
    reader = _RowReader(path.parent, path, look_for_files=False)
    for line, row in rows:
        reader.add(line, columns, row)
    if reader.problems:
        raise DatasetError(_describe_problems(path, reader.problems))
    return {record.image_id: record for members in reader.splits.values() for record in members}


@dataclass
class _RowReader:
    """Turns rows into records and collects what is wrong with the others, by line."""

    root: Path
    source: Path
    look_for_files: bool = True
    splits: dict[str, list[ImageRecord]] = field(default_factory=lambda: {name: [] for name in SPLIT_NAMES})
    problems: list[tuple[int, str]] = field(default_factory=list)
    _first_line: dict[tuple[str, str], int] = field(default_factory=dict)
    _files: dict[str, frozenset[str]] = field(default_factory=dict)

    def add(self, line: int, columns: Sequence[str], row: Sequence[Any]) -> None:
        try:
            self._add(line, columns, row)
        except DatasetError as error:
            self.problems.append((line, str(error)))

    def _add(self, line: int, columns: Sequence[str], row: Sequence[Any]) -> None:
        if len(row) != len(columns):
            raise DatasetError(f"has {len(row)} values for {len(columns)} columns")
        values = {column: _to_text(value) for column, value in zip(columns, row, strict=True)}
        image_id = _normalise_path(values["path"], self.root)
        split = _parse_split(values.get("split"), has_column="split" in columns)
        record = ImageRecord(
            image_id=image_id,
            path=self.root / image_id,
            pid=_parse_whole(values, "pid", minimum=JUNK_PID),
            camid=_parse_whole(values, "camid", minimum=0),
            time_s=_parse_time(values),
            attributes={name: text for name, text in values.items() if name not in KNOWN_COLUMNS and text},
        )
        if self.look_for_files:
            self._check_file(image_id)
        first = self._first_line.setdefault((split, image_id), line)
        if first != line:
            raise DatasetError(f"path {image_id!r} was already listed in line {first}; list every image once")
        self.splits[split].append(record)

    def _check_file(self, image_id: str) -> None:
        if not is_image_name(image_id):
            raise DatasetError(f"path {image_id!r} has no image suffix such as .jpg or .png")
        folder, _, name = image_id.rpartition("/")
        if folder not in self._files:  # one listing per folder instead of one look-up per image
            self._files[folder] = _file_names(self.root / folder)
        if name not in self._files[folder]:
            raise DatasetError(f"no file {image_id!r} below {self.root}")


def _file_names(folder: Path) -> frozenset[str]:
    try:
        with os.scandir(folder) as entries:
            return frozenset(entry.name for entry in entries if entry.is_file())
    except OSError:
        return frozenset()


def _normalise_path(text: str, root: Path) -> str:
    if not text:
        raise DatasetError("path is empty")
    slashed = text.replace("\\", "/")
    if any(ord(char) < 32 for char in slashed):
        raise DatasetError(f"path {text!r} contains control characters")
    if slashed.startswith("/") or re.match(r"[A-Za-z]:", slashed):
        try:
            slashed = str(PurePosixPath(slashed).relative_to(root.as_posix()))
        except ValueError:
            raise DatasetError(f"path {text!r} lies outside the root {root}; give paths below it") from None
    parts = [part for part in slashed.split("/") if part not in {"", "."}]
    if ".." in parts:
        raise DatasetError(f"path {text!r} leaves the root {root} with '..'; give paths below it")
    if not parts:
        raise DatasetError(f"path {text!r} names no file")
    return "/".join(parts)


def _parse_split(text: str | None, *, has_column: bool) -> str:
    if not has_column:
        return "gallery"
    split = (text or "").lower()
    if split not in SPLIT_NAMES:
        raise DatasetError(f"split {text!r} is unknown; use one of {', '.join(SPLIT_NAMES)}")
    return split


def _parse_whole(values: Mapping[str, str], column: str, *, minimum: int) -> int | None:
    text = values.get(column, "")
    if text.lower() in _EMPTY:
        return None
    match = _WHOLE.fullmatch(text)
    if match is None:
        raise DatasetError(f"{column} {text!r} is not a whole number")
    number = int(match.group(1))
    if number < minimum:
        raise DatasetError(f"{column} {number} is below {minimum}")
    return number


def _parse_time(values: Mapping[str, str]) -> float | None:
    text = values.get("time_s", "")
    if text.lower() in _EMPTY:
        return None
    try:
        seconds = float(text)
    except ValueError:
        raise DatasetError(f"time_s {text!r} is not a number of seconds") from None
    if not math.isfinite(seconds):
        raise DatasetError(f"time_s {text!r} is not finite")
    return seconds


def _to_text(value: Any) -> str:
    return "" if value is None else str(value).strip()


def _check_header(source: Path, header: Sequence[str]) -> tuple[str, ...]:
    columns = tuple(_canonical(name) for name in header)
    if "path" not in columns:
        hint = next((name for name in columns if name.lower() in _PATH_LOOKALIKES), None)
        advice = (
            f"Rename column {hint!r} to 'path'." if hint else "Add one with each image's path below the root."
        )
        raise DatasetError(f"{source}, line 1: no column 'path' among {list(columns)}. {advice}")
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice:
        raise DatasetError(
            f"{source}, line 1: columns {twice} occur more than once; every column needs its own name."
        )
    if "" in columns:
        raise DatasetError(
            f"{source}, line 1: column {columns.index('') + 1} has no name; name or remove it."
        )
    return columns


def _canonical(name: str) -> str:
    stripped = str(name).strip()
    return stripped.lower() if stripped.lower() in KNOWN_COLUMNS else stripped


def _describe_problems(source: Path, problems: Sequence[tuple[int, str]]) -> str:
    shown = "; ".join(f"line {line}: {reason}" for line, reason in problems[:_MAX_SHOWN])
    more = f"; and {len(problems) - _MAX_SHOWN} more" if len(problems) > _MAX_SHOWN else ""
    rows = "1 faulty row" if len(problems) == 1 else f"{len(problems)} faulty rows"
    return f"{source} has {rows}: {shown}{more}."


def _read_table(source: Path) -> tuple[Sequence[str], Iterator[tuple[int, Sequence[Any]]]]:
    """Header, and rows with their line numbers; the header is line 1."""
    if not source.is_file():
        raise DatasetError(f"The manifest {source} does not exist.")
    suffix = source.suffix.lower()
    if suffix == ".csv":
        return _read_csv(source)
    if suffix == ".parquet":
        return _read_parquet(source)
    raise DatasetError(f"{source} is not a manifest; expected a .csv or .parquet file.")


def _read_csv(source: Path) -> tuple[Sequence[str], Iterator[tuple[int, Sequence[Any]]]]:
    try:
        text = source.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DatasetError(
            f"{source} is not UTF-8 text ({error.reason} at byte {error.start}); save it as UTF-8."
        ) from None
    delimiter = _delimiter(text.partition("\n")[0])
    try:
        lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        table = [(lines.line_num, row) for row in lines if row]
    except csv.Error as error:
        raise DatasetError(f"{source}, line {lines.line_num}: not a CSV table ({error}).") from None
    if not table:
        raise DatasetError(f"{source} is empty; its first line must name the columns, one of them 'path'.")
    return table[0][1], iter(table[1:])


def _read_csv_header(source: Path) -> Sequence[str]:
    """The first line alone, so that looking at a large table takes no time."""
    try:
        with source.open(encoding="utf-8-sig") as text:
            first = text.readline(_MAX_HEADER)
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{source} could not be read ({error}).") from error
    return next(csv.reader([first], delimiter=_delimiter(first)), [])


def _delimiter(first_line: str) -> str:
    """Comma, semicolon or tab, whichever the header has most of; the comma if it has none."""
    return max(",;\t", key=first_line.count)


def _read_parquet(source: Path) -> tuple[Sequence[str], Iterator[tuple[int, Sequence[Any]]]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(source, partitioning=None)
    except (pa.ArrowException, OSError) as error:
        raise DatasetError(f"{source} could not be read as a Parquet table ({error}).") from error
    columns = [column.to_pylist() for column in table.columns]
    return table.column_names, enumerate(zip(*columns, strict=True), start=2)


def _to_csv(records: Iterable[tuple[str, ImageRecord]], attributes: Sequence[str]) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow([*KNOWN_COLUMNS, *attributes])
    for split, record in records:
        fixed = [record.image_id, split, record.pid, record.camid, _format_time(record.time_s)]
        writer.writerow([*fixed, *(record.attributes.get(name, "") for name in attributes)])
    return buffer.getvalue()


def _format_time(time_s: float | None) -> str | None:
    return None if time_s is None else repr(float(time_s))


def _write_parquet(
    records: Sequence[tuple[str, ImageRecord]], attributes: Sequence[str], target: Path
) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    members = [record for _, record in records]
    table = {
        "path": pa.array([record.image_id for record in members], pa.string()),
        "split": pa.array([split for split, _ in records], pa.string()),
        "pid": pa.array([record.pid for record in members], pa.int64()),
        "camid": pa.array([record.camid for record in members], pa.int64()),
        "time_s": pa.array([record.time_s for record in members], pa.float64()),
    }
    for name in attributes:
        table[name] = pa.array([record.attributes.get(name) for record in members], pa.string())
    pq.write_table(pa.table(table), target)
