from reid_core.services import HitView, QueryView, Verdict
from webapp.views.sightings import MAX_PICTURES, place_sightings

QUERY = QueryView("q", 7, 1, 100.0, 64, 128, "q.jpg")


def hit(rank: int, camid: int | None, time_s: float | None, verdict: Verdict = "true") -> HitView:
    return HitView(rank, str(rank), 7, camid, time_s, 1.0 - rank / 100, "u", verdict)


def test_place_sightings__times_known__query_and_matches_on_one_axis() -> None:
    chart = place_sightings(QUERY, [hit(1, 3, 300.0), hit(2, 2, 200.0), hit(3, 3, 150.0, "false")])
    assert chart.axis == "time"
    assert [lane.camid for lane in chart.lanes] == [1, 2, 3]
    assert [(mark.rank, mark.lane, mark.x) for mark in chart.marks] == [
        (0, 0, 0.0),
        (1, 2, 1.0),
        (2, 1, 0.5),
        (3, 2, 0.25),
    ]
    assert [mark.has_picture for mark in chart.marks] == [True, True, True, False]
    assert chart.caption == "Seen on 2 other cameras: 2, 3."


def test_place_sightings__no_times__similarity_is_the_axis() -> None:
    chart = place_sightings(QUERY, [hit(1, 3, None), hit(2, 2, None)])
    assert chart.axis == "similarity"
    assert [mark.x for mark in chart.marks] == [1.0, 0.0]


def test_place_sightings__no_cameras__no_chart_and_a_reason() -> None:
    chart = place_sightings(QUERY, [hit(1, None, 5.0)])
    assert chart.lanes == ()
    assert "no camera" in chart.caption


def test_place_sightings__identity_unknown__the_best_ranked_get_pictures() -> None:
    hits = [hit(rank, 2, 10.0 * rank, "unknown") for rank in range(1, 31)]
    chart = place_sightings(QueryView("upload:1", None, None, None, 64, 128, "u"), hits)
    assert [mark.rank for mark in chart.marks if mark.has_picture] == list(range(1, MAX_PICTURES + 1))


def test_place_sightings__all_at_one_time__drawn_in_the_middle() -> None:
    query = QueryView("q", 7, 1, 50.0, 64, 128, "q.jpg")
    chart = place_sightings(query, [hit(1, 2, 50.0), hit(2, 3, 50.0)])
    assert {mark.x for mark in chart.marks} == {0.5}
    assert len(chart.ticks) == 1


def test_place_sightings__person_seen_nowhere_else__says_so() -> None:
    chart = place_sightings(QUERY, [hit(1, 2, 50.0, "false")])
    assert chart.caption == "None of these matches shows the person of the query."
