"""Ranks of the true matches of a query by counting, compiled with numba; no row is ever sorted.

A match's rank is one more than the number of kept gallery images ahead of it, so only the few true matches
are sorted, and the mismatches are counted against them. All counts are integers: the result equals that of a
stable full sort exactly. The loops are written so that LLVM turns them into SIMD code.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

TIE_CODES = {"stable": 0, "reversed": 1, "optimistic": 2, "pessimistic": 3}
SAME_CAMERA_CODES = {"drop_same_identity": 0, "drop_camera": 1, "keep": 2}
_STABLE, _REVERSED, _OPTIMISTIC, _PESSIMISTIC = 0, 1, 2, 3
_DROP_SAME_IDENTITY, _DROP_CAMERA = 0, 1
_MANY_MATCHES = 64  # above this, one bisection per mismatch is cheaper than one pass per match
_CHUNK = 1024

NO_BAD_ROW = -1
"""What ``count_block`` returns when every distance is finite."""

Array = NDArray[Any]


class CodedLabels(NamedTuple):
    """Labels as the compiled loops need them. Identity c's gallery images are members[starts[c]:starts[c +
    1]]."""

    query_code: Array
    starts: Array
    members: Array
    identities: Array
    ignored: Array
    query_camera: Array
    gallery_camera: Array
    camera_starts: Array
    camera_members: Array
    own_index: Array


class Rules(NamedTuple):
    """The parts of a protocol that the compiled loops need."""

    same_camera: int
    ties: int
    trapezoid: bool
    seed: int


class QueryColumns(NamedTuple):
    """Results per query, (Q,) each, but (Q, repeats) for ``shot_ranks``; described in ``PerQuery``.

    ``median_false_ahead`` is the share of mismatches strictly closer than the query's median match.
    """

    num_matches: Array
    num_kept: Array
    ap: Array
    inp: Array
    first_match_rank: Array
    last_match_rank: Array
    best_match_index: Array
    best_match_distance: Array
    best_false_index: Array
    best_false_distance: Array
    median_false_ahead: Array
    shot_ranks: Array


class MatchColumns(NamedTuple):
    """Results per match: query q writes from ``offsets[q]`` on, nearest match first. Empty if not wanted."""

    offsets: Array
    gallery_index: Array
    distance: Array
    false_ahead: Array


@njit(nogil=True, cache=True)
def _copy_checked(source: Array, target: Array) -> bool:
    """Copy a row; True if all its values are finite."""
    bad = np.int32(0)
    for j in range(source.size):
        value = source[j]
        target[j] = value
        bad = np.int32(bad + np.int32(not (abs(value) < np.inf)))
    return bool(bad == 0)


@njit(nogil=True, cache=True)
def _count_below(row: Array, first: float, second: float) -> tuple[int, int, int, int]:
    """How many values are < and <= each of two thresholds."""
    less_first = np.int32(0)
    upto_first = np.int32(0)
    less_second = np.int32(0)
    upto_second = np.int32(0)
    for j in range(row.size):
        value = row[j]
        less_first = np.int32(less_first + np.int32(value < first))
        upto_first = np.int32(upto_first + np.int32(value <= first))
        less_second = np.int32(less_second + np.int32(value < second))
        upto_second = np.int32(upto_second + np.int32(value <= second))
    return int(less_first), int(upto_first), int(less_second), int(upto_second)


@njit(nogil=True, cache=True)
def _count_by_pass(row: Array, thresholds: Array, less: Array, upto: Array) -> None:
    """less[i], upto[i]: how many values are < and <= thresholds[i]; two thresholds per pass over the row."""
    last = thresholds.size - 1
    for i in range(0, thresholds.size, 2):
        k = min(i + 1, last)
        less[i], upto[i], less[k], upto[k] = _count_below(row, thresholds[i], thresholds[k])


@njit(nogil=True, cache=True)
def _count_by_bisection(row: Array, thresholds: Array, less: Array, upto: Array) -> None:
    """The same counts with one bisection of the ascending thresholds per value, for many thresholds."""
    number = thresholds.size
    less[:] = 0
    upto[:] = 0
    highest = thresholds[number - 1]
    for j in range(row.size):
        value = row[j]
        if value > highest:
            continue
        low, high = 0, number
        while low < high:  # first threshold >= value
            middle = (low + high) >> 1
            if thresholds[middle] < value:
                low = middle + 1
            else:
                high = middle
        upto[low] += 1
        while low < number and thresholds[low] == value:
            low += 1
        if low < number:
            less[low] += 1
    for i in range(1, number):
        upto[i] += upto[i - 1]
        less[i] += less[i - 1]


@njit(nogil=True, cache=True)
def _ties_ahead(row: Array, threshold: float, position: int, backwards: bool) -> int:
    """How many values equal the threshold on the side of ``position`` that comes first."""
    ahead = 0
    if backwards:
        for j in range(position + 1, row.size):
            ahead += row[j] == threshold
    else:
        for j in range(position):
            ahead += row[j] == threshold
    return ahead


@njit(nogil=True, cache=True)
def _nearest(row: Array, backwards: bool) -> int:
    """Position of the smallest finite value, the first or last of equal ones; -1 if none is finite."""
    best = np.inf
    found = -1
    for start in range(0, row.size, _CHUNK):
        chunk = row[start : start + _CHUNK]
        candidates = np.int32(0)
        for j in range(chunk.size):
            candidates = np.int32(candidates + np.int32(chunk[j] < best))
        if candidates > 0:
            for j in range(chunk.size):
                if chunk[j] < best:
                    best = chunk[j]
                    found = start + j
    if backwards and found >= 0:
        for j in range(row.size - 1, found, -1):
            if row[j] == best:
                return j
    return found


@njit(nogil=True, cache=True)
def _mix(state: np.uint64, value: np.uint64) -> np.uint64:
    """One round of splitmix64 (Steele et al., OOPSLA 2014) over ``value``."""
    mixed = state ^ (value + np.uint64(0x9E3779B97F4A7C15))
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


@njit(nogil=True, cache=True)
def _draw(kept: Array, state: np.uint64, pid: int) -> int:
    """One of the ``kept`` positions, each as likely as the others to within 2**-32."""
    high = _mix(_mix(state, np.uint64(pid)), np.uint64(0)) >> np.uint64(32)
    return int(kept[np.int64((high * np.uint64(kept.size)) >> np.uint64(32))])


@njit(nogil=True, cache=True)
def _is_ahead(value: float, index: int, mark: float, position: int, ties: int) -> bool:
    """Does a mismatch at ``index`` come before the match at ``position``?"""
    if value != mark:
        return value < mark
    if ties == _STABLE:
        return index < position
    if ties == _REVERSED:
        return index > position
    return ties == _PESSIMISTIC


@njit(nogil=True, cache=True)
def _single_shot_ranks(
    row: Array, labels: CodedLabels, code: int, ties: int, key: np.uint64, out: Array
) -> None:
    """Rank of one drawn match among one drawn image per identity, for each repeat; dropped images are inf."""
    starts, members, identities = labels.starts, labels.members, labels.identities
    kept = np.empty(members.size, dtype=np.int64)
    bounds = np.empty(starts.size, dtype=np.int64)
    bounds[0] = 0
    filled = 0
    for identity in range(starts.size - 1):
        for m in range(starts[identity], starts[identity + 1]):
            if row[members[m]] < np.inf:
                kept[filled] = members[m]
                filled += 1
        bounds[identity + 1] = filled
    for repeat in range(out.size):
        state = _mix(key, np.uint64(repeat))
        match = _draw(kept[bounds[code] : bounds[code + 1]], state, identities[code])
        ahead = 0
        for identity in range(starts.size - 1):
            if identity != code and bounds[identity + 1] > bounds[identity]:
                other = _draw(kept[bounds[identity] : bounds[identity + 1]], state, identities[identity])
                ahead += _is_ahead(row[other], other, row[match], match, ties)
        out[repeat] = ahead + 1


@njit(nogil=True, cache=True)
def _drop(row: Array, query: int, labels: CodedLabels, same_camera: int) -> None:
    """Set the distance of every gallery image that does not count for this query to infinity."""
    for i in range(labels.ignored.size):
        row[labels.ignored[i]] = np.inf
    if labels.own_index[query] >= 0:
        row[labels.own_index[query]] = np.inf
    camera = labels.query_camera[query]
    if same_camera == _DROP_CAMERA:
        for i in range(labels.camera_starts[camera], labels.camera_starts[camera + 1]):
            row[labels.camera_members[i]] = np.inf
    code = labels.query_code[query]
    if same_camera == _DROP_SAME_IDENTITY and code >= 0:
        for i in range(labels.starts[code], labels.starts[code + 1]):
            if labels.gallery_camera[labels.members[i]] == camera:
                row[labels.members[i]] = np.inf


@njit(nogil=True, cache=True)
def _kept_matches(row: Array, query: int, labels: CodedLabels) -> Array:
    """Ascending positions of the true matches whose distance is finite."""
    code = labels.query_code[query]
    if code < 0:
        return np.empty(0, dtype=np.int64)
    positions = labels.members[labels.starts[code] : labels.starts[code + 1]].copy()
    found = 0
    for i in range(positions.size):
        if row[positions[i]] < np.inf:
            positions[found] = positions[i]
            found += 1
    return positions[:found]


@njit(nogil=True, cache=True)
def _count_finite(row: Array) -> int:
    count = np.int32(0)
    for j in range(row.size):
        count = np.int32(count + np.int32(row[j] < np.inf))
    return int(count)


@njit(nogil=True, cache=True)
def _false_ahead(
    row: Array, positions: Array, distances: Array, ties: int, less: Array, ahead: Array
) -> None:
    """Mismatches strictly closer than each match, and those ahead of it; ``row`` holds mismatches only."""
    if distances.size > _MANY_MATCHES:
        _count_by_bisection(row, distances, less, ahead)
    else:
        _count_by_pass(row, distances, less, ahead)
    for i in range(distances.size):
        if ties == _OPTIMISTIC:
            ahead[i] = less[i]
        elif ties != _PESSIMISTIC and ahead[i] > less[i]:
            ahead[i] = less[i] + _ties_ahead(row, distances[i], positions[i], ties == _REVERSED)


@njit(nogil=True, cache=True)
def _score_query(query: int, ahead: Array, trapezoid: bool, columns: QueryColumns) -> None:
    """AP, INP and ranks from the number of mismatches ahead of each match, nearest match first."""
    number = ahead.size
    precision_sum = 0.0
    for i in range(number):
        rank = i + 1 + ahead[i]
        precision = (i + 1) / rank
        if trapezoid:
            before = i / (rank - 1) if rank > 1 else 1.0
            precision = (before + precision) / 2
        precision_sum += precision
    columns.ap[query] = precision_sum / number
    columns.inp[query] = number / (number + ahead[number - 1])
    columns.first_match_rank[query] = 1 + ahead[0]
    columns.last_match_rank[query] = number + ahead[number - 1]


@njit(nogil=True, cache=True)
def count_block(
    block: Array,
    first_query: int,
    labels: CodedLabels,
    rules: Rules,
    columns: QueryColumns,
    matches: MatchColumns,
) -> int:
    """Score the queries ``first_query`` onwards, whose distances are the rows of ``block``.

    Columns of a query without a match keep what the caller put there.

    Returns:
        The first query whose row holds NaN or infinity, or NO_BAD_ROW.
    """
    row = np.empty(block.shape[1], dtype=block.dtype)
    for r in range(block.shape[0]):
        query = first_query + r
        if not _copy_checked(block[r], row):
            return query
        _drop(row, query, labels, rules.same_camera)
        positions = _kept_matches(row, query, labels)
        number = positions.size
        if columns.shot_ranks.shape[1] > 0 and number > 0:
            key = _mix(np.uint64(rules.seed), np.uint64(query))
            code = labels.query_code[query]
            _single_shot_ranks(row, labels, code, rules.ties, key, columns.shot_ranks[query])
        if rules.ties == _REVERSED:
            positions = positions[::-1].copy()
        distances = row[positions]
        order = np.argsort(distances, kind="mergesort")
        positions, distances = positions[order], distances[order]
        row[positions] = np.inf  # from here on the finite values are the mismatches
        num_false = _count_finite(row)
        columns.num_matches[query] = number
        columns.num_kept[query] = number + num_false
        nearest_false = _nearest(row, rules.ties == _REVERSED)
        if nearest_false >= 0:
            columns.best_false_index[query] = nearest_false
            columns.best_false_distance[query] = row[nearest_false]
        if number == 0:
            continue
        less = np.empty(number, dtype=np.int64)
        ahead = np.empty(number, dtype=np.int64)
        _false_ahead(row, positions, distances, rules.ties, less, ahead)
        _score_query(query, ahead, rules.trapezoid, columns)
        columns.best_match_index[query] = positions[0]
        columns.best_match_distance[query] = distances[0]
        if num_false > 0:
            columns.median_false_ahead[query] = less[number // 2] / num_false
        if matches.offsets.size > 0:
            start = matches.offsets[query]
            matches.gallery_index[start : start + number] = positions
            matches.distance[start : start + number] = distances
            matches.false_ahead[start : start + number] = ahead
    return NO_BAD_ROW


@njit(nogil=True, cache=True)
def collect_matches(
    block: Array, first_query: int, labels: CodedLabels, same_camera: int, out: Array
) -> tuple[int, int, int]:
    """Write the distances of all kept matches of the block's queries to ``out``.

    Returns:
        How many matches, how many kept pairs of either kind, and the first bad query or NO_BAD_ROW.
    """
    row = np.empty(block.shape[1], dtype=block.dtype)
    filled = 0
    num_kept = 0
    for r in range(block.shape[0]):
        query = first_query + r
        if not _copy_checked(block[r], row):
            return filled, num_kept, query
        _drop(row, query, labels, same_camera)
        positions = _kept_matches(row, query, labels)
        out[filled : filled + positions.size] = row[positions]
        filled += positions.size
        num_kept += _count_finite(row)
    return filled, num_kept, NO_BAD_ROW


@njit(nogil=True, cache=True)
def count_false_at(
    block: Array,
    first_query: int,
    labels: CodedLabels,
    same_camera: int,
    thresholds: Array,
    cells: Array,
    below: Array,
    upto: Array,
) -> None:
    """Count mismatches of all rows by the first of the ascending, distinct ``thresholds`` that reaches them.

    Adds to ``upto[i]`` the values in (thresholds[i - 1], thresholds[i]] and to ``below[i]`` those in
    [thresholds[i - 1], thresholds[i]). ``cells[c]`` is the first threshold in cell c or later of an even grid
    from the first to the last threshold; it only makes the search short.
    """
    last = thresholds.size - 1
    lowest, highest = thresholds[0], thresholds[last]
    scale = (cells.size - 2) / (highest - lowest) if highest > lowest else 0.0
    row = np.empty(block.shape[1], dtype=block.dtype)
    for r in range(block.shape[0]):
        row[:] = block[r]
        _drop(row, first_query + r, labels, same_camera)
        row[_kept_matches(row, first_query + r, labels)] = np.inf
        for j in range(row.size):
            value = row[j]
            if value > highest:
                continue
            cell = int((value - lowest) * scale) if value > lowest else 0
            low, high = cells[cell], cells[cell + 1]
            while low < high:
                middle = (low + high) >> 1
                if thresholds[middle] < value:
                    low = middle + 1
                else:
                    high = middle
            upto[low] += 1
            if thresholds[low] > value:
                below[low] += 1
            elif low < last:
                below[low + 1] += 1


def grid_of(thresholds: NDArray[np.float64]) -> NDArray[np.int64]:
    """The ``cells`` of ``count_false_at``: four per threshold, by the same arithmetic as the search."""
    count = 4 * len(thresholds)
    width = thresholds[-1] - thresholds[0]
    scale = count / width if width > 0 else 0.0
    cell_of_threshold = ((thresholds - thresholds[0]) * scale).astype(np.int64)
    return np.searchsorted(cell_of_threshold, np.arange(count + 2), side="left").astype(np.int64)
