"""How times, identities, similarities and counts read on screen. Values in, text out."""

from __future__ import annotations

from datetime import datetime, timezone

from reid_core.types import DISTRACTOR_PID, JUNK_PID

_DAY_S = 86_400
_EPOCH_LIKE_S = 1_000_000_000
"""A clock that reads more than 31 years since its zero is taken for Unix time and shown as a UTC date."""


def format_time(time_s: float | None) -> str:
    """A time on the data set's own clock as ``0:12:34``, with days, or as a UTC date if that large."""
    if time_s is None:
        return "no time"
    if abs(time_s) >= _EPOCH_LIKE_S:
        return datetime.fromtimestamp(time_s, tz=timezone.utc).strftime("%Y-%m-%d %H:%M:%S")
    sign = "-" if round(time_s) < 0 else ""
    days, rest = divmod(abs(round(time_s)), _DAY_S)
    clock = f"{rest // 3600}:{rest % 3600 // 60:02d}:{rest % 60:02d}"
    return f"{sign}{days} d {clock}" if days else f"{sign}{clock}"


def format_duration(seconds: float) -> str:
    """A length of time in at most two units: ``8 s``, ``12 min 34 s``, ``2 h 05 min``, ``3 d 4 h``."""
    whole = round(abs(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    if whole < _DAY_S:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // _DAY_S} d {whole % _DAY_S // 3600} h"


def format_gap(from_s: float | None, to_s: float | None) -> str:
    """How long after ``from_s`` the time ``to_s`` lies; empty where one of them is not known."""
    if from_s is None or to_s is None:
        return ""
    gap = round(to_s - from_s)
    if gap == 0:
        return "at the same time"
    return f"{format_duration(gap)} {'later' if gap > 0 else 'earlier'}"


def is_person(pid: int | None) -> bool:
    """Whether a pid names somebody; junk and distractors do not."""
    return pid is not None and pid > DISTRACTOR_PID


def format_identity(pid: int | None) -> str:
    """Who is in the picture, in the glossary's words."""
    if pid is None:
        return "not known"
    if pid == JUNK_PID:
        return "junk"
    if pid == DISTRACTOR_PID:
        return "distractor"
    return f"person {pid}"


def format_camera(camid: int | None) -> str:
    """``camera 3``, or that it is not known."""
    return "no camera" if camid is None else f"camera {camid}"


def format_similarity(similarity: float) -> str:
    """A cosine with the three digits that tell neighbours apart."""
    return f"{similarity:.3f}"


def format_probability(probability: float | None) -> str:
    """Percent; nearly certain is never shown as certain. Empty where it is not known."""
    if probability is None:
        return ""
    if probability < 0.01:
        return "<1%"
    return ">99%" if probability > 0.99 else f"{probability:.0%}"


def format_count(count: int, noun: str, plural: str = "") -> str:
    """``1 image``, ``1,802 images``."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"
