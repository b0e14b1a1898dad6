"""What the address bar of the Search page holds: read it, check it, write it in one canonical form."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from reid_core.services import FEEDBACK, MAX_K, SearchRequest

DEFAULT_K = 50


@dataclass(frozen=True, slots=True)
class SearchAddress:
    """The state of the Search page, and what had to be set right in it.

    ``same_camera`` means that images of the query's person from the query's own camera are shown as well.
    ``problems`` are sentences on values that could not be used; the defaults took their place.
    """

    query_id: str = ""
    gallery: str = ""
    model: str = ""
    k: int = DEFAULT_K
    cameras: tuple[int, ...] = ()
    time_from_s: float | None = None
    time_to_s: float | None = None
    same_camera: bool = False
    rerank: bool = False
    expand: bool = False
    feedback: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()

    def request(self) -> SearchRequest:
        """The same as a request to the services."""
        return SearchRequest(
            query_id=self.query_id,
            gallery=self.gallery,
            model=self.model,
            k=self.k,
            cameras=self.cameras,
            time_from_s=self.time_from_s,
            time_to_s=self.time_to_s,
            exclude_same_camera=not self.same_camera,
            rerank=self.rerank,
            expand=self.expand,
            feedback=self.feedback,
        )

    def params(self) -> dict[str, str]:
        """Canonical address parameters; what has its default value is left out."""
        values = {
            "q": self.query_id,
            "g": self.gallery,
            "m": self.model,
            "k": str(self.k),
            "cam": ",".join(str(camera) for camera in self.cameras),
            "from": _number_text(self.time_from_s),
            "to": _number_text(self.time_to_s),
            "same": "1" if self.same_camera else "",
            "rerank": "1" if self.rerank else "",
            "expand": "1" if self.expand else "",
            "fb": ",".join(self.feedback),
        }
        return {name: value for name, value in values.items() if value}


def read_address(params: Mapping[str, object]) -> SearchAddress:
    """Read address parameters. A value that makes no sense is named in ``problems``, never guessed."""
    problems: list[str] = []
    words = {name: str(value).strip() for name, value in params.items() if value is not None}
    time_from_s = _read_time(words.get("from", ""), "from", problems)
    time_to_s = _read_time(words.get("to", ""), "to", problems)
    if time_from_s is not None and time_to_s is not None and time_from_s > time_to_s:
        problems.append(
            f"The time window from {time_from_s:g} s to {time_to_s:g} s is empty; it was left out."
        )
        time_from_s = time_to_s = None
    return SearchAddress(
        query_id=words.get("q", ""),
        gallery=words.get("g", ""),
        model=words.get("m", ""),
        k=_read_k(words.get("k", ""), problems),
        cameras=_read_cameras(words.get("cam", ""), problems),
        time_from_s=time_from_s,
        time_to_s=time_to_s,
        same_camera=words.get("same") == "1",
        rerank=words.get("rerank") == "1",
        expand=words.get("expand") == "1",
        feedback=_read_feedback(words.get("fb", ""), problems),
        problems=tuple(problems),
    )


def _read_k(text: str, problems: list[str]) -> int:
    if not text:
        return DEFAULT_K
    if text.isascii() and text.isdigit() and 1 <= int(text[:6]) <= MAX_K:
        return int(text)
    problems.append(f"The link asks for {text[:20]!r} matches; expected 1 to {MAX_K}. {DEFAULT_K} are shown.")
    return DEFAULT_K


def _read_cameras(text: str, problems: list[str]) -> tuple[int, ...]:
    words = [word for word in text.replace(" ", "").split(",") if word]
    good = [word for word in words if word.isascii() and word.isdigit() and len(word) < 10]
    if len(good) < len(words):
        problems.append(f"The link names the cameras {text[:40]!r}; expected numbers such as 1,3.")
    return tuple(sorted({int(word) for word in good}))


def _read_feedback(text: str, problems: list[str]) -> tuple[str, ...]:
    words = [word for word in text.replace(" ", "").split(",") if word]
    if not set(words) <= set(FEEDBACK):
        problems.append(
            f"The link asks to use answers by {text[:40]!r}; expected some of {', '.join(FEEDBACK)}."
        )
    return tuple(name for name in FEEDBACK if name in words)


def _read_time(text: str, name: str, problems: list[str]) -> float | None:
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if math.isfinite(value):
        return value
    problems.append(f"The link's {name}={text[:20]!r} is not a number of seconds; it was left out.")
    return None


def _number_text(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}".rstrip("0").rstrip(".")
