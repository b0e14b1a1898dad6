"""The crops of a training manifest in memory: pixels, identities as labels, attributes as targets."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from reid_core.data import open_dataset
from reid_core.errors import DatasetError
from reid_core.images import read_image
from reid_core.types import ImageRecord

_MASK_COLUMN = "mask"
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class AttributeTargets:
    """Attributes of N crops. ``categories`` (N, T) int64, -1 where unknown, with ``num_values`` values each;
    ``reals`` (N, R) float32 with ``weights`` (N, R), 0 where an attribute does not apply."""

    categories: Tensor
    num_values: tuple[int, ...]
    reals: Tensor
    weights: Tensor

    def select(self, index: Tensor) -> AttributeTargets:
        """The targets of some crops."""
        return AttributeTargets(
            self.categories[index], self.num_values, self.reals[index], self.weights[index]
        )

    def to(self, device: torch.device) -> AttributeTargets:
        """The same on another device."""
        return AttributeTargets(
            self.categories.to(device), self.num_values, self.reals.to(device), self.weights.to(device)
        )


@dataclass(frozen=True, eq=False)
class TrainingCrops:
    """N crops: ``images`` (N, H, W, 3) uint8 RGB, ``masks`` (N, H, W) uint8 with 255 on the person (all zero
    where unknown) or ``None``, ``pids`` and ``camids`` (N,) int64, ``labels`` (N,) int64 counting identities
    from 0, and attribute targets."""

    images: Tensor
    masks: Tensor | None
    pids: NDArray[np.int64]
    camids: NDArray[np.int64]
    labels: Tensor
    attributes: AttributeTargets

    def __len__(self) -> int:
        return len(self.images)

    @property
    def num_identities(self) -> int:
        """Number of different identities."""
        return int(self.labels.max()) + 1

    def select(self, is_chosen: NDArray[np.bool_]) -> TrainingCrops:
        """Some of the crops, with labels counted anew."""
        index = torch.from_numpy(np.flatnonzero(is_chosen))
        pids = self.pids[is_chosen]
        return TrainingCrops(
            self.images[index],
            None if self.masks is None else self.masks[index],
            pids,
            self.camids[is_chosen],
            _count_labels(pids),
            self.attributes.select(index),
        )

    def hold_out(self, num_identities: int) -> tuple[TrainingCrops, TrainingCrops]:
        """(training, validation): the identities with the highest pids validate.

        Raises:
            DatasetError: Not enough identities to leave two for training.
        """
        pids = np.unique(self.pids)
        if len(pids) - num_identities < 2:
            raise DatasetError(
                f"{len(pids)} identities, of which {num_identities} are held out for validation: fewer than "
                "two are left to train on. Hold out fewer or render more."
            )
        is_held_out = np.isin(self.pids, pids[len(pids) - num_identities :])
        return self.select(~is_held_out), self.select(is_held_out)

    def resized(self, size: tuple[int, int]) -> TrainingCrops:
        """The same crops as ``size`` (height, width), by area averages; itself when nothing changes."""
        if tuple(self.images.shape[1:3]) == size:
            return self
        return TrainingCrops(
            _shrink(self.images, size),
            None if self.masks is None else _shrink(self.masks.unsqueeze(3), size)[..., 0],
            self.pids,
            self.camids,
            self.labels,
            self.attributes,
        )


def load_crops(
    folders: Sequence[Path],
    *,
    size: tuple[int, int],
    category_columns: Sequence[str] = (),
    real_columns: Sequence[str] = (),
) -> TrainingCrops:
    """Read the train split of the data set in each folder, one after the other.

    Identities, and cameras, of different folders are different ones, whatever their numbers.

    Args:
        folders: Data set folders: Market-1501, MSMT17, ..., or with a ``manifest.csv`` as ``reid render``
            writes.
        size: (height, width) that crops are resized to, bilinear with antialiasing as the embedder does.
        category_columns: Manifest columns that hold one of a few values.
        real_columns: Manifest columns that hold numbers of about unit spread; empty where not applicable.

    Raises:
        DatasetError: A data set is missing or faulty, has no training crops, or lacks a column.
        ImageReadError: A crop or mask cannot be read.
    """
    records: list[ImageRecord] = []
    pids: list[int] = []
    camids: list[int] = []
    mask_paths: list[Path | None] = []
    for folder in folders:
        dataset = open_dataset(folder, strict=True)
        train = [record for record in dataset.train if record.pid is not None and record.pid > 0]
        if not train:
            raise DatasetError(
                f"{folder} has no training crops with an identity. Render it with training identities."
            )
        first_pid, first_camid = max(pids, default=0), max(camids, default=0)
        for record in train:
            records.append(record)
            pids.append(first_pid + (record.pid or 0))
            camids.append(first_camid + (record.camid or 0))
            mask = record.attributes.get(_MASK_COLUMN, "")
            mask_paths.append(dataset.root / mask if mask else None)
    _LOG.info("reading %d crops of %d identities", len(records), len(set(pids)))
    pid_array = np.array(pids, dtype=np.int64)
    return TrainingCrops(
        read_pixels(records, size),
        _read_masks(mask_paths, size) if any(mask_paths) else None,
        pid_array,
        np.array(camids, dtype=np.int64),
        _count_labels(pid_array),
        _attribute_targets(records, category_columns, real_columns),
    )


def crops_of_records(records: Sequence[ImageRecord], *, size: tuple[int, int]) -> TrainingCrops:
    """Crops without masks and attributes, in the order of ``records``; a camera nobody named is 0.

    Raises:
        ImageReadError: A crop cannot be read.
    """
    pids = np.array([-1 if record.pid is None else record.pid for record in records], dtype=np.int64)
    camids = np.array([record.camid or 0 for record in records], dtype=np.int64)
    labels, targets = _count_labels(pids), _attribute_targets(records, (), ())
    return TrainingCrops(read_pixels(records, size), None, pids, camids, labels, targets)


def read_pixels(records: Sequence[ImageRecord], size: tuple[int, int]) -> Tensor:
    """(N, H, W, 3) uint8 RGB, resized as the embedder does."""
    images = np.empty((len(records), *size, 3), dtype=np.uint8)
    for row, record in zip(images, records, strict=True):
        row[...] = _read_resized(record.path, size)
    return torch.from_numpy(images)


def _read_masks(paths: Sequence[Path | None], size: tuple[int, int]) -> Tensor:
    masks = np.zeros((len(paths), *size), dtype=np.uint8)
    for row, path in zip(masks, paths, strict=True):
        if path is not None:
            row[...] = _read_resized(path, size)[..., 0]
    return torch.from_numpy(masks)


def _read_resized(path: Path, size: tuple[int, int]) -> NDArray[np.uint8]:
    height, width = size
    image = read_image(path)
    if image.size != (width, height):
        image = image.resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(image)


def _count_labels(pids: NDArray[np.int64]) -> Tensor:
    return torch.from_numpy(np.unique(pids, return_inverse=True)[1].astype(np.int64))


def _attribute_targets(
    records: Sequence[ImageRecord], category_columns: Sequence[str], real_columns: Sequence[str]
) -> AttributeTargets:
    for column in (*category_columns, *real_columns):
        if not any(column in record.attributes for record in records):
            raise DatasetError(
                f"The manifest has no column {column!r}, which the recipe trains on. "
                "Render the set with the present version."
            )
    categories = np.full((len(records), len(category_columns)), -1, dtype=np.int64)
    num_values: list[int] = []
    for index, column in enumerate(category_columns):
        values = sorted({record.attributes.get(column, "") for record in records} - {""})
        numbers = {value: number for number, value in enumerate(values)}
        categories[:, index] = [numbers.get(record.attributes.get(column, ""), -1) for record in records]
        # With a single value there is nothing to tell apart; two keep the loss defined (and its gradient 0).
        num_values.append(max(2, len(values)))
    texts = [[record.attributes.get(column, "") for column in real_columns] for record in records]
    applies = np.array([[bool(text) for text in row] for row in texts], dtype=np.float32)
    reals = np.array([[float(text or 0) for text in row] for row in texts], dtype=np.float32)
    shape = (len(records), len(real_columns))
    return AttributeTargets(
        torch.from_numpy(categories),
        tuple(num_values),
        torch.from_numpy(reals.reshape(shape)),
        torch.from_numpy(applies.reshape(shape)),
    )


def _shrink(images: Tensor, size: tuple[int, int]) -> Tensor:
    """(N, H, W, C) uint8 -> (N, h, w, C) uint8, in chunks to bound the memory."""
    chunks = [
        F.interpolate(chunk.permute(0, 3, 1, 2).float(), size, mode="area").add_(0.5).byte()
        for chunk in torch.split(images, 1024)
    ]
    return torch.cat(chunks).permute(0, 2, 3, 1).contiguous()
