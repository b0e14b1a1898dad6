from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from dataset_trees import draw, draw_all, market
from hypothesis import given, settings
from hypothesis import strategies as st

from reid_core.data import open_dataset, read_manifest, read_market1501, write_manifest
from reid_core.data.manifest import read_annotations
from reid_core.errors import DatasetError
from reid_core.types import Dataset, ImageRecord


def write(folder: Path, text: str, *, name: str = "manifest.csv") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def images(tmp_path: Path) -> Path:
    return draw_all(tmp_path / "set", ["a.jpg", "b.JPG", "sub dir/ü.png"])


def test_read_manifest__all_columns__become_record_and_attributes(images: Path) -> None:
    path = write(
        images, "path,split,pid,camid,time_s,hat\nsub dir/ü.png,query,7,2,1.5,red\na.jpg,gallery,-1,,,\n"
    )
    dataset = read_manifest(path)
    assert dataset.query == (
        ImageRecord("sub dir/ü.png", images / "sub dir/ü.png", 7, 2, 1.5, {"hat": "red"}),
    )
    assert dataset.gallery == (ImageRecord("a.jpg", images / "a.jpg", -1, None, None, {}),)
    assert dataset.refused == ()


def test_read_manifest__without_split_column__all_gallery_and_said(images: Path) -> None:
    dataset = read_manifest(write(images, "path\na.jpg\nb.JPG\n"))
    assert [record.image_id for record in dataset.gallery] == ["a.jpg", "b.JPG"]
    assert dataset.gallery[0].pid is None
    assert "gallery" in dataset.notes[0]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("path;pid\na.jpg;3\n", 3),
        ("path\tpid\na.jpg\t3\n", 3),
        ("﻿path,pid\r\na.jpg,3\r\n", 3),
        ("PATH,Pid\n.\\a.jpg,3.0\n", 3),
        ("path,pid\na.jpg,NaN\n", None),
        ('path,pid\n\n"a.jpg", 3\n\n', 3),
    ],
    ids=["semicolon", "tab", "bom and crlf", "case, backslash and float", "nan is unknown", "blank lines"],
)
def test_read_manifest__ways_to_write_a_table__read_alike(images: Path, text: str, what: int | None) -> None:
    (record,) = read_manifest(write(images, text)).gallery
    assert (record.image_id, record.pid) == ("a.jpg", what)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("a.jpg,query,x,1,0", "pid 'x' is not a whole number"),
        ("a.jpg,query,1.5,1,0", "pid '1.5' is not a whole number"),
        ("a.jpg,query,-2,1,0", "pid -2 is below -1"),
        ("a.jpg,query,1,-1,0", "camid -1 is below 0"),
        ("a.jpg,query,1,c2,0", "camid 'c2' is not a whole number"),
        ("a.jpg,query,1,1,soon", "time_s 'soon' is not a number"),
        ("a.jpg,query,1,1,inf", "time_s 'inf' is not finite"),
        ("a.jpg,probe,1,1,0", "split 'probe' is unknown"),
        ("a.jpg,,1,1,0", "split '' is unknown"),
        ("c.jpg,query,1,1,0", "no file 'c.jpg'"),
        ("../set/a.jpg,query,1,1,0", "leaves the root"),
        ("sub dir\\..\\..\\x.jpg,query,1,1,0", "leaves the root"),
        ("/etc/a.jpg,query,1,1,0", "outside the root"),
        ("C:\\a.jpg,query,1,1,0", "outside the root"),
        (",query,1,1,0", "path is empty"),
        ("notes.txt,query,1,1,0", "no image suffix"),
        ("b.JPG,query,1,1,0", "already listed in line 2"),
        ("a.jpg,query,1,1", "has 4 values for 5 columns"),
    ],
)
def test_read_manifest__faulty_row__names_line_and_reason(images: Path, row: str, reason: str) -> None:
    path = write(images, f"path,split,pid,camid,time_s\nb.JPG,query,1,1,0\n{row}\n")
    with pytest.raises(DatasetError, match="1 faulty row: line 3: ") as raised:
        read_manifest(path)
    assert reason in str(raised.value)
    lenient = read_manifest(path, strict=False)
    assert [record.image_id for record in lenient.query] == ["b.JPG"]
    assert lenient.refused[0].item == "manifest.csv, line 3"
    assert reason in lenient.refused[0].reason


def test_read_manifest__quoted_line_break__line_numbers_stay_true(images: Path) -> None:
    path = write(images, 'path,note\na.jpg,"two\nlines"\nmissing.jpg,x\n')
    with pytest.raises(DatasetError, match="line 4: no file"):
        read_manifest(path)


def test_read_manifest__many_faulty_rows__ten_shown_rest_counted(images: Path) -> None:
    path = write(images, "path\n" + "".join(f"x{i}.jpg\n" for i in range(25)) + "a.jpg\n")
    with pytest.raises(DatasetError, match="25 faulty rows: line 2: .*and 15 more"):
        read_manifest(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image,pid\na.jpg,1\n", "no column 'path'.*Rename column 'image'"),
        ("x,pid\na.jpg,1\n", "no column 'path'.*Add one"),
        ("path,pid,pid\na.jpg,1,1\n", "occur more than once"),
        ("path,,pid\na.jpg,1,1\n", "column 2 has no name"),
        ("", "is empty"),
        ("path\n", "lists no usable image"),
        ('path\n"a.jpg\n', "line 2: not a CSV table"),
    ],
)
def test_read_manifest__not_a_manifest__refused(images: Path, text: str, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        read_manifest(write(images, text))


def test_read_manifest__other_encoding_or_file_type__refused(images: Path) -> None:
    (images / "latin.csv").write_bytes("path\nü.jpg\n".encode("latin-1"))
    with pytest.raises(DatasetError, match="is not UTF-8"):
        read_manifest(images / "latin.csv")
    with pytest.raises(DatasetError, match="does not exist"):
        read_manifest(images / "none.csv")
    with pytest.raises(DatasetError, match="expected a .csv or .parquet"):
        read_manifest(images / "a.jpg")
    (images / "broken.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(DatasetError, match="could not be read as a Parquet table"):
        read_manifest(images / "broken.parquet")


def test_read_manifest__parquet_from_pandas_with_gaps__read_like_csv(images: Path) -> None:
    table = pd.DataFrame(
        {"path": ["a.jpg", "b.JPG"], "pid": [4.0, None], "camid": [1, 2], "score": [0.5, None]}
    )
    table.to_parquet(images / "m.parquet")
    first, second = read_manifest(images / "m.parquet").gallery
    assert (first.pid, first.camid, first.attributes) == (4, 1, {"score": "0.5"})
    assert (second.pid, second.camid) == (None, 2)


def test_read_manifest__absolute_path_below_root__accepted(images: Path) -> None:
    (record,) = read_manifest(write(images, f"path\n{images}/a.jpg\n")).gallery
    assert record.image_id == "a.jpg"


def test_read_manifest__root_elsewhere__paths_count_from_there(images: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "elsewhere", "path\nsub dir/ü.png\n")
    assert read_manifest(path, root=images).gallery[0].path == images / "sub dir/ü.png"


def test_read_manifest__same_image_in_query_and_gallery__allowed(images: Path) -> None:
    dataset = read_manifest(write(images, "path,split\na.jpg,query\na.jpg,gallery\n"))
    assert dataset.query[0].image_id == dataset.gallery[0].image_id == "a.jpg"


@pytest.mark.parametrize("name", ["m.csv", "m.parquet"])
def test_write_manifest__read_again__same_records(tmp_path: Path, name: str) -> None:
    dataset = read_market1501(market(tmp_path / "market"))
    write_manifest(dataset, dataset.root / name)
    again = read_manifest(dataset.root / name)
    assert again.splits() == dataset.splits()


def test_write_manifest__same_data__same_bytes(tmp_path: Path) -> None:
    dataset = read_market1501(market(tmp_path / "market"))
    write_manifest(dataset, tmp_path / "1.csv")
    write_manifest(dataset, tmp_path / "2.csv")
    content = (tmp_path / "1.csv").read_bytes()
    assert content == (tmp_path / "2.csv").read_bytes()
    assert b"\r" not in content
    assert content.startswith(b"path,split,pid,camid,time_s,sequence\n")


def test_write_manifest__attribute_called_like_a_column__refused(tmp_path: Path) -> None:
    record = ImageRecord("a.jpg", tmp_path / "a.jpg", attributes={"pid": "7"})
    with pytest.raises(DatasetError, match="called like columns"):
        write_manifest(Dataset("x", tmp_path, gallery=(record,)), tmp_path / "m.csv")
    with pytest.raises(DatasetError, match="must end in"):
        write_manifest(Dataset("x", tmp_path), tmp_path / "m.txt")


@settings(max_examples=50, deadline=None)
@given(
    pid=st.none() | st.integers(-1, 10**12),
    camid=st.none() | st.integers(0, 10**6),
    time_s=st.none() | st.floats(allow_nan=False, allow_infinity=False),
    note=st.text(st.characters(exclude_categories=("Cs", "Cc", "Z")), max_size=20),
)
def test_write_manifest__any_values__survive_the_round_trip(
    tmp_path_factory: pytest.TempPathFactory,
    pid: int | None,
    camid: int | None,
    time_s: float | None,
    note: str,
) -> None:
    root = tmp_path_factory.mktemp("round")
    draw(root / "a.jpg")
    attributes = {"note": note} if note else {}
    dataset = Dataset(
        "x", root, query=(ImageRecord("a.jpg", root / "a.jpg", pid, camid, time_s, attributes),)
    )
    for name in ("m.csv", "m.parquet"):
        write_manifest(dataset, root / name)
        assert read_manifest(root / name).query == dataset.query


def test_read_annotations__files_absent__values_still_read(tmp_path: Path) -> None:
    found = read_annotations(write(tmp_path, "path,time_s\nquery\\x.jpg,4\n"))
    assert found["query/x.jpg"].time_s == 4.0


def test_open_dataset__table_under_another_name__recognised_by_path_column(images: Path) -> None:
    write(images, "path,pid\na.jpg,5\n", name="crops.csv")
    dataset = open_dataset(images)
    assert [record.pid for record in dataset.gallery] == [5]
    assert "crops.csv lists its images" in dataset.notes[0]
