"""Commands work on the world in memory."""

from __future__ import annotations

import pytest

from cli import deploy, status
from tasks import runtime
from tests.unit.tasks.engine import Engine


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Engine:
    made = Engine()
    monkeypatch.setattr(runtime, "_world", made.world())
    for module in (deploy, status):
        monkeypatch.setattr(module, "world", made.world)
    return made
