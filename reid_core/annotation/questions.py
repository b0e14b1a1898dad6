"""A question to a person: a pair of crops, or the contact sheet of one identity, and why it is asked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from reid_core.annotation.decisions import Answer
from reid_core.errors import InputError


class Stream(str, Enum):
    """Where a question comes from; its value is what ``Decision.stream`` says."""

    CONFLICT = "conflict"
    BRIDGE = "bridge"
    FALSE_MATCH_FIRST = "false_match_first"
    NEIGHBOUR_VOTE = "neighbour_vote"
    PURITY = "purity"
    RANK_VIOLATION = "rank_violation"
    MARGIN = "margin"
    AUDIT = "audit"
    GOLD = "gold"


def pair_key(pair: Iterable[str]) -> str:
    """The key of a question about two nodes, whichever comes first."""
    return "pair:" + "|".join(sorted(pair))


@dataclass(frozen=True, slots=True)
class PairQuestion:
    """Are these two the same person?

    Attributes:
        left, right: Two nodes: crops, or for a conflict whatever the disputed judgement named.
        stream: Where it comes from. ``reason``: one sentence for the annotator.
        expected_yield: Label changes that the answer is expected to bring; its trust is measured per stream.
        rival: For a neighbour vote, a crop of the strongest other identity, shown as the third choice.
        supersedes: The earlier decision that the answer replaces, for a conflict.
    """

    left: str
    right: str
    stream: Stream
    reason: str
    expected_yield: float
    rival: str | None = None
    supersedes: str | None = None

    @property
    def pair(self) -> frozenset[str]:
        """Both nodes without order."""
        return frozenset((self.left, self.right))

    @property
    def key(self) -> str:
        """Names the item, e.g. for a lease: equal for equal questions, whoever asks."""
        return pair_key(self.pair)


@dataclass(frozen=True, slots=True)
class SheetQuestion:
    """All crops of one identity on one screen: pick those that are somebody else.

    Attributes:
        crops: The identity's crops, the suspected ones first.
        suspected: Those that look like somebody else; a proposal, nothing more.
        left, right: The most suspected and the most typical crop; "all one person" is recorded on this pair.
        identity: The node that stands for the identity: what a picked crop is taken out of.
    """

    crops: tuple[str, ...]
    suspected: tuple[str, ...]
    left: str
    right: str
    identity: str
    reason: str
    expected_yield: float
    stream: Stream = Stream.PURITY

    @property
    def key(self) -> str:
        """Names the item, e.g. for a lease."""
        return f"sheet:{min(self.crops)}"


Question = PairQuestion | SheetQuestion
Judged = tuple[str, str, Answer]
"""What one decision says: left node, right node, answer."""


def judged_by_vote(question: PairQuestion, *, is_rival: bool) -> tuple[Judged, ...]:
    """The decisions behind the two longer answers to a three-way question.

    Args:
        question: One with a ``rival``.
        is_rival: True: "it is the other one"; False: "neither". For "its own identity" record "same".

    Raises:
        InputError: The question has no rival.
    """
    if question.rival is None:
        raise InputError(f"The question on {question.left} and {question.right} has no third choice.")
    to_rival = Answer.SAME if is_rival else Answer.DIFFERENT
    return (
        (question.left, question.right, Answer.DIFFERENT),
        (question.left, question.rival, to_rival),
    )


def judged_by_sheet(question: SheetQuestion, others: Sequence[Sequence[str]]) -> tuple[Judged, ...]:
    """The decisions behind a contact sheet's answer: one per picked crop, or one if nobody was picked.

    Args:
        question: The sheet.
        others: The picked crops, grouped by person as far as the annotator said so; empty: all one person.

    Raises:
        InputError: A picked crop is not on the sheet or was picked twice, or nothing is left.
    """
    picked = [crop for group in others for crop in group]
    unknown = sorted(set(picked) - set(question.crops))
    if unknown or len(set(picked)) != len(picked):
        raise InputError(
            f"Picked {', '.join(unknown) or 'a crop twice'}; expected each crop of the sheet at most once. "
            "Reload the sheet: it may have changed."
        )
    if len(picked) == len(question.crops):
        raise InputError("Every crop of the sheet was picked. Leave those of one person; pick the others.")
    if not picked:
        return ((question.left, question.right, Answer.SAME),)
    judged: list[Judged] = []
    for group in others:
        first, *rest = group
        judged.append((first, question.identity, Answer.DIFFERENT))
        judged += [(crop, first, Answer.SAME) for crop in rest]
    return tuple(judged)
