"""Where the files lie that ship with the project: demo weights, demo city, icons."""

from __future__ import annotations

from pathlib import Path

from reid_core.errors import ReidError

DEMO_WEIGHTS = "weights/osnet_x0_25_demo.safetensors"
DEMO_CITY = "demo-city"


def asset_path(relative: str) -> Path:
    """The path of a shipped file or folder, given below ``assets/`` with forward slashes.

    Raises:
        ReidError: It is not there: the package was installed without the repository around it.
    """
    path = Path(__file__).resolve().parents[1] / "assets" / relative
    if not path.exists():
        raise ReidError(
            f"The shipped file {relative!r} is not at {path}. Demo weights and images come with a checkout "
            "of the repository, not with the installed package: run from a checkout (pip install -e .), or "
            "name weights and images of your own."
        )
    return path
