"""What whoever waits is told: what is done, for how long already, and about how long it takes."""

from __future__ import annotations


def describe_wait(what: str, *, passed_s: float, usual_s: float) -> str:
    """E.g. "Comparing 16,000 crops with one another: 4 s, about 6 s in all.".

    Args:
        what: What is done, without an end.
        usual_s: How long it takes on two cores with nothing else to do; busy ones take up to three times as
            long.
    """
    usual_s = max(1.0, usual_s)
    if passed_s <= usual_s:
        return f"{what}: {passed_s:.0f} s, about {usual_s:.0f} s in all."
    return f"{what}: {passed_s:.0f} s; about {usual_s:.0f} s is usual where nothing else runs."
