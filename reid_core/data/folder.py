"""Plain folders: one folder per identity, one flat folder of unknown people, or any tree read by a regex."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from reid_core.data.listing import Listing, list_files
from reid_core.data.market1501 import SPLIT_FOLDERS, parse_market_name, record_from_name
from reid_core.errors import DatasetError, InputError
from reid_core.images import IMAGE_SUFFIXES
from reid_core.types import SPLIT_NAMES, Dataset, ImageRecord, Refusal

REGEX_GROUPS = ("pid", "camid", "time", "split")
"""Named groups with a meaning; every other named group becomes an attribute."""

_WHOLE = re.compile(r"-1|\d{1,18}", re.ASCII)


def read_flat_folder(root: str | Path) -> Dataset:
    """Read all images below ``root`` as a gallery of people nobody has named yet.

    Raises:
        DatasetError: Not a folder, or no image in it.
    """
    base, listing = _list_all(root)
    gallery = tuple(ImageRecord(image_id, base / image_id) for image_id in listing.images)
    note = "Nobody is named: identities and cameras are unknown, so matches can be shown but not scored."
    return Dataset(name=base.name, root=base, gallery=gallery, notes=(note,), refused=_refusals(listing))


def read_named_images(root: str | Path) -> Dataset:
    """Read images with Market-1501 names, all in one folder, as a gallery.

    Raises:
        DatasetError: Not a folder, or no image with such a name in it.
    """
    base = Path(root).expanduser().absolute()
    listing = list_files(base, recursive=False)
    parsed = {name: parse_market_name(name) for name in listing.images}
    gallery = tuple(
        record_from_name(base, name, labels) for name, labels in parsed.items() if labels is not None
    )
    if not gallery:
        raise DatasetError(f"{base} has no image named like 0002_c1s1_000451_03.jpg.")
    unnamed = (
        Refusal(n, "the file name is not like 0002_c1s1_000451_03.jpg") for n in parsed if parsed[n] is None
    )
    return Dataset(base.name, base, gallery=gallery, refused=(*_refusals(listing), *unnamed))


def read_identity_folders(root: str | Path) -> Dataset:
    """Read ``identity/image.jpg``, or ``split/identity/image.jpg`` with split folders as in Market-1501.

    Folder names that are all numbers are the pids (-1 junk, 0 distractor); other names are numbered from 1 in
    sorted order and kept as attribute ``identity``. Camera and time come from Market-1501 file names whose
    pid agrees with the folder. Without split folders all images are gallery.

    Raises:
        DatasetError: Not a folder, or no image in an identity's folder.
    """
    base, listing = _list_all(root)
    refused = list(_refusals(listing))
    placed: list[tuple[str, str, str]] = []  # image id, split, identity
    for image_id in listing.images:
        parts = image_id.split("/")
        split = SPLIT_FOLDERS.get(parts[0].lower()) if len(parts) > 2 else None
        identity = parts[0] if split is None else parts[1]
        if len(parts) < 2:
            refused.append(Refusal(image_id, "lies in no identity's folder"))
        else:
            placed.append((image_id, split or "gallery", identity))
    if not placed:
        raise DatasetError(f"{base} has no image inside a folder; expected {base.name}/<identity>/<image>.")
    numbers = number_names(identity for _, _, identity in placed)
    splits: dict[str, list[ImageRecord]] = {name: [] for name in SPLIT_NAMES}
    for image_id, split, identity in placed:
        splits[split].append(
            _identity_record(base, image_id, numbers.by_name[identity], identity, numbers.are_named)
        )
    return Dataset(
        name=base.name,
        root=base,
        notes=(*numbers.notes("identity"), *_camera_notes(splits.values())),
        refused=tuple(refused),
        **{name: tuple(records) for name, records in splits.items()},
    )


def read_by_regex(root: str | Path, pattern: str, *, frame_rate: float = 1.0) -> Dataset:
    """Read every image below ``root`` whose path matches ``pattern``.

    Args:
        root: Folder; nothing above it is ever matched.
        pattern: Searched in the path below ``root`` (forward slashes), e.g.
            ``(?P<pid>\\d+)_cam(?P<camid>\\d+)_(?P<time>\\d+)``. Groups ``pid``, ``camid``, ``time`` and
            ``split`` have their meaning, other named groups become attributes. Values that are not all whole
            numbers are numbered from 1 in sorted order.
        frame_rate: ``time`` is divided by it: 1 if it is seconds, 25 if it counts frames at 25 per second.

    Raises:
        InputError: The pattern is not a regex or has no group with a meaning; frame_rate is not positive.
        DatasetError: Not a folder, or no image that matches.
    """
    regex = _compile(pattern)
    if not (math.isfinite(frame_rate) and frame_rate > 0):
        raise InputError(
            f"frame_rate is {frame_rate}; expected frames per second above 0, or 1 if times are seconds."
        )
    base, listing = _list_all(root)
    refused = list(_refusals(listing))
    matches: list[tuple[str, dict[str, str]]] = []
    for image_id in listing.images:
        match = regex.search(image_id)
        if match is None:
            refused.append(Refusal(image_id, "its path does not match the pattern"))
        else:
            matches.append((image_id, {k: v for k, v in match.groupdict().items() if v is not None}))
    pids = number_names(groups["pid"] for _, groups in matches if "pid" in groups)
    camids = number_names(groups["camid"] for _, groups in matches if "camid" in groups)
    splits: dict[str, list[ImageRecord]] = {name: [] for name in SPLIT_NAMES}
    for image_id, groups in matches:
        try:
            split = _split_of(groups)
            time_s = _time_of(groups, frame_rate)
        except DatasetError as error:
            refused.append(Refusal(image_id, str(error)))
            continue
        attributes = {name: text for name, text in groups.items() if name not in REGEX_GROUPS}
        if pids.are_named and "pid" in groups:
            attributes["identity"] = groups["pid"]
        pid, camid = pids.by_name.get(groups.get("pid", "")), camids.by_name.get(groups.get("camid", ""))
        splits[split].append(ImageRecord(image_id, base / image_id, pid, camid, time_s, attributes))
    if not any(splits.values()):
        sample = listing.images[0]
        raise DatasetError(f"No image below {base} matches {pattern!r}; the first of them is {sample!r}.")
    return Dataset(
        name=base.name,
        root=base,
        notes=(*pids.notes("pid"), *camids.notes("camid")),
        refused=tuple(refused),
        **{name: tuple(records) for name, records in splits.items()},
    )


@dataclass(frozen=True, slots=True)
class NameNumbers:
    """Numbers for names. ``are_named`` tells that they were handed out here, not read from the names."""

    by_name: Mapping[str, int]
    are_named: bool

    def notes(self, what: str) -> tuple[str, ...]:
        """One sentence when numbers were handed out, none otherwise."""
        if not self.are_named:
            return ()
        names = list(self.by_name)
        return (f"{len(names)} {what} names were numbered in sorted order, from {names[0]!r} = 1.",)


def number_names(names: Iterable[str]) -> NameNumbers:
    """Whole numbers stand for themselves; if any name is not one, all are numbered from 1 in sorted order."""
    distinct = sorted(set(names))
    if all(_WHOLE.fullmatch(name) for name in distinct):
        return NameNumbers({name: int(name) for name in distinct}, are_named=False)
    return NameNumbers({name: number for number, name in enumerate(distinct, start=1)}, are_named=True)


def _list_all(root: str | Path) -> tuple[Path, Listing]:
    base = Path(root).expanduser().absolute()
    listing = list_files(base)
    if not listing.images:
        kinds = ", ".join(sorted(IMAGE_SUFFIXES))
        raise DatasetError(f"{base} holds no image ({kinds}). Check the path.")
    return base, listing


def _refusals(listing: Listing) -> tuple[Refusal, ...]:
    return (*listing.refused, *(Refusal(name, "not an image file") for name in listing.others))


def _identity_record(base: Path, image_id: str, pid: int, identity: str, is_named: bool) -> ImageRecord:
    parsed = parse_market_name(image_id.rpartition("/")[2])
    attributes = {"identity": identity} if is_named else {}
    if parsed is None or is_named or parsed.pid != pid:
        return ImageRecord(image_id, base / image_id, pid, attributes=attributes)
    return record_from_name(base, image_id, parsed)


def _camera_notes(splits: Iterable[Sequence[ImageRecord]]) -> tuple[str, ...]:
    num_images = num_without = 0
    for records in splits:
        num_images += len(records)
        num_without += sum(record.camid is None for record in records)
    if not num_without:
        return ()
    return (
        f"{num_without:,} of {num_images:,} images have no camera: scores that need another camera cannot be "
        "computed for them. A manifest or a regex can name cameras.",
    )


def _compile(pattern: str) -> re.Pattern[str]:
    try:
        regex = re.compile(pattern)
    except re.error as error:
        raise InputError(f"The pattern {pattern!r} is not a regular expression: {error}.") from None
    if not set(regex.groupindex) & set(REGEX_GROUPS):
        raise InputError(
            f"The pattern {pattern!r} names none of the groups {', '.join(REGEX_GROUPS)}; "
            "write for example (?P<pid>\\d+)_c(?P<camid>\\d+)."
        )
    return regex


def _split_of(groups: Mapping[str, str]) -> str:
    text = groups.get("split", "gallery").lower()
    split = text if text in SPLIT_NAMES else SPLIT_FOLDERS.get(text)
    if split is None:
        raise DatasetError(f"split {text!r} is unknown; use one of {', '.join(SPLIT_NAMES)}")
    return split


def _time_of(groups: Mapping[str, str], frame_rate: float) -> float | None:
    text = groups.get("time")
    if text is None:
        return None
    try:
        value = float(text)
    except ValueError:
        raise DatasetError(f"time {text!r} is not a number") from None
    if not math.isfinite(value):
        raise DatasetError(f"time {text!r} is not finite")
    return value / frame_rate
