"""Score two models on a frozen set\'s pools, decide, and keep the result."""

from __future__ import annotations

import json
import re
import secrets
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from reid_core.errors import DatasetError, InputError
from reid_core.experiments.embedding import CorruptionRun, embed_records
from reid_core.images import ImageInput
from reid_core.retraining.comparison import ScoredPool
from reid_core.retraining.gate import LOCKED, GateResult, GateThresholds, Violations, decide
from reid_core.retraining.scoring import PoolToScore, score_pool, violations_between
from reid_core.retraining.snapshot import TrainingSnapshot
from reid_core.services.embeddings import CropEmbedder, join_parts
from reid_core.services.files import write_text_atomically
from reid_core.services.jobs import JobControl
from reid_core.services.turns import ComputeTurns
from reid_core.types import EmbeddingSet, ImageRecord

CORRUPTED = "corrupted query and gallery"
_BATCH = 16
_ID = re.compile(r"[0-9a-f]{16}")


class PatientEmbedder:
    """A network that lets waiting people go first and stops when the job should."""

    def __init__(self, embedder: CropEmbedder, turns: ComputeTurns, control: JobControl) -> None:
        self._embedder, self._turns, self._control = embedder, turns, control

    @property
    def fingerprint(self) -> str:
        """Of the network."""
        return self._embedder.fingerprint

    def embed(self, images: Sequence[ImageInput], *, ids: Sequence[str] | None = None) -> EmbeddingSet:
        """Embed in small batches, each in its turn."""
        assert ids is not None
        parts = []
        for start in range(0, max(1, len(images)), _BATCH):
            self._control.check()
            with self._turns.background():
                parts.append(
                    self._embedder.embed(images[start : start + _BATCH], ids=ids[start : start + _BATCH])
                )
        return join_parts(parts, self.fingerprint)


def compare(
    pools: Sequence[PoolToScore],
    records: Mapping[str, ImageRecord],
    *,
    before: PatientEmbedder,
    after: PatientEmbedder,
    snapshot: TrainingSnapshot | None,
    thresholds: GateThresholds,
    cache_dir: Path,
    control: JobControl,
    with_corruptions: bool = True,
) -> GateResult:
    """Embed every pool with both models and decide.

    Args:
        pools: What to score on.
        records: Every crop of the pools and of the snapshot\'s triplets, by id.
        before, after: The model that serves and the candidate.
        snapshot: What the candidate was trained on, for the rank violations; None if nobody knows.
        thresholds: Of the gate.
        cache_dir: Finished embeddings are kept here, by model and content.
        control: Is told how far it is.
        with_corruptions: Also score the locked test with every crop corrupted (one draw of the published
            benchmark); shown, not decided on.

    Raises:
        DatasetError: A crop is not among the records. InputError: The two sides do not compare.
        CancelledError: The job should stop.
    """
    needed = {crop for pool in pools for crop in pool.crops}
    if snapshot is not None:
        needed |= {crop for t in snapshot.triplets for crop in (t.anchor, t.positive, t.negative)}
    missing = sorted(needed - records.keys())
    if missing:
        raise DatasetError(
            f"{len(missing)} crops are gone from the data set, e.g. {missing[0]}. Freeze again."
        )
    wanted = [records[crop] for crop in sorted(needed)]
    locked = next(pool for pool in pools if pool.name == LOCKED)
    hard = [records[crop] for crop in locked.crops] if with_corruptions else []
    total, done = 2 * (len(wanted) + len(hard)), 0
    scored: list[dict[str, ScoredPool]] = []
    clean: list[EmbeddingSet] = []
    for side, embedder in (("present model", before), ("candidate", after)):

        def report(count: int, _of: int, base: int = done, side: str = side) -> None:
            control.report(base + count, total, f"Embedding with the {side}.")

        embeddings = embed_records(embedder, wanted, cache_dir=cache_dir, progress=report)
        done += len(wanted)
        corrupted: dict[str, EmbeddingSet] = {}
        if hard:

            def report_hard(count: int, _of: int, base: int = done, side: str = side) -> None:
                control.report(base + count, total, f"Embedding corrupted crops with the {side}.")

            run = CorruptionRun(seed=0)
            corrupted[CORRUPTED] = embed_records(
                embedder, hard, cache_dir=cache_dir, corruption=run, progress=report_hard
            )
            done += len(hard)
        scored.append(
            {
                pool.name: score_pool(pool, embeddings, corrupted=corrupted if pool is locked else None)
                for pool in pools
            }
        )
        clean.append(embeddings)
    control.report(total, total, "Comparing.")
    violations: Violations | None = None
    if snapshot is not None:
        violations = violations_between(snapshot, clean[0], clean[1])
    return decide(scored[0], scored[1], violations=violations, thresholds=thresholds)


class ComparisonStore:
    """Results of comparisons, one JSON file each."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def add(self, result: GateResult, *, before: str, after: str, gallery: str, snapshot: str) -> str:
        """Keep a result; returns its id."""
        own_id = secrets.token_hex(8)
        content = {
            "id": own_id,
            "gallery": gallery,
            "snapshot": snapshot,
            "before_model": before,
            "after_model": after,
            "created_s": time.time(),
            "result": result.to_dict(),
        }
        write_text_atomically(self._folder / f"{own_id}.json", json.dumps(content, ensure_ascii=False))
        return own_id

    def open(self, comparison: str) -> dict[str, Any]:
        """One result, as ``GateResult.to_dict`` gives it, with what was compared.

        Raises:
            InputError: There is none with this id. DatasetError: Its file is damaged.
        """
        path = self._folder / f"{comparison}.json"
        if not _ID.fullmatch(comparison) or not path.is_file():
            raise InputError(f"There is no comparison {comparison[:40]!r}. Compare the candidate again.")
        try:
            values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise DatasetError(
                f"The kept comparison {path.name} is damaged. Compare the candidate again."
            ) from error
        return values
