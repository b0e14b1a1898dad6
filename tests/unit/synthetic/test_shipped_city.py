"""The city in assets/demo-city is what its command renders, and what its card says."""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from reid_core.synthetic.city import SHIPPED_COUNTS, City, plan_city
from reid_core.synthetic.crops import CropRenderer
from reid_core.synthetic.scene import build_scene
from reid_core.synthetic.worlds import DEMO

CITY = Path(__file__).parents[3] / "assets" / "demo-city"
MAX_BYTES = 18_000_000
MAX_MEAN_DIFFERENCE = 4.0
"""Grey levels. Compilers and JPEG libraries differ a little between machines; another crop differs by 40."""


@pytest.fixture(scope="module")
def city() -> City:
    label = json.loads((CITY / "render.json").read_text())
    return plan_city(DEMO, seed=label["seed"], cameras=label["cameras"], counts=SHIPPED_COUNTS)


@pytest.fixture(scope="module")
def rows() -> list[dict[str, str]]:
    with (CITY / "manifest.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_shipped_city__manifest__lists_exactly_the_files(rows: list[dict[str, str]]) -> None:
    assert {row["path"] for row in rows} == {p.relative_to(CITY).as_posix() for p in CITY.rglob("*.jpg")}
    assert sum(path.stat().st_size for path in CITY.rglob("*") if path.is_file()) < MAX_BYTES


def test_shipped_city__plan__is_the_manifest(city: City, rows: list[dict[str, str]]) -> None:
    planned = {crop.path for crop in city.crops}
    written = {row["path"] for row in rows}
    assert written <= planned
    assert len(planned - written) <= 0.01 * len(planned)  # people whom a camera could not see
    splits = Counter(row["split"] for row in rows)
    assert set(splits) == {"query", "gallery", "train", "locked_query", "locked_gallery"}


def test_shipped_city__three_crops_rendered_again__are_the_files(city: City) -> None:
    renderer = CropRenderer(city, lambda camera: build_scene(camera.scene))
    low_resolution = [c for c in city.crops if c.camid == 5 and (CITY / c.path).exists()]
    indoor = next(
        c for c in city.crops if c.camid == 1 and c.framing == "person" and (CITY / c.path).exists()
    )
    for crop in (low_resolution[0], low_resolution[-1], indoor):
        shot = renderer.render(crop)
        assert shot is not None
        with Image.open(CITY / crop.path) as image:
            shipped = np.asarray(image.convert("RGB")).astype(float)
        smoothed = [
            np.asarray(Image.fromarray(a).resize((32, 64), Image.Resampling.BOX)).astype(float)
            for a in (shot.image, shipped.astype(np.uint8))
        ]
        assert np.abs(smoothed[0] - smoothed[1]).mean() < MAX_MEAN_DIFFERENCE
