from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reid_core.data import check_no_leaks, find_leaks, make_query_gallery, make_splits
from reid_core.errors import DatasetError, InputError
from reid_core.types import Dataset, ImageRecord

ROOT = Path("/data")


def record(name: str, pid: int | None, camid: int | None = 1) -> ImageRecord:
    return ImageRecord(name, ROOT / name, pid, camid)


def crowd(*, people: int = 6, cameras: int = 3, images: int = 2) -> tuple[ImageRecord, ...]:
    return tuple(
        record(f"{pid:03d}_c{camid}_{number}.jpg", pid, camid)
        for pid in range(1, people + 1)
        for camid in range(1, cameras + 1)
        for number in range(images)
    )


def test_make_query_gallery__two_images_per_camera__one_query_per_person_and_camera() -> None:
    records = crowd()
    made = make_query_gallery(records, seed=3)
    assert Counter((r.pid, r.camid) for r in made.query) == {
        (p, c): 1 for p in range(1, 7) for c in (1, 2, 3)
    }
    assert not made.is_single_camera
    assert {r.image_id for r in made.query} | {r.image_id for r in made.gallery} == {
        r.image_id for r in records
    }


def test_make_query_gallery__one_image_in_each_of_two_cameras__one_query_so_that_its_match_stays() -> None:
    made = make_query_gallery(crowd(people=1, cameras=2, images=1))
    assert len(made.query) == len(made.gallery) == 1


def test_make_query_gallery__order_and_seed__decide_as_documented() -> None:
    records = crowd()
    assert make_query_gallery(records, seed=5) == make_query_gallery(tuple(reversed(records)), seed=5)
    assert len({make_query_gallery(records, seed=seed).query for seed in range(5)}) > 1


def test_make_query_gallery__junk_distractors_unknown__gallery_gallery_left_out() -> None:
    extra = (record("j.jpg", -1), record("d.jpg", 0), record("u.jpg", None))
    made = make_query_gallery((*crowd(), *extra))
    names = {r.image_id for r in made.gallery}
    assert {"j.jpg", "d.jpg"} <= names
    assert "u.jpg" not in names
    assert any("1 images of unknown people were left out" in note for note in made.notes)


def test_make_query_gallery__one_camera__single_camera_mode_explained() -> None:
    made = make_query_gallery(crowd(cameras=1, images=3))
    assert made.is_single_camera
    assert len(made.query) == 6
    assert any("Single-camera mode" in note and "never with published" in note for note in made.notes)


def test_make_query_gallery__no_camera_named__single_camera_mode() -> None:
    made = make_query_gallery([record(f"{i}.jpg", 1 + i % 2, None) for i in range(6)])
    assert made.is_single_camera
    assert {r.pid for r in made.query} == {1, 2}


@pytest.mark.parametrize(
    ("records", "single", "message"),
    [
        ([], None, "No image says who it shows"),
        ([record("a", None), record("b", 0)], None, "No image says who it shows"),
        ([record("a", 1), record("b", 2)], None, "None of the 2 identities has two images"),
        ([record("a", 1), record("b", 1)], False, "None of the 1 identities is seen by two cameras"),
    ],
)
def test_make_query_gallery__nobody_can_be_searched__error_says_why(
    records: list[ImageRecord], single: bool | None, message: str
) -> None:
    with pytest.raises(DatasetError, match=message):
        make_query_gallery(records, single_camera=single)


@settings(max_examples=60, deadline=None)
@given(
    labels=st.lists(st.tuples(st.integers(1, 4), st.integers(1, 3) | st.none()), min_size=1, max_size=25),
    seed=st.integers(0, 10),
)
def test_make_query_gallery__any_labels__every_query_has_a_match_in_another_camera(
    labels: list[tuple[int, int | None]], seed: int
) -> None:
    records = [record(f"{i}.jpg", pid, camid) for i, (pid, camid) in enumerate(labels)]
    try:
        made = make_query_gallery(records, seed=seed, single_camera=False)
    except DatasetError:
        cameras: dict[int, set[int]] = {}
        for pid, camid in labels:
            if camid is not None:
                cameras.setdefault(pid, set()).add(camid)
        assert all(len(seen) < 2 for seen in cameras.values())
        return
    for query in made.query:
        assert any(g.pid == query.pid and g.camid not in {None, query.camid} for g in made.gallery)
    assert not {r.image_id for r in made.query} & {r.image_id for r in made.gallery}
    assert max(Counter((r.pid, r.camid) for r in made.query).values()) == 1


def test_make_splits__half__people_apart_and_locked_split_untouched() -> None:
    locked = (record("locked.jpg", 77),)
    dataset = Dataset("x", ROOT, gallery=(*crowd(people=10), record("d.jpg", 0)), locked_query=locked)
    made = make_splits(dataset, test_fraction=0.3, seed=1)
    train, test = {r.pid for r in made.train}, {r.pid for r in made.query}
    assert (len(train), len(test)) == (7, 3)
    assert not train & test
    assert 0 in {r.pid for r in made.gallery}
    assert made.locked_query == locked
    assert find_leaks(made) == ()
    assert make_splits(dataset, test_fraction=0.3, seed=1) == made


def test_make_splits__person_added__others_keep_their_side() -> None:
    def side(people: int) -> dict[int | None, bool]:
        made = make_splits(Dataset("x", ROOT, gallery=crowd(people=people)), test_fraction=0.5, seed=0)
        return {r.pid: r in made.train for r in (*made.train, *made.query)}

    before, after = side(20), side(21)
    assert sum(before[pid] != after[pid] for pid in before) <= 1


@pytest.mark.parametrize("fraction", [0.0, -0.1, 1.1, float("nan")])
def test_make_splits__bad_fraction__input_error(fraction: float) -> None:
    with pytest.raises(InputError, match="test_fraction"):
        make_splits(Dataset("x", ROOT, gallery=crowd()), test_fraction=fraction)


def test_make_splits__one_person__error() -> None:
    with pytest.raises(DatasetError, match="has 1 identities"):
        make_splits(Dataset("x", ROOT, gallery=crowd(people=1)))


def test_find_leaks__shared_people_and_images__named_by_groups() -> None:
    dataset = Dataset(
        "x",
        ROOT,
        train=(record("a.jpg", 1), record("b.jpg", 0)),
        query=(record("c.jpg", 2),),
        gallery=(record("a.jpg", 1), record("d.jpg", 0)),
        locked_query=(record("e.jpg", 2),),
    )
    leaks = {(leak.first, leak.second, leak.what): leak.items for leak in find_leaks(dataset)}
    assert leaks == {
        ("train", "test", "identities"): ("1",),
        ("train", "test", "images"): ("a.jpg",),
        ("test", "locked test", "identities"): ("2",),
    }
    with pytest.raises(DatasetError, match="train and test share 1 identities, e.g. 1"):
        check_no_leaks(dataset)


def test_find_leaks__query_and_gallery_share_people__no_leak() -> None:
    assert find_leaks(Dataset("x", ROOT, query=(record("a", 1, 1),), gallery=(record("b", 1, 2),))) == ()
