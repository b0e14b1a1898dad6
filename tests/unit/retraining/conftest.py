from __future__ import annotations

from pathlib import Path

import pytest

from reid_core.retraining.pools import Pools
from tests.unit.retraining.small_sets import small_pools


@pytest.fixture
def pools(tmp_path: Path) -> Pools:
    return small_pools(tmp_path / "base")
