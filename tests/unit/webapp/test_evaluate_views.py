"""What the Evaluate page shows for an address, and what its addresses answer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from reid_core.services import Workbench
from reid_core.services.evaluations import FailureFilter
from tests.evaluation_bench import open_bench, run
from tests.service_fakes import import_and_wait, person_image, wait_until_over, write_market
from webapp.routes.evaluations import EVALUATIONS, PLOTLY, build_evaluation_routes
from webapp.views.evaluate import open_page
from webapp.views.failure_address import read_failures
from webapp.views.failures import show_failures, show_pair
from webapp.views.run_comparison import show_comparison


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workbench]:
    folder = tmp_path_factory.mktemp("views")
    with open_bench(folder, write_market(folder / "market", num_people=7)) as workbench:
        yield workbench


@pytest.fixture(scope="module")
def run_id(bench: Workbench) -> str:
    return run(bench, rerank=True).id


@pytest.fixture
def client(bench: Workbench) -> TestClient:
    return TestClient(Starlette(routes=build_evaluation_routes(bench.evaluations, bench.selections)))


def test_read_failures__all_parameters__filter_and_the_same_parameters() -> None:
    params = {
        "cams": "1-3", "hmin": "64", "hmax": "96", "gmin": "60", "gmax": "300", "apmin": "0", "apmax": "0.5",
        "kind": "junk,untagged", "guess": "occlusion", "missed": "1", "run": "x",
    }  # fmt: skip
    address = read_failures(params)
    assert address.wanted == FailureFilter(
        1, 3, 64.0, 96.0, 60.0, 300.0, 0.0, 0.5, ("junk", "untagged"), True, "occlusion"
    )
    assert address.params == {name: text for name, text in params.items() if name != "run"}
    assert address.problems == ()


@pytest.mark.parametrize(
    "params",
    [{"cams": "1"}, {"cams": "-"}, {"cams": "a-b"}, {"apmax": "2"}, {"hmin": "nan"}, {"hmin": "-1"},
     {"kind": "x"}, {"guess": "x"}, {"gmax": "inf"}],
)  # fmt: skip
def test_read_failures__nonsense__named_and_left_out(params: dict[str, str]) -> None:
    address = read_failures(params)
    assert len(address.problems) == 1
    assert address.wanted == FailureFilter()
    assert address.params == {}


def test_read_failures__one_sided_cameras__other_side_open() -> None:
    assert read_failures({"cams": "5-"}).wanted == FailureFilter(query_camera=5)
    assert read_failures({"cams": "-2"}).wanted == FailureFilter(match_camera=2)


def test_open_page__no_run_asked__newest_with_tiles_and_tables(bench: Workbench, run_id: str) -> None:
    page = open_page(bench, {})
    assert page.kind == "open"
    assert page.run is not None
    assert page.run.id == run_id
    assert [tile.title for tile in page.run.tiles] == [
        "mAP",
        "Rank-1",
        "Rank-5",
        "Rank-10",
        "Rank-20",
        "mINP",
    ]
    assert all(" to " in tile.interval for tile in page.run.tiles)
    assert [row[0] for row in page.run.table.rows] == ["Clean", "Clean, re-ranked"]
    assert "narrow" in page.run.interval_note  # seven identities are few
    assert page.setup is not None
    assert page.setup.num_crops == 7 + 23
    reranked = open_page(bench, {"rank": "reranked", "run": run_id}).run
    assert reranked is not None
    assert reranked.tiles[0].interval == ""  # intervals belong to the plain ranking
    assert reranked.tiles[0].value == page.run.table.rows[1][1]


def test_open_page__camera_pairs__cells_list_the_queries_they_count(bench: Workbench, run_id: str) -> None:
    run = open_page(bench, {"run": run_id}).run
    assert run is not None
    assert run.camera_pairs is not None
    cells = [cell for row in run.camera_pairs.rows for cell in row.cells]
    assert len(cells) == len(run.camera_pairs.cameras) ** 2
    linked = [cell for cell in cells if cell.filters]
    assert linked
    for cell in linked:
        assert show_failures(bench.evaluations, {"run": run_id, **cell.filters}).total == int(cell.queries)
    assert all(cell.text == "–" for cell in cells if not cell.filters)
    reranked = open_page(bench, {"rank": "reranked", "run": run_id}).run
    assert reranked is not None
    assert reranked.camera_pairs is None


def test_open_page__wrong_run_or_gallery__sentence(bench: Workbench, run_id: str) -> None:
    assert "no evaluation run" in open_page(bench, {"run": "0" * 12}).message
    assert open_page(bench, {"g": "nowhere"}).kind == "error"


def test_open_page__nameless_gallery__unscorable_with_remedies(bench: Workbench, tmp_path: Path) -> None:
    folder = tmp_path / "nameless"
    folder.mkdir()
    person_image(1, 1).save(folder / "a.jpg")
    page = open_page(bench, {"g": import_and_wait(bench, folder)})
    assert page.kind == "unscorable"
    assert page.setup is not None
    assert page.setup.remedies
    assert page.runs == ()


def test_show_failures__worst_first__rows_with_strip_and_false_match(bench: Workbench, run_id: str) -> None:
    found = show_failures(bench.evaluations, {"run": run_id})
    assert [row.ap for row in found.rows] == sorted(row.ap for row in found.rows)
    assert (found.total, found.num_counted, found.next_offset) == (7, 7, 0)
    row = found.rows[0]
    assert row.false_crop is not None
    assert {crop.verdict for crop in row.strip} >= {"true", "false"}
    assert found.query_cameras == (1,)
    assert found.match_cameras == (1, 2, 3)
    nothing = show_failures(bench.evaluations, {"run": run_id, "apmin": "1", "apmax": "0.5"})
    assert "No query passes" in nothing.message


def test_show_pair__first_false_match__dialog_opens_there(bench: Workbench, run_id: str) -> None:
    row = show_failures(bench.evaluations, {"run": run_id}).rows[0]
    pair = show_pair(bench.evaluations, {"run": run_id, "q": row.id})
    assert row.false_crop is not None
    assert pair.hits[pair.index].id == row.false_crop.id
    assert pair.query is not None
    assert pair.query.id == row.id
    other = show_pair(bench.evaluations, {"run": run_id, "q": row.id, "c": pair.hits[3].id})
    assert other.index == 3
    reranked = show_pair(bench.evaluations, {"run": run_id, "q": row.id, "rank": "reranked"})
    assert reranked.hits[0].similarity is None, "the distance after re-ranking is no cosine"
    assert float(reranked.hits[0].similarity_text) >= 0.0
    assert pair.hits[0].similarity == pytest.approx(float(pair.hits[0].similarity_text), abs=1e-3)
    assert "no query" in show_pair(bench.evaluations, {"run": run_id, "q": "x"}).message


def test_show_comparison__other_network__tabs_tables_and_refusal(bench: Workbench, run_id: str) -> None:
    grey = run(bench, model="grey")
    found = show_comparison(bench.evaluations, {"run": run_id, "vs": grey.id, "list": "gain"})
    assert found.message == ""
    totals = {tab.name: tab.total for tab in found.tabs}
    assert totals["gain"] + totals["loss"] <= 7
    assert found.changes is not None
    assert found.changes.name == "gain"
    assert len(found.changes.rows) == totals["gain"]
    assert [row.title for row in found.differences][:2] == ["mAP", "Rank-1"]
    assert found.cameras[0].camera == "camera 1"
    assert "with itself" in show_comparison(bench.evaluations, {"run": run_id, "vs": run_id}).message
    assert "Choose a run" in show_comparison(bench.evaluations, {"run": run_id}).message


def test_routes__start_and_list__job_then_run(client: TestClient, bench: Workbench) -> None:
    answer = client.post(EVALUATIONS, json={"title": "by http"})
    assert answer.status_code == 202
    wait_until_over(bench, answer.json()["job"])
    assert client.get(EVALUATIONS).json()["runs"][0]["title"] == "by http"
    assert "expected one of" in client.post(EVALUATIONS, json={"protocol": "mine"}).json()["error"]
    assert client.post(EVALUATIONS, json={"colour": 1}).status_code == 400
    assert client.post(EVALUATIONS, content=b"x").status_code == 400


def test_routes__tag_undo_and_export__counted(client: TestClient, bench: Workbench, run_id: str) -> None:
    row = show_failures(bench.evaluations, {"run": run_id}).rows[0]
    tags = f"{EVALUATIONS}/{run_id}/tags"
    event = client.post(tags, json={"query": row.id, "kind": "look-alike", "who": "ann"}).json()["event"]
    assert event["match"] == (row.false_crop.id if row.false_crop else "")
    found = show_failures(bench.evaluations, {"run": run_id, "kind": "look-alike"})
    assert [entry.id for entry in found.rows] == [row.id]
    assert found.counts[0].count == 1
    gallery = bench.evaluations.open(run_id).info.gallery
    exported = client.get(f"{EVALUATIONS}/tags.csv", params={"gallery": gallery}).text.splitlines()
    assert exported[1].split(",")[2:4] == ["ann", "add"]
    assert client.post(f"{tags}/undo", json={"event": event["id"]}).status_code == 200
    assert show_failures(bench.evaluations, {"run": run_id, "kind": "look-alike"}).total == 0
    assert client.post(tags, json={"query": row.id, "kind": "ugly"}).status_code == 400
    assert client.post(tags, json={"query": "x", "kind": "junk"}).status_code == 400
    assert client.post(tags, json={"query": row.id, "kind": "junk", "on": "yes"}).status_code == 400


def test_routes__selection_report_and_strip__the_same_queries(
    client: TestClient, bench: Workbench, run_id: str
) -> None:
    rows = show_failures(bench.evaluations, {"run": run_id}).rows[:2]
    run_url = f"{EVALUATIONS}/{run_id}"
    answer = client.post(
        f"{run_url}/selection", json={"queries": [row.id for row in rows], "with_false": True}
    ).json()
    gallery = bench.evaluations.open(run_id).info.gallery
    assert {row.id for row in rows} < set(bench.selections.load(gallery, answer["key"]))
    report = client.get(f"{run_url}/report.html", params={"sel": answer["key"]})
    assert report.text.count("<section>") == 2
    assert "default-src 'none'" in report.headers["content-security-policy"]
    strip = client.get(f"{run_url}/strip.png", params={"q": rows[0].id, "k": "3"})
    assert strip.content.startswith(b"\x89PNG")
    assert client.get(f"{run_url}/strip.png", params={"q": "../x"}).status_code == 400
    assert client.get(f"{run_url}/report.html", params={"apmin": "7"}).status_code == 400
    assert client.get(f"{run_url}/report.html", params={"sel": "0" * 16}).status_code == 400


def test_routes__figures_and_tables__as_files(client: TestClient, run_id: str) -> None:
    run_url = f"{EVALUATIONS}/{run_id}"
    figures = client.get(f"{run_url}/figures").json()
    assert "cmc" in figures
    json.dumps(figures, allow_nan=False)
    lines = client.get(f"{run_url}/figures/cmc.csv").text.splitlines()
    assert lines[0] == "trace,x,y,value"
    page = client.get(f"{run_url}/figures/cmc.html")
    assert "attachment" in page.headers["content-disposition"]
    assert "Plotly.newPlot" in page.text
    assert client.get(f"{run_url}/figures/cmc.exe").status_code == 400
    assert client.get(f"{run_url}/tables/scores.csv").text.startswith("setting,")
    for stranger in ("run.json", "..%2Frun.json", "note.json"):
        assert client.get(f"{run_url}/tables/{stranger}").status_code in (400, 404)
    assert client.get(f"{EVALUATIONS}/{'0' * 12}/figures").status_code == 400
    assert client.get(f"{EVALUATIONS}/..%2F..%2Fetc").status_code == 404
    assert client.get(PLOTLY).headers["cache-control"].endswith("immutable")


def test_routes__edit_and_delete__run_gone(client: TestClient, bench: Workbench) -> None:
    own = run(bench, seed=3)
    answer = client.post(f"{EVALUATIONS}/{own.id}/edit", json={"title": "Night", "comment": "rain"})
    assert answer.json() == {"title": "Night", "comment": "rain"}
    assert client.post(f"{EVALUATIONS}/{own.id}/edit", json={"title": 5}).status_code == 400
    assert (
        client.post(f"{EVALUATIONS}/{own.id}/edit", json={"title": "x" * 121, "comment": ""}).status_code
        == 400
    )
    assert client.post(f"{EVALUATIONS}/{own.id}/delete", json={}).status_code == 200
    assert client.get(f"{EVALUATIONS}/{own.id}").status_code == 404
