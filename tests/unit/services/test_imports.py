from __future__ import annotations

import hashlib
import multiprocessing
import os
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from reid_core.errors import DatasetError, InputError
from reid_core.services import SearchRequest, Workbench
from reid_core.services.embeddings import EmbeddingCache
from reid_core.services.galleries import Gallery, GalleryImage, GalleryStore, name_for
from reid_core.services.imports import ImportLimits, ImportSource, read_into_staging
from reid_core.services.turns import ComputeTurns
from tests.service_fakes import (
    WAIT_S,
    ColourNetwork,
    import_and_wait,
    make_workbench,
    person_image,
    wait_until_over,
    write_market,
    write_person,
)

Start = Callable[..., Workbench]
GENEROUS = ImportLimits(max_images=1000, max_bytes=10**9, max_pixels=10**7)


def names(workbench: Workbench) -> list[str]:
    return [gallery.name for gallery in workbench.galleries()]


def pack(folder: Path, path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*.jpg")):
            archive.write(file, file.relative_to(folder.parent))
    return path


def test_import__folder__referenced_not_copied(workbench: Workbench, tmp_path: Path) -> None:
    other = write_market(tmp_path / "other")
    name = import_and_wait(workbench, other, name="My Gallery")
    assert name == "my-gallery"
    assert not list((tmp_path / "data" / "galleries").rglob("*.jpg"))
    request = SearchRequest("query/0002_c1s1_000002_00.jpg", gallery=name)
    assert workbench.search(request).hits[0].pid == 2


def test_import__zip__unpacked_below_the_data_folder(workbench: Workbench, tmp_path: Path) -> None:
    packed = pack(write_market(tmp_path / "other"), tmp_path / "packed.zip")
    name = import_and_wait(workbench, packed)
    packed.unlink()
    request = SearchRequest("query/0002_c1s1_000002_00.jpg", gallery=name)
    hit = workbench.search(request).hits[0]
    assert hit.pid == 2
    assert workbench.image_bytes(name, hit.id)
    kept = list((tmp_path / "data" / "galleries" / name).rglob("*"))
    assert len([path for path in kept if path.suffix == ".jpg"]) == 26
    assert not [path for path in kept if path.suffix == ".zip"]


def test_import__uploaded_file__adopted_and_the_original_may_go(workbench: Workbench, tmp_path: Path) -> None:
    cache = tmp_path / "data" / "cache" / "gradio" / "abc"
    cache.mkdir(parents=True)
    packed = pack(write_market(tmp_path / "other"), cache / "mine.zip")
    job_id = workbench.import_gallery(packed)
    packed.unlink()
    wait_until_over(workbench, job_id)
    assert workbench.job(job_id).gallery == "mine"
    assert not list((tmp_path / "data" / "galleries" / ".staging").iterdir())


def test_import__uploaded_folder__copied(workbench: Workbench, tmp_path: Path) -> None:
    incoming = write_market(tmp_path / "data" / "incoming" / "dropped")
    name = import_and_wait(workbench, incoming)
    for path in incoming.rglob("*.jpg"):
        path.unlink()
    request = SearchRequest("query/0002_c1s1_000002_00.jpg", gallery=name)
    assert workbench.image_bytes(name, workbench.search(request).hits[0].id)


def test_import__table__pids_cameras_times_and_attributes(workbench: Workbench, tmp_path: Path) -> None:
    folder = tmp_path / "table"
    folder.mkdir()
    rows = ["path,split,pid,camid,time_s,coat"]
    for serial, (pid, camid) in enumerate([(1, 1), (1, 2), (2, 2)]):
        person_image(pid, camid, serial).save(folder / f"{serial}.png")
        rows.append(f"{serial}.png,{'query' if serial == 0 else 'gallery'},{pid},{camid},{serial}.5,red <b>")
    (folder / "list.csv").write_text("\n".join(rows))
    name = import_and_wait(workbench, folder / "list.csv")
    result = workbench.search(SearchRequest("0.png", gallery=name))
    assert [(hit.pid, hit.camid, hit.time_s, hit.verdict) for hit in result.hits] == [
        (1, 2, 1.5, "true"),
        (2, 2, 2.5, "false"),
    ]
    assert result.hits[0].attributes["coat"] == "red <b>"


def test_import__equal_names__distinct_slugs(workbench: Workbench, tmp_path: Path) -> None:
    for number in range(3):
        import_and_wait(workbench, write_market(tmp_path / f"o{number}" / "market"), name="Market")
    assert sorted(names(workbench)) == ["market", "market-2", "market-3", "market-4"]


def test_import__same_source_again__takes_its_place(workbench: Workbench, tmp_path: Path) -> None:
    other = write_market(tmp_path / "other")
    assert import_and_wait(workbench, other) == "other"
    write_person(other / "bounding_box_test", 40, 3)
    assert import_and_wait(workbench, other) == "other"
    assert {gallery.name: gallery.num_images for gallery in workbench.galleries()}["other"] == 21


def test_import__damaged_and_tiny_images__refused_by_name_with_reason(
    workbench: Workbench, tmp_path: Path
) -> None:
    other = write_market(tmp_path / "other")
    (other / "bounding_box_test" / "0001_c2s1_000500_00.jpg").write_bytes(b"\xff\xd8\xff\xe0 cut")
    Image.new("RGB", (3, 9)).save(other / "bounding_box_test" / "0001_c2s1_000501_00.jpg")
    job_id = workbench.import_gallery(other)
    wait_until_over(workbench, job_id)
    view = workbench.job(job_id)
    reasons = {refusal.item: refusal.reason for refusal in view.refused}
    assert view.state == "done"
    assert "2 items were refused" in view.message
    assert "could not be read" in reasons["bounding_box_test/0001_c2s1_000500_00.jpg"]
    assert "3 x 9 pixels" in reasons["bounding_box_test/0001_c2s1_000501_00.jpg"]
    info = next(gallery for gallery in workbench.galleries() if gallery.name == "other")
    assert info.num_images == 20
    assert len(info.refused) == 2


@pytest.mark.parametrize("what", ["nothing", "text", "empty", "damaged zip", "only damaged"])
def test_import__nothing_to_read__error_and_nothing_left(
    workbench: Workbench, tmp_path: Path, what: str
) -> None:
    folder = tmp_path / "odd"
    folder.mkdir()
    path = folder
    if what == "nothing":
        path = tmp_path / "absent"
    elif what == "text":
        path = folder / "notes.txt"
        path.write_text("hello")
    elif what == "damaged zip":
        path = folder / "x.zip"
        path.write_bytes(b"PK\x03\x04 nonsense")
    elif what == "only damaged":
        (folder / "a.jpg").write_bytes(b"\xff\xd8\xff")
    if what in ("nothing", "text"):
        with pytest.raises(DatasetError):
            workbench.import_gallery(path)
    else:
        job_id = workbench.import_gallery(path)
        wait_until_over(workbench, job_id)
        assert workbench.job(job_id).state == "failed"
        assert len(workbench.job(job_id).message) > 20
    assert names(workbench) == ["market"]
    staging = tmp_path / "data" / "galleries" / ".staging"
    assert not staging.exists() or not list(staging.iterdir())


def test_import__too_many_images__refused_not_cut(start: Start, tmp_path: Path) -> None:
    opened = start(max_gallery_images=26)
    other = write_market(tmp_path / "other", num_people=7)
    job_id = opened.import_gallery(other)
    wait_until_over(opened, job_id)
    assert "at most 26 are read" in opened.job(job_id).message


def test_import__cancelled_while_embedding__nothing_registered(
    workbench: Workbench, network: ColourNetwork, tmp_path: Path
) -> None:
    other = write_market(tmp_path / "other")
    write_person(other / "bounding_box_test", 41, 3)
    network.gate.clear()
    job_id = workbench.import_gallery(other)
    workbench.cancel(job_id)
    network.gate.set()
    wait_until_over(workbench, job_id)
    assert workbench.job(job_id).state == "cancelled"
    assert names(workbench) == ["market"]
    assert not list((tmp_path / "data" / "galleries" / ".staging").glob("*"))
    assert len(list((tmp_path / "data" / "embeddings").rglob("*.npz"))) == 1
    assert import_and_wait(workbench, other) == "other"


def test_import__program_ends_midway__goes_on_at_the_next_start(
    start: Start, workbench: Workbench, network: ColourNetwork, tmp_path: Path
) -> None:
    cache = tmp_path / "data" / "incoming"
    cache.mkdir(parents=True)
    packed = pack(write_market(tmp_path / "other", num_people=9), cache / "mine.zip")
    is_embedding, may_go_on = threading.Event(), threading.Event()

    def hold(_: int) -> None:
        is_embedding.set()
        may_go_on.wait(WAIT_S)  # so slow that the next batch is not all the rest

    network.on_call = hold
    job_id = workbench.import_gallery(packed)
    assert is_embedding.wait(WAIT_S)
    threading.Timer(0.5, may_go_on.set).start()
    workbench.close()
    assert workbench.job(job_id).state == "queued"
    again = start(ColourNetwork())
    wait_until_over(again, job_id)
    assert again.job(job_id).state == "done"
    assert again.job(job_id).gallery == "mine"
    request = SearchRequest("query/0009_c1s1_000009_00.jpg", gallery="mine")
    assert again.search(request).hits[0].pid == 9


def test_import__path_of_this_machine_when_others_can_reach_us__refused(start: Start, tmp_path: Path) -> None:
    opened = start(host="0.0.0.0")
    other = write_market(tmp_path / "other")
    with pytest.raises(InputError, match="Upload a zip"):
        opened.import_gallery(other)
    allowed = start(host="0.0.0.0", local_paths="yes")
    assert allowed.import_gallery(other)


def test_import_now__reports_and_registers(tmp_path: Path) -> None:
    opened = make_workbench(tmp_path)
    steps = []
    gallery = opened.import_now(write_market(tmp_path / "other"), name="Here", watch=steps.append)
    assert (gallery.name, gallery.num_images) == ("here", 20)
    assert {"Loading the network.", "Reading images.", "Embedding."} <= {step.message for step in steps}
    assert steps[-1].num_done == 26


def test_import_now__weights_do_not_load__nothing_registered(tmp_path: Path) -> None:
    opened = make_workbench(tmp_path, weights="broken")
    with pytest.raises(Exception, match="broken is not a weights file"):
        opened.import_now(write_market(tmp_path / "other"), watch=lambda view: None)
    assert not (tmp_path / "data" / "galleries" / "other").exists()


def test_read_into_staging__table_points_outside_of_an_upload__refused(tmp_path: Path) -> None:
    store = GalleryStore(tmp_path / "galleries")
    folder = store.staging / "upload-1" / "upload"
    folder.mkdir(parents=True)
    private = tmp_path / "private.jpg"
    person_image(1, 1).save(private)
    (folder / "link.jpg").symlink_to(private)
    source = ImportSource(folder, "x", is_owned=True)
    with pytest.raises(DatasetError, match="outside of what was uploaded"):
        read_into_staging(source, store, GENEROUS, report=lambda *_: None, is_cancelled=lambda: False)


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Market 1501", "market-1501"),
        ("../../etc", "etc"),
        ("Ünïcode", "n-code"),
        ("!!!", "gallery"),
        ("a" * 200, "a" * 60),
    ],
)
def test_name_for__any_title__fit_for_an_address(title: str, name: str) -> None:
    assert name_for(title) == name
    assert name_for(name) == name


def make_gallery(folder: Path, count: int) -> Gallery:
    images = []
    for number in range(count):
        path = write_person(folder, number + 1, 1)
        images.append(
            GalleryImage(
                id=path.name,
                path=path,
                content_hash=sha256(path),
                width=32,
                height=64,
                in_gallery=True,
                is_query=False,
                pid=number + 1,
                camid=1,
                time_s=None,
                attributes={},
            )
        )
    return Gallery("g", "G", "", "", tuple(images))


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def embed_and_die(folder: str, cache: str) -> None:
    """In a process of its own: die without a word after about 20 of 40 images."""
    network = ColourNetwork()

    def die(num_embedded: int) -> None:
        if num_embedded >= 20:
            os._exit(9)

    network.on_call = die
    EmbeddingCache(Path(cache), shard_size=8).compute(
        make_gallery(Path(folder), 40),
        network,
        turns=ComputeTurns(),
        report=lambda *_: None,
        is_cancelled=lambda: False,
    )


def test_compute__killed_midway__finished_shards_are_used(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=embed_and_die, args=(str(tmp_path / "i"), str(tmp_path / "e")))
    process.start()
    process.join(WAIT_S)
    assert process.exitcode == 9
    network, reports = ColourNetwork(), []
    cache, gallery = EmbeddingCache(tmp_path / "e", shard_size=8), make_gallery(tmp_path / "i", 40)
    embeddings = cache.compute(
        gallery,
        network,
        turns=ComputeTurns(),
        report=lambda done, total: reports.append((done, total)),
        is_cancelled=lambda: False,
    )
    assert network.num_embedded == 40 - 16
    assert embeddings.ids == tuple(image.id for image in gallery.images)
    assert reports[-1] == (40, 40)
    whole = ColourNetwork().embed([image.path for image in gallery.images], ids=list(embeddings.ids))
    assert np.allclose(whole.vectors, embeddings.vectors)
    assert not list((tmp_path / "e").rglob("*.shards"))


def test_compute__damaged_cache_file__computed_again(tmp_path: Path) -> None:
    cache, gallery, network = EmbeddingCache(tmp_path / "e"), make_gallery(tmp_path / "i", 5), ColourNetwork()
    arguments = {"turns": ComputeTurns(), "report": lambda *_: None, "is_cancelled": lambda: False}
    cache.compute(gallery, network, **arguments)  # type: ignore[arg-type]
    (path,) = (tmp_path / "e").rglob("*.npz")
    path.write_bytes(path.read_bytes()[:100])
    assert cache.load(network.fingerprint, gallery.manifest_hash) is None
    assert len(cache.compute(gallery, network, **arguments)) == 5  # type: ignore[arg-type]
    assert network.num_embedded == 10


def test_compute__file_changed_since_import__error_not_a_wrong_vector(tmp_path: Path) -> None:
    gallery = make_gallery(tmp_path / "i", 5)
    person_image(99, 1).save(gallery.images[3].path)
    with pytest.raises(InputError, match="changed since"):
        EmbeddingCache(tmp_path / "e").compute(
            gallery,
            ColourNetwork(),
            turns=ComputeTurns(),
            report=lambda *_: None,
            is_cancelled=lambda: False,
        )
