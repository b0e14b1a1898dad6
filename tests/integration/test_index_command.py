"""``reid index`` with a real network: random weights, so that nothing has to be downloaded."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from reid_core.cli import main
from reid_core.models import WeightSpec, build_osnet, save_weights
from reid_core.services import SearchRequest, Workbench
from reid_core.settings import load_settings
from tests.service_fakes import write_market


@pytest.fixture(autouse=True)
def own_environment() -> Iterator[None]:
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "random.safetensors"
    with torch.random.fork_rng():
        torch.manual_seed(0)
        save_weights(path, build_osnet("osnet_x0_25"), WeightSpec(name="random", variant="osnet_x0_25"))
    return path


def test_index__then_app__opens_at_once_and_finds_the_file_itself(
    tmp_path: Path, weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gallery, data = write_market(tmp_path / "market"), tmp_path / "data"
    arguments = [
        "index",
        str(gallery),
        "--weights",
        str(weights),
        "--data-dir",
        str(data),
        "--name",
        "Yard 3",
    ]
    assert main([*arguments, "--json"]) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)["num_images"] == 20
    assert "Embedding." in printed.err

    settings = load_settings(data_dir=data, weights=str(weights), gallery="yard-3")
    workbench = Workbench(settings)
    workbench.start()
    assert workbench.jobs() == ()
    assert len(workbench.search(SearchRequest(workbench.examples()[0].id)).hits) > 10
    assert workbench.gallery_status().state == "done"
    model = workbench.models()[0]
    assert (model.name, model.variant, model.num_parameters) == ("random", "osnet_x0_25", 201_864)
    path = next((gallery / "bounding_box_test").glob("0004_c2*"))
    upload = workbench.store_upload(path)
    hit = workbench.search(SearchRequest(upload.id, k=1)).hits[0]
    workbench.close()
    assert hit.id == f"bounding_box_test/{path.name}"
    assert hit.similarity > 0.999


def test_index__nothing_there__exit_1_with_the_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["index", str(tmp_path / "absent"), "--data-dir", str(tmp_path / "data")]) == 1
    assert "does not exist" in capsys.readouterr().err


def test_index__weights_missing__exit_1_and_nothing_registered(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gallery, data = write_market(tmp_path / "market"), tmp_path / "data"
    arguments = ["index", str(gallery), "--data-dir", str(data), "--weights", str(tmp_path / "no.pth")]
    assert main(arguments) == 1
    assert "no.pth" in capsys.readouterr().err
    assert not (data / "galleries" / "market").exists()
