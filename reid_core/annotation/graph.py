"""Identities as a graph: who is the same person, who is not, and where judgements contradict each other.

Nodes are crops and the data set's identities. Every crop hangs on the identity that its file name gives it by
a *base edge*: an assertion with a prior, not a judgement. A "same" joins two components, a "different" keeps
two components apart. When an answer cannot hold together with what is known:

* If giving up base edges alone is enough, and the person was sure, labels give way: the cheapest minimum cut
  of base edges is taken out, and a crop leaves its identity.
* If judgements contradict each other whatever the labels, nothing is changed. The new judgement is
  *contested* until somebody settles it, and the conflict names the chain of judgements and the weakest cut.

Capacities are log-likelihood ratios (the decision graph of WBIA: Crall, PhD thesis 2017, chapter 5; anchoring
data set labels in it is ours). So a human "different" is never overruled silently, and no merge is guessed.
State is a fold over the decisions in force, in log order. Taking a decision back folds only the region that
it touches again; a property test holds this equal to the fold from scratch.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

import networkx as nx

from reid_core.annotation.decisions import (
    Answer,
    Decision,
    Event,
    Retraction,
    decision_weight,
    event_id,
    identity_node,
    pid_of_node,
)
from reid_core.annotation.event_log import LoggedEvents
from reid_core.annotation.linked_nodes import LinkedNodes
from reid_core.annotation.links import (
    Conflict,
    Consequence,
    Link,
    cut_between,
    label_cut,
    link_key,
    splits_crops,
    total_weight,
)
from reid_core.errors import InputError

DEFAULT_ACCURACY = 0.95
"""Of an annotator without gold answers yet; experts 98, novices 94 percent (Parham, thesis, chapter 5)."""
DEFAULT_LABEL_ERROR = 0.03
"""Assumed share of wrong labels in a data set until an audit has measured it."""


class IdentityGraph(LoggedEvents, LinkedNodes):
    """The current identities, kept up to date event by event.

    Args:
        labels: Data set label of every crop; -1, 0 and None hang on no identity.
        accuracies: Probability of being right per annotator; others get ``DEFAULT_ACCURACY``.
        label_error: Share of labels assumed wrong; the prior of a base edge is ln((1 - e) / e).
        support: Per crop, how well it fits its labelled identity, in [0, 1], e.g. the share of its nearest
            neighbours with the same label. It breaks ties between labels that could give way: the prior is
            multiplied by 0.1 + 0.9 * support.
    """

    def __init__(
        self,
        labels: Mapping[str, int | None],
        *,
        accuracies: Mapping[str, float] | None = None,
        label_error: float = DEFAULT_LABEL_ERROR,
        support: Mapping[str, float] | None = None,
    ) -> None:
        if not 0.0 < label_error < 0.5:
            raise InputError(f"The assumed label error is {label_error}, expected above 0 and below 0.5.")
        self._labels = dict(labels)
        self._accuracies = dict(accuracies or {})
        self._support = dict(support or {})
        self._label_weight = math.log((1.0 - label_error) / label_error)
        self._crops_of_pid: dict[int, list[str]] = defaultdict(list)
        for crop, pid in self._labels.items():
            if pid_of_node(crop) is not None:
                raise InputError(f"A crop cannot be called {crop}; that name stands for an identity.")
            if pid is not None and pid > 0:
                self._crops_of_pid[pid].append(crop)

        LoggedEvents.__init__(self)
        LinkedNodes.__init__(self)
        self._last_touch: dict[str, int] = {}

        self._different: dict[str, dict[str, Decision]] = defaultdict(dict)
        self._unclear: dict[frozenset[str], set[str]] = defaultdict(set)
        self._conflicts: dict[str, Conflict] = {}
        self._start(self.all_nodes())

    # ---- reading -----------------------------------------------------------------------------------------

    def all_nodes(self) -> set[str]:
        """Every crop and every identity of the data set, those that the log alone names included."""
        return {*self._labels, *(identity_node(pid) for pid in self._crops_of_pid)}

    def links(self, node: str) -> tuple[Link, ...]:
        """What holds the identity of ``node`` together: labels first, then judgements in log order."""
        members = self._members[self._component_of(node)]
        found = {link_key(k): k for m in members for k in self._links[m].values()}
        return tuple(sorted(found.values(), key=self._link_order))

    def differences(self, node: str) -> tuple[Decision, ...]:
        """The "different" judgements in effect between the identity of ``node`` and others, in log order."""
        members = self._members[self._component_of(node)]
        found = {d.decision_id: d for m in members for d in self._different[m].values()}
        return tuple(sorted(found.values(), key=lambda d: self._position[d.decision_id]))

    def relation(self, left: str, right: str) -> Answer | None:
        """Same or different by judgement or inference, ``CANNOT_TELL`` if only that was said, else None.

        Labels alone make no two crops different: nobody has compared them.
        """
        if self._component_of(left) == self._component_of(right):
            return Answer.SAME
        if any(True for _ in self._between(self._component_of(left), self._component_of(right))):
            return Answer.DIFFERENT
        return Answer.CANNOT_TELL if self._unclear.get(frozenset((left, right))) else None

    def conflicts(self) -> tuple[Conflict, ...]:
        """Open conflicts, in the order of the contested decisions."""
        return tuple(sorted(self._conflicts.values(), key=lambda c: self._position[c.decision.decision_id]))

    def bridges(self, node: str) -> tuple[Link, ...]:
        """Judgements without which this identity would fall apart into parts that both hold a crop."""
        graph = self._link_graph(self._component_of(node))
        found = []
        for left, right in nx.bridges(graph):
            links: Sequence[Link] = graph[left][right]["links"]
            if len(links) == 1 and links[0].decision_id is not None and splits_crops(graph, left, right):
                found.append(links[0])
        return tuple(sorted(found, key=lambda link: self._position[str(link.decision_id)]))

    def displaced(self) -> tuple[str, ...]:
        """Crops that a judgement took out of their labelled identity, sorted."""
        labelled = ((crop, pid) for pid, crops in self._crops_of_pid.items() for crop in crops)
        return tuple(sorted(crop for crop, pid in labelled if not self._hangs_on(crop, pid)))

    def judged_links(self) -> Iterator[Link]:
        """The "same" judgements in effect, in log order: what people, not labels, hold together."""
        seen = {k.decision_id: k for links in self._links.values() for k in links.values() if k.decision_id}
        yield from (seen[i] for i in sorted(seen, key=lambda i: self._position[str(i)]))

    def separations(self) -> Iterator[tuple[str, str]]:
        """Pairs told apart by a judgement in effect, as nodes."""
        seen = {d.decision_id: d for links in self._different.values() for d in links.values()}
        for decision in sorted(seen.values(), key=lambda d: self._position[d.decision_id]):
            yield decision.left, decision.right

    def revision(self, node: str) -> int:
        """A number that grows whenever something is decided about the identity of ``node``."""
        return max(self._last_touch.get(member, 0) for member in self._members[self._component_of(node)])

    def consequence(self, left: str, right: str, answer: Answer) -> Consequence:
        """What ``answer`` would do now; nothing is changed.

        Raises:
            InputError: Both are the same crop, or one is not known.
        """
        if left == right:
            raise InputError(f"A judgement needs two different crops; {left} came twice.")
        a, b = self._component_of(left), self._component_of(right)
        sizes = len(self.crops(left)), len(self.crops(right))
        if answer is Answer.CANNOT_TELL:
            return Consequence(*sizes, new_pairs=0, overrules_labels=False, conflicts=False)
        if a == b:
            if answer is Answer.SAME:
                return Consequence(*sizes, new_pairs=0, overrules_labels=False, conflicts=False)
            is_free = label_cut(self._link_graph(a), left, right) is not None
            return Consequence(*sizes, new_pairs=0, overrules_labels=is_free, conflicts=not is_free)
        blockers = list(self._between(a, b))
        if answer is Answer.DIFFERENT:
            new_pairs = 0 if blockers else sizes[0] * sizes[1]
            return Consequence(*sizes, new_pairs=new_pairs, overrules_labels=False, conflicts=False)
        if not blockers:
            new_pairs = sizes[0] * sizes[1]
            return Consequence(*sizes, new_pairs=new_pairs, overrules_labels=False, conflicts=False)
        joined = self._joined_graph(a, b, Link(left, right, math.inf, "preview"))
        is_free = all(label_cut(joined, d.left, d.right) is not None for d in blockers)
        return Consequence(*sizes, new_pairs=0, overrules_labels=is_free, conflicts=not is_free)

    # ---- writing -----------------------------------------------------------------------------------------

    def add(self, event: Event) -> Conflict | None:
        """Take one more event in; return the conflict that it opens, if any.

        Raises:
            InputError: Its id is known already, it refers to nothing known, or it names an unknown crop.
        """
        own_id = event_id(event)
        self.check(event)
        target = event.supersedes if isinstance(event, Decision) else event.target_id
        before = self._activity_along(target)
        self._append(event)
        after = self._activity_along(target)
        changed = [self._decision(i) for i in before if before[i] != after[i] and self._is_decision(i)]
        if changed:
            touched = {node for decision in changed for node in decision.pair}
            if isinstance(event, Decision):
                touched |= event.pair
            self._refold(touched)
        elif isinstance(event, Decision):
            self._apply(event)
        if isinstance(event, Decision):
            self._touch(event.pair)
        return self._conflicts.get(own_id)

    def check(self, event: Event, *, earlier: Mapping[str, Event] | None = None) -> None:
        """Raise what ``add`` would raise after the events ``earlier``, by id; change nothing."""
        self.check_references(event, earlier=earlier)
        if isinstance(event, Decision):
            for node in event.pair:
                self._component_of(node)

    def admit(self, nodes: Iterable[str]) -> tuple[str, ...]:
        """Make room for nodes that the log names and the data set lacks (any more); returns the new ones.

        Such a crop hangs on no identity. What was said about it stays true and stays undoable.
        """
        new = sorted(set(nodes) - self._component.keys())
        for node in new:
            pid = pid_of_node(node)
            if pid is None:
                self._labels[node] = None
            else:
                self._crops_of_pid[pid] = []
        self._start(new)
        return tuple(new)

    @classmethod
    def fold(
        cls,
        labels: Mapping[str, int | None],
        log: Iterable[Event],
        *,
        accuracies: Mapping[str, float] | None = None,
        label_error: float = DEFAULT_LABEL_ERROR,
        support: Mapping[str, float] | None = None,
    ) -> IdentityGraph:
        """The graph after a whole log, what it names and ``labels`` lacks admitted; see the constructor."""
        graph = cls(labels, accuracies=accuracies, label_error=label_error, support=support)
        for event in log:
            if isinstance(event, Decision):
                graph.admit(event.pair)
            graph.add(event)
        return graph

    def without(self, taken_back: Iterable[str]) -> IdentityGraph:
        """The part of the graph that some decisions could have influenced, as if they were undone.

        Folding never reaches beyond this part, so what the small graph says of its nodes holds for the whole.

        Args:
            taken_back: Ids of events of this log; each is retracted in the copy.

        Raises:
            InputError: The log holds no such event.
        """
        ids = tuple(dict.fromkeys(taken_back))
        roots = [self._root_of(own_id) for own_id in ids]
        region = self._closed_region({node for root in roots for node in root.pair})
        labels = {node: self._labels[node] for node in region if pid_of_node(node) is None}
        small = IdentityGraph(labels, accuracies=self._accuracies, support=self._support)
        small._label_weight = self._label_weight
        small.admit(region)
        small._start(small.all_nodes())
        for event in self._log:
            if self._root_of(event_id(event)).pair <= region:
                small.add(event)
        for own_id in ids:
            small.add(Retraction(f"{own_id}/preview", own_id, "preview", "1970-01-01T00:00:00Z"))
        return small

    def _closed_region(self, touched: set[str]) -> set[str]:
        """``_region``, and that of whatever decisions in it replaced or were replaced by."""
        replaced = [
            event.pair | self._decision(event.supersedes).pair
            for event in self._log
            if isinstance(event, Decision) and event.supersedes is not None
        ]
        while True:
            region = self._region(touched)
            touched = region.union(*(nodes for nodes in replaced if nodes & region))
            if touched <= region:
                return region

    # ---- folding -----------------------------------------------------------------------------------------

    def _apply(self, decision: Decision) -> None:
        if decision.answer is Answer.CANNOT_TELL:
            self._unclear[decision.pair].add(decision.decision_id)
        elif decision.answer is Answer.SAME:
            self._apply_same(decision)
        else:
            self._apply_different(decision)

    def _apply_same(self, decision: Decision) -> None:
        link = Link(decision.left, decision.right, self._weight(decision), decision.decision_id)
        a, b = self._component_of(decision.left), self._component_of(decision.right)
        blockers = [] if a == b else list(self._between(a, b))
        if blockers:
            joined = self._joined_graph(a, b, link)
            blocked = [d for d in blockers if label_cut(joined, d.left, d.right) is None]
            if blocked or not decision.is_sure:
                self._contest(decision, joined, against=(blocked or blockers)[0])
                return
        self._add_link(link)
        if a != b:
            self._join(a, b)
        for separation in blockers:
            self._part(separation)

    def _apply_different(self, decision: Decision) -> None:
        component = self._component_of(decision.left)
        if component == self._component_of(decision.right):
            graph = self._link_graph(component)
            cut = label_cut(graph, decision.left, decision.right)
            if cut is None or not (decision.is_sure or self._weight(decision) >= total_weight(cut)):
                self._contest(decision, graph, against=decision)
                return
            self._part(decision)
        for node in decision.pair:
            self._different[node][decision.decision_id] = decision

    def _part(self, separation: Decision) -> None:
        """Let labels give way until both ends of ``separation`` are in different components.

        A cut of base edges exists: callers made sure of it, and taking out others' base edges keeps it one.
        """
        component = self._component_of(separation.left)
        if component != self._component_of(separation.right):
            return
        cut = label_cut(self._link_graph(component), separation.left, separation.right)
        assert cut is not None
        for link in cut:
            del self._links[link.left][link_key(link)]
            del self._links[link.right][link_key(link)]
            self._touch((link.left, link.right))
        self._rebuild_components(self._members[component])

    def _contest(self, decision: Decision, graph: nx.Graph[str], against: Decision) -> None:
        path = nx.shortest_path(graph, against.left, against.right)
        chain = tuple(graph[left][right]["links"][0] for left, right in zip(path, path[1:], strict=False))
        cut = cut_between(graph, against.left, against.right, "capacity")
        self._conflicts[decision.decision_id] = Conflict(
            decision, chain, against, cut, cut_weight=total_weight(cut), own_weight=self._weight(decision)
        )

    def _refold(self, touched: set[str]) -> None:
        """Fold the region that anything could carry a change of ``touched`` into once more."""
        region = self._region(touched)
        ids = {i for node in region for i in self._decisions_at[node]}
        before = {node: frozenset(self._links[node]) for node in region}
        for i in ids:
            self._conflicts.pop(i, None)
            self._unclear[self._decision(i).pair].discard(i)
        self._start(region)
        for i in sorted(ids, key=self._position.__getitem__):
            if self._is_active(i):
                self._apply(self._decision(i))
        self._touch(touched)
        self._touch(node for node in region if frozenset(self._links[node]) != before[node])

    def _region(self, touched: set[str]) -> set[str]:
        """All nodes connected to ``touched`` by base edges and by decisions of any kind, in force or not."""
        region: set[str] = set()
        stack = list(touched)
        while stack:
            node = stack.pop()
            if node in region:
                continue
            region.add(node)
            pid = pid_of_node(node)
            if pid is not None:
                stack.extend(self._crops_of_pid[pid])
            elif (label := self._labels[node]) is not None and label > 0:
                stack.append(identity_node(label))
            for i in self._decisions_at[node]:
                stack.extend(self._decision(i).pair)
        return region

    # ---- components --------------------------------------------------------------------------------------

    def _start(self, nodes: Iterable[str]) -> None:
        """Forget all judgements on ``nodes``: base edges only."""
        members = set(nodes)
        for component in {self._component[node] for node in members if node in self._component}:
            self._members.pop(component, None)
        for node in members:
            self._links[node] = {}
            self._different[node] = {}
        for pid in sorted({pid for node in members if (pid := pid_of_node(node)) is not None}):
            for crop in self._crops_of_pid[pid]:
                self._add_link(Link(crop, identity_node(pid), self._base_weight(crop), None))
        self._rebuild_components(members)

    def _between(self, a: int, b: int) -> Iterator[Decision]:
        """Judgements in effect that keep two components apart, in log order."""
        small, other = (a, b) if len(self._members[a]) <= len(self._members[b]) else (b, a)
        found = {
            decision.decision_id: decision
            for node in self._members[small]
            for decision in self._different[node].values()
            if self._component[decision.left if decision.right == node else decision.right] == other
        }
        yield from sorted(found.values(), key=lambda d: self._position[d.decision_id])

    # ---- small things ------------------------------------------------------------------------------------

    def _hangs_on(self, crop: str, pid: int) -> bool:
        return self._component[crop] == self._component[identity_node(pid)]

    def _weight(self, decision: Decision) -> float:
        return decision_weight(decision, self._accuracies.get(decision.annotator, DEFAULT_ACCURACY))

    def _base_weight(self, crop: str) -> float:
        return self._label_weight * (0.1 + 0.9 * self._support.get(crop, 1.0))

    def _link_order(self, link: Link) -> tuple[int, str]:
        return (-1 if link.decision_id is None else self._position[link.decision_id], link_key(link))

    def _touch(self, nodes: Iterable[str]) -> None:
        for node in nodes:
            self._last_touch[node] = len(self._log)
