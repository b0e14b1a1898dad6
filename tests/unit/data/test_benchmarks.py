from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from dataset_trees import (
    cuhk03_config,
    cuhk03_images,
    cuhk03_json,
    cuhk03_mat,
    cuhk03_names,
    draw,
    draw_all,
    duke,
    grid,
    msmt17,
    viper,
)
from PIL import Image

from reid_core.data import (
    FACTS,
    TERMS,
    extract_cuhk03,
    get_protocol,
    num_splits,
    open_dataset,
    open_protocol,
    protocol_names,
    read_cuhk03,
    read_dukemtmc,
    read_grid,
    read_msmt17,
    read_viper,
)
from reid_core.data.cuhk03 import TEST_SETS_NAME
from reid_core.data.split_file import read_split_file, seeded_order
from reid_core.data.viper import SPLIT_FILE_NAME, draw_halves
from reid_core.errors import CancelledError, DatasetError, InputError
from reid_core.types import Dataset, ImageRecord


def labels(records: tuple[ImageRecord, ...]) -> list[tuple[int | None, int | None]]:
    return [(record.pid, record.camid) for record in records]


def counts(dataset: Dataset) -> tuple[int, int, int]:
    return len(dataset.train), len(dataset.query), len(dataset.gallery)


# --- DukeMTMC-reID


def test_read_dukemtmc__labels_times_and_withdrawal_notice(tmp_path: Path) -> None:
    dataset = read_dukemtmc(duke(tmp_path))
    assert labels(dataset.query) == [(5, 2)]
    assert labels(dataset.gallery) == [(5, 5), (33, 8)]
    assert dataset.query[0].time_s == pytest.approx(46985 * 1001 / 60000)
    assert any("withdrew DukeMTMC in 2019" in note and "do not pass it on" in note for note in dataset.notes)


def test_open_dataset__duke_in_its_usual_folder__recognised_by_names(tmp_path: Path) -> None:
    duke(tmp_path / "dukemtmc-reid" / "DukeMTMC-reID")
    dataset = open_dataset(tmp_path / "dukemtmc-reid")
    assert dataset.name == "dukemtmc"
    assert any(note.startswith("Read as dukemtmc") for note in dataset.notes)
    assert "train: 16,522 images expected, 2 found: 16,520 missing." in dataset.notes


def test_read_dukemtmc__market_names__refused(tmp_path: Path) -> None:
    draw(tmp_path / "query/0001_c1s1_000001_00.jpg")
    with pytest.raises(DatasetError, match=r"no image named like 0005_c2_f0046985\.jpg"):
        read_dukemtmc(tmp_path)


# --- MSMT17


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_read_msmt17__lists__splits_with_people_from_1_and_apart(tmp_path: Path, version: str) -> None:
    root = msmt17(tmp_path / f"MSMT17_{version.upper()}", version=version)
    dataset = read_msmt17(tmp_path, with_val=False)
    assert dataset.root == root
    assert labels(dataset.train) == [(1, 1), (2, 3)]
    assert labels(dataset.query) == [(1042, 14)]
    assert labels(dataset.gallery) == [(1042, 2), (1043, 4)]
    assert dataset.train[0].attributes == {"day": "0303", "time_of_day": "morning"}
    assert dataset.refused == ()
    assert any(note.startswith(f"Version {version[1]}") for note in dataset.notes)


def test_read_msmt17__with_val__added_and_said(tmp_path: Path) -> None:
    msmt17(tmp_path)
    without, with_val = (read_msmt17(tmp_path, with_val=choice) for choice in (False, True))
    assert labels(with_val.train) == [(1, 1), (2, 3), (2, 15)]
    assert any("list_train.txt AND list_val.txt" in note for note in with_val.notes)
    assert any("list_train.txt only" in note for note in without.notes)
    assert not any("are in no list" in note for note in without.notes)


def test_read_msmt17__val_not_chosen__cannot_be_called() -> None:
    with pytest.raises(TypeError, match="with_val"):
        read_msmt17("anywhere")  # type: ignore[call-arg]


def test_read_msmt17__both_versions__v1_unless_asked(tmp_path: Path) -> None:
    for version in ("v1", "v2"):
        msmt17(tmp_path / f"MSMT17_{version.upper()}", version=version)
    assert read_msmt17(tmp_path, with_val=False).name == "msmt17-v1"
    assert read_msmt17(tmp_path, with_val=False, version="v2").name == "msmt17-v2"
    assert open_protocol("msmt17-v2+val", tmp_path).train[0].image_id.startswith("mask_train_v2/")


def test_read_msmt17__faulty_lines__refused_with_list_and_line(tmp_path: Path) -> None:
    root = msmt17(tmp_path)
    (root / "train/0000/0000_000_01_0303morning_0008_0.jpg").unlink()
    draw(root / "test/0001/0001_009_04_0302noon_0016_0.jpg")
    query = root / "list_query.txt"
    good = query.read_text()
    query.write_text(
        good.replace("/", "\\") + good + "0001/0001_000_04_0302noon_0016_0.jpg 7\n\n0001/odd.jpg 1\n"
    )
    dataset = read_msmt17(root, with_val=False)
    assert [(item.item, item.reason) for item in dataset.refused] == [
        ("train/0000/0000_000_01_0303morning_0008_0.jpg", "list_train.txt, line 1: the file is missing"),
        ("test/0000/0000_000_14_0303morning_0016_2.jpg", "list_query.txt, line 2: listed a second time"),
        (
            "test/0001/0001_000_04_0302noon_0016_0.jpg",
            "list_query.txt, line 3: the list says identity 7, the file name 0001",
        ),
        (
            "test/0001/odd.jpg",
            "list_query.txt, line 5: the file name is not like 0000_000_01_0303morning_0008_0.jpg",
        ),
    ]
    assert labels(dataset.query) == [(1042, 14)]
    assert any("1 files in test/ are in no list" in note for note in dataset.notes)


@pytest.mark.parametrize(
    "line", ["0000/a.jpg", "0000/a.jpg x", "../a.jpg 1", "/etc/a.jpg 1", "0000/a.jpg -1"]
)
def test_read_msmt17__line_of_another_form__error_with_number(tmp_path: Path, line: str) -> None:
    root = msmt17(tmp_path)
    with (root / "list_gallery.txt").open("a") as gallery:
        gallery.write(line + "\n")
    with pytest.raises(DatasetError, match=r"list_gallery\.txt, line 3: .* is not a path"):
        read_msmt17(root, with_val=False)


@pytest.mark.parametrize(
    ("gone", "message"),
    [("list_val.txt", "is missing"), ("test", "is not a folder"), ("list_query.txt", "no copy of MSMT17")],
)
def test_read_msmt17__part_missing__error(tmp_path: Path, gone: str, message: str) -> None:
    path = msmt17(tmp_path) / gone
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    with pytest.raises(DatasetError, match=message):
        read_msmt17(tmp_path, with_val=True)


# --- VIPeR


def test_read_viper__20_splits__halves_in_both_directions(tmp_path: Path) -> None:
    root = viper(tmp_path)
    everybody = set(range(1, 7))
    for split in range(0, 20, 2):
        forth, back = read_viper(root, split=split), read_viper(root, split=split + 1)
        train, test = {r.pid for r in forth.train}, {r.pid for r in forth.query}
        assert len(train) == 3
        assert train | test == everybody
        assert not train & test
        assert forth.train == back.train
        assert (forth.query, forth.gallery) == (back.gallery, back.query)
        assert {r.camid for r in forth.query} == {1}
        assert {r.camid for r in forth.gallery} == {2}
        assert len(forth.train) == 6
    assert num_splits("viper") == 20


def test_read_viper__read_twice_or_elsewhere__same_halves_and_stored_hash(tmp_path: Path) -> None:
    first, second = viper(tmp_path / "a"), viper(tmp_path / "b")
    assert [r.pid for r in read_viper(first).query] == [r.pid for r in read_viper(second).query]
    assert (first / SPLIT_FILE_NAME).read_bytes() == (second / SPLIT_FILE_NAME).read_bytes()
    stored = read_split_file(first / SPLIT_FILE_NAME, dataset="viper")
    assert any(stored.sha256[:16] in note for note in read_viper(first, split=19).notes)


def test_draw_halves__632_people__hash_never_changes() -> None:
    """The halves are part of the protocol: another hash here is another benchmark."""
    halves = draw_halves(tuple(f"{number:03d}" for number in range(632)))
    assert {len(half) for half in halves.splits} == {316}
    assert halves.sha256 == "1870de18133e0fc498a2bb284934213897ed1216f3dd7bb4363c3df1f405a9ec"


def test_read_viper__split_file_changed__refused(tmp_path: Path) -> None:
    path = viper(tmp_path) / SPLIT_FILE_NAME
    read_viper(tmp_path)
    content = json.loads(path.read_text())
    content["splits"][0], content["splits"][1] = content["splits"][1], content["splits"][0]
    path.write_text(json.dumps(content))
    with pytest.raises(DatasetError, match="was changed"):
        read_viper(tmp_path)
    path.write_text("{}")
    with pytest.raises(DatasetError, match="is not a split file"):
        read_viper(tmp_path)


def test_read_viper__images_added_after_the_split_was_stored__refused(tmp_path: Path) -> None:
    read_viper(viper(tmp_path))
    viper(tmp_path, num_people=8)
    with pytest.raises(DatasetError, match="made for other images"):
        read_viper(tmp_path)


def test_read_viper__unpaired_and_odd_files__refused(tmp_path: Path) -> None:
    root = viper(tmp_path)
    draw_all(root, ["cam_a/900_0.bmp", "cam_b/000_90.bmp", "cam_a/x.bmp"])
    reasons = {item.item: item.reason for item in read_viper(root).refused}
    assert reasons["cam_a/900_0.bmp"] == "person 900 is in cam_a only, so nothing can match"
    assert "a second image of person 000" in reasons["cam_b/000_90.bmp"]
    assert "is not like 000_45.bmp" in reasons["cam_a/x.bmp"]


def test_read_viper__missing_folder_or_split__error(tmp_path: Path) -> None:
    root = viper(tmp_path)
    with pytest.raises(InputError, match="splits 0 to 19, not 20"):
        read_viper(root, split=20)
    shutil.rmtree(root / "cam_b")
    with pytest.raises(DatasetError, match="has no folder cam_b"):
        read_viper(root)


# --- GRID


@pytest.mark.parametrize("with_field_names", [True, False])
def test_read_grid__partitions__train_and_test_people(tmp_path: Path, with_field_names: bool) -> None:
    root = grid(tmp_path, with_field_names=with_field_names)
    dataset = read_grid(root, split=1)
    assert {r.pid for r in dataset.train} == {2, 3}
    assert len(dataset.train) == 4
    assert [r.pid for r in dataset.query] == [1, 4]
    assert [r.pid for r in dataset.gallery] == [0, 0, 1, 4]
    assert {r.camid for r in dataset.query} == {1}


def test_read_grid__missing_or_wrong_partitions__error(tmp_path: Path) -> None:
    root = grid(tmp_path)
    with pytest.raises(InputError, match="splits 0 to 9, not 10"):
        read_grid(root, split=10)
    mat = root / "features_and_partitions.mat"
    mat.write_bytes(b"not matlab" * 50)
    with pytest.raises(DatasetError, match="has no training partition 0"):
        read_grid(root)
    mat.unlink()
    with pytest.raises(DatasetError, match=r"features_and_partitions\.mat is missing"):
        read_grid(root)


# --- CUHK03


@pytest.mark.parametrize("boxes", ["detected", "labeled"])
def test_read_cuhk03__published_config__new_protocol(tmp_path: Path, boxes: str) -> None:
    root = cuhk03_config(cuhk03_images(tmp_path, boxes), boxes)
    dataset = read_cuhk03(root, boxes=boxes)  # type: ignore[arg-type]
    assert counts(dataset) == (15, 4, 4)
    assert {r.pid for r in dataset.train} == {1, 2, 3, 4}
    assert labels(dataset.query) == [(844, 1), (844, 2), (845, 1), (845, 2)]
    assert dataset.query[0].attributes == {"camera_pair": "2"}


def test_read_cuhk03__torchreid_json_with_paths_of_another_machine__names_decide(tmp_path: Path) -> None:
    names = cuhk03_names()
    split = {"train": names[:3], "query": names[-2:-1], "gallery": names[-1:]}
    cuhk03_images(tmp_path, "detected")
    for folder in ("/home/somebody/images_detected/", "D:\\reid\\cuhk03\\images_detected\\"):
        cuhk03_json(tmp_path, "detected", "new", [split], folder=folder)
        dataset = read_cuhk03(tmp_path)
        assert counts(dataset) == (3, 1, 1)
        assert labels(dataset.query) == [(845, 2)]


def test_read_cuhk03__original_mat__extracted_once_losslessly(tmp_path: Path) -> None:
    cuhk03_mat(tmp_path / "cuhk03_release" / "cuhk-03.mat")
    cuhk03_config(tmp_path, "labeled")
    seen: list[tuple[int, int]] = []
    dataset = read_cuhk03(tmp_path, boxes="labeled", progress=lambda done, total: seen.append((done, total)))
    assert counts(dataset) == (15, 4, 4)
    assert seen[-1] == (6, 6)
    assert sorted(p.name for p in (tmp_path / "images_labeled").iterdir()) == sorted(cuhk03_names())
    with Image.open(tmp_path / "images_labeled" / "2_001_2_07.png") as image:
        assert image.size == (8, 16)
        assert image.getpixel((0, 0)) == (21 + 6, 21, 21)
    seen.clear()
    read_cuhk03(tmp_path, boxes="labeled", progress=lambda done, total: seen.append((done, total)))
    assert seen == []


def test_read_cuhk03__classic_from_mat__query_and_gallery_are_the_test_people(tmp_path: Path) -> None:
    cuhk03_mat(tmp_path / "cuhk-03.mat")
    dataset = read_cuhk03(tmp_path, splits="classic", split=0)
    assert {r.pid for r in dataset.query} == {2, 844}
    assert dataset.query == dataset.gallery
    assert {r.pid for r in dataset.train} == {1, 3, 4, 845}
    (tmp_path / "cuhk-03.mat").unlink()  # the test sets were kept beside the images
    assert {r.pid for r in read_cuhk03(tmp_path, splits="classic", split=1).query} == {1, 3}
    assert (tmp_path / TEST_SETS_NAME).is_file()
    with pytest.raises(DatasetError, match="holds 2 test sets"):
        read_cuhk03(tmp_path, splits="classic", split=2)


def test_read_cuhk03__images_extracted_elsewhere_mat_beside__test_sets_read_from_it(tmp_path: Path) -> None:
    cuhk03_images(tmp_path, "detected")
    cuhk03_mat(tmp_path / "cuhk-03.mat")
    assert {r.pid for r in read_cuhk03(tmp_path, splits="classic").query} == {2, 844}


def test_read_cuhk03__np_folders__market_layout(tmp_path: Path) -> None:
    draw_all(
        tmp_path / "labeled",
        ["bounding_box_train/0001_c1_1.png", "query/0003_c1_2.png", "bounding_box_test/0003_c2_7.png"],
    )
    dataset = read_cuhk03(tmp_path, boxes="labeled")
    assert labels(dataset.query) == [(3, 1)]
    assert labels(dataset.gallery) == [(3, 2)]
    with pytest.raises(DatasetError, match="has no CUHK03 labeled images"):
        read_cuhk03(tmp_path, boxes="labeled", splits="classic")


def test_read_cuhk03__listed_image_missing_or_oddly_named__refused(tmp_path: Path) -> None:
    root = cuhk03_config(cuhk03_images(tmp_path, "detected"), "detected")
    (root / "images_detected/2_001_1_02.png").unlink()
    draw(root / "images_detected/6_001_1_01.png")
    reasons = {item.item: item.reason for item in read_cuhk03(root).refused}
    assert reasons["2_001_1_02.png"] == (
        "is named in cuhk03_new_protocol_config_detected.mat, but the file is missing"
    )
    assert "is not like" in reasons["images_detected/6_001_1_01.png"]


def test_read_cuhk03__nothing_says_the_split__error_names_the_files(tmp_path: Path) -> None:
    cuhk03_images(tmp_path, "detected")
    with pytest.raises(
        DatasetError, match=r"neither cuhk03_new_protocol_config_detected\.mat nor splits_new"
    ):
        read_cuhk03(tmp_path)
    with pytest.raises(DatasetError, match="20 classic test sets"):
        read_cuhk03(tmp_path, splits="classic")


def test_extract_cuhk03__not_the_mat__error_and_nothing_left(tmp_path: Path) -> None:
    (tmp_path / "cuhk-03.mat").write_bytes(b"MATLAB 5.0 MAT-file" + bytes(500))
    with pytest.raises(DatasetError, match=r"is not the cuhk-03\.mat"):
        extract_cuhk03(tmp_path / "cuhk-03.mat", tmp_path / "out", boxes="detected")
    assert list((tmp_path / "out").iterdir()) == []


def test_extract_cuhk03__cancelled__nothing_left(tmp_path: Path) -> None:
    mat = cuhk03_mat(tmp_path / "cuhk-03.mat")
    with pytest.raises(CancelledError):
        extract_cuhk03(mat, tmp_path / "out", boxes="detected", is_cancelled=lambda: True)
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize(("splits", "split", "last"), [("new", 1, 0), ("classic", 20, 19)])
def test_read_cuhk03__split_out_of_range__input_error(
    tmp_path: Path, splits: str, split: int, last: int
) -> None:
    with pytest.raises(InputError, match=f"split 0 to {last}, not {split}"):
        read_cuhk03(tmp_path, splits=splits, split=split)  # type: ignore[arg-type]


# --- protocols


def test_protocol_names__each_has_published_counts_and_scoring() -> None:
    for name in protocol_names():
        protocol = get_protocol(name)
        assert set(FACTS[protocol.facts].splits) == {"train", "query", "gallery"}
        assert protocol.dataset in TERMS
        assert protocol.scoring == ("cuhk03_classic" if "classic" in name else "market1501")
    assert [num_splits(n) for n in ("market1501", "cuhk03-classic-detected", "viper", "grid")] == [
        1,
        20,
        20,
        10,
    ]


def test_facts__published_totals__add_up() -> None:
    """CUHK03 has 14,097 detected and 14,096 labelled images, MSMT17 has 126,441 in all."""
    for name, total in (("cuhk03-detected", 14_097), ("cuhk03-labeled", 14_096), ("msmt17+val", 126_441)):
        assert sum(split.images or 0 for split in FACTS[name].splits.values()) == total
    market = FACTS["market1501"].splits["gallery"]
    assert (market.images or 0) + (market.junk or 0) == 19_732


@pytest.mark.parametrize("name", ["market", "MARKET1501", ""])
def test_open_protocol__unknown_name__choices_listed(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="choose one of market1501"):
        open_protocol(name, tmp_path)


def test_open_protocol__no_such_split_or_folder__error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="splits 0 to 9, not -1"):
        open_protocol("grid", tmp_path, split=-1)
    with pytest.raises(DatasetError, match="does not exist"):
        open_protocol("grid", tmp_path / "none")
    with pytest.raises(DatasetError, match="features_and_partitions"):
        open_protocol("grid", tmp_path)


def test_open_protocol__strict_on_an_incomplete_copy__error_with_the_count(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="not a complete viper: train: 632 images expected, 6 found"):
        open_protocol("viper", viper(tmp_path), strict=True)


def test_open_protocol__complete_viper__nothing_differs(tmp_path: Path) -> None:
    for number in range(632):
        for camera, angle in (("cam_a", 0), ("cam_b", 90)):
            (tmp_path / camera).mkdir(exist_ok=True)
            (tmp_path / camera / f"{number:03d}_{angle}.bmp").touch()
    dataset = open_protocol("viper", tmp_path, split=7, strict=True)
    assert counts(dataset) == (632, 316, 316)


@pytest.mark.parametrize(
    ("tree", "name"), [(viper, "viper"), (grid, "grid"), (msmt17, "msmt17"), (duke, "dukemtmc")]
)
def test_open_dataset__known_tree__recognised_and_explained(tmp_path: Path, tree: object, name: str) -> None:
    tree(tmp_path / "downloads" / "inner")  # type: ignore[operator]
    dataset = open_dataset(tmp_path / "downloads")
    assert dataset.name == name
    assert dataset.notes[0].startswith(f"Read as {name} (")
    assert "lies in inner/" in dataset.notes[1]


def test_open_dataset__protocol_and_split__passed_on(tmp_path: Path) -> None:
    root = viper(tmp_path)
    assert open_dataset(root, protocol="viper", split=3).query == read_viper(root, split=3).query


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layout": "flat", "pattern": "(?P<pid>x)"}, "'pattern' does not belong to layout 'flat'"),
        ({"layout": "viper", "distractors": True}, "'distractors' does not belong"),
        ({"layout": "grid", "protocol": "viper"}, "is not one of 'grid'"),
        ({"layout": "marked"}, "Unknown layout 'marked'"),
        ({"layout": "regex"}, "needs a pattern"),
    ],
)
def test_open_dataset__option_that_does_not_fit__input_error(
    tmp_path: Path, options: dict, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        open_dataset(viper(tmp_path), **options)


def test_open_dataset__nothing_there_or_not_a_data_set__error(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="does not exist"):
        open_dataset(tmp_path / "none")
    (tmp_path / "a.zip").write_bytes(b"x")
    with pytest.raises(DatasetError, match="unpack an archive first"):
        open_dataset(tmp_path / "a.zip")


def test_open_dataset__strict_and_something_refused__error(tmp_path: Path) -> None:
    draw_all(tmp_path, ["1/a.jpg", "loose.jpg"])
    assert len(open_dataset(tmp_path).gallery) == 1
    with pytest.raises(DatasetError, match=r"1 items cannot be read, first loose\.jpg"):
        open_dataset(tmp_path, strict=True)


def test_seeded_order__items_seed_purpose__decide_alone() -> None:
    order = seeded_order(["a", "b", "c", "d"], seed=1, purpose="x")
    assert sorted(order) == ["a", "b", "c", "d"]
    assert order == seeded_order(["d", "c", "b", "a", "a"], seed=1, purpose="x")
    assert tuple(item for item in order if item != "b") == seeded_order("acd", seed=1, purpose="x")
    assert len({seeded_order("abcdefgh", seed=seed, purpose="x") for seed in range(20)}) == 20


def test_open_dataset__cuhk03__first_protocol_whose_files_are_there(tmp_path: Path) -> None:
    cuhk03_mat(tmp_path / "a" / "cuhk-03.mat")
    assert open_dataset(tmp_path / "a").name == "cuhk03-classic-detected"
    cuhk03_config(cuhk03_images(tmp_path / "b", "labeled"), "labeled")
    assert open_dataset(tmp_path / "b").name == "cuhk03-labeled"
    cuhk03_mat(tmp_path / "c" / "cuhk03_release" / "cuhk-03.mat")
    cuhk03_config(tmp_path / "c", "detected")
    dataset = open_dataset(tmp_path / "c")
    assert dataset.name == "cuhk03-detected"
    assert any("others: cuhk03-labeled" in note for note in dataset.notes)


def test_read_cuhk03__split_cannot_be_known__mat_is_not_unpacked_in_vain(tmp_path: Path) -> None:
    cuhk03_mat(tmp_path / "cuhk-03.mat")
    with pytest.raises(DatasetError, match="who trains"):
        read_cuhk03(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["cuhk-03.mat"]


def test_open_dataset__one_known_set_beside_other_files__found(tmp_path: Path) -> None:
    viper(tmp_path / "VIPeR")
    draw_all(tmp_path, ["cover.png", "papers/figure.png/x.txt.jpg"])
    (tmp_path / "readme.txt").write_text("x")
    assert open_dataset(tmp_path).name == "viper"


def test_open_dataset__two_copies_of_one_set__asks_to_choose(tmp_path: Path) -> None:
    for name in ("one", "two"):
        viper(tmp_path / name)
    with pytest.raises(DatasetError, match="holds several: one, two"):
        open_dataset(tmp_path)
