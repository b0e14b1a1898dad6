from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from reid_core.data import read_manifest
from reid_core.data.corruptions import CORRUPTIONS, CorruptionChoice, choose_corruption
from reid_core.data.corruptions.save import contact_sheet, save_corrupted
from reid_core.errors import DatasetError
from reid_core.types import Dataset, ImageRecord


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    rng = np.random.default_rng(0)
    root = tmp_path / "clean"
    root.mkdir()

    def crop(name: str, pid: int, camid: int) -> ImageRecord:
        Image.fromarray(rng.integers(0, 256, (64, 32, 3)).astype(np.uint8)).save(root / name)
        return ImageRecord(name, root / name, pid=pid, camid=camid)

    query = (crop("0002_c1s1_000001_00.jpg", 2, 1),)
    gallery = tuple(crop(f"0002_c{camid}s1_000002_00.jpg", 2, camid) for camid in (2, 3))
    return Dataset("clean", root, query=query, gallery=gallery)


def test_save_corrupted__random_protocol__manifest_says_what_each_crop_got(
    dataset: Dataset, tmp_path: Path
) -> None:
    saved = save_corrupted(dataset, tmp_path / "out", seed=3, repeat=1)
    reread = read_manifest(tmp_path / "out" / "manifest.csv")
    assert [r.image_id for r in reread.gallery] == [r.image_id for r in saved.gallery]
    drawn = choose_corruption(dataset.query[0].image_id, seed=3, repeat=1)
    assert reread.query[0].attributes["corruption"] == drawn.name
    assert reread.query[0].attributes["severity"] == str(drawn.severity)
    assert (reread.query[0].pid, reread.query[0].camid) == (2, 1)
    clean, corrupted = (np.asarray(Image.open(r.path)) for r in (dataset.query[0], saved.query[0]))
    assert not np.array_equal(clean, corrupted)


def test_save_corrupted__run_twice__same_bytes_and_nothing_redone(dataset: Dataset, tmp_path: Path) -> None:
    first = save_corrupted(dataset, tmp_path / "out", seed=3)
    before = {
        r.path: (r.path.stat().st_mtime_ns, r.path.read_bytes()) for r in (*first.query, *first.gallery)
    }
    (doomed := first.gallery[0].path).unlink()
    second = save_corrupted(dataset, tmp_path / "out", seed=3)
    for record in (*second.query, *second.gallery):
        stamp, content = before[record.path]
        assert record.path.read_bytes() == content
        assert record.path == doomed or record.path.stat().st_mtime_ns == stamp


def test_save_corrupted__damaged_source__listed_not_invented(dataset: Dataset, tmp_path: Path) -> None:
    dataset.gallery[1].path.write_bytes(b"\xff\xd8 not a jpeg")
    saved = save_corrupted(dataset, tmp_path / "out", seed=0, choice=CorruptionChoice("fog", 2))
    assert [r.item for r in saved.refused] == [dataset.gallery[1].image_id]
    assert len(saved.gallery) == 1


def test_save_corrupted__inside_the_data_set__refused(dataset: Dataset) -> None:
    with pytest.raises(DatasetError, match="inside"):
        save_corrupted(dataset, dataset.root / "corrupted", seed=0)


def test_contact_sheet__one_crop__a_cell_per_type_and_severity() -> None:
    crop = Image.fromarray(np.tile(np.arange(128, dtype=np.uint8)[:, None, None], (1, 64, 3)))
    sheet = contact_sheet(crop, seed=1, height=64)
    assert sheet.size == ((len(CORRUPTIONS) + 1) * (32 + 3), 16 + 5 * (64 + 3))
