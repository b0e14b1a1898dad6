"""A tiny data set that a net can learn in seconds: each identity wears its own two colours."""

from __future__ import annotations

import colorsys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from reid_core.training import Stage, TrainConfig

NUM_IDENTITIES, CROPS_EACH = 12, 6


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tiny_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as ``reid render`` writes it: crops, masks, manifest with attribute columns."""
    root = tmp_path_factory.mktemp("tiny-set")
    rng = np.random.default_rng(0)
    lines = ["path,split,pid,camid,time_s,mask,upper,height"]
    for folder in ("train", "masks"):
        (root / folder).mkdir()
    for pid in range(1, NUM_IDENTITIES + 1):
        upper, lower = (
            np.array(colorsys.hsv_to_rgb(hue / NUM_IDENTITIES, 0.8, 0.8)) * 255 for hue in (pid, 5 * pid % 12)
        )
        for number in range(CROPS_EACH):
            crop = rng.integers(60, 200, (64, 32, 3)).astype(np.uint8)
            mask = np.zeros((64, 32), dtype=np.uint8)
            left = 8 + number
            crop[8:34, left : left + 12], crop[34:60, left : left + 12] = upper, lower
            mask[8:60, left : left + 12] = 255
            name = f"{pid:04d}_c{number % 3 + 1}s1_{number:06d}_00"
            Image.fromarray(crop).save(root / "train" / f"{name}.png")
            Image.fromarray(mask).save(root / "masks" / f"{name}.png")
            height = "" if pid == 1 else f"{pid / 6 - 1:.3f}"
            kind = "coat" if pid % 2 else "tee"
            columns = (
                f"train/{name}.png,train,{pid},{number % 3 + 1},{number}.0,masks/{name}.png,{kind},{height}"
            )
            lines.append(columns)
    (root / "manifest.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return root


@pytest.fixture
def tiny_config() -> TrainConfig:
    """Every loss and both kinds of stage, in 30 steps."""
    return TrainConfig(
        recipe="tiny",
        stages=(Stage(0.4, 32, 16, by_identity=False), Stage(0.6, 48, 24, by_identity=True)),
        steps=30,
        batch_size=16,
        learning_rate=0.05,
        warmup_steps=3,
        triplet_weight=0.5,
        contrastive_weight=0.2,
        category_weight=1.0,
        real_weight=0.5,
        category_columns=("upper",),
        real_columns=("height",),
        mixstyle_probability=0.5,
        first_strength=0.2,
        full_strength_at=1.0,
        average_decay=0.9,
        validation_identities=2,
        checkpoint_steps=10,
    )
