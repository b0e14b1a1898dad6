"""What a similarity means in one gallery: fitted once per gallery and network, kept beside the embeddings."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reid_core.errors import InputError, NoValidQueryError
from reid_core.evaluation import (
    MARKET1501,
    SINGLE_CAMERA,
    Calibration,
    EvalReport,
    Protocol,
    absent_threshold,
    evaluate_embeddings,
    fit_calibration,
    pairs_of_embeddings,
)
from reid_core.services.files import write_text_atomically
from reid_core.services.search import NOBODY_SAID, SearchSpace
from reid_core.types import Vectors

_LOG = logging.getLogger(__name__)
IntArray = NDArray[np.intp]

MIN_IDENTITIES = 10
"""Fewer known people than this say nothing that carries over to others."""
PRESENT_BELOW = 0.05
"""Share of the people in a gallery whom "not in this gallery" may be said of by mistake."""
_MAX_QUERIES = 1000
_MAX_DIFFERENT = 50_000
_RESAMPLES = 200


@dataclass(frozen=True, slots=True)
class CalibrationStore:
    """One JSON file per gallery content and network, below ``folder``; deleting it makes it anew."""

    folder: Path

    def get(self, space: SearchSpace) -> Calibration | None:
        """The calibration of a gallery under the network of its index; None where too little is known.

        Fitted on the people whom the gallery names: its queries against its gallery images or, without
        queries, its gallery images among themselves.
        """
        model, gallery = space.index.fingerprint, space.gallery.manifest_hash
        path = self.folder / f"{gallery[:32]}-{model[:32]}.json"
        try:
            return Calibration.load(path, model_fingerprint=model, gallery_fingerprint=gallery)
        except InputError:
            calibration = fit_for(space)
        if calibration is not None:
            write_text_atomically(path, calibration.to_json())
        return calibration


def fit_for(space: SearchSpace) -> Calibration | None:
    """Fit P(same) and the "not in this gallery" threshold on the people known in ``space``."""
    queries = np.flatnonzero((space.pids > 0) & ~space.is_searched)
    is_from_gallery = not len(queries)
    if is_from_gallery:
        queries = np.flatnonzero((space.pids > 0) & space.is_searched)
    queries = queries[:: max(1, math.ceil(len(queries) / _MAX_QUERIES))]
    gallery = np.flatnonzero(space.is_searched & (space.pids != NOBODY_SAID))
    if len(np.intersect1d(space.pids[queries], space.pids[gallery])) < MIN_IDENTITIES:
        return None
    rows = np.concatenate([queries, gallery])
    has_cameras = bool(np.all(space.camids[rows] != NOBODY_SAID)) and len(np.unique(space.camids[rows])) > 1
    if is_from_gallery and not has_cameras:
        return None  # pairs from one camera are far easier than what a search across cameras meets
    try:
        return _fit(space, queries, gallery, MARKET1501 if has_cameras else SINGLE_CAMERA)
    except (NoValidQueryError, InputError) as error:
        _LOG.info("No calibration of %s: %s", space.gallery.name, error)
        return None


def _fit(space: SearchSpace, queries: IntArray, gallery: IntArray, protocol: Protocol) -> Calibration:
    has_cameras = protocol is MARKET1501
    query_vectors, gallery_vectors = (_vectors_of(space, rows) for rows in (queries, gallery))
    query_pids, gallery_pids = space.pids[queries], space.pids[gallery]
    query_camids = space.camids[queries] if has_cameras else None
    gallery_camids = space.camids[gallery] if has_cameras else None
    pairs = pairs_of_embeddings(
        query_vectors,
        gallery_vectors,
        query_pids=query_pids,
        gallery_pids=gallery_pids,
        query_camids=query_camids,
        gallery_camids=gallery_camids,
        protocol=protocol,
        max_different=_MAX_DIFFERENT,
    )
    report = evaluate_embeddings(
        query_vectors,
        gallery_vectors,
        query_pids=query_pids,
        gallery_pids=gallery_pids,
        query_camids=query_camids,
        gallery_camids=gallery_camids,
        protocol=protocol,
    )
    return fit_calibration(
        pairs,
        model_fingerprint=space.index.fingerprint,
        gallery_fingerprint=space.gallery.manifest_hash,
        absent=absent_threshold(report, target_fpir=_named_share(report), resamples=_RESAMPLES),
        resamples=_RESAMPLES,
    )


def _named_share(report: EvalReport) -> float:
    """Share of absent people who would still be named if nearly everybody who is present shall be.

    "Not in this gallery" is a strong thing to say, so its threshold follows the people who are there: all but
    ``PRESENT_BELOW`` of them have an image at least that similar.
    """
    table = report.per_query
    best_match = 1.0 - table.best_match_distance[table.is_matched]
    best_false = 1.0 - table.best_false_distance[table.best_false_index >= 0]
    share = float(np.mean(best_false >= np.quantile(best_match, PRESENT_BELOW)))
    return min(max(share, 1e-3), 1.0 - 1e-3)


def _vectors_of(space: SearchSpace, rows: IntArray) -> Vectors:
    return space.index.vectors_of([space.index.ids[row] for row in rows])
