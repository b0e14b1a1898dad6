"""Pictures of galleries and uploads, and thumbnails: what is shown and kept, how large, for how long."""

from __future__ import annotations

import io
import os
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from reid_core.errors import ImageReadError, InputError
from reid_core.services import SearchRequest, Workbench
from reid_core.services.thumbnails import HEIGHTS, Thumbnails, bounded_height
from reid_core.services.uploads import MAX_SIDE, UploadStore
from tests.service_fakes import person_image, query_of


def make_uploads(folder: Path, *, max_stored: int = 100) -> UploadStore:
    return UploadStore(folder, retention_days=30, max_stored=max_stored, max_pixels=10_000_000)


def stored_files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_store__same_picture_twice__kept_once_under_one_key(tmp_path: Path) -> None:
    uploads = make_uploads(tmp_path)
    first, _ = uploads.store(person_image(1, 1))
    assert uploads.store(person_image(1, 1))[0] == first
    assert len(stored_files(tmp_path)) == 1
    with Image.open(io.BytesIO(uploads.read(first))) as image:
        assert (image.format, image.size) == ("JPEG", (32, 64))


def test_store__pixels__survive_the_new_encoding(tmp_path: Path) -> None:
    photo = Image.fromarray(np.random.default_rng(0).integers(90, 160, (16, 8, 3), dtype=np.uint8))
    photo = photo.resize((64, 128), Image.Resampling.BICUBIC)
    _, kept = make_uploads(tmp_path).store(photo)
    uploads = make_uploads(tmp_path)
    key, _ = uploads.store(photo)
    again = np.asarray(Image.open(io.BytesIO(uploads.read(key))), dtype=np.float64)
    assert np.abs(again - np.asarray(photo, dtype=np.float64)).mean() < 3.0
    assert kept.size == (64, 128)


def test_store__huge_photo__scaled_to_the_bound(tmp_path: Path) -> None:
    _, kept = make_uploads(tmp_path).store(Image.new("RGB", (1000, 4000), "grey"))
    assert kept.size == (512, MAX_SIDE)
    with pytest.raises(ImageReadError, match="scaled down to be stored"):
        make_uploads(tmp_path).store(Image.new("RGB", (8, 4000), "grey"))


def test_clean__unused_for_long__deleted_used_ones_stay(tmp_path: Path) -> None:
    uploads = make_uploads(tmp_path)
    old, used = (uploads.store(person_image(pid, 1))[0] for pid in (1, 2))
    long_ago = time.time() - 31 * 86_400
    for path in stored_files(tmp_path):
        os.utime(path, (long_ago, long_ago))
    uploads.read(used)
    assert uploads.clean() == 1
    assert uploads.read(used)
    with pytest.raises(InputError, match="Upload it again"):
        uploads.read(old)


def test_clean__too_many__the_longest_unused_go_first(tmp_path: Path) -> None:
    uploads = make_uploads(tmp_path, max_stored=3)
    keys = [uploads.store(person_image(pid, 1))[0] for pid in range(1, 7)]
    for age, key in enumerate(reversed(keys)):
        (path,) = tmp_path.rglob(f"{key}.jpg")
        os.utime(path, (time.time() - 10 * age, time.time() - 10 * age))
    uploads.clean()
    assert {path.stem for path in stored_files(tmp_path)} == set(keys[-3:])


def test_store__many_uploads__cleaned_without_a_restart(tmp_path: Path) -> None:
    uploads = make_uploads(tmp_path, max_stored=10)
    for pid in range(1, 80):
        uploads.store(person_image(pid, 1))
    assert len(stored_files(tmp_path)) < 10 + 50


def jpeg(size: tuple[int, int]) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, "teal").save(buffer, format="JPEG")
    return buffer.getvalue()


def size_of(content: bytes) -> tuple[int, int]:
    with Image.open(io.BytesIO(content)) as image:
        return image.size


def make_thumbnails(folder: Path | None, *, max_memory_bytes: int = 10**6) -> Thumbnails:
    return Thumbnails(folder, max_memory_bytes=max_memory_bytes, max_pixels=10_000_000)


def test_thumbnail__larger_image__shrunk_once_shape_kept(tmp_path: Path) -> None:
    reads = []

    def read() -> bytes:
        reads.append(1)
        return jpeg((300, 600))

    thumbnails = make_thumbnails(tmp_path)
    assert size_of(thumbnails.get("ab" * 32, read, max_height=100)) == (64, 128)
    assert size_of(thumbnails.get("ab" * 32, read, max_height=128)) == (64, 128)
    assert size_of(make_thumbnails(tmp_path).get("ab" * 32, read, max_height=120)) == (64, 128)
    assert len(reads) == 1


def test_thumbnail__smaller_image__never_enlarged(tmp_path: Path) -> None:
    assert size_of(make_thumbnails(tmp_path).get("c" * 64, lambda: jpeg((20, 40)), max_height=256)) == (
        20,
        40,
    )


def test_thumbnail__without_wish__bounded_all_the_same(tmp_path: Path) -> None:
    thumbnails = make_thumbnails(tmp_path)
    assert size_of(thumbnails.get("d" * 64, lambda: jpeg((3000, 1000)))) == (2048, 683)


def test_bounded_height__any_wish__one_of_few() -> None:
    assert {bounded_height(wish) for wish in range(1, 5000)} == set(HEIGHTS)
    assert bounded_height(None) == HEIGHTS[-1]


def test_thumbnail__memory_full__oldest_forgotten(tmp_path: Path) -> None:
    size = len(make_thumbnails(None).get("e" * 64, lambda: jpeg((64, 128))))
    thumbnails = make_thumbnails(None, max_memory_bytes=2 * size + 10)
    for letter in "abc":
        thumbnails.get(letter * 64, lambda: jpeg((64, 128)))
    assert [thumbnails.peek(letter * 64) is None for letter in "abc"] == [True, False, False]


def test_thumbnail__removed__gone_from_memory_and_disk(tmp_path: Path) -> None:
    thumbnails = make_thumbnails(tmp_path)
    for height in (96, 2048):
        thumbnails.get("f" * 64, lambda: jpeg((64, 128)), max_height=height)
    thumbnails.remove("f" * 64)
    assert stored_files(tmp_path) == []
    assert thumbnails.peek("f" * 64, max_height=96) is None


@pytest.mark.parametrize("name", ["..", "../market", ".staging", "market/../market", "uploads", "Market", ""])
def test_image_by_hash__name_that_is_no_gallery__refused(workbench: Workbench, name: str) -> None:
    with pytest.raises(InputError):
        workbench.image_by_hash(name, "0" * 64)


def test_image_bytes__file_changed_since__refused_instead_of_shown(
    workbench: Workbench, market: Path
) -> None:
    hit = workbench.search(SearchRequest(query_of(workbench, 2), k=1)).hits[0]
    path = market / hit.id
    person_image(9, 9).save(path)
    with pytest.raises(ImageReadError, match="changed since the gallery was imported"):
        workbench.image_bytes("", hit.id, max_height=128)
    path.unlink()
    with pytest.raises(ImageReadError, match="Import it again"):
        workbench.image_bytes("", hit.id, max_height=128)
