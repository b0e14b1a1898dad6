from __future__ import annotations

import io
import json
import os
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from parity_data import seeded_osnet
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor, nn

from reid_core.errors import InputError, WeightsError
from reid_core.models import VARIANTS, WeightSpec, build_osnet, fingerprint, load_weights, save_weights
from reid_core.models.preprocessing import TORCHREID_PREPROCESSING, Preprocessing

State = dict[str, Tensor]
SMALL = "osnet_x0_25"


def seeded_state(variant: str = SMALL, num_classes: int = 0) -> State:
    return dict(seeded_osnet(variant, num_classes).state_dict())


def saved(path: Path, content: object) -> Path:
    with path.open("wb") as file:  # given a path, torch.save may choose the format by its suffix
        torch.save(content, file)
    return path


def same_embeddings(left: nn.Module, right: nn.Module) -> bool:
    images = torch.randn(2, 3, 64, 32, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        return torch.equal(left.eval()(images), right.eval()(images))


@pytest.mark.parametrize("variant", VARIANTS)
def test_load_weights__plain_state_dict__variant_read_from_tensors(variant: str, tmp_path: Path) -> None:
    path = saved(tmp_path / "some_other_name.pth", seeded_state(variant))
    loaded = load_weights(path)
    assert loaded.report.variant == loaded.spec.variant == loaded.model.variant == variant
    assert not loaded.model.training
    assert same_embeddings(loaded.model, seeded_osnet(variant))
    assert not loaded.report.batch_norm_folded


@pytest.mark.parametrize("suffix", [".pth", ".pth.tar", ".pyth", ".safetensors", ".onnx", ".bin", ""])
def test_load_weights__any_suffix__read_by_content(suffix: str, tmp_path: Path) -> None:
    torch_path = saved(tmp_path / f"a{suffix}", seeded_state())
    assert load_weights(torch_path).report.file_format == "PyTorch file"
    safe_path = tmp_path / f"b{suffix}"
    save_file(seeded_state(), safe_path)
    assert load_weights(safe_path).report.file_format == "safetensors file"


def test_load_weights__format_before_torch_1_6__read(tmp_path: Path) -> None:
    path = tmp_path / "old.pth"
    torch.save(seeded_state(), path, _use_new_zipfile_serialization=False)
    loaded = load_weights(path)
    assert "before 1.6" in loaded.report.file_format
    assert same_embeddings(loaded.model, seeded_osnet(SMALL))


@pytest.mark.parametrize(
    "prefix", ["module.", "module.module.", "backbone.", "model.backbone.", "_orig_mod."]
)
def test_load_weights__prefixed_names__prefix_reported(prefix: str, tmp_path: Path) -> None:
    state = OrderedDict((prefix + name, tensor) for name, tensor in seeded_state(num_classes=751).items())
    loaded = load_weights(saved(tmp_path / "w.pth", state))
    assert loaded.report.prefix == prefix
    assert loaded.report.classifier == "dropped"
    assert any(prefix in sentence for sentence in loaded.report.sentences())
    assert same_embeddings(loaded.model, seeded_osnet(SMALL))


def test_load_weights__torchreid_training_checkpoint__state_found(tmp_path: Path) -> None:
    state = OrderedDict((f"module.{name}", tensor) for name, tensor in seeded_state(num_classes=5).items())
    optimizer = torch.optim.Adam(build_osnet(SMALL).parameters(), amsgrad=True)
    content = {
        "state_dict": state,
        "epoch": 150,
        "rank1": np.float32(0.948),  # Torchreid saves NumPy's number, which torch refuses by default
        "optimizer": optimizer.state_dict(),
        "scheduler": torch.optim.lr_scheduler.MultiStepLR(optimizer, [60, 120]).state_dict(),
    }
    loaded = load_weights(saved(tmp_path / "model.pth.tar-150", content))
    assert loaded.report.container == "state_dict"
    assert loaded.report.num_classes == 5


@pytest.mark.parametrize("container", ["model_state", "model", "state_dict"])
def test_load_weights__other_containers__state_found(container: str, tmp_path: Path) -> None:
    loaded = load_weights(saved(tmp_path / "w.pyth", {container: seeded_state(), "epoch": 3}))
    assert loaded.report.container == container


def test_load_weights__container_in_container__state_found(tmp_path: Path) -> None:
    loaded = load_weights(saved(tmp_path / "w.pth", {"model": {"state_dict": seeded_state()}}))
    assert loaded.report.container == "model.state_dict"


def test_load_weights__two_nets_in_a_file__refused(tmp_path: Path) -> None:
    twice = {"model": seeded_state(), "state_dict": seeded_state()}
    with pytest.raises(WeightsError, match="2 sets of weights"):
        load_weights(saved(tmp_path / "w.pth", twice))
    pair = {f"{who}.{name}": t for who in ("student", "teacher") for name, t in seeded_state().items()}
    with pytest.raises(WeightsError, match=r"2 OSNets, under 'student\.', 'teacher\.'"):
        load_weights(saved(tmp_path / "v.pth", pair))


def test_load_weights__further_layers_beside_the_net__refused(tmp_path: Path) -> None:
    state = {f"backbone.{name}": tensor for name, tensor in seeded_state().items()}
    state["neck.weight"] = torch.ones(512)
    with pytest.raises(WeightsError, match=r"1 tensors beside it \(neck.weight\)"):
        load_weights(saved(tmp_path / "w.pth", state))


@pytest.mark.parametrize("num_classes", [702, 751, 767, 1041, 1501, 2510, 4101])
def test_load_weights__classifier_of_any_width__dropped_or_kept(num_classes: int, tmp_path: Path) -> None:
    state = seeded_state(num_classes=num_classes)
    path = saved(tmp_path / "w.pth", state)
    dropped, kept = load_weights(path), load_weights(path, keep_classifier=True)
    assert (dropped.report.classifier, dropped.report.num_classes) == ("dropped", num_classes)
    assert dropped.model.classifier is None
    assert kept.model.classifier is not None
    assert torch.equal(kept.model.classifier.weight, state["classifier.weight"])
    assert dropped.spec.num_classes == num_classes


def test_load_weights__no_classifier_to_keep__absent(tmp_path: Path) -> None:
    loaded = load_weights(saved(tmp_path / "w.pth", seeded_state()), keep_classifier=True)
    assert loaded.report.classifier == "absent"
    assert loaded.model.num_classes == 0


def test_load_weights__odd_classifier__refused(tmp_path: Path) -> None:
    state = seeded_state(num_classes=751)
    state["classifier.weight"] = torch.ones(751, 256)
    with pytest.raises(WeightsError, match="classifier of another form"):
        load_weights(saved(tmp_path / "w.pth", state))


def test_load_weights__imagenet_classifier__refused_unless_allowed(tmp_path: Path) -> None:
    path = saved(tmp_path / "osnet_x0_25_msmt17.pth", seeded_state(num_classes=1000))
    with pytest.raises(WeightsError, match="pre-trained on ImageNet"):
        load_weights(path)
    assert load_weights(path, allow_imagenet=True).spec.purpose == "imagenet"


def test_load_weights__other_variant_asked__refused(tmp_path: Path) -> None:
    path = saved(tmp_path / "osnet_x1_0.pth", seeded_state())
    assert load_weights(path, variant=SMALL).spec.variant == SMALL
    with pytest.raises(WeightsError, match="holds osnet_x0_25, but osnet_x1_0 was asked for"):
        load_weights(path, variant="osnet_x1_0")
    with pytest.raises(InputError, match="no variant 'osnet'"):
        load_weights(path, variant="osnet")


def test_load_weights__without_counters__loaded_and_said(tmp_path: Path) -> None:
    state = {name: t for name, t in seeded_state().items() if not name.endswith("num_batches_tracked")}
    report = load_weights(saved(tmp_path / "w.pth", state)).report
    assert report.num_missing_counters == 80
    assert any("80 batch counters" in sentence for sentence in report.sentences())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_load_weights__other_precision__converted_and_said(dtype: torch.dtype, tmp_path: Path) -> None:
    state = {n: t.to(dtype) if t.is_floating_point() else t for n, t in seeded_state().items()}
    loaded = load_weights(saved(tmp_path / "w.pth", state))
    assert loaded.report.converted_from == (str(dtype).removeprefix("torch."),)
    assert {p.dtype for p in loaded.model.parameters()} == {torch.float32}


def drop(name: str) -> Callable[[State], None]:
    return lambda state: state.pop(name) and None


def put(name: str, value: Callable[[Tensor], Tensor]) -> Callable[[State], None]:
    return lambda state: state.update({name: value(state[name])})


def add(name: str, shape: tuple[int, ...]) -> Callable[[State], None]:
    return lambda state: state.update({name: torch.ones(shape)})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (drop("conv3.0.gate.fc1.bias"), r"1 tensors are missing \(conv3.0.gate.fc1.bias\)"),
        (add("conv4.1.IN.weight", (128,)), "none of the nine OSNet variants"),
        (add("bnneck.weight", (512,)), r"1 are unexpected \(bnneck.weight\)"),
        (put("fc.0.weight", lambda t: t[:256]), r"fc.0.weight is \(256, 128\), expected \(512, 128\)"),
        (put("conv3.1.conv2c.1.conv2.weight", lambda t: t.repeat(1, 1, 2, 2)), "1 have another shape"),
        (put("conv1.conv.weight", lambda t: t * torch.nan), "conv1.conv.weight holds NaN"),
        (put("conv4.1.gate.fc2.bias", lambda t: t + torch.inf), "holds NaN or infinite"),
        (put("conv5.bn.running_var", lambda t: t - 3), "negative variance"),
        (put("conv5.conv.weight", lambda t: t * 0), "zero throughout"),
        (put("fc.1.bias", lambda t: t - 1e9), "embeddings are zero"),
        (put("conv5.bn.weight", lambda t: t * 0), "the same to every image"),
        (put("fc.0.weight", lambda t: t.to(torch.int8)), "floating-point"),
    ],
)  # fmt: skip
def test_load_weights__one_tensor_wrong__refused_by_name(
    change: Callable[[State], None], message: str, tmp_path: Path
) -> None:
    state = seeded_state()
    change(state)
    with pytest.raises(WeightsError, match=message):
        load_weights(saved(tmp_path / "osnet_x0_25.pth", state))


def test_load_weights__all_zero__refused(tmp_path: Path) -> None:
    state = {name: torch.zeros_like(tensor) for name, tensor in seeded_state().items()}
    with pytest.raises(WeightsError, match="zero throughout"):
        load_weights(saved(tmp_path / "w.pth", state))


def test_load_weights__width_between_variants__refused(tmp_path: Path) -> None:
    state = {name: torch.ones(24 if t.ndim and t.shape[0] == 16 else t.shape[0] if t.ndim else 1)
             for name, t in seeded_state().items()}  # fmt: skip
    with pytest.raises(WeightsError, match="none of the nine"):
        load_weights(saved(tmp_path / "w.pth", state))


def test_load_weights__decoy_resnet__named_in_the_refusal(tmp_path: Path) -> None:
    import torchvision

    state = torchvision.models.resnet18(weights=None).state_dict()
    path = saved(tmp_path / "osnet_x1_0_msmt17.pth", state)
    with pytest.raises(WeightsError, match="is not an OSNet: it looks like a ResNet"):
        load_weights(path)


def test_load_weights__decoy_mobilenet__named_in_the_refusal(tmp_path: Path) -> None:
    import torchvision

    state = torchvision.models.mobilenet_v2(weights=None).state_dict()
    with pytest.raises(WeightsError, match="it looks like a MobileNet"):
        load_weights(saved(tmp_path / "osnet_x0_25.pth", state))


class _Payload:
    """A pickle that would write a file when opened."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (os.mkdir, (str(self.target),))


@pytest.mark.parametrize("is_zip", [True, False])
def test_load_weights__code_in_the_pickle__refused_and_not_run(is_zip: bool, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    path = tmp_path / "w.pth"
    content = {"state_dict": seeded_state(), "hook": _Payload(victim)}
    torch.save(content, path, _use_new_zipfile_serialization=is_zip)
    with pytest.raises(WeightsError, match="could run any code when opened"):
        load_weights(path)
    assert not victim.exists()


def test_load_weights__plain_pickle__refused_and_not_run(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    path = tmp_path / "w.pth"
    path.write_bytes(pickle.dumps(_Payload(victim)))
    with pytest.raises(WeightsError, match="plain Python pickle"):
        load_weights(path)
    assert not victim.exists()


def test_load_weights__whole_pickled_model__asks_for_the_state_dict(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="state dict alone"):
        load_weights(saved(tmp_path / "w.pth", build_osnet(SMALL)))


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_load_weights__torchscript__refused(tmp_path: Path) -> None:
    path = tmp_path / "w.pt"
    torch.jit.trace(nn.Linear(2, 2), torch.ones(1, 2)).save(path)  # type: ignore[no-untyped-call]
    with pytest.raises(WeightsError, match="TorchScript"):
        load_weights(path)


@pytest.mark.parametrize("content", [{}, {"epoch": 3}, [1, 2], torch.ones(3), {"state_dict": {}}])
def test_load_weights__no_state_dict__refused(content: object, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="state dict"):
        load_weights(saved(tmp_path / "w.pth", content))


def image_bytes(kind: str) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, format=kind)
    return buffer.getvalue()


def zip_bytes(member: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(member, b"hello")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"<!DOCTYPE html><html><body>Sign in</body></html>", "a web page"),
        (b"  \n<html>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "Git LFS pointer"),
        (image_bytes("PNG"), "a PNG image"),
        (image_bytes("JPEG"), "a JPEG image"),
        (image_bytes("WEBP"), "a WebP image"),
        (zip_bytes("osnet/weights.pth"), "ordinary zip archive.*Unpack it"),
        (b"\x1f\x8b\x08" + bytes(40), "a gzip archive"),
        (json.dumps({"error": "not found"}).encode(), "a JSON text"),
        (b"not found\n", "a text file"),
        (bytes(range(200, 256)) * 30, "of no known type"),
        ((10**9).to_bytes(8, "little") + b'{"a":', "cut short"),
        ((20).to_bytes(8, "little") + b'{"a": "not a tensor"', "damaged safetensors"),
        (b"\x08\x08\x12\x07pytorch:\xff\xff\xff", "ONNX file that is damaged"),
    ],
)
def test_load_weights__other_content__says_what_it_is(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "osnet_x1_0.pth"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=message):
        load_weights(path)


def test_load_weights__missing_or_folder__refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="does not exist"):
        load_weights(tmp_path / "nothing.pth")
    with pytest.raises(WeightsError, match="is a folder"):
        load_weights(tmp_path)


@pytest.mark.parametrize("is_zip", [True, False])
@pytest.mark.parametrize("share", [0.05, 0.5, 0.99])
def test_load_weights__torch_file_cut_short__refused(is_zip: bool, share: float, tmp_path: Path) -> None:
    path = tmp_path / "w.pth"
    torch.save(seeded_state(), path, _use_new_zipfile_serialization=is_zip)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(WeightsError, match="download stopped early|cut short|damaged"):
        load_weights(path)


def test_load_weights__safetensors_cut_short__refused(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    save_file(seeded_state(), path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(WeightsError, match="damaged safetensors"):
        load_weights(path)


def demo_spec(**changes: object) -> WeightSpec:
    values: dict[str, object] = {
        "name": "test",
        "variant": SMALL,
        "preprocessing": Preprocessing(height=128, width=64, mean=(0.5, 0.4, 0.3), colour_order="bgr"),
        "training_set": "rendered people",
        "num_classes": 12,
        "recipe": "reid train --seed 3",
        "licence": "Apache-2.0",
    }
    return WeightSpec(**{**values, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize("with_classifier", [False, True])
def test_save_weights__round_trip__weights_and_record_unchanged(
    with_classifier: bool, tmp_path: Path
) -> None:
    model, path = seeded_osnet(SMALL, 12), tmp_path / "new" / "w.safetensors"
    save_weights(path, model, demo_spec(), with_classifier=with_classifier)
    loaded = load_weights(path, keep_classifier=True)
    assert loaded.spec == demo_spec()
    assert loaded.report.classifier == ("kept" if with_classifier else "absent")
    for name, tensor in loaded.model.state_dict().items():
        assert torch.equal(tensor, model.state_dict()[name])
    assert [entry.name for entry in path.parent.iterdir()] == ["w.safetensors"]
    assert loaded.report.notes == ()


def test_save_weights__record_of_another_variant__refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="record is about osnet_x0_5"):
        save_weights(tmp_path / "w.safetensors", seeded_osnet(SMALL), demo_spec(variant="osnet_x0_5"))
    assert not list(tmp_path.iterdir())


def test_load_weights__imagenet_in_our_format__refused_by_its_record(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    save_weights(path, seeded_osnet(SMALL), demo_spec(purpose="imagenet"))
    with pytest.raises(WeightsError, match="pre-trained on ImageNet"):
        load_weights(path)


def test_load_weights__thousand_identities_in_our_format__accepted(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    save_weights(path, seeded_osnet(SMALL, 1000), demo_spec(num_classes=1000), with_classifier=True)
    assert load_weights(path).report.num_classes == 1000


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"reid_format": "2", "reid_spec": "{}"}, "format version 2"),
        ({"reid_format": "1", "reid_spec": "{}"}, "record about the weights cannot be read"),
        ({"reid_format": "1"}, "record about the weights cannot be read"),
        (
            {"reid_format": "1", "reid_spec": demo_spec(variant="osnet_x0_5").to_json()},
            "says it holds osnet_x0_5, but its tensors are those of osnet_x0_25",
        ),
    ],
)
def test_load_weights__wrong_record__refused(metadata: dict[str, str], message: str, tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    save_file(seeded_state(), path, metadata=metadata)
    with pytest.raises(WeightsError, match=message):
        load_weights(path)


def test_fingerprint__same_weights_any_format__equal(tmp_path: Path) -> None:
    state = {f"module.{name}": tensor for name, tensor in seeded_state(num_classes=9).items()}
    save_file(seeded_state(), tmp_path / "a.safetensors")
    paths = [tmp_path / "a.safetensors", saved(tmp_path / "b.pth", {"state_dict": state})]
    prints = {
        fingerprint(loaded.model.variant, loaded.model.state_dict(), loaded.spec.preprocessing)
        for loaded in map(load_weights, paths)
    }
    assert len(prints) == 1


def test_fingerprint__one_weight_or_preprocessing_changed__differs() -> None:
    state = seeded_state()
    base = fingerprint(SMALL, state, TORCHREID_PREPROCESSING)
    assert fingerprint(SMALL, state, Preprocessing(colour_order="bgr")) != base
    state["conv5.bn.running_mean"][3] += 1e-3
    assert fingerprint(SMALL, state, TORCHREID_PREPROCESSING) != base
