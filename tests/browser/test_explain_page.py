"""The Explain page and the heat map in the comparison as a person uses them, on the shipped network."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlparse

import numpy as np
import pytest
from PIL import Image

from reid_core.services import SearchRequest
from tests.browser.conftest import PHONE, Studio, Watched

pytestmark = pytest.mark.browser


def params(page: Any) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlparse(page.url).query).items()}


def drawn(page: Any, pane: int = 0) -> list[int]:
    """Every 64th RGBA value of the map over a pane."""
    values: list[int] = (
        page.locator(".rs-heat")
        .nth(pane)
        .evaluate(
            "node => [...node.getContext('2d').getImageData(0, 0, node.width, node.height).data]"
            ".filter((_, at) => at % 64 < 4)"
        )
    )
    return values


def wait_for_map(page: Any) -> None:
    page.wait_for_selector(".rs-heat:not([hidden])")


def download(page: Any, text: str) -> bytes:
    with page.expect_download() as waiting:
        page.locator(f".rs-heat-links >> text={text}").click()
    with open(waiting.value.path(), "rb") as file:  # noqa: PTH123 - a temporary file of the browser
        return file.read()


@pytest.fixture
def pair(studio: Studio) -> dict[str, str]:
    """A query and its best match."""
    query = studio.workbench.examples("", 1)[0].id
    return {"q": query, "c": studio.workbench.search(SearchRequest(query_id=query, k=1)).hits[0].id}


@pytest.fixture
def explain_page(studio: Studio, new_page: Callable[..., Any], pair: dict[str, str]) -> Any:
    page = new_page()
    page.goto(f"{studio.url}explain?q={pair['q']}&c={pair['c']}")
    wait_for_map(page)
    return page


def test_explain__stream_keys__change_the_map_the_address_and_the_pressed_button(explain_page: Any) -> None:
    seen = []
    for key in "12340":
        explain_page.keyboard.press(key)
        pressed = explain_page.locator(".rs-stream[aria-pressed=true] kbd")
        assert pressed.inner_text() == key
        assert params(explain_page).get("stream", "0") == key
        seen.append(drawn(explain_page))
    assert all(seen[a] != seen[b] for a in range(5) for b in range(a))


def test_explain__h_and_opacity__the_map_goes_and_fades_without_a_request(explain_page: Any) -> None:
    explain_page.wait_for_selector(".rs-check svg")  # the checks have arrived
    requests: list[str] = []  # for maps: pictures further down load when they please
    explain_page.on("request", lambda request: "/v1/" in request.url and requests.append(request.url))
    explain_page.keyboard.press("h")
    assert explain_page.locator(".rs-heat").first.is_hidden()
    explain_page.keyboard.press("h")
    assert explain_page.locator(".rs-heat").first.is_visible()
    explain_page.locator("[aria-label='Opacity of the heat map']").fill("20")
    opacity = explain_page.locator(".rs-heat").first.evaluate("node => node.style.opacity")
    assert float(opacity) == pytest.approx(0.2)
    assert requests == []


def test_explain__map_over_the_picture__drawn_from_the_numbers_of_the_server(
    studio: Studio, explain_page: Any, pair: dict[str, str]
) -> None:
    """Where the network's evidence is strongest the canvas has the hue of its sign."""
    explanation = studio.workbench.explaining.explain([pair["q"], pair["c"]]).explanation
    values = explanation.evidence[0][3].sum(axis=0)  # conv3.1, all streams, left crop
    colours = explain_page.locator(".rs-heat").first.evaluate(
        """(node, [height, width]) => {
            const pen = node.getContext('2d');
            const middle = (place, cells, pixels) => Math.floor((place + 0.5) * pixels / cells);
            const column = (x) => middle(x, width, node.width);
            const row = (y) => middle(y, height, node.height);
            const at = (y, x) => [...pen.getImageData(column(x), row(y), 1, 1).data];
            const count = (length) => Array.from({ length }, (_, place) => place);
            return count(height).map((y) => count(width).map((x) => at(y, x)));
        }""",
        list(values.shape),
    )
    painted = np.array(colours)
    highest = np.unravel_index(values.argmax(), values.shape)
    assert painted[highest][2] > painted[highest][0]  # blue
    area = explain_page.locator(".rs-heat").first.bounding_box()
    fit = min(area["width"] / 64, area["height"] / 128)  # the crop is 1:2
    row, column = (int(place) for place in highest)
    x = area["x"] + area["width"] / 2 + ((column + 0.5) / values.shape[1] - 0.5) * 64 * fit
    y = area["y"] + area["height"] / 2 + ((row + 0.5) / values.shape[0] - 0.5) * 128 * fit
    explain_page.mouse.move(x, y)
    readout = explain_page.locator(".rs-heat-readout").inner_text()
    assert readout.startswith(f"Row {row + 1} of {values.shape[0]}, column {column + 1} of")
    assert float(readout.split(": +")[1]) == pytest.approx(float(values.max()), rel=0.01)
    strong = np.abs(values) > 0.5 * np.abs(values).max()
    weak = np.abs(values) < 0.05 * np.abs(values).max()
    assert painted[strong][:, 3].min() > painted[weak][:, 3].mean()


def test_explain__export__a_png_and_the_arrays(
    studio: Studio, explain_page: Any, pair: dict[str, str]
) -> None:
    with Image.open(io.BytesIO(download(explain_page, "PNG"))) as picture:
        assert picture.format == "PNG"
    with np.load(io.BytesIO(download(explain_page, "Arrays"))) as arrays:
        explanation = studio.workbench.explaining.explain([pair["q"], pair["c"]]).explanation
        assert list(arrays["ids"]) == [pair["q"], pair["c"]]
        assert np.array_equal(arrays["right_conv4.1_evidence"], explanation.evidence[1][5])


def test_explain__block_in_the_overview__shown_large_and_back_by_its_select(explain_page: Any) -> None:
    explain_page.locator("[aria-label='conv2.1, stream 2']").click()
    assert params(explain_page)["block"] == "conv2.1"
    assert params(explain_page)["stream"] == "2"
    explain_page.locator(".rs-heat-choices [aria-label=Block]").select_option("conv5")
    assert params(explain_page)["block"] == "conv5"
    assert explain_page.locator(".rs-stream:disabled").count() == 4
    explain_page.locator(".rs-heat-choices [aria-label=Map]").select_option("squared")
    assert params(explain_page)["map"] == "squared"
    explain_page.keyboard.press("2")  # streams are in the blocks: back to the last one
    assert params(explain_page)["block"] == "conv2.1"
    explain_page.reload()
    wait_for_map(explain_page)
    assert explain_page.locator(".rs-stream[aria-pressed=true] kbd").inner_text() == "2"


def test_explain__checks__curves_correlations_and_a_sentence(explain_page: Any) -> None:
    explain_page.wait_for_selector(".rs-check svg")
    section = explain_page.locator("[data-part=checks-section]")
    assert section.locator("svg").count() == 2
    assert section.locator("tbody tr").count() == 9 + 4
    assert "random orders" in section.inner_text()
    assert "weights shuffled" in section.inner_text().lower()


def test_explain__other_crop_found_by_its_id__compared_and_back_undoes_it(
    studio: Studio, explain_page: Any, pair: dict[str, str]
) -> None:
    wanted = studio.workbench.examples("", 12)[5].id
    explain_page.fill("[data-part=find]", wanted)
    explain_page.locator("[data-part=found] .rs-example").first.click()
    explain_page.wait_for_function(
        "id => document.querySelector('[data-part=right-name]').textContent === id", arg=wanted
    )
    assert params(explain_page)["c"] == wanted
    explain_page.go_back()
    explain_page.wait_for_function(
        "id => document.querySelector('[data-part=right-name]').textContent === id", arg=pair["c"]
    )


def test_explain__query_alone__energy_and_the_last_map(explain_page: Any) -> None:
    explain_page.click("text=Query alone")
    explain_page.locator("[data-part=right-figure]").wait_for(state="hidden")
    wait_for_map(explain_page)
    assert "c" not in params(explain_page)
    explain_page.wait_for_function("document.querySelector('.rs-heat-choices select').value === 'energy'")
    explain_page.wait_for_function("document.querySelectorAll('.rs-heat:not([hidden])').length === 1")
    assert explain_page.locator(".rs-stream-sum").first.inner_text() == ""


def test_explain__unknown_crop_in_the_address__a_sentence(
    studio: Studio, new_page: Callable[..., Any]
) -> None:
    page = new_page()
    page.goto(f"{studio.url}explain?q=nobody.jpg")
    page.wait_for_selector(".rs-notice[data-kind=bad]")
    assert "no image 'nobody.jpg'" in page.locator(".rs-notice[data-kind=bad]").first.inner_text()


def test_gate_study__read_cluster_and_find_similar__rows_of_crops(explain_page: Any) -> None:
    explain_page.click("text=Read the gates")
    explain_page.wait_for_selector(".rs-gate-row", timeout=240_000)  # the network sees every crop
    assert explain_page.locator(".rs-gate-row").count() == 6
    explain_page.locator("[data-part=clusters]").fill("3")
    explain_page.locator("[data-part=clusters]").press("Tab")
    explain_page.wait_for_function("document.querySelectorAll('.rs-gate-row').length === 3")
    assert params(explain_page)["clusters"] == "3"
    explain_page.locator(".rs-gate-like").first.click()
    explain_page.wait_for_selector(".rs-gate-similar .rs-gate-crop")
    assert "apart" in explain_page.locator(".rs-gate-similar").inner_text()


def test_explain__axe_light_and_phone__nothing_serious_and_no_sideways_scrolling(
    studio: Studio,
    new_page: Callable[..., Any],
    pair: dict[str, str],
    axe: Callable[[Any], list[str]],
) -> None:
    for options in ({}, {"viewport": PHONE, "color_scheme": "dark"}):
        page = new_page(**options)
        page.goto(f"{studio.url}explain?q={pair['q']}&c={pair['c']}")
        wait_for_map(page)
        page.wait_for_selector(".rs-check svg")
        assert axe(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_comparison__h_then_streams__map_moves_with_the_zoom_and_stays_on_for_the_next(
    studio: Studio, new_page: Callable[..., Any], axe: Callable[[Any], list[str]]
) -> None:
    page = new_page()
    page.goto(studio.url)
    page.locator(".rs-card-open").first.click()
    page.keyboard.press("1")  # off: nothing happens
    assert page.locator(".rs-heat").first.is_hidden()
    page.keyboard.press("h")
    wait_for_map(page)
    page.keyboard.press("2")
    assert page.locator(".rs-stream[aria-pressed=true] kbd").inner_text() == "2"
    page.keyboard.press("+")
    moved = [
        page.locator(".rs-pane").nth(1).locator(kind).evaluate("node => node.style.transform")
        for kind in ("img", "canvas")
    ]
    assert moved[0] == moved[1]
    assert "1.5" in moved[0]
    page.keyboard.press("0")  # on: all streams, and the zoom stays
    assert page.locator(".rs-stream[aria-pressed=true] kbd").inner_text() == "0"
    assert page.locator("[data-part=zoom]").inner_text() == "150%"
    page.keyboard.press("r")
    assert page.locator("[data-part=zoom]").inner_text() == "100%"
    assert axe(page) == []
    before = drawn(page, 1)
    page.keyboard.press("ArrowRight")
    page.wait_for_function("document.querySelector('.rs-pair h2').textContent.startsWith('Match 2')")
    wait_for_map(page)
    assert drawn(page, 1) != before
    page.locator(".rs-heat-links >> text=Explain this pair").click()
    wait_for_map(page)
    assert page.url.startswith(f"{studio.url}explain?")


def test_comparison__map_covers_the_picture_exactly(studio: Studio, new_page: Callable[..., Any]) -> None:
    page = new_page()
    page.goto(studio.url)
    page.locator(".rs-card-open").first.click()
    page.keyboard.press("h")
    wait_for_map(page)
    page.wait_for_function("[...document.querySelectorAll('.rs-pane img')].every(node => node.naturalWidth)")
    ratios = page.evaluate(
        """[...document.querySelectorAll('.rs-pane')].map((pane) => {
            const [image, canvas] = pane.children;
            return (image.naturalWidth / image.naturalHeight) / (canvas.width / canvas.height);
        })"""
    )
    assert ratios == pytest.approx([1.0, 1.0], abs=0.01)
    fits = page.locator(".rs-pane canvas").first.evaluate("node => getComputedStyle(node).objectFit")
    assert fits == "contain"


def test_comparison__server_gone__a_sentence_and_no_map(
    studio: Studio, new_page: Callable[..., Any], watched: Watched
) -> None:
    watched.ignored.append("ERR_FAILED")
    page = new_page()
    # Before the page: interception that starts later may miss the first request.
    page.route("**/v1/explain/**", lambda route: route.abort())
    page.goto(studio.url)
    page.locator(".rs-card-open").first.click()
    page.keyboard.press("h")
    page.wait_for_selector(".rs-heat-message .rs-notice")
    assert page.locator(".rs-heat").first.is_hidden()
