"""Ways to choose crops on a map. All of them can be combined with what was chosen before."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from reid_core.errors import InputError
from reid_core.mapping import inside_polygon
from reid_core.services.maps.columns import Categories
from reid_core.services.maps.records import MapLayout, MapRequest, SelectionView
from reid_core.services.selections import SelectionStore
from reid_core.types import DISTRACTOR_PID

if TYPE_CHECKING:
    from reid_core.services.maps.service import MapService

MAX_NEAREST = 2_000

Rows = NDArray[np.int64]
Combine = Literal["replace", "add", "remove"]


@dataclass(frozen=True)
class Gesture:
    """What a person did. Exactly one of the ways is given.

    ``polygon``: corners in map coordinates. ``ids``: these crops. ``same_identity``: an id, all with its pid.
    ``nearest``: an id and how many crops most similar to it (itself included). ``category``: a column of
    names and a label. ``everything``: all crops.
    """

    polygon: tuple[tuple[float, float], ...] = ()
    ids: tuple[str, ...] = ()
    same_identity: str = ""
    nearest: tuple[str, int] | None = None
    category: tuple[str, str] | None = None
    everything: bool = False


class MapSelections:
    """Selections on maps, kept in the store that all pages share."""

    def __init__(self, maps: MapService, store: SelectionStore) -> None:
        self._maps, self._store = maps, store

    def select(
        self, request: MapRequest, gesture: Gesture, *, combine: Combine = "replace", base: str = ""
    ) -> SelectionView:
        """Choose crops and keep the choice; ``base`` is the key of what was chosen before.

        Raises:
            InputError: The gesture or the key makes no sense. GalleryNotReadyError: It is not embedded yet.
        """
        layout = self._layout(request)
        rows = np.unique(self._rows(request, layout, gesture))
        if combine != "replace" and base:
            before = np.array(self.load(request, base).rows, dtype=np.int64)
            rows = np.union1d(before, rows) if combine == "add" else np.setdiff1d(before, rows)
        elif combine == "remove":
            rows = rows[:0]
        return self._view(request, layout, rows)

    def load(self, request: MapRequest, key: str) -> SelectionView:
        """A kept selection; crops that the map does not show are left out of it.

        Raises:
            InputError: There is no selection with this key in the gallery.
        """
        layout = self._layout(request)
        wanted = set(self._store.load(self._maps.open(request).gallery, key))
        rows = [row for row, image_id in enumerate(layout.ids) if image_id in wanted]
        return SelectionView(key, self._by_person(request, layout, rows), tuple(rows))

    def _layout(self, request: MapRequest) -> MapLayout:
        layout = self._maps.layout(request)
        if layout is None:
            raise InputError("This map is not fitted yet. Wait for it, or select on the PCA map.")
        return layout

    def _rows(self, request: MapRequest, layout: MapLayout, gesture: Gesture) -> Rows:
        index = self._maps.open(request).space.index
        if gesture.polygon:
            return np.flatnonzero(inside_polygon(layout.points, gesture.polygon))
        if gesture.ids:
            return _as_rows(index.row_of(image_id) for image_id in gesture.ids)
        if gesture.same_identity:
            pids = self._maps.open(request).space.pids
            row = index.row_of(gesture.same_identity)
            if pids[row] <= 0:
                raise InputError(
                    f"{gesture.same_identity} has no known identity, so no other crop shares it."
                )
            return np.flatnonzero(pids == pids[row])
        if gesture.nearest is not None:
            image_id, count = gesture.nearest
            if not 1 <= count <= MAX_NEAREST:
                raise InputError(f"{count} nearest crops: ask for 1 to {MAX_NEAREST:,}.")
            vector = index.vectors_of([image_id])[0]
            hits = index.search(vector, min(count, len(index)), fingerprint=index.fingerprint)
            return _as_rows(index.row_of(hit.image_id) for hit in hits)
        if gesture.category is not None:
            return self._in_category(request, *gesture.category)
        if gesture.everything:
            return np.arange(len(layout.ids))
        raise InputError("Nothing says which crops to select. Draw an outline or name crops.")

    def _in_category(self, request: MapRequest, column: str, label: str) -> Rows:
        content = self._maps.column(request, column)
        if not isinstance(content, Categories) or label not in content.labels:
            raise InputError(f"The column {column[:60]!r} has no group {label[:60]!r}.")
        return np.flatnonzero(content.codes == content.labels.index(label))

    def _view(self, request: MapRequest, layout: MapLayout, rows: Rows) -> SelectionView:
        if not len(rows):
            return SelectionView("", (), ())
        ids = self._by_person(request, layout, rows.tolist())
        key = self._store.save(self._maps.open(request).gallery, ids)
        return SelectionView(key, ids, tuple(rows.tolist()))

    def _by_person(self, request: MapRequest, layout: MapLayout, rows: Sequence[int]) -> tuple[str, ...]:
        """Ids with the crops of a person together, junk, distractors and the unknown last."""
        pids = self._maps.open(request).space.pids
        ordered = sorted(rows, key=lambda row: (pids[row] <= DISTRACTOR_PID, pids[row], row))
        return tuple(layout.ids[row] for row in ordered)


def _as_rows(rows: Iterable[int]) -> Rows:
    return np.array(list(rows), dtype=np.int64)
