"""Identities, History, and judging in place on Search, on a real workbench of their own."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from reid_core.services import Workbench
from reid_core.settings import load_settings
from tests.browser.conftest import FINGER, Studio, Watched, launch, small_targets, until

pytestmark = pytest.mark.browser

NAME = "localStorage.setItem('reid-annotator', 'ann')"


@pytest.fixture(scope="module")
def own(small_city: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """A workbench whose judgements belong to the tests of this file; each uses people of its own."""
    data_dir = tmp_path_factory.mktemp("identities")
    workbench = Workbench(load_settings(gallery=str(small_city), data_dir=data_dir))
    workbench.start()
    for job in workbench.jobs():
        assert workbench.wait_for(job.id, 240.0).state == "done"
    workbench.review.similar("identity:1")  # evidence is made before somebody waits for it
    demo = launch(workbench, data_dir / "incoming")
    yield Studio(demo.local_url, workbench)
    demo.close(verbose=False)
    workbench.close()


@pytest.fixture
def open_as_ann(own: Studio, new_page: Callable[..., Any]) -> Callable[..., Any]:
    def open_page(address: str, **options: Any) -> Any:
        page = new_page(**options)
        page.add_init_script(NAME)
        page.goto(f"{own.url}{address}")
        return page

    return open_page


def crops(own: Studio, pid: int) -> list[str]:
    return [face.crop for face in own.workbench.review.identity(f"identity:{pid}").crops]


def give(own: Studio, *items: dict[str, Any], by: str = "bob") -> None:
    sent = [{"id": str(uuid.uuid4()), **item} for item in items]
    results = own.workbench.review.answer(sent, by)
    assert {result.status for result in results} == {"saved"}, results


def pair(left: str, right: str, answer: str = "same", **more: Any) -> dict[str, Any]:
    return {"kind": "pair", "left": left, "right": right, "answer": answer, **more}


def wait_saved(page: Any) -> None:
    page.wait_for_selector(".rs-saved[data-state=saved][data-waiting='0']")


def wait_title(page: Any, text: str) -> None:
    page.wait_for_function(
        "text => document.querySelector('.ri-head h2')?.textContent === text", arg=text, timeout=60_000
    )


def compare_with_nearest(page: Any) -> None:
    page.locator(".ri-look").first.click()
    page.wait_for_selector(".ri-compare:not([hidden]) .ri-answer")


# ---- identities --------------------------------------------------------------------------------------------


def test_list__search_state_and_sort__in_the_address_and_back(own: Studio, open_as_ann: Any) -> None:
    page = open_as_ann("identities")
    page.wait_for_selector(".ri-card")
    assert "20 identities" in page.locator("[data-part=count]").inner_text()
    page.fill("#identity_filter [data-part=text]", "identity 1")
    page.wait_for_function("new URLSearchParams(location.search).get('text') === 'identity 1'")
    page.wait_for_function(
        "[...document.querySelectorAll('.ri-card b')].every(b => b.textContent.startsWith('Identity 1'))"
    )
    page.select_option("#identity_filter [data-part=sort]", "suspicion")
    page.wait_for_function("location.search.includes('sort=suspicion')")
    page.wait_for_selector("#rs-identities [data-part=list]:not([aria-busy]) .ri-card")
    page.locator(".ri-card-link").first.focus()
    page.keyboard.press("ArrowRight")
    focused = page.evaluate("document.activeElement.dataset.node")
    page.keyboard.press("Enter")
    page.wait_for_selector(".ri-crop")
    assert f"id={focused}" in page.url.replace("%3A", ":")
    page.keyboard.press("Escape")
    page.wait_for_selector(".ri-card")
    assert page.evaluate("document.activeElement.dataset.node") == focused


def test_list__nothing_passes__said_so(open_as_ann: Any) -> None:
    page = open_as_ann("identities?text=nobody-is-called-that")
    page.wait_for_selector("#rs-identities .rs-notice")
    assert "No identity passes" in page.locator("#rs-identities .rs-notice").inner_text()


def test_merge__by_keys_from_look_alikes__consequence_first_then_undo(own: Studio, open_as_ann: Any) -> None:
    page = open_as_ann("identities?id=identity:2")
    wait_title(page, "Identity 2")
    compare_with_nearest(page)
    line = page.locator(".ri-answer[data-answer=same] small").inner_text()
    sizes = own.workbench.review.similar("identity:2")[0].identity.num_crops
    assert line.startswith(f"merges {len(crops(own, 2))} + {sizes} crops")
    page.keyboard.press("f")
    page.wait_for_function("document.querySelector('.ri-head h2').textContent.includes(' + ')")
    page.wait_for_selector(".ri-link[data-bridge]")
    assert "hangs on this one judgement" in page.locator(".ri-link[data-bridge]").inner_text()
    wait_saved(page)
    page.keyboard.press("z")
    wait_title(page, "Identity 2")
    assert page.locator(".ri-link[data-bridge]").count() == 0


def test_compare__space__cannot_tell_and_merges_nothing(own: Studio, open_as_ann: Any) -> None:
    page = open_as_ann("identities?id=identity:18")
    wait_title(page, "Identity 18")
    compare_with_nearest(page)
    page.keyboard.press("Space")
    wait_until_given(page, own, "identity:18", "cannot_tell")
    assert own.workbench.review.identity("identity:18").summary.pids == (18,)


def test_compare__keys_of_prodigy__judge_here_too_and_the_caps_say_so(own: Studio, open_as_ann: Any) -> None:
    page = open_as_ann("identities?id=identity:19")
    wait_title(page, "Identity 19")
    page.keyboard.press("?")
    page.select_option("dialog[open] select", "Prodigy")
    page.keyboard.press("Escape")
    compare_with_nearest(page)
    assert page.locator(".ri-answer[data-answer=different] kbd").inner_text() == "X"
    page.keyboard.press("j")  # means nothing among these keys
    page.keyboard.press("x")
    wait_until_given(page, own, "identity:19", "different")
    wait_saved(page)
    page.keyboard.press("Backspace")
    until(page, lambda: not own.workbench.review.identity("identity:19").separations)


def test_keys__switched_off__no_letter_does_anything(own: Studio, open_as_ann: Any) -> None:
    page = open_as_ann("identities?id=identity:20")
    page.evaluate("localStorage.setItem('reid-review-keys', JSON.stringify({isOn: false}))")
    page.reload()
    wait_title(page, "Identity 20")
    page.keyboard.press("n")
    page.keyboard.press("?")
    page.wait_for_timeout(300)  # nothing to wait for: nothing happens
    assert page.locator("dialog[open]").count() == 0
    assert page.locator(".ri-head kbd:visible").count() == 0
    page.locator(".ri-crop").first.focus()
    page.keyboard.press("ArrowRight")  # arrows are no single-letter keys
    page.wait_for_function("document.querySelectorAll('.ri-crop')[1] === document.activeElement")


def wait_until_given(page: Any, own: Studio, node: str, answer: str) -> None:
    history = own.workbench.review.history
    until(page, lambda: [event.answer for event in history(node=node).events[:1]] == [answer])


def test_split__odd_ones_picked_by_keys__new_identity_and_undo(own: Studio, open_as_ann: Any) -> None:
    before = crops(own, 3)
    page = open_as_ann("identities?id=identity:3")
    page.wait_for_selector(".ri-crop")
    page.locator(".ri-crop").first.focus()
    page.keyboard.press("Space")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    picked = page.eval_on_selector_all(".ri-crop[aria-pressed=true]", "list => list.map(n => n.dataset.crop)")
    assert len(picked) == 2
    page.wait_for_function("document.querySelector('.ri-picked').textContent.includes('new identity of 2')")
    page.keyboard.press("s")
    page.locator("dialog[open] [data-answer=split]").click()
    page.wait_for_function(f"document.querySelectorAll('.ri-crop').length === {len(before) - 2}")
    assert set(crops(own, 3)) == set(before) - set(picked)
    assert {own.workbench.review.identity_of(crop) for crop in picked} == {min(picked)}
    wait_saved(page)
    page.keyboard.press("z")
    page.wait_for_function(f"document.querySelectorAll('.ri-crop').length === {len(before)}")
    assert crops(own, 3) == before


def test_move__crop_to_a_searched_identity(own: Studio, open_as_ann: Any) -> None:
    page = open_as_ann("identities?id=identity:4")
    page.wait_for_selector(".ri-crop")
    moved = page.locator(".ri-crop").first.get_attribute("data-crop")
    page.locator(".ri-crop").first.click()
    page.get_by_role("button", name="Move to").click()
    page.fill("dialog[open] input[type=search]", "identity 5")
    page.locator("dialog[open] .ri-choice", has_text="Identity 5").locator("input").check()
    page.locator("dialog[open] [data-answer=ok]").click()
    page.locator("dialog[open] [data-answer=move]").click()
    page.wait_for_function("id => !document.querySelector(`.ri-crop[data-crop='${id}']`)", arg=moved)
    assert moved in crops(own, 5)


def test_rename__name_with_markup__shown_as_text_and_searchable(own: Studio, open_as_ann: Any) -> None:
    page = open_as_ann("identities?id=identity:6")
    wait_title(page, "Identity 6")
    page.keyboard.press("n")
    page.fill("#ri-name", "<b>red</b> ${7*7}")
    page.keyboard.press("Enter")
    wait_title(page, "<b>red</b> ${7*7} (6)")
    assert own.workbench.review.identities(text="red")[0][0].node == "identity:6"


def test_stale__others_changed_it_meanwhile__told_and_shown_anew(own: Studio, open_as_ann: Any) -> None:
    page = open_as_ann("identities?id=identity:7")
    page.wait_for_selector(".ri-crop")
    compare_with_nearest(page)
    give(own, pair(crops(own, 7)[0], crops(own, 8)[0], "different"), by="bob")
    page.locator(".ri-answer[data-answer=same]").click()
    page.wait_for_selector(".rs-notices .rs-notice")
    text = page.locator(".rs-notices .rs-notice").inner_text()
    assert "Not stored" in text
    assert "bob" in text
    page.wait_for_function("document.querySelectorAll('.ri-section .ri-link').length > 0")
    assert own.workbench.review.identity("identity:7").summary.pids == (7,)


@pytest.fixture
def watched() -> Watched:
    """The browser logs a refused write; what the page does about it is what is tested."""
    return Watched(ignored=["status of 409", "status of 400"])


def test_conflict__settled_with_one_key__and_gone(own: Studio, open_as_ann: Any) -> None:
    a, b, c = (crops(own, pid)[0] for pid in (9, 10, 11))
    give(own, pair(a, b, is_sure=False), pair(b, c), pair(a, c, "different"))
    page = open_as_ann("identities?view=conflicts")
    page.wait_for_selector(".ri-conflict")
    assert page.locator(".ri-edge[data-weak]").count() == 1
    assert page.locator("[data-proposed]").get_attribute("data-way") == "cut"
    page.keyboard.press("1")
    page.wait_for_function("document.querySelectorAll('.ri-conflict').length === 0")
    review = own.workbench.review
    assert review.conflicts() == ()
    assert review.relations(a, [c]) == {c: "different"}
    assert review.relations(b, [c]) == {c: "same"}


@pytest.mark.parametrize("address", ["identities", "identities?id=identity:1", "history", "?"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe__nothing_serious(open_as_ann: Any, axe: Any, address: str, scheme: str) -> None:
    page = open_as_ann(address, color_scheme=scheme)
    page.wait_for_selector(".rs-annotator")
    page.wait_for_selector(".ri-card, .ri-look, .rh-count, .rs-card")
    assert axe(page) == []


@pytest.mark.parametrize(
    "address", ["identities", "identities?id=identity:1", "history", "history?view=numbers", "?"]
)
def test_phone__no_sideways_scroll(open_as_ann: Any, address: str) -> None:
    page = open_as_ann(address, **FINGER)
    page.wait_for_selector(".rs-annotator")
    ready = ".ri-card, .ri-look, .rh-count, .rs-card, .rh-facts, [data-part=numbers] .rs-hint"
    page.locator(ready).locator("visible=true").first.wait_for()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert small_targets(page) == []


def test_phone__comparisons__large_buttons_the_bar_on_top_and_nothing_serious(
    own: Studio, open_as_ann: Any, axe: Callable[[Any], list[str]]
) -> None:
    page = open_as_ann("identities?id=identity:6", **FINGER)
    compare_with_nearest(page)
    assert small_targets(page) == []
    assert axe(page) == []
    page.goto(f"{own.url}?q={query_of(own, 6)}")
    page.wait_for_selector(".rs-annotator button:has-text('All left')")
    page.locator(".rs-card-open").nth(8).click()
    page.wait_for_selector(".rs-pair[open] .rs-annotator")
    assert small_targets(page) == []
    assert axe(page) == []
    page.click(".rs-pair [data-answer=different]")
    page.wait_for_function("document.querySelectorAll('.rs-card')[8].dataset.label === 'different'")
    wait_saved(page)
    page.click(".rs-pair [data-action=undo]")
    page.wait_for_function("document.querySelectorAll('.rs-card')[8].dataset.label !== 'different'")
    page.keyboard.press("Escape")
    page.wait_for_selector(".rs-answering .rs-annotator")


# ---- history -----------------------------------------------------------------------------------------------


def test_history__undo_any__dependents_listed_then_redone(own: Studio, open_as_ann: Any) -> None:
    first, second = crops(own, 12)[0], crops(own, 13)[0]
    give(own, pair(first, second), by="bob")
    give(own, pair(crops(own, 13)[1], crops(own, 14)[0], "different"), by="cleo")
    page = open_as_ann("history?annotator=bob&node=identity:12")
    page.wait_for_selector(".rh-event")
    row = page.locator(".rh-event").first
    row.locator("[data-act=undo]").click()
    dialog = page.locator("dialog[open]")
    dialog.wait_for()
    assert "falls apart" in dialog.inner_text()
    assert "1 later answer" in dialog.inner_text()
    dialog.locator("[data-answer=undo]").click()
    page.wait_for_selector(".rh-event[data-off] [data-act=redo]")
    assert own.workbench.review.identity("identity:12").summary.pids == (12,)
    page.locator("[data-act=redo]").first.click()
    page.wait_for_selector(".rh-event:not([data-off]) [data-act=undo]")
    assert own.workbench.review.identity("identity:12").summary.pids == (12, 13)


def test_history__export_and_import__same_identities_in_an_empty_one(
    own: Studio, open_as_ann: Any, small_city: Path, tmp_path: Path
) -> None:
    give(own, pair(crops(own, 15)[0], crops(own, 16)[0]), by="bob")
    page = open_as_ann("history")
    page.wait_for_selector(".rh-event")
    with page.expect_download() as started:
        page.locator("[data-part=export]").click()
    file = tmp_path / "decisions.jsonl"
    started.value.save_as(file)
    assert json.loads(file.read_text(encoding="utf-8").splitlines()[0])["kind"] == "collection"

    job = own.workbench.import_gallery(small_city, name="twin")
    twin = own.workbench.wait_for(job, 240.0).gallery
    page.goto(f"{own.url}history?g={twin}")
    page.wait_for_function("document.querySelector('.rh-count')?.textContent.includes('Nobody')")
    page.set_input_files("#history_filter [data-part=file]", file)
    page.wait_for_selector(".rs-notices .rs-notice")
    assert "Imported" in page.locator(".rs-notices .rs-notice").inner_text()

    review = own.workbench.review

    def people(gallery: str) -> set[tuple[str, tuple[str, ...], tuple[str, ...]]]:
        found, _ = review.identities(gallery=gallery, page_size=200)
        return {
            (
                one.title,
                one.states,
                tuple(face.crop for face in review.identity(one.node, gallery=gallery).crops),
            )
            for one in found
        }

    assert people(twin) == people("")
    assert list(review.export_log(gallery=twin))[1:] == list(review.export_log())[1:]

    page.set_input_files("#history_filter [data-part=file]", file)
    page.wait_for_selector(".rs-notices .rs-notice[data-kind=bad]")
    assert "already" in page.locator(".rs-notices .rs-notice[data-kind=bad]").inner_text()


def test_history__known_pairs_imported__told_and_a_wrong_file_too(
    own: Studio, open_as_ann: Any, tmp_path: Path
) -> None:
    first, second = crops(own, 5)[0], crops(own, 6)[0]
    file = tmp_path / "gold.jsonl"
    file.write_text(json.dumps({"left": first, "right": second, "answer": "different"}), encoding="utf-8")
    page = open_as_ann("history")
    page.wait_for_selector(".rh-events")
    page.set_input_files("#history_filter [data-part=gold-file]", file)
    page.wait_for_selector(".rs-notices >> text=Imported 1 pair with a known answer")
    file.write_text(json.dumps({"left": first, "right": "nobody", "answer": "same"}), encoding="utf-8")
    page.set_input_files("#history_filter [data-part=gold-file]", file)
    page.wait_for_selector(".rs-notices .rs-notice[data-kind=bad] >> text=no crop 'nobody'")


def test_history__since_you_left__others_changes_told(own: Studio, open_as_ann: Any) -> None:
    give(own, pair(crops(own, 17)[0], crops(own, 18)[0], "different"), by="ann")
    give(own, pair(crops(own, 17)[1], crops(own, 1)[0], "different"), by="dora")
    page = open_as_ann("history")
    page.wait_for_selector(".rh-since")
    assert "dora" in page.locator(".rh-since").inner_text()


def test_history__statistics__per_annotator(open_as_ann: Any, own: Studio) -> None:
    give(own, pair(crops(own, 18)[0], crops(own, 3)[0], "different"), by="eve")
    page = open_as_ann("history?view=numbers")
    page.wait_for_selector(".rh-table")
    row = page.locator(".rh-table tbody tr", has_text="eve")
    assert row.locator("td").first.inner_text() == "1"


# ---- judging in place on Search ----------------------------------------------------------------------------


def query_of(own: Studio, pid: int) -> str:
    images = own.workbench.open_gallery().space.gallery.images
    return str(next(image.id for image in images if image.is_query and image.pid == pid))


def open_search(own: Studio, open_as_ann: Any, pid: int) -> tuple[Any, str]:
    query = query_of(own, pid)
    page = open_as_ann(f"?q={query}")
    page.wait_for_selector(".rs-card")
    page.wait_for_selector(".rs-annotator button:has-text('All left')")
    page.wait_for_selector(".rs-card[data-label]")  # what is known of the matches has come
    return page, query


def label_of(page: Any, index: int) -> str:
    return str(page.locator(".rs-card").nth(index).get_attribute("data-label") or "")


def test_search__f_j_space__label_advance_and_undo(own: Studio, open_as_ann: Any) -> None:
    page, query = open_search(own, open_as_ann, 19)
    ids = page.eval_on_selector_all(".rs-card", "list => list.map(n => n.dataset.labelId)")
    places = (0, 30, 31)  # the first is a true match; nobody of the query's label is that far down
    for place, key in zip(places, ("f", "Shift+J", "Space"), strict=True):
        page.locator(".rs-card-open").nth(place).focus()
        page.keyboard.press(key)
        page.wait_for_function(
            "n => document.activeElement.closest('.rs-card')?.dataset.index === String(n)", arg=place + 1
        )
        page.wait_for_timeout(200)  # faster than a person: two answers within 150 ms count as one press
    wait_saved(page)
    page.wait_for_function("!document.querySelector('.rs-unsaved')")
    assert [label_of(page, place) for place in places] == ["same", "different", "cannot_tell"]
    badge = page.locator(".rs-card").nth(30).locator(".rs-label")
    assert "not sure" in badge.inner_text()
    assert badge.locator("svg").count() == 1
    review = own.workbench.review
    assert review.pair_states(query, ids[:1])[ids[0]].annotator == "ann"
    assert not review.pair_states(query, [ids[30]])[ids[30]].is_sure
    page.keyboard.press("z")
    page.wait_for_function("!document.querySelectorAll('.rs-card')[31].dataset.label")
    assert not page.locator("dialog[open]").count()


def test_search__next_answer_before_the_page_heard_of_the_first__stored(
    own: Studio, open_as_ann: Any
) -> None:
    page, query = open_search(own, open_as_ann, 17)
    ids = page.eval_on_selector_all(".rs-card", "list => list.map(n => n.dataset.labelId)")
    page.route("**/review/pairs", lambda route: None)  # what is known of the cards does not come any more
    for place in (30, 31):
        page.locator(".rs-card-open").nth(place).focus()
        page.keyboard.press("j")
        page.wait_for_timeout(200)
        wait_saved(page)
    assert page.locator(".rs-notices .rs-notice").count() == 0
    states = own.workbench.review.pair_states(query, ids[30:32])
    assert [states[crop].answer for crop in ids[30:32]] == ["different", "different"]


def test_search__two_quick_answers__the_second_mark_stays_while_it_is_on_its_way(
    own: Studio, open_as_ann: Any
) -> None:
    page, _ = open_search(own, open_as_ann, 7)
    pairs: list[Any] = []
    answers: list[Any] = []
    page.route("**/v1/review/pairs", lambda route: pairs.append(route))
    page.locator(".rs-card-open").nth(30).focus()
    page.keyboard.press("j")
    until(page, lambda: bool(pairs))  # the first answer is stored, and the page asks what is known now
    page.route("**/v1/decisions", lambda route: answers.append(route))
    page.locator(".rs-card-open").nth(31).focus()
    page.wait_for_timeout(160)  # two answers within 150 ms count as one press
    page.keyboard.press("j")
    until(page, lambda: bool(answers))
    with page.expect_response("**/v1/review/pairs"):
        pairs.pop().continue_()
    page.wait_for_timeout(300)  # it knew nothing of the second answer
    assert label_of(page, 31) == "different"
    page.unroute("**/v1/review/pairs")
    answers.pop().continue_()
    wait_saved(page)
    assert label_of(page, 31) == "different"


def test_search__sweep__one_confirmation_with_the_count_and_one_undo(own: Studio, open_as_ann: Any) -> None:
    page, query = open_search(own, open_as_ann, 20)
    total = page.locator(".rs-card").count()
    alike = sum(
        state.is_by_label
        for state in own.workbench.review.pair_states(
            query, page.eval_on_selector_all(".rs-card", "list => list.map(n => n.dataset.labelId)")
        ).values()
    )
    page.keyboard.press("a")
    dialog = page.locator("dialog[open]")
    dialog.wait_for()
    assert f"{total} matches shown here are not judged" in dialog.inner_text()
    assert f"{alike} of them carry the query's own label" in dialog.inner_text()
    dialog.locator("[data-answer=rest]").click()
    page.wait_for_function(
        "n => document.querySelectorAll('.rs-card[data-label=different]').length === n", arg=total - alike
    )
    wait_saved(page)
    page.wait_for_function("!document.querySelector('.rs-unsaved')")
    events = own.workbench.review.history(annotator="ann", node=query).events
    assert len({event.answer_id for event in events if event.left == query}) == 1
    page.keyboard.press("z")
    page.wait_for_function("document.querySelectorAll('.rs-card[data-label=different]').length === 0")


def test_search__sweep_before_what_is_known_has_come__waits_for_it(
    own: Studio, new_page: Callable[..., Any]
) -> None:
    query = query_of(own, 18)
    page, held, is_held = new_page(), [], True
    page.add_init_script(NAME)
    page.route("**/v1/review/pairs", lambda route: held.append(route) if is_held else route.continue_())
    page.goto(f"{own.url}?q={query}")
    page.wait_for_selector(".rs-annotator button:has-text('All left')")
    until(page, lambda: bool(held))
    page.keyboard.press("a")
    is_held = False
    for route in held:
        route.continue_()
    page.locator("dialog[open]").wait_for()
    assert "carry the query's own label" in page.locator("dialog[open]").inner_text()


def test_search__keys_of_prodigy__a_is_same_and_the_sweep_moves(own: Studio, open_as_ann: Any) -> None:
    page, query = open_search(own, open_as_ann, 16)
    sweep = page.locator(".rs-annotator button:has-text('All left')")
    assert sweep.locator("kbd").inner_text() == "A"
    page.locator(".rs-annotator button:has-text('Keys')").click()
    page.select_option("dialog[open] select", "Prodigy")
    page.keyboard.press("Escape")
    assert sweep.locator("kbd").inner_text() == "W"
    match = page.locator(".rs-card-open").nth(30)
    match.focus()
    page.keyboard.press("a")
    page.wait_for_function("document.querySelectorAll('.rs-card')[30].dataset.label === 'same'")
    assert not page.locator("dialog[open]").count()
    page.keyboard.press("w")
    page.locator("dialog[open]").wait_for()
    page.locator("dialog[open] button:has-text('Cancel')").click()
    page.keyboard.press("Backspace")
    page.wait_for_function("document.querySelectorAll('.rs-card')[30].dataset.label !== 'same'")


def test_search__feedback_switches__before_and_after_shown_and_in_the_address(
    own: Studio, open_as_ann: Any
) -> None:
    page, query = open_search(own, open_as_ann, 16)
    ids = page.eval_on_selector_all(".rs-card", "list => list.map(n => n.dataset.labelId)")
    last = next(crop for crop in reversed(ids) if "/0000" not in crop and "/-1" not in crop)
    give(own, pair(query, last), pair(query, ids[0], "different"), by="ann")
    page.reload()
    page.wait_for_selector(".rs-card")
    assert page.eval_on_selector_all(".rs-card", "list => list.map(n => n.dataset.labelId)") == ids
    page.check("[data-feedback=pin]")
    page.wait_for_selector("[data-part=feedback]:not([hidden])")
    assert "fb=pin" in page.url
    assert "moved" in page.locator("[data-part=feedback]").inner_text()
    assert "→" in page.locator("[data-part=feedback]").inner_text()
    pinned = page.locator(f".rs-card[data-label-id='{last}']")
    assert pinned.locator(".rs-moved").inner_text().startswith("▲")
    page.check("[data-feedback=aside]")
    page.wait_for_selector(".rs-aside-head")
    assert page.locator(f".rs-card[data-label-id='{ids[0]}'][data-aside]").count() == 1
    page.get_by_role("button", name="Without answers").click()
    page.wait_for_selector("[data-part=feedback]", state="hidden")
    assert page.eval_on_selector_all(".rs-card", "list => list.map(n => n.dataset.labelId)") == ids


def test_search__comparison__keys_label_and_go_on(own: Studio, open_as_ann: Any) -> None:
    page, _ = open_search(own, open_as_ann, 5)
    page.locator(".rs-card-open").nth(20).click()
    page.wait_for_selector(".rs-pair[open]")
    page.keyboard.press("j")
    page.wait_for_function("document.querySelector('.rs-pair h2').textContent.startsWith('Match 22 ')")
    page.wait_for_function("document.querySelectorAll('.rs-card')[20].dataset.label === 'different'")
    page.keyboard.press("ArrowLeft")
    page.wait_for_selector(".rs-labelling .rs-label[data-label=different]")


def test_search__heat_map_and_undo_keys_changed__hold_in_the_comparison_and_on_history(
    own: Studio, open_as_ann: Any
) -> None:
    page, _ = open_search(own, open_as_ann, 3)
    page.locator(".rs-card-open").nth(12).focus()
    page.keyboard.press("?")
    for action, key in (("evidence", "g"), ("undo", "u")):
        page.click(f".rs-keys-dialog [data-action={action}]")
        page.keyboard.press(key)
    page.keyboard.press("Escape")
    page.keyboard.press("Enter")
    page.wait_for_selector(".rs-pair[open]")
    switch = page.locator(".rs-pair .rs-heat-switch")
    assert switch.locator("kbd").inner_text() == "G"
    page.keyboard.press("h")
    assert switch.get_attribute("aria-pressed") == "false"
    page.keyboard.press("g")
    page.wait_for_selector(".rs-pair .rs-heat-switch[aria-pressed=true]")
    page.keyboard.press("?")  # the keys open over the comparison, and Esc closes only them
    page.wait_for_selector(".rs-keys-dialog[open]")
    page.keyboard.press("Escape")
    page.wait_for_selector(".rs-keys-dialog", state="hidden")
    assert page.locator(".rs-pair[open]").count() == 1
    page.keyboard.press("j")
    page.wait_for_function("document.querySelectorAll('.rs-card')[12].dataset.label === 'different'")
    page.keyboard.press("Escape")
    wait_saved(page)
    page.goto(f"{own.url}history")
    page.wait_for_selector(".rh-event")
    num_events = own.workbench.review.history().num_all
    page.keyboard.press("z")
    page.keyboard.press("u")
    until(page, lambda: own.workbench.review.history().num_all == num_events + 1)


def test_search__keys_switched_off__nothing_is_judged(own: Studio, open_as_ann: Any) -> None:
    page, _ = open_search(own, open_as_ann, 1)
    page.evaluate("localStorage.setItem('reid-review-keys', JSON.stringify({isOn: false}))")
    page.reload()
    page.wait_for_selector(".rs-annotator button:has-text('All left')")
    page.wait_for_selector(".rs-card")
    before = own.workbench.review.history().num_all
    page.locator(".rs-card-open").nth(5).focus()
    page.keyboard.press("f")
    page.keyboard.press("a")
    page.wait_for_timeout(400)  # nothing to wait for: nothing happens
    assert page.locator("dialog[open]").count() == 0
    assert own.workbench.review.history().num_all == before
