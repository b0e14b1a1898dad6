from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from huggingface_hub import get_session
from stand_in_hub import StandInHub, running

from reid_core.errors import DownloadError, InputError, WeightsError
from reid_core.models import VARIANTS
from reid_core.models.hub import _transport_error, fetch_known_weights
from reid_core.models.registry import (
    HUB_REPOSITORY,
    HUB_REVISION,
    KNOWN_WEIGHTS,
    KnownWeights,
    find_known_weights,
)
from reid_core.models.resolve import resolve_weights

CONTENT = np.random.default_rng(0).bytes(300_000)


def entry(*, sha256: str | None = hashlib.sha256(CONTENT).hexdigest()) -> KnownWeights:
    return replace(find_known_weights("osnet_x0_25@msmt17"), filename="w.pth", sha256=sha256)


@pytest.fixture
def hub() -> Iterator[StandInHub]:
    with running(StandInHub({f"{HUB_REPOSITORY}/w.pth": CONTENT})) as server:
        yield server


def test_fetch__whole_file__checked_and_then_from_the_cache(hub: StandInHub, tmp_path: Path) -> None:
    path = fetch_known_weights(entry(), cache_dir=tmp_path, endpoint=hub.endpoint)
    assert path.read_bytes() == CONTENT
    asked = len(hub.requests)
    assert fetch_known_weights(entry(), cache_dir=tmp_path, endpoint=hub.endpoint) == path
    assert len(hub.requests) == asked  # a pinned revision never changes, so nothing is asked again
    assert fetch_known_weights(entry(), cache_dir=tmp_path, offline=True) == path


def test_fetch__connection_cut__goes_on_where_it_stopped(hub: StandInHub, tmp_path: Path) -> None:
    # huggingface_hub writes pieces of 10 MB, so only a larger file can be cut after something was written.
    content = CONTENT * 80
    hub.files[f"{HUB_REPOSITORY}/w.pth"] = content
    hub.breaks, hub.break_after = 1, 15_000_000
    large = entry(sha256=hashlib.sha256(content).hexdigest())
    path = fetch_known_weights(large, cache_dir=tmp_path, endpoint=hub.endpoint)
    assert path.read_bytes() == content
    first, second = hub.downloads
    assert first is None
    assert second is not None
    assert 0 < int(second.removeprefix("bytes=").split("-")[0]) <= 15_000_000


def test_fetch__wrong_digest__file_removed(hub: StandInHub, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="is another file .* the registry pins"):
        fetch_known_weights(entry(sha256="0" * 64), cache_dir=tmp_path, endpoint=hub.endpoint)
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and path.read_bytes() == CONTENT]
    with pytest.raises(DownloadError, match="not in the cache"):
        fetch_known_weights(entry(), cache_dir=tmp_path, offline=True)


def test_fetch__no_known_digest__first_use_is_kept_and_checked(hub: StandInHub, tmp_path: Path) -> None:
    unknown = entry(sha256=None)
    path = fetch_known_weights(unknown, cache_dir=tmp_path, endpoint=hub.endpoint)
    assert fetch_known_weights(unknown, cache_dir=tmp_path, endpoint=hub.endpoint) == path
    path.resolve().write_bytes(CONTENT[:-1] + b"x")
    with pytest.raises(DownloadError, match="the first download had"):
        fetch_known_weights(unknown, cache_dir=tmp_path, endpoint=hub.endpoint)
    assert not path.exists()


def test_fetch__damaged_record_of_first_use__refused(hub: StandInHub, tmp_path: Path) -> None:
    (tmp_path / "reid-first-use-digests.json").write_text("[1")
    with pytest.raises(DownloadError, match="cannot be read"):
        fetch_known_weights(entry(sha256=None), cache_dir=tmp_path, endpoint=hub.endpoint)


def test_fetch__hub_lacks_the_file__says_so(hub: StandInHub, tmp_path: Path) -> None:
    hub.files.clear()
    with pytest.raises(
        DownloadError, match=f"no file 'w.pth' in {HUB_REPOSITORY} at revision {HUB_REVISION[:12]}"
    ):
        fetch_known_weights(entry(), cache_dir=tmp_path, endpoint=hub.endpoint)


def test_fetch__offline_without_copy__names_the_next_step(tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match=r"reid weights download osnet_x0_25@msmt17"):
        fetch_known_weights(entry(), cache_dir=tmp_path, offline=True)


def test_fetch__hub_unreachable_but_copy_there__copy_used(hub: StandInHub, tmp_path: Path) -> None:
    path = fetch_known_weights(entry(), cache_dir=tmp_path, endpoint=hub.endpoint)
    assert fetch_known_weights(entry(), cache_dir=tmp_path, endpoint="http://127.0.0.1:9") == path


def test_registry__every_entry__is_whole() -> None:
    for name, known in KNOWN_WEIGHTS.items():
        assert name == known.name == f"{known.spec.variant}@{'msmt17' if known.is_for_reid else 'imagenet'}"
        assert known.spec.num_classes == (4101 if known.is_for_reid else 1000)
        assert known.filename.startswith(known.spec.variant)
        assert len(known.revision) == 40
        assert known.sha256 is None or len(known.sha256) == 64
        assert "Research use only" in known.spec.licence
        assert known.spec.distance == (
            "cosine" if "ain" in name and known.is_for_reid else known.spec.distance
        )
    assert len({known.filename for known in KNOWN_WEIGHTS.values()}) == len(KNOWN_WEIGHTS) == 15
    assert {known.spec.variant for known in KNOWN_WEIGHTS.values()} == set(VARIANTS)


def test_find_known_weights__unknown_name__lists_names() -> None:
    with pytest.raises(InputError, match="osnet_ain_x1_0@msmt17"):
        find_known_weights("osnet_x1_0@market1501")


def test_resolve_weights__imagenet_entry__refused_before_any_download() -> None:
    with pytest.raises(WeightsError, match="cannot tell people apart"):
        resolve_weights("osnet_x1_0@imagenet")


def test_resolve_weights__neither_file_nor_name__lists_names() -> None:
    with pytest.raises(WeightsError, match="neither a file nor a name of the registry"):
        resolve_weights("osnet_x9@msmt17")


def test_resolve_weights__entry_of_another_variant__refused() -> None:
    with pytest.raises(WeightsError, match="is osnet_x0_25, but osnet_x1_0 was asked for"):
        resolve_weights("osnet_x0_25@msmt17", variant="osnet_x1_0")


def test_transport_error__the_hub_clients_own__covers_a_broken_connection() -> None:
    client = get_session()
    with pytest.raises(_transport_error()):
        client.get("http://127.0.0.1:9/nothing-listens-here")
