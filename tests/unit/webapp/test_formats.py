import pytest

from webapp.views.formats import (
    format_count,
    format_duration,
    format_gap,
    format_identity,
    format_probability,
    format_time,
)


@pytest.mark.parametrize(
    ("time_s", "text"),
    [
        (0.0, "0:00:00"),
        (754.4, "0:12:34"),
        (-61.0, "-0:01:01"),
        (-0.2, "0:00:00"),
        (3 * 86_400 + 3600.0, "3 d 1:00:00"),
        (1_700_000_000.0, "2023-11-14 22:13:20"),
        (None, "no time"),
    ],
)
def test_format_time__any_clock__reads_as_a_person_writes_it(time_s: float | None, text: str) -> None:
    assert format_time(time_s) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(8.4, "8 s"), (59.7, "1 min 00 s"), (754, "12 min 34 s"), (7500, "2 h 05 min"), (273_600, "3 d 4 h")],
)
def test_format_duration__any_length__two_units_at_most(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@pytest.mark.parametrize(
    ("probability", "text"), [(None, ""), (0.0, "<1%"), (0.014, "1%"), (0.5, "50%"), (0.999, ">99%")]
)
def test_format_probability__extremes__never_certain(probability: float | None, text: str) -> None:
    assert format_probability(probability) == text


def test_format_gap__direction_and_unknown__told_apart() -> None:
    assert format_gap(100.0, 160.0) == "1 min 00 s later"
    assert format_gap(160.0, 100.0) == "1 min 00 s earlier"
    assert format_gap(100.0, 100.2) == "at the same time"
    assert format_gap(None, 100.0) == format_gap(100.0, None) == ""


def test_format_identity__special_pids__named_in_the_glossary_words() -> None:
    assert [format_identity(pid) for pid in (None, -1, 0, 7)] == [
        "not known",
        "junk",
        "distractor",
        "person 7",
    ]


def test_format_count__one_and_many__agree_with_the_noun() -> None:
    assert format_count(1, "query", "queries") == "1 query"
    assert format_count(1802, "image") == "1,802 images"
