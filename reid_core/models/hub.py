"""Fetch known weights from the Hugging Face hub once, check them, and use them offline afterwards."""

from __future__ import annotations

import hashlib
import importlib
import json
import logging
import tempfile
from pathlib import Path

from huggingface_hub import constants, get_session, hf_hub_download
from huggingface_hub.errors import (
    EntryNotFoundError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from reid_core.errors import DownloadError
from reid_core.models.registry import KnownWeights

_log = logging.getLogger(__name__)

_CHUNK_BYTES = 1 << 20
_FIRST_USE_FILE = "reid-first-use-digests.json"


def fetch_known_weights(
    known: KnownWeights,
    *,
    cache_dir: Path | None = None,
    endpoint: str | None = None,
    offline: bool = False,
) -> Path:
    """The path of a known weights file in the local cache, downloaded if it is not there.

    ``huggingface_hub`` shows the progress, goes on where an interrupted download stopped, and reads its own
    settings (``HF_ENDPOINT``, ``HF_HOME``, ``HF_HUB_OFFLINE``). The file's digest is checked on every call.
    Where the registry has none, the digest of the first download is kept beside the cache and every later
    file must have it too.

    Args:
        known: What to fetch.
        cache_dir: Folder of the cache; ``None`` takes the one that all programs of this user share.
        endpoint: Address of the hub; ``None`` takes the configured one.
        offline: Use the cache only.

    Raises:
        DownloadError: There is no network and no copy, the hub does not have the file, or what came is
        another
            file; that one is removed.
    """
    folder = cache_dir or Path(constants.HF_HUB_CACHE)
    try:
        path = Path(
            hf_hub_download(
                known.repository,
                known.filename,
                revision=known.revision,
                cache_dir=folder,
                endpoint=endpoint,
                local_files_only=offline,
            )
        )
    except LocalEntryNotFoundError as error:
        raise DownloadError(
            f"{known.name} is not in the cache ({folder}) and the hub could not be reached. Connect once "
            f"and run `reid weights download {known.name}`, or give the path of a weights file."
        ) from error
    except (EntryNotFoundError, RepositoryNotFoundError, RevisionNotFoundError) as error:
        raise DownloadError(
            f"The hub has no file {known.filename!r} in {known.repository} at revision "
            f"{known.revision[:12]}. It was moved or withdrawn; give the path of a weights file instead."
        ) from error
    except (HfHubHTTPError, _transport_error(), OSError) as error:
        raise DownloadError(
            f"{known.name} could not be downloaded ({_first_line(error)}). What arrived is kept: run the "
            "same command again to go on."
        ) from error
    _check_digest(known, path, folder)
    return path


def _transport_error() -> type[Exception]:
    """Base of the errors of huggingface_hub's HTTP client: httpx or, in newer versions, httpx2."""
    client = importlib.import_module(type(get_session()).__module__.partition(".")[0])
    error: type[Exception] = client.HTTPError
    return error


def _check_digest(known: KnownWeights, path: Path, folder: Path) -> None:
    """Compare with the registry's digest, or with that of the first use; remove a file that differs."""
    digest = _sha256(path)
    if known.sha256 is not None:
        if digest != known.sha256:
            raise _removed(known, path, digest, known.sha256, "the registry pins")
        return
    seen = _first_use_digests(folder)
    key = f"{known.repository}@{known.revision}/{known.filename}"
    if key not in seen:
        _log.warning(
            "No public digest of %s is known; its first download, sha256 %s, is trusted and kept for "
            "comparison",
            known.name,
            digest,
        )
        _write_first_use_digests(folder, {**seen, key: digest})
    elif seen[key] != digest:
        raise _removed(known, path, digest, seen[key], "the first download had")


def _removed(known: KnownWeights, path: Path, came: str, expected: str, whose: str) -> DownloadError:
    size = path.stat().st_size
    path.resolve().unlink()  # the content; the cache's name for it is a link
    path.unlink(missing_ok=True)
    return DownloadError(
        f"What came as {known.name} is another file ({size} bytes, sha256 {came}) than the one that {whose} "
        f"(sha256 {expected}). It was removed. Try again; if it happens again, the file on the hub was "
        "changed and must not be trusted."
    )


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def _first_use_digests(folder: Path) -> dict[str, str]:
    path = folder / _FIRST_USE_FILE
    if not path.exists():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return {str(key): str(value) for key, value in content.items()}
    except (OSError, ValueError, AttributeError) as error:
        raise DownloadError(
            f"The record of first downloads, {path}, cannot be read ({error}). Remove it to trust the next "
            "download, if you know why it is damaged."
        ) from error


def _write_first_use_digests(folder: Path, digests: dict[str, str]) -> None:
    with tempfile.NamedTemporaryFile("w", dir=folder, delete=False, encoding="utf-8") as file:
        json.dump(digests, file, indent=1, sort_keys=True)
    Path(file.name).replace(folder / _FIRST_USE_FILE)


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
