"""Review: what to ask whom, what was answered, who is who now. One object, safe for many threads.

Reading is cheap and waits for nobody's questions; every write goes through ``Answering.record``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from reid_core.errors import InputError
from reid_core.services.review import identities, likenesses, transfer
from reid_core.services.review.answering import Answering
from reid_core.services.review.answers import check_annotator
from reid_core.services.review.asking import Asking
from reid_core.services.review.pair_states import KnownCrops, PairState, known_crops, pair_states
from reid_core.services.review.progress import describe_state
from reid_core.services.review.records import (
    ConflictView,
    HistoryPage,
    IdentityDetail,
    IdentitySummary,
    LabelState,
    ReviewState,
    ReviewStatistics,
    SimilarIdentity,
    SinceYouLeft,
    UndoOutlook,
)
from reid_core.services.review.statistics import describe_log, since_you_left
from reid_core.services.review.undoing import undo_outlook


class ReviewService(Asking, Answering):
    """Judgements of all galleries of a workbench: asking and answering, and here reading and moving them."""

    def state(self, annotator: str, *, gallery: str = "") -> ReviewState:
        """Progress, quality and what can be undone, for the header."""
        name, collection = check_annotator(annotator), self._collection(gallery)
        gold = self._store.gold(collection.name)
        with self._view(collection) as view:
            standing = self._standing_of(view)
            log, num_conflicts = view.graph.log, len(view.graph.conflicts())
            agreement, num_to_adjudicate = standing.agreement(), standing.num_to_adjudicate
        # The rest grows with the log, and no answer has to wait for it.
        return describe_state(
            name,
            log,
            collection.peek_planner(),
            gold,
            agreement=agreement,
            num_conflicts=num_conflicts,
            num_to_adjudicate=num_to_adjudicate,
            num_missing=len(self._store.absent(collection.name)),
        )

    def label_states(self, ids: Iterable[str], *, gallery: str = "") -> dict[str, LabelState]:
        """What judgements say about crops; ids that the gallery lacks are left out."""
        with self._view(self._collection(gallery)) as view:
            return identities.label_states(view.faces, [i for i in ids if i in view.graph])

    def relations(self, query: str, ids: Iterable[str], *, gallery: str = "") -> dict[str, str]:
        """Per crop what is known between it and ``query``: same, different, cannot_tell; others left out.

        "Same" counts only if a judgement, not a label alone, holds the two together.
        """
        with self._view(self._collection(gallery)) as view:
            return identities.relations(view.graph, query, ids)

    def pair_states(self, query: str, ids: Iterable[str], *, gallery: str = "") -> dict[str, PairState]:
        """What judgements say between ``query`` and each crop, and by whom: the marks of a ranked list."""
        with self._view(self._collection(gallery)) as view:
            return pair_states(view.graph, query, ids)

    def known_crops(self, query: str, *, gallery: str = "") -> KnownCrops:
        """The crops that judgements confirm and refuse for a query; none for one that is not a crop."""
        with self._view(self._collection(gallery)) as view:
            return known_crops(view.graph, query)

    def identity_of(self, crop: str, *, gallery: str = "") -> str:
        """The node that names the identity of a crop."""
        with self._view(self._collection(gallery)) as view:
            return view.faces.key_of(crop)

    def identities(
        self,
        *,
        gallery: str = "",
        text: str = "",
        camera: int | None = None,
        state: str = "",
        order: str = "size",
        page: int = 1,
        page_size: int = 50,
        model: str = "",
    ) -> tuple[tuple[IdentitySummary, ...], int]:
        """Identities that pass the filter, one page of them, and how many pass.

        Args:
            text: Part of a pid, of a name or of a crop's id.
            camera: Only identities seen by it.
            state: "" all, or one of ``identities.STATES``.
            order: "size", "pid", "recent" or "suspicion": contested ones first, then by how clearly the
                crops look like two people.
            model: Whose embeddings suspicion is computed on.

        Raises:
            GalleryNotReadyError: Ordered by suspicion, and the gallery is not embedded yet.
        """
        collection = self._collection(gallery)
        evidence = self._evidence_of(collection, model) if order == "suspicion" else None
        with self._view(collection) as view:
            return identities.list_identities(
                view.faces,
                text=text,
                camera=camera,
                state=state,
                order=order,
                page=page,
                page_size=page_size,
                suspicion_of=lambda crops: self._shelf.suspicion(evidence, tuple(crops)),
            )

    def similar(
        self, node: str, *, gallery: str = "", model: str = "", number: int = 8
    ) -> tuple[SimilarIdentity, ...]:
        """The identities that look most like that of ``node``.

        Raises:
            InputError: No such node. GalleryNotReadyError: The gallery is not embedded yet.
        """
        collection = self._collection(gallery)
        evidence = self._evidence_of(collection, model)
        with self._view(collection) as view:
            return likenesses.similar_identities(view.faces, evidence, node, number=number)

    def undo_outlook(self, answer_id: str, *, gallery: str = "") -> UndoOutlook:
        """What taking an answer back would do, and which later answers build on the same identities.

        Raises:
            InputError: The log holds no such answer.
        """
        with self._view(self._collection(gallery)) as view:
            return undo_outlook(view.faces, answer_id)

    def statistics(self, *, gallery: str = "") -> ReviewStatistics:
        """Per annotator and per reason for asking: how much, how fast, how well."""
        collection = self._collection(gallery)
        gold = self._store.gold(collection.name)
        planner = collection.peek_planner()
        with self._view(collection) as view:
            yields = {} if planner is None else planner.yields
            return describe_log(view.graph, self._standing_of(view), gold, yields)

    def since_you_left(self, annotator: str, *, gallery: str = "") -> SinceYouLeft:
        """What others did to identities that an annotator judged, since that annotator's last event."""
        name = check_annotator(annotator)
        with self._view(self._collection(gallery)) as view:
            return since_you_left(view.faces, name)

    def identity(self, node: str, *, gallery: str = "") -> IdentityDetail:
        """Everything about the identity that ``node`` belongs to.

        Raises:
            InputError: No such node.
        """
        with self._view(self._collection(gallery)) as view:
            return identities.detail(view.faces, node)

    def conflicts(self, *, gallery: str = "") -> tuple[ConflictView, ...]:
        """Open contradictions, each with its chain and the cheapest way out."""
        with self._view(self._collection(gallery)) as view:
            return identities.conflicts(view.faces)

    def history(
        self,
        *,
        gallery: str = "",
        annotator: str = "",
        node: str = "",
        answer: str = "",
        stream: str = "",
        text: str = "",
        since: str = "",
        until: str = "",
        answer_id: str = "",
        page: int = 1,
        page_size: int = 50,
    ) -> HistoryPage:
        """The log, newest first, filtered; ``since`` and ``until`` are ISO 8601 with a zone.

        With ``answer_id`` only that answer and what took it back or restored it.

        Raises:
            InputError: No such node, or a time that is none.
        """
        with self._view(self._collection(gallery)) as view:
            return identities.history(
                view.faces,
                annotator=annotator,
                node=node,
                answer=answer,
                stream=stream,
                text=text,
                since=since,
                until=until,
                answer_id=answer_id,
                page=page,
                page_size=page_size,
            )

    # ---- export and import -------------------------------------------------------------------------------

    def export_log(self, *, gallery: str = "") -> Iterator[str]:
        """The log as JSON lines, with names, gold pairs and the frozen support of labels."""
        collection = self._collection(gallery)
        return transfer.export_lines(self._store, collection)

    def import_log(
        self, lines: Iterable[str], *, gallery: str = "", needs_empty: bool = False
    ) -> transfer.Imported:
        """Add an exported log; into an empty one it gives the same identities. All of it or nothing.

        Args:
            needs_empty: Refuse a gallery that has judgements already: its result would be another one.

        Raises:
            InputError: A line is not of a log, or the gallery has judgements and ``needs_empty``.
            LabelConflictError: An id is taken by another event.
        """
        collection = self._collection(gallery)
        if needs_empty:
            with self._view(collection) as view:
                number = len(view.graph)
            if number:
                raise InputError(
                    f"This gallery's log holds {number:,} event{'s' if number > 1 else ''} already, so the "
                    "result would not be that of the file alone. Import into a gallery without judgements, "
                    "or add the file to these on purpose."
                )
        imported = transfer.import_lines(self._store, collection, lines)
        self._reopen(collection.name)
        return imported

    def import_gold(self, lines: Iterable[str], *, gallery: str = "") -> int:
        """Add pairs whose answer is known: one JSON object a line with left, right and answer.

        Raises:
            InputError: A line is not such an object, or names a crop that the gallery lacks.
        """
        collection = self._collection(gallery)
        with self._view(collection) as view:
            pairs = transfer.read_gold(lines, view.graph)
        self._store.add_gold(collection.name, pairs)
        self._reopen(collection.name)
        return len(pairs)
