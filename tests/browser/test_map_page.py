"""The Map page as a person uses it, on the real services."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reid_core.mapping import inside_polygon
from reid_core.services import Workbench
from reid_core.services.maps import MapRequest
from reid_core.services.model_shelf import LoadedModel
from reid_core.settings import load_settings
from tests.browser.conftest import PHONE, Studio, launch
from tests.service_fakes import WAIT_S, ColourNetwork, write_market

pytestmark = pytest.mark.browser

PCA = MapRequest(method="pca")
FIT_MS = 300_000  # umap-learn is compiled at its first use
PLACE_OF = """async (id) => {
  const map = await window.reid.part("map_view");
  const ids = await (await fetch("gradio_api/reid/v1/map/ids" + location.search)).json();
  const row = ids.indexOf(id);
  const [x, y] = map.cloud.toScreen(map.cloud.x[row], map.cloud.y[row]);
  const box = document.querySelector(".rs-map-stage").getBoundingClientRect();
  return [box.left + x, box.top + y];
}"""


def open_map(page: Any, url: str, address: str = "layout=pca", *, shown: str = "PCA") -> Any:
    page.goto(f"{url}map?{address}")
    page.wait_for_function(
        "word => document.querySelector('.rs-map-status')?.textContent.endsWith(word)",
        arg=shown,
        timeout=FIT_MS,
    )
    page.wait_for_selector("#rs-map-panel .rs-legend li, #rs-map-panel .rs-scale:not([hidden])")
    return page


@pytest.fixture
def map_page(studio: Studio, new_page: Callable[..., Any]) -> Any:
    """The PCA map of the small city."""
    return open_map(new_page(), studio.url)


def summary(page: Any) -> str:
    return str(page.locator("#rs-map-selection [data-part=summary]").inner_text())


def select_by(page: Any, act: Callable[[], None]) -> dict[str, Any]:
    """What was asked and answered when a gesture selected something."""
    with page.expect_response(lambda answer: answer.url.endswith("/v1/map/select")) as caught:
        act()
    answer = caught.value
    assert answer.status == 200, answer.text()
    return {"asked": answer.request.post_data_json, **answer.json()}


def test_opened__pca_at_once__umap_after_a_reload_in_the_middle_of_its_fit(
    studio: Studio, new_page: Callable[..., Any]
) -> None:
    assert studio.workbench.maps.layout(PCA) is not None
    page = new_page()
    with studio.workbench._turns.interactive():  # holds the search for neighbours, which takes turns
        open_map(page, studio.url, "n=70")
        job = page.locator("#rs-map-panel .rs-job")
        job.wait_for()
        first = job.get_attribute("data-job")
        assert "PCA is shown meanwhile" in page.locator("#rs-map-panel [data-part=fit]").inner_text()
        page.reload()
        job.wait_for()
        assert job.get_attribute("data-job") == first
    page.wait_for_function(
        "document.querySelector('.rs-map-status').textContent.endsWith('UMAP')", timeout=FIT_MS
    )
    assert page.locator("#rs-map-panel .rs-job").count() == 0
    assert studio.workbench.job(str(first)).state == "done"


def test_fit__cancelled__pca_stays_and_it_can_be_started_again(
    studio: Studio, new_page: Callable[..., Any]
) -> None:
    assert studio.workbench.maps.layout(PCA) is not None
    page = new_page()
    with studio.workbench._turns.interactive():
        open_map(page, studio.url, "n=80")
        page.click("#rs-map-panel .rs-job >> text=Cancel")
    page.wait_for_selector("#rs-map-panel [data-part=fit] >> text=Stopped")
    assert "PCA" in page.locator(".rs-map-status").inner_text()
    page.click("#rs-map-panel [data-part=fit] >> text=Fit")
    page.wait_for_function(
        "document.querySelector('.rs-map-status').textContent.endsWith('UMAP')", timeout=FIT_MS
    )


def test_points__painted__in_the_colours_of_the_legend(map_page: Any) -> None:
    map_page.select_option("[data-part=colour]", "camera")
    map_page.wait_for_selector(".rs-legend >> text=camera 1")
    assert "color=camera" in map_page.url
    counts = map_page.evaluate(
        """async () => {
          const { cloud } = await window.reid.part("map_view");
          await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
          const pixels = cloud.context.getImageData(0, 0, cloud.canvas.width, cloud.canvas.height).data;
          const seen = {};
          for (let i = 0; i < pixels.length; i += 4) {
            const channels = [pixels[i], pixels[i + 1], pixels[i + 2]];
            const key = channels.map((v) => v.toString(16).padStart(2, "0")).join("");
            seen["#" + key] = (seen["#" + key] ?? 0) + 1;
          }
          return seen;
        }"""
    )
    marks = map_page.locator(".rs-legend path").evaluate_all(
        "paths => paths.map(path => path.getAttribute('fill'))"
    )
    assert len(marks) >= 4
    assert all(counts.get(colour, 0) > 20 for colour in marks)


def test_hover__over_a_point__shows_its_crop_and_facts(studio: Studio, map_page: Any) -> None:
    layout = studio.workbench.maps.layout(PCA)
    assert layout is not None
    loneliest = layout.ids[int(np.abs(layout.points[:, 0]).argmax())]
    map_page.mouse.move(*map_page.evaluate(PLACE_OF, loneliest))
    tip = map_page.locator(".rs-map-tip:not([hidden])")
    tip.wait_for()
    assert tip.get_attribute("data-id") == loneliest
    map_page.wait_for_function("document.querySelector('.rs-map-tip img').naturalWidth > 0")
    camid = studio.workbench.query("", loneliest).camid
    assert f"camera {camid}" in tip.inner_text()
    map_page.mouse.move(700, 10)
    map_page.wait_for_selector(".rs-map-tip", state="hidden")


def test_lasso__drawn_with_the_mouse__the_server_selects_what_the_browser_shows(
    studio: Studio, map_page: Any
) -> None:
    layout = studio.workbench.maps.layout(PCA)
    assert layout is not None
    map_page.click("button[data-mode=lasso]")
    box = map_page.locator(".rs-map-stage").bounding_box()
    centre = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)

    def draw() -> None:
        map_page.mouse.move(centre[0] + 160, centre[1])
        map_page.mouse.down()
        for step in range(1, 60):
            angle, reach = step / 60 * 2 * math.pi, 160 + 50 * math.sin(step)
            map_page.mouse.move(centre[0] + reach * math.cos(angle), centre[1] + reach * math.sin(angle))
        map_page.mouse.up()

    found = select_by(map_page, draw)
    polygon = found["asked"]["polygon"]
    assert len(polygon) > 20
    assert found["rows"] == np.flatnonzero(inside_polygon(layout.points, polygon)).tolist()
    local = map_page.evaluate("async (p) => (await window.reid.part('map_view')).rowsInside(p)", polygon)
    assert local == found["rows"]
    assert 0 < len(local) < len(layout.ids)
    map_page.wait_for_selector(".rs-map-card img")
    assert summary(map_page).startswith(f"{len(local)} crops")
    assert map_page.locator("[data-part=review]").get_attribute("href").endswith(f"sel={found['key']}")
    assert f"sel={found['key']}" in map_page.url
    selected = "async () => (await window.reid.part('map_view')).cloud.selected.reduce((a, b) => a + b, 0)"
    assert map_page.evaluate(selected) == len(local)
    map_page.reload()
    map_page.wait_for_selector(".rs-map-card img")
    assert map_page.evaluate(selected) == len(local)


def test_select__without_a_drag__rectangle_neighbours_identity_and_combinations(
    studio: Studio, map_page: Any
) -> None:
    layout = studio.workbench.maps.layout(PCA)
    assert layout is not None
    for name, value in (("x0", "-0.2"), ("x1", "0.3"), ("y0", "-0.3"), ("y1", "0.2")):
        map_page.fill(f"[data-part={name}]", value)
    found = select_by(map_page, lambda: map_page.click("text=Select rectangle"))
    x, y = layout.points.T
    assert found["rows"] == np.flatnonzero((x > -0.2) & (x < 0.3) & (y > -0.3) & (y < 0.2)).tolist()
    assert found["rows"]
    map_page.fill("[data-part=find]", "query/")
    select_by(map_page, lambda: map_page.press("[data-part=find]", "Enter"))
    map_page.wait_for_selector("[data-part=same]:not([disabled])")
    person = select_by(map_page, lambda: map_page.click("[data-part=same]"))
    assert len({studio.workbench.query("", i).pid for i in person["ids"]}) == 1
    map_page.click("[data-combine=remove]")
    map_page.fill("[data-part=nearest-count]", "1")
    fewer = select_by(map_page, lambda: map_page.click("[data-part=nearest]"))
    assert len(fewer["ids"]) == len(person["ids"]) - 1
    map_page.click("#rs-map-selection [data-part=clear]")
    assert "sel=" not in map_page.url
    assert summary(map_page).startswith("Nothing selected")


def test_keyboard__from_crop_to_crop__announced_and_selected(map_page: Any) -> None:
    stage = map_page.locator(".rs-map-stage")
    stage.focus()
    map_page.keyboard.press("ArrowRight")
    map_page.wait_for_selector(".rs-map-tip:not([hidden])")
    first = map_page.locator(".rs-map-tip").get_attribute("data-id")
    map_page.wait_for_function("document.getElementById('rs-live').textContent.includes('camera')")
    for key in ("ArrowLeft", "ArrowUp"):
        map_page.keyboard.press(key)
    map_page.wait_for_function("id => document.querySelector('.rs-map-tip').dataset.id !== id", arg=first)
    here = map_page.locator(".rs-map-tip").get_attribute("data-id")
    toggled = select_by(map_page, lambda: map_page.keyboard.press("Space"))
    assert toggled["ids"] == [here]
    taken = select_by(map_page, lambda: map_page.keyboard.press("Space"))
    assert taken["ids"] == []
    near = select_by(map_page, lambda: map_page.keyboard.press("k"))
    assert here in near["ids"]
    assert len(near["ids"]) == 20
    scale = "async () => (await window.reid.part('map_view')).cloud.view.scale"
    before = map_page.evaluate(scale)
    map_page.keyboard.press("+")
    assert map_page.evaluate(scale) > 1.5 * before
    in_view = select_by(map_page, lambda: map_page.keyboard.press("v"))
    assert len(in_view["ids"]) > 1
    map_page.keyboard.press("Escape")
    map_page.wait_for_function("!location.search.includes('sel=')")
    map_page.keyboard.press("Enter")
    map_page.wait_for_url("**/?q=*")
    map_page.wait_for_selector(".rs-card")


def test_legend__entry_pressed__its_crops_stand_out_and_can_be_selected(map_page: Any) -> None:
    entry = map_page.locator(".rs-legend button").nth(1)
    entry.click()
    assert entry.get_attribute("aria-pressed") == "true"
    count = int(entry.locator(".rs-num").inner_text())
    standing_out = (
        "async () => (await window.reid.part('map_view')).cloud.highlighted.reduce((a, b) => a + b, 0)"
    )
    assert map_page.evaluate(standing_out) == count
    found = select_by(map_page, lambda: map_page.click("[data-part=highlighted]"))
    assert len(found["ids"]) == count
    entry.click()
    assert map_page.evaluate("async () => (await window.reid.part('map_view')).cloud.highlighted") is None


def test_grid__of_a_large_selection__holds_only_the_cards_in_view(studio: Studio, map_page: Any) -> None:
    map_page.click("text=All in view")
    map_page.wait_for_selector(".rs-map-card img")
    total = len(studio.workbench.maps.layout(PCA).ids)  # type: ignore[union-attr]
    assert total > 150
    assert summary(map_page).startswith(f"{total} crops")
    assert map_page.locator(".rs-map-card").count() < total / 2
    scroll = map_page.locator(".rs-map-scroll")
    scroll.evaluate("node => (node.scrollTop = node.scrollHeight)")
    last = map_page.locator(f".rs-map-card[aria-posinset='{total}']")
    last.locator("img").wait_for()
    image_id = last.get_attribute("data-id")
    assert f"q={image_id.replace('/', '%2F')}" in last.locator("a").first.get_attribute("href")
    last.locator("button").click()
    map_page.wait_for_selector(".rs-map-tip:not([hidden])")
    assert map_page.locator(".rs-map-tip").get_attribute("data-id") == image_id


def test_search__match_compared__shown_on_the_map_with_the_query(
    studio: Studio, new_page: Callable[..., Any]
) -> None:
    assert studio.workbench.maps.layout(PCA) is not None
    page = new_page()
    page.goto(studio.url)
    page.locator(".rs-card-open").first.click()
    match = page.locator("#rs-compare [data-part=right-name]").inner_text()
    address = page.locator("#rs-compare [data-part=map]").get_attribute("href")
    page.goto(f"{studio.url}{address.removeprefix('./')}&layout=pca")
    page.wait_for_selector(".rs-map-tip:not([hidden])")
    assert page.locator(".rs-map-tip").get_attribute("data-id") == match
    page.select_option("[data-part=colour]", "similarity")
    page.wait_for_selector(".rs-scale:not([hidden])")
    assert "1.00" in page.locator(".rs-scale-ticks").inner_text()


def test_export__png_and_links__files_with_content(map_page: Any) -> None:
    map_page.click("text=Export")
    with map_page.expect_download() as png:
        map_page.click("text=PNG of this view")
    content = Path(png.value.path()).read_bytes()
    assert content.startswith(b"\x89PNG")
    assert len(content) > 5_000
    for name in ("svg", "html", "all-csv"):
        href = map_page.locator(f"[data-part={name}]").get_attribute("href")
        assert map_page.request.get(f"{map_page.url.split('map?')[0]}{href}").status == 200


def test_address__unknown_colour_or_point__told_and_the_rest_shown(
    studio: Studio, new_page: Callable[..., Any]
) -> None:
    page = new_page()
    page.goto(f"{studio.url}map?layout=pca&color=shoe&point=nobody.jpg&sel=0000000000000000")
    page.wait_for_selector("#rs-map-panel >> text=no map column")
    page.wait_for_selector("#rs-map >> text=nobody.jpg is not on this map")
    page.wait_for_selector("#rs-map-selection >> text=no selection")
    assert "PCA" in page.locator(".rs-map-status").inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe__map_with_a_selection__nothing_serious(
    studio: Studio, new_page: Callable[..., Any], axe: Callable[[Any], list[str]], scheme: str
) -> None:
    page = open_map(new_page(color_scheme=scheme), studio.url)
    page.click("text=All in view")
    page.wait_for_selector(".rs-map-card img")
    for fold in ("parameters", "compare-fold"):
        page.locator(f"[data-part={fold}] summary").click()
    page.locator(".rs-map-stage").focus()
    page.keyboard.press("ArrowUp")
    page.wait_for_selector(".rs-map-tip:not([hidden])")
    assert axe(page) == []


def test_phone__map_first_and_nothing_wider_than_the_screen(
    studio: Studio, new_page: Callable[..., Any], axe: Callable[[Any], list[str]]
) -> None:
    page = open_map(new_page(viewport=PHONE, has_touch=True, is_mobile=True), studio.url)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    stage, panel = page.locator(".rs-map-stage").bounding_box(), page.locator("#rs-map-panel").bounding_box()
    assert stage["y"] < panel["y"]
    layout = studio.workbench.maps.layout(PCA)
    assert layout is not None
    page.touchscreen.tap(*page.evaluate(PLACE_OF, layout.ids[0]))
    page.wait_for_selector(".rs-map-tip:not([hidden])")
    assert axe(page) == []


@pytest.fixture(scope="module")
def two_models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """A small gallery under two networks that see the lower half of the crops differently."""

    class Second(ColourNetwork):
        def embed(self, images: Any, *, ids: Any) -> Any:
            seen = super().embed(images, ids=ids)
            vectors = seen.vectors * np.where(np.arange(seen.vectors.shape[1]) < 12, 1.0, 3.0)
            vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
            return type(seen)(vectors.astype(np.float32), seen.ids, self.fingerprint, seen.skipped)

    def load(weights: str) -> LoadedModel:
        network = Second("colour-2") if weights == "second" else ColourNetwork()
        return LoadedModel(network, "colour", 0, (256, 128), "nothing", "none")

    root = tmp_path_factory.mktemp("two-models")
    gallery = write_market(root / "market")
    settings = load_settings(gallery=str(gallery), data_dir=root / "data", extra_weights="second")
    workbench = Workbench(settings, load_model=load)
    workbench.start()
    for job in workbench.jobs():
        workbench.wait_for(job.id, WAIT_S)
    demo = launch(workbench, root / "incoming")
    yield Studio(demo.local_url, workbench)
    demo.close(verbose=False)
    workbench.close()


def test_compare__two_models__slider_moves_the_crops_and_the_first_map_stays(
    two_models: Studio, new_page: Callable[..., Any]
) -> None:
    page = open_map(new_page(reduced_motion="reduce"), two_models.url, "n=5", shown="UMAP")
    places = (
        "async () => { const { cloud } = await window.reid.part('map_view');"
        " return [...cloud.x, ...cloud.y]; }"
    )
    alone = page.evaluate(places)
    page.locator("[data-part=compare-fold] summary").click()
    page.select_option("[data-part=compare]", "second")
    page.wait_for_selector(".rs-map-compare:not([hidden])", timeout=FIT_MS)
    assert page.evaluate(places) == alone
    assert page.locator("[data-part=right]").inner_text() == "second"
    assert "% of the map's radius" in page.locator("[data-part=displacement]").inner_text()
    page.locator("[data-part=blend]").evaluate(
        "node => { node.value = 1; node.dispatchEvent(new Event('input')); }"
    )
    other = page.evaluate(places)
    layout = two_models.workbench.maps.layout(
        MapRequest(
            model="second",
            parameters=type(MapRequest().parameters)(num_neighbours=5),
            aligned_to=two_models.workbench.models()[0].name,
        )
    )
    assert layout is not None
    base = two_models.workbench.maps.layout(
        MapRequest(parameters=type(MapRequest().parameters)(num_neighbours=5))
    )
    assert base is not None
    expected = two_models.workbench.maps.points_in_order_of(base, layout)
    np.testing.assert_allclose(other, expected.T.ravel(), atol=1e-4)
    moved = select_by(page, lambda: page.click("text=moved most"))
    assert len(moved["ids"]) == len(base.ids)
