"""What an evaluation found: the means, the CMC curve and one row per query; as JSON, tables and Parquet."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from reid_core.errors import InputError
from reid_core.evaluation.protocol import Protocol

if TYPE_CHECKING:
    import pandas as pd

_FORMAT = "reid-eval-report/1"
_TABLE_RANKS = (1, 5, 10, 20)
NONE = -1
"""In integer columns: there is none, e.g. the rank of a match that does not exist."""


@dataclass(frozen=True, slots=True, eq=False)
class PerQuery:
    """One entry per query, in query order; every column is (Q,), ranks count from 1.

    Attributes:
        pid, camid: The query's labels as they were given.
        num_matches: True matches that count; 0 marks an unmatched query.
        num_kept: Gallery images that count for this query.
        ap, inp: Fractions. For an unmatched query NaN if the protocol skips it, 0 if it counts as zero.
        first_match_rank, last_match_rank: Ranks of the nearest and the farthest match, -1 if unmatched.
        best_match_index, best_match_distance: Gallery position and distance of the nearest match; -1, NaN.
        best_false_index, best_false_distance: The same of the nearest mismatch; -1, NaN if there is none.
        shot_ranks: (Q, repeats) match rank in each single-gallery-shot draw, -1 if unmatched; (Q, 0) under
            other protocols.
    """

    pid: NDArray[np.int64]
    camid: NDArray[np.generic]
    num_matches: NDArray[np.int64]
    num_kept: NDArray[np.int64]
    ap: NDArray[np.float64]
    inp: NDArray[np.float64]
    first_match_rank: NDArray[np.int64]
    last_match_rank: NDArray[np.int64]
    best_match_index: NDArray[np.int64]
    best_match_distance: NDArray[np.float64]
    best_false_index: NDArray[np.int64]
    best_false_distance: NDArray[np.float64]
    shot_ranks: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.pid)

    def __getitem__(self, column: str) -> NDArray[Any]:
        """A column by name; ``query_index`` is 0 to Q - 1."""
        if column == "query_index":
            return np.arange(len(self))
        if column not in {field.name for field in fields(self)}:
            raise KeyError(column)
        values: NDArray[Any] = getattr(self, column)
        return values

    @property
    def is_matched(self) -> NDArray[np.bool_]:
        """(Q,) does the query have a true match that counts?"""
        return self.num_matches > 0

    def hits_at(self, k: int) -> NDArray[np.float64]:
        """(Q,) 1.0 where a match is among the first k, else 0.0; the share of draws for single-gallery
        shot."""
        if self.shot_ranks.shape[1]:
            hits = (self.shot_ranks <= k).mean(axis=1)
        else:
            hits = (self.first_match_rank <= k).astype(np.float64)
        return np.where(self.is_matched, hits, 0.0)

    def to_frame(self) -> pd.DataFrame:
        """A pandas table with a ``query_index`` column; missing ranks and indices are <NA>."""
        import pandas as pd

        columns: dict[str, Any] = {"query_index": np.arange(len(self))}
        for field in fields(self):
            values = getattr(self, field.name)
            if field.name == "shot_ranks":
                for repeat in range(values.shape[1]):
                    columns[f"shot_rank_{repeat}"] = _nullable(values[:, repeat])
            elif field.name.endswith(("_rank", "_index")):
                columns[field.name] = _nullable(values)
            else:
                columns[field.name] = values
        return pd.DataFrame(columns)

    def save_parquet(self, path: Path) -> None:
        """Write ``to_frame()`` as a Parquet file."""
        self.to_frame().to_parquet(path, index=False)


@dataclass(frozen=True, slots=True, eq=False)
class MatchTable:
    """One entry per true match that counts, by query and then by rank; every column is (M,).

    ``query_index`` and ``gallery_index`` are positions as given, ``distance`` is the match's, and
    ``false_ahead`` is the number of kept mismatches ranked before it. The i-th match of a query (from 1) thus
    has rank i + false_ahead; leaving out other matches of the query only changes i.
    """

    query_index: NDArray[np.int64]
    gallery_index: NDArray[np.int64]
    distance: NDArray[np.float64]
    false_ahead: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.query_index)


@dataclass(frozen=True, slots=True, eq=False)
class EvalReport:
    """The scores of a ranking under one protocol; all scores are fractions in [0, 1].

    Attributes:
        protocol: How it was scored.
        metric: What the distances were: "cosine", "euclidean", "squared_euclidean", or "given".
        cmc: (R,) with R = min(max_rank, G): share of queries with a match among the first 1..R.
        mean_ap, mean_inp: Means over the queries that count.
        num_queries, num_gallery: Q and G as given.
        num_unmatched: Queries without a true match that counts; the protocol says whether they count as zero.
        max_rank: As asked for; ``cmc`` is shorter only if the gallery is smaller.
        per_query: One row per query.
        matches: One row per true match if ``keep_matches`` was asked for, else None.
    """

    protocol: Protocol
    metric: str
    cmc: NDArray[np.float64]
    mean_ap: float
    mean_inp: float
    num_queries: int
    num_gallery: int
    num_unmatched: int
    max_rank: int
    per_query: PerQuery
    matches: MatchTable | None = None

    def rank(self, k: int) -> float:
        """CMC at rank k. Beyond a gallery smaller than k the curve stays at its last value.

        Raises:
            InputError: k is below 1 or above ``max_rank``.
        """
        if not 1 <= k <= self.max_rank:
            raise InputError(f"Rank-{k} was not computed; expected 1 to max_rank = {self.max_rank}.")
        return float(self.cmc[min(k, len(self.cmc)) - 1])

    @property
    def rank1(self) -> float:
        """CMC at rank 1."""
        return self.rank(1)

    @property
    def rank5(self) -> float:
        """CMC at rank 5."""
        return self.rank(5)

    @property
    def rank10(self) -> float:
        """CMC at rank 10."""
        return self.rank(10)

    @property
    def rank20(self) -> float:
        """CMC at rank 20."""
        return self.rank(20)

    def summary(self) -> dict[str, Any]:
        """One flat row: protocol, scores as fractions, counts. Ranks that were not computed are left out."""
        scores = {f"rank{k}": self.rank(k) for k in _TABLE_RANKS if k <= self.max_rank}
        return {
            "protocol": self.protocol.name,
            "metric": self.metric,
            **scores,
            "mean_ap": self.mean_ap,
            "mean_inp": self.mean_inp,
            "num_queries": self.num_queries,
            "num_unmatched": self.num_unmatched,
            "num_gallery": self.num_gallery,
        }

    def to_json(self) -> str:
        """Everything, as strict JSON (NaN becomes null); ``from_json`` gives an equal report back."""
        values = {
            "format": _FORMAT,
            "protocol": self.protocol.to_dict(),
            "metric": self.metric,
            "cmc": self.cmc.tolist(),
            "mean_ap": self.mean_ap,
            "mean_inp": self.mean_inp,
            "num_queries": self.num_queries,
            "num_gallery": self.num_gallery,
            "num_unmatched": self.num_unmatched,
            "max_rank": self.max_rank,
            "per_query": _columns_to_lists(self.per_query),
            "matches": None if self.matches is None else _columns_to_lists(self.matches),
        }
        return json.dumps(values, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> EvalReport:
        """The report that ``to_json`` wrote.

        Raises:
            InputError: The text is not such a report.
        """
        try:
            values = json.loads(text)
            if values["format"] != _FORMAT:
                raise InputError(f"The report has format {values['format']!r}, expected {_FORMAT!r}.")
            per_query = _lists_to_columns(PerQuery, values["per_query"])
            matches = values["matches"]
            return cls(
                protocol=Protocol(**values["protocol"]),
                metric=str(values["metric"]),
                cmc=np.asarray(values["cmc"], dtype=np.float64),
                mean_ap=float(values["mean_ap"]),
                mean_inp=float(values["mean_inp"]),
                num_queries=int(values["num_queries"]),
                num_gallery=int(values["num_gallery"]),
                num_unmatched=int(values["num_unmatched"]),
                max_rank=int(values["max_rank"]),
                per_query=per_query,
                matches=None if matches is None else _lists_to_columns(MatchTable, matches),
            )
        except (ValueError, TypeError, KeyError) as error:
            raise InputError(
                f"This is not an evaluation report ({type(error).__name__}: {error}); expected the JSON that "
                "an evaluation wrote."
            ) from error


def comparison_markdown(reports: Mapping[str, EvalReport]) -> str:
    """A Markdown table with a row per named report; scores in percent with two decimals."""
    rows = [_printed_row(name, report) for name, report in reports.items()]
    header = list(dict.fromkeys(column for row in rows for column in row))
    lines = ["| " + " | ".join(header) + " |", "|" + " --- |" * len(header)]
    lines += ["| " + " | ".join(_escape(row.get(column, "-")) for column in header) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def comparison_csv(reports: Mapping[str, EvalReport]) -> str:
    """The same as CSV for machines: ``summary()`` per row, scores as fractions in full precision."""
    rows = [{"name": name, **report.summary()} for name, report in reports.items()]
    header = list(dict.fromkeys(column for row in rows for column in row))
    target = io.StringIO()
    writer = csv.DictWriter(target, header, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return target.getvalue()


def _printed_row(name: str, report: EvalReport) -> dict[str, str]:
    percent = {f"Rank-{k}": report.rank(k) for k in _TABLE_RANKS if k <= report.max_rank}
    percent |= {"mAP": report.mean_ap, "mINP": report.mean_inp}
    return {
        "name": name,
        "protocol": report.protocol.name,
        **{title: f"{100 * value:.2f}" for title, value in percent.items()},
        "queries": str(report.num_queries),
        "unmatched": str(report.num_unmatched),
        "gallery": str(report.num_gallery),
    }


def _escape(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _columns_to_lists(table: PerQuery | MatchTable) -> dict[str, Any]:
    lists: dict[str, Any] = {}
    for field in fields(table):
        column: NDArray[Any] = getattr(table, field.name)
        if column.dtype.kind == "f":
            lists[field.name] = [None if value != value else value for value in column.tolist()]
        else:
            lists[field.name] = column.tolist()
    return lists


def _lists_to_columns(kind: Any, lists: Mapping[str, list[Any]]) -> Any:
    columns = {}
    for field in fields(kind):
        if field.name == "camid":
            column = np.asarray(lists["camid"])
        elif field.name in _FLOAT_COLUMNS:
            column = np.asarray([np.nan if v is None else v for v in lists[field.name]], dtype=np.float64)
        else:
            column = np.asarray(lists[field.name], dtype=np.int64)
        if len(column) != len(lists[fields(kind)[0].name]):
            raise ValueError(f"column {field.name} has {len(column)} entries")
        columns[field.name] = column
    return kind(**columns)


_FLOAT_COLUMNS = ("ap", "inp", "best_match_distance", "best_false_distance", "distance")


def _nullable(values: NDArray[np.int64]) -> Any:
    import pandas as pd

    return pd.arrays.IntegerArray(values.astype(np.int64), values == NONE)
