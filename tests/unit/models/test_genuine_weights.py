"""Published weights may not be shipped, so these tests run only where someone has them.

``REID_TEST_GENUINE_WEIGHTS`` names a folder with ``osnet_x0_25_msmt17_bn_folded.pth`` and
``osnet_x0_25_msmt17.onnx``.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from parity_data import cosines, crop_paths, crops_as_input, references, relative_errors

from reid_core.models import Embedder, load_weights

FILES = ("osnet_x0_25_msmt17_bn_folded.pth", "osnet_x0_25_msmt17.onnx")


@pytest.fixture
def folder() -> Path:
    named = os.environ.get("REID_TEST_GENUINE_WEIGHTS", "")
    if not named or not all((Path(named) / name).is_file() for name in FILES):
        pytest.skip("REID_TEST_GENUINE_WEIGHTS names no folder with the published weights")
    return Path(named)


@pytest.mark.parametrize("name", FILES)
def test_load_weights__published_file__official_embeddings(name: str, folder: Path) -> None:
    loaded = load_weights(folder / name)
    assert loaded.spec.variant == "osnet_x0_25"
    assert loaded.report.batch_norm_folded
    reference = references()["genuine__osnet_x0_25_msmt17"]
    vectors = np.concatenate([loaded.model(batch).detach().numpy() for batch in crops_as_input().split(8)])
    assert relative_errors(vectors, reference).max() <= 1e-5
    assert cosines(vectors, reference).min() > 0.99999


@pytest.mark.parametrize("engine", ["torch", "onnxruntime"])
def test_embedder__published_file_in_two_formats__one_fingerprint(engine: str, folder: Path) -> None:
    reference = references()["genuine__osnet_x0_25_msmt17"]
    unit = reference / np.linalg.norm(reference, axis=1, keepdims=True)
    prints = set()
    for name in FILES:
        embedder = Embedder(folder / name, engine=engine, device="cpu")
        prints.add(embedder.fingerprint)
        assert relative_errors(embedder.embed(crop_paths()).vectors, unit).max() <= 1e-5
    assert len(prints) == 1
