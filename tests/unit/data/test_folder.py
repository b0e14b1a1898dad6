from __future__ import annotations

from pathlib import Path

import pytest
from dataset_trees import draw, draw_all

from reid_core.data import open_dataset, read_by_regex, read_flat_folder, read_identity_folders
from reid_core.errors import DatasetError, InputError


def test_read_flat_folder__images__gallery_of_unknown_people(tmp_path: Path) -> None:
    draw_all(tmp_path, ["b.png", "a.jpg", "deep/er/c.webp"])
    dataset = read_flat_folder(tmp_path)
    assert [r.image_id for r in dataset.gallery] == ["a.jpg", "b.png", "deep/er/c.webp"]
    assert {(r.pid, r.camid, r.time_s) for r in dataset.gallery} == {(None, None, None)}
    assert "can be shown but not scored" in dataset.notes[0]


def test_read_flat_folder__no_image__error_names_the_types(tmp_path: Path) -> None:
    (tmp_path / "Thumbs.db").write_text("x")
    (tmp_path / "._a.jpg").write_text("x")
    with pytest.raises(DatasetError, match=r"holds no image \(.*\.jpg"):
        read_flat_folder(tmp_path)


def test_read_flat_folder__linked_folder_and_loop__each_image_once(tmp_path: Path) -> None:
    draw(tmp_path / "elsewhere/x.jpg")
    root = tmp_path / "set"
    draw(root / "a.jpg")
    (root / "linked").symlink_to(tmp_path / "elsewhere")
    (root / "loop").symlink_to(root)
    dataset = read_flat_folder(root)
    assert [r.image_id for r in dataset.gallery] == ["a.jpg", "linked/x.jpg"]
    assert [item.item for item in dataset.refused] == ["loop"]


def test_read_identity_folders__numbers__are_the_pids(tmp_path: Path) -> None:
    draw_all(tmp_path, ["0012/a.jpg", "0003/b.jpg", "0000/c.jpg", "-1/d.jpg"])
    dataset = read_identity_folders(tmp_path)
    assert {r.image_id: r.pid for r in dataset.gallery} == {
        "-1/d.jpg": -1, "0000/c.jpg": 0, "0003/b.jpg": 3, "0012/a.jpg": 12,
    }  # fmt: skip


def test_read_identity_folders__names__numbered_in_sorted_order_and_kept(tmp_path: Path) -> None:
    draw_all(tmp_path, ["zoe/a.jpg", "Ärni/b.jpg", "17/c.jpg", "loose.jpg"])
    dataset = read_identity_folders(tmp_path)
    assert {(r.attributes["identity"], r.pid) for r in dataset.gallery} == {
        ("17", 1),
        ("zoe", 2),
        ("Ärni", 3),
    }
    assert [(item.item, item.reason) for item in dataset.refused] == [
        ("loose.jpg", "lies in no identity's folder")
    ]
    assert any("'17' = 1" in note for note in dataset.notes)
    assert any("3 of 3 images have no camera" in note for note in dataset.notes)


def test_read_identity_folders__split_folders_above__splits_filled(tmp_path: Path) -> None:
    draw_all(
        tmp_path,
        [
            "train/0002/0002_c1s1_000025_00.jpg",
            "query/0005/0005_c3s1_000050_00.jpg",
            "gallery/0005/0009_c4s1_000050_00.jpg",
        ],
    )
    dataset = read_identity_folders(tmp_path)
    assert [(r.pid, r.camid, r.time_s) for r in dataset.train] == [(2, 1, 1.0)]
    assert [(r.pid, r.camid) for r in dataset.query] == [(5, 3)]
    # The name claims identity 9, the folder 5: the folder decides and the name's camera is not believed.
    assert [(r.pid, r.camid) for r in dataset.gallery] == [(5, None)]


def test_read_by_regex__groups__labels_times_attributes(tmp_path: Path) -> None:
    draw_all(tmp_path, ["shop/p7_camB_f50_red.jpg", "shop/p9_camA_f75_blue.jpg", "shop/logo.png"])
    dataset = read_by_regex(
        tmp_path, r"p(?P<pid>\d+)_cam(?P<camid>\w)_f(?P<time>\d+)_(?P<coat>\w+)\.", frame_rate=25
    )
    first, second = dataset.gallery
    assert (first.pid, first.camid, first.time_s, first.attributes) == (7, 2, 2.0, {"coat": "red"})
    assert (second.pid, second.camid, second.time_s) == (9, 1, 3.0)
    assert [item.item for item in dataset.refused] == ["shop/logo.png"]
    assert any("camid names were numbered" in note for note in dataset.notes)


def test_read_by_regex__root_itself_matches__only_paths_below_are_read(tmp_path: Path) -> None:
    root = tmp_path / "p1_c1"
    draw_all(root, ["p5_c2/x.jpg"])
    (record,) = read_by_regex(root, r"p(?P<pid>\d+)_c(?P<camid>\d+)").gallery
    assert (record.pid, record.camid) == (5, 2)


def test_read_by_regex__split_group__sorted_into_splits(tmp_path: Path) -> None:
    draw_all(tmp_path, ["query/1.jpg", "bounding_box_test/1.jpg", "other/1.jpg"])
    dataset = read_by_regex(tmp_path, r"^(?P<split>\w+)/(?P<pid>\d+)")
    assert (len(dataset.query), len(dataset.gallery)) == (1, 1)
    assert [item.item for item in dataset.refused] == ["other/1.jpg"]


@pytest.mark.parametrize(
    ("pattern", "message"),
    [("(?P<pid", "is not a regular expression"), (r"(\d+)_c(\d)", "names none of the groups")],
)
def test_read_by_regex__bad_pattern__input_error(tmp_path: Path, pattern: str, message: str) -> None:
    draw(tmp_path / "1_c1.jpg")
    with pytest.raises(InputError, match=message):
        read_by_regex(tmp_path, pattern)


@pytest.mark.parametrize("rate", [0.0, -1.0, float("nan")])
def test_read_by_regex__bad_frame_rate__input_error(tmp_path: Path, rate: float) -> None:
    with pytest.raises(InputError, match="frame_rate"):
        read_by_regex(tmp_path, r"(?P<pid>\d+)", frame_rate=rate)


def test_read_by_regex__nothing_matches__error_shows_a_path(tmp_path: Path) -> None:
    draw(tmp_path / "anna.jpg")
    with pytest.raises(DatasetError, match=r"No image .* matches .*'anna\.jpg'"):
        read_by_regex(tmp_path, r"(?P<pid>\d+)")


def test_open_dataset__flat_folder_of_market_names__labels_read(tmp_path: Path) -> None:
    draw_all(tmp_path, ["0002_c1s1_000025_00.jpg", "-1_c2s1_000050_00.jpg"])
    dataset = open_dataset(tmp_path)
    assert [(r.pid, r.camid) for r in dataset.gallery] == [(-1, 2), (2, 1)]
    assert dataset.notes[0].startswith("Read as named")


def test_open_dataset__one_name_is_different__nobody_is_named(tmp_path: Path) -> None:
    draw_all(tmp_path, ["0002_c1s1_000025_00.jpg", "anna.jpg"])
    dataset = open_dataset(tmp_path)
    assert {r.pid for r in dataset.gallery} == {None}
    assert dataset.notes[0].startswith("Read as flat")
