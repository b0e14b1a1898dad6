from __future__ import annotations

import json
import shutil
import unicodedata
import zipfile
from pathlib import Path

import numpy as np
import pytest
from dataset_trees import draw, draw_all, grid, market
from PIL import Image, ImageEnhance

from reid_core.cli import main
from reid_core.data import CheckReport, Finding, check_dataset, open_dataset
from reid_core.data.fingerprints import NEAR_BITS, Fingerprint, difference_bits, fingerprint_file, near_pairs
from reid_core.errors import CancelledError
from reid_core.types import Dataset, ImageRecord


def check(root: Path, *, deep: bool = False) -> CheckReport:
    return check_dataset(open_dataset(root), deep=deep)


def finding(report: CheckReport, code: str) -> Finding:
    (found,) = [f for f in report.findings if f.code == code]
    return found


def codes(report: CheckReport) -> set[str]:
    return {f.code for f in report.findings}


def labelled(split: str, *people: tuple[int | None, int | None]) -> dict[str, tuple[ImageRecord, ...]]:
    names = [f"{split}/{i}.jpg" for i in range(len(people))]
    return {split: tuple(ImageRecord(n, Path("/d") / n, *who) for n, who in zip(names, people, strict=True))}


def test_check_dataset__market_tree__counts_and_histograms(tmp_path: Path) -> None:
    report = check(market(tmp_path / "shop"))
    train, query, gallery = report.splits
    assert (train.num_images, train.num_identities, train.num_cameras) == (3, 2, 3)
    assert (query.num_images, query.num_identities) == (2, 2)
    assert (gallery.num_images, gallery.num_identities, gallery.num_junk, gallery.num_distractors) == (
        6,
        2,
        1,
        1,
    )
    assert report.cameras_per_identity == {"1": 1, "3": 1}
    assert report.images_per_identity == {"1": 1, "2": 2, "3-4": 1}
    assert [(p.first, p.second, p.num_identities) for p in report.camera_pairs] == [
        (1, 2, 1),
        (1, 3, 1),
        (2, 3, 1),
    ]


def test_check_dataset__query_with_match_in_own_camera_only__explained(tmp_path: Path) -> None:
    report = check(market(tmp_path / "shop"))
    assert (report.queries.num_queries, report.queries.num_without_match, report.queries.num_same_camera) == (
        2,
        1,
        1,
    )
    found = finding(report, "unmatched-queries")
    assert found.level == "warning"
    assert found.examples == ("query/0004_c6s4_001902_00.jpg",)
    assert "from their own camera only" in found.message
    assert "single_camera" in found.message
    assert report.num_errors == 0


def test_check_dataset__no_query_has_a_match__sentence_quotes_what_other_tools_say() -> None:
    dataset = Dataset(
        "x", Path("/d"), **labelled("query", (1, 1), (2, 1)), **labelled("gallery", (3, 2), (4, 2))
    )
    found = finding(check_dataset(dataset), "unmatched-queries")
    assert found.level == "error"
    assert "all query identities do not appear in gallery" in found.message
    assert "2 show somebody who is not in the gallery" in found.message
    assert "number the same people alike" in found.message


def test_check_dataset__cameras_unknown_or_queries_unlabelled__said_apart() -> None:
    dataset = Dataset(
        "x",
        Path("/d"),
        **labelled("query", (1, None), (2, 1), (None, 1), (0, 1), (3, 1)),
        **labelled("gallery", (1, 2), (2, None), (3, 2)),
    )
    queries = check_dataset(dataset).queries
    assert (queries.num_no_camera, queries.num_unlabelled, queries.num_without_match) == (2, 2, 4)


def test_check_dataset__queries_without_gallery__error() -> None:
    report = check_dataset(Dataset("x", Path("/d"), **labelled("query", (1, 1))))
    assert finding(report, "no-gallery").level == "error"


def test_check_dataset__person_in_train_and_test__leak(tmp_path: Path) -> None:
    root = market(tmp_path / "shop")
    draw(root / "bounding_box_train/0004_c1s1_000001_00.jpg", seed=99)
    found = finding(check(root), "leak")
    assert (found.level, found.examples) == ("error", ("4",))


def test_check_dataset__refused_items__grouped_by_reason(tmp_path: Path) -> None:
    root = market(tmp_path / "shop")
    draw_all(root / "query", ["anna.jpg", "bert.jpg"])
    (root / "query/readme.txt").write_text("x")
    found = [f for f in check(root).findings if f.code == "refused"]
    assert [(f.level, f.count) for f in found] == [("warning", 2), ("note", 1)]


def test_check_dataset__names_that_differ_in_case_accents_or_zeros__warned(tmp_path: Path) -> None:
    composed, split = (unicodedata.normalize(form, "ü.jpg") for form in ("NFC", "NFD"))
    names = [composed, split, "a.JPG", "a.jpg", "0002_c1.png", "2_c2.png"]
    records = tuple(ImageRecord(n, tmp_path / n, 2, 1) for n in names)
    report = check_dataset(Dataset("x", tmp_path, gallery=records))
    assert finding(report, "names-collide").count == 4
    assert finding(report, "inconsistent-names").examples == ("0002_c1.png", "2_c2.png")


def test_check_dataset__camera_zero_and_rare_camera__pointed_out() -> None:
    usual = [(pid, camid) for pid in range(1, 600) for camid in (0, 1)]
    report = check_dataset(Dataset("x", Path("/d"), **labelled("gallery", *usual, (1, 77))))
    assert finding(report, "camera-zero").level == "note"
    assert "[77]" in finding(report, "rare-camera").message


def test_check_dataset__published_counts_differ__one_finding_and_not_among_the_notes(tmp_path: Path) -> None:
    report = check(grid(tmp_path))
    message = finding(report, "published-counts").message
    assert "gallery: 900 images expected, 4 found: 896 missing" in message
    assert "readme" in message
    assert not any("expected" in note for note in report.notes)


def test_check_dataset__deep_damage__every_kind_found(tmp_path: Path) -> None:
    root = market(tmp_path / "shop")
    whole = (root / "query/0001_c1s1_001051_00.jpg").read_bytes()
    broken = {
        "0005_c1s1_000001_00.jpg": whole[: len(whole) // 2],
        "0005_c2s1_000001_00.jpg": b"",
        "0006_c1s1_1_0.jpg": b"no",
    }
    for name, content in broken.items():
        (root / "query" / name).write_bytes(content)
    found = finding(check(root, deep=True), "damaged")
    assert found.level == "error"
    assert found.examples == tuple(f"query/{name}" for name in sorted(broken))
    assert "damaged" not in codes(check(root))


def test_check_dataset__deep_copies__told_apart_by_what_they_mean(tmp_path: Path) -> None:
    root = market(tmp_path / "shop")
    copies = {
        "bounding_box_train/0002_c1s1_000451_03.jpg": "bounding_box_test/0008_c1s1_000001_00.jpg",
        "query/0001_c1s1_001051_00.jpg": "bounding_box_test/0001_c4s1_000001_00.jpg",
        "query/0004_c6s4_001902_00.jpg": "query/0009_c1s1_000001_00.jpg",
        "bounding_box_train/0007_c3s2_000100_01.jpg": "bounding_box_train/0007_c4s2_000100_01.jpg",
    }
    for source, copy in copies.items():
        shutil.copy(root / source, root / copy)
    report = check(root, deep=True)
    levels = {f.code: (f.level, f.count) for f in report.findings if f.code.startswith("exact")}
    assert levels == {
        "exact-copies-leak": ("error", 1),
        "exact-copies-answer": ("error", 1),
        "exact-copies-people": ("error", 1),
        "exact-copies-same": ("note", 1),
    }
    assert not any(code.startswith("near") for code in codes(report))


def test_check_dataset__deep_near_copy_of_another_identity__warned(tmp_path: Path) -> None:
    root = market(tmp_path / "shop")
    with Image.open(root / "query/0001_c1s1_001051_00.jpg") as image:
        image.resize((24, 48)).save(root / "query/0009_c2s1_000001_00.jpg", quality=60)
    found = finding(check(root, deep=True), "near-copies-people")
    assert found.level == "warning"
    assert found.examples == ("query/0001_c1s1_001051_00.jpg = query/0009_c2s1_000001_00.jpg",)


def test_check_dataset__deep_sizes__summary_and_outliers(tmp_path: Path) -> None:
    root = market(tmp_path / "shop")
    draw(root / "query/0005_c1s1_000001_00.jpg", size=(8, 20), seed=70)
    draw(root / "query/0005_c2s1_000001_00.jpg", size=(90, 40), seed=71)
    report = check(root, deep=True)
    assert report.sizes is not None
    assert (report.sizes.min_width, report.sizes.max_width, report.sizes.median_height) == (8, 90, 32)
    assert finding(report, "small").examples == ("query/0005_c1s1_000001_00.jpg",)
    assert finding(report, "wide").examples == ("query/0005_c2s1_000001_00.jpg",)


def test_check_dataset__deep_progress_and_cancel__counted_and_stopped(tmp_path: Path) -> None:
    dataset = open_dataset(market(tmp_path / "shop"))
    seen: list[tuple[int, int]] = []
    check_dataset(dataset, deep=True, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(i, 11) for i in range(1, 12)]
    with pytest.raises(CancelledError):
        check_dataset(dataset, deep=True, is_cancelled=lambda: True)


def test_check_dataset__empty_data_set__report_without_splits() -> None:
    report = check_dataset(Dataset("x", Path("/d")))
    assert (report.splits, report.findings, report.num_errors) == ((), (), 0)
    assert "Nothing found amiss" in report.to_text()


def test_check_report__json__holds_every_field(tmp_path: Path) -> None:
    report = check(market(tmp_path / "shop"), deep=True)
    content = json.loads(report.to_json())
    assert content == json.loads(json.dumps(report.to_dict()))
    assert content["splits"][0]["name"] == "train"
    assert content["num_errors"] == 0
    assert content["queries"]["num_without_match"] == 1


# --- fingerprints


def photo(seed: int) -> Image.Image:
    cells = np.random.default_rng(seed).integers(0, 256, (16, 8, 3), dtype=np.uint8)
    return Image.fromarray(cells).resize((64, 128), Image.Resampling.BICUBIC)


def distance(first: Image.Image, second: Image.Image) -> int:
    a, b = difference_bits(first), difference_bits(second)
    assert a is not None
    assert b is not None
    return int(np.unpackbits((a ^ b).view(np.uint8)).sum())


def test_difference_bits__scaled_brighter_same_picture__few_bits_differ() -> None:
    image = photo(1)
    assert distance(image, image.resize((48, 96))) <= NEAR_BITS
    assert distance(image, ImageEnhance.Brightness(image).enhance(0.8)) <= NEAR_BITS
    assert min(distance(image, photo(seed)) for seed in range(2, 40)) > 3 * NEAR_BITS


def test_difference_bits__flat_picture__none() -> None:
    assert difference_bits(Image.new("RGB", (64, 128), "grey")) is None


def test_near_pairs__random_hashes__equal_to_comparing_all() -> None:
    rng = np.random.default_rng(0)
    bits = rng.integers(0, 2, (300, 128), dtype=np.uint8)
    for row in range(1, 300, 3):  # make every third a neighbour of the one before, 0 to 12 bits away
        bits[row] = bits[row - 1]
        bits[row, rng.choice(128, rng.integers(0, 13), replace=False)] ^= 1
    prints = [Fingerprint(str(i), 1, 1, np.packbits(row).view(np.uint64)) for i, row in enumerate(bits)]
    slow = [
        (i, j) for i in range(300) for j in range(i + 1, 300) if int((bits[i] != bits[j]).sum()) <= NEAR_BITS
    ]
    assert 20 < len(slow) < 90
    assert list(near_pairs(prints)) == slow


def test_near_pairs__flat_or_damaged_or_one__none() -> None:
    assert list(near_pairs([])) == []
    assert list(near_pairs([Fingerprint("a"), Fingerprint("b", error="is empty")])) == []


def test_fingerprint_file__missing__reported_not_raised(tmp_path: Path) -> None:
    assert fingerprint_file(tmp_path / "none.jpg").error == "cannot be opened (No such file or directory)"


# --- reid check


def test_reid_check__good_data__exit_0_and_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(market(tmp_path / "shop")), "--deep"]) == 0
    out = capsys.readouterr().out
    assert "Queries with a match from another camera: 1 of 2" in out
    assert "WARNING: 1 of 2 queries" in out


def test_reid_check__leak_in_a_zip__exit_1_and_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = market(tmp_path / "shop")
    draw(root / "bounding_box_train/0004_c1s1_000001_00.jpg", seed=99)
    archive = shutil.make_archive(str(tmp_path / "packed"), "zip", root)
    assert zipfile.is_zipfile(archive)
    assert main(["check", archive, "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["num_errors"] == 1


def test_reid_check__nothing_there__exit_1_message_only(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", str(tmp_path / "none")]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "does not exist" in captured.err


def test_reid_check__pattern_and_layout__used(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    draw_all(tmp_path, ["p1_c1.jpg", "p1_c2.jpg"])
    assert main(["check", str(tmp_path), "--pattern", r"p(?P<pid>\d)_c(?P<camid>\d)", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["camera_pairs"] == [
        {"first": 1, "second": 2, "num_identities": 1}
    ]


def test_check_dataset__folder_called_like_a_protocol__not_compared_with_it(tmp_path: Path) -> None:
    draw_all(tmp_path / "grid", ["a.jpg", "b.jpg"])
    report = check(tmp_path / "grid")
    assert report.name == "grid"
    assert "published-counts" not in codes(report)
