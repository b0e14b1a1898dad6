from __future__ import annotations

import pytest
from studio import Studio


@pytest.fixture(scope="session")
def studio() -> Studio:
    return Studio()
