"""What the browser gets of an explanation, and what can be taken away as arrays or a picture."""

from __future__ import annotations

import base64
import io
import json
from typing import Any

import numpy as np
import pytest
from PIL import Image
from starlette.applications import Starlette
from starlette.testclient import TestClient

from reid_core.explain.records import PLACES, MapChoice
from tests.explain_fakes import ExplainingWorkbench, FakeExplaining
from tests.webapp_fakes import draw_figure
from webapp.routes.explain import build_explain_routes
from webapp.views.colour_scales import colours_of, paint
from webapp.views.explanation import name_map, pack_arrays, show_explained
from webapp.views.explanation_picture import draw_picture

LEFT, RIGHT = "0005_c2s1_000420_00.jpg", "0001_c1s1_002222_00.jpg"
BASE = "/gradio_api/reid/v1/explain"


@pytest.fixture(scope="module")
def explaining() -> FakeExplaining:
    return FakeExplaining()


@pytest.fixture(scope="module")
def client() -> TestClient:
    routes = build_explain_routes(ExplainingWorkbench())  # type: ignore[arg-type]
    return TestClient(Starlette(routes=routes))


def unpack(packed: dict[str, Any]) -> np.ndarray:
    return np.frombuffer(base64.b64decode(packed["data"]), dtype="<f4").reshape(packed["shape"])


def test_show_explained__pair__arrays_survive_json_and_scales_cover_them(explaining: FakeExplaining) -> None:
    explained = explaining.explain(["a.jpg", "b.jpg"])
    shown = json.loads(json.dumps(show_explained(explained)))
    assert [place["name"] for place in shown["places"]] == list(PLACES)
    for index, place in enumerate(shown["places"]):
        for kind, scales in place["scales"].items():
            stacks = [unpack(crop[kind]) for crop in place["crops"]]
            for side, stack in enumerate(stacks):
                np.testing.assert_array_equal(stack, explained.explanation.stack(side, kind, PLACES[index]))
            assert scales["stream"] == pytest.approx(max(np.abs(stack).max() for stack in stacks))
            assert scales["all"] == pytest.approx(max(np.abs(stack.sum(0)).max() for stack in stacks))
        sums = [crop["evidence_sums"] for crop in place["crops"]]
        np.testing.assert_allclose(sums[0], unpack(place["crops"][0]["evidence"]).sum((1, 2)), rtol=1e-5)
    assert shown["places"][0]["instance_norm"] == "inside"
    assert "adds up to zero" in shown["places"][0]["note"]
    assert len(base64.b64decode(shown["colours"]["evidence"])) == 256 * 4


def test_show_explained__one_crop__no_evidence_and_no_similarity(explaining: FakeExplaining) -> None:
    shown = show_explained(explaining.explain(["a.jpg"]))
    assert shown["similarity"] is None
    assert all("evidence" not in crop for place in shown["places"] for crop in place["crops"])
    assert "squared" in shown["places"][-1]["crops"][0]


def test_pack_arrays__pair__every_array_by_name(explaining: FakeExplaining) -> None:
    explained = explaining.explain(["a.jpg", "b.jpg"])
    with np.load(io.BytesIO(pack_arrays(explained)), allow_pickle=False) as arrays:
        assert list(arrays["ids"]) == ["a.jpg", "b.jpg"]
        assert float(arrays["similarity"]) == pytest.approx(explained.explanation.similarity)
        for side, name in enumerate(("left", "right")):
            assert np.array_equal(arrays[f"{name}_embedding"], explained.explanation.crops[side].vector)
            for place, stack in zip(PLACES, explained.explanation.evidence[side], strict=True):
                assert np.array_equal(arrays[f"{name}_{place}_evidence"], stack)


def test_colours__evidence__clear_in_the_middle_and_two_hues_at_the_ends() -> None:
    colours = colours_of("evidence").astype(int)
    assert colours[127, 3] < 15
    assert colours[0, 3] == colours[-1, 3] == 255
    assert colours[0, 0] > colours[0, 2]  # orange
    assert colours[-1, 2] > colours[-1, 0]  # blue


def test_colours__energy__lightness_grows_all_the_way() -> None:
    colours = colours_of("energy").astype(float) / 255
    linear = np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)
    luminance = linear[:, :3] @ np.array([0.2126, 0.7152, 0.0722])
    assert (np.diff(luminance[::8]) > 0).all()  # single steps are rounded to whole numbers


def test_paint__values_beyond_the_scale_and_no_scale__stay_in_the_colours() -> None:
    values = np.array([[-9.0, 0.0, 9.0]], dtype=np.float32)
    painted = paint(values, 1.0, "evidence")
    assert np.array_equal(painted[0, 0], colours_of("evidence")[0])
    assert np.array_equal(painted[0, 2], colours_of("evidence")[255])
    assert paint(values * 0, 0.0, "evidence")[..., 3].max() < 15


def test_draw_picture__opacity__none_shows_the_crop_alone(explaining: FakeExplaining) -> None:
    buffer = io.BytesIO()
    draw_figure(5, 2).save(buffer, "PNG")
    explained = explaining.explain(["a.jpg", "b.jpg"])

    def drawn(kind: str, opacity: float) -> np.ndarray:
        choice = MapChoice(kind, "conv3.1", 2)
        content = draw_picture(explained, [buffer.getvalue()] * 2, choice, opacity=opacity)
        with Image.open(io.BytesIO(content)) as picture:
            return np.asarray(picture.convert("RGB"))[24:664, 24:344].astype(int)

    bare = drawn("evidence", 0.0)
    assert np.array_equal(bare, drawn("energy", 0.0))
    assert np.abs(drawn("energy", 0.6) - bare).mean() > 5
    assert 0 < np.abs(drawn("evidence", 0.6) - bare).mean() < np.abs(drawn("evidence", 1.0) - bare).mean()


def test_name_map__each_kind__in_words() -> None:
    assert name_map(MapChoice("evidence", "conv4.1", 2)) == "conv4.1, stream 2 (5 × 5), evidence"
    assert name_map(MapChoice("energy", "conv5", 0)) == "conv5, last map, absolute"


def test_pair_route__two_ids__the_documented_shape(client: TestClient) -> None:
    answer = client.get(f"{BASE}/pair", params={"left": LEFT, "right": RIGHT})
    assert answer.status_code == 200
    assert set(answer.json()) == {
        "gallery", "model", "variant", "fingerprint", "ids", "input_size", "similarity", "similarity_text",
        "streams", "places", "units", "captions", "colours",
    }  # fmt: skip
    assert answer.json()["ids"] == [LEFT, RIGHT]


@pytest.mark.parametrize(
    ("path", "params", "message"),
    [
        ("pair", {"left": LEFT}, "'right' is missing"),
        ("crop", {}, "'image' is missing"),
        ("crop", {"image": "missing.jpg"}, "has no image"),
        ("picture.png", {"left": LEFT, "map": "heat"}, "no map 'heat'"),
        ("picture.png", {"left": LEFT, "opacity": "200"}, "whole number from 0 to 100"),
        ("picture.png", {"left": LEFT, "map": "evidence"}, "two crops"),
        ("checks", {"left": LEFT, "right": RIGHT, "side": "up"}, "left or right"),
        ("checks", {"left": LEFT, "right": RIGHT, "stream": "7"}, "whole number from 0 to 4"),
        ("gates/clusters", {"clusters": "99"}, "whole number from 2 to 30"),
    ],
)
def test_routes__wrong_request__400_with_a_sentence(
    client: TestClient, path: str, params: dict[str, str], message: str
) -> None:
    answer = client.get(f"{BASE}/{path}", params=params)
    assert answer.status_code == 400
    assert message in answer.json()["error"]


def test_picture_and_arrays_routes__pair__files_with_safe_names(client: TestClient) -> None:
    given = {"left": LEFT, "right": RIGHT, "map": "evidence", "block": "conv4.1", "stream": "1"}
    picture = client.get(f"{BASE}/picture.png", params=given)
    with Image.open(io.BytesIO(picture.content)) as opened:
        assert opened.format == "PNG"
        assert opened.width > 600
    assert picture.headers["content-disposition"] == (
        'attachment; filename="explain_0005_c2s1_000420_00_0001_c1s1_002222_00.png"'
    )
    arrays = client.get(f"{BASE}/arrays.npz", params=given)
    with np.load(io.BytesIO(arrays.content), allow_pickle=False) as opened_arrays:
        assert "left_conv4.1_evidence" in opened_arrays
    assert arrays.headers["content-disposition"].endswith('.npz"')


def test_checks_route__pair__curves_correlations_and_sentences(client: TestClient) -> None:
    given = {"left": LEFT, "right": RIGHT, "map": "evidence", "block": "conv4.0"}
    answer = client.get(f"{BASE}/checks", params=given).json()
    assert answer["deletion"]["fractions"][0] == 0.0
    assert answer["deletion"]["fractions"][-1] == 1.0
    assert len(answer["deletion"]["random"]) == 2
    assert [step["layer"] for step in answer["weights"]][0] == "fc"
    assert "random orders" in answer["places_verdict"]
    assert "weights shuffled" in answer["weights_verdict"]
    assert len(answer["streams"]["measured"]) == 2


def test_gate_routes__not_read_then_read(client: TestClient) -> None:
    workbench = ExplainingWorkbench()
    own = TestClient(Starlette(routes=build_explain_routes(workbench)))  # type: ignore[arg-type]
    assert own.get(f"{BASE}/gates/clusters").status_code == 409
    workbench.explaining.gates.state = "done"
    found = own.get(f"{BASE}/gates/clusters", params={"block": "conv3.0", "clusters": "2"}).json()
    assert [cluster["size"] for cluster in found["clusters"]] == [60, 40]
    near = own.get(f"{BASE}/gates/similar", params={"image": LEFT}).json()["neighbours"]
    assert near[0]["distance"] == pytest.approx(0.0123)
