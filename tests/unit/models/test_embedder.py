from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from parity_data import cosines, crop_paths, references, relative_errors, seeded_osnet
from PIL import Image

from reid_core.assets import DEMO_WEIGHTS
from reid_core.errors import CancelledError, InputError, ReidError, WeightsError
from reid_core.models import Embedder, LoadedWeights, Preprocessing, WeightSpec, save_weights
from reid_core.types import ImageRecord

SMALL = "osnet_x0_25"
DEMO_PATH = Path(__file__).parents[3] / "assets" / DEMO_WEIGHTS


@pytest.fixture(scope="module")
def weights_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "w.safetensors"
    save_weights(path, seeded_osnet(SMALL), WeightSpec("seeded", SMALL))
    return path


@pytest.fixture(scope="module")
def embedder(weights_path: Path) -> Embedder:
    return Embedder(weights_path)


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def noise(count: int, height: int = 40, width: int = 20) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (height, width, 3), dtype=np.uint8) for _ in range(count)]


@pytest.mark.parametrize("engine", ["torch", "onnxruntime", "auto"])
def test_embed__official_crops__official_embeddings(engine: str, weights_path: Path) -> None:
    result = Embedder(weights_path, engine=engine, device="cpu").embed(crop_paths())
    reference = unit(references()[f"seeded__{SMALL}"])
    assert result.vectors.dtype == np.float32
    assert relative_errors(result.vectors, reference).max() <= 1e-5
    assert cosines(result.vectors, reference).min() > 0.99999
    assert result.ids == tuple(str(path) for path in crop_paths())


def test_embed__paths_bytes_arrays_pil_and_records__same_vectors(embedder: Embedder) -> None:
    path = crop_paths()[0]
    pixels = np.asarray(Image.open(path).convert("RGB"))
    sources = [
        path,
        str(path) + "",
        path.read_bytes(),
        pixels,
        Image.open(path),
        ImageRecord("r/1.jpg", path),
    ]
    result = embedder.embed(sources, ids=[str(number) for number in range(6)])
    assert len(result) == 6
    assert np.ptp(result.vectors, axis=0).max() == 0


def test_embed__no_ids_given__named_by_path_record_or_position(embedder: Embedder) -> None:
    path = crop_paths()[0]
    result = embedder.embed([path, noise(1)[0], ImageRecord("r/1.jpg", crop_paths()[1])])
    assert result.ids == (str(path), "image-1", "r/1.jpg")


def test_embed__one_array_of_many__one_vector_each(embedder: Embedder) -> None:
    stack = np.stack(noise(3))
    np.testing.assert_array_equal(embedder.embed(stack).vectors, embedder.embed(list(stack)).vectors)


@pytest.mark.parametrize("engine", ["torch", "onnxruntime"])
def test_embed__any_batch_size_and_order__same_vectors(engine: str, weights_path: Path) -> None:
    embedder, images = Embedder(weights_path, engine=engine, device="cpu"), noise(10)
    ids = [str(number) for number in range(10)]
    whole = embedder.embed(images, ids=ids, batch_size=10)
    for batch_size in (1, 3, 8):
        part = embedder.embed(images, ids=ids, batch_size=batch_size)
        assert part.ids == whole.ids
        assert cosines(part.vectors, whole.vectors).min() > 1 - 1e-6
    turned = embedder.embed(images[::-1], ids=ids[::-1])
    assert turned.ids == whole.ids[::-1]
    assert cosines(turned.vectors[::-1], whole.vectors).min() > 1 - 1e-6


def test_embed__damaged_images_between__skipped_in_order_with_reasons(
    embedder: Embedder, tmp_path: Path
) -> None:
    cut = tmp_path / "cut.jpg"
    cut.write_bytes(crop_paths()[0].read_bytes()[:500])
    text = tmp_path / "text.jpg"
    text.write_text("no image")
    good = crop_paths()[:9]
    images = [tmp_path / "missing.jpg", *good[:4], cut, *good[4:], text]
    calls: list[tuple[int, int]] = []
    result = embedder.embed(images, batch_size=4, progress=lambda done, total: calls.append((done, total)))
    assert result.ids == tuple(str(path) for path in good)
    assert [refusal.item for refusal in result.skipped] == [str(images[0]), str(cut), str(text)]
    assert "does not exist" in result.skipped[0].reason
    assert "cut short" in result.skipped[1].reason
    assert calls == [(4, 12), (8, 12), (12, 12)]
    np.testing.assert_allclose(result.vectors, embedder.embed(good).vectors, atol=1e-6)


def test_embed__all_damaged_or_none__empty_set(embedder: Embedder) -> None:
    damaged = embedder.embed([b"x", b"y"], ids=["a", "b"])
    assert damaged.vectors.shape == (0, 512)
    assert [refusal.item for refusal in damaged.skipped] == ["a", "b"]
    empty = embedder.embed([])
    assert (empty.vectors.shape, empty.skipped, empty.ids) == ((0, 512), (), ())
    assert empty.fingerprint == damaged.fingerprint == embedder.fingerprint


@pytest.mark.parametrize("engine", ["torch", "onnxruntime"])
def test_embed__embedding_is_zero__skipped_with_reason(engine: str) -> None:
    model = seeded_osnet(SMALL)
    with torch.no_grad():
        model.fc[1].bias -= 1e9  # type: ignore[operator]
    spec = WeightSpec("dead", SMALL)
    loaded = LoadedWeights(model, spec, load_report_of_nothing())
    result = Embedder.from_loaded(loaded, engine=engine, device="cpu").embed(noise(2))
    assert len(result) == 0
    assert [refusal.item for refusal in result.skipped] == ["image-0", "image-1"]
    assert "zero" in result.skipped[0].reason


def load_report_of_nothing() -> object:
    class Nothing:
        pass

    return Nothing()


def test_embed__double_ids__refused(embedder: Embedder) -> None:
    path = crop_paths()[0]
    with pytest.raises(InputError, match="stands for more than one image"):
        embedder.embed([path, path])
    with pytest.raises(InputError, match="'a' stands for more than one"):
        embedder.embed(noise(2), ids=["a", "a"])


def test_embed__ids_of_other_length__refused(embedder: Embedder) -> None:
    with pytest.raises(InputError, match="1 ids for 2 images"):
        embedder.embed(noise(2), ids=["a"])


@pytest.mark.parametrize(
    "single", ["a.jpg", Path("a.jpg"), b"x", np.zeros((9, 9, 3), np.uint8), Image.new("RGB", (9, 9))]
)
def test_embed__one_image_instead_of_a_list__refused(single: object, embedder: Embedder) -> None:
    with pytest.raises(InputError, match="Put a single image in a list"):
        embedder.embed(single)  # type: ignore[arg-type]


def test_embed__something_else_in_the_list__refused_by_position(embedder: Embedder) -> None:
    with pytest.raises(InputError, match="Image 1 is a int"):
        embedder.embed([noise(1)[0], 3])  # type: ignore[list-item]


def test_embed__float_array__skipped_not_guessed(embedder: Embedder) -> None:
    result = embedder.embed([np.zeros((9, 9, 3), np.float32)])  # type: ignore[list-item]
    assert "uint8" in result.skipped[0].reason


def test_embed__cancelled_midway__stops_with_error(embedder: Embedder) -> None:
    asked = iter([False, True])
    calls: list[tuple[int, int]] = []
    with pytest.raises(CancelledError, match="after 4 of 12"):
        embedder.embed(
            noise(12),
            batch_size=4,
            progress=lambda done, total: calls.append((done, total)),
            is_cancelled=lambda: next(asked),
        )
    assert calls == [(4, 12)]


def test_embed__batch_size_zero__refused(embedder: Embedder) -> None:
    with pytest.raises(InputError, match="batch_size is 0"):
        embedder.embed(noise(1), batch_size=0)


def test_embedder__small_input_in_weights__images_prepared_so(tmp_path: Path) -> None:
    preprocessing = Preprocessing(height=64, width=32, colour_order="bgr")
    path = tmp_path / "w.safetensors"
    save_weights(path, seeded_osnet(SMALL), WeightSpec("small", SMALL, preprocessing))
    vectors = {
        engine: Embedder(path, engine=engine, device="cpu").embed(noise(2)).vectors
        for engine in ("torch", "onnxruntime")
    }
    pixels = np.stack([preprocessing.resize(Image.fromarray(image)) for image in noise(2)])
    with torch.inference_mode():
        expected = seeded_osnet(SMALL)(torch.from_numpy(preprocessing.normalise(pixels))).numpy()
    for engine, came in vectors.items():
        assert cosines(came, expected).min() > 0.999999, engine


def test_embedder__facts__from_weights(embedder: Embedder, weights_path: Path) -> None:
    assert embedder.variant == SMALL
    assert embedder.num_parameters == 201_864
    assert embedder.spec.name == "seeded"
    assert embedder.preprocessing == Preprocessing()
    assert embedder.report.path == str(weights_path)
    assert embedder.engine_name in ("onnxruntime", "torch")
    assert len(embedder.fingerprint) == 64


def test_embedder__same_weights_as_pth__same_fingerprint(embedder: Embedder, tmp_path: Path) -> None:
    path = tmp_path / "w.pth"
    torch.save(seeded_osnet(SMALL, 751).state_dict(), path)
    assert Embedder(path).fingerprint == embedder.fingerprint


def test_embedder__variant_disagrees__refused(weights_path: Path) -> None:
    with pytest.raises(WeightsError, match="osnet_x1_0 was asked for"):
        Embedder(weights_path, variant="osnet_x1_0")


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"engine": "tensorrt"}, "no engine 'tensorrt'"),
        ({"device": "tpu"}, "no device 'tpu'"),
        ({"device": "cuda:x"}, "no device 'cuda:x'"),
        ({"device": "cuda:99"}, "PyTorch sees"),
    ],
)
def test_embedder__impossible_engine_or_device__refused(
    choice: dict[str, str], message: str, weights_path: Path
) -> None:
    with pytest.raises(InputError, match=message):
        Embedder(weights_path, **choice)


def test_embedder__engine_and_device_do_not_fit__refused(weights_path: Path) -> None:
    if not torch.cuda.is_available():
        pytest.skip("needs a GPU: without one the device itself is refused")
    with pytest.raises(InputError, match="runs on the CPU"):
        Embedder(weights_path, engine="onnxruntime", device="cuda")


def test_embedder__demo_weights__load_where_they_ship() -> None:
    if not DEMO_PATH.exists():
        with pytest.raises(ReidError, match="run from a checkout"):
            Embedder()
        return
    assert Embedder().variant == SMALL
