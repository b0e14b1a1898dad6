from __future__ import annotations

from pathlib import Path

import pytest
from dataset_trees import draw, market

from reid_core.data import open_dataset, open_protocol, read_market1501
from reid_core.data.market1501 import ParsedName, parse_market_name
from reid_core.errors import DatasetError


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("0002_c1s1_000451_03.jpg", ParsedName(2, 1, 18.04, "1")),
        ("-1_c6s4_000025_00.jpg", ParsedName(-1, 6, 1.0, "4")),
        ("0000_c1s1_000151_01.jpg", ParsedName(0, 1, 6.04, "1")),
        ("0002_c1s1_000451_03.jpg.jpg", ParsedName(2, 1, 18.04, "1")),
        ("0002_c12s1_000025_00.PNG", ParsedName(2, 12, 1.0, "1")),
        ("0002_c1_0007.jpg", ParsedName(2, 1)),
        ("0002_c1.jpg", ParsedName(2, 1)),
    ],
)
def test_parse_market_name__valid__labels(name: str, expected: ParsedName) -> None:
    assert parse_market_name(name) == expected


@pytest.mark.parametrize(
    "name",
    ["x0002_c1s1_000451_03.jpg", "c1_0002.jpg", "0002-c1s1.jpg", "-2_c1s1_1_1.jpg", "٣_c1s1_1_1.jpg", ".jpg"],
)
def test_parse_market_name__other_convention__none(name: str) -> None:
    assert parse_market_name(name) is None


def test_read_market1501__original_layout__splits_junk_and_distractors(tmp_path: Path) -> None:
    dataset = read_market1501(market(tmp_path))
    assert [(r.pid, r.camid) for r in dataset.train] == [(2, 1), (2, 2), (7, 3)]
    assert [(r.pid, r.camid) for r in dataset.query] == [(1, 1), (4, 6)]
    assert [r.pid for r in dataset.gallery] == [-1, 0, 1, 1, 1, 4]
    assert dataset.train[0].image_id == "bounding_box_train/0002_c1s1_000451_03.jpg"
    assert dataset.train[0].time_s == pytest.approx(451 / 25)


def test_read_market1501__parent_folder_looks_like_a_name__labels_unchanged(tmp_path: Path) -> None:
    plain = read_market1501(market(tmp_path / "plain"))
    tricky = read_market1501(market(tmp_path / "0009_c4s1_000001_00" / "run-3_c2"))
    assert [(r.pid, r.camid) for r in tricky.gallery] == [(r.pid, r.camid) for r in plain.gallery]


def test_read_market1501__litter_and_odd_files__passed_over_or_refused(tmp_path: Path) -> None:
    root = market(tmp_path)
    gallery = root / "bounding_box_test"
    for name in ("._0001_c1s1_001051_00.jpg", "Thumbs.db", ".DS_Store", "desktop.ini"):
        (gallery / name).write_bytes(b"x")
    (gallery / "readme.txt").write_text("x")
    draw(gallery / "person ü.jpg")
    draw(gallery / "0001_c5s1_000001_00.JPG")
    (gallery / "0001_c1s1_9_0.jpg").symlink_to(gallery / "nowhere.jpg")
    dataset = read_market1501(root)
    assert "bounding_box_test/0001_c5s1_000001_00.JPG" in [r.image_id for r in dataset.gallery]
    assert {item.item.rpartition("/")[2]: item.reason for item in dataset.refused} == {
        "readme.txt": "not an image file",
        "person ü.jpg": "the file name is not like 0002_c1s1_000451_03.jpg",
        "0001_c1s1_9_0.jpg": "is a broken or circular link, or not a regular file",
    }


def test_read_market1501__undecodable_name__refused_not_crashing(tmp_path: Path) -> None:
    root = market(tmp_path)
    try:
        Path(str(root / "query") + "/0001_c2s1_\udcff.jpg").write_bytes(b"x")
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    dataset = read_market1501(root)
    assert [item.reason for item in dataset.refused] == ["the name is not valid UTF-8; rename the file"]


def test_read_market1501__missing_folders__said(tmp_path: Path) -> None:
    draw(tmp_path / "query/0001_c1s1_000001_00.jpg")
    assert "There is no gallery folder." in read_market1501(tmp_path).notes


@pytest.mark.parametrize("name", ["empty", "nothing"])
def test_read_market1501__nothing_to_read__error_says_what_was_expected(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    message = "none of the folders bounding_box_train" if name == "empty" else "is not a folder"
    with pytest.raises(DatasetError, match=message):
        read_market1501(tmp_path / name)


def test_read_market1501__only_wrong_names__error_shows_the_first(tmp_path: Path) -> None:
    draw(tmp_path / "query/anna.jpg")
    with pytest.raises(DatasetError, match=r"no image named like 0002_c1s1.*query/anna\.jpg"):
        read_market1501(tmp_path)


def test_read_market1501__both_layouts_at_once__refused(tmp_path: Path) -> None:
    market(tmp_path)
    draw(tmp_path / "train/0001_c1s1_000001_00.jpg")
    with pytest.raises(DatasetError, match="both hold the train split"):
        read_market1501(tmp_path)


@pytest.mark.parametrize("folder", ["images", "distractors_500k"])
def test_read_market1501__distractors__in_gallery_as_pid_0(tmp_path: Path, folder: str) -> None:
    root = market(tmp_path)
    draw(root / folder / "0000_c3s1_000001_00.jpg")
    draw(root / folder / "box 17.jpg")
    plain, extended = read_market1501(root), read_market1501(root, distractors=True)
    added = extended.gallery[len(plain.gallery) :]
    assert [(r.pid, r.camid) for r in added] == [(0, 3), (0, None)]
    assert any("2 extra distractors" in note for note in extended.notes)


def test_read_market1501__distractors_absent__error(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="unpack the 500k distractors"):
        read_market1501(market(tmp_path), distractors=True)


def city(tmp_path: Path, manifest: str) -> Path:
    root = market(tmp_path, train="train", gallery="gallery")
    draw(root / "locked_query/0030_c1s1_000001_00.jpg")
    draw(root / "locked_gallery/0030_c2s1_000001_00.jpg")
    (root / "manifest.csv").write_text(manifest)
    return root


def test_open_dataset__city_with_manifest__times_and_attributes_merged(tmp_path: Path) -> None:
    row = "gallery/0001_c2s1_000301_00.jpg,gallery,1,2,86400.5,look-alike\n"
    dataset = open_dataset(city(tmp_path, "path,split,pid,camid,time_s,group\n" + row))
    merged = next(r for r in dataset.gallery if r.image_id == "gallery/0001_c2s1_000301_00.jpg")
    assert (merged.time_s, merged.attributes) == (86400.5, {"sequence": "1", "group": "look-alike"})
    assert len(dataset.locked_query) == len(dataset.locked_gallery) == 1
    assert dataset.notes[0].startswith("Read as market1501")


def test_open_dataset__city_manifest_contradicts_names__error(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="gives pid 9 .* the file name says 1"):
        open_dataset(city(tmp_path, "path,pid\nquery/0001_c1s1_001051_00.jpg,9\n"))


def test_open_dataset__city_manifest_lists_absent_file__refused(tmp_path: Path) -> None:
    dataset = open_dataset(city(tmp_path, "path,time_s\nquery/0099_c1s1_000001_00.jpg,5\n"))
    assert [item.item for item in dataset.refused] == ["query/0099_c1s1_000001_00.jpg"]


def test_open_protocol__market_without_8_queries__sentence_counts_them(tmp_path: Path) -> None:
    dataset = open_protocol("market1501", market(tmp_path / "Market-1501-v15.09.15"))
    assert dataset.name == "market1501"
    assert "query: 3,368 images expected, 2 found: 3,366 missing." in dataset.notes
    assert "gallery: 3,819 junk images expected, 1 found: 3,818 missing." in dataset.notes
    assert any("academic research only" in note for note in dataset.notes)


def test_open_dataset__folder_called_market__terms_shown_but_not_for_a_copy_of_the_layout(
    tmp_path: Path,
) -> None:
    real = open_dataset(market(tmp_path / "Market-1501-v15.09.15"))
    own = open_dataset(market(tmp_path / "our-shop"))
    assert any("Zheng et al." in note for note in real.notes)
    assert not any("Zheng" in note or "expected" in note for note in own.notes)


def test_open_dataset__layout_given_and_tree_inside_a_folder__found_there(tmp_path: Path) -> None:
    market(tmp_path / "data" / "downloads" / "Market-1501-v15.09.15")
    (tmp_path / "data" / "downloads" / "readme.txt").write_text("x")
    dataset = open_dataset(tmp_path / "data", "market1501")
    assert dataset.root == tmp_path / "data" / "downloads" / "Market-1501-v15.09.15"
    assert dataset.query[0].image_id == "query/0001_c1s1_001051_00.jpg"
    with pytest.raises(DatasetError, match="none of the folders"):
        open_dataset(tmp_path / "data" / "downloads" / "Market-1501-v15.09.15" / "query", "market1501")
