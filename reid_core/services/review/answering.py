"""Taking answers in. Every write of a judgement goes through here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from reid_core.annotation import Decision, Event, IdentityGraph, Retraction, Stream
from reid_core.annotation.decisions import event_id
from reid_core.errors import InputError, ReidError, StaleViewError
from reid_core.services.review import transfer
from reid_core.services.review.answers import (
    BLIND,
    MAX_ANSWERS,
    SECOND_OPINION,
    Given,
    check_annotator,
    read_answer,
)
from reid_core.services.review.collection import Collection
from reid_core.services.review.judgements import Judgements, View
from reid_core.services.review.records import AnswerResult

_LOOK_AGAIN = "Not stored: it changed while you looked. Please judge by the pictures again."


class Answering(Judgements):
    """Answers of every kind, merges, splits and names."""

    def answer(
        self, sent: Sequence[Any], annotator: str, *, gallery: str = "", known_answers: Sequence[str] = ()
    ) -> tuple[AnswerResult, ...]:
        """Take in answers as pages send them, each for itself, in order; sending them twice is harmless.

        One that is refused or stale keeps none of its events and does not keep the others from being stored.
        Of one that was to be judged by the pictures alone it is not told what others did or what it
        contradicts: its judge may have to look again, and can take it back.

        Args:
            sent: See ``answers.read_answer``.
            known_answers: Ids of answers that the same page gave before: what they changed is no surprise.

        Raises:
            InputError: There is no such gallery, no list, or no valid code name.
        """
        name, collection = check_annotator(annotator), self._collection(gallery)
        if not isinstance(sent, list | tuple) or not 1 <= len(sent) <= MAX_ANSWERS:
            raise InputError(f"events has to be a list of 1 to {MAX_ANSWERS} answers.")
        known, results = {str(own_id) for own_id in known_answers}, []
        for item in sent:
            own_id = str(item.get("id", ""))[:60] if isinstance(item, Mapping) else ""
            try:
                with self._view(collection) as view:
                    plain = collection.covers.uncover_answer(item, view.graph)
                    given = self._with_true_stream(view, read_answer(plain, name, view.graph), name)
                results.append(self._record_or_tell(collection, given, known))
            except ReidError as error:
                results.append(AnswerResult(own_id, "refused", str(error)))
            known.add(own_id)
        return tuple(results)

    def record(
        self,
        events: Sequence[Event],
        *,
        gallery: str = "",
        seen_revisions: Mapping[str, int] | None = None,
        known_answers: Sequence[str] = (),
    ) -> tuple[bool, ...]:
        """Append events, all or none; per event, whether it is contested. Every write ends up here.

        Raises:
            StaleViewError, LabelConflictError, InputError: As ``AnnotationStore.record_all``.
        """
        collection = self._collection(gallery)
        given = Given("", tuple(events), dict(seen_revisions or {}), "", None)
        self._record(collection, given, set(known_answers))
        with self._view(collection) as view:
            now = _contested(view.graph)
        return tuple(event_id(event) in now for event in events)

    def merge(
        self,
        left: str,
        right: str,
        annotator: str,
        own_id: str,
        *,
        gallery: str = "",
        seen_revisions: Mapping[str, int] | None = None,
        comment: str = "",
    ) -> AnswerResult:
        """Say that two identities are one person; taken back like any other answer."""
        item: dict[str, Any] = {"id": own_id, "kind": "pair", "left": left, "right": right, "answer": "same"}
        item |= {"seen": dict(seen_revisions or {}), "comment": comment}
        return self.answer([item], annotator, gallery=gallery)[0]

    def split(
        self,
        identity: str,
        groups: Sequence[Sequence[str]],
        annotator: str,
        own_id: str,
        *,
        gallery: str = "",
        seen_revisions: Mapping[str, int] | None = None,
        comment: str = "",
    ) -> AnswerResult:
        """Take groups of crops out of an identity; each group becomes one new identity.

        Raises:
            InputError: Nothing would stay in the identity, or nothing is taken out.
        """
        collection = self._collection(gallery)
        with self._view(collection) as view:
            crops = view.faces.present_crops(identity)
            picked = {crop for group in groups for crop in group}
            left_over = [crop for crop in crops if crop not in picked]
            if not picked or not left_over:
                raise InputError(
                    f"Of the {len(crops)} crops of this identity, {len(picked)} were picked. Pick at least "
                    "one and leave at least one."
                )
            # Without a label to be taken out of, a crop that stays stands for the identity.
            node = view.faces.key_of(identity)
            node = node if node not in picked else left_over[0]
        item = {
            "id": own_id,
            "kind": "sheet",
            "crops": list(crops),
            "others": [list(group) for group in groups],
            "left": next(iter(sorted(picked))),
            "right": left_over[0],
            "identity": node,
            "seen": dict(seen_revisions or {}),
            "comment": comment,
        }
        return self.answer([item], annotator, gallery=gallery)[0]

    def rename(self, node: str, name: str, annotator: str, own_id: str, *, gallery: str = "") -> None:
        """Give an identity a name; earlier names stay as aliases and can be searched for.

        Raises:
            InputError: No such node, or the name is empty or longer than 80 characters.
        """
        collection = self._collection(gallery)
        given = transfer.check_name(node, name, check_annotator(annotator), own_id)
        with self._view(collection) as view:
            view.graph.component(node)
        self._store.add_names(collection.name, [given])
        collection.read_names()

    # ---- inside ------------------------------------------------------------------------------------------

    def _with_true_stream(self, view: View, given: Given, name: str) -> Given:
        """Blind questions look alike on the page; what a pair was asked for is found here."""
        events: list[Event] = []
        gold = None
        for event in given.events:
            if (
                isinstance(event, Decision)
                and event.stream == BLIND
                and view.graph.event(event.decision_id) is None
            ):
                gold = self._store.gold(view.collection.name) if gold is None else gold
                is_gold = (event.left, event.right) in gold or (event.right, event.left) in gold
                standing = self._standing_of(view)
                if is_gold:
                    event = replace(event, stream=Stream.GOLD.value)
                elif standing.was_judged_by_another(event.pair, name):
                    event = replace(event, stream=SECOND_OPINION)
            events.append(event)
        return replace(given, events=tuple(events))

    def _record_or_tell(self, collection: Collection, given: Given, known: set[str]) -> AnswerResult:
        """As ``_record``; a stale answer is a result that tells what changed, where that may be told."""
        try:
            return self._record(collection, given, known)
        except StaleViewError as error:
            if given.is_by_pictures:
                return AnswerResult(given.id, "stale", _LOOK_AGAIN)
            with self._view(collection) as view:
                contested = _contested(view.graph)
                changes = tuple(
                    view.faces.change(event, contested)
                    for event in error.changes
                    if isinstance(event, Decision | Retraction)
                )
            return AnswerResult(given.id, "stale", str(error), changes=changes)

    def _record(self, collection: Collection, given: Given, known: set[str]) -> AnswerResult:
        if not given.events:
            return AnswerResult(given.id, "known", "Nothing of it is in force any more.")
        if not collection.has_support:
            self._freeze_support(collection)
        receipts = self._store.record_all(
            collection.name, given.events, seen_revisions=given.seen, known_answers=known
        )
        is_new = any(not receipt.was_known for receipt in receipts)
        if is_new:
            collection.note(given.events, key=given.key, ms_taken=given.ms_taken)
        is_contested = not given.is_by_pictures and any(r.conflict is not None for r in receipts)
        message = "It contradicts earlier judgements; both come up for a second look." if is_contested else ""
        ids = tuple(event_id(event) for event in given.events)
        return AnswerResult(given.id, "saved" if is_new else "known", message, is_contested, events=ids)

    def _freeze_support(self, collection: Collection) -> None:
        """Before the first judgement: how well labels fit under the default model, or equally well."""
        try:
            self._evidence_of(collection, "")
        except ReidError:
            collection.keep_support({})


def _contested(graph: IdentityGraph) -> frozenset[str]:
    return frozenset(conflict.decision.decision_id for conflict in graph.conflicts())
