"""Judgements as a file: everything that decides the identities, besides the crops themselves."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from reid_core.annotation import Answer, IdentityGraph
from reid_core.annotation.decisions import from_json_line, utc_now
from reid_core.annotation.store import AnnotationStore, GivenName
from reid_core.errors import InputError
from reid_core.services.review.collection import Collection

_LONGEST_NAME = 80


@dataclass(frozen=True, slots=True)
class Imported:
    """How many events and names were new; ``missing`` are nodes that this gallery lacks.

    ``kept_support`` says that the labels' support of the file was taken over, as an empty log does.
    """

    num_events: int
    num_names: int
    missing: tuple[str, ...]
    kept_support: bool


def export_lines(store: AnnotationStore, collection: Collection) -> Iterator[str]:
    """A head with the support of the labels, the events in order, names and gold pairs; JSON, one a line."""
    head = {"kind": "collection", "name": collection.name, "support": store.support(collection.name)}
    yield json.dumps(head, sort_keys=True, ensure_ascii=False)
    yield from store.export_lines(collection.name)
    for given in store.names(collection.name):
        yield json.dumps({"kind": "name", **asdict(given)}, sort_keys=True, ensure_ascii=False)
    for (left, right), answer in store.gold(collection.name).items():
        gold = {"kind": "gold", "left": left, "right": right, "answer": answer.value}
        yield json.dumps(gold, sort_keys=True, ensure_ascii=False)


def import_lines(store: AnnotationStore, collection: Collection, lines: Iterable[str]) -> Imported:
    """Add what ``export_lines`` wrote.

    Raises:
        InputError: A line is of another kind. LabelConflictError: An id is taken by another event.
    """
    events, names, gold = [], [], {}
    support: dict[str, float] | None = None
    for line in lines:
        if not line.strip():
            continue
        values = _object(line)
        kind = values.get("kind")
        if kind == "collection":
            support = _support(values)
        elif kind == "name":
            names.append(_name(values))
        elif kind == "gold":
            gold.update(_gold_pair(values))
        else:
            events.append(line)
    for line in events:
        from_json_line(line)  # before the support is kept: of a file that is refused, nothing is
    kept = support is not None and store.keep_support(collection.name, support, is_imported=True)
    num_events = store.import_lines(collection.name, events)
    num_names = store.add_names(collection.name, names)
    if gold:
        store.add_gold(collection.name, gold)
    return Imported(num_events, num_names, store.absent(collection.name), kept)


def read_gold(lines: Iterable[str], graph: IdentityGraph) -> dict[tuple[str, str], Answer]:
    """Gold pairs from JSON lines; every crop has to be known.

    Raises:
        InputError: A line is not {"left": ..., "right": ..., "answer": "same" or "different"}.
    """
    pairs: dict[tuple[str, str], Answer] = {}
    for line in lines:
        if line.strip():
            pairs.update(_gold_pair(_object(line)))
    unknown = sorted({node for pair in pairs for node in pair if node not in graph})
    if unknown:
        raise InputError(f"This gallery has no crop {unknown[0]!r} ({len(unknown)} unknown in all).")
    if not pairs:
        raise InputError("There is no gold pair in what was sent. Send one JSON object a line.")
    return pairs


def check_name(node: str, name: Any, annotator: str, own_id: str) -> GivenName:
    """A name for an identity, checked.

    Raises:
        InputError: Empty, or longer than 80 characters.
    """
    if not isinstance(name, str) or not 0 < len(name.strip()) <= _LONGEST_NAME:
        raise InputError(f"The name is {str(name)[:40]!r}; expected 1 to {_LONGEST_NAME} characters.")
    if not own_id or len(own_id) > 64:
        raise InputError(f"The id of a name is {own_id[:80]!r}; expected a UUID made by the sender.")
    return GivenName(own_id, node, name.strip(), annotator, utc_now())


def _object(line: str) -> dict[str, Any]:
    try:
        values = json.loads(line)
    except ValueError as error:
        raise InputError(f"This is no line of JSON ({error}): {line[:120]}") from error
    if not isinstance(values, dict):
        raise InputError(f"A line has to be a JSON object, not {line[:120]}")
    return values


def _support(values: dict[str, Any]) -> dict[str, float] | None:
    support = values.get("support")
    if support is None:
        return None
    if not isinstance(support, dict) or not all(
        isinstance(value, int | float) and 0 <= value <= 1 for value in support.values()
    ):
        raise InputError("The support in the head of the log has to be numbers from 0 to 1 by crop.")
    return {str(crop): float(value) for crop, value in support.items()}


def _name(values: dict[str, Any]) -> GivenName:
    fields = ("name_id", "node", "name", "annotator", "decided_at")
    if any(not isinstance(values.get(field), str) or not values[field] for field in fields):
        raise InputError(f"A line with a name needs the texts {', '.join(fields)}: {str(values)[:120]}")
    return GivenName(**{field: values[field] for field in fields})


def _gold_pair(values: dict[str, Any]) -> dict[tuple[str, str], Answer]:
    left, right, answer = values.get("left"), values.get("right"), values.get("answer")
    if not isinstance(left, str) or not isinstance(right, str) or left == right or not left or not right:
        raise InputError(f"A gold pair needs two different crops, left and right: {str(values)[:120]}")
    if answer not in ("same", "different"):
        raise InputError(f"A gold pair's answer is {str(answer)[:40]!r}; expected same or different.")
    return {(left, right): Answer(answer)}
