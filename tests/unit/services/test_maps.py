from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from reid_core.errors import GalleryNotReadyError, InputError
from reid_core.images import ImageInput
from reid_core.services import Workbench
from reid_core.services.maps import (
    Categories,
    Gesture,
    MapRequest,
    Numbers,
    UmapParameters,
    average_precision,
    gate_clusters,
)
from reid_core.services.model_shelf import LoadedModel
from reid_core.types import EmbeddingSet
from tests.service_fakes import (
    WAIT_S,
    ColourNetwork,
    import_and_wait,
    make_settings,
    person_image,
    wait_until_over,
    write_market,
)

PARAMETERS = UmapParameters(num_neighbours=4, seed=5)
UMAP = MapRequest(parameters=PARAMETERS)
PCA = MapRequest(method="pca")


class OtherNetwork(ColourNetwork):
    """Sees the colours of the lower half twice as strong as those of the upper."""

    def embed(self, images: list[ImageInput], *, ids: list[str]) -> EmbeddingSet:  # type: ignore[override]
        seen = super().embed(images, ids=ids)
        weighted = seen.vectors * np.where(np.arange(seen.vectors.shape[1]) < 12, 1.0, 2.0).astype(np.float32)
        weighted /= np.linalg.norm(weighted, axis=1, keepdims=True)
        return EmbeddingSet(weighted, seen.ids, self.fingerprint, seen.skipped)


def fit(workbench: Workbench, request: MapRequest = UMAP) -> None:
    job = workbench.maps.fit(request)
    view = workbench.wait_for(job.id, WAIT_S)
    assert view.state == "done", view


def test_layout__pca__there_at_once_and_umap_after_its_job(workbench: Workbench) -> None:
    first = workbench.maps.layout(PCA)
    assert first is not None
    assert len(first.ids) == len(first.points) == 26
    assert workbench.maps.layout(UMAP) is None
    assert workbench.maps.job(UMAP) is None
    fit(workbench)
    layout = workbench.maps.layout(UMAP)
    assert layout is not None
    assert layout.ids == first.ids
    assert layout.num_placed == 0
    assert not np.allclose(layout.points, first.points)
    done = workbench.maps.job(UMAP)
    assert done is not None
    assert "26 crops" in done.message


def test_layout__same_parameters_after_a_restart__read_from_disk_and_equal(
    workbench: Workbench, start: Callable[..., Workbench]
) -> None:
    fit(workbench)
    layout = workbench.maps.layout(UMAP)
    assert layout is not None
    workbench.close()
    again = start()
    reread = again.maps.layout(UMAP)
    assert reread is not None
    np.testing.assert_array_equal(reread.points, layout.points)
    assert reread.key == layout.key
    assert again.maps.layout(MapRequest(parameters=UmapParameters(num_neighbours=4, seed=6))) is None


def test_fit__other_parameters__the_neighbour_graph_is_not_computed_again(
    workbench: Workbench, tmp_path: Path
) -> None:
    fit(workbench)
    (graph,) = (tmp_path / "data" / "maps").rglob("neighbours.npz")
    before = graph.stat().st_mtime_ns
    fit(workbench, MapRequest(parameters=UmapParameters(num_neighbours=6, min_dist=0.5, metric="euclidean")))
    assert graph.stat().st_mtime_ns == before
    assert len(list(graph.parent.glob("*.npz"))) == 3


def test_fit__stopped__leaves_no_layout_and_can_be_started_again(
    workbench: Workbench, tmp_path: Path
) -> None:
    def stop_at_once(request: MapRequest) -> None:
        job = workbench.maps.fit(request)
        workbench.maps.cancel(job.id)
        wait_until_over(workbench, job.id)
        assert workbench.job(job.id).state == "cancelled"

    stop_at_once(UMAP)
    assert workbench.maps.layout(UMAP) is None
    names = {path.name for path in (tmp_path / "data" / "maps").rglob("*") if path.is_file()}
    assert names <= {"neighbours.npz"}
    fit(workbench)
    assert workbench.maps.layout(UMAP) is not None


def test_layout__damaged_file__fitted_again_instead_of_shown(workbench: Workbench, tmp_path: Path) -> None:
    fit(workbench)
    (points,) = (p for p in (tmp_path / "data" / "maps").rglob("*.npz") if p.name != "neighbours.npz")
    points.write_bytes(points.read_bytes()[:200])
    workbench.maps._layouts.clear()
    assert workbench.maps.layout(UMAP) is None


def test_layout__crops_added_to_the_gallery__placed_and_no_other_moves(
    start: Callable[..., Workbench], tmp_path: Path
) -> None:
    workbench = start()
    for job in workbench.jobs():
        wait_until_over(workbench, job.id)
    source = write_market(tmp_path / "growing", num_people=5)
    name = import_and_wait(workbench, source, name="growing")
    request = MapRequest(gallery=name, parameters=PARAMETERS)
    fit(workbench, request)
    before = workbench.maps.layout(request)
    assert before is not None
    person_image(2, 3, serial=77).save(source / "bounding_box_test" / "0002_c3s1_000077_00.jpg", quality=95)
    assert import_and_wait(workbench, source, name="growing") == name
    after = workbench.maps.layout(request)
    assert after is not None
    assert after.num_placed == 1
    place = dict(zip(after.ids, after.points.tolist(), strict=True))
    old = dict(zip(before.ids, before.points.tolist(), strict=True))
    assert {image_id: place[image_id] for image_id in old} == old
    (new,) = set(place) - set(old)
    distances = sorted((np.hypot(x - place[new][0], y - place[new][1]), i) for i, (x, y) in old.items())
    assert all("0002_" in image_id for _, image_id in distances[:2])
    fit(workbench, request)
    refitted = workbench.maps.layout(request)
    assert refitted is not None
    assert refitted.num_placed == 0
    workbench.remove_gallery(name)
    assert not (tmp_path / "data" / "maps" / name).exists()


def test_layout__two_models__aligned_and_in_order(tmp_path: Path) -> None:
    def load(weights: str) -> LoadedModel:
        network = OtherNetwork("colour-2") if weights == "second" else ColourNetwork()
        return LoadedModel(network, "colour", 0, (256, 128), "nothing", "none")

    market = write_market(tmp_path / "market")
    settings = make_settings(tmp_path, gallery=str(market), extra_weights="second")
    workbench = Workbench(settings, load_model=load)
    try:
        workbench.start()
        for job in workbench.jobs():
            wait_until_over(workbench, job.id)
        base = workbench.models()[0].name
        other = MapRequest(model="second", parameters=PARAMETERS, aligned_to=base)
        with pytest.raises(GalleryNotReadyError):
            workbench.maps.fit(other)
        for job in workbench.jobs():
            wait_until_over(workbench, job.id)
        fit(workbench, other)
        first, second = workbench.maps.layout(UMAP), workbench.maps.layout(other)
        assert first is not None
        assert second is not None
        ordered = workbench.maps.points_in_order_of(first, second)
        assert ordered.shape == first.points.shape
        size = np.linalg.norm(first.points - first.points.mean(axis=0), axis=1).mean()
        assert np.linalg.norm(ordered - first.points, axis=1).mean() < 0.6 * size
        with pytest.raises(InputError, match="same network"):
            workbench.maps.fit(MapRequest(parameters=PARAMETERS, aligned_to=base))
    finally:
        workbench.close()


def test_columns__of_the_table__say_who_where_and_when(workbench: Workbench) -> None:
    names = [info.name for info in workbench.maps.columns(PCA)]
    assert names[:5] == ["identity", "camera", "time", "split", "similarity"]
    layout = workbench.maps.layout(PCA)
    assert layout is not None
    identity = workbench.maps.column(PCA, "identity")
    assert isinstance(identity, Categories)
    assert identity.labels[:2] == ("person 1", "person 2")
    assert {identity.labels[code] for code in identity.quiet} == {"junk", "distractor"}
    for image_id, code in zip(layout.ids, identity.codes, strict=True):
        pid = workbench.query("", image_id).pid
        assert identity.labels[code] == {0: "distractor", -1: "junk"}.get(pid or 0, f"person {pid}")
    camera = workbench.maps.column(PCA, "camera")
    assert isinstance(camera, Categories)
    assert camera.labels == ("camera 1", "camera 2", "camera 3")
    split = workbench.maps.column(PCA, "split")
    assert isinstance(split, Categories)
    assert split.labels == ("gallery", "query")


def test_column__similarity__is_that_of_the_search_and_needs_a_query(workbench: Workbench) -> None:
    layout = workbench.maps.layout(PCA)
    assert layout is not None
    query = next(image_id for image_id in layout.ids if image_id.startswith("query/"))
    content = workbench.maps.column(PCA, "similarity", query)
    assert isinstance(content, Numbers)
    assert content.values[layout.ids.index(query)] == pytest.approx(1.0, abs=1e-6)
    with pytest.raises(InputError, match="no query yet"):
        workbench.maps.column(PCA, "similarity")
    with pytest.raises(InputError, match="no map column"):
        workbench.maps.column(PCA, "shoe size")


def test_register_column__of_another_service__offered_and_checked(workbench: Workbench) -> None:
    workbench.maps.register_column("zeros", "Zeros", lambda opened, _: Numbers(np.zeros(26), unit="share"))
    workbench.maps.register_column("short", "Short", lambda opened, _: Numbers(np.zeros(3)))
    assert workbench.maps.column(PCA, "zeros").values.shape == (26,)  # type: ignore[union-attr]
    with pytest.raises(InputError, match="one value per crop"):
        workbench.maps.column(PCA, "short")
    with pytest.raises(InputError, match="already"):
        workbench.maps.register_column("camera", "Camera", lambda opened, _: Numbers(np.zeros(26)))


def test_gate_column__clusters_of_a_study__by_id_and_unknown_where_none(workbench: Workbench) -> None:
    layout = workbench.maps.layout(PCA)
    assert layout is not None

    class Study:
        def labels(
            self, block: str, num_clusters: int, *, gallery: str = "", model: str = ""
        ) -> dict[str, int]:
            assert gallery == workbench.galleries()[0].name
            return {image_id: 1 + row % 2 for row, image_id in enumerate(layout.ids[:-1])}

    content = gate_clusters(Study())(workbench.open_gallery(), "")
    assert isinstance(content, Categories)
    assert content.labels == ("cluster 1", "cluster 2")
    assert content.codes.tolist() == [row % 2 for row in range(25)] + [-1]
    with pytest.raises(InputError, match="OSNet|gates|network"):
        workbench.maps.column(PCA, "gates")


def test_joined_columns__no_run_and_no_judgement__reason_or_labels_as_given(
    workbench: Workbench,
) -> None:
    with pytest.raises(InputError, match="was not evaluated with this network yet"):
        workbench.maps.column(PCA, "ap")
    labels = workbench.maps.column(PCA, "labels")
    assert isinstance(labels, Categories)
    assert labels.labels == ("labelled", "unlabelled")  # junk and distractors are nobody in particular


def test_average_precision__run_of_some_queries__by_id_and_nan_elsewhere(workbench: Workbench) -> None:
    opened = workbench.open_gallery()
    first, *others = opened.space.index.ids

    class Scores:
        def latest_ap(self, gallery: str = "", model: str = "") -> dict[str, float]:
            assert (gallery, model) == (opened.gallery, opened.model)
            return {first: 0.25}

    content = average_precision(Scores())(opened, "")
    assert isinstance(content, Numbers)
    assert content.values[0] == 0.25
    assert np.isnan(content.values[1:]).all()
    assert len(others) == 25


def test_place_query__upload__near_the_person_and_a_crop_on_its_own_point(workbench: Workbench) -> None:
    fit(workbench)
    layout = workbench.maps.layout(UMAP)
    assert layout is not None
    before = layout.points.copy()
    upload = workbench.store_upload(person_image(4, 2, serial=999))
    x, y = workbench.maps.place_query(UMAP, layout, upload.id)
    nearest = layout.ids[np.hypot(layout.points[:, 0] - x, layout.points[:, 1] - y).argmin()]
    assert workbench.query("", nearest).pid == 4
    own = workbench.maps.place_query(UMAP, layout, layout.ids[3])
    assert own == tuple(layout.points[3].tolist())
    np.testing.assert_array_equal(layout.points, before)


def test_select__ways_and_combinations__kept_under_a_key_for_other_pages(workbench: Workbench) -> None:
    maps, layout = workbench.maps, workbench.maps.layout(PCA)
    assert layout is not None
    (left, bottom), (right, top) = layout.points.min(axis=0) - 1, layout.points.max(axis=0) + 1
    corners = ((left, bottom), (right, bottom), (right, top), (left, top))
    everything = maps.selections.select(PCA, Gesture(polygon=corners))
    assert set(everything.ids) == set(layout.ids)
    assert everything.key == maps.selections.select(PCA, Gesture(everything=True)).key
    person = next(i for i in layout.ids if workbench.query("", i).pid == 2)
    same = maps.selections.select(PCA, Gesture(same_identity=person))
    assert {workbench.query("", i).pid for i in same.ids} == {2}
    assert len(same.ids) == 4
    assert workbench.selections.load(workbench.galleries()[0].name, same.key) == tuple(sorted(same.ids))
    near = maps.selections.select(PCA, Gesture(nearest=(person, 4)))
    assert set(near.ids) == set(same.ids)
    camera = maps.selections.select(
        PCA, Gesture(category=("camera", "camera 1")), combine="remove", base=same.key
    )
    assert all(workbench.query("", i).camid != 1 for i in camera.ids)
    added = maps.selections.select(PCA, Gesture(ids=(layout.ids[0],)), combine="add", base=camera.key)
    assert set(added.ids) == {layout.ids[0], *camera.ids}
    assert added.rows == tuple(sorted(layout.ids.index(i) for i in added.ids))
    assert maps.selections.load(PCA, added.key) == added
    nothing = maps.selections.select(PCA, Gesture(ids=added.ids), combine="remove", base=added.key)
    assert nothing.key == ""
    junk = next(i for i in layout.ids if workbench.query("", i).pid == -1)
    with pytest.raises(InputError, match="no known identity"):
        maps.selections.select(PCA, Gesture(same_identity=junk))
    with pytest.raises(InputError, match="no selection"):
        maps.selections.load(PCA, "0123456789abcdef")
    with pytest.raises(InputError, match="not fitted"):
        maps.selections.select(UMAP, Gesture(everything=True))


def test_find__number_or_part_of_an_id__its_crops(workbench: Workbench) -> None:
    assert all(workbench.query("", i).pid == 3 for i in workbench.maps.find(PCA, "3"))
    assert len(workbench.maps.find(PCA, "person 3")) == 4
    one = workbench.maps.find(PCA, "QUERY/0001")
    assert len(one) == 1
    assert workbench.maps.find(PCA, one[0]) == one
    assert workbench.maps.find(PCA, "nobody") == ()
    with pytest.raises(InputError, match="Write"):
        workbench.maps.find(PCA, "  ")


def test_open__two_crops__too_few_for_a_map(workbench: Workbench, tmp_path: Path) -> None:
    folder = tmp_path / "two"
    write_market(tmp_path / "whole", num_people=1, num_cameras=1)
    folder.mkdir()
    for number, path in enumerate(sorted((tmp_path / "whole").rglob("*.jpg"))[:2]):
        shutil.copy2(path, folder / f"{number}.jpg")
    name = import_and_wait(workbench, folder)
    with pytest.raises(InputError, match="at least 3"):
        workbench.maps.layout(MapRequest(gallery=name, method="pca"))


def test_run__job_of_an_earlier_start__goes_on(
    workbench: Workbench, start: Callable[..., Workbench], network: ColourNetwork
) -> None:
    workbench._jobs.close()  # as if the program ended before the job had its turn
    job = workbench.maps.fit(UMAP)
    workbench.close()
    again = start()
    assert again.wait_for(job.id, WAIT_S + 60).state == "done"
    assert again.maps.layout(UMAP) is not None
