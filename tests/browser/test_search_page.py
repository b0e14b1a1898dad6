"""The Search page as a person uses it."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlparse

import pytest
from PIL import Image

from reid_core.errors import InputError
from reid_core.services import SearchRequest, SearchResult
from tests.browser.conftest import PHONE, App, Watched
from tests.webapp_fakes import HOSTILE_ID, FakeWorkbench, draw_figure

pytestmark = pytest.mark.browser

PERSON_5 = "0005_c2s1_000420_00.jpg"


def params(page: Any) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlparse(page.url).query).items()}


def jpeg(image: Image.Image, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=95, **options)
    return buffer.getvalue()


def upload(page: Any, content: bytes, name: str = "crop.jpg") -> None:
    page.set_input_files("#rs-file", {"name": name, "mimeType": "image/jpeg", "buffer": content})


def wait_for_query(page: Any, start: str) -> None:
    page.wait_for_function(
        "start => new URLSearchParams(location.search).get('q')?.startsWith(start)", arg=start
    )
    page.wait_for_function("document.querySelector('.rs-grid').getAttribute('aria-busy') === 'false'")


def focused_rank(page: Any) -> str:
    return str(page.evaluate("document.activeElement.querySelector('.rs-rank')?.textContent ?? ''"))


def wait_for_focused_rank(page: Any, rank: str) -> None:
    """A dialog gives the focus back a moment after it is gone."""
    page.wait_for_function(
        "rank => document.activeElement.querySelector('.rs-rank')?.textContent === rank", arg=rank
    )


def test_first_visit__no_query__first_example_is_already_searched(search_page: Any) -> None:
    assert search_page.locator(".rs-card").count() == 50
    assert params(search_page)["q"] == search_page.locator("[aria-pressed=true].rs-example").get_attribute(
        "data-id"
    )
    assert "Rank-1" in search_page.locator("[data-part=summary]").inner_text()
    assert search_page.locator(".rs-sighting").count() > 1


def test_upload__crop_of_a_person__same_person_first_then_compared(app: App, search_page: Any) -> None:
    upload(search_page, app.workbench.image_bytes("", PERSON_5))
    wait_for_query(search_page, "upload:")
    first = search_page.locator(".rs-card-open").first
    assert first.get_attribute("data-id").startswith("0005_")
    assert "ID 5" in first.inner_text()
    first.click()
    dialog = search_page.locator(".rs-pair")
    assert "Match 1 of 50" in dialog.inner_text()
    search_page.keyboard.press("ArrowRight")
    assert "Match 2 of 50" in dialog.inner_text()
    search_page.keyboard.press("Escape")
    dialog.wait_for(state="hidden")
    wait_for_focused_rank(search_page, "2")


def test_compare__wheel_and_keys__both_pictures_move_together(search_page: Any) -> None:
    search_page.locator(".rs-card-open").nth(2).click()
    panes = search_page.locator(".rs-pane")
    area = panes.nth(1).bounding_box()
    search_page.mouse.move(area["x"] + area["width"] * 0.5, area["y"] + area["height"] * 0.2)
    search_page.mouse.wheel(0, -600)
    moved = [panes.nth(n).locator("img").evaluate("node => node.style.transform") for n in (0, 1)]
    assert moved[0] == moved[1]
    assert "scale(1)" not in moved[0]
    search_page.keyboard.press("0")
    assert "scale(1)" in panes.nth(0).locator("img").evaluate("node => node.style.transform")
    search_page.keyboard.press("+")
    assert search_page.locator("[data-part=zoom]").inner_text() == "150%"


def test_compare__panes__equal_boxes_and_pictures_never_stretched(search_page: Any) -> None:
    search_page.locator(".rs-card-open").first.click()
    boxes = [search_page.locator(".rs-pane").nth(n).bounding_box() for n in (0, 1)]
    assert boxes[0]["width"] == pytest.approx(boxes[1]["width"], abs=1)
    assert boxes[0]["height"] == pytest.approx(boxes[1]["height"], abs=1)
    fits = search_page.evaluate(
        "[...document.querySelectorAll('.rs-pane img, .rs-card-picture img, .rs-query-picture img')]"
        ".every(node => getComputedStyle(node).objectFit === 'contain')"
    )
    assert fits


def test_photo_with_exif__box_drawn__that_part_of_the_upright_photo(app: App, search_page: Any) -> None:
    photo = Image.new("RGB", (1200, 900), "#777777")
    photo.paste(draw_figure(5, 2, size=(300, 600)), (800, 200))
    exif = Image.Exif()
    exif[0x0112] = 6  # stored lying on its side: turn clockwise to see it upright
    upload(search_page, jpeg(photo.transpose(Image.Transpose.ROTATE_90), exif=exif), "photo.jpg")
    stage = search_page.locator(".rs-crop-stage img")
    stage.wait_for()
    area = stage.bounding_box()
    assert area["width"] / area["height"] == pytest.approx(1200 / 900, rel=0.02)
    scale = area["width"] / 1200
    search_page.mouse.move(area["x"] + 800 * scale, area["y"] + 200 * scale)
    search_page.mouse.down()
    search_page.mouse.move(area["x"] + 1000 * scale, area["y"] + 700 * scale)
    search_page.mouse.move(area["x"] + 1100 * scale, area["y"] + 800 * scale)
    search_page.mouse.up()
    search_page.click("text=Search this person")
    wait_for_query(search_page, "upload:")
    stored = app.workbench.uploads[params(search_page)["q"]]
    assert stored.size == pytest.approx((300, 600), abs=5)
    assert search_page.locator(".rs-card-open").first.get_attribute("data-id").startswith("0005_")
    assert search_page.locator("text=Draw box").is_visible()


def test_photo_box__keys_only__moves_and_searches(app: App, search_page: Any) -> None:
    upload(search_page, jpeg(draw_figure(3, 1, size=(900, 900))))
    search_page.locator(".rs-crop-stage").wait_for()
    before = search_page.locator("[data-part=crop-size]").inner_text()
    search_page.keyboard.press("ArrowLeft")
    search_page.keyboard.press("Shift+ArrowLeft")
    assert search_page.locator("[data-part=crop-size]").inner_text() != before
    search_page.keyboard.press("Enter")
    wait_for_query(search_page, "upload:")


def test_paste__picture_from_the_clipboard__becomes_the_query(app: App, search_page: Any) -> None:
    content = list(app.workbench.image_bytes("", PERSON_5))
    search_page.evaluate(
        """bytes => {
            const transfer = new DataTransfer();
            transfer.items.add(new File([new Uint8Array(bytes)], "p.jpg", { type: "image/jpeg" }));
            const event = new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true });
            document.body.dispatchEvent(event);
        }""",
        content,
    )
    wait_for_query(search_page, "upload:")


def test_webcam__picture_taken__box_editor_opens(search_page: Any) -> None:
    search_page.click("[data-part=webcam]")
    search_page.wait_for_function("document.querySelector('[data-part=camera-video]').videoWidth > 0")
    search_page.click("text=Take picture")
    search_page.locator(".rs-crop-stage").wait_for()
    search_page.click("text=Use the whole picture")
    wait_for_query(search_page, "upload:")


def test_example__dragged_onto_the_query__is_searched(search_page: Any) -> None:
    example = search_page.locator(".rs-example").nth(4)
    search_page.drag_and_drop(".rs-examples li:nth-child(5) button", ".rs-drop")
    wait_for_query(search_page, example.get_attribute("data-id"))
    assert example.get_attribute("aria-pressed") == "true"


def test_gallery_image__button_and_q_key__becomes_the_query_and_back_returns(search_page: Any) -> None:
    first_query = params(search_page)["q"]
    card = search_page.locator(".rs-card").nth(3)
    wanted = card.locator(".rs-card-open").get_attribute("data-id")
    card.hover()
    card.locator(".rs-card-query").click()
    wait_for_query(search_page, wanted)
    search_page.locator(".rs-card-open").nth(1).focus()
    by_key = search_page.locator(".rs-card-open").nth(1).get_attribute("data-id")
    search_page.keyboard.press("q")
    wait_for_query(search_page, by_key)
    search_page.go_back()
    wait_for_query(search_page, wanted)
    search_page.go_back()
    wait_for_query(search_page, first_query)


def test_keys__arrows_home_end_enter_help__move_and_open(search_page: Any) -> None:
    search_page.keyboard.press("ArrowRight")
    assert focused_rank(search_page) == "1"
    search_page.keyboard.press("ArrowRight")
    assert focused_rank(search_page) == "2"
    search_page.keyboard.press("ArrowDown")
    per_row = int(focused_rank(search_page)) - 2
    tops = search_page.evaluate(
        "[...document.querySelectorAll('.rs-card')].map(node => Math.round(node.getBoundingClientRect().top))"
    )
    assert per_row == tops.count(tops[0])
    search_page.keyboard.press("End")
    assert focused_rank(search_page) == "50"
    search_page.keyboard.press("Home")
    assert focused_rank(search_page) == "1"
    search_page.keyboard.press("Enter")
    search_page.locator(".rs-pair").wait_for()
    search_page.keyboard.press("Escape")
    search_page.locator(".rs-pair").wait_for(state="hidden")
    search_page.keyboard.press("?")
    search_page.locator(".rs-keys-dialog").wait_for()
    search_page.keyboard.press("Escape")
    search_page.locator(".rs-keys-dialog").wait_for(state="hidden")


def test_keys__while_a_slider_or_selector_has_the_focus__stay_with_it(search_page: Any) -> None:
    query = params(search_page)["q"]
    for place in ("#rs-filters [data-part=k]", "#rs-header [data-part=model]"):
        search_page.focus(place)
        search_page.keyboard.press("q")
        search_page.keyboard.press("?")
        assert not search_page.locator(".rs-keys-dialog").is_visible()
    assert params(search_page)["q"] == query


def test_tab__through_the_page__the_grid_is_one_stop(search_page: Any) -> None:
    stops = search_page.locator(".rs-grid button[tabindex='0']")
    assert stops.count() == 1


def test_filters__camera_time_same_camera_rerank_and_k__in_address_and_results(search_page: Any) -> None:
    search_page.click("[data-camera='3']")
    search_page.wait_for_function("document.querySelectorAll('.rs-card').length < 50")
    assert params(search_page)["cam"] == "3"
    assert set(search_page.locator(".rs-card-place span:first-child").all_inner_texts()) == {"cam 3"}
    search_page.click("text=Clear filters")
    search_page.wait_for_function("!new URLSearchParams(location.search).has('cam')")
    search_page.check("[data-part=same]")
    search_page.wait_for_selector(".rs-card [data-verdict=same_camera]", state="attached")
    assert params(search_page)["same"] == "1"
    search_page.check("[data-part=rerank]")
    search_page.wait_for_selector("text=Re-ranked")
    search_page.focus("[data-part=k]")
    search_page.keyboard.press("End")
    search_page.wait_for_function("document.querySelectorAll('.rs-card').length > 100")
    assert params(search_page)["k"] == "200"
    search_page.focus("[data-part=to]")
    for _ in range(3):
        search_page.keyboard.press("PageDown")
    search_page.wait_for_function("new URLSearchParams(location.search).has('to')")
    assert float(params(search_page)["to"]) < 2940


def test_link__with_everything_set__reopens_the_same_view(app: App, new_page: Callable[..., Any]) -> None:
    page = new_page()
    link = f"{app.url}?q={PERSON_5}&g=plain&m=other&k=20&cam=1,3&from=0&to=2000&same=1&rerank=1"
    page.goto(link)
    page.wait_for_selector(".rs-card")
    assert params(page) == params(type("Link", (), {"url": link}))
    assert page.locator("[data-camera][aria-pressed=true]").all_inner_texts() == ["1", "3"]
    assert page.is_checked("[data-part=same]")
    assert page.is_checked("[data-part=rerank]")
    page.wait_for_function("document.querySelector('[data-part=gallery]').value === 'plain'")
    assert page.locator("[data-part=model]").first.input_value() == "other"
    assert page.locator("[data-part=k-text]").inner_text() == "20"


def test_link__to_a_comparison__opens_it(app: App, search_page: Any, new_page: Callable[..., Any]) -> None:
    search_page.locator(".rs-card-open").nth(4).click()
    search_page.wait_for_function("new URLSearchParams(location.search).has('pair')")
    other = new_page()
    other.goto(search_page.url)
    other.locator(".rs-pair").wait_for()
    assert "Match 5 of 50" in other.locator(".rs-pair").inner_text()


def test_selectors__other_gallery__address_examples_and_links_follow(search_page: Any) -> None:
    search_page.select_option("#rs-header [data-part=gallery]", "plain")
    search_page.wait_for_function("new URLSearchParams(location.search).get('g') === 'plain'")
    search_page.wait_for_function("document.querySelector('.rs-nav a:last-child').href.includes('g=plain')")
    search_page.go_back()
    search_page.wait_for_function("document.querySelector('[data-part=gallery]').value === 'figures'")


def test_hostile_id__everywhere_it_is_shown__is_text(app: App, new_page: Callable[..., Any]) -> None:
    page = new_page()
    page.goto(f"{app.url}?k=200&same=1&q=0001_c1s1_001080_00.jpg")
    page.wait_for_selector(".rs-card")
    card = page.locator(f".rs-card-open[data-id='{HOSTILE_ID}']")
    card.click()
    assert page.locator("[data-part=right-name]").inner_text() == HOSTILE_ID
    assert "<b>note</b>" in page.locator(".rs-compare").inner_text()
    page.click("[data-part=use]")
    wait_for_query(page, "<img")
    assert page.locator("img[src=x]").count() == 0


def test_gallery_being_embedded__progress_first__then_results_by_themselves(
    start_app: Callable[..., App], new_page: Callable[..., Any]
) -> None:
    app = start_app(FakeWorkbench(polls_until_ready=3))
    page = new_page()
    page.goto(app.url)
    page.wait_for_selector("[data-part=state]:has(progress):has-text('Embedding Drawn figures')")
    page.wait_for_selector(".rs-card")
    assert page.locator("[data-part=state] progress").count() == 0


def test_errors__bad_link_and_bad_file__sentences_in_place(app: App, search_page: Any) -> None:
    search_page.goto(f"{app.url}?q=nobody.jpg")
    search_page.wait_for_selector("[role=alert]")
    assert "no image 'nobody.jpg'" in search_page.locator("[data-part=state]").inner_text()
    search_page.locator(".rs-example").first.click()
    search_page.wait_for_selector(".rs-card")
    upload(search_page, b"this is not a picture", "notes.jpg")
    search_page.wait_for_selector("#rs-query [role=alert]")
    assert "could not be read as an image" in search_page.locator("#rs-query [role=alert]").inner_text()
    assert search_page.locator(".rs-card").count() == 50


def test_errors__bug_on_the_server__sentence_and_the_page_goes_on(
    start_app: Callable[..., App], new_page: Callable[..., Any], watched: Watched
) -> None:
    class Breaking(FakeWorkbench):
        is_broken = False

        def search(self, request: SearchRequest) -> SearchResult:
            if self.is_broken:
                raise RuntimeError("a bug")
            return super().search(request)

    watched.ignored.append("500")
    workbench = Breaking()
    page = new_page()
    page.goto(start_app(workbench).url)
    page.wait_for_selector(".rs-card")
    workbench.is_broken = True
    page.locator(".rs-example").nth(2).click()
    page.wait_for_selector("text=The server gave no answer")
    workbench.is_broken = False
    page.click("button:has-text('Try again')")
    page.wait_for_selector(".rs-card")


def test_other_shapes__wide_and_square_gallery_images__letterboxed_in_equal_cards(
    start_app: Callable[..., App], new_page: Callable[..., Any]
) -> None:
    class Shapes(FakeWorkbench):
        def _picture(self, image_id: str) -> Image.Image:
            picture = super()._picture(image_id)
            return picture.resize((200, 100)) if image_id.startswith("0002") else picture

    page = new_page()
    page.goto(start_app(Shapes()).url)
    page.wait_for_selector(".rs-card")
    heights = page.evaluate(
        "[...document.querySelectorAll('.rs-card-picture')].map(node => node.getBoundingClientRect())"
        ".map(box => [Math.round(box.width), Math.round(box.height)].join())"
    )
    assert len(set(heights)) == 1
    width, height = map(int, heights[0].split(","))
    assert height == pytest.approx(2 * width, abs=2)


def test_theme__system_then_switched__remembered(app: App, new_page: Callable[..., Any]) -> None:
    page = new_page(color_scheme="dark")
    page.goto(app.url)
    page.wait_for_selector(".rs-card")
    assert page.evaluate("document.body.classList.contains('dark')")
    page.click("[aria-label='Switch to light']")
    page.reload()
    page.wait_for_selector("[aria-label='Switch to dark']")
    page.wait_for_selector(".rs-card")
    assert not page.evaluate("document.body.classList.contains('dark')")


@pytest.mark.parametrize("path", ["", "data"])
def test_phone__390_px__nothing_wider_than_the_screen_and_the_menu_opens(
    app: App, new_page: Callable[..., Any], path: str
) -> None:
    page = new_page(viewport=PHONE, is_mobile=True, has_touch=True)
    page.goto(f"{app.url}{path}")
    page.wait_for_selector(".rs-card, .rs-item")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert not page.locator(".rs-nav").is_visible()
    page.tap("[data-part=menu]")
    assert page.locator(".rs-nav a").last.is_visible()
    page.keyboard.press("Escape")
    assert not page.locator(".rs-nav").is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe__search_page_and_comparison__nothing_serious(
    app: App, new_page: Callable[..., Any], axe: Callable[[Any], list[str]], scheme: str
) -> None:
    page = new_page(color_scheme=scheme)
    page.goto(f"{app.url}?same=1&q=0001_c1s1_001080_00.jpg")
    page.wait_for_selector(".rs-card")
    assert axe(page) == []
    page.locator(".rs-card-open").nth(1).click()
    page.locator(".rs-pair").wait_for()
    assert axe(page) == []


def test_thumbnails__of_a_ranking__come_from_our_route_and_stay_cached(search_page: Any) -> None:
    sources = search_page.evaluate("[...document.querySelectorAll('.rs-card img')].map(node => node.src)")
    assert all("/gradio_api/reid/image/" in source for source in sources)
    answer = search_page.request.get(sources[0])
    assert answer.headers["cache-control"] == "private, max-age=31536000, immutable"


def test_no_attributes_no_times_no_cameras__plain_folder__still_reads_well(
    start_app: Callable[..., App], new_page: Callable[..., Any]
) -> None:
    class Plain(FakeWorkbench):
        def search(self, request: SearchRequest) -> SearchResult:
            found = super().search(request)
            hits = tuple(
                replace(hit, pid=None, camid=None, time_s=None, verdict="unknown") for hit in found.hits
            )
            return replace(found, hits=hits, query=replace(found.query, pid=None, camid=None, time_s=None))

        def store_upload(self, image: Any, *, box: Any = None) -> Any:
            raise InputError("This gallery takes no pictures.")

    page = new_page()
    app = start_app(Plain())
    page.goto(app.url)
    page.wait_for_selector(".rs-card")
    assert not page.locator("[data-part=sightings]").is_visible()
    assert "no time" not in page.locator(".rs-grid").inner_text()
    upload(page, app.workbench.image_bytes("", PERSON_5))
    page.wait_for_selector("text=This gallery takes no pictures.")
