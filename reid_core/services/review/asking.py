"""The next questions for an annotator, as a page shows them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from reid_core.annotation import PairQuestion, Question, SheetQuestion, Stream
from reid_core.annotation.questions import pair_key
from reid_core.annotation.store import LEASE_S
from reid_core.errors import GalleryNotReadyError
from reid_core.services.review.agreement import Standing
from reid_core.services.review.answers import ADJUDICATION, BLIND, FREE, check_annotator
from reid_core.services.review.collection import Collection
from reid_core.services.review.covers import is_cover
from reid_core.services.review.evidence import ReviewEvidence
from reid_core.services.review.evidence_shelf import EvidenceNotReadyError
from reid_core.services.review.judgements import Judgements, View
from reid_core.services.review.planner import Planner
from reid_core.services.review.records import Outlook, QuestionView, Upcoming

AHEAD = 5
"""Questions that a page holds, so that the next one is there when a key is pressed."""
_MAX_AHEAD = 20
_MAX_CLAIMS = 3
"""Tries to get questions that another process does not claim first."""
_BLIND_STREAMS = frozenset({Stream.AUDIT, Stream.GOLD})
_BLIND_REASON = "A check drawn at random: please judge by the pictures alone."


class Asking(Judgements):
    """Questions, and what an answer to them would do."""

    def upcoming(
        self,
        annotator: str,
        *,
        gallery: str = "",
        model: str = "",
        number: int = AHEAD,
        have: Sequence[str] = (),
        selection: str = "",
        pair: tuple[str, str] | None = None,
        adjudicate: bool = False,
    ) -> Upcoming:
        """The next questions for one annotator; they stay with that annotator for five minutes.

        Args:
            annotator: A code name.
            gallery, model: Names; empty for the default ones.
            number: How many to bring, at most 20.
            have: Keys of the questions that the page holds; their five minutes start anew.
            selection: Key of a selection: only questions about its crops.
            pair: Ask about these two and nothing else.
            adjudicate: Ask what others disagree about or handed over.

        Raises:
            InputError: A name, a selection or a crop is not known.
        """
        name = check_annotator(annotator)
        collection = self._collection(gallery)
        number, have = max(1, min(number, _MAX_AHEAD)), [collection.covers.uncover_key(key) for key in have]
        chosen = frozenset(self._load_selection(collection.name, selection)) if selection else None
        if pair is not None:
            self.revisions(pair, gallery=gallery)  # a crop that is not known is an error at once
        try:
            evidence: ReviewEvidence | None = self._evidence_of(collection, model, is_waiting=False)
        except EvidenceNotReadyError as error:
            return Upcoming("preparing", (), str(error))
        except GalleryNotReadyError as error:
            if pair is None and not adjudicate:
                return Upcoming("preparing", (), str(error))
            evidence = None
        if pair is not None:
            question = PairQuestion(*pair, Stream.FALSE_MATCH_FIRST, "You opened this pair.", 0.0)
            return self._show(collection, [question], evidence, name, stream=FREE)
        if adjudicate:
            with self._view(collection) as view:
                waiting = self._standing_of(view).to_adjudicate(name, skip=have)
            asked = self._lease_disputes(collection, waiting, name, number, have)
            if waiting and not asked:
                message = "Others are at what is left to adjudicate."
                return Upcoming("empty", (), message, num_waiting=len(waiting))
            return self._show(collection, asked, evidence, name, stream=ADJUDICATION)
        assert evidence is not None
        planner = collection.planner(evidence)
        found = self._take(collection, planner, name, number, selection, chosen, have)
        if not found and not have:
            if planner.is_preparing(selection):
                return Upcoming("preparing", (), planner.describe())
            skip = self._put_off.get((collection.name, name), set())
            if num_waiting := planner.num_held_by_others(name, chosen=chosen, skip=skip):
                return Upcoming("empty", (), "Others are at what is left to ask.", num_waiting=num_waiting)
            return Upcoming("empty", (), "Nothing is left to ask.")
        return self._show(collection, found, evidence, name)

    def put_off(self, key: str, annotator: str, *, gallery: str = "") -> None:
        """Skip a question: it goes to others, and not to this annotator again until the app restarts."""
        name, collection = check_annotator(annotator), self._collection(gallery)
        key = collection.covers.uncover_key(key)
        with self._lock:
            self._put_off.setdefault((collection.name, name), set()).add(key)
        self._store.release(collection.name, key, name)
        planner = collection.peek_planner()
        if planner is not None:
            planner.drop(key, name)

    def consequence(self, left: str, right: str, *, gallery: str = "") -> dict[str, Outlook]:
        """What "same" and "different" on two nodes would do now; of a blind question that is not told."""
        if is_cover(left) or is_cover(right):
            return {}
        with self._view(self._collection(gallery)) as view:
            return view.faces.outlooks(left, right)

    def revisions(self, nodes: Iterable[str], *, gallery: str = "") -> dict[str, int]:
        """The revision of each node's identity, to be sent back with a write that was decided on it.

        Of a blind question it is the length of the log, see ``Covers.uncover_answer``.
        """
        with self._view(self._collection(gallery)) as view:
            graph = view.graph
            return {node: len(graph) if is_cover(node) else graph.revision(node) for node in nodes}

    # ---- inside ------------------------------------------------------------------------------------------

    def _take(
        self,
        collection: Collection,
        planner: Planner,
        name: str,
        number: int,
        selection: str,
        chosen: frozenset[str] | None,
        have: Sequence[str],
    ) -> list[Question]:
        """Up to ``number`` questions that nobody else holds, by the planner and by the store."""
        skip = self._put_off.get((collection.name, name), set())
        for _ in range(_MAX_CLAIMS):
            leases = self._store.leases(collection.name)
            planner.note_leases(leases)
            found: list[Question] = []
            if chosen is None:
                taken = {key for key, lease in leases.items() if lease.annotator != name}
                with self._view(collection) as view:
                    standing = self._standing_of(view)
                    found += standing.second_opinions(name, view.graph, skip={*skip, *have}, taken=taken)[:1]
            wanted = number - len(found)
            found += planner.take(name, wanted, lane=selection, chosen=chosen, skip=skip, have=have)
            keys = [*have, *(question.key for question in found)]
            held = self._store.claim_all(collection.name, keys, name) if keys else frozenset()
            if all(question.key in held for question in found):
                break  # otherwise another process was faster, and there may be more
        return [question for question in found if question.key in held]

    def _lease_disputes(
        self,
        collection: Collection,
        waiting: Sequence[PairQuestion],
        name: str,
        number: int,
        have: Sequence[str],
    ) -> list[PairQuestion]:
        """Up to ``number`` of these for one adjudicator; two at work settle different pairs."""
        own, others = f"{ADJUDICATION}:", self._store.held_by_others(collection.name, name)
        free = [question for question in waiting if own + question.key not in others][:number]
        keys = [own + key for key in (*have, *(question.key for question in free))]
        held = self._store.claim_all(collection.name, keys, name)
        return [question for question in free if own + question.key in held]

    def _show(
        self,
        collection: Collection,
        questions: Iterable[Question],
        evidence: ReviewEvidence | None,
        name: str,
        *,
        stream: str = "",
    ) -> Upcoming:
        with self._view(collection) as view:
            shown = tuple(
                self._question(view, question, evidence, stream, self._standing_of(view), name)
                for question in questions
            )
        if not shown and stream == ADJUDICATION:
            return Upcoming("empty", (), "There is nothing to adjudicate.")
        return Upcoming("ready", shown)

    def _question(
        self,
        view: View,
        question: Question,
        evidence: ReviewEvidence | None,
        stream: str,
        standing: Standing,
        name: str,
    ) -> QuestionView:
        faces, graph, covers = view.faces, view.graph, view.collection.covers
        is_blind = not stream and question.stream in _BLIND_STREAMS
        is_covered = is_blind or stream == ADJUDICATION  # labels, names and scores would take sides
        left, right = faces.crop(question.left), faces.crop(question.right)
        if is_covered:
            left, right = covers.face(left), covers.face(right)
        common: dict[str, Any] = {
            "key": pair_key([left.node, right.node]) if is_covered else question.key,
            "stream": stream or (BLIND if is_blind else question.stream.value),
            "reason": _BLIND_REASON if is_blind else _honest(question.reason, evidence),
            "is_blind": is_blind,
            "left": left,
            "right": right,
            "position": len(graph),
            "lease_s": LEASE_S,
            "fingerprint": "" if evidence is None else evidence.fingerprint,
        }
        if isinstance(question, SheetQuestion):
            return QuestionView(
                kind="sheet",
                seen={question.identity: graph.revision(question.identity)},
                crops=tuple(faces.crop(crop) for crop in question.crops),
                suspected=question.suspected,
                identity=question.identity,
                identities=(faces.identity(question.identity),),
                **common,
            )
        if is_covered:
            told = standing.earlier_answers(question.pair) if stream == ADJUDICATION else ()
            seen = dict.fromkeys([left.node, right.node], len(graph))
            return QuestionView(kind="pair", seen=seen, earlier_answers=told, **common)
        ends = dict.fromkeys(node for node in (question.left, question.right, question.rival) if node)
        return QuestionView(
            kind="pair",
            seen={node: graph.revision(node) for node in sorted(ends)},
            rival=None if question.rival is None else faces.crop(question.rival),
            identity="" if question.rival is None else faces.key_of(question.right),
            supersedes=question.supersedes,
            similarity=None if evidence is None else evidence.similarity(left.crop, right.crop),
            probability=None if evidence is None else evidence.probability(left.crop, right.crop),
            outlooks=faces.outlooks(question.left, question.right),
            identities=tuple(faces.identity(node) for node in ends),
            **common,
        )


def _honest(reason: str, evidence: ReviewEvidence | None) -> str:
    """A reason without its percentage where nothing was calibrated."""
    if evidence is not None and evidence.is_calibrated:
        return reason
    return re.sub(r"\s*\(\d+%[^)]*\)|: it says \d+%", "", reason)
