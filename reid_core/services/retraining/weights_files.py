"""The file behind a model's name, for a process that loads it itself."""

from __future__ import annotations

from pathlib import Path

from reid_core.assets import DEMO_WEIGHTS, asset_path


def weights_file(weights: str) -> Path:
    """Where weights lie, given as a path, a registry name or ``demo``; known weights are fetched if need be.

    Raises:
        WeightsError, DownloadError: They cannot be read or fetched.
    """
    if weights == "demo":
        return Path(asset_path(DEMO_WEIGHTS)).absolute()
    if Path(weights).is_file():
        return Path(weights).absolute()
    from reid_core.models.resolve import resolve_weights  # torch takes seconds to import

    return Path(resolve_weights(weights).report.path).expanduser().absolute()
