"""The Review page as annotators use it: the real app on the small city, with judgements of its own."""

from __future__ import annotations

import itertools
import json
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from reid_core.services import Workbench
from reid_core.settings import load_settings
from tests.browser.conftest import FINGER, PHONE, Studio, Watched, launch, small_targets, until

pytestmark = pytest.mark.browser

QUESTION = ".rv-pair, .rv-sheet"


@pytest.fixture(scope="module")
def desk(studio: Studio, small_city: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """A second app on the embeddings of ``studio``, with an empty log of its own."""
    folder = tmp_path_factory.mktemp("judgements")
    settings = load_settings(
        gallery=str(small_city),
        data_dir=studio.workbench.settings.data_dir,
        annotation_db=f"sqlite:///{folder / 'annotations.sqlite'}",
    )
    workbench = Workbench(settings)
    workbench.start()
    demo = launch(workbench, folder)
    yield Studio(demo.local_url, workbench)
    demo.close(verbose=False)
    workbench.close()


@pytest.fixture
def open_review(desk: Studio, new_page: Callable[..., Any]) -> Callable[..., Any]:
    """Open the page as an annotator who gave a name before."""

    def open_page(annotator: str, query: str = "", **options: Any) -> Any:
        page = new_page(**options)
        page.add_init_script(f"localStorage.setItem('reid-annotator', {json.dumps(annotator)})")
        page.goto(f"{desk.url}review{query}")
        page.wait_for_selector(f"{QUESTION}, .rv-empty:not([aria-busy=true])")
        return page

    return open_page


def is_sheet(page: Any) -> bool:
    return bool(page.locator(".rv-sheet").count())


def shown(page: Any) -> str:
    """What is on the stage, to see that it changed."""
    return str(
        page.eval_on_selector_all(
            "[data-part=question] [data-crop]", "n => n.map(e => e.dataset.crop).join()"
        )
    )


def answer(page: Any, key: str = "j") -> None:
    """One key, and wait for the next question."""
    before = shown(page)
    page.keyboard.press("Enter" if is_sheet(page) else key)
    page.wait_for_function(
        "before => { const s = [...document.querySelectorAll('[data-part=question] [data-crop]')]"
        ".map(e => e.dataset.crop).join(); return s && s !== before; }",
        arg=before,
    )
    page.wait_for_timeout(160)  # faster than the guard against a double press is no second answer


def wait_until_saved(page: Any) -> None:
    page.wait_for_function("document.querySelector('.rv-saved').dataset.waiting === '0'")


def wait_until_stored(page: Any, word: str) -> None:
    """Until the answer with this word was given, and delivered."""
    page.wait_for_function(f"document.querySelector('#rs-live').textContent.startsWith('{word}')")
    wait_until_saved(page)


def answers_of(desk: Studio, annotator: str) -> list[Any]:
    """Decisions in force, oldest first."""
    events = desk.workbench.review.history(annotator=annotator, page_size=200).events
    return [event for event in reversed(events) if event.kind == "decision" and event.is_in_force]


def wait_until_answers(page: Any, desk: Studio, annotator: str, expected: int) -> None:
    """Until everything was delivered and so many answers of this annotator are in force in the log."""
    wait_until_saved(page)
    until(page, lambda: len({event.answer_id for event in answers_of(desk, annotator)}) == expected)


def test_review__five_answers_by_keyboard__stored_and_counted(desk: Studio, open_review: Any) -> None:
    page = open_review("keys")
    for _ in range(5):
        answer(page)
    wait_until_saved(page)
    assert len({event.answer_id for event in answers_of(desk, "keys")}) == 5
    page.wait_for_function("document.querySelector('.rv-facts dd').textContent === '5'")
    assert all(event.ms_taken is not None for event in answers_of(desk, "keys"))


def test_review__undo_redo_and_reload__nothing_is_lost(desk: Studio, open_review: Any) -> None:
    page = open_review("undoer")
    first = shown(page)
    answer(page)
    second = shown(page)
    answer(page)
    page.keyboard.press("z")
    page.wait_for_function(f"{shown_script()} === {json.dumps(second)}")
    page.keyboard.press("z")
    page.wait_for_function(f"{shown_script()} === {json.dumps(first)}")
    wait_until_answers(page, desk, "undoer", 0)
    page.keyboard.press("Shift+Z")
    wait_until_answers(page, desk, "undoer", 1)
    wait_until_saved(page)
    page.reload()
    page.wait_for_selector(QUESTION)
    page.wait_for_function("!document.querySelector('[data-part=tools] [data-action=undo]').disabled")
    page.keyboard.press("z")
    page.wait_for_selector("text=from before this page was loaded")
    wait_until_answers(page, desk, "undoer", 0)


def shown_script() -> str:
    return (
        "[...document.querySelectorAll('[data-part=question] [data-crop]')].map(e => e.dataset.crop).join()"
    )


def test_review__server_away__answers_are_kept_and_delivered_once(
    desk: Studio, open_review: Any, watched: Watched
) -> None:
    watched.ignored += ["ERR_INTERNET_DISCONNECTED", "call failed"]
    page = open_review("offline")
    answer(page)
    wait_until_saved(page)
    page.context.set_offline(True)
    for _ in range(2):
        answer(page)
    page.wait_for_selector(".rv-saved:has-text('Unsynced 2')")
    assert len({event.answer_id for event in answers_of(desk, "offline")}) == 1
    context = page.context
    page.close()
    context.set_offline(False)
    again = context.new_page()
    again.goto(f"{desk.url}review")
    again.wait_for_selector(QUESTION)
    wait_until_saved(again)
    given = answers_of(desk, "offline")
    assert len({event.answer_id for event in given}) == 3
    assert [event.decided_at for event in given] == sorted(event.decided_at for event in given)


def pair_of(desk: Studio, place: int) -> tuple[str, str, str]:
    """Crops of two people, and another crop of the first."""
    images = [i for i in desk.workbench.open_gallery().space.gallery.images if i.pid and i.pid > 0]
    pids = sorted({image.pid for image in images})
    one = [image.id for image in images if image.pid == pids[place]]
    other = [image.id for image in images if image.pid == pids[place + 1]]
    return one[0], other[0], one[1]


def test_review__changed_by_somebody_else__shown_and_asked_again(
    desk: Studio, open_review: Any, watched: Watched
) -> None:
    watched.ignored.append("409")
    left, right, third = pair_of(desk, 10)
    page = open_review("stale", f"?pair={left},{right}")
    page.wait_for_selector("text=merges")
    item = {"id": str(uuid.uuid4()), "kind": "pair", "left": third, "right": left, "answer": "same"}
    desk.workbench.review.answer([item], "colleague")
    page.keyboard.press("f")
    page.wait_for_selector(".rs-notice:has-text('colleague')")
    assert answers_of(desk, "stale") == []
    page.wait_for_selector("[data-part=reason]:has-text('colleague')")
    page.wait_for_timeout(160)
    page.keyboard.press("j")
    wait_until_stored(page, "Different")
    assert [event.answer for event in answers_of(desk, "stale")] == ["different"]


def test_review__pair_from_the_address__consequence_evidence_and_unsure(
    desk: Studio, open_review: Any
) -> None:
    left, right, _ = pair_of(desk, 12)
    page = open_review("pairs", f"?pair={left},{right}")
    assert "merges" in page.locator(".rv-answer[data-action=same]").inner_text()
    assert "keeps" in page.locator(".rv-answer[data-action=different]").inner_text()
    page.keyboard.press("e")
    page.keyboard.press("c")
    page.keyboard.press("Shift+J")
    wait_until_stored(page, "Different")
    (event,) = answers_of(desk, "pairs")
    assert (event.answer, event.is_sure, event.reasons) == ("different", False, ("clothes",))
    assert page.locator(".rv-empty h2").inner_text() == "Answered"


def test_review__one_crop_twice_in_the_address__told(
    desk: Studio, open_review: Any, watched: Watched
) -> None:
    watched.ignored.append("400 (Bad Request)")
    crop, _, _ = pair_of(desk, 13)
    page = open_review("twice", f"?pair={crop},{crop}")
    assert "two different crops" in page.locator(".rv-empty").inner_text()


def test_review__keys_remapped_and_switched_off__buttons_still_work(desk: Studio, open_review: Any) -> None:
    left, right, _ = pair_of(desk, 14)
    page = open_review("remap", f"?pair={left},{right}")
    page.keyboard.press("Shift+Slash")
    page.wait_for_selector("dialog.rs-keys-dialog[open]")
    listed = page.locator("dialog.rs-keys-dialog").inner_text()
    wanted = ("stream 1", "On a sheet", "Hand over", "redo", "Ctrl", "Reason: low resolution")
    assert all(text in listed for text in wanted), listed
    page.click("dialog.rs-keys-dialog [data-action=different]")
    page.keyboard.press("f")
    page.wait_for_selector("text=is taken by")
    page.click("dialog.rs-keys-dialog [data-action=different]")
    page.keyboard.press("k")
    page.keyboard.press("Escape")
    page.wait_for_selector("dialog.rs-keys-dialog", state="hidden")
    assert "K" in page.locator("[data-action=different] kbd").first.inner_text()
    page.reload()
    page.wait_for_selector(".rv-pair")
    page.keyboard.press("j")  # means nothing any more
    page.click("[data-part=keys-switch]")
    page.keyboard.press("k")
    page.wait_for_timeout(200)
    assert answers_of(desk, "remap") == []
    page.click(".rv-answer[data-action=different]")
    wait_until_stored(page, "Different")
    assert [event.answer for event in answers_of(desk, "remap")] == ["different"]


def test_review__flagged_with_a_key__adjudicator_sees_the_answer_and_gives_a_reason(
    desk: Studio, open_review: Any
) -> None:
    left, right, _ = pair_of(desk, 13)
    page = open_review("flagger", f"?pair={left},{right}")
    page.keyboard.press("l")
    wait_until_stored(page, "Handed over")
    judge = open_review("judge", "?adjudicate=1")
    assert "cannot tell (flagged)" in judge.locator("[data-part=known]").inner_text()
    assert "flagger" not in judge.locator(".rv-panel, [data-part=known]").first.inner_text()
    judge.keyboard.press("j")
    judge.wait_for_selector("text=Reason? Press its letter:")
    assert answers_of(desk, "judge") == []
    judge.keyboard.press("c")
    judge.keyboard.press("j")
    wait_until_stored(judge, "Different")
    (event,) = answers_of(desk, "judge")
    assert (event.answer, event.stream, event.reasons) == ("different", "adjudication", ("clothes",))
    judge.wait_for_selector(".rv-empty >> text=nothing to adjudicate")


def test_review__reason_by_keyboard__keeps_the_focus(desk: Studio, open_review: Any) -> None:
    left, right, _ = pair_of(desk, 13)
    page = open_review("reasons", f"?pair={left},{right}")
    page.locator(".rv-chip:has-text('Occlusion')").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector(".rv-chip[aria-pressed=true]:has-text('Occlusion')")
    assert page.evaluate("document.activeElement.textContent").startswith("Occlusion")


def test_review__adjudication_changed_meanwhile__asked_again_by_the_pictures_alone(
    desk: Studio, open_review: Any, watched: Watched
) -> None:
    watched.ignored.append("409")
    left, right, third = pair_of(desk, 15)
    said = {"kind": "pair", "left": left, "right": right, "answer": "cannot_tell", "reasons": ["flagged"]}
    desk.workbench.review.answer([{"id": str(uuid.uuid4()), **said}], "doubter")
    page = open_review("judge-2", "?adjudicate=1")
    item = {"id": str(uuid.uuid4()), "kind": "pair", "left": third, "right": left, "answer": "same"}
    desk.workbench.review.answer([item], "colleague")
    for key in ("j", "c", "j"):  # the first one asks for a reason
        page.keyboard.press(key)
    page.wait_for_selector(".rs-notice:has-text('judge by the pictures again')")
    page.wait_for_selector("[data-part=reason]:has-text('judge by the pictures again')")
    text = page.locator("body").inner_text()
    assert not [word for word in ("colleague", "merges", "keeps", "splits", "confirms") if word in text]
    assert not [name for name in (left, right, third) if name.rpartition("/")[2] in page.content()]
    page.wait_for_timeout(160)  # faster than the guard against a double press is no second answer
    for key in ("j", "c", "j"):  # the first one asks for a reason
        page.keyboard.press(key)
    wait_until_stored(page, "Different")
    (event,) = answers_of(desk, "judge-2")
    assert {event.left, event.right} == {left, right}


def test_review__others_hold_all_that_is_left__says_when_it_comes_free(
    desk: Studio, open_review: Any
) -> None:
    left, right, _ = pair_of(desk, 18)
    selection = desk.workbench.selections.save(desk.workbench.galleries()[0].name, {left, right})
    names = (f"away-{number}" for number in itertools.count())  # each takes what it can get
    ask = desk.workbench.review.upcoming
    opener = open_review("opener")
    until(opener, lambda: ask(next(names), selection=selection, number=20).num_waiting > 0)
    page = open_review("waiter", f"?sel={selection}")
    page.wait_for_selector(".rv-empty >> text=Others are at what is left to ask.")
    assert "Their questions come free within 5 minutes." in page.locator(".rv-empty").inner_text()


def test_review__contact_sheet__picked_crop_leaves_the_identity(desk: Studio, open_review: Any) -> None:
    page = open_review("sheets")
    for _ in range(12):
        if is_sheet(page):
            break
        before = shown(page)
        page.keyboard.press("ArrowRight")
        page.wait_for_function(
            f"before => {{ const s = {shown_script()}; return s && s !== before; }}", arg=before
        )
    assert is_sheet(page)
    cards = page.locator(".rv-card")
    crop = cards.first.get_attribute("data-crop")
    page.keyboard.press("Space")
    assert cards.first.get_attribute("aria-pressed") == "true"
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.dataset.crop") == cards.nth(1).get_attribute("data-crop")
    assert "1 is somebody else" in page.locator(".rv-answer[data-action=commit]").inner_text()
    page.keyboard.press("Enter")
    page.wait_for_function("document.querySelector('#rs-live').textContent.startsWith('Committed')")
    wait_until_saved(page)
    (event,) = answers_of(desk, "sheets")
    assert (event.left, event.answer, event.stream) == (crop, "different", "purity")


def test_review__first_visit__asks_a_code_name_once(desk: Studio, new_page: Callable[..., Any]) -> None:
    page = new_page()
    page.goto(f"{desk.url}review")
    page.wait_for_selector("dialog[open] #rs-annotator-name")
    page.fill("#rs-annotator-name", "<b>")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=Use 1 to 40")
    page.fill("#rs-annotator-name", "newcomer")
    page.keyboard.press("Enter")
    page.wait_for_selector(QUESTION)
    assert page.locator("[data-part=name]").inner_text() == "newcomer"
    page.reload()
    page.wait_for_selector(QUESTION)
    assert page.locator("dialog[open]").count() == 0


def test_review__key_held_down__answers_once(desk: Studio, open_review: Any) -> None:
    left, right, _ = pair_of(desk, 16)
    page = open_review("holder", f"?pair={left},{right}")
    page.keyboard.down("j")
    page.keyboard.down("j")
    page.keyboard.down("j")
    page.keyboard.up("j")
    wait_until_stored(page, "Different")
    assert len(answers_of(desk, "holder")) == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_review__axe__nothing_serious(open_review: Any, axe: Callable[[Any], list[str]], scheme: str) -> None:
    page = open_review(f"axe-{scheme}", color_scheme=scheme)
    assert axe(page) == []
    page.keyboard.press("Shift+Slash")
    page.wait_for_selector("dialog.rs-keys-dialog[open]")
    assert axe(page) == []


def test_review__phone__large_buttons_in_reach_and_nothing_sideways(desk: Studio, open_review: Any) -> None:
    left, right, _ = pair_of(desk, 17)
    page = open_review("phone", f"?pair={left},{right}", **FINGER)
    assert small_targets(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    box = page.locator(".rv-answer[data-action=different]").bounding_box()
    assert box["height"] >= 44
    assert box["y"] + box["height"] <= PHONE["height"]
    page.tap(".rv-answer[data-action=different]")
    wait_until_stored(page, "Different")
    assert [event.answer for event in answers_of(desk, "phone")] == ["different"]
