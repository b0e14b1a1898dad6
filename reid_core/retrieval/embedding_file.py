"""One file format for embeddings: an ``.npz`` without pickle that is either whole or not there."""

from __future__ import annotations

import json
import os
import tempfile
import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reid_core.errors import InputError
from reid_core.types import EmbeddingSet, Refusal

FORMAT_VERSION = 1


def save_embeddings(embeddings: EmbeddingSet, path: Path) -> None:
    """Write ``path`` whole: a reader sees the old file or the new one, also when the power fails midway."""
    path.parent.mkdir(parents=True, exist_ok=True)
    header = {
        "version": FORMAT_VERSION,
        "fingerprint": embeddings.fingerprint,
        "ids": embeddings.ids,
        "skipped": [(refusal.item, refusal.reason) for refusal in embeddings.skipped],
    }
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez(file, header=_to_bytes(json.dumps(header)), vectors=embeddings.vectors)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def load_embeddings(path: Path) -> EmbeddingSet:
    """Read what ``save_embeddings`` wrote.

    Raises:
        InputError: The file is missing, damaged, of another version, or its vectors are not unit length.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            header = json.loads(archive["header"].tobytes().decode())
            vectors = archive["vectors"]
    except FileNotFoundError:
        raise InputError(f"There are no embeddings at {path}. Compute them first.") from None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(
            f"{path} could not be read as embeddings ({error}). It is damaged or of another kind; delete it, "
            "and the embeddings are computed again."
        ) from error
    if not isinstance(header, dict) or header.get("version") != FORMAT_VERSION:
        found = header.get("version") if isinstance(header, dict) else None
        raise InputError(
            f"{path} has format version {found}, expected {FORMAT_VERSION}. Delete it, and the embeddings "
            "are computed again."
        )
    return EmbeddingSet(
        vectors=vectors,
        ids=tuple(header["ids"]),
        fingerprint=header["fingerprint"],
        skipped=tuple(Refusal(item=item, reason=reason) for item, reason in header["skipped"]),
    )


def _to_bytes(text: str) -> NDArray[np.uint8]:
    return np.frombuffer(text.encode(), dtype=np.uint8)
