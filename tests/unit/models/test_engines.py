from __future__ import annotations

import numpy as np
import pytest
import torch
from parity_data import cosines, relative_errors, seeded_osnet

from reid_core.models import VARIANTS, OSNet, Preprocessing
from reid_core.models.engines import choose, make_engine
from reid_core.models.engines.torch_engine import fold_batch_norm

SIZE = Preprocessing(height=128, width=64)


def pixels(count: int = 3) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (count, 128, 64, 3), dtype=np.uint8)


def exact(model: OSNet) -> np.ndarray:
    with torch.inference_mode():
        vectors: np.ndarray = model(torch.from_numpy(SIZE.normalise(pixels()))).numpy()
    return vectors


@pytest.mark.parametrize("engine", ["torch", "onnxruntime"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_engine__every_variant__embeddings_of_the_plain_net(variant: str, engine: str) -> None:
    model = seeded_osnet(variant)
    came, expected = make_engine(engine, model, SIZE, device="cpu").run(pixels()), exact(model)
    assert cosines(came, expected).min() > 0.99999
    assert relative_errors(came, expected).max() < 5e-5


def test_fold_batch_norm__any_net__original_unchanged() -> None:
    model = seeded_osnet("osnet_x0_25")
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    folded = fold_batch_norm(model)
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert not [name for name in folded.state_dict() if "running_mean" in name]


def test_make_engine__auto_on_a_cpu__onnxruntime() -> None:
    assert make_engine("auto", seeded_osnet("osnet_x0_25"), SIZE, device="cpu").name == "onnxruntime"


class WrongEngine:
    """Answers, but with other embeddings."""

    name, device = "onnxruntime", "cpu"

    def run(self, crops: np.ndarray) -> np.ndarray:
        return np.random.default_rng(0).random((len(crops), 512), dtype=np.float32)


@pytest.mark.parametrize("outcome", [WrongEngine, ImportError])
def test_make_engine__auto_and_onnxruntime_fails__torch(
    outcome: type, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> object:
        if issubclass(outcome, Exception):
            raise outcome("no such library")
        return outcome()

    monkeypatch.setattr(choose, "_onnxruntime_engine", broken)
    assert make_engine("auto", seeded_osnet("osnet_x0_25"), SIZE, device="cpu").name == "torch"
    assert "using PyTorch" in caplog.text
