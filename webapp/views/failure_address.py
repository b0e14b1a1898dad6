"""Which queries of a run an address asks for: filters, ranking, selection."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from reid_core.services.evaluations import FAILURE_KINDS, UNTAGGED, FailureFilter, RankingName

FILTER_PARAMS = ("cams", "hmin", "hmax", "gmin", "gmax", "apmin", "apmax", "kind", "guess", "missed")
"""Address parameters of the filters, in the order in which they are written.

``cams`` is "1-3": queries of camera 1 with a true match in camera 3; "1-" and "-3" leave one side open.
``gmin`` and ``gmax`` are seconds, ``hmin`` and ``hmax`` pixels, ``apmin`` and ``apmax`` fractions. ``kind``
lists failure kinds that people gave, ``guess`` is one that recorded facts suggest. ``missed`` is 1 for
queries whose first image is wrong.
"""


@dataclass(frozen=True, slots=True)
class FailureAddress:
    """A filter as it was understood. What made no sense is named in ``problems`` and left out."""

    wanted: FailureFilter
    params: dict[str, str]
    problems: tuple[str, ...] = ()

    @property
    def is_filtered(self) -> bool:
        """Whether anything is filtered at all."""
        return bool(self.params)


def read_failures(params: Mapping[str, object]) -> FailureAddress:
    """Read the filters of an address."""
    words = {name: str(params.get(name) or "").strip() for name in FILTER_PARAMS}
    problems: list[str] = []

    def number(name: str, highest: float = math.inf) -> float | None:
        text = words[name]
        if not text:
            return None
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if 0 <= value <= highest and math.isfinite(value):
            return value
        problems.append(f"The link's {name}={text[:20]!r} is no number that makes sense; it was left out.")
        words[name] = ""
        return None

    query_camera, match_camera = _read_cameras(words, problems)
    kinds = tuple(kind for kind in words["kind"].split(",") if kind in (*FAILURE_KINDS, UNTAGGED))
    if len(kinds) < len([kind for kind in words["kind"].split(",") if kind]):
        problems.append(f"The link names the failure kinds {words['kind'][:60]!r}; some are not known.")
        words["kind"] = ",".join(kinds)
    guess = next((kind for kind in FAILURE_KINDS if kind == words["guess"]), None)
    if words["guess"] and guess is None:
        problems.append(f"The link asks for the suggestion {words['guess'][:40]!r}, which is not known.")
        words["guess"] = ""
    wanted = FailureFilter(
        query_camera=query_camera,
        match_camera=match_camera,
        height_from=number("hmin"),
        height_to=number("hmax"),
        gap_from_s=number("gmin"),
        gap_to_s=number("gmax"),
        ap_from=number("apmin", 1.0),
        ap_to=number("apmax", 1.0),
        kinds=kinds,
        only_missed=words["missed"] == "1",
        suggested=guess,
    )
    kept = {name: text for name, text in words.items() if text and (name != "missed" or text == "1")}
    return FailureAddress(wanted, kept, tuple(problems))


def read_ranking(text: object) -> RankingName:
    """``reranked`` for that word, else ``plain``."""
    return "reranked" if text == "reranked" else "plain"


def _read_cameras(words: dict[str, str], problems: list[str]) -> tuple[int | None, int | None]:
    text = words["cams"]
    if not text:
        return None, None
    first, dash, second = text.partition("-")
    sides = [side.strip() for side in (first, second)]
    if dash and any(sides) and all(not side or (side.isascii() and side.isdigit()) for side in sides):
        query, match = (int(side[:9]) if side else None for side in sides)
        return query, match
    problems.append(f"The link's cams={text[:20]!r} is not of the form 1-3; it was left out.")
    words["cams"] = ""
    return None, None
