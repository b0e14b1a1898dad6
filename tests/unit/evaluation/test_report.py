from __future__ import annotations

import csv
import io
import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from reid_core.errors import InputError
from reid_core.evaluation import (
    CUHK03_CLASSIC,
    MATLAB,
    EvalReport,
    Protocol,
    comparison_csv,
    comparison_markdown,
    evaluate_ranking,
)


def some_report(**options: Any) -> EvalReport:
    rng = np.random.default_rng(0)
    return evaluate_ranking(
        rng.random((12, 30)), query_pids=rng.integers(1, 9, 12), gallery_pids=rng.integers(-1, 7, 30),
        query_camids=rng.choice(["a", "b"], 12), gallery_camids=rng.choice(["a", "b"], 30), **options,
    )  # fmt: skip


@pytest.mark.parametrize("protocol", [Protocol(), MATLAB, CUHK03_CLASSIC])
def test_json__round_trip__every_value_equal(protocol: Protocol) -> None:
    report = some_report(protocol=protocol, keep_matches=True)
    assert report.num_unmatched > 0
    back = EvalReport.from_json(report.to_json())
    for field in fields(EvalReport):
        before, after = getattr(report, field.name), getattr(back, field.name)
        if field.name in ("per_query", "matches"):
            for column in fields(before):
                np.testing.assert_array_equal(getattr(after, column.name), getattr(before, column.name))
        elif field.name == "cmc":
            np.testing.assert_array_equal(after, before)
        else:
            assert after == before
    assert (back.rank5, back.rank20) == (report.rank5, report.rank20)


def test_to_json__unmatched_query__strict_json_with_null() -> None:
    values = json.loads(some_report().to_json(), parse_constant=pytest.fail)
    assert None in values["per_query"]["ap"]
    assert values["matches"] is None


@pytest.mark.parametrize(
    "text",
    ["", "{}", "[]", '{"format": "other/1"}', some_report().to_json().replace('"cmc"', '"curve"'),
     some_report().to_json().replace('"ties": "stable"', '"ties": "lucky"')],
)  # fmt: skip
def test_from_json__not_a_report__refused(text: str) -> None:
    with pytest.raises(InputError):
        EvalReport.from_json(text)


def test_from_json__column_too_short__refused() -> None:
    values = json.loads(some_report().to_json())
    values["per_query"]["ap"].pop()
    with pytest.raises(InputError, match="column ap has 11 entries"):
        EvalReport.from_json(json.dumps(values))


def test_comparison_markdown__two_reports__percent_with_two_decimals() -> None:
    report = some_report()
    lines = comparison_markdown({"ours": report, "with | pipe": some_report(max_rank=5)}).splitlines()
    assert lines[0].startswith("| name | protocol | Rank-1 | Rank-5 | Rank-10 | Rank-20 | mAP | mINP |")
    assert f"| {100 * report.rank1:.2f} |" in lines[2]
    assert "with \\| pipe" in lines[3]
    assert lines[3].count(" - ") == 2  # Rank-10 and Rank-20 were not computed


def test_comparison_csv__full_precision__reads_back() -> None:
    report = some_report()
    row = next(csv.DictReader(io.StringIO(comparison_csv({"ours": report}))))
    assert float(row["mean_ap"]) == report.mean_ap
    assert (row["name"], int(row["num_unmatched"])) == ("ours", report.num_unmatched)


def test_save_parquet__per_query__reads_back_with_missing_values(tmp_path: Path) -> None:
    report = some_report()
    report.per_query.save_parquet(tmp_path / "per_query.parquet")
    frame = pd.read_parquet(tmp_path / "per_query.parquet")
    np.testing.assert_array_equal(frame["ap"], report.per_query.ap)
    assert frame["first_match_rank"].isna().sum() == report.num_unmatched
    assert frame["camid"].tolist() == report.per_query.camid.tolist()
