from __future__ import annotations

import stat
import zipfile
from pathlib import Path

import pytest
from dataset_trees import draw

from reid_core.data import ArchiveLimits, extract_archive, open_dataset
from reid_core.errors import CancelledError, DatasetError


@pytest.fixture
def jpeg(tmp_path: Path) -> bytes:
    return draw(tmp_path / "source.jpg").read_bytes()


def pack(path: Path, files: dict[str, bytes], *, method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content, compress_type=method)
    return path


def files_below(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_extract_archive__market_tree__opens_as_a_data_set(tmp_path: Path, jpeg: bytes) -> None:
    names = ["set/query/0001_c1s1_000001_00.jpg", "set\\gallery\\0001_c2s1_000001_00.JPG", "set/manifest.csv"]
    archive = pack(tmp_path / "a.zip", dict(zip(names, [jpeg, jpeg, b"path\n"], strict=True)))
    extracted = extract_archive(archive, tmp_path / "out")
    assert extracted.names == tuple(sorted(name.replace("\\", "/") for name in names))
    assert files_below(tmp_path / "out") == set(extracted.names)
    assert extracted.num_bytes == 2 * len(jpeg) + 5
    dataset = open_dataset(extracted.root)
    assert (len(dataset.query), len(dataset.gallery)) == (1, 1)
    assert any("lies in set/" in note for note in dataset.notes)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("../evil.jpg", "leads out"),
        ("a/../../evil.jpg", "leads out"),
        ("..\\..\\evil.jpg", "leads out"),
        ("/evil.jpg", "leads out"),
        ("C:\\evil.jpg", "leads out"),
        ("a//b.jpg", "empty parts"),
        ("a/./b.jpg", "empty parts"),
        ("a\nb.jpg", "control characters"),
        ("con.jpg", "cannot be stored"),
        ("aux/b.jpg", "cannot be stored"),
        ("ab:stream.jpg", "cannot be stored"),
        ("x" * 300 + ".jpg", "too long"),
        ("run.exe", "neither an image nor a manifest"),
        ("inner.zip", "neither an image nor a manifest"),
        ("page.svg", "neither an image nor a manifest"),
        ("program.jpg", "content is not an image"),
    ],
)
def test_extract_archive__unsafe_entry__refused_rest_kept(
    tmp_path: Path, jpeg: bytes, name: str, reason: str
) -> None:
    content = b"MZ this is a program" if name == "program.jpg" else jpeg
    extracted = extract_archive(
        pack(tmp_path / "a.zip", {"ok.jpg": jpeg, name: content}), tmp_path / "box" / "out"
    )
    assert extracted.names == ("ok.jpg",)
    assert files_below(tmp_path / "box") == {"out/ok.jpg"}
    assert len(extracted.refused) == 1
    assert reason in extracted.refused[0].reason
    assert "\n" not in extracted.refused[0].item


def test_extract_archive__symbolic_link__refused(tmp_path: Path, jpeg: bytes) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("ok.jpg", jpeg)
        link = zipfile.ZipInfo("link.jpg")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    extracted = extract_archive(tmp_path / "a.zip", tmp_path / "out")
    assert [(item.item, item.reason) for item in extracted.refused] == [
        ("link.jpg", "it is a link or a device, not a file")
    ]


def test_extract_archive__litter__passed_over(tmp_path: Path, jpeg: bytes) -> None:
    files = {"ok.jpg": jpeg, "__MACOSX/._ok.jpg": b"x", "Thumbs.db": b"x", ".hidden/a.jpg": jpeg, "dir/": b""}
    extracted = extract_archive(pack(tmp_path / "a.zip", files), tmp_path / "out")
    assert (extracted.names, extracted.refused) == (("ok.jpg",), ())


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_extract_archive__name_twice_or_in_other_case__first_kept(tmp_path: Path, jpeg: bytes) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name in ("a.jpg", "a.jpg", "A.JPG", "a.jpg/b.jpg"):
            archive.writestr(name, jpeg)
    extracted = extract_archive(tmp_path / "a.zip", tmp_path / "out")
    assert extracted.names == ("a.jpg",)
    assert len(extracted.refused) == 3


def test_extract_archive__wrong_checksum__entry_refused(tmp_path: Path, jpeg: bytes) -> None:
    path = pack(tmp_path / "a.zip", {"bad.jpg": jpeg, "ok.jpg": jpeg}, method=zipfile.ZIP_STORED)
    content = bytearray(path.read_bytes())
    content[content.index(jpeg) + len(jpeg) // 2] ^= 0xFF
    path.write_bytes(bytes(content))
    extracted = extract_archive(path, tmp_path / "out")
    assert extracted.names == ("ok.jpg",)
    assert "damaged" in extracted.refused[0].reason
    assert files_below(tmp_path / "out") == {"ok.jpg"}


def test_extract_archive__bomb__stopped_and_nothing_left(tmp_path: Path, jpeg: bytes) -> None:
    bomb = pack(tmp_path / "a.zip", {"ok.jpg": jpeg, "bomb.bmp": b"BM" + bytes(20 << 20)})
    with pytest.raises(DatasetError, match="200 times its packed size"):
        extract_archive(bomb, tmp_path / "box" / "out")
    assert list((tmp_path / "box").iterdir()) == []


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (ArchiveLimits(max_files=1), "holds 2 files, at most 1"),
        (ArchiveLimits(max_total_bytes=600), "unpacks to"),
        (ArchiveLimits(max_file_bytes=100), "unpacks to more than"),
    ],
)
def test_extract_archive__limit_passed__nothing_left(
    tmp_path: Path, jpeg: bytes, limits: ArchiveLimits, message: str
) -> None:
    archive = pack(tmp_path / "a.zip", {"a.jpg": jpeg, "b.jpg": jpeg})
    with pytest.raises(DatasetError, match=message):
        extract_archive(archive, tmp_path / "box" / "out", limits=limits)
    assert list((tmp_path / "box").glob("*")) == []


def test_extract_archive__size_in_directory_is_a_lie__real_size_counts(tmp_path: Path, jpeg: bytes) -> None:
    """A zip's directory claims 10 bytes; the stream holds more than the limit."""
    path = pack(tmp_path / "a.zip", {"a.bmp": b"BM" + bytes(50_000)})
    content = path.read_bytes()
    true_size, claimed = (50_002).to_bytes(4, "little"), (10).to_bytes(4, "little")
    path.write_bytes(content.replace(true_size, claimed))
    try:
        extracted = extract_archive(path, tmp_path / "out", limits=ArchiveLimits(max_file_bytes=1_000))
    except DatasetError:
        assert not (tmp_path / "out").exists()
    else:
        assert sum(p.stat().st_size for p in extracted.root.rglob("*") if p.is_file()) <= 1_000


@pytest.mark.parametrize("content", [b"", b"PK not a zip", b"\x00" * 100])
def test_extract_archive__not_a_zip__error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(DatasetError, match="not a complete zip"):
        extract_archive(tmp_path / "a.zip", tmp_path / "out")
    with pytest.raises(DatasetError, match="does not exist"):
        extract_archive(tmp_path / "b.zip", tmp_path / "out")


def test_extract_archive__no_image__error_says_what_was_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"1 files were refused, the first is notes\.txt"):
        extract_archive(pack(tmp_path / "a.zip", {"notes.txt": b"x"}), tmp_path / "out")


def test_extract_archive__destination_in_use__error_and_untouched(tmp_path: Path, jpeg: bytes) -> None:
    draw(tmp_path / "out/mine.jpg")
    with pytest.raises(DatasetError, match="is in use"):
        extract_archive(pack(tmp_path / "a.zip", {"a.jpg": jpeg}), tmp_path / "out")
    assert files_below(tmp_path / "out") == {"mine.jpg"}


def test_extract_archive__cancelled__nothing_left(tmp_path: Path, jpeg: bytes) -> None:
    archive = pack(tmp_path / "a.zip", {f"{i}.jpg": jpeg for i in range(5)})
    seen: list[tuple[int, int]] = []
    with pytest.raises(CancelledError):
        extract_archive(
            archive,
            tmp_path / "box" / "out",
            progress=lambda done, total: seen.append((done, total)),
            is_cancelled=lambda: len(seen) == 2,
        )
    assert seen == [(1, 5), (2, 5)]
    assert list((tmp_path / "box").iterdir()) == []


def test_extract_archive__password__refused(tmp_path: Path, jpeg: bytes) -> None:
    path = pack(tmp_path / "a.zip", {"ok.jpg": jpeg, "secret.jpg": jpeg})
    content = bytearray(path.read_bytes())
    entry = content.rindex(b"secret.jpg") - 46  # its record in the central directory; flags are at byte 8
    content[entry + 8] |= 1
    path.write_bytes(bytes(content))
    extracted = extract_archive(path, tmp_path / "out")
    assert [(item.item, item.reason) for item in extracted.refused] == [
        ("secret.jpg", "it is protected by a password")
    ]
