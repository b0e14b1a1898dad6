"""The decision log in a database. Every judgement that was acknowledged survives the process being killed.

SQLite (WAL, ``synchronous=FULL``, ``BEGIN IMMEDIATE``) or PostgreSQL through SQLAlchemy 2. Rows are only
added, so any earlier state, and any training set made from it, can be rebuilt.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy.engine import Connection, Engine

from reid_core.annotation.decisions import (
    Answer,
    Decision,
    Event,
    Retraction,
    answer_of,
    event_id,
    from_json_line,
    to_json_line,
    utc_now,
)
from reid_core.annotation.graph import IdentityGraph
from reid_core.annotation.links import Conflict
from reid_core.annotation.tables import events, gold, leases, names, priors
from reid_core.errors import InputError, LabelConflictError, StaleViewError

LEASE_S = 300.0
"""How long a queue item stays with the annotator who took it."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """The log holds the event, at ``position`` (from 1, within the database); it opened ``conflict``."""

    position: int
    conflict: Conflict | None
    was_known: bool


@dataclass(frozen=True, slots=True)
class Lease:
    """A queue item is with ``annotator`` for ``left_s`` more seconds."""

    annotator: str
    left_s: float


@dataclass(frozen=True, slots=True)
class GivenName:
    """What somebody called the identity that ``node`` belongs to. ``name_id`` is the sender's UUID."""

    name_id: str
    node: str
    name: str
    annotator: str
    decided_at: str


class AnnotationStore:
    """Judgements of any number of collections (data sets) in one database.

    Args:
        url: SQLAlchemy's, e.g. ``sqlite:///data/annotations.sqlite`` or ``postgresql+psycopg://...``.
    """

    def __init__(self, url: str) -> None:
        self._engine = _make_engine(url)
        _migrate(self._engine)
        self._graphs: dict[str, _FoldedLog] = {}
        self._lock = threading.RLock()

    def close(self) -> None:
        """Give the database connections back."""
        self._engine.dispose()

    def open_collection(
        self, collection: str, labels: Mapping[str, int | None], *, support: Mapping[str, float] | None = None
    ) -> tuple[str, ...]:
        """Tell the store which crops a collection has; its log is folded over these labels.

        Returns:
            The nodes that the log names and ``labels`` lacks, sorted: crops that disappeared since, or of an
            imported log. Judgements on them are kept, see ``IdentityGraph.admit``.
        """
        with self._lock, self._transaction() as db:
            db.execute(sa.delete(leases).where(leases.c.expires_at <= time.time()))
            folded = _FoldedLog(IdentityGraph(labels, support=support))
            folded.catch_up(db, collection)
            self._graphs[collection] = folded
            return tuple(sorted(folded.absent))

    def absent(self, collection: str) -> tuple[str, ...]:
        """The nodes that the log names and the collection lacks, as far as it was read; sorted."""
        with self._lock:
            return tuple(sorted(self._folded(collection).absent))

    def graph(self, collection: str) -> IdentityGraph:
        """The current state, including what other processes have written. Read it, do not add to it."""
        with self._lock, self._transaction() as db:
            folded = self._folded(collection)
            folded.catch_up(db, collection)
            return folded.graph

    @contextmanager
    def reading(self, collection: str) -> Iterator[IdentityGraph]:
        """The state as this process knows it, held still: nobody writes until the block ends."""
        with self._lock:
            yield self._folded(collection).graph

    def record(
        self, collection: str, event: Event, *, seen_revisions: Mapping[str, int] | None = None
    ) -> Receipt:
        """Append one event and return its receipt; see ``record_all``."""
        return self.record_all(collection, [event], seen_revisions=seen_revisions)[0]

    def record_all(
        self,
        collection: str,
        new: Sequence[Event],
        *,
        seen_revisions: Mapping[str, int] | None = None,
        known_answers: Collection[str] = (),
    ) -> tuple[Receipt, ...]:
        """Append the events of one answer, all or none; sending the same events again is harmless.

        A decision that contradicts others is kept and contested, see ``Receipt.conflict``.

        Args:
            seen_revisions: ``IdentityGraph.revision`` of the nodes as they were on the annotator's screen.
                Checked, and kept in the log with every decision that names none itself.
            known_answers: Answers (see ``answer_of``) that were given on the same screen since then: what
                they changed makes nothing stale.

        Raises:
            StaleViewError: One of these identities was changed meanwhile; nothing was stored.
            LabelConflictError: Another event with the same id is in the log; nothing was stored.
            InputError: It names something unknown; nothing was stored.
        """
        new = [_with_view(event, seen_revisions or {}) for event in new]
        with self._lock:
            added: list[tuple[int, Event]] = []
            receipts: dict[str, Receipt] = {}
            with self._writing() as db:
                folded = self._folded(collection)
                folded.catch_up(db, collection)
                earlier: dict[str, Event] = {}
                for event in new:
                    known = _find(db, collection, event_id(event))
                    if known is not None:
                        receipts[event_id(event)] = self._acknowledge(folded.graph, event, known)
                    else:
                        folded.graph.check(event, earlier=earlier)
                        earlier[event_id(event)] = event
                if earlier:
                    _check_revisions(folded.graph, seen_revisions or {}, frozenset(known_answers))
                added += [(_insert(db, collection, event), event) for event in earlier.values()]
            # Only after the commit: the graph must never know what the disk does not.
            for position, event in added:
                conflict = folded.graph.add(event)
                folded.position = position
                receipts[event_id(event)] = Receipt(position, conflict, was_known=False)
            return tuple(receipts[event_id(event)] for event in new)

    def log(self, collection: str) -> tuple[Event, ...]:
        """All events of a collection, oldest first."""
        with self._transaction() as db:
            return tuple(event for _, event in _read(db, collection, after=0))

    def export_lines(self, collection: str) -> Iterator[str]:
        """The log as JSON lines, for a file that ``import_lines`` reads."""
        return (to_json_line(event) for event in self.log(collection))

    def import_lines(self, collection: str, lines: Iterable[str]) -> int:
        """Add an exported log, all of it or nothing; known events are passed over. Returns how many were new.

        Raises:
            InputError: A line is not of a log, or refers to what does not come before it.
            LabelConflictError: The log holds another event under one of its ids.
        """
        parsed = [from_json_line(line) for line in lines if line.strip()]
        with self._lock:
            with self._writing() as db:
                folded = self._folded(collection)
                folded.catch_up(db, collection)
                earlier: dict[str, Event] = {}
                for event in parsed:
                    known = folded.graph.event(event_id(event))
                    if known is None:
                        folded.graph.check_references(event, earlier=earlier)
                        earlier[event_id(event)] = event
                    elif known != event:
                        raise _other_content(event)
                for event in earlier.values():
                    _insert(db, collection, event)
            with self._transaction() as db:
                folded.catch_up(db, collection)
        return len(earlier)

    # ---- what belongs to a collection besides its log ----------------------------------------------------

    def support(self, collection: str) -> dict[str, float] | None:
        """The frozen support of the labels, None if none was kept yet; see ``keep_support``."""
        with self._transaction() as db:
            rows = db.execute(sa.select(priors).where(priors.c.collection == collection)).all()
        return {row.crop: row.support for row in rows if row.crop} if rows else None

    def keep_support(
        self, collection: str, support: Mapping[str, float], *, is_imported: bool = False
    ) -> bool:
        """Freeze how well each crop fits its label; False, and nothing kept, if that was done before.

        ``is_imported`` replaces what was frozen, as long as the log holds no judgement that relies on it.
        """
        rows = [{"collection": collection, "crop": c, "support": s} for c, s in sorted(support.items())]
        rows.append({"collection": collection, "crop": "", "support": 1.0})  # marks an empty one as done
        with self._transaction() as db:
            of_collection = priors.c.collection == collection
            has_log = sa.select(events.c.position).where(events.c.collection == collection).limit(1)
            if is_imported and db.execute(has_log).first() is None:
                db.execute(sa.delete(priors).where(of_collection))
            if db.execute(sa.select(priors.c.crop).where(of_collection).limit(1)).first() is not None:
                return False
            db.execute(sa.insert(priors), rows)
            return True

    def gold(self, collection: str) -> dict[tuple[str, str], Answer]:
        """Pairs whose answer is known."""
        with self._transaction() as db:
            rows = db.execute(sa.select(gold).where(gold.c.collection == collection)).all()
        return {(row.left_node, row.right_node): Answer(row.answer) for row in rows}

    def add_gold(self, collection: str, pairs: Mapping[tuple[str, str], Answer]) -> None:
        """Add pairs whose answer is known; of a known pair the answer is replaced."""
        with self._transaction() as db:
            for (left, right), answer in pairs.items():
                for a, b in ((left, right), (right, left)):
                    db.execute(
                        sa.delete(gold).where(
                            gold.c.collection == collection, gold.c.left_node == a, gold.c.right_node == b
                        )
                    )
                row = {"left_node": left, "right_node": right, "answer": answer.value}
                db.execute(sa.insert(gold).values(collection=collection, **row))

    def names(self, collection: str) -> tuple[GivenName, ...]:
        """Names given to identities, oldest first."""
        with self._transaction() as db:
            rows = db.execute(
                sa.select(names).where(names.c.collection == collection).order_by(names.c.position)
            ).all()
        return tuple(GivenName(r.name_id, r.node, r.name, r.annotator, r.decided_at) for r in rows)

    def add_names(self, collection: str, new: Iterable[GivenName]) -> int:
        """Append names; those whose id is known are passed over. Returns how many were new."""
        with self._transaction() as db:
            known = set(
                db.execute(sa.select(names.c.name_id).where(names.c.collection == collection)).scalars()
            )
            fresh = [given for given in new if given.name_id not in known]
            for given in fresh:
                db.execute(sa.insert(names).values(collection=collection, **asdict(given)))
        return len(fresh)

    # ---- leases ------------------------------------------------------------------------------------------

    def claim(self, collection: str, item: str, annotator: str, *, now_s: float | None = None) -> bool:
        """Take or renew a queue item for five minutes; False when somebody else holds it."""
        return item in self.claim_all(collection, [item], annotator, now_s=now_s)

    def claim_all(
        self, collection: str, items: Iterable[str], annotator: str, *, now_s: float | None = None
    ) -> frozenset[str]:
        """Take or renew queue items for five minutes; returns those that nobody else holds."""
        now = time.time() if now_s is None else now_s
        taken = set()
        with self._transaction() as db:
            for item in items:
                if _claim(db, collection, item, annotator, now):
                    taken.add(item)
        return frozenset(taken)

    def release(self, collection: str, item: str, annotator: str) -> None:
        """Give a queue item back; somebody else's is left alone."""
        with self._transaction() as db:
            db.execute(
                sa.delete(leases).where(
                    leases.c.collection == collection, leases.c.item == item, leases.c.annotator == annotator
                )
            )

    def held_by_others(
        self, collection: str, annotator: str, *, now_s: float | None = None
    ) -> frozenset[str]:
        """Queue items that other annotators hold now."""
        found = self.leases(collection, now_s=now_s)
        return frozenset(item for item, lease in found.items() if lease.annotator != annotator)

    def leases(self, collection: str, *, now_s: float | None = None) -> dict[str, Lease]:
        """Who holds which queue item now."""
        now = time.time() if now_s is None else now_s
        with self._transaction() as db:
            rows = db.execute(
                sa.select(leases).where(leases.c.collection == collection, leases.c.expires_at > now)
            ).all()
        return {row.item: Lease(row.annotator, row.expires_at - now) for row in rows}

    # ---- inside ------------------------------------------------------------------------------------------

    def _folded(self, collection: str) -> _FoldedLog:
        if collection not in self._graphs:
            raise InputError(f"Collection {collection!r} is not open; call open_collection with its labels.")
        return self._graphs[collection]

    @staticmethod
    def _acknowledge(graph: IdentityGraph, event: Event, known: tuple[int, Event]) -> Receipt:
        position, stored = known
        if _without_view(stored) != _without_view(event):
            raise _other_content(event)
        contested = {c.decision.decision_id: c for c in graph.conflicts()}
        return Receipt(position, contested.get(event_id(event)), was_known=True)

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        """One writer of the log at a time, so that nobody sees a position before the smaller ones.

        SQLite's transactions are so anyway; PostgreSQL hands positions out before the commit.
        """
        with self._transaction() as db:
            if db.dialect.name == "postgresql":
                db.execute(sa.text("lock table events in share row exclusive mode"))
            yield db

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        with self._engine.begin() as connection:
            yield connection


def _claim(db: Connection, collection: str, item: str, annotator: str, now: float) -> bool:
    """Each statement is atomic by itself, so of two who claim at once only one succeeds."""
    is_item = (leases.c.collection == collection) & (leases.c.item == item)
    is_free = (leases.c.annotator == annotator) | (leases.c.expires_at <= now)
    mine = {"annotator": annotator, "expires_at": now + LEASE_S}
    if db.execute(sa.update(leases).where(is_item, is_free).values(**mine)).rowcount == 1:
        return True
    is_known = sa.select(leases.c.item).where(is_item).exists()
    if db.execute(sa.select(is_known)).scalar_one():
        return False
    try:
        with db.begin_nested():
            db.execute(sa.insert(leases).values(collection=collection, item=item, **mine))
    except sa.exc.IntegrityError:
        return False  # somebody was faster
    return True


class _FoldedLog:
    """A graph and how far into the log it has come. ``absent`` are nodes that the collection lacks."""

    def __init__(self, graph: IdentityGraph) -> None:
        self.graph = graph
        self.position = 0
        self.absent: set[str] = set()

    def catch_up(self, db: Connection, collection: str) -> None:
        for position, event in _read(db, collection, after=self.position):
            if isinstance(event, Decision):
                self.absent.update(self.graph.admit(event.pair))
            self.graph.add(event)
            self.position = position


def changes_since(graph: IdentityGraph, node: str, revision: int) -> tuple[Event, ...]:
    """What was done to the identity of ``node`` after its revision was ``revision``."""
    since = graph.events_since(revision)
    members = graph.nodes(node)
    # An event that took something away from this identity may name none of what is left.
    return tuple(event for event in since if members & _pair_of(graph, event)) or since


def _pair_of(graph: IdentityGraph, event: Event | None) -> frozenset[str]:
    """The nodes that an event is about, through whatever it takes back."""
    while isinstance(event, Retraction):
        event = graph.event(event.target_id)
    return frozenset() if event is None else event.pair


def _check_revisions(graph: IdentityGraph, seen: Mapping[str, int], known: frozenset[str]) -> None:
    changes: dict[str, Event] = {}
    for node, revision in seen.items():
        current = graph.revision(node)
        if revision > current:
            raise StaleViewError(
                f"What was shown of {node} is of another log than this one. Reload the page."
            )
        if revision < current:
            unseen = (e for e in changes_since(graph, node, revision) if answer_of(event_id(e)) not in known)
            changes.update((event_id(event), event) for event in unseen)
    if changes:
        names = sorted({event.annotator for event in changes.values()})
        raise StaleViewError(
            f"The identity of {' or '.join(sorted(seen))} was changed by {', '.join(names)} since this was "
            "shown. Nothing was stored: look at it again and decide anew.",
            changes=tuple(changes.values()),
        )


def _with_view(event: Event, seen: Mapping[str, int]) -> Event:
    if seen and isinstance(event, Decision) and not event.seen_revisions:
        return replace(event, seen_revisions=tuple(sorted(seen.items())))
    return event


def _without_view(event: Event) -> Event:
    """Sending a judgement again is harmless, whatever has come to the screen meanwhile."""
    return replace(event, seen_revisions=()) if isinstance(event, Decision) else event


def _other_content(event: Event) -> LabelConflictError:
    return LabelConflictError(
        f"The log holds another event with the id {event_id(event)}. Give every judgement a new UUID."
    )


def _make_engine(url: str) -> Engine:
    engine = sa.create_engine(url)
    if engine.dialect.name == "sqlite":

        @sa.event.listens_for(engine, "connect")
        def set_up(connection: Any, _record: Any) -> None:
            connection.isolation_level = None  # the driver must not begin on its own
            cursor = connection.cursor()
            for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=30000", "foreign_keys=ON"):
                cursor.execute(f"PRAGMA {pragma}")
            cursor.close()

        @sa.event.listens_for(engine, "begin")
        def begin(connection: Connection) -> None:
            # A writer waits here for its turn instead of failing in the middle.
            connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def _migrate(engine: Engine) -> None:
    config = Config()
    config.set_main_option("script_location", "reid_core.annotation:migrations")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _insert(db: Connection, collection: str, event: Event) -> int:
    row = sa.insert(events).values(collection=collection, **_to_row(event))
    return int(db.execute(row.returning(events.c.position)).scalar_one())


def _find(db: Connection, collection: str, own_id: str) -> tuple[int, Event] | None:
    row = db.execute(
        sa.select(events).where(events.c.collection == collection, events.c.event_id == own_id)
    ).first()
    return None if row is None else (row.position, _from_row(row))


def _read(db: Connection, collection: str, *, after: int) -> Iterator[tuple[int, Event]]:
    rows = db.execute(
        sa.select(events)
        .where(events.c.collection == collection, events.c.position > after)
        .order_by(events.c.position)
    )
    for row in rows:
        yield row.position, _from_row(row)


def _to_row(event: Event) -> dict[str, Any]:
    common = {
        "event_id": event_id(event),
        "annotator": event.annotator,
        "decided_at": event.decided_at,
        "received_at": utc_now(),
    }
    if isinstance(event, Retraction):
        return {**common, "kind": "retraction", "refers_to": event.target_id}
    return {
        **common,
        "kind": "decision",
        "left_node": event.left,
        "right_node": event.right,
        "answer": event.answer.value,
        "is_sure": event.is_sure,
        "reasons": json.dumps(event.reasons),
        "ms_taken": event.ms_taken,
        "stream": event.stream,
        "fingerprint": event.fingerprint,
        "similarity": event.similarity,
        "refers_to": event.supersedes,
        "comment": event.comment,
        "seen_revisions": json.dumps(event.seen_revisions),
    }


def _from_row(row: Any) -> Event:
    if row.kind == "retraction":
        return Retraction(row.event_id, row.refers_to, row.annotator, row.decided_at)
    return Decision(
        decision_id=row.event_id,
        left=row.left_node,
        right=row.right_node,
        answer=Answer(row.answer),
        annotator=row.annotator,
        decided_at=row.decided_at,
        is_sure=bool(row.is_sure),
        reasons=tuple(json.loads(row.reasons)),
        ms_taken=row.ms_taken,
        stream=row.stream,
        fingerprint=row.fingerprint,
        similarity=row.similarity,
        supersedes=row.refers_to,
        comment=row.comment,
        seen_revisions=tuple((node, revision) for node, revision in json.loads(row.seen_revisions)),
    )
