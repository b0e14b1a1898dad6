from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError

from reid_core.errors import InputError
from reid_core.settings import (
    Settings,
    add_settings_arguments,
    load_settings,
    prepare_environment,
    settings_from_arguments,
)


@pytest.fixture(autouse=True)
def clean_environment() -> Iterator[None]:
    """Nothing of ours or of the libraries is set before a test, and all is as it was after it."""
    before = dict(os.environ)
    for name in before:
        if name.startswith(("REID_", "SPACE_", "HF_", "GRADIO_", "NUMBA_", "TMPDIR")):
            del os.environ[name]
    yield
    os.environ.clear()
    os.environ.update(before)


def parse(*arguments: str) -> Settings:
    parser = argparse.ArgumentParser()
    add_settings_arguments(parser)
    return settings_from_arguments(parser.parse_args(arguments))


def test_settings__nothing_given__private_and_offline_safe_defaults(tmp_path: Path) -> None:
    settings = load_settings()
    assert (settings.host, settings.port, settings.gallery, settings.weights) == (
        "127.0.0.1",
        7860,
        "",
        "demo",
    )
    assert settings.allows_local_paths
    assert not settings.is_space
    assert settings.data_dir == Path.cwd() / "data"


def test_settings__order__command_line_over_variable_over_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REID_PORT", "7000")
    monkeypatch.setenv("REID_WEIGHTS", "osnet_x1_0@msmt17")
    settings = parse("--port", "8000", "--offline")
    assert (settings.port, settings.weights, settings.offline) == (8000, "osnet_x1_0@msmt17", True)
    assert parse("--no-offline").offline is False


def test_settings__empty_variable__counts_as_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REID_PORT", "")
    assert parse().port == 7860


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.0.5", "reid.lab.example"])
def test_local_paths__others_can_reach_us__only_if_said(host: str) -> None:
    assert not load_settings(host=host).allows_local_paths
    assert load_settings(host=host, local_paths="yes").allows_local_paths
    assert not load_settings(local_paths="no").allows_local_paths


def test_settings__on_a_space__all_interfaces_unless_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPACE_ID", "someone/reid")
    monkeypatch.setenv("SPACE_HOST", "someone-reid.hf.space")
    settings = parse()
    assert (settings.host, settings.is_space, settings.space_host) == (
        "0.0.0.0",
        True,
        "someone-reid.hf.space",
    )
    assert not settings.allows_local_paths
    monkeypatch.setenv("REID_HOST", "127.0.0.1")
    assert parse().host == "127.0.0.1"


def test_settings__lists__split_at_commas() -> None:
    settings = parse("--extra-weights", "a.pth, b@c ,", "--weights", "a.pth")
    assert settings.extra_weights == ("a.pth", "b@c")
    assert settings.model_names == ("a.pth", "b@c")


@pytest.mark.parametrize(("given", "shaped"), [("reid", "/reid"), ("/reid/", "/reid"), ("/", ""), ("", "")])
def test_root_path__any_slashes__one_shape(given: str, shaped: str) -> None:
    assert load_settings(root_path=given).root_path == shaped


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("port", "many"),
        ("port", "70000"),
        ("max_upload_mb", "0"),
        ("max_pixels", "99999999999"),
        ("local_paths", "perhaps"),
        ("log_level", "loud"),
        ("offline", "perhaps"),
        ("rerank_candidates", "5"),
    ],
)
def test_settings__wrong_value__names_option_and_variable(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"REID_{name.upper()}", value)
    with pytest.raises(InputError) as caught:
        load_settings()
    assert f"--{name.replace('_', '-')} (or REID_{name.upper()}) is '{value}'" in str(caught.value)


def test_settings__unknown_name_or_change__refused() -> None:
    with pytest.raises(InputError, match="no setting 'prot'"):
        load_settings(prot=7)
    with pytest.raises(ValidationError, match="frozen"):
        load_settings().port = 1  # type: ignore[misc]


def test_prepare_environment__writes_only_below_data_and_respects_the_hub_cache(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HF_HOME", "/shared/hub")
    prepare_environment(load_settings(data_dir=tmp_path, offline=True))
    assert os.environ["GRADIO_ANALYTICS_ENABLED"] == "False"
    assert os.environ["HF_HUB_DISABLE_TELEMETRY"] == "1"
    assert os.environ["HF_HUB_OFFLINE"] == "1"
    assert os.environ["HF_HOME"] == "/shared/hub"
    for name in ("GRADIO_TEMP_DIR", "GRADIO_EXAMPLES_CACHE", "NUMBA_CACHE_DIR", "TMPDIR"):
        assert Path(os.environ[name]).is_relative_to(tmp_path)
    assert Path(os.environ["TMPDIR"]).is_dir()


def test_prepare_environment__no_hub_cache_named__below_data(tmp_path: Path) -> None:
    prepare_environment(load_settings(data_dir=tmp_path))
    assert os.environ["HF_HOME"] == str(tmp_path / "cache" / "huggingface")
    assert "HF_HUB_OFFLINE" not in os.environ
