"""Published counts of the known data sets, their terms, and sentences on how a copy differs from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from reid_core.types import DISTRACTOR_PID, JUNK_PID, Dataset, ImageRecord

_NUM_EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class SplitFacts:
    """What one split holds. ``images`` leaves junk (pid -1) out; ``identities`` leaves out junk and
    distractors.

    ``None`` where no source gives the number, or where it differs from split to split.
    """

    identities: int | None
    images: int | None = None
    cameras: int | None = None
    junk: int | None = None
    distractors: int | None = None


@dataclass(frozen=True, slots=True)
class DatasetFacts:
    """Published counts of a protocol's splits, with their source."""

    splits: Mapping[str, SplitFacts]
    source: str


@dataclass(frozen=True, slots=True)
class DatasetTerms:
    """What a person must know before using a data set: who made it and what its terms ask."""

    title: str
    reference: str
    terms: str


_RESEARCH_ONLY = (
    "Given out for academic research only: no commercial use, no passing on. Weights trained on it"
)

TERMS: Mapping[str, DatasetTerms] = MappingProxyType(
    {
        "market1501": DatasetTerms(
            "Market-1501",
            "Zheng et al., Scalable Person Re-identification: A Benchmark, ICCV 2015",
            f"{_RESEARCH_ONLY} are usually held to the same terms. It shows people who were not asked one "
            "by one.",
        ),
        "dukemtmc": DatasetTerms(
            "DukeMTMC-reID",
            "Ristani et al., ECCV workshops 2016; Zheng et al., ICCV 2017",
            "Duke University withdrew DukeMTMC in 2019: students were filmed outdoors and their images put "
            "on an open web site, beyond what its review board had approved, and the authors apologised to "
            "them. It has no legitimate source any more. We neither link nor fetch it. Use a copy only if "
            "your own review allows it, do not pass it on, prefer other data for new work, and say so when "
            "you report numbers.",
        ),
        "cuhk03": DatasetTerms(
            "CUHK03",
            "Li et al., DeepReID, CVPR 2014; new protocol: Zhong et al., Re-ranking, CVPR 2017",
            f"{_RESEARCH_ONLY} are usually held to the same terms.",
        ),
        "msmt17": DatasetTerms(
            "MSMT17",
            "Wei et al., Person Transfer GAN, CVPR 2018",
            f"{_RESEARCH_ONLY} are usually held to the same terms. It is given out on request and under a "
            "signed agreement; version 2 has the faces masked and is the one to prefer where results allow.",
        ),
        "viper": DatasetTerms(
            "VIPeR",
            "Gray et al., Evaluating Appearance Models for Recognition, Reacquisition, and Tracking, PETS "
            "2007",
            "Published for research; the site that held it is gone. Check the terms of your copy.",
        ),
        "grid": DatasetTerms(
            "QMUL GRID",
            "Loy et al., Multi-Camera Activity Correlation Analysis, CVPR 2009",
            "Published for research with people in an underground station. Check the terms of your copy.",
        ),
    }
)
"""Terms by data set. A summary for orientation; the text that came with the data decides."""


def _facts(source: str, **splits: SplitFacts) -> DatasetFacts:
    return DatasetFacts(MappingProxyType(splits), source)


_MARKET_TRAIN, _MARKET_QUERY = SplitFacts(751, 12_936, 6), SplitFacts(750, 3_368, 6)
_MARKET_SOURCE = (
    "Market-1501 paper and readme (ICCV 2015): 19,732 test images = 13,115 + 2,798 distractors + 3,819 junk"
)
_MSMT_QUERY, _MSMT_GALLERY = SplitFacts(3_060, 11_659, 15), SplitFacts(3_060, 82_161, 15)
_CUHK_NEW = "CUHK03-NP readme and its two config files (Zhong et al., CVPR 2017)"
_CUHK_CLASSIC = "DeepReID (CVPR 2014): 20 test sets of 100 of the 1,467 identities in cuhk-03.mat"
_VIPER_TEST = SplitFacts(316, 316, 1)
_CLASSIC_TEST = SplitFacts(100, cameras=2)

FACTS: Mapping[str, DatasetFacts] = MappingProxyType(
    {
        "market1501": _facts(
            _MARKET_SOURCE,
            train=_MARKET_TRAIN,
            query=_MARKET_QUERY,
            gallery=SplitFacts(750, 15_913, 6, junk=3_819, distractors=2_798),
        ),
        "market1501+500k": _facts(
            _MARKET_SOURCE,
            train=_MARKET_TRAIN,
            query=_MARKET_QUERY,
            gallery=SplitFacts(750, junk=3_819),
        ),
        "dukemtmc": _facts(
            "DukeMTMC-reID readme (Zheng et al., ICCV 2017): 702 + 702 identities, 408 more in the gallery "
            "only",
            train=SplitFacts(702, 16_522, 8),
            query=SplitFacts(702, 2_228, 8),
            gallery=SplitFacts(1_110, 17_661, 8),
        ),
        "cuhk03-detected": _facts(
            _CUHK_NEW,
            train=SplitFacts(767, 7_365, 2),
            query=SplitFacts(700, 1_400, 2),
            gallery=SplitFacts(700, 5_332, 2),
        ),
        "cuhk03-labeled": _facts(
            _CUHK_NEW,
            train=SplitFacts(767, 7_368, 2),
            query=SplitFacts(700, 1_400, 2),
            gallery=SplitFacts(700, 5_328, 2),
        ),
        "cuhk03-classic-detected": _facts(
            _CUHK_CLASSIC, train=SplitFacts(1_367, cameras=2), query=_CLASSIC_TEST, gallery=_CLASSIC_TEST
        ),
        "cuhk03-classic-labeled": _facts(
            _CUHK_CLASSIC, train=SplitFacts(1_367, cameras=2), query=_CLASSIC_TEST, gallery=_CLASSIC_TEST
        ),
        "msmt17": _facts(
            "MSMT17 paper (CVPR 2018); list_train.txt holds 30,248 of the 32,621 training images",
            train=SplitFacts(1_041, 30_248, 15),
            query=_MSMT_QUERY,
            gallery=_MSMT_GALLERY,
        ),
        "msmt17+val": _facts(
            "MSMT17 paper (CVPR 2018): list_train.txt and list_val.txt together hold 32,621 training images",
            train=SplitFacts(1_041, 32_621, 15),
            query=_MSMT_QUERY,
            gallery=_MSMT_GALLERY,
        ),
        "viper": _facts(
            "VIPeR (PETS 2007): 632 people, one image in each of 2 cameras; half of them train",
            train=SplitFacts(316, 632, 2),
            query=_VIPER_TEST,
            gallery=_VIPER_TEST,
        ),
        "grid": _facts(
            "QMUL GRID readme: 250 people in both folders, 775 more images in gallery; 125 people train",
            train=SplitFacts(125, 250),
            query=SplitFacts(125, 125),
            gallery=SplitFacts(125, 900, distractors=775),
        ),
    }
)
"""Published counts by protocol name (``protocols.protocol_names()``)."""


def terms_notes(key: str) -> tuple[str, ...]:
    """The notes on origin and terms that a data set carries wherever it is opened; a key of ``TERMS``."""
    terms = TERMS[key]
    return (f"{terms.title}: {terms.reference}.", terms.terms)


def compare_with_facts(dataset: Dataset, protocol: str) -> tuple[str, ...]:
    """Sentences on every count that differs from the published one; empty when all agree.

    Args:
        dataset: As opened by that protocol.
        protocol: A name in ``FACTS``.
    """
    facts = FACTS[protocol]
    sentences: list[str] = []
    for split, expected in facts.splits.items():
        records = dataset.splits()[split]
        examples = _examples(dataset, split, records)
        for what, published, found in _counts(expected, records):
            if published is not None and published != found:
                sentences.append(_describe(split, what, published, found, examples))
    if sentences:
        sentences.append(f"Source of the expected numbers: {facts.source}.")
    return tuple(sentences)


def _counts(expected: SplitFacts, records: Sequence[ImageRecord]) -> tuple[tuple[str, int | None, int], ...]:
    num_junk = sum(record.pid == JUNK_PID for record in records)
    kept = [record for record in records if record.pid != JUNK_PID]
    pids = {record.pid for record in kept if record.pid is not None and record.pid > 0}
    camids = {record.camid for record in kept if record.camid is not None}
    return (
        ("images", expected.images, len(records) - num_junk),
        ("identities", expected.identities, len(pids)),
        ("cameras", expected.cameras, len(camids)),
        ("junk images", expected.junk, num_junk),
        ("distractors", expected.distractors, sum(record.pid == DISTRACTOR_PID for record in kept)),
    )


def _describe(split: str, what: str, published: int, found: int, examples: str) -> str:
    difference = f"{published - found:,} missing" if found < published else f"{found - published:,} too many"
    tail = f", e.g. {examples}" if examples and what == "images" and found < published else ""
    return f"{split}: {published:,} {what} expected, {found:,} found: {difference}{tail}."


def _examples(dataset: Dataset, split: str, records: Sequence[ImageRecord]) -> str:
    """Refused items of the folders that this split's images lie in."""
    folders = {record.image_id.split("/")[0] for record in records} | {split}
    items = [item.item for item in dataset.refused if item.item.split("/")[0] in folders]
    return ", ".join(items[:_NUM_EXAMPLES])
