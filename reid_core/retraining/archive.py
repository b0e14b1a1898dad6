"""Write an exported set as a folder or a zip, whole or not at all, and read one back."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from reid_core.annotation import Event, from_json_line, to_json_line
from reid_core.errors import DatasetError, InputError
from reid_core.retraining.export import FileContent, text_files
from reid_core.retraining.pools import sha256_lines
from reid_core.retraining.snapshot import TrainingSnapshot

SUMS = "SHA256SUMS"
_SNAPSHOT = "snapshot.json"
_LOG = "decisions.jsonl"
MAX_UNPACKED_BYTES = 50 * 10**9
"""A training set of a million crops stays below this."""
_OLDEST = (1980, 1, 1, 0, 0, 0)
"""The time of every file in a zip, so that equal sets give equal zips."""


@dataclass(frozen=True, slots=True)
class ReadSet:
    """An exported set read back. ``folder`` holds its files; ``num_files`` were compared with their sums."""

    snapshot: TrainingSnapshot
    log: tuple[Event, ...]
    folder: Path
    num_files: int


def write_folder(files: Iterable[FileContent], target: Path) -> Path:
    """Write an exported set below ``target``, which must not exist.

    Raises:
        InputError: There is something at ``target``.
    """
    if target.exists():
        raise InputError(f"{target} exists already; choose another folder, or remove it first.")
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}-"))
    try:
        for path, content in _with_sums(files):
            file = partial / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        partial.chmod(0o755)
        partial.rename(target)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return target


def write_zip(files: Iterable[FileContent], target: Path, *, top_folder: str = "") -> Path:
    """Write an exported set as one zip, replacing ``target``; pictures are stored as they are.

    Args:
        files: Of ``export``.
        target: The zip.
        top_folder: Folder inside the zip that holds everything.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=".", suffix=".part")
    partial = Path(name)
    try:
        with open(handle, "wb") as file, zipfile.ZipFile(file, "w") as archive:  # noqa: PTH123
            for path, content in _with_sums(files):
                entry = zipfile.ZipInfo(str(PurePosixPath(top_folder) / path), date_time=_OLDEST)
                is_picture = path.endswith((".jpg", ".parquet"))
                entry.compress_type = zipfile.ZIP_STORED if is_picture else zipfile.ZIP_DEFLATED
                entry.external_attr = 0o644 << 16
                archive.writestr(entry, content)
        partial.chmod(0o644)
        partial.replace(target)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    return target


def unpack_set(path: Path, target: Path, *, max_bytes: int = MAX_UNPACKED_BYTES) -> Path:
    """Unpack a zip of ``write_zip`` into ``target``, which must not exist; returns it, for ``read_set``.

    Raises:
        InputError: There is something at ``target``.
        DatasetError: Not a zip, larger than ``max_bytes`` when unpacked, or an entry leaves its folder.
    """
    if target.exists():
        raise InputError(f"{target} exists already; choose another folder, or remove it first.")
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}-"))
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            size = sum(entry.file_size for entry in entries)
            if size > max_bytes:
                raise DatasetError(f"{path.name} unpacks to {size:,} bytes; at most {max_bytes:,} are read.")
            for entry in entries:
                inside = PurePosixPath(entry.filename.replace("\\", "/"))
                if inside.is_absolute() or ".." in inside.parts:
                    raise DatasetError(f"{path.name} holds {entry.filename!r}, which leaves its folder.")
            archive.extractall(partial)
        partial.chmod(0o755)
        partial.rename(target)
    except (zipfile.BadZipFile, OSError, EOFError) as error:
        shutil.rmtree(partial, ignore_errors=True)
        raise DatasetError(f"{path.name} is not a zip that can be read ({error}).") from error
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return target


def read_set(folder: Path) -> ReadSet:
    """Read an exported folder, as ``write_folder`` or an unpacked zip left it, and prove it unchanged.

    Raises:
        DatasetError: It is not such a folder, a file is missing or was changed, or its tables, its log and
            its snapshot do not belong together.
    """
    root = _find_root(folder)
    num_files = _check_sums(root)
    snapshot = TrainingSnapshot.from_json(_read(root / _SNAPSHOT))
    try:
        log = tuple(from_json_line(line) for line in _read(root / _LOG).split("\n") if line)
    except InputError as error:
        raise DatasetError(f"{root / _LOG} is damaged: {error}") from error
    found = sha256_lines(to_json_line(event) for event in log)
    if (len(log), found) != (snapshot.key.log_position, snapshot.key.log_hash):
        raise DatasetError(
            f"{root} holds a log of {len(log)} decisions; its snapshot was frozen from "
            f"{snapshot.key.log_position} others. Export it again."
        )
    _check_tables(root, snapshot, log)
    return ReadSet(snapshot, log, root, num_files)


def _with_sums(files: Iterable[FileContent]) -> Iterator[FileContent]:
    sums = []
    for path, content in files:
        sums.append(f"{hashlib.sha256(content).hexdigest()}  {path}\n")
        yield path, content
    yield SUMS, "".join(sums).encode()


def _find_root(folder: Path) -> Path:
    """The folder itself, or the one folder inside it (a zip unpacks into two) that holds a snapshot."""
    for pattern in (_SNAPSHOT, f"*/{_SNAPSHOT}", f"*/*/{_SNAPSHOT}"):
        found = sorted(folder.glob(pattern))
        if len(found) == 1:
            return found[0].parent
        if found:
            raise DatasetError(f"{folder} holds {len(found)} exported sets; give the folder of one.")
    raise DatasetError(f"{folder} holds no exported training set (no {_SNAPSHOT} in it).")


def _check_sums(root: Path) -> int:
    number = 0
    for line in _read(root / SUMS).splitlines():
        digest, separator, path = line.partition("  ")
        target = root / path
        if not separator or not target.resolve().is_relative_to(root.resolve()):
            raise DatasetError(f"{root / SUMS} has a line that names no file of the set: {line[:80]!r}.")
        if not target.is_file():
            raise DatasetError(f"{path} is missing from the exported set {root}. Copy it again.")
        if hashlib.sha256(target.read_bytes()).hexdigest() != digest:
            raise DatasetError(
                f"{path} of the exported set {root} was changed. Correct labels in the app, where every "
                "change is kept, and export again."
            )
        number += 1
    return number


def _check_tables(root: Path, snapshot: TrainingSnapshot, log: tuple[Event, ...]) -> None:
    """The tables of the set must be those that its snapshot decides, with the locked test or without it."""
    wrong: list[str] = []
    for with_locked in (False, True):  # its folders tell nothing where the locked test holds junk alone
        wrong = [
            path
            for path, content in text_files(snapshot, log, with_locked=with_locked)
            if path.endswith(".csv") and (root / path).is_file() and (root / path).read_bytes() != content
        ]
        if not wrong:
            return
    raise DatasetError(f"{wrong[0]} of {root} does not say what its snapshot says. Export it again.")


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path} cannot be read ({error}); it is part of every exported set.") from error
