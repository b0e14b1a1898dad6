"""Identities and cameras of query and gallery, checked and coded for counting."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reid_core.errors import InputError, NoValidQueryError
from reid_core.evaluation.protocol import Protocol
from reid_core.evaluation.rank_counting import CodedLabels
from reid_core.types import DISTRACTOR_PID, JUNK_PID

IntArray = NDArray[np.int64]
ABSENT = -1
"""Code of a query's identity that no gallery image has, and index of "none" in result columns."""


@dataclass(frozen=True, slots=True)
class Labels:
    """Who and where, for Q queries and G gallery images.

    ``query_code`` (Q,) indexes ``starts``: the gallery images of identity c are
    ``members[starts[c]:starts[c + 1]]``, ascending; ABSENT means that no gallery image has the identity.
    ``ignored`` lists gallery images that never count (junk, dropped distractors). ``camera_starts`` and
    ``camera_members`` list gallery images by camera code in the same way. ``own_index`` (Q,) is the gallery
    position of the query's own image, or ABSENT.
    """

    query_pids: IntArray
    gallery_pids: IntArray
    query_camids: NDArray[np.generic]
    query_camera: IntArray
    gallery_camera: IntArray
    query_code: IntArray
    starts: IntArray
    members: IntArray
    ignored: IntArray
    camera_starts: IntArray
    camera_members: IntArray
    own_index: IntArray

    @property
    def num_queries(self) -> int:
        """Q."""
        return len(self.query_pids)

    @property
    def num_gallery(self) -> int:
        """G."""
        return len(self.gallery_pids)

    def num_possible_matches(self) -> IntArray:
        """(Q,) gallery images of each query's identity, before any is dropped."""
        sizes = np.append(np.diff(self.starts), 0)  # ABSENT is -1, so it picks the 0 at the end
        return sizes[self.query_code]


def check_labels(
    *,
    num_queries: int,
    num_gallery: int,
    query_pids: ArrayLike,
    gallery_pids: ArrayLike,
    query_camids: ArrayLike | None,
    gallery_camids: ArrayLike | None,
    own_index: ArrayLike | None,
    protocol: Protocol,
) -> Labels:
    """Check all labels against Q and G and code them.

    Camera ids may be integers or strings, the same kind on both sides; only equality matters. They may be
    ``None`` when the protocol keeps the query's camera and so never looks at them.

    Raises:
        InputError: A side is empty, a shape is wrong, or a value is not an id.
    """
    if not isinstance(protocol, Protocol):
        raise InputError(
            f"protocol is {protocol!r}, expected a Protocol; protocol_named() gives the presets."
        )
    if num_queries == 0 or num_gallery == 0:
        side = "query" if num_queries == 0 else "gallery"
        raise InputError(
            f"There are {num_queries} queries and {num_gallery} gallery images: the {side} is empty. "
            "Give at least one image on each side."
        )
    query_pid_array = _check_pids(query_pids, "query_pids", num_queries, num_gallery)
    gallery_pid_array = _check_pids(gallery_pids, "gallery_pids", num_gallery, num_queries)
    query_camid_array, query_camera, gallery_camera = _check_cameras(
        query_camids, gallery_camids, num_queries, num_gallery, protocol
    )
    identities, gallery_code = np.unique(gallery_pid_array, return_inverse=True)
    position = np.minimum(np.searchsorted(identities, query_pid_array), len(identities) - 1)
    query_code = np.where(identities[position] == query_pid_array, position, ABSENT)
    starts, members = _group(gallery_code.reshape(-1).astype(np.int64), len(identities))
    camera_starts, camera_members = _group(
        gallery_camera, int(max(query_camera.max(), gallery_camera.max())) + 1
    )
    return Labels(
        query_pids=query_pid_array,
        gallery_pids=gallery_pid_array,
        query_camids=query_camid_array,
        query_camera=query_camera,
        gallery_camera=gallery_camera,
        query_code=query_code.astype(np.int64),
        starts=starts,
        members=members,
        ignored=np.flatnonzero(_ignored_mask(gallery_pid_array, protocol)).astype(np.int64),
        camera_starts=camera_starts,
        camera_members=camera_members,
        own_index=_check_own_index(own_index, num_queries, num_gallery),
    )


def coded_labels(labels: Labels) -> CodedLabels:
    """The arrays that the compiled loops need."""
    return CodedLabels(
        query_code=labels.query_code,
        starts=labels.starts,
        members=labels.members,
        identities=np.unique(labels.gallery_pids),
        ignored=labels.ignored,
        query_camera=labels.query_camera,
        gallery_camera=labels.gallery_camera,
        camera_starts=labels.camera_starts,
        camera_members=labels.camera_members,
        own_index=labels.own_index,
    )


def explain_no_valid_query(labels: Labels, protocol: Protocol) -> NoValidQueryError:
    """The error for "no query has a match that counts", with how many queries fail for which reason."""
    ignored = _ignored_mask(labels.gallery_pids, protocol)
    kept_pids = np.unique(labels.gallery_pids[~ignored])
    absent = int(np.count_nonzero(~np.isin(labels.query_pids, kept_pids)))
    same_camera = labels.num_queries - absent
    cameras = len(np.unique(np.concatenate([labels.query_camera, labels.gallery_camera])))
    message = [
        f"None of the {labels.num_queries} queries has a true match that counts "
        f"under protocol {protocol.name!r}:"
    ]
    reasons = []
    if absent:
        reasons.append(f"{absent} have a pid that no counted gallery image has")
    if same_camera:
        reasons.append(
            f"{same_camera} have their pid in the gallery only as the query's own image or from its camera"
        )
    message.append("; ".join(reasons) + ".")
    if absent == labels.num_queries:
        message.append("Check that query and gallery pids share one numbering and belong to the test split.")
    if same_camera and protocol.same_camera != "keep":
        if cameras == 1:
            message.append(
                "All images have the same camid, and re-identification is scored across cameras. If the "
                "camera ids were lost, mend them; if there really is one camera, pass "
                "protocol=SINGLE_CAMERA, whose numbers must not be compared with cross-camera ones."
            )
        else:
            message.append(
                "Check the camids: a match counts only if it was seen by another camera than the query's."
            )
    return NoValidQueryError(" ".join(message))


def _ignored_mask(gallery_pids: IntArray, protocol: Protocol) -> NDArray[np.bool_]:
    ignored = np.zeros(len(gallery_pids), dtype=np.bool_)
    if protocol.junk == "drop":
        ignored |= gallery_pids == JUNK_PID
    if protocol.distractors == "drop":
        ignored |= gallery_pids == DISTRACTOR_PID
    return ignored


def _group(codes: IntArray, num_codes: int) -> tuple[IntArray, IntArray]:
    """Positions by code as (starts, members), members ascending within a code."""
    starts = np.zeros(num_codes + 1, dtype=np.int64)
    np.cumsum(np.bincount(codes, minlength=num_codes), out=starts[1:])
    return starts, np.argsort(codes, kind="stable").astype(np.int64)


def _check_pids(values: ArrayLike, name: str, expected: int, other: int) -> IntArray:
    array = _check_length(np.asarray(values), name, expected, other)
    pids = _to_integers(array, name)
    if pids.min() < JUNK_PID:
        raise InputError(f"{name} contains {pids.min()}; expected -1 (junk), 0 (distractor) or above.")
    return pids


def _check_length(array: NDArray[np.generic], name: str, expected: int, other: int) -> NDArray[np.generic]:
    if array.shape == (expected,):
        return array
    hint = "Rows of `distances` are queries, columns are gallery images."
    if array.shape == (other,):
        hint += " The length fits the other side: were query and gallery swapped?"
    raise InputError(f"{name} has shape {array.shape}, expected ({expected},). {hint}")


def _to_integers(array: NDArray[np.generic], name: str) -> IntArray:
    if array.dtype.kind in "iu":
        return array.astype(np.int64)
    if array.dtype.kind == "f":
        if np.all(np.isfinite(array)) and np.all(array == np.rint(array)):
            return array.astype(np.int64)
        raise InputError(f"{name} contains fractions, NaN or infinity; ids must be integers.")
    raise InputError(
        f"{name} has type {array.dtype}, expected integers. Number the identities first, with -1 for junk "
        "and 0 for distractors; only camera ids may be text, and then all of them."
    )


def _check_cameras(
    query_camids: ArrayLike | None,
    gallery_camids: ArrayLike | None,
    num_queries: int,
    num_gallery: int,
    protocol: Protocol,
) -> tuple[NDArray[np.generic], IntArray, IntArray]:
    if query_camids is None or gallery_camids is None:
        if protocol.same_camera != "keep":
            raise InputError(
                f"query_camids and gallery_camids are needed: protocol {protocol.name!r} drops matches from "
                "the query's camera. For data from one camera pass protocol=SINGLE_CAMERA."
            )
        nowhere = np.zeros(num_queries, dtype=np.int64)
        return nowhere, nowhere, np.zeros(num_gallery, dtype=np.int64)
    query = _check_length(np.asarray(query_camids), "query_camids", num_queries, num_gallery)
    gallery = _check_length(np.asarray(gallery_camids), "gallery_camids", num_gallery, num_queries)
    if _is_text(query) != _is_text(gallery):
        raise InputError(
            f"query_camids are {query.dtype} and gallery_camids are {gallery.dtype}; text and numbers never "
            "compare equal, so no same-camera image would be dropped. Give the same kind on both sides."
        )
    if _is_text(query):
        query, gallery = query.astype(np.str_), gallery.astype(np.str_)
    else:
        query, gallery = _to_integers(query, "query_camids"), _to_integers(gallery, "gallery_camids")
    codes = np.unique(np.concatenate([query, gallery]), return_inverse=True)[1].reshape(-1).astype(np.int64)
    return query, codes[:num_queries], codes[num_queries:]


def _is_text(array: NDArray[np.generic]) -> bool:
    if array.dtype.kind in "UT":
        return True
    return array.dtype.kind == "O" and all(isinstance(value, str) for value in array)


def _check_own_index(own_index: ArrayLike | None, num_queries: int, num_gallery: int) -> IntArray:
    if own_index is None:
        return np.full(num_queries, ABSENT, dtype=np.int64)
    checked = _check_length(np.asarray(own_index), "own_index", num_queries, num_gallery)
    index = _to_integers(checked, "own_index")
    if index.min() < ABSENT or index.max() >= num_gallery:
        raise InputError(
            f"own_index holds {index.min()} to {index.max()}, expected gallery positions 0 to "
            f"{num_gallery - 1}, or -1 for a query that is not in the gallery."
        )
    return index
