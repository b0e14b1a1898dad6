"""VIPeR (Gray et al., PETS 2007): 632 people, one image in each of two cameras.

``cam_a/000_45.bmp`` and ``cam_b/000_90.bmp``: person number and viewing angle. The protocol is 10 random
halves, each used in both directions: split 2i searches camera A in camera B, split 2i + 1 the other way
round, and the mean over all 20 is reported. Others draw the halves from an unseeded generator; ours are
seeded and stored.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from reid_core.data.facts import terms_notes
from reid_core.data.listing import list_files
from reid_core.data.split_file import SplitFile, read_split_file, seeded_order
from reid_core.errors import DatasetError, InputError
from reid_core.types import Dataset, ImageRecord, Refusal

NUM_HALVES = 10
NUM_SPLITS = 2 * NUM_HALVES
DEFAULT_SEED = 1501
SPLIT_FILE_NAME = "reid_splits_viper.json"
CAMERAS = ("cam_a", "cam_b")

_NAME = re.compile(r"(?P<number>\d{1,9})_(?P<angle>\d{1,3})", re.ASCII)


def read_viper(root: str | Path, *, split: int = 0, seed: int = DEFAULT_SEED) -> Dataset:
    """Read one of the 20 splits; the halves are read from ``reid_splits_viper.json``, or drawn and stored
    there.

    Args:
        root: The folder that holds ``cam_a`` and ``cam_b``.
        split: 0 to 19. Even: camera A is searched in B; odd: B in A. Splits 2i and 2i + 1 share their
            training half, so one trained model serves both.
        seed: Decides the halves when no split file is there.

    Raises:
        InputError: ``split`` is out of range.
        DatasetError: A camera's folder is missing, nobody is in both, or the split file does not fit the
            images.
    """
    if not 0 <= split < NUM_SPLITS:
        raise InputError(f"VIPeR has splits 0 to {NUM_SPLITS - 1}, not {split}.")
    base = Path(root).expanduser().absolute()
    pairs = _read_pairs(base)
    halves, storage_note = _halves(base, tuple(pairs.people), seed)
    training = set(halves.splits[split // 2])
    first, second = CAMERAS if split % 2 == 0 else CAMERAS[::-1]
    test = [name for name in pairs.people if name not in training]
    return Dataset(
        name="viper",
        root=base,
        train=tuple(
            pairs.people[name][camera] for name in pairs.people if name in training for camera in CAMERAS
        ),
        query=tuple(pairs.people[name][first] for name in test),
        gallery=tuple(pairs.people[name][second] for name in test),
        notes=(
            *terms_notes("viper"),
            f"Split {split} of {NUM_SPLITS}: half {split // 2 + 1} of {NUM_HALVES}, {first} is searched in "
            f"{second}. Report the mean over all splits.",
            storage_note,
            "pid = number in the file name + 1, because pid 0 means distractor; camera 1 is cam_a, 2 is "
            "cam_b.",
        ),
        refused=pairs.refused,
    )


@dataclass(frozen=True, slots=True)
class _Pairs:
    people: dict[str, dict[str, ImageRecord]]
    refused: tuple[Refusal, ...]


def _read_pairs(base: Path) -> _Pairs:
    """Everybody with one image in each camera, by the number in the file name."""
    missing = [camera for camera in CAMERAS if not (base / camera).is_dir()]
    if missing:
        raise DatasetError(
            f"{base} has no folder {' and '.join(missing)}; VIPeR has cam_a and cam_b side by side."
        )
    found: dict[str, dict[str, ImageRecord]] = {}
    refused: list[Refusal] = []
    for camid, camera in enumerate(CAMERAS, start=1):
        listing = list_files(base, camera, recursive=False)
        refused.extend(listing.refused)
        for image_id in listing.images:
            match = _NAME.fullmatch(image_id.rpartition("/")[2].partition(".")[0])
            if match is None:
                refused.append(Refusal(image_id, "the file name is not like 000_45.bmp"))
            elif camera in found.setdefault(match["number"], {}):
                refused.append(Refusal(image_id, f"a second image of person {match['number']} in {camera}"))
            else:
                found[match["number"]][camera] = ImageRecord(
                    image_id,
                    base / image_id,
                    int(match["number"]) + 1,
                    camid,
                    None,
                    {"angle": match["angle"]},
                )
    for number, images in sorted(found.items()):
        if len(images) == 1:
            camera, record = next(iter(images.items()))
            refused.append(
                Refusal(record.image_id, f"person {number} is in {camera} only, so nothing can match")
            )
    people = {number: images for number, images in sorted(found.items()) if len(images) == 2}
    if len(people) < 2:
        raise DatasetError(f"{base} has {len(people)} people with an image in both cameras; VIPeR has 632.")
    return _Pairs(people, tuple(refused))


def _halves(base: Path, numbers: tuple[str, ...], seed: int) -> tuple[SplitFile, str]:
    path = base / SPLIT_FILE_NAME
    if path.is_file():
        stored = read_split_file(path, dataset="viper")
        _check_fits(path, stored, numbers)
        return stored, f"Halves read from {path.name} ({stored.origin}), sha256 {stored.sha256[:16]}."
    drawn = draw_halves(numbers, seed=seed)
    try:
        drawn.write(path)
        where = f"stored in {path.name}"
    except OSError as error:
        where = f"not stored, because {base} cannot be written to ({error.strerror})"
    return drawn, f"Halves drawn ({drawn.origin}) and {where}, sha256 {drawn.sha256[:16]}."


def draw_halves(numbers: tuple[str, ...], *, seed: int = DEFAULT_SEED) -> SplitFile:
    """The 10 training halves of the people in ``numbers``; an odd one out goes to test."""
    orders = [seeded_order(numbers, seed=seed, purpose=f"viper-{half}") for half in range(NUM_HALVES)]
    halves = tuple(tuple(sorted(order[: len(order) // 2])) for order in orders)
    return SplitFile("viper", f"{NUM_HALVES} seeded halves of {len(numbers)} people, seed {seed}", halves)


def _check_fits(path: Path, stored: SplitFile, numbers: tuple[str, ...]) -> None:
    known = set(numbers)
    unknown = sorted({number for half in stored.splits for number in half} - known)
    sizes = {len(half) for half in stored.splits}
    if len(stored.splits) != NUM_HALVES or unknown or sizes != {len(numbers) // 2}:
        detail = f" It trains on {unknown[0]}, who is not there." if unknown else ""
        raise DatasetError(
            f"{path} was made for other images: {NUM_HALVES} halves of {len(numbers)} people were "
            f"expected.{detail} Complete the images, or remove the file to draw new halves."
        )
