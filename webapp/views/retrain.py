"""What the Retrain page shows around draft and gate: frozen sets, runs, models, work under way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from reid_core.errors import ReidError
from reid_core.services import JobView
from reid_core.services.retraining import Retraining
from reid_core.services.retraining.records import CandidateView, ExportView
from reid_core.services.retraining.runs import RunView
from reid_core.services.retraining.snapshot_store import SnapshotView
from webapp.views.evaluate import Choice, format_when
from webapp.views.formats import format_count
from webapp.views.jobs import JobPanel, show_job
from webapp.views.retrain_parts import Workbench, gallery_of

_LAYOUT_WORDS = {"market": "Market-1501 tree", "imagefolder": "imagefolder", "tables": "tables"}
_STATE_WORDS = {
    "new": "Waiting", "idle": "Not started", "running": "Training", "stopped": "Stopped",
    "finished": "Finished",
    "serving": "Serves", "served": "Served before", "promotable": "May be promoted",
    "kept": "Kept, not promoted", "outdated": "Compare again",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Download:
    """A finished zip."""

    title: str
    href: str


@dataclass(frozen=True, slots=True)
class SetCard:
    """A frozen set in the list; ``packing`` are the exports under way."""

    id: str
    name: str
    when: str
    headline: str
    facts: str
    exports: tuple[Download, ...]
    packing: tuple[JobPanel, ...]


@dataclass(frozen=True, slots=True)
class RunCard:
    """A run in the list; ``job`` is the work on it, None where nothing works on it."""

    id: str
    title: str
    when: str
    set_name: str
    state: str
    state_word: str
    progress: str
    model: str
    can_resume: bool
    job: JobPanel | None


@dataclass(frozen=True, slots=True)
class ModelCard:
    """A model that can serve, or did; ``action`` is promote, callback, compare or ""."""

    name: str
    state: str
    state_word: str
    verdict: str
    facts: str
    action: str
    comparison: str
    run: str
    set_name: str


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """Who took over from whom."""

    when: str
    model: str
    previous: str
    reason: str
    comparison: str


@dataclass(frozen=True, slots=True)
class RetrainPage:
    """Everything but the draft, the curve of a run and the gate, which are asked for on their own."""

    kind: Literal["open", "error"]
    gallery: str = ""
    gallery_title: str = ""
    message: str = ""
    set_id: str = ""
    run_id: str = ""
    suggested_name: str = ""
    sets: tuple[SetCard, ...] = ()
    runs: tuple[RunCard, ...] = ()
    models: tuple[ModelCard, ...] = ()
    serving: str = ""
    history: tuple[HistoryRow, ...] = ()
    recipes: tuple[Choice, ...] = ()
    jobs: tuple[JobPanel, ...] = ()
    is_busy: bool = False


def open_page(workbench: Workbench, params: Mapping[str, object]) -> RetrainPage:
    """The page for an address; without ``set`` and ``run`` the newest ones are open."""
    info = gallery_of(workbench, params)
    if info is None:
        wanted = str(params.get("g") or "")
        message = f"There is no gallery {wanted!r}." if wanted else "There is no gallery yet."
        return RetrainPage("error", message=f"{message} Import one on the Data page, or choose another.")
    loop = workbench.retraining
    try:
        sets, runs = loop.snapshots.list(info.name), loop.training.runs(info.name)
        candidates, history = loop.promoting.candidates(), loop.promoting.history()
        exports = loop.sets.exports(info.name)
    except ReidError as error:
        return RetrainPage("error", gallery=info.name, message=str(error))
    names = {view.id: view.name for view in sets}
    jobs = loop.jobs(info.name)
    wanted_set, wanted_run = str(params.get("set") or ""), str(params.get("run") or "")
    return RetrainPage(
        kind="open",
        gallery=info.name,
        gallery_title=info.title,
        set_id=wanted_set if wanted_set in names else (sets[0].id if sets else ""),
        run_id=_first([run.request.id for run in runs], wanted_run),
        suggested_name=_free_name({view.name for view in sets}),
        sets=tuple(_set_card(view, exports, loop.sets.packing(info.name, view.id)) for view in sets),
        runs=tuple(_run_card(view, names, loop.training.job_of(view.request.id)) for view in runs),
        models=(*(_model_card(view, names) for view in candidates), *_plain_models(loop, candidates)),
        serving=loop.serving,
        history=tuple(
            HistoryRow(format_when(p.at_s), p.model, p.previous, p.reason, p.comparison) for p in history
        ),
        recipes=tuple(Choice(name, title) for name, title in loop.training.recipes()),
        jobs=tuple(show_job(job) for job in jobs if _is_shown(job, jobs)),
        is_busy=any(not job.is_over for job in jobs),
    )


def _set_card(view: SnapshotView, exports: tuple[ExportView, ...], packing: tuple[JobView, ...]) -> SetCard:
    parts = f"{view.num_base:,} replay, {view.num_feedback:,} corrected"
    facts = [
        f"{format_count(view.num_train, 'crop')} train ({parts})",
        f"{view.num_quarantined:,} in quarantine",
        f"decisions up to {view.key.log_position:,}",
    ]
    if view.num_overrides:
        facts.append(f"{format_count(view.num_overrides, 'leak')} overridden")
    return SetCard(
        id=view.id,
        name=view.name,
        when=format_when(view.created_s),
        headline=view.headline,
        facts=" · ".join(facts),
        exports=tuple(
            Download(
                f"{_LAYOUT_WORDS[export.layout]}{' with locked test' if export.with_locked else ''}, "
                f"{export.num_bytes / 1e6:.1f} MB",
                f"gradio_api/reid/v1/retraining/exports/{export.name}",
            )
            for export in exports
            if export.snapshot == view.id
        ),
        packing=tuple(show_job(job) for job in packing),
    )


def _run_card(view: RunView, names: Mapping[str, str], job: JobView | None) -> RunCard:
    request = view.request
    is_worked_on = job is not None and not job.is_over
    state: str = "running" if is_worked_on and job is not None and job.state == "running" else view.state
    if job is not None and job.state == "queued":
        state = "new"
    if state == "new" and not is_worked_on:
        state = "idle"
    steps = f"step {view.step:,} of {view.num_steps:,}" if view.num_steps else ""
    failed = job is not None and job.state == "failed"
    return RunCard(
        id=request.id,
        title=f"{request.recipe} from {request.base_model}, seed {request.seed}",
        when=format_when(request.created_s),
        set_name=names.get(request.snapshot, request.snapshot),
        state="failed" if failed else state,
        state_word="Failed" if failed else _STATE_WORDS[state],
        progress=steps,
        model=view.model,
        can_resume=not is_worked_on and not view.model,
        job=show_job(job) if job is not None and (is_worked_on or failed) else None,
    )


def _model_card(view: CandidateView, names: Mapping[str, str]) -> ModelCard:
    model = view.model
    actions = {"promotable": "promote", "served": "callback", "outdated": "compare", "new": "compare"}
    set_name = names.get(model.snapshot, model.snapshot)
    return ModelCard(
        name=model.name,
        state=view.state,
        state_word=_STATE_WORDS[view.state] if view.state != "new" else "Not compared yet",
        verdict=view.verdict,
        facts=f"trained {format_when(model.created_s)} from {model.base_model} on {set_name} "
        f"({model.fingerprint[:12]})",
        action=actions.get(view.state, ""),
        comparison=model.comparison,
        run=model.run,
        set_name=set_name,
    )


def _plain_models(loop: Retraining, candidates: tuple[CandidateView, ...]) -> tuple[ModelCard, ...]:
    """Weights that the app was started with and that served or serve."""
    trained = {view.model.name for view in candidates}
    history = loop.promoting.history()
    served = {loop.serving, *(p.model for p in history), *(p.previous for p in history)}
    cards = []
    for name in sorted(served - trained):
        is_serving = name == loop.serving
        state = "serving" if is_serving else "served"
        verdict = "It serves now." if is_serving else "It served before and can be called back."
        action = "" if is_serving else "callback"
        facts = "one of the weights that the app was started with"
        cards.append(ModelCard(name, state, _STATE_WORDS[state], verdict, facts, action, "", "", ""))
    return tuple(cards)


def _is_shown(job: JobView, jobs: tuple[JobView, ...]) -> bool:
    """Jobs under way, and the newest of its kind if that failed or ended; older ones are history."""
    if not job.is_over:
        return True
    return job == next(other for other in jobs if other.kind == job.kind)


def _first(ids: list[str], wanted: str) -> str:
    return wanted if wanted in ids else (ids[0] if ids else "")


def _free_name(taken: set[str]) -> str:
    number = 1
    while f"Set {number}" in taken:
        number += 1
    return f"Set {number}"


def show_set(workbench: Workbench, params: Mapping[str, object]) -> dict[str, Any]:
    """The changelog of ``set``, and with ``vs`` what differs from that set; else ``message``."""
    info = gallery_of(workbench, params)
    own_id, other = str(params.get("set") or ""), str(params.get("vs") or "")
    if info is None:
        return {"message": "There is no such gallery."}
    try:
        text = workbench.retraining.sets.changelog(info.name, own_id)
        diff = workbench.retraining.sets.diff(info.name, other, own_id).to_text() if other else ""
    except ReidError as error:
        return {"message": str(error)}
    return {"id": own_id, "changelog": text, "diff": diff}
