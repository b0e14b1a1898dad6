from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from parity_data import crop_paths, seeded_osnet

from reid_core.cli import main
from reid_core.models import Embedder, WeightSpec, load_weights, save_weights
from reid_core.retrieval.embedding_file import load_embeddings

SMALL = "osnet_x0_25"


@pytest.fixture
def weights_path(tmp_path: Path) -> Path:
    path = tmp_path / "seeded.safetensors"
    save_weights(path, seeded_osnet(SMALL), WeightSpec("seeded", SMALL))
    return path


def test_embed_command__files_and_folder__vectors_in_a_file(
    weights_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, out = crop_paths()[0].parent, tmp_path / "out.npz"
    broken = tmp_path / "broken.jpg"
    broken.write_text("no image")
    arguments = [str(broken), str(folder), str(crop_paths()[0])]
    assert main(["embed", *arguments, "--weights", str(weights_path), "--out", str(out), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    written = load_embeddings(out)
    assert told["images"] == len(written) == 24
    assert [entry["item"] for entry in told["skipped"]] == [str(broken)]
    assert written.fingerprint == told["fingerprint"] == Embedder(weights_path).fingerprint


def test_embed_command__nothing_readable__fails_and_writes_nothing(
    weights_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.npz"
    missing = str(tmp_path / "missing.jpg")
    assert main(["embed", missing, "--weights", str(weights_path), "--out", str(out)]) == 1
    assert "Not one of 1 images" in capsys.readouterr().err
    assert not out.exists()


def test_embed_command__empty_folder__says_so(
    weights_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    arguments = [str(tmp_path / "empty"), "--weights", str(weights_path), "--out", str(tmp_path / "o.npz")]
    assert main(["embed", *arguments]) == 1
    assert "holds no images" in capsys.readouterr().err


def test_weights_list__json__every_entry(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["weights", "list", "--json"]) == 0
    entries = json.loads(capsys.readouterr().out)
    assert len(entries) == 15
    assert {"name", "sha256", "revision", "licence", "preprocessing", "distance"} <= entries[0].keys()
    assert main(["weights", "list"]) == 0
    assert "osnet_ain_x1_0@msmt17" in capsys.readouterr().out


def test_weights_show__registry_name_and_file__facts(
    weights_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["weights", "show", "osnet_x0_25@msmt17", "--json"]) == 0
    known = json.loads(capsys.readouterr().out)
    assert (known["num_classes"], known["parameters"], known["multiply_adds"]) == (4101, 201_864, 82_316_000)
    assert main(["weights", "show", str(weights_path)]) == 0
    assert "Read osnet_x0_25" in capsys.readouterr().out


def test_weights_show__unknown__error_without_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["weights", "show", "osnet@nowhere"]) == 1
    assert "neither a file nor a name" in capsys.readouterr().err


def test_weights_download__unknown_name__error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["weights", "download", "osnet_x1_0"]) == 1
    assert "no known weights" in capsys.readouterr().err


def test_weights_convert__checkpoint__same_fingerprint_and_record(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, target = tmp_path / "w.pth.tar", tmp_path / "w.safetensors"
    torch.save({"state_dict": seeded_osnet(SMALL, 751).state_dict(), "epoch": 9}, source)
    arguments = [str(source), str(target), "--training-set", "Market-1501", "--name", "mine"]
    assert main(["weights", "convert", *arguments]) == 0
    assert "Dropped the 751-way classifier" in capsys.readouterr().out
    assert Embedder(source).fingerprint == Embedder(target).fingerprint
    spec = load_weights(target).spec
    assert (spec.name, spec.training_set, spec.num_classes) == ("mine", "Market-1501", 751)


def test_weights_convert__imagenet_checkpoint__still_refused_for_reid(tmp_path: Path) -> None:
    source, target = tmp_path / "w.pth", tmp_path / "w.safetensors"
    torch.save(seeded_osnet(SMALL, 1000).state_dict(), source)
    assert main(["weights", "convert", str(source), str(target)]) == 0
    assert load_weights(target, allow_imagenet=True).spec.purpose == "imagenet"
    assert (
        main(["embed", str(crop_paths()[0]), "--weights", str(target), "--out", str(tmp_path / "o.npz")]) == 1
    )
