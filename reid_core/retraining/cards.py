"""The cards that go with an exported set: what it is, how to load it, what it must not be used for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from reid_core.retraining.changes import changes_of
from reid_core.retraining.layout import PlacedCrop, reader_for
from reid_core.retraining.snapshot import TrainingSnapshot

_READERS = {
    "market1501": (
        "Torchreid (`-s market1501`) and FastReID (`Market1501`) load the tree as it is, with `root` at "
        "the folder above `market1501/` of the zip, or FASTREID_DATASETS at `market1501/` itself."
    ),
    "dukemtmc-reid": (
        "The set has more than six cameras or numbers above 1501, which the Market-1501 readers of Torchreid "
        "and FastReID refuse. Their DukeMTMC-reID readers (`-s dukemtmcreid`, `DukeMTMC`) load the tree "
        "as it is, with `root` at the folder above `dukemtmc-reid/` of the zip, or FASTREID_DATASETS at "
        "`dukemtmc-reid/` itself. They keep junk, so junk crops lie in `junk/`, which they do not read."
    ),
    "": (
        "The set has more than eight cameras, or crops without a camera. The published readers of Torchreid "
        "and FastReID read one digit of the camera and refuse it: load `manifest.csv` instead."
    ),
}


def set_card(snapshot: TrainingSnapshot, placed: Sequence[PlacedCrop], *, name: str = "") -> str:
    """``README.md`` of the Market-1501 tree."""
    with_locked = any(crop.split.startswith("locked") for crop in placed)
    return "\n".join(
        [
            f"# {name or 'Training set'}",
            "",
            *_description(snapshot, placed),
            "",
            "## Loading",
            "",
            _READERS[reader_for(snapshot, with_locked=with_locked)],
            "",
            "`manifest.csv` holds every crop with its corrected identity and weight; `constraints.csv`, "
            "`triplets.csv` and `hard_negatives.csv` name its paths. `SHA256SUMS` proves that nothing "
            "changed (`sha256sum -c SHA256SUMS`).",
            "",
        ]
    )


def folder_card(snapshot: TrainingSnapshot, placed: Sequence[PlacedCrop], *, name: str = "") -> str:
    """``README.md`` of the ``imagefolder`` layout; its header tells ``datasets`` where each split lies."""
    splits = dict.fromkeys(crop.split for crop in placed)
    header = ["---", "task_categories:", "- image-feature-extraction", "tags:", "- person-re-identification"]
    header += ["configs:", "- config_name: default", "  data_files:"]
    for split in splits:
        header += [f"  - split: {split}", f'    path: "{split}/**"']
    return "\n".join(
        [
            *header,
            "---",
            "",
            f"# {name or 'Training set'}",
            "",
            *_description(snapshot, placed),
            "",
            "## Loading",
            "",
            '`datasets.load_dataset("imagefolder", data_dir=...)`, or the repository that this folder was '
            "pushed to. `pid` is the identity (-1 junk, 0 distractor), `camid` the camera, `weight` the "
            "trust in the label.",
            "",
        ]
    )


def _description(snapshot: TrainingSnapshot, placed: Sequence[PlacedCrop]) -> list[str]:
    key, changes = snapshot.key, changes_of(snapshot)
    crops = Counter(crop.split for crop in placed)
    people = {
        split: len({c.row.pid for c in placed if c.split == split and (c.row.pid or 0) > 0})
        for split in crops
    }
    left_out = sum(row.pid is None for row in snapshot.used("evaluation"))
    lines = [
        f"Frozen from {key.log_position:,} decisions on {key.base_name}: {changes.headline}.",
        "",
        "| split | crops | identities |",
        "| --- | --- | --- |",
        *(f"| {split} | {count:,} | {people[split]:,} |" for split, count in crops.items()),
        "",
        f"- Set {snapshot.hash}",
        f"- Base data set {key.base_hash}, model {key.fingerprint or 'none'}, "
        f"rules version {key.rules.version}",
        f"- Of the training crops {snapshot.counts()['base']:,} are the base set's own (`origin` base, to be "
        "replayed) and the others were corrected.",
        "- No person and no picture is in training and in another split"
        + (
            f", except for {sum(r.way_out == 'override' for r in snapshot.resolutions)} overrides listed in "
            "CHANGELOG.md."
            if any(r.way_out == "override" for r in snapshot.resolutions)
            else "."
        ),
    ]
    if left_out:
        lines.append(f"- {left_out:,} crops of unknown people were left out: they may match anybody.")
    lines += [
        "",
        "The terms of the base data set apply to these pictures. If they show real people, keep them where "
        "only people who may see them can, and delete them when they are not needed any more.",
    ]
    return lines
