"""What people say about failures: an append-only log per gallery. Taking a tag back adds a line, too.

A tag belongs to a query image, not to a run, so that it outlives the next model; the run and the false match
in view when it was given are recorded beside it.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

from reid_core.errors import InputError
from reid_core.services.evaluations.records import FailureKind, check_kind

_log = logging.getLogger(__name__)

MAX_NAME = 60


@dataclass(frozen=True, slots=True)
class TagEvent:
    """One line of the log. ``action`` "remove" takes the kind off the query again."""

    id: str
    time_s: float
    who: str
    action: Literal["add", "remove"]
    gallery: str
    query: str
    content_hash: str
    kind: FailureKind
    run: str = ""
    match: str = ""


class TagLog:
    """The logs below one folder, one JSON-lines file per gallery name; safe to use from many threads."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._read: dict[str, tuple[int, list[TagEvent]]] = {}

    def record(
        self,
        gallery: str,
        query: str,
        content_hash: str,
        kind: str,
        *,
        who: str,
        run: str = "",
        match: str = "",
        is_on: bool = True,
    ) -> TagEvent | None:
        """Put a kind on a query or take it off; None where it is so already.

        Args:
            gallery: Name of the gallery.
            query: Id of the query image.
            content_hash: Of the query's file: a tag never moves to another picture with the same id.
            kind: One of ``FAILURE_KINDS``.
            who: Code name of the person; may be empty.
            run: Id of the run in view.
            match: Id of the false match in view.
            is_on: False takes the kind off.

        Raises:
            InputError: No such kind, or a name that is too long.
        """
        if len(who) > MAX_NAME:
            raise InputError(f"The name has {len(who)} characters; at most {MAX_NAME} are kept.")
        known = check_kind(kind)
        with self._lock:
            if is_on == (known in self._current(gallery).get((query, content_hash), ())):
                return None
            event = TagEvent(
                id=secrets.token_hex(8),
                time_s=time.time(),
                who=who.strip(),
                action="add" if is_on else "remove",
                gallery=gallery,
                query=query,
                content_hash=content_hash,
                kind=known,
                run=run,
                match=match,
            )
            self._append(event)
            return event

    def undo(self, gallery: str, event_id: str, *, who: str) -> TagEvent:
        """Take one event back by its opposite.

        Raises:
            InputError: There is no such event, or later ones have undone it already.
        """
        with self._lock:
            event = next((event for event in self._events(gallery) if event.id == event_id), None)
            if event is None:
                raise InputError(f"There is no tag event {event_id[:40]!r} in gallery {gallery!r}.")
            is_on = event.kind in self._current(gallery).get((event.query, event.content_hash), ())
            if is_on != (event.action == "add"):
                raise InputError(f"'{event.kind}' on {event.query} was changed again since; nothing to undo.")
            opposite = replace(
                event,
                id=secrets.token_hex(8),
                time_s=time.time(),
                who=who.strip()[:MAX_NAME],
                action="remove" if is_on else "add",
            )
            self._append(opposite)
            return opposite

    def events(self, gallery: str) -> tuple[TagEvent, ...]:
        """Everything that was ever said about a gallery, oldest first."""
        with self._lock:
            return tuple(self._events(gallery))

    def current(self, gallery: str) -> Mapping[tuple[str, str], tuple[FailureKind, ...]]:
        """Kinds by (query id, content hash), in the order in which they were given."""
        with self._lock:
            return self._current(gallery)

    def counts(self, gallery: str) -> Mapping[FailureKind, int]:
        """How many queries carry each kind."""
        return Counter(kind for kinds in self.current(gallery).values() for kind in kinds)

    def _current(self, gallery: str) -> dict[tuple[str, str], tuple[FailureKind, ...]]:
        found: dict[tuple[str, str], tuple[FailureKind, ...]] = {}
        for event in self._events(gallery):
            key = (event.query, event.content_hash)
            kinds = tuple(kind for kind in found.get(key, ()) if kind != event.kind)
            found[key] = (*kinds, event.kind) if event.action == "add" else kinds
        return {key: kinds for key, kinds in found.items() if kinds}

    def _path(self, gallery: str) -> Path:
        return self._folder / f"{gallery}.jsonl"

    def _events(self, gallery: str) -> list[TagEvent]:
        path = self._path(gallery)
        size = path.stat().st_size if path.is_file() else 0
        kept = self._read.get(gallery)
        if kept is None or kept[0] != size:
            self._read[gallery] = (size, _parse(path) if size else [])
        return self._read[gallery][1]

    def _append(self, event: TagEvent) -> None:
        path = self._path(event.gallery)
        path.parent.mkdir(parents=True, exist_ok=True)
        line = json.dumps(asdict(event), ensure_ascii=False) + "\n"
        with path.open("ab+") as file:
            if file.tell() and not _ends_line(file):
                line = f"\n{line}"  # a crash cut the last line: what follows must not be lost with it
            file.write(line.encode())
            file.flush()
            os.fsync(file.fileno())


def _ends_line(file: object) -> bool:
    file.seek(-1, os.SEEK_END)  # type: ignore[attr-defined]
    return bool(file.read(1) == b"\n")  # type: ignore[attr-defined]


def _parse(path: Path) -> list[TagEvent]:
    events = []
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), start=1):
        if not line.strip():
            continue
        try:
            events.append(TagEvent(**json.loads(line)))
        except (ValueError, TypeError):
            _log.warning("%s, line %d is damaged and is passed over", path, number)
    return events
