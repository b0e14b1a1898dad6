"""Evaluation protocols: which gallery images count, how ties and unmatched queries are treated.

Published evaluators disagree on exactly these points, by up to eight points of Rank-1 for the same
embeddings. Each point is one field here, and each published convention is one named preset. The presets were
checked against the published code; where a published evaluator's behaviour is undefined (an unstable sort, a
read past the kept gallery) the preset says what we do instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any, Literal, get_args

from reid_core.errors import InputError

ApRule = Literal["step", "trapezoid"]
JunkRule = Literal["drop", "negative"]
DistractorRule = Literal["keep", "drop"]
UnmatchedRule = Literal["skip", "zero"]
TieRule = Literal["stable", "reversed", "optimistic", "pessimistic"]
SameCameraRule = Literal["drop_same_identity", "drop_camera", "keep"]

_CHOICES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "ap": get_args(ApRule),
        "junk": get_args(JunkRule),
        "distractors": get_args(DistractorRule),
        "unmatched": get_args(UnmatchedRule),
        "ties": get_args(TieRule),
        "same_camera": get_args(SameCameraRule),
    }
)


@dataclass(frozen=True, slots=True)
class Protocol:
    """How a ranking is scored. The defaults are the Market-1501 protocol with the step-sum AP.

    Attributes:
        name: For reports only; it decides nothing.
        ap: "step" averages the precision at each match's rank (what nearly all Python evaluators report).
            "trapezoid" averages the precision before and after each match, with precision 1 before rank 1:
            the rule of the Oxford buildings benchmark and of the original Market-1501 MATLAB code. It never
            exceeds the step sum; matches at ranks 2 and 4 give 0.50 and 0.33.
        junk: What gallery images with pid -1 are. "drop": neither match nor mismatch, out of every ranking.
            "negative": they stay and count as mismatches, and a query with pid -1 matches them; this is what
            evaluators do that leave dropping to the data set reader.
        distractors: What gallery images with pid 0 are. "keep": an identity like any other, so a mismatch for
            every query except those with pid 0 themselves (MSMT17 numbers real people from 0). "drop": out.
        unmatched: A query without a true match in its kept gallery is left out of every mean ("skip") or
            counts as 0 in CMC, mAP and mINP ("zero").
        ties: Order of equal distances. "stable" is gallery order, "reversed" is reverse gallery order,
            "optimistic" puts matches before mismatches, "pessimistic" after them.
        same_camera: "drop_same_identity" drops gallery images with the query's pid and camera.
            "drop_camera" drops every gallery image of the query's camera. "keep" drops nothing, for data from
            one camera; then images of one pass of a person match each other, which is far easier, so such
            numbers must not be compared with cross-camera ones.
        single_gallery_shot: CMC from one random kept gallery image per identity, averaged over ``repeats``
            draws per query (CUHK03 classic). AP and INP stay those of the whole kept gallery, as in
            Torchreid; papers with this protocol report no mAP.
        repeats: Draws per query for ``single_gallery_shot``.
        seed: Seed of those draws. A draw depends on (seed, query index, repeat, pid) alone, not on block size
            or machine.
    """

    name: str = "custom"
    ap: ApRule = "step"
    junk: JunkRule = "drop"
    distractors: DistractorRule = "keep"
    unmatched: UnmatchedRule = "skip"
    ties: TieRule = "stable"
    same_camera: SameCameraRule = "drop_same_identity"
    single_gallery_shot: bool = False
    repeats: int = 10
    seed: int = 0

    def __post_init__(self) -> None:
        for field_name, allowed in _CHOICES.items():
            value = getattr(self, field_name)
            if value not in allowed:
                raise InputError(f"Protocol {field_name} is {value!r}, expected one of {', '.join(allowed)}.")
        if not 1 <= self.repeats <= 10_000:
            raise InputError(f"Protocol repeats is {self.repeats}, expected 1 to 10000 draws per query.")
        if not 0 <= self.seed < 2**63:
            raise InputError(f"Protocol seed is {self.seed}, expected 0 to 2**63 - 1.")

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; ``Protocol(**values)`` gives the protocol back."""
        return asdict(self)


MARKET1501 = Protocol(name="market1501")
"""Market-1501 (Zheng et al., ICCV 2015): junk dropped, distractors kept, same pid and camera dropped, step
AP, unmatched queries skipped, ties in gallery order. For data without pid -1 it equals Torchreid's result."""

TORCHREID = Protocol(name="torchreid", junk="negative")
"""KaiyangZhou/deep-person-reid, torchreid/metrics/rank.py (and reid-strong-baseline, BoxMOT): pid -1 is for
the data set to remove and otherwise a mismatch. Its sort is unstable; ours keeps gallery order. Its Cython
version reads values of the query before when a kept gallery is shorter than max_rank; ours does not."""

FASTREID = Protocol(name="fastreid", junk="negative")
"""JDAI-CV/fast-reid, fastreid/evaluation/rank.py: Torchreid's rules, and the mINP of AGW (TPAMI 2021)."""

MATLAB = Protocol(name="matlab", ap="trapezoid", unmatched="zero")
"""The original Market-1501 and CUHK03-NP code, zhunzhong07/person-re-ranking, evaluation/utils/evaluation.m
and compute_AP.m: trapezoid AP, junk dropped, means over all queries, stable ascending sort."""

LAYUMI = Protocol(name="layumi", ap="trapezoid", unmatched="zero", ties="reversed")
"""layumi/Person_reID_baseline_pytorch, evaluate_gpu.py: as MATLAB, but sorts similarity upwards and reverses,
so equal ones come out in reverse gallery order."""

CUHK03_CLASSIC = Protocol(name="cuhk03_classic", junk="negative", single_gallery_shot=True)
"""Torchreid's ``eval_cuhk03`` (use_metric_cuhk03): single gallery shot, 10 draws per query, same pid and
camera dropped. CUHK03's own 20 splits are averaged by the caller."""

OPENREID_CUHK03 = Protocol(
    name="openreid_cuhk03", junk="negative", same_camera="drop_camera", single_gallery_shot=True
)
"""Cysu/open-reid, reid/evaluation_metrics/ranking.py with its "cuhk03" settings: the whole camera of the
query is dropped before the draw. Its mAP comes from another function with Market-1501's camera rule; ours
uses one rule for all metrics."""

SINGLE_CAMERA = Protocol(name="single_camera", same_camera="keep")
"""Market-1501's rules without the camera rule, for data from one camera. Not comparable with the others."""

PROTOCOLS: Mapping[str, Protocol] = MappingProxyType(
    {
        preset.name: preset
        for preset in (
            MARKET1501,
            TORCHREID,
            FASTREID,
            MATLAB,
            LAYUMI,
            CUHK03_CLASSIC,
            OPENREID_CUHK03,
            SINGLE_CAMERA,
        )
    }
)
"""All presets by name, for command lines and pages."""


def protocol_named(name: str) -> Protocol:
    """The preset called ``name``.

    Raises:
        InputError: There is none.
    """
    if name not in PROTOCOLS:
        raise InputError(f"There is no protocol {name!r}; expected one of {', '.join(PROTOCOLS)}.")
    return PROTOCOLS[name]
