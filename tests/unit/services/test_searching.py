from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from reid_core.errors import InputError
from reid_core.services import SearchRequest, Workbench
from tests.service_fakes import (
    ColourNetwork,
    import_and_wait,
    person_image,
    query_of,
)

Start = Callable[..., Workbench]


def test_search__known_query__right_person_from_other_cameras_first(workbench: Workbench) -> None:
    result = workbench.search(SearchRequest(query_of(workbench, 4), k=20))
    assert [hit.pid for hit in result.hits[:2]] == [4, 4]
    assert {hit.verdict for hit in result.hits[:2]} == {"true"}
    assert [hit.rank for hit in result.hits] == list(range(1, len(result.hits) + 1))
    similarities = [hit.similarity for hit in result.hits]
    assert similarities == sorted(similarities, reverse=True)
    # The image of person 4 in the query's camera is hidden, everything else is ranked.
    assert (len(result.hits), result.num_candidates, result.num_filtered) == (19, 19, 1)
    assert result.num_true == 2
    assert all((hit.pid, hit.camid) != (4, 1) for hit in result.hits)
    assert {hit.verdict for hit in result.hits if hit.pid == -1} == {"junk"}
    assert {hit.verdict for hit in result.hits if hit.pid == 0} == {"false"}


def test_search__same_camera_allowed__shown_with_its_verdict(workbench: Workbench) -> None:
    request = SearchRequest(query_of(workbench, 4), k=20, exclude_same_camera=False)
    result = workbench.search(request)
    assert result.num_filtered == 0
    assert [hit.verdict for hit in result.hits if (hit.pid, hit.camid) == (4, 1)] == ["same_camera"]


def test_search__gallery_image_as_query__does_not_find_itself(workbench: Workbench) -> None:
    first = workbench.search(SearchRequest(query_of(workbench, 2), k=1)).hits[0]
    result = workbench.search(SearchRequest(first.id, k=200, exclude_same_camera=False))
    assert first.id not in [hit.id for hit in result.hits]
    assert len(result.hits) == 19
    assert result.query.pid == 2


@pytest.mark.parametrize("pid", [0, -1])
def test_search__junk_or_distractor_as_query__hides_nothing_and_judges_nothing(
    workbench: Workbench, pid: int
) -> None:
    everything = workbench.search(SearchRequest(query_of(workbench, 1), k=200)).hits
    query_id = next(hit.id for hit in everything if hit.pid == pid)
    result = workbench.search(SearchRequest(query_id, k=200))
    assert result.num_filtered == 0
    assert {hit.verdict for hit in result.hits} == {"unknown"}


def test_search__camera_filter__only_these_and_still_full_recall(workbench: Workbench) -> None:
    query_id = query_of(workbench, 5)
    everything = workbench.search(SearchRequest(query_id, k=200)).hits
    filtered = workbench.search(SearchRequest(query_id, k=200, cameras=(3,)))
    assert [hit.id for hit in filtered.hits] == [hit.id for hit in everything if hit.camid == 3]
    with pytest.raises(InputError, match="no camera 9; it has 1, 2, 3"):
        workbench.search(SearchRequest(query_id, cameras=(3, 9)))


def test_search__time_window__closed_on_both_ends(workbench: Workbench) -> None:
    query_id = query_of(workbench, 5)
    everything = workbench.search(SearchRequest(query_id, k=200)).hits
    times = sorted({hit.time_s for hit in everything if hit.time_s is not None})
    assert len(times) > 4
    low, high = times[1], times[-2]
    window = SearchRequest(query_id, k=200, time_from_s=low, time_to_s=high)
    inside = [hit.id for hit in everything if hit.time_s is not None and low <= hit.time_s <= high]
    assert [hit.id for hit in workbench.search(window).hits] == inside
    with pytest.raises(InputError, match="ends .* before it starts"):
        workbench.search(SearchRequest(query_id, time_from_s=high, time_to_s=low))
    with pytest.raises(InputError, match="not made of numbers"):
        workbench.search(SearchRequest(query_id, time_from_s=float("nan")))


def test_search__filters_leave_nothing__no_hits_and_a_note(workbench: Workbench) -> None:
    result = workbench.search(SearchRequest(query_of(workbench, 5), time_from_s=1e9))
    assert result.hits == ()
    assert any("No image passes" in note for note in result.notes)


def test_search__reranked__same_images_similarity_is_still_the_cosine(workbench: Workbench) -> None:
    query_id = query_of(workbench, 6)
    plain = workbench.search(SearchRequest(query_id, k=200))
    reranked = workbench.search(SearchRequest(query_id, k=200, rerank=True))
    cosine = {hit.id: hit.similarity for hit in plain.hits}
    assert {hit.id: hit.similarity for hit in reranked.hits} == cosine
    assert [hit.rank for hit in reranked.hits] == list(range(1, 20))
    assert any("k-reciprocal" in note for note in reranked.notes)
    assert [hit.pid for hit in reranked.hits[:2]] == [6, 6]


@pytest.mark.parametrize("k", [0, 201])
def test_search__k_out_of_range__refused(workbench: Workbench, k: int) -> None:
    with pytest.raises(InputError, match=f"k is {k}"):
        workbench.search(SearchRequest(query_of(workbench, 1), k=k))


def test_search__unknown_names__each_error_says_which(workbench: Workbench) -> None:
    query_id = query_of(workbench, 1)
    with pytest.raises(InputError, match="no gallery 'paris'"):
        workbench.search(SearchRequest(query_id, gallery="paris"))
    with pytest.raises(InputError, match="no model 'resnet'"):
        workbench.search(SearchRequest(query_id, model="resnet"))
    with pytest.raises(InputError, match="has no image '../../etc/passwd'"):
        workbench.search(SearchRequest("../../etc/passwd"))


def test_search__upload__unknown_verdicts_and_reopens_after_a_restart(
    start: Start, workbench: Workbench
) -> None:
    stored = workbench.store_upload(person_image(3, 2, serial=999))
    result = workbench.search(SearchRequest(stored.id, k=5))
    assert result.hits[0].pid == 3
    assert {hit.verdict for hit in result.hits} == {"unknown"}
    assert result.num_filtered == 0
    workbench.close()
    again = start(ColourNetwork())
    assert again.search(SearchRequest(stored.id, k=5)).hits == result.hits


def test_search__forged_upload_id__refused_without_touching_files(workbench: Workbench) -> None:
    for key in ("../../jobs/x", "0" * 31, "G" * 32):
        with pytest.raises(InputError, match="not the key of an uploaded picture"):
            workbench.search(SearchRequest(f"upload:{key}"))
    with pytest.raises(InputError, match="deleted after 30 days"):
        workbench.search(SearchRequest(f"upload:{'0' * 32}"))


def test_examples__queries__one_per_person_and_stable(workbench: Workbench) -> None:
    examples = workbench.examples(count=4)
    assert len({example.pid for example in examples}) == 4
    assert workbench.examples(count=4) == examples
    assert len(workbench.examples(count=100)) == 6


def test_examples__folder_of_strangers__its_images(workbench: Workbench, tmp_path: Path) -> None:
    folder = tmp_path / "strangers"
    folder.mkdir()
    for serial in range(5):
        person_image(serial, 1).save(folder / f"photo {serial}.png")
    name = import_and_wait(workbench, folder)
    assert len(workbench.examples(name, count=3)) == 3
    assert {example.pid for example in workbench.examples(name)} == {None}
