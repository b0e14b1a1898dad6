"""Explanations and the gate study on a real network and a few real crops of the demo city."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from reid_core.assets import DEMO_CITY, asset_path
from reid_core.errors import GalleryNotReadyError, InputError
from reid_core.explain.records import MapChoice
from reid_core.services import Workbench
from reid_core.services.gate_vectors import GateStore
from tests.service_fakes import WAIT_S, import_and_wait, make_settings, wait_until_over


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three crops of each of four people."""
    folder = tmp_path_factory.mktemp("few") / "few"
    folder.mkdir()
    crops = sorted(asset_path(f"{DEMO_CITY}/gallery").glob("*.jpg"))
    for pid in sorted({crop.name[:4] for crop in crops if crop.name[:4] not in ("0000", "-1_c")})[:4]:
        for crop in [crop for crop in crops if crop.name.startswith(pid)][:3]:
            shutil.copy2(crop, folder / crop.name)
    return folder


@pytest.fixture(scope="module")
def studio(city: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workbench]:
    workbench = Workbench(make_settings(tmp_path_factory.mktemp("studio"), gallery=str(city)))
    workbench.start()
    for job in workbench.jobs():
        assert workbench.wait_for(job.id, WAIT_S).state == "done"
    yield workbench
    workbench.close()


def ids(workbench: Workbench) -> list[str]:
    return [image.id for image in workbench.open_gallery().space.gallery.images]


def read_gates(workbench: Workbench) -> None:
    job = workbench.explaining.gates.read()
    if job.id:
        assert workbench.wait_for(job.id, WAIT_S).state == "done"


def test_explain__pair__cosine_and_vectors_are_those_of_the_search(studio: Workbench) -> None:
    left, right = ids(studio)[0], ids(studio)[4]
    explained = studio.explaining.explain([left, right])
    vectors = studio.open_gallery().space.index.vectors_of([left, right])
    for crop, vector in zip(explained.explanation.crops, vectors, strict=True):
        assert float(crop.vector @ vector) > 0.99999
    assert explained.explanation.similarity == pytest.approx(float(vectors[0] @ vectors[1]), abs=1e-4)
    assert explained.fingerprint == studio.open_gallery().embedder.fingerprint
    assert explained.ids == (left, right)


def test_explain__asked_again__the_same_object_from_memory(studio: Workbench) -> None:
    pair = ids(studio)[:2]
    assert studio.explaining.explain(pair).explanation is studio.explaining.explain(pair).explanation


def test_explain__uploaded_crop__equals_the_gallery_crop_it_was_made_from(studio: Workbench) -> None:
    image = studio.open_gallery().space.gallery.images[0]
    uploaded = studio.store_upload(image.path)
    explained = studio.explaining.explain([uploaded.id, image.id]).explanation
    assert explained.similarity is not None
    assert explained.similarity > 0.98  # it was encoded anew


@pytest.mark.parametrize("wanted", [[], ["a", "b", "c"], ["no-such-crop.jpg"]])
def test_explain__wrong_ids__refused(studio: Workbench, wanted: list[str]) -> None:
    with pytest.raises(InputError, match=r"one crop or a pair|has no image"):
        studio.explaining.explain(wanted)


def test_explain__model_without_an_osnet__says_so(workbench: Workbench) -> None:
    first = workbench.open_gallery().space.gallery.images[0].id
    with pytest.raises(InputError, match="has no OSNet inside"):
        workbench.explaining.explain([first])
    with pytest.raises(InputError, match="has no OSNet inside"):
        workbench.explaining.gates.status()


def test_check__pair__curves_start_at_the_cosine_of_the_pair(studio: Workbench) -> None:
    pair = [ids(studio)[0], ids(studio)[1]]
    similarity = studio.explaining.explain(pair).explanation.similarity
    checks = studio.explaining.check(pair, MapChoice("evidence", "conv4.0", 2), side=1)
    assert checks.places.deletion.similarities[0] == pytest.approx(similarity, abs=1e-4)
    assert checks.places.insertion.similarities[-1] == pytest.approx(similarity, abs=1e-4)
    assert checks.streams is not None
    assert checks.streams.measured.shape == checks.streams.predicted.shape == (2, 4)
    assert len(checks.weights) == 9
    assert studio.explaining.check(pair, MapChoice("evidence", "conv4.0", 2), side=1) is checks


def test_check__one_crop__measured_against_itself_and_no_stream_table(studio: Workbench) -> None:
    checks = studio.explaining.check(ids(studio)[:1], MapChoice("energy", "conv3.1", 0))
    assert checks.places.deletion.similarities[0] == pytest.approx(1.0, abs=1e-4)
    assert checks.streams is None
    with pytest.raises(InputError, match="two crops"):
        studio.explaining.check(ids(studio)[:1], MapChoice("evidence"))


def test_gates__not_read_yet__told_and_read_on_demand(studio: Workbench) -> None:
    with pytest.raises(GalleryNotReadyError, match="not all read"):
        studio.explaining.gates.clusters("conv3.0", 2)
    assert studio.explaining.gates.status().state != "done"
    read_gates(studio)
    status = studio.explaining.gates.status()
    assert (status.state, status.num_done) == ("done", len(ids(studio)))
    clusters = studio.explaining.gates.clusters("conv3.0", 3)
    assert sum(cluster.size for cluster in clusters) == len(ids(studio))
    labels = studio.explaining.gates.labels("conv3.0", 3)
    for cluster in clusters:
        members = [image_id for image_id, number in labels.items() if number == cluster.number]
        assert len(members) == cluster.size
        assert {image.id for image in cluster.nearest} <= set(members)


def test_gates__on_disk__are_those_of_the_explanation(studio: Workbench) -> None:
    read_gates(studio)
    opened = studio.open_gallery()
    stored = GateStore(studio.settings.data_dir / "gates").load(
        opened.embedder.fingerprint, opened.space.gallery.manifest_hash, "conv2.1"
    )
    assert stored is not None
    row = 5
    crop = studio.explaining.explain([opened.space.gallery.images[row].id]).explanation.crops[0]
    np.testing.assert_allclose(stored[row], crop.blocks[1].gates.ravel(), atol=1e-5)


def test_similar_gates__of_a_crop__itself_left_out_and_nearest_first(studio: Workbench) -> None:
    read_gates(studio)
    first = ids(studio)[0]
    found = studio.explaining.gates.similar("conv3.0", first, count=5)
    assert len(found) == 5
    assert first not in [near.image.id for near in found]
    assert [near.distance for near in found] == sorted(near.distance for near in found)
    with pytest.raises(InputError, match="no block 'conv5' with gates"):
        studio.explaining.gates.similar("conv5", first)


def test_gate_spreads__each_block__positive_and_of_all_six(studio: Workbench) -> None:
    read_gates(studio)
    spreads = studio.explaining.gates.spreads()
    assert list(spreads) == ["conv2.0", "conv2.1", "conv3.0", "conv3.1", "conv4.0", "conv4.1"]
    assert all(value >= 0 for value in spreads.values())


def test_find_images__part_of_an_id_or_a_pid__in_gallery_order(studio: Workbench) -> None:
    everything = studio.open_gallery().space.gallery.images
    pid = everything[4].pid
    found = studio.explaining.find_images(str(pid))
    assert {image.id for image in everything if image.pid == pid} <= {image.id for image in found}
    assert studio.explaining.find_images("zzz") == ()
    assert len(studio.explaining.find_images("", count=3)) == 3


def test_remove_gallery__its_gates__are_gone(studio: Workbench, city: Path, tmp_path: Path) -> None:
    copy = tmp_path / "second"
    shutil.copytree(city, copy)
    (copy / sorted(crop.name for crop in copy.iterdir())[0]).unlink()
    name = import_and_wait(studio, copy)
    job = studio.explaining.gates.read(gallery=name)
    wait_until_over(studio, job.id)
    folder = studio.settings.data_dir / "gates"
    before = len(list(folder.glob("*/*")))
    studio.remove_gallery(name)
    assert len(list(folder.glob("*/*"))) == before - 1


def fill_gates(store: GateStore, stop_after: int = 10**9) -> list[int]:
    """Write 10 rows of two blocks in batches of 3; returns the rows that were read."""
    read: list[int] = []

    def read_rows(rows: object) -> list[np.ndarray | None]:
        wanted = list(rows)  # type: ignore[call-overload]
        read.extend(wanted)
        return [None if row == 4 else np.full(6, row / 10, dtype=np.float32) for row in wanted]

    store.compute(
        "print", "hash", 10, {"conv2.0": 4, "conv2.1": 2}, read_rows,
        batch_size=3, report=lambda done, total: None, is_cancelled=lambda: len(read) >= stop_after,
    )  # fmt: skip
    return read


def test_gate_store__stopped_and_started_again__goes_on_and_uses_no_half_file(tmp_path: Path) -> None:
    from reid_core.errors import CancelledError

    store = GateStore(tmp_path)
    with pytest.raises(CancelledError):
        fill_gates(store, stop_after=6)
    assert store.load("print", "hash", "conv2.0") is None
    assert store.num_done("print", "hash") == 6
    assert fill_gates(GateStore(tmp_path)) == [6, 7, 8, 9]
    gates = store.load("print", "hash", "conv2.1")
    assert gates is not None
    assert gates.shape == (10, 2)
    assert np.isnan(gates[4]).all()
    assert gates[7] == pytest.approx(0.7)


def test_gates__stop__keeps_what_was_read(studio: Workbench, city: Path, tmp_path: Path) -> None:
    copy = tmp_path / "third"
    shutil.copytree(city, copy)
    for crop in sorted(copy.iterdir())[:2]:
        crop.unlink()
    name = import_and_wait(studio, copy)
    job = studio.explaining.gates.read(gallery=name)
    studio.explaining.gates.stop(job.id)
    end = time.monotonic() + WAIT_S
    while not studio.job(job.id).is_over and time.monotonic() < end:
        time.sleep(0.05)
    again = studio.explaining.gates.read(gallery=name)
    if again.id:
        wait_until_over(studio, again.id)
    assert studio.explaining.gates.status(gallery=name).state == "done"
