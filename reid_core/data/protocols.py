"""Open a known data set by the name of its protocol, split by split, checked against published counts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType

from reid_core.data import layouts
from reid_core.data.cuhk03 import NUM_CLASSIC_SPLITS, Boxes, Splits, read_cuhk03
from reid_core.data.dukemtmc import read_dukemtmc
from reid_core.data.facts import compare_with_facts, terms_notes
from reid_core.data.grid import NUM_SPLITS as NUM_GRID_SPLITS
from reid_core.data.grid import read_grid
from reid_core.data.market1501 import read_market1501
from reid_core.data.msmt17 import read_msmt17
from reid_core.data.viper import NUM_SPLITS as NUM_VIPER_SPLITS
from reid_core.data.viper import read_viper
from reid_core.errors import DatasetError, InputError
from reid_core.types import Dataset

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class DataProtocol:
    """A published way to use a data set.

    Attributes:
        name: What ``open_protocol`` takes.
        dataset: Key of the data set in ``facts.TERMS``; also the name of its layout.
        num_splits: Report the mean over that many.
        scoring: Name of the evaluation preset that published numbers use.
        facts: Key of the published counts in ``facts.FACTS``.
        read: (root, split, progress) to the data set.
        recognise: Whether a folder is its root.
    """

    name: str
    dataset: str
    num_splits: int
    scoring: str
    facts: str
    read: Callable[[Path, int, Progress | None], Dataset]
    recognise: layouts.Recogniser


def open_protocol(
    name: str, root: str | Path, *, split: int = 0, strict: bool = False, progress: Progress | None = None
) -> Dataset:
    """Open one split of a known data set; its notes hold terms, choices, and how its counts differ from
    published.

    Args:
        name: One of ``protocol_names()``.
        root: The data set's folder, or the one above it.
        split: 0 to ``num_splits(name) - 1``.
        strict: Raise when anything is refused or a published count differs.
        progress: Called with (done, total) while CUHK03's .mat is unpacked; other readers take no time.

    Raises:
        InputError: Unknown name, or no such split.
        DatasetError: It is not there, or (strict) not complete.
    """
    protocol = get_protocol(name)
    if not 0 <= split < protocol.num_splits:
        raise InputError(f"{name} has splits 0 to {protocol.num_splits - 1}, not {split}.")
    source = Path(root).expanduser().absolute()
    if not source.exists():
        raise DatasetError(f"{source} does not exist. Check the path.")
    found = layouts.find_root(source, protocol.recognise)
    # Without a match the reader itself is asked: its error says what it looked for.
    dataset = protocol.read(found[0] if found else source, split, progress)
    differences = compare_with_facts(dataset, protocol.facts)
    if strict and (differences or dataset.refused):
        first = differences[0] if differences else f"{dataset.refused[0].item}: {dataset.refused[0].reason}."
        raise DatasetError(
            f"{dataset.root} is not a complete {name}: {first} Open it without strict to use it as it is."
        )
    return replace(dataset, name=name, notes=(*dataset.notes, *differences))


def num_splits(name: str) -> int:
    """How many splits a protocol has; published numbers are means over all of them.

    Raises:
        InputError: Unknown name.
    """
    return get_protocol(name).num_splits


def protocol_names() -> tuple[str, ...]:
    """The names that ``open_protocol`` takes."""
    return tuple(PROTOCOLS)


def get_protocol(name: str) -> DataProtocol:
    """The protocol of that name.

    Raises:
        InputError: Unknown name.
    """
    if name not in PROTOCOLS:
        raise InputError(f"Unknown protocol {name!r}; choose one of {', '.join(PROTOCOLS)}.")
    return PROTOCOLS[name]


def _read_market(root: Path, split: int, progress: Progress | None, *, distractors: bool) -> Dataset:
    dataset = read_market1501(root, distractors=distractors)
    return replace(dataset, notes=(*terms_notes("market1501"), *dataset.notes))


def _read_duke(root: Path, split: int, progress: Progress | None) -> Dataset:
    return read_dukemtmc(root)


def _read_cuhk03(
    root: Path, split: int, progress: Progress | None, *, boxes: Boxes, splits: Splits
) -> Dataset:
    return read_cuhk03(root, boxes=boxes, splits=splits, split=split, progress=progress)


def _read_msmt17(
    root: Path, split: int, progress: Progress | None, *, with_val: bool, version: str | None
) -> Dataset:
    return read_msmt17(root, with_val=with_val, version=version)


def _read_viper(root: Path, split: int, progress: Progress | None) -> Dataset:
    return read_viper(root, split=split)


def _read_grid(root: Path, split: int, progress: Progress | None) -> Dataset:
    return read_grid(root, split=split)


def _market(name: str, *, distractors: bool) -> DataProtocol:
    read = partial(_read_market, distractors=distractors)
    return DataProtocol(name, "market1501", 1, "market1501", name, read, layouts.recognise_market1501)


def cuhk03_protocol_name(boxes: Boxes, splits: Splits) -> str:
    """The protocol that reads these boxes and splits of CUHK03."""
    return f"cuhk03-{boxes}" if splits == "new" else f"cuhk03-classic-{boxes}"


def _cuhk03(boxes: Boxes, splits: Splits) -> DataProtocol:
    name = cuhk03_protocol_name(boxes, splits)
    classic = splits == "classic"
    read = partial(_read_cuhk03, boxes=boxes, splits=splits)
    scoring = "cuhk03_classic" if classic else "market1501"
    count = NUM_CLASSIC_SPLITS if classic else 1
    return DataProtocol(name, "cuhk03", count, scoring, name, read, layouts.recognise_cuhk03)


def _msmt17(name: str, *, with_val: bool, version: str | None) -> DataProtocol:
    read = partial(_read_msmt17, with_val=with_val, version=version)
    facts = "msmt17+val" if with_val else "msmt17"
    return DataProtocol(name, "msmt17", 1, "market1501", facts, read, layouts.recognise_msmt17)


PROTOCOLS: Mapping[str, DataProtocol] = MappingProxyType(
    {
        protocol.name: protocol
        for protocol in (
            _market("market1501", distractors=False),
            _market("market1501+500k", distractors=True),
            DataProtocol(
                "dukemtmc", "dukemtmc", 1, "market1501", "dukemtmc", _read_duke, layouts.recognise_dukemtmc
            ),
            _cuhk03("detected", "new"),
            _cuhk03("labeled", "new"),
            _cuhk03("detected", "classic"),
            _cuhk03("labeled", "classic"),
            _msmt17("msmt17", with_val=False, version=None),
            _msmt17("msmt17+val", with_val=True, version=None),
            _msmt17("msmt17-v2", with_val=False, version="v2"),
            _msmt17("msmt17-v2+val", with_val=True, version="v2"),
            DataProtocol(
                "viper",
                "viper",
                NUM_VIPER_SPLITS,
                "market1501",
                "viper",
                _read_viper,
                layouts.recognise_viper,
            ),
            DataProtocol(
                "grid", "grid", NUM_GRID_SPLITS, "market1501", "grid", _read_grid, layouts.recognise_grid
            ),
        )
    }
)
"""All protocols by name. For each data set the first is what ``open_dataset`` takes when nobody says."""
