"""From the identity graph to numbered identities: who keeps a number, who gets a new one, who must wait."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from reid_core.annotation import Answer, Decision, IdentityGraph, identity_node
from reid_core.retraining.pools import PoolCrop
from reid_core.types import JUNK_PID

CONTESTED = "judgements contradict each other"
ONE_UNSURE = "hangs on one unsure judgement"
TAKEN_OUT_UNSURE = "taken out of its identity by unsure judgements alone"


@dataclass(frozen=True, slots=True)
class Person:
    """One identity of the graph. ``quarantine`` is the reason to wait, "" if there is none.

    ``judged`` are its crops that a judgement in force names; ``is_judged`` also counts judgements on the
    identity as a whole.
    """

    pid: int
    crops: tuple[str, ...]
    base_pids: Mapping[int, int]
    judged: frozenset[str]
    is_judged: bool
    quarantine: str = ""


@dataclass(frozen=True)
class People:
    """Everybody, and the crops of nobody in particular (junk, distractors, unknown people).

    ``background`` leads from such a crop to its reason to wait, "" if there is none. ``aliases`` leads from a
    number that nobody carries any more to the identity that most of its crops went to; ``retired`` are those
    numbers.
    """

    persons: tuple[Person, ...]
    background: Mapping[str, str]
    aliases: Mapping[int, int]
    retired: tuple[int, ...]


def number_people(
    graph: IdentityGraph, crops: Mapping[str, PoolCrop], *, taken_pids: Collection[int] = ()
) -> People:
    """Give every identity of ``graph`` a number.

    The label that most of its crops came with, ties to the lowest; of several identities with one label the
    largest keeps it and the others get new numbers, above every number in use. A single junk, distractor or
    unknown crop stays what it is, and so does junk that was joined to junk; one that a judgement joined to a
    person becomes that person.

    Args:
        graph: The current identities.
        crops: Of the pools that may change, by id. Nodes of the graph that are not in it are passed over.
        taken_pids: Numbers of others, e.g. of the locked test.
    """
    waiting = _quarantined(graph)
    judged_nodes = {node for d in graph.active() if d.answer is not Answer.CANNOT_TELL for node in d.pair}
    groups: list[tuple[str, ...]] = []
    background: dict[str, str] = {}
    for group in graph.identities():
        known = tuple(crop for crop in group if crop in crops)
        if not known:
            continue
        labels = {crops[crop].pid for crop in known}
        is_nobody = len(known) == 1 and not _is_person(crops[known[0]].pid)
        if is_nobody or labels == {JUNK_PID}:
            reason = waiting.get(graph.component(known[0]), "")
            background.update(dict.fromkeys(known, reason))
        else:
            groups.append(known)
    numbers = _assign(groups, crops, taken_pids)
    persons = []
    for group, pid in zip(groups, numbers, strict=True):
        counts = Counter(label for crop in group if _is_person(label := crops[crop].pid))
        nodes = {*group, *(identity_node(p) for p in graph.pids(group[0]))}
        persons.append(
            Person(
                pid=pid,
                crops=group,
                base_pids={int(p): n for p, n in sorted(counts.items()) if p is not None},
                judged=frozenset(group) & judged_nodes,
                is_judged=bool(nodes & judged_nodes),
                quarantine=waiting.get(graph.component(group[0]), ""),
            )
        )
    aliases, retired = _follow(persons)
    return People(tuple(sorted(persons, key=lambda p: p.pid)), background, aliases, retired)


def _is_person(pid: int | None) -> bool:
    return pid is not None and pid > 0


def _assign(
    groups: list[tuple[str, ...]], crops: Mapping[str, PoolCrop], taken: Collection[int]
) -> list[int]:
    claims: dict[int, list[tuple[int, str, int]]] = defaultdict(list)
    for number, group in enumerate(groups):
        counts = Counter(pid for crop in group if (pid := crops[crop].pid) is not None and pid > 0)
        if counts:
            most = max(counts.values())
            wanted = min(pid for pid, count in counts.items() if count == most)
            claims[wanted].append((-counts[wanted], group[0], number))
    found: dict[int, int] = {min(claim)[2]: pid for pid, claim in claims.items()}
    labels = [pid for crop in crops.values() if (pid := crop.pid) is not None]
    fresh = max([0, *labels, *taken]) + 1
    for number in sorted(set(range(len(groups))) - found.keys(), key=lambda n: groups[n][0]):
        found[number] = fresh
        fresh += 1
    return [found[number] for number in range(len(groups))]


def _follow(persons: list[Person]) -> tuple[dict[int, int], tuple[int, ...]]:
    """Where the crops of every number that nobody carries any more went."""
    carried = {person.pid for person in persons}
    went: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for person in persons:
        for pid, count in person.base_pids.items():
            if pid not in carried:
                went[pid].append((-count, person.pid))
    aliases = {pid: min(targets)[1] for pid, targets in sorted(went.items())}
    return aliases, tuple(aliases)


def _quarantined(graph: IdentityGraph) -> dict[int, str]:
    """Per component of the graph why it must wait."""
    found: dict[int, str] = {}
    for conflict in graph.conflicts():
        for node in (*conflict.decision.pair, *conflict.against.pair):
            found[graph.component(node)] = CONTESTED
    decisions = {d.decision_id: d for d in graph.active()}
    touched = {graph.component(node) for d in decisions.values() for node in d.pair}
    representative = {graph.component(node): node for d in decisions.values() for node in d.pair}
    for component in touched - found.keys():
        bridges = graph.bridges(representative[component])
        if any(link.decision_id and not decisions[link.decision_id].is_sure for link in bridges):
            found[component] = ONE_UNSURE
    for component in _parted_unsurely(graph, decisions):
        found.setdefault(component, TAKEN_OUT_UNSURE)
    return found


def _parted_unsurely(graph: IdentityGraph, decisions: Mapping[str, Decision]) -> set[int]:
    """Components with a crop that left its label, where no sure judgement keeps the two apart."""
    contested = {c.decision.decision_id for c in graph.conflicts()}
    surely = {
        frozenset((graph.component(d.left), graph.component(d.right)))
        for d in decisions.values()
        if d.answer is Answer.DIFFERENT and d.is_sure and d.decision_id not in contested
    }
    unsurely = {
        frozenset((graph.component(d.left), graph.component(d.right)))
        for d in decisions.values()
        if d.answer is Answer.DIFFERENT and not d.is_sure and d.decision_id not in contested
    }
    found = set()
    for crop in graph.displaced():
        own = graph.component(crop)
        if any(own in pair for pair in unsurely) and not any(own in pair for pair in surely):
            found.add(own)
    return found
