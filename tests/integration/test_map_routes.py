"""The map's addresses against the real server."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import Any

import numpy as np
import pytest

from reid_core.mapping import inside_polygon
from reid_core.services.maps import MapRequest
from tests.integration.conftest import Server

MAP = "/gradio_api/reid/v1/map"
PCA = {"layout": "pca"}


def points_of(server: Server, **params: str) -> np.ndarray:
    answer = server.client.get(f"{MAP}/points", params={**PCA, **params})
    assert answer.status_code == 200, answer.text
    return np.frombuffer(answer.content, dtype="<f4")


def select(server: Server, **body: Any) -> dict[str, Any]:
    answer = server.client.post(f"{MAP}/select", json={"params": PCA, **body})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_points__binary__the_layouts_places_with_colours_where_asked(server: Server) -> None:
    layout = server.workbench.maps.layout(MapRequest(method="pca"))
    assert layout is not None
    count = len(layout.ids)
    plain = points_of(server)
    np.testing.assert_array_equal(plain.reshape(2, count).T, layout.points)
    coloured = points_of(server, channels="xyc", color="camera")
    np.testing.assert_array_equal(coloured[: 2 * count], plain)
    colours = server.client.get(f"{MAP}/colors", params={**PCA, "color": "camera"}).content
    assert coloured[2 * count :].tobytes() == colours
    assert set(np.frombuffer(colours, "<f4")) == {0.0, 1.0, 2.0}
    ids = server.client.get(f"{MAP}/ids", params=PCA)
    assert ids.headers["content-encoding"] == "gzip"
    assert tuple(ids.json()) == layout.ids


def test_points__address_with_the_key__kept_by_the_browser_and_others_are_not(server: Server) -> None:
    layout = server.workbench.maps.layout(MapRequest(method="pca"))
    assert layout is not None
    named = server.client.get(f"{MAP}/points", params={**PCA, "key": layout.key})
    assert "immutable" in named.headers["cache-control"]
    for params in ({}, {"key": "stale"}, {"key": layout.key, "channels": "xyc"}):
        answer = server.client.get(f"{MAP}/points", params={**PCA, **params})
        assert answer.headers["cache-control"] == "no-store"


def test_select__polygon__the_crops_inside_and_an_export_of_them(server: Server) -> None:
    layout = server.workbench.maps.layout(MapRequest(method="pca"))
    assert layout is not None
    polygon = [[-0.4, -0.5], [0.6, -0.3], [0.1, 0.7]]
    inside = inside_polygon(layout.points, [(x, y) for x, y in polygon])
    assert 0 < inside.sum() < len(inside)
    found = select(server, polygon=polygon, layout_key=layout.key)
    assert found["rows"] == np.flatnonzero(inside).tolist()
    assert set(found["ids"]) == {layout.ids[row] for row in found["rows"]}
    assert found["summary"].startswith(f"{inside.sum()} crop")
    query = layout.ids[0]
    params = {**PCA, "sel": found["key"], "q": query}
    table = server.client.get(f"{MAP}/export", params={**params, "format": "csv"})
    assert "attachment" in table.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(table.text)))
    assert [row["id"] for row in rows] == found["ids"]
    exported = server.client.get(f"{MAP}/export", params={**params, "format": "json"}).json()
    assert [crop["id"] for crop in exported["crops"]] == found["ids"]
    first = exported["crops"][0]
    row = layout.ids.index(first["id"])
    assert (first["x"], first["y"]) == pytest.approx(layout.points[row].tolist(), abs=1e-5)
    vectors = server.workbench.open_gallery().space.index.vectors
    assert first["similarity"] == pytest.approx(float(vectors[row] @ vectors[0]), abs=1e-5)


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ({}, 400, "exactly one"),
        ({"polygon": [[0, 0], [1, 1], [2, 2]], "ids": ["x"]}, 400, "exactly one"),
        ({"polygon": [[0, 0], [1, 1]]}, 400, "outline"),
        ({"polygon": [[0, 0], [1, "x"], [2, 2]]}, 400, "makes no selection"),
        ({"polygon": "abc"}, 400, "makes no selection"),
        ({"ids": ["nobody.jpg"]}, 400, "not in the index"),
        ({"ids": [7]}, 400, "makes no selection"),
        ({"same_identity": "nobody.jpg"}, 400, "not in the index"),
        ({"nearest": {"id": "nobody.jpg", "count": 5}}, 400, "not in the index"),
        ({"nearest": {"id": "nobody.jpg"}}, 400, "makes no selection"),
        ({"nearest": {"id": "nobody.jpg", "count": 0}}, 400, "ask for 1"),
        ({"category": {"column": "camera", "label": "camera 9"}}, 400, "no group"),
        ({"everything": True, "combine": "xor"}, 400, "combine"),
        ({"everything": True, "combine": "add", "base": "../../etc/passwd"}, 400, "no selection"),
        ({"everything": True, "layout_key": "stale"}, 409, "changed"),
        ({"everything": True, "params": []}, 400, "params"),
        ({"everything": True, "params": {"g": "../.."}}, 400, "no gallery"),
    ],
)
def test_select__makes_no_sense__4xx_with_a_sentence(
    server: Server, body: dict[str, Any], status: int, message: str
) -> None:
    answer = server.client.post(f"{MAP}/select", json={"params": PCA, **body})
    assert answer.status_code == status
    assert message in answer.json()["error"]


def test_select__not_json_or_too_large__refused(server: Server) -> None:
    assert server.client.post(f"{MAP}/select", content=b"{").status_code == 400
    assert server.client.post(f"{MAP}/select", content=b"[1]").status_code == 400
    large = json.dumps({"polygon": [[0.123456789, 0.123456789]] * 200_000}).encode()
    assert server.client.post(f"{MAP}/select", content=large).status_code in (400, 413)
    foreign = server.client.post(
        f"{MAP}/select", json={"params": PCA, "everything": True}, headers={"Origin": "https://evil.example"}
    )
    assert foreign.status_code == 403


def test_figure__svg_and_html__hold_every_crop_and_fetch_nothing(server: Server) -> None:
    layout = server.workbench.maps.layout(MapRequest(method="pca"))
    assert layout is not None
    drawn = server.client.get(f"{MAP}/figure", params={**PCA, "color": "camera", "format": "svg"})
    assert drawn.headers["content-type"].startswith("image/svg+xml")
    body = drawn.text.split("</g>")[0]
    assert body.count("h0") + body.count("v") >= len(layout.ids)
    assert "camera 1 (" in drawn.text
    page = server.client.get(f"{MAP}/figure", params={**PCA, "color": "camera", "format": "html"}).text
    assert all(image_id.rpartition("/")[2] in page for image_id in layout.ids)
    assert not re.search(r"<(?:script|link|img)[^>]+(?:src|href)=", page)
    timed = server.client.get(f"{MAP}/figure", params={**PCA, "color": "time", "format": "html"})
    assert timed.status_code == 200
    assert server.client.get(f"{MAP}/figure", params={**PCA, "format": "bmp"}).status_code == 400
    assert server.client.get(f"{MAP}/export", params={**PCA, "format": "xls"}).status_code == 400
