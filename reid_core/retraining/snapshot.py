"""A training set frozen from judgements: immutable, named by its content, made again from the same inputs.

What trains: the base set's own training pool, which is the replay, and the identities of the feedback pool
that a judgement names, with their corrected labels. The other feedback identities stay as query and gallery
for early stopping. The locked test is disjoint from both and only listed.

Rules (version 1):

1. The log is folded up to the frozen position; each identity of the graph gets a number
   (``identities.number_people``).
2. Identities in a conflict, or hanging on one unsure judgement, wait in quarantine, neither trained nor
   tested.
3. Judged identities of the feedback pool with at least ``least_crops`` crops train. One that reaches into the
   training pool does not: its feedback crops stay in evaluation, and the leak guard asks what to do.
4. Junk, distractors and unknown people never train.
5. A crop's weight is the probability that the weakest link to its identity's medoid holds (``mining``).
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property
from types import MappingProxyType
from typing import Any

from reid_core.annotation import Decision, Event, IdentityGraph, to_json_line
from reid_core.annotation.decisions import pid_of_node
from reid_core.errors import DatasetError, InputError
from reid_core.retraining.identities import People, Person, number_people
from reid_core.retraining.leaks import apply_resolutions
from reid_core.retraining.mining import (
    Likeness,
    by_identity,
    constraints_of,
    crop_weights,
    hard_negatives_of,
    triplets_of,
)
from reid_core.retraining.pools import PoolCrop, Pools, sha256_lines
from reid_core.retraining.records import (
    Constraint,
    CropRow,
    HardNegative,
    Identity,
    Resolution,
    SnapshotKey,
    SnapshotRules,
    Triplet,
    Use,
)
from reid_core.types import EmbeddingSet

FORMAT = "reid-retraining-snapshot/1"
THIN = "has too few crops to train"
NOT_JUDGED = "nobody judged it"
IN_BOTH_POOLS = "reaches into the training pool"


@dataclass(frozen=True)
class TrainingSnapshot:
    """A frozen set. Two with equal content are equal and have one ``hash``; names are kept beside it.

    ``crops`` are sorted by id, ``identities`` by number, ``constraints`` in log order, the others
    worst first. ``aliases`` leads from numbers that nobody carries any more to who their crops became.
    """

    key: SnapshotKey
    resolutions: tuple[Resolution, ...]
    crops: tuple[CropRow, ...]
    identities: tuple[Identity, ...]
    aliases: Mapping[int, int]
    constraints: tuple[Constraint, ...]
    hard_negatives: tuple[HardNegative, ...]
    triplets: tuple[Triplet, ...]

    @cached_property
    def hash(self) -> str:
        """SHA-256 of the whole content; what the base data set is called does not matter."""
        content = self._content()
        del content["key"]["base_name"]
        return hashlib.sha256(_canonical(content).encode()).hexdigest()

    @cached_property
    def by_id(self) -> Mapping[str, CropRow]:
        """Crops by id."""
        return MappingProxyType({row.image_id: row for row in self.crops})

    @property
    def retired(self) -> tuple[int, ...]:
        """Numbers that nobody carries any more, ascending."""
        return tuple(self.aliases)

    def used(self, use: Use) -> tuple[CropRow, ...]:
        """The crops of one use."""
        return tuple(row for row in self.crops if row.use == use)

    def quarantined(self) -> tuple[CropRow, ...]:
        """The crops that wait; each says why."""
        return self.used("quarantine")

    def counts(self) -> dict[str, int]:
        """Crops by use, and training crops by where they come from (``base``, ``feedback``)."""
        uses: Counter[str] = Counter(row.use for row in self.crops)
        train = Counter("base" if row.pool == "train" else "feedback" for row in self.used("train"))
        people = len({row.pid for row in self.used("train")})
        return {**uses, "base": train["base"], "feedback": train["feedback"], "train_identities": people}

    def to_json(self) -> str:
        """All of it, as ``from_json`` takes it back; equal snapshots give equal text."""
        return _canonical({"format": FORMAT, "hash": self.hash, **self._content()}) + "\n"

    @staticmethod
    def from_json(text: str) -> TrainingSnapshot:
        """Read a stored snapshot and verify its hash.

        Raises:
            DatasetError: Not such a text, of another version, or changed after it was frozen.
        """
        try:
            values: dict[str, Any] = json.loads(text)
            if values["format"] != FORMAT:
                raise DatasetError(
                    f"The snapshot has format {values['format']!r}, expected {FORMAT!r}: another version of "
                    "this program wrote it. Freeze the judgements again."
                )
            snapshot = _parse(values)
            stored = values["hash"]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DatasetError(f"This is not a frozen training set ({error!r}). Freeze it again.") from error
        if stored != snapshot.hash:
            raise DatasetError(
                f"The frozen training set was changed: its content has the hash {snapshot.hash[:12]}, it "
                f"says {str(stored)[:12]}. Use an unchanged copy, or freeze the judgements again."
            )
        return snapshot

    def _content(self) -> dict[str, Any]:
        return {
            "key": asdict(self.key),
            "resolutions": _plain(self.resolutions),
            "crops": _plain(self.crops),
            "identities": _plain(self.identities),
            "aliases": {str(old): new for old, new in self.aliases.items()},
            "constraints": _plain(self.constraints),
            "hard_negatives": _plain(self.hard_negatives),
            "triplets": _plain(self.triplets),
        }


def freeze(
    pools: Pools,
    log: Sequence[Event],
    *,
    embeddings: EmbeddingSet | None = None,
    support: Mapping[str, float] | None = None,
    rules: SnapshotRules | None = None,
    resolutions: Sequence[Resolution] = (),
) -> TrainingSnapshot:
    """Freeze what a log says about a base data set.

    Args:
        pools: The base data set.
        log: Events of the collection, oldest first, up to the position to freeze.
        embeddings: Of the feedback pool under the model to correct; without them there are no hard negatives
            and no triplets.
        support: How well each crop fits its label, as the annotation store keeps it.
        rules: By default the present ones.
        resolutions: How leaks are closed.

    Raises:
        LeakError: Identities are in training and evaluation; it lists them.
        InputError: A judgement names a crop of the locked test, or something unknown.
        DatasetError: Nothing is left to train on.
    """
    rules = rules or SnapshotRules()
    if rules.version != SnapshotRules().version:
        raise InputError(
            f"Rules version {rules.version} is asked for; this program has {SnapshotRules().version}."
        )
    priors = {crop: round(value, 6) for crop, value in (support or {}).items() if value < 1.0}
    graph = _fold(pools, log, priors)
    open_crops = {crop.image_id: crop for crop in pools.crops if crop.pool != "locked"}
    locked_pids = {crop.pid for crop in pools.of("locked") if crop.pid is not None}
    people = number_people(graph, open_crops, taken_pids=locked_pids)
    likeness = Likeness(embeddings)
    rows = _rows(pools, graph, people, likeness, priors, rules)
    rows, used = apply_resolutions(rows, resolutions)
    if not any(row.use == "train" for row in rows):
        raise DatasetError(
            f"Nothing of {pools.name} is left to train on: it has no training pool, and no identity of the "
            "feedback pool was judged. Judge some first, or choose feedback='all'."
        )
    able = {row.image_id for row in rows if row.use in ("train", "evaluation")}
    members = {
        graph.component(person.crops[0]): [crop for crop in person.crops if crop in able]
        for person in people.persons
    }
    members |= {graph.component(crop): [crop] for crop in people.background if crop in able}
    constraints = constraints_of(graph, able, likeness)
    return TrainingSnapshot(
        key=SnapshotKey(
            base_name=pools.name,
            base_hash=pools.base_hash,
            log_position=len(log),
            log_hash=sha256_lines(to_json_line(event) for event in log),
            fingerprint="" if embeddings is None else embeddings.fingerprint,
            rules=rules,
        ),
        resolutions=used,
        crops=rows,
        identities=_identities(people, rows),
        aliases=people.aliases,
        constraints=constraints,
        hard_negatives=hard_negatives_of(constraints, by_identity(members.values()), likeness, rules),
        triplets=triplets_of(graph, members, open_crops, likeness, rules),
    )


def _fold(pools: Pools, log: Sequence[Event], priors: Mapping[str, float]) -> IdentityGraph:
    locked = {crop.image_id for crop in pools.of("locked")}
    labels = {crop.image_id: crop.pid for crop in pools.crops if crop.pool != "locked"}
    for event in log:
        for node in event.pair if isinstance(event, Decision) else ():
            if node in locked:
                raise InputError(
                    f"A judgement names {node}, which is of the locked test. Scores on it would mean "
                    "nothing: take the judgement back, or choose the data set that it belongs to."
                )
            if pid_of_node(node) is None:
                labels.setdefault(node, None)  # a crop that disappeared since; what was said stays true
    return IdentityGraph.fold(labels, log, support=priors)


def _rows(
    pools: Pools,
    graph: IdentityGraph,
    people: People,
    likeness: Likeness,
    priors: Mapping[str, float],
    rules: SnapshotRules,
) -> tuple[CropRow, ...]:
    rows: list[CropRow] = []
    for person in people.persons:
        weights = crop_weights(graph, person.crops, likeness)
        reason = _reason_not_to_train(person, pools, rules)
        for crop in (pools.by_id[image_id] for image_id in person.crops):
            use: Use = "train" if crop.pool == "train" or not reason else "evaluation"
            if person.quarantine:
                use = "quarantine"
            rows.append(
                CropRow(
                    **_facts(crop, priors),
                    pid=person.pid,
                    use=use,
                    weight=weights[crop.image_id],
                    is_judged=crop.image_id in person.judged,
                    reason="" if use == "train" else person.quarantine or reason,
                )
            )
    judged = {node for d in graph.active() for node in d.pair}
    for image_id, waits in people.background.items():
        crop = pools.by_id[image_id]
        rest: Use = "dropped" if crop.pool == "train" else "evaluation"
        rows.append(
            CropRow(
                **_facts(crop, priors),
                pid=crop.pid,
                use="quarantine" if waits else rest,
                weight=1.0,
                is_judged=image_id in judged,
                reason=waits or "nobody in particular",
            )
        )
    for crop in pools.of("locked"):
        rows.append(CropRow(**_facts(crop, priors), pid=crop.pid, use="locked", weight=1.0, is_judged=False))
    return tuple(sorted(rows, key=lambda row: row.image_id))


def _facts(crop: PoolCrop, priors: Mapping[str, float]) -> dict[str, Any]:
    return {
        "image_id": crop.image_id,
        "splits": crop.splits,
        "pool": crop.pool,
        "sha256": crop.sha256,
        "base_pid": crop.pid,
        "camid": crop.camid,
        "time_s": crop.time_s,
        "support": priors.get(crop.image_id),
    }


def _reason_not_to_train(person: Person, pools: Pools, rules: SnapshotRules) -> str:
    """Why the feedback crops of a person do not train, "" if they do."""
    of_feedback = [crop for crop in person.crops if pools.by_id[crop].pool == "feedback"]
    if len(of_feedback) < len(person.crops):
        return IN_BOTH_POOLS
    if rules.feedback == "none" or (rules.feedback == "judged" and not person.is_judged):
        return NOT_JUDGED if rules.feedback == "judged" else "feedback identities do not train"
    return THIN if len(of_feedback) < rules.least_crops else ""


def _identities(people: People, rows: Sequence[CropRow]) -> tuple[Identity, ...]:
    by_id = {row.image_id: row for row in rows}
    found = []
    for person in people.persons:
        own = [by_id[crop] for crop in person.crops]
        uses = Counter(row.use for row in own)
        use = "train" if uses["train"] else uses.most_common(1)[0][0]
        found.append(
            Identity(
                pid=person.pid,
                base_pids={str(pid): count for pid, count in person.base_pids.items()},
                num_crops=len(own),
                num_cameras=len({row.camid for row in own if row.camid is not None}),
                use=use,
                reason=next((row.reason for row in own if row.use == use), ""),
            )
        )
    return tuple(found)


def _parse(values: Mapping[str, Any]) -> TrainingSnapshot:
    key = SnapshotKey(**{**values["key"], "rules": SnapshotRules(**values["key"]["rules"])})
    return TrainingSnapshot(
        key=key,
        resolutions=tuple(Resolution(**item) for item in values["resolutions"]),
        crops=tuple(replace(CropRow(**item), splits=tuple(item["splits"])) for item in values["crops"]),
        identities=tuple(Identity(**item) for item in values["identities"]),
        aliases={int(old): int(new) for old, new in values["aliases"].items()},
        constraints=tuple(Constraint(**item) for item in values["constraints"]),
        hard_negatives=tuple(HardNegative(**item) for item in values["hard_negatives"]),
        triplets=tuple(Triplet(**item) for item in values["triplets"]),
    )


def _plain(items: Sequence[Any]) -> list[dict[str, Any]]:
    """Flat records as dictionaries; ``asdict`` copies deeply and takes ten times as long."""
    return [{each.name: getattr(item, each.name) for each in fields(item)} for item in items]


def _canonical(values: Mapping[str, Any]) -> str:
    return json.dumps(values, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
