from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import subprocess
import tempfile
import zipfile
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from reid_core.annotation import Event
from reid_core.data import read_manifest, read_market1501
from reid_core.errors import CancelledError, DatasetError, InputError
from reid_core.retraining.archive import read_set, unpack_set, write_folder, write_zip
from reid_core.retraining.export import imagefolder_files, set_files
from reid_core.retraining.layout import TOP_FOLDERS, place_crops, reader_for
from reid_core.retraining.pools import PoolCrop, Pools
from reid_core.retraining.records import SnapshotRules
from reid_core.retraining.snapshot import TrainingSnapshot, freeze
from reid_core.retraining.tables import plain_text, read_csv, safe_text
from tests.unit.retraining.small_sets import crop, embed, query, say, train_crop


def paths_of(pools: Pools) -> dict[str, Path]:
    return {item.image_id: item.path for item in pools.crops}


@pytest.fixture
def log() -> list[Event]:
    return [say(crop(1, 1), crop(2, 1), "different"), say(crop(1, 3), crop(1, 1), "same", is_sure=False)]


@pytest.fixture
def snapshot(pools: Pools, log: list[Event]) -> TrainingSnapshot:
    return freeze(pools, log, embeddings=embed(pools))


def published_reader(root: Path, *, most_cameras: int, drops_junk: bool) -> dict[str, list[tuple[int, int]]]:
    """What Torchreid's and FastReID's Market-1501 and DukeMTMC-reID readers do with a tree, in our words."""
    found: dict[str, list[tuple[int, int]]] = {}
    for folder in ("bounding_box_train", "query", "bounding_box_test"):
        assert (root / folder).is_dir()
        found[folder] = []
        for path in (root / folder).glob("*.jpg"):
            match = re.search(r"([-\d]+)_c(\d)", str(path))
            assert match is not None
            pid, camid = map(int, match.groups())
            if pid == -1 and drops_junk:
                continue
            assert 1 <= camid <= most_cameras
            assert 0 <= pid <= 1501
            found[folder].append((pid, camid))
    return found


def test_market_tree__published_readers__load_it_as_it_is(
    tmp_path: Path, pools: Pools, log: list[Event], snapshot: TrainingSnapshot
) -> None:
    assert reader_for(snapshot) == "market1501"
    write_zip(
        set_files(snapshot, log, paths_of(pools)), tmp_path / "a.zip", top_folder=TOP_FOLDERS["market1501"]
    )
    zipfile.ZipFile(tmp_path / "a.zip").extractall(tmp_path / "root")
    root = tmp_path / "root" / "market1501" / "Market-1501-v15.09.15"
    found = published_reader(root, most_cameras=6, drops_junk=True)
    assert {pid for pid, _ in found["bounding_box_train"]} == {1, 2, 11, 12}
    assert {pid for pid, _ in found["query"]} == {3, 4}
    assert {pid for pid, _ in found["bounding_box_test"]} == {0, 3, 4}


def test_market_tree__eight_cameras__suits_the_duke_readers_and_keeps_junk_from_them(
    tmp_path: Path, pools: Pools
) -> None:
    crops = tuple(
        PoolCrop(c.image_id, c.path, c.splits, c.sha256, c.pid, 8 if c.camid == 3 else c.camid, c.time_s)
        for c in pools.crops
    )
    wide = Pools("wide", crops)
    snapshot = freeze(wide, [])
    assert reader_for(snapshot) == "dukemtmc-reid"
    folder = write_folder(set_files(snapshot, [], paths_of(wide)), tmp_path / "set")
    found = published_reader(folder, most_cameras=8, drops_junk=False)
    assert {camid for _, camid in found["bounding_box_test"]} == {1, 2, 8}
    assert len(list((folder / "junk").glob("*.jpg"))) == 1
    assert len(read_manifest(folder / "manifest.csv").gallery) == len(found["bounding_box_test"]) + 1


def test_reader__nine_cameras_or_none__no_published_reader(pools: Pools) -> None:
    for camid in (9, None):
        crops = tuple(
            PoolCrop(c.image_id, c.path, c.splits, c.sha256, c.pid, camid, c.time_s) for c in pools.crops
        )
        assert reader_for(freeze(Pools("d", crops), [])) == ""


def test_market_tree__our_readers__agree_with_the_manifest(
    tmp_path: Path, pools: Pools, log: list[Event], snapshot: TrainingSnapshot
) -> None:
    folder = write_folder(set_files(snapshot, log, paths_of(pools)), tmp_path / "set")
    by_manifest, by_names = read_manifest(folder / "manifest.csv"), read_market1501(folder)
    for split in ("train", "query", "gallery"):
        listed, named = (
            {(r.image_id, r.pid, r.camid, r.time_s) for r in dataset.splits()[split]}
            for dataset in (by_manifest, by_names)
        )
        assert listed == named
    row = next(r for r in by_manifest.train if r.attributes["source_id"] == crop(2, 1))
    assert (row.attributes["origin"], row.attributes["judged"], row.attributes["base_pid"]) == (
        "feedback",
        "1",
        "2",
    )
    assert {r.attributes["origin"] for r in by_manifest.train if (r.pid or 0) > 10} == {"base"}
    table = pq.read_table(folder / "manifest.parquet").to_pylist()
    assert [line["path"] for line in table] == [
        r.image_id for name in ("train", "query", "gallery") for r in by_manifest.splits()[name]
    ]


def test_tables__constraints_and_triplets__name_train_rows_only(tmp_path: Path, pools: Pools) -> None:
    log = [say(query(1), crop(2, 1), "different"), say(query(3), crop(3, 1), "same")]
    snapshot = freeze(pools, log, embeddings=embed(pools, moved={query(1): [1.0] * 8, crop(2, 1): [1.0] * 8}))
    folder = write_folder(set_files(snapshot, log, paths_of(pools)), tmp_path / "set")
    train = {record.image_id for record in read_manifest(folder / "manifest.csv").train}
    constraints = read_csv((folder / "constraints.csv").read_text())
    assert [(row["kind"], row["decision_id"]) for row in constraints] == [
        ("cannot", log[0].decision_id),  # type: ignore[union-attr]
        ("must", log[1].decision_id),  # type: ignore[union-attr]
    ]
    assert {row[end] for row in constraints for end in ("left", "right")} <= train
    triplets = read_csv((folder / "triplets.csv").read_text())
    assert {row[end] for row in triplets for end in ("anchor", "positive", "negative")} <= train
    violations = [float(row["violation"]) for row in triplets]
    assert violations == sorted(violations, reverse=True)
    assert violations[0] > 0


def test_query_without_match_in_another_camera__joins_the_gallery(pools: Pools) -> None:
    log = [say(crop(4, 2), 4, "different"), say(crop(4, 3), 4, "different")]
    placed = {
        p.row.image_id: p.split for p in place_crops(freeze(pools, log, rules=SnapshotRules(feedback="none")))
    }
    assert placed[query(4)] == "gallery"
    assert placed[query(3)] == "query"


def test_export__crop_changed_since__refused_and_nothing_left(
    tmp_path: Path, pools: Pools, log: list[Event], snapshot: TrainingSnapshot
) -> None:
    pools.by_id[train_crop(11, 1)].path.write_bytes(b"something else")
    for write in (write_folder, write_zip):
        with pytest.raises(DatasetError, match="changed since the set was frozen"):
            write(set_files(snapshot, log, paths_of(pools)), tmp_path / "out" / "set")
    assert list((tmp_path / "out").iterdir()) == []


def test_export__cancelled__nothing_left(
    tmp_path: Path, pools: Pools, log: list[Event], snapshot: TrainingSnapshot
) -> None:
    seen: list[int] = []
    files = set_files(
        snapshot,
        log,
        paths_of(pools),
        report=lambda done, total: seen.append(done),
        is_cancelled=lambda: len(seen) == 3,
    )
    with pytest.raises(CancelledError):
        write_zip(files, tmp_path / "out" / "a.zip")
    assert seen == [1, 2, 3]
    assert list((tmp_path / "out").iterdir()) == []


def test_export__other_log__refused(pools: Pools, log: list[Event], snapshot: TrainingSnapshot) -> None:
    with pytest.raises(DatasetError, match="frozen from 2 decisions"):
        next(set_files(snapshot, log[:1], paths_of(pools)))


def test_zip__made_twice__equal_bytes_and_sums_hold(
    tmp_path: Path, pools: Pools, log: list[Event], snapshot: TrainingSnapshot
) -> None:
    first, second = (
        write_zip(set_files(snapshot, log, paths_of(pools)), tmp_path / name).read_bytes()
        for name in ("a.zip", "b.zip")
    )
    assert first == second
    folder = write_folder(set_files(snapshot, log, paths_of(pools)), tmp_path / "set")
    ran = subprocess.run(["sha256sum", "-c", "--quiet", "SHA256SUMS"], cwd=folder, capture_output=True)
    assert ran.returncode == 0
    with pytest.raises(InputError, match="exists already"):
        write_folder(iter(()), folder)


@pytest.mark.parametrize("damage", ["manifest.csv", "snapshot.json", "decisions.jsonl", "CHANGELOG.md"])
def test_read_set__changed_file__named(
    tmp_path: Path, pools: Pools, log: list[Event], snapshot: TrainingSnapshot, damage: str
) -> None:
    folder = write_folder(set_files(snapshot, log, paths_of(pools)), tmp_path / "set")
    assert read_set(folder).snapshot.hash == snapshot.hash
    (folder / damage).write_text((folder / damage).read_text() + " ")
    with pytest.raises(DatasetError, match=f"{damage} of the exported set"):
        read_set(folder)


def test_read_set__table_and_sums_both_edited__still_noticed(
    tmp_path: Path, pools: Pools, log: list[Event], snapshot: TrainingSnapshot
) -> None:
    folder = write_folder(set_files(snapshot, log, paths_of(pools)), tmp_path / "set")
    table, sums = folder / "manifest.csv", folder / "SHA256SUMS"
    old = hashlib.sha256(table.read_bytes()).hexdigest()
    table.write_text(table.read_text().replace(",train,2,", ",train,3,"))
    sums.write_text(sums.read_text().replace(old, hashlib.sha256(table.read_bytes()).hexdigest()))
    with pytest.raises(DatasetError, match="does not say what its snapshot says"):
        read_set(folder)


def test_unpack_set__no_zip_too_large_or_leaving_its_folder__refused(tmp_path: Path) -> None:
    (tmp_path / "text.zip").write_bytes(b"no zip")
    with pytest.raises(DatasetError, match="is not a zip"):
        unpack_set(tmp_path / "text.zip", tmp_path / "a")
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as archive:
        archive.writestr("../outside.txt", b"x" * 100)
    with pytest.raises(DatasetError, match="leaves its folder"):
        unpack_set(tmp_path / "bad.zip", tmp_path / "b")
    with zipfile.ZipFile(tmp_path / "large.zip", "w") as archive:
        archive.writestr("inside.txt", b"x" * 100)
    with pytest.raises(DatasetError, match="at most"):
        unpack_set(tmp_path / "large.zip", tmp_path / "c", max_bytes=50)
    assert not (tmp_path / "outside.txt").exists()
    assert not any((tmp_path / name).exists() for name in "abc")


def test_read_set__missing_picture__named(
    tmp_path: Path, pools: Pools, log: list[Event], snapshot: TrainingSnapshot
) -> None:
    folder = write_folder(set_files(snapshot, log, paths_of(pools)), tmp_path / "set")
    next((folder / "query").glob("*.jpg")).unlink()
    with pytest.raises(DatasetError, match="is missing"):
        read_set(folder)


def test_imagefolder__every_split__has_its_metadata_and_the_card_names_it(
    tmp_path: Path, pools: Pools, log: list[Event], snapshot: TrainingSnapshot
) -> None:
    folder = write_folder(
        imagefolder_files(snapshot, log, paths_of(pools), with_locked=True), tmp_path / "set"
    )
    card = (folder / "README.md").read_text()
    for split in ("train", "query", "gallery", "locked_query", "locked_gallery"):
        rows = read_csv((folder / split / "metadata.csv").read_text())
        assert {row["file_name"] for row in rows} == {p.name for p in (folder / split).glob("*.jpg")}
        assert f'  - split: {split}\n    path: "{split}/**"' in card
    assert read_set(folder).snapshot == snapshot


# ---- round trip --------------------------------------------------------------------------------------------

_ID = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cs", "Cc", "Zl", "Zp")), min_size=1, max_size=12
).map(lambda text: text.replace("/", "-").replace("\\", "-").strip() or "x")


def made_up_pools(
    folder: Path, ids: list[str], facts: list[tuple[str, int | None, int | None, bool]]
) -> Pools:
    crops = []
    for number, (text, (split, pid, camid, is_png)) in enumerate(zip(ids, facts, strict=True)):
        buffer = io.BytesIO()
        colour = (number % 256, 40 * (number % 6), 90)
        Image.new("RGB", (8, 16), colour).save(buffer, "PNG" if is_png else "JPEG")
        path = folder / f"{number}.bin"
        path.write_bytes(buffer.getvalue())
        sha256 = hashlib.sha256(buffer.getvalue()).hexdigest()
        shift = {"train": 1000, "locked_query": 2000, "locked_gallery": 2000}.get(split, 0)
        own_pid = pid + shift if pid is not None and pid > 0 else pid
        crops.append(PoolCrop(f"{split}/{text}", path, (split,), sha256, own_pid, camid, None))
    return Pools("Prüfung =1+1", tuple(sorted(crops, key=lambda c: c.image_id)))


@given(
    ids=st.lists(_ID, min_size=4, max_size=16, unique=True),
    data=st.data(),
    with_locked=st.booleans(),
    is_folder=st.booleans(),
)
@settings(max_examples=25, deadline=None)
def test_round_trip__any_ids_and_parts__same_hash(
    ids: list[str], data: st.DataObject, with_locked: bool, is_folder: bool
) -> None:
    """Unicode and formulas in ids, empty parts, unknown people and cameras, PNG files."""
    split = st.sampled_from(["train", "query", "gallery", "locked_query", "locked_gallery"])
    pid = st.sampled_from([None, -1, 0, 1, 2, 3])
    fact = st.tuples(split, pid, st.sampled_from([None, 1, 2, 7]), st.booleans())
    facts = [("train", 1, 1, False), *(data.draw(fact) for _ in ids[1:])]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pools = made_up_pools(folder, ids, facts)
        feedback = [c.image_id for c in pools.of("feedback")]
        log = [say(feedback[0], other, "same") for other in feedback[1:3]]
        snapshot = freeze(pools, log, rules=SnapshotRules(feedback="all"))
        make = imagefolder_files if is_folder else set_files
        write_zip(
            make(snapshot, log, paths_of(pools), name="=cmd", with_locked=with_locked),
            folder / "set.zip",
            top_folder="" if is_folder else TOP_FOLDERS[reader_for(snapshot, with_locked=with_locked)],
        )
        back = read_set(unpack_set(folder / "set.zip", folder / "back"))
        assert back.snapshot.hash == snapshot.hash
        assert back.snapshot == snapshot
        assert list(back.log) == log
        for table in back.folder.rglob("*.csv"):
            for cells in csv.reader(io.StringIO(table.read_text(encoding="utf-8"), newline="")):
                for cell in cells:
                    assert not re.match(r"[=+@\t\r]|-(?!\d)", cell), (table, cell)
        if not is_folder:
            rows = read_manifest(back.folder / "manifest.csv")
            sources = {plain_text(r.attributes["source_id"]) for r in rows.train}
            assert sources == {row.image_id for row in snapshot.used("train")}


@given(st.text())
def test_safe_text__any_text__comes_back_and_never_starts_a_formula(text: str) -> None:
    assert plain_text(safe_text(text)) == text
    assert not safe_text(text).startswith(("=", "+", "-", "@", "\t", "\r"))


def test_snapshot_json__strict(snapshot: TrainingSnapshot) -> None:
    json.loads(snapshot.to_json(), parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
