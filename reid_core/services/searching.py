"""From a query's id to a ranked answer: what is known of the query, its vector, the ranking, its words."""

from __future__ import annotations

import io
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from PIL import Image

from reid_core.errors import ImageReadError
from reid_core.services.embeddings import CropEmbedder
from reid_core.services.feedback import GuidedRanking, rank_with_feedback
from reid_core.services.open_galleries import OpenGalleries, OpenGallery
from reid_core.services.records import QueryView, SearchRequest, SearchResult
from reid_core.services.review import KnownCrops
from reid_core.services.search import (
    QueryFacts,
    SearchSpace,
    check_request,
    choose_examples,
    rank,
    reorder_by,
)
from reid_core.services.turns import ComputeTurns
from reid_core.services.uploads import UploadStore, upload_key
from reid_core.services.views import view_absence, view_feedback, view_hits, view_query, view_upload
from reid_core.types import Vectors

_MAX_KEPT_VECTORS = 256


class Searching:
    """Queries of galleries and uploads, and searches with them."""

    def __init__(
        self,
        opened: OpenGalleries,
        uploads: UploadStore,
        turns: ComputeTurns,
        *,
        known_crops: Callable[[str, str], KnownCrops],
        num_rerank: int,
    ) -> None:
        """``known_crops(query, gallery)`` says what was judged; ``num_rerank`` candidates are re-ranked."""
        self._opened, self._uploads, self._turns = opened, uploads, turns
        self._known_crops, self._num_rerank = known_crops, num_rerank
        self._lock = threading.Lock()
        self._vectors: OrderedDict[tuple[str, str], Vectors] = OrderedDict()

    def examples(self, gallery: str, count: int) -> tuple[QueryView, ...]:
        """As ``Workbench.examples``."""
        opened = self._opened.gallery(gallery)
        return tuple(view_query(opened.name, image) for image in choose_examples(opened, count))

    def query(self, gallery: str, query_id: str) -> QueryView:
        """As ``Workbench.query``."""
        key = upload_key(query_id)
        if key is not None:
            with Image.open(io.BytesIO(self._uploads.read(key))) as stored:
                return view_upload(key, stored)
        opened = self._opened.gallery(gallery)
        return view_query(opened.name, opened.image(query_id))

    def search(self, request: SearchRequest) -> SearchResult:
        """As ``Workbench.search``."""
        started = time.perf_counter()
        check_request(request)
        name = self._opened.name_of(request.gallery)
        view = self.query(name, request.query_id)
        opened = self._opened.open(name, request.model)
        space, embedder = opened.space, opened.embedder
        is_upload = upload_key(view.id) is not None
        facts = QueryFacts(id=None if is_upload else view.id, pid=view.pid, camid=view.camid)
        vector = self.vector(view.id, opened)
        if request.rerank or request.expand:
            self._opened.wait_until_compiled()
        known = self._known_crops(view.id, name) if request.feedback else KnownCrops()
        guided: GuidedRanking | None = None
        reorder = reorder_by(request)
        with self._turns.interactive():
            if request.feedback:
                guided = rank_with_feedback(
                    space,
                    facts,
                    vector,
                    embedder.fingerprint,
                    request,
                    confirmed=known.confirmed,
                    refused=known.refused,
                    reorder=reorder,
                    num_rerank=self._num_rerank,
                )
                ranking = guided.ranking
            else:
                ranking = rank(
                    space,
                    facts,
                    vector,
                    embedder.fingerprint,
                    request,
                    reorder=reorder,
                    num_rerank=self._num_rerank,
                )
        return SearchResult(
            query=view,
            hits=view_hits(space, ranking.hits, facts),
            gallery=name,
            model=opened.model,
            num_candidates=ranking.num_candidates,
            num_filtered=ranking.num_filtered,
            elapsed_s=time.perf_counter() - started,
            notes=ranking.notes,
            num_true=ranking.num_true,
            absence=view_absence(ranking.hits, space.calibration),
            feedback=None if guided is None else view_feedback(space, guided, facts, request.feedback),
        )

    def vector(self, query_id: str, opened: OpenGallery) -> Vectors:
        """(D,) unit vector of a query: the gallery's own, or of an upload, which is embedded once.

        Raises:
            ImageReadError: The picture could not be embedded. InputError: The upload is not kept any more.
        """
        key = upload_key(query_id)
        if key is None:
            return _known_vector(opened.space, query_id)
        return self._upload_vector(key, query_id, opened.embedder)

    def _upload_vector(self, key: str, query_id: str, embedder: CropEmbedder) -> Vectors:
        with self._lock:
            kept = self._vectors.get((key, embedder.fingerprint))
        if kept is not None:
            return kept
        content = self._uploads.read(key)
        with self._turns.interactive():
            embeddings = embedder.embed([content], ids=[query_id])
        if not len(embeddings):
            raise ImageReadError(
                f"The uploaded picture could not be embedded: {embeddings.skipped[0].reason}"
            )
        with self._lock:
            vector: Vectors = embeddings.vectors[0]
            self._vectors[key, embedder.fingerprint] = vector
            if len(self._vectors) > _MAX_KEPT_VECTORS:
                self._vectors.popitem(last=False)
        return vector


def _known_vector(space: SearchSpace, image_id: str) -> Vectors:
    if image_id not in space.index:
        raise ImageReadError(f"{image_id} could not be embedded, so it cannot be searched for.")
    vector: Vectors = space.index.vectors_of([image_id])[0]
    return vector
