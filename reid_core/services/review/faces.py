"""Crops, identities and consequences as a page shows them."""

from __future__ import annotations

from collections.abc import Mapping

from reid_core.annotation import Answer, Consequence, Decision, Event, IdentityGraph
from reid_core.annotation.decisions import answer_of, event_id, identity_node, pid_of_node
from reid_core.services.galleries import Gallery
from reid_core.services.review.records import Change, CropFace, IdentityFace, Outlook
from reid_core.services.views import image_url

_MAX_FACES = 8
_WORDS = {
    Answer.SAME.value: "are the same person",
    Answer.DIFFERENT.value: "are different people",
    Answer.CANNOT_TELL.value: "cannot be told",
}


class Faces:
    """Shows the crops of one gallery, with the identities of one graph.

    Args:
        gallery: Where pictures are looked up; what it lacks is shown without a picture.
        graph: Read only; the caller holds it still.
        aliases: Names that people gave to identities, by node.
    """

    def __init__(
        self, gallery: Gallery, graph: IdentityGraph, aliases: Mapping[str, tuple[str, ...]]
    ) -> None:
        self.gallery = gallery
        self.graph = graph
        self._aliases = aliases

    def crop(self, node: str) -> CropFace:
        """A node's face; an identity shows the first of its crops."""
        crop = node
        if pid_of_node(node) is not None:
            own = [c for c in self.graph.crops(node) if c in self.gallery.by_id]
            crop = own[0] if own else node
        image = self.gallery.by_id.get(crop)
        if image is None:
            return CropFace(node, crop, "", 0, 0, None, None, None)
        return CropFace(
            node=node,
            crop=crop,
            image_url=image_url(self.gallery.name, image.content_hash),
            width=image.width,
            height=image.height,
            pid=image.pid,
            camid=image.camid,
            time_s=image.time_s,
        )

    def present_crops(self, node: str) -> tuple[str, ...]:
        """The crops of an identity that the gallery has, sorted."""
        return tuple(crop for crop in self.graph.crops(node) if crop in self.gallery.by_id)

    def key_of(self, node: str) -> str:
        """The node that names an identity: its lowest pid, or its first crop if it has no pid."""
        pids = self.graph.pids(node)
        if pids:
            return identity_node(pids[0])
        crops = self.graph.crops(node)
        return crops[0] if crops else node

    def aliases_of(self, node: str) -> tuple[str, ...]:
        """The names that people gave to anything that is part of this identity now, the latest first."""
        found = [name for member in sorted(self.graph.nodes(node)) for name in self._aliases.get(member, ())]
        return tuple(dict.fromkeys(found))

    def title_of(self, node: str) -> str:
        """How an identity is called: its latest name, its pids, or what it is."""
        names = self.aliases_of(node)
        pids = self.graph.pids(node)
        numbered = " + ".join(f"{pid}" for pid in pids[:4]) + (" + …" if len(pids) > 4 else "")
        if names:
            return f"{names[0]} ({numbered})" if numbered else names[0]
        if numbered:
            return f"Identity {numbered}"
        return "New identity" if len(self.graph.crops(node)) > 1 else "Single crop"

    def identity(self, node: str) -> IdentityFace:
        """An identity in a line."""
        crops = self.present_crops(node)
        step = max(1, len(crops) // _MAX_FACES)
        shown = tuple(self.crop(crop) for crop in crops[::step][:_MAX_FACES])
        return IdentityFace(self.key_of(node), self.title_of(node), len(crops), shown)

    def outlooks(self, left: str, right: str) -> dict[str, Outlook]:
        """What "same" and "different" would do now."""
        is_one = self.graph.component(left) == self.graph.component(right)
        found = {}
        for answer in (Answer.SAME, Answer.DIFFERENT):
            effect = self.graph.consequence(left, right, answer)
            found[answer.value] = Outlook(
                text=describe(effect, answer, is_one=is_one),
                num_left=effect.num_left,
                num_right=effect.num_right,
                new_pairs=effect.new_pairs,
                overrules_labels=effect.overrules_labels,
                conflicts=effect.conflicts,
            )
        return found

    def change(self, event: Event, contested: frozenset[str]) -> Change:
        """An event in words and fields."""
        own_id = event_id(event)
        if isinstance(event, Decision):
            doubt = "" if event.is_sure else " (not sure)"
            return Change(
                id=own_id,
                answer_id=answer_of(own_id),
                kind="decision",
                text=f"{event.left} and {event.right} {_WORDS[event.answer.value]}{doubt}",
                annotator=event.annotator,
                decided_at=event.decided_at,
                left=event.left,
                right=event.right,
                answer=event.answer.value,
                is_sure=event.is_sure,
                reasons=event.reasons,
                comment=event.comment,
                stream=event.stream,
                ms_taken=event.ms_taken,
                similarity=event.similarity,
                fingerprint=event.fingerprint,
                refers_to=event.supersedes,
                is_in_force=self.graph.is_in_force(own_id),
                is_taken_back=self.graph.is_taken_back(own_id),
                is_contested=own_id in contested,
            )
        root = self.graph.event(event.target_id)
        is_redo = not isinstance(root, Decision)
        while root is not None and not isinstance(root, Decision):
            root = self.graph.event(root.target_id)
        what = (
            "an unknown decision"
            if root is None
            else f"“{root.left} and {root.right} {_WORDS[root.answer.value]}”"
        )
        return Change(
            id=own_id,
            answer_id=answer_of(own_id),
            kind="retraction",
            text=f"restored {what}" if is_redo else f"took back {what}",
            annotator=event.annotator,
            decided_at=event.decided_at,
            left="" if root is None else root.left,
            right="" if root is None else root.right,
            answer="",
            is_sure=True,
            reasons=(),
            comment="",
            stream="",
            ms_taken=None,
            similarity=None,
            fingerprint="",
            refers_to=event.target_id,
            is_in_force=self.graph.is_in_force(own_id),
            is_taken_back=self.graph.is_taken_back(own_id),
            is_contested=False,
        )


def describe(effect: Consequence, answer: Answer, *, is_one: bool) -> str:
    """The line that is shown before an answer is given."""
    sizes = f"{effect.num_left} + {effect.num_right} crops"
    others = max(0, effect.new_pairs - 1)
    known = "" if not others else f"; {others:,} other pair{'s become' if others > 1 else ' becomes'} known"
    if effect.conflicts:
        return "contradicts earlier judgements: it is kept, and both come up for a second look"
    if answer is Answer.SAME:
        if is_one:
            return f"confirms one identity of {effect.num_left} crops"
        if effect.overrules_labels:
            return f"joins {sizes}; a label that stands against it gives way"
        return f"merges {sizes}{known}"
    if effect.overrules_labels:
        return f"splits an identity of {effect.num_left} crops: the less certain label gives way"
    if is_one:
        return f"splits an identity of {effect.num_left} crops"
    return f"keeps {sizes} apart{known}" if effect.new_pairs else "confirms that they are apart"
