"""Unpack a zip of images without trusting it: nothing outside the folder, no links, no bombs, no programs."""

from __future__ import annotations

import re
import shutil
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from reid_core.data.listing import is_image_name, is_litter
from reid_core.data.manifest import MANIFEST_SUFFIXES
from reid_core.errors import CancelledError, DatasetError
from reid_core.types import Refusal

_CHUNK = 1 << 20
_MAX_PART_BYTES = 255
_MAX_NAME_BYTES = 1024
_WINDOWS_DEVICES = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)
_IMAGE_STARTS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"BM", b"II*\0", b"MM\0*", b"P2", b"P3", b"P5", b"P6")

_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError)
"""What zipfile raises for entries that are broken or packed by a method we do not know."""

Progress = Callable[[int, int], None]
"""Called with (done, total)."""


@dataclass(frozen=True, slots=True)
class ArchiveLimits:
    """What one archive may hold. Sizes are bytes after unpacking.

    ``max_ratio`` bounds unpacked to packed size of a file above 1 MiB; JPEG reaches 1.1, deflate 1032.
    """

    max_files: int = 200_000
    max_file_bytes: int = 64 << 20
    max_total_bytes: int = 8 << 30
    max_ratio: float = 200.0


@dataclass(frozen=True, slots=True)
class ExtractedArchive:
    """What ``extract_archive`` wrote: names below ``root`` with forward slashes, and what it refused."""

    root: Path
    names: tuple[str, ...]
    num_bytes: int
    refused: tuple[Refusal, ...]


def extract_archive(
    archive: str | Path,
    destination: str | Path,
    *,
    limits: ArchiveLimits | None = None,
    progress: Progress | None = None,
    is_cancelled: Callable[[], bool] | None = None,
) -> ExtractedArchive:
    """Unpack the images and manifests of a zip into a new folder; all of it, or on an error nothing.

    Single entries with an unsafe name, a link, a password, a wrong checksum or another type are refused and
    listed. Hidden and system files are passed over.

    Args:
        archive: The zip file.
        destination: Must not exist, or be empty.
        limits: By default ``ArchiveLimits()``.
        progress: Called with (files done, files in the archive).
        is_cancelled: Asked before every file; True stops and removes what was written.

    Raises:
        DatasetError: Not a zip, no image in it, a limit is passed, or destination is in use.
        CancelledError: ``is_cancelled`` returned True.
    """
    source, target, bounds = Path(archive), Path(destination).absolute(), limits or ArchiveLimits()
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise DatasetError(f"{target} is in use; give a new or an empty folder to unpack {source.name} into.")
    target.parent.mkdir(parents=True, exist_ok=True)
    workplace = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        with _open(source) as opened:
            entries = opened.infolist()
            _check_totals(source, entries, bounds)
            extractor = _Extractor(opened, workplace, bounds)
            for done, entry in enumerate(entries):
                if is_cancelled is not None and is_cancelled():
                    raise CancelledError(f"Unpacking {source.name} was stopped; nothing was kept.")
                extractor.add(entry)
                if progress is not None:
                    progress(done + 1, len(entries))
        if not any(is_image_name(name) for name in extractor.names):
            raise DatasetError(_describe_empty(source, extractor.refused))
        if target.exists():
            target.rmdir()
        workplace.replace(target)
    except BaseException:
        shutil.rmtree(workplace, ignore_errors=True)
        raise
    target.chmod(0o755)
    names = tuple(sorted(extractor.names))
    return ExtractedArchive(target, names, extractor.num_bytes, tuple(extractor.refused))


class _Extractor:
    """Writes one entry after the other below ``root`` and counts what it wrote."""

    def __init__(self, archive: zipfile.ZipFile, root: Path, limits: ArchiveLimits) -> None:
        self._archive, self._root, self._limits = archive, root, limits
        self._taken: set[str] = set()
        self.names: list[str] = []
        self.refused: list[Refusal] = []
        self.num_bytes = 0

    def add(self, entry: zipfile.ZipInfo) -> None:
        name = entry.filename.replace("\\", "/")
        if entry.is_dir() or any(is_litter(part) for part in name.split("/") if part not in {".", ".."}):
            return
        reason = _reason_against(entry, name) or self._reason_taken(name)
        if reason is None:
            reason = self._write(entry, name)
        if reason is None:
            self.names.append(name)
        else:
            self.refused.append(Refusal(_printable(name), reason))

    def _reason_taken(self, name: str) -> str | None:
        folded = name.casefold()
        if folded in self._taken:
            return "the archive holds this name twice, or in upper and lower case; only the first is kept"
        self._taken.add(folded)
        return None

    def _write(self, entry: zipfile.ZipInfo, name: str) -> str | None:
        path = self._root / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with self._archive.open(entry) as packed, path.open("xb") as unpacked:
                self._copy(packed, unpacked, entry, name)
            return None
        except DatasetError:
            raise
        except _NotAnImageError:
            reason = "its content is not an image, whatever its name says"
        except (FileExistsError, NotADirectoryError):
            return "a file and a folder in the archive share this name"
        except _DAMAGE as error:
            reason = f"it is damaged or packed in an unknown way ({error})"
        path.unlink(missing_ok=True)
        return reason

    def _copy(self, packed: IO[bytes], unpacked: IO[bytes], entry: zipfile.ZipInfo, name: str) -> None:
        """Copy while counting: the sizes in a zip's directory are claims of whoever made it."""
        written = 0
        while chunk := packed.read(_CHUNK):
            if written == 0 and is_image_name(name) and not _starts_like_image(chunk):
                raise _NotAnImageError
            written += len(chunk)
            self.num_bytes += len(chunk)
            self._check_limits(written, entry, name)
            unpacked.write(chunk)

    def _check_limits(self, written: int, entry: zipfile.ZipInfo, name: str) -> None:
        limits = self._limits
        if written > limits.max_file_bytes:
            raise DatasetError(
                f"{_printable(name)} unpacks to more than {_size(limits.max_file_bytes)}; not read."
            )
        if self.num_bytes > limits.max_total_bytes:
            raise DatasetError(
                f"The archive unpacks to more than {_size(limits.max_total_bytes)}; split it up."
            )
        if written > _CHUNK and written > limits.max_ratio * max(entry.compress_size, 1):
            raise DatasetError(
                f"{_printable(name)} unpacks to over {limits.max_ratio:.0f} times its packed size, as "
                "archives made to fill disks do; not read."
            )


class _NotAnImageError(Exception):
    """The first bytes are of no image type."""


def _open(source: Path) -> zipfile.ZipFile:
    if not source.is_file():
        raise DatasetError(f"The archive {source} does not exist.")
    try:
        return zipfile.ZipFile(source)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise DatasetError(
            f"{source.name} is not a complete zip archive ({error}). Pack the folder anew."
        ) from error


def _check_totals(source: Path, entries: list[zipfile.ZipInfo], limits: ArchiveLimits) -> None:
    if len(entries) > limits.max_files:
        raise DatasetError(
            f"{source.name} holds {len(entries):,} files, at most {limits.max_files:,} are read; split it up."
        )
    claimed = sum(entry.file_size for entry in entries)
    if claimed > limits.max_total_bytes:
        raise DatasetError(
            f"{source.name} unpacks to {_size(claimed)}, at most {_size(limits.max_total_bytes)} are read; "
            "split it up."
        )


def _reason_against(entry: zipfile.ZipInfo, name: str) -> str | None:
    """Why an entry is refused by its directory record alone, or None."""
    parts = name.split("/")
    if name.startswith("/") or re.match(r"[A-Za-z]:", name) or ".." in parts:
        return "its path leads out of the folder it would be unpacked into"
    if any(part in {"", "."} for part in parts) or any(ord(char) < 32 or ord(char) == 127 for char in name):
        return "its path has empty parts or control characters"
    if any(_WINDOWS_DEVICES.fullmatch(part) or part.endswith((" ", ".")) or ":" in part for part in parts):
        return "its path cannot be stored on every system; rename it"
    encoded = name.encode("utf-8", "surrogatepass")
    if len(encoded) > _MAX_NAME_BYTES or any(
        len(p.encode("utf-8", "surrogatepass")) > _MAX_PART_BYTES for p in parts
    ):
        return "its path is too long"
    mode = entry.external_attr >> 16
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        return "it is a link or a device, not a file"
    if entry.flag_bits & 0x1:
        return "it is protected by a password"
    if not is_image_name(name) and Path(name).suffix.lower() not in MANIFEST_SUFFIXES:
        return "it is neither an image nor a manifest (.csv, .parquet)"
    return None


def _starts_like_image(start: bytes) -> bool:
    return start.startswith(_IMAGE_STARTS) or (start[:4] == b"RIFF" and start[8:12] == b"WEBP")


def _describe_empty(source: Path, refused: list[Refusal]) -> str:
    if not refused:
        return f"{source.name} holds no image. Pack a folder of JPEG or PNG crops."
    return (
        f"{source.name} holds no image that can be read: {len(refused)} files were refused, the first is "
        f"{refused[0].item}: {refused[0].reason}."
    )


def _printable(name: str) -> str:
    return name.encode("utf-8", "backslashreplace").decode() if name.isprintable() else ascii(name)[1:-1]


def _size(num_bytes: int) -> str:
    return f"{num_bytes / (1 << 20):,.0f} MiB"
