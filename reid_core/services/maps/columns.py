"""What the points of a map can be coloured by: one value per crop, names or numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from reid_core.errors import InputError
from reid_core.services.galleries import GalleryImage
from reid_core.types import DISTRACTOR_PID, JUNK_PID

if TYPE_CHECKING:
    from reid_core.services.open_galleries import OpenGallery

NOT_KNOWN = -1
ATTRIBUTE_PREFIX = "attribute:"
_FEW_NUMBERS = 12
"""A column of a table with at most this many different numbers is taken for names of groups."""

Unit = Literal["", "time", "cosine", "share"]


@dataclass(frozen=True)
class Categories:
    """A group per crop. ``codes`` (N,) int32 index ``labels``, or are -1 where nobody said.

    ``quiet`` are codes of groups that are nobody in particular (junk, distractors): drawn in grey.
    """

    labels: tuple[str, ...]
    codes: NDArray[np.int32]
    quiet: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Numbers:
    """A number per crop, NaN where it is not known. ``unit``: ``time`` is seconds on the gallery's clock."""

    values: NDArray[np.float64]
    unit: Unit = ""


Content = Categories | Numbers


@dataclass(frozen=True, slots=True)
class ColumnInfo:
    """A choice: ``name`` stands in addresses, ``title`` on the page."""

    name: str
    title: str


Provider = Callable[["OpenGallery", str], Content]
"""Takes an open gallery and the id of the current query ("" for none); gives one value per row of the index,
in its order, or raises InputError with the reason why there are none and the next step."""


class ColumnRegistry:
    """The columns that always exist, those that other services add, and those of a gallery's own table."""

    def __init__(self) -> None:
        self._providers: dict[str, tuple[ColumnInfo, Provider]] = {}
        self.register("identity", "Identity", _identities)
        self.register("camera", "Camera", _cameras)
        self.register("time", "Time", _times)
        self.register("split", "Split", _splits)

    def register(self, name: str, title: str, provider: Provider) -> None:
        """Offer a column to every gallery.

        Raises:
            InputError: There is one of this name.
        """
        if name in self._providers or name.startswith(ATTRIBUTE_PREFIX):
            raise InputError(f"There is a map column {name!r} already; choose another name.")
        self._providers[name] = (ColumnInfo(name, title), provider)

    def infos(self, opened: OpenGallery) -> tuple[ColumnInfo, ...]:
        """Every choice for this gallery."""
        own = [
            ColumnInfo(ATTRIBUTE_PREFIX + name, name.replace("_", " "))
            for name in _attribute_names(opened.space.gallery.images)
        ]
        return (*(info for info, _ in self._providers.values()), *own)

    def content(self, name: str, opened: OpenGallery, query_id: str) -> Content:
        """One column.

        Raises:
            InputError: There is none of this name, or no values for this gallery.
        """
        if name.startswith(ATTRIBUTE_PREFIX):
            content: Content = _attribute(opened, name[len(ATTRIBUTE_PREFIX) :])
        elif name in self._providers:
            content = self._providers[name][1](opened, query_id)
        else:
            known = ", ".join(info.name for info in self.infos(opened))
            raise InputError(f"There is no map column {name[:60]!r}. Choose one of {known}.")
        values = content.codes if isinstance(content, Categories) else content.values
        if values.shape != (len(opened.space.index),):
            raise InputError(
                f"The column {name!r} has shape {values.shape}, expected ({len(opened.space.index)},): one "
                "value per crop on the map."
            )
        return content


def categories_of(values: Sequence[str | None], order: Callable[[str], object] = str) -> Categories:
    """Groups from one text per crop; None is not known."""
    labels = sorted({value for value in values if value is not None}, key=order)  # type: ignore[arg-type]
    code_of = {label: code for code, label in enumerate(labels)}
    codes = [NOT_KNOWN if value is None else code_of[value] for value in values]
    return Categories(tuple(labels), np.array(codes, dtype=np.int32))


def split_of(image: GalleryImage) -> str:
    """Which part of the gallery's protocol a crop belongs to."""
    parts = [name for name, is_in in (("query", image.is_query), ("gallery", image.in_gallery)) if is_in]
    return " and ".join(parts) or "neither"


def _images(opened: OpenGallery) -> list[GalleryImage]:
    by_id = opened.space.gallery.by_id
    return [by_id[image_id] for image_id in opened.space.index.ids]


def _identities(opened: OpenGallery, _query_id: str) -> Content:
    pids = [image.pid for image in _images(opened)]
    _need_some(pids, "who is in its crops")
    numbers = sorted({pid for pid in pids if pid is not None}, key=lambda pid: (pid <= DISTRACTOR_PID, pid))
    code_of = {pid: code for code, pid in enumerate(numbers)}
    quiet = frozenset(code_of[pid] for pid in (JUNK_PID, DISTRACTOR_PID) if pid in code_of)
    codes = [NOT_KNOWN if pid is None else code_of[pid] for pid in pids]
    return Categories(tuple(map(_identity_label, numbers)), np.array(codes, dtype=np.int32), quiet)


def _identity_label(pid: int) -> str:
    return {JUNK_PID: "junk", DISTRACTOR_PID: "distractor"}.get(pid, f"person {pid}")


def _cameras(opened: OpenGallery, _query_id: str) -> Content:
    camids = [image.camid for image in _images(opened)]
    _need_some(camids, "cameras")
    return categories_of(
        [None if camid is None else f"camera {camid}" for camid in camids],
        order=lambda label: int(label.split()[-1]),
    )


def _times(opened: OpenGallery, _query_id: str) -> Content:
    times = [image.time_s for image in _images(opened)]
    _need_some(times, "times")
    return Numbers(np.array([math.nan if time is None else time for time in times]), unit="time")


def _splits(opened: OpenGallery, _query_id: str) -> Content:
    return categories_of([split_of(image) for image in _images(opened)])


def _attribute_names(images: Iterable[GalleryImage]) -> tuple[str, ...]:
    names: dict[str, None] = {}
    for image in images:
        names.update(dict.fromkeys(image.attributes))
    return tuple(names)


def _attribute(opened: OpenGallery, name: str) -> Content:
    texts = [image.attributes.get(name, "").strip() or None for image in _images(opened)]
    _need_some(texts, f"a column {name[:60]!r}")
    numbers = [math.nan if text is None else _number(text) for text in texts]
    is_numeric = all(
        text is None or math.isfinite(number) for text, number in zip(texts, numbers, strict=True)
    )
    if is_numeric and len({number for number in numbers if math.isfinite(number)}) > _FEW_NUMBERS:
        return Numbers(np.array(numbers, dtype=np.float64))
    return categories_of(texts, order=_natural)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _natural(text: str) -> tuple[float, str]:
    """Numbers by size, then texts."""
    number = _number(text)
    return (number if math.isfinite(number) else math.inf, text)


def _need_some(values: Sequence[object], what: str) -> None:
    if all(value is None for value in values):
        raise InputError(f"The table of this gallery does not say {what}. Choose another colour.")
