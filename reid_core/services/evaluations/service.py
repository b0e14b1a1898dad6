"""Evaluation runs, failures and comparisons behind one interface."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from reid_core.errors import InputError
from reid_core.services.evaluations import rank_list, strips
from reid_core.services.evaluations.comparison import RunComparison, compare
from reid_core.services.evaluations.failures import (
    Failure,
    FailureFilter,
    Tags,
    choose,
    describe,
    similarity_of,
    strip_of,
)
from reid_core.services.evaluations.figures import comparison_figures, figure_csv, figure_page
from reid_core.services.evaluations.queries import assess
from reid_core.services.evaluations.records import (
    FailureKind,
    RankingName,
    Readiness,
    RunInfo,
    RunRequest,
)
from reid_core.services.evaluations.runner import EvaluationRunner, GalleryOpener
from reid_core.services.evaluations.store import OpenRun, RunImage, RunStore
from reid_core.services.evaluations.tables import write_queries, write_tags
from reid_core.services.evaluations.tags import TagEvent, TagLog
from reid_core.services.galleries import Gallery
from reid_core.services.jobs import JobControl, JobQueue
from reid_core.services.records import JobView
from reid_core.services.turns import ComputeTurns

MAX_STRIP = 20
_STALE_WORK_S = 7 * 86_400.0
_TABLE_TYPES = (".csv", ".json", ".parquet")

ReadByHash = Callable[[str, str, int | None], bytes]
"""Gallery name, content hash and largest height in; JPEG bytes out."""


class Evaluations:
    """What pages, routes and other services may ask for; safe to call from many threads.

    Building it does no work; ``run_job`` is the runner of ``evaluate`` jobs.
    """

    def __init__(
        self,
        folder: Path,
        *,
        opener: GalleryOpener,
        gallery_of: Callable[[str], Gallery],
        resolve_model: Callable[[str], str],
        read_image: ReadByHash,
        turns: ComputeTurns,
    ) -> None:
        """``gallery_of`` and ``resolve_model`` take a name, empty for the default one."""
        self._store = RunStore(folder / "runs")
        self._tags = TagLog(folder / "tags")
        self._runner = EvaluationRunner(opener, self._store, turns, folder / "unfinished")
        self._opener, self._gallery_of, self._resolve_model = opener, gallery_of, resolve_model
        self._read_image = read_image
        self._jobs: JobQueue | None = None

    # ---- runs ----

    def attach(self, jobs: JobQueue) -> None:
        """Say which queue runs ``evaluate`` jobs; it needs ``run_job`` before it can be built."""
        self._jobs = jobs

    def run_job(self, control: JobControl) -> str:
        """Runner of ``evaluate`` jobs."""
        return self._runner.run(control)

    def clean(self) -> None:
        """Remove what runs left unfinished a week ago."""
        self._runner.clear_stale_work(_STALE_WORK_S)

    def forget_gallery(self, manifest_hash: str) -> None:
        """Remove unfinished embeddings of a deleted gallery; finished runs and tags stay."""
        self._runner.forget(manifest_hash)

    def readiness(self, gallery: str = "") -> Readiness:
        """Whether a gallery can be scored and how, or why not and what to do.

        Raises:
            InputError: There is no such gallery. GalleryNotReadyError: It is still being read.
        """
        return assess(self._gallery_of(gallery))

    def start(self, request: RunRequest) -> JobView:
        """Queue a run; an unfinished one with the same request is returned instead.

        Raises:
            InputError: No such gallery, model or protocol; or the gallery cannot be scored like this.
            GalleryNotReadyError: The gallery is still being read.
        """
        assert self._jobs is not None, "attach() was not called"
        gallery, model = self._gallery_of(request.gallery), self._resolve_model(request.model)
        readiness = assess(gallery)
        if readiness.problem:
            raise InputError(
                f"{readiness.problem} {readiness.remedies[0] if readiness.remedies else ''}".strip()
            )
        if request.queries not in readiness.query_rules:
            raise InputError(
                f"Gallery {gallery.title!r} has no query split. Draw one query per identity and camera "
                f"instead."
            )
        if request.protocol not in readiness.protocols:
            raise InputError(
                f"Gallery {gallery.title!r} has no cameras, or only one, so protocol "
                f"{request.protocol!r} would "
                "leave no match. Use 'single_camera', and compare such numbers only among themselves."
            )
        wanted = {**request.to_dict(), "gallery": gallery.name, "model": model}
        return self._jobs.submit(
            "evaluate",
            f"Evaluate {model} on {gallery.title}",
            {"request": json.dumps(wanted, sort_keys=True)},
            gallery=gallery.name,
            model=model,
        )

    def runs(self, gallery: str = "") -> tuple[RunInfo, ...]:
        """Finished runs of a gallery, newest first; of all galleries with an empty name."""
        return tuple(info for info in self._store.infos() if not gallery or info.gallery == gallery)

    def jobs(self, gallery: str = "") -> tuple[JobView, ...]:
        """Evaluation jobs of a gallery, newest first; of all galleries with an empty name."""
        assert self._jobs is not None, "attach() was not called"
        return tuple(
            job
            for job in self._jobs.all()
            if job.kind == "evaluate" and (not gallery or job.gallery == gallery)
        )

    def open(self, run_id: str, ranking: RankingName = "plain") -> OpenRun:
        """One ranking of a run with its rows.

        Raises:
            InputError: There is no such run or ranking.
        """
        return self._store.open(run_id, ranking)

    def edit(self, run_id: str, *, title: str, comment: str) -> RunInfo:
        """Rename a run or comment on it; an empty title gives the first one back.

        Raises:
            InputError: There is no such run, or a text is too long.
        """
        return self._store.edit(run_id, title=title, comment=comment)

    def remove(self, run_id: str) -> None:
        """Delete a run; tags stay.

        Raises:
            InputError: There is no such run.
        """
        self._store.remove(run_id)

    def latest_ap(self, gallery: str = "", model: str = "") -> Mapping[str, float]:
        """AP by query id of the newest run of what the gallery and the model are now; empty without one.

        Runs of an earlier content, or of other weights of the same name, do not count.

        Raises:
            InputError, GalleryNotReadyError: As ``Workbench.open_gallery``.
        """
        opened = self._opener.open_gallery(gallery, model)
        now = (opened.space.gallery.manifest_hash, opened.embedder.fingerprint)
        newest = next(
            (info for info in self._store.infos() if (info.manifest_hash, info.fingerprint) == now), None
        )
        if newest is None:
            return {}
        run = self._store.open(newest.id)
        values = zip(run.queries, run.report.per_query.ap, strict=True)
        return {image.id: float(ap) for image, ap in values if ap == ap}

    # ---- failures and tags ----

    def worst(self, run: OpenRun, wanted: FailureFilter) -> tuple[int, ...]:
        """Rows of the queries that pass, worst first."""
        return tuple(int(row) for row in choose(run, wanted, self.tags(run.info.gallery)))

    def describe(self, run: OpenRun, row: int) -> Failure:
        """What is known about one query of a run."""
        return describe(run, row, self.tags(run.info.gallery))

    def tags(self, gallery: str) -> Tags:
        """Failure kinds by (query id, content hash)."""
        return self._tags.current(gallery)

    def tag_counts(self, gallery: str) -> Mapping[FailureKind, int]:
        """How many queries carry each kind."""
        return self._tags.counts(gallery)

    def tag(
        self, run_id: str, query_id: str, kind: str, *, who: str = "", is_on: bool = True
    ) -> TagEvent | None:
        """Put a failure kind on a query of a run, or take it off; None where it is so already.

        Raises:
            InputError: No such run, query or kind.
        """
        run = self._store.open(run_id)
        row = run.row(query_id)
        false = self.describe(run, row).best_false
        return self._tags.record(
            run.info.gallery,
            query_id,
            run.queries[row].content_hash,
            kind,
            who=who,
            run=run_id,
            match=false.id if false else "",
            is_on=is_on,
        )

    def undo_tag(self, run_id: str, event_id: str, *, who: str = "") -> TagEvent:
        """Take back one tag event of the run's gallery.

        Raises:
            InputError: No such run or event, or it was changed again since.
        """
        return self._tags.undo(self._store.info(run_id).gallery, event_id, who=who)

    def tag_events(self, gallery: str) -> tuple[TagEvent, ...]:
        """Everything that was ever said about failures of a gallery, oldest first."""
        return self._tags.events(gallery)

    # ---- comparison ----

    def compare(self, first: tuple[str, RankingName], second: tuple[str, RankingName]) -> RunComparison:
        """The second ranking against the first.

        Raises:
            InputError: No such run, or the two cannot be compared.
        """
        return compare(self._store.open(*first), self._store.open(*second))

    # ---- exports ----

    def figures(self, run_id: str) -> dict[str, Any]:
        """Plotly figures of a run by name, as plain values.

        Raises:
            InputError: There is no such run.
        """
        return self._store.figures(run_id)

    def comparison_figures(
        self, first: tuple[str, RankingName], second: tuple[str, RankingName]
    ) -> dict[str, Any]:
        """Plotly figures of a comparison by name.

        Raises:
            InputError: As ``compare``.
        """
        return comparison_figures(self.compare(first, second))

    def figure_file(self, figures: Mapping[str, Any], name: str, suffix: str) -> str:
        """One of ``figures`` as a page of its own ("html") or as numbers ("csv").

        Raises:
            InputError: There is no such figure or kind of file.
        """
        if name not in figures:
            raise InputError(f"There is no figure {name[:40]!r}. Choose one of {', '.join(figures)}.")
        if suffix not in ("html", "csv"):
            raise InputError(f"A figure is exported as html or csv, not as {suffix[:20]!r}.")
        return figure_page(figures[name]) if suffix == "html" else figure_csv(figures[name])

    def table(self, run_id: str, name: str) -> bytes:
        """One of the run's tables as a file.

        Raises:
            InputError: There is no such run or table.
        """
        info = self._store.info(run_id)
        if name not in info.tables or not name.endswith(_TABLE_TYPES):
            raise InputError(
                f"Run {run_id} has no table {name[:60]!r}. Choose one of {', '.join(info.tables)}."
            )
        return (self._store.folder(run_id) / name).read_bytes()

    def query_csv(self, run: OpenRun, rows: Sequence[int]) -> str:
        """The given queries as CSV: scores, ranks, nearest images, tags and suggestions."""
        return write_queries([self.describe(run, row) for row in rows])

    def tag_csv(self, gallery: str) -> str:
        """Every tag event of a gallery as CSV, oldest first."""
        return write_tags(self._tags.events(gallery))

    def report(self, run: OpenRun, rows: Sequence[int], *, k: int = 10) -> str:
        """A self-contained HTML page with the rank lists of the given queries.

        Raises:
            InputError: No query, or more than ``rank_list.MAX_QUERIES``.
        """
        if not 1 <= len(rows) <= rank_list.MAX_QUERIES:
            raise InputError(
                f"A report of {len(rows):,} queries was asked for; expected 1 to "
                f"{rank_list.MAX_QUERIES}. Filter "
                "or select fewer."
            )
        return rank_list.write_report(
            run,
            rows,
            self.tags(run.info.gallery),
            lambda image: self._read_image(run.info.gallery, image.content_hash, 192),
            k=min(k, MAX_STRIP),
            caption=lambda distance: caption(run, distance),
        )

    def strip(
        self, run: OpenRun, rows: Sequence[int], *, k: int = 10, scale: int = 3, shows_junk: bool = True
    ) -> bytes:
        """A PNG for a paper figure: per query one row with its ``k`` nearest images.

        Raises:
            InputError: No query or more than 50, or k or scale out of range.
            ImageReadError: A picture is gone or was changed.
        """
        if not 1 <= len(rows) <= 50 or not 1 <= k <= MAX_STRIP or not 1 <= scale <= 8:
            raise InputError(
                f"A strip of {len(rows)} queries with k {k} at scale {scale} was asked for; expected 1 to 50 "
                f"queries, k 1 to {MAX_STRIP}, scale 1 to 8."
            )

        def read(image: RunImage) -> bytes:
            return self._read_image(run.info.gallery, image.content_hash, None)

        pictures = []
        for row in rows:
            items = strip_of(run, row, run.ranking.index.shape[1])
            shown = [item for item in items if shows_junk or item.rank is not None][:k]
            cells = strips.cells_of(run.queries[row], shown, lambda distance: caption(run, distance))
            pictures.append(strips.draw_strip(cells, read, scale=scale))
        return pictures[0] if len(pictures) == 1 else strips.stack(pictures, gap=8 * scale)


def caption(run: OpenRun, distance: float) -> str:
    """A distance as it is shown: the cosine similarity where it is one, else the distance, marked."""
    similarity = similarity_of(run, distance)
    return f"d {distance:.3f}" if similarity is None else f"{similarity:.3f}"
