from __future__ import annotations

import csv
import re
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest
from cities import TINY_WORLD, tiny_city
from PIL import Image

from reid_core.errors import DatasetError, InputError
from reid_core.synthetic.city import (
    DISTRACTOR_PID,
    JUNK_PID,
    SHIPPED_COUNTS,
    UNIQUE_FAMILY,
    City,
    CityCounts,
    plan_city,
)
from reid_core.synthetic.crops import CropRenderer
from reid_core.synthetic.render_run import RenderProgress, RenderSettings, render_city
from reid_core.synthetic.scene import build_scene
from reid_core.synthetic.worlds import DEMO, TRAINING, WORLDS, world_named

MARKET_NAME = re.compile(r"(-1|\d{4})_c(\d+)s(\d)_(\d{6})_(\d{2})\.jpg")


@pytest.fixture(scope="module")
def shipped() -> City:
    return plan_city(DEMO, seed=5, cameras=8, counts=SHIPPED_COUNTS)


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("city")
    render_city(tiny_city(), folder, label={"seed": 1}, settings=RenderSettings(writes_masks=True))
    return folder


def read_manifest(folder: Path) -> list[dict[str, str]]:
    with (folder / "manifest.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_plan_city__same_seed__same_plan() -> None:
    assert tiny_city().crops == tiny_city().crops
    assert tiny_city().people == tiny_city().people


def test_plan_city__other_seed__other_plan() -> None:
    assert tiny_city(1).crops != tiny_city(2).crops


def test_plan_city__shipped_counts__has_what_they_say(shipped: City) -> None:
    parts = Counter(person.part for person in shipped.people)
    assert parts == {"gallery": 160, "train": 80, "locked": 60, "distractor": 250}
    pids = Counter(crop.pid for crop in shipped.crops)
    assert pids[DISTRACTOR_PID] == 250
    assert pids[JUNK_PID] == 60


def test_plan_city__names__are_market1501_and_unique(shipped: City) -> None:
    for crop in shipped.crops:
        match = MARKET_NAME.fullmatch(crop.file_name)
        assert match, crop.file_name
        assert int(match[1]) == crop.pid
        assert int(match[2]) == crop.camid
        assert int(match[4]) == round(crop.time_s * 25)
    assert len({crop.path for crop in shipped.crops}) == len(shipped.crops)


def test_plan_city__splits__share_no_identity_and_no_family(shipped: City) -> None:
    pids, families = defaultdict(set), defaultdict(set)
    for crop in shipped.crops:
        part = crop.split.replace("query", "gallery")
        if crop.pid > 0:
            pids[part].add(crop.pid)
        family = shipped.people[crop.person].family
        if family != UNIQUE_FAMILY and crop.pid != JUNK_PID:
            families[part].add(family)
    assert set(pids) == {"train", "gallery", "locked_gallery"}
    for sets in (pids, families):
        assert not sets["train"] & sets["gallery"]
        assert not sets["train"] & sets["locked_gallery"]
        assert not sets["gallery"] & sets["locked_gallery"]


def test_plan_city__lookalikes__forty_percent_in_families_of_two_to_six(shipped: City) -> None:
    sizes = Counter(p.family for p in shipped.people if p.part == "gallery" and p.family != UNIQUE_FAMILY)
    assert sum(sizes.values()) == 64
    assert set(sizes.values()) <= {2, 3, 4, 5, 6}
    assert max(sizes.values()) >= 4


def test_plan_city__every_query__has_a_match_from_another_camera_and_is_alone_in_its_own(
    shipped: City,
) -> None:
    for query_split, gallery_split in (("query", "gallery"), ("locked_query", "locked_gallery")):
        gallery = defaultdict(set)
        for crop in shipped.crops:
            if crop.split == gallery_split:
                gallery[crop.pid].add(crop.camid)
        queries = [(crop.pid, crop.camid) for crop in shipped.crops if crop.split == query_split]
        assert len(set(queries)) == len(queries)
        assert all(gallery[pid] - {camid} for pid, camid in queries)


def test_plan_city__times__leave_time_to_walk_between_cameras(shipped: City) -> None:
    places = {camera.camid: np.array(camera.position_m) for camera in shipped.cameras}
    by_person = defaultdict(list)
    for crop in shipped.crops:
        if crop.pid > 0:
            by_person[crop.pid].append((crop.time_s, crop.camid))
    for seen in by_person.values():
        seen.sort()
        for (t0, c0), (t1, c1) in zip(seen, seen[1:], strict=False):
            assert np.linalg.norm(places[c1] - places[c0]) <= 1.7 * (t1 - t0) + 1e-6


def test_plan_city__one_camera__refused() -> None:
    with pytest.raises(InputError, match="at least 2 cameras"):
        plan_city(TINY_WORLD, seed=1, cameras=1, counts=CityCounts(train_identities=2))


@pytest.mark.parametrize("counts", [{}, {"gallery_identities": -1, "train_identities": 3}])
def test_city_counts__nobody_or_negative__refused(counts: dict[str, int]) -> None:
    with pytest.raises(InputError, match="City counts"):
        CityCounts(**counts)


def test_worlds__training_and_demo__share_no_special_scene_time_or_garment() -> None:
    training = TRAINING.place_cameras(3, 40, TRAINING.options)
    demo = DEMO.place_cameras(3, 8, DEMO.options)
    kinds = {camera.scene.kind for camera in training}
    times = {camera.scene.time_of_day for camera in training}
    assert kinds.isdisjoint({"mall", "station", "courtyard"})
    assert times.isdisjoint({"dusk", "indoor"})
    assert {"mall", "station", "courtyard"} <= {camera.scene.kind for camera in demo}
    assert {"dusk", "indoor"} <= {camera.scene.time_of_day for camera in demo}
    assert {camera.response for camera in training}.isdisjoint({camera.response for camera in demo})
    assert {"coat", "puffer", "parka"}.isdisjoint(TRAINING.wardrobe.upper | TRAINING.wild_wardrobe.upper)
    assert len({camera.response for camera in demo}) == 8


def test_world_named__unknown__names_the_known_ones() -> None:
    with pytest.raises(InputError, match=", ".join(sorted(WORLDS))):
        world_named("moon")


def test_render_city__finished__manifest_and_files_agree(rendered: Path) -> None:
    rows = read_manifest(rendered)
    paths = {row["path"] for row in rows}
    assert paths == {str(p.relative_to(rendered)) for p in rendered.rglob("*.jpg")}
    assert not (rendered / ".render").exists()
    for row in rows:
        with Image.open(rendered / row["path"]) as image:
            assert image.size == (16, 32)
        assert row["path"].startswith(
            f"{row['split']}/{'-1' if row['pid'] == '-1' else row['pid'].zfill(4)}_"
        )
        with Image.open(rendered / row["mask"]) as mask:
            assert mask.size == (16, 32)
            seen = np.asarray(mask).any()
        if row["framing"] == "person":
            assert seen
            assert float(row["visible_fraction"]) >= 0.4
            assert row["upper"]
        if row["framing"] == "background":
            assert not seen
            assert row["upper"] == ""


def test_render__one_crop_alone__equals_the_file_of_the_whole_run(rendered: Path) -> None:
    city = tiny_city()
    renderer = CropRenderer(city, lambda camera: build_scene(camera.scene))
    for crop in (city.crops[-1], city.crops[4]):
        shot = renderer.render(crop)
        assert shot is not None
        with Image.open(rendered / crop.path) as image:
            difference = np.abs(np.asarray(image.convert("RGB")).astype(int) - shot.image)
        assert difference.mean() < 12  # the file went through one more JPEG


def test_render_city__two_processes__same_bytes_and_manifest_as_one(rendered: Path, tmp_path: Path) -> None:
    settings = RenderSettings(jobs=2, writes_masks=True)
    render_city(tiny_city(), tmp_path, label={"seed": 1}, settings=settings)
    assert (tmp_path / "manifest.csv").read_text() == (rendered / "manifest.csv").read_text()
    for row in read_manifest(rendered):
        assert (tmp_path / row["path"]).read_bytes() == (rendered / row["path"]).read_bytes()


def test_render_city__stopped_half_way__goes_on_without_rendering_again(
    rendered: Path, tmp_path: Path
) -> None:
    class StopError(Exception):
        pass

    def stop_after_some(progress: RenderProgress) -> None:
        if progress.phase == "crops" and progress.done > 5:
            raise StopError

    arguments = {"label": {"seed": 1}, "settings": RenderSettings(writes_masks=True)}
    with pytest.raises(StopError):
        render_city(tiny_city(), tmp_path, on_progress=stop_after_some, **arguments)  # type: ignore[arg-type]
    assert not (tmp_path / "manifest.csv").exists()
    early = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.jpg")}
    assert early
    render_city(tiny_city(), tmp_path, **arguments)  # type: ignore[arg-type]
    assert all(path.stat().st_mtime_ns == then for path, then in early.items())
    assert (tmp_path / "manifest.csv").read_text() == (rendered / "manifest.csv").read_text()


def test_render_city__folder_of_another_city__refused(rendered: Path) -> None:
    with pytest.raises(DatasetError, match="Choose another folder"):
        render_city(tiny_city(2), rendered, label={"seed": 2})


def test_render_city__folder_with_other_files__refused(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").write_bytes(b"")
    with pytest.raises(DatasetError, match="not empty"):
        render_city(tiny_city(), tmp_path, label={"seed": 1})


def test_render_settings__no_process__refused() -> None:
    with pytest.raises(InputError, match="jobs is 0"):
        RenderSettings(jobs=0)
