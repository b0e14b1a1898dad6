"""The Evaluate page as a person uses it, on the shipped network and a small part of the demo city."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlparse

import pytest

from reid_core.data import open_dataset
from reid_core.experiments.evaluate import EvaluationPlan, evaluate_dataset
from reid_core.services.evaluations import FailureFilter, RunInfo, RunRequest
from tests.browser.conftest import FINGER, PHONE, TIMEOUT_MS, Studio, small_targets, until

pytestmark = pytest.mark.browser


def run(studio: Studio, **wanted: object) -> RunInfo:
    evaluations = studio.workbench.evaluations
    job = evaluations.start(RunRequest(**wanted))  # type: ignore[arg-type]
    assert studio.workbench.wait_for(job.id, 600.0).state == "done"
    return evaluations.runs()[0]


@pytest.fixture(scope="module")
def kept(studio: Studio) -> RunInfo:
    """A run that no test deletes."""
    return run(studio, rerank=True, title="Kept run")


def params(page: Any) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlparse(page.url).query).items()}


def open_failures(page: Any, studio: Studio, kept: RunInfo, extra: str = "") -> None:
    page.goto(f"{studio.url}evaluate?run={kept.id}&view=failures{extra}")
    page.wait_for_selector(".rs-failure")


def wait_until_keys_judge(page: Any) -> None:
    """The list is there before the annotator's name and outbox are; their last button says that they are."""
    page.wait_for_selector(".rs-annotator button:has-text('Keys')")


def test_run__started_and_page_reloaded__overview_of_the_new_run(
    studio: Studio, new_page: Callable[..., Any], kept: RunInfo
) -> None:
    page = new_page()
    page.goto(f"{studio.url}evaluate")
    page.wait_for_selector(".rs-tile")
    page.select_option("[data-part=corruption]", "mixed")
    page.fill("[data-part=repeats]", "2")
    assert "crops" in page.locator("[data-part=cost]").inner_text()
    page.fill("#rs-setup [data-part=title]", "Rainy days")
    with studio.workbench._turns.interactive():  # holds the run: it must not be over before the page is back
        page.click("[data-part=start]")
        page.wait_for_selector(".rs-job")
        page.reload()
        page.wait_for_selector(".rs-job")
    page.wait_for_selector("#rs-setup .rs-run:has-text('Rainy days')", timeout=3 * TIMEOUT_MS)
    assert page.locator("#rs-run-title").inner_text() != "Rainy days"  # what one reads is not taken away
    page.click(".rs-notice:has-text('Rainy days is finished') button:has-text('Open it')")
    page.wait_for_selector("#rs-run-title:has-text('Rainy days')")
    table = page.locator("[data-wide]").first.inner_text()
    assert "Corrupted query and gallery (2 repeats)" in table
    assert "±" in table


def test_overview__run__numbers_of_the_service_and_figures_drawn(
    studio: Studio, new_page: Callable[..., Any], kept: RunInfo, axe: Callable[[Any], list[str]]
) -> None:
    page = new_page()
    page.goto(f"{studio.url}evaluate?run={kept.id}")
    page.wait_for_selector(".rs-tile")
    shown = page.locator(".rs-tile b").all_inner_texts()
    assert shown[0] == f"{kept.settings[0].mean['mean_ap'] * 100:.1f}"
    page.locator("[data-figure=cameras]").scroll_into_view_if_needed()
    page.wait_for_selector("[data-figure=cameras] .rs-figure-box[data-drawn] svg.main-svg")
    with page.expect_download() as download:
        page.click("[data-figure=cmc] button:has-text('PNG')")
    assert download.value.suggested_filename == "cmc.png"
    with page.expect_download() as download:
        page.click("[data-figure=cmc] a:has-text('CSV')")
    assert download.value.suggested_filename.startswith("cmc-")
    assert axe(page) == []


def test_failures__opened__worst_query_first_and_arrows_move(
    studio: Studio, new_page: Callable[..., Any], kept: RunInfo, axe: Callable[[Any], list[str]]
) -> None:
    page = new_page()
    open_failures(page, studio, kept)
    evaluations = studio.workbench.evaluations
    opened = evaluations.open(kept.id)
    worst = [opened.queries[row].id for row in evaluations.worst(opened, FailureFilter())]
    assert page.locator(".rs-failure").first.get_attribute("data-query") == worst[0]
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    assert page.locator(".rs-failure[data-current]").get_attribute("data-query") == worst[1]
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.classList.contains('rs-ranked')")
    page.keyboard.press("ArrowLeft")
    assert page.evaluate("document.activeElement.classList.contains('rs-fail-open')")
    assert axe(page) == []


def test_enter__on_a_query__comparison_with_the_first_false_match(
    studio: Studio, new_page: Callable[..., Any], kept: RunInfo
) -> None:
    page = new_page()
    open_failures(page, studio, kept)
    false = page.locator(".rs-failure").first.locator(".rs-fail-false .rs-ranked").get_attribute("data-id")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    dialog = page.locator(".rs-pair")
    dialog.wait_for(state="visible")
    assert false in dialog.inner_text()
    page.keyboard.press("Escape")
    dialog.wait_for(state="hidden")
    page.wait_for_function("document.activeElement.classList.contains('rs-fail-open')")


def test_letters__e_m_s_v__lead_to_the_pair_on_other_pages(
    studio: Studio, new_page: Callable[..., Any], kept: RunInfo
) -> None:
    page = new_page()
    open_failures(page, studio, kept)
    first = page.locator(".rs-failure").first
    query = first.get_attribute("data-query")
    false = first.locator(".rs-fail-false .rs-ranked").get_attribute("data-id")
    names = ("explain", "map", "search", "review")
    links = {name: first.locator(f"a[data-link={name}]").get_attribute("href") for name in names}
    assert parse_qs(urlparse(links["explain"]).query)["c"] == [false]
    assert parse_qs(urlparse(links["map"]).query)["point"] == [query]
    assert parse_qs(urlparse(links["review"]).query)["pair"] == [f"{query},{false}"]
    page.keyboard.press("s")
    page.wait_for_selector(".rs-card")
    assert params(page)["q"] == query
    assert params(page)["g"] == kept.gallery


def test_tag__by_keyboard__stored_counted_filtered_and_undone(
    studio: Studio, new_page: Callable[..., Any], kept: RunInfo
) -> None:
    page = new_page()
    page.add_init_script("localStorage.setItem('reid-annotator', 'ann')")
    open_failures(page, studio, kept)
    wait_until_keys_judge(page)
    query = page.locator(".rs-failure").nth(1).get_attribute("data-query")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("t")
    page.keyboard.press("e")
    page.wait_for_selector(".rs-failure[data-current] .rs-tag[data-kind='label error']")
    page.wait_for_selector("option:has-text('label error (1)')", state="attached")
    page.select_option(".rs-failure-filters [name=kind]", "label error")
    page.wait_for_function("document.querySelectorAll('.rs-failure').length === 1")
    assert page.locator(".rs-failure").get_attribute("data-query") == query
    assert params(page)["kind"] == "label error"
    events = studio.workbench.evaluations.tag_events(kept.gallery)
    assert (events[-1].query, events[-1].kind, events[-1].action) == (query, "label error", "add")
    assert events[-1].who == "ann"
    page.locator(".rs-fail-open").focus()
    page.keyboard.press("z")
    page.wait_for_selector(".rs-tag[data-kind='label error']", state="detached")
    page.wait_for_selector(".rs-toast:has-text('undone')")
    assert studio.workbench.evaluations.tag_events(kept.gallery)[-1].action == "remove"


def test_filters__camera_pair_then_back__list_and_address_follow(
    studio: Studio, new_page: Callable[..., Any], kept: RunInfo
) -> None:
    page = new_page()
    open_failures(page, studio, kept)
    before = page.locator("#rs-failures [data-part=summary]").inner_text()
    camera = page.locator(".rs-failure-filters [name=query] option").nth(1).get_attribute("value")
    page.select_option(".rs-failure-filters [name=query]", camera)
    page.wait_for_function(
        "before => document.querySelector('#rs-failures [data-part=summary]').textContent !== before",
        arg=before,
    )
    assert params(page)["cams"] == f"{camera}-"
    facts = page.locator(".rs-failure .rs-fail-facts").all_inner_texts()
    assert all(f"camera {camera} " in text for text in facts)
    page.go_back()
    page.wait_for_function(
        "before => document.querySelector('#rs-failures [data-part=summary]').textContent === before",
        arg=before,
    )


def test_selection__two_queries__report_of_these_two(
    studio: Studio, new_page: Callable[..., Any], kept: RunInfo
) -> None:
    page = new_page()
    open_failures(page, studio, kept)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("x")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("x")
    assert page.locator("#rs-failures [data-part=selected]").inner_text() == "2 selected"
    with page.expect_popup() as popup:
        page.click("#rs-failures button:has-text('Report')")
    popup.value.wait_for_selector("section")
    popup.value.wait_for_load_state()
    assert popup.value.locator("section").count() == 2
    assert popup.value.evaluate("[...document.images].every(image => image.src.startsWith('data:'))")


def test_compare__plain_and_reranked__tables_tabs_and_two_strips(
    studio: Studio, new_page: Callable[..., Any], kept: RunInfo, axe: Callable[[Any], list[str]]
) -> None:
    page = new_page()
    page.goto(f"{studio.url}evaluate?run={kept.id}&view=compare&rank=reranked")
    page.wait_for_selector("#rs-comparison [data-part=other] option[value$='~plain']", state="attached")
    page.select_option("#rs-comparison [data-part=other]", f"{kept.id}~plain")
    page.wait_for_selector("#rs-comparison caption")
    assert params(page)["vs"] == kept.id
    page.click("[data-list=gain]")
    page.wait_for_selector("[data-list=gain][aria-pressed=true]")
    assert page.locator(".rs-change").first.locator(".rs-rank-strip").count() == 2
    assert "better" in page.locator(".rs-change").first.inner_text()
    page.locator("[data-figure=delta_sorted]").scroll_into_view_if_needed()
    page.wait_for_selector("[data-figure=delta_sorted] .rs-figure-box[data-drawn]")
    assert axe(page) == []


def test_rename_and_delete__own_run__list_follows(
    studio: Studio, new_page: Callable[..., Any], kept: RunInfo
) -> None:
    own = run(studio, seed=11)
    page = new_page()
    page.goto(f"{studio.url}evaluate?run={own.id}")
    page.wait_for_selector(".rs-tile")
    page.click("[data-part=edit]")
    page.fill("[data-part=edit-title]", "<b>Night</b>")
    page.click("[data-part=edit-form] button[type=submit]")
    page.wait_for_selector("#rs-run-title:has-text('<b>Night</b>')")
    page.click("[data-part=delete]")
    page.click("[data-part=delete]")
    page.wait_for_selector(f"[data-run='{own.id}']", state="detached")
    assert own.id not in [info.id for info in studio.workbench.evaluations.runs()]


def test_phone__failures__nothing_wider_than_the_screen(
    studio: Studio, new_page: Callable[..., Any], kept: RunInfo, axe: Callable[[Any], list[str]]
) -> None:
    page = new_page(**FINGER)
    open_failures(page, studio, kept)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    wait_until_keys_judge(page)
    page.locator(".rs-failure").first.locator("button:has-text('Tag')").click()
    page.wait_for_selector(".rs-tag-bar")
    assert small_targets(page) == []
    assert axe(page) == []
    page.locator(".rs-tag-bar button:has-text('no tag')").click()
    page.goto(f"{studio.url}evaluate?run={kept.id}")
    page.wait_for_selector(".rs-tile")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert axe(page) == []


def test_run__small_city__same_numbers_as_the_command(
    studio: Studio, kept: RunInfo, small_city: Any, tmp_path: Any
) -> None:
    from reid_core.models import Embedder

    found = evaluate_dataset(open_dataset(small_city), Embedder("demo"), EvaluationPlan(), cache_dir=tmp_path)
    for name, value in found.settings[0].mean.items():
        assert kept.settings[0].mean[name] == pytest.approx(value, abs=1e-6)
    opened = studio.workbench.evaluations.open(kept.id)
    own = {
        image.id.rsplit("/", 1)[-1]: ap
        for image, ap in zip(opened.queries, opened.report.per_query.ap, strict=True)
    }
    for record, ap in zip(found.query, found.report.per_query.ap, strict=True):
        assert own[record.image_id.rsplit("/", 1)[-1]] == pytest.approx(ap, abs=1e-6)


def test_judge__list_opened_by_its_tab__keys_act_on_the_first_query(
    studio: Studio, new_page: Callable[..., Any], kept: RunInfo
) -> None:
    page = new_page()
    page.add_init_script("localStorage.setItem('reid-annotator', 'tab-judge')")
    page.goto(f"{studio.url}evaluate?run={kept.id}")
    page.click("a[data-view=failures]")
    page.wait_for_selector(".rs-failure")
    wait_until_keys_judge(page)
    page.keyboard.press("j")
    page.locator(".rs-failure").first.locator(".rs-fail-false .rs-label[data-label=different]").wait_for()
    page.keyboard.press("z")
    page.locator(".rs-failure").first.locator(".rs-fail-false .rs-label").wait_for(state="detached")


def test_judge__all_left_of_a_query__one_confirmation_and_one_undo(
    studio: Studio, new_page: Callable[..., Any], kept: RunInfo
) -> None:
    page = new_page()
    page.add_init_script("localStorage.setItem('reid-annotator', 'row-judge')")
    open_failures(page, studio, kept)
    wait_until_keys_judge(page)
    row = page.locator(".rs-failure").nth(1)
    number = row.locator(".rs-rank-strip [data-label-id]").count()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("a")
    dialog = page.locator("dialog[open]")
    dialog.locator("[data-answer=rest]").click()
    row.locator(".rs-rank-strip .rs-label[data-label=different]").first.wait_for()
    query = row.get_attribute("data-query")
    ids = row.locator(".rs-rank-strip [data-label-id]").evaluate_all("l => l.map(n => n.dataset.labelId)")

    def judged() -> int:
        states = studio.workbench.review.pair_states(query, ids, gallery=kept.gallery)
        return sum(
            state.answer == "different" and state.annotator == "row-judge" for state in states.values()
        )

    until(page, lambda: 0 < judged() <= number)
    assert page.locator(".rs-failure").first.locator(".rs-label:not([data-inferred])").count() == 0
    page.keyboard.press("z")
    until(page, lambda: judged() == 0)


def test_judge__in_the_list__badge_next_query_and_undo_in_order(
    studio: Studio, new_page: Callable[..., Any], kept: RunInfo
) -> None:
    page = new_page()
    page.add_init_script("localStorage.setItem('reid-annotator', 'list-judge')")
    open_failures(page, studio, kept)
    first = page.locator(".rs-failure").first
    query = first.get_attribute("data-query")
    card = first.locator(".rs-fail-false .rs-ranked")
    false = card.get_attribute("data-id")
    wait_until_keys_judge(page)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("j")
    card.locator(".rs-label[data-label=different]").wait_for()
    page.wait_for_function("document.querySelectorAll('.rs-failure')[1].hasAttribute('data-current')")

    def known() -> tuple[str, str]:
        state = studio.workbench.review.pair_states(query, [false], gallery=kept.gallery)[false]
        return state.answer, state.annotator

    until(page, lambda: known() == ("different", "list-judge"))

    page.keyboard.press("t")
    page.keyboard.press("j")  # the letter of a failure kind, no judgement
    page.wait_for_selector(".rs-failure[data-current] .rs-tag[data-kind=junk]")
    page.wait_for_selector(".rs-toast:has-text('Tagged as junk')")
    second = page.locator(".rs-failure").nth(1)
    assert second.locator(".rs-label:not([data-inferred])").count() == 0
    page.keyboard.press("z")
    second.locator(".rs-tag[data-kind=junk]").wait_for(state="detached")
    assert card.locator(".rs-label").count() == 1
    page.wait_for_selector(".rs-toast:has-text('undone')")
    page.keyboard.press("z")
    card.locator(".rs-label").wait_for(state="detached")
    until(page, lambda: known()[0] == "")


def test_judge__crop_of_the_ranking__space_and_the_comparison_share_keys(
    studio: Studio, new_page: Callable[..., Any], kept: RunInfo
) -> None:
    page = new_page()
    page.add_init_script("localStorage.setItem('reid-annotator', 'strip-judge')")
    open_failures(page, studio, kept)
    wait_until_keys_judge(page)
    row = page.locator(".rs-failure").nth(3)
    strip = row.locator(".rs-rank-strip .rs-ranked")
    strip.nth(1).focus()
    page.keyboard.press("Space")
    strip.nth(1).locator(".rs-label[data-label=cannot_tell]").wait_for()
    assert page.locator(".rs-pair").is_hidden()
    page.wait_for_function(
        "id => document.activeElement.dataset.id === id", arg=strip.nth(2).get_attribute("data-id")
    )
    page.keyboard.press("Enter")
    page.wait_for_selector(".rs-pair[open] .rs-annotator")
    page.wait_for_timeout(160)  # two answers within 150 ms count as one press
    page.keyboard.press("j")
    strip.nth(2).locator(".rs-label[data-label=different]").wait_for(state="attached")
    page.keyboard.press("Escape")
    page.wait_for_selector("#rs-failures .rs-annotator")


def test_camera_pairs__table__cell_leads_to_its_queries(
    studio: Studio, new_page: Callable[..., Any], kept: RunInfo
) -> None:
    page = new_page()
    page.goto(f"{studio.url}evaluate?run={kept.id}")
    cell = page.locator("table:has(caption:has-text('mAP by camera pair')) td a").first
    cell.wait_for()
    number = int(cell.get_attribute("title").split()[0].replace(",", ""))
    cell.focus()
    page.keyboard.press("Enter")
    page.wait_for_selector(".rs-failure")
    assert params(page)["cams"]
    assert page.locator("#rs-failures [data-part=summary]").inner_text().startswith(f"{number} quer")


def test_comparison__re_ranked__says_distance_not_similarity(
    studio: Studio, new_page: Callable[..., Any], kept: RunInfo
) -> None:
    page = new_page()
    open_failures(page, studio, kept, "&rank=reranked")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_selector(".rs-pair[open]")
    assert page.locator(".rs-pair [data-part=measure]").inner_text() == "Distance"
    assert page.locator(".rs-pair [data-part=meter-bar]").is_hidden()
    assert not page.locator(".rs-pair [data-part=labels]").get_attribute("data-label-similarity")


def test_comparison__j__judged_in_place_and_taken_back(
    studio: Studio, new_page: Callable[..., Any], kept: RunInfo
) -> None:
    page = new_page()
    page.add_init_script("localStorage.setItem('reid-annotator', 'fay')")
    open_failures(page, studio, kept)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_selector(".rs-pair[open] .rs-labelling:not([hidden])")
    wait_until_keys_judge(page)
    card = page.locator(".rs-labelling")
    query, other = card.get_attribute("data-label-query"), card.get_attribute("data-label-id")
    page.keyboard.press("j")
    page.wait_for_function("id => document.querySelector('.rs-labelling').dataset.labelId !== id", arg=other)
    review = studio.workbench.review
    until(page, lambda: review.pair_states(query, [other])[other].annotator == "fay")
    page.keyboard.press("z")
    page.wait_for_selector("[data-action=redo]:not([disabled])")
    until(page, lambda: review.pair_states(query, [other])[other].answer == "")
