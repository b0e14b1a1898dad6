"""Open any data set: recognise its layout, say why in the notes, list what was refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path

from reid_core.data import layouts
from reid_core.data.cuhk03 import available_protocols
from reid_core.data.folder import read_by_regex, read_flat_folder, read_identity_folders, read_named_images
from reid_core.data.manifest import read_manifest
from reid_core.data.market1501 import read_market1501, split_folders_in
from reid_core.data.protocols import PROTOCOLS, Progress, cuhk03_protocol_name, get_protocol, open_protocol
from reid_core.errors import DatasetError, InputError
from reid_core.types import Dataset

AUTO = "auto"
_MAX_DESCENT = 3
_DISTINCT_LAYOUTS = frozenset({"cuhk03", "msmt17", "viper", "grid", "dukemtmc", "market1501"})
"""Layouts clear enough to be looked for beside other files and folders, too."""


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """Choices of single layouts; ``None`` means the default. ``progress`` and ``strict`` are for all."""

    protocol: str | None = None
    split: int | None = None
    distractors: bool | None = None
    pattern: str | None = None
    frame_rate: float | None = None
    progress: Progress | None = None
    strict: bool = False


@dataclass(frozen=True, slots=True)
class Layout:
    """One way in which a data set can lie on disk.

    ``recognise`` returns why a folder looks like it, or None. ``options`` names the choices that apply.
    """

    name: str
    summary: str
    recognise: layouts.Recogniser
    read: Callable[[Path, ReadOptions], Dataset]
    options: tuple[str, ...] = ()


def open_dataset(
    path: str | Path,
    layout: str = AUTO,
    *,
    strict: bool = False,
    protocol: str | None = None,
    split: int | None = None,
    distractors: bool | None = None,
    pattern: str | None = None,
    frame_rate: float | None = None,
    progress: Progress | None = None,
) -> Dataset:
    """Open a data set; pixels are not read (except to unpack CUHK03's original .mat, once).

    Args:
        path: Its folder, or a ``.csv`` or ``.parquet`` manifest. Unpack a zip with ``extract_archive``.
        layout: A name of ``layout_names()``, or ``auto``.
        strict: Raise when anything is refused, instead of listing it.
        protocol: A name of ``protocol_names()``, for known data sets: which boxes, lists or version to use.
        split: Which split of that protocol, from 0.
        distractors: ``market1501``: add the +500k distractors to the gallery.
        pattern: ``regex``: see ``read_by_regex``. A pattern without a layout means ``regex``.
        frame_rate: ``regex``: see ``read_by_regex``.
        progress: Called with (done, total) by steps that take time.

    Raises:
        DatasetError: Nothing there, nothing readable, or (strict) something refused.
        InputError: Unknown layout or protocol, or an option that does not belong to the layout.
    """
    source = Path(path).expanduser().absolute()
    if not source.exists():
        raise DatasetError(f"{source} does not exist. Check the path.")
    options = ReadOptions(protocol, split, distractors, pattern, frame_rate, progress, strict)
    chosen, root, reasons = _choose_layout(source, layout, options)
    _check_options(chosen, options)
    dataset = chosen.read(root, options)
    if strict and dataset.refused:
        first = dataset.refused[0]
        raise DatasetError(
            f"{source}: {len(dataset.refused)} items cannot be read, first {first.item}: {first.reason}. "
            "Mend them, or open the data set without strict."
        )
    return replace(dataset, notes=(*reasons, *dataset.notes))


def layout_names() -> tuple[str, ...]:
    """What ``layout`` accepts besides ``auto``, in the order in which they are tried."""
    return tuple(layout.name for layout in LAYOUTS)


def _choose_layout(source: Path, name: str, options: ReadOptions) -> tuple[Layout, Path, tuple[str, ...]]:
    if name == AUTO and options.protocol is not None:
        name = get_protocol(options.protocol).dataset
    if name == AUTO and options.pattern is not None:
        name = "regex"
    if name == AUTO:
        return _find_layout(source)
    layout = _layout(name)
    return layout, *_locate(source, layout)


def _layout(name: str) -> Layout:
    for layout in LAYOUTS:
        if layout.name == name:
            return layout
    raise InputError(f"Unknown layout {name!r}; choose auto or one of {', '.join(layout_names())}.")


def _check_options(layout: Layout, options: ReadOptions) -> None:
    for option in fields(options):
        if option.name in {"strict", "progress"} or option.name in layout.options:
            continue
        if getattr(options, option.name) is not None:
            raise InputError(
                f"Option {option.name!r} does not belong to layout {layout.name!r}; leave it out."
            )


def _locate(source: Path, layout: Layout) -> tuple[Path, tuple[str, ...]]:
    """Where in ``source`` a data set of that layout lies; ``source`` itself if the reader shall complain."""
    root = source
    for _ in range(_MAX_DESCENT):
        found = layouts.find_root(root, layout.recognise)
        if found is not None:
            return found[0], _where(source, found[0])
        inner = layouts.only_folder(root)
        if inner is None:
            break
        root = inner
    return source, ()


def _find_layout(source: Path) -> tuple[Layout, Path, tuple[str, ...]]:
    """The first layout that fits ``source``, or the only folder in it; the folder that fits; and why."""
    root = source
    for _ in range(_MAX_DESCENT):
        for layout in LAYOUTS:
            reason = layout.recognise(root)
            if reason is not None:
                return layout, root, _explain(layout, source, root, reason)
        inner = layouts.only_folder(root)
        if inner is None:
            break
        root = inner
    if source.is_file():
        raise DatasetError(
            f"{source} is a file, but no .csv or .parquet manifest. Give a folder; unpack an archive first."
        )
    for layout in (layout for layout in LAYOUTS if layout.name in _DISTINCT_LAYOUTS):
        found = layouts.find_root(source, layout.recognise)
        if found is not None:
            return layout, found[0], _explain(layout, source, *found)
    flat = _layout("flat")
    return flat, source, _explain(flat, source, source, "no known structure was found")


def _explain(layout: Layout, source: Path, root: Path, reason: str) -> tuple[str, ...]:
    return f"Read as {layout.name} ({layout.summary}) because {reason}.", *_where(source, root)


def _where(source: Path, root: Path) -> tuple[str, ...]:
    if root == source:
        return ()
    return (f"The data set lies in {root.relative_to(source).as_posix()}/, so paths count from there.",)


def _read_manifest(root: Path, options: ReadOptions) -> Dataset:
    source = root if root.is_file() else layouts.find_manifest(root)
    if source is None:
        raise DatasetError(
            f"{root} has no manifest.csv, manifest.parquet or single other table with a column 'path'; write "
            "one or choose another layout."
        )
    return read_manifest(source, strict=options.strict)


def _read_market(root: Path, options: ReadOptions) -> Dataset:
    """Market-1501 itself gets its terms and counts; what only has its layout does not."""
    if options.protocol is not None or _is_market_itself(root):
        name = options.protocol or ("market1501+500k" if options.distractors else "market1501")
        return _read_known("market1501", root, replace(options, protocol=name))
    return read_market1501(root, distractors=bool(options.distractors))


def _is_market_itself(root: Path) -> bool:
    is_named = any("market" in part.lower() for part in root.parts[-2:])
    return is_named and "bounding_box_test" in split_folders_in(root)


def _read_known(dataset: str, root: Path, options: ReadOptions) -> Dataset:
    name = options.protocol or _default_protocol(dataset, root)
    if get_protocol(name).dataset != dataset:
        raise InputError(f"Protocol {name!r} is not one of {dataset!r}; leave out layout or protocol.")
    opened = open_protocol(name, root, split=options.split or 0, progress=options.progress)
    if options.protocol is not None:
        return opened
    others = [p.name for p in PROTOCOLS.values() if p.dataset == dataset and p.name != name]
    choice = f"Opened by protocol {name}" + (f"; others: {', '.join(others)}." if others else ".")
    return replace(opened, notes=(choice, *opened.notes))


def _default_protocol(dataset: str, root: Path) -> str:
    """The first protocol of a data set; of CUHK03 the first whose files are there."""
    names = [protocol.name for protocol in PROTOCOLS.values() if protocol.dataset == dataset]
    if dataset == "cuhk03":
        there = [cuhk03_protocol_name(boxes, splits) for boxes, splits in available_protocols(root)]
        names = [name for name in names if name in there] or names
    return names[0]


def _read_regex(root: Path, options: ReadOptions) -> Dataset:
    if options.pattern is None:
        raise InputError("Layout 'regex' needs a pattern, such as (?P<pid>\\d+)_c(?P<camid>\\d+).")
    return read_by_regex(
        root, options.pattern, frame_rate=options.frame_rate if options.frame_rate is not None else 1.0
    )


def _never(root: Path) -> str | None:
    return None


def _known(name: str, summary: str, recognise: layouts.Recogniser) -> Layout:
    return Layout(name, summary, recognise, partial(_read_known, name), ("protocol", "split"))


LAYOUTS: tuple[Layout, ...] = (
    Layout("manifest", "CSV or Parquet table", layouts.recognise_manifest, _read_manifest),
    _known("cuhk03", "CUHK03", layouts.recognise_cuhk03),
    _known("msmt17", "MSMT17", layouts.recognise_msmt17),
    _known("viper", "VIPeR", layouts.recognise_viper),
    _known("grid", "QMUL GRID", layouts.recognise_grid),
    _known("dukemtmc", "DukeMTMC-reID", layouts.recognise_dukemtmc),
    Layout(
        "market1501",
        "Market-1501 folders and names",
        layouts.recognise_market1501,
        _read_market,
        ("protocol", "split", "distractors"),
    ),
    Layout(
        "identities",
        "one folder per identity",
        layouts.recognise_identities,
        lambda root, _: read_identity_folders(root),
    ),
    Layout(
        "named",
        "a folder of images with Market-1501 names",
        layouts.recognise_named_images,
        lambda root, _: read_named_images(root),
    ),
    Layout("regex", "paths read by a pattern", _never, _read_regex, ("pattern", "frame_rate")),
    Layout("flat", "images of unknown people", _never, lambda root, _: read_flat_folder(root)),
)
