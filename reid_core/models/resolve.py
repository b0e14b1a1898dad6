"""Find weights by what a person calls them: a file, a name of the registry, or the demo."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from reid_core.assets import DEMO_WEIGHTS, asset_path
from reid_core.errors import WeightsError
from reid_core.models.checkpoints import LoadedWeights, load_weights
from reid_core.models.registry import KNOWN_WEIGHTS, KnownWeights


def resolve_weights(weights: str | Path, *, variant: str | None = None) -> LoadedWeights:
    """Load weights given as a path, a registry name, or ``demo``.

    A file in the working folder that is called like a registry name must be given as ``./name``.

    Raises:
        WeightsError: The file is damaged, unsafe, no OSNet, another variant, or not fit for ReID.
        DownloadError: Known weights could not be fetched.
    """
    if weights == "demo":
        return load_weights(asset_path(DEMO_WEIGHTS), variant=variant)
    name = str(weights)
    if name in KNOWN_WEIGHTS:
        return _load_known(KNOWN_WEIGHTS[name], variant)
    if "@" in name and not Path(name).exists():
        raise WeightsError(
            f"{name!r} is neither a file nor a name of the registry; the names are "
            f"{', '.join(KNOWN_WEIGHTS)}."
        )
    return load_weights(weights, variant=variant)


def _load_known(known: KnownWeights, variant: str | None) -> LoadedWeights:
    if not known.is_for_reid:
        raise WeightsError(
            f"{known.name} is pre-trained on ImageNet and cannot tell people apart, so its matches would "
            "look plausible and mean little. Choose weights trained for re-identification (`reid weights "
            "list`)."
        )
    if variant not in (None, known.spec.variant):
        raise WeightsError(
            f"{known.name} is {known.spec.variant}, but {variant} was asked for. Leave one of them out."
        )
    # Imported on demand: weights from a file need no hub.
    from reid_core.models.hub import fetch_known_weights

    loaded = load_weights(fetch_known_weights(known), variant=known.spec.variant)
    if loaded.report.num_classes != known.spec.num_classes:
        raise WeightsError(
            f"The file of {known.name} has a {loaded.report.num_classes}-way classifier, expected "
            f"{known.spec.num_classes}: it was trained on something else. Remove {loaded.report.path}, and "
            "download it again."
        )
    return replace(loaded, spec=known.spec)
