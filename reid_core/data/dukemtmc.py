"""DukeMTMC-reID (Ristani et al. 2016; Zheng et al., ICCV 2017), for those who lawfully have a copy.

Market-1501's folders; names like ``0005_c2_f0046985.jpg``: identity, camera, frame. Duke University withdrew
the data in 2019; ``facts.TERMS`` says what that means, and every opened copy carries it in its notes.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from reid_core.data.facts import terms_notes
from reid_core.data.market1501 import ParsedName, read_split_folders
from reid_core.types import Dataset

FRAMES_PER_SECOND = 60_000 / 1001
"""DukeMTMC's cameras record 59.94 frames a second."""

_NAME = re.compile(r"(?P<pid>\d{1,9})_c(?P<camid>\d{1,4})_f(?P<frame>\d{1,12})(?:_.*)?", re.ASCII | re.S)


def parse_duke_name(file_name: str) -> ParsedName | None:
    """Labels in a DukeMTMC-reID file name, or None."""
    match = _NAME.fullmatch(file_name.partition(".")[0])
    if match is None:
        return None
    return ParsedName(int(match["pid"]), int(match["camid"]), int(match["frame"]) / FRAMES_PER_SECOND)


def read_dukemtmc(root: str | Path) -> Dataset:
    """Read the folder that holds ``bounding_box_train``, ``query`` and ``bounding_box_test``.

    Raises:
        DatasetError: None of the folders is there, or no name in them is one of DukeMTMC-reID.
    """
    base = Path(root).expanduser().absolute()
    dataset = read_split_folders(base, parse_duke_name, convention="0005_c2_f0046985.jpg")
    clock = "Times are frame number / 59.94 on each camera's own clock; the cameras did not start together."
    return replace(dataset, notes=(*terms_notes("dukemtmc"), clock, *dataset.notes))
