"""Write a corrupted copy of a data set's test splits, with a manifest that says what each crop got."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path, PurePosixPath

from PIL import Image, ImageDraw

from reid_core.data.corruptions import (
    CORRUPTIONS,
    SEVERITIES,
    CorruptionChoice,
    choose_corruption,
    corrupt_image,
)
from reid_core.data.manifest import write_manifest
from reid_core.errors import DatasetError, ImageReadError
from reid_core.images import read_image
from reid_core.types import Dataset, ImageRecord, Refusal


def save_corrupted(
    dataset: Dataset,
    out: Path,
    *,
    seed: int,
    repeat: int = 0,
    choice: CorruptionChoice | None = None,
    splits: tuple[str, ...] = ("query", "gallery"),
    progress: Callable[[int, int], None] | None = None,
) -> Dataset:
    """Corrupt every crop of ``splits`` into ``out`` as PNG and write ``out/manifest.csv``.

    PNG, because a second JPEG would add a corruption of its own. Running it again continues where it stopped:
    the pixels depend on (seed, repeat, image id) alone.

    Args:
        choice: One type and severity for all crops (a cell of the 20 x 5 grid); by default the benchmark's
            random draw per crop.
        progress: Called with (done, total).

    Returns:
        The corrupted data set; each record carries ``corruption`` and ``severity`` as attributes. Damaged
        sources are listed in ``refused``.

    Raises:
        DatasetError: ``out`` lies inside the data set, or no crop could be written.
    """
    if out.resolve().is_relative_to(dataset.root.resolve()):
        raise DatasetError(f"{out} lies inside {dataset.root}; choose a folder outside the data set.")
    records = {name: getattr(dataset, name) for name in splits}
    total, done = sum(map(len, records.values())), 0
    refused: list[Refusal] = []
    written: dict[str, tuple[ImageRecord, ...]] = {}
    for split, crops in records.items():
        kept: list[ImageRecord] = []
        for record in crops:
            drawn = choice or choose_corruption(record.image_id, seed=seed, repeat=repeat)
            name = str(PurePosixPath(split) / PurePosixPath(record.image_id).with_suffix(".png"))
            try:
                _save_one(record, out / name, drawn, seed=seed, repeat=repeat)
            except ImageReadError as error:
                refused.append(Refusal(record.image_id, str(error)))
            else:
                attributes = {**record.attributes, "corruption": drawn.name, "severity": str(drawn.severity)}
                kept.append(replace(record, image_id=name, path=out / name, attributes=attributes))
            done += 1
            if progress is not None:
                progress(done, total)
        written[split] = tuple(kept)
    if not any(written.values()):
        raise DatasetError(f"No crop of {dataset.root} could be corrupted; {len(refused)} were damaged.")
    corrupted = Dataset(
        name=f"{dataset.name}-C",
        root=out,
        notes=(*dataset.notes, f"Corrupted copy of {dataset.name}, seed {seed}, repeat {repeat}."),
        refused=tuple(refused),
        **written,
    )
    write_manifest(corrupted, out / "manifest.csv")
    return corrupted


def _save_one(record: ImageRecord, target: Path, choice: CorruptionChoice, *, seed: int, repeat: int) -> None:
    if target.exists():
        return
    image = read_image(record.path)
    corrupted = corrupt_image(image, choice, image_id=record.image_id, seed=seed, repeat=repeat)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_suffix(".part")
    corrupted.save(partial, "PNG")
    partial.replace(target)


def contact_sheet(image: Image.Image, *, seed: int, height: int = 128) -> Image.Image:
    """All 20 x 5 cells on one crop: a column per type, a row per severity, the crop itself at the left."""
    width = round(image.width * height / image.height)
    label_height, gap = 16, 3
    columns, rows = len(CORRUPTIONS) + 1, len(SEVERITIES)
    sheet = Image.new("RGB", (columns * (width + gap), label_height + rows * (height + gap)), "white")
    draw = ImageDraw.Draw(sheet)
    sheet.paste(image.resize((width, height)), (0, label_height))
    draw.text((2, 2), "clean", fill="black")
    for column, name in enumerate(CORRUPTIONS, start=1):
        left = column * (width + gap)
        draw.text((left + 2, 2), name.replace("_", " ")[: max(1, width // 6)], fill="black")
        for row, severity in enumerate(SEVERITIES):
            cell = corrupt_image(image, CorruptionChoice(name, severity), image_id="sheet", seed=seed)
            top = label_height + row * (height + gap)
            sheet.paste(cell.resize((width, height)), (left, top))
    return sheet
