"""The engine's world, entered for the length of one test."""

from __future__ import annotations

import pytest

from tasks import runtime
from tests.unit.tasks.engine import Engine


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Engine:
    made = Engine()
    monkeypatch.setattr(runtime, "_world", made.world())
    return made
