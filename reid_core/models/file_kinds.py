"""Tell what a weights file really is from its first bytes; names and suffixes are not trusted.

Downloads go wrong in known ways (an HTML page, a Git LFS pointer, half a file, an archive around the file).
Each gets its own sentence, because the loaders' own messages ("invalid load key, '<'") help nobody.
"""

from __future__ import annotations

import zipfile
from enum import Enum
from pathlib import Path

from reid_core.errors import WeightsError

_HEAD_BYTES = 1024
_TORCH_LEGACY_MAGIC = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
_FOREIGN_MAGIC = (
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"BM", "a BMP image"),
    (b"%PDF", "a PDF document"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!", "a RAR archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ", "an xz archive"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard archive"),
    (b"\x89HDF", "an HDF5 file (Keras?)"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a Windows program"),
    (b"SQLite format 3", "an SQLite database"),
)


class FileKind(Enum):
    """The kinds of weights files that are read; the value is how a report calls it."""

    TORCH_ZIP = "PyTorch file"
    TORCH_PICKLE = "PyTorch file (format before 1.6)"
    SAFETENSORS = "safetensors file"
    ONNX = "ONNX file"


def sniff_weights_file(path: Path) -> FileKind:
    """The kind of a weights file by its content.

    Raises:
        WeightsError: Nothing is there, or it is none of the four kinds; the message says what it is instead.
    """
    if path.is_dir():
        raise WeightsError(f"{path} is a folder, expected a weights file. Name the file in it.")
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
        size = path.stat().st_size
    except FileNotFoundError:
        raise WeightsError(
            f"{path} does not exist. Check the path, or run `reid weights list` for the names of known "
            "weights."
        ) from None
    except OSError as error:
        raise WeightsError(f"{path} could not be read: {error}.") from error
    if not head:
        raise WeightsError(f"{path} is empty (0 bytes). The download did not arrive; fetch it again.")
    kind = _weights_kind(path, head, size)
    if kind is None:
        raise WeightsError(
            f"{path} ({size} bytes) is {_describe_foreign(head)}, expected OSNet weights in a PyTorch, "
            "safetensors or ONNX file. The file was renamed or the download went wrong; fetch the weights "
            "again."
        )
    return kind


def _weights_kind(path: Path, head: bytes, size: int) -> FileKind | None:
    if head.startswith(b"PK"):
        return _zip_kind(path, size)
    if head.startswith(_TORCH_LEGACY_MAGIC):
        return FileKind.TORCH_PICKLE
    if head[:1] == b"\x80" and head[1:2] in b"\x02\x03\x04\x05" and len(head) > 1:
        raise WeightsError(
            f"{path} is a plain Python pickle, which can run any code when opened, so it was not opened. "
            "Expected what torch.save(model.state_dict(), path) writes, or a safetensors file."
        )
    if head[8:9] == b"{":
        return _checked_safetensors(path, int.from_bytes(head[:8], "little"), size)
    # An ONNX file is a protobuf message whose field 1 is the IR version, a small number.
    if head[:1] == b"\x08" and len(head) > 2 and 1 <= head[1] <= 64:
        return FileKind.ONNX
    return None


def _checked_safetensors(path: Path, header_bytes: int, size: int) -> FileKind:
    if header_bytes + 8 > size:
        raise WeightsError(
            f"{path} is a safetensors file cut short: its header alone has {header_bytes} bytes, but the "
            f"file {size}. Fetch it again."
        )
    return FileKind.SAFETENSORS


def _zip_kind(path: Path, size: int) -> FileKind:
    """A PyTorch file is a zip with a member ``data.pkl``; other zips are refused by what they hold."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError) as error:
        raise WeightsError(
            f"{path} begins like a PyTorch file but its end is missing or damaged ({size} bytes; {error}). "
            "The download stopped early; fetch it again."
        ) from error
    if any(name.endswith("/constants.pkl") or "/code/" in name for name in names):
        raise WeightsError(
            f"{path} is a TorchScript program, which holds code, so it was not opened. Expected a state "
            "dict: torch.save(model.state_dict(), path), or an ONNX export."
        )
    if any(name == "data.pkl" or name.endswith("/data.pkl") for name in names):
        return FileKind.TORCH_ZIP
    shown = ", ".join(names[:3]) or "nothing"
    raise WeightsError(
        f"{path} is an ordinary zip archive (it holds {shown}), expected OSNet weights. Unpack it first and "
        "give the weights file inside."
    )


def _describe_foreign(head: bytes) -> str:
    if head.startswith(b"version https://git-lfs"):
        return "a Git LFS pointer, not the file it stands for (run `git lfs pull`)"
    for magic, description in _FOREIGN_MAGIC:
        if head.startswith(magic):
            return description
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "a WebP image"
    if head[4:8] == b"TFL3":
        return "a TensorFlow Lite model"
    if head[257:262] == b"ustar":
        return "a tar archive"
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<!doctype", b"<html", b"<head", b"<?xml")):
        return "a web page (the server answered with a page, perhaps a login or a download warning)"
    if text.startswith((b"{", b"[")):
        return "a JSON text (perhaps a server's error message)"
    if all(byte in b"\t\n\r" or 32 <= byte < 127 for byte in head):
        return "a text file"
    return "of no known type, or damaged at its beginning"
